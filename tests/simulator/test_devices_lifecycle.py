"""PROTOCOL.md 4.2: the effects of activating, suspending and other changes, and the refusals."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.api import Api, Reply
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.late_requests import LateRequest

Serve = Callable[..., Awaitable[Api]]

BASE = "/api/m2m/v1/devices"
NAME = "0000123456-00001"
OTHER = "0000123456-00002"
PLAN = "M2M_PP"
NEW = [{"id": "990013907835573", "kind": "imei"}, {"id": "89141390780800784259", "kind": "iccid"}]
PATHS = {
    "activate": ("POST", "actions/activate"),
    "deactivate": ("POST", "actions/deactivate"),
    "suspend": ("POST", "actions/suspend"),
    "restore": ("POST", "actions/restore"),
    "plan": ("PUT", "actions/plan"),
    "3G": ("PUT", "3G/actions/deviceId"),
    "4G": ("PUT", "4G/actions/deviceId"),
    "state": ("PUT", "actions/gotostate"),
    "move": ("PUT", "actions/move"),
    "upload": ("POST", "actions/upload"),
    "uploadactivate": ("POST", "actions/uploadactivate"),
    "order": ("POST", "requests/status"),
    "availability": ("POST", "availability/actions/list"),
    "suspension": ("POST", "suspension/status"),
}


async def ask(api: Api, what: str, **body: object) -> Reply:
    method, path = PATHS[what]
    return await api.send(method, f"{BASE}/{path}", json=body)


async def accepted(api: Api, what: str, **body: object) -> LateRequest:
    """Send a request, and return the simulator's pending request."""
    answer = await ask(api, what, **body)
    assert (answer.status, set(answer.json)) == (200, {"requestId"}), answer.body
    return api.cloud.late_requests[answer.json["requestId"]]


async def codes(api: Api, what: str, **body: object) -> list[str | None]:
    """Send a request, advance the clock, and return each device's refusal code."""
    request = await accepted(api, what, **body)
    api.cloud.clock.advance(61)
    assert request.faults is not None
    assert all(fault is None or fault.message for fault in request.faults)
    return [None if fault is None else fault.code.removeprefix("UnifiedWebService.") for fault in request.faults]


async def refusal(api: Api, what: str, **body: object) -> str:
    status, code = (await ask(api, what, **body)).refusal
    assert status == 400
    return code


def a_device(api: Api, state: str, place: int = 0) -> Device:
    """Set a device's state before the request."""
    device = api.cloud.devices[place]
    device.state = state
    return device


def by_imei(device: Device) -> dict[str, Any]:
    return {"deviceIds": [own for own in device.device_ids if own["kind"] == "imei"]}


async def seen(api: Api, device_id: dict[str, str]) -> dict[str, Any]:
    (found,) = (await api.devices(deviceId=device_id)).json["devices"]
    return dict(found)


def ids(device: Device) -> dict[str, str]:
    return {own["kind"]: own["id"] for own in device.device_ids}


WRONG_STATE = "INPUT_INVALID.DeviceState.Invalid"
NOT_FOUND = "REQUEST_FAILED.DeviceNotFound"
NOT_IN_ACCOUNT = "INPUT_INVALID.Device.Account.Invalid"
UNEXPECTED = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
INCOMPLETE = "UnifiedWebService.DeserializationFailed"


# Activate


@pytest.mark.parametrize("state", ["preactive", "deactive"])
async def test_an_activated_device_is_pending_first_and_then_active_with_a_line_and_the_plan(
    api: Api, state: str
) -> None:
    device = a_device(api, state)
    before = ids(device)
    await accepted(api, "activate", devices=[by_imei(device)], servicePlan=PLAN, mdnZipCode="94105")
    pending = await seen(api, device.device_ids[-1])
    assert pending["carrierInformations"][0]["state"] == "pending activation"
    assert {own["kind"]: own["id"] for own in pending["deviceIds"]} == before
    api.cloud.clock.advance(61)
    done = await seen(api, device.device_ids[-1])
    assert done["carrierInformations"][0]["state"] == "active"
    assert done["carrierInformations"][0]["servicePlan"] == PLAN
    after = {own["kind"]: own["id"] for own in done["deviceIds"]}
    assert set(after) == {"mdn", "msisdn", "imei", "iccId"}
    assert after["mdn"] != before.get("mdn")
    assert after["msisdn"] == f"1{after['mdn']}"
    assert done["lastActivationBy"] == api.cloud.username
    assert (await seen(api, {"id": after["mdn"], "kind": "mdn"}))["deviceIds"] == done["deviceIds"]


