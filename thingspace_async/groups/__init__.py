"""Groups of an account's devices.

Each device is in exactly one group. Adding it to another group moves it.

    from thingspace_async import DeviceId
    from thingspace_async.groups import CreateDeviceGroupRequest

    account_name = "0000123456-00001"
    devices = [DeviceId(**cloud.devices[place].device_ids[-1]) for place in range(3)]
    await session.groups.create(
        CreateDeviceGroupRequest(
            account_name=account_name, group_name="Pumps", group_description="In the west", devices_to_add=devices
        )
    )
    async for member in session.groups.members(account_name, "Pumps"):
        print(member.identifier("imei"))
"""

from thingspace_async.groups.calls import OPERATIONS, Groups
from thingspace_async.groups.models import (
    CreateDeviceGroupRequest,
    DeviceGroup,
    DeviceGroupDevicesData,
    DeviceGroupUpdateRequest,
)

__all__ = [
    "OPERATIONS",
    "CreateDeviceGroupRequest",
    "DeviceGroup",
    "DeviceGroupDevicesData",
    "DeviceGroupUpdateRequest",
    "Groups",
]
