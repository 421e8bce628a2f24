"""`thingspace fleet runs` and `thingspace fleet status`: show the runs in an inbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import attrs
import typer

from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._inboxes import DEFAULT, InboxOption, exists, opened, shown
from thingspace_async._cli._output import Columns, Output, each
from thingspace_async._cli._run import WrongUsage, run
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


@attrs.frozen
class _Run:
    """A run, as a row."""

    status: FleetStatus

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "run": self.status.run,
            "operation": self.status.operation,
            "finished": self.status.finished,
            "workers": self.status.workers,
            "devices": {state.value: count for state, count in self.status.devices.items()},
        }


_RUNS: Final[Columns[_Run]] = {
    "run": lambda one: one.status.run,
    "state": lambda one: _state(one.status),
    "devices": lambda one: f"{sum(one.status.devices.values()):,}",
    "operation": lambda one: one.status.operation,
}


def _count(state: BatchState) -> Callable[[_Run], object]:
    return lambda one: one.status.devices.get(state)


_ONE: Final[Columns[_Run]] = {
    "run": lambda one: one.status.run,
    "operation": lambda one: one.status.operation,
    "state": lambda one: _state(one.status),
    **{meaning: _count(state) for state, meaning in _MEANINGS.items()},
}


@with_groups
def list_runs(output: Output, *, inbox: InboxOption = DEFAULT) -> None:
    """List the fleet runs in an inbox."""

    async def show() -> None:
        _check(inbox)
        async with opened(inbox) as box:
            statuses = [await fleet_status(box, one.name) for one in await fleet_runs(box)]
        # A run may have been forgotten just now.
        await output.rows(each([_Run(status) for status in statuses if status is not None]), _RUNS)

    run(show)


@with_groups
def show_status(
    output: Output,
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
        output.one(_Run(status), _ONE)

    run(show)


def _check(inbox: str) -> None:
    if not exists(inbox):
        raise WrongUsage(f"--inbox {inbox} does not exist")


def _state(status: FleetStatus) -> str:
    if status.finished:
        return "finished"
    if status.workers:
        return f"in progress in {status.workers:,} process{'' if status.workers == 1 else 'es'}"
    return "unfinished"
