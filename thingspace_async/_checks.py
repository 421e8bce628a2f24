"""Checks of what a caller gives, as validators for the fields of request models.

Only of requests: a validator on a model of answers would cost each answer the codec's fastest way.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import attrs

from thingspace_async._types import CustomField, DeviceId, DeviceIds, Secret
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
    """Check for a text of so many characters."""
    return _validator(lambda value: _fault_of_size(value, least, most))


def secret_of(*, most: int) -> Validator:
    """Check for a Secret of so many characters."""

    def fault_of(value: object) -> str | None:
        if not isinstance(value, Secret):
            return f"must be a Secret or a str, not {type(value).__name__}"
        return _fault_of_size(value.reveal(), 1, most)

    return _validator(fault_of)


def url(*, ports: Sequence[range]) -> Validator:
    """Check for the URL of an HTTP or HTTPS server that listens at one of certain ports."""
    allowed = ", ".join(str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in ports)

    def fault_of(value: object) -> str | None:
        if (fault := _fault_of_input(value)) is not None:
            return fault
        try:
            parts = urlsplit(str(value))
            port = parts.port
        except ValueError:  # Of a port that is no number, or of half an IPv6 address.
            return "is no URL"
        usual = _USUAL_PORTS.get(parts.scheme)
        if usual is None or not parts.hostname or " " in parts.netloc:
            return "must be a URL such as https://example.com/callbacks"
        reached = usual if port is None else port
        if (reached and is_loopback(parts.hostname)) or any(reached in each for each in ports):
            return None  # Of this machine any port will do: only a simulator gets there, and tests take a free one.
        return f"has the port {reached}; allowed are {allowed}"

    return _validator(fault_of)


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, going by its name alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_USUAL_PORTS: Final = {"http": 80, "https": 443}


def texts(*, least: int = 0, most: int | None = None) -> Validator:
    """Check for a tuple of texts, so many of them."""

    def fault_of(value: Any) -> str | None:
        if (fault := _fault_of_count(value, str, least, most)) is not None:
            return fault
        odd = next((found for item in value if (found := _fault_of_input(item)) is not None), None)
        return None if odd is None else f"has an item that {odd}"

    return _validator(fault_of)


def instance(kind: type) -> Validator:
    """Check for a model of a class."""
    return _validator(lambda value: _fault_of_kind(value, kind))


def instances(kind: type, *, least: int = 0, most: int | None = None) -> Validator:
    """Check for a tuple of models of a class, so many of them."""
    return _validator(lambda value: _fault_of_count(value, kind, least, most))


def devices(*, least: int = 1, most: int = 10_000) -> Validator:
    """Check for devices, each with identifiers that fit their kinds.

    Here and not in DeviceIds: together, ten thousand cost a tenth of what they would one by one.
    """

    def fault_of(value: Any) -> str | None:
        if (fault := _fault_of_count(value, DeviceIds, least, most)) is not None:
            return fault
        every: list[DeviceId] = []
        for place, device in enumerate(value):
            if not device.device_ids or device.device_ids.__class__ is not tuple:
                return f"has a device without a tuple of identifiers, at {place}"
            if device.ip_address is not None and (odd := _fault_of_input(device.ip_address)) is not None:
                return f"has an ip_address that {odd}, at {place}"
            every += device.device_ids
        return _fault_of_device_ids(every)

    return _validator(fault_of)


def device_ids(*, least: int = 1, most: int | None = None) -> Validator:
    """Check for a tuple of identifiers that fit their kinds."""

    def fault_of(value: Any) -> str | None:
        fault = _fault_of_count(value, DeviceId, least, most)
        return _fault_of_device_ids(value) if fault is None else fault

    return _validator(fault_of)


def lists_of_device_ids(*, least: int = 1, most: int | None = None) -> Validator:
    """Check for devices that are tuples of identifiers, with nothing around them."""

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
    """Check that a time is not after another, nor further from it than the platform allows."""
    begin, end = getattr(model, first), getattr(model, second)
    if begin is None or end is None:
        return
    if begin > end:
        raise InvalidRequest(f"{type(model).__name__}: {first} is after {second}")
    if most is not None and end - begin > most:
        raise InvalidRequest(f"{type(model).__name__}: from {first} to {second} may be {most.days} days at most")


def any_of(model: object, *names: str) -> None:
    """Check that one of several fields is given at least."""
    if all(getattr(model, name) in (None, ()) for name in names):
        raise InvalidRequest(f"{type(model).__name__}: give {', '.join(names[:-1])} or {names[-1]}")


def exclusive(model: object, name: str, *others: str) -> None:
    """Check that a field is not given together with any of others."""
    if getattr(model, name) in (None, ()):
        return
    for other in others:
        if getattr(model, other) not in (None, ()):
            raise InvalidRequest(f"{type(model).__name__}: {name} and {other} exclude each other")


def needs(model: object, name: str, other: str) -> None:
    """Check that a field is not given without another."""
    if getattr(model, name) not in (None, ()) and getattr(model, other) in (None, ()):
        raise InvalidRequest(f"{type(model).__name__}: {name} needs {other} beside it")


def _fault_of_kind(value: object, kind: type) -> str | None:
    return None if isinstance(value, kind) else f"must be {_a(kind)}, not {type(value).__name__}"


_HINTS: Final = dict.fromkeys((DeviceId, DeviceIds), "; write [DeviceId.imei('…')], or another identifier, in a list")


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


_FORBIDDEN: Final = frozenset("'<\\")
"""The platform refuses them in any input, with INPUT_INVALID.Request.InvalidCharacter (protocol.md 4.1)."""


def _fault_of_input(value: object, *, may_be_empty: bool = False) -> str | None:
    if (fault := fault_of_text(value, may_be_empty=may_be_empty)) is not None:
        return fault
    return _fault_of_characters(str(value))


def _fault_of_characters(value: str) -> str | None:
    return None if _FORBIDDEN.isdisjoint(value) else "holds one of the characters ' < \\, which the platform refuses"


def _fault_of_size(value: object, least: int, most: int) -> str | None:
    if (fault := _fault_of_input(value)) is not None:
        return fault
    size = len(str(value))
    if size < least:
        return f"must have {least:,} characters or more, not {size:,}"
    return None if size <= most else f"must have {most:,} characters or fewer, not {size:,}"


def _fault_of_content(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be a str, not {type(value).__name__}"
    return _fault_of_characters(value) if value else "must not be empty"


def _fault_of_flag(value: object) -> str | None:
    return None if isinstance(value, bool) else f"must be a bool, not {type(value).__name__}"


def _fault_of_zone(value: object) -> str | None:
    if not isinstance(value, datetime):
        return f"must be a datetime with a time zone, not {type(value).__name__}"
    if value.tzinfo is None:
        return "has no time zone, so the platform would have to guess it; use datetime.now(timezone.utc) or give tzinfo"
    return None


_KINDS: Final = {
    # As protocol.md 4.1 has them. ICCID and EID no shorter than samples on the platform's own pages, which have 16 and
    # 30 digits; IMEI with 14 to 16, as the pages disagree.
    "eid": (r"[0-9]{30,32}", "30 to 32 digits"),
    "esn": (r"[0-9]{11}|[0-9A-Fa-f]{8}", "11 digits or 8 hexadecimal characters"),
    "iccid": (r"[0-9]{16,20}", "16 to 20 digits"),
    "imei": (r"[0-9]{14,16}", "14 to 16 digits"),
    "imsi": (r"[0-9]{15}", "15 digits"),
    "mdn": (r"[0-9]{10}", "10 digits"),
    "meid": (r"[0-9A-Fa-f]{14}", "14 hexadecimal characters"),
    "min": (r"[0-9]{10}", "10 digits"),
    "msisdn": (r"[0-9]{11,15}", "11 to 15 digits"),
}


@cache  # Compiled at its first use: all of them would be a sixth of what importing this package takes.
def _all_of_kind(kind: str) -> re.Pattern[str]:
    return re.compile(rf"(?:(?:{_KINDS[kind][0]})\n)*")


def _fault_of_device_ids(value: Iterable[DeviceId]) -> str | None:
    """Say what is wrong with identifiers: one match for all of a kind, and each by itself only where that fails."""
    by_kind: defaultdict[str, list[str]] = defaultdict(list)
    for one in value:
        if one.__class__ is DeviceId and one.kind.__class__ is one.id.__class__ is str:
            by_kind[one.kind].append(one.id)
        elif (fault := _fault_of_device_id(one)) is not None:
            return fault
    for kind, found in by_kind.items():
        together = "\n".join(found) + "\n"
        known = kind.casefold()
        if known not in _KINDS or together.count("\n") != len(found) or not _all_of_kind(known).fullmatch(together):
            for identifier in found:
                if (fault := _fault_of_device_id(DeviceId(id=identifier, kind=kind))) is not None:
                    return fault
    return None


def _fault_of_device_id(value: object) -> str | None:
    if not isinstance(value, DeviceId):
        return f"must be a DeviceId, such as DeviceId.imei('…'), not {type(value).__name__}"
    for part in ("id", "kind"):
        if (fault := _fault_of_input(getattr(value, part))) is not None:
            return f"has {'an' if part == 'id' else 'a'} {part} that {fault}"
    pattern, meaning = _KINDS.get(value.kind.casefold(), ("", ""))
    if pattern and not re.fullmatch(pattern, value.id):
        return f"has the {value.kind} {value.id}, which must be {meaning}"
    return None


_LONGEST_CUSTOM_FIELD: Final = 50


def _fault_of_custom_fields(value: Any) -> str | None:
    # An empty one passes where it is the field's default, and says nothing there.
    if (fault := _fault_of_count(value, CustomField, 1, None)) is not None:
        return fault
    for item in value:
        if (fault := _fault_of_input(item.key)) is not None:
            return f"has a key that {fault}"
        if not re.fullmatch("CustomField[1-5]", item.key):
            return f"has the key {item.key}; there are CustomField1 to CustomField5"
        if (fault := _fault_of_input(item.value, may_be_empty=True)) is not None:
            return f"has a value that {fault}"
        if len(item.value) > _LONGEST_CUSTOM_FIELD:
            return f"has a value of {len(item.value)} characters for {item.key}; it may have {_LONGEST_CUSTOM_FIELD}"
    return None


text: Final = _validator(_fault_of_input)
text_or_empty: Final = _validator(lambda value: _fault_of_input(value, may_be_empty=True))
content: Final = _validator(_fault_of_content)  # What a device reads may have line ends.
flag: Final = _validator(_fault_of_flag)
zoned: Final = _validator(_fault_of_zone)
device_id: Final = _validator(_fault_of_device_id)
custom_fields: Final = _validator(_fault_of_custom_fields)
