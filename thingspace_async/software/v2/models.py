"""Models of software management v2."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Self, cast

import attrs

from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.imeis import check_imeis, to_imeis
from thingspace_async._core.types import Accepted, DeviceId, DeviceIds, OpenEnum
from thingspace_async.errors import AnswerUnreadable, InvalidRequest
from thingspace_async.software.models import (
    CampaignStatus,
    DeviceStatus,
    DeviceUpgradeStatus,
    LicensedDevice,
    TimeWindow,
    check_day,
    check_days,
    check_windows,
    to_windows,
)

__all__ = [
    "AccountDevice",
    "AccountDevicePage",
    "Campaign",
    "CampaignDatesRequest",
    "CampaignPage",
    "CampaignRequest",
    "ChangeDevicesAccepted",
    "CheckIn",
    "ConfigurationFile",
    "ConfigurationFileUpload",
    "DeviceLog",
    "DeviceSoftwareUpgrade",
    "DistributionType",
    "FileCampaignRequest",
    "HourWindow",
    "InstalledSoftware",
    "LicensePage",
    "LicenseResult",
    "LoggedDevice",
    "LoggingRequest",
    "SoftwareCampaignRequest",
    "SoftwarePackage",
    "UploadedFile",
]


class DistributionType(OpenEnum):
    """How software reaches a device. v2 is for devices with Verizon's HTTP client."""

    HTTP = "HTTP"
    LWM2M = "LWM2M"
    OMA_DM = "OMD-DM"
    """The platform's own spelling."""


def to_distribution_type(given: DistributionType | str) -> DistributionType:
    """Convert the name of a distribution type. The validator refuses values that are not strings."""
    return DistributionType(given) if isinstance(given, str) else given


# Software, files and devices


@attrs.frozen(kw_only=True)
class SoftwarePackage(Model):
    """Software that the account may distribute."""

    software_name: str | None = None
    """Pass it to `CampaignRequest`, as the software's name and version."""
    launch_date: date | None = None
    release_note: str | None = None
    model: str | None = None
    make: str | None = None
    distribution_type: DistributionType | None = None
    device_platform_id: str | None = None


def to_path(given: Path | str | bytes) -> Path | bytes:
    """Convert the path of a file. The validator refuses other values."""
    return Path(given) if isinstance(given, str) and given else cast("Path | bytes", given)


def _check_file(model: object, field: attrs.Attribute[Any], value: object) -> None:
    what = f"{type(model).__name__}: {field.name}"
    if not isinstance(value, Path | bytes):
        raise InvalidRequest(f"{what} must be a path or bytes, not {type(value).__name__}")
    if value == b"":
        raise InvalidRequest(f"{what} is empty: the platform would distribute a file of 0 bytes")


@attrs.frozen(kw_only=True, field_transformer=checked)
class ConfigurationFileUpload:
    """A configuration file for devices of one make and model."""

    file: Path | bytes = attrs.field(
        converter=to_path, validator=_check_file, repr=False, metadata=named_on_wire("fileupload")
    )
    """Its path, or its content. A file is read while it is sent, and is never in memory as a whole."""
    file_name: str | None = None
    """Name to upload it under. Default: the name of the path. Required with bytes."""
    file_version: str
    make: str
    """Make of the devices, as in `devices.list`."""
    model: str
    """Model of the devices, as in `devices.list`."""
    local_target_path: str
    """Path on the device."""

    def __attrs_post_init__(self) -> None:
        if not self.name:
            raise InvalidRequest("ConfigurationFileUpload: file_name is missing: bytes have no name of their own")

    @property
    def name(self) -> str:
        """The name to upload the file under."""
        return self.file_name or (self.file.name if isinstance(self.file, Path) else "")


@attrs.frozen(kw_only=True)
class ConfigurationFile(Model):
    """A configuration file that the account has uploaded."""

    file_name: str | None = None
    """The platform's name for it. Pass it to `FileCampaignRequest`."""
    file_version: str | None = None
    release_note: str | None = None
    make: str | None = None
    model: str | None = None
    local_target_path: str | None = None
    distribution_type: DistributionType | None = None
    device_platform_id: str | None = None


