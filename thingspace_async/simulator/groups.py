"""Answers about device groups (protocol.md 5)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from thingspace_async._operation import Operation
from thingspace_async.groups.calls import CREATE, DELETE, LIST, MEMBERS, UPDATE
from thingspace_async.simulator.fleet import Device, Group
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
    return Answer(
        200,
        [
            {
                "name": group.name,
                "description": group.description,
                "isDefaultGroup": group is groups.default,
                "extendedAttributes": None,  # As in the sample on the platform's page.
            }
            for group in groups.current
        ],
    )


def list_members(call: Call) -> Answer:
    """List a page of a group's devices, sorted by their numbers; the way to the next is in the Location header."""
    account_name, group = _group_of(call)
    every = call.platform.devices.walk(behind=next_of(call) or 0)
    members = (device for device in every if device.account_name == account_name and device.group is group)
    most = call.platform.assumptions.group_page
    found = list(islice(members, most + 1))
    more, page = len(found) > most, found[:most]
    body = {
        "name": group.name,
        "description": group.description,
        "hasMoreData": more,
        "devices": [{"deviceIds": device.device_ids} for device in page],
    }
    if not more:
        return Answer(200, body)
    location = f"/groups/{quote(account_name, safe='')}/name/{quote(group.name, safe='')}/?next={page[-1].number}"
    return Answer(202, body, headers={"Location": location})


def update(call: Call) -> Answer:
    """Rename a group, describe it anew, move devices; all of it or, when something is wrong, nothing."""
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
    """Delete a group, whose devices are in the default group from then on."""
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
