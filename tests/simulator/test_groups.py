"""PROTOCOL.md 5: a device is in exactly one group of its account, by default the default group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.simulator.api import Api
from thingspace_async.simulator import Assumptions, Device

ACCOUNT = "0000123456-00001"
GROUPS = f"/api/m2m/v1/groups/{ACCOUNT}"
DEFAULT = "Unassigned Devices"
MISSING = (400, "UnifiedWebService.REQUEST_FAILED.DeviceGroupNotFound")
TAKEN = (400, "UnifiedWebService.REQUEST_FAILED.DeviceGroup.Exists")


def path(name: str) -> str:
    return f"{GROUPS}/name/{name.replace(' ', '%20')}"


def named(*devices: Device) -> list[dict[str, str]]:
    return [device.device_ids[-1] for device in devices]


async def create(api: Api, name: str = "Pumps", *devices: Device) -> None:
    wanted: dict[str, Any] = {"accountName": ACCOUNT, "groupName": name, "groupDescription": "All of them"}
    answer = await api.send("POST", "/api/m2m/v1/groups", json=wanted | {"devicesToAdd": named(*devices)})
    assert (answer.status, answer.json) == (200, {"success": True})


async def members(api: Api, name: str) -> list[Any]:
    answer = await api.send("GET", path(name))
    assert answer.status == 200
    return [device["deviceIds"] for device in answer.json["devices"]]


async def census(api: Api) -> Counter[str]:
    """Count the devices of each group, as the list of devices has them."""
    return Counter(device["groupNames"][0] for device in (await api.devices()).json["devices"])


async def names(api: Api) -> list[str]:
    return [group["name"] for group in (await api.send("GET", GROUPS)).json]


async def test_every_device_is_in_one_group_and_one_group_is_the_default(serve: Callable[..., Awaitable[Api]]) -> None:
    api = await serve(devices=200)
    groups = (await api.send("GET", GROUPS)).json
    assert all(set(group) == {"name", "description", "isDefaultGroup", "extendedAttributes"} for group in groups)
    assert [group["name"] for group in groups if group["isDefaultGroup"]] == [DEFAULT]
    found = {group["name"]: len(await members(api, group["name"])) for group in groups}
    assert found == await census(api)
    assert sum(found.values()) == 200


async def test_a_new_group_takes_its_devices_out_of_their_old_ones(api: Api) -> None:
    first, second = api.cloud.devices[0], api.cloud.devices[1]
    second.group_name = "West fleet"
    await create(api, "Pumps", first, second)
    assert await members(api, "Pumps") == [first.device_ids, second.device_ids]
    assert second.device_ids not in await members(api, "West fleet")
    assert (await census(api))["Pumps"] == 2


async def test_a_name_is_taken_once_in_an_account(api: Api) -> None:
    api.cloud.add_account("0000222222-00001")
    await create(api)
    wanted = {"accountName": ACCOUNT, "groupName": "Pumps", "groupDescription": "More"}
    assert (await api.send("POST", "/api/m2m/v1/groups", json=wanted)).refusal == TAKEN
    elsewhere = wanted | {"accountName": "0000222222-00001"}
    assert (await api.send("POST", "/api/m2m/v1/groups", json=elsewhere)).status == 200
    renaming = await api.send("PUT", path("West fleet"), json={"newGroupName": "Pumps"})
    assert renaming.refusal == TAKEN


@pytest.mark.parametrize("missing", ["accountName", "groupName", "groupDescription"])
async def test_name_account_and_description_are_required(api: Api, missing: str) -> None:
    wanted = {"accountName": ACCOUNT, "groupName": "Pumps", "groupDescription": "All of them"}
    del wanted[missing]
    answer = await api.send("POST", "/api/m2m/v1/groups", json=wanted)
    assert answer.refusal == (400, "UnifiedWebService.DeserializationFailed")


async def test_a_rename_moves_no_device_not_even_one_that_nobody_has_looked_at(api: Api) -> None:
    before = await census(api)
    answer = await api.send("PUT", path("West fleet"), json={"newGroupName": "Far west", "newGroupDescription": "Far"})
    assert answer.json == {"success": True}
    after = await census(api)
    assert after["Far west"] == before["West fleet"] > 0
    assert after["West fleet"] == 0
    assert (await api.send("GET", path("West fleet"))).refusal == MISSING
    assert (await api.send("GET", path("Far west"))).json["description"] == "Far"


async def test_devices_are_moved_in_and_out(api: Api) -> None:
    first, second = api.cloud.devices[0], api.cloud.devices[1]
    await create(api, "Pumps", first)
    changes = {"devicesToAdd": named(second), "devicesToRemove": named(first)}
    await api.send("PUT", path("Pumps"), json=changes)
    assert await members(api, "Pumps") == [second.device_ids]
    assert first.device_ids in await members(api, DEFAULT)


async def test_a_device_that_is_removed_from_a_group_that_it_is_not_in_stays_where_it_is(api: Api) -> None:
    device = api.cloud.devices[0]
    device.group_name = "West fleet"
    await create(api)
    assert (await api.send("PUT", path("Pumps"), json={"devicesToRemove": named(device)})).status == 200
    assert device.group_name == "West fleet"


async def test_a_change_that_is_wrong_in_part_changes_nothing(api: Api) -> None:
    device, stranger = api.cloud.devices[0], {"id": "990003420535537", "kind": "imei"}
    device.group_name = "East fleet"
    changes = {"newGroupName": "New", "devicesToAdd": named(device), "devicesToRemove": [stranger]}
    answer = await api.send("PUT", path("West fleet"), json=changes)
    assert answer.refusal == (400, "DeviceService.REQUEST_FAILED.DeviceNotFound")
    assert device.group_name == "East fleet"
    assert "New" not in await names(api)


async def test_devices_of_another_account_cannot_be_taken(api: Api) -> None:
    api.cloud.add_account("0000222222-00001", devices=1)
    answer = await api.send("PUT", path("West fleet"), json={"devicesToAdd": named(api.cloud.devices[-1])})
    assert answer.refusal == (400, "DeviceService.INPUT_INVALID.Device.Account.Invalid")


async def test_a_deleted_group_leaves_its_devices_to_the_default_one_for_good(api: Api) -> None:
    before = await census(api)
    device = api.cloud.devices[0]
    device.group_name = "West fleet"
    assert (await api.send("DELETE", path("West fleet"))).json == {"success": True}
    after = await census(api)
    assert after[DEFAULT] >= before[DEFAULT] + before["West fleet"]
    assert after["West fleet"] == 0
    assert device.group_name == DEFAULT
    await create(api, "West fleet")
    assert await members(api, "West fleet") == []


async def test_the_default_group_cannot_be_deleted(api: Api) -> None:
    refusal = (await api.send("DELETE", path(DEFAULT))).refusal
    assert refusal == (400, "UnifiedWebService.INPUT_INVALID.DeviceGroup.DeleteDefault")
    assert DEFAULT in await names(api)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_group_is_reported(api: Api, method: str) -> None:
    assert (await api.send(method, path("Nothing"), data=b"{}")).refusal == MISSING


async def test_members_come_in_pages_sorted_by_number_that_lead_to_each_other(
    serve: Callable[..., Awaitable[Api]],
) -> None:
    api = await serve(devices=25, assumptions=Assumptions(group_page=10))
    for device in api.cloud.devices:
        device.group_name = "All of them"
    found: list[Any] = []
    query: dict[str, str] = {}
    for expected in (202, 202, 200):
        answer = await api.send("GET", path("All of them"), query=query)
        assert (answer.status, answer.json["hasMoreData"]) == (expected, expected == 202)
        found += [device["deviceIds"] for device in answer.json["devices"]]
        if expected == 202:
            location = urlsplit(answer.headers["Location"])
            assert location.path == f"/groups/{ACCOUNT}/name/All%20of%20them/"
            query = {"next": parse_qs(location.query)["next"][0]}
    assert "Location" not in answer.headers
    assert found == [device.device_ids for device in api.cloud.devices]


@pytest.mark.parametrize("token", ["x", "9" * 5000])
async def test_a_page_token_that_is_not_a_number_is_refused(api: Api, token: str) -> None:
    answer = await api.send("GET", path(DEFAULT), query={"next": token})
    assert answer.refusal == (400, "UnifiedWebService.REQUEST_FAILED.UnexpectedError")


async def test_null_attributes_are_a_switch(api: Api) -> None:
    assert {str(group["extendedAttributes"]) for group in (await api.send("GET", GROUPS)).json} == {"None"}
    api.cloud.assumptions = Assumptions(attributes_without_values=False)
    assert {str(group["extendedAttributes"]) for group in (await api.send("GET", GROUPS)).json} == {"[]"}
