"""Simulated Quality of Service: results arrive on QoS, and name subscriptions instead of devices."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.api import Api
from tests.simulator.listener import Listener
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.rooms.qos import Qos

ACCOUNT = "0000123456-00001"
PATH = "/api/m2m/v1/devices/actions/enhanceQoS"
UNEXPECTED = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
FLOW = {"flowServer": "203.0.113.7:443", "flowDevice": "198.51.100.9"}
STRANGER = {"kind": "imei", "id": "990013907835573"}


@pytest.fixture(autouse=True)
async def listens(api: Api, listener: Listener) -> None:
    await api.send("POST", f"/api/m2m/v1/callbacks/{ACCOUNT}", json={"name": "QoS", "url": listener.url})


async def event_of(api: Api, listener: Listener, method: str, **request: Any) -> dict[str, Any]:
    """Send a request; return the event that arrives later."""
    answer = await api.send(method, PATH, **request)
    assert answer.status == 201
    api.cloud.clock.advance(61)
    await api.cloud.delivered()
    message = listener.messages[-1]
    assert message["requestId"] == answer.json["requestId"]
    assert "deviceIds" not in message
    (event,) = message["deviceResponse"]["qoS"]
    assert isinstance(event, dict)
    return event


def body(*devices: dict[str, Any], flows: tuple[Any, ...] = (FLOW,)) -> dict[str, Any]:
    return {"accountName": ACCOUNT, "deviceInfo": [{"deviceId": one, "flowInfo": list(flows)} for one in devices]}


def own(api: Api) -> dict[str, Any]:
    return {"kind": "imei", "id": api.cloud.devices[0].imei}


async def test_a_subscription_is_started_and_terminated(api: Api, listener: Listener) -> None:
    started = await event_of(api, listener, "POST", json=body(own(api)))
    name = started["qosSubscriptionId"]
    assert (started["status"], started["accountName"]) == ("SUCCESS", ACCOUNT)
    assert re.fullmatch(r"2026-01-15T12:01:\d\d\.\d{3}", started["reportedTime"])
    assert api.cloud.platform.room(Qos).subscriptions == {name: ACCOUNT}
    query = {"accountName": ACCOUNT, "qosSubscriptionId": name}
    ended = await event_of(api, listener, "DELETE", query=query)
    assert (ended["qosEvent"], ended["status"], ended["qosSubscriptionId"]) == ("QoSChangeTerminated", "SUCCESS", name)
    again = await event_of(api, listener, "DELETE", query=query)
    assert (again["qosEvent"], again["status"]) == ("QoSChangeFailed", "FAILED")


async def test_a_running_subscription_sends_events_until_it_is_terminated(api: Api, listener: Listener) -> None:
    api.cloud.assumptions = Assumptions(qos_event_interval=timedelta(minutes=4))
    started = await event_of(api, listener, "POST", json=body(own(api)))
    query = {"accountName": ACCOUNT, "qosSubscriptionId": started["qosSubscriptionId"]}
    request_id = listener.messages[-1]["requestId"]
    api.cloud.clock.advance(timedelta(minutes=9))
    await api.cloud.delivered()
    for message in listener.messages[1:]:
        (event,) = message["deviceResponse"]["qoS"]
        assert message["requestId"] == request_id
        assert (event["qosEvent"], event["status"]) == ("QoSChangeActive", "SUCCESS")
        assert event["qosSubscriptionId"] == started["qosSubscriptionId"]
    assert len(listener.messages) == 3
    await event_of(api, listener, "DELETE", query=query)
    api.cloud.clock.advance(timedelta(minutes=9))
    await api.cloud.delivered()
    assert len(listener.messages) == 4


async def test_events_of_a_running_subscription_can_be_switched_off(api: Api, listener: Listener) -> None:
    api.cloud.assumptions = Assumptions(qos_event_interval=None)
    await event_of(api, listener, "POST", json=body(own(api)))
    api.cloud.clock.advance(timedelta(hours=5))
    await api.cloud.delivered()
    assert len(listener.messages) == 1


async def test_an_unknown_device_fails_later_with_a_reason(api: Api, listener: Listener) -> None:
    event = await event_of(api, listener, "POST", json=body(STRANGER))
    assert (event["qosEvent"], event["status"]) == ("QoSChangeFailed", "FAILED")
    assert event["reason"]
    assert api.cloud.platform.room(Qos).subscriptions == {}


async def test_a_request_without_devices_or_flows_or_with_mixed_kinds_is_refused(api: Api) -> None:
    sim = {"kind": "iccid", "id": api.cloud.devices[0].iccid}
    for wrong in (body(), body(own(api), flows=()), body(own(api), sim)):
        assert (await api.send("POST", PATH, json=wrong)).refusal == (400, UNEXPECTED)


async def test_a_stop_needs_an_account_and_an_id(api: Api) -> None:
    for query in ({"qosSubscriptionId": "1"}, {"accountName": ACCOUNT}):
        assert (await api.send("DELETE", PATH, query=query)).refusal == (400, UNEXPECTED)
