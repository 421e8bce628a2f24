"""Models of anomaly detection, wireless network performance and the connection planner."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Final, Self, TypeAlias, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Count, Length, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.faults import fault_of_identifier, fault_of_input
from thingspace_async._core.types import (
    Accepted,
    DeviceId,
    Identified,
    OpenEnum,
    Secret,
    as_tuple,
    to_device_id,
    to_device_ids,
    to_secret,
)
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AnomalyRequest",
    "AnomalySettings",
    "ConnectionPlanRequest",
    "ConnectionPlanStatus",
    "ConnectionPlanStatusRequest",
    "Coordinates",
    "CoverageLocations",
    "CoverageType",
    "DeviceExperienceHistoryRequest",
    "DeviceExperienceRequest",
    "DevicePlanStatus",
    "IntelligenceAccepted",
    "IntelligenceResult",
    "LocationType",
    "NetworkChoice",
    "NetworkConditionsRequest",
    "NetworkType",
    "PlannedDevice",
    "PrivateNetworkApn",
    "ScoredDevice",
    "Sensitivity",
    "SensitivitySettings",
    "ServiceAddress",
    "SitePerformanceLocations",
    "SitePerformanceRequest",
    "SiteProximityRequest",
    "SiteTechnology",
    "WirelessCoverageRequest",
]

MOST: Final = 100
"""Places or devices in a request."""


@attrs.frozen(kw_only=True)
class IntelligenceAccepted(Accepted):
    """The platform has accepted a question. One message answers it: await it with `outcomes.answer`.

    `devices` is empty, because the message is about all devices of the request.
    """

    def _answering(self, request: object) -> Self:
        del request
        return self


# Anomaly detection


def to_anomaly(given: str | None) -> str:
    """Return the type of the request, which has one value so far."""
    return "anomaly" if given is None else given


def _threshold(model: object, field: attrs.Attribute[Any], value: float | None) -> None:
    if value is None:
        return
    if not isinstance(value, float | int) or isinstance(value, bool):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a number, not {type(value).__name__}")
    if not math.isfinite(value) or value < 0:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be zero or more")


@attrs.frozen(kw_only=True, field_transformer=checked)
class Sensitivity(Model):
    """Deviations from a device's expected usage to report."""

    enable_abnormal: bool
    """Whether to report abnormal usage."""
    abnormal_max_value: float | None = attrs.field(default=None, validator=_threshold)
    """Threshold of abnormal usage. Required to report it. The platform's sample has 1.1, without a unit."""
    enable_very_abnormal: bool
    """Whether to report very abnormal usage."""
    very_abnormal_max_value: float | None = attrs.field(default=None, validator=_threshold)
    """Threshold of very abnormal usage. Required to report it. The platform's sample has 0.55, without a unit."""

    def __attrs_post_init__(self) -> None:
        for name in ("abnormal", "very_abnormal"):
            if getattr(self, f"enable_{name}") and getattr(self, f"{name}_max_value") is None:
                raise InvalidRequest(f"Sensitivity: enable_{name} needs {name}_max_value, too")


@attrs.frozen(kw_only=True, field_transformer=checked)
class AnomalyRequest(Model):
    """An account whose usage to watch."""

    account_name: str
    """Account of the devices."""
    request_type: str = attrs.field(default=None, converter=to_anomaly)
    """`anomaly`, the default, is the only documented value."""
    sensitivity: Sensitivity = attrs.field(metadata=named_on_wire("sensitivityParameter"))
    """Deviations to report."""


@attrs.frozen(kw_only=True)
class IntelligenceResult(Model):
    """The platform has changed the settings."""

    status: str | None = None


@attrs.frozen(kw_only=True)
class SensitivitySettings(Model):
    """Deviations that are reported."""

    enable_abnormal: bool | None = None
    abnormal_max_value: float | None = None
    """Threshold of abnormal usage."""
    enable_very_abnormal: bool | None = None
    very_abnormal_max_value: float | None = None
    """Threshold of very abnormal usage."""

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        # The table on the platform's page has strings, its sample has numbers.
        odd = False
        for name in ("abnormalMaxValue", "veryAbnormalMaxValue"):
            if isinstance(text := data.get(name), str):
                data[name] = _number(text)
                odd = True
        return odd


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


