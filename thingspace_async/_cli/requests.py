"""`thingspace requests`: the status of requests whose result arrives later."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

import typer

from thingspace_async import Accepted
from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output
from thingspace_async._cli._run import run
from thingspace_async.accounts import AsynchronousRequestResult

__all__ = ["app"]

app = typer.Typer(help="Requests whose result arrives later.", no_args_is_help=True, add_completion=False)

_COLUMNS: Final[Columns[AsynchronousRequestResult]] = {
    "request id": lambda result: result.request_id,
    "status": lambda result: result.status,
}

_IdArgument = Annotated[str, typer.Argument(help="The request id.", show_default=False)]

_SOME_FAILED: Final = 4


@app.callback()
def requests() -> None:
    """Read the status of an activation, deactivation, suspension or restoration of a single device."""


@app.command("status")
@with_groups
def show_status(access: Access, output: Output, *, request_id: _IdArgument) -> None:
    """Print the status of a request. The exit status is 4 if the request has failed."""

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            result = await session.accounts.request_status(account, request_id)
        _show(output, result)

    run(work)


@app.command("wait")
@with_groups
def wait(
    access: Access,
    output: Output,
    *,
    request_id: _IdArgument,
    minutes: Annotated[float, typer.Option(min=0.01, max=1440, help="How long to wait.")] = 60.0,
) -> None:
    """Wait until the platform has finished a request, and print its status. The exit status is 4 if it has failed."""

    async def work() -> None:
        account, accepted = access.required_account, Accepted(request_id=request_id)
        async with access.session() as session:
            result = await session.accounts.wait(account, accepted, timeout=timedelta(minutes=minutes))
        _show(output, result)

    run(work)


def _show(output: Output, result: AsynchronousRequestResult) -> None:
    output.one(result, _COLUMNS)
    if result.failed:
        raise typer.Exit(_SOME_FAILED)