async def test_a_device_that_was_never_active_shows_no_plan_while_its_activation_is_pending(api: Api) -> None:
    device = a_device(api, "preactive")
    await accepted(api, "activate", devices=[by_imei(device)], servicePlan=PLAN, mdnZipCode="94105")
    pending = await seen(api, device.device_ids[-1])
    assert set(pending["carrierInformations"][0]) == {"carrierName", "state"}
    assert "lastActivationDate" not in pending


async def test_an_unknown_device_with_imei_and_iccid_is_added_to_the_account(api: Api) -> None:
    count = len(api.cloud.devices)
    body = {"accountName": NAME, "servicePlan": PLAN, "mdnZipCode": "94105", "groupName": "East fleet"}
    fields = [{"key": "CustomField2", "value": "SuperVend"}]
    assert await codes(api, "activate", devices=[{"deviceIds": NEW}], customFields=fields, **body) == [None]
    assert len(api.cloud.devices) == count + 1
    found = await seen(api, NEW[0])
    assert (found["accountName"], found["groupNames"], found["customFields"]) == (NAME, ["East fleet"], fields)
    assert found["carrierInformations"][0] == {
        "carrierName": "Verizon Wireless",
        "servicePlan": PLAN,
        "state": "active",
    }
    assert [own["kind"] for own in found["deviceIds"]] == ["mdn", "msisdn", "imei", "iccId"]


@pytest.mark.parametrize("known", [True, False])
async def test_an_activations_values_are_applied_to_the_device(api: Api, *, known: bool) -> None:
    wanted = by_imei(a_device(api, "deactive")) if known else {"deviceIds": NEW}
    address = {"addressLine1": "1 Main St", "city": "Irving", "state": "TX", "zip": "75039", "country": "USA"}
    place = {"address": address, "customerName": {"firstName": "Zaffod", "lastName": "Beeblebrox"}}
    said = {"costCenterCode": "cc1", "skuNumber": "VZW1", "primaryPlaceOfUse": place, "groupName": "East fleet"}
    fields = [{"key": "CustomField3", "value": "red"}]
    about = {"devices": [wanted], "servicePlan": PLAN, "mdnZipCode": "94105", "customFields": fields, **said}
    before = {} if not known else (await seen(api, wanted["deviceIds"][0]))
    assert await codes(api, "activate", **about) == [None]
    found = await seen(api, wanted["deviceIds"][0])
    values = {pair["key"]: pair.get("value") for pair in found["extendedAttributes"]}
    assert (values["CostCenterCode"], values["SkuNumber"], values["PrimaryPlaceOfUseCity"]) == ("cc1", "VZW1", "Irving")
    assert found["groupNames"] == ["East fleet"]
    kept = [field for field in before.get("customFields", []) if field["key"] != "CustomField3"]
    assert found["customFields"] == sorted([*kept, *fields], key=lambda field: str(field["key"]))


async def test_an_unknown_device_needs_both_unless_the_sku_stands_for_the_imei(api: Api) -> None:
    body: dict[str, Any] = {"servicePlan": PLAN, "mdnZipCode": "94105"}
    assert await codes(api, "activate", devices=[{"deviceIds": NEW[:1]}, {"deviceIds": NEW[1:]}], **body) == [
        NOT_FOUND,
        NOT_FOUND,
    ]
    assert await codes(api, "activate", devices=[{"deviceIds": NEW[1:]}], skuNumber="VZW1", **body) == [None]


async def test_a_device_that_a_request_names_twice_is_added_and_activated_once(api: Api) -> None:
    count = len(api.cloud.devices)
    twice = [{"deviceIds": NEW}, {"deviceIds": NEW}]
    found = await codes(api, "activate", devices=twice, servicePlan=PLAN, mdnZipCode="94105")
    assert found == [None, "REQUEST_FAILED.DeviceAlreadyActive"]
    assert len(api.cloud.devices) == count + 1


