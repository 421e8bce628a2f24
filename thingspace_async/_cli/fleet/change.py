"""The commands that change devices: check, ask, send, and write the outcomes."""

from __future__ import annotations

import asyncio
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson
import typer
from rich.console import Console

from thingspace_async import Session, SuspiciousIdentifier
from thingspace_async._cli._access import Access
from thingspace_async._cli._changes import number
from thingspace_async._cli._inboxes import exists, opened, shown
from thingspace_async._cli._printing import note
from thingspace_async._cli._progress import bar, rest_of_fleet
from thingspace_async._cli._run import NOTHING_DONE, SOME_FAILED, WrongUsage, confirm, listening, run
from thingspace_async._cli.fleet.options import Action, Options
from thingspace_async._cli.fleet.results import ResultsFile
from thingspace_async._cli.fleet.source import DevicesFile
from thingspace_async._core.joining import when_usable
from thingspace_async._core.ledger import BatchState
from thingspace_async.callbacks.inbox import BaseInbox, MemoryInbox
from thingspace_async.callbacks.models import CallbackService
from thingspace_async.callbacks.outcomes import Outcomes
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.devices.fleet import FleetResult, FleetStatus, fleet_status
from thingspace_async.devices.fleet.plan import Action as Request
from thingspace_async.errors import ConfigurationError, InboxUnavailable, InvalidRequest, ListenersTaken

__all__ = ["change"]

_LINES_SHOWN: Final = 20

_NEVER_SENT: Final = (BatchState.CLAIMED, BatchState.NOT_SENT)


def change(action: Action, options: Options, access: Access) -> None:
    """Carry out a command that changes devices."""
    warnings.simplefilter("ignore", SuspiciousIdentifier)  # `_report` counts them.
    run(lambda: _Change(action, options, access).carry_out())


class _Change:
    """One execution of a command."""

    def __init__(self, action: Action, options: Options, access: Access) -> None:
        self._action = action
        self._options = options
        self._access = access
        self._account, self._environment = access.required_account, access.place
        self._of_requests = options.of_requests(self._account)
        self._run = options.run if options.run is not None else f"{action.name} {options.source.stem}"
        self._devices = DevicesFile(options.source, activates=action.activates)

    async def carry_out(self) -> None:
        """Check everything, ask, and send. Raises typer.Exit for a status other than 0."""
        options = self._options
        retry = _checked(options)
        await asyncio.to_thread(self._devices.read)
        results = ResultsFile(options.results or options.source.with_suffix(".results.csv"), self._devices)
        _report(self._devices, skip_bad=options.skip_bad)
        if not self._devices:
            typer.echo("thingspace: the file has no devices to send", err=True)
            raise typer.Exit(NOTHING_DONE)
        async with AsyncExitStack() as stack:
            # A dry run must not create the file, and opening would.
            place = MemoryInbox() if options.dry_run and not exists(options.inbox) else opened(options.inbox)
            inbox = await stack.enter_async_context(place)
            patience = timedelta(hours=options.give_up_hours).total_seconds()
            before = await when_usable(lambda: fleet_status(inbox, self._run), inbox, patience, _show_wait)
            self._check(before)
            session = await stack.enter_async_context(self._access.session())
            has_listener = options.base_url is not None or await _has_listener(session, self._account)
            what = self._action.question.format(f"{len(self._devices):,} devices of account {self._account}")
            if options.dry_run:
                self._print(f"Dry run, nothing was sent: {what} on {self._environment.name}.")
                return
            if not options.yes and (self._action.asks or not has_listener or (options.again and before is not None)):
                await confirm(f"{what} on {self._environment.name}?")
            with results:
                counts = await self._send(session, inbox, results, retry)
        summary = ", ".join(f"{count:,} {result}" for result, count in sorted(counts.items()))
        self._print(f"{self._run}: {summary or 'no outcomes'}; see {results.path}", counts, results.path)
        if counts.total() != counts[FleetResult.SUCCEEDED]:
            raise typer.Exit(SOME_FAILED)

    def _print(self, text: str, counts: Mapping[FleetResult, int] | None = None, path: Path | None = None) -> None:
        """Print the result of the run. A dry run has no counts."""
        if not self._options.as_json:
            typer.echo(text)
            return
        about = {
            "run": self._run,
            "account": self._account,
            "devices": len(self._devices),
            "results": None if counts is None else {result.value: count for result, count in counts.items()},
            "file": None if path is None else str(path),
        }
        typer.echo(orjson.dumps(about).decode())

    def _check(self, before: FleetStatus | None) -> None:
        """Report an earlier part of the run. Raises typer.Exit if the run is finished."""
        options = self._options
        if before is None:
            if options.retry is not None:
                raise WrongUsage(f"no run {self._run!r} in {shown(options.inbox)}: leave out --retry")
            return
        request = Request(self._action.operation, self._of_requests)
        if before.description != request.description(self._environment):
            different = (
                "another account, platform or other options"
                if before.operation == self._action.operation.name
                else before.operation
            )
            raise WrongUsage(f"the run {self._run!r} is for {different}: choose another name with --run")
        total = sum(before.devices.values())
        if before.workers:
            if options.again or options.retry is not None:
                raise ConfigurationError(
                    f"another process is working on the run {self._run!r}: wait for it before --again or --retry"
                )
            note(f"Another process is working on the run {self._run!r}: this one joins it.")
        elif options.again or options.retry is not None:
            return
        elif before.finished:
            typer.echo(
                f"thingspace: the run {self._run!r} is finished, and nothing was sent: its {total:,} devices were sent "
                "before. Pass --again to send all devices again, --retry failed to send some of them again, "
                "or --run NAME to start another run",
                err=True,
            )
            raise typer.Exit(NOTHING_DONE)
        else:
            sent = total - sum(before.devices.get(state, 0) for state in _NEVER_SENT)
            note(f"The run {self._run!r} continues: {sent:,} devices were sent before, and are not sent again.")

    async def _send(
        self, session: Session, inbox: BaseInbox, results: ResultsFile, retry: list[FleetResult]
    ) -> Counter[FleetResult]:
        """Send, and write an outcome for each device."""
        options = self._options
        counts: Counter[FleetResult] = Counter()
        try:
            async with AsyncExitStack() as stack:
                if options.base_url is not None:
                    await self._receive(stack, session, inbox, options.base_url)
                if options.again:
                    await inbox.forget_run(self._run)
                show = stack.enter_context(bar(Console(stderr=True, highlight=False), rest_of_fleet))
                outcomes = getattr(session.devices, self._action.call)(
                    self._devices,
                    Outcomes(inbox),
                    run=self._run,
                    timeout=timedelta(hours=options.hours),
                    give_up_after=timedelta(hours=options.give_up_hours),
                    retry=retry,
                    on_progress=show,
                    **self._of_requests,
                )
                async for outcome in await stack.enter_async_context(aclosing(outcomes)):
                    counts[outcome.result] += 1
                    results.write(outcome)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                without = " without --again" if options.again else " without --retry" if retry else ""
                note(f"Interrupted. The same command{without} continues the run.")
            if counts:
                note(f"The results so far are in {results.part}")
            raise
        return counts

    async def _receive(self, stack: AsyncExitStack, session: Session, inbox: BaseInbox, base_url: str) -> None:
        """Register for the outcomes until the stack is closed; serve the receiver too, unless another process does."""
        options = self._options
        receiver = Receiver(inbox)
        if not options.no_serve:
            with listening("127.0.0.1", options.port):
                await stack.enter_async_context(serve(receiver, port=options.port))
        try:
            await stack.enter_async_context(
                session.listen(
                    self._account,
                    receiver,
                    base_url=base_url,
                    services=[CallbackService.CARRIER],
                    replace=options.replace,
                    restore=not options.no_serve,  # Another process goes on answering.
                )
            )
        except ListenersTaken as error:
            urls = ", ".join(error.urls.values())
            raise ConfigurationError(
                f"outcomes of account {self._account} go to {urls}: leave out --base-url if that receiver shares the "
                "inbox, or pass --replace"
            ) from None


