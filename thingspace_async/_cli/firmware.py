"""`thingspace firmware`: upgrade the firmware of devices, and follow campaigns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from thingspace_async import Session
from thingspace_async._cli import _inboxes
from thingspace_async._cli._access import Access
from thingspace_async._cli._cells import harmless
from thingspace_async._cli._files import check_writable, replaced
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output, each
from thingspace_async._cli._printing import note, printing
from thingspace_async._cli._run import FAILED, SOME_FAILED, WrongUsage, confirm, run
from thingspace_async.callbacks import Outcomes
from thingspace_async.software import (
    Campaign,
    CampaignRequest,
    CampaignStatus,
    DeviceStatus,
    FirmwarePackage,
    TimeWindow,
)

__all__ = ["app"]

app = typer.Typer(help="The firmware of devices (software management v3).", no_args_is_help=True, add_completion=False)

ResultsOption = Annotated[
    Path | None, typer.Option(help="CSV file for the last status of each device. Only its owner can read it.")
]
EveryOption = Annotated[float, typer.Option(help="Seconds between two polls, while devices change.", min=0.01)]

_PACKAGES: Final[Columns[FirmwarePackage]] = {
    "firmware": lambda package: package.firmware_name,
    "make": lambda package: package.make,
    "model": lambda package: package.model,
    "from": lambda package: package.firmware_from,
    "to": lambda package: package.firmware_to,
}

_CAMPAIGNS: Final[Columns[Campaign]] = {
    "id": lambda campaign: campaign.id,
    "status": lambda campaign: campaign.status,
    "start": lambda campaign: campaign.start_date,
    "end": lambda campaign: campaign.end_date,
    "name": lambda campaign: campaign.campaign_name,
    "firmware": lambda campaign: campaign.firmware_name,
}

_DEVICES: Final[Columns[DeviceStatus]] = {
    "imei": lambda device: device.device_id,
    "status": lambda device: device.status,
    "reason": lambda device: device.result_reason,
}

_LATEST: Final = 10
"""Devices in the live table."""
_HOURS: Final = r"(\d\d?)-(\d\d?)"
_SECONDS: Final = 60.0


@app.callback()
def firmware() -> None:
    """List firmware and campaigns, upgrade devices, and follow a campaign."""


@app.command("list", epilog="Example: thingspace firmware list --account 0000123456-00001")
@with_groups
def list_firmware(
    access: Access,
    output: Output,
    *,
    protocol: Annotated[str, typer.Option(help="LWM2M, OMD-DM or all.")] = "all",
) -> None:
    """Print the firmware that the account may use."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            await output.rows(each(await session.software.firmware.list(account, protocol=protocol)), _PACKAGES)

    run(work)


@app.command(epilog="Example: thingspace firmware campaigns --status CampaignScheduled")
@with_groups
def campaigns(
    access: Access,
    output: Output,
    *,
    status: Annotated[str | None, typer.Option(help="For example CampaignScheduled; by default all.")] = None,
) -> None:
    """Print the campaigns of the account."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session, aclosing(_listed(session, account, status)) as found:
            await output.rows(found, _CAMPAIGNS)

    run(work)


@app.command(epilog="Example: thingspace firmware follow 60b5d639-ccdc-4db8-8824-069bd94c95bf --results results.csv")
@with_groups
def follow(
    access: Access,
    output: Output,
    *,
    campaign_id: Annotated[str, typer.Argument(help="Id of the campaign, as `campaigns` prints it.")],
    results: ResultsOption = None,
    every: EveryOption = _SECONDS,
) -> None:
    """Show the devices of a campaign until it ends. The exit status is 4 if a device was not upgraded."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            changes = session.software.campaigns.follow(account, campaign_id, check_every=timedelta(seconds=every))
            await _show(changes, results, output)

    run(work)


@app.command(
    epilog="Example: thingspace firmware upgrade --name spring --firmware VZM20Q_1.1 --from imeis.csv "
    "--start 2026-12-01 --end 2026-12-14 --hours 1-5"
)
@with_groups
def upgrade(
    access: Access,
    output: Output,
    *,
    name: Annotated[str, typer.Option(help="Name of the campaign. The same command continues it.")],
    firmware_name: Annotated[str, typer.Option("--firmware", help="Name of the firmware, as `list` prints it.")],
    devices: Annotated[
        Path, typer.Option("--from", help="File with an IMEI of 15 digits on each line. Other columns are ignored.")
    ],
    start: Annotated[str, typer.Option(help="First day, such as 2026-01-31. All days are in UTC.")],
    end: Annotated[str, typer.Option(help="Last day.")],
    hours: Annotated[list[str] | None, typer.Option(help="Hours of each day, such as 1-5; by default all day.")] = None,
    inbox: _inboxes.InboxOption = _inboxes.DEFAULT,
    results: ResultsOption = None,
    every: EveryOption = _SECONDS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Find out what stands in the way, and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Scripts need it.")] = False,
) -> None:
    """Upgrade devices: assign licenses, schedule a campaign once, and show its devices until it ends.

    Licenses and upgrades are billed. If the command is stopped, the campaign goes on, and the same command shows it
    again. The exit status is 4 if a device was not upgraded.
    """

    async def work() -> None:
        output.check(_DEVICES)
        account, imeis = access.required_account, _imeis(devices)
        async with access.session() as session:
            package = await _package(session, account, firmware_name)
            request = CampaignRequest(
                campaign_name=name,
                firmware_name=firmware_name,
                firmware_from=package.firmware_from or "",
                firmware_to=package.firmware_to or "",
                protocol=package.protocol,
                start_date=_day("--start", start),
                end_date=_day("--end", end),
                time_windows=[_window(one) for one in hours or ()],
                devices=imeis,
            )
            plan = await session.software.upgrade(account, request, dry_run=True)
            for what, found in _obstacles(plan.in_campaigns, plan.other_versions, plan.ineligible, plan.unknown):
                typer.echo(f"{len(found):,} {what}, such as {found[0]}", err=True)
            note(f"{len(imeis):,} devices, {len(plan.unlicensed):,} of them without a license")
            if dry_run:
                raise typer.Exit(0 if plan.ready else FAILED)
            if not yes and plan.campaign_id is None:
                await confirm(f"Upgrade {len(imeis):,} devices to {request.firmware_to}? Upgrades are billed.")
            async with _inboxes.opened(inbox) as kept:
                seconds = timedelta(seconds=every)
                changes = session.software.upgrade(
                    account, request, Outcomes(kept), check_every=seconds, on_scheduled=_print_id
                )
                await _show(changes, results, output)

    run(work)