async def test_a_device_that_is_active_or_becoming_so_is_refused_by_callback_and_stays_as_it_was(api: Api) -> None:
    active, pending = a_device(api, "active"), a_device(api, "pending activation", 1)
    lines = ids(active)
    found = await codes(
        api, "activate", devices=[by_imei(active), by_imei(pending)], servicePlan=PLAN, mdnZipCode="94105"
    )
    assert found == ["REQUEST_FAILED.DeviceAlreadyActive"] * 2
    assert (active.state, ids(active)) == ("active", lines)


async def test_what_is_left_for_callbacks_names_the_device_as_the_request_did_and_says_what_became_of_it(
    api: Api,
) -> None:
    refused, done = a_device(api, "active"), a_device(api, "deactive", 1)
    devices = [by_imei(refused), by_imei(done)]
    request = await accepted(api, "activate", devices=devices, servicePlan=PLAN, mdnZipCode="94105")
    assert request.faults is None
    api.cloud.clock.advance(61)
    assert [work.device_ids for work in request.work] == [device["deviceIds"] for device in devices]
    assert request.service == "CarrierService"
    assert request.failed
    assert request.faults is not None
    assert request.faults[0] is not None
    assert request.faults[0].code == "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive"
    assert request.results == [
        None,
        {"activateResponse": {"deviceIds": done.device_ids, "servicePlan": PLAN, "state": "active"}},
    ]


async def test_identifiers_of_two_different_devices_match_no_device(api: Api) -> None:
    first, second = a_device(api, "deactive"), a_device(api, "deactive", 1)
    mixed = {"deviceIds": [*by_imei(first)["deviceIds"], {"id": ids(second)["iccId"], "kind": "iccid"}]}
    assert await codes(api, "activate", devices=[mixed], servicePlan=PLAN, mdnZipCode="94105") == [NOT_FOUND]


async def test_ten_thousand_devices_are_accepted_and_activated_in_about_a_second(api: Api) -> None:
    devices = [
        {"deviceIds": [{"id": f"99{place:013d}", "kind": "imei"}, {"id": f"8999{place:016d}", "kind": "iccid"}]}
        for place in range(10_000)
    ]
    body = {"servicePlan": PLAN, "mdnZipCode": "94105"}
    begun = time.perf_counter()
    found = await codes(api, "activate", devices=devices, **body)
    spent = time.perf_counter() - begun
    assert found == [None] * 10_000
    # This takes half a second on a small machine. Quadratic work would take minutes.
    assert spent < 60
    too_many = [*devices, {"deviceIds": NEW}]
    assert await refusal(api, "activate", devices=too_many, **body) == "DeviceService.INPUT_INVALID.MaxRequestsExceeded"


# Suspend, restore, deactivate


async def test_a_device_is_suspended_restored_deactivated_and_activated_again(api: Api) -> None:
    device = a_device(api, "active")
    line = device.mdn
    steps = [
        ("suspend", {}, "pending suspend", "suspend"),
        ("restore", {}, "pending resume", "active"),
        ("deactivate", {"accountName": NAME, "reasonCode": "FF"}, "pending deactivation", "deactive"),
        ("activate", {"servicePlan": PLAN, "mdnZipCode": "94105"}, "pending activation", "active"),
    ]
    for what, body, pending, done in steps:
        request = await accepted(api, what, devices=[by_imei(device)], **body)
        assert (device.state, device.connected) == (pending, False)
        api.cloud.clock.advance(61)
        assert not request.failed
        assert (device.state, device.connected) == (done, done == "active")
        assert (device.mdn == line) is (what != "activate")
    assert [(one.event_type, one.status, one.event_by) for one in device.events] == [
        (kind, "Success", api.cloud.username) for kind in ("Suspend", "Restore", "Deactivate", "Activate")
    ]
    assert (device.events[-1].service_plan, device.events[-1].mdn) == (PLAN, device.mdn)


@pytest.mark.parametrize(
    ("what", "state"),
    [
        *(("suspend", state) for state in ("preactive", "suspend", "deactive", "pending activation")),
        *(("restore", state) for state in ("preactive", "active", "deactive", "pending suspend")),
        *(("deactivate", state) for state in ("preactive", "deactive", "pending resume")),
        *(("plan", state) for state in ("preactive", "suspend", "deactive", "pending activation")),
    ],
)
async def test_a_device_in_another_state_is_refused_by_callback_and_stays_as_it_was(
    api: Api, what: str, state: str
) -> None:
    device = a_device(api, state)
    body = {"accountName": NAME, "reasonCode": "FF"} if what == "deactivate" else {}
    body |= {"servicePlan": PLAN} if what == "plan" else {}
    assert await codes(api, what, devices=[by_imei(device)], **body) == [WRONG_STATE]
    assert device.state == state
    assert [one.status for one in device.events] == ["Failed"]


