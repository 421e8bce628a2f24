"""Calls for device groups."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import NoneType
from typing import Final

import attrs

from thingspace_async._core.namespace import Namespace, next_from_location
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import DeviceIds, SuccessResult
from thingspace_async.groups.models import (
    CreateDeviceGroupRequest,
    DeviceGroup,
    DeviceGroupDevicesData,
    DeviceGroupUpdateRequest,
)

__all__ = ["OPERATIONS", "Groups"]

_GROUP: Final = "/m2m/v1/groups/{account_name}/name/{group_name}"

CREATE: Final = Operation("groups.create", "POST", "/m2m/v1/groups", CreateDeviceGroupRequest, SuccessResult)
LIST: Final = Operation(
    "groups.list", "GET", "/m2m/v1/groups/{account_name}", NoneType, tuple[DeviceGroup, ...], repeatable=True
)
MEMBERS: Final = Operation("groups.members", "GET", _GROUP, NoneType, DeviceGroupDevicesData, repeatable=True)
# Changes are not repeatable: the platform refuses a second try because the group exists, has a new name or is gone.
UPDATE: Final = Operation("groups.update", "PUT", _GROUP, DeviceGroupUpdateRequest, SuccessResult)
DELETE: Final = Operation("groups.delete", "DELETE", _GROUP, NoneType, SuccessResult)

OPERATIONS: Final = (CREATE, LIST, MEMBERS, UPDATE, DELETE)


class Groups(Namespace):
    """Groups of an account's devices. Each device is in exactly one group."""

    async def create(self, request: CreateDeviceGroupRequest) -> SuccessResult:
        """Create a group, and move devices into it.

        The platform does not document how many devices a request may list; other requests may list 10,000. Raises
        BadRequest with the short code `REQUEST_FAILED.DeviceGroup.Exists` if the name is taken.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Create_Device_Group/
        """
        return await self._send(CREATE, request)

    async def list(self, account_name: str) -> tuple[DeviceGroup, ...]:
        """List all groups of an account, including the default group.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-device-groups.html
        """
        return await self._send(LIST, path={"account_name": account_name})

    async def members_page(
        self,
        account_name: str,
        group_name: str,
        *,
        next: int | None = None,  # noqa: A002
    ) -> DeviceGroupDevicesData:
        """Read a group and one page of its devices. Pass the page's `next` to request the next page.

        Devices are sorted by the platform's own number. The page size is not documented. Raises BadRequest with the
        short code `REQUEST_FAILED.DeviceGroupNotFound` if the group does not exist.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-device-group-information.html
        """
        path = {"account_name": account_name, "group_name": group_name}
        reply = await self._reply(MEMBERS, path=path, query={} if next is None else {"next": str(next)})
        more = reply.status == 202 if reply.value.has_more_data is None else reply.value.has_more_data
        next_page = next_from_location(MEMBERS, reply) if more else None
        return attrs.evolve(reply.value, has_more_data=more, next=next_page)

    def members(self, account_name: str, group_name: str) -> AsyncGenerator[DeviceIds]:
        """Walk the identifiers of all devices of a group, and fetch one page ahead.

        To get the full data of the devices, use `session.devices.list` with the group's name.
        Raises AnswerUnreadable if there are more devices but the answer does not say how to request them.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-device-group-information.html
        """
        return self._walk(
            MEMBERS,
            fetch=lambda next_page: self.members_page(account_name, group_name, next=next_page),
            following=lambda page: page.next,
            items=lambda page: page.devices,
        )

    async def update(self, account_name: str, group_name: str, request: DeviceGroupUpdateRequest) -> SuccessResult:
        """Change a group's name or description, and move devices into it or back to the default group.

        The platform does not document how many devices a request may list; other requests may list 10,000. Raises
        BadRequest with the short code `REQUEST_FAILED.DeviceGroup.Exists` if the new name is taken.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/update-device-group.html
        """
        return await self._send(UPDATE, request, path={"account_name": account_name, "group_name": group_name})

    async def delete(self, account_name: str, group_name: str) -> SuccessResult:
        """Delete a group; its devices return to the default group.

        Raises BadRequest with the short code `INPUT_INVALID.DeviceGroup.DeleteDefault` for the default group.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Delete_Device_Group/
        """
        return await self._send(DELETE, path={"account_name": account_name, "group_name": group_name})
