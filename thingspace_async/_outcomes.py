"""What a run over a fleet needs of outcomes and of their inbox: no room imports another."""

from __future__ import annotations

import base64
import uuid
import zlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

import attrs
import orjson

from thingspace_async._types import Accepted, DeviceId, DeviceIds
from thingspace_async.errors import InvalidRequest

if TYPE_CHECKING:
    from thingspace_async.callbacks.messages import Message

__all__ = [
    "Batch",
    "DeviceFault",
    "DeviceOutcome",
    "LedgerStore",
    "OutcomeSource",
    "Part",
    "SharedRuns",
    "State",
    "begun_otherwise",
    "from_rows",
    "packed",
    "runs_under_way",
    "to_rows",
    "under_way",
    "unpacked",
]

runs_under_way: Final[set[tuple[int, str]]] = set()
"""Those of one worker, by the inbox and the name. Of other processes nothing is known."""


class DeviceFault(Protocol):
    """Why the platform failed at a request for a device, as `callbacks.Fault` tells it."""

    @property
    def code(self) -> str | None:
        """Verbatim; `short_code` is what to compare."""
        ...

    @property
    def message(self) -> str | None:
        """The platform's words."""
        ...

    @property
    def short_code(self) -> str | None:
        """`code` without the name of the service."""
        ...


class DeviceOutcome(Protocol):
    """What became of a request for one of its devices, as `callbacks.Outcome` tells it."""

    @property
    def device(self) -> DeviceIds:
        """As the caller named it."""
        ...

    @property
    def asked_for(self) -> bool:
        """Whether it is one of the devices that are waited for."""
        ...

    @property
    def message(self) -> Message:
        """All that the platform told."""
        ...

    @property
    def received_at(self) -> datetime:
        """When its message came."""
        ...

    @property
    def status(self) -> str | None:
        """The status in the platform's words."""
        ...

    @property
    def fault(self) -> DeviceFault | None:
        """Why the platform failed at the request for this device, where it did."""
        ...

    @property
    def failed(self) -> bool:
        """Whether the platform failed at the request for this device."""
        ...

    @property
    def final(self) -> bool:
        """Whether it is the result, and not word of what is under way still."""
        ...

    def raise_for_fault(self) -> None:
        """Raise DeviceFailed where the platform failed at the request for this device."""
        ...


class LedgerStore(Protocol):
    """Keeps what is noted of runs, as `callbacks.Inbox` does."""

    async def record(self, run: str, entries: Mapping[str, str]) -> None:
        """Note something by its key for a run, all of it or nothing, durably; what a key had before is replaced."""
        ...

    async def recorded(self, run: str) -> dict[str, str]:
        """Return all that was noted for a run."""
        ...


class State(StrEnum):
    """How far a batch of devices has come."""

    CLAIMED = "claimed"
    """To be sent by its worker, and by nobody else."""
    SENDING = "sending"
    """About to be sent, or sent: without a later state, nobody knows."""
    ACCEPTED = "accepted"
    FINISHED = "finished"
    """Accepted, and all outcomes have come."""
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT = "not-sent"


@attrs.frozen(kw_only=True)
class Batch:
    """The devices of one request."""

    devices: tuple[DeviceIds, ...] = ()
    key: str = attrs.field(factory=lambda: uuid.uuid4().hex)
    """Its own even where two processes share a run by mistake: neither overwrites what the other has noted."""
    state: State = State.CLAIMED
    detail: str = ""
    """The request's id, or why there is none."""


class Part(Protocol):
    """What one worker does of a run. What cannot be noted raises InboxUnavailable."""

    async def claim(
        self, batch: Batch, devices: tuple[DeviceIds, ...], most: int
    ) -> tuple[Batch, tuple[DeviceIds, ...]]:
        """Add devices to a batch that is to be sent, up to so many, less those that the run has met.

        Returns the batch and the devices that it had no room for. The batch is a new one where the other was taken
        over, this worker having been taken for dead.
        """
        ...

    async def begin(self, batch: Batch) -> bool:
        """Note that a batch is about to be sent; it must not be where this says no, for another worker has it."""
        ...

    async def note(self, batch: Batch, state: State, detail: str = "") -> bool:
        """Note what became of a batch, and say whether it is still this worker's to tell of."""
        ...

    async def adopt(self) -> Batch | None:
        """Take over a batch whose worker has left, died, or ended in an earlier run; None where there is none now."""
        ...

    async def others_at_work(self, *, finished: bool) -> bool:
        """Say whether other workers may still leave batches to adopt.

        `finished` once this one has claimed all that it was given, and has told of all that it has claimed or adopted.
        """
        ...


class SharedRuns(Protocol):
    """Where runs are divided among their workers."""

    def join(self, run: str, began_as: str) -> AbstractAsyncContextManager[Part]:
        """Take part in a run; raises InvalidRequest, of `begun_otherwise`, for one that began as something else."""
        ...


def begun_otherwise(run: str, began_as: str, first: str) -> InvalidRequest:
    """Make the error for another run's name; both texts begin with the operation, and go on with its particulars."""
    operation, begun = began_as.partition(" ")[0], first.partition(" ")[0]
    how = "with other options, or on another platform" if begun == operation else f"as {begun}"
    return InvalidRequest(
        f"{operation}: the run {run} was begun {how}: go on as it began, or give another name, "
        "under which all devices are sent"
    )


def under_way(run: str, *, crashed: str = "") -> InvalidRequest:
    """Make the error for forgetting a run too early."""
    return InvalidRequest(f"forget_run: the run {run} is under way: let it end, or leave it first{crashed}")


def to_rows(devices: Iterable[DeviceIds]) -> bytes:
    """Write devices as JSON, [[address, kind, id, kind, id, ...], ...]."""
    return orjson.dumps(
        [[device.ip_address, *(part for one in device.device_ids for part in (one.kind, one.id))] for device in devices]
    )


def from_rows(rows: bytes | str) -> tuple[DeviceIds, ...]:
    """Read what `to_rows` has written."""
    return tuple(
        DeviceIds(
            device_ids=tuple(
                DeviceId(kind=kind, id=identifier) for kind, identifier in zip(parts[::2], parts[1::2], strict=True)
            ),
            ip_address=address,
        )
        for address, *parts in orjson.loads(rows)
    )


def packed(devices: Iterable[DeviceIds]) -> str:
    """Write devices, compressed: the next run reads a million at once."""
    return base64.b64encode(zlib.compress(to_rows(devices), level=1)).decode()


def unpacked(text: bytes | str) -> tuple[DeviceIds, ...]:
    """Read what `packed` has written."""
    return from_rows(zlib.decompress(base64.b64decode(text)))


class OutcomeSource(Protocol):
    """Where outcomes come from, as `callbacks.Outcomes` has them."""

    @property
    def inbox(self) -> LedgerStore:
        """Where messages are kept, and the ledger with them: its `runs`, SharedRuns, where it has them."""
        ...

    def of(
        self, accepted: Accepted, *, devices: tuple[DeviceIds, ...], timeout: timedelta
    ) -> AsyncGenerator[DeviceOutcome]:
        """Walk the outcomes of a request; raises OutcomesMissing when the time is over."""
        ...
