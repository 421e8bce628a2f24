"""Models that the versions of software management share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Final, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.imeis import check_imeis, to_imeis
from thingspace_async._core.types import OpenEnum
from thingspace_async.errors import InvalidRequest

__all__ = [
    "CampaignDevicePage",
    "CampaignStatus",
    "ChangeDevicesRequest",
    "DeviceChange",
    "DeviceListRequest",
    "DeviceResult",
    "DeviceStatus",
    "DeviceUpgradeStatus",
    "LicensedDevice",
    "RemovalList",
    "RemovalListPage",
    "RemovalListRequest",
    "RemovalMode",
    "SoftwareCallback",
    "SoftwareCallbackRequest",
    "SoftwareSubscription",
    "TimeWindow",
]


class CampaignStatus(OpenEnum):
    """The state of a campaign."""

    REQUEST_PENDING = "CampaignRequestPending"
    """The platform has accepted the request."""
    REQUEST_QUEUED = "CampaignRequestQueued"
    """The platform prepares the campaign."""
    REQUEST_FAILED = "CampaignRequestFailed"
    SCHEDULED = "CampaignScheduled"
    """From here on, its devices can neither be added nor removed."""
    ENDED = "CampaignEnded"
    CANCELLED = "CampaignCancelled"
    ABORTED = "CampaignAborted"
    FAILED = "CampaignFailed"

    @property
    def final(self) -> bool:
        """Whether the campaign will not change any more."""
        return self in _FINAL


_FINAL: Final = frozenset(
    {
        CampaignStatus.REQUEST_FAILED,
        CampaignStatus.ENDED,
        CampaignStatus.CANCELLED,
        CampaignStatus.ABORTED,
        CampaignStatus.FAILED,
    }
)


class DeviceUpgradeStatus(OpenEnum):
    """The state of a device in a campaign."""

    PENDING = "UpgradePending"
    SCHEDULED = "UpgradeScheduled"
    SUCCESS = "UpgradeSuccess"
    FAILED = "UpgradeFailed"
    """Until the campaign ends, the platform may queue the device again."""
    NO_DEVICE_DATA_FROM_NETWORK = "NoDeviceDataFromNetwork"
    RECEIVED_DEVICE_DATA_FROM_NETWORK = "ReceivedDeviceDataFromNetwork"
    REQUEST_TO_FOTA_SERVER_FAILED = "RequestToFotaServerFailed"


class DeviceChange(OpenEnum):
    """Whether to add devices to a campaign, or to remove them from it."""

    APPEND = "append"
    REMOVE = "remove"


def to_device_change(given: DeviceChange | str) -> DeviceChange:
    """Convert the name of a change. The validator refuses values that are not strings."""
    return DeviceChange(given) if isinstance(given, str) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceListRequest(Model):
    """Devices by IMEI."""

    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceList")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer. Repeated devices are sent once."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ChangeDevicesRequest(Model):
    """Devices to add to a campaign, or to remove from it."""

    change: DeviceChange = attrs.field(converter=to_device_change, metadata=named_on_wire("Type"))
    """Whether to add or to remove them."""
    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceList")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class TimeWindow(Model):
    """Hours of each day of a campaign. ASSUMPTION: in UTC."""

    start_time: Annotated[int, Range(least=0, most=24)]
    """First hour, 0 to 23."""
    end_time: Annotated[int, Range(least=0, most=24)]
    """Hour at which the window closes, 1 to 24."""

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        texts = {name: int(value) for name, value in data.items() if isinstance(value, str) and value.isdecimal()}
        data.update(texts)
        return bool(texts)


def to_windows(given: Iterable[TimeWindow]) -> tuple[TimeWindow, ...]:
    """Convert time windows. The validator refuses other values."""
    if isinstance(given, str | bytes | dict) or not isinstance(given, Iterable):
        return cast("tuple[TimeWindow, ...]", given)
    return tuple(given)


_are_windows: Final = checks.instances(TimeWindow)


def check_windows(model: object, field: attrs.Attribute[Any], value: Any) -> None:
    """Check for a tuple of time windows with at least one hour."""
    _are_windows(model, field, value)
    for place, window in enumerate(value):
        what = f"{type(model).__name__}: {field.name} has a window"
        begin, end = window.start_time, window.end_time
        if begin == end:
            raise InvalidRequest(f"{what} of no hours, at {place}: set end_time to a later hour")
        if begin > end:
            raise InvalidRequest(f"{what} over midnight, at {place}: give two windows, one that ends at 24")


def check_day(model: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check for a date without a time."""
    if value is not field.default and (not isinstance(value, date) or isinstance(value, datetime)):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a date, not {type(value).__name__}")


def check_days(model: object, first: str, second: str) -> None:
    """Check that a date is not after another."""
    begin, end = getattr(model, first), getattr(model, second)
    if begin is not None and end is not None and begin > end:
        raise InvalidRequest(f"{type(model).__name__}: {first} is after {second}")


