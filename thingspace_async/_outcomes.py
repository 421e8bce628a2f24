"""What a run over a fleet needs of outcomes and of their inbox: no room imports another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from thingspace_async._types import Accepted, DeviceIds

if TYPE_CHECKING:
    from thingspace_async.callbacks.messages import Message

__all__ = ["DeviceFault", "DeviceOutcome", "LedgerStore", "OutcomeSource"]


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


class OutcomeSource(Protocol):
    """Where outcomes come from, as `callbacks.Outcomes` has them."""

    @property
    def inbox(self) -> LedgerStore:
        """Where messages are kept, and the ledger with them."""
        ...

    def of(
        self, accepted: Accepted, *, devices: tuple[DeviceIds, ...], timeout: timedelta
    ) -> AsyncGenerator[DeviceOutcome]:
        """Walk the outcomes of a request; raises OutcomesMissing when the time is over."""
        ...
