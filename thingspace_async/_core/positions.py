"""Positions of devices, in answers and in callback messages."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import attrs

from thingspace_async._core.codec import Model, named_on_wire

__all__ = ["Located", "Position", "PositionError"]


@attrs.frozen(kw_only=True)
class Position(Model):
    """The position of a device. The platform sends numbers as strings."""

    time: str | None = None
    """Digits: year, month, day, hour, minute and second."""
    utc_offset: str | None = attrs.field(default=None, metadata=named_on_wire("utcoffset"))
    x: str | None = None
    """Latitude in degrees."""
    y: str | None = None
    """Longitude in degrees."""
    radius: str | None = None
    """In metres."""
    qos: bool | str | None = None
    """Whether the requested accuracy was reached."""


@attrs.frozen(kw_only=True)
class PositionError(Model):
    """Why a device could not be located. All fields are None if it was located."""

    time: str | None = None
    utc_offset: str | None = attrs.field(default=None, metadata=named_on_wire("utcoffset"))
    type: str | None = None
    """For example `POSITION METHOD FAILURE`."""
    info: str | None = None
    """For example `Exception code=ABSENT SUBSCRIBER`."""


class Located:
    """Base of models with a `position` or an `error`. It offers the numbers of the position."""

    __slots__ = ()
    position: Position | None
    error: PositionError | None

    @property
    def latitude(self) -> float | None:
        """In degrees, positive in the north. None if the device was not located."""
        return None if self.position is None else _number(self.position.x)

    @property
    def longitude(self) -> float | None:
        """In degrees, positive in the east. None if the device was not located."""
        return None if self.position is None else _number(self.position.y)

    @property
    def accuracy(self) -> float | None:
        """Radius in metres around the position. None if unknown."""
        return None if self.position is None else _number(self.position.radius)

    @property
    def time(self) -> datetime | None:
        """When the device was located, or could not be located. UTC, unless the answer has an offset."""
        for part in (self.position, self.error):
            if part is not None and (found := _moment(part.time, part.utc_offset)) is not None:
                return found
        return None

    @property
    def _unlocated(self) -> bool:
        # The platform sends an empty error for located devices.
        return self.error is not None and (self.error.type is not None or self.error.info is not None)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


# Compiled at first use, to keep the import fast.
_OFFSET: Final = r"([+-]?)(\d{1,2}):?(\d\d)?"


def _moment(text: str | None, offset: str | None) -> datetime | None:
    try:
        moment = datetime.strptime(text or "", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    if (match := re.fullmatch(_OFFSET, (offset or "").strip(), re.ASCII)) is None:
        return moment
    east = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    if east >= timedelta(days=1):
        return moment
    return moment.replace(tzinfo=timezone(-east if match[1] == "-" else east))