@attrs.frozen(kw_only=True)
class UploadedFile(Model):
    """The platform has stored a configuration file."""

    file_name: str | None = None
    """The platform's name for it, which differs from that of the upload. Pass it to `FileCampaignRequest`."""
    file_version: str | None = None
    launch_date: date | None = None
    release_note: str | None = None
    model: str | None = None
    make: str | None = None
    distribution_type: DistributionType | None = None
    device_platform_id: str | None = None
    local_target_path: str | None = None


@attrs.frozen(kw_only=True)
class InstalledSoftware(Model):
    """Software on a device."""

    name: str | None = None
    version: str | None = None
    upgrade_time: datetime | None = None


@attrs.frozen(kw_only=True)
class AccountDevice(Model):
    """A device of the account."""

    device_id: str
    """IMEI."""
    mdn: str | None = None
    model: str | None = None
    make: str | None = None
    fota_eligible: bool | None = None
    """Whether its firmware can be upgraded."""
    app_fota_eligible: bool | None = None
    """Whether its applications can be upgraded."""
    license_assigned: bool | None = None
    distribution_type: DistributionType | None = None
    software: tuple[InstalledSoftware, ...] = attrs.field(default=(), metadata=named_on_wire("softwareList"))
    create_time: datetime | None = None
    upgrade_time: datetime | None = None
    update_time: datetime | None = None
    refresh_time: datetime | None = None


