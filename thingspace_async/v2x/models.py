"""Models of V2X clients, their certificates and connections, and of map messages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, overload
from uuid import UUID

import attrs
import orjson

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.operation import Encoded
from thingspace_async._core.types import OpenEnum, Secret, as_tuple
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AreaMapQuery",
    "Certificate",
    "Client",
    "ClientFilter",
    "ClientInfo",
    "ClientLookup",
    "ClientQuery",
    "ClientSubtype",
    "ClientType",
    "Connection",
    "ConnectionRequest",
    "Connections",
    "DeviceRole",
    "Intersection",
    "IntersectionMapQuery",
    "MapFormat",
    "MapMessage",
    "MapMessageText",
    "MapQuery",
    "MapUpload",
    "MessageStandard",
    "NetworkType",
    "Place",
    "RegisterClientRequest",
    "RegisteredClient",
    "RenewClientRequest",
]


class ClientType(OpenEnum):
    """The kind of a client. `ClientType("…")` makes one that is not listed."""

    VEHICLE = "Vehicle"
    VULNERABLE_ROAD_USER = "VulnerableRoadUser"
    TRAFFIC_LIGHT_CONTROLLER = "TrafficLightController"
    INFRASTRUCTURE_SENSOR = "InfrastructureSensor"
    ONBOARD_SENSOR = "OnboardSensor"
    SOFTWARE = "Software"


class ClientSubtype(OpenEnum):
    """The kind of a client in detail. `ClientSubtype("…")` makes one that is not listed."""

    PASSENGER_CAR = "PassengerCar"
    TRUCK = "Truck"
    BUS = "Bus"
    EMERGENCY_VEHICLE = "EmergencyVehicle"
    SCHOOL_BUS = "SchoolBus"
    MAINTENANCE_VEHICLE = "MaintenanceVehicle"
    PEDESTRIAN = "Pedestrian"
    BICYCLE = "Bicycle"
    SCOOTER = "Scooter"
    MOTORCYCLE = "Motorcycle"
    ROAD_SIDE_UNIT = "RoadSideUnit"
    CAMERA = "Camera"
    LIDAR = "Lidar"
    RADAR = "Radar"
    INDUCTIVE_LOOP = "InductiveLoop"
    MAGNETIC_SENSOR = "MagneticSensor"
    PLATFORM = "Platform"
    APPLICATION = "Application"
    NONE = "NA"


class NetworkType(OpenEnum):
    """The network of a client."""

    VERIZON = "VZ"
    OTHER = "non-VZ"


class MessageStandard(OpenEnum):
    """The standard of messages: SAE in the United States, ETSI in Europe."""

    SAE = "sae"
    ETSI = "etsi"


class MapFormat(OpenEnum):
    """The form of map messages in an answer."""

    BASE64 = "BASE64"
    """UPER, in Base64."""
    JSON = "JSON"


def to_client_type(given: ClientType | str | None) -> Any:
    """Convert the name of a type. The validator refuses values that are not strings."""
    return ClientType(given) if isinstance(given, str) else given


def to_client_subtype(given: ClientSubtype | str | None) -> Any:
    """Convert the name of a subtype. The validator refuses values that are not strings."""
    return ClientSubtype(given) if isinstance(given, str) else given


def to_network_type(given: NetworkType | str) -> Any:
    """Convert the name of a network. The validator refuses values that are not strings."""
    return NetworkType(given) if isinstance(given, str) else given


def to_message_standard(given: MessageStandard | str | None) -> Any:
    """Convert the name of a standard. The validator refuses values that are not strings."""
    return MessageStandard(given) if isinstance(given, str) else given


def to_map_format(given: MapFormat | str | None) -> Any:
    """Convert the name of a form. The validator refuses values that are not strings."""
    return MapFormat(given) if isinstance(given, str) else given


@overload
def to_device_id(given: UUID | str) -> str: ...
@overload
def to_device_id(given: UUID | str | None) -> str | None: ...
def to_device_id(given: UUID | str | None) -> str | None:
    """Convert the id of a client. The validator refuses values that are not UUIDs."""
    return str(given) if isinstance(given, UUID) else given


_UUID: Final = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def is_device_id(value: object) -> bool:
    """Return whether a value is the id of a client, a UUID with dashes."""
    return isinstance(value, str) and re.fullmatch(_UUID, value) is not None


def _check_device_id(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not field.default and not is_device_id(value):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a UUID")


# Clients


@attrs.frozen(kw_only=True, field_transformer=checked)
class RegisterClientRequest(Model):
    """A client to register. With one of its identifiers, a second registration can be recognized."""

    client_type: ClientType = attrs.field(converter=to_client_type, metadata=named_on_wire("ClientType"))
    client_subtype: ClientSubtype = attrs.field(converter=to_client_subtype, metadata=named_on_wire("ClientSubtype"))
    vendor_id: str = attrs.field(metadata=named_on_wire("VendorID"))
    """Id of your business at Verizon. It belongs to the user of the session."""
    device_id: str | None = attrs.field(
        default=None, converter=to_device_id, validator=_check_device_id, metadata=named_on_wire("DeviceID")
    )
    """A UUID for the client. By default, the platform chooses it."""
    imei: str | None = attrs.field(default=None, metadata=named_on_wire("IMEI"))
    iccid: str | None = attrs.field(default=None, metadata=named_on_wire("ICCID"))
    imsi: str | None = attrs.field(default=None, metadata=named_on_wire("IMSI"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class ClientLookup(Model):
    """One identifier of a client."""

    device_id: str | None = attrs.field(
        default=None, converter=to_device_id, validator=_check_device_id, metadata=named_on_wire("DeviceID")
    )
    imei: str | None = attrs.field(default=None, metadata=named_on_wire("IMEI"))
    iccid: str | None = attrs.field(default=None, metadata=named_on_wire("ICCID"))
    imsi: str | None = attrs.field(default=None, metadata=named_on_wire("IMSI"))

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *_IDENTIFIERS)
        for place, name in enumerate(_IDENTIFIERS):
            checks.exclusive(self, name, *_IDENTIFIERS[place + 1 :])

    @classmethod
    def of(cls, request: RegisterClientRequest) -> ClientLookup | None:
        """Return the first identifier of a client to register, or None if it has none."""
        for name in _IDENTIFIERS:
            if (value := getattr(request, name)) is not None:
                return cls(**{name: value})
        return None

    @property
    def query(self) -> dict[str, str]:
        """The identifier by its name at the platform."""
        given: dict[str, str] = self.to_dict()
        return given


_IDENTIFIERS: Final = ("device_id", "imei", "iccid", "imsi")


@attrs.frozen(kw_only=True)
class Certificate(Model):
    """The certificate of a client, as PEM, with its private key."""

    certificate: str = attrs.field(repr=False, metadata=named_on_wire("cert.pem"))
    private_key: Secret = attrs.field(metadata=named_on_wire("key.pem"))
    authority: str = attrs.field(repr=False, metadata=named_on_wire("ca.pem"))
    """The certificate of the authority that signs the servers' certificates."""
    expires_at: datetime | None = attrs.field(default=None, metadata=named_on_wire("ExpirationTime"))
    """End of the certificate. `clients.renew` makes a new one in the last 30 days."""


