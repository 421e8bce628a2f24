"""Calls for reachability."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from thingspace_async._core import codec
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation, check_request
from thingspace_async._core.types import Accepted
from thingspace_async.errors import InvalidRequest
from thingspace_async.reachability.models import (
    NotificationReportRequest,
    NotificationReportStatusRequest,
    RetrieveMonitorsRequest,
    StopMonitorRequest,
)

__all__ = ["OPERATIONS", "Reachability"]

_PATH: Final = "/m2m/v1/diagnostics/basic/devicereachability"

MONITOR: Final = Operation("reachability.monitor", "POST", _PATH, NotificationReportRequest, Accepted)
STOP: Final = Operation("reachability.stop", "DELETE", _PATH, StopMonitorRequest, Accepted)
STATUS: Final = Operation("reachability.status", "POST", f"{_PATH}/status", NotificationReportStatusRequest, Accepted)
MONITORS: Final = Operation("reachability.monitors", "POST", f"{_PATH}/monitors", RetrieveMonitorsRequest, Accepted)

OPERATIONS: Final = (MONITOR, STOP, STATUS, MONITORS)

_LONGEST: Final = timedelta(days=3650)


class Reachability(Namespace):
    """Reachability: monitor whether devices can be reached by data or SMS."""

    async def monitor(self, request: NotificationReportRequest) -> Accepted:
        """Monitor when devices can be reached, for up to 10 years (3,650 days).

        Results arrive later on DiagnosticsService. The first message confirms the monitors with their ids, and reports
        devices that can be reached at once. Then each device has its own messages until the monitor expires.
        Raises InvalidRequest if the expiration time is too late.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/monitor-device-reachability.html
        """
        check_request(MONITOR, request)
        _check_expiry(request, "monitor_expiration_time", request.monitor_expiration_time)
        return await self._send(MONITOR, request)

    async def stop(self, request: StopMonitorRequest) -> Accepted:
        """End monitors before they expire; one result for each arrives later on DiagnosticsService.

        The request is also sent in the URL, so stop about fifty monitors or devices at a time. Raises InvalidRequest if
        the request is too long for a URL.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/stop-device-reachability-monitoring.html
        """
        check_request(STOP, request)
        # The platform's page puts the request into the body. The SDKs, which cannot send a body with DELETE, put it
        # into a query parameter. Send both, because it is not known which of them the platform reads.
        payload = codec.dump(request).decode()
        return await self._send(STOP, request, query={"stopreachabilitypayload": payload})

    async def status(self, request: NotificationReportStatusRequest) -> Accepted:
        """Request whether one device can be reached now; the result arrives later on DiagnosticsService.

        If the device cannot be reached now, the platform keeps waiting for it and sends a second callback. It waits for
        one hour, or until `request_expiration_time`. Raises InvalidRequest if that time is more than 10 years (3,650
        days) away.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Retrieve_Reachability_Status/
        """
        check_request(STATUS, request)
        _check_expiry(request, "request_expiration_time", request.request_expiration_time)
        return await self._send(STATUS, request)

    async def monitors(self, request: RetrieveMonitorsRequest) -> Accepted:
        """Request the active monitors of devices; one result for each device arrives later on DiagnosticsService.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Retrieve_Active_Reachability_Monitoring/
        """
        return await self._send(MONITORS, request)


def _check_expiry(request: object, name: str, expiry: datetime | None) -> None:
    # Checked here instead of in the model, which may be made long before it is sent.
    if expiry is not None and expiry - datetime.now(UTC) > _LONGEST:
        raise InvalidRequest(f"{type(request).__name__}: {name} must be at most {_LONGEST.days:,} days from now")
