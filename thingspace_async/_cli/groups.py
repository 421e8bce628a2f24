"""`thingspace groups`: the device groups of an account."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated, Final

import typer

from thingspace_async._cli._access import Access
from thingspace_async._cli._changes import Change, number
from thingspace_async._cli._devices import Devices
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output, each
from thingspace_async._cli._printing import note
from thingspace_async._cli._run import run
from thingspace_async._core.types import DeviceIds
from thingspace_async.groups import CreateDeviceGroupRequest, DeviceGroup, DeviceGroupUpdateRequest

__all__ = ["app"]

app = typer.Typer(help="The groups of an account's devices.", no_args_is_help=True, add_completion=False)

_GROUPS: Final[Columns[DeviceGroup]] = {
    "name": lambda group: group.name,
    "default": lambda group: group.is_default_group,
    "description": lambda group: group.description,
}

_MEMBERS: Final[Columns[DeviceIds]] = {
    "imei": lambda device: device.imei,
    "iccid": lambda device: device.iccid,
    "mdn": lambda device: device.mdn,
    "eid": lambda device: device.eid,
}

_NameArgument = Annotated[str, typer.Argument(help="Name of the group.", show_default=False)]


@app.callback()
def groups() -> None:
    """List and change the groups of an account. Each device is in one group: yours, or the default group."""


@app.command("list", epilog="Example: thingspace groups list --account 0000123456-00001")
@with_groups
def list_groups(access: Access, output: Output) -> None:
    """Print the groups of an account."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            await output.rows(each(await session.groups.list(account)), _GROUPS)

    run(work)


@app.command("get", epilog="Example: thingspace groups get Pumps --account 0000123456-00001 --format csv")
@with_groups
def get_group(access: Access, output: Output, *, name: _NameArgument) -> None:
    """Print the identifiers of the devices of a group. `thingspace devices list --group` prints all their data."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session, aclosing(session.groups.members(account, name)) as members:
            await output.rows(members, _MEMBERS)

    run(work)


@app.command("create", epilog="Example: thingspace groups create Pumps --description 'In the west' --from pumps.csv")
@with_groups
def create(
    access: Access,
    change: Change,
    devices: Devices,
    *,
    name: _NameArgument,
    description: Annotated[str, typer.Option(help="Description for people.")],
) -> None:
    """Create a group, and move devices into it. They leave their present groups."""

    async def work() -> None:
        account, moved = access.required_account, devices.read()
        request = CreateDeviceGroupRequest(
            account_name=account, group_name=name, group_description=description, devices_to_add=moved
        )
        if await change.allowed(f"create the group {name} of {account} with {number(len(moved), 'device')}"):
            async with access.session() as session:
                await session.groups.create(request)
            note(f"created the group {name} with {number(len(moved), 'device')}")

    run(work)


@app.command("add", epilog="Example: thingspace groups add Pumps 353272090079193 --account 0000123456-00001")
@with_groups
def add(access: Access, change: Change, devices: Devices, *, name: _NameArgument) -> None:
    """Move devices into a group. They leave their present groups."""
    _move(access, change, devices, name, adds=True)


@app.command("remove", epilog="Example: thingspace groups remove Pumps 353272090079193 --account 0000123456-00001")
@with_groups
def remove(access: Access, change: Change, devices: Devices, *, name: _NameArgument) -> None:
    """Move devices from a group to the default group."""
    _move(access, change, devices, name, adds=False)


def _move(access: Access, change: Change, devices: Devices, name: str, *, adds: bool) -> None:
    async def work() -> None:
        account, moved = access.required_account, devices.read_some()
        count = number(len(moved), "device")
        async with access.session() as session:
            await session.groups.members_page(account, name)  # Report a group that does not exist before asking.
            if adds:
                request = DeviceGroupUpdateRequest(devices_to_add=moved)
                question = f"move {count} into {name}, and out of other groups"
            else:
                request = DeviceGroupUpdateRequest(devices_to_remove=moved)
                question = f"move {count} from {name} to the default group"
            if await change.allowed(question):
                await session.groups.update(account, name, request)
                note(f"moved {count}")

    run(work)


@app.command("delete", epilog="Example: thingspace groups delete Pumps --account 0000123456-00001 --dry-run")
@with_groups
def delete(access: Access, change: Change, *, name: _NameArgument) -> None:
    """Delete a group. Its devices return to the default group."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            page = await session.groups.members_page(account, name)
            count = "more than " * bool(page.has_more_data) + number(len(page.devices), "device")
            if await change.allowed(f"delete the group {name}, and move {count} to the default group"):
                await session.groups.delete(account, name)
                note(f"deleted the group {name}")

    run(work)
