"""Reproducible pseudo-random values, computed from a seed and a subject instead of being stored."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from operator import mul
from typing import Final, TypeVar

__all__ = ["STEPS", "bits", "chosen", "mix", "share"]

T = TypeVar("T")

_MASK: Final = (1 << 64) - 1
STEPS: Final = (0xD1B54A32D192ED03, 0x9E3779B97F4A7C15, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB)
"""Multipliers of the inputs before mixing."""


def bits(*about: int | str) -> int:
    """Return 64 pseudo-random bits: splitmix64 of up to four numbers or names, such as seed, device and day."""
    numbers = (one if isinstance(one, int) else zlib.crc32(one.encode()) for one in about)
    return mix(sum(map(mul, numbers, STEPS)))


def mix(number: int) -> int:
    """Return 64 pseudo-random bits: the finalizer of splitmix64."""
    mixed = number & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)


def share(*about: int | str) -> float:
    """Return a pseudo-random number from 0 up to 1."""
    return bits(*about) / (_MASK + 1)


def chosen(among: Sequence[T], *about: int | str) -> T:
    """Return a pseudo-random item."""
    return among[bits(*about) % len(among)]
