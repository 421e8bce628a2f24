"""Models of geofences, and of the messages that are sent inside them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Self

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import OpenEnum, as_tuple
from thingspace_async.errors import InvalidRequest
from thingspace_async.v2x.geofences.etsi import EtsiAlert
from thingspace_async.v2x.geofences.fields import any_text, number, one_of, to_models
from thingspace_async.v2x.geofences.sae import SaeAlert, SaeInformation
from thingspace_async.v2x.models import MessageStandard, check_position, to_message_standard

__all__ = [
    "Area",
    "DistributionSchedule",
    "DistributionType",
    "Feature",
    "GenericMessage",
    "Geofence",
    "GeofenceMessage",
    "GeofenceRequest",
    "GeofenceSummary",
    "GeofenceUpdateRequest",
    "Geometry",
    "Limit",
    "RoadUserType",
    "TriggerCondition",
    "ValueRange",
]


class RoadUserType(OpenEnum):
    """A kind of road users."""

    VULNERABLE_ROAD_USER = "VulnerableRoadUser"
    VEHICLE = "Vehicle"


def to_road_user_type(given: RoadUserType | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return RoadUserType(given) if isinstance(given, str) else given


def to_road_user_types(given: Iterable[RoadUserType | str]) -> Any:
    """Convert names. The validator refuses other values."""
    several = as_tuple(given)
    return tuple(to_road_user_type(one) for one in several) if isinstance(several, tuple) else several


class TriggerCondition(OpenEnum):
    """When a message is sent to a client."""

    ENTER = "enter"
    LEAVE = "leave"
    INSIDE = "inside"
    CROSSING = "crossing"


def to_trigger_condition(given: TriggerCondition | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return TriggerCondition(given) if isinstance(given, str) else given


def to_trigger_conditions(given: Iterable[TriggerCondition | str]) -> Any:
    """Convert names. The validator refuses other values."""
    several = as_tuple(given)
    return tuple(to_trigger_condition(one) for one in several) if isinstance(several, tuple) else several


class DistributionType(OpenEnum):
    """How a message is sent."""

    TARGETED = "Targeted"
    BROADCAST = "Broadcast"


def to_distribution_type(given: DistributionType | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return DistributionType(given) if isinstance(given, str) else given


def to_distribution_types(given: Iterable[DistributionType | str]) -> Any:
    """Convert names. The validator refuses other values."""
    several = as_tuple(given)
    return tuple(to_distribution_type(one) for one in several) if isinstance(several, tuple) else several


_RINGS: Final = {"LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
"""The types of geometries, and how deep the lists of positions are nested."""


def _coordinates(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, list | tuple) or not value:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a list of positions")


def _positions(coordinates: Any, depth: int) -> list[Any]:
    """Return the positions in the coordinates of a geometry; raises InvalidRequest for a wrong nesting."""
    listed = as_tuple(coordinates)
    if not isinstance(listed, tuple):
        raise InvalidRequest("Geometry: coordinates are not nested as its type needs")
    return list(listed) if depth == 1 else [one for part in listed for one in _positions(part, depth - 1)]


@attrs.frozen(kw_only=True, field_transformer=checked)
class Geometry(Model):
    """A GeoJSON geometry. Positions have the longitude first."""

    type: str
    """`LineString`, `MultiLineString`, `Polygon` or `MultiPolygon`."""
    coordinates: Any = attrs.field(validator=_coordinates)
    """Positions, in lists as the type needs: `[[-112.07, 33.45], ...]` for a `LineString`."""

    def check(self) -> None:
        """Raise InvalidRequest for coordinates that do not fit the type, and for a latitude first."""
        if (depth := _RINGS.get(self.type)) is None:
            raise InvalidRequest(f"Geometry: type must be one of {', '.join(_RINGS)}")
        for position in _positions(self.coordinates, depth):
            check_position("Geometry", position)


def _properties(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be an object, not {type(value).__name__}")


@attrs.frozen(kw_only=True, field_transformer=checked)
class Feature(Model):
    """A GeoJSON feature."""

    type: str
    """`Feature`."""
    geometry: Geometry
    properties: Any = attrs.field(validator=_properties)
    """An object, such as `{}`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class Area(Model):
    """The area of a geofence: a GeoJSON collection with one feature."""

    type: str
    """`FeatureCollection`."""
    features: tuple[Feature, ...] = attrs.field(converter=to_models)

    @classmethod
    def of(cls, type: str, coordinates: Any) -> Self:  # noqa: A002
        """Return the area of a geometry, such as `Area.of("LineString", [[-112.07, 33.45], [-112.06, 33.45]])`."""
        feature = Feature(type="Feature", geometry=Geometry(type=type, coordinates=coordinates), properties={})
        return cls(type="FeatureCollection", features=(feature,))

    def check(self) -> None:
        """Raise InvalidRequest for an area that the platform cannot take."""
        if len(self.features) != 1:
            raise InvalidRequest(f"Area: a geofence has one feature, not {len(self.features)}")
        self.features[0].geometry.check()


