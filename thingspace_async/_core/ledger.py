"""The ledger of fleet runs as stores keep it: records, and the primitives over which fleet runs are written.

Stores do not know devices, requests or outcomes. For each run, a store keeps its description, its workers with their
leases, its batches, and the claimed identifiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import attrs

from thingspace_async.errors import InvalidRequest, RunLost

__all__ = [
    "BatchRecord",
    "BatchState",
    "Claim",
    "Item",
    "Joined",
    "LedgerStore",
    "Place",
    "Worker",
    "WorkerState",
    "decide_claims",
    "earlier_format",
    "run_being_forgotten",
    "run_in_progress",
    "run_lost",
]


class BatchState(StrEnum):
    """State of a batch."""

    CLAIMED = "claimed"
    """Not sent yet. Only its worker may send it."""
    SENDING = "sending"
    """About to be sent, or sent. Without a later state, it is unknown which."""
    ACCEPTED = "accepted"
    """Accepted by the platform. `detail` is the request id."""
    FINISHED = "finished"
    """Accepted, and every outcome has arrived. `detail` is the request id."""
    REFUSED = "refused"
    """Refused by the platform. `detail` is the reason."""
    UNKNOWN = "unknown"
    """Sent, but the answer is lost. `detail` is the reason."""
    NOT_SENT = "not-sent"
    """Not sent. `detail` is the reason."""


class WorkerState(StrEnum):
    """State of a worker."""

    JOINING = "joining"
    """Joining the run. The first live worker of a run prepares it in this state, while the others wait."""
    WORKING = "working"
    FINISHED = "finished"
    """All its batches are reported. It stays listed, without a lease, so that no other worker adopts them."""
    LEFT = "left"
    """It has left without finishing. It has no lease, and other workers take over its batches."""


@attrs.define
class Place:
    """A worker's position in a run. Every primitive takes one, and every answer updates it."""

    run: str
    worker: str
    """Random name of the worker. Each process that joins a run has a new one."""
    id: str = ""
    """Id of the run, which the store made when it was first joined. Empty until this worker has joined."""
    counter: int = 0
    """Highest change counter of the run that this worker has seen. A store with a lower one has lost changes."""


@attrs.frozen(kw_only=True)
class Worker:
    """A worker of a run."""

    name: str
    state: WorkerState
    alive: bool
    """Whether it has a valid lease, by the store's clock."""


@attrs.frozen(kw_only=True)
class Joined:
    """A store's answer to `lease` and `look`."""

    description: str
    """Description with which the run was first joined."""
    workers: tuple[Worker, ...]
    """Workers in the order of joining, including the caller."""
    now: datetime
    """Time of the store's clock, in UTC."""


class Claim(StrEnum):
    """Result of claiming an item."""

    NEW = "1"
    """The item was claimed now."""
    REPEAT = "0"
    """The same item was claimed before, by this run, an earlier run of this name, or another worker."""
    CLASH = "2"
    """A different item with some of the same keys was claimed before. Nothing was claimed."""


@attrs.frozen
class Item:
    """One device, in the form for stores."""

    whole: int
    """Signed 64-bit hash of all its identifiers together. For a single identifier, it equals the only key."""
    keys: tuple[int, ...]
    """Signed 64-bit hashes of its identifiers, one for each."""
    row: bytes
    """The device as JSON without line breaks, as batches keep it."""


@attrs.frozen(kw_only=True)
class BatchRecord:
    """A batch, in the form for stores."""

    key: str
    worker: str
    fence: int
    """Version number. Each change names the fence that it has seen, and adds one. With another fence, it is refused."""
    state: BatchState
    detail: str = ""
    size: int
    """Number of devices."""
    changed_at: datetime
    """Time of the last change of its state, by the store's clock."""
    rows: bytes | None = None
    """Rows of its items, one per line. None in listings."""


