"""Messages of SAE J2735: roadside alerts and traveler information.

Their nesting is that of the standard. Positions are whole numbers, in tenths of a microdegree.
"""

from __future__ import annotations

from typing import Annotated, Any

import attrs

from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import OpenEnum
from thingspace_async.errors import InvalidRequest
from thingspace_async.v2x.geofences.fields import LATITUDE, LONGITUDE, one_of, to_models

__all__ = [
    "AsphaltOrTar",
    "AsphaltOrTarState",
    "Cinders",
    "CindersState",
    "ContentItem",
    "ContentPart",
    "DataFrame",
    "FrameContent",
    "FrameType",
    "FrictionContent",
    "FrictionInformation",
    "GeographicalPath",
    "Grass",
    "GrassState",
    "Gravel",
    "GravelState",
    "Ice",
    "IceState",
    "InformationId",
    "NodeOffset",
    "NodePosition",
    "OffsetSystem",
    "PathDescription",
    "PathNode",
    "PathNodes",
    "PathOffset",
    "PortlandCement",
    "PortlandCementState",
    "RoadSignId",
    "RoadSurface",
    "Rock",
    "RockState",
    "SaeAlert",
    "SaeInformation",
    "SignPosition",
    "Snow",
    "SnowState",
]


class FrameType(OpenEnum):
    """The kind of an SAE information."""

    UNKNOWN = "unknown"
    ADVISORY = "advisory"
    ROAD_SIGNAGE = "roadSignage"
    COMMERCIAL_SIGNAGE = "commercialSignage"


