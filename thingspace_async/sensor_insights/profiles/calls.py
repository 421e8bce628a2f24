"""Calls for the profiles that configure devices."""

from __future__ import annotations

import json
from typing import Final

import orjson

from thingspace_async._core import codec
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async.sensor_insights.profiles.models import (
    CreateProfilesRequest,
    DeleteProfileRequest,
    Profile,
    ProfileFilter,
    ProfileQuery,
    ProfileSelection,
    UpdateProfileRequest,
)

__all__ = ["OPERATIONS", "Profiles"]

_PATH: Final = "/dm/v1/deviceConfigurationProfiles"

CREATE: Final = Operation(
    "sensor_insights.profiles.create", "POST", _PATH, CreateProfilesRequest, tuple[Profile, ...], one_or_many=True
)
LIST: Final = Operation(
    "sensor_insights.profiles.list",
    "POST",
    f"{_PATH}/actions/query",
    ProfileQuery,
    tuple[Profile, ...],
    repeatable=True,
)
UPDATE: Final = Operation(
    "sensor_insights.profiles.update",
    "PATCH",
    _PATH,
    UpdateProfileRequest,
    tuple[Profile, ...],
    repeatable=True,
    one_or_many=True,
)
# Not repeatable: the platform refuses to delete a profile twice.
DELETE: Final = Operation(
    "sensor_insights.profiles.delete",
    "DELETE",
    _PATH,
    DeleteProfileRequest,
    tuple[Profile, ...],
    one_or_many=True,
    empty=(),
)

OPERATIONS: Final = (CREATE, LIST, UPDATE, DELETE)


class Profiles(Namespace):
    """Profiles: settings for the devices of a model."""

    async def create(self, request: CreateProfilesRequest) -> tuple[Profile, ...]:
        """Create profiles.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(CREATE, request)

    async def list(self, *, model_id: str | None = None, query_total_count: bool = False) -> tuple[Profile, ...]:
        """List the profiles of all accounts that the user may see, or those for a model of devices.

        `query_total_count` asks the platform to count them. Its answer has no documented place for the number.
        https://thingspace.verizon.com/documentation/
        """
        selection = None if model_id is None else ProfileSelection(model_id=model_id)
        wanted = ProfileFilter(selection=selection, query_total_count=query_total_count)
        return await self._send(LIST, ProfileQuery(filter=wanted))

    async def update(self, request: UpdateProfileRequest) -> tuple[Profile, ...]:
        """Change a profile.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(UPDATE, request)

    async def delete(self, account_name: str, profile_id: str) -> tuple[Profile, ...]:
        """Delete a profile.

        https://thingspace.verizon.com/documentation/
        """
        request = DeleteProfileRequest(account_name=account_name, profile_id=profile_id)
        # The SDKs, which cannot send a body with DELETE, put it into a header. Send both, because it is not known which
        # of them the platform reads. A header must be ASCII.
        header = json.dumps(orjson.loads(codec.dump(request)), separators=(",", ":"))
        return await self._send(DELETE, request, headers={"deleterequest": header})
