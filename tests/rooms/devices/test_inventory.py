"""Adding, deleting and finding devices, and the fields that an account can set on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from aioresponses import aioresponses

from tests.rooms.conftest import PLACE
from thingspace_async import CustomField, DeviceId, DeviceIds, Session, errors
from thingspace_async.accounts import RequestStatus
from thingspace_async.devices import (
    AccountDeviceListRequest,
    AddDevicesRequest,
    AddDevicesResult,
    Address,
    ContactInfoUpdateRequest,
    CustomerName,
    CustomFieldsUpdateRequest,
    DateFilter,
    DeleteDevicesRequest,
    DeleteDevicesResult,
    DeviceCostCenterRequest,
    DeviceExtendedDiagnosticsRequest,
    DeviceMismatchListRequest,
    DevicePrlListRequest,
    GlobalDeviceListRequest,
    PlaceOfUse,
    ProfileStatusFilter,
    ProvisioningStatusFilter,
)
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.fleet import Device as Simulated

ACCOUNT = "0000123456-00001"
DELETE = f"{PLACE}/api/m2m/v1/devices/actions/delete"
ADD = f"{PLACE}/api/m2m/v1/devices/actions/add"

MODULE, SIM = DeviceId.imei("990013907835573"), DeviceId.iccid("89141390780800784259")
OTHER_MODULE, OTHER_SIM = DeviceId.imei("990013907884259"), DeviceId.iccid("89141390780800735573")
STRANGER = DeviceId.imei("990000000000000")

LATER = timedelta(seconds=61)

PLACE_OF_USE = PlaceOfUse(
    address=Address(address_line1="9868 Scranton Rd", city="San Diego", state="CA", zip="92121", country="USA"),
    customer_name=CustomerName(title="President", first_name="Zaffod", last_name="Beeblebrox"),
)


def named(device: Simulated) -> DeviceId:
    """Return the ICCID of a simulated device."""
    return next(DeviceId(**own) for own in device.device_ids if own["kind"] == "iccId")


async def attribute(session: Session, device: Simulated, key: str) -> str | None:
    return (await session.devices.get(named(device))).extended_attribute(key)


# Adding and deleting


async def test_devices_are_added_with_all_given_fields(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    outcome = await thingspace_session.devices.add(
        AddDevicesRequest(
            state="preactive",
            devices_to_add=[[MODULE, SIM], DeviceIds(device_ids=(OTHER_MODULE, OTHER_SIM))],
            account_name=ACCOUNT,
            custom_fields=(CustomField(key="CustomField2", value="SuperVend"),),
            group_name="West fleet",
            sku_number="VZM20Q",
        )
    )
    assert thingspace_simulator.requests[-1].json == {
        "state": "preactive",
        "devicesToAdd": [
            {
                "deviceIds": [
                    {"id": "990013907835573", "kind": "imei"},
                    {"id": "89141390780800784259", "kind": "iccid"},
                ]
            },
            {
                "deviceIds": [
                    {"id": "990013907884259", "kind": "imei"},
                    {"id": "89141390780800735573", "kind": "iccid"},
                ]
            },
        ],
        "accountName": "0000123456-00001",
        "customFields": [{"key": "CustomField2", "value": "SuperVend"}],
        "groupName": "West fleet",
        "skuNumber": "VZM20Q",
    }
    assert [one.device_ids for one in outcome.succeeded] == [(MODULE, SIM), (OTHER_MODULE, OTHER_SIM)]
    assert outcome.failed == ()
    for known in (MODULE, OTHER_SIM):
        device = await thingspace_session.devices.get(known)
        assert (device.account_name, device.state, device.group_names) == (ACCOUNT, "preactive", ("West fleet",))
        assert device.custom_fields == (CustomField(key="CustomField2", value="SuperVend"),)
        assert device.extended_attribute("SkuNumber") == "VZM20Q"
        assert set(device.device_ids) >= {MODULE, SIM} or set(device.device_ids) >= {OTHER_MODULE, OTHER_SIM}


async def test_a_device_that_exists_already_is_reported_apart_from_added_ones(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    there = named(thingspace_simulator.devices[3])
    before = len(thingspace_simulator.devices)
    request = AddDevicesRequest(state="preactive", devices_to_add=[there, [MODULE, SIM], [SIM]])
    outcome = await thingspace_session.devices.add(request)
    assert [one.device_ids for one in outcome.succeeded] == [(MODULE, SIM)]
    assert [one.device_ids for one in outcome.failed] == [(there,), (SIM,)]
    assert all(one.response for one in outcome.failed)
    assert len(thingspace_simulator.devices) == before + 1


async def test_a_device_missing_from_the_answer_does_not_count_as_added(
    canned: aioresponses, scripted: Session
) -> None:
    ids = [{"id": SIM.id, "kind": "iccid"}]
    canned.post(ADD, payload=[{"deviceIds": ids, "response": "SUCCESS"}, {"deviceIds": ids}, {"response": "No."}])
    outcome = await scripted.devices.add(AddDevicesRequest(state="preactive", devices_to_add=[SIM]))
    assert outcome.succeeded == (AddDevicesResult(device_ids=(SIM,), response="SUCCESS"),)
    assert outcome.failed == (AddDevicesResult(device_ids=(SIM,)), AddDevicesResult(response="No."))


async def test_adding_more_devices_than_documented_is_left_to_the_platform(
    thingspace_session: Session,
) -> None:
    many = [DeviceId.imei(f"99001390{number:06d}") for number in range(201)]
    with pytest.raises(errors.BadRequest) as caught:
        await thingspace_session.devices.add(AddDevicesRequest(state="preactive", devices_to_add=many))
    assert caught.value.short_code == "INPUT_INVALID.NumberofDevices"


async def test_only_deactivated_devices_are_deleted_and_the_others_are_reported(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    first, second, third = (thingspace_simulator.devices[place] for place in (0, 1, 2))
    first.state, second.state, third.state = "deactive", "active", "deactive"
    wanted = [named(first), named(second), STRANGER, named(third)]
    outcome = await thingspace_session.devices.delete(
        DeleteDevicesRequest(devices_to_delete=wanted, account_name=ACCOUNT)
    )
    assert thingspace_simulator.requests[-1].json == {
        "devicesToDelete": [{"deviceIds": [{"id": one.id, "kind": one.kind}]} for one in wanted],
        "accountName": ACCOUNT,
    }
    assert [one.device_ids for one in outcome.succeeded] == [(wanted[0],), (wanted[3],)]
    assert [one.device_ids for one in outcome.failed] == [(wanted[1],), (wanted[2],)]
    assert all(one.message and one.status == "Failed" for one in outcome.failed)
    with pytest.raises(errors.NotFound):
        await thingspace_session.devices.get(wanted[0])
    assert (await thingspace_session.devices.get(wanted[1])).state == "active"


async def test_a_deleted_sim_can_be_added_again(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    device = thingspace_simulator.devices[0]
    device.state = "deactive"
    sim = named(device)
    await thingspace_session.devices.delete(DeleteDevicesRequest(devices_to_delete=[sim]))
    outcome = await thingspace_session.devices.add(AddDevicesRequest(state="preactive", devices_to_add=[[MODULE, sim]]))
    assert outcome.failed == ()
    assert (await thingspace_session.devices.get(sim)).identifier("imei") == MODULE.id


async def test_identifiers_of_deleted_devices_are_read_as_a_list_or_a_single_object(
    canned: aioresponses, scripted: Session
) -> None:
    one, other = {"id": "09005470263", "kind": "esn"}, {"id": "85000022411113460014", "kind": "iccid"}
    canned.post(
        DELETE,
        payload=[
            {"deviceIds": [one, other], "status": "Success"},
            {"deviceIds": other, "status": "success"},
            {"deviceIds": one, "status": "Failed", "message": "The device is not in deactive state."},
            {"status": "Failed"},
            {"deviceIds": None},
        ],
    )
    outcome = await scripted.devices.delete(DeleteDevicesRequest(devices_to_delete=[SIM]))
    esn, iccid = DeviceId.esn("09005470263"), DeviceId.iccid("85000022411113460014")
    assert [(result.device_ids, result.status) for result in outcome.succeeded] == [
        ((esn, iccid), "Success"),
        ((iccid,), "success"),
    ]
    assert outcome.failed == (
        DeleteDevicesResult(device_ids=(esn,), status="Failed", message="The device is not in deactive state."),
        DeleteDevicesResult(status="Failed"),
        DeleteDevicesResult(),
    )


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ([{"id": 5, "kind": "esn"}], "[1].deviceIds[0].id"),
        ({"id": "1"}, "[1].deviceIds[0].kind"),
        ("09005470263", "[1].deviceIds"),
        ("", "[1].deviceIds"),
    ],
)
async def test_an_unreadable_identifier_of_a_deleted_device_is_an_error_with_its_path(
    canned: aioresponses, scripted: Session, sent: Any, path: str
) -> None:
    canned.post(DELETE, payload=[{"status": "Success"}, {"deviceIds": sent, "status": "Success"}])
    with pytest.raises(errors.AnswerUnreadable) as caught:
        await scripted.devices.delete(DeleteDevicesRequest(devices_to_delete=[SIM]))
    assert (caught.value.operation, caught.value.path) == ("devices.delete", path)


@pytest.mark.parametrize(
    ("devices", "reason"),
    [
        ([], "must hold 1 DeviceIds or more, not 0"),
        ([DeviceId.imei(f"99001390{number:06d}") for number in range(101)], "may hold 100 DeviceIds, not 101"),
        (SIM, "must be a tuple of DeviceIds, not DeviceId"),
    ],
)
def test_more_devices_than_one_request_can_delete_are_not_sent(devices: Any, reason: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"DeleteDevicesRequest: devices_to_delete {reason}"):
        DeleteDevicesRequest(devices_to_delete=devices)


# Other ways to find devices


EVER = DateFilter(earliest=datetime(2000, 1, 1, tzinfo=UTC), latest=datetime(2030, 1, 1, tzinfo=UTC))


async def test_sims_in_unexpected_hardware_are_found(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    found = await thingspace_session.devices.mismatched(DeviceMismatchListRequest(filter=EVER, account_name=ACCOUNT))
    assert thingspace_simulator.requests[-1].json == {
        "filter": {"earliest": "2000-01-01T00:00:00Z", "latest": "2030-01-01T00:00:00Z"},
        "accountName": ACCOUNT,
    }
    assert 0 < len(found.devices) < 100
    for one in found.devices:
        device = await thingspace_session.devices.get(DeviceId.iccid(one.iccid or ""))
        assert (one.mdn, one.post_imei) == (device.identifier("mdn"), device.identifier("imei"))
        assert one.pre_imei not in (None, one.post_imei)
        assert one.activation_date == device.last_activation_date


async def test_sims_are_searched_among_named_devices_in_a_group_or_in_a_time_span(
    thingspace_session: Session,
) -> None:
    ask = thingspace_session.devices.mismatched
    every = (await ask(DeviceMismatchListRequest(filter=EVER))).devices
    first = every[0]
    known = await thingspace_session.devices.get(DeviceId.iccid(first.iccid or ""))
    alone = DeviceMismatchListRequest(filter=EVER, devices=[DeviceId.mdn(first.mdn or "")])
    assert (await ask(alone)).devices == (first,)
    grouped = (await ask(DeviceMismatchListRequest(filter=EVER, group_name=known.group_names[0]))).devices
    assert first in grouped
    assert len(grouped) < len(every)
    assert first.activation_date is not None
    before = DateFilter(earliest=EVER.earliest, latest=first.activation_date - timedelta(seconds=1))
    assert first not in (await ask(DeviceMismatchListRequest(filter=before))).devices


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"earliest": datetime(2026, 1, 2, tzinfo=UTC)}, "DateFilter: earliest is after latest"),
        ({"latest": datetime(2026, 1, 2)}, "DateFilter: latest has no time zone"),  # noqa: DTZ001 - the point
        ({"earliest": "2026-01-01"}, "DateFilter: earliest must be a datetime with a time zone, not str"),
    ],
)
def test_an_invalid_time_span_is_refused(given: dict[str, Any], reason: str) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(errors.InvalidRequest, match=reason):
        DateFilter(**{"earliest": moment, "latest": moment, **given})


async def test_roaming_lists_are_requested_and_arrive_later(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    known = named(thingspace_simulator.devices[0])
    accepted = await thingspace_session.devices.prl_versions(DevicePrlListRequest(device_ids=[known]))
    assert thingspace_simulator.requests[-1].json == {"deviceIds": [{"id": known.id, "kind": known.kind}]}
    strange = await thingspace_session.devices.prl_versions(DevicePrlListRequest(device_ids=STRANGER))
    ask = thingspace_session.accounts.request_status_by_device
    assert (await ask(ACCOUNT, accepted.request_id)).status is RequestStatus.PENDING
    thingspace_simulator.clock.advance(LATER)
    assert (await ask(ACCOUNT, accepted.request_id)).status is RequestStatus.SUCCESS
    assert (await ask(ACCOUNT, strange.request_id)).failed
    assert thingspace_simulator.late_requests[accepted.request_id].service == "DevicePRLInformation"


async def test_diagnostics_of_a_device_have_several_parts(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    device = thingspace_simulator.devices[0]
    device.state, device.connected = "active", True
    request = DeviceExtendedDiagnosticsRequest(account_name=ACCOUNT, device_list=named(device))
    result = await thingspace_session.devices.extended_diagnostics(request)
    assert thingspace_simulator.requests[-1].json == {
        "accountName": ACCOUNT,
        "deviceList": [{"id": named(device).id, "kind": "iccId"}],
    }
    known = {category.category_name: category for category in result.categories}
    assert known["Connectivity"].extended_attribute("Connected") == "true"
    assert known["Provisioning"].extended_attribute("State") == "active"
    assert known["Connectivity"].extended_attribute("Weather") is None
    assert known["DeviceIdentifiers"].extended_attribute("ICCID") == named(device).id


async def test_an_unknown_device_cannot_be_diagnosed(thingspace_session: Session) -> None:
    request = DeviceExtendedDiagnosticsRequest(account_name=ACCOUNT, device_list=STRANGER)
    with pytest.raises(errors.BadRequest) as caught:
        await thingspace_session.devices.extended_diagnostics(request)
    assert caught.value.short_code == "REQUEST_FAILED.DeviceNotFound"


async def test_the_global_list_is_requested_with_filters_under_the_platforms_names(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    eid = DeviceId.eid("67891278912345345678400866645632")
    accepted = await thingspace_session.devices.request_global_list(
        GlobalDeviceListRequest(
            account_name=ACCOUNT,
            provisioning_status_filter=ProvisioningStatusFilter.PRE_ACTIVE,
            profile_status_filter=ProfileStatusFilter("SOMETHING_NEW"),
            carrier_name_filter="Verizon Wireless",
            device_filter=[MODULE, eid],
        )
    )
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("POST", "/api/m2m/v2/devices/actions/list")
    assert received.json == {
        "accountName": ACCOUNT,
        "provisioningStatusFilter": "PRE_ACTIVE",
        "profileStatusFilter": "SOMETHING_NEW",
        "carrierNameFilter": "Verizon Wireless",
        "deviceFilter": [{"id": MODULE.id, "kind": "imei"}, {"id": eid.id, "kind": "eid"}],
    }
    assert thingspace_simulator.late_requests[accepted.request_id].service == "DeviceProfileService"


def test_a_status_filter_accepts_only_members_of_its_enumeration() -> None:
    with pytest.raises(errors.InvalidRequest, match="must be a ProvisioningStatusFilter, not str"):
        GlobalDeviceListRequest(provisioning_status_filter="ACTIVE")  # type: ignore[arg-type]


# Fields that an account sets on its devices


async def test_custom_fields_are_written_later_and_others_are_unchanged(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    device, other = thingspace_simulator.devices[0], thingspace_simulator.devices[1]
    before = (await thingspace_session.devices.get(named(device))).custom_fields
    elsewhere = (await thingspace_session.devices.get(named(other))).custom_fields
    color = CustomField(key="CustomField3", value="red")
    await thingspace_session.devices.update_custom_fields(
        CustomFieldsUpdateRequest(account_name=ACCOUNT, devices=[named(device)], custom_fields_to_update=(color,))
    )
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("PUT", "/api/m2m/v1/devices/actions/customFields")
    assert received.json == {
        "accountName": ACCOUNT,
        "devices": [{"deviceIds": [{"id": named(device).id, "kind": "iccId"}]}],
        "customFieldsToUpdate": [{"key": "CustomField3", "value": "red"}],
    }
    assert (await thingspace_session.devices.get(named(device))).custom_fields == before
    thingspace_simulator.clock.advance(LATER)
    after = (await thingspace_session.devices.get(named(device))).custom_fields
    assert after == (*before[:2], color, *before[3:])
    assert (await thingspace_session.devices.get(named(other))).custom_fields == elsewhere


async def test_custom_fields_are_written_on_all_devices_that_match(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    wanted = AccountDeviceListRequest(group_name="East fleet", service_plan="M2M_PP")
    expected = [device.device_ids async for device in thingspace_session.devices.list(wanted)]
    color = CustomField(key="CustomField5", value="red")
    await thingspace_session.devices.update_custom_fields(
        CustomFieldsUpdateRequest(
            account_name=ACCOUNT,
            group_name="East fleet",
            service_plan="M2M_PP",
            custom_fields=(CustomField(key="CustomField5", value="2026"),),
            custom_fields_to_update=(color,),
        )
    )
    thingspace_simulator.clock.advance(LATER)
    painted = AccountDeviceListRequest(custom_fields=(color,))
    assert [device.device_ids async for device in thingspace_session.devices.list(painted)] == expected != []


@pytest.mark.parametrize("cls", [CustomFieldsUpdateRequest, ContactInfoUpdateRequest, DeviceCostCenterRequest])
def test_an_empty_list_of_devices_does_not_mean_the_whole_account(cls: type) -> None:
    given = {"primary_place_of_use": PLACE_OF_USE, "account_name": ACCOUNT, "devices": []}
    known = {field.name for field in attrs.fields(cls)}
    with pytest.raises(errors.InvalidRequest, match=f"{cls.__name__}: devices must hold 1 DeviceIds or more"):
        cls(**{name: value for name, value in given.items() if name in known})


@pytest.mark.parametrize("cls", [CustomFieldsUpdateRequest, DeviceCostCenterRequest])
@pytest.mark.parametrize(
    "other",
    [
        {"group_name": "East fleet"},
        {"service_plan": "M2M_PP"},
        {"custom_fields": (CustomField(key="CustomField1", value="x"),)},
    ],
)
def test_devices_are_named_or_filtered_and_never_both(cls: type, other: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"give either devices or {next(iter(other))}, not both"):
        cls(devices=[SIM], **other)


@pytest.mark.parametrize("cls", [CustomFieldsUpdateRequest, DeviceCostCenterRequest, DevicePrlListRequest])
def test_a_request_without_devices_or_filters_is_refused(cls: type) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"{cls.__name__}: give devi"):
        cls()


async def test_an_update_of_an_unknown_device_fails_later(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    accepted = await thingspace_session.devices.update_cost_center(
        DeviceCostCenterRequest(devices=[STRANGER], cost_center="cc12345")
    )
    thingspace_simulator.clock.advance(LATER)
    assert (await thingspace_session.accounts.request_status(ACCOUNT, accepted.request_id)).failed


async def test_a_new_place_of_use_replaces_the_old_one_completely(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    device = thingspace_simulator.devices[0]
    center = await attribute(thingspace_session, device, "CostCenterCode")
    device.describe({"PrimaryPlaceOfUseAddressLine2": "Suite A"})
    await thingspace_session.devices.update_contact_information(
        ContactInfoUpdateRequest(primary_place_of_use=PLACE_OF_USE, account_name=ACCOUNT, devices=[named(device)])
    )
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("PUT", "/api/m2m/v1/devices/actions/contactInfo")
    assert received.json == {
        "primaryPlaceOfUse": {
            "address": {
                "addressLine1": "9868 Scranton Rd",
                "city": "San Diego",
                "state": "CA",
                "zip": "92121",
                "country": "USA",
            },
            "customerName": {"title": "President", "firstName": "Zaffod", "lastName": "Beeblebrox"},
        },
        "accountName": ACCOUNT,
        "devices": [{"deviceIds": [{"id": named(device).id, "kind": "iccId"}]}],
    }
    thingspace_simulator.clock.advance(LATER)
    known = await thingspace_session.devices.get(named(device))
    assert known.extended_attribute("PrimaryPlaceOfUseFirstName") == "Zaffod"
    assert known.extended_attribute("PrimaryPlaceOfUseTitle") == "President"
    assert known.extended_attribute("PrimaryPlaceOfUseCity") == "San Diego"
    assert known.extended_attribute("PrimaryPlaceOfUseAddressLine2") is None
    assert known.extended_attribute("CostCenterCode") == center


async def test_a_cost_center_is_changed_with_the_place_of_use_and_removed(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    device, other = thingspace_simulator.devices[0], thingspace_simulator.devices[60]
    elsewhere = await attribute(thingspace_session, other, "CostCenterCode")
    update = thingspace_session.devices.update_cost_center
    await update(
        DeviceCostCenterRequest(devices=[named(device)], cost_center="cc12345", primary_place_of_use=PLACE_OF_USE)
    )
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == ("PUT", "/api/m2m/v1/devices/costCenter")
    assert received.json["costCenter"] == "cc12345"
    thingspace_simulator.clock.advance(LATER)
    assert await attribute(thingspace_session, device, "CostCenterCode") == "cc12345"
    assert await attribute(thingspace_session, device, "PrimaryPlaceOfUseCity") == "San Diego"
    await update(DeviceCostCenterRequest(devices=[named(device)], remove_cost_center=True))
    assert thingspace_simulator.requests[-1].json["removeCostCenter"] is True
    thingspace_simulator.clock.advance(LATER)
    assert await attribute(thingspace_session, device, "CostCenterCode") is None
    assert await attribute(thingspace_session, device, "PrimaryPlaceOfUseCity") == "San Diego"
    assert await attribute(thingspace_session, other, "CostCenterCode") == elsewhere