async def _listed(session: Session, account: str, status: str | None) -> AsyncGenerator[Campaign]:
    """Yield the campaigns with a status, or all."""
    for wanted in [status] if status is not None else list(CampaignStatus):
        async with aclosing(session.software.campaigns.list(account, wanted)) as found:
            async for one in found:
                yield one


def _print_id(campaign_id: str) -> None:
    note(f"campaign {campaign_id}")


async def _package(session: Session, account: str, name: str) -> FirmwarePackage:
    for one in await session.software.firmware.list(account, protocol="all"):
        if one.firmware_name == name:
            return one
    raise WrongUsage(f"--firmware {name} is not in the list of the account: see `thingspace firmware list`")


def _obstacles(
    in_campaigns: Iterable[str], versions: Iterable[str], ineligible: Iterable[str], unknown: Iterable[str]
) -> Iterator[tuple[str, list[str]]]:
    """Yield each obstacle that some devices have."""
    every = {
        "devices are in another campaign": in_campaigns,
        "devices have another version": versions,
        "devices cannot be upgraded over the air": ineligible,
        "devices are not in the account": unknown,
    }
    yield from ((what, list(found)) for what, found in every.items() if found)


def _imeis(path: Path) -> list[str]:
    """Read the IMEIs of a file: the first cell of each line with 15 digits."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUsage(f"--from {path} cannot be read: {error}") from None
    found = [next((cell.strip() for cell in row if re.fullmatch(r"\s*[0-9]{15}\s*", cell)), None) for row in rows]
    bad = [number for number, (row, imei) in enumerate(zip(rows, found, strict=True), 1) if row and imei is None]
    if bad[1:] or (bad and bad != [1]):  # The first line may have the names of columns.
        raise WrongUsage(f"--from {path} has no IMEI of 15 digits on line {bad[-1]}: correct it, or remove it")
    imeis = [imei for imei in found if imei is not None]
    if not imeis:
        raise WrongUsage(f"--from {path} has no devices")
    return imeis


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongUsage(f"{option} must be a date such as 2026-01-31, not {text!r}") from None


def _window(text: str) -> TimeWindow:
    if (match := re.fullmatch(_HOURS, text)) is None:
        raise WrongUsage(f"--hours must be two hours such as 1-5, not {text!r}")
    return TimeWindow(start_time=int(match[1]), end_time=int(match[2]))


# The live table, and the results


async def _show(changes: AsyncGenerator[DeviceStatus], results: Path | None, output: Output) -> None:
    """Show the devices as they change, and print their last statuses at the end."""
    last: dict[str, DeviceStatus] = {}
    console = Console(stderr=True)
    live = Live(console=console, refresh_per_second=4) if console.is_terminal and not printing.quiet else nullcontext()
    with _written(results, last.values), live as table:
        async with aclosing(changes) as found:
            async for device in found:
                last.pop(device.device_id, None)  # The latest change is the last one.
                last[device.device_id] = device
                if table is not None:
                    table.update(_table(last))
    await output.rows(each(last.values()), _DEVICES)
    failed = sum(not one.succeeded for one in last.values())
    note(f"{len(last) - failed:,} devices were upgraded, {failed:,} were not")
    if failed:
        raise typer.Exit(SOME_FAILED)


def _table(last: dict[str, DeviceStatus]) -> Table:
    counts = Counter(str(one.status) for one in last.values())
    table = Table(title=", ".join(f"{count:,} {status}" for status, count in sorted(counts.items())))
    for column in ("IMEI", "status", "reason"):
        table.add_column(column)
    for one in list(last.values())[-_LATEST:]:
        table.add_row(one.device_id, str(one.status), one.result_reason or "")
    return table


@contextmanager
def _written(path: Path | None, devices: Callable[[], Iterable[DeviceStatus]]) -> Iterator[None]:
    """Write the statuses of devices at the end of the block, even after an error. The file appears as a whole."""
    if path is None:
        yield
        return
    check_writable("--results", path)
    try:
        yield
    finally:
        with replaced(path) as file:
            writer = csv.writer(file)
            writer.writerow(["imei", "status", "reason", "written at"])
            now = datetime.now(UTC).isoformat(timespec="seconds")
            for one in devices():
                writer.writerow(harmless([one.device_id, str(one.status), one.result_reason, now]))
