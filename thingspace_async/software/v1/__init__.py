"""Software management v1, for devices with LWM2M or OMA-DM: `session.software.v1`.

The platform pushes an upgrade to its devices. v3 can do the same, and more.

    from datetime import timedelta

    from thingspace_async.software import DeviceListRequest
    from thingspace_async.software.v1 import UpgradeRequest

    account_name = "0000123456-00001"
    push = session.software.v1
    firmware = (await push.firmware.list(account_name))[0]
    devices = [
        device
        async for device in push.devices.list(account_name)
        if device.model == firmware.model and device.firmware == firmware.from_version
    ][:2]
    await push.licenses.assign(account_name, DeviceListRequest(devices=devices))
    tomorrow = cloud.clock.now().date() + timedelta(days=1)
    upgrade = await push.upgrades.schedule(
        UpgradeRequest(
            account_name=account_name,
            firmware_name=firmware.firmware_name,
            firmware_to=firmware.to_version,
            start_date=tomorrow,
            end_date=tomorrow + timedelta(days=7),
            devices=devices,
        )
    )
    print(upgrade.id, upgrade.status)
"""

from thingspace_async.software.v1.calls import OPERATIONS, Version1
from thingspace_async.software.v1.models import (
    AccountDevice,
    AccountDevicePage,
    CallbackRegistered,
    ChangeDevicesRequest,
    ChangeDevicesResult,
    DeviceUpgrade,
    Firmware,
    LicensePage,
    LicenseResult,
    RegisterSoftwareCallbackRequest,
    SoftwareListener,
    SoftwareService,
    Upgrade,
    UpgradePage,
    UpgradeRequest,
    UpgradeStatus,
)

__all__ = [
    "OPERATIONS",
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
    "Version1",
]
