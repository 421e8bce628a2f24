"""PROTOCOL.md 2.3, 3.6, 5: refusals of Cloud Connector, its two forms of lists, and the events for targets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.simulator.api import Api, Reply
from tests.simulator.listener import Listener
from thingspace_async.simulator import Assumptions

Serve = Callable[..., Awaitable[Api]]

ACCOUNT = "0000123456-00001"
BASE = "/api/cc/v1"
OWNER: dict[str, Any] = {"accountidentifier": {"billingaccountid": ACCOUNT}}
TARGET: dict[str, Any] = {**OWNER, "addressscheme": "streamrest", "address": "http://127.0.0.1:9"}
AZURE: dict[str, Any] = {
    "billingAccountID": ACCOUNT,
    "appName": "depot",
    **dict.fromkeys(("clientID", "clientSecret", "resourcegroup", "subscriptionID", "tenantID"), "x"),
}


async def post(api: Api, path: str, body: object, method: str = "POST", **headers: str) -> Reply:
    own = {"Authorization": f"Bearer {api.bearer}", "VZ-M2M-Token": str(api.session), **headers}
    return await api.send(method, f"{BASE}/{path}", json=body, headers=own)


def refusal(reply: Reply) -> tuple[int, str]:
    assert reply.json.keys() == {"error", "error_description", "cause"}
    return reply.status, reply.json["error"]


async def subscribed(api: Api, **changes: Any) -> dict[str, Any]:
    target = (await post(api, "targets", TARGET | changes)).json
    made = await post(api, "subscriptions", {**OWNER, "targetid": target["id"], "streamkind": "ts.event"})
    assert made.status == 200
    found: dict[str, Any] = made.json
    return found


async def pass_time(api: Api, seconds: float) -> None:
    """Let time pass, wait for the deliveries, and log in again."""
    api.cloud.clock.advance(seconds)
    await api.cloud.delivered()
    await api.enter()


async def devices(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await post(api, "devices/actions/query", OWNER)).json["DeviceProperty"]
    return found


@pytest.mark.parametrize(
    ("changes", "header"),
    [
        ({"fields": {"httpheaders": {"Authorization": "Basic YTpi"}}}, "Basic YTpi"),
        ({"key1": "token"}, "Bearer token"),
        ({}, None),
    ],
)
async def test_events_are_posted_with_the_headers_of_the_target(
    api: Api, listener: Listener, changes: dict[str, Any], header: str | None
) -> None:
    await subscribed(api, **changes | {"address": listener.url})
    known = await devices(api)
    await pass_time(api, 3600)
    assert {one["data"]["deviceid"] for one in listener.messages} == {one["id"] for one in known}
    first = listener.messages[0]
    assert (first["kind"], first["action"], first["data"]["kind"]) == ("ts.event", "create", "ts.event")
    assert {headers.get("Authorization") for headers in listener.headers} == {header}
    reading = first["data"]
    wanted = {**OWNER, "resourceidentifier": {"id": reading["deviceid"]}}
    history = await post(api, "devices/fields/battery/actions/history", wanted)
    same = next(one for one in history.json["SearchSensorHistory"] if one["id"] == reading["id"])
    assert same["fields"] == {"battery": reading["fields"]["battery"]}


async def test_an_address_without_a_scheme_is_of_an_https_server(api: Api) -> None:
    subscription = await subscribed(api, address="127.0.0.1:9")
    listener = api.cloud.platform.listeners["cloud_connector"].find(ACCOUNT, subscription["id"])
    assert listener is not None
    assert listener["url"] == "https://127.0.0.1:9"


async def test_a_target_that_answers_500_is_tried_again_and_counted(api: Api, listener: Listener) -> None:
    await subscribed(api, address=listener.url)
    count = len(await devices(api))
    listener.statuses += [500] * count
    await pass_time(api, 3600)
    (shown,) = (await post(api, "subscriptions/actions/query", OWNER)).json
    assert (shown["streamfailures"], shown["networkfailures"], shown["laststreamingstatus"]) == (count, 0, "failure")
    await pass_time(api, 300)
    (shown,) = (await post(api, "subscriptions/actions/query", OWNER)).json
    assert (shown["streamfailures"], shown["laststreamingstatus"]) == (count, "success")
    assert len(listener.messages) == 2 * count


async def test_lists_are_bare_if_that_is_assumed(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(cloud_connector_lists_are_wrapped=False, cloud_connector_page=2))
    listed = (await post(api, "devices/actions/search", OWNER)).json
    assert isinstance(listed, list)
    wanted = {**OWNER, "resourceidentifier": {"imei": listed[0]["imei"]}}
    page = await post(api, "devices/fields/temperature/actions/history", wanted)
    assert len(page.json) == 2
    assert int(page.headers["X-Next"]) > 2
    assert "X-Prev" not in page.headers
    last = await post(api, "devices/fields/actions/history/search", wanted | {"$page": "1"})
    assert len(last.json) == 1
    assert (last.headers.get("X-Next"), last.headers["X-Prev"]) == (None, "3")


async def test_a_configuration_changes_how_often_a_device_reports(api: Api) -> None:
    device, other = (await devices(api))[:2]
    wanted = {**OWNER, "resourceidentifier": {"id": device["id"]}, "configuration": {"frequency": "Low"}}
    changed = (await post(api, "devices/configuration/actions/set", wanted)).json
    assert (changed["kind"], changed["state"]) == ("ts.event.configuration", "pending")
    await subscribed(api)
    api.cloud.clock.advance(4 * 3600)
    assert (readings_of(api, device), readings_of(api, other)) == (0, 4)
    api.cloud.clock.advance(2 * 3600)
    assert readings_of(api, device) == 1
    (applied,) = [one for one in sent(api) if one["kind"] == "ts.event.configuration"]
    assert (applied["state"], applied["transactionid"]) == ("update", changed["transactionid"])
    assert applied["id"] != changed["id"]


def sent(api: Api) -> list[dict[str, Any]]:
    return [one.message["data"] for one in api.cloud.deliveries]


def readings_of(api: Api, device: dict[str, Any]) -> int:
    return len([one for one in sent(api) if one["deviceid"] == device["id"] and one["kind"] == "ts.event"])


async def test_a_selection_compares_strings(api: Api) -> None:
    subscription = await subscribed(api)
    for selection, found in (
        ({"networkfailures": "0", "disabled": "false"}, [subscription["id"]]),
        ({"networkfailures": "1"}, []),
    ):
        listed = await post(api, "subscriptions/actions/query", {**OWNER, "$selection": selection})
        assert [one["id"] for one in listed.json] == found
    wrong = await post(api, "subscriptions/actions/query", {**OWNER, "$selection": {"networkfailures": 0}})
    assert refusal(wrong) == (400, "bad_request")


async def test_only_the_first_thousand_devices_have_sensors(serve: Serve) -> None:
    assert len(await devices(await serve(devices=1_500))) == 1_000


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("targets", TARGET | {"addressscheme": "pigeon"}, (400, "bad_request")),
        ("targets", TARGET | {"address": "ftp://x"}, (400, "bad_request")),
        ("targets", TARGET | {"address": "https://x:port"}, (400, "bad_request")),
        ("targets", TARGET | {"addressscheme": "streamazureiot", "address": ""}, (400, "bad_request")),
        ("targets", TARGET | {"addressscheme": "streamawsiot"}, (400, "request_json_unmarshal")),
        (
            "targets",
            TARGET | {"addressscheme": "streamawsiot", "region": "r", "externalid": "made up"},
            (400, "bad_request"),
        ),
        ("targets", OWNER, (400, "request_json_unmarshal")),
        ("targets/actions/query", {"accountidentifier": {"billingaccountid": "1"}}, (400, "bad_request")),
        ("targets/actions/query", {}, (400, "request_json_unmarshal")),
        ("targets/actions/delete", OWNER | {"resourceidentifier": {}}, (400, "bad_request")),
        ("targets/actions/delete", OWNER | {"resourceidentifier": {"imei": "1"}}, (404, "not_found")),
        ("subscriptions", {**OWNER, "streamkind": "ts.event", "targetid": "1"}, (404, "not_found")),
        ("subscriptions", {**OWNER, "streamkind": "mood", "targetid": "1"}, (400, "bad_request")),
        ("targets/actions/newaic", AZURE | {"appName": "Depot"}, (400, "bad_request")),
        (
            "devices/fields/temperature/actions/history",
            OWNER | {"resourceidentifier": {"id": "1"}},
            (404, "not_found"),
        ),
    ],
)
async def test_refusals_have_the_codes_of_this_server(
    api: Api, path: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert refusal(await post(api, path, body, BillingaccountID=ACCOUNT)) == expected


@pytest.mark.parametrize(
    "changes", [{"$limitnumber": 0}, {"$page": "x"}, {"$page": "1" * 10}, {"configuration": {"frequency": "Never"}}]
)
async def test_a_wrong_request_about_a_device_is_refused(api: Api, changes: dict[str, Any]) -> None:
    wanted = {**OWNER, "resourceidentifier": {"id": (await devices(api))[0]["id"]}, **changes}
    path = (
        "devices/configuration/actions/set" if "configuration" in changes else "devices/fields/battery/actions/history"
    )
    assert refusal(await post(api, path, wanted)) == (400, "bad_request")


async def test_an_azure_application_needs_its_account_in_the_header_too(api: Api) -> None:
    assert (await post(api, "targets/actions/newaic", AZURE, BillingaccountID=ACCOUNT)).json["appName"] == "depot"
    assert refusal(await post(api, "targets/actions/newaic", AZURE)) == (400, "bad_request")


async def test_an_expired_session_is_told_as_the_platform_tells_it(api: Api) -> None:
    api.cloud.expire_sessions()
    reply = await post(api, "targets/actions/query", OWNER)
    assert refusal(reply) == (401, "unauthorized")
    assert reply.json["error_description"].endswith("UWS V1 REST accounts: [400]")
