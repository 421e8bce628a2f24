"""Data and SMS usage of devices, by day or as sums.

    from datetime import datetime, timezone

    from thingspace_async import DeviceId
    from thingspace_async.devices import DeviceUsageListRequest

    request = DeviceUsageListRequest(
        device_id=DeviceId(**cloud.devices[0].device_ids[0]),
        earliest=datetime(2025, 12, 1, tzinfo=timezone.utc),
        latest=datetime(2025, 12, 31, tzinfo=timezone.utc),
    )
    print(sum([day.bytes_used or 0 async for day in session.devices.usage.list(request)]))

Sums arrive later on a callback service.
"""

from thingspace_async.devices.usage.calls import OPERATIONS, Usage
from thingspace_async.devices.usage.many import UsageOfDevice, UsageOptions, UsageProgress
from thingspace_async.devices.usage.models import (
    AggregateUsageRequest,
    BilledUsageLabels,
    BilledUsageListRequest,
    BillingCycle,
    DailyUsageHistory,
    DailyUsageRequest,
    DailyUsageResponse,
    DeviceAggregateUsageListRequest,
    DeviceUsageListRequest,
    DeviceUsageListResult,
    PromoAggregateUsageRequest,
    PromoUsage,
    PromoUsageRequest,
    PromoUsageResponse,
    UsageRecord,
)

__all__ = [
    "OPERATIONS",
    "AggregateUsageRequest",
    "BilledUsageLabels",
    "BilledUsageListRequest",
    "BillingCycle",
    "DailyUsageHistory",
    "DailyUsageRequest",
    "DailyUsageResponse",
    "DeviceAggregateUsageListRequest",
    "DeviceUsageListRequest",
    "DeviceUsageListResult",
    "PromoAggregateUsageRequest",
    "PromoUsage",
    "PromoUsageRequest",
    "PromoUsageResponse",
    "Usage",
    "UsageOfDevice",
    "UsageOptions",
    "UsageProgress",
    "UsageRecord",
]
