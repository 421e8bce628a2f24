"""Groups: creating, listing, changing and deleting them, and iterating members with one request per page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aioresponses import aioresponses

from tests.rooms.conftest import PLACE
from thingspace_async import DeviceId, DeviceIds, Session, errors
from thingspace_async.devices import AccountDeviceListRequest
from thingspace_async.groups import CreateDeviceGroupRequest, DeviceGroup, DeviceGroupUpdateRequest
from thingspace_async.simulator import Assumptions, Delay, Simulator, Status

ACCOUNT = "0000123456-00001"
DEFAULT = "Unassigned Devices"
IMEI = DeviceId.imei("990003420535537")
MEMBERS = f"{PLACE}/api/m2m/v1/groups/{ACCOUNT}/name/Pumps"


def ids(cloud: Simulator, *places: int) -> list[DeviceId]:
    return [DeviceId(**cloud.devices[place].device_ids[-1]) for place in places]


def pumps(**changes: Any) -> CreateDeviceGroupRequest:
    given = {"account_name": ACCOUNT, "group_name": "Pumps", "group_description": "In the west", **changes}
    return CreateDeviceGroupRequest(**given)


async def walk(session: Session, name: str = "Pumps") -> list[DeviceIds]:
    return [member async for member in session.groups.members(ACCOUNT, name)]


async def test_a_group_is_created_and_changed_under_the_platforms_names(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    first, second = ids(thingspace_simulator, 0, 1)
    assert (await thingspace_session.groups.create(pumps(devices_to_add=[first]))).success is True
    assert thingspace_simulator.requests[-1].json == {
        "accountName": ACCOUNT,
        "groupName": "Pumps",
        "groupDescription": "In the west",
        "devicesToAdd": [{"id": first.id, "kind": first.kind}],
    }
    change = DeviceGroupUpdateRequest(
        new_group_name="Tanks",
        new_group_description="In the east",
        devices_to_add=(second,),
        devices_to_remove=first,
    )
    assert (await thingspace_session.groups.update(ACCOUNT, "Pumps", change)).success is True
    assert thingspace_simulator.requests[-1].json == {
        "newGroupName": "Tanks",
        "newGroupDescription": "In the east",
        "devicesToAdd": [{"id": second.id, "kind": second.kind}],
        "devicesToRemove": [{"id": first.id, "kind": first.kind}],
    }


async def test_a_device_is_in_one_group_at_a_time(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    groups = thingspace_session.groups
    (device,) = ids(thingspace_simulator, 0)
    await groups.create(pumps(devices_to_add=[device]))
    assert [member.identifier(device.kind) for member in await walk(thingspace_session)] == [device.id]
    await groups.create(pumps(group_name="Tanks", devices_to_add=[device]))
    assert await walk(thingspace_session) == []
    await groups.delete(ACCOUNT, "Tanks")
    assert device.id in [member.identifier(device.kind) for member in await walk(thingspace_session, DEFAULT)]
    assert (await thingspace_session.devices.get(device)).group_names == (DEFAULT,)


async def test_the_list_says_which_group_is_the_default(thingspace_session: Session) -> None:
    await thingspace_session.groups.create(pumps())
    groups = {group.name: group for group in await thingspace_session.groups.list(ACCOUNT)}
    assert [name for name, group in groups.items() if group.is_default_group] == [DEFAULT]
    assert groups["Pumps"] == DeviceGroup(name="Pumps", description="In the west", is_default_group=False)


async def test_refusals_of_the_platform_have_their_code(thingspace_session: Session) -> None:
    groups = thingspace_session.groups
    await groups.create(pumps())
    for code, call in (
        ("REQUEST_FAILED.DeviceGroup.Exists", groups.create(pumps())),
        ("INPUT_INVALID.DeviceGroup.DeleteDefault", groups.delete(ACCOUNT, DEFAULT)),
        ("REQUEST_FAILED.DeviceGroupNotFound", groups.delete(ACCOUNT, "Nothing")),
        ("REQUEST_FAILED.DeviceGroupNotFound", groups.members_page(ACCOUNT, "Nothing")),
        (
            "REQUEST_FAILED.DeviceNotFound",
            groups.update(ACCOUNT, "Pumps", DeviceGroupUpdateRequest(devices_to_add=IMEI)),
        ),
    ):
        with pytest.raises(errors.BadRequest) as caught:
            await call
        assert caught.value.short_code == code


async def test_a_group_name_may_hold_any_characters(thingspace_session: Session) -> None:
    name = "Pumps / tanks? 100 %, süd"
    await thingspace_session.groups.create(pumps(group_name=name))
    assert (await thingspace_session.groups.members_page(ACCOUNT, name)).name == name
    await thingspace_session.groups.delete(ACCOUNT, name)


@pytest.mark.parametrize("count", [0, 1, 1999, 2000, 2001, 5000])
async def test_members_are_yielded_once_with_one_request_per_page(count: int) -> None:
    async with (
        Simulator(devices=count) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        # All are in the default group, because the other groups were deleted.
        for group in await session.groups.list(ACCOUNT):
            if not group.is_default_group:
                await session.groups.delete(ACCOUNT, group.name or "")
        found = [member.identifier("ICCID") for member in await walk(session, DEFAULT)]
        assert len(set(found)) == len(found) == count
        assert cloud.count("groups.members") == max(1, -(-count // 2000))


async def test_members_equal_the_list_of_devices_filtered_by_group(thingspace_session: Session) -> None:
    wanted = AccountDeviceListRequest(account_name=ACCOUNT, group_name="West fleet")
    listed = [device.device_ids async for device in thingspace_session.devices.list(wanted)]
    assert [member.device_ids for member in await walk(thingspace_session, "West fleet")] == listed
    assert listed


async def test_members_can_be_paged_by_hand_and_a_failed_page_is_requested_again() -> None:
    async with (
        Simulator(devices=60, assumptions=Assumptions(group_page=5)) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        page = await session.groups.members_page(ACCOUNT, DEFAULT)
        by_hand = list(page.devices)
        while page.next is not None:
            assert page.has_more_data
            page = await session.groups.members_page(ACCOUNT, DEFAULT, next=page.next)
            by_hand += page.devices
        assert len(by_hand) > 5
        cloud.faults.add("groups.members", Status(503), after=1)
        assert await walk(session, DEFAULT) == by_hand


async def test_a_caller_that_stops_early_leaves_no_request_behind() -> None:
    async with (
        Simulator(devices=60, assumptions=Assumptions(group_page=5)) as cloud,
        Session(cloud.credentials, environment=cloud.environment, connections=1) as session,
    ):
        cloud.faults.add("groups.members", Delay(60.0), after=1)
        members = session.groups.members(ACCOUNT, DEFAULT)
        await anext(members)
        await asyncio.sleep(0.05)
        assert cloud.count("groups.members") == 2
        await members.aclose()
        # The only connection is free again.
        assert await session.with_options(timeout=5.0).groups.list(ACCOUNT)


@pytest.mark.parametrize("location", [None, "/groups/a/name/b/", "/groups/a/name/b/?next=x", "/g/?next=1&next=2"])
async def test_members_that_promise_more_without_a_next_page_are_an_error(
    canned: aioresponses, scripted: Session, location: str | None
) -> None:
    headers = {} if location is None else {"Location": location}
    canned.get(MEMBERS, payload={"name": "Pumps", "devices": []}, status=202, headers=headers)
    with pytest.raises(errors.AnswerUnreadable, match="Location"):
        await anext(scripted.groups.members(ACCOUNT, "Pumps"))


async def test_pages_of_members_that_form_a_cycle_are_an_error(canned: aioresponses, scripted: Session) -> None:
    again = {"Location": f"/groups/{ACCOUNT}/name/Pumps/?next=7"}
    page = {"devices": [{"deviceIds": [{"id": "1", "kind": "esn"}]}], "hasMoreData": True}
    for url in (MEMBERS, f"{MEMBERS}?next=7"):
        canned.get(url, payload=page, status=202, headers=again, repeat=True)
    with pytest.raises(errors.AnswerUnreadable, match="leads back"):
        await walk(scripted)


async def test_the_published_list_has_null_where_there_are_no_attributes(
    canned: aioresponses, scripted: Session
) -> None:
    # https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-device-groups.html
    published = {"name": "West Coast Devices", "description": "", "isDefaultGroup": False, "extendedAttributes": None}
    canned.get(f"{PLACE}/api/m2m/v1/groups/{ACCOUNT}", payload=[published])
    (group,) = await scripted.groups.list(ACCOUNT)
    assert group == DeviceGroup(name="West Coast Devices", description="", is_default_group=False)


@pytest.mark.parametrize("call", ["create", "update", "delete"])
async def test_a_failed_change_is_not_sent_again(call: str) -> None:
    async with (
        Simulator(devices=1) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        cloud.faults.add(f"groups.{call}", Status(503))
        work: dict[str, Callable[[], Awaitable[object]]] = {
            "create": lambda: session.groups.create(pumps()),
            "update": lambda: session.groups.update(ACCOUNT, "West fleet", DeviceGroupUpdateRequest()),
            "delete": lambda: session.groups.delete(ACCOUNT, "West fleet"),
        }
        with pytest.raises(errors.ServerFault):
            await work[call]()
        assert cloud.count(f"groups.{call}") == 1


@pytest.mark.parametrize("field", ["account_name", "group_name", "group_description"])
@pytest.mark.parametrize("value", ["", None, 1, "a'b", "a<b", "a\\b"])
def test_a_string_that_the_platform_would_refuse_is_not_sent(field: str, value: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"CreateDeviceGroupRequest: {field} "):
        pumps(**{field: value})


async def test_the_description_of_a_group_can_be_removed(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    await thingspace_session.groups.create(pumps())
    change = DeviceGroupUpdateRequest(new_group_description="")
    await thingspace_session.groups.update(ACCOUNT, "Pumps", change)
    assert thingspace_simulator.requests[-1].json == {"newGroupDescription": ""}
    assert (await thingspace_session.groups.members_page(ACCOUNT, "Pumps")).description == ""


@pytest.mark.parametrize("field", ["devices_to_add", "devices_to_remove"])
@pytest.mark.parametrize("value", ["990003420535537", ["990003420535537"], 1, [None]])
def test_the_error_for_an_invalid_device_names_the_field(field: str, value: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"DeviceGroupUpdateRequest: {field} "):
        DeviceGroupUpdateRequest(**{field: value})
