"""Models of diagnostics: observations, settings, history, restarts, and listeners."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.faults import fault_of_input
from thingspace_async._core.observations import AttributeName, ObservedValue
from thingspace_async._core.types import Accepted, DeviceId, Identified, OpenEnum, Secret, as_tuple, to_device_id
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AttributeName",
    "AttributeSetting",
    "DiagnosticsAccepted",
    "DiagnosticsCallback",
    "DiagnosticsCallbackRegistered",
    "DiagnosticsCallbackService",
    "DiagnosticsSubscription",
    "HistoryFilter",
    "HistoryPage",
    "HistoryRecord",
    "HistorySearchRequest",
    "HistorySpan",
    "ObservationRequest",
    "ObservationSetting",
    "ObservedAttribute",
    "ObservedValue",
    "RegisterDiagnosticsCallbackRequest",
    "RestartAction",
    "RestartRequest",
    "TimeSpan",
    "TimeUnit",
]


class TimeUnit(OpenEnum):
    """The unit of a span of time."""

    SECOND = "SECOND"
    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"


class RestartAction(OpenEnum):
    """How to restart the modem of a device. `RestartAction("…")` makes one that is not listed."""

    REBOOT = "reboot"
    FACTORY_RESET = "factory_reset"


class DiagnosticsCallbackService(OpenEnum):
    """A service that sends messages to listeners. `DiagnosticsCallbackService("…")` makes one that is not listed."""

    DIAGNOSTICS = "Diagnostics"
    """Observed values, and the progress of restarts."""


_LENGTHS: Final = {
    TimeUnit.DAY: timedelta(days=1),
    TimeUnit.HOUR: timedelta(hours=1),
    TimeUnit.MINUTE: timedelta(minutes=1),
    TimeUnit.SECOND: timedelta(seconds=1),
}

_SHORTEST: Final = timedelta(seconds=15)
"""The shortest time between two values of an attribute."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class TimeSpan(Model):
    """A span of time in the platform's form. Requests take a timedelta instead."""

    value: int | None = None
    """Number of units."""
    unit: TimeUnit | None = None
    """Length of a unit."""

    def as_timedelta(self) -> timedelta | None:
        """Return the span as a timedelta, or None if a part is missing or unknown."""
        length = None if self.unit is None else _LENGTHS.get(self.unit)
        try:
            return None if self.value is None or length is None else self.value * length
        except OverflowError:
            return None


