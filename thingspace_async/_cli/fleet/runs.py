"""`thingspace fleet runs` and `thingspace fleet status`: show the runs in an inbox."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from thingspace_async._cli._inboxes import DEFAULT, InboxOption, exists, opened, shown
from thingspace_async._cli._run import run
from thingspace_async._core.ledger import BatchState
from thingspace_async.devices.fleet import FleetStatus, fleet_runs, fleet_status
from thingspace_async.errors import ConfigurationError

__all__ = ["list_runs", "show_status"]

_MEANINGS: Final = {
    BatchState.CLAIMED: "to be sent",
    BatchState.SENDING: "sent, with no answer yet",
    BatchState.ACCEPTED: "accepted, with outcomes missing",
    BatchState.FINISHED: "accepted, and every outcome has come",
    BatchState.REFUSED: "refused by the platform",
    BatchState.UNKNOWN: "sent, and the answer is lost",
    BatchState.NOT_SENT: "not sent",
}


def list_runs(*, inbox: InboxOption = DEFAULT) -> None:
    """List the fleet runs in an inbox."""

    async def show() -> None:
        _check(inbox)
        async with opened(inbox) as box:
            rows = [("run", "state", "devices", "operation")]
            for one in await fleet_runs(box):
                status = await fleet_status(box, one.name)
                if status is not None:  # It may have been forgotten just now.
                    rows.append((one.name, _state(status), f"{sum(status.devices.values()):,}", one.operation))
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        for row in rows:
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    run(show)


def show_status(
    *,
    name: Annotated[str, typer.Argument(metavar="RUN", help="The run's name, as `thingspace fleet runs` lists it.")],
    inbox: InboxOption = DEFAULT,
) -> None:
    """Show how far a fleet run has come."""

    async def show() -> None:
        _check(inbox)
        async with opened(inbox) as box:
            status = await fleet_status(box, name)
        if status is None:
            raise ConfigurationError(f"no run {name!r} in {shown(inbox)}: `thingspace fleet runs` lists the known runs")
        typer.echo(f"{name}: {status.operation}, {_state(status)}")
        for state, meaning in _MEANINGS.items():
            if count := status.devices.get(state, 0):
                typer.echo(f"{count:>10,} {meaning}")

    run(show)


def _check(inbox: str) -> None:
    if not exists(inbox):
        raise ConfigurationError(f"--inbox {inbox} does not exist")


def _state(status: FleetStatus) -> str:
    if status.finished:
        return "finished"
    if status.workers:
        return f"in progress in {status.workers:,} process{'' if status.workers == 1 else 'es'}"
    return "unfinished"