@attrs.frozen(kw_only=True)
class AnomalySettings(Model):
    """The settings of anomaly detection of an account."""

    account_name: str | None = None
    """Not a name: `Success` if the account has anomaly detection, otherwise `Failure`."""
    sensitivity: SensitivitySettings | None = attrs.field(default=None, metadata=named_on_wire("sensitivityParameter"))
    """Deviations that are reported."""
    status: str | None = None
    """`Active`, or another word if anomaly detection is off."""

    @property
    def is_active(self) -> bool:
        """Whether anomaly detection is on."""
        return (self.status or "").casefold() == "active"

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        # The sample on the platform's page has a list with one object.
        listed = data.get("sensitivityParameter")
        odd = isinstance(listed, list) and len(listed) < 2
        if odd:
            data["sensitivityParameter"] = listed[0] if listed else None
        return odd


# Places


class LocationType(OpenEnum):
    """How a request names places."""

    COORDINATES = "LONGLAT"
    ADDRESS = "ADDRESS"


def to_location_type(given: LocationType | str | None) -> LocationType:
    """Convert a type. The validator refuses values that are not strings."""
    if given is None:
        return LocationType.COORDINATES
    return LocationType(given) if isinstance(given, str) else given


def to_degrees(given: float | str) -> str:
    """Write a number in decimal degrees. The validator refuses other values."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return cast("str", given)
    if isinstance(given, int) or not math.isfinite(given):
        return str(given)
    return format(Decimal(repr(float(given))), "f")  # Never with an exponent.


_MOST_DEGREES: Final = {"latitude": 90, "longitude": 180}


def _degrees(model: object, field: attrs.Attribute[Any], value: str) -> None:
    checks.text(model, field, value)
    most = _MOST_DEGREES[field.name]
    number = _number(value) if value.isascii() and value.strip("+-.0123456789") == "" else None
    if number is None or abs(number) > most:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be decimal degrees from -{most} to {most}")


@attrs.frozen(kw_only=True, field_transformer=checked)
class Coordinates(Model):
    """A place. Numbers are converted to strings, as the platform wants them."""

    latitude: str = attrs.field(converter=to_degrees, validator=_degrees)
    """In decimal degrees, positive in the north."""
    longitude: str = attrs.field(converter=to_degrees, validator=_degrees)
    """In decimal degrees, positive in the east: negative in the United States."""


def _digits(model: object, field: attrs.Attribute[Any], value: str | None) -> None:
    if value is field.default:
        return
    checks.text(model, field, value)
    count = _ZIP_DIGITS[field.name]
    if not (len(str(value)) == count and str(value).isascii() and str(value).isdigit()):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must have {count} digits")


_ZIP_DIGITS: Final = {"zip": 5, "zip4": 4}


@attrs.frozen(kw_only=True, field_transformer=checked)
class ServiceAddress(Model):
    """A postal address where fixed wireless access is wanted."""

    address_line1: str
    """Street and number."""
    address_line2: str | None = None
    """Suite or building."""
    city: str
    state: Annotated[str, Length(least=2, most=3)]
    """Two letters, such as `NJ`."""
    country: str
    """`USA`, or two letters."""
    zip: str = attrs.field(validator=_digits)
    """Five digits."""
    zip4: str | None = attrs.field(default=None, validator=_digits)
    """The four digits after the ZIP code."""


def to_coordinates(given: Iterable[Coordinates]) -> tuple[Coordinates, ...]:
    """Convert places. The validator refuses other values."""
    places: tuple[Coordinates, ...] = as_tuple(given)
    return places


def to_addresses(given: Iterable[ServiceAddress]) -> tuple[ServiceAddress, ...]:
    """Convert addresses. The validator refuses other values."""
    addresses: tuple[ServiceAddress, ...] = as_tuple(given)
    return addresses


@attrs.frozen(kw_only=True, field_transformer=checked)
class NetworkConditionsRequest(Model):
    """A place whose network conditions to report."""

    account_name: str
    """Account that asks."""
    location_type: LocationType = attrs.field(default=None, converter=to_location_type)
    """Default: `COORDINATES`, the only documented value here."""
    coordinates: Coordinates
    """The place."""


class SiteTechnology(OpenEnum):
    """The technology of cell sites."""

    LTE = "LTE"
    C_BAND = "C-BAND"


def to_technology(given: SiteTechnology | str | None) -> SiteTechnology | None:
    """Convert a technology. The validator refuses values that are not strings."""
    return SiteTechnology(given) if isinstance(given, str) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class SiteProximityRequest(Model):
    """A place near which to find cell sites."""

    account_name: str
    """Account that asks."""
    location_type: LocationType = attrs.field(default=None, converter=to_location_type)
    """Default: `COORDINATES`, the only documented value here."""
    technology_type: SiteTechnology | None = attrs.field(default=None, converter=to_technology)
    """Technology of the sites. Without it, the platform looks for `LTE` only."""
    coordinates: Coordinates
    """The place."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class SitePerformanceLocations(Model):
    """The places of a SitePerformanceRequest."""

    coordinates: Annotated[tuple[Coordinates, ...], Count(most=MOST)] = attrs.field(
        converter=to_coordinates, metadata=named_on_wire("coordinatesList")
    )
    """1 to 100 places."""