async def test_suspended_devices_and_those_of_custom_states_can_be_deactivated(api: Api) -> None:
    devices = [by_imei(a_device(api, "suspend")), by_imei(a_device(api, "Svc1 No Telematics", 1))]
    assert await codes(api, "deactivate", devices=devices, accountName=NAME, reasonCode="FF") == [None, None]


async def test_deactivation_takes_the_reason_ff_alone_and_deletes_the_device_if_that_is_wanted(api: Api) -> None:
    device = a_device(api, "active")
    body = {"devices": [by_imei(device)], "accountName": NAME}
    assert await refusal(api, "deactivate", reasonCode="AA", **body) == UNEXPECTED
    assert await refusal(api, "deactivate", **body) == INCOMPLETE
    assert device.state == "active"
    assert await codes(api, "deactivate", reasonCode="FF", deleteAfterDeactivation=True, **body) == [None]
    gone = await api.devices(deviceId=body["devices"][0]["deviceIds"][0])  # type: ignore[index]
    assert gone.refusal == (400, "DeviceService.REQUEST_FAILED.DeviceNotFound")


async def test_a_line_allows_five_of_these_a_day(api: Api) -> None:
    device = a_device(api, "active")
    for place in range(5):
        assert await codes(api, "restore" if place % 2 else "suspend", devices=[by_imei(device)]) == [None]
    assert await codes(api, "restore", devices=[by_imei(device)]) == ["REQUEST_FAILED.UnexpectedError"]
    assert device.state == "suspend"
    api.cloud.clock.advance(timedelta(days=1))
    await api.enter()
    assert await codes(api, "restore", devices=[by_imei(device)]) == [None]


async def test_how_many_a_line_allows_a_day_and_with_which_code_it_refuses_are_switches(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(provisioning_actions_a_day=2, too_often_code="S.TooOften"))
    device = a_device(api, "active")
    for what in ("suspend", "restore"):
        assert await codes(api, what, devices=[by_imei(device)]) == [None]
    assert await codes(api, "suspend", devices=[by_imei(device)]) == ["S.TooOften"]


async def test_the_names_of_undocumented_pending_states_are_switches(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(pending_suspend_state="pending a", pending_restore_state="pending b"))
    for what, before, pending in (("suspend", "active", "pending a"), ("restore", "suspend", "pending b")):
        device = a_device(api, before)
        await accepted(api, what, devices=[by_imei(device)])
        assert device.state == pending


# Selection of devices


@pytest.mark.parametrize("what", ["suspend", "restore", "deactivate", "plan"])
async def test_filters_choose_devices_of_one_account(serve: Serve, what: str) -> None:
    api = await serve(devices=8)
    api.cloud.add_account(OTHER, devices=2)
    before = "suspend" if what == "restore" else "active"
    for place in range(10):
        device = a_device(api, before, place)
        device.service_plan = "M2M_4G_5MB" if place % 2 else PLAN
        device.group_name = "East fleet" if place < 6 else "West fleet"
        device.custom_fields = [{"key": "CustomField1", "value": "a" if place < 4 else "b"}]
    body = {"reasonCode": "FF"} if what == "deactivate" else {"servicePlan": "M2M_5G_1GB"} if what == "plan" else {}
    plan = {"currentServicePlan" if what == "plan" else "servicePlan": PLAN}
    fields = {"customFields": [{"key": "CustomField1", "value": "a"}]}
    chosen = {"accountName": NAME, "groupName": "East fleet", **plan, **fields}
    assert await codes(api, what, **{**chosen, **body}) == [None, None]
    changed = [place for place in range(10) if api.cloud.devices[place].events]
    assert changed == [0, 2]


