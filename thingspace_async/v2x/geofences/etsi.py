"""Alerts of ETSI (DENM).

Their nesting is that of the standard. Positions are whole numbers, in tenths of a microdegree.
"""

from __future__ import annotations

from typing import Annotated, Any

import attrs

from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import OpenEnum
from thingspace_async.v2x.geofences.fields import LATITUDE, LONGITUDE, OFFSET, one_of

__all__ = [
    "ActionId",
    "Altitude",
    "AltitudeConfidence",
    "AwarenessDistance",
    "Cause",
    "Denm",
    "DenmHeader",
    "DenmManagement",
    "DenmSituation",
    "EtsiAlert",
    "EventPosition",
    "EventType",
    "PositionConfidence",
]


class AltitudeConfidence(OpenEnum):
    """How precise an altitude is, in metres."""

    ALT_000_01 = "alt-000-01"
    ALT_000_02 = "alt-000-02"
    ALT_000_05 = "alt-000-05"
    ALT_000_10 = "alt-000-10"
    ALT_000_20 = "alt-000-20"
    ALT_000_50 = "alt-000-50"
    ALT_001_00 = "alt-001-00"
    ALT_002_00 = "alt-002-00"
    ALT_005_00 = "alt-005-00"
    ALT_010_00 = "alt-010-00"
    ALT_020_00 = "alt-020-00"
    ALT_050_00 = "alt-050-00"
    ALT_100_00 = "alt-100-00"
    ALT_200_00 = "alt-200-00"
    OUT_OF_RANGE = "outOfRange"
    UNAVAILABLE = "unavailable"


def to_altitude_confidence(given: AltitudeConfidence | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return AltitudeConfidence(given) if isinstance(given, str) else given


class AwarenessDistance(OpenEnum):
    """The reach of an ETSI alert."""

    LESS_THAN_50M = "lessThan50m"
    LESS_THAN_100M = "lessThan100m"
    LESS_THAN_200M = "lessThan200m"
    LESS_THAN_500M = "lessThan500m"
    LESS_THAN_1000M = "lessThan1000m"
    LESS_THAN_5KM = "lessThan5km"
    LESS_THAN_10KM = "lessThan10km"
    OVER_10KM = "over10km"


def to_awareness_distance(given: AwarenessDistance | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return AwarenessDistance(given) if isinstance(given, str) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class DenmHeader(Model):
    """The header of an ETSI alert."""

    protocol_version: int
    """2."""
    message_id: int
    """1."""
    station_id: int


@attrs.frozen(kw_only=True, field_transformer=checked)
class ActionId(Model):
    """The id of an event."""

    originating_station_id: int
    sequence_number: int


@attrs.frozen(kw_only=True, field_transformer=checked)
class PositionConfidence(Model):
    """How precise a position is."""

    semi_major_confidence: int
    semi_minor_confidence: int
    semi_major_orientation: int


@attrs.frozen(kw_only=True, field_transformer=checked)
class Altitude(Model):
    """An altitude."""

    altitude_value: Annotated[int, OFFSET] | None = None
    altitude_confidence: AltitudeConfidence | None = attrs.field(default=None, converter=to_altitude_confidence)


@attrs.frozen(kw_only=True, field_transformer=checked)
class EventPosition(Model):
    """The position of an event."""

    latitude: Annotated[int, LATITUDE]
    longitude: Annotated[int, LONGITUDE]
    position_confidence_ellipse: PositionConfidence
    altitude: Altitude


@attrs.frozen(kw_only=True, field_transformer=checked)
class DenmManagement(Model):
    """When and where an event is."""

    action_id: ActionId
    detection_time: int
    """Milliseconds since 2004."""
    reference_time: int
    """Milliseconds since 2004."""
    event_position: EventPosition
    station_type: int
    awareness_distance: AwarenessDistance | None = attrs.field(default=None, converter=to_awareness_distance)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Cause(Model):
    """The cause of an event, and its code in detail."""

    traffic_condition: int | None = attrs.field(default=None, metadata=named_on_wire("trafficCondition1"))
    accident: int | None = attrs.field(default=None, metadata=named_on_wire("accident2"))
    roadworks: int | None = attrs.field(default=None, metadata=named_on_wire("roadworks3"))
    impassability: int | None = attrs.field(default=None, metadata=named_on_wire("impassability5"))
    wrong_way_driving: int | None = attrs.field(default=None, metadata=named_on_wire("wrongWayDriving14"))
    emergency_vehicle_approaching: int | None = attrs.field(
        default=None, metadata=named_on_wire("emergencyVehicleApproaching95")
    )

    def __attrs_post_init__(self) -> None:
        one_of(
            self,
            "traffic_condition",
            "accident",
            "roadworks",
            "impassability",
            "wrong_way_driving",
            "emergency_vehicle_approaching",
        )


@attrs.frozen(kw_only=True, field_transformer=checked)
class EventType(Model):
    """The kind of an event."""

    cause: Cause | None = attrs.field(default=None, metadata=named_on_wire("ccAndScc"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class DenmSituation(Model):
    """The kind of an event, and the quality of the information."""

    information_quality: int
    event_type: EventType


@attrs.frozen(kw_only=True, field_transformer=checked)
class Denm(Model):
    """The content of an ETSI alert."""

    management: DenmManagement
    situation: DenmSituation | None = None


@attrs.frozen(kw_only=True, field_transformer=checked)
class EtsiAlert(Model):
    """An alert of ETSI (DENM)."""

    header: DenmHeader
    denm: Denm
