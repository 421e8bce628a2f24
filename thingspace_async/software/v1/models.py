"""Models of software management v1."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.imeis import check_imeis, to_imeis
from thingspace_async._core.types import OpenEnum, Secret
from thingspace_async.software.models import (
    DeviceChange,
    DeviceResult,
    DeviceStatus,
    LicensedDevice,
    check_day,
    check_days,
    to_device_change,
)

__all__ = [
    "AccountDevice",
    "AccountDevicePage",
    "CallbackRegistered",
    "ChangeDevicesRequest",
    "ChangeDevicesResult",
    "DeviceUpgrade",
    "Firmware",
    "LicensePage",
    "LicenseResult",
    "RegisterSoftwareCallbackRequest",
    "SoftwareListener",
    "SoftwareService",
    "Upgrade",
    "UpgradePage",
    "UpgradeRequest",
    "UpgradeStatus",
]


class UpgradeStatus(OpenEnum):
    """The state of an upgrade."""

    REQUEST_PENDING = "RequestPending"
    """The platform has accepted the request."""
    QUEUED = "Queued"
    """The upgrade is scheduled, and has not begun."""
    REQUEST_FAILED = "RequestFailed"
    """The upgrade could not be scheduled."""
    IN_PROGRESS = "InProgress"
    """From here on, it cannot be cancelled."""
    FINISHED = "Finished"
    """It has ended for all devices. Some may have failed."""
    UPGRADE_FAILED = "UpgradeFailed"
    """It did not begin when it was due."""
    CANCELLED = "Cancelled"
    """ASSUMPTION: the documents do not name the status of a cancelled upgrade."""

    @property
    def final(self) -> bool:
        """Whether the upgrade will not change any more."""
        return self in _FINAL


_FINAL: Final = frozenset(
    {
        UpgradeStatus.REQUEST_FAILED,
        UpgradeStatus.FINISHED,
        UpgradeStatus.UPGRADE_FAILED,
        UpgradeStatus.CANCELLED,
    }
)


class SoftwareService(OpenEnum):
    """The service that sends messages to listeners."""

    FOTA = "Fota"


def to_software_service(given: SoftwareService | str | None) -> SoftwareService:
    """Convert the name of a service. The validator refuses values that are not strings."""
    if given is None:
        return SoftwareService.FOTA
    return SoftwareService(given) if isinstance(given, str) else given


# Firmware and devices


@attrs.frozen(kw_only=True)
class Firmware(Model):
    """Firmware that the account may use."""

    firmware_name: str | None = None
    """Pass it to `UpgradeRequest`."""
    participant_name: str | None = None
    launch_date: datetime | None = None
    release_note: str | None = None
    model: str | None = None
    make: str | None = None
    from_version: str | None = None
    """Version that a device must have."""
    to_version: str | None = None
    """Version after the upgrade. Pass it to `UpgradeRequest`."""


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
    license_assigned: bool | None = None
    upgrade_time: datetime | None = None


@attrs.frozen(kw_only=True)
class AccountDevicePage(Model):
    """One page of an account's devices."""

    account_name: str | None = None
    devices: tuple[AccountDevice, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    has_more_data: bool | None = None
    last_seen_device_id: int | None = None
    """IMEI of the last device as a number. Pass it to `list_page` to request the next page."""


@attrs.frozen(kw_only=True)
class DeviceUpgrade(Model):
    """An upgrade in the history of a device."""

    device_id: str
    """IMEI."""
    id: str
    """Id of the upgrade."""
    account_name: str | None = None
    firmware_from: str | None = None
    firmware_to: str | None = None
    start_date: datetime | None = None
    upgrade_start_time: datetime | None = None
    status: str | None = None
    reason: str | None = None


# Upgrades


@attrs.frozen(kw_only=True, field_transformer=checked)
class UpgradeRequest(Model):
    """An upgrade of the firmware of several devices."""

    account_name: str
    """Account of the devices."""
    firmware_name: str
    """Name of the firmware, from `firmware.list`."""
    firmware_to: str
    """Version after the upgrade."""
    start_date: date = attrs.field(validator=check_day)
    """First day, in UTC."""
    end_date: date = attrs.field(validator=check_day)
    """Last day."""
    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceList")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer. Repeated devices are sent once."""

    def __attrs_post_init__(self) -> None:
        check_days(self, "start_date", "end_date")


@attrs.frozen(kw_only=True)
class Upgrade(Model):
    """An upgrade of the firmware of several devices."""

    id: str
    account_name: str | None = None
    firmware_name: str | None = None
    firmware_to: str | None = None
    start_date: datetime | None = None
    status: UpgradeStatus | None = None
    devices: tuple[DeviceStatus, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))


