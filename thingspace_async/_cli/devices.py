"""`thingspace devices`: the devices of an account, to read or to pipe."""

from __future__ import annotations

import csv
import sys
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Annotated

import typer

from thingspace_async import Credentials, Session
from thingspace_async._cli._run import EnvironmentOption, checked_account, environment_named, run
from thingspace_async._codec import dump
from thingspace_async.devices import AccountDeviceListRequest, Device

__all__ = ["COLUMNS", "app"]

app = typer.Typer(help="The devices of an account.", no_args_is_help=True)


class Format(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


COLUMNS: dict[str, tuple[int, Callable[[Device], str | None]]] = {
    "imei": (16, lambda device: device.identifier("imei")),
    "iccid": (20, lambda device: device.identifier("iccid")),
    "mdn": (11, lambda device: device.identifier("mdn")),
    "state": (20, lambda device: device.state),
    "service plan": (16, lambda d: d.carrier_informations[0].service_plan if d.carrier_informations else None),
    "ip address": (15, lambda device: device.ip_address),
    "last connection": (25, lambda d: d.last_connection_date.isoformat() if d.last_connection_date else None),
}


@app.callback()
def devices() -> None:
    """Read the devices of an account."""


@app.command("list")
def list_devices(
    account: Annotated[str | None, typer.Option(help="Account name; every account of the user without it.")] = None,
    state: Annotated[str | None, typer.Option(help="Such as active, suspend or deactive.")] = None,
    form: Annotated[Format, typer.Option("--format", help="json is one array, csv has a heading line.")] = Format.TABLE,
    environment: EnvironmentOption = "production",
) -> None:
    """Print devices as they come, any number of them."""

    async def walk() -> None:
        wanted = AccountDeviceListRequest(account_name=checked_account(account), current_state=state)
        async with Session(Credentials.from_environment(), environment=environment_named(environment)) as session:
            await _PRINTERS[form](session.devices.list(wanted))

    run(walk)


async def _print_table(found: AsyncIterator[Device]) -> None:
    typer.echo("  ".join(name.ljust(width) for name, (width, _) in COLUMNS.items()).rstrip())
    async for device in found:
        cells = ((read(device) or "").ljust(width) for width, read in COLUMNS.values())
        typer.echo("  ".join(cells).rstrip())


async def _print_json(found: AsyncIterator[Device]) -> None:
    before = "["
    async for device in found:
        typer.echo(f"{before}\n{dump(device).decode()}", nl=False)
        before = ","
    typer.echo("[]" if before == "[" else "\n]")


async def _print_csv(found: AsyncIterator[Device]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    async for device in found:
        writer.writerow([read(device) or "" for _, read in COLUMNS.values()])


_PRINTERS = {Format.TABLE: _print_table, Format.JSON: _print_json, Format.CSV: _print_csv}
