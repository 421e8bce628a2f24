"""The admin API: full control of a simulator over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.simulator.api import ACCOUNT, Api, Reply
from tests.simulator.listener import Listener
from thingspace_async.simulator import Delay, Simulator, Status
from thingspace_async.simulator.admin.endpoint import Endpoint
from thingspace_async.simulator.admin.endpoints import ENDPOINTS
from thingspace_async.simulator.admin.shapes import Field

Serve = Callable[..., Awaitable[Api]]

NAME = "0000123456-00001"
ADMIN = "/__admin"


async def ask(api: Api, method: str, path: str, body: object = None, **options: Any) -> Any:
    reply = await api.send(method, ADMIN + path, json=body, **options)
    assert reply.status in (200, 201), reply.body
    return reply.json


async def refused(api: Api, method: str, path: str, body: object = None) -> tuple[int, list[str]]:
    reply = await api.send(method, ADMIN + path, json=body)
    return reply.status, reply.json["errors"]


# Clock, faults, users, tokens


async def test_the_clock_is_read_advanced_and_run_faster(api: Api) -> None:
    before = await ask(api, "GET", "/clock")
    after = await ask(api, "POST", "/clock", {"advance": 3600, "speed": 0})
    assert before["speed"] == 1
    assert after["speed"] == 0
    assert before["now"] < after["now"] == api.cloud.clock.now().isoformat()
    reached = await ask(api, "POST", "/clock", {"to": "2026-02-01T00:00:00Z"})
    assert reached["now"] == "2026-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"advance": -1}, "advance must be from 0 to 1e+09"),
        ({"advance": True}, "advance must be of type number"),
        ({"advance": "1"}, "advance must be of type number"),
        ({"to": "tomorrow"}, "to must be a time with a zone"),
        ({"to": "2026-02-01T00:00:00"}, "to must be a time with a zone"),
        ({"to": "2020-02-01T00:00:00Z"}, "cannot go back"),
        ({"to": "9999-02-01T00:00:00Z"}, "cannot pass the year 2999"),
        ({"to": "2026-02-01T00:00:00Z", "advance": 1}, "advance and to exclude each other"),
        ({"hours": 1}, "unknown field 'hours'; known: advance, to, speed"),
        ([], "must be a JSON object"),
    ],
)
async def test_an_error_is_named(api: Api, body: object, fault: str) -> None:
    status, errors = await refused(api, "POST", "/clock", body)
    assert status == 400
    assert fault in errors[0]


async def test_all_errors_are_named_at_once(api: Api) -> None:
    _, errors = await refused(api, "POST", "/users", {"name": "x", "password": 1})
    assert errors == [
        "body: unknown field 'name'; known: username, password",
        "body: username is missing",
        "body: password must be of type string",
    ]


async def test_an_invalid_or_unexpected_body_is_refused(api: Api) -> None:
    broken = await api.send("POST", f"{ADMIN}/clock", data=b"{oops")
    assert broken.json["errors"][0].startswith("body: is not valid JSON")
    assert await refused(api, "POST", "/reset", {"all": True}) == (400, ["body: must be empty"])
    assert await refused(api, "GET", "/nowhere") == (
        404,
        ["no endpoint GET /__admin/nowhere: see /__admin/openapi.json"],
    )


async def test_faults_are_added_listed_removed_and_cleared(api: Api) -> None:
    fault = {"operation": "accounts.get", "kind": "status", "status": 503, "times": 2, "body": {"a": "b"}}
    first = await ask(api, "POST", "/faults", fault)
    await ask(api, "POST", "/faults", {"operation": "*", "kind": "throttled_out", "times": None})
    assert [one["operation"] for one in await ask(api, "GET", "/faults")] == ["accounts.get", "*"]
    reply = await api.account()
    assert (reply.status, reply.json) == (503, {"a": "b"})
    await ask(api, "DELETE", f"/faults/{first['number']}")
    assert (await api.account()).fault == (503, "900800")
    await ask(api, "DELETE", "/faults")
    assert (await api.account()).status == 200


@pytest.mark.parametrize(
    ("kind", "values", "status"),
    [
        ("html", {"status": 200}, 200),
        ("too_many_requests", {"retry_after": 3}, 429),
        ("delay", {"seconds": 0.01}, 200),
        ("drip", {"seconds": 0}, 200),
        ("expire_session", {}, 400),
        ("expire_oauth", {}, 401),
        ("status", {"status": 418, "headers": {"X-Tea": "pot"}, "body": "short"}, 418),
    ],
)
async def test_each_kind_of_fault_can_be_added(api: Api, kind: str, values: dict[str, Any], status: int) -> None:
    await ask(api, "POST", "/faults", {"operation": "accounts.get", "kind": kind, **values})
    assert (await api.account()).status == status


@pytest.mark.parametrize("kind", ["reset", "cut", "raw"])
async def test_connections_can_be_broken(api: Api, kind: str) -> None:
    await ask(api, "POST", "/faults", {"operation": "accounts.get", "kind": kind})
    with pytest.raises(aiohttp.ClientError):
        await api.account()
    assert api.cloud.requests[-1].operation == "accounts.get"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"operation": "device.list", "kind": "raw"}, "unknown operation 'device.list': use one of"),
        ({"operation": "*", "kind": "raw", "seconds": 1}, "raw does not take seconds"),
        ({"operation": "*", "kind": "delay"}, "delay needs seconds"),
        ({"operation": "*", "kind": "odd"}, "kind must be one of status, html"),
        ({"operation": "*", "kind": "status", "status": 200, "headers": {"a b": "c"}}, "headers: 'a b'"),
        ({"operation": "a\nb", "kind": "raw"}, "operation must be printable"),
    ],
)
async def test_an_invalid_fault_is_refused(api: Api, body: object, fault: str) -> None:
    status, errors = await refused(api, "POST", "/faults", body)
    assert status == 400
    assert fault in errors[0]


async def test_users_are_added_locked_unlocked_and_given_passwords(api: Api) -> None:
    await ask(api, "POST", "/users", {"username": "other", "password": "Secret123"})
    assert (await api.log_in("Secret123", "other")).status == 200
    assert await ask(api, "PATCH", "/users/other", {"locked": True}) == {
        "username": "other",
        "locked": True,
        "refusals": 5,
    }
    assert (await api.log_in("Secret123", "other")).status == 400
    await ask(api, "PATCH", "/users/other", {"locked": False, "password": "Another123"})
    assert (await api.log_in("Another123", "other")).status == 200
    assert [one["username"] for one in await ask(api, "GET", "/users")] == ["simulated.user.1", "other"]
    status, errors = await refused(api, "PATCH", "/users/nobody", {"locked": True})
    assert (status, errors) == (404, ["path: unknown user 'nobody'; known: simulated.user.1, other"])


async def test_sessions_and_tokens_are_listed_without_their_values_and_expired(api: Api) -> None:
    (session,) = await ask(api, "GET", "/sessions")
    assert session["token"] == f"***{str(api.session)[-4:]}"
    assert 1100 < session["seconds_left"] <= 1200
    assert (await ask(api, "GET", "/tokens"))["token"] == f"***{str(api.bearer)[-4:]}"
    await ask(api, "POST", "/sessions/expire")
    assert (await ask(api, "GET", "/sessions"))[0]["expired"]
    await ask(api, "DELETE", "/sessions")
    assert await ask(api, "GET", "/sessions") == []
    await ask(api, "POST", "/tokens/expire")
    assert await ask(api, "GET", "/tokens") == {"token": None, "seconds_left": 0}


async def test_the_credentials_work(api: Api) -> None:
    exports = await ask(api, "GET", "/credentials")
    assert exports["THINGSPACE_ENVIRONMENT"] == api.cloud.url
    assert exports["THINGSPACE_PASSWORD"] == api.cloud.credentials.password.reveal()


# Devices


async def test_devices_are_listed_with_filters(serve: Serve) -> None:
    api = await serve(devices=50)
    await ask(api, "POST", "/accounts", {"account": "0000222222-00001", "devices": 3})
    everything = await ask(api, "GET", "/devices")
    assert (everything["total"], len(everything["devices"])) == (53, 53)
    page = await ask(api, "GET", "/devices?limit=2&offset=1")
    assert page["devices"] == everything["devices"][1:3]
    active = (await ask(api, "GET", "/devices?state=active"))["devices"]
    assert {one["state"] for one in active} == {"active"}
    assert len((await ask(api, "GET", "/devices?account=0000222222-00001"))["devices"]) == 3
    wanted = everything["devices"][7]
    assert (await ask(api, "GET", f"/devices?contains={wanted['imei']}"))["devices"] == [wanted]
    assert await ask(api, "GET", "/accounts") == [NAME, "0000222222-00001"]
    assert await refused(api, "GET", "/devices?limit=x") == (400, ["query: limit must be of type integer"])


async def test_a_device_is_added_read_changed_and_deleted(api: Api) -> None:
    (made,) = await ask(api, "POST", "/devices", {"imei": "353272090000001", "iccid": "89148000000000000012"})
    assert (made["imei"], made["state"]) == ("353272090000001", "active")
    assert made["mdn"]
    there = f"/devices/{made['imei']}"
    assert (await ask(api, "GET", there))["platform"]["carrierInformations"][0]["state"] == "active"
    changed = await ask(api, "PATCH", there, {"state": "suspend", "group": "New", "connected": False})
    assert (changed["state"], changed["group"], changed["connected"]) == ("suspend", "New", False)
    listed = await api.devices(deviceId={"kind": "imei", "id": made["imei"]})
    assert listed.json["devices"][0]["groupNames"] == ["New"]
    await ask(api, "DELETE", there)
    assert (await refused(api, "GET", there))[0] == 404


async def test_generated_devices_are_added_by_count(api: Api) -> None:
    added = await ask(api, "POST", "/devices", {"count": 3, "state": "deactive"})
    assert [one["state"] for one in added] == ["deactive"] * 3
    assert len(api.cloud.devices) == 13


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"imei": "1"}, "'1' is not a valid imei"),
        ({"account": "nowhere"}, "unknown account nowhere: add it first"),
        ({"imei": "353272090000001", "count": 2}, "count and identifiers exclude each other"),
        ({"imei": "353272090079193"}, "another device has the identifier"),
    ],
)
async def test_an_impossible_device_is_refused(api: Api, body: object, fault: str) -> None:
    status, errors = await refused(api, "POST", "/devices", body)
    assert status == 400
    assert fault in errors[0]


CSV = """imei,iccid,mdn,state,service plan,ip address,account
353272090000001,89148000000000000012,9085550001,active,M2M_4G_5MB,10.0.0.1,0000333333-00001
353272090000019,,,preactive,,,
"""


async def import_csv(api: Api, text: bytes) -> Reply:
    return await api.send("POST", f"{ADMIN}/devices/import", data=text)


async def test_devices_are_imported_from_the_command_lines_output(api: Api) -> None:
    assert (await import_csv(api, CSV.encode("utf-8-sig"))).json == {"added": 2}
    first, second = api.cloud.devices[-2], api.cloud.devices[-1]
    assert (first.mdn, first.account_name, first.service_plan) == ("9085550001", "0000333333-00001", "M2M_4G_5MB")
    assert (second.imei, second.iccid, second.state) == ("353272090000019", None, "preactive")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "the first line must name at least one of the columns"),
        (b"a,b\n1,2", "the first line must name at least one of the columns"),
        (b"imei,state\n,active", "line 2 has no identifier"),
        (b"imei\n12", "line 2: '12' is not a valid imei"),
        (b"imei\n" + b"1" * 200_000, "after line 1: field larger"),
        (b"\xff", "must be UTF-8"),
    ],
)
async def test_csv_that_cannot_be_imported_is_refused(api: Api, text: bytes, fault: str) -> None:
    reply = await import_csv(api, text)
    assert reply.status == 400
    assert fault in reply.json["errors"][0]


async def test_a_device_sends_an_sms_and_becomes_unreachable(api: Api) -> None:
    device = api.cloud.devices[0]
    await ask(api, "POST", "/sms", {"device": device.imei, "text": "22 degrees"})
    (queue,) = (await ask(api, "GET", "/sms")).values()
    assert queue[0]["text"] == "22 degrees"
    await ask(api, "POST", "/reachability", {"device": device.imei, "reachable": False})
    assert not device.connected
    assert (await refused(api, "POST", "/sms", {"device": "7", "text": "x"}))[0] == 404


# Requests and deliveries


async def test_requests_are_listed_with_reasons_and_without_secrets_and_counted(api: Api) -> None:
    await api.log_in("wrong-password")
    (log_in,) = await ask(api, "GET", "/requests?operation=session.log_in&status=400")
    assert log_in["body"] == {"username": "simulated.user.1", "password": "***"}
    assert log_in["reason"].startswith("wrong password number 1 in a row")
    everything = await ask(api, "GET", "/requests")
    assert [one["operation"] for one in everything] == ["oauth.token", "session.log_in", "session.log_in"]
    assert everything[0]["answer"]["access_token"] == "***"
    assert everything[0]["body"] == {"grant_type": "client_credentials"}
    assert str(api.bearer) not in str(everything)
    assert await ask(api, "GET", f"/requests?after={everything[1]['number']}&limit=5") == everything[2:]
    assert await ask(api, "GET", "/requests/count?operation=session.log_in") == {"count": 2}
    await ask(api, "DELETE", "/requests")
    assert await ask(api, "GET", "/requests") == []


async def test_long_and_odd_bodies_are_shown_by_their_size(serve: Serve) -> None:
    api = await serve(devices=100)
    await api.devices()
    await api.send("POST", "/api/m2m/v1/devices/actions/list", data=b"\x00")
    long, odd = (await ask(api, "GET", "/requests"))[-2:]
    assert long["answer"] == "4,096 bytes or more"
    assert odd["body"] == "1 bytes, not JSON"


async def test_a_delivery_is_listed_lost_made_due_and_resent(api: Api, listener: Listener) -> None:
    await api.send("POST", f"/api/m2m/v1/callbacks/{NAME}", json={"name": "CarrierService", "url": listener.url})
    assert (await ask(api, "GET", "/listeners"))[0]["service"] == "CarrierService"
    await ask(api, "PATCH", "/delivery-faults", {"lost": 1})
    name = (await ask(api, "POST", "/late-requests", {"seconds": 30}))["id"]
    assert (await ask(api, "GET", "/late-requests"))[0]["id"] == name
    await ask(api, "POST", "/clock", {"advance": 31})
    await ask(api, "POST", "/deliveries/wait", {"seconds": 10})
    (delivery,) = await ask(api, "GET", "/deliveries")
    assert (delivery["state"], delivery["request_id"]) == ("waiting", name)
    assert delivery["attempts"][0]["failure"] == "lost by DeliveryFaults.lost"
    assert await ask(api, "POST", "/deliveries/now") == {"due": 1}
    await ask(api, "POST", "/deliveries/wait")
    assert [one["status"] for one in (await ask(api, "GET", "/deliveries?state=delivered"))[0]["attempts"]] == [
        None,
        200,
    ]
    await ask(api, "POST", f"/deliveries/{delivery['number']}/resend")
    await ask(api, "POST", "/deliveries/wait")
    assert [message["callbackCount"] for message in listener.messages] == [2, 1]
    assert (await refused(api, "POST", "/deliveries/77/resend"))[0] == 404
    assert (await ask(api, "GET", "/delivery-faults"))["lost"] == 0


async def test_a_waiting_message_is_resent_once(api: Api, listener: Listener) -> None:
    api.cloud.listeners[NAME] = {"CarrierService": {"url": listener.url}}
    api.cloud.add_request(seconds=0)
    api.cloud.clock.advance(1)
    await api.cloud.delivered()
    (delivery,) = api.cloud.deliveries
    api.cloud.resend(delivery)
    api.cloud.resend(delivery)
    await api.cloud.delivered()
    assert len(listener.bodies) == 2


async def test_waiting_for_a_listener_that_does_not_answer_ends(api: Api, listener: Listener) -> None:
    listener.waits = listener.over.wait
    api.cloud.listeners[NAME] = {"CarrierService": {"url": listener.url}}
    api.cloud.add_request(seconds=0)
    api.cloud.clock.advance(1)
    status, errors = await refused(api, "POST", "/deliveries/wait", {"seconds": 0.05})
    assert (status, errors) == (409, ["listeners have not answered all messages after 0.05 s"])


async def test_a_reset_restores_the_initial_state(api: Api, listener: Listener) -> None:
    api.cloud.faults.add("accounts.get", Status(503), times=None)
    api.cloud.devices[0].state = "suspend"
    await ask(api, "POST", "/clock", {"advance": 86_400})
    await ask(api, "POST", "/reset")
    assert (await api.account()).status == 401
    await api.enter()
    assert (await api.account()).status == 200
    assert api.cloud.devices[0].state == "active"
    assert (await ask(api, "GET", "/clock"))["now"].startswith("2026-01-15T12:")
    # The courier still works after the reset.
    api.cloud.listeners[NAME] = {"CarrierService": {"url": listener.url}}
    api.cloud.add_request(seconds=0)
    api.cloud.clock.advance(1)
    await api.cloud.delivered()
    assert len(listener.bodies) == 1


async def test_requests_beyond_the_limit_are_throttled_until_the_minute_is_over(serve: Serve) -> None:
    api = await serve(requests_per_minute=4)
    replies = [await api.account() for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 503]
    assert replies[-1].headers["X-Simulator-Reason"] == "more than 4 requests in a minute"
    api.cloud.clock.advance(61)
    assert (await api.account()).status == 200
    await ask(api, "PATCH", "/throttle", {"requests_per_minute": None})
    assert [(await api.account()).status for _ in range(6)] == [200] * 6


async def test_requests_are_streamed_as_they_are_answered(api: Api) -> None:
    api.cloud.faults.add("accounts.get", Delay(0.1))
    async with api.http.get(f"{api.cloud.url}{ADMIN}/events") as stream:
        assert await stream.content.readline() == b": connected\n"
        await asyncio.gather(api.account(), api.devices())
        seen = [orjson.loads(line.removeprefix(b"data: ")) async for line in _lines(stream, 2)]
    assert {one["operation"] for one in seen} == {"devices.list", "accounts.get"}
    async with asyncio.timeout(5):
        while api.cloud.requests.watchers:
            await api.account()
            await asyncio.sleep(0.01)


async def _lines(stream: aiohttp.ClientResponse, count: int) -> Any:
    while count:
        line = await stream.content.readline()
        if line.startswith(b"data:"):
            count -= 1
            yield line


async def test_an_idle_stream_shows_that_it_is_alive(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thingspace_async.simulator.admin.routes._HEARTBEAT", 0.01)
    async with api.http.get(f"{api.cloud.url}{ADMIN}/events") as stream:
        for expected in (b": connected\n", b"\n", b": alive\n"):
            assert await stream.content.readline() == expected


# Access control


async def test_another_sites_page_is_refused(api: Api) -> None:
    reply = await api.send("POST", f"{ADMIN}/reset", headers={"Origin": "https://evil.example"})
    assert reply.status == 403
    same = await api.send("POST", f"{ADMIN}/reset", headers={"Origin": api.cloud.url})
    assert same.status == 200


async def test_without_a_token_only_a_loopback_name_leads_to_the_admin_api(api: Api) -> None:
    reply = await api.send("GET", f"{ADMIN}/health", headers={"Host": "evil.example"})
    assert reply.status == 403
    assert "loopback" in reply.json["errors"][0]


async def test_with_a_token_the_admin_api_asks_for_it(serve: Serve) -> None:
    api = await serve(admin_token="t0ken")
    assert (await api.send("GET", f"{ADMIN}/health", headers={})).status == 401
    assert (await api.send("GET", f"{ADMIN}/health", headers={"Authorization": "Bearer wrong"})).status == 401
    right = {"Authorization": "Bearer t0ken", "Host": "simulator:9001"}
    assert (await api.send("GET", f"{ADMIN}/health", headers=right)).json["status"] == "ok"
    assert (await api.send("GET", f"{ADMIN}/", headers={})).status == 200


async def test_the_admin_api_can_be_left_out(serve: Serve) -> None:
    api = await serve(admin=False)
    assert (await api.send("GET", f"{ADMIN}/health")).status == 404


def test_at_another_address_than_loopback_the_admin_api_needs_a_token() -> None:
    with pytest.raises(ValueError, match="admin_token, or pass admin=False"):
        Simulator(host="0.0.0.0")
    Simulator(host="0.0.0.0", admin=False)
    Simulator(host="0.0.0.0", admin_token="x")


# The OpenAPI description


async def test_the_description_names_every_endpoint_and_the_page_is_served(api: Api) -> None:
    described = await ask(api, "GET", "/openapi.json")
    listed = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert listed == {(one.method, f"{ADMIN}{one.path}") for one in ENDPOINTS}
    names = [each["operationId"] for methods in described["paths"].values() for each in methods.values()]
    assert len(set(names)) == len(names)
    page = await api.send("GET", f"{ADMIN}/")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert (await api.send("GET", ADMIN)).headers["Location"] == f"{ADMIN}/"
    assert (await api.send("GET", f"{ADMIN}/page.js")).headers["Content-Type"].startswith("text/javascript")


def _values(field: Field) -> st.SearchStrategy[Any]:
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    right: dict[str, st.SearchStrategy[Any]] = {
        "string": st.sampled_from(field.among) if field.among else text,
        "integer": st.integers(int(field.least or 0), max(int(field.least or 0), int(min(field.most or 50, 50))))
        if not field.among
        else text,
        "number": st.floats(field.least or 0, min(field.most or 50, 50)),
        "boolean": st.booleans(),
        "object": st.dictionaries(text, text, max_size=2),
        "any": st.none() | text | st.integers(-9, 9),
    }
    wrong = st.none() | st.integers(-(10**15), 10**15) | st.booleans() | st.lists(st.booleans(), max_size=1) | text
    times = st.just("2026-03-01T00:00:00Z") if field.is_time else st.nothing()
    return right[field.kind] | wrong | times


def _bodies(endpoint: Endpoint) -> st.SearchStrategy[dict[str, Any]]:
    shape = endpoint.body or {}
    needed = {name: _values(field) for name, field in shape.items() if field.required}
    others = {name: _values(field) for name, field in shape.items() if not field.required}
    return st.fixed_dictionaries(needed, optional=others)


CHANGING = [one for one in ENDPOINTS if one.body is not None and one.path != "/deliveries/wait"]


@pytest.mark.parametrize("endpoint", CHANGING, ids=lambda one: f"{one.method} {one.path}")
@settings(
    max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_odd_requests_get_an_answer(api: Api, endpoint: Endpoint, data: st.DataObject) -> None:
    known = {"username": "simulated.user.1", "identifier": "353272090079193", "number": "1"}
    path = endpoint.path.format_map(known)
    reply = await api.send(endpoint.method, ADMIN + path, json=data.draw(_bodies(endpoint)))
    assert reply.status in (200, 201, 400, 404)


async def test_the_platforms_answers_stay_valid_after_odd_values(api: Api) -> None:
    await ask(api, "PATCH", "/devices/353272090079193", {"state": "of my own", "service_plan": "MINE"})
    listed = await api.devices(deviceId={"kind": "imei", "id": "353272090079193"})
    assert listed.json["devices"][0]["carrierInformations"][0]["state"] == "of my own"
    assert (await api.send("GET", ACCOUNT)).status == 200


async def test_more_devices_than_there_is_room_for_are_refused(serve: Serve) -> None:
    api = await serve(devices=999_999)
    status, errors = await refused(api, "POST", "/accounts", {"account": "0000222222-00001", "devices": 2})
    assert (status, errors) == (400, ["body: devices: a simulator can have from 0 to 1,000,000 devices"])


@pytest.mark.parametrize("speed", [-1, float("inf"), float("nan")])
def test_an_invalid_clock_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="0 or a positive number"):
        Simulator(devices=0).clock.speed = speed
