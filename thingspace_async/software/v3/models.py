"""Models of software management v3."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Self

import attrs

from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.imeis import check_imeis, to_imeis
from thingspace_async._core.types import Accepted, OpenEnum
from thingspace_async.software.models import (
    CampaignStatus,
    DeviceResult,
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
    "ChangeDevicesResult",
    "DeviceFirmware",
    "DeviceFirmwareList",
    "DeviceFirmwareUpgrade",
    "DeviceListResult",
    "DeviceProtocol",
    "FirmwarePackage",
    "FirmwareProtocol",
    "FirmwareReportAccepted",
    "LicensePage",
    "LicenseResult",
    "SoftwareInfo",
]


class FirmwareProtocol(OpenEnum):
    """The protocol of firmware and of campaigns."""

    LWM2M = "LWM2M"
    OMA_DM = "OMD-DM"
    """The platform's own spelling."""
    ALL = "all"
    """Only for `firmware.list`."""


class DeviceProtocol(OpenEnum):
    """The protocol of devices, which is spelled differently for firmware."""

    LWM2M = "LWM2M"
    OMA_DM = "OMADM"
    HTTP = "HTTP"


def to_firmware_protocol(given: FirmwareProtocol | str | None) -> FirmwareProtocol | None:
    """Convert the name of a protocol. The validator refuses values that are not strings."""
    return FirmwareProtocol(given) if isinstance(given, str) else given


def to_flag(given: bool | None) -> bool:  # noqa: FBT001 - attrs passes the value by position
    """Convert a flag that is always sent."""
    return False if given is None else given


@attrs.frozen(kw_only=True)
class FirmwarePackage(Model):
    """Firmware that the account may use."""

    firmware_name: str | None = None
    firmware_from: str | None = None
    """Version that a device must have."""
    firmware_to: str | None = None
    """Version after the upgrade."""
    launch_date: datetime | None = None
    release_note: str | None = None
    model: str | None = None
    make: str | None = None
    protocol: FirmwareProtocol | None = None


@attrs.frozen(kw_only=True)
class FirmwareReportAccepted(Accepted):
    """The platform asks a device for its firmware. The result arrives later, on the callback URL."""

    account_name: str | None = None


@attrs.frozen(kw_only=True)
class DeviceFirmware(Model):
    """The firmware of a device, as its FOTA server knows it."""

    device_id: str
    """IMEI."""
    status: str | None = None
    """For example `FirmwareVersionUpdateSuccess`."""
    reason: str | None = None
    firmware_version: str | None = None
    firmware_version_update_time: datetime | None = None


@attrs.frozen(kw_only=True)
class DeviceFirmwareList(Model):
    """The firmware of several devices."""

    account_name: str | None = None
    devices: tuple[DeviceFirmware, ...] = attrs.field(default=(), metadata=named_on_wire("deviceFirmwarVersionList"))


@attrs.frozen(kw_only=True)
class SoftwareInfo(Model):
    """Software or a file on a device."""

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
    firmware: str | None = None
    """Version of its firmware."""
    fota_eligible: bool | None = None
    status: str | None = None
    license_assigned: bool | None = None
    protocol: DeviceProtocol | None = None
    software: tuple[SoftwareInfo, ...] = attrs.field(default=(), metadata=named_on_wire("softwareList"))
    files: tuple[SoftwareInfo, ...] = attrs.field(default=(), metadata=named_on_wire("fileList"))
    request_status: str | None = None
    """Whether `devices.query` found the device."""
    result_reason: str | None = None
    create_time: datetime | None = None
    status_time: datetime | None = None
    upgrade_time: datetime | None = None
    update_time: datetime | None = None
    refresh_time: datetime | None = None
    last_connection_time: datetime | None = None


@attrs.frozen(kw_only=True)
class AccountDevicePage(Model):
    """One page of an account's devices."""

    account_name: str | None = None
    devices: tuple[AccountDevice, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    has_more_data: bool | None = None
    last_seen_device_id: str | None = None
    max_page_size: int | None = None


@attrs.frozen(kw_only=True)
class DeviceListResult(Model):
    """The devices of a query."""

    account_name: str | None = None
    device_count: int | None = None
    devices: tuple[AccountDevice, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))


@attrs.frozen(kw_only=True)
class DeviceFirmwareUpgrade(Model):
    """An upgrade in the history of a device."""

    device_id: str
    """IMEI."""
    campaign_id: str | None = None
    account_name: str | None = None
    firmware_name: str | None = None
    firmware_from: str | None = None
    firmware_to: str | None = None
    start_date: date | None = None
    status: DeviceUpgradeStatus | None = None
    reason: str | None = None
    report_updated_time: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=checked)
