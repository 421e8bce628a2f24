"""Calls about reachability."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from thingspace_async import _codec
from thingspace_async._namespace import Namespace
from thingspace_async._operation import Operation, check_request
from thingspace_async._types import Accepted
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
_LONGEST_QUERY: Final = 8_000
"""What is a little longer is too long for the request line that most servers take, of 8 KB."""


class Reachability(Namespace):
    """Whether devices can be reached, and word when they can be or no longer can be."""

    async def monitor(self, request: NotificationReportRequest) -> Accepted:
        """Have the platform tell when devices can be reached, for up to 10 years (3,650 days).

        Results arrive later on DiagnosticsService: first the confirmation, with the id of each monitor and with the
        state of a device that can be reached at once, then word from each device until the monitor expires.
        Raises InvalidRequest where it would expire too late.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/monitor-device-reachability.html
        """
        check_request(MONITOR, request)
        _check_expiry(request, "monitor_expiration_time", request.monitor_expiration_time)
        return await self._send(MONITOR, request)

    async def stop(self, request: StopMonitorRequest) -> Accepted:
        """End monitors before they expire; one result for each arrives later on DiagnosticsService.

        The request travels in the URL, too, so stop some fifty monitors or devices at a time. Raises InvalidRequest
        for what no URL can hold.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/stop-device-reachability-monitoring.html
        """
        check_request(STOP, request)
        # The page has it in the body and knows no parameters; the SDKs, which cannot give DELETE a body, have it in a
        # parameter that is called as the body was. In both places it reaches the platform whichever of them is right.
        payload = _codec.dump(request).decode()
        if (length := len(quote(payload))) > _LONGEST_QUERY:
            raise InvalidRequest(
                f"reachability.stop: the request takes {length:,} characters of a URL, which holds {_LONGEST_QUERY:,}: "
                "stop some fifty monitors or devices at a time"
            )
        return await self._send(STOP, request, query={"stopreachabilitypayload": payload})

    async def status(self, request: NotificationReportStatusRequest) -> Accepted:
        """Ask whether one device can be reached now; the result arrives later on DiagnosticsService.

        A device that cannot be reached is waited for, an hour unless the request says until when, and has a second
        callback. Raises InvalidRequest where that would be more than 10 years (3,650 days) away.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Retrieve_Reachability_Status/
        """
        check_request(STATUS, request)
        _check_expiry(request, "request_expiration_time", request.request_expiration_time)
        return await self._send(STATUS, request)

    async def monitors(self, request: RetrieveMonitorsRequest) -> Accepted:
        """List the monitors of devices that have not expired; one result for each device arrives on DiagnosticsService.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Retrieve_Active_Reachability_Monitoring/
        """
        return await self._send(MONITORS, request)


def _check_expiry(request: object, name: str, expiry: datetime | None) -> None:
    # Here and not in the model, which may have been made long before it is sent.
    if expiry is not None and expiry - datetime.now(UTC) > _LONGEST:
        raise InvalidRequest(f"{type(request).__name__}: {name} may be {_LONGEST.days:,} days from now at most")
