"""Models of device locations, location reports, consents, exclusions and usage."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Final, Self, TypeAlias, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Count, Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.faults import fault_of_identifier
from thingspace_async._core.positions import Located, Position, PositionError
from thingspace_async._core.types import (
    Accepted,
    DeviceId,
    DeviceIds,
    Identified,
    OpenEnum,
    Secret,
    to_device_id,
)
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AccountLocationUsage",
    "AccuracyMode",
    "CacheMode",
    "ConsentAccepted",
    "ConsentCreateRequest",
    "ConsentUpdateRequest",
    "DeviceConsent",
    "DeviceConsents",
    "ExcludeDevicesRequest",
    "ExcludedDevices",
    "ExclusionMode",
    "Location",
    "LocationAccepted",
    "LocationCallback",
    "LocationCallbackRegistered",
    "LocationDevice",
    "LocationReport",
    "LocationReportAccepted",
    "LocationReportStatus",
    "LocationRequest",
    "LocationService",
    "LocationSubscription",
    "LocationUsage",
    "LocationUsageRequest",
    "PeriodicLocationRequest",
    "RegisterLocationCallbackRequest",
    "ReportStatus",
    "TransactionId",
]


class AccuracyMode(OpenEnum):
    """The requested accuracy."""

    COARSE = "0"
    """From the network's cells."""
    PRECISE = "1"
    """Only for certified devices. ASSUMPTION: the documents do not state the value."""


class CacheMode(OpenEnum):
    """Whether to take the last known location of a device, which is free, or to locate it now, which is billed."""

    CACHED = "0"
    CURRENT = "1"
    CACHED_OR_CURRENT = "2"
    """Locate only the devices without a known location."""


class ReportStatus(OpenEnum):
    """The status of a report or of a request for locations."""

    QUEUED = "QUEUED"
    """It can be cancelled."""
    IN_PROGRESS = "INPROGRESS"
    COMPLETED = "COMPLETED"


class ExclusionMode(OpenEnum):
    """What to do with the present list of excluded devices."""

    APPEND = "append"
    REPLACE = "replace"


class LocationService(OpenEnum):
    """A service that sends messages to listeners. `LocationService("…")` makes one that is not listed."""

    LOCATION = "Location"
    """Reports are ready, and usage triggers."""
    DEVICE_LOCATION = "DeviceLocation"
    """The location of each device of `request_locations` and `start_periodic`, and consents."""


def to_accuracy_mode(given: AccuracyMode | str | None) -> AccuracyMode | None:
    """Convert the value of an accuracy. The validator refuses values that are not strings."""
    return AccuracyMode(given) if isinstance(given, str) else given


def to_cache_mode(given: CacheMode | str | None) -> CacheMode | None:
    """Convert the value of a cache mode. The validator refuses values that are not strings."""
    return CacheMode(given) if isinstance(given, str) else given


def to_exclusion_mode(given: ExclusionMode | str | None) -> ExclusionMode:
    """Convert a mode. The validator refuses values that are not strings."""
    if given is None:
        return ExclusionMode.APPEND
    return ExclusionMode(given) if isinstance(given, str) else given


def to_location_service(given: LocationService | str) -> LocationService:
    """Convert the name of a service. The validator refuses values that are not strings."""
    return LocationService(given) if isinstance(given, str) else given


def _check_mdn(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if (fault := fault_of_identifier("mdn", value)) is not None:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} {fault}")


@attrs.frozen(kw_only=True, field_transformer=checked)
class LocationDevice(Model):
    """A device to locate. The platform needs its phone number in addition to an identifier."""

    id: str
    """Its identifier of the `kind`."""
    kind: str
    """`imei`, `iccid`, `meid` or `esn`."""
    mdn: str = attrs.field(validator=_check_mdn)
    """Its phone number, 10 digits."""

    def __attrs_post_init__(self) -> None:
        if (fault := fault_of_identifier(self.kind, self.id)) is not None:
            raise InvalidRequest(f"LocationDevice: {fault}")

    def named(self) -> DeviceIds:
        """Return the device with its two identifiers."""
        return DeviceIds(device_ids=(DeviceId(id=self.id, kind=self.kind), DeviceId.mdn(self.mdn)))


SomeLocationDevices: TypeAlias = Iterable[LocationDevice | Identified]
"""Devices to locate: LocationDevice, or a device from an answer with its MDN."""


def to_location_devices(given: SomeLocationDevices) -> tuple[LocationDevice, ...]:
    """Convert devices. The validator refuses other values."""
    if isinstance(given, str | LocationDevice | Identified) or not isinstance(given, Iterable):
        return cast("tuple[LocationDevice, ...]", given)
    return tuple([_to_location_device(one) for one in given])


