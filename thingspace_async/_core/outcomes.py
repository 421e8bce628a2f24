"""Protocols of outcomes and inboxes for fleet runs, because rooms do not import each other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from thingspace_async._core import ledger
from thingspace_async._core.identity import name_of
from thingspace_async._core.types import Accepted, DeviceId, DeviceIds
from thingspace_async.errors import InvalidRequest

if TYPE_CHECKING:
    from thingspace_async.callbacks.messages import Message

__all__ = [
    "DeviceFault",
    "DeviceOutcome",
    "LedgerInbox",
    "OutcomeSource",
    "ReadableInbox",
    "ReceivedMessage",
    "RunInbox",
    "different_run",
    "inference_note",
]


class DeviceFault(Protocol):
    """Why a request failed for a device; see `callbacks.Fault`."""

    @property
    def code(self) -> str | None:
        """The platform's code, verbatim. Compare `short_code` instead."""
        ...

    @property
    def message(self) -> str | None:
        """The platform's message."""
        ...

    @property
    def short_code(self) -> str | None:
        """`code` without the name of the service."""
        ...


class DeviceOutcome(Protocol):
    """The outcome of a request for one device; see `callbacks.Outcome`."""

    @property
    def device(self) -> DeviceIds:
        """The device, with the identifiers of the caller's request."""
        ...

    @property
    def asked_for(self) -> bool:
        """Whether the device is one of those that the caller waits for."""
        ...

    @property
    def inferred(self) -> bool:
        """Whether the message does not name the device, which was the last one without an outcome."""
        ...

    @property
    def message(self) -> Message:
        """The platform's message."""
        ...

    @property
    def received_at(self) -> datetime:
        """When the message was received."""
        ...

    @property
    def status(self) -> str | None:
        """The platform's status."""
        ...

    @property
    def fault(self) -> DeviceFault | None:
        """Why the request failed for this device, or None if it did not fail."""
        ...

    @property
    def failed(self) -> bool:
        """Whether the request failed for this device."""
        ...

    @property
    def final(self) -> bool:
        """Whether this is the result, and not an intermediate status."""
        ...

    def raise_for_fault(self) -> None:
        """Raise DeviceFailed if the request failed for this device."""
        ...


def inference_note(outcome: DeviceOutcome) -> str:
    """Return a note for the reason of an inferred failure, or an empty string if the message names the device."""
    if not outcome.inferred:
        return ""
    named = name_of(DeviceIds(device_ids=outcome.message.device_ids))
    return f"; the message is about {named}, and the device was inferred as the last one without an outcome"


def different_run(run: str, description: str, first: str) -> InvalidRequest:
    """Make the error for a run that was first begun with another description. Descriptions begin with the operation."""
    operation, begun = description.partition(" ")[0], first.partition(" ")[0]
    how = "with other options, or on another platform" if begun == operation else f"as {begun}"
    return InvalidRequest(
        f"{operation}: the run {run} was begun {how}: continue it as it began, or use another name, which sends all "
        "devices"
    )


class ReceivedMessage(Protocol):
    """A stored message; see `callbacks.Received`."""

    @property
    def number(self) -> int:
        """Number of the message in its inbox."""
        ...

    @property
    def message(self) -> Message:
        """The message."""
        ...

    @property
    def received_at(self) -> datetime:
        """When the message was stored."""
        ...


R_co = TypeVar("R_co", bound=ReceivedMessage, covariant=True)


class LedgerInbox(Protocol):
    """The part of `callbacks.Inbox` that keeps runs."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether messages can be stored and read."""

    @property
    @abstractmethod
    def ledger(self) -> ledger.LedgerStore:
        """The state of runs."""


class ReadableInbox(LedgerInbox, Protocol[R_co]):
    """The part of `callbacks.Inbox` that fleet runs use. `R_co` is the class of its messages."""

    @abstractmethod
    def read(
        self,
        *,
        request_id: str | None = None,
        service: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: Any = None,
    ) -> AsyncIterator[R_co]:
        """Iterate over stored messages, oldest first. `since` is inclusive, `until` exclusive.

        `after` is a message that an equal iteration has returned, to continue it.
        """

    @abstractmethod
    def follow(self, request_id: str) -> AsyncGenerator[R_co]:
        """Iterate over the stored messages of a request, and then over new ones as they arrive, without an end.

        Each follower of a request gets each of its messages once.
        """


RunInbox: TypeAlias = ReadableInbox[ReceivedMessage]


class OutcomeSource(Protocol):
    """Reads outcomes from an inbox; see `callbacks.Outcomes`."""

    @property
    def inbox(self) -> RunInbox:
        """The inbox with the messages and the ledger."""
        ...

    def of(self, accepted: Accepted, *, timeout: timedelta) -> AsyncGenerator[DeviceOutcome]:
        """Iterate over the outcomes of a request; raises OutcomesMissing after `timeout`."""
        ...

    def stream(
        self, accepted: Accepted, *, after: int | None = None, timeout: timedelta | None = None
    ) -> AsyncGenerator[ReceivedMessage]:
        """Iterate over the messages of a request; raises OutcomesMissing after `timeout` without a message."""
        ...

    def named_in(self, message: Message) -> Sequence[tuple[tuple[DeviceId, ...], ...]]:
        """Return the identifiers of each device in a message: those of the request, then those of the platform."""
        ...

    def outcome_of(self, device: DeviceIds, received: Any) -> DeviceOutcome:
        """Return the outcome of a device from a message about it."""
        ...
