"""PROTOCOL.md 3.1, 4.2, 4.4: devices are added, deleted, listed, described and labelled."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.api import Api, Reply
from thingspace_async.simulator.fleet import Device

Serve = Callable[..., Awaitable[Api]]

NAME = "0000123456-00001"
OTHER = "0000222222-00001"

DEVICES = "/api/m2m/v1/devices"
ADD = f"{DEVICES}/actions/add"
DELETE = f"{DEVICES}/actions/delete"
MISMATCHED = f"{DEVICES}/actions/list/imeiiccidmismatch"
PRL = f"{DEVICES}/prl/actions/list"
DIAGNOSTICS = f"{DEVICES}/extendeddiagnostics/actions/list"
GLOBAL = "/api/m2m/v2/devices/actions/list"
CUSTOM_FIELDS = f"{DEVICES}/actions/customFields"
CONTACT = f"{DEVICES}/actions/contactInfo"
COST_CENTER = f"{DEVICES}/costCenter"
LABELS = f"{DEVICES}/actions/usagesegmentationlabels"

IMEI = {"id": "990013907835573", "kind": "imei"}
ICCID = {"id": "89141390780800784259", "kind": "iccid"}
STRANGER = {"id": "990000000000000", "kind": "imei"}
FIELD = {"key": "CustomField1", "value": "red"}
EVER = {"earliest": "2000-01-01T00:00:00Z", "latest": "2030-01-01T00:00:00Z"}
PLACE = {
    "address": {"addressLine1": "1 Main St", "city": "Irving", "state": "TX", "zip": "75039", "country": "USA"},
    "customerName": {"firstName": "Zaffod", "lastName": "Beeblebrox"},
}


def one(*device_ids: dict[str, str]) -> dict[str, Any]:
    return {"deviceIds": list(device_ids)}


def adding(*devices: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"state": "preactive", "devicesToAdd": list(devices), **more}


def sim(device: Device) -> dict[str, str]:
    return next(own for own in device.device_ids if own["kind"] == "iccId")


def attributes(device: Device) -> dict[str, str | None]:
    return {pair["key"]: pair.get("value") for pair in device.as_json()["extendedAttributes"]}


NOT_FOUND = "UnifiedWebService.REQUEST_FAILED.DeviceNotFound"


def accepted(api: Api, answer: Reply) -> list[str | None]:
    """Check that a request was accepted, advance the clock, and return the refusal of each device."""
    assert (answer.status, set(answer.json)) == (200, {"requestId"})
    request = api.cloud.late_requests[answer.json["requestId"]]
    assert request.faults is None
    api.cloud.clock.advance(timedelta(seconds=61))
    assert request.faults is not None
    return [None if fault is None else fault.code for fault in request.faults]


# Adding


async def test_an_added_device_is_preactive_in_the_default_group_and_listed_last(api: Api) -> None:
    answer = await api.send("POST", ADD, json=adding(one(IMEI, ICCID)))
    assert (answer.status, answer.json) == (200, [{"deviceIds": [IMEI, ICCID], "response": "Success"}])
    added = (await api.devices()).json["devices"][-1]
    assert added["deviceIds"] == [IMEI, {**ICCID, "kind": "iccId"}]
    assert added["carrierInformations"] == [{"carrierName": "Verizon Wireless", "state": "preactive"}]
    assert (added["customFields"], added["groupNames"]) == ([], ["Unassigned Devices"])
    assert added["createdAt"] == api.cloud.clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")


async def test_an_added_device_has_only_the_requests_values(api: Api) -> None:
    for place in range(20):  # Of the seed, every device has a cost center, and one in ten is in unexpected hardware.
        new = one(
            {"id": f"9900139078{place:05}", "kind": "imei"}, {"id": f"891413907808007{place:05}", "kind": "iccid"}
        )
        assert (await api.send("POST", ADD, json=adding(new, skuNumber="VZW1"))).status == 200
    for device in list(api.cloud.devices)[-20:]:
        assert {key: value for key, value in attributes(device).items() if value is not None} == {
            "SkuNumber": "VZW1",
            "DeviceId": str(device.number),
        }
        device.state = "active"
    found = (await api.send("POST", MISMATCHED, json={"filter": EVER})).json["devices"]
    assert not [each for each in found if each["iccid"].startswith("891413907808007")]


async def test_a_request_adds_what_is_new_and_refuses_what_is_there_device_by_device(api: Api) -> None:
    there = sim(api.cloud.devices[2])
    answer = await api.send("POST", ADD, json=adding(one(there), one(ICCID), one(IMEI, ICCID)))
    assert [each["response"] == "Success" for each in answer.json] == [False, True, False]
    assert len(api.cloud.devices) == 11


async def test_devices_are_added_to_the_account_that_is_named(api: Api) -> None:
    api.cloud.add_account(OTHER)
    assert (await api.send("POST", ADD, json=adding(one(ICCID), accountName=OTHER))).status == 200
    assert api.cloud.devices[-1].account_name == OTHER


async def test_a_user_with_several_accounts_has_to_name_one(api: Api) -> None:
    api.cloud.add_account(OTHER)
    answer = await api.send("POST", ADD, json=adding(one(ICCID)))
    assert answer.refusal == (400, "UnifiedWebService.REQUEST_FAILED.MultipleAccounts")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "UnifiedWebService.DeserializationFailed"),
        ({"state": "preactive"}, "UnifiedWebService.DeserializationFailed"),
        (adding({}), "UnifiedWebService.DeserializationFailed"),
        (adding(one()), "UnifiedWebService.REQUEST_FAILED.UnexpectedError"),
        (adding(one({"id": "12", "kind": "imei"})), "DeviceService.INPUT_INVALID.Device.Identifier.Invalid"),
        (adding(one(ICCID), groupName="Nobody"), "UnifiedWebService.REQUEST_FAILED.DeviceGroupNotFound"),
        (adding(one(ICCID), accountName="9"), "UnifiedWebService.REQUEST_FAILED.AccountNotFound"),
        (
            adding(one(ICCID), customFields=[{"key": "Color", "value": "red"}]),
            "DeviceService.INPUT_INVALID.CustomField.InvalidName",
        ),
        (
            adding(*(one({"id": f"99001390{number:06d}", "kind": "imei"}) for number in range(201))),
            "DeviceService.INPUT_INVALID.NumberofDevices",
        ),
    ],
)
async def test_a_request_that_is_wrong_as_a_whole_adds_nothing(api: Api, body: dict[str, Any], code: str) -> None:
    assert (await api.send("POST", ADD, json=body)).refusal == (400, code)
    assert len(api.cloud.devices) == 10


# Deleting


async def test_only_deactivated_devices_of_the_account_are_deleted(api: Api) -> None:
    api.cloud.add_account(OTHER, devices=1)
    states = ("deactive", "active", "suspend", "preactive")
    devices = [*(api.cloud.devices[place] for place in range(4)), api.cloud.devices[-1]]
    for device, state in zip(devices, (*states, "deactive"), strict=True):
        device.state = state
    listed = [one(sim(device)) for device in devices]
    answer = await api.send("POST", DELETE, json={"devicesToDelete": [*listed, one(STRANGER)], "accountName": NAME})
    assert answer.status == 200
    assert [each["deviceIds"] for each in answer.json] == [each["deviceIds"] for each in [*listed, one(STRANGER)]]
    assert [each["status"] for each in answer.json] == ["Success", *["Failed"] * 5]
    assert [bool(each.get("message")) for each in answer.json] == [False, *[True] * 5]
    assert (len(api.cloud.devices), len((await api.devices()).json["devices"])) == (10, 10)
    assert devices[0] not in list(api.cloud.devices)


async def test_a_device_is_deleted_once(api: Api) -> None:
    api.cloud.devices[0].state = "deactive"
    twice = one(sim(api.cloud.devices[0]))
    answer = await api.send("POST", DELETE, json={"devicesToDelete": [twice, twice]})
    assert [each["status"] for each in answer.json] == ["Success", "Failed"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "UnifiedWebService.DeserializationFailed"),
        ({"devicesToDelete": [one(ICCID)], "accountName": "9"}, "UnifiedWebService.REQUEST_FAILED.AccountNotFound"),
        ({"devicesToDelete": [one(ICCID)] * 101}, "DeviceService.INPUT_INVALID.MaxRequestsExceeded"),
    ],
)
async def test_a_deletion_that_is_wrong_as_a_whole_is_refused(api: Api, body: dict[str, Any], code: str) -> None:
    assert (await api.send("POST", DELETE, json=body)).refusal == (400, code)


# Other questions about devices


async def test_mismatched_sims_are_the_same_for_the_same_seed_and_about_one_in_ten(serve: Serve) -> None:
    first, again = [await serve(devices=1000) for _ in range(2)]
    found = (await first.send("POST", MISMATCHED, json={"filter": EVER})).json["devices"]
    assert 40 < len(found) < 160
    assert (await again.send("POST", MISMATCHED, json={"filter": EVER})).json["devices"] == found


async def test_a_mismatch_follows_from_the_hardware_that_a_test_expects(api: Api) -> None:
    device, never = api.cloud.devices[0], api.cloud.devices[1]
    device.state, device.expected_imei = "active", "990000000000000"
    never.state, never.expected_imei = "preactive", "990000000000000"
    wanted = {"filter": EVER, "devices": [one(sim(device)), one(sim(never)), one(STRANGER)], "accountName": NAME}
    (found,) = (await api.send("POST", MISMATCHED, json=wanted)).json["devices"]
    assert (found["iccid"], found["preImei"]) == (sim(device)["id"], "990000000000000")
    device.expected_imei = found["postImei"]
    assert (await api.send("POST", MISMATCHED, json=wanted)).json == {"devices": []}


async def test_a_search_for_mismatches_leaves_devices_of_other_accounts_and_groups_out(api: Api) -> None:
    api.cloud.add_account(OTHER)
    device = api.cloud.devices[0]
    device.state, device.expected_imei, device.group_name = "active", "990000000000000", "East fleet"
    named = {"filter": EVER, "devices": [one(sim(device))]}
    for more, count in (({"accountName": NAME}, 1), ({"accountName": OTHER}, 0)):
        assert len((await api.send("POST", MISMATCHED, json={**named, **more})).json["devices"]) == count
    for group_name, count in (("East fleet", 1), ("West fleet", 0)):
        body = {"filter": EVER, "groupName": group_name}
        found = (await api.send("POST", MISMATCHED, json=body)).json["devices"]
        assert [each["iccid"] for each in found].count(sim(device)["id"]) == count


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "UnifiedWebService.DeserializationFailed"),
        ({"filter": {"earliest": EVER["earliest"]}}, "UnifiedWebService.REQUEST_FAILED.UnexpectedError"),
        ({"filter": EVER, "accountName": "9"}, "UnifiedWebService.REQUEST_FAILED.AccountNotFound"),
    ],
)
async def test_a_search_for_mismatches_needs_a_span_of_time(api: Api, body: dict[str, Any], code: str) -> None:
    assert (await api.send("POST", MISMATCHED, json=body)).refusal == (400, code)


async def test_roaming_lists_are_asked_for_by_device_or_by_filter(api: Api) -> None:
    known = sim(api.cloud.devices[0])
    assert accepted(api, await api.send("POST", PRL, json={"deviceIds": [known]})) == [None]
    assert accepted(api, await api.send("POST", PRL, json={"deviceIds": [known, STRANGER]})) == [None, NOT_FOUND]
    assert accepted(api, await api.send("POST", PRL, json={"accountName": NAME})) == [None] * 10


@pytest.mark.parametrize(
    "wanted",
    [{"deviceIds": []}, {"deviceIds": [STRANGER], "groupName": "East fleet"}, {"deviceIds": [], "accountName": NAME}],
)
async def test_an_empty_list_never_means_all_devices_and_a_list_excludes_filters(
    api: Api, wanted: dict[str, Any]
) -> None:
    unexpected = (400, "UnifiedWebService.REQUEST_FAILED.UnexpectedError")
    assert (await api.send("POST", PRL, json=wanted)).refusal == unexpected
    named = {name: value for name, value in wanted.items() if name != "deviceIds"}
    body = {**named, "devices": [one(each) for each in wanted["deviceIds"]]}
    for path, change in (
        (CUSTOM_FIELDS, {"customFieldsToUpdate": [FIELD]}),
        (CONTACT, {"primaryPlaceOfUse": PLACE}),
        (COST_CENTER, {"costCenter": "cc1"}),
    ):
        assert (await api.send("PUT", path, json={**body, **change})).refusal == unexpected
    assert api.cloud.late_requests == {}


async def test_named_devices_of_any_account_can_be_written_on(api: Api) -> None:
    api.cloud.add_account(OTHER, devices=1)
    known = sim(api.cloud.devices[-1])
    answer = await api.send("PUT", COST_CENTER, json={"devices": [one(known)], "costCenter": "cc1"})
    assert api.cloud.late_requests[answer.json["requestId"]].account_name == OTHER
    assert accepted(api, answer) == [None]
    assert attributes(api.cloud.devices[-1])["CostCenterCode"] == "cc1"


async def test_diagnostics_tell_the_state_of_one_device(api: Api) -> None:
    device = api.cloud.devices[0]
    device.state = "preactive"
    answer = await api.send("POST", DIAGNOSTICS, json={"accountName": NAME, "deviceList": [sim(device)]})
    known = {each["categoryName"]: each["extendedAttributes"] for each in answer.json["categories"]}
    assert known["Connectivity"] == [{"key": "Connected", "value": "false"}]
    assert known["Provisioning"] == [{"key": "State", "value": "preactive"}]
    assert known["Billing"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"deviceList": [ICCID]}, "UnifiedWebService.DeserializationFailed"),
        ({"accountName": NAME}, "UnifiedWebService.DeserializationFailed"),
        ({"accountName": NAME, "deviceList": [ICCID, IMEI]}, "UnifiedWebService.REQUEST_FAILED.UnexpectedError"),
        ({"accountName": NAME, "deviceList": [ICCID]}, "DeviceService.REQUEST_FAILED.DeviceNotFound"),
    ],
)
async def test_diagnostics_need_one_known_device(api: Api, body: dict[str, Any], code: str) -> None:
    assert (await api.send("POST", DIAGNOSTICS, json=body)).refusal == (400, code)


async def test_the_global_list_arrives_later(api: Api) -> None:
    wanted = {"accountName": NAME, "provisioningStatusFilter": "ACTIVE", "deviceFilter": [IMEI]}
    assert accepted(api, await api.send("POST", GLOBAL, json=wanted)) == []
    (request,) = api.cloud.late_requests.values()
    assert request.service == "DeviceProfileService"


async def test_the_global_list_refuses_identifiers_that_do_not_fit_their_kind(api: Api) -> None:
    wanted = {"accountName": NAME, "deviceFilter": [{"id": "1", "kind": "eid"}]}
    answer = await api.send("POST", GLOBAL, json=wanted)
    assert answer.refusal == (400, "DeviceService.INPUT_INVALID.Device.Identifier.Invalid")


# Data that accounts store with devices


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (CUSTOM_FIELDS, {"customFieldsToUpdate": [FIELD]}),
        (CONTACT, {"primaryPlaceOfUse": PLACE}),
        (COST_CENTER, {"costCenter": "cc1"}),
    ],
)
async def test_a_change_reaches_the_named_device_later_and_no_other(
    api: Api, path: str, change: dict[str, Any]
) -> None:
    before = [device.as_json() for device in api.cloud.devices]
    answer = await api.send("PUT", path, json={"devices": [one(sim(api.cloud.devices[4]))], **change})
    assert [device.as_json() for device in api.cloud.devices] == before
    assert accepted(api, answer) == [None]
    after = [device.as_json() for device in api.cloud.devices]
    assert [old == new for old, new in zip(before, after, strict=True)] == [place != 4 for place in range(10)]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (CUSTOM_FIELDS, {"customFieldsToUpdate": [FIELD]}),
        (CONTACT, {"primaryPlaceOfUse": PLACE}),
        (COST_CENTER, {"removeCostCenter": True}),
    ],
)
async def test_one_unknown_device_does_not_affect_the_others(api: Api, path: str, change: dict[str, Any]) -> None:
    device = api.cloud.devices[0]
    before = device.as_json()
    answer = await api.send("PUT", path, json={"devices": [one(STRANGER), one(sim(device))], **change})
    assert accepted(api, answer) == [NOT_FOUND, None]
    assert device.as_json() != before


async def test_custom_fields_stay_in_their_order_and_a_value_may_be_emptied(api: Api) -> None:
    device = api.cloud.devices[0]
    device.custom_fields = [{"key": "CustomField4", "value": "four"}]
    fields = [{"key": "CustomField5", "value": ""}, {"key": "CustomField2", "value": "two"}]
    wanted = {"devices": [one(sim(device))], "customFieldsToUpdate": fields}
    accepted(api, await api.send("PUT", CUSTOM_FIELDS, json=wanted))
    assert [field["key"] for field in device.custom_fields] == ["CustomField2", "CustomField4", "CustomField5"]
    assert device.custom_fields[-1]["value"] == ""


async def test_an_attribute_that_is_removed_is_listed_by_its_key_alone(api: Api) -> None:
    device = api.cloud.devices[0]
    listed = list(attributes(device))
    wanted = {"devices": [one(sim(device))], "removeCostCenter": True, "primaryPlaceOfUse": PLACE}
    accepted(api, await api.send("PUT", COST_CENTER, json=wanted))
    assert {"key": "CostCenterCode"} in device.as_json()["extendedAttributes"]
    assert attributes(device)["PrimaryPlaceOfUseCity"] == "Irving"
    assert [key for key in attributes(device) if key in listed] == listed


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (CONTACT, {"accountName": NAME}, "UnifiedWebService.DeserializationFailed"),
        (CONTACT, {"primaryPlaceOfUse": {}}, "UnifiedWebService.DeserializationFailed"),
        (
            CONTACT,
            {"primaryPlaceOfUse": {**PLACE, "address": {**PLACE["address"], "zip": None}}},
            "UnifiedWebService.DeserializationFailed",
        ),
        (
            CUSTOM_FIELDS,
            {"customFieldsToUpdate": [{"key": "CustomField1", "value": "x" * 51}]},
            "DeviceService.INPUT_INVALID.CustomField.TooLong",
        ),
        (
            CUSTOM_FIELDS,
            {"customFieldsToUpdate": [FIELD], "customFields": [{"key": "CustomField1", "value": "no such value"}]},
            "DeviceService.REQUEST_FAILED.DeviceNotFound",
        ),
    ],
)
async def test_a_change_that_is_wrong_as_a_whole_is_refused_at_once(
    api: Api, path: str, body: dict[str, Any], code: str
) -> None:
    assert (await api.send("PUT", path, json=body)).refusal == (400, code)
    assert api.cloud.late_requests == {}


async def test_what_is_written_on_one_device_does_not_show_on_another_with_the_same_attributes(serve: Serve) -> None:
    api = await serve(devices=300)
    before = [attributes(device)["CostCenterCode"] for device in api.cloud.devices]
    api.cloud.devices[0].describe({"CostCenterCode": "mine"})
    after = [attributes(device)["CostCenterCode"] for device in api.cloud.devices]
    assert after == ["mine", *before[1:]]


# Labels


async def test_a_label_is_put_on_once(api: Api) -> None:
    device, label = api.cloud.devices[0], {"name": "VIN", "value": "1"}
    wanted = {"accountName": NAME, "labels": {"devices": [one(sim(device))], "label": [label]}}
    for _ in range(2):
        assert accepted(api, await api.send("POST", LABELS, json=wanted)) == [None]
    assert device.labels == [label]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"accountName": NAME}, "UnifiedWebService.DeserializationFailed"),
        ({"accountName": NAME, "labels": {"label": []}}, "UnifiedWebService.DeserializationFailed"),
        (
            {"accountName": NAME, "labels": {"devices": [], "label": [{"name": "VIN", "value": "1"}] * 51}},
            "UnifiedWebService.REQUEST_FAILED.UnexpectedError",
        ),
    ],
)
async def test_invalid_labels_are_refused(api: Api, body: dict[str, Any], code: str) -> None:
    assert (await api.send("POST", LABELS, json=body)).refusal == (400, code)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"accountName": NAME}, "UnifiedWebService.DeserializationFailed"),
        ({"LabelList": "{}"}, "UnifiedWebService.DeserializationFailed"),
        ({"accountName": NAME, "LabelList": "{"}, "UnifiedWebService.REQUEST_FAILED.UnexpectedError"),
        ({"accountName": NAME, "LabelList": "[]"}, "UnifiedWebService.REQUEST_FAILED.UnexpectedError"),
        (
            {"accountName": NAME, "LabelList": json.dumps({"deviceIds": [{"name": "VIN"}]})},
            "UnifiedWebService.DeserializationFailed",
        ),
    ],
)
async def test_a_removal_of_labels_names_the_account_and_the_labels(api: Api, query: dict[str, str], code: str) -> None:
    assert (await api.send("DELETE", LABELS, query=query)).refusal == (400, code)
