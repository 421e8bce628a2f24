"""Non-IP data: limits checked before sending, and the outcomes of data for a device that cannot be reached."""

from __future__ import annotations

from typing import Any

import pytest

from thingspace_async import DeviceId, Session, errors
from thingspace_async.callbacks import Outcomes
from thingspace_async.nidd import NiddSendRequest
from thingspace_async.simulator import Device, Simulator
from thingspace_async.simulator.rooms.nidd import Nidd

ACCOUNT = "0000123456-00001"
IMEI = DeviceId.imei("990013907835573")


def sending(device: DeviceId = IMEI, **changes: Any) -> NiddSendRequest:
    given = {"account_name": ACCOUNT, "device_ids": [device], "message": b"HELLO", "maximum_delivery_time": 400}
    return NiddSendRequest(**{**given, **changes})


def meter(cloud: Simulator, *, connected: bool) -> tuple[Device, DeviceId]:
    device = cloud.devices[0]
    device.state, device.connected = "active", connected
    return device, DeviceId.imei(str(device.imei))


async def test_bytes_are_sent_in_base64(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    await thingspace_session.nidd.send(sending())
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("POST", "/api/m2m/v1/devices/nidd/message")
    assert received.json == {
        "accountName": ACCOUNT,
        "deviceIds": [{"id": IMEI.id, "kind": "imei"}],
        "message": "SEVMTE8=",
        "maximumDeliveryTime": 400,
    }


async def test_data_arrives_at_once_at_a_device_that_can_be_reached(
    thingspace_simulator: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    cloud, (device, own) = thingspace_simulator, meter(thingspace_simulator, connected=True)
    accepted = await thingspace_session.nidd.send(sending(own))
    cloud.clock.advance(61)
    (outcome,) = await thingspace_outcomes.all(accepted)
    assert outcome.status == "Delivered"
    assert [(one.device, one.data) for one in cloud.platform.room(Nidd).delivered] == [(device, b"HELLO")]


@pytest.mark.parametrize(("woken", "last"), [(True, "Delivered"), (False, "DeliveryFailed")])
async def test_data_waits_for_a_device_and_has_two_outcomes(
    thingspace_simulator: Simulator,
    thingspace_session: Session,
    thingspace_outcomes: Outcomes,
    *,
    woken: bool,
    last: str,
) -> None:
    cloud, (device, own) = thingspace_simulator, meter(thingspace_simulator, connected=False)
    accepted = await thingspace_session.nidd.send(sending(own))
    cloud.clock.advance(61)
    if woken:
        cloud.report_reachability(device, reachable=True)
    cloud.clock.advance(401)
    outcomes = await thingspace_outcomes.all(accepted)
    assert [(outcome.status, outcome.final, outcome.failed) for outcome in outcomes] == [
        ("Queued", False, False),
        (last, True, not woken),
    ]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"message": b""}, "message must not be empty"),
        ({"message": "HELLO"}, "message must be bytes, or a string in Base64"),
        ({"message": b"x" * 1_359}, "message must have 1 to 1,358 bytes, not 1,359"),
        ({"maximum_delivery_time": 1}, "maximum_delivery_time must be 2 or more"),
        ({"maximum_delivery_time": 2_592_001}, "maximum_delivery_time must be 2,592,000 or less"),
        ({"device_ids": []}, "device_ids must hold 1 DeviceId or more"),
    ],
)
def test_a_request_outside_of_the_limits_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"^NiddSendRequest: {fault}"):
        sending(**changes)


def test_the_longest_message_fits() -> None:
    assert sending(message=b"x" * 1_358).message
