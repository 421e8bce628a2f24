"""Which devices there are: list them, find one, add and delete them."""

from thingspace_async.devices.inventory.calls import OPERATIONS, Inventory
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
    "Inventory",
]