async def test_an_account_alone_chooses_all_its_devices(api: Api) -> None:
    api.cloud.add_account(OTHER, devices=3)
    for place in range(13):
        a_device(api, "active", place)
    assert await codes(api, "suspend", accountName=OTHER) == [None] * 3
    assert {device.state for device in api.cloud.devices if device.account_name == NAME} == {"active"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "UnifiedWebService.REQUEST_FAILED.MultipleAccounts"),
        ({"groupName": "East fleet"}, "UnifiedWebService.REQUEST_FAILED.MultipleAccounts"),
        ({"accountName": "0000000000-00009"}, "UnifiedWebService.REQUEST_FAILED.AccountNotFound"),
        ({"accountName": NAME, "groupName": "nowhere"}, "UnifiedWebService.REQUEST_FAILED.DeviceGroupNotFound"),
        ({"accountName": NAME, "servicePlan": "NONE"}, "DeviceService.REQUEST_FAILED.DeviceNotFound"),
        ({"devices": []}, UNEXPECTED),
        ({"devices": [{"deviceIds": NEW}], "groupName": "East fleet"}, UNEXPECTED),
        ({"devices": [{"deviceIds": NEW}], "servicePlan": PLAN}, UNEXPECTED),
        ({"devices": [{}]}, INCOMPLETE),
        (
            {"devices": [{"deviceIds": [{"id": "1", "kind": "imei"}]}]},
            "DeviceService.INPUT_INVALID.Device.Identifier.Invalid",
        ),
        ({"devices": [{"deviceIds": [{"id": "1", "kind": "abc"}]}]}, "DeviceService.INPUT_INVALID.Device.Kind.Invalid"),
    ],
)
async def test_a_request_that_names_no_devices_in_one_way_is_refused_at_once(
    api: Api, body: dict[str, object], code: str
) -> None:
    api.cloud.add_account(OTHER)
    assert await refusal(api, "suspend", **body) == code
    assert not any(device.events for device in api.cloud.devices)


async def test_devices_that_are_not_there_or_of_another_account_are_refused_by_callback(api: Api) -> None:
    api.cloud.add_account(OTHER, devices=1)
    mine, other = a_device(api, "active"), a_device(api, "active", 10)
    devices = [{"deviceIds": NEW[:1]}, by_imei(other), by_imei(mine)]
    assert await codes(api, "suspend", devices=devices, accountName=NAME) == [NOT_FOUND, NOT_IN_ACCOUNT, None]
    assert (other.state, other.events) == ("active", [])


async def test_the_status_of_a_request_is_asked_for_with_the_account_that_its_devices_are_of(api: Api) -> None:
    api.cloud.add_account(OTHER, devices=1)
    request = await ask(api, "suspend", devices=[by_imei(a_device(api, "active", 10))])
    path = f"/api/m2m/v1/accounts/{OTHER}/requests/{request.json['requestId']}/status"
    assert (await api.send("GET", path)).json["status"] == "Pending"
    api.cloud.clock.advance(61)
    assert (await api.send("GET", path)).json["status"] == "Success"


# Plan


async def test_a_plan_changes_when_the_time_has_come_four_times_a_month(api: Api) -> None:
    device = a_device(api, "active")
    device.service_plan = "M2M_4G_5MB"
    request = await accepted(api, "plan", devices=[by_imei(device)], servicePlan=PLAN)
    assert device.service_plan == "M2M_4G_5MB"
    api.cloud.clock.advance(61)
    assert (request.failed, device.service_plan) == (False, PLAN)
    for plan in ("M2M_4G_5MB", PLAN, "M2M_4G_5MB"):
        assert await codes(api, "plan", devices=[by_imei(device)], servicePlan=plan) == [None]
    again = {"devices": [by_imei(device)], "servicePlan": PLAN}
    assert await codes(api, "plan", **again) == ["REQUEST_FAILED.UnexpectedError"]
    assert device.service_plan == "M2M_4G_5MB"
    api.cloud.clock.advance(timedelta(days=31))
    await api.enter()
    assert await codes(api, "plan", **again) == [None]


async def test_a_plan_can_change_at_a_time_of_the_callers(api: Api) -> None:
    device = a_device(api, "active")
    device.service_plan = "M2M_4G_5MB"
    at = api.cloud.clock.now() + timedelta(days=3)
    await accepted(api, "plan", devices=[by_imei(device)], servicePlan=PLAN, takeEffect=at.isoformat())
    api.cloud.clock.advance(timedelta(days=2))
    assert device.service_plan == "M2M_4G_5MB"
    api.cloud.clock.advance(timedelta(days=1))
    assert device.service_plan == PLAN