@attrs.frozen(kw_only=True)
class DeviceStatus(Model):
    """A device, and its state in a campaign or the result of a request for it."""

    device_id: str
    """IMEI."""
    status: DeviceUpgradeStatus | None = None
    result_reason: str | None = None
    """Why the device has this status."""
    updated_time: datetime | None = None
    recent_attempt_time: datetime | None = None
    next_attempt_time: datetime | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the device has the new software."""
        return self.status is DeviceUpgradeStatus.SUCCESS

    @property
    def failed(self) -> bool:
        """Whether the last attempt failed. Until the campaign ends, the platform may try again."""
        return self.status in _FAILED


_FAILED: Final = frozenset({DeviceUpgradeStatus.FAILED, DeviceUpgradeStatus.REQUEST_TO_FOTA_SERVER_FAILED})


@attrs.frozen(kw_only=True)
class DeviceResult(Model):
    """The result of a request for one of its devices."""

    device_id: str
    """IMEI."""
    status: str | None = None
    """For example `AddDeviceSucceed`."""
    reason: str | None = attrs.field(default=None, metadata=named_on_wire("Reason", also="resultReason"))


@attrs.frozen(kw_only=True)
class CampaignDevicePage(Model):
    """One page of a campaign's devices."""

    total_device: int | None = None
    """Devices of the campaign."""
    devices: tuple[DeviceStatus, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    has_more_data: bool | None = None
    last_seen_device_id: str | None = None
    max_page_size: int | None = None


@attrs.frozen(kw_only=True)
class LicensedDevice(Model):
    """A device that has a license."""

    device_id: str
    """IMEI."""
    assignment_time: datetime | None = None


@attrs.frozen(kw_only=True)
class SoftwareSubscription(Model):
    """An account's subscription to software management."""

    account_name: str | None = None
    purchase_type: str | None = None
    """Comma-separated, such as `TS-HFOTA-EVNT,TS-HFOTA-MRC`. `MRC` means licenses that are billed each month, `EVNT`
    that each upgrade is billed."""
    license_count: int | None = None
    """Licenses that the account has bought."""
    license_used_count: int | None = None
    """Licenses that are assigned to devices."""
    update_time: datetime | None = None

    @property
    def needs_licenses(self) -> bool:
        """Whether devices need licenses: False if the account has bought events only."""
        kinds = (self.purchase_type or "").upper()
        return "MRC" in kinds or "EVNT" not in kinds

    @property
    def licenses_left(self) -> int | None:
        """Licenses that are not assigned, or None if the answer does not say."""
        if self.license_count is None or self.license_used_count is None:
            return None
        return max(0, self.license_count - self.license_used_count)


@attrs.frozen(kw_only=True, field_transformer=checked)
class SoftwareCallbackRequest(Model):
    """The URL for an account's messages about campaigns."""

    url: str = attrs.field(repr=False, validator=checks.url(ports=(range(1, 65_536),)))
    """HTTP or HTTPS. The repr does not show it, because it may have a password: messages of v2 and v3 contain none."""


@attrs.frozen(kw_only=True)
class SoftwareCallback(Model):
    """The URL for an account's messages about campaigns."""

    url: str | None = attrs.field(default=None, repr=False)
    """None if there is none. The repr does not show it, because it may have a password."""


# Devices that lose their licenses first (v1 and v2)


class RemovalMode(OpenEnum):
    """What to do with the present list."""

    APPEND = "append"
    REPLACE = "replace"


def to_removal_mode(given: RemovalMode | str | None) -> RemovalMode:
    """Convert a mode. The validator refuses values that are not strings."""
    if given is None:
        return RemovalMode.APPEND
    return RemovalMode(given) if isinstance(given, str) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class RemovalListRequest(Model):
    """Devices that lose their licenses first if the account reduces its subscription."""

    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceList")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer, in the order of removal."""
    mode: RemovalMode = attrs.field(default=None, converter=to_removal_mode, metadata=named_on_wire("type"))
    """Whether the devices are added to the list, or replace it. Default: `APPEND`.

    Without this member, the platform replaces the list, so it is always sent.
    """


@attrs.frozen(kw_only=True)
class RemovalList(Model):
    """The devices that lose their licenses first."""

    count: int | None = None
    devices: tuple[str, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    """IMEIs."""


@attrs.frozen(kw_only=True)
class RemovalListPage(Model):
    """One page of the devices that lose their licenses first."""

    count: int | None = None
    """Devices of the list."""
    devices: tuple[str, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    """IMEIs."""
    has_more_data: bool | None = None
    update_time: datetime | None = None
    next: int | None = attrs.field(default=None, metadata={"local": True})
    """Pass this to `planned_removals_page` to request the next page. None after the last page."""
