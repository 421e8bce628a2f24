"""Software management: upgrades of the firmware and software of devices.

`session.software` is v3, for devices with LWM2M or OMA-DM. `session.software.v2` and `session.software.v1` have the
same parts, for other devices.

    from datetime import UTC, datetime, timedelta

    from thingspace_async.software import CampaignRequest, DeviceListRequest

    account_name = "0000123456-00001"
    (package, *_) = await session.software.firmware.list(account_name)
    devices = [
        device
        async for device in session.software.devices.list(account_name)
        if device.firmware == package.firmware_from and device.model == package.model
    ]
    await session.software.licenses.assign(account_name, DeviceListRequest(devices=devices))
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    request = CampaignRequest(
        campaign_name="spring",
        firmware_name=package.firmware_name,
        firmware_from=package.firmware_from,
        firmware_to=package.firmware_to,
        start_date=tomorrow,
        end_date=tomorrow + timedelta(days=7),
        devices=devices,
    )
    campaign = await session.software.campaigns.schedule(account_name, request)
    print(campaign.id, campaign.status)
"""

from typing import TYPE_CHECKING

from thingspace_async._core.imeis import NamedByImei, SomeImeis
from thingspace_async.software.calls import Software
from thingspace_async.software.following import CampaignResult
from thingspace_async.software.models import (
    CampaignDevicePage,
    CampaignStatus,
    ChangeDevicesRequest,
    DeviceChange,
    DeviceListRequest,
    DeviceResult,
    DeviceStatus,
    DeviceUpgradeStatus,
    LicensedDevice,
    RemovalList,
    RemovalListPage,
    RemovalListRequest,
    RemovalMode,
    SoftwareCallback,
    SoftwareCallbackRequest,
    SoftwareSubscription,
    TimeWindow,
)
from thingspace_async.software.upgrading import UpgradePlan
from thingspace_async.software.v3 import (
    AccountDevice,
    AccountDevicePage,
    Campaign,
    CampaignDatesRequest,
    CampaignPage,
    CampaignRequest,
    ChangeDevicesResult,
    DeviceFirmware,
    DeviceFirmwareList,
    DeviceFirmwareUpgrade,
    DeviceListResult,
    DeviceProtocol,
    FirmwarePackage,
    FirmwareProtocol,
    FirmwareReportAccepted,
    LicensePage,
    LicenseResult,
    SoftwareInfo,
)

if TYPE_CHECKING:
    from thingspace_async.software.operations import OPERATIONS

__all__ = [
    "OPERATIONS",
    "AccountDevice",
    "AccountDevicePage",
    "Campaign",
    "CampaignDatesRequest",
    "CampaignDevicePage",
    "CampaignPage",
    "CampaignRequest",
    "CampaignResult",
    "CampaignStatus",
    "ChangeDevicesRequest",
    "ChangeDevicesResult",
    "DeviceChange",
    "DeviceFirmware",
    "DeviceFirmwareList",
    "DeviceFirmwareUpgrade",
    "DeviceListRequest",
    "DeviceListResult",
    "DeviceProtocol",
    "DeviceResult",
    "DeviceStatus",
    "DeviceUpgradeStatus",
    "FirmwarePackage",
    "FirmwareProtocol",
    "FirmwareReportAccepted",
    "LicensePage",
    "LicenseResult",
    "LicensedDevice",
    "NamedByImei",
    "RemovalList",
    "RemovalListPage",
    "RemovalListRequest",
    "RemovalMode",
    "Software",
    "SoftwareCallback",
    "SoftwareCallbackRequest",
    "SoftwareInfo",
    "SoftwareSubscription",
    "SomeImeis",
    "TimeWindow",
    "UpgradePlan",
]


def __getattr__(name: str) -> object:
    if name == "OPERATIONS":  # Loads the other versions.
        from thingspace_async.software.operations import OPERATIONS

        globals()[name] = OPERATIONS
        return OPERATIONS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
