"""Models of hyper precise location."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.imeis import SomeImeis, check_imeis, to_imeis
from thingspace_async._core.reports import AggregateUsage, ReportError, ReportErrorDetails
from thingspace_async._core.types import (
    Accepted,
    CustomField,
    DeviceId,
    Identified,
    OpenEnum,
    Secret,
    SomeDevices,
    as_tuple,
    to_custom_fields,
    to_devices,
)
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AddHyperPreciseDevicesRequest",
    "AddHyperPreciseDevicesResult",
    "AddedDevice",
    "AggregateReport",
    "AggregateReportRequest",
    "AggregateUsage",
    "CredentialDevice",
    "CredentialsRequest",
    "DeviceCredential",
    "DroppedCredential",
    "GeneratedCredential",
    "HyperPreciseCallback",
    "HyperPreciseCallbackRegistered",
    "HyperPreciseDevice",
    "HyperPreciseRequest",
    "HyperPreciseResponse",
    "HyperPreciseService",
    "HyperPreciseSetting",
    "HyperPreciseStatus",
    "NtripLogin",
    "RegisterHyperPreciseCallbackRequest",
    "ReportAccepted",
    "ReportError",
    "ReportErrorDetails",
    "SessionReport",
    "SessionReportRequest",
    "SessionUsage",
]

_ACCOUNT: Final = named_on_wire("accountNumber")

MOST_AGGREGATED: Final = 10
"""Devices of a report that is answered directly."""
_MOST_REPORTED: Final = 10_000
_LONGEST: Final = timedelta(days=180)


def _is_imei(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9]{15}", value) is not None


def _check_imei(model: object, field: attrs.Attribute[Any], value: object) -> None:
    checks.text(model, field, value)
    if not _is_imei(value):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be an IMEI of 15 digits")


def _to_imei(given: str | DeviceId | Identified) -> str:
    """Convert a device to its IMEI. The validator refuses other values."""
    found: Any = to_imeis((given,))
    return found[0]  # type: ignore[no-any-return]


# The service of devices


@attrs.frozen(kw_only=True, field_transformer=checked)
class HyperPreciseSetting(Model):
    """Whether a device may use hyper precise location."""

    imei: str = attrs.field(converter=_to_imei, validator=_check_imei)
    """IMEI of 15 digits, or a device that has one."""
    enabled: bool = attrs.field(metadata=named_on_wire("BullseyeEnable"))


def to_settings(given: Iterable[HyperPreciseSetting]) -> tuple[HyperPreciseSetting, ...]:
    """Convert settings. The validator refuses other values."""
    found: tuple[HyperPreciseSetting, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True, field_transformer=checked)
class HyperPreciseRequest(Model):
    """Devices to enable or disable."""

    account_name: str = attrs.field(metadata=_ACCOUNT)
    """Account of the devices."""
    devices: tuple[HyperPreciseSetting, ...] = attrs.field(converter=to_settings, metadata=named_on_wire("deviceList"))
    """The setting of each device."""


@attrs.frozen(kw_only=True)
class HyperPreciseResponse(Model):
    """The result of a request, as a whole or for one device."""

    code: str | None = attrs.field(default=None, metadata=named_on_wire("responseCode"))
    """`SUCCESS`, `INVALID_ACCESS`, `INVALID_PARAMETER` or `INTERNAL_ERROR`."""
    message: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the code is not `SUCCESS`."""
        return self.code is not None and self.code.upper() != "SUCCESS"


@attrs.frozen(kw_only=True)
class HyperPreciseDevice(Model):
    """The service of a device."""

    imei: str
    enabled: bool | None = attrs.field(default=None, metadata=named_on_wire("BullseyeEnable"))
    response: HyperPreciseResponse | None = attrs.field(default=None, metadata=named_on_wire("responseType"))
    """The result for this device. Check `failed`: other devices of the request may have succeeded."""

    @property
    def failed(self) -> bool:
        """Whether the request failed for this device."""
        return self.response is not None and self.response.failed

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        # The SDKs have an object with the same member.
        if not isinstance(nested := data.get("BullseyeEnable"), dict):
            return False
        data["BullseyeEnable"] = nested.get("BullseyeEnable")
        return True