def to_site_locations(given: SitePerformanceLocations | Iterable[Coordinates]) -> SitePerformanceLocations:
    """Wrap a list of places. The validator refuses other values."""
    places: Any = as_tuple(given)
    return SitePerformanceLocations(coordinates=places) if _are_all(Coordinates, places) else cast("Any", given)


def _are_all(kind: type, places: Any) -> bool:
    return isinstance(places, tuple) and bool(places) and all(isinstance(one, kind) for one in places)


@attrs.frozen(kw_only=True, field_transformer=checked)
class SitePerformanceRequest(Model):
    """Places whose radio signal to report. An account may ask for 10,000 places a day."""

    account_name: str
    """Account that asks."""
    location_type: LocationType = attrs.field(default=None, converter=to_location_type)
    """Default: `COORDINATES`, the only documented value here."""
    locations: SitePerformanceLocations = attrs.field(converter=to_site_locations)
    """1 to 100 places: a list of Coordinates."""


# Coverage


class CoverageType(OpenEnum):
    """What coverage is needed for."""

    NATIONWIDE = "NW"
    """Mobile devices, at coordinates."""
    FIXED_WIRELESS = "FWA"
    """Fixed wireless access with unlimited plans, at addresses. The network's capacity counts, too."""


class NetworkType(OpenEnum):
    """A type of network."""

    CAT_M = "CAT-M"
    NB_IOT = "NB-IOT"
    LTE = "LTE"
    LTE_AWS = "LTE-AWS"
    NATIONWIDE_5G = "5GNW"
    C_BAND = "C-BAND"


def to_network_type(given: NetworkType | str) -> NetworkType:
    """Convert a type. The validator refuses values that are not strings."""
    return NetworkType(given) if isinstance(given, str) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class NetworkChoice(Model):
    """A type of network to look for."""

    network_type: NetworkType = attrs.field(converter=to_network_type)
    """For example `LTE`."""


def to_networks(given: Iterable[NetworkChoice | NetworkType | str]) -> tuple[NetworkChoice, ...]:
    """Convert types of networks. The validator refuses other values."""
    several: Any = as_tuple(given)
    if not isinstance(several, tuple):
        return cast("tuple[NetworkChoice, ...]", several)
    return tuple([one if fault_of_input(one) else NetworkChoice(network_type=one) for one in several])