def _to_location_device(given: Any) -> Any:
    if not isinstance(given, Identified):
        return given
    mdn, best = given.identifier("mdn"), to_device_id(given)
    if mdn is None or best is None or best.kind.casefold() == "mdn":
        return given
    return LocationDevice(id=best.id, kind=best.kind, mdn=mdn)


MOST_DEVICES: Final = 10_000


def _check_location_devices(model: object, field: attrs.Attribute[Any], value: Any) -> None:
    for place, device in enumerate(value if isinstance(value, tuple) else ()):
        if isinstance(device, Identified):
            raise InvalidRequest(
                f"{type(model).__name__}: {field.name} has a device without both an MDN and another identifier, at "
                f"{place}: the platform needs both to locate it"
            )
    checks.instances(LocationDevice, least=1, most=MOST_DEVICES)(model, field, value)


@attrs.frozen(kw_only=True, field_transformer=checked)
class LocationRequest(Model):
    """Devices to locate: up to 20 in `locate`, up to 10,000 in `request_locations` and `reports.create`."""

    account_name: str
    """Account of the devices."""
    devices: tuple[LocationDevice, ...] = attrs.field(
        converter=to_location_devices, validator=_check_location_devices, metadata=named_on_wire("deviceList")
    )
    """Devices with an MDN: LocationDevice, or devices from `session.devices.list`."""
    accuracy_mode: AccuracyMode | None = attrs.field(default=None, converter=to_accuracy_mode)
    """Only coarse locations can be requested with `locate`."""
    cache_mode: CacheMode | None = attrs.field(default=None, converter=to_cache_mode)
    """Only `CACHED` is free. The platform's default is not documented."""
    max_location_age: int | None = attrs.field(default=None, metadata=named_on_wire("maxLocAge"))
    """Greatest age of a known location with `CACHED_OR_CURRENT`. ASSUMPTION: in seconds."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PeriodicLocationRequest(Model):
    """Devices to locate precisely, again and again."""

    account_name: str
    """Account of the devices."""
    devices: tuple[LocationDevice, ...] = attrs.field(
        converter=to_location_devices, validator=_check_location_devices, metadata=named_on_wire("deviceList")
    )
    """Up to 10,000 devices with an MDN. They must be certified for precise location."""
    accuracy_mode: AccuracyMode | None = attrs.field(default=None, converter=to_accuracy_mode)
    """Only precise location is possible."""
    fix_interval: Annotated[int, Range(least=1)]
    """Time between two locations of a device. ASSUMPTION: in seconds."""
    number_of_fixes: Annotated[int, Range(least=1)]
    """Locations of each device."""


@attrs.frozen(kw_only=True)
class Location(Located, Model):
    """The location of a device, or why it could not be located."""

    msid: str | None = None
    """The device's phone number (MDN)."""
    position: Position | None = attrs.field(default=None, metadata=named_on_wire("pd"))
    """As the platform sent it. Use `latitude`, `longitude`, `accuracy` and `time`."""
    error: PositionError | None = None

    @property
    def failed(self) -> bool:
        """Whether the device could not be located."""
        return self._unlocated


def _devices_of(request: object) -> tuple[DeviceIds, ...]:
    devices: Iterable[LocationDevice] = getattr(request, "devices", None) or ()
    return tuple(one.named() for one in devices)


@attrs.frozen(kw_only=True)
class LocationAccepted(Accepted):
    """The platform has accepted a request. The location of each device arrives later, on DeviceLocation."""

    request_id: str = attrs.field(metadata=named_on_wire("txid"))
    """The platform's `txid`, which the messages repeat. Pass it to `cancel`."""
    status: ReportStatus | None = None

    def _answering(self, request: object) -> Self:
        return attrs.evolve(self, devices=_devices_of(request))


@attrs.frozen(kw_only=True)
class LocationReportAccepted(LocationAccepted):
    """The platform has accepted a report. Pass its `request_id` to the calls of `session.location.reports`."""

    estimated_duration: str | None = None
    """How long the report will take. The unit is not documented."""


@attrs.frozen(kw_only=True)
class LocationReportStatus(Model):
    """How far a report is."""

    request_id: str | None = attrs.field(default=None, metadata=named_on_wire("txid"))
    status: ReportStatus | None = None


