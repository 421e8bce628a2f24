"""Devices: list them, find one."""

from thingspace_async.devices.calls import OPERATIONS, Devices
from thingspace_async.devices.inventory.models import (
    AccountDeviceListFilter,
    AccountDeviceListRequest,
    AccountDeviceListResult,
    CarrierInformation,
    Device,
    DeviceIdSearch,
)

__all__ = [
    "OPERATIONS",
    "AccountDeviceListFilter",
    "AccountDeviceListRequest",
    "AccountDeviceListResult",
    "CarrierInformation",
    "Device",
    "DeviceIdSearch",
    "Devices",
]