@pytest.mark.parametrize("what", ["activate", "plan", "state", "4G", "move"])
async def test_an_unknown_plan_is_refused_at_once_and_its_name_is_in_the_code(api: Api, what: str) -> None:
    body = {"devices": [by_imei(a_device(api, "active"))], "servicePlan": "Tablet5GB", "mdnZipCode": "94105"}
    body |= {"serviceName": "Svc1", "stateName": "Svc1 Activate", "accountName": NAME, "change4gOption": "ChangeMSISDN"}
    assert await refusal(api, what, **body) == "UnifiedWebService.REQUEST_FAILED.Tablet5GB.NotFound"


# Identifiers


@pytest.mark.parametrize(
    ("option", "new", "replaced"),
    [
        ("ChangeICCID", NEW[1:], {"iccId"}),
        ("ChangeIMEI", NEW[:1], {"imei"}),
        ("ChangeIMEIandICCID", NEW, {"imei", "iccId"}),
        ("ChangeMSISDN", None, {"mdn", "msisdn"}),
    ],
)
async def test_an_identifier_changes_and_the_old_one_is_forgotten(
    api: Api, option: str, new: list[dict[str, str]] | None, replaced: set[str]
) -> None:
    device = a_device(api, "active")
    before = ids(device)
    body: dict[str, Any] = {"deviceIds": [device.device_ids[0]], "change4gOption": option, "deviceIdsTo": new}
    assert await codes(api, "4G", servicePlan=PLAN, **body) == [None]
    after = ids(device)
    assert {kind for kind in before if before[kind] != after[kind]} == replaced
    assert set(after) == set(before)
    assert device.service_plan == PLAN
    for kind in replaced:
        gone = await api.devices(deviceId={"id": before[kind], "kind": kind})
        assert gone.refusal == (400, "DeviceService.REQUEST_FAILED.DeviceNotFound")
        assert (await seen(api, {"id": after[kind], "kind": kind}))["deviceIds"] == device.device_ids


async def test_a_device_is_replaced_by_one_of_another_generation(api: Api) -> None:
    device = a_device(api, "active")
    to_3g = {"change4gOption": "4Gto3G", "deviceIdsTo": [{"id": "A100003685E561", "kind": "meid"}]}
    assert await codes(api, "4G", deviceIds=device.device_ids[:1], **to_3g) == [None]
    assert set(ids(device)) == {"mdn", "msisdn", "meid"}
    to_other = {"deviceIdsTo": [{"id": "19110173057", "kind": "ESN"}]}
    assert await codes(api, "3G", deviceIds=device.device_ids[:1], **to_other) == [None]
    assert set(ids(device)) == {"mdn", "msisdn", "esn"}
    assert await codes(api, "4G", deviceIds=device.device_ids[:1], change4gOption="3Gto4G", deviceIdsTo=NEW) == [None]
    assert set(ids(device)) == {"mdn", "msisdn", "imei", "iccId"}


async def test_another_esim_is_found_by_its_number_and_not_listed(api: Api) -> None:
    device, eid = a_device(api, "active"), {"id": "89049032000000000000000000099999", "kind": "eid"}
    body = {"deviceIds": device.device_ids[:1], "change4gOption": "ChangeIMEIandEID", "deviceIdsTo": [NEW[0], eid]}
    assert await refusal(api, "4G", **body) == INCOMPLETE
    assert await codes(api, "4G", smsrOid="1.3.6.1.4.1.31746", **body) == [None]
    assert (device.eid, ids(device)["imei"], "eid" in ids(device)) == (eid["id"], NEW[0]["id"], False)
    assert (await seen(api, eid))["deviceIds"] == device.device_ids


async def test_hardware_that_is_known_already_and_lines_that_are_not_active_are_refused(api: Api) -> None:
    device, other = a_device(api, "active"), a_device(api, "suspend", 1)
    taken = {"change4gOption": "ChangeICCID", "deviceIdsTo": [{"id": ids(other)["iccId"], "kind": "iccid"}]}
    assert await codes(api, "4G", deviceIds=device.device_ids[:1], **taken) == [
        "INPUT_INVALID.Device.Identifier.Invalid"
    ]
    body = {"change4gOption": "ChangeICCID", "deviceIdsTo": NEW[1:]}
    assert await codes(api, "4G", deviceIds=other.device_ids[:1], **body) == [WRONG_STATE]


