"""Devices and other types that several rooms share."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, Final, Self, TypeAlias, cast, overload

import attrs

from thingspace_async._core.codec import Model
from thingspace_async._core.faults import SIZES, fault_of_identifier, has_wrong_check_digit
from thingspace_async._core.values import UNSET, OpenEnum, Secret, Unset
from thingspace_async.errors import InvalidRequest

__all__ = [
    "UNSET",
    "Accepted",
    "CustomField",
    "DeviceId",
    "DeviceIds",
    "ExtendedAttribute",
    "Identified",
    "OpenEnum",
    "Secret",
    "SomeDevices",
    "SuccessResult",
    "SuspiciousIdentifier",
    "Unset",
    "devices_named_in",
    "identifier_of",
    "to_device_id",
    "to_device_ids",
    "to_devices",
    "to_list_in_text",
    "to_secret",
    "to_texts",
]


class SuspiciousIdentifier(UserWarning):
    """Warning about an identifier that is probably mistyped. It can still be sent."""


@attrs.frozen(kw_only=True, init=False)
class DeviceId(Model):
    """One identifier of a device. Equality ignores the case of the kind.

    Raises InvalidRequest if the id does not fit its kind. Warns with SuspiciousIdentifier if an IMEI of 15 digits has a
    wrong check digit. Identifiers in answers are not checked.
    """

    id: str
    kind: str = attrs.field(eq=str.casefold)
    """`imei`, `iccid`, `mdn`, `msisdn`, `meid`, `esn`, `imsi`, `eid` or `min`. Answers spell `iccId`."""

    # Written by hand: with validators or an __attrs_post_init__, the codec would have to call __init__ for each
    # identifier of an answer.
    def __init__(self, *, id: str, kind: str) -> None:  # noqa: A002
        sizes = SIZES.get(kind) if kind.__class__ is id.__class__ is str else None
        # The common case is inline, because a fleet has hundreds of thousands of identifiers.
        fits = sizes is not None and len(id) in sizes and id.isdigit() and id.isascii()
        if not fits and (fault := fault_of_identifier(kind, id)) is not None:
            raise InvalidRequest(f"DeviceId {fault}")
        if len(id) == _IMEI_DIGITS and kind in _IMEI and has_wrong_check_digit(id):
            _warn_of_check_digit(id)
        _set_id(self, id)
        _set_kind(self, kind)

    @classmethod
    def _is_empty(cls, data: dict[str, Any]) -> bool:
        return data.get("id", "") is None  # {"id": null, "kind": "mdn"}

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


# A frozen class sets a field through object.__setattr__, which takes three times as long.
_set_id: Final = vars(DeviceId)["id"].__set__
_set_kind: Final = vars(DeviceId)["kind"].__set__

_IMEI: Final = frozenset({"imei", "IMEI", "Imei"})
_IMEI_DIGITS: Final = 15


def _warn_of_check_digit(imei: str) -> None:
    text = f"IMEI {imei} has a wrong check digit: check it for typos"
    warnings.warn(text, SuspiciousIdentifier, stacklevel=4)  # The caller of DeviceId.imei.


class Identified:
    """Base of models with `device_ids`. It offers the common identifiers as attributes."""

    __slots__ = ()
    device_ids: tuple[DeviceId, ...]

    @property
    def imei(self) -> str | None:
        """International Mobile Equipment Identity, of the hardware."""
        return self.identifier("imei")

    @property
    def iccid(self) -> str | None:
        """Integrated Circuit Card Identifier, of the SIM."""
        return self.identifier("iccid")

    @property
    def mdn(self) -> str | None:
        """Mobile Directory Number, 10 digits."""
        return self.identifier("mdn")

    @property
    def eid(self) -> str | None:
        """Identifier of the eUICC."""
        return self.identifier("eid")

    def identifier(self, kind: str) -> str | None:
        """Return the identifier of a kind, such as `imei`, `iccid` or `mdn`, in any case, or None."""
        return identifier_of(self.device_ids, kind)


@attrs.frozen(kw_only=True)
class DeviceIds(Identified, Model):
    """One device, by one or more of its identifiers."""

    device_ids: tuple[DeviceId, ...]
    ip_address: str | None = None
    """Static IP address, if the account's IP pool allows it."""


def identifier_of(device_ids: Iterable[DeviceId], kind: str) -> str | None:
    """Return the first identifier of a kind, in any case, or None."""
    wanted = kind.casefold()
    return next((found.id for found in device_ids if found.kind.casefold() == wanted), None)


SomeDevices: TypeAlias = Iterable[DeviceId | Identified | Iterable[DeviceId]]
"""Devices for a request. Each is a DeviceId, an iterable of DeviceId, a DeviceIds, or a Device from an answer."""