@attrs.frozen(kw_only=True)
class LocationReport(Model):
    """One page of a report."""

    request_id: str | None = attrs.field(default=None, metadata=named_on_wire("txid"))
    locations: tuple[Location, ...] = attrs.field(default=(), metadata=named_on_wire("devLocationList"))
    start_index: int | str | None = None
    total_count: int | None = None
    """Devices of the report."""
    has_more_data: bool | None = None
    next: int | None = attrs.field(default=None, metadata={"local": True})
    """Pass this to `locations_page` to request the next page. None after the last page."""


@attrs.frozen(kw_only=True)
class TransactionId(Model):
    """A cancelled request."""

    request_id: str | None = attrs.field(default=None, metadata=named_on_wire("txid"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class ConsentCreateRequest(Model):
    """Devices that may be located."""

    account_name: str
    """Account of the devices."""
    devices: tuple[LocationDevice, ...] | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(to_location_devices),
        validator=attrs.validators.optional(_check_location_devices),
        metadata=named_on_wire("deviceList"),
    )
    """Devices with an MDN. Without them, the consent is for the whole account."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ConsentUpdateRequest(Model):
    """The consent for all devices of an account."""

    account_name: str
    """Account of the devices."""
    all_device_consent: Annotated[int, Range(least=0)]
    """The documents name the levels, but not their numbers. ASSUMPTION: 0 is none, 1 coarse, 2 precise and 3 both."""


@attrs.frozen(kw_only=True)
class ConsentAccepted(Accepted):
    """The platform has accepted a change of consents. Its result arrives later, on DeviceLocation."""

    request_id: str = attrs.field(metadata=named_on_wire("transactionId"))
    """The platform's `transactionId`."""
    status: str | None = None

    def _answering(self, request: object) -> Self:
        return attrs.evolve(self, devices=_devices_of(request))


@attrs.frozen(kw_only=True)
class DeviceConsent(Model):
    """The consent for a device."""

    id: str | None = None
    kind: str | None = None
    mdn: str | None = None
    consent: int | str | None = None
    """A level, as in `ConsentUpdateRequest`. ASSUMPTION: the documents do not name the members of this object."""


@attrs.frozen(kw_only=True)
class DeviceConsents(Model):
    """The consents of an account."""

    account_name: str | None = None
    all_device_consent: int | None = None
    """The level for all devices, if it was set for the account. See `ConsentUpdateRequest`."""
    devices: tuple[DeviceConsent, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))


def to_bare_ids(given: Iterable[str | DeviceId | Identified]) -> tuple[str, ...]:
    """Convert devices to the plain identifiers of exclusions. The validator refuses other values."""
    if isinstance(given, DeviceId | Identified):
        given = (given,)
    if isinstance(given, str | bytes | dict) or not isinstance(given, Iterable):
        return cast("tuple[str, ...]", given)
    return tuple([_to_bare_id(one) for one in given])


def _to_bare_id(given: Any) -> Any:
    best = to_device_id(given) if isinstance(given, Identified) else given
    return best.id if isinstance(best, DeviceId) else best


MOST_EXCLUDED: Final = 2_000


@attrs.frozen(kw_only=True, field_transformer=checked)
class ExcludeDevicesRequest(Model):
    """Devices that must not be located: either `device_ids`, or `all_devices`."""

    account_name: str
    """Account of the devices."""
    device_ids: Annotated[tuple[str, ...] | None, Count(most=MOST_EXCLUDED)] = attrs.field(
        default=None, converter=attrs.converters.optional(to_bare_ids), metadata=named_on_wire("exclusion")
    )
    """Up to 2,000 devices: DeviceId, devices from an answer, or plain IMEIs, MEIDs or ESNs."""
    all_devices: bool | None = attrs.field(default=None, metadata=named_on_wire("allDevice"))
    """Whether to exclude all devices of the account. False allows them again."""
    mode: ExclusionMode = attrs.field(default=None, converter=to_exclusion_mode, metadata=named_on_wire("type"))
    """Whether the devices are added to the list, or replace it. Default: `APPEND`.

    The platform's own default is to replace the list, so this is always sent.
    """

    def __attrs_post_init__(self) -> None:
        if self.all_devices and self.device_ids is not None:
            raise InvalidRequest("ExcludeDevicesRequest: give either device_ids or all_devices, not both")
        if self.all_devices is None and self.device_ids is None:
            raise InvalidRequest("ExcludeDevicesRequest: give device_ids or all_devices")


