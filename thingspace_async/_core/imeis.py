"""Devices by their IMEIs, for APIs without other identifiers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Protocol, TypeAlias, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.types import DeviceId, Identified
from thingspace_async.errors import InvalidRequest

__all__ = ["NamedByImei", "SomeImeis", "check_imeis", "to_imeis"]


class NamedByImei(Protocol):
    """A device of an answer that names devices by their IMEI."""

    @property
    def device_id(self) -> str:
        """IMEI."""
        ...


SomeImeis: TypeAlias = Iterable[str | DeviceId | Identified | NamedByImei]
"""Devices by IMEI: plain IMEIs of 15 digits, DeviceId, devices from `session.devices.list` that have an IMEI, or
devices from an answer that names devices by their IMEI."""


def to_imeis(given: SomeImeis) -> tuple[str, ...]:
    """Convert devices to IMEIs, without repeated ones. The validator refuses other values."""
    if isinstance(given, DeviceId | Identified):
        given = (given,)
    if isinstance(given, str | bytes | dict) or not isinstance(given, Iterable):
        return cast("tuple[str, ...]", given)
    found = [_to_imei(one) for one in given]
    return tuple(dict.fromkeys(found)) if all(isinstance(one, str) for one in found) else tuple(found)


def _to_imei(given: Any) -> Any:
    if isinstance(given, str):
        return given
    if isinstance(given, Identified):
        return given.imei or given
    if isinstance(given, DeviceId):
        return given.id if given.kind.casefold() == "imei" else given
    return getattr(given, "device_id", given)


_IMEI: Final = r"[0-9]{15}"


def check_imeis(model: object, field: attrs.Attribute[Any], value: Any) -> None:
    """Check for a tuple with one or more IMEIs."""
    what = f"{type(model).__name__}: {field.name}"
    for place, one in enumerate(value if isinstance(value, tuple) else ()):
        if isinstance(one, DeviceId | Identified):
            raise InvalidRequest(f"{what} has a device without an IMEI, at {place}: this API knows IMEIs only")
        if isinstance(one, str) and re.fullmatch(_IMEI, one) is None:
            raise InvalidRequest(f"{what} has an item that is not an IMEI of 15 digits, at {place}")
    _are_texts(model, field, value)


_are_texts: Final = checks.texts(least=1)
