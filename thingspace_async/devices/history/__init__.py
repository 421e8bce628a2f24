"""Connection and provisioning history of devices.

    from datetime import datetime, timezone

    from thingspace_async import DeviceId
    from thingspace_async.devices import DeviceConnectionListRequest

    request = DeviceConnectionListRequest(
        device_id=DeviceId(**cloud.devices[0].device_ids[0]),
        earliest=datetime(2026, 1, 12, tzinfo=timezone.utc),
        latest=datetime(2026, 1, 15, tzinfo=timezone.utc),
    )
    async for event in session.devices.history.connections(request):
        print(event.occurred_at, event.attribute("Event"), event.attribute("BytesUsed"))

History belongs to the hardware module. An identifier that a device no longer has finds no history.
"""

from thingspace_async.devices.history.calls import OPERATIONS, History
from thingspace_async.devices.history.models import (
    ConnectionEvent,
    ConnectionHistoryResult,
    DeviceConnectionListRequest,
    DeviceProvisioningHistoryListRequest,
    DeviceProvisioningHistoryListResult,
    ProvisioningHistory,
    ProvisioningHistoryRequest,
)

__all__ = [
    "OPERATIONS",
    "ConnectionEvent",
    "ConnectionHistoryResult",
    "DeviceConnectionListRequest",
    "DeviceProvisioningHistoryListRequest",
    "DeviceProvisioningHistoryListResult",
    "History",
    "ProvisioningHistory",
    "ProvisioningHistoryRequest",
]