@attrs.frozen(kw_only=True)
class HyperPreciseStatus(Model):
    """The service of devices."""

    account_name: str | None = attrs.field(default=None, metadata=_ACCOUNT)
    devices: tuple[HyperPreciseDevice, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    response: HyperPreciseResponse | None = attrs.field(default=None, metadata=named_on_wire("responseType"))

    @property
    def failed(self) -> tuple[HyperPreciseDevice, ...]:
        """The devices for which the request failed."""
        return tuple(device for device in self.devices if device.failed)


# Adding devices


@attrs.frozen(kw_only=True)
class AddedDevice(Identified, Model):
    """One device, by its identifiers."""

    device_ids: tuple[DeviceId, ...] = attrs.field(default=(), validator=checks.device_ids())


def to_added_devices(given: SomeDevices) -> tuple[AddedDevice, ...]:
    """Convert devices in any accepted form. The validator refuses other values."""
    found: Any = to_devices(given)
    if not isinstance(found, tuple):
        return found  # type: ignore[no-any-return]
    return tuple([AddedDevice(device_ids=one.device_ids) if isinstance(one, Identified) else one for one in found])


@attrs.frozen(kw_only=True, field_transformer=checked)
class AddHyperPreciseDevicesRequest(Model):
    """Devices to add to an account."""

    state: str
    """State of the added devices: `preactive`."""
    devices_to_add: tuple[AddedDevice, ...] = attrs.field(converter=to_added_devices)
    """A 4G device needs its IMEI and its ICCID, in that order."""
    account_name: str
    custom_fields: tuple[CustomField, ...] = attrs.field(default=(), converter=to_custom_fields)
    """Values to write on all devices."""
    group_name: str | None = None
    """Group to put the devices into. Default: the account's default group."""
    sku_number: str | None = None
    """Stock Keeping Unit of 4G devices."""
    smsr_oid: str | None = None
    """Object identifier of the subscription manager."""
    number_of_virtual_imei: int | None = None
    upload_type: str | None = None


@attrs.frozen(kw_only=True)
class AddHyperPreciseDevicesResult(Identified, Model):
    """The result for one device. ASSUMPTION: as of `devices.add`. The documents describe the request instead."""

    device_ids: tuple[DeviceId, ...] = ()
    response: str | None = None
    """`Success`, or the reason of the failure."""

    @property
    def succeeded(self) -> bool:
        """Whether the device was added."""
        return (self.response or "").casefold() == "success"


# Credentials


@attrs.frozen(kw_only=True, field_transformer=checked)
class CredentialDevice(Model):
    """A device of a CredentialsRequest."""

    imei: str = attrs.field(converter=_to_imei, validator=_check_imei)


def to_credential_devices(given: SomeImeis | Iterable[CredentialDevice]) -> tuple[CredentialDevice, ...]:
    """Convert devices. The validator refuses other values."""
    if isinstance(several := as_tuple(given), tuple) and all(isinstance(one, CredentialDevice) for one in several):
        return several
    several = to_imeis(given)  # type: ignore[arg-type]
    if not isinstance(several, tuple):
        return several
    found = [CredentialDevice(imei=one) if _is_imei(one) else one for one in several]
    return cast("tuple[CredentialDevice, ...]", tuple(found))


def _check_credential_devices(model: object, field: attrs.Attribute[Any], value: Any) -> None:
    for place, one in enumerate(value if isinstance(value, tuple) else ()):
        if not isinstance(one, CredentialDevice):
            raise InvalidRequest(
                f"{type(model).__name__}: {field.name} has an item that is not an IMEI of 15 digits, at {place}"
            )
    checks.instances(CredentialDevice, least=1)(model, field, value)


@attrs.frozen(kw_only=True, field_transformer=checked)
class CredentialsRequest(Model):
    """Devices whose credentials are created, listed, reset or deleted."""

    ecpd_id: str = attrs.field(metadata=named_on_wire("ECPD"))
    """Enterprise Customer Profile Database ID of the business."""
    account_name: str = attrs.field(metadata=_ACCOUNT)
    """Account of the devices."""
    devices: tuple[CredentialDevice, ...] = attrs.field(
        converter=to_credential_devices, validator=_check_credential_devices, metadata=named_on_wire("items")
    )
    """IMEIs of 15 digits, or devices that have one."""


@attrs.frozen(kw_only=True)
class NtripLogin(Model):
    """A username and a password for the correction service (NTRIP)."""

    username: str | None = None
    password: Secret | None = None


@attrs.frozen(kw_only=True)
class GeneratedCredential(Model):
    """The new credentials of a device. The platform shows the password only once."""

    imei: str | None = None
    login: NtripLogin | None = attrs.field(default=None, metadata=named_on_wire("credential"))

    @property
    def username(self) -> str | None:
        """The username."""
        return None if self.login is None else self.login.username

    @property
    def password(self) -> Secret | None:
        """The password; None if the answer has none."""
        return None if self.login is None else self.login.password


@attrs.frozen(kw_only=True)
class DeviceCredential(Model):
    """The present credentials of a device, without the password."""

    imei: str | None = None
    username: str | None = None
    failure: str | None = None
    """Why the device has no credentials."""


@attrs.frozen(kw_only=True)
class DroppedCredential(Model):
    """A device that has no credentials any more."""

    imei: str | None = None


# Reports


def _check_imeis_of_report(model: object, field: attrs.Attribute[Any], value: Any) -> None:
    check_imeis(model, field, value)
    if len(value) > _MOST_REPORTED:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} may hold {_MOST_REPORTED:,} devices")


