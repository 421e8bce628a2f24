"""Calls for the licenses of HTTP devices."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import NoneType
from typing import Final

import attrs

from thingspace_async._core.namespace import Namespace, following_index, following_last_seen
from thingspace_async._core.operation import Operation, Server
from thingspace_async._core.types import SuccessResult
from thingspace_async.software.checking import query_of
from thingspace_async.software.models import (
    DeviceListRequest,
    LicensedDevice,
    RemovalList,
    RemovalListPage,
    RemovalListRequest,
)
from thingspace_async.software.v2.models import LicensePage, LicenseResult

__all__ = ["OPERATIONS", "Licenses"]

_SERVER: Final[Server] = "software_management_v2"
_LICENSES: Final = "/licenses/{account_name}"
_REMOVALS: Final = f"{_LICENSES}/cancel"

LIST: Final = Operation(
    "software.v2.licenses.list",
    "GET",
    _LICENSES,
    NoneType,
    LicensePage,
    server=_SERVER,
    repeatable=True,
)
ASSIGN: Final = Operation(
    "software.v2.licenses.assign",
    "POST",
    f"{_LICENSES}/assign",
    DeviceListRequest,
    LicenseResult,
    server=_SERVER,
)
REMOVE: Final = Operation(
    "software.v2.licenses.remove",
    "POST",
    f"{_LICENSES}/remove",
    DeviceListRequest,
    LicenseResult,
    server=_SERVER,
)
PLAN_REMOVAL: Final = Operation(
    "software.v2.licenses.plan_removal",
    "POST",
    _REMOVALS,
    RemovalListRequest,
    RemovalList,
    server=_SERVER,
)
PLANNED_REMOVALS: Final = Operation(
    "software.v2.licenses.planned_removals",
    "GET",
    _REMOVALS,
    NoneType,
    RemovalListPage,
    server=_SERVER,
    repeatable=True,
)
CANCEL_REMOVAL: Final = Operation(
    "software.v2.licenses.cancel_removal",
    "DELETE",
    _REMOVALS,
    NoneType,
    SuccessResult,
    server=_SERVER,
)

OPERATIONS: Final = (LIST, ASSIGN, REMOVE, PLAN_REMOVAL, PLANNED_REMOVALS, CANCEL_REMOVAL)


class Licenses(Namespace):
    """Licenses, which devices need if the account pays monthly. Upgrades that are billed by event need none."""

    async def list_page(self, account_name: str, *, last_seen_device_id: str | None = None) -> LicensePage:
        """Read up to 1,000 devices that have a license, and how many licenses the account has.

        `last_seen_device_id` of a page requests the next page if the page has `has_more_data`.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        query = query_of(LIST, lastSeenDeviceId=last_seen_device_id)
        return await self._send(LIST, path={"account_name": account_name}, query=query)

    def list(self, account_name: str) -> AsyncGenerator[LicensedDevice]:
        """Walk the devices that have a license, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2.html
        """
        return self._walk(
            LIST,
            fetch=lambda last: self.list_page(account_name, last_seen_device_id=last),
            following=lambda page: following_last_seen(
                LIST, more=page.has_more_data, last_seen=page.last_seen_device_id
            ),
            items=lambda page: page.devices,
        )

    async def assign(self, account_name: str, request: DeviceListRequest) -> LicenseResult:
        """Assign licenses to devices.

        The answer has a result for each device: some may be refused although the call succeeds. A license stays with
        its device once the device was upgraded.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/assign-fota-licenses-to-http-devices-v2.html
        """
        return await self._send(ASSIGN, request, path={"account_name": account_name})

    async def remove(self, account_name: str, request: DeviceListRequest) -> LicenseResult:
        """Remove licenses from devices that were not upgraded since, and are in no campaign that is in progress.

        The answer has a result for each device: some may be refused although the call succeeds.
        https://thingspace.verizon.com/documentation/apis/software-management/api-reference-v2/remove-fota-licenses-v2.html
        """
        return await self._send(REMOVE, request, path={"account_name": account_name})

    async def plan_removal(self, account_name: str, request: RemovalListRequest) -> RemovalList:
        """List the devices that lose their licenses first if the account reduces its subscription.

        Nothing changes until then. The platform removes as many licenses as it must, in the order of the list.
        https://thingspace.verizon.com/Documentation/APIs/software-management/api-reference/create-cancellation-candidate-list.html
        """
        return await self._send(PLAN_REMOVAL, request, path={"account_name": account_name})

    async def planned_removals_page(self, account_name: str, *, start_index: int = 0) -> RemovalListPage:
        """Read one page of the devices that lose their licenses first. Pass the page's `next` for the next page.

        https://thingspace.verizon.com/Documentation/APIs/software-management/api-reference/create-cancellation-candidate-list.html
        """
        query = query_of(PLANNED_REMOVALS, startIndex=str(start_index))
        page = await self._send(PLANNED_REMOVALS, path={"account_name": account_name}, query=query)
        following = following_index(
            PLANNED_REMOVALS, more=page.has_more_data, index=start_index, count=len(page.devices)
        )
        return attrs.evolve(page, next=following)

    def planned_removals(self, account_name: str) -> AsyncGenerator[str]:
        """Walk the IMEIs of the devices that lose their licenses first, and fetch one page ahead.

        https://thingspace.verizon.com/Documentation/APIs/software-management/api-reference/create-cancellation-candidate-list.html
        """
        return self._walk(
            PLANNED_REMOVALS,
            fetch=lambda index: self.planned_removals_page(account_name, start_index=index or 0),
            following=lambda page: page.next,
            items=lambda page: page.devices,
        )

    async def cancel_removal(self, account_name: str) -> SuccessResult:
        """Delete the list of the devices that lose their licenses first.

        https://thingspace.verizon.com/Documentation/APIs/software-management/api-reference/create-cancellation-candidate-list.html
        """
        return await self._send(CANCEL_REMOVAL, path={"account_name": account_name})
