"""Private networks: devices that begin, change and end service, and the network's performance."""

from __future__ import annotations

from datetime import datetime

import pytest

from thingspace_async import DeviceId, Session, errors
from thingspace_async._core.types import Accepted
from thingspace_async.callbacks import Outcomes
from thingspace_async.private_network import (
    ChangeIpAddressRequest,
    ChangeProfileRequest,
    DeviceAddress,
    PerformanceConsent,
    PrivateActivateRequest,
    PrivateDeactivateRequest,
    ProfileChoice,
)
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.rooms.private_network import Member, PrivateNetwork

ACCOUNT = "0000123456-00001"
FAST = "HSS EsmProfile Enterprise 5G"


async def test_a_device_begins_service_changes_and_ends_it(
    thingspace_simulator: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.private_network
    place = cloud.devices[0].place
    sim = DeviceId.iccid(str(cloud.devices[0].iccid))
    members = cloud.platform.room(PrivateNetwork).members

    async def settle(accepted: Accepted) -> Member | None:
        cloud.clock.advance(61)
        (outcome,) = await thingspace_outcomes.all(accepted)
        outcome.raise_for_fault()
        return members.get(place)

    profile = (await room.profiles(ACCOUNT))[0].profile_name
    assert profile is not None
    begin = PrivateActivateRequest(account_name=ACCOUNT, devices=[sim], activate=ProfileChoice(profile=profile))
    assert await settle(await room.activate(begin)) == Member(profile)
    change = ChangeProfileRequest(account_name=ACCOUNT, devices=[sim], new_profile=FAST)
    assert await settle(await room.change_profile(change)) == Member(FAST)
    address = DeviceAddress(device_ids=[sim], ip_address="10.3.4.5")
    moved = ChangeIpAddressRequest(account_name=ACCOUNT, devices=[address])
    assert await settle(await room.change_ip_address(moved)) == Member(FAST, "10.3.4.5")
    end = PrivateDeactivateRequest(account_name=ACCOUNT, devices=[sim])
    assert await settle(await room.deactivate(end)) is None


async def test_requests_have_the_platforms_names(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    room, sim = thingspace_session.private_network, DeviceId.iccid("89148000004292933820")
    listed = {"deviceIds": [{"id": sim.id, "kind": "iccid"}]}
    await room.activate(
        PrivateActivateRequest(account_name=ACCOUNT, devices=[sim], activate=ProfileChoice(profile=FAST))
    )
    assert thingspace_simulator.requests[-1].json == {
        "accountName": ACCOUNT,
        "deviceList": [listed],
        "activate": {"profile": FAST},
    }
    address = DeviceAddress(device_ids=sim, ip_address="10.3.4.5")
    accepted = await room.change_ip_address(ChangeIpAddressRequest(account_name=ACCOUNT, devices=[address]))
    assert [one.iccid for one in accepted.devices] == [sim.id]
    assert thingspace_simulator.requests[-1].method == "PUT"
    assert thingspace_simulator.requests[-1].json == {
        "accountName": ACCOUNT,
        "deviceList": [{**listed, "ipAddress": "10.3.4.5"}],
    }


async def test_measurements_have_units_and_times(thingspace_session: Session) -> None:
    assert (await thingspace_session.private_network.performance_consent(ACCOUNT)).is_given
    found = await thingspace_session.private_network.kpis(ACCOUNT)
    assert len({(kpi.node_name, kpi.name) for kpi in found}) == len(found) > 1
    for kpi in found:
        assert isinstance(kpi.time_of_last_update, datetime)
        assert (kpi.unit, float(kpi.value or "") >= 0) == ("Mbps", True)


@pytest.mark.parametrize(
    ("consent", "given"), [("true", True), ("True", True), ("false", False), ("", False), (None, False)]
)
def test_a_consent_is_a_string(consent: str | None, *, given: bool) -> None:
    assert PerformanceConsent(consent=consent).is_given is given


def test_a_device_needs_an_address() -> None:
    with pytest.raises(errors.InvalidRequest, match="DeviceAddress: ip_address must not be empty"):
        DeviceAddress(device_ids=DeviceId.imei("990013907835573"), ip_address="")
    with pytest.raises(errors.InvalidRequest, match="ChangeIpAddressRequest: devices must hold 1 DeviceAddress"):
        ChangeIpAddressRequest(account_name=ACCOUNT, devices=[])