@pytest.mark.parametrize(
    "body",
    [
        {"change4gOption": "ChangeEverything", "deviceIdsTo": NEW},
        {"deviceIdsTo": [{"id": "A100003685E561", "kind": "meid"}]},
        {"change4gOption": "ChangeICCID", "deviceIdsTo": NEW},
        {"change4gOption": "ChangeIMEIandICCID", "deviceIdsTo": NEW[:1]},
        {"change4gOption": "ChangeMSISDN", "deviceIdsTo": NEW},
    ],
)
async def test_identifiers_that_do_not_fit_the_change_are_refused_at_once(api: Api, body: dict[str, Any]) -> None:
    assert await refusal(api, "4G", deviceIds=api.cloud.devices[0].device_ids[:1], **body) == UNEXPECTED


async def test_an_unknown_service_type_is_refused(api: Api) -> None:
    body = {"deviceIds": api.cloud.devices[0].device_ids[:1], "change4gOption": "ChangeMSISDN"}
    assert (await api.send("PUT", f"{BASE}/6G/actions/deviceId", json=body)).refusal == (400, UNEXPECTED)


# Custom states, other accounts


STATE = {"serviceName": "Svc1", "stateName": "Svc1 No Telematics", "servicePlan": PLAN, "mdnZipCode": "94105"}


async def test_devices_go_to_a_custom_state_if_they_are_in_the_state_of_the_first(api: Api) -> None:
    first, like, unlike = (a_device(api, state, place) for place, state in enumerate(("active", "active", "suspend")))
    devices = [by_imei(first), by_imei(like), by_imei(unlike), {"deviceIds": NEW}]
    request = await accepted(api, "state", devices=devices, groupName="West fleet", **STATE)
    assert request.service == "StateService"
    assert first.state == "active"
    api.cloud.clock.advance(61)
    assert request.faults is not None
    assert [fault and fault.code.partition(".")[2] for fault in request.faults] == [None, None, WRONG_STATE, NOT_FOUND]
    assert {(one.state, one.service_plan, one.group_name) for one in (first, like)} == {
        ("Svc1 No Telematics", PLAN, "West fleet")
    }
    assert unlike.state == "suspend"


async def test_a_device_gets_a_line_with_its_first_custom_state(api: Api) -> None:
    device = a_device(api, "preactive")
    assert device.mdn is None
    assert await codes(api, "state", devices=[by_imei(device)], **STATE) == [None]
    assert device.mdn


async def test_active_devices_of_one_account_are_moved_to_another(serve: Serve) -> None:
    api = await serve(devices=3)
    api.cloud.add_account(OTHER, devices=1)
    first, idle, there = a_device(api, "active"), a_device(api, "suspend", 1), a_device(api, "active", 3)
    first.group_name = "East fleet"
    devices = [by_imei(first), by_imei(idle), by_imei(there)]
    assert await codes(api, "move", accountName=OTHER, servicePlan=PLAN, devices=devices) == [
        None,
        WRONG_STATE,
        NOT_IN_ACCOUNT,
    ]
    found = (await api.devices(accountName=OTHER)).json["devices"]
    assert [one["deviceIds"] for one in found] == [first.device_ids, there.device_ids]
    assert (found[0]["groupNames"], found[0]["carrierInformations"][0]["servicePlan"]) == (["Unassigned Devices"], PLAN)
    assert len((await api.devices(accountName=NAME)).json["devices"]) == 2


async def test_filters_choose_the_devices_to_move_and_to_put_into_a_state(serve: Serve) -> None:
    api = await serve(devices=4)
    api.cloud.add_account(OTHER)
    for place in range(4):
        a_device(api, "active", place).group_name = "East fleet" if place < 3 else "West fleet"
    chosen = {"filter": {"account": NAME, "groupName": "East fleet"}}
    assert await codes(api, "state", **STATE, **chosen) == [None] * 3
    assert await codes(api, "move", accountName=OTHER, **chosen) == [WRONG_STATE] * 3
    both = {"devices": [{"deviceIds": NEW}], **chosen}
    assert await refusal(api, "move", accountName=OTHER, **both) == UNEXPECTED
    assert await refusal(api, "move", accountName=OTHER) == UNEXPECTED
    assert await refusal(api, "move", accountName="0", **chosen) == "UnifiedWebService.REQUEST_FAILED.AccountNotFound"


# Manufacturers, questions


