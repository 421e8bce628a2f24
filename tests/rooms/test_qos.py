"""Quality of Service: addresses are checked before sending, and a block stops its subscription."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from thingspace_async import DeviceId, Session, errors
from thingspace_async.callbacks import Outcomes
from thingspace_async.callbacks.messages import QosMessage
from thingspace_async.qos import Flow, QosDevice, QosRequest
from thingspace_async.simulator import Assumptions, Simulator
from thingspace_async.simulator.rooms.qos import Qos

ACCOUNT = "0000123456-00001"
PATH = "/api/m2m/v1/devices/actions/enhanceQoS"
SERVER, CAR = "203.0.113.7:443", "198.51.100.9"
STRANGER = DeviceId.imei("990013907835573")


def asking(*devices: DeviceId) -> QosRequest:
    flow = Flow(flow_server=SERVER, flow_device=CAR, flow_direction="UPLINK", flow_protocol="UDP", qci_option="Premium")
    return QosRequest(
        account_name=ACCOUNT, device_info=[QosDevice(device_id=device, flows=[flow]) for device in devices]
    )


@pytest.fixture
def cloud(thingspace_simulator: Simulator) -> Simulator:
    """Results arrive at once."""
    thingspace_simulator.assumptions = Assumptions(request_time=timedelta())
    return thingspace_simulator


def car(cloud: Simulator) -> DeviceId:
    return DeviceId.imei(str(cloud.devices[0].imei))


def running(cloud: Simulator) -> list[str]:
    return list(cloud.platform.room(Qos).subscriptions)


async def test_a_subscription_is_requested_under_the_platforms_names(
    cloud: Simulator, thingspace_session: Session
) -> None:
    device = car(cloud)
    flow = Flow(flow_server="[2001:db8::7]:443", flow_device="2001:db8::9")
    info = QosDevice(device_id=device, ipv6_address="2001:db8::9", flows=[flow])
    await thingspace_session.qos.start(QosRequest(account_name=ACCOUNT, device_info=[info]))
    received = cloud.requests[-1]
    assert (received.method, received.path, received.status) == ("POST", PATH, 201)
    assert received.json == {
        "accountName": ACCOUNT,
        "deviceInfo": [
            {
                "deviceId": {"id": device.id, "kind": "imei"},
                "deviceIPv6Addr": "2001:db8::9",
                "flowInfo": [{"flowServer": "[2001:db8::7]:443", "flowDevice": "2001:db8::9"}],
            }
        ],
    }


async def test_a_subscription_starts_and_ends_by_the_id_in_its_first_message(
    cloud: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    accepted = await thingspace_session.qos.start(asking(car(cloud)))
    (outcome,) = await thingspace_outcomes.all(accepted, count=1)
    assert isinstance(outcome.message, QosMessage)
    (name,) = outcome.message.subscription_ids
    assert running(cloud) == [name]
    stopped = await thingspace_session.qos.stop(account_name=ACCOUNT, qos_subscription_id=name)
    assert cloud.requests[-1].query == {"accountName": ACCOUNT, "qosSubscriptionId": name}
    (outcome,) = await thingspace_outcomes.all(stopped, count=1)
    assert not outcome.failed
    assert running(cloud) == []


@pytest.mark.parametrize("fails", [False, True])
async def test_a_block_stops_its_subscription_however_it_ends(
    cloud: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes, *, fails: bool
) -> None:
    async def drive() -> None:
        async with thingspace_session.qos.enhanced(asking(car(cloud)), thingspace_outcomes) as started:
            assert running(cloud) == list(started.subscription_ids)
            if fails:
                raise ZeroDivisionError

    if fails:
        with pytest.raises(ZeroDivisionError):
            await drive()
    else:
        await drive()
    assert cloud.count("qos.stop") == 1
    cloud.clock.advance(1)
    assert running(cloud) == []


async def test_a_block_does_not_run_if_the_platform_refuses_its_devices(
    cloud: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    with pytest.raises(errors.DeviceFailed, match=r"qos.enhanced: .*could not be found") as caught:
        async with thingspace_session.qos.enhanced(asking(STRANGER), thingspace_outcomes):
            pytest.fail("the block ran")
    assert caught.value.outcome.failed
    assert cloud.count("qos.stop") == 0


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"status": "Failed", "faultResponse": {"faultcode": "X", "faultstring": "no coverage"}}, "no coverage"),
        ({"status": "Success"}, "the platform gave no reason"),
    ],
)
async def test_a_block_does_not_run_without_a_subscription(
    thingspace_simulator: Simulator,
    thingspace_session: Session,
    thingspace_outcomes: Outcomes,
    message: dict[str, Any],
    reason: str,
) -> None:
    cloud, request = thingspace_simulator, asking(car(thingspace_simulator))

    async def enter() -> None:
        async with thingspace_session.qos.enhanced(request, thingspace_outcomes):
            pytest.fail("the block ran")

    entering = asyncio.create_task(enter())
    while not cloud.late_requests:
        await asyncio.sleep(0)
    (request_id,) = cloud.late_requests
    await thingspace_outcomes.inbox.store(json.dumps({"requestId": request_id, **message}).encode(), service="QoS")
    with pytest.raises(errors.DeviceFailed, match=reason):
        await entering


async def test_a_block_does_not_wait_for_ever(
    thingspace_simulator: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    device = car(thingspace_simulator)
    with pytest.raises(errors.OutcomesMissing, match=r"no message has arrived after 0.05 s"):
        async with thingspace_session.qos.enhanced(
            asking(device), thingspace_outcomes, timeout=timedelta(milliseconds=50)
        ):
            pytest.fail("the block ran")


def test_kinds_of_identifiers_are_not_mixed() -> None:
    with pytest.raises(errors.InvalidRequest, match="QosRequest: device_info mixes the kinds iccid and imei"):
        asking(STRANGER, DeviceId.iccid("89148000004292933820"))


@pytest.mark.parametrize(
    ("server", "device", "fault"),
    [
        ("example.com", CAR, "flow_server must be an IP address"),
        ("203.0.113.7:99999", CAR, "flow_server must be an IP address"),
        ("203.0.113.7:443/x", CAR, "flow_server must be an IP address"),
        ("me@203.0.113.7:443", CAR, "flow_server must be an IP address"),
        (SERVER, "[198.51.100.9", "flow_device must be an IP address"),
        (SERVER, "2001:db8::9", "must both be IPv4 or both be IPv6"),
    ],
)
def test_the_addresses_of_a_flow_are_checked(server: str, device: str, fault: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"^Flow: .*{fault}"):
        Flow(flow_server=server, flow_device=device)


@pytest.mark.parametrize("address", ["[2001:db8::7]:443", "203.0.113.7"])
def test_the_address_of_a_device_is_an_ipv6_address_without_a_port(address: str) -> None:
    flow = Flow(flow_server=SERVER, flow_device=CAR)
    with pytest.raises(errors.InvalidRequest, match="QosDevice: ipv6_address must be an IPv6 address without a port"):
        QosDevice(device_id=STRANGER, ipv6_address=address, flows=[flow])
