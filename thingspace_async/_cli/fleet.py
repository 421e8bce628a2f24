"""`thingspace fleet`: do something to any number of devices, and go on where it was stopped."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from thingspace_async import Credentials, DeviceId, DeviceIds, Session
from thingspace_async._cli._run import EnvironmentOption, checked_account, environment_named, listening, run
from thingspace_async.callbacks import CallbackService, Outcomes, SqliteInbox
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.devices import FleetOutcome, FleetResult
from thingspace_async.errors import ConfigurationError, InvalidRequest

__all__ = ["fleet"]

_HARDWARE: Final = ("imei", "iccid", "eid", "meid", "esn")
_KINDS: Final = (*_HARDWARE, "mdn", "msisdn", "imsi", "min")


class Action(StrEnum):
    """What to do to the devices."""

    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RESTORE = "restore"
    DEACTIVATE = "deactivate"
    PLAN = "plan"


def fleet(
    *,
    action: Annotated[Action, typer.Argument(help="`plan` changes the service plan.")],
    account: Annotated[str, typer.Option(help="Account name.")],
    source: Annotated[
        Path, typer.Option("--from", help="A CSV file whose heading line names kinds of identifiers, such as imei.")
    ],
    results: Annotated[
        Path | None, typer.Option(help="The CSV file to write, of all devices; beside the other one without it.")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="The code of a service plan, for activate and plan.")] = None,
    zip_code: Annotated[str | None, typer.Option(help="Where devices will mostly be used, for activate.")] = None,
    inbox: Annotated[
        Path, typer.Option(help="The file of `thingspace receiver`; what was sent is noted in it, too.")
    ] = Path("thingspace-messages.db"),
    name: Annotated[
        str | None, typer.Option("--run", help="Under one name nothing is sent twice; action and file without it.")
    ] = None,
    hours: Annotated[
        float, typer.Option(min=0, max=8760, help="How long to wait for the outcomes of a request.")
    ] = 1.0,
    base_url: Annotated[
        str | None, typer.Option(help="Where the platform reaches --port, to receive messages without a receiver.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="With --base-url; 0 takes any free one.")] = 9001,
    environment: EnvironmentOption = "production",
) -> None:
    """Change any number of devices; interrupted, the same command goes on where it was.

    What became of each is written to a CSV file. The exit status is 0 when all of them succeeded.
    """
    counts: Counter[FleetResult] = Counter()
    began = datetime.now(UTC)

    async def change() -> None:
        earlier = 0
        options = _options(action, checked_account(account), plan, zip_code)
        devices = await asyncio.to_thread(_DevicesFile, source, hardware=action is Action.ACTIVATE)
        written, run_name = results or source.with_suffix(".results.csv"), name or f"{action} {source.stem}"
        if written.resolve() == source.resolve():
            raise ConfigurationError("--results would overwrite what --from names: choose another file")
        console = Console(stderr=True, highlight=False)
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(SqliteInbox(inbox))
            session = await stack.enter_async_context(
                Session(Credentials.from_environment(), environment=environment_named(environment))
            )
            if base_url is not None:
                receiver = Receiver(opened)
                with listening("127.0.0.1", port):
                    await stack.enter_async_context(serve(receiver, port=port))
                await stack.enter_async_context(
                    session.listen(account, receiver, base_url=base_url, services=[CallbackService.CARRIER])
                )
            call: Callable[..., AsyncGenerator[FleetOutcome]] = getattr(session.devices, _CALLS[action])
            with _bar(console) as show, _results(written, devices.kinds) as write:
                outcomes = call(
                    devices,
                    Outcomes(opened),
                    run=run_name,
                    timeout=timedelta(hours=hours),
                    on_progress=show,
                    **options,
                )
                try:
                    async with aclosing(outcomes) as coming:
                        async for outcome in coming:
                            counts[outcome.result] += 1
                            earlier += outcome.outcome is not None and outcome.outcome.received_at < began
                            write(outcome)
                except asyncio.CancelledError:
                    console.print("Interrupted. The same command goes on where it was.")
                    raise
        if earlier:
            typer.echo(f"{earlier:,} outcomes are of earlier runs of this name; another --run does it again", err=True)
        said = ", ".join(f"{count:,} {result}" for result, count in sorted(counts.items()))
        typer.echo(f"{run_name}: {said or 'no devices'}; see {written}")

    run(change)
    if counts.total() != counts[FleetResult.SUCCEEDED]:
        raise typer.Exit(1)


_CALLS: Final = {
    Action.ACTIVATE: "activate_all",
    Action.SUSPEND: "suspend_all",
    Action.RESTORE: "restore_all",
    Action.DEACTIVATE: "deactivate_all",
    Action.PLAN: "change_plan_all",
}


def _options(action: Action, account: str | None, plan: str | None, zip_code: str | None) -> dict[str, Any]:
    """Return what the call of an action is given beside the devices."""
    wanted = {"--plan": action in (Action.ACTIVATE, Action.PLAN), "--zip-code": action is Action.ACTIVATE}
    for option, given in (("--plan", plan), ("--zip-code", zip_code)):
        if wanted[option] and given is None:
            raise ConfigurationError(f"{action} needs {option}")
        if given is not None and not wanted[option]:
            raise ConfigurationError(f"{option} does not go with {action}")
    options = {"account_name": account, "service_plan": plan, "mdn_zip_code": zip_code}
    if action is Action.DEACTIVATE:
        options["reason_code"] = "FF"  # The only one that the platform takes (protocol.md 4.2).
    return {name: value for name, value in options.items() if value is not None}


class _DevicesFile:
    """The devices of a CSV file, read through once to count them, and line by line when they are walked."""

    def __init__(self, path: Path, *, hardware: bool) -> None:
        self._path = path
        self._all = hardware
        self.kinds: tuple[str, ...] = ()
        self._count = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[DeviceIds]:
        try:
            # Spreadsheets write a byte order mark.
            with self._path.open(encoding="utf-8-sig", newline="") as lines:
                yield from self._read(lines)
        except OSError as error:
            raise ConfigurationError(f"--from {self._path} cannot be read: {error.strerror}") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise ConfigurationError(f"--from {self._path} is no CSV file in UTF-8: {error}") from None

    def _read(self, lines: IO[str]) -> Iterator[DeviceIds]:
        rows = csv.DictReader(lines)
        columns = {name.strip().casefold(): name for name in rows.fieldnames or ()}
        # Requests but those that activate name a device by one identifier (protocol.md 4.2).
        self.kinds = tuple(kind for kind in (_HARDWARE if self._all else _KINDS) if kind in columns)
        if not self.kinds:
            raise InvalidRequest(f"--from {self._path} needs a heading line with columns such as imei and iccid")
        for row in rows:
            cells = [(kind, (row[columns[kind]] or "").strip()) for kind in self.kinds]
            ids = [DeviceId(kind=kind, id=cell) for kind, cell in cells if cell]
            if ids:
                yield DeviceIds(device_ids=tuple(ids if self._all else ids[:1]))
            elif any(row.values()):
                raise InvalidRequest(f"--from {self._path}: line {rows.line_num} names no device")


@contextmanager
def _results(path: Path, kinds: Sequence[str]) -> Iterator[Callable[[FleetOutcome], None]]:
    """Write a CSV file with a line for each outcome; a run that goes on has those of the runs before it, too."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
        except OSError as error:
            raise ConfigurationError(f"--results {path} cannot be written: {error.strerror}") from None
        writer = csv.writer(file)
        writer.writerow([*kinds, "result", "request id", "code", "reason"])

        def write(outcome: FleetOutcome) -> None:
            fault = None if outcome.outcome is None else outcome.outcome.fault
            ids = [outcome.device.identifier(kind) for kind in kinds]
            code = None if fault is None else fault.code
            writer.writerow([*ids, outcome.result, outcome.request_id, code, outcome.reason])

        yield write


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[int, int, int, int | None], None]]:
    """Show a progress bar."""
    columns = (
        TextColumn("devices"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]:,} failed, {task.fields[waiting]:,} waiting"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("devices", total=None, failed=0, waiting=0)

        def show(done: int, failed: int, waiting: int, total: int | None) -> None:
            progress.update(task, completed=done, failed=failed, waiting=waiting, total=total)

        yield show
