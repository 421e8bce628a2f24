"""Calls for aggregated billing and usage triggers."""

from __future__ import annotations

from functools import cached_property
from types import NoneType
from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import SuccessResult
from thingspace_async.billing.models import (
    ManagedAccountRequest,
    ManagedAccountResult,
    ManagedAccounts,
    ManagedAccountsAdded,
    ManagedAccountsAddRequest,
    UsageTrigger,
    UsageTriggerCreateRequest,
    UsageTriggerUpdateRequest,
)

__all__ = ["OPERATIONS", "Billing", "UsageTriggers"]

_ACCOUNTS: Final = "/managedaccounts"
_TRIGGERS: Final = "/usage/accounts/{account_name}/triggers"

ADD_ACCOUNTS: Final = Operation(
    "billing.add_accounts",
    "POST",
    f"{_ACCOUNTS}/actions/add",
    ManagedAccountsAddRequest,
    ManagedAccountsAdded,
    server="subscriptions",
)
PROVISION: Final = Operation(
    "billing.provision",
    "POST",
    f"{_ACCOUNTS}/actions/provision",
    ManagedAccountRequest,
    ManagedAccountResult,
    server="subscriptions",
)
CANCEL: Final = Operation(
    "billing.cancel",
    "POST",
    f"{_ACCOUNTS}/actions/cancel",
    ManagedAccountRequest,
    ManagedAccountResult,
    server="subscriptions",
)
MANAGED_ACCOUNTS: Final = Operation(
    "billing.managed_accounts",
    "GET",
    f"{_ACCOUNTS}/{{account_name}}/service/{{service_name}}",
    NoneType,
    ManagedAccounts,
    server="subscriptions",
    repeatable=True,
)
CREATE: Final = Operation(
    "billing.usage_triggers.create",
    "POST",
    "/usage/triggers",
    UsageTriggerCreateRequest,
    UsageTrigger,
    server="subscriptions",
)
# Repeatable, although it is a POST: it sets values.
UPDATE: Final = Operation(
    "billing.usage_triggers.update",
    "POST",
    "/usage/triggers/{trigger_id}",
    UsageTriggerUpdateRequest,
    UsageTrigger,
    server="subscriptions",
    repeatable=True,
)
DELETE: Final = Operation(
    "billing.usage_triggers.delete",
    "DELETE",
    f"{_TRIGGERS}/{{trigger_id}}",
    NoneType,
    SuccessResult,
    server="subscriptions",
)
LIST: Final = Operation(
    "billing.usage_triggers.list",
    "GET",
    _TRIGGERS,
    NoneType,
    tuple[UsageTrigger, ...],
    server="subscriptions",
    repeatable=True,
)
GET: Final = Operation(
    "billing.usage_triggers.get",
    "GET",
    f"{_TRIGGERS}/{{trigger_id}}",
    NoneType,
    UsageTrigger,
    server="subscriptions",
    repeatable=True,
)

OPERATIONS: Final = (ADD_ACCOUNTS, PROVISION, CANCEL, MANAGED_ACCOUNTS, CREATE, UPDATE, DELETE, LIST, GET)


class Billing(Namespace):
    """Aggregated billing: a primary account pays for the services of other accounts."""

    @cached_property
    def usage_triggers(self) -> UsageTriggers:
        """Alerts about the usage of a service."""
        return UsageTriggers(self._caller)

    async def add_accounts(self, request: ManagedAccountsAddRequest) -> ManagedAccountsAdded:
        """Add accounts whose service a primary account will pay for.

        Use a session of the primary account's user. Then the user of each managed account must call `provision` with
        the transaction id of the answer. The answer has a result for each account: check its `status`.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/device-location/api-reference/add-managed-billing-accounts.html
        """
        return await self._send(ADD_ACCOUNTS, request)

    async def provision(self, request: ManagedAccountRequest) -> ManagedAccountResult:
        """Begin the service of a managed account, billed to the primary account.

        Use a session of the managed account's own user. In most programs, this is a second `Session`.
        https://thingspace.verizon.com/resources/documentation/location/Getting_Started/About_Aggregated_Billing_Services/
        """
        return await self._send(PROVISION, request)

    async def cancel(self, request: ManagedAccountRequest) -> ManagedAccountResult:
        """End the service of a managed account.

        Use a session of the managed account's own user, as for `provision`.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/device-location/api-reference/cancel-managed-service.html
        """
        return await self._send(CANCEL, request)

    async def managed_accounts(self, *, account_name: str, service_name: str) -> ManagedAccounts:
        """List the managed accounts of a primary account for a service, such as `Location`.

        https://thingspace.verizon.com/resources/documentation/location/Getting_Started/About_Aggregated_Billing_Services/
        """
        return await self._send(MANAGED_ACCOUNTS, path={"account_name": account_name, "service_name": service_name})


class UsageTriggers(Namespace):
    """Alerts about the usage of a service, by SMS, email or callback. All calls need the primary account's user."""

    async def create(self, request: UsageTriggerCreateRequest) -> UsageTrigger:
        """Create an alert for when the usage reaches a percentage of the month's subscription.

        The platform counts once a day, so an account may exceed its subscription before the alert. If the account has
        a listener for the callback service Location, the alert goes there too.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/device-location/api-reference/create-usage-trigger.html
        """
        return await self._send(CREATE, request)

    async def list(self, account_name: str) -> tuple[UsageTrigger, ...]:
        """List the alerts of an account.

        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Get_Usage_Triggers/
        """
        return await self._send(LIST, path={"account_name": account_name})

    async def get(self, account_name: str, trigger_id: str) -> UsageTrigger:
        """Read one alert.

        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Get_Usage_Triggers/
        """
        return await self._send(GET, path={"account_name": account_name, "trigger_id": trigger_id})

    async def update(self, trigger_id: str, request: UsageTriggerUpdateRequest) -> UsageTrigger:
        """Change an alert. Fields that are not given keep their values.

        https://thingspace.verizon.com/resources/documentation/location/API_Reference/Update_Usage_Trigger/
        """
        return await self._send(UPDATE, request, path={"trigger_id": trigger_id})

    async def delete(self, account_name: str, trigger_id: str) -> SuccessResult:
        """Delete an alert.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/device-location/api-reference/delete-usage-trigger.html
        """
        return await self._send(DELETE, path={"account_name": account_name, "trigger_id": trigger_id})
