"""Calls for the history of devices."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from itertools import chain
from typing import Final

from thingspace_async._core.codec import Mismatch, load
from thingspace_async._core.namespace import Namespace, Timeline, whether_more
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted
from thingspace_async.devices.history.models import (
    ConnectionEvent,
    ConnectionHistoryResult,
    DeviceConnectionListRequest,
    DeviceProvisioningHistoryListRequest,
    DeviceProvisioningHistoryListResult,
    ProvisioningHistory,
    ProvisioningHistoryRequest,
)
from thingspace_async.errors import AnswerUnreadable

__all__ = ["OPERATIONS", "History"]

CONNECTIONS: Final = Operation(
    "devices.history.connections",
    "POST",
    "/m2m/v1/devices/connections/actions/listHistory",
    DeviceConnectionListRequest,
    ConnectionHistoryResult,
    repeatable=True,
)
PROVISIONING: Final = Operation(
    "devices.history.provisioning",
    "POST",
    "/m2m/v1/devices/history/actions/list",
    DeviceProvisioningHistoryListRequest,
    tuple[DeviceProvisioningHistoryListResult, ...],
    repeatable=True,
)
REQUEST_PROVISIONING: Final = Operation(
    "devices.history.request_provisioning",
    "POST",
    "/m2m/v2/devices/history/actions/list",
    ProvisioningHistoryRequest,
    Accepted,
)

OPERATIONS: Final = (CONNECTIONS, PROVISIONING, REQUEST_PROVISIONING)


class History(Namespace):
    """Connection and provisioning history of devices."""

    async def connections_page(self, request: DeviceConnectionListRequest) -> ConnectionHistoryResult:
        """Read one page of the network connections of a device, at most 500 events, oldest first.

        If the page has `has_more_data`, request the next page with `earliest` set to the time of the last event. Events
        of that time may repeat: `connections` drops them.
        Long spans of a busy device may time out on the platform: request a few days at a time. An identifier that the
        device no longer has finds no events.
        Raises BadRequest with the short code `REQUEST_FAILED.DeviceNotFound` if the user cannot see the device.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-connection-history.html
        """
        return whether_more(await self._reply(CONNECTIONS, request))

    def connections(self, request: DeviceConnectionListRequest) -> AsyncGenerator[ConnectionEvent]:
        """Walk the network connections of a device, oldest first, and fetch pages of 500 events ahead.

        Raises AnswerUnreadable if there are more events but no later `earliest` to request them with, for example
        because all events of a page have the same time. In this case, request shorter spans.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-connection-history.html
        """
        timeline: Timeline[DeviceConnectionListRequest, ConnectionHistoryResult, ConnectionEvent] = Timeline(
            operation=CONNECTIONS,
            fetch=self.connections_page,
            records=lambda page: page.connection_history,
            time=lambda event: event.occurred_at,
            path="connectionHistory",
        )
        return self._walk_in_time(timeline, request)

    async def provisioning_page(
        self, request: DeviceProvisioningHistoryListRequest
    ) -> DeviceProvisioningHistoryListResult:
        """Read one page of the provisioning history of a device, at most 500 events, oldest first.

        If the page has `has_more_data`, request the next page with `earliest` set to the time of the last event. Events
        of that time may repeat: `provisioning` drops them.
        An identifier that the device no longer has finds no events.
        Raises BadRequest with the short code `REQUEST_FAILED.DeviceNotFound` if the user cannot see the device.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-provisioning-history.html
        """
        status: int | None
        results: Sequence[DeviceProvisioningHistoryListResult]
        try:
            reply = await self._reply(PROVISIONING, request)
            status, results = reply.status, reply.value
        except AnswerUnreadable as unreadable:
            # The SDKs expect a list of results. All published bodies show a single result.
            status, results = unreadable.status, (_read_single(unreadable),)
        more = [result.has_more_data for result in results if result.has_more_data is not None]
        return DeviceProvisioningHistoryListResult(
            has_more_data=any(more) if more else status == 202,
            provisioning_history=tuple(chain.from_iterable(result.provisioning_history for result in results)),
        )

    def provisioning(self, request: DeviceProvisioningHistoryListRequest) -> AsyncGenerator[ProvisioningHistory]:
        """Walk the provisioning history of a device, oldest first, and fetch pages of 500 events ahead.

        Raises AnswerUnreadable if there are more events but no later `earliest`, as `connections` does.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-provisioning-history.html
        """
        timeline: Timeline[
            DeviceProvisioningHistoryListRequest, DeviceProvisioningHistoryListResult, ProvisioningHistory
        ] = Timeline(
            operation=PROVISIONING,
            fetch=self.provisioning_page,
            records=lambda page: page.provisioning_history,
            time=lambda event: event.occurred_at,
            path="provisioningHistory",
        )
        return self._walk_in_time(timeline, request)

    async def request_provisioning(self, request: ProvisioningHistoryRequest) -> Accepted:
        """Request the provisioning history of up to 100 devices or of a whole account, including eSIM profiles.

        The result arrives later on DeviceProfileService. Raises BadRequest with the short code
        `REQUEST_FAILED.AccountNotFound` if the account does not exist.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/device-prov-history/
        """
        return await self._send(REQUEST_PROVISIONING, request)


def _read_single(unreadable: AnswerUnreadable) -> DeviceProvisioningHistoryListResult:
    """Read a single result from an answer that should have been a list of results."""
    body = unreadable.body or b""
    if not body.lstrip().startswith(b"{"):
        raise unreadable
    try:
        return load(body, DeviceProvisioningHistoryListResult)
    except Mismatch as mismatch:
        reason, path = mismatch.message, mismatch.path
    raise AnswerUnreadable(
        reason,
        operation=unreadable.operation,
        path=path,
        status=unreadable.status,
        tries=unreadable.tries,
        body=body,
    )
