"""Device location: where devices are, and who may know.

The network locates devices. A known location is free, a current one is billed.

    from thingspace_async.location import CacheMode, LocationRequest

    account_name = "0000123456-00001"
    devices = [device async for device in session.devices.list(account_name=account_name, current_state="active")]
    request = LocationRequest(account_name=account_name, devices=devices[:3], cache_mode=CacheMode.CACHED_OR_CURRENT)
    for found in await session.location.locate(request):
        print(found.msid, found.latitude, found.longitude, found.accuracy, found.time)
"""

from thingspace_async._core.positions import Position, PositionError
from thingspace_async.location.calls import OPERATIONS, Locations
from thingspace_async.location.interface import LocatedDevice, LocateOptions, LocationProgress
from thingspace_async.location.models import (
    AccountLocationUsage,
    AccuracyMode,
    CacheMode,
    ConsentAccepted,
    ConsentCreateRequest,
    ConsentUpdateRequest,
    DeviceConsent,
    DeviceConsents,
    ExcludedDevices,
    ExcludeDevicesRequest,
    ExclusionMode,
    Location,
    LocationAccepted,
    LocationCallback,
    LocationCallbackRegistered,
    LocationDevice,
    LocationReport,
    LocationReportAccepted,
    LocationReportStatus,
    LocationRequest,
    LocationService,
    LocationSubscription,
    LocationUsage,
    LocationUsageRequest,
    PeriodicLocationRequest,
    RegisterLocationCallbackRequest,
    ReportStatus,
    TransactionId,
)

__all__ = [
    "OPERATIONS",
    "AccountLocationUsage",
    "AccuracyMode",
    "CacheMode",
    "ConsentAccepted",
    "ConsentCreateRequest",
    "ConsentUpdateRequest",
    "DeviceConsent",
    "DeviceConsents",
    "ExcludeDevicesRequest",
    "ExcludedDevices",
    "ExclusionMode",
    "LocateOptions",
    "LocatedDevice",
    "Location",
    "LocationAccepted",
    "LocationCallback",
    "LocationCallbackRegistered",
    "LocationDevice",
    "LocationProgress",
    "LocationReport",
    "LocationReportAccepted",
    "LocationReportStatus",
    "LocationRequest",
    "LocationService",
    "LocationSubscription",
    "LocationUsage",
    "LocationUsageRequest",
    "Locations",
    "PeriodicLocationRequest",
    "Position",
    "PositionError",
    "RegisterLocationCallbackRequest",
    "ReportStatus",
    "TransactionId",
]
