"""Positions of simulated devices: each walks around its home. They follow from the seed, and are not stored."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

import attrs

from thingspace_async.simulator.mechanisms.seeded import share

__all__ = ["Fix", "fix_of"]

_DAY: Final = 86_400
_FARTHEST: Final = 0.05
"""Degrees from home, about 5 km."""


@attrs.frozen(kw_only=True)
class Fix:
    """A position at a time."""

    at: datetime
    latitude: float
    longitude: float
    radius: int
    """In metres."""

    def as_json(self) -> dict[str, Any]:
        """Return the position as the platform answers it: numbers are strings, and x is the latitude."""
        return {
            "time": self.at.strftime("%Y%m%d%H%M%S"),
            "utcoffset": "0",
            "x": f"{self.latitude:.7f}",
            "y": f"{self.longitude:.7f}",
            "radius": str(self.radius),
            "qos": True,
        }


def fix_of(seed: int, number: int, at: datetime, *, precise: bool) -> Fix:
    """Return the position of a device at a time. Its home is in the contiguous United States."""

    def drawn(what: str) -> float:
        return share(seed, number, what)

    turn = 2 * math.pi * (drawn("walk") + (at.timestamp() % _DAY) / _DAY)
    distance = _FARTHEST * drawn("range") * (1 + math.sin(3 * turn)) / 2
    radius = 5 + drawn("radius") * 10 if precise else 500 + drawn("radius") * 4500
    return Fix(
        at=at,
        latitude=32 + 12 * drawn("latitude") + distance * math.sin(turn),
        longitude=-117 + 37 * drawn("longitude") + distance * math.cos(turn),
        radius=int(radius),
    )
