"""Checks of arguments, as validators for the fields of request models.

Use them for requests only: a model of answers with validators is slower to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import attrs

from thingspace_async._core.faults import fault_of_characters, fault_of_input, fault_of_text, is_loopback
from thingspace_async._core.types import CustomField, DeviceId, DeviceIds
from thingspace_async._core.values import Secret
from thingspace_async.errors import InvalidRequest

__all__ = [
    "any_of",
    "content",
    "custom_fields",
    "device_id",
    "device_ids",
    "devices",
    "exclusive",
    "fault_of_text",
    "flag",
    "in_order",
    "instance",
    "instances",
    "is_loopback",
    "lists_of_device_ids",
    "named",
    "needs",
    "seconds",
    "secret_of",
    "text",
    "text_of",
    "text_or_empty",
    "texts",
    "url",
    "whole",
    "zoned",
]

Validator: TypeAlias = "Callable[[Any, attrs.Attribute[Any], Any], None]"


def _validator(fault_of: Callable[[object], str | None]) -> Validator:
    """Make a validator. It accepts the field's default, which is not sent."""

    def validate(model: object, field: attrs.Attribute[Any], value: object) -> None:
        if value is not field.default and (fault := fault_of(value)) is not None:
            raise InvalidRequest(f"{type(model).__name__}: {field.name} {fault}")

    return validate


def whole(*, least: int, most: int | None = None) -> Validator:
    """Check for a whole number within bounds."""

    def fault_of(value: object) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return f"must be an int, not {type(value).__name__}"
        if value < least:
            return f"must be {least:,} or more"
        return None if most is None or value <= most else f"must be {most:,} or less"

    return _validator(fault_of)


def text_of(*, least: int = 1, most: int) -> Validator:
    """Check for a string of a certain length."""
    return _validator(lambda value: _fault_of_size(value, least, most))


def secret_of(*, most: int) -> Validator:
    """Check for a Secret of a certain length."""

    def fault_of(value: object) -> str | None:
        if not isinstance(value, Secret):
            return f"must be a Secret or a str, not {type(value).__name__}"
        return _fault_of_size(value.reveal(), 1, most)

    return _validator(fault_of)


def url(*, ports: Sequence[range]) -> Validator:
    """Check for the URL of an HTTP or HTTPS server that listens at one of certain ports."""
    allowed = ", ".join(str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in ports)

    def fault_of(value: object) -> str | None:
        if (fault := fault_of_input(value)) is not None:
            return fault
        try:
            parts = urlsplit(str(value))
            port = parts.port
        except ValueError:  # The port is not a number, or an IPv6 address is cut off.
            return "is not a URL"
        usual = _USUAL_PORTS.get(parts.scheme)
        if usual is None or not parts.hostname or " " in parts.netloc:
            return "must be a URL such as https://example.com/callbacks"
        reached = usual if port is None else port
        if (reached and is_loopback(parts.hostname)) or any(reached in each for each in ports):
            return None  # Any port on this machine: only simulators can reach it, and tests use free ports.
        return f"has the port {reached}; the platform allows {allowed}"

    return _validator(fault_of)


_USUAL_PORTS: Final = {"http": 80, "https": 443}


def texts(*, least: int = 0, most: int | None = None) -> Validator:
    """Check for a tuple of strings, within bounds."""

    def fault_of(value: Any) -> str | None:
        if (fault := _fault_of_count(value, str, least, most)) is not None:
            return fault
        odd = next((found for item in value if (found := fault_of_input(item)) is not None), None)
        return None if odd is None else f"has an item that {odd}"

    return _validator(fault_of)


def instance(kind: type) -> Validator:
    """Check for a model of a class."""
    return _validator(lambda value: _fault_of_kind(value, kind))


def named(kind: type) -> Validator:
    """Check for a member of an enumeration of strings, or an unlisted name."""

    def fault_of(value: object) -> str | None:
        return fault_of_input(value) if isinstance(value, kind) else _fault_of_kind(value, kind)

    return _validator(fault_of)


def instances(kind: type, *, least: int = 0, most: int | None = None) -> Validator:
    """Check for a tuple of models of a class, within bounds."""
    return _validator(lambda value: _fault_of_count(value, kind, least, most))


def devices(*, least: int = 1, most: int = 10_000) -> Validator:
    """Check for devices, each with identifiers."""

    def fault_of(value: Any) -> str | None:
        if (fault := _fault_of_count(value, DeviceIds, least, most)) is not None:
            return fault
        for place, device in enumerate(value):
            if not device.device_ids or device.device_ids.__class__ is not tuple:
                return f"has a device without a tuple of identifiers, at {place}"
            if device.ip_address is not None and (odd := fault_of_input(device.ip_address)) is not None:
                return f"has an ip_address that {odd}, at {place}"
            for one in device.device_ids:
                if one.__class__ is not DeviceId:
                    return _fault_of_device_id(one)
        return None

    return _validator(fault_of)


def device_ids(*, least: int = 1, most: int | None = None) -> Validator:
    """Check for a tuple of identifiers."""

    def fault_of(value: Any) -> str | None:
        fault = _fault_of_count(value, DeviceId, least, most)
        return _fault_of_device_ids(value) if fault is None else fault

    return _validator(fault_of)


def lists_of_device_ids(*, least: int = 1, most: int | None = None) -> Validator:
    """Check for devices that are plain tuples of identifiers."""

    def fault_of(value: Any) -> str | None:
        if (fault := _fault_of_count(value, tuple, least, most)) is not None:
            return fault
        if (bare := next((place for place, device in enumerate(value) if not device), None)) is not None:
            return f"has a device without identifiers, at {bare}"
        return _fault_of_device_ids(one for device in value for one in device)

    return _validator(fault_of)


