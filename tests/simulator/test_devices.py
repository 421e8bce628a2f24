"""PROTOCOL.md 4.1, 4.3: the list of devices."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.simulator.api import LIST, Api
from thingspace_async.simulator import Assumptions, Simulator

Serve = Callable[..., Awaitable[Api]]
Device = dict[str, Any]

NAME = "0000123456-00001"


def ids(device: Device) -> dict[str, str]:
    return {own["kind"]: own["id"] for own in device["deviceIds"]}


def state(device: Device) -> str:
    return str(device["carrierInformations"][0]["state"])


def attribute(device: Device, key: str) -> str | None:
    return next((pair.get("value") for pair in device["extendedAttributes"] if pair["key"] == key), None)


def numbers(devices: list[Device]) -> list[int]:
    return [int(str(attribute(device, "DeviceId"))) for device in devices]


async def everything(api: Api, **wanted: object) -> list[Device]:
    answer = await api.devices(**wanted)
    assert (answer.status, answer.json["hasMoreData"]) == (200, False)
    devices: list[Device] = answer.json["devices"]
    return devices


async def refusal(api: Api, **wanted: object) -> str:
    status, code = (await api.devices(**wanted)).refusal
    assert status == 400
    return code


@pytest.mark.parametrize("body", [b"", b"{}", b'{"accountName": null, "maxNumberOfDevices": 0}'])
async def test_an_empty_request_lists_all_devices(api: Api, body: bytes) -> None:
    answer = await api.send("POST", LIST, data=body)
    assert answer.status == 200
    assert set(answer.json) == {"devices", "hasMoreData"}
    assert len(answer.json["devices"]) == 10


async def test_an_active_device_has_every_documented_member(serve: Serve) -> None:
    api = await serve(devices=40)
    device = (await everything(api, currentState="active"))[0]
    assert set(device) == {
        "accountName",
        "billingCycleEndDate",
        "carrierInformations",
        "connected",
        "createdAt",
        "customFields",
        "deviceIds",
        "extendedAttributes",
        "groupNames",
        "ipAddress",
        "lastActivationBy",
        "lastActivationDate",
        "lastConnectionDate",
    }
    assert set(device["carrierInformations"][0]) == {"carrierName", "servicePlan", "state"}
    assert [field["key"] for field in device["customFields"]] == [f"CustomField{place}" for place in range(1, 6)]
    assert len(device["extendedAttributes"]) == 15
    assert any(set(pair) == {"key"} for pair in device["extendedAttributes"])
    for name in ("billingCycleEndDate", "createdAt", "lastActivationDate", "lastConnectionDate"):
        assert datetime.fromisoformat(device[name]).tzinfo is not None


async def test_identifiers_look_like_their_kind_and_the_sims_is_spelled_iccid_with_a_capital(api: Api) -> None:
    found = ids((await everything(api, currentState="active"))[0])
    shapes = {"mdn": r"\d{10}", "msisdn": r"\d{11}", "imei": r"\d{15}", "iccId": r"\d{20}"}
    assert {kind: bool(re.fullmatch(shapes[kind], found[kind])) for kind in found} == dict.fromkeys(shapes, True)


def luhn(digits: str) -> int:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10


async def test_imeis_and_iccids_end_with_their_check_digit(api: Api) -> None:
    for device in await everything(api):
        assert luhn(ids(device)["imei"]) == luhn(ids(device)["iccId"]) == 0


async def test_a_device_that_was_never_activated_lacks_some_members(serve: Serve) -> None:
    api = await serve(devices=200)
    device = (await everything(api, currentState="preactive"))[0]
    assert not {"ipAddress", "lastActivationBy", "lastActivationDate", "lastConnectionDate"} & set(device)
    assert set(device["carrierInformations"][0]) == {"carrierName", "state"}
    assert set(ids(device)) == {"imei", "iccId"}
    assert device["connected"] is False


async def test_devices_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    first, again, other = (Simulator(devices=5, seed=seed).devices for seed in (1, 1, 2))
    assert [device.as_json() for device in first] == [device.as_json() for device in again]
    assert first[0].device_ids != other[0].device_ids


# Paging


async def test_pages_hold_at_most_2000_devices_and_202_promises_more(serve: Serve) -> None:
    api = await serve(devices=4001)
    found: list[int] = []
    sizes = []
    status = 202
    while status == 202:
        answer = await api.devices(accountName=NAME, largestDeviceIdSeen=found[-1] if found else 0)
        status = answer.status
        assert answer.json["hasMoreData"] is (status == 202)
        found += numbers(answer.json["devices"])
        sizes.append(len(answer.json["devices"]))
    assert (status, sizes) == (200, [2000, 2000, 1])
    assert found == sorted(set(found))


@pytest.mark.parametrize(("size", "pages"), [(3, [3, 3, 3, 1]), (5, [5, 5]), (10, [10]), (5000, [10])])
async def test_a_page_can_be_made_smaller_but_not_larger(api: Api, size: int, pages: list[int]) -> None:
    sizes: list[int] = []
    seen, more = 0, True
    while more:
        answer = (await api.devices(maxNumberOfDevices=size, largestDeviceIdSeen=seen)).json
        sizes.append(len(answer["devices"]))
        seen, more = numbers(answer["devices"])[-1], answer["hasMoreData"]
    assert sizes == pages


async def test_2001_devices_do_not_fit_into_a_page_whatever_is_asked_for(serve: Serve) -> None:
    api = await serve(devices=2001)
    answer = await api.devices(maxNumberOfDevices=5000)
    assert (answer.status, len(answer.json["devices"])) == (202, 2000)


async def test_the_page_behind_the_last_device_is_empty(api: Api) -> None:
    last = numbers(await everything(api))[-1]
    assert await everything(api, largestDeviceIdSeen=last) == []


async def test_without_a_number_pages_are_by_date_and_may_repeat_devices_of_the_same_second(serve: Serve) -> None:
    api = await serve(devices=23)
    found: list[Device] = []
    wanted: dict[str, object] = {"maxNumberOfDevices": 10}
    while (answer := await api.devices(**wanted)).status == 202:
        found += answer.json["devices"]
        wanted["earliest"] = found[-1]["createdAt"]
    found += answer.json["devices"]
    dates = [datetime.fromisoformat(device["createdAt"]) for device in found]
    assert dates == sorted(dates)
    assert len(found) > len(set(numbers(found))) == 23


async def test_the_number_can_be_left_out_of_pages_though_not_of_single_devices(serve: Serve) -> None:
    api = await serve(assumptions=Assumptions(device_number_in_pages=False))
    page = await everything(api)
    assert [attribute(device, "DeviceId") for device in page] == [None] * 10
    (single,) = await everything(api, deviceId={"id": ids(page[0])["imei"], "kind": "imei"})
    assert attribute(single, "DeviceId")


async def test_a_hundred_thousand_devices_are_walked_and_found_without_being_held() -> None:
    fleet = Simulator(devices=100_000).devices
    assert len(fleet) == sum(1 for _ in fleet.walk()) == 100_000
    last = next(fleet.walk(behind=fleet[99_998].number))
    assert [fleet.find(own["kind"], own["id"]) is not None for own in last.device_ids] == [True] * len(last.device_ids)
    assert list(fleet._kept) == [99_998]


# Filters


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({"currentState": "ACTIVE"}, lambda device: state(device) == "active"),
        ({"currentState": "suspend"}, lambda device: state(device) == "suspend"),
        ({"groupName": "East fleet"}, lambda device: device["groupNames"] == ["East fleet"]),
        (
            {"servicePlan": "M2M_PP"},
            lambda device: device["carrierInformations"][0].get("servicePlan") == "M2M_PP",
        ),
        (
            {"customFields": [{"key": "CustomField1", "value": "Site 7"}]},
            lambda device: {"key": "CustomField1", "value": "Site 7"} in device["customFields"],
        ),
        (
            {"filter": {"deviceIdentifierFilters": [{"kind": "MDN", "startswith": "555", "endswith": "3"}]}},
            lambda device: "mdn" in ids(device) and ids(device)["mdn"].endswith("3"),
        ),
        (
            {"filter": {"deviceIdentifierFilters": [{"kind": "iccid", "contains": "0791"}]}},
            lambda device: "0791" in ids(device)["iccId"],
        ),
        (
            {"filter": {"deviceIdentifierFilters": [{"kind": "imei", "endswith": "1"}, {"kind": "mdn"}]}},
            lambda device: ids(device)["imei"].endswith("1") and "mdn" in ids(device),
        ),
        (
            {"currentState": "active", "groupName": "East fleet", "accountName": NAME},
            lambda device: state(device) == "active" and device["groupNames"] == ["East fleet"],
        ),
    ],
)
async def test_a_filter_finds_all_that_match_and_no_others(
    serve: Serve, wanted: dict[str, Any], holds: Callable[[Device], bool]
) -> None:
    api = await serve(devices=1500)
    expected = [device for device in await everything(api) if holds(device)]
    assert 0 < len(expected) < 1500
    assert await everything(api, **wanted) == expected


async def test_dates_include_both_ends(serve: Serve) -> None:
    api = await serve(devices=40)
    dates = [device["createdAt"] for device in await everything(api)]
    assert len(set(dates)) == 10
    chosen = sorted(set(dates))[2:5]
    found = await everything(api, earliest=chosen[0], latest=chosen[-1])
    assert [device["createdAt"] for device in found] == [date for date in dates if date in chosen]


async def test_a_date_may_have_an_offset_or_none(serve: Serve) -> None:
    api = await serve(devices=40)
    dates = [datetime.fromisoformat(device["createdAt"]) for device in await everything(api)]
    late = [date for date in dates if date >= dates[20]]
    offset = dates[20] + timedelta(hours=-4)
    assert len(await everything(api, earliest=offset.replace(tzinfo=None).isoformat() + "-04:00")) == len(late)
    assert len(await everything(api, earliest=dates[20].replace(tzinfo=None).isoformat())) == len(late)


@pytest.mark.parametrize(
    "wanted",
    [
        {"earliest": "yesterday"},
        {"accountName": 7},
        {"maxNumberOfDevices": "10"},
        {"maxNumberOfDevices": True},
        {"maxNumberOfDevices": -1},
        {"customFields": ["CustomField1"]},
        {"filter": []},
    ],
)
async def test_invalid_values_are_an_unexpected_error(api: Api, wanted: dict[str, Any]) -> None:
    assert await refusal(api, **wanted) == "UnifiedWebService.REQUEST_FAILED.UnexpectedError"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([{"key": "CustomField6", "value": "x"}], "DeviceService.INPUT_INVALID.CustomField.InvalidName"),
        ([{"key": "CustomField1", "value": "x" * 51}], "DeviceService.INPUT_INVALID.CustomField.TooLong"),
        ([{"key": "CustomField1"}], "UnifiedWebService.DeserializationFailed"),
    ],
)
async def test_a_custom_field_has_one_of_five_names_and_50_characters(
    api: Api, fields: list[dict[str, str]], code: str
) -> None:
    assert await refusal(api, customFields=fields) == code


@pytest.mark.parametrize("character", ["'", "<", "\\"])
async def test_forbidden_characters_are_refused_however_deep_they_are(api: Api, character: str) -> None:
    fields = [{"key": "CustomField1", "value": f"a{character}b"}]
    assert await refusal(api, customFields=fields) == "UnifiedWebService.INPUT_INVALID.Request.InvalidCharacter"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff"])
async def test_a_body_that_is_not_a_json_object_cannot_be_deserialized(api: Api, body: bytes) -> None:
    answer = await api.send("POST", LIST, data=body)
    assert answer.refusal == (400, "UnifiedWebService.DeserializationFailed")


async def test_an_unknown_account_is_reported(api: Api) -> None:
    assert await refusal(api, accountName="9") == "UnifiedWebService.REQUEST_FAILED.AccountNotFound"


# One device


@pytest.mark.parametrize("kind", ["imei", "IMEI", "iccid", "iccId", "mdn", "msisdn"])
async def test_a_device_is_found_by_each_of_its_identifiers_whatever_the_case_of_the_kind(api: Api, kind: str) -> None:
    for device in await everything(api, currentState="active"):
        own = next(own["id"] for own in device["deviceIds"] if own["kind"].casefold() == kind.casefold())
        assert await everything(api, deviceId={"id": own, "kind": kind}) == [device]


@pytest.mark.parametrize(
    ("identifier", "kind", "code"),
    [
        ("990013907835573", "imei", "DeviceService.REQUEST_FAILED.DeviceNotFound"),
        ("A1000009A5B6C7", "meid", "DeviceService.REQUEST_FAILED.DeviceNotFound"),
        ("990013907835573", "serial", "DeviceService.INPUT_INVALID.Device.Kind.Invalid"),
        ("990013907835573", "mdn", "DeviceService.INPUT_INVALID.Device.Identifier.Invalid"),
        ("", "imei", "DeviceService.INPUT_INVALID.Device.Identifier.Invalid"),
        ("٣" * 15, "imei", "DeviceService.INPUT_INVALID.Device.Identifier.Invalid"),
    ],
)
async def test_the_refusal_of_an_unknown_device_gives_the_reason(
    api: Api, identifier: str, kind: str, code: str
) -> None:
    assert await refusal(api, deviceId={"id": identifier, "kind": kind}) == code


async def test_a_device_of_another_account_is_not_part_of_this_one(api: Api) -> None:
    api.cloud.add_account("0000222222-00001")
    own = {"id": api.cloud.devices[0].device_ids[0]["id"], "kind": api.cloud.devices[0].device_ids[0]["kind"]}
    code = await refusal(api, deviceId=own, accountName="0000222222-00001")
    assert code == "DeviceService.INPUT_INVALID.Device.Account.Invalid"


# Changes by tests


async def test_changes_to_a_device_appear_in_answers(api: Api) -> None:
    device = api.cloud.devices[3]
    device.state = "pending activation"
    device.device_ids = [{"id": "A1000009A5B6C7", "kind": "meid"}]
    device.group_name = "Mine"
    (found,) = await everything(api, deviceId={"id": "A1000009A5B6C7", "kind": "MEID"})
    assert (state(found), found["groupNames"]) == ("pending activation", ["Mine"])
    assert await everything(api, currentState="pending activation") == [found]
    assert api.cloud.devices[3] is device


async def test_a_replaced_identifier_is_unknown(api: Api) -> None:
    device = api.cloud.devices[3]
    before = device.device_ids[-2]
    assert before["kind"] == "imei"
    device.device_ids = [{"id": "A1000009A5B6C7", "kind": "meid"}]
    assert await refusal(api, deviceId=before) == "DeviceService.REQUEST_FAILED.DeviceNotFound"


async def test_devices_that_are_added_come_last_and_were_created_now(api: Api) -> None:
    api.cloud.clock.advance(timedelta(minutes=5))
    api.cloud.add_devices(2)
    found = await everything(api)
    assert numbers(found)[-2:] == [device.number for device in (api.cloud.devices[-2], api.cloud.devices[-1])]
    created = datetime.fromisoformat(found[-1]["createdAt"])
    assert timedelta() <= api.cloud.clock.now().astimezone(UTC) - created < timedelta(minutes=1)


async def test_accounts_keep_their_devices_apart(api: Api) -> None:
    api.cloud.add_account("0000222222-00001", devices=7)
    api.cloud.add_devices(1)
    assert len(await everything(api, accountName=NAME)) == 11
    assert {device["accountName"] for device in await everything(api, accountName="0000222222-00001")} == {
        "0000222222-00001"
    }
    assert len(await everything(api)) == 18


@pytest.mark.parametrize("devices", [-1, 1_000_001])
def test_an_impossible_number_of_devices_is_refused(devices: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 1,000,000"):
        Simulator(devices=devices)


def test_devices_are_not_added_to_an_unknown_account() -> None:
    with pytest.raises(ValueError, match="add_account"):
        Simulator().add_devices(1, "0000222222-00001")


@pytest.mark.parametrize("bare", [True, False])
async def test_attributes_without_values_are_a_switch(serve: Serve, *, bare: bool) -> None:
    api = await serve(assumptions=Assumptions(attributes_without_values=bare))
    one = api.cloud.devices[0].imei
    for wanted in ({}, {"deviceId": {"kind": "imei", "id": one}}):
        (device, *_) = (await api.devices(**wanted)).json["devices"]
        assert any("value" not in pair for pair in device["extendedAttributes"]) is bare
        assert {"key": "PreIMEI"} | ({} if bare else {"value": ""}) in device["extendedAttributes"]
