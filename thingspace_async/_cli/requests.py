"""`thingspace requests`: the status of requests whose result arrives later."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Annotated, Final

import typer

from thingspace_async import Accepted
from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._inboxes import DEFAULT, InboxOption
from thingspace_async._cli._output import Columns, Output
from thingspace_async._cli._results import Results, Shown, existing, printed
from thingspace_async._cli._run import SOME_FAILED, WrongUsage, run
from thingspace_async._core.types import DeviceIds
from thingspace_async.accounts import AsynchronousRequestResult
from thingspace_async.callbacks import Outcomes, Received

__all__ = ["app"]

app = typer.Typer(help="Requests whose result arrives later.", no_args_is_help=True, add_completion=False)

_COLUMNS: Final[Columns[AsynchronousRequestResult]] = {
    "request id": lambda result: result.request_id,
    "status": lambda result: result.status,
}

_IdArgument = Annotated[str, typer.Argument(help="The request id.", show_default=False)]


@app.callback()
def requests() -> None:
    """Read the status of an activation, deactivation, suspension or restoration of a single device."""


@app.command(
    "status",
    epilog="Example: thingspace requests status 2c90bd28-e969-4d3c-a3b4-0d5c3f6f2a11 --account 0000123456-00001",
)
@with_groups
def show_status(access: Access, output: Output, *, request_id: _IdArgument) -> None:
    """Print the status of a request. The exit status is 4 if the request has failed."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            result = await session.accounts.request_status(account, request_id)
        _show(output, result)

    run(work)


@app.command(
    "wait",
    epilog="Example: thingspace requests wait 2c90bd28-e969-4d3c-a3b4-0d5c3f6f2a11 --account 0000123456-00001",
)
@with_groups
def wait(
    access: Access,
    output: Output,
    results: Results,
    *,
    request_id: _IdArgument,
    devices: Annotated[
        int | None, typer.Option(min=1, help="Wait in the inbox, for the outcomes of this number of devices.")
    ] = None,
) -> None:
    """Wait until the platform has finished a request, and print its status. The exit status is 4 if it has failed.

    With --devices, the outcome of each device is printed as it arrives in the inbox, which needs no credentials.
    """

    async def work() -> None:
        accepted = Accepted(request_id=request_id)
        if devices is not None:
            await _wait_for_outcomes(output, results, accepted, devices)
            return
        account = access.required_account
        async with access.session() as session:
            result = await session.accounts.wait(account, accepted, timeout=timedelta(minutes=results.minutes))
        _show(output, result)

    run(work)


@app.command("follow", epilog="Example: thingspace requests follow 2c90bd28-e969-4d3c-a3b4-0d5c3f6f2a11 --limit 2")
@with_groups
def follow(
    output: Output,
    *,
    request_id: _IdArgument,
    inbox: InboxOption = DEFAULT,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this number of messages.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.001, max=1440, help="Stop if no message has arrived for so long.")
    ] = None,
) -> None:
    """Print the messages of a request, stored and new ones, until interrupted.

    The exit status is 4 if one of them reports a failure. The command reads the inbox of a `thingspace receiver`, and
    needs no credentials.
    """

    async def work() -> None:
        within = None if minutes is None else timedelta(minutes=minutes)
        async with existing(inbox) as held:
            messages = Outcomes(held).stream(Accepted(request_id=request_id), timeout=within)
            await printed(output, _shown(messages, limit))

    run(work)


async def _shown(messages: AsyncGenerator[Received], most: int | None) -> AsyncGenerator[Shown]:
    """Yield the first messages as rows."""
    async with aclosing(messages) as found:
        count = 0
        async for received in found:
            yield Shown(device=DeviceIds(device_ids=received.message.device_ids), received=received)
            count += 1
            if count == most:
                return


async def _wait_for_outcomes(output: Output, results: Results, accepted: Accepted, count: int) -> None:
    if results.inbox is None:
        raise WrongUsage("--devices needs an inbox: name it with --inbox, or set THINGSPACE_INBOX")
    async with results.opened(output) as inbox:
        await results.show(output, accepted, inbox, count=count)


def _show(output: Output, result: AsynchronousRequestResult) -> None:
    output.one(result, _COLUMNS)
    if result.failed:
        raise typer.Exit(SOME_FAILED)