UPLOAD = {"accountName": NAME, "emailAddress": "bob@example.com", "deviceSku": "VZW123456", "uploadType": "IMEI"}


async def test_uploaded_devices_are_known_afterwards_and_in_no_account(api: Api) -> None:
    async def known() -> object:
        request = await accepted(api, "availability", accountName=NAME, devices=[{"deviceIds": NEW[:1]}])
        api.cloud.clock.advance(61)
        assert request.service == "DeviceService"
        return request.results

    assert await known() == [{"deviceFound": False, "associatedWithMTN": False}]
    assert await codes(api, "upload", devices=[{"deviceIds": NEW[:1]}], **UPLOAD) == [None]
    assert await known() == [{"deviceFound": True, "associatedWithMTN": False}]
    assert len(api.cloud.devices) == 10
    body = {"servicePlan": PLAN, "mdnZipCode": "94105", "carrierIpPoolName": "", **UPLOAD}
    assert await codes(api, "uploadactivate", devices=[{"deviceIds": NEW}], **body) == [None]
    assert await known() == [{"deviceFound": True, "associatedWithMTN": True}]


@pytest.mark.parametrize("missing", [*UPLOAD, "devices"])
@pytest.mark.parametrize("what", ["upload", "uploadactivate"])
async def test_an_upload_that_lacks_something_is_refused(api: Api, what: str, missing: str) -> None:
    body = {**UPLOAD, "devices": [{"deviceIds": NEW}], "servicePlan": PLAN, "mdnZipCode": "94105"}
    assert await refusal(api, what, **{name: value for name, value in body.items() if name != missing}) == INCOMPLETE


async def test_an_order_is_asked_about_by_its_request_id(api: Api) -> None:
    body = {"accountName": NAME, "devices": [{"deviceIds": NEW}]}
    order = (await ask(api, "activate", servicePlan=PLAN, mdnZipCode="94105", **body)).json["requestId"]
    assert (await accepted(api, "order", orderRequestId=f" {order} ", **body)).service == "DeviceService"
    assert await codes(api, "order", **body) == [None]
    assert await refusal(api, "order", orderRequestId="nothing", **body) == UNEXPECTED


async def test_a_suspension_lasts_ninety_days(api: Api) -> None:
    suspended, active = a_device(api, "active"), a_device(api, "active", 1)
    request = await accepted(api, "suspend", devices=[by_imei(suspended)])
    api.cloud.clock.advance(61)
    told = [{"suspendResponse": {"expectedResumeDate": "2026-04-15T12:01:00Z"}}]
    assert request.results == told
    assert await codes(api, "suspend", devices=[by_imei(suspended)]) == [
        WRONG_STATE
    ]  # Such a request starts no further one.
    listed = [by_imei(device)["deviceIds"][0] for device in (suspended, active)]
    asked = await accepted(api, "suspension", deviceIds=listed)
    every = await accepted(api, "suspension", filter={"groupName": suspended.group_name})
    api.cloud.clock.advance(61)
    assert (asked.service, asked.results) == ("DeviceSuspensionStatus", [*told, {}])
    assert told[0] in every.results
    assert await refusal(api, "suspension", deviceIds=[]) == UNEXPECTED
    assert await refusal(api, "suspension", deviceIds=listed, filter={"groupName": "East fleet"}) == UNEXPECTED
    unknown = await refusal(api, "suspension", deviceIds=listed, accountName=OTHER)
    assert unknown == "UnifiedWebService.REQUEST_FAILED.AccountNotFound"


async def test_a_suspension_without_a_start_has_no_resume_date(api: Api) -> None:
    device = a_device(api, "suspend", [one.state for one in api.cloud.devices].index("active"))
    request = await accepted(api, "suspension", deviceIds=by_imei(device)["deviceIds"])
    api.cloud.clock.advance(61)
    assert request.results == [{"suspendResponse": {}}]


@pytest.mark.parametrize("what", list(PATHS))
async def test_forbidden_characters_and_blank_bodies_are_refused(api: Api, what: str) -> None:
    assert await refusal(api, what, accountName="O'Neill") == "UnifiedWebService.INPUT_INVALID.Request.InvalidCharacter"
    method, path = PATHS[what]
    blank = await api.send(method, f"{BASE}/{path}")
    assert blank.refusal == (400, "UnifiedWebService.INPUT_INVALID.RequestUndefined")