@attrs.frozen(kw_only=True)
class RegisteredClient(Model):
    """A registered client, and its certificate."""

    device_id: str | None = attrs.field(default=None, metadata=named_on_wire("DeviceID"))
    """A UUID. It is the MQTT client id, too."""
    certificate: Certificate | None = attrs.field(default=None, metadata=named_on_wire("Certificate"))
    """None if the registration is pending: `clients.renew` finishes it."""


@attrs.frozen(kw_only=True)
class Client(RegisteredClient):
    """A registered client with its type."""

    client_type: ClientType | None = attrs.field(default=None, metadata=named_on_wire("ClientType"))
    client_subtype: ClientSubtype | None = attrs.field(default=None, metadata=named_on_wire("ClientSubtype"))
    vendor_id: str | None = attrs.field(default=None, metadata=named_on_wire("VendorID"))


@attrs.frozen(kw_only=True)
class RenewClientRequest(Model):
    """The empty body of a renewal."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ClientFilter(Model):
    """A choice of clients, or `page` for a later page."""

    client_type: ClientType | None = attrs.field(
        default=None, converter=to_client_type, metadata=named_on_wire("ClientType")
    )
    client_subtype: ClientSubtype | None = attrs.field(
        default=None, converter=to_client_subtype, metadata=named_on_wire("ClientSubtype")
    )
    mec_id: str | None = attrs.field(default=None, metadata=named_on_wire("MecId"))
    """A server of the message exchange (Multi-access Edge Computing)."""
    page_size: Annotated[int, Range(least=1)] | None = attrs.field(default=None, metadata=named_on_wire("PageSize"))
    page: str | None = attrs.field(default=None, metadata=named_on_wire("Page"))

    def __attrs_post_init__(self) -> None:
        checks.exclusive(self, "page", "client_type", "client_subtype", "mec_id", "page_size")


@attrs.frozen(kw_only=True, field_transformer=checked)
class ClientQuery(Model):
    """The clients of a vendor."""

    vendor_id: str = attrs.field(metadata=named_on_wire("VendorId"))
    filter: ClientFilter | None = attrs.field(default=None, metadata=named_on_wire("Filter"))
    """Default: all clients."""


@attrs.frozen(kw_only=True)
class ClientInfo(Model):
    """A client of a list."""

    device_id: str = attrs.field(metadata=named_on_wire("DeviceID"))
    client_type: ClientType = attrs.field(metadata=named_on_wire("ClientType"))
    client_subtype: ClientSubtype = attrs.field(metadata=named_on_wire("ClientSubtype"))
    mec_ids: tuple[str, ...] | None = attrs.field(default=None, metadata=named_on_wire("MecIds"))
    """Servers of the message exchange that the client uses."""


# Connections


def _degrees(most: int) -> checks.Validator:
    def check(model: object, field: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= most:
            raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a number from -{most} to {most}")

    return check


@attrs.frozen(kw_only=True, field_transformer=checked)
class Place(Model):
    """A place on earth, in degrees."""

    latitude: float = attrs.field(validator=_degrees(90), metadata=named_on_wire("Latitude"))
    longitude: float = attrs.field(validator=_degrees(180), metadata=named_on_wire("Longitude"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class ConnectionRequest(Model):
    """The place and the network of a client."""

    device_id: str = attrs.field(converter=to_device_id, validator=_check_device_id, metadata=named_on_wire("DeviceID"))
    place: Place = attrs.field(metadata=named_on_wire("Geolocation"))
    network_type: NetworkType = attrs.field(converter=to_network_type, metadata=named_on_wire("NetworkType"))


@attrs.frozen(kw_only=True)
class Connection(Model):
    """The MQTT server for a place."""

    url: str = attrs.field(metadata=named_on_wire("MqttURL"))
    host: str | None = attrs.field(default=None, metadata=named_on_wire("Host"))
    port: int | None = attrs.field(default=None, metadata=named_on_wire("Port"))


@attrs.frozen(kw_only=True)
class Connections(Model):
    """All MQTT servers that serve a place."""

    urls: tuple[str, ...] = attrs.field(metadata=named_on_wire("MqttURLs"))
    hosts: tuple[str, ...] = attrs.field(default=(), metadata=named_on_wire("Hosts"))
    ports: tuple[int, ...] = attrs.field(default=(), metadata=named_on_wire("Ports"))


@attrs.frozen(kw_only=True)
class DeviceRole(Model):
    """What clients may publish and subscribe to."""

    name: str
    subscribe_limit: int | None = None
    """Greatest number of subscriptions."""
    publish_rate_limit: int | None = None
    """Greatest number of messages per second. ASSUMPTION: the unit."""
    publish: tuple[str, ...] = ()
    """MQTT topics."""
    subscribe: tuple[str, ...] = ()


# Map messages


def check_polygon(call: str, polygon: object) -> str:
    """Return a GeoJSON polygon as JSON. Raises InvalidRequest for anything else, and for a latitude first."""
    if not isinstance(polygon, Mapping) or polygon.get("type") != "Polygon":
        raise InvalidRequest(f"{call} must be a GeoJSON polygon, such as {{'type': 'Polygon', 'coordinates': [...]}}")
    rings = as_tuple(polygon.get("coordinates"))
    if not isinstance(rings, tuple) or not rings:
        raise InvalidRequest(f"{call}: the polygon has no coordinates")
    for ring in rings:
        _check_ring(call, as_tuple(ring))
    return orjson.dumps(dict(polygon)).decode()


_LEAST_POSITIONS: Final = 4


def _check_ring(call: str, ring: Any) -> None:
    if not isinstance(ring, tuple) or len(ring) < _LEAST_POSITIONS or ring[0] != ring[-1]:
        raise InvalidRequest(
            f"{call}: a ring of the polygon needs {_LEAST_POSITIONS} positions or more, the last equal to the first"
        )
    for position in ring:
        check_position(call, position)


def check_position(call: str, position: object) -> None:
    """Raise InvalidRequest unless a value is a GeoJSON position: longitude, then latitude."""
    pair = as_tuple(position)
    if not isinstance(pair, tuple) or len(pair) not in (2, 3) or not all(map(_is_number, pair)):
        raise InvalidRequest(f"{call}: a position must be two numbers, longitude and latitude")
    longitude, latitude = pair[:2]
    if abs(latitude) > 90 and abs(longitude) <= 90:
        raise InvalidRequest(f"{call}: a position has its latitude first: GeoJSON has the longitude first")
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise InvalidRequest(f"{call}: a position is not on earth: give degrees, longitude first")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@attrs.frozen(kw_only=True)
class MapUpload(Model):
    """Base of the forms of a map message: MapMessage, or MapMessageText."""


def _json_value(model: object, field: attrs.Attribute[Any], value: object) -> None:
    try:
        fits = isinstance(value, dict) and bool(value) and bool(orjson.dumps(value))
    except TypeError:
        fits = False
    if not fits:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be an object of plain JSON values")


@attrs.frozen(kw_only=True, field_transformer=checked)
class MapMessage(MapUpload):
    """A map message (MAP) as JSON."""

    message_id: int
    """The DSRC message id; 18 for SAE."""
    value: Any = attrs.field(validator=_json_value)
    """The map data, as in the standard: an object of plain JSON values."""
    msg_issue_revision: int | None = None


@attrs.frozen(kw_only=True, field_transformer=checked)
class MapMessageText(MapUpload, Encoded):
    """A map message as a string: UPER in Base64."""

    text: str

    def encoded(self) -> tuple[bytes, str]:
        """Return the body and its content type."""
        return self.text.encode(), "text/plain; charset=utf-8"


@attrs.frozen(kw_only=True, field_transformer=checked)
class Intersection(Model):
    """An intersection."""

    intersection_id: int
    region_id: int | None = None
    """Default: 0."""


def to_intersections(given: Iterable[Intersection]) -> tuple[Intersection, ...]:
    """Convert intersections. The validator refuses other values."""
    found: tuple[Intersection, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True)
class MapQuery(Model):
    """Base of the queries for map messages: IntersectionMapQuery, or AreaMapQuery."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class IntersectionMapQuery(MapQuery):
    """Map messages of intersections."""

    intersections: tuple[Intersection, ...] = attrs.field(
        converter=to_intersections, metadata=named_on_wire("regionIntersectionPairs")
    )
    message_standard: MessageStandard | None = attrs.field(default=None, converter=to_message_standard)
    expected_type: MapFormat | None = attrs.field(default=None, converter=to_map_format)
    page_token: str | None = None
    page_size: Annotated[int, Range(least=1)] | None = None
    """Default: 200."""


def _area(model: object, field: attrs.Attribute[Any], value: object) -> None:
    check_polygon(f"{type(model).__name__}: {field.name}", value)


@attrs.frozen(kw_only=True, field_transformer=checked)
class AreaMapQuery(MapQuery):
    """Map messages in an area."""

    area: Any = attrs.field(validator=_area, metadata=named_on_wire("geoJson"))
    """A GeoJSON polygon. Positions have the longitude first."""
    message_standard: MessageStandard | None = attrs.field(default=None, converter=to_message_standard)
    expected_type: MapFormat | None = attrs.field(default=None, converter=to_map_format)
    page_token: str | None = None
    page_size: Annotated[int, Range(least=1)] | None = None
    """Default: 200."""
