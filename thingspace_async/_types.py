"""Types that several products share."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, StrEnum
from typing import Any, Final, Self, TypeAlias, cast

import attrs

__all__ = [
    "UNSET",
    "Accepted",
    "CustomField",
    "DeviceId",
    "DeviceIds",
    "ExtendedAttribute",
    "OpenEnum",
    "Secret",
    "SomeDevices",
    "SuccessResult",
    "Unset",
    "identifier_of",
    "to_device_ids",
    "to_devices",
]


class Unset(Enum):
    """The type of `UNSET`, for fields of an update in which null and absent mean different things."""

    UNSET = "UNSET"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Leaves a field out of the request, where None would send null."""


class OpenEnum(StrEnum):
    """An enumeration that keeps a value it does not know, and finds the ones it knows whatever their case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        folded = value.casefold()
        for member in cls:
            if member.value.casefold() == folded:
                return member
        # Not added to the class: the platform may send any number of unknown values.
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown


class Secret:
    """A text that must not be shown: only `reveal()` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        self._text: str = text.reveal() if isinstance(text, Secret) else text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __str__(self) -> str:
        return "**********"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@attrs.frozen(kw_only=True)
class DeviceId:
    """One identifier of a device; equal to another when id and kind are, whatever the case of the kind."""

    id: str
    kind: str = attrs.field(eq=str.casefold)
    """`imei`, `iccid`, `mdn`, `msisdn`, `meid`, `esn`, `imsi`, `eid` or `min`; answers spell `iccId`."""

    @classmethod
    def imei(cls, value: str) -> DeviceId:
        """Name a device by its International Mobile Equipment Identity, 14 to 16 digits."""
        return cls(id=value, kind="imei")

    @classmethod
    def iccid(cls, value: str) -> DeviceId:
        """Name a device by its SIM's Integrated Circuit Card Identifier, 19 or 20 digits."""
        return cls(id=value, kind="iccid")

    @classmethod
    def mdn(cls, value: str) -> DeviceId:
        """Name a device by its Mobile Directory Number, 10 digits."""
        return cls(id=value, kind="mdn")

    @classmethod
    def msisdn(cls, value: str) -> DeviceId:
        """Name a device by its Mobile Station International Subscriber Directory Number, 11 to 15 digits."""
        return cls(id=value, kind="msisdn")

    @classmethod
    def meid(cls, value: str) -> DeviceId:
        """Name a 3G device by its Mobile Equipment Identifier, 14 hexadecimal characters."""
        return cls(id=value, kind="meid")

    @classmethod
    def esn(cls, value: str) -> DeviceId:
        """Name an older CDMA device by its Electronic Serial Number, 11 digits."""
        return cls(id=value, kind="esn")

    @classmethod
    def imsi(cls, value: str) -> DeviceId:
        """Name a device by its International Mobile Subscriber Identity, 15 digits."""
        return cls(id=value, kind="imsi")

    @classmethod
    def eid(cls, value: str) -> DeviceId:
        """Name an eUICC by its 32 digits."""
        return cls(id=value, kind="eid")


@attrs.frozen(kw_only=True)
class DeviceIds:
    """One device of a request, by one or more of its identifiers."""

    device_ids: tuple[DeviceId, ...]
    ip_address: str | None = None
    """A static address for it, where the account's IP pool lets one choose."""

    def identifier(self, kind: str) -> str | None:
        """Return the identifier of a kind (`imei`, `iccid`, `mdn`, …), whatever the case of its letters."""
        return identifier_of(self.device_ids, kind)


def identifier_of(device_ids: Iterable[DeviceId], kind: str) -> str | None:
    """Return the first identifier of a kind, whatever the case of its letters; None when there is none."""
    wanted = kind.casefold()
    return next((found.id for found in device_ids if found.kind.casefold() == wanted), None)


SomeDevices: TypeAlias = "Iterable[DeviceIds | DeviceId | Iterable[DeviceId]]"
"""Devices as a request takes them: a DeviceId alone, several of one device, or DeviceIds."""


def to_devices(given: SomeDevices) -> tuple[DeviceIds, ...]:
    """Convert what a caller names devices by; what cannot be converted is left for the validator to refuse."""
    if isinstance(given, str | DeviceId | DeviceIds) or not isinstance(given, Iterable):
        return cast("tuple[DeviceIds, ...]", given)
    return tuple(one if isinstance(one, DeviceIds) else _to_device(one) for one in given)


def _to_device(given: Any) -> Any:
    if isinstance(given, DeviceId):
        return DeviceIds(device_ids=(given,))
    if isinstance(given, str) or not isinstance(given, Iterable):
        return given
    several: tuple[Any, ...] = tuple(given)
    return DeviceIds(device_ids=several) if all(isinstance(one, DeviceId) for one in several) else given


def to_device_ids(given: DeviceId | Iterable[DeviceId]) -> tuple[DeviceId, ...]:
    """Convert identifiers, one for each device."""
    found: tuple[DeviceId, ...] = as_tuple((given,) if isinstance(given, DeviceId) else given)
    return found


def as_tuple(given: Any) -> Any:
    """Convert what can be walked; the rest, and a text, is left for the validator to refuse."""
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | dict) else given


@attrs.frozen(kw_only=True)
class CustomField:
    """One of the five fields that an account may write on each device."""

    key: str
    """`CustomField1` to `CustomField5`."""
    value: str
    """At most 50 characters."""


def to_custom_fields(given: Iterable[CustomField]) -> tuple[CustomField, ...]:
    """Convert custom fields."""
    found: tuple[CustomField, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True)
class ExtendedAttribute:
    """A named value beside the documented fields of an answer."""

    key: str
    value: str | None = None
    """The platform leaves it out when it is empty."""


@attrs.frozen(kw_only=True)
class Accepted:
    """The platform has taken a request on; its result arrives later."""

    request_id: str
    """What the result's callback messages bear. `session.accounts.request_status` knows the provisioning of a single
    device by it, and `request_status_by_device` actions on eSIM profiles; other results come by callback alone."""


@attrs.frozen(kw_only=True)
class SuccessResult:
    """The platform has carried a request out; there is nothing more to tell."""

    success: bool | None = None