class CampaignRequest(Model):
    """An upgrade of the firmware of several devices."""

    campaign_name: str | None = None
    """Name of the campaign. `session.software.upgrade` finds its campaign again by this name."""
    firmware_name: str
    """Name of the firmware, from `firmware.list`."""
    firmware_from: str
    """Version that the devices have."""
    firmware_to: str
    """Version after the upgrade."""
    protocol: FirmwareProtocol | None = attrs.field(default=None, converter=to_firmware_protocol)
    """Protocol of the devices. The platform's default is LWM2M."""
    start_date: date = attrs.field(validator=check_day)
    """First day, in UTC."""
    end_date: date = attrs.field(validator=check_day)
    """Last day."""
    time_windows: tuple[TimeWindow, ...] = attrs.field(
        default=(),
        converter=to_windows,
        validator=check_windows,
        metadata=named_on_wire("campaignTimeWindowList"),
    )
    """Hours of each day for upgrades. Default: all day."""
    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceList")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer. Repeated devices are sent once."""
    auto_assign_licenses: bool = attrs.field(
        default=None, converter=to_flag, metadata=named_on_wire("autoAssignLicenseFlag")
    )
    """Whether the platform assigns licenses to devices that lack one. Default: False."""
    auto_add_devices: bool = attrs.field(default=None, converter=to_flag, metadata=named_on_wire("autoAddDevicesFlag"))
    """Whether the platform adds devices of the same model that join the account later. Default: False."""

    def __attrs_post_init__(self) -> None:
        check_days(self, "start_date", "end_date")


@attrs.frozen(kw_only=True, field_transformer=checked)
class CampaignDatesRequest(Model):
    """New dates of a campaign. They replace all earlier dates and time windows: `of` keeps those that do not change."""

    start_date: date = attrs.field(validator=check_day)
    """First day, in UTC."""
    end_date: date = attrs.field(validator=check_day)
    """Last day."""
    time_windows: tuple[TimeWindow, ...] = attrs.field(
        default=(),
        converter=to_windows,
        validator=check_windows,
        metadata=named_on_wire("campaignTimeWindowList"),
    )
    """Hours of each day for upgrades. Default: all day."""

    def __attrs_post_init__(self) -> None:
        check_days(self, "start_date", "end_date")

    @classmethod
    def of(
        cls,
        campaign: Campaign,
        *,
        start_date: date | None = None,
        end_date: date | None = None,
        time_windows: Iterable[TimeWindow] | None = None,
    ) -> Self:
        """Return the dates of a campaign, with those that are given instead.

        Raises InvalidRequest if a date is neither given nor in the campaign.
        """
        begin, end = start_date or campaign.start_date, end_date or campaign.end_date
        windows = campaign.time_windows if time_windows is None else time_windows
        # The validators refuse None.
        return cls(start_date=begin, end_date=end, time_windows=windows)  # type: ignore[arg-type]


@attrs.frozen(kw_only=True)
class Campaign(Model):
    """A campaign: the upgrade of the firmware of several devices."""

    id: str
    account_name: str | None = None
    campaign_name: str | None = None
    firmware_name: str | None = None
    firmware_from: str | None = None
    firmware_to: str | None = None
    protocol: FirmwareProtocol | None = None
    make: str | None = None
    model: str | None = None
    start_date: date | None = None
    end_date: date | None = None
    time_windows: tuple[TimeWindow, ...] = attrs.field(default=(), metadata=named_on_wire("campaignTimeWindowList"))
    status: CampaignStatus | None = None
    auto_assign_licenses: bool | None = attrs.field(default=None, metadata=named_on_wire("autoAssignLicenseFlag"))
    auto_add_devices: bool | None = attrs.field(default=None, metadata=named_on_wire("autoAddDevicesFlag"))


@attrs.frozen(kw_only=True)
class CampaignPage(Model):
    """One page of an account's campaigns."""

    campaigns: tuple[Campaign, ...] | None = attrs.field(default=None, metadata=named_on_wire("campaignList"))
    """None if no campaign has the status."""
    has_more_data: bool | None = None
    last_seen_campaign_id: str | None = None


@attrs.frozen(kw_only=True)
class ChangeDevicesResult(Model):
    """The result of adding devices to a campaign, or of removing them."""

    account_name: str | None = None
    campaign_id: str | None = None
    devices: tuple[DeviceResult, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))


@attrs.frozen(kw_only=True)
class LicensePage(Model):
    """One page of the devices that have a license."""

    account_name: str | None = None
    total_licenses: int | None = None
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
    license_count: int | None = attrs.field(default=None, metadata=named_on_wire("licCount"))
    """Licenses that the account has bought."""
    license_used_count: int | None = attrs.field(default=None, metadata=named_on_wire("licUsedCount"))
    devices: tuple[DeviceStatus, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    """The result for each device: some may be refused."""
