"""Reachability: monitor whether devices can be reached by data or SMS.

    from datetime import timedelta

    from thingspace_async import DeviceId
    from thingspace_async.reachability import MonitorType, NotificationReportRequest

    sims = [found["id"] for device in cloud.devices for found in device.device_ids if found["kind"] == "iccId"]
    request = NotificationReportRequest(
        account_name=cloud.account_name,
        request_type=MonitorType.DATA,
        devices=[DeviceId.iccid(sim) for sim in sims],
        monitor_expiration_time=cloud.clock.now() + timedelta(days=30),
    )
    accepted = await session.reachability.monitor(request)
    print(accepted.request_id)

Results arrive later on DiagnosticsService.
"""

from thingspace_async.reachability.calls import OPERATIONS, Reachability
from thingspace_async.reachability.models import (
    MonitorType,
    NotificationReportRequest,
    NotificationReportStatusRequest,
    RetrieveMonitorsRequest,
    StopMonitorRequest,
)

__all__ = [
    "OPERATIONS",
    "MonitorType",
    "NotificationReportRequest",
    "NotificationReportStatusRequest",
    "Reachability",
    "RetrieveMonitorsRequest",
    "StopMonitorRequest",
]
