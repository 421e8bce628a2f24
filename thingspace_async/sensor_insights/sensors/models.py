"""Models of sensors: onboarding and offboarding."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

import attrs

from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import Secret, to_secret
from thingspace_async.errors import InvalidRequest
from thingspace_async.sensor_insights._names import checked_low, low
from thingspace_async.sensor_insights.models import json_object, wrapped, wrapper

__all__ = [
    "AddedSensor",
    "BoardingEvent",
    "BoardingSensor",
    "Gateway",
    "NewSensor",
    "OffboardSensorRequest",
    "OffboardingStatus",
    "OffboardingStatusRequest",
    "OnboardSensorRequest",
    "OnboardingStatus",
    "OnboardingStatusRequest",
    "RemovedSensor",
    "RemovedSensorEui",
]

_EUI: Final = 16
_KEY: Final = 32
"""Hexadecimal characters of an EUI and of a key (LoRaWAN 1.0, 64 and 128 bits)."""


def _is_hexadecimal(text: str, size: int) -> bool:
    return re.fullmatch(rf"[0-9A-Fa-f]{{{size}}}", text) is not None


def eui(model: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check for an EUI."""
    if not isinstance(value, str) or not _is_hexadecimal(value, _EUI):
        found = f"{len(value)} characters" if isinstance(value, str) else f"a value of type {type(value).__name__}"
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be {_EUI} hexadecimal characters, not {found}")


