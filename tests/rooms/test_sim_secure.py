"""SIM-Secure: requests, limits checked before sending, and the way of a license to a SIM and back."""

from __future__ import annotations

from typing import Any

import pytest

from thingspace_async import DeviceId, Session, errors
from thingspace_async.callbacks import Outcomes
from thingspace_async.sim_secure import LicenseRequest, SecuritySubscription, SecuritySubscriptionRequest
from thingspace_async.simulator import Device, Simulator

ACCOUNT = "0000123456-00001"
FLEXIBLE = "SIMSec-IoT"
LICENSE = "/api/m2m/v1/devices/license/actions/assign"


def licensing(*devices: DeviceId, sku: str = FLEXIBLE) -> LicenseRequest:
    return LicenseRequest(account_name=ACCOUNT, sku_number=sku, devices=devices)


def active(cloud: Simulator) -> Device:
    return next(device for device in cloud.devices if device.state == "active")


async def counted(session: Session, sku: str = FLEXIBLE) -> SecuritySubscription:
    request = SecuritySubscriptionRequest(account_name=ACCOUNT, sku_number=sku)
    (found,) = (await session.sim_secure.subscriptions(request)).subscriptions
    return found


@pytest.mark.parametrize(("call", "method"), [("assign", "POST"), ("unassign", "DELETE")])
async def test_devices_are_sent_in_the_body_even_with_delete(
    thingspace_simulator: Simulator, thingspace_session: Session, call: str, method: str
) -> None:
    sim = active(thingspace_simulator).iccid
    assert sim is not None
    await getattr(thingspace_session.sim_secure, call)(licensing(DeviceId.iccid(sim)))
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == (method, LICENSE)
    assert received.json == {
        "accountName": ACCOUNT,
        "skuNumber": FLEXIBLE,
        "devices": [{"deviceIds": [{"id": sim, "kind": "iccid"}]}],
    }


async def test_a_license_is_assigned_and_taken_back(
    thingspace_simulator: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.sim_secure
    request = licensing(DeviceId.imei(str(active(cloud).imei)))
    before = await counted(thingspace_session)
    assert before.license_purchased is not None
    for call, assigned in ((room.assign, 1), (room.unassign, 0)):
        accepted = await call(request)
        cloud.clock.advance(61)
        (outcome,) = await thingspace_outcomes.all(accepted)
        outcome.raise_for_fault()
        now = await counted(thingspace_session)
        assert now.license_assigned == assigned
        assert now.license_available == before.license_purchased - assigned


async def test_all_skus_are_counted_unless_one_is_named(thingspace_session: Session) -> None:
    owned = await thingspace_session.sim_secure.subscriptions(SecuritySubscriptionRequest(account_name=ACCOUNT))
    assert owned.account_name == ACCOUNT
    assert {found.sku_number for found in owned.subscriptions} > {FLEXIBLE, "SIMSec-IoT-Lt"}


async def test_a_lifetime_license_is_never_taken_back(thingspace_session: Session) -> None:
    with pytest.raises(errors.BadRequest):
        await thingspace_session.sim_secure.unassign(licensing(DeviceId.imei("990013907835573"), sku="SIMSec-IoT-Lt"))


@pytest.mark.parametrize("count", [0, 101])
def test_a_request_has_up_to_a_hundred_devices(count: int) -> None:
    sims: Any = [DeviceId.iccid(str(89148000000000000000 + place)) for place in range(count)]
    with pytest.raises(errors.InvalidRequest, match=r"LicenseRequest: devices (may|must) hold (100|1) DeviceIds"):
        licensing(*sims)
    assert len(licensing(*(sims or [DeviceId.imei("990013907835573")])[:100]).devices) in (1, 100)