def seconds(call: str, name: str, span: timedelta, *, may_be_zero: bool = False) -> float:
    """Check a span of time and return it in seconds."""
    if not isinstance(span, timedelta):
        raise InvalidRequest(f"{call}: {name} must be a timedelta, not {type(span).__name__}")
    if span < timedelta() or not (span or may_be_zero):
        least = "zero or more" if may_be_zero else "more than zero"
        raise InvalidRequest(f"{call}: {name} must be {least}, not {span}")
    return span.total_seconds()


def in_order(model: object, first: str, second: str, *, most: timedelta | None = None) -> None:
    """Check that a time is not after another, and that the span between them is allowed."""
    begin, end = getattr(model, first), getattr(model, second)
    if begin is None or end is None:
        return
    if begin > end:
        raise InvalidRequest(f"{type(model).__name__}: {first} is after {second}")
    if most is not None and end - begin > most:
        raise InvalidRequest(f"{type(model).__name__}: {second} may be at most {most.days} days after {first}")


def any_of(model: object, *names: str) -> None:
    """Check that at least one of several fields is given."""
    if all(getattr(model, name) in (None, ()) for name in names):
        raise InvalidRequest(f"{type(model).__name__}: give {', '.join(names[:-1])} or {names[-1]}")


def exclusive(model: object, name: str, *others: str) -> None:
    """Check that a field is not given together with any of others."""
    if getattr(model, name) in (None, ()):
        return
    for other in others:
        if getattr(model, other) not in (None, ()):
            raise InvalidRequest(f"{type(model).__name__}: give either {name} or {other}, not both")


def needs(model: object, name: str, other: str) -> None:
    """Check that a field is not given without another."""
    if getattr(model, name) not in (None, ()) and getattr(model, other) in (None, ()):
        raise InvalidRequest(f"{type(model).__name__}: {name} needs {other}, too")


def _fault_of_kind(value: object, kind: type) -> str | None:
    return None if isinstance(value, kind) else f"must be {_a(kind)}, not {type(value).__name__}"


_HINTS: Final = dict.fromkeys((DeviceId, DeviceIds), "; write a list of identifiers such as [DeviceId.imei('…')]")


def _fault_of_items(value: object, kind: type) -> str | None:
    if not isinstance(value, tuple):
        return f"must be a tuple of {kind.__name__}, not {type(value).__name__}{_HINTS.get(kind, '')}"
    odd = next((type(item).__name__ for item in value if not isinstance(item, kind)), None)
    return None if odd is None else f"must hold {kind.__name__} only, not {odd}{_HINTS.get(kind, '')}"


def _fault_of_count(value: Any, kind: type, least: int, most: int | None) -> str | None:
    if (fault := _fault_of_items(value, kind)) is not None:
        return fault
    if len(value) < least:
        return f"must hold {least:,} {kind.__name__} or more, not {len(value):,}"
    return None if most is None or len(value) <= most else f"may hold {most:,} {kind.__name__}, not {len(value):,}"


def _a(kind: type) -> str:
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def _fault_of_size(value: object, least: int, most: int) -> str | None:
    if (fault := fault_of_input(value)) is not None:
        return fault
    size = len(str(value))
    if size < least:
        return f"must have {least:,} characters or more, not {size:,}"
    return None if size <= most else f"must have {most:,} characters or fewer, not {size:,}"


def _fault_of_content(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be a str, not {type(value).__name__}"
    return fault_of_characters(value) if value else "must not be empty"


def _fault_of_flag(value: object) -> str | None:
    return None if isinstance(value, bool) else f"must be a bool, not {type(value).__name__}"


def _fault_of_zone(value: object) -> str | None:
    if not isinstance(value, datetime):
        return f"must be a datetime with a time zone, not {type(value).__name__}"
    if value.tzinfo is None:
        return "has no time zone, so the platform would have to guess it: use datetime.now(timezone.utc) or set tzinfo"
    return None


def _fault_of_device_ids(value: Iterable[object]) -> str | None:
    return next((fault for one in value if (fault := _fault_of_device_id(one)) is not None), None)


def _fault_of_device_id(value: object) -> str | None:
    # DeviceId has checked its digits.
    if isinstance(value, DeviceId):
        return None
    return f"must be a DeviceId, such as DeviceId.imei('…'), not {type(value).__name__}"


_LONGEST_CUSTOM_FIELD: Final = 50


def _fault_of_custom_fields(value: Any) -> str | None:
    # Empty is accepted only as the field's default.
    if (fault := _fault_of_count(value, CustomField, 1, None)) is not None:
        return fault
    for item in value:
        if (fault := fault_of_input(item.key)) is not None:
            return f"has a key that {fault}"
        if not re.fullmatch("CustomField[1-5]", item.key):
            return f"has the key {item.key}; the keys are CustomField1 to CustomField5"
        if (fault := fault_of_input(item.value, may_be_empty=True)) is not None:
            return f"has a value that {fault}"
        if len(item.value) > _LONGEST_CUSTOM_FIELD:
            return f"has {len(item.value)} characters for {item.key}; the platform allows {_LONGEST_CUSTOM_FIELD}"
    return None


text: Final = _validator(fault_of_input)
text_or_empty: Final = _validator(lambda value: fault_of_input(value, may_be_empty=True))
content: Final = _validator(_fault_of_content)  # Messages to devices may have line ends.
flag: Final = _validator(_fault_of_flag)
zoned: Final = _validator(_fault_of_zone)
device_id: Final = _validator(_fault_of_device_id)
custom_fields: Final = _validator(_fault_of_custom_fields)