def key(model: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check for a key, without showing it."""
    if not isinstance(value, Secret) or not isinstance(value.reveal(), str):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a Secret or a str")
    if not _is_hexadecimal(value.reveal(), _KEY):
        raise InvalidRequest(
            f"{type(model).__name__}: {field.name} must be {_KEY} hexadecimal characters, "
            f"and this one has {len(value.reveal())} characters"
        )


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class NewSensor(Model):
    """A LoRaWAN sensor with its keys, as printed on it or given by its manufacturer."""

    dev_eui: str = attrs.field(validator=eui)
    """EUI of the sensor, 16 hexadecimal characters."""
    app_eui: str = attrs.field(validator=eui)
    """EUI of its application, also called JoinEUI, 16 hexadecimal characters."""
    app_key: Secret = attrs.field(validator=key, converter=to_secret)
    """Key of the sensor, 32 hexadecimal characters. It stays hidden."""
    device_class: str = attrs.field(metadata=named_on_wire("class"))
    """Class of LoRaWAN, such as `A`."""
    kind: str
    """Kind of the sensor, as its manufacturer names it."""
    name: str
    description: str
    custom_data: dict[str, Any] | None = attrs.field(default=None, validator=json_object)
    """Data of your own."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class AddedSensor(Model):
    """A sensor to onboard, in the form of the wire."""

    sensor: NewSensor = attrs.field(metadata=named_on_wire("addsensor"))


def to_added(given: NewSensor | AddedSensor) -> AddedSensor:
    """Convert a sensor to the form of the wire. The validator refuses other values."""
    return AddedSensor(sensor=given) if isinstance(given, NewSensor) else given


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class OnboardSensorRequest(Model):
    """A sensor to onboard."""

    account_name: str
    """Account that the sensor is added to."""
    sensor: AddedSensor = attrs.field(converter=to_added, metadata=named_on_wire("payload"))
    """A NewSensor."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class RemovedSensorEui(Model):
    """The EUI of a sensor to offboard, in the form of the wire."""

    dev_eui: str = attrs.field(validator=eui)


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class RemovedSensor(Model):
    """A sensor to offboard, in the form of the wire."""

    sensor: RemovedSensorEui = attrs.field(metadata=named_on_wire("removesensor"))


def _removed(given: str) -> RemovedSensor:
    return RemovedSensor(sensor=RemovedSensorEui(dev_eui=given))


def to_removed(given: RemovedSensor | str) -> RemovedSensor:
    """Convert an EUI to the form of the wire. The validator refuses other values."""
    return wrapped(_removed, given)


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class OffboardSensorRequest(Model):
    """A sensor to offboard."""

    account_name: str
    """Account of the sensor."""
    sensor: RemovedSensor = attrs.field(
        validator=wrapper(RemovedSensor, _removed), converter=to_removed, metadata=named_on_wire("configuration")
    )
    """EUI of the sensor, 16 hexadecimal characters."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class Gateway(Model):
    """The gateway of a sensor, in the form of the wire."""

    device_id: str
    """`id` of the gateway in Sensor Insights."""


def _gateway(given: str) -> Gateway:
    return Gateway(device_id=given)


def to_gateway(given: Gateway | str) -> Gateway:
    """Convert the id of a gateway. The validator refuses other values."""
    return wrapped(_gateway, given)


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class BoardingSensor(Model):
    """A sensor by its EUI, in the form of the wire."""

    identifier: str = attrs.field(validator=eui, metadata=named_on_wire("sensoridentifier"))


def _boarding(given: str) -> BoardingSensor:
    return BoardingSensor(identifier=given)


def to_boarding(given: BoardingSensor | str) -> BoardingSensor:
    """Convert an EUI. The validator refuses other values."""
    return wrapped(_boarding, given)


_is_gateway: Final = wrapper(Gateway, _gateway)
_is_boarding: Final = wrapper(BoardingSensor, _boarding)


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class OnboardingStatusRequest(Model):
    """A sensor whose onboarding to read."""

    account_name: str
    """Account of the sensor."""
    gateway: Gateway = attrs.field(
        validator=_is_gateway, converter=to_gateway, metadata=named_on_wire("gatewayidentifier")
    )
    """`id` of the gateway that the sensor connects to."""
    sensor: BoardingSensor = attrs.field(
        validator=_is_boarding, converter=to_boarding, metadata=named_on_wire("onboarding")
    )
    """EUI of the sensor."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class OffboardingStatusRequest(Model):
    """A sensor whose offboarding to read."""

    account_name: str
    """Account of the sensor."""
    gateway: Gateway = attrs.field(
        validator=_is_gateway, converter=to_gateway, metadata=named_on_wire("gatewayidentifier")
    )
    """`id` of the gateway that the sensor connects to."""
    sensor: BoardingSensor = attrs.field(
        validator=_is_boarding, converter=to_boarding, metadata=named_on_wire("offboarding")
    )
    """EUI of the sensor."""


# ASSUMPTION: no page lists the states.
_FAILED: Final = r"(?i)fail|error|reject|denied|timed? ?out"
_DONE: Final = r"(?i)success|complete|done|^registered|^onboarded|^offboarded|^deregistered"


@attrs.frozen(kw_only=True, field_transformer=low)
class BoardingEvent(Model):
    """A step of an onboarding or offboarding."""

    state: str | None = None
    """No list of the states is published."""
    err_msg: str | None = None
    """Why it failed."""
    transaction_id: str | None = None
    """Equal for the steps of one onboarding."""
    fields: dict[str, Any] | None = None
    created_on: datetime | None = None

    @property
    def failed(self) -> bool:
        """Whether the event ends the onboarding or offboarding without success."""
        return bool(self.err_msg) or re.search(_FAILED, self.state or "") is not None

    @property
    def succeeded(self) -> bool:
        """Whether the event ends the onboarding or offboarding with success."""
        return not self.failed and re.search(_DONE, self.state or "") is not None


@attrs.frozen(kw_only=True, field_transformer=low)
class OnboardingStatus(Model):
    """The steps of the onboarding of a sensor."""

    events: tuple[BoardingEvent, ...] = ()
    """In the order of the answer."""


@attrs.frozen(kw_only=True, field_transformer=low)
class OffboardingStatus(OnboardingStatus):
    """The steps of the offboarding of a sensor."""

    is_still_registered: bool | None = None
    """Whether the sensor is still registered with its gateway."""