def to_frame_type(given: FrameType | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return FrameType(given) if isinstance(given, str) else given


class PortlandCementState(OpenEnum):
    """The state of a surface of portland cement."""

    NEW_SHARP = "newSharp"
    TRAVELED = "traveled"
    TRAFFIC_POLISHED = "trafficPolished"


def to_portland_cement_state(given: PortlandCementState | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return PortlandCementState(given) if isinstance(given, str) else given


class AsphaltOrTarState(OpenEnum):
    """The state of a surface of asphalt or tar."""

    NEW_SHARP = "newSharp"
    TRAVELED = "traveled"
    TRAFFIC_POLISHED = "trafficPolished"
    EXCESS_TAR = "excessTar"


def to_asphalt_or_tar_state(given: AsphaltOrTarState | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return AsphaltOrTarState(given) if isinstance(given, str) else given


class GravelState(OpenEnum):
    """The state of a surface of gravel."""

    PACKED_OILED = "packedOiled"
    LOOSE = "loose"


def to_gravel_state(given: GravelState | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return GravelState(given) if isinstance(given, str) else given


class GrassState(OpenEnum):
    """The state of a surface of grass."""

    LESS_THAN_30MPH = "lessThan30Mph"


def to_grass_state(given: GrassState | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return GrassState(given) if isinstance(given, str) else given


class CindersState(OpenEnum):
    """The state of a surface of cinders."""

    PACKED = "packed"


def to_cinders_state(given: CindersState | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return CindersState(given) if isinstance(given, str) else given


class RockState(OpenEnum):
    """The state of a surface of rock."""

    CRUSHED = "crushed"


def to_rock_state(given: RockState | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return RockState(given) if isinstance(given, str) else given


class IceState(OpenEnum):
    """The state of a surface of ice."""

    SMOOTH = "smooth"


def to_ice_state(given: IceState | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return IceState(given) if isinstance(given, str) else given


class SnowState(OpenEnum):
    """The state of a surface of snow."""

    PACKED = "packed"
    LOOSE = "loose"


def to_snow_state(given: SnowState | str | None) -> Any:
    """Convert a name. The validator refuses values that are not strings."""
    return SnowState(given) if isinstance(given, str) else given


def _whole_numbers(model: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, tuple) or any(isinstance(one, bool) or not isinstance(one, int) for one in value):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a tuple of int")


@attrs.frozen(kw_only=True, field_transformer=checked)
class SaeAlert(Model):
    """A roadside alert of SAE J2735."""

    type_event: int
    """ITIS code."""
    message_count: int | None = attrs.field(default=None, metadata=named_on_wire("msgCnt"))
    description: tuple[int, ...] = attrs.field(default=(), converter=to_models, validator=_whole_numbers)
    """ITIS codes."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class SignPosition(Model):
    """The position of a sign."""

    latitude: Annotated[int, LATITUDE] = attrs.field(metadata=named_on_wire("lat"))
    longitude: Annotated[int, LONGITUDE] = attrs.field(metadata=named_on_wire("long"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class RoadSignId(Model):
    """A road sign."""

    position: SignPosition
    view_angle: str
    """Bits: one for each direction of view."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class InformationId(Model):
    """The subject of an SAE information."""

    further_info_id: str | None = attrs.field(default=None, metadata=named_on_wire("furtherInfoID"))
    road_sign_id: RoadSignId | None = attrs.field(default=None, metadata=named_on_wire("roadSignID"))

    def __attrs_post_init__(self) -> None:
        one_of(self, "further_info_id", "road_sign_id")


@attrs.frozen(kw_only=True, field_transformer=checked)
class NodePosition(Model):
    """A node of a path."""

    longitude: Annotated[int, LONGITUDE] = attrs.field(metadata=named_on_wire("lon"))
    latitude: Annotated[int, LATITUDE] = attrs.field(metadata=named_on_wire("lat"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class NodeOffset(Model):
    """A node of a path, as the standard nests it."""

    position: NodePosition = attrs.field(metadata=named_on_wire("node-LatLon"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class PathNode(Model):
    """A node of a path, as the standard nests it."""

    delta: NodeOffset


@attrs.frozen(kw_only=True, field_transformer=checked)
class PathNodes(Model):
    """The nodes of a path."""

    nodes: tuple[PathNode, ...] = attrs.field(converter=to_models)


@attrs.frozen(kw_only=True, field_transformer=checked)
class PathOffset(Model):
    """A path, as the standard nests it."""

    nodes: PathNodes = attrs.field(metadata=named_on_wire("ll"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class OffsetSystem(Model):
    """A path, as the standard nests it."""

    offset: PathOffset


@attrs.frozen(kw_only=True, field_transformer=checked)
class PathDescription(Model):
    """A path, as the standard nests it."""

    path: OffsetSystem


@attrs.frozen(kw_only=True, field_transformer=checked)
class GeographicalPath(Model):
    """The road of an SAE information."""

    description: PathDescription | None = None
    direction: str | None = None
    """Bits of the directions of travel."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ContentItem(Model):
    """An ITIS code or a text."""

    itis: int | None = None
    text: str | None = None

    def __attrs_post_init__(self) -> None:
        one_of(self, "itis", "text")


@attrs.frozen(kw_only=True, field_transformer=checked)
class ContentPart(Model):
    """A part of a content, as the standard nests it."""

    item: ContentItem


@attrs.frozen(kw_only=True, field_transformer=checked)
class FrameContent(Model):
    """The content of an SAE information."""

    advisory: tuple[ContentPart, ...] = attrs.field(default=(), converter=to_models)
    work_zone: tuple[ContentPart, ...] = attrs.field(default=(), converter=to_models)
    generic_sign: tuple[ContentPart, ...] = attrs.field(default=(), converter=to_models)
    speed_limit: tuple[ContentPart, ...] = attrs.field(default=(), converter=to_models)
    exit_service: tuple[ContentPart, ...] = attrs.field(default=(), converter=to_models)

    def __attrs_post_init__(self) -> None:
        one_of(self, "advisory", "work_zone", "generic_sign", "speed_limit", "exit_service")


@attrs.frozen(kw_only=True, field_transformer=checked)
class PortlandCement(Model):
    """A surface of portland cement."""

    type: PortlandCementState | None = attrs.field(default=None, converter=to_portland_cement_state)


@attrs.frozen(kw_only=True, field_transformer=checked)
class AsphaltOrTar(Model):
    """A surface of asphalt or tar."""

    type: AsphaltOrTarState | None = attrs.field(default=None, converter=to_asphalt_or_tar_state)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Gravel(Model):
    """A surface of gravel."""

    type: GravelState | None = attrs.field(default=None, converter=to_gravel_state)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Grass(Model):
    """A surface of grass."""

    type: GrassState | None = attrs.field(default=None, converter=to_grass_state)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Cinders(Model):
    """A surface of cinders."""

    type: CindersState | None = attrs.field(default=None, converter=to_cinders_state)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Rock(Model):
    """A surface of rock."""

    type: RockState | None = attrs.field(default=None, converter=to_rock_state)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Ice(Model):
    """A surface of ice."""

    type: IceState | None = attrs.field(default=None, converter=to_ice_state)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Snow(Model):
    """A surface of snow."""

    type: SnowState | None = attrs.field(default=None, converter=to_snow_state)


@attrs.frozen(kw_only=True, field_transformer=checked)
class RoadSurface(Model):
    """The material of a road surface."""

    portland_cement: PortlandCement | None = None
    asphalt_or_tar: AsphaltOrTar | None = None
    gravel: Gravel | None = None
    grass: Grass | None = None
    cinders: Cinders | None = None
    rock: Rock | None = None
    ice: Ice | None = None
    snow: Snow | None = None

    def __attrs_post_init__(self) -> None:
        one_of(self, "portland_cement", "asphalt_or_tar", "gravel", "grass", "cinders", "rock", "ice", "snow")


@attrs.frozen(kw_only=True, field_transformer=checked)
class FrictionInformation(Model):
    """The friction of a road."""

    road_surface_description: RoadSurface


@attrs.frozen(kw_only=True, field_transformer=checked)
class FrictionContent(Model):
    """The friction of a road, as the standard nests it."""

    friction_info: FrictionInformation


@attrs.frozen(kw_only=True, field_transformer=checked)
class DataFrame(Model):
    """A part of an SAE information."""

    frame_type: FrameType = attrs.field(converter=to_frame_type)
    message_id: InformationId = attrs.field(metadata=named_on_wire("msgId"))
    start_time: int
    """Minute of the year."""
    duration_time: int
    """In minutes."""
    priority: int
    regions: tuple[GeographicalPath, ...] = attrs.field(converter=to_models)
    content: FrameContent
    start_year: int | None = None
    content_new: FrictionContent | None = None
    do_not_use1: int | None = None
    do_not_use2: int | None = None
    do_not_use3: int | None = None
    do_not_use4: int | None = None


@attrs.frozen(kw_only=True, field_transformer=checked)
class SaeInformation(Model):
    """A traveler information message (TIM) of SAE J2735."""

    data_frames: tuple[DataFrame, ...] = attrs.field(converter=to_models)
    message_count: int | None = attrs.field(default=None, metadata=named_on_wire("msgCnt"))
    time_stamp: int | None = None
    """Minute of the year."""
    packet_id: str | None = attrs.field(default=None, metadata=named_on_wire("packetID"))
    url_base: str | None = attrs.field(default=None, metadata=named_on_wire("urlB"))