@attrs.frozen(kw_only=True)
class ExcludedDevices(Model):
    """One page of an account's excluded devices."""

    account_name: str | None = None
    all_devices: bool | None = attrs.field(default=None, metadata=named_on_wire("allDevice"))
    """Whether all devices are excluded."""
    device_ids: tuple[str, ...] = attrs.field(default=(), metadata=named_on_wire("exclusion"))
    """Plain identifiers."""
    total_count: int | None = None
    update_time: datetime | None = None
    has_more_data: bool | None = None
    start_index: int | str | None = None
    next: int | None = attrs.field(default=None, metadata={"local": True})
    """Pass this to `list_page` to request the next page. None after the last page."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class RegisterLocationCallbackRequest(Model):
    """The URL to send the messages of a service to."""

    name: LocationService = attrs.field(converter=to_location_service)
    """`Location` or `DeviceLocation`. Each needs a URL of its own."""
    url: str = attrs.field(validator=checks.url(ports=(range(1, 65_536),)))
    """HTTP or HTTPS."""


@attrs.frozen(kw_only=True)
class LocationCallbackRegistered(Model):
    """The registered listener, and the secret that signs its messages."""

    account_name: str | None = attrs.field(default=None, metadata=named_on_wire("account"))
    name: LocationService | None = None
    secret: Secret | None = attrs.field(default=None, metadata={"local": True})
    """Store it: the platform shows it only once. Pass it to `Receiver.expect_signed`.

    None if the answer has no `Shared-Key` header. Look for it in `headers`: its name is an ASSUMPTION.
    """
    headers: dict[str, Secret] = attrs.field(factory=dict[str, Secret], eq=False, repr=False, metadata={"local": True})
    """All headers of the answer."""


@attrs.frozen(kw_only=True)
class LocationCallback(Model):
    """A registered listener."""

    account_name: str | None = None
    name: LocationService | None = attrs.field(default=None, metadata=named_on_wire("name", also="serviceName"))
    url: str | None = None


@attrs.frozen(kw_only=True)
class LocationSubscription(Model):
    """The location service of an account. The platform sends numbers as strings."""

    account_name: str | None = None
    location_type: str | None = attrs.field(default=None, metadata=named_on_wire("locType"))
    """For example `TS-LOC-COARSE-CellID-5K`."""
    max_allowance: int | str | None = None
    """Locations per month. Further ones are billed one by one."""
    used_allowance: int | str | None = None
    """Locations of this month. The documents do not have it."""
    purchase_time: datetime | None = None


_DATE: Final = r"\d\d-\d\d-\d{4}"


def to_american_date(given: date | str) -> str:
    """Convert a date to the platform's form. The validator refuses other values."""
    return given.strftime("%m-%d-%Y") if isinstance(given, date) else given


def _read_american_date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%m-%d-%Y").date() if re.fullmatch(_DATE, text, re.ASCII) else None  # noqa: DTZ007
    except ValueError:
        return None


def _check_american_date(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or _read_american_date(value) is None:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a date, or a str such as 04-30-2026")


@attrs.frozen(kw_only=True, field_transformer=checked)
class LocationUsageRequest(Model):
    """A time span to count locations in."""

    account_name: str
    """The primary account."""
    start_date: str = attrs.field(converter=to_american_date, validator=_check_american_date)
    """First day: a date, or a string such as `04-01-2026`."""
    end_date: str = attrs.field(converter=to_american_date, validator=_check_american_date)
    """Last day: a date, or a string such as `04-30-2026`."""
    usage_for_all_accounts: bool | None = None
    """Whether to count the managed accounts, too."""

    def __attrs_post_init__(self) -> None:
        first, last = _read_american_date(self.start_date), _read_american_date(self.end_date)
        if first is not None and last is not None and first > last:
            raise InvalidRequest("LocationUsageRequest: start_date is after end_date")


@attrs.frozen(kw_only=True)
class AccountLocationUsage(Model):
    """The locations of one account."""

    account_name: str | None = None
    transactions_count: int | str | None = None


@attrs.frozen(kw_only=True)
class LocationUsage(Model):
    """The locations of an account. The platform sends numbers as strings."""

    account_name: str | None = None
    usage_for_all_accounts: bool | None = attrs.field(
        default=None, metadata=named_on_wire("usageForAllAcounts", also="usageForAllAccounts")
    )
    sku_name: str | None = None
    """For example `TS-LOC-COARSE-CellID-Aggr`."""
    transactions_allowed: int | str | None = None
    total_transaction_count: int | str | None = None
    primary_account: AccountLocationUsage | None = attrs.field(default=None, metadata=named_on_wire("PrimaryAccount"))
    managed_accounts: tuple[AccountLocationUsage, ...] = attrs.field(
        default=(), metadata=named_on_wire("ManagedAccounts")
    )