def to_time_span(given: TimeSpan | timedelta | None) -> TimeSpan | None:
    """Convert a timedelta, in the largest unit that divides it. The validator refuses other values."""
    if not isinstance(given, timedelta):
        return given
    for unit, length in _LENGTHS.items():
        if given > timedelta() and not given % length:
            return TimeSpan(value=given // length, unit=unit)
    raise InvalidRequest(f"TimeSpan: must be one or more whole seconds, not {given}")


def _length_of(model: object, field: attrs.Attribute[Any], value: object) -> timedelta | None:
    """Check a span of a request, and return its length; None if it is absent or in an unknown unit."""
    if value is None:
        return None
    if not isinstance(value, TimeSpan) or value.value is None or value.unit is None:
        raise InvalidRequest(
            f"{type(model).__name__}: {field.name} must be a timedelta, or a TimeSpan with a value and a unit"
        )
    return value.as_timedelta()


def _span(model: object, field: attrs.Attribute[Any], value: object) -> None:
    _length_of(model, field, value)


def _check_frequency(model: object, field: attrs.Attribute[Any], value: object) -> None:
    length = _length_of(model, field, value)
    if length is not None and length < _SHORTEST:
        raise InvalidRequest(
            f"{type(model).__name__}: {field.name} must be {_SHORTEST.seconds} seconds or more, not {length}"
        )


def to_diagnosed(given: DeviceId | Identified) -> DeviceId:
    """Convert a device to its IMEI, which all published requests use, or to its best identifier."""
    if isinstance(given, Identified) and (imei := given.imei) is not None:
        return DeviceId(id=imei, kind="imei")
    return to_device_id(given)


def to_several_diagnosed(given: DeviceId | Identified | Iterable[DeviceId | Identified]) -> tuple[DeviceId, ...]:
    """Convert devices to identifiers, one for each. The validator refuses other values."""
    several = as_tuple((given,) if isinstance(given, DeviceId | Identified) else given)
    if not isinstance(several, tuple):
        return cast("tuple[DeviceId, ...]", several)
    return tuple([to_diagnosed(one) for one in several])


def to_attribute_name(given: AttributeName | str) -> AttributeName:
    """Convert the name of an attribute. The validator refuses values that are not strings."""
    return AttributeName(given) if isinstance(given, str) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class ObservedAttribute(Model):
    """An attribute in a request. Requests take an AttributeName instead."""

    name: AttributeName = attrs.field(converter=to_attribute_name)
    """Name of the attribute."""


def _to_attribute(given: Any) -> Any:
    return ObservedAttribute(name=given) if isinstance(given, str) and fault_of_input(given) is None else given


def to_attribute(given: AttributeName | str | ObservedAttribute | None) -> ObservedAttribute | None:
    """Convert the name of an attribute. The validator refuses other values."""
    found: ObservedAttribute | None = _to_attribute(given)
    return found


def to_attributes(given: Iterable[AttributeName | str | ObservedAttribute]) -> tuple[ObservedAttribute, ...]:
    """Convert the names of attributes. The validator refuses other values."""
    several = as_tuple(given)
    found: tuple[ObservedAttribute, ...] = several
    return tuple([_to_attribute(one) for one in several]) if isinstance(several, tuple) else found


@attrs.frozen(kw_only=True, field_transformer=checked)
class ObservationRequest(Model):
    """Devices and attributes to observe."""

    account_name: str
    """Account of the devices."""
    devices: tuple[DeviceId, ...] = attrs.field(converter=to_several_diagnosed)
    """Devices with LwM2M: DeviceId, or devices from `session.devices.list`, which are named by their IMEI."""
    attributes: tuple[ObservedAttribute, ...] = attrs.field(converter=to_attributes)
    """Names of attributes, such as `AttributeName.RADIO_SIGNAL_STRENGTH`."""
    frequency: TimeSpan | None = attrs.field(default=None, converter=to_time_span, validator=_check_frequency)
    """Time between two values of an attribute: a timedelta of 15 seconds or more.

    For a device that sleeps, use less than its active timer.
    """
    duration: TimeSpan | None = attrs.field(default=None, converter=to_time_span, validator=_span)
    """Length of the observation: a timedelta of any length. Without it, the observation runs until it is stopped, or
    has used up the allowance of the month."""

    def __attrs_post_init__(self) -> None:
        every = None if self.frequency is None else self.frequency.as_timedelta()
        length = None if self.duration is None else self.duration.as_timedelta()
        if every is not None and length is not None and length < every:
            raise InvalidRequest(
                f"ObservationRequest: duration is shorter than frequency ({length} and {every}), so no value would come"
            )

    @property
    def events(self) -> int | None:
        """Events that the observation takes from the allowance: one for each device, attribute and interval.

        None without a frequency or a duration.
        """
        every = None if self.frequency is None else self.frequency.as_timedelta()
        length = None if self.duration is None else self.duration.as_timedelta()
        if every is None or length is None:
            return None
        return len(self.devices) * len(self.attributes) * -(-length // every)


@attrs.frozen(kw_only=True)
class DiagnosticsAccepted(Accepted):
    """The platform has accepted a request. Its results arrive later, on Diagnostics."""

    request_id: str = attrs.field(metadata=named_on_wire("transactionID"))
    """The platform's `transactionID`, which the messages repeat. Pass it to `stop`."""
    status: str | None = None
    """For example `CANCEL_OBSERVE_PENDING`."""
    created_on: datetime | None = None


@attrs.frozen(kw_only=True)
class AttributeSetting(ObservedValue):
    """An attribute of a device: whether it is observed, and its last value."""

    is_observable: bool | None = None
    is_observing: bool | None = None
    frequency: TimeSpan | None = None
    """Time between two values."""


@attrs.frozen(kw_only=True)
class ObservationSetting(Model):
    """The attributes of a device."""

    account_name: str | None = None
    device: DeviceId | None = None
    attributes: tuple[AttributeSetting, ...] = ()


@attrs.frozen(kw_only=True, field_transformer=checked)
class HistoryFilter(Model):
    """The values to search for."""

    account_name: str
    """Account of the device."""
    device: DeviceId = attrs.field(converter=to_diagnosed)
    """A DeviceId, or a device from an answer."""
    attribute: ObservedAttribute | None = attrs.field(
        default=None, converter=to_attribute, metadata=named_on_wire("attributes")
    )
    """An AttributeName. Without it, the values of all attributes are returned."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class HistorySpan(Model):
    """A span of time."""

    start: datetime | None = attrs.field(default=None, metadata=named_on_wire("startOn"))
    """Begin of the span."""
    duration: TimeSpan | None = attrs.field(default=None, converter=to_time_span, validator=_span)
    """Length of the span: a timedelta."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class HistorySearchRequest(Model):
    """A search in the values of earlier observations."""

    filter: HistoryFilter = attrs.field(metadata=named_on_wire("$filter"))
    """Account, device and attribute."""
    limit_number: Annotated[int | None, Range(least=1)] = attrs.field(
        default=None, metadata=named_on_wire("$limitNumber")
    )
    """Greatest number of values on a page."""
    limit_time: HistorySpan | None = attrs.field(default=None, metadata=named_on_wire("$limitTime"))
    """When the values were measured."""
    page: str | None = attrs.field(default=None, metadata=named_on_wire("$page"))
    """Mark of a page: the `next` of the page before. `history` sets it."""


@attrs.frozen(kw_only=True)
class HistoryRecord(Model):
    """A value of an earlier observation."""

    account_name: str | None = None
    device: DeviceId | None = None
    observed: ObservedValue | None = attrs.field(default=None, metadata=named_on_wire("attributes"))


@attrs.frozen(kw_only=True)
class HistoryPage(Model):
    """One page of the values of earlier observations."""

    records: tuple[HistoryRecord, ...]
    """Newest first."""
    next: str | None = None
    """Pass it as `page` to request the next page. None after the last page."""


def to_restart_action(given: RestartAction | str) -> RestartAction:
    """Convert an action. The validator refuses values that are not strings."""
    return RestartAction(given) if isinstance(given, str) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class RestartRequest(Model):
    """Devices with a modem to restart."""

    account_name: str
    """Account of the devices."""
    action: RestartAction = attrs.field(converter=to_restart_action)
    """Whether to keep the settings of the modem, or to reset them."""
    devices: tuple[DeviceId, ...] = attrs.field(converter=to_several_diagnosed)
    """Devices with LwM2M: DeviceId, or devices from `session.devices.list`, which are named by their IMEI."""


@attrs.frozen(kw_only=True)
class DiagnosticsSubscription(Model):
    """The diagnostics service of an account."""

    account_name: str | None = None
    created_on: datetime | None = None
    last_updated: datetime | None = None
    total_allowed: int | None = None
    """Events per month: 6,000 for each license and each of four attributes. Each callback with a value is an event."""
    total_used: int | None = None
    """Events of this month."""
    sku_name: str | None = None
    """For example `TS-BUNDLE-KTO-DIAGNOSTIC-MRC`."""


def to_callback_service(given: DiagnosticsCallbackService | str | None) -> DiagnosticsCallbackService:
    """Convert the name of a service. The validator refuses values that are not strings."""
    if given is None:
        return DiagnosticsCallbackService.DIAGNOSTICS
    return DiagnosticsCallbackService(given) if isinstance(given, str) else given


def to_headers(given: Mapping[str, Secret | str] | None) -> dict[str, Secret] | None:
    """Convert headers. The validator refuses other values."""
    if not isinstance(given, Mapping):
        return given
    return {name: Secret(value) if isinstance(value, str) else value for name, value in given.items()}


_HEADER_NAME: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"


def _check_headers(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or not all(isinstance(one, Secret) for one in value.values()):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must map names to strings")
    for name, secret in value.items():
        text = secret.reveal()
        if not isinstance(name, str) or re.fullmatch(_HEADER_NAME, name) is None:
            raise InvalidRequest(f"{type(model).__name__}: {field.name} has a name that is not the name of a header")
        if not (text and text.isascii() and text.isprintable()):
            raise InvalidRequest(
                f"{type(model).__name__}: {field.name} has a value for {name} with other than visible ASCII characters"
            )


@attrs.frozen(kw_only=True, field_transformer=checked)
class RegisterDiagnosticsCallbackRequest(Model):
    """A URL to send the messages of Diagnostics to."""

    account_name: str
    """Account of the devices."""
    service_name: DiagnosticsCallbackService = attrs.field(default=None, converter=to_callback_service)
    """Default: `DIAGNOSTICS`."""
    endpoint: str = attrs.field(validator=checks.url(ports=(range(1, 65_536),)))
    """HTTP or HTTPS."""
    http_headers: dict[str, Secret] | None = attrs.field(default=None, converter=to_headers, validator=_check_headers)
    """Headers that the platform adds to each message, for example for your gateway. The values are secret."""


@attrs.frozen(kw_only=True)
class DiagnosticsCallback(Model):
    """A registered listener."""

    account_name: str | None = None
    service_name: DiagnosticsCallbackService | None = None
    endpoint: str | None = None
    """Its URL."""
    created_on: datetime | None = None
    http_headers: dict[str, Secret | None] | None = None
    """Headers that the platform adds to each message."""


@attrs.frozen(kw_only=True)
class DiagnosticsCallbackRegistered(DiagnosticsCallback):
    """The registered listener, and the secret that signs its messages."""

    secret: Secret | None = attrs.field(default=None, metadata={"local": True})
    """Store it: the platform shows it only once. Pass it to `Receiver.expect_signed`.

    None if the answer has no `Shared-Key` header. Look for it in `headers`: its name is an ASSUMPTION.
    """
    headers: dict[str, Secret] = attrs.field(factory=dict[str, Secret], eq=False, repr=False, metadata={"local": True})
    """All headers of the answer."""
