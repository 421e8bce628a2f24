"""Fleet runs in an inbox, and their status."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from typing import Final

import attrs

from thingspace_async._core.ledger import BatchState, Joined, Place, WorkerState
from thingspace_async._core.outcomes import RunInbox

__all__ = ["FleetRunInfo", "FleetStatus", "fleet_runs", "fleet_status"]

_PAGE: Final = 1000

_UNFINISHED: Final = frozenset({BatchState.CLAIMED, BatchState.SENDING, BatchState.ACCEPTED, BatchState.NOT_SENT})


@attrs.frozen(kw_only=True)
class FleetRunInfo:
    """A fleet run in an inbox."""

    name: str
    operation: str
    """Name of its requests, such as `devices.suspend`."""


@attrs.frozen(kw_only=True)
class FleetStatus:
    """Status of a fleet run."""

    run: str
    operation: str
    """Name of its requests, such as `devices.suspend`."""
    description: str
    """The operation, and a digest of the platform and of all options that its requests share, such as the account."""
    workers: int
    """Live workers. A crashed worker counts until its lease has expired."""
    batches: Mapping[BatchState, int]
    """Number of batches in each state."""
    devices: Mapping[BatchState, int]
    """Number of devices in these batches."""
    finished: bool
    """Whether the run has finished: a worker has read all devices, no worker is alive, and every valid device has an
    outcome or is unknown."""


async def fleet_runs(inbox: RunInbox) -> list[FleetRunInfo]:
    """Return the fleet runs in an inbox, sorted by name."""
    found = await inbox.ledger.runs()
    return [FleetRunInfo(name=name, operation=description.partition(" ")[0]) for name, description in found]


async def fleet_status(inbox: RunInbox, run: str) -> FleetStatus | None:
    """Return the status of a run, or None if the inbox does not have it.

    Raises InvalidRequest for a run that is being forgotten, or was begun by an earlier version.
    """
    place = Place(run=run, worker=secrets.token_hex(8))
    joined = await inbox.ledger.look(place)
    if joined is None:
        return None
    batches: Counter[BatchState] = Counter()
    devices: Counter[BatchState] = Counter()
    after = ""
    while page := await inbox.ledger.batches(place, after=after, limit=_PAGE):
        for record in page:
            batches[record.state] += 1
            devices[record.state] += record.size
        after = page[-1].key
    return FleetStatus(
        run=run,
        operation=joined.description.partition(" ")[0],
        description=joined.description,
        workers=sum(worker.alive for worker in joined.workers),
        batches=dict(batches),
        devices=dict(devices),
        finished=_is_over(joined) and _UNFINISHED.isdisjoint(batches),
    )


def _is_over(joined: Joined) -> bool:
    return any(worker.state is WorkerState.FINISHED for worker in joined.workers) and not any(
        worker.alive for worker in joined.workers
    )