@attrs.frozen(kw_only=True, field_transformer=checked)
class CoverageLocations(Model):
    """The places of a WirelessCoverageRequest: either coordinates or addresses."""

    coordinates: Annotated[tuple[Coordinates, ...], Count(most=MOST)] = attrs.field(
        default=(), converter=to_coordinates, metadata=named_on_wire("coordinatesList")
    )
    """Up to 100 places."""
    addresses: Annotated[tuple[ServiceAddress, ...], Count(most=MOST)] = attrs.field(
        default=(), converter=to_addresses, metadata=named_on_wire("addressList")
    )
    """Up to 100 addresses."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "coordinates", "addresses")
        checks.exclusive(self, "coordinates", "addresses")


Places: TypeAlias = Iterable[Coordinates] | Iterable[ServiceAddress]
"""Places of one kind."""


def to_locations(given: CoverageLocations | Places) -> CoverageLocations:
    """Wrap a list of places of one kind. The validator refuses other values."""
    places: Any = as_tuple(given)
    if _are_all(Coordinates, places):
        return CoverageLocations(coordinates=places)
    if _are_all(ServiceAddress, places):
        return CoverageLocations(addresses=places)
    return cast("CoverageLocations", given)


def _of_one_kind(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, CoverageLocations):
        raise InvalidRequest(
            f"{type(model).__name__}: {field.name} must be a list of Coordinates, or a list of ServiceAddress"
        )


@attrs.frozen(kw_only=True, init=False, field_transformer=checked)
class WirelessCoverageRequest(Model):
    """Places whose coverage to report. An account may ask for 10,000 places a day.

    Coordinates ask for nationwide coverage, addresses for fixed wireless access.
    """

    account_name: str
    """Account that asks."""
    request_type: CoverageType
    """Default: as the places need it."""
    location_type: LocationType
    """Default: as the places are named."""
    locations: CoverageLocations = attrs.field(converter=to_locations, validator=_of_one_kind)
    """1 to 100 places: a list of Coordinates, or a list of ServiceAddress."""
    network_types: tuple[NetworkChoice, ...] = attrs.field(
        converter=to_networks, metadata=named_on_wire("networkTypesList")
    )
    """Types of networks to look for, such as `["LTE", "5GNW"]`."""

    def __init__(
        self,
        *,
        account_name: str,
        locations: CoverageLocations | Places,
        network_types: Iterable[NetworkChoice | NetworkType | str],
        request_type: CoverageType | str | None = None,
        location_type: LocationType | str | None = None,
    ) -> None:
        wrapped = to_locations(locations)
        fixed = isinstance(wrapped, CoverageLocations) and bool(wrapped.addresses)
        if request_type is None:
            request_type = CoverageType.FIXED_WIRELESS if fixed else CoverageType.NATIONWIDE
        if location_type is None:
            location_type = LocationType.ADDRESS if fixed else LocationType.COORDINATES
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue] - attrs generates it
            account_name=account_name,
            request_type=CoverageType(request_type) if isinstance(request_type, str) else request_type,
            location_type=to_location_type(location_type),
            locations=wrapped,
            network_types=network_types,
        )


# Scores of devices

_SCORED: Final = ("iccid", "eid", "imei", "mdn")
"""The kinds of identifiers that these calls accept, in order of preference."""


def _scored_id(model: object, field: attrs.Attribute[Any], value: str) -> None:
    checks.text(model, field, value)
    if not (value.isascii() and value.isdigit() and len(value) >= _FEWEST_DIGITS):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must have digits only, {_FEWEST_DIGITS} or more")


_FEWEST_DIGITS: Final = 10
"""Digits of a phone number. The other identifiers are longer."""


def _scored_kind(model: object, field: attrs.Attribute[Any], value: str) -> None:
    checks.text(model, field, value)
    if value.casefold() not in _SCORED:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be one of {', '.join(_SCORED)}")


@attrs.frozen(kw_only=True, field_transformer=checked)
class ScoredDevice(Model):
    """A device whose score to report."""

    id: str = attrs.field(validator=_scored_id)
    """Its identifier of the `kind`."""
    kind: str = attrs.field(validator=_scored_kind)
    """`iccid`, `eid`, `imei` or `mdn`."""
    mdn: Annotated[str | None, Length(least=10, most=10)] = None
    """Its phone number, 10 digits. The SDKs have it, the platform's page does not."""

    def __attrs_post_init__(self) -> None:
        if (fault := fault_of_identifier(self.kind, self.id)) is not None:
            raise InvalidRequest(f"ScoredDevice: {fault}")


SomeScoredDevices: TypeAlias = Iterable[ScoredDevice | DeviceId | Identified]
"""Devices whose scores to report."""


def to_scored_device(given: ScoredDevice | DeviceId | Identified) -> ScoredDevice:
    """Convert a device. The validator refuses other values."""
    if isinstance(given, DeviceId):
        return ScoredDevice(id=given.id, kind=given.kind)
    if isinstance(given, Identified):
        for kind in _SCORED:
            if (identifier := given.identifier(kind)) is not None:
                return ScoredDevice(id=identifier, kind=kind)
    return cast("ScoredDevice", given)


