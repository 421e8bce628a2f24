"""Calls for triggers on the usage of devices."""

from __future__ import annotations

from types import NoneType
from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async.errors import NotFound
from thingspace_async.triggers.models import TriggerCreated, TriggerResult
from thingspace_async.triggers.v1.models import (
    DeviceTrigger,
    DeviceTriggerList,
    DeviceTriggerRequest,
    DeviceTriggerUpdateRequest,
)

__all__ = ["OPERATIONS", "DeviceTriggers"]

_PATH: Final = "/m2m/v1/triggers"

CREATE: Final = Operation("triggers.v1.create", "POST", _PATH, DeviceTriggerRequest, TriggerCreated)
# Repeatable: it sets all values, and the trigger starts no action of its own.
UPDATE: Final = Operation(
    "triggers.v1.update", "PUT", _PATH, DeviceTriggerUpdateRequest, TriggerResult, repeatable=True
)
LIST: Final = Operation(
    "triggers.v1.list",
    "GET",
    _PATH,
    NoneType,
    tuple[DeviceTriggerList, ...],
    repeatable=True,
    one_or_many=True,
)
LIST_OF_ACCOUNT: Final = Operation(
    "triggers.v1.list_of_account",
    "GET",
    "/m2m/v1/accounts/{account_name}/triggers",
    NoneType,
    tuple[DeviceTriggerList, ...],
    repeatable=True,
    one_or_many=True,
)
GET: Final = Operation(
    "triggers.v1.get",
    "GET",
    f"{_PATH}/{{trigger_id}}",
    NoneType,
    tuple[DeviceTriggerList, ...],
    repeatable=True,
    one_or_many=True,
)

OPERATIONS: Final = (CREATE, UPDATE, LIST, LIST_OF_ACCOUNT, GET)


class DeviceTriggers(Namespace):
    """Triggers on the usage of each device. Their alerts arrive on AlertService only.

    `session.triggers.delete` deletes these triggers, too.
    """

    async def create(self, request: DeviceTriggerRequest) -> TriggerCreated:
        """Create a trigger on the SMS messages, the data or the session time of each device of an account.

        The platform sends an alert for each device, once a day at 01:00 UTC. Register a listener for AlertService
        first. Names of triggers are unique.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Create_Trigger/
        """
        return await self._send(CREATE, request)

    async def update(self, request: DeviceTriggerUpdateRequest) -> TriggerResult:
        """Change a trigger. Its category and its account cannot be changed.

        Devices that already exceed a new threshold cause no alert at once, but at their next usage.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Update_Trigger/
        """
        return await self._send(UPDATE, request)

    async def list(self) -> tuple[DeviceTrigger, ...]:
        """List the triggers of all accounts that the user may see.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-triggers.html
        """
        return _flat(await self._send(LIST))

    async def list_of_account(self, account_name: str) -> tuple[DeviceTrigger, ...]:
        """List the triggers of an account.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-triggers.html
        """
        return _flat(await self._send(LIST_OF_ACCOUNT, path={"account_name": account_name}))

    async def get(self, trigger_id: str) -> DeviceTrigger:
        """Read one trigger.

        Raises NotFound if the platform answers no trigger.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-triggers.html
        """
        found = _flat(await self._send(GET, path={"trigger_id": trigger_id}))
        named = [one for one in found if one.trigger_id == trigger_id] if len(found) > 1 else found
        if not named:
            raise NotFound("the platform answered no trigger with this id", operation=GET.name, status=200)
        return named[0]


def _flat(lists: tuple[DeviceTriggerList, ...]) -> tuple[DeviceTrigger, ...]:
    return tuple([trigger for each in lists for trigger in each.triggers])
