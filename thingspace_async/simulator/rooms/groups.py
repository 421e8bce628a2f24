"""Handlers for device groups (PROTOCOL.md 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from thingspace_async._core.operation import Operation
from thingspace_async.groups.calls import CREATE, DELETE, LIST, MEMBERS, UPDATE
from thingspace_async.simulator.fleet import Device, Group
from thingspace_async.simulator.mechanisms.pager import answer_by_location, page
from thingspace_async.simulator.reading import find_device, find_group, next_of, objects_of
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required

__all__ = ["HANDLERS"]

_SUCCESS: Final = Answer(200, {"success": True})


def create(call: Call) -> Answer:
    """Create a group, with devices in it."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    name, description = required(wanted, "groupName", str), required(wanted, "groupDescription", str)
    _check_free(call, account_name, name)
    devices = _devices(call, account_name, wanted, "devicesToAdd")
    group = call.platform.devices.groups[account_name].add(name, description)
    _move(devices, group)
    return _SUCCESS


def list_groups(call: Call) -> Answer:
    """List all groups."""
    groups = call.platform.devices.groups[call.check_account(call.path["account_name"])]
    # The sample on the platform's page has null.
    attributes: list[object] | None = None if call.platform.assumptions.attributes_without_values else []
    return Answer(
        200,
        [
            {
                "name": group.name,
                "description": group.description,
                "isDefaultGroup": group is groups.default,
                "extendedAttributes": attributes,
            }
            for group in groups.current
        ],
    )


def list_members(call: Call) -> Answer:
    """List a page of a group's devices, sorted by number. The Location header names the next page."""
    account_name, group = _group_of(call)
    every = call.platform.devices.walk(behind=next_of(call) or 0)
    members = (device for device in every if device.account_name == account_name and device.group is group)
    found = page(members, call.platform.assumptions.group_page)
    body = {
        "name": group.name,
        "description": group.description,
        "hasMoreData": found.more,
        "devices": [{"deviceIds": device.device_ids} for device in found.items],
    }
    place = f"/groups/{quote(account_name, safe='')}/name/{quote(group.name, safe='')}/"
    return answer_by_location(body, f"{place}?next={found.items[-1].number}" if found.more else None)


def update(call: Call) -> Answer:
    """Rename a group, change its description, and move devices. A refused request changes nothing."""
    account_name, group = _group_of(call)
    wanted = call.document()
    name, description = optional(wanted, "newGroupName", str), optional(wanted, "newGroupDescription", str)
    if name is not None and name != group.name:
        _check_free(call, account_name, name)
    added = _devices(call, account_name, wanted, "devicesToAdd")
    removed = _devices(call, account_name, wanted, "devicesToRemove")
    group.name = name or group.name
    group.description = group.description if description is None else description
    _move(added, group)
    _move([device for device in removed if device.group is group], call.platform.devices.groups[account_name].default)
    return _SUCCESS


def delete(call: Call) -> Answer:
    """Delete a group. Its devices move to the default group."""
    account_name, group = _group_of(call)
    groups = call.platform.devices.groups[account_name]
    if group is groups.default:
        raise refuse(
            "UnifiedWebService.INPUT_INVALID.DeviceGroup.DeleteDefault", "The default device group cannot be deleted."
        )
    groups.current.remove(group)
    return _SUCCESS


def _group_of(call: Call) -> tuple[str, Group]:
    account_name = call.check_account(call.path["account_name"])
    return account_name, find_group(call, account_name, call.path["group_name"])


def _check_free(call: Call, account_name: str, name: str) -> None:
    if call.platform.devices.groups[account_name].find(name) is not None:
        raise refuse("UnifiedWebService.REQUEST_FAILED.DeviceGroup.Exists", f"The device group {name} already exists.")


def _devices(call: Call, account_name: str, wanted: Mapping[str, Any], name: str) -> list[Device]:
    fleet = call.platform.devices
    return [fleet.keep(find_device(call, device_id, account_name)) for device_id in objects_of(wanted, name)]


def _move(devices: list[Device], group: Group) -> None:
    for device in devices:
        device.group = group


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    CREATE: create,
    LIST: list_groups,
    MEMBERS: list_members,
    UPDATE: update,
    DELETE: delete,
}