@attrs.frozen(kw_only=True, field_transformer=checked)
class AggregateReportRequest(Model):
    """Devices and a time of at most 180 days: up to 10 devices in `aggregate`, 10,000 in `request_aggregate`."""

    account_name: str = attrs.field(metadata=_ACCOUNT)
    """Account of the devices."""
    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=_check_imeis_of_report, metadata=named_on_wire("imei")
    )
    """IMEIs of 15 digits, or devices that have one. Repeated devices are sent once."""
    start: datetime | None = attrs.field(default=None, metadata=named_on_wire("startDate"))
    end: datetime | None = attrs.field(default=None, metadata=named_on_wire("endDate"))
    device_group: str | None = None
    data_plan: str | None = None
    without_sessions: bool | None = attrs.field(default=None, metadata=named_on_wire("noSessionFlag"))
    """ASSUMPTION: whether to report devices without sessions, too."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "start", "end", most=_LONGEST)


@attrs.frozen(kw_only=True, field_transformer=checked)
class SessionReportRequest(Model):
    """A device and a time of at most 180 days."""

    account_name: str = attrs.field(metadata=_ACCOUNT)
    """Account of the device."""
    imei: str = attrs.field(converter=_to_imei, validator=_check_imei)
    """IMEI of 15 digits, or a device that has one."""
    start: datetime | None = attrs.field(default=None, metadata=named_on_wire("startDate"))
    end: datetime | None = attrs.field(default=None, metadata=named_on_wire("endDate"))
    shortest: Annotated[int, Range(least=0)] | None = attrs.field(default=None, metadata=named_on_wire("durationLow"))
    """Least length of a session. ASSUMPTION: in seconds."""
    longest: Annotated[int, Range(least=0)] | None = attrs.field(default=None, metadata=named_on_wire("durationHigh"))
    """Greatest length of a session. ASSUMPTION: in seconds."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "start", "end", most=_LONGEST)
        if self.shortest is not None and self.longest is not None and self.shortest > self.longest:
            raise InvalidRequest("SessionReportRequest: shortest is greater than longest")


@attrs.frozen(kw_only=True)
class SessionUsage(Model):
    """A session of a device with the correction service."""

    start: datetime | None = attrs.field(default=None, metadata=named_on_wire("startTime"))
    end: datetime | None = attrs.field(default=None, metadata=named_on_wire("endTime"))
    bytes_transferred: int | None = attrs.field(default=None, metadata=named_on_wire("numBytes"))


@attrs.frozen(kw_only=True)
class SessionReport(Model):
    """The sessions of a device."""

    id: str
    transaction_id: str = attrs.field(metadata=named_on_wire("txid"))
    sessions: tuple[SessionUsage, ...] = ()


@attrs.frozen(kw_only=True)
class AggregateReport(Model):
    """The usage of devices."""

    transaction_id: str | None = attrs.field(default=None, metadata=named_on_wire("txid"))
    usage: tuple[AggregateUsage, ...] = ()
    errors: tuple[ReportError, ...] = ()
    """Devices without usage, and why."""


@attrs.frozen(kw_only=True)
class ReportAccepted(Accepted):
    """The platform has accepted a request for a report. Await it with `outcomes.answer`."""

    request_id: str = attrs.field(metadata=named_on_wire("txid"))
    """Id of the request in its callback message, `txid`."""
    report_status: str | None = attrs.field(default=None, metadata=named_on_wire("status"))
    """`QUEUED` or `COMPLETED`."""


# Listeners


class HyperPreciseService(OpenEnum):
    """A service that sends messages to listeners. `HyperPreciseService("…")` makes one that is not listed."""

    REPORTING = "BullseyeReporting"
    """Reports of `request_aggregate`."""


def to_hyper_precise_service(given: HyperPreciseService | str) -> HyperPreciseService:
    """Convert the name of a service. The validator refuses values that are not strings."""
    return HyperPreciseService(given) if isinstance(given, str) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class RegisterHyperPreciseCallbackRequest(Model):
    """A listener to register."""

    name: HyperPreciseService = attrs.field(converter=to_hyper_precise_service)
    url: str = attrs.field(repr=False, validator=checks.url(ports=(range(1, 65_536),)))
    """URL of the listener. It may have a password."""


@attrs.frozen(kw_only=True)
class HyperPreciseCallbackRegistered(Model):
    """The account and the service of a new listener."""

    account_name: str | None = None
    name: HyperPreciseService | None = None


@attrs.frozen(kw_only=True)
class HyperPreciseCallback(Model):
    """A registered listener."""

    account_name: str | None = attrs.field(default=None, metadata=named_on_wire("aname", also="accountName"))
    name: HyperPreciseService | None = None
    url: str | None = attrs.field(default=None, repr=False)
    """URL of the listener. It may have a password."""
