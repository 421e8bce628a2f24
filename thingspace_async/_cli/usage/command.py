"""The command: read the usage of the devices, and write it."""

from __future__ import annotations

import csv
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TextIO

import attrs
import orjson
import typer
from rich.console import Console

from thingspace_async import Session
from thingspace_async._cli._access import Access
from thingspace_async._cli._cells import harmless
from thingspace_async._cli._files import check_writable, replaced
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._printing import note
from thingspace_async._cli._progress import bar
from thingspace_async._cli._run import SOME_FAILED, run
from thingspace_async._cli.usage.job import Job, opened_job
from thingspace_async.devices import AccountDeviceListRequest, Device, UsageProgress
from thingspace_async.devices.usage.many import span_of
from thingspace_async.errors import ConfigurationError

__all__ = ["usage"]

_PAGE: Final = 500
"""Devices in a page. The walk holds two pages, and larger ones would need most of the command's memory."""


class By(StrEnum):
    """The subject of a row."""

    DEVICE = "device"
    DAY = "day"
    GROUP = "group"


class _Form(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


_QUERIES: Final = {
    By.DEVICE: (
        ("imei", "iccid", "mdn", "service plan", "groups", "bytes", "MB", "sms", "error"),
        """SELECT imei, iccid, mdn, plan, grouped, bytes, round(bytes / 1e6, 3), sms, error FROM device
        ORDER BY bytes DESC, key""",
    ),
    By.DAY: (
        ("day", "devices", "bytes", "MB", "sms"),
        "SELECT day, devices, bytes, round(bytes / 1e6, 3), sms FROM day ORDER BY day",
    ),
    By.GROUP: (
        ("groups", "devices", "bytes", "MB", "sms"),
        """SELECT grouped, count(*), sum(bytes), round(sum(bytes) / 1e6, 3), sum(sms) FROM device WHERE error IS NULL
        GROUP BY grouped ORDER BY sum(bytes) DESC, grouped""",
    ),
}


@attrs.frozen(kw_only=True)
class _Options:
    access: Access
    month: str
    state: str
    by: By
    form: _Form
    output: Path | None
    concurrency: int
    requests_per_minute: float | None

    @property
    def progress(self) -> Path | None:
        """The file that keeps the progress."""
        return None if self.output is None else self.output.with_name(f"{self.output.name}.progress")

    @property
    def name(self) -> str:
        """The options that a continued command shares with the earlier one."""
        account = self.access.optional_account or "all accounts"
        return f"usage of {self.month}, {account}, state {self.state}, {self.access.place.name}"


@with_groups
def usage(
    access: Access,
    *,
    month: Annotated[str, typer.Option(help="The month, in UTC, such as 2026-11.", show_default=False)],
    state: Annotated[str, typer.Option(help="Read the devices in this state.")] = "active",
    by: Annotated[By, typer.Option(help="What a row is about.")] = By.DEVICE,
    form: Annotated[_Form, typer.Option("--format", help="Output format.")] = _Form.CSV,
    output: Annotated[
        Path | None,
        typer.Option(help="The file to write. An interrupted command needs it to continue.", show_default="stdout"),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="Devices to read at once.")] = 10,
    requests_per_minute: Annotated[
        float | None, typer.Option(min=0.1, help="Start at most this number of requests in a minute.")
    ] = None,
) -> None:
    """Read the usage of devices in a month. An interrupted command continues. 1 MB is 1,000,000 bytes."""
    options = _Options(
        access=access,
        month=month,
        state=state,
        by=by,
        form=form,
        output=output,
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
    )
    run(lambda: _carry_out(options))


async def _carry_out(options: _Options) -> None:
    span_of(options.month, None, None)
    if options.output is not None:
        check_writable("--output", options.output)
    session = options.access.session(requests_per_minute=options.requests_per_minute)
    with opened_job(options.progress, options.name) as job:
        try:
            async with session:
                await _read(session, job, options)
        finally:
            job.save()
        _write(job, options)
        count, total = job.number("SELECT count(*) FROM device"), job.number("SELECT sum(bytes) FROM device")
        failed = job.number("SELECT count(*) FROM device WHERE error IS NOT NULL")
        if not failed and options.progress is not None:
            options.progress.unlink()
    note(f"{count:,} devices, {total / 1e6:,.3f} MB (1 MB is 1,000,000 bytes)")
    if failed:
        again = "" if options.output is None else ": the same command reads only these again"
        typer.echo(f"{failed:,} devices could not be read{again}", err=True)
        raise typer.Exit(SOME_FAILED)


async def _read(session: Session, job: Job, options: _Options) -> None:
    """Read the devices whose usage the job does not have."""
    console = Console(stderr=True, highlight=False)
    try:
        with bar(console, _rest) as show:
            found = session.devices.usage.of(
                _devices(session, job, options),
                month=options.month,
                concurrency=options.concurrency,
                on_progress=show,
            )
            async with aclosing(found):
                async for one in found:
                    if isinstance(one.device, Device):
                        job.add(one, one.device)
    except BaseException:
        if options.output is not None:
            note("The usage is not complete. The same command continues.")
        raise


async def _devices(session: Session, job: Job, options: _Options) -> AsyncGenerator[Device]:
    """Yield the devices that are left."""
    account = options.access.optional_account
    wanted = AccountDeviceListRequest(account_name=account, current_state=options.state, max_number_of_devices=_PAGE)
    async with aclosing(session.devices.list(wanted)) as listed:
        async for device in listed:
            if not device.device_ids:
                raise ConfigurationError("the platform listed a device without identifiers: choose another --state")
            if not job.has(device):
                yield device


def _rest(now: UsageProgress) -> str:
    return f"{now.failed:,} failed" if now.failed else ""


def _write(job: Job, options: _Options) -> None:
    names, query = _QUERIES[options.by]
    if options.output is None:
        _write_rows(sys.stdout, names, job.rows(query), options.form)
        return
    with replaced(options.output) as file:
        _write_rows(file, names, job.rows(query), options.form)


def _write_rows(
    file: TextIO, names: tuple[str, ...], rows: Iterator[tuple[str | int | None, ...]], form: _Form
) -> None:
    if form is _Form.JSONL:
        file.writelines(f"{orjson.dumps(dict(zip(names, row, strict=True))).decode()}\n" for row in rows)
        return
    writer = csv.writer(file)
    writer.writerow(names)
    for row in rows:
        writer.writerow(harmless("" if cell is None else str(cell) for cell in row))
