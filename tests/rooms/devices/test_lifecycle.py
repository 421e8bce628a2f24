"""Lifecycle calls: their requests, the values refused before sending, and their effect on devices."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson
import pytest

from thingspace_async import Accepted, CustomField, DeviceId, Session, errors
from thingspace_async._core.models import Address, CustomerName, PlaceOfUse
from thingspace_async._core.types import DeviceIds
from thingspace_async.devices import (
    ActivateRequest,
    AvailabilityRequest,
    ChangeDeviceIdRequest,
    CheckOrderStatusRequest,
    CustomFieldsUpdateRequest,
    DeactivateRequest,
    DeviceCostCenterRequest,
    DeviceFilter,
    DeviceFilterWithoutAccount,
    DevicePrlListRequest,
    DeviceUploadRequest,
    GoToStateRequest,
    MoveDeviceRequest,
    RestoreRequest,
    ServicePlanUpdateRequest,
    SuspendRequest,
    SuspensionStatusRequest,
    UploadAndActivateRequest,
)
from thingspace_async.devices.lifecycle.calls import OPERATIONS, Lifecycle
from thingspace_async.simulator import Cut, Reset, Simulator, Status

NAME = "0000123456-00001"
IMEI = DeviceId.imei("990013907835573")
ICCID = DeviceId.iccid("89141390780800784259")
FIELD = CustomField(key="CustomField2", value="SuperVend")
PLACE = PlaceOfUse(
    address=Address(
        address_line1="1600 Pennsylvania Ave NW", city="Washington", state="DC", zip="20500", country="USA"
    ),
    customer_name=CustomerName(title="President", first_name="Zaffod", last_name="Beeblebrox"),
)
UPLOADED: dict[str, Any] = {
    "account_name": NAME,
    "devices": [[IMEI, ICCID]],
    "email_address": "bob@mycompany.com",
    "device_sku": "VZW123456",
    "upload_type": "IMEI ICCID Pair",
}

SENT_IMEI = {"id": "990013907835573", "kind": "imei"}
SENT_ICCID = {"id": "89141390780800784259", "kind": "iccid"}
SENT_FIELD = {"key": "CustomField2", "value": "SuperVend"}
SENT_PLACE = {
    "address": {
        "addressLine1": "1600 Pennsylvania Ave NW",
        "city": "Washington",
        "state": "DC",
        "zip": "20500",
        "country": "USA",
    },
    "customerName": {"title": "President", "firstName": "Zaffod", "lastName": "Beeblebrox"},
}
SENT_UPLOAD = {
    "accountName": NAME,
    "devices": [{"deviceIds": [SENT_IMEI, SENT_ICCID]}],
    "emailAddress": "bob@mycompany.com",
    "deviceSku": "VZW123456",
    "uploadType": "IMEI ICCID Pair",
}

Send = Callable[[Session], Awaitable[Accepted]]

CALLS: list[tuple[Send, str, str, dict[str, Any]]] = [
    (
        lambda session: session.devices.activate(
            ActivateRequest(
                devices=[[IMEI, ICCID], DeviceIds(device_ids=(ICCID,), ip_address="203.0.113.7")],
                service_plan="m2m_4G",
                mdn_zip_code="98801",
                account_name=NAME,
                carrier_ip_pool_name="Pool",
                carrier_name="Verizon Wireless",
                cost_center_code="CC1",
                custom_fields=(FIELD,),
                group_name="4G West",
                lead_id="700001",
                primary_place_of_use=PLACE,
                public_ip_restriction="restricted",
                sku_number="VZW1",
            )
        ),
        "POST",
        "actions/activate",
        {
            "devices": [
                {"deviceIds": [SENT_IMEI, SENT_ICCID]},
                {"deviceIds": [SENT_ICCID], "ipAddress": "203.0.113.7"},
            ],
            "servicePlan": "m2m_4G",
            "mdnZipCode": "98801",
            "accountName": NAME,
            "carrierIpPoolName": "Pool",
            "carrierName": "Verizon Wireless",
            "costCenterCode": "CC1",
            "customFields": [SENT_FIELD],
            "groupName": "4G West",
            "leadId": "700001",
            "primaryPlaceOfUse": SENT_PLACE,
            "publicIpRestriction": "restricted",
            "skuNumber": "VZW1",
        },
    ),
    (
        lambda session: session.devices.deactivate(
            DeactivateRequest(
                account_name=NAME,
                devices=[ICCID],
                reason_code="FF",
                etf_waiver=False,
                delete_after_deactivation=True,
            )
        ),
        "POST",
        "actions/deactivate",
        {
            "accountName": NAME,
            "devices": [{"deviceIds": [SENT_ICCID]}],
            "reasonCode": "FF",
            "etfWaiver": False,
            "deleteAfterDeactivation": True,
        },
    ),
    (
        lambda session: session.devices.deactivate(
            DeactivateRequest(
                account_name=NAME, reason_code="FF", group_name="a", service_plan="b", custom_fields=(FIELD,)
            )
        ),
        "POST",
        "actions/deactivate",
        {
            "accountName": NAME,
            "reasonCode": "FF",
            "groupName": "a",
            "servicePlan": "b",
            "customFields": [SENT_FIELD],
        },
    ),
    (
        lambda session: session.devices.suspend(
            SuspendRequest(
                account_name=NAME, group_name="a", service_plan="b", custom_fields=(FIELD,), with_billing=False
            )
        ),
        "POST",
        "actions/suspend",
        {
            "accountName": NAME,
            "groupName": "a",
            "servicePlan": "b",
            "customFields": [SENT_FIELD],
            "withBilling": False,
        },
    ),
    (
        lambda session: session.devices.restore(RestoreRequest(devices=(ICCID,), account_name=NAME)),
        "POST",
        "actions/restore",
        {"devices": [{"deviceIds": [SENT_ICCID]}], "accountName": NAME},
    ),
    (
        lambda session: session.devices.change_plan(
            ServicePlanUpdateRequest(
                service_plan="new",
                current_service_plan="old",
                account_name=NAME,
                group_name="a",
                custom_fields=(FIELD,),
                carrier_ip_pool_name="Pool",
                take_effect=datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-5))),
            )
        ),
        "PUT",
        "actions/plan",
        {
            "servicePlan": "new",
            "currentServicePlan": "old",
            "accountName": NAME,
            "groupName": "a",
            "customFields": [SENT_FIELD],
            "carrierIpPoolName": "Pool",
            "takeEffect": "2026-02-03T04:05:06-05:00",
        },
    ),
    (
        lambda session: session.devices.change_identifier(
            "4G",
            ChangeDeviceIdRequest(
                device_ids=[IMEI],
                device_ids_to=[ICCID],
                change4g_option="ChangeICCID",
                service_plan="4G 2GB",
                assign_non_geo_mdn=False,
                npa_nxx="509393",
                zip_code="98802",
                smsr_oid="1.3.6",
            ),
        ),
        "PUT",
        "4G/actions/deviceId",
        {
            "deviceIds": [SENT_IMEI],
            "deviceIdsTo": [SENT_ICCID],
            "change4gOption": "ChangeICCID",
            "servicePlan": "4G 2GB",
            "assignNonGeoMdn": False,
            "npaNxx": "509393",
            "zipCode": "98802",
            "smsrOid": "1.3.6",
        },
    ),
    (
        lambda session: session.devices.go_to_state(
            GoToStateRequest(
                service_name="My Service",
                state_name="My State",
                service_plan="87641",
                mdn_zip_code="94203",
                devices=[[IMEI, ICCID]],
                devices_with_service_address=({"anything": [1]},),
                carrier_ip_pool_name="Pool",
                public_ip_restriction="unrestricted",
                sku_number="VZW1",
                custom_fields=(FIELD,),
                ip_address="203.0.113.7",
                group_name="4G West",
                primary_place_of_use=PLACE,
            )
        ),
        "PUT",
        "actions/gotostate",
        {
            "serviceName": "My Service",
            "stateName": "My State",
            "servicePlan": "87641",
            "mdnZipCode": "94203",
            "devices": [{"deviceIds": [SENT_IMEI, SENT_ICCID]}],
            "devicesWithServiceAddress": [{"anything": [1]}],
            "carrierIpPoolName": "Pool",
            "publicIpRestriction": "unrestricted",
            "skuNumber": "VZW1",
            "customFields": [SENT_FIELD],
            "ipAddress": "203.0.113.7",
            "groupName": "4G West",
            "primaryPlaceOfUse": SENT_PLACE,
        },
    ),
    (
        lambda session: session.devices.move(
            MoveDeviceRequest(
                account_name=NAME,
                filter=DeviceFilter(account="x", group_name="a", service_plan="b", custom_fields=(FIELD,)),
                custom_fields=(FIELD,),
                group_name="c",
                carrier_ip_pool_name="Pool",
                service_plan="M2M5GB",
            )
        ),
        "PUT",
        "actions/move",
        {
            "accountName": NAME,
            "filter": {"account": "x", "groupName": "a", "servicePlan": "b", "customFields": [SENT_FIELD]},
            "customFields": [SENT_FIELD],
            "groupName": "c",
            "carrierIpPoolName": "Pool",
            "servicePlan": "M2M5GB",
        },
    ),
    (
        lambda session: session.devices.upload(DeviceUploadRequest(**UPLOADED)),
        "POST",
        "actions/upload",
        SENT_UPLOAD,
    ),
    (
        lambda session: session.devices.upload_and_activate(
            UploadAndActivateRequest(service_plan="15MBShr", mdn_zip_code="92222", carrier_ip_pool_name="", **UPLOADED)
        ),
        "POST",
        "actions/uploadactivate",
        {**SENT_UPLOAD, "servicePlan": "15MBShr", "mdnZipCode": "92222", "carrierIpPoolName": ""},
    ),
    (
        lambda session: session.devices.order_status(
            CheckOrderStatusRequest(account_name="4Gpublicaccount ", devices=[ICCID], order_request_id=" f55fea16 ")
        ),
        "POST",
        "requests/status",
        {
            "accountName": "4Gpublicaccount ",
            "devices": [{"deviceIds": [SENT_ICCID]}],
            "orderRequestId": " f55fea16 ",
        },
    ),
    (
        lambda session: session.devices.check_availability(AvailabilityRequest(account_name=NAME, devices=[IMEI])),
        "POST",
        "availability/actions/list",
        {"accountName": NAME, "devices": [{"deviceIds": [SENT_IMEI]}]},
    ),
    (
        lambda session: session.devices.suspension_status(
            SuspensionStatusRequest(
                filter=DeviceFilterWithoutAccount(group_name="suspended devices"), account_name=NAME
            )
        ),
        "POST",
        "suspension/status",
        {"filter": {"groupName": "suspended devices"}, "accountName": NAME},
    ),
    (
        lambda session: session.devices.suspension_status(SuspensionStatusRequest(device_ids=[IMEI, ICCID])),
        "POST",
        "suspension/status",
        {"deviceIds": [SENT_IMEI, SENT_ICCID]},
    ),
]


@pytest.mark.parametrize("call", CALLS, ids=[f"{path}-{','.join(body)}" for _, _, path, body in CALLS])
async def test_a_call_sends_the_documented_request_and_returns_the_request_id(
    thingspace_simulator: Simulator, thingspace_session: Session, call: tuple[Send, str, str, dict[str, Any]]
) -> None:
    send, method, path, body = call
    (operation,) = (one.name for one in OPERATIONS if one.path.format(service_type="4G").endswith(f"/devices/{path}"))
    answer = orjson.dumps({"requestId": "595f5c44-c31c-4552-8670-020a1545a84d"})
    thingspace_simulator.faults.add(operation, Status(200, body=answer))
    assert await send(thingspace_session) == Accepted(request_id="595f5c44-c31c-4552-8670-020a1545a84d")
    received = thingspace_simulator.requests[-1]
    assert (received.method, received.path) == (method, f"/api/m2m/v1/devices/{path}")
    assert received.json == body


def test_every_lifecycle_call_is_tested() -> None:
    paths = {one.path.format(service_type="4G") for one in OPERATIONS}
    assert {f"/m2m/v1/devices/{path}" for _, _, path, _ in CALLS} == paths


# Refused before anything is sent

ALL: dict[str, Any] = {"account_name": NAME}
STATE: dict[str, Any] = {"service_name": "a", "state_name": "b", "service_plan": "c", "mdn_zip_code": "d"}
BY_FILTER: dict[str, Any] = {"filter": DeviceFilter(group_name="a")}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (SuspendRequest, "SuspendRequest: give devices, account_name, group_name, service_plan or custom"),
        (RestoreRequest, "RestoreRequest: give devices, account_name, group_name, service_plan or custom"),
        (lambda: SuspendRequest(devices=[IMEI], group_name="a"), "SuspendRequest: give either devices or group_name"),
        (
            lambda: RestoreRequest(devices=[IMEI], service_plan="a"),
            "RestoreRequest: give either devices or service_plan",
        ),
        (lambda: SuspendRequest(devices=[IMEI], custom_fields=(FIELD,)), "give either devices or custom_fields"),
        (lambda: DeactivateRequest(reason_code="FF", **ALL), "DeactivateRequest: give devices, group_name, service"),
        (
            lambda: DeactivateRequest(reason_code="FF", devices=[IMEI], group_name="a", **ALL),
            "DeactivateRequest: give either devices or group_name, not both",
        ),
        (lambda: ServicePlanUpdateRequest(service_plan="a"), "ServicePlanUpdateRequest: give devices, account_name"),
        (
            lambda: ServicePlanUpdateRequest(service_plan="a", devices=[IMEI], current_service_plan="b"),
            "ServicePlanUpdateRequest: give either devices or current_service_plan, not both",
        ),
        (
            lambda: ServicePlanUpdateRequest(service_plan="a", take_effect=datetime(2026, 1, 1), **ALL),  # noqa: DTZ001 - bad
            "ServicePlanUpdateRequest: take_effect has no time zone",
        ),
        (lambda: GoToStateRequest(**STATE), "GoToStateRequest: give devices, filter or devices_with_service_address"),
        (
            lambda: GoToStateRequest(devices=[IMEI], **STATE, **BY_FILTER),
            "GoToStateRequest: give either devices or filter",
        ),
        (lambda: MoveDeviceRequest(account_name=NAME), "MoveDeviceRequest: give devices or filter"),
        (
            lambda: MoveDeviceRequest(devices=[IMEI], **ALL, **BY_FILTER),
            "MoveDeviceRequest: give either devices or filter",
        ),
        (DeviceFilter, "DeviceFilter: give group_name, service_plan, custom_fields or account"),
        (DeviceFilterWithoutAccount, "DeviceFilterWithoutAccount: give group_name, service_plan or custom"),
        (SuspensionStatusRequest, "SuspensionStatusRequest: give device_ids, filter or account_name"),
        (
            lambda: SuspensionStatusRequest(device_ids=[IMEI], filter=DeviceFilterWithoutAccount(group_name="a")),
            "SuspensionStatusRequest: give either device_ids or filter, not both",
        ),
        (lambda: ChangeDeviceIdRequest(device_ids=[]), "ChangeDeviceIdRequest: device_ids must hold 1 DeviceId"),
        (lambda: SuspendRequest(group_name="O'Neill"), "SuspendRequest: group_name contains one of the characters"),
        (lambda: SuspendRequest(with_billing=1, **ALL), "SuspendRequest: with_billing must be a bool, not int"),  # type: ignore[arg-type]
        (
            lambda: SuspendRequest(custom_fields=(CustomField(key="CustomField6", value="a"),)),
            "SuspendRequest: custom_fields has the key CustomField6; the keys are CustomField1 to CustomField5",
        ),
    ],
)
def test_a_value_that_the_platform_would_refuse_or_misread_is_refused_and_its_field_named(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(errors.InvalidRequest, match=re.escape(message)):
        make()


MAKERS: list[Callable[[Any], object]] = [
    lambda devices: ActivateRequest(devices=devices, service_plan="a", mdn_zip_code="b"),
    lambda devices: DeactivateRequest(devices=devices, account_name=NAME, reason_code="FF"),
    lambda devices: SuspendRequest(devices=devices, account_name=NAME),
    lambda devices: RestoreRequest(devices=devices, account_name=NAME),
    lambda devices: ServicePlanUpdateRequest(devices=devices, account_name=NAME, service_plan="a"),
    lambda devices: GoToStateRequest(devices=devices, **STATE, **BY_FILTER),
    lambda devices: MoveDeviceRequest(devices=devices, account_name=NAME, **BY_FILTER),
    lambda devices: DeviceUploadRequest(**{**UPLOADED, "devices": devices}),
    lambda devices: UploadAndActivateRequest(service_plan="a", mdn_zip_code="b", **{**UPLOADED, "devices": devices}),
    lambda devices: CheckOrderStatusRequest(account_name=NAME, devices=devices),
    lambda devices: AvailabilityRequest(account_name=NAME, devices=devices),
]


@pytest.mark.parametrize("make", MAKERS)
def test_an_empty_list_of_devices_never_means_the_whole_account(make: Callable[[Any], object]) -> None:
    with pytest.raises(errors.InvalidRequest, match="devices must hold 1 DeviceIds or more, not 0"):
        make([device for device in (IMEI, ICCID) if device.kind == "mdn"])


@pytest.mark.parametrize("make", MAKERS)
def test_a_request_takes_ten_thousand_devices(make: Callable[[Any], object]) -> None:
    many = [DeviceId.imei(f"{place:014d}") for place in range(10_001)]
    with pytest.raises(errors.InvalidRequest, match="devices may hold 10,000 DeviceIds, not 10,001"):
        make(many)
    assert ActivateRequest(devices=many[1:], service_plan="a", mdn_zip_code="b").devices[-1] == DeviceIds(
        device_ids=(many[-1],)
    )


def test_an_empty_list_of_identifiers_never_means_the_whole_account() -> None:
    with pytest.raises(errors.InvalidRequest, match="device_ids must hold 1 DeviceId or more, not 0"):
        SuspensionStatusRequest(device_ids=[], account_name=NAME)


@pytest.mark.parametrize(
    "make",
    [
        lambda fields: SuspendRequest(account_name=NAME, custom_fields=fields),
        lambda fields: RestoreRequest(account_name=NAME, custom_fields=fields),
        lambda fields: ServicePlanUpdateRequest(account_name=NAME, service_plan="a", custom_fields=fields),
        lambda fields: DeviceFilter(account=NAME, custom_fields=fields),
        lambda fields: CustomFieldsUpdateRequest(account_name=NAME, custom_fields=fields),
        lambda fields: DeviceCostCenterRequest(account_name=NAME, custom_fields=fields),
        lambda fields: DevicePrlListRequest(account_name=NAME, custom_fields=fields),
    ],
)
def test_an_empty_filter_never_means_the_whole_account(make: Callable[[Any], object]) -> None:
    with pytest.raises(errors.InvalidRequest, match="custom_fields must hold 1 CustomField or more, not 0"):
        make(())


# Effects on devices


async def states(session: Session, identifier: DeviceId) -> tuple[str | None, str | None]:
    device = await session.devices.get(identifier)
    return device.state, device.carrier_informations[0].service_plan


async def test_a_device_goes_through_its_whole_lifecycle(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    devices, clock = thingspace_session.devices, thingspace_simulator.clock
    accepted = await devices.activate(
        ActivateRequest(devices=[[IMEI, ICCID]], service_plan="M2M_4G_5MB", mdn_zip_code="94105", account_name=NAME)
    )
    assert await states(thingspace_session, IMEI) == ("pending activation", None)
    assert (await thingspace_session.accounts.request_status(NAME, accepted.request_id)).status == "Pending"
    clock.advance(61)
    assert await states(thingspace_session, ICCID) == ("active", "M2M_4G_5MB")
    assert (await thingspace_session.accounts.request_status(NAME, accepted.request_id)).status == "Success"
    number = DeviceId.mdn((await devices.get(IMEI)).identifier("mdn") or "")

    await devices.change_plan(ServicePlanUpdateRequest(devices=[number], service_plan="M2M_PP"))
    clock.advance(61)
    assert await states(thingspace_session, number) == ("active", "M2M_PP")

    await devices.suspend(SuspendRequest(devices=[number]))
    assert await states(thingspace_session, number) == ("pending suspend", "M2M_PP")
    clock.advance(61)
    assert await states(thingspace_session, number) == ("suspend", "M2M_PP")

    await devices.restore(RestoreRequest(devices=[number]))
    clock.advance(61)
    assert await states(thingspace_session, number) == ("active", "M2M_PP")

    new = DeviceId.iccid("89148000000842590078")
    await devices.change_identifier(
        "4G", ChangeDeviceIdRequest(device_ids=[IMEI], device_ids_to=[new], change4g_option="ChangeICCID")
    )
    clock.advance(61)
    with pytest.raises(errors.NotFound):
        await devices.get(ICCID)
    assert (await devices.get(new)).identifier("imei") == IMEI.id

    await devices.deactivate(
        DeactivateRequest(devices=[new], account_name=NAME, reason_code="FF", delete_after_deactivation=True)
    )
    clock.advance(61)
    with pytest.raises(errors.NotFound):
        await devices.get(IMEI)


async def test_an_unknown_plan_is_refused_with_its_own_code(thingspace_session: Session) -> None:
    request = ActivateRequest(devices=[[IMEI, ICCID]], service_plan="Tablet5GB", mdn_zip_code="94105")
    with pytest.raises(errors.BadRequest) as caught:
        await thingspace_session.devices.activate(request)
    assert caught.value.short_code == "REQUEST_FAILED.Tablet5GB.NotFound"


async def test_a_device_that_cannot_be_activated_fails_the_request_later(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    request = ActivateRequest(devices=[IMEI], service_plan="M2M_PP", mdn_zip_code="94105", account_name=NAME)
    accepted = await thingspace_session.devices.activate(request)
    thingspace_simulator.clock.advance(61)
    assert (await thingspace_session.accounts.request_status(NAME, accepted.request_id)).status == "Failed"


async def test_a_service_type_that_would_change_the_path_is_refused(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    request = ChangeDeviceIdRequest(device_ids=[IMEI])
    for odd in ("", "..", "4G/..", None):
        with pytest.raises(errors.InvalidRequest, match=r"devices\.change_identifier: service_type"):
            await thingspace_session.devices.change_identifier(odd, request)  # type: ignore[arg-type]
    assert thingspace_simulator.count("devices.change_identifier") == 0


@pytest.mark.parametrize("fault", [Reset(), Cut(), Status(503)])
async def test_a_call_with_a_later_result_is_never_sent_twice(
    thingspace_simulator: Simulator, thingspace_session: Session, fault: Any
) -> None:
    cloud, device = thingspace_simulator, thingspace_simulator.devices[0]
    device.state = "active"
    identifier = DeviceId.imei(next(own["id"] for own in device.device_ids if own["kind"] == "imei"))
    for operation in ("devices.suspend", "devices.suspension_status"):
        cloud.faults.add(operation, fault, times=1)
    with pytest.raises((errors.AnswerLost, errors.ServerFault)):
        await thingspace_session.devices.suspend(SuspendRequest(devices=[identifier]))
    with pytest.raises((errors.AnswerLost, errors.ServerFault)):
        await thingspace_session.devices.suspension_status(SuspensionStatusRequest(device_ids=[identifier]))
    assert (cloud.count("devices.suspend"), cloud.count("devices.suspension_status")) == (1, 1)


SERVICES = {
    "go_to_state": "StateService",
    "upload": "DeviceService",
    "upload_and_activate": "DeviceService",
    "order_status": "DeviceService",
    "check_availability": "DeviceService",
    "suspension_status": "DeviceSuspensionStatus",
}


@pytest.mark.parametrize("name", [one.name.removeprefix("devices.") for one in OPERATIONS])
def test_a_docstring_says_on_which_callback_service_the_result_arrives(name: str) -> None:
    text = " ".join((inspect.getdoc(getattr(Lifecycle, name)) or "").split())
    assert f"later on {SERVICES.get(name, 'CarrierService')}" in text


def test_the_room_says_which_error_a_rejected_request_raises() -> None:
    assert "All calls raise BadRequest" in (Lifecycle.__doc__ or "")