@attrs.frozen(kw_only=True)
class UpgradePage(Model):
    """One page of an account's upgrades."""

    upgrades: tuple[Upgrade, ...] | None = attrs.field(default=None, metadata=named_on_wire("reportList"))
    """None if no upgrade has the status."""
    has_more_data: bool | None = attrs.field(default=None, metadata=named_on_wire("hasMoreFlag"))
    last_seen_upgrade_id: int | None = None
    """Number of the last upgrade. Pass it to `list_page` to request the next page."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ChangeDevicesRequest(Model):
    """Devices to add to an upgrade, or to remove from it."""

    change: DeviceChange = attrs.field(converter=to_device_change, metadata=named_on_wire("type"))
    """Whether to add or to remove them."""
    devices: tuple[str, ...] = attrs.field(
        converter=to_imeis, validator=check_imeis, metadata=named_on_wire("deviceList")
    )
    """Plain IMEIs of 15 digits, DeviceId, or devices from an answer. Repeated devices are sent once."""


@attrs.frozen(kw_only=True)
class ChangeDevicesResult(Model):
    """The result of adding devices to an upgrade, or of removing them."""

    account_name: str | None = None
    id: str | None = None
    """Id of the upgrade."""
    devices: tuple[DeviceResult, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))


# Licenses


@attrs.frozen(kw_only=True)
class LicensePage(Model):
    """One page of the devices that have a license."""

    account_name: str | None = None
    total_licenses: int | None = None
    """Licenses that the account has bought."""
    assigned_licenses: int | None = None
    devices: tuple[LicensedDevice, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    has_more_data: bool | None = None
    last_seen_device_id: int | None = None
    """IMEI of the last device as a number. Pass it to `list_page` to request the next page."""


@attrs.frozen(kw_only=True)
class LicenseResult(Model):
    """The result of assigning or removing licenses."""

    account_name: str | None = None
    license_count: int | None = attrs.field(default=None, metadata=named_on_wire("licCount"))
    """Licenses that the account has bought."""
    license_used_count: int | None = attrs.field(default=None, metadata=named_on_wire("licUsedCount"))
    devices: tuple[DeviceResult, ...] = attrs.field(default=(), metadata=named_on_wire("deviceList"))
    """The result for each device: some may be refused."""


# Callbacks


@attrs.frozen(kw_only=True, init=False, field_transformer=checked)
class RegisterSoftwareCallbackRequest(Model):
    """The URL for the messages of an account, and the credentials that the platform sends in them."""

    name: SoftwareService = attrs.field(default=None, converter=to_software_service)
    """The only service is `Fota`, the default."""
    url: str = attrs.field(validator=checks.url(ports=(range(1, 65_536),)))
    """HTTP or HTTPS."""
    username: str | None = None
    """Each message will have it in its body. Do not use the session's username."""
    password: Secret | None = None
    """Each message will have it in its body, unencrypted. Never use the session's password."""

    def __init__(
        self,
        *,
        url: str,
        name: SoftwareService | str | None = None,
        username: str | None = None,
        password: Secret | str | None = None,
    ) -> None:
        # Hide it before anything can fail: an error report may contain the local variables of this frame.
        password = Secret(password) if isinstance(password, str) else password
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue] - attrs generates it
            name=name, url=url, username=username, password=password
        )


@attrs.frozen(kw_only=True)
class CallbackRegistered(Model):
    """The registered listener."""

    account_name: str | None = None
    service_name: SoftwareService | None = None


@attrs.frozen(kw_only=True)
class SoftwareListener(Model):
    """A registered listener."""

    account_name: str | None = attrs.field(default=None, metadata=named_on_wire("aname"))
    name: SoftwareService | None = None
    url: str | None = None
    username: str | None = None
    password: Secret | None = None
