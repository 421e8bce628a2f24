"""The JSON codec: it maps the platform's wire names and coerces nothing.

Most of the package uses only `load` and `dump`. `reading` and `writing` generate the functions of a class at its first
use, and are imported then. If an answer does not fit, a second, slower pass finds the path to the fault (`explain`), so
good answers cost nothing extra.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import orjson

from thingspace_async._core.codec.dates import parse_date, parse_datetime
from thingspace_async._core.codec.kinds import Mismatch, fields_of, without_none
from thingspace_async._core.codec.model import Model
from thingspace_async._core.codec.names import REST, named_on_wire, wire_name
from thingspace_async.errors import InvalidRequest

__all__ = [
    "REST",
    "Mismatch",
    "Model",
    "dump",
    "fields_of",
    "load",
    "loader",
    "named_on_wire",
    "pair_loader",
    "parse_date",
    "parse_datetime",
    "wire_name",
    "without_none",
]

T = TypeVar("T")


def load(body: bytes, kind: type[T]) -> T:
    """Read JSON as a type. Raises Mismatch with the path to the value that does not fit."""
    try:
        return cast(T, loader(cast(Any, kind))(orjson.loads(body), kind))
    except RecursionError:
        raise Mismatch("nested too deeply") from None
    except (orjson.JSONDecodeError, Mismatch, InvalidRequest):  # InvalidRequest comes from validators.
        pass
    return _load_odd(body, kind)  # Outside the handler, because its exception keeps the half-read page in memory.


def _load_odd(body: bytes, kind: type[T]) -> T:
    """Mend known odd values in JSON that does not fit a type and read it again, or explain the fault."""
    from thingspace_async._core.codec.explain import explain
    from thingspace_async._core.codec.mending import mend

    parsed = None
    try:
        parsed = orjson.loads(body)
        if mend(parsed, kind):
            mended, parsed = parsed, None  # The loader changes it.
            return cast(T, loader(cast(Any, kind))(mended, kind))
    except (orjson.JSONDecodeError, Mismatch, InvalidRequest):
        mended = None
    try:
        raise explain(body, kind, parsed)
    finally:
        parsed = None  # It may hold a secret, and this frame's locals may be shown.


@cache  # A microsecond faster than the converter's own cache.
def loader(kind: Any) -> Callable[..., Any]:
    """Return a function that makes a type from parsed JSON, and changes that JSON. Its Mismatch has no path."""
    from thingspace_async._core.codec.reading import fast_converter

    return fast_converter().get_structure_hook(kind)


@cache
def pair_loader(cls: type[T]) -> Callable[[dict[str, Any], dict[str, Any]], T]:
    """Return a function that makes an object from two parsed JSON objects. Its Mismatch has no path.

    Values that are null or absent in the first object come from the second. This takes half the time of merging the
    objects. Null and absence must have the same meaning for all fields.
    """
    from thingspace_async._core.codec.reading import make_loader

    return make_loader(cls, second="within")


def dump(value: object) -> bytes:
    """Write a model or plain values as JSON, without fields that have their default; raises InvalidRequest."""
    from thingspace_async._core.codec.writing import unstructure

    try:
        return orjson.dumps(unstructure(value), option=orjson.OPT_UTC_Z)
    except TypeError as error:
        reason = str(error)
    except RecursionError:
        reason = "it contains itself or is nested too deeply"
    raise InvalidRequest(f"{type(value).__name__} cannot be written as JSON: {reason}")
