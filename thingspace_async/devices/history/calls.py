"""Calls about devices' history."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from itertools import chain
from typing import Final

from thingspace_async._codec import Mismatch, load
from thingspace_async._namespace import Namespace, Timeline, whether_more
from thingspace_async._operation import Operation
from thingspace_async._types import Accepted
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
    """What happened to devices: their connections and their provisioning."""

    async def connections_page(self, request: DeviceConnectionListRequest) -> ConnectionHistoryResult:
        """Read one page of the network connections of a device, at most 500 events, oldest first.

        A busy device's events of many days may take the platform too long to answer: ask for a few days at a time.
        An identifier that the device no longer has finds nothing.
        Raises BadRequest, with the short code `REQUEST_FAILED.DeviceNotFound` for a device that the user cannot see.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-connection-history.html
        """
        return whether_more(await self._reply(CONNECTIONS, request))

    def connections(self, request: DeviceConnectionListRequest) -> AsyncGenerator[ConnectionEvent]:
        """Walk the network connections of a device, oldest first, a page of 500 events ahead of the caller.

        Raises AnswerUnreadable where more is promised and `earliest` cannot be moved on to it, as when a page holds
        nothing but events of one time: ask for shorter spans then.
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
        """Read one page of the provisioning of a device, at most 500 events, oldest first.

        An identifier that the device no longer has finds nothing.
        Raises BadRequest, with the short code `REQUEST_FAILED.DeviceNotFound` for a device that the user cannot see.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-provisioning-history.html
        """
        status: int | None
        results: Sequence[DeviceProvisioningHistoryListResult]
        try:
            reply = await self._reply(PROVISIONING, request)
            status, results = reply.status, reply.value
        except AnswerUnreadable as unreadable:
            # A list of results in the SDKs, but a single one wherever a body is shown.
            status, results = unreadable.status, (_read_single(unreadable),)
        told = [result.has_more_data for result in results if result.has_more_data is not None]
        return DeviceProvisioningHistoryListResult(
            has_more_data=any(told) if told else status == 202,
            provisioning_history=tuple(chain.from_iterable(result.provisioning_history for result in results)),
        )

    def provisioning(self, request: DeviceProvisioningHistoryListRequest) -> AsyncGenerator[ProvisioningHistory]:
        """Walk the provisioning of a device, oldest first, a page of 500 events ahead of the caller.

        Raises AnswerUnreadable where more is promised and `earliest` cannot be moved on to it, as `connections` does.
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
        """Ask for the provisioning of up to 100 devices of an account, eSIM profiles included, or of all its devices.

        The result arrives later, on the callback service DeviceProfileService. Raises BadRequest, with the short code
        `REQUEST_FAILED.AccountNotFound` for an account that does not exist.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/device-prov-history/
        """
        return await self._send(REQUEST_PROVISIONING, request)


def _read_single(unreadable: AnswerUnreadable) -> DeviceProvisioningHistoryListResult:
    """Read one result from an answer that was expected to be a list of them."""
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