def to_scored_devices(given: SomeScoredDevices) -> tuple[ScoredDevice, ...]:
    """Convert devices. The validator refuses other values."""
    several: Any = as_tuple(given)
    return tuple(map(to_scored_device, several)) if isinstance(several, tuple) else cast("Any", several)


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceExperienceRequest(Model):
    """Devices whose latest scores to report."""

    account_name: str
    """Account of the devices."""
    devices: Annotated[tuple[ScoredDevice, ...], Count(most=MOST)] = attrs.field(
        converter=to_scored_devices, metadata=named_on_wire("deviceList")
    )
    """1 to 100 devices, each by one identifier: ICCID, EID, IMEI or MDN."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceExperienceHistoryRequest(Model):
    """A device whose scores of the last 30 days to report."""

    account_name: str
    """Account of the device."""
    device: ScoredDevice = attrs.field(converter=to_scored_device, metadata=named_on_wire("deviceId"))
    """The device, by ICCID, EID, IMEI or MDN."""


# The connection planner


@attrs.frozen(kw_only=True, field_transformer=checked)
class PrivateNetworkApn(Model):
    """An access point of a private network."""

    apn_name: str | None = None
    address_assignment_method: str | None = None
    ip_address: str | None = None


def to_apns(given: Iterable[PrivateNetworkApn]) -> tuple[PrivateNetworkApn, ...]:
    """Convert access points. The validator refuses other values."""
    apns: tuple[PrivateNetworkApn, ...] = as_tuple(given)
    return apns


@attrs.frozen(kw_only=True, field_transformer=checked)
class PlannedDevice(Identified, Model):
    """A device whose connections to plan. Its identifiers are enough."""

    device_ids: tuple[DeviceId, ...] = attrs.field(converter=to_device_ids)
    """The device. One identifier is enough."""
    private_network_apns: tuple[PrivateNetworkApn, ...] = attrs.field(default=(), converter=to_apns)
    """The SDKs do not say what it is for."""
    ip_address: str | None = None
    """The SDKs do not say what it is for."""
    activation_code: Secret | None = attrs.field(default=None, converter=to_secret)
    """The SDKs do not say what it is for. Hidden, because an eSIM's code is a secret."""


SomePlannedDevices: TypeAlias = Iterable[PlannedDevice | DeviceId | Identified]
"""Devices whose connections to plan."""


def to_planned_devices(given: SomePlannedDevices) -> tuple[PlannedDevice, ...]:
    """Convert devices. The validator refuses other values."""
    several: Any = as_tuple(given)
    return tuple(map(_to_planned_device, several)) if isinstance(several, tuple) else cast("Any", several)


def _to_planned_device(given: Any) -> Any:
    if isinstance(given, PlannedDevice) or not isinstance(given, DeviceId | Identified):
        return given
    best: Any = to_device_id(given)
    return given if best is None else PlannedDevice(device_ids=best)


@attrs.frozen(kw_only=True, field_transformer=checked)
class ConnectionPlanRequest(Model):
    """Devices whose connections to plan: a list, or a filter."""

    account_name: str = attrs.field(metadata=named_on_wire("accountNumber"))
    """Account of the devices."""
    filter: str | None = None
    """The SDKs do not say which filters there are."""
    devices: tuple[PlannedDevice, ...] = attrs.field(default=(), converter=to_planned_devices)
    """The devices."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "devices", "filter")


@attrs.frozen(kw_only=True, field_transformer=checked)
class ConnectionPlanStatusRequest(Model):
    """Devices whose plans to look up: those of a request, or some of an account."""

    account_name: str = attrs.field(metadata=named_on_wire("accountNumber"))
    """Account of the devices."""
    request_id: str | None = None
    """The `request_id` that `plan_connections` returned."""
    devices: tuple[PlannedDevice, ...] = attrs.field(default=(), converter=to_planned_devices)
    """The devices. Without them, all devices of the request."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "request_id", "devices")


@attrs.frozen(kw_only=True)
class DevicePlanStatus(Identified, Model):
    """The state of the plan of a device."""

    device_ids: tuple[DeviceId, ...] = ()
    status: str | None = None
    reason: str | None = None
    """Why the planning failed."""


@attrs.frozen(kw_only=True)
class ConnectionPlanStatus(Model):
    """The state of a request to the connection planner."""

    account_name: str | None = attrs.field(default=None, metadata=named_on_wire("accountNumber"))
    request_id: str | None = None
    devices: tuple[DevicePlanStatus, ...] = attrs.field(default=(), metadata=named_on_wire("deviceStatusList"))
    """The state of each device."""
