"""`thingspace devices`: print the devices of an account, for people or for other programs."""

from __future__ import annotations

import csv
import sys
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Annotated

import typer

from thingspace_async import Credentials, Session
from thingspace_async._cli._cells import harmless
from thingspace_async._cli._run import EnvironmentOption, checked_account, environment_named, run
from thingspace_async._core.codec import dump
from thingspace_async.devices import AccountDeviceListRequest, Device

__all__ = ["COLUMNS", "app"]

app = typer.Typer(help="The devices of an account.", no_args_is_help=True)


class Format(StrEnum):
    """Output formats."""

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
    account: Annotated[str | None, typer.Option(help="Account name; by default all accounts of the user.")] = None,
    state: Annotated[str | None, typer.Option(help="For example active, suspend or deactive.")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="json prints one array; csv begins with a line of column names.")
    ] = Format.TABLE,
    environment: EnvironmentOption = "production",
) -> None:
    """Print any number of devices as they arrive."""

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
        writer.writerow(harmless(read(device) for _, read in COLUMNS.values()))


_PRINTERS = {Format.TABLE: _print_table, Format.JSON: _print_json, Format.CSV: _print_csv}
