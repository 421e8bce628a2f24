"""The command: read the usage of the devices, and write it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer
from rich.console import Console

from thingspace_async import Session
from thingspace_async._cli._access import Access
from thingspace_async._cli._changes import number
from thingspace_async._cli._file_output import FileOutput
from thingspace_async._cli._files import check_writable, replaced
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import each
from thingspace_async._cli._printing import note
from thingspace_async._cli._progress import bar
from thingspace_async._cli._run import SOME_FAILED, WrongUsage, run
from thingspace_async._cli.devices import check_state
from thingspace_async._cli.usage.chart import Bar, chart_of, chart_page, print_chart
from thingspace_async._cli.usage.job import Job, opened_job
from thingspace_async._cli.usage.span import Days, Span
from thingspace_async._cli.usage.views import By, Row, View, view_of
from thingspace_async.devices import AccountDeviceListRequest, Device, UsageProgress
from thingspace_async.errors import ConfigurationError

__all__ = ["usage"]

_PAGE: Final = 500
"""Devices in a page. The walk holds two pages, and larger ones would need most of the command's memory."""

_LONGEST: Final = 31
"""Days that an allowance is compared with at most, because it is for a month."""


@attrs.frozen(kw_only=True)
class _Options:
    access: Access
    span: Span
    output: FileOutput
    state: str
    by: By
    view: View
    over_plan: bool
    plot: bool
    html: Path | None
    concurrency: int
    requests_per_minute: float | None

    @property
    def progress(self) -> Path | None:
        """The file that keeps the progress."""
        file = self.output.output or self.html
        return None if file is None else file.with_name(f"{file.name}.progress")

    @property
    def name(self) -> str:
        """The options that a continued command shares with the earlier one."""
        account = self.access.optional_account or "all accounts"
        return f"usage of {self.span.name}, {account}, state {self.state}, {self.access.place.name}"

    @property
    def title(self) -> str:
        """The title of a chart."""
        data = "Data above the allowance of the plan" if self.over_plan else "Data"
        return f"{data} by {self.by}, {self.span.name}"


@with_groups
def usage(
    access: Access,
    days: Days,
    output: FileOutput,
    *,
    state: Annotated[str, typer.Option(help="Read the devices in this state.")] = "active",
    by: Annotated[By, typer.Option(help="What a row is about.")] = By.DEVICE,
    over_plan: Annotated[
        bool,
        typer.Option("--over-plan", help="Only devices that have used more than their service plan includes."),
    ] = False,
    plot: Annotated[bool, typer.Option("--plot", help="Draw bars in the terminal.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="The page with a chart to write. It works offline.", show_default=False)
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="Devices to read at once.")] = 10,
    requests_per_minute: Annotated[
        float | None, typer.Option(min=0.1, help="Start at most this number of requests in a minute.")
    ] = None,
) -> None:
    """Read the usage of devices in a month, or between two days. 1 MB is 1,000,000 bytes.

    With --output or --html, an interrupted command continues.

    Example: thingspace usage --month 2026-11 --over-plan --plot
    """

    async def work() -> None:
        view = view_of(by, over_plan=over_plan)
        if view is None:
            raise WrongUsage(f"--over-plan is about devices: leave --by {by} out")
        options = _Options(
            access=access,
            span=days.span,
            output=output,
            state=state,
            by=by,
            view=view,
            over_plan=over_plan,
            plot=plot,
            html=html,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
        )
        _check(options)
        await _carry_out(options)

    run(work)


def _check(options: _Options) -> None:
    """Check options that typer cannot, before a request is sent."""
    options.output.check(options.view.columns)
    if options.html is not None:
        check_writable("--html", options.html)
        if options.output.output is not None and options.html.resolve() == options.output.output.resolve():
            raise WrongUsage("--html and --output must be different files")
    if options.over_plan and options.span.days > _LONGEST:
        raise WrongUsage(
            f"an allowance is for a month: with --over-plan, name at most {_LONGEST} days, not {options.span.days}"
        )


async def _carry_out(options: _Options) -> None:
    session = options.access.session(requests_per_minute=options.requests_per_minute)
    with opened_job(options.progress, options.name) as job:
        try:
            async with session:
                await _read(session, job, options)
        except BaseException:
            job.save()
            if options.progress is not None and not job.number("SELECT count(*) FROM device"):
                options.progress.unlink()  # It would stop a command with other options, and has nothing to continue.
            raise
        job.save()
        summary = _summary(job, options)
        await _write(job, options, summary)
        failed = job.number("SELECT count(*) FROM device WHERE error IS NOT NULL")
        if not failed and options.progress is not None:
            options.progress.unlink()
    note(summary)
    if failed:
        again = "" if options.progress is None else ": the same command reads only these again"
        typer.echo(f"{number(failed, 'device')} could not be read{again}", err=True)
        raise typer.Exit(SOME_FAILED)


async def _read(session: Session, job: Job, options: _Options) -> None:
    """Read the devices whose usage the job does not have."""
    console = Console(stderr=True, highlight=False)
    try:
        with bar(console, _rest) as show:
            found = session.devices.usage.of(
                _devices(session, job, options),
                start=options.span.start,
                end=options.span.end,
                concurrency=options.concurrency,
                on_progress=show,
            )
            async with aclosing(found):
                async for one in found:
                    if isinstance(one.device, Device):
                        job.add(one, one.device)
    except BaseException:
        if options.progress is not None:
            note("The usage is not complete. The same command continues.")
        raise


async def _devices(session: Session, job: Job, options: _Options) -> AsyncGenerator[Device]:
    """Yield the devices that are left. Before the first device of an account, read the account's plans if needed."""
    account = options.access.optional_account
    wanted = AccountDeviceListRequest(account_name=account, current_state=options.state, max_number_of_devices=_PAGE)
    await check_state(session, account, options.state)
    known = set[str]()
    async with aclosing(session.devices.list(wanted)) as listed:
        async for device in listed:
            if not device.device_ids:
                raise ConfigurationError("the platform listed a device without identifiers: choose another --state")
            if options.over_plan and device.account_name is not None and device.account_name not in known:
                known.add(device.account_name)
                job.add_plans(device.account_name, await session.accounts.service_plans(device.account_name))
            if not job.has(device):
                yield device


def _rest(now: UsageProgress) -> str:
    return f"{now.failed:,} failed" if now.failed else ""


def _summary(job: Job, options: _Options) -> str:
    """Return the totals of all devices."""
    count, total = job.number("SELECT count(*) FROM device"), job.number("SELECT sum(bytes) FROM device")
    summary = f"{number(count, 'device')}, {total / 1e6:,.3f} MB (1 MB is 1,000,000 bytes)"
    if not options.over_plan:
        return summary
    above, without = job.number("SELECT count(*) FROM above"), job.number("SELECT count(*) FROM without")
    rest = f"; {number(without, 'device')} without a known allowance left out" if without else ""
    return f"{summary}; {number(above, 'device')} above their plan's allowance{rest}"


async def _write(job: Job, options: _Options, summary: str) -> None:
    """Write the files, and print the chart. Without any of them, print the rows."""
    view = options.view

    def rows() -> Iterator[Row]:
        return map(Row, job.rows(view.query))

    if options.output.output is not None or not (options.plot or options.html):
        await options.output.rows(each(rows()), view.columns, view.kinds)
    if options.plot or options.html is not None:
        chart = chart_of(Bar(view.name_of(row), view.megabytes_of(row)) for row in rows())
        if options.html is not None:
            with replaced(options.html) as file:
                file.write(chart_page(options.title, summary, chart))
        if options.plot:
            print_chart(options.title, chart)