@attrs.frozen(kw_only=True)
class AccountDevicePage(Model):
    """One page of an account's devices."""

    account_name: str | None = None
    devices: tuple[AccountDevice, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    has_more_data: bool | None = None
    last_seen_device_id: str | None = None
    max_page_size: int | None = None


@attrs.frozen(kw_only=True)
class DeviceSoftwareUpgrade(Model):
    """A campaign in the history of a device."""

    device_id: str
    """IMEI."""
    id: str
    """Id of the campaign."""
    account_name: str | None = None
    software_name: str | None = None
    start_date: date | None = None
    status: DeviceUpgradeStatus | None = None
    reason: str | None = None


# Campaigns


@attrs.frozen(kw_only=True, field_transformer=checked)
class HourWindow(Model):
    """A time window whose hours are strings, as two requests need them. Pass `TimeWindow` to these requests."""

    start_time: str
    end_time: str

    def numbered(self) -> TimeWindow:
        """Return the window with its hours as numbers."""
        return TimeWindow(start_time=_hour(self.start_time), end_time=_hour(self.end_time))


def _hour(text: str) -> Any:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else text


def to_hour_windows(given: Iterable[TimeWindow | HourWindow]) -> tuple[HourWindow, ...]:
    """Convert time windows. The validator refuses other values."""
    windows: tuple[Any, ...] = to_windows(cast("Iterable[TimeWindow]", given))
    return tuple([_to_hour_window(one) for one in windows]) if isinstance(windows, tuple) else windows


def _to_hour_window(given: Any) -> Any:
    if isinstance(given, TimeWindow):
        return HourWindow(start_time=str(given.start_time), end_time=str(given.end_time))
    return given


def _check_hour_windows(model: object, field: attrs.Attribute[Any], value: Any) -> None:
    windows = value if isinstance(value, tuple) else (value,)
    check_windows(model, field, tuple([one.numbered() if isinstance(one, HourWindow) else one for one in windows]))


def _check_campaign_days(model: object) -> None:
    for first in ("start_date", "download_after_date", "install_after_date"):
        check_days(model, first, "end_date")


@attrs.frozen(kw_only=True, field_transformer=checked)
class _Days(Model):
    start_date: date = attrs.field(validator=check_day)
    """First day, in UTC."""
    download_after_date: date | None = attrs.field(default=None, validator=check_day)
    """First day of downloads. Default: `start_date`."""
    install_after_date: date | None = attrs.field(default=None, validator=check_day)
    """First day of installations. Default: the day of the download."""
    end_date: date = attrs.field(validator=check_day)
    """Last day. A device that does not check in before its end is not upgraded."""

    def __attrs_post_init__(self) -> None:
        _check_campaign_days(self)


@attrs.frozen(kw_only=True, field_transformer=checked)
class _Schedule(_Days):
    download_windows: tuple[TimeWindow, ...] = attrs.field(
        default=(), converter=to_windows, validator=check_windows, metadata=named_on_wire("downloadTimeWindowList")
    )
    """Hours for downloads. A window must be longer than the interval of the check-ins."""
    install_windows: tuple[TimeWindow, ...] = attrs.field(
        default=(), converter=to_windows, validator=check_windows, metadata=named_on_wire("installTimeWindowList")
    )
    """Hours for installations."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class _HttpSchedule(_Days):
    download_windows: tuple[HourWindow, ...] = attrs.field(
        default=(),
        converter=to_hour_windows,
        validator=_check_hour_windows,
        metadata=named_on_wire("downloadTimeWindowList"),
    )
    """Hours for downloads: TimeWindow. A window must be longer than the interval of the check-ins."""
    install_windows: tuple[HourWindow, ...] = attrs.field(
        default=(),
        converter=to_hour_windows,
        validator=_check_hour_windows,
        metadata=named_on_wire("installTimeWindowList"),
    )
    """Hours for installations: TimeWindow."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class CampaignRequest(_Schedule):
    """A campaign that upgrades software."""

    campaign_name: str | None = None
    software_name: str
    """Software to install, from `packages.list`."""
    software_from: str
    """Software that the devices have."""
    software_to: str
    """Software that the devices have afterwards."""
    distribution_type: DistributionType = attrs.field(converter=to_distribution_type)
    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceList")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer. Repeated devices are sent once."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class SoftwareCampaignRequest(_HttpSchedule):
    """A campaign that upgrades the software of HTTP devices."""

    campaign_name: str | None = None
    software_name: str
    """Software to install, from `packages.list`."""
    software_from: str
    """Software that the devices have."""
    software_to: str
    """Software that the devices have afterwards."""
    distribution_type: DistributionType = attrs.field(converter=to_distribution_type)
    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceList")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer. Repeated devices are sent once."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class FileCampaignRequest(_HttpSchedule):
    """A campaign that distributes a configuration file. The devices must have the make and model of the upload."""

    campaign_name: str | None = None
    file_name: str
    """The platform's name of the file, from `files.upload` or `files.list`."""
    file_version: str
    """The version of the upload."""
    distribution_type: DistributionType = attrs.field(converter=to_distribution_type)
    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceList")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer. Repeated devices are sent once."""


@attrs.frozen(kw_only=True)
class Campaign(Model):
    """A campaign: the distribution of software or of a file to several devices."""

    id: str
    account_name: str | None = None
    campaign_name: str | None = None
    software_name: str | None = None
    """Only campaigns that upgrade software have it."""
    software_from: str | None = None
    software_to: str | None = None
    file_name: str | None = None
    """Only campaigns that distribute a file have it."""
    file_version: str | None = None
    distribution_type: DistributionType | None = None
    make: str | None = None
    model: str | None = None
    start_date: date | None = None
    end_date: date | None = None
    download_after_date: date | None = None
    download_windows: tuple[TimeWindow, ...] = attrs.field(default=(), metadata=named_on_wire("downloadTimeWindowList"))
    install_after_date: date | None = None
    install_windows: tuple[TimeWindow, ...] = attrs.field(default=(), metadata=named_on_wire("installTimeWindowList"))
    devices: tuple[str, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    """IMEIs. Only some answers have them: `campaigns.devices` lists all."""
    status: CampaignStatus | None = None


@attrs.frozen(kw_only=True, field_transformer=checked)
class CampaignDatesRequest(_Schedule):
    """New dates of a campaign. They replace all earlier dates and windows: `of` keeps those that do not change."""

    @classmethod
    def of(cls, campaign: Campaign, **changes: Any) -> Self:
        """Return the dates and windows of a campaign, with the given ones instead.

        Raises InvalidRequest if a date is neither given nor in the campaign.
        """
        names = [str(field.alias) for field in attrs.fields(cls)]
        if unknown := [name for name in changes if name not in names]:
            raise InvalidRequest(f"CampaignDatesRequest has no {unknown[0]}: it has {', '.join(names)}")
        return cls(**{name: getattr(campaign, name) for name in names} | changes)


@attrs.frozen(kw_only=True)
class CampaignPage(Model):
    """One page of an account's campaigns."""

    campaigns: tuple[Campaign, ...] | None = attrs.field(default=None, metadata=named_on_wire("campaignList"))
    """None if no campaign has the status."""
    has_more_data: bool | None = None
    last_seen_campaign_id: str | None = None


@attrs.frozen(kw_only=True)
class ChangeDevicesAccepted(Accepted):
    """The platform will add devices to a campaign, or remove them. `campaigns.devices` shows the result."""

    account_name: str | None = None
    campaign_id: str | None = None

    def _answering(self, request: object) -> Self:
        imeis: tuple[str, ...] = getattr(request, "devices", ())
        return attrs.evolve(self, devices=tuple([DeviceIds(device_ids=(DeviceId.imei(one),)) for one in imeis]))


# Licenses


@attrs.frozen(kw_only=True)
class LicensePage(Model):
    """One page of the devices that have a license."""

    account_name: str | None = None
    total_licenses: int | None = attrs.field(default=None, metadata=named_on_wire("totalLicense", also="totalLicenses"))
    """Licenses that the account has bought."""
    assigned_licenses: int | None = None
    devices: tuple[LicensedDevice, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    has_more_data: bool | None = None
    last_seen_device_id: str | None = None
    max_page_size: int | None = None


@attrs.frozen(kw_only=True)
class LicenseResult(Model):
    """The result of assigning or removing licenses."""

    account_name: str | None = None
    license_count: int | None = attrs.field(default=None, metadata=named_on_wire("licTotalCount"))
    """Licenses that the account has bought."""
    license_used_count: int | None = attrs.field(default=None, metadata=named_on_wire("licUsedCount"))
    devices: tuple[DeviceStatus, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    """The result for each device: some may be refused."""


# Logs


@attrs.frozen(kw_only=True, field_transformer=checked)
class LoggingRequest(Model):
    """Devices that write logs: up to 20 of an account."""

    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceIds")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer. Repeated devices are sent once."""


@attrs.frozen(kw_only=True)
class LoggedDevice(Model):
    """A device that writes logs."""

    device_id: str
    """IMEI."""
    expiry_date: date | None = None
    """The platform turns logging off after seven days."""


@attrs.frozen(kw_only=True)
class DeviceLog(Model):
    """A log of a device."""

    device_id: str
    """IMEI."""
    log_time: datetime | None = None
    log_type: str | None = None
    event_log: str | None = attrs.field(default=None, repr=False)
    """The log as text."""
    binary_log_file_base64: str | None = attrs.field(default=None, repr=False)
    """The log file as the platform sent it. `data` has its bytes."""
    binary_log_filename: str | None = None

    @property
    def data(self) -> bytes:
        """The log file, or no bytes without one. Raises AnswerUnreadable if it is not Base64."""
        try:
            return base64.b64decode(self.binary_log_file_base64 or "", validate=True)
        except (binascii.Error, ValueError):
            raise AnswerUnreadable(
                "the log file is not valid Base64: see `binary_log_file_base64`",
                operation=LOGS,
                path="binaryLogFileBase64",
            ) from None


LOGS: Final = "software.v2.logging.logs"


@attrs.frozen(kw_only=True)
class CheckIn(Model):
    """A check-in of a device. It looks for campaigns then."""

    device_id: str
    """IMEI."""
    client_type: str | None = None
    result: str | None = None
    failure_type: str | None = None
    time_completed: datetime | None = None
