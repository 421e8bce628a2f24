"""Calls for the people who are notified of alerts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import NoneType
from typing import Final

from thingspace_async._core import codec
from thingspace_async._core.operation import Operation
from thingspace_async.sensor_insights.listing import Listing
from thingspace_async.sensor_insights.models import InsightsPage, InsightsQuery
from thingspace_async.sensor_insights.users.models import (
    CreateUserRequest,
    DeleteUserRequest,
    InsightsUser,
    UpdateUserRequest,
)

__all__ = ["OPERATIONS", "Users"]

_PATH: Final = "/dm/v1/users"

CREATE: Final = Operation("sensor_insights.users.create", "POST", _PATH, CreateUserRequest, InsightsUser)
LIST: Final = Operation(
    "sensor_insights.users.list",
    "POST",
    f"{_PATH}/actions/query",
    InsightsQuery,
    tuple[InsightsUser, ...],
    repeatable=True,
)
UPDATE: Final = Operation(
    "sensor_insights.users.update", "PATCH", _PATH, UpdateUserRequest, InsightsUser, repeatable=True
)
# Not repeatable: the platform refuses to delete a user twice.
DELETE: Final = Operation("sensor_insights.users.delete", "DELETE", _PATH, DeleteUserRequest, NoneType)

OPERATIONS: Final = (CREATE, LIST, UPDATE, DELETE)


class Users(Listing):
    """Recipients of alerts. They cannot sign in to the platform."""

    async def create(self, request: CreateUserRequest) -> InsightsUser:
        """Create a user.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(CREATE, request)

    async def list_page(self, request: InsightsQuery, *, page: str | None = None) -> InsightsPage[InsightsUser]:
        """List one page of the users of an account. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/
        """
        return await self._page(LIST, request, page)

    def list(self, request: InsightsQuery) -> AsyncGenerator[InsightsUser]:
        """Walk the users of an account, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/
        """
        return self._pages(LIST, request)

    async def update(self, request: UpdateUserRequest) -> InsightsUser:
        """Change a user.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(UPDATE, request)

    async def delete(self, account_name: str, user_id: str) -> None:
        """Delete a user.

        https://thingspace.verizon.com/documentation/
        """
        request = DeleteUserRequest(account_name=account_name, id=user_id)
        # The SDKs, which cannot send a body with DELETE, put it into the query. Send both, because it is not known
        # which of them the platform reads.
        await self._send(DELETE, request, query={"deleterequestpayload": codec.dump(request).decode()})
