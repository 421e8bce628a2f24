"""Options and results of `locate_all`."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, TypedDict

import attrs

from thingspace_async._core.types import Identified
from thingspace_async.location.models import AccuracyMode, Location, LocationDevice

if TYPE_CHECKING:  # Its import would cost milliseconds at the first use of any call.
    from thingspace_async._core.outcomes import LedgerInbox

__all__ = ["LocateOptions", "LocatedDevice", "LocationProgress", "RunDevices"]

RunDevices: TypeAlias = Iterable[LocationDevice | Identified] | AsyncIterable[LocationDevice | Identified]
"""Devices to locate, as a plain or an async iterable."""


@attrs.frozen(kw_only=True)
class LocatedDevice:
    """A device of `locate_all`, and its location."""

    device: LocationDevice
    location: Location
    """Its `failed` says whether the device could not be located, or is excluded."""
    cached: bool
    """Whether the location was known, so that it is surely not billed."""
    repeat: bool = False
    """Whether an earlier run or a crashed worker may have returned this device already."""


@attrs.frozen(kw_only=True)
class LocationProgress:
    """Progress of one worker with its part of a run, in devices."""

    done: int = 0
    """Devices that were returned."""
    failed: int = 0
    """Devices that could not be located."""
    cached: int = 0
    """Devices whose location was known."""
    waiting: int = 0
    """Devices in reports that are not completed."""
    total: int | None = None
    """Number of devices that were passed, including duplicates, or None if unknown."""


class LocateOptions(TypedDict, total=False):
    """Options of `locate_all`."""

    inbox: LedgerInbox | None
    """Keeps the run."""
    run: str | None
    """Name of the run. No device is billed twice under the same name."""
    current: bool
    """Whether to request current locations, which are billed, for devices without a known one. Default: True."""
    accuracy_mode: AccuracyMode | None
    check_every: timedelta
    """First pause between two polls of a report. It grows to six times of that. Default: 10 seconds."""
    devices_per_report: int
    """Maximum number of devices per report. Default: 10,000."""
    timeout: timedelta
    """How long to look for the locations of a report whose answer was lost. Default: one hour."""
    give_up_after: timedelta
    """How long the platform may be unreachable, throttle or refuse tokens before the run ends. Default: one hour."""
    on_progress: Callable[[LocationProgress], object] | None
    """Called after each change of the counts."""
