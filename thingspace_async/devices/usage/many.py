"""Options and results of `devices.usage.of`."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias, TypedDict

import attrs

from thingspace_async._core.types import DeviceId, Identified
from thingspace_async.devices.usage.models import UsageRecord
from thingspace_async.errors import CallError, InvalidRequest

__all__ = ["UsageOfDevice", "UsageOptions", "UsageProgress", "span_of"]

UsageDevices: TypeAlias = Iterable[DeviceId | Identified] | AsyncIterable[DeviceId | Identified]
"""Devices to read the usage of, as a plain or an async iterable."""

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@attrs.frozen(kw_only=True)
class UsageOfDevice:
    """The usage of one device, or the error that its request ended with."""

    device: DeviceId | Identified
    """The device, as it was passed."""
    days: tuple[UsageRecord, ...] = ()
    """Its usage by day, oldest first."""
    error: CallError | None = None

    @property
    def failed(self) -> bool:
        """Whether the usage could not be read."""
        return self.error is not None

    @property
    def bytes_used(self) -> int:
        """The bytes of all days."""
        return sum(day.bytes_used or 0 for day in self.days)

    @property
    def sms_used(self) -> int:
        """The messages of all days."""
        return sum(day.sms_used or 0 for day in self.days)


@attrs.frozen(kw_only=True)
class UsageProgress:
    """Progress in devices."""

    done: int = 0
    """Devices that were returned, including failed ones."""
    failed: int = 0
    """Devices whose usage could not be read."""
    total: int | None = None
    """Number of devices that were passed, or None if unknown."""


class UsageOptions(TypedDict, total=False):
    """Options of `devices.usage.of`. Give either `month`, or both `start` and `end`."""

    month: str | None
    """A calendar month in UTC, such as `2026-11`."""
    start: datetime | None
    """Start of the span, with a time zone."""
    end: datetime | None
    """End of the span, with a time zone."""
    concurrency: int
    """Devices to read at once. Default: 10."""
    requests_per_minute: float | None
    """Requests that may start in a minute. Retries are not counted: `Session(requests_per_minute=...)` counts them."""
    on_progress: Callable[[UsageProgress], object] | None
    """Called after each device."""


def span_of(month: str | None, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Return the first and the last moment to read. Raises InvalidRequest unless the arguments name one span."""
    if month is None:
        if start is None or end is None:
            raise InvalidRequest("devices.usage.of: give either month, such as '2026-11', or both start and end")
        return start, end
    if start is not None or end is not None:
        raise InvalidRequest("devices.usage.of: give either month, or start and end, not both")
    if (found := _MONTH.fullmatch(month)) is None or found[1] in ("0000", "9999"):
        raise InvalidRequest(f"devices.usage.of: {month!r} is not a month: write it as 2026-11")
    first = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
    following = (first + timedelta(days=31)).replace(day=1)
    return first, following - timedelta(seconds=1)  # The platform includes the last day.
