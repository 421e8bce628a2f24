"""Simulated V2X: what it refuses, and the spellings that the SDKs use."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.simulator.api import Api

CLIENTS = "/api/v2/clients/registration"
MAPS = "/api/v2/mapdata"
VENDOR = {"VendorID": "vendor"}
ID = "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11"
CLIENT = {"ClientType": "Vehicle", "ClientSubtype": "Bus", "VendorID": "vendor", "DeviceID": ID}
RING = [[-84.6, 33.4], [-84.5, 33.4], [-84.5, 33.5], [-84.6, 33.4]]


async def send(api: Api, method: str, path: str, headers: dict[str, str] | None = None, **request: Any) -> Any:
    tokens = {"Authorization": f"Bearer {api.bearer}", "SessionToken": str(api.session)}
    return await api.send(method, path, headers=tokens | (VENDOR if headers is None else headers), **request)


async def refused(api: Api, method: str, path: str, **request: Any) -> tuple[int, str]:
    """Send a request that is refused; return status and description."""
    answer = await send(api, method, path, **request)
    traced = {"uuid", "timestamp"} if path.startswith(MAPS) else set()
    assert set(answer.json) == {"error", "description"} | traced
    return answer.status, answer.json["description"]


async def test_the_usual_header_of_the_session_token_does_not_count(api: Api) -> None:
    answer = await api.send("GET", CLIENTS)
    assert answer.json["error"].endswith("SessionToken.Format")


async def test_a_client_is_found_by_the_spellings_of_the_sdks(api: Api) -> None:
    await send(api, "POST", CLIENTS, json=CLIENT | {"IMEI": "990013907835573"})
    for query in ({"IMEI": "990013907835573"}, {"ID[DeviceID]": ID}):
        assert (await send(api, "GET", CLIENTS, query=query)).json["DeviceID"] == ID
    assert (await refused(api, "GET", CLIENTS, query={}))[0] == 400
    assert (await send(api, "DELETE", CLIENTS, query={"DeviceIDs[0]": ID})).status == 200
    assert (await refused(api, "DELETE", CLIENTS, query={}))[1] == "Missing DeviceIDs"


async def test_the_older_sdk_names_headers_and_an_identifier_by_etx(api: Api) -> None:
    """It has no vendor where it looks a client up."""
    await send(api, "POST", CLIENTS, json=CLIENT)
    found = await send(api, "GET", CLIENTS, headers={}, query={"etxID[DeviceID]": ID})
    assert found.json["DeviceID"] == ID
    own = {"etxDeviceID": ID, "etxVendorID": "vendor"}
    assert (await send(api, "PUT", CLIENTS, headers=own, json={})).json["DeviceID"] == ID
    assert (await refused(api, "DELETE", CLIENTS, headers={"etxVendorID": "x"}, query={"DeviceIDs": ID}))[0] == 404


async def test_an_area_is_read_from_brackets_as_the_sdks_write_them(api: Api) -> None:
    body = {"messageId": 18, "value": {"intersections": [{"id": {"id": 1}}]}}
    await send(api, "POST", MAPS, json=body)
    query = {"Geofence[type]": "Polygon"}
    for number, point in enumerate(RING):
        query |= {f"Geofence[coordinates][0][{number}][{axis}]": str(value) for axis, value in enumerate(point)}
    assert (await send(api, "GET", MAPS, query=query)).body
    for wrong in ({"Geofence[coordinates][0][1][0]": "x"}, {"Geofence[type]": "Point"}):
        assert (await refused(api, "GET", MAPS, query=query | wrong))[1] == "Invalid GeoJSON"


async def test_a_refusal_of_map_data_has_an_id_and_its_time(api: Api) -> None:
    refusal = (await send(api, "POST", f"{MAPS}/query", json={})).json
    assert UUID(refusal["uuid"])
    assert refusal["timestamp"].startswith("2026-")
    expired = await api.send("POST", f"{MAPS}/query", headers={"Authorization": f"Bearer {api.bearer}"}, json={})
    assert UUID(expired.json["uuid"])


async def test_a_wrong_client_is_refused(api: Api) -> None:
    assert await refused(api, "POST", CLIENTS, json=CLIENT | {"DeviceID": "x"}) == (400, "Invalid DeviceID")
    await send(api, "POST", CLIENTS, json=CLIENT)
    assert (await refused(api, "POST", CLIENTS, json=CLIENT))[1] == "device already registered"
    assert await refused(api, "PUT", CLIENTS, headers={"DeviceID": ID}, json={}) == (400, "Missing header VendorID")
    other = {"DeviceID": ID, "VendorID": "other"}
    assert await refused(api, "PUT", CLIENTS, headers=other, json={}) == (404, "Device not found")


@pytest.mark.parametrize(
    ("wrong", "description"),
    [
        ({"Geolocation": {"Latitude": 91, "Longitude": 0}}, "Invalid Geolocation"),
        ({"NetworkType": "LTE"}, "Invalid NetworkType"),
    ],
)
async def test_a_wrong_connection_is_refused(api: Api, wrong: dict[str, Any], description: str) -> None:
    await send(api, "POST", CLIENTS, json=CLIENT)
    place = {"Latitude": 33.4, "Longitude": -84.5}
    body = {"DeviceID": ID, "Geolocation": place, "NetworkType": "VZ", **wrong}
    assert (await refused(api, "POST", "/api/v3/clients/connection", json=body))[1] == description


async def test_a_page_of_clients_is_a_number(api: Api) -> None:
    body = {"VendorId": "vendor", "Filter": {"Page": "next"}}
    assert (await refused(api, "POST", "/api/v1/clients/query", json=body))[1] == "Invalid page"


async def test_roles_refuse_in_plain_text(api: Api) -> None:
    answer = await send(api, "GET", "/api/v1/device-roles/vendor")
    assert (answer.status, answer.body) == (400, b"VendorID is missing")


async def test_wrong_map_messages_and_areas_are_refused(api: Api) -> None:
    empty = {"messageId": 18, "value": {}}
    assert (await refused(api, "POST", MAPS, json=empty))[1] == "Invalid map message"
    assert (await refused(api, "POST", f"{MAPS}/query", json={}))[1] == "Invalid query"
    for wrong in ("", "[]", '{"type": "Polygon", "coordinates": [[[33.4, -112], [0, 0], [0, 0], [33.4, -112]]]}'):
        assert (await refused(api, "GET", MAPS, query={"Geofence": wrong}))[1] == "Invalid GeoJSON"
    assert (await refused(api, "DELETE", f"{MAPS}/regionid/x/i10nid/1"))[0] == 404


async def test_a_map_without_a_position_is_in_every_area_and_others_only_in_theirs(api: Api) -> None:
    area = {"geoJson": {"type": "Polygon", "coordinates": [RING]}}
    far = {"id": {"id": 1}, "refPoint": {"lat": 0, "long": 0}}
    for crossing in (far, {"id": {"id": 2}}):
        body = {"messageId": 18, "value": {"intersections": [crossing]}}
        await send(api, "POST", MAPS, json=body)
    (found,) = (await send(api, "POST", f"{MAPS}/query", json=area | {"expectedType": "JSON"})).json
    assert found["value"]["intersections"][0]["id"] == {"id": 2}
    (encoded,) = (await send(api, "POST", f"{MAPS}/query", json=area)).json
    assert isinstance(encoded, str)