@attrs.frozen(kw_only=True, field_transformer=checked)
class ValueRange(Model):
    """A range of speeds or headings."""

    min: float = attrs.field(validator=number)
    max: float = attrs.field(validator=number)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Limit(Model):
    """Speeds or headings of the road users that get a message."""

    speed: ValueRange | None = None
    heading: ValueRange | None = None

    def __attrs_post_init__(self) -> None:
        one_of(self, "speed", "heading")


@attrs.frozen(kw_only=True, field_transformer=checked)
class DistributionSchedule(Model):
    """When a message is sent."""

    repeat_period: int
    """In seconds."""
    duration: int
    """In minutes."""
    start_time: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=checked)
class GenericMessage(Model):
    """A message of any form."""

    message_type: str
    message_format: str
    payload: str = attrs.field(validator=any_text)


@attrs.frozen(kw_only=True, field_transformer=checked)
class GeofenceMessage(Model):
    """A message that clients in a geofence get. It has one of four contents."""

    is_private: bool
    """Whether only clients of your vendor get it. ASSUMPTION."""
    road_user_types: tuple[RoadUserType, ...] = attrs.field(
        converter=to_road_user_types, metadata=named_on_wire("roadUserType")
    )
    trigger_conditions: tuple[TriggerCondition, ...] = attrs.field(converter=to_trigger_conditions)
    limits: tuple[Limit, ...] = attrs.field(default=(), converter=to_models)
    distribution_types: tuple[DistributionType, ...] = attrs.field(
        default=(), converter=to_distribution_types, metadata=named_on_wire("distributionType")
    )
    distribution_schedule: DistributionSchedule | None = None
    generic: GenericMessage | None = None
    sae_alert: SaeAlert | None = None
    sae_information: SaeInformation | None = attrs.field(default=None, metadata=named_on_wire("saeInfo"))
    etsi_alert: EtsiAlert | None = None

    def __attrs_post_init__(self) -> None:
        one_of(self, "generic", "sae_alert", "sae_information", "etsi_alert")


def _area(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is None and field.default is None:
        return
    checks.instance(Area)(model, field, value)
    if isinstance(value, Area):
        try:
            value.check()
        except InvalidRequest as error:
            reason = str(error)
        else:
            return
        raise InvalidRequest(f"{type(model).__name__}: {field.name}: {reason}")


@attrs.frozen(kw_only=True, field_transformer=checked)
class GeofenceRequest(Model):
    """A geofence to create."""

    area: Area = attrs.field(validator=_area, metadata=named_on_wire("geoFence"))
    """One feature. `Area.of` makes it."""
    messages: tuple[GeofenceMessage, ...] = attrs.field(converter=to_models)
    is_active: bool
    name: str | None = None
    description: str | None = None
    message_standard: MessageStandard | None = attrs.field(default=None, converter=to_message_standard)
    """Default: SAE."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class GeofenceUpdateRequest(Model):
    """Changes of a geofence. Other values stay."""

    area: Area | None = attrs.field(default=None, validator=_area, metadata=named_on_wire("geoFence"))
    messages: tuple[GeofenceMessage, ...] = attrs.field(default=(), converter=to_models)
    is_active: bool | None = None
    name: str | None = None
    description: str | None = None
    message_standard: MessageStandard | None = attrs.field(default=None, converter=to_message_standard)

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *[field.name for field in attrs.fields(type(self))])


@attrs.frozen(kw_only=True)
class Geofence(Model):
    """A geofence."""

    id: str
    vendor_id: str | None = None
    name: str | None = None
    description: str | None = None
    area: Area | None = attrs.field(default=None, metadata=named_on_wire("geoFence"))
    message_standard: MessageStandard | None = None
    messages: tuple[GeofenceMessage, ...] = ()
    is_active: bool | None = None


@attrs.frozen(kw_only=True)
class GeofenceSummary(Model):
    """A geofence of a list."""

    id: str
    name: str | None = None
    description: str | None = None
    is_active: bool | None = None
