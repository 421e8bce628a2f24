"""Checks of the fields of geofences and their messages."""

from __future__ import annotations

from typing import Any, Final

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range
from thingspace_async._core.types import as_tuple
from thingspace_async.errors import InvalidRequest

__all__ = ["LATITUDE", "LONGITUDE", "OFFSET", "any_text", "number", "one_of", "to_models"]


def one_of(model: object, *names: str) -> None:
    """Check that exactly one of several fields is given."""
    checks.any_of(model, *names)
    for place, name in enumerate(names):
        checks.exclusive(model, name, *names[place + 1 :])


def number(model: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check for a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a number, not {type(value).__name__}")


def any_text(model: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check for a string with any characters."""
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a str that is not empty")


LATITUDE: Final = Range(least=-900_000_000, most=900_000_001)
LONGITUDE: Final = Range(least=-1_800_000_000, most=1_800_000_001)
OFFSET: Final = Range(least=-(2**31), most=2**31 - 1)
"""Also allows the values that mean unavailable."""


def to_models(given: Any) -> Any:
    """Convert a list of models. The validator refuses other values."""
    return as_tuple(given)
