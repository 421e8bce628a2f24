"""Inventory: list, find, add and delete devices, and write custom fields, contacts and cost centers on them.

    from thingspace_async import CustomField, DeviceId
    from thingspace_async.devices import AddDevicesRequest, CustomFieldsUpdateRequest

    sim, module = DeviceId.iccid("89141390780800784259"), DeviceId.imei("990013907835578")
    added = await session.devices.add(AddDevicesRequest(state="preactive", devices_to_add=[[module, sim]]))
    assert not added.failed

    color = CustomField(key="CustomField1", value="red")
    await session.devices.update_custom_fields(
        CustomFieldsUpdateRequest(devices=[sim], custom_fields_to_update=(color,))
    )
    cloud.clock.advance(60)
    device = await session.devices.get(sim)
    assert (device.state, device.custom_fields) == ("preactive", (color,))

Such changes take effect later. Their results arrive on CarrierService.
"""

from thingspace_async.devices.inventory.calls import OPERATIONS, Inventory
from thingspace_async.devices.inventory.many import FoundDevice
from thingspace_async.devices.inventory.models import (
    AccountDeviceListFilter,
    AccountDeviceListRequest,
    AccountDeviceListResult,
    AddDevicesOutcome,
    AddDevicesRequest,
    AddDevicesResult,
    CarrierInformation,
    ContactInfoUpdateRequest,
    CustomFieldsUpdateRequest,
    DateFilter,
    DeleteDevicesOutcome,
    DeleteDevicesRequest,
    DeleteDevicesResult,
    Device,
    DeviceCostCenterRequest,
    DeviceExtendedDiagnosticsRequest,
    DeviceExtendedDiagnosticsResult,
    DeviceIdSearch,
    DeviceMismatchListRequest,
    DeviceMismatchListResult,
    DevicePrlListRequest,
    DiagnosticsCategory,
    GlobalDeviceListRequest,
    MismatchedDevice,
    ProfileStatusFilter,
    ProvisioningStatusFilter,
)

__all__ = [
    "OPERATIONS",
    "AccountDeviceListFilter",
    "AccountDeviceListRequest",
    "AccountDeviceListResult",
    "AddDevicesOutcome",
    "AddDevicesRequest",
    "AddDevicesResult",
    "CarrierInformation",
    "ContactInfoUpdateRequest",
    "CustomFieldsUpdateRequest",
    "DateFilter",
    "DeleteDevicesOutcome",
    "DeleteDevicesRequest",
    "DeleteDevicesResult",
    "Device",
    "DeviceCostCenterRequest",
    "DeviceExtendedDiagnosticsRequest",
    "DeviceExtendedDiagnosticsResult",
    "DeviceIdSearch",
    "DeviceMismatchListRequest",
    "DeviceMismatchListResult",
    "DevicePrlListRequest",
    "DiagnosticsCategory",
    "FoundDevice",
    "GlobalDeviceListRequest",
    "Inventory",
    "MismatchedDevice",
    "ProfileStatusFilter",
    "ProvisioningStatusFilter",
]
