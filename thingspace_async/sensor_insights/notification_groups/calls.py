"""Calls for the groups of users who are notified of alerts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import NoneType
from typing import Final

from thingspace_async._core import codec
from thingspace_async._core.operation import Operation
from thingspace_async.sensor_insights.listing import Listing
from thingspace_async.sensor_insights.models import InsightsPage, InsightsQuery
from thingspace_async.sensor_insights.notification_groups.models import (
    CreateNotificationGroupRequest,
    DeleteNotificationGroupRequest,
    GroupUsersRequest,
    NotificationGroup,
    UpdateNotificationGroupRequest,
)

__all__ = ["OPERATIONS", "NotificationGroups"]

_PATH: Final = "/dm/v1/notificationGroups"

CREATE: Final = Operation(
    "sensor_insights.notification_groups.create", "POST", _PATH, CreateNotificationGroupRequest, NotificationGroup
)
LIST: Final = Operation(
    "sensor_insights.notification_groups.list",
    "POST",
    f"{_PATH}/actions/query",
    InsightsQuery,
    tuple[NotificationGroup, ...],
    repeatable=True,
)
UPDATE: Final = Operation(
    "sensor_insights.notification_groups.update",
    "PATCH",
    _PATH,
    UpdateNotificationGroupRequest,
    NotificationGroup,
    repeatable=True,
)
# Not repeatable: the platform refuses to delete a group twice.
DELETE: Final = Operation(
    "sensor_insights.notification_groups.delete", "DELETE", _PATH, DeleteNotificationGroupRequest, NoneType
)
ADD_USERS: Final = Operation(
    "sensor_insights.notification_groups.add_users", "POST", f"{_PATH}/actions/add-users", GroupUsersRequest, NoneType
)
REMOVE_USERS: Final = Operation(
    "sensor_insights.notification_groups.remove_users",
    "POST",
    f"{_PATH}/actions/remove-users",
    GroupUsersRequest,
    NoneType,
)

OPERATIONS: Final = (CREATE, LIST, UPDATE, DELETE, ADD_USERS, REMOVE_USERS)


class NotificationGroups(Listing):
    """Groups of users who are notified of alerts."""

    async def create(self, request: CreateNotificationGroupRequest) -> NotificationGroup:
        """Create a group.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(CREATE, request)

    async def list_page(self, request: InsightsQuery, *, page: str | None = None) -> InsightsPage[NotificationGroup]:
        """List one page of the groups of an account. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/
        """
        return await self._page(LIST, request, page)

    def list(self, request: InsightsQuery) -> AsyncGenerator[NotificationGroup]:
        """Walk the groups of an account, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/
        """
        return self._pages(LIST, request)

    async def update(self, request: UpdateNotificationGroupRequest) -> NotificationGroup:
        """Change a group. With `user_ids`, they replace its users.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(UPDATE, request)

    async def delete(self, account_name: str, group_id: str, *, force: bool = False) -> None:
        """Delete a group. With `force`, delete it even if it has users.

        https://thingspace.verizon.com/documentation/
        """
        request = DeleteNotificationGroupRequest(account_name=account_name, id=group_id, force=force)
        # As in `users.delete`.
        await self._send(DELETE, request, query={"payload": codec.dump(request).decode()})

    async def add_users(self, request: GroupUsersRequest) -> None:
        """Add users to a group.

        https://thingspace.verizon.com/documentation/
        """
        await self._send(ADD_USERS, request)

    async def remove_users(self, request: GroupUsersRequest) -> None:
        """Remove users from a group. The users remain in the account.

        https://thingspace.verizon.com/documentation/
        """
        await self._send(REMOVE_USERS, request)
