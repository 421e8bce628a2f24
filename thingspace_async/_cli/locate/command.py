"""The command: read the devices, say what is billed, ask, locate, and write."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import orjson
import typer
from rich.console import Console

from thingspace_async import Session
from thingspace_async._cli._access import Access
from thingspace_async._cli._files import check_writable, replaced
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._inboxes import DEFAULT, InboxOption, exists, opened, shown
from thingspace_async._cli._printing import note
from thingspace_async._cli._progress import bar
from thingspace_async._cli._run import SOME_FAILED, WrongUsage, confirm, run
from thingspace_async._cli.devices import check_state
from thingspace_async._cli.locate.outputs import as_geojson, columns_of, write_csv
from thingspace_async._cli.locate.page import check_library, map_page
from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.devices import Device
from thingspace_async.devices.fleet import fleet_status
from thingspace_async.errors import ConfigurationError, InvalidRequest
from thingspace_async.location import LocatedDevice, LocationProgress

__all__ = ["locate"]

_OUTPUTS: Final = "Results"
_CHECK_EVERY: Final = timedelta(seconds=1)
"""The first pause between two polls of a report. It grows to six seconds."""


@attrs.frozen(kw_only=True)
class _Options:
    html: Annotated[
        Path | None,
        typer.Option(help="The map to write: one page that works offline.", rich_help_panel=_OUTPUTS),
    ] = None
    geojson: Annotated[Path | None, typer.Option(help="The GeoJSON file to write.", rich_help_panel=_OUTPUTS)] = None
    csv: Annotated[
        Path | None,
        typer.Option(help="The CSV file to write.", show_default="stdout, without --html", rich_help_panel=_OUTPUTS),
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array instead of CSV.", rich_help_panel=_OUTPUTS)
    ] = False
    state: Annotated[str, typer.Option(help="Locate the devices in this state.")] = "active"
    cached: Annotated[
        bool, typer.Option("--cached", help="Take known locations only, which are free. Asks nothing.")
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the devices, say what may be billed, and locate nothing.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Scripts need it.")] = False
    inbox: InboxOption = DEFAULT
    name: Annotated[
        str | None,
        typer.Option(
            "--run",
            help="The run's name: until it has ended, no device is billed twice under one name.",
            show_default="locate and the account",
        ),
    ] = None


@with_groups
def locate(*, access: Access, options: _Options) -> None:
    """Locate the devices of an account. Current locations are billed. An interrupted command continues."""
    run(lambda: _carry_out(options, access))


@attrs.frozen(kw_only=True)
class _Job:
    options: _Options
    account: str
    run: str


async def _carry_out(options: _Options, access: Access) -> None:
    """Check everything, ask, locate, and write."""
    account, environment = access.required_account, access.place
    job = _Job(options=options, account=account, run=f"locate {account}" if options.name is None else options.name)
    _check(job)
    async with AsyncExitStack() as stack:
        needs_inbox = not options.cached and not (options.dry_run and not exists(options.inbox))
        inbox = await stack.enter_async_context(opened(options.inbox)) if needs_inbox else None
        continues = inbox is not None and await _continues(inbox, job)
        session = await stack.enter_async_context(access.session())
        await check_state(session, account, options.state)
        devices = await _devices(session, job)
        if not options.cached:
            question = await _question(session, job, len(devices), continues=continues)
            if options.dry_run:
                typer.echo(f"Dry run, nothing was located: {question} on {environment.name}.")
                return
            if not options.yes:
                await confirm(f"{question} on {environment.name}?")
        elif options.dry_run:
            typer.echo(f"Dry run, nothing was located: {len(devices):,} known locations, which are free.")
            return
        found = await _locate(session, inbox, devices, job)
        await asyncio.to_thread(_write, found, job)
        if inbox is not None:
            await _forget(inbox, job.run)
    counts = Counter(columns_of(one)["location"] for one in found)
    summary = ", ".join(f"{count:,} {location}" for location, count in sorted(counts.items()))
    note(f"{len(found):,} devices: {summary or 'none'}")
    if counts["not located"] and not options.cached:
        raise typer.Exit(SOME_FAILED)


def _check(job: _Job) -> None:
    """Check options that typer cannot, before anything is billed."""
    options = job.options
    if not job.run.strip():
        raise WrongUsage("--run is empty: name the run, or leave the option out")
    outputs = {"--html": options.html, "--geojson": options.geojson, "--csv": options.csv}
    given = {option: path for option, path in outputs.items() if path is not None}
    for option, path in given.items():
        check_writable(option, path)
    if len({path.resolve() for path in given.values()}) < len(given):
        raise WrongUsage(f"{' and '.join(given)} must be different files")
    if options.html is not None:
        check_library()


async def _continues(inbox: BaseInbox, job: _Job) -> bool:
    """Return whether the run was interrupted. Refuse to share it, because each process would write a part only."""
    before = await fleet_status(inbox, job.run)
    if before is None:
        return False
    if before.workers:
        raise ConfigurationError(
            f"another process is working on the run {job.run!r} in {shown(job.options.inbox)}: wait for it, "
            "or choose another name with --run"
        )
    return True


async def _devices(session: Session, job: _Job) -> list[Device]:
    """Return the devices that can be located. The platform needs a phone number and another identifier."""
    listed = session.devices.list(account_name=job.account, current_state=job.options.state)
    async with aclosing(listed):
        devices = [device async for device in listed]
    named = [one for one in devices if one.mdn and any(known.kind.casefold() != "mdn" for known in one.device_ids)]
    if left_out := len(devices) - len(named):
        note(f"{left_out:,} devices without a phone number or another identifier are left out.")
    return named


async def _question(session: Session, job: _Job, count: int, *, continues: bool) -> str:
    subscription = await session.location.subscription(job.account)
    used, bought = subscription.used_allowance, subscription.max_allowance
    note(
        "Known locations are free. A current location is requested and billed for each device without a known one: "
        f"{count:,} at most. This month, {used or 'an unknown number'} of {bought or 'an unknown number'} were used."
    )
    if continues:
        note(f"The run {job.run!r} continues: no device is billed twice.")
    return f"Locate {count:,} devices of account {job.account}"


async def _locate(
    session: Session, inbox: BaseInbox | None, devices: Sequence[Device], job: _Job
) -> list[LocatedDevice]:
    run_options: dict[str, Any] = {} if inbox is None else {"inbox": inbox, "run": job.run}
    try:
        with bar(Console(stderr=True, highlight=False), _rest) as show:
            located = session.location.locate_all(
                job.account,
                devices,
                current=not job.options.cached,
                check_every=_CHECK_EVERY,
                on_progress=show,
                **run_options,
            )
            async with aclosing(located):
                return [one async for one in located]
    except BaseException:
        if inbox is not None:
            note("The run is not finished. The same command continues it, and no device is billed twice.")
        raise


def _rest(now: LocationProgress) -> str:
    """Describe the counts next to the bar."""
    counts = {"known": now.cached, "not located": now.failed, "waiting": now.waiting}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def _write(found: Sequence[LocatedDevice], job: _Job) -> None:
    options = job.options
    if options.csv is not None:
        with replaced(options.csv) as file:
            write_csv(file, found)
    if options.geojson is not None:
        with replaced(options.geojson) as file:
            file.write(as_geojson(found))
    if options.html is not None:
        with replaced(options.html) as file:
            file.write(map_page(f"Devices of account {job.account}", found))
    if options.as_json:
        typer.echo(orjson.dumps([columns_of(one) for one in found], option=orjson.OPT_APPEND_NEWLINE), nl=False)
    elif not any((options.csv, options.geojson, options.html)):
        write_csv(sys.stdout, found)


async def _forget(inbox: BaseInbox, name: str) -> None:
    """Forget the run: its results are written, and the next command locates the devices again."""
    try:
        await inbox.forget_run(name)
    except InvalidRequest as error:  # Another process has joined in the meantime.
        note(f"The run {name!r} is kept: {error}")
