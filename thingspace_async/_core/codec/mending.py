"""Mend known odd values in answers, only after the fast loader has refused them, so good answers cost nothing extra."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import Any, Final, TypeAlias, cast, get_args

import attrs

from thingspace_async._core.codec.kinds import Mismatch, fields_of, is_sequence, without_none
from thingspace_async._core.codec.model import Model
from thingspace_async._core.codec.names import wire_name

__all__ = ["is_lenient", "mend", "read_odd_date"]


def is_lenient(cls: type, field: attrs.Attribute[Any]) -> bool:
    """Return whether an unreadable date becomes None: the field must be optional and, as in answers, unchecked."""
    is_date = without_none(field.type)[0] in (datetime, date)
    return is_date and issubclass(cls, Model) and field.default is None and field.validator is None


def read_odd_date(
    parse: Callable[[object], date], value: object, name: str, unreadable: dict[str, str] | None
) -> tuple[date | None, dict[str, str] | None]:
    """Read a date that is not ISO 8601, or note its string if that fails."""
    try:
        return parse(value), unreadable
    except Mismatch:
        if not isinstance(value, str):
            raise
        return None, {**(unreadable or {}), name: value}


def mend(value: Any, kind: Any) -> bool:
    """Replace known odd values in parsed JSON for a type, and return whether it had any."""
    mender = _mender(kind)
    return mender is not None and mender(value)


Mender: TypeAlias = Callable[[Any], bool]

_finding: Final[set[type]] = set()


@cache
def _mender(kind: Any) -> Mender | None:
    """Return the function that mends a type, or None if the type has no known odd forms."""
    kind, _ = without_none(kind)
    if is_sequence(kind):
        return _sequence_mender(get_args(kind)[0])
    if not attrs.has(kind) or kind in _finding:
        return None  # A model that contains itself is mended at the outermost level only. No answer has one.
    _finding.add(kind)
    try:
        return _class_mender(kind)
    finally:
        _finding.discard(kind)


def _sequence_mender(cls: Any) -> Mender | None:
    steps: list[Mender] = []
    if attrs.has(cls) and issubclass(cls, Model) and "_is_empty" in cls.__dict__:
        steps.append(_dropping(cls._is_empty))
    if (mender := _mender(cls)) is not None:
        steps.append(lambda items: True in [mender(one) for one in items])
    if not steps:
        return None

    def mend_items(value: Any) -> bool:
        return isinstance(value, list) and True in [step(value) for step in steps]

    return mend_items


def _class_mender(cls: type) -> Mender | None:
    steps: list[Mender] = []
    if issubclass(cls, Model) and "_mend" in cls.__dict__:
        steps.append(cls._mend)
    for field in fields_of(cls):
        if (mender := _mender(cast(Any, field.type))) is not None:
            steps.extend(_at(name, mender) for name in filter(None, (wire_name(field), field.metadata.get("also"))))
    if not steps:
        return None

    def mend_object(value: Any) -> bool:
        return isinstance(value, dict) and True in [step(value) for step in steps]

    return mend_object


def _at(name: str, mender: Mender) -> Mender:
    return lambda value: name in value and mender(value[name])


def _dropping(is_empty: Callable[[dict[str, Any]], bool]) -> Mender:
    """Return a function that drops items without information from a list."""

    def drop(items: list[Any]) -> bool:
        kept = [one for one in items if not (isinstance(one, dict) and is_empty(one))]
        found = len(kept) < len(items)
        items[:] = kept
        return found

    return drop
