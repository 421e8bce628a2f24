"""eSIM: each call uses its own URL and the platform's field names, and profiles change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from thingspace_async import Accepted, DeviceId, Session, errors
from thingspace_async._core.codec import dump, load
from thingspace_async._core.models import Address, CustomerName, PlaceOfUse
from thingspace_async._core.types import DeviceIds
from thingspace_async.accounts import RequestStatus
from thingspace_async.esim import (
    ActivateAndEnableRequest,
    ActivateProfileRequest,
    ChangeProfileRequest,
    DeactivateProfileRequest,
    DownloadProfileRequest,
    Esim,
    GlobalFallbackRequest,
    ProfileChangeStateRequest,
    RenewActivationCodeRequest,
    SetFallbackAttributeRequest,
    SuspendProfileRequest,
)
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.fleet import Device

ACCOUNT = "0000123456-00001"
EID, ICCID = "89049032000000000000000000007919", "89148000000000079190"
DEVICES = [[DeviceId.eid(EID), DeviceId.iccid(ICCID)]]
WIRE = {
    "accountName": ACCOUNT,
    "devices": [{"deviceIds": [{"id": EID, "kind": "eid"}, {"id": ICCID, "kind": "iccid"}]}],
}
BASE = "/api/m2m/v1/devices/profile/actions"
OID = "1.3.6.1.4.1.31746.1.500.200.101.5"

Step: TypeAlias = "Callable[[Esim], Awaitable[Accepted]]"

CALLS: tuple[tuple[Step, str, dict[str, Any]], ...] = (
    (
        lambda esim: esim.activate(
            ActivateProfileRequest(
                account_name=ACCOUNT,
                devices=DEVICES,
                carrier_name="Verizon Wireless",
                service_plan="M2M_4G_5MB",
                mdn_zip_code="07920",
                primary_place_of_use=PlaceOfUse(
                    address=Address(
                        address_line1="1 Main Street", city="Irving", state="TX", zip="75039", country="USA"
                    ),
                    customer_name=CustomerName(first_name="Zaphod", last_name="Beeblebrox"),
                ),
                smsr_oid=OID,
                carrier_ip_pool_name="Static East",
            )
        ),
        f"{BASE}/activate",
        {
            "carrierName": "Verizon Wireless",
            "servicePlan": "M2M_4G_5MB",
            "mdnZipCode": "07920",
            "primaryPlaceOfUse": {
                "address": {
                    "addressLine1": "1 Main Street",
                    "city": "Irving",
                    "state": "TX",
                    "zip": "75039",
                    "country": "USA",
                },
                "customerName": {"firstName": "Zaphod", "lastName": "Beeblebrox"},
            },
            "smsrOid": OID,
            "carrierIpPoolName": "Static East",
        },
    ),
    (
        lambda esim: esim.activate_and_enable(
            ActivateAndEnableRequest(account_name=ACCOUNT, devices=DEVICES, service_plan="a", mdn_zip_code="07920")
        ),
        f"{BASE}/activate_enable",
        {"servicePlan": "a", "mdnZipCode": "07920"},
    ),
    (
        lambda esim: esim.deactivate(
            DeactivateProfileRequest(
                account_name=ACCOUNT,
                devices=DEVICES,
                reason_code="FF",
                service_plan="a",
                carrier_name="b",
                etf_waiver=False,
                check_fallback_profile=True,
            )
        ),
        f"{BASE}/deactivate",
        {
            "reasonCode": "FF",
            "servicePlan": "a",
            "carrierName": "b",
            "etfWaiver": False,
            "checkFallbackProfile": True,
        },
    ),
    (
        lambda esim: esim.renew_activation_code(
            RenewActivationCodeRequest(account_name=ACCOUNT, devices=DEVICES, service_plan="a", mdn_zip_code="07920")
        ),
        f"{BASE}/renew_activation_code",
        {"servicePlan": "a", "mdnZipCode": "07920"},
    ),
    (
        lambda esim: esim.download(DownloadProfileRequest(account_name=ACCOUNT, devices=DEVICES, service_plan="a")),
        f"{BASE}/download",
        {"servicePlan": "a"},
    ),
    (
        lambda esim: esim.download_and_enable(
            ChangeProfileRequest(account_name=ACCOUNT, devices=DEVICES, service_plan="a", smsr_oid=OID)
        ),
        f"{BASE}/download_enable",
        {"servicePlan": "a", "smsrOid": OID},
    ),
    (
        lambda esim: esim.download_and_disable(
            ProfileChangeStateRequest(account_name=ACCOUNT, devices=DEVICES, smsr_oid=OID)
        ),
        f"{BASE}/download_disable",
        {"smsrOid": OID},
    ),
    (
        lambda esim: esim.enable(ChangeProfileRequest(account_name=ACCOUNT, devices=DEVICES, smsr_oid=OID)),
        f"{BASE}/enable",
        {"smsrOid": OID},
    ),
    (
        lambda esim: esim.disable(ProfileChangeStateRequest(account_name=ACCOUNT, devices=DEVICES, smsr_oid=OID)),
        f"{BASE}/disable",
        {"smsrOid": OID},
    ),
    (
        lambda esim: esim.delete(ChangeProfileRequest(account_name=ACCOUNT, devices=DEVICES, service_plan="a")),
        f"{BASE}/delete",
        {"servicePlan": "a"},
    ),
    (
        lambda esim: esim.suspend(
            SuspendProfileRequest(
                account_name=ACCOUNT, devices=DEVICES, service_plan="a", mdn_zip_code="07920", smsr_oid=OID
            )
        ),
        f"{BASE}/profile_suspend",
        {"servicePlan": "a", "mdnZipCode": "07920", "smrsOid": OID},
    ),
    (
        lambda esim: esim.resume(SuspendProfileRequest(account_name=ACCOUNT, devices=DEVICES)),
        f"{BASE}/profile_resume",
        {},
    ),
    (
        lambda esim: esim.suspend_device(SuspendProfileRequest(account_name=ACCOUNT, devices=DEVICES)),
        f"{BASE}/device_suspend",
        {},
    ),
    (
        lambda esim: esim.set_fallback(
            SetFallbackAttributeRequest(account_name=ACCOUNT, devices=DEVICES, carrier_name="b")
        ),
        f"{BASE}/setfallbackattribute",
        {"carrierName": "b"},
    ),
    (
        lambda esim: esim.set_global_fallback(GlobalFallbackRequest(account_name=ACCOUNT, devices=DEVICES)),
        "/api/v1/devices/profile/actions/setfallbackattribute",
        {"devices": [[{"id": EID, "kind": "eid"}, {"id": ICCID, "kind": "iccid"}]]},
    ),
)


@pytest.mark.parametrize(("call", "path", "more"), CALLS, ids=[path.rpartition("/")[2] for _, path, _ in CALLS])
async def test_each_call_is_posted_to_its_own_url_under_the_platforms_names(
    thingspace_simulator: Simulator, thingspace_session: Session, call: Step, path: str, more: dict[str, Any]
) -> None:
    accepted = await call(thingspace_session.esim)
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("POST", path)
    assert received.json == {**WIRE, **more}
    request = thingspace_simulator.late_requests[accepted.request_id]
    assert request.service == "DeviceProfileService"


@pytest.mark.parametrize(
    "kind",
    [
        ActivateProfileRequest,
        ActivateAndEnableRequest,
        DeactivateProfileRequest,
        RenewActivationCodeRequest,
        SuspendProfileRequest,
        SetFallbackAttributeRequest,
        GlobalFallbackRequest,
        DownloadProfileRequest,
        ChangeProfileRequest,
    ],
)
def test_a_hundred_devices_are_accepted_and_one_more_is_refused_before_sending(kind: type[Any]) -> None:
    devices = [DeviceId.iccid(str(8914800000000000000 + number)) for number in range(101)]
    assert len(kind(account_name=ACCOUNT, devices=devices[:100]).devices) == 100
    with pytest.raises(errors.InvalidRequest, match=rf"{kind.__name__}: devices may hold 100 "):
        kind(account_name=ACCOUNT, devices=devices)


@pytest.mark.parametrize(
    ("devices", "fault"),
    [
        ([], "or more"),
        ([[]], "without identifiers, at 0"),
        ("89049032", "must be a tuple"),
        (DeviceId.eid(EID), "must be a tuple"),
        ([(DeviceIds(device_ids=()),)], "must be a DeviceId"),
        ([7], "must hold tuple only"),
    ],
)
def test_bare_lists_of_identifiers_are_checked_like_all_others(devices: Any, fault: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=fault):
        GlobalFallbackRequest(account_name=ACCOUNT, devices=devices)


def test_an_empty_list_of_devices_is_refused_where_the_list_is_optional() -> None:
    with pytest.raises(errors.InvalidRequest, match="DownloadProfileRequest: devices must hold 1 DeviceIds or more"):
        DownloadProfileRequest(account_name=ACCOUNT, devices=[])
    assert DownloadProfileRequest(account_name=ACCOUNT).devices is None


def test_the_published_body_without_devices_can_be_sent() -> None:
    body = b'{"accountName":"0000123456-00001","servicePlan":"service plan name"}'
    assert dump(load(body, DownloadProfileRequest)) == body


def test_profiles_are_enabled_and_deleted_only_for_named_devices() -> None:
    with pytest.raises(TypeError, match="devices"):
        ChangeProfileRequest(account_name=ACCOUNT)  # type: ignore[call-arg]
    nothing: Any
    for nothing in ([], None):
        with pytest.raises(errors.InvalidRequest, match="ChangeProfileRequest: devices must "):
            ChangeProfileRequest(account_name=ACCOUNT, devices=nothing)


@pytest.fixture
def device(thingspace_simulator: Simulator) -> Device:
    return next(device for device in thingspace_simulator.devices if device.state == "active")


async def test_a_profile_is_downloaded_enabled_disabled_and_deleted(
    thingspace_simulator: Simulator, thingspace_session: Session, device: Device
) -> None:
    esim, devices = thingspace_session.esim, [DeviceId.eid(device.eid)]
    change = ChangeProfileRequest(account_name=ACCOUNT, devices=devices, smsr_oid=OID)
    local = ProfileChangeStateRequest(account_name=ACCOUNT, devices=devices, smsr_oid=OID)
    seen: list[str] = [device.profile.status]
    for step in (
        esim.download_and_disable(local),
        esim.enable(change),
        esim.disable(local),
        esim.delete(change),
        esim.download_and_enable(change),
    ):
        await step
        assert device.profile.status == seen[-1]
        thingspace_simulator.clock.advance(61)
        seen.append(device.profile.status)
    assert seen == ["Not Downloaded", "DOWNLOAD_DISABLE", "ENABLE", "DISABLE", "Not Downloaded", "DOWNLOAD_ENABLE"]


async def test_devices_of_one_request_can_fail_and_succeed_separately(
    thingspace_simulator: Simulator, thingspace_session: Session, device: Device
) -> None:
    idle = next(one for one in thingspace_simulator.devices if one.state != "active")
    request = DownloadProfileRequest(account_name=ACCOUNT, devices=[DeviceId.eid(one.eid) for one in (device, idle)])
    accepted = await thingspace_session.esim.download(request)
    ask = thingspace_session.accounts.request_status_by_device
    early = await ask(ACCOUNT, accepted.request_id)
    assert (early.status, len(early.pending), early.succeeded, early.failed_devices) == (
        RequestStatus.PENDING,
        2,
        (),
        (),
    )
    thingspace_simulator.clock.advance(61)
    late = await ask(ACCOUNT, accepted.request_id)
    assert late.failed
    assert [one.identifier("EID") for one in late.succeeded] == [device.eid]
    assert [one.identifier("eid") for one in late.failed_devices] == [idle.eid]
