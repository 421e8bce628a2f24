"""Checks of what a caller gives, as validators for the fields of request models.

Only of requests: a validator on a model of answers would cost each answer the codec's fastest way.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

import attrs

from thingspace_async._types import CustomField, DeviceId
from thingspace_async.errors import InvalidRequest

__all__ = ["custom_fields", "device_id", "fault_of_text", "instance", "instances", "text", "whole", "zoned"]

Validator: TypeAlias = "Callable[[Any, attrs.Attribute[Any], Any], None]"


def fault_of_text(value: object, *, may_be_empty: bool = False) -> str | None:
    """Say what is wrong with a text that is to be sent, without showing it; None when nothing is."""
    if not isinstance(value, str):
        return f"must be a str, not {type(value).__name__}"
    if not value and not may_be_empty:
        return "must not be empty"
    if not value.isprintable():
        return "holds a control character, such as a line end, or another that cannot be printed: strip it"
    return None


def _validator(fault_of: Callable[[object], str | None]) -> Validator:
    """Make a validator that lets a field's default pass, which is not sent."""

    def validate(model: object, field: attrs.Attribute[Any], value: object) -> None:
        if value is not field.default and (fault := fault_of(value)) is not None:
            raise InvalidRequest(f"{type(model).__name__}: {field.name} {fault}")

    return validate


def whole(*, least: int) -> Validator:
    """Check for a whole number that is not below another."""

    def fault_of(value: object) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return f"must be an int, not {type(value).__name__}"
        return None if value >= least else f"must be {least} or more"

    return _validator(fault_of)


def instance(kind: type) -> Validator:
    """Check for a model of a class."""
    return _validator(lambda value: _fault_of_kind(value, kind))


def instances(kind: type) -> Validator:
    """Check for a tuple of models of a class."""
    return _validator(lambda value: _fault_of_items(value, kind))


def _fault_of_kind(value: object, kind: type) -> str | None:
    return None if isinstance(value, kind) else f"must be {_a(kind)}, not {type(value).__name__}"


def _fault_of_items(value: object, kind: type) -> str | None:
    if not isinstance(value, tuple):
        return f"must be a tuple of {kind.__name__}, not {type(value).__name__}"
    odd = next((item for item in value if not isinstance(item, kind)), None)
    return None if odd is None else f"must hold {kind.__name__} only, not {type(odd).__name__}"


def _a(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def _fault_of_zone(value: object) -> str | None:
    if not isinstance(value, datetime):
        return f"must be a datetime with a time zone, not {type(value).__name__}"
    if value.tzinfo is None:
        return "has no time zone, so the platform would have to guess it; use datetime.now(timezone.utc) or give tzinfo"
    return None


def _fault_of_device_id(value: object) -> str | None:
    if not isinstance(value, DeviceId):
        return f"must be a DeviceId, such as DeviceId.imei('…'), not {type(value).__name__}"
    for part in ("id", "kind"):
        if (fault := fault_of_text(getattr(value, part))) is not None:
            return f"has {'an' if part == 'id' else 'a'} {part} that {fault}"
    return None


def _fault_of_custom_fields(value: Any) -> str | None:
    if (fault := _fault_of_items(value, CustomField)) is not None:
        return fault
    for item in value:
        if (fault := fault_of_text(item.key)) is not None:
            return f"has a key that {fault}"
        if (fault := fault_of_text(item.value, may_be_empty=True)) is not None:
            return f"has a value that {fault}"
    return None


text: Final = _validator(fault_of_text)
zoned: Final = _validator(_fault_of_zone)
device_id: Final = _validator(_fault_of_device_id)
custom_fields: Final = _validator(_fault_of_custom_fields)