class LedgerStore(Protocol):
    """Keeps fleet runs.

    Each method is atomic, and durable when it returns. If its answer is lost, calling it again has the same effect.

    Methods that take a place raise RunLost if the store has lost changes: the run's id differs from the place's id, or
    the run's counter is lower than the place's counter. Exceptions are `put_back`, and `lease` and `look` with a place
    that has no id yet. Each change adds one to the run's counter, and each answer sets the place's counter.

    Methods raise InboxUnavailable if the store cannot be used, and InboxUnusable if waiting does not help.
    """

    async def lease(self, place: Place, *, description: str, state: WorkerState, seconds: float) -> Joined:
        """Join a run, renew a lease, or give it up: workers with state FINISHED or LEFT have no lease.

        If the run does not exist, it is made with the description and a new id. If it has no live worker and the caller
        is not one of its workers, it begins again: its workers are forgotten, and their batches are kept. Raises
        InvalidRequest if the run is being forgotten, or was written by an earlier version.
        """
        ...

    async def look(self, place: Place) -> Joined | None:
        """Return or raise the same as `lease`, but change nothing. None if the run does not exist."""
        ...

    async def claim(
        self, place: Place, batch: str, items: Sequence[Item], *, size: int, most: int, seconds: float
    ) -> list[Claim] | None:
        """Claim items for a batch until it has `most` items; return the results of the items that had room.

        An item is NEW if none of its keys was claimed. Then all its keys are claimed and its row is added to the batch,
        which is made with state CLAIMED and fence 1 if it does not exist. Otherwise the item is a REPEAT if its `whole`
        was claimed, or else a CLASH. Claims of earlier items in the same call count.

        `size` is the number of devices in the batch as far as the caller knows. If the batch has more, the answer to an
        earlier call was lost, and the batch has kept that answer: it is returned again. The result is None if the batch
        belongs to another worker, is no longer CLAIMED, or does not exist although `size` is not 0. The call also
        renews the caller's lease.
        """
        ...

    async def change(
        self,
        place: Place,
        batch: str,
        *,
        fence: int,
        worker: str,
        state: BatchState,
        detail: str = "",
    ) -> BatchRecord:
        """Change a batch if it has this fence, and return the present batch without rows.

        The change was made if the returned fence is one higher, and worker and state are the given ones. Raises RunLost
        if the batch does not exist or has a lower fence.
        """
        ...

    async def release(self, place: Place, batch: str, *, fence: int, keys: Sequence[int]) -> bool:
        """Remove a batch and the claims of `keys` if it has this fence, and return whether it did.

        Without such a batch, nothing is removed and the result is True, too. `keys` are the keys of all or some of its
        items, including each `whole`.
        """
        ...

    async def put_back(self, place: Place, record: BatchRecord, *, description: str, keys: Sequence[int]) -> None:
        """Write a batch that the store may have lost, from the memory of its worker, with the claims of its keys.

        A batch with the same or a higher fence stays unchanged, and so does a run that is being forgotten. Never raises
        RunLost: a missing run is made again with the place's id, and a counter lower than the place's is raised to it.
        """
        ...

    async def batches(
        self, place: Place, *, worker: str | None = None, after: str = "", limit: int = 1000
    ) -> list[BatchRecord]:
        """List batches by key, without rows: all batches, or those of one worker."""
        ...

    async def batch(self, place: Place, key: str) -> BatchRecord | None:
        """Return a batch with its rows."""
        ...

    async def forget(self, run: str) -> None:
        """Remove all data of a run.

        Raises InvalidRequest while one of its workers is alive. If a removal was interrupted, the next call completes
        it. Until then, no worker can join the run.
        """
        ...

    async def runs(self) -> list[tuple[str, str]]:
        """Return the name and the description of every run, sorted by name."""
        ...


def decide_claims(items: Sequence[Item], claimed: Iterable[int], room: int) -> tuple[list[Claim], list[Item]]:
    """Return the results of `claim` for items that a batch has room for, and the new items.

    `claimed` holds all keys of the items that were claimed before. It may hold others.
    """
    answers: list[Claim] = []
    new: list[Item] = []
    known = set(claimed)
    for item in items:
        if len(new) == room:
            break
        if item.whole in known:
            answers.append(Claim.REPEAT)
        elif known.isdisjoint(item.keys):
            known.add(item.whole)
            known.update(item.keys)
            new.append(item)
            answers.append(Claim.NEW)
        else:
            answers.append(Claim.CLASH)
    return answers, new


def run_lost(run: str) -> RunLost:
    """Make the error for a store that has lost changes of a run."""
    return RunLost(
        f"the run {run}: its inbox has lost confirmed changes, for example because it was restored from a backup: find "
        "out which requests were sent before you continue the run"
    )


def run_being_forgotten(run: str) -> InvalidRequest:
    """Make the error for joining a run whose removal has begun."""
    return InvalidRequest(
        f"the run {run} is being forgotten, or was forgotten in part: wait until forget_run has ended, or call it again"
    )


def earlier_format(run: str) -> InvalidRequest:
    """Make the error for joining a run that an earlier version has begun."""
    return InvalidRequest(
        f"the run {run} was begun by an earlier version of thingspace_async: finish it with that version, or call "
        "forget_run and start again, which sends all devices again"
    )


def run_in_progress(run: str) -> InvalidRequest:
    """Make the error for forgetting a run too early."""
    return InvalidRequest(
        f"forget_run: a worker of the run {run} is alive: wait until the run has ended, or stop it first. A crashed "
        "worker counts as alive until its lease expires"
    )