def to_devices(given: SomeDevices) -> tuple[DeviceIds, ...]:
    """Convert devices in any accepted form. The validator refuses other values."""
    if isinstance(given, str | DeviceId | Identified) or not isinstance(given, Iterable):
        return cast("tuple[DeviceIds, ...]", given)
    return tuple([one if isinstance(one, DeviceIds) else _to_device(one) for one in given])


def _to_device(given: Any) -> Any:
    if isinstance(given, DeviceId):
        return DeviceIds(device_ids=(given,))
    if isinstance(given, Identified):
        return DeviceIds(device_ids=given.device_ids)
    if isinstance(given, str) or not isinstance(given, Iterable):
        return given
    several: tuple[Any, ...] = tuple(given)
    return DeviceIds(device_ids=several) if all(isinstance(one, DeviceId) for one in several) else given


_STEADY: Final = ("iccid", "imei", "eid", "meid", "esn")
"""Kinds that identify the device itself, in order of preference. A phone number may move to another device."""


def to_device_id(given: DeviceId | Identified) -> DeviceId:
    """Convert a device to its most reliable identifier. The validator refuses other values."""
    if not isinstance(given, Identified):
        return given
    by_kind = {one.kind.casefold(): one for one in reversed(given.device_ids)}
    every: Any = (*(by_kind[kind] for kind in _STEADY if kind in by_kind), *given.device_ids, None)
    return cast("DeviceId", every[0])


def to_device_ids(given: DeviceId | Identified | Iterable[DeviceId | Identified]) -> tuple[DeviceId, ...]:
    """Convert devices to identifiers, one for each."""
    several = as_tuple((given,) if isinstance(given, DeviceId | Identified) else given)
    if not isinstance(several, tuple):
        return cast("tuple[DeviceId, ...]", several)
    return tuple([to_device_id(one) for one in several])


def as_tuple(given: Any) -> Any:
    """Convert an iterable to a tuple. The validator refuses other values, and strings."""
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | dict) else given


@overload
def to_secret(given: Secret | str) -> Secret: ...
@overload
def to_secret(given: Secret | str | None) -> Secret | None: ...
def to_secret(given: Secret | str | None) -> Secret | None:
    """Hide a string. The validator refuses other values."""
    return Secret(given) if isinstance(given, str) else given


def to_texts(given: Iterable[str]) -> tuple[str, ...]:
    """Convert strings. The validator refuses other values."""
    texts: tuple[str, ...] = as_tuple(given)
    return texts


def to_list_in_text(given: Iterable[str] | None) -> str | None:
    """Join strings with commas. The validator refuses other values."""
    is_list = isinstance(given, list | tuple) and given and all(isinstance(one, str) for one in given)
    return ",".join(given or ()) if is_list else cast("str | None", given)


@attrs.frozen(kw_only=True)
class CustomField(Model):
    """One of the five custom fields of a device."""

    key: str
    """`CustomField1` to `CustomField5`."""
    value: str
    """At most 50 characters."""

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        if data.get("value") is not None:
            return False
        data["value"] = ""
        return True


def to_custom_fields(given: Iterable[CustomField]) -> tuple[CustomField, ...]:
    """Convert custom fields."""
    found: tuple[CustomField, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True)
class ExtendedAttribute(Model):
    """A named value in addition to the documented fields of an answer."""

    key: str
    value: str | None = None
    """Value, or None if it is empty: the platform then leaves it out."""


@attrs.frozen(kw_only=True)
class Accepted(Model):
    """The platform has accepted a request. Its result arrives later."""

    request_id: str
    """Id of the request in its callback messages. Pass it to `session.accounts.request_status` if the request
    provisions a single device, or to `request_status_by_device` if it acts on eSIM profiles."""
    devices: tuple[DeviceIds, ...] = attrs.field(default=(), eq=False, repr=False, metadata={"local": True})
    """Devices that the request named, for `outcomes.of(accepted)`. Empty if the request selected them by filters."""

    def _answering(self, request: object) -> Self:
        return attrs.evolve(self, devices=devices_named_in(request))


_NAMED_IN: Final = ("devices", "devices_at_addresses", "device_ids", "device_id", "device", "device_filter")


def devices_named_in(request: object) -> tuple[DeviceIds, ...]:
    """Return the devices that a request names. Empty if it selects them by filters."""
    found: Any = next((named for field in _NAMED_IN if (named := getattr(request, field, None))), ())
    return to_devices(found if isinstance(found, tuple) else (found,))


@attrs.frozen(kw_only=True)
class SuccessResult(Model):
    """The platform has carried out a request."""

    success: bool | None = None