def _checked(options: Options) -> list[FleetResult]:
    """Check options that typer cannot; return the results to send again."""
    if options.run is not None and not options.run.strip():
        raise WrongUsage("--run is empty: name the run, or leave the option out")
    if options.base_url is None and (options.replace or options.no_serve):
        raise WrongUsage("--replace and --no-serve go with --base-url")
    if options.retry is None:
        return []
    if options.again:
        raise WrongUsage("--again sends all devices again, and --retry some of them: choose one")
    names = [name.strip().casefold() for name in options.retry.split(",")]
    known = (FleetResult.FAILED, FleetResult.MISSING, FleetResult.UNKNOWN)
    if not set(names) <= set(known):
        raise WrongUsage(f"--retry takes {', '.join(known)}, separated by commas, not {options.retry!r}")
    return [FleetResult(name) for name in names]


def _show_wait(error: InboxUnavailable) -> None:
    note(f"The run waits until its inbox can be used: {error}")


def _report(devices: DevicesFile, *, skip_bad: bool) -> None:
    """Describe the devices of a file; raise InvalidRequest for bad rows that may not be left out."""
    for row in devices.bad[:_LINES_SHOWN]:
        typer.echo(f"{devices.path}, line {row.line}: {row.fault}", err=True)
    if len(devices.bad) > _LINES_SHOWN:
        typer.echo(f"{devices.path}: {len(devices.bad) - _LINES_SHOWN:,} more bad rows", err=True)
    if devices.bad and not skip_bad:
        raise InvalidRequest(
            f"nothing was sent: {devices.path} has {number(len(devices.bad), 'bad row')}. Correct the file, "
            "or pass --skip-bad to send the other devices"
        )
    parts = [number(len(devices), "device")]
    if devices.bad:
        parts.append(f"{number(len(devices.bad), 'bad row')} left out")
    if devices.repeats:
        parts.append(f"{number(devices.repeats, 'repeated row')} left out")
    note(f"{devices.path}: {', '.join(parts)}")
    if devices.suspicious:
        note(
            f"{devices.path}: {number(len(devices.suspicious), 'IMEI')} with a wrong check digit, "
            f"the first in line {devices.suspicious[0]}: look for typos"
        )


async def _has_listener(session: Session, account: str) -> bool:
    """Return whether the platform has a listener to send outcomes to; warn if it has none."""
    service = CallbackService.CARRIER
    if any(one.service_name == service for one in await session.callbacks.list(account)):
        return True
    note(
        f"No listener is registered for {service.value} of account {account}: no outcome will arrive. "
        "Pass --base-url to register one"
    )
    return False
