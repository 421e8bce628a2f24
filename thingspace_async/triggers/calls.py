"""Calls for triggers: alerts about usage, anomalies and promotions."""

from __future__ import annotations

from functools import cached_property
from types import NoneType
from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async.errors import NotFound
from thingspace_async.triggers.models import (
    CreateTriggerRequest,
    RatePlanGroup,
    RatePlanList,
    Trigger,
    TriggerCreated,
    TriggerList,
    TriggerResult,
    UpdateTriggerRequest,
)
from thingspace_async.triggers.v1.calls import OPERATIONS as V1_OPERATIONS
from thingspace_async.triggers.v1.calls import DeviceTriggers

__all__ = ["OPERATIONS", "Triggers"]

_PATH: Final = "/m2m/v2/triggers"

CREATE: Final = Operation("triggers.create", "POST", _PATH, CreateTriggerRequest, TriggerCreated)
# Not repeatable: a trigger may suspend devices, or change their plan, as soon as it is changed.
UPDATE: Final = Operation("triggers.update", "PUT", _PATH, UpdateTriggerRequest, TriggerResult)
LIST: Final = Operation("triggers.list", "GET", _PATH, NoneType, TriggerList, repeatable=True)
LIST_OF_ACCOUNT: Final = Operation(
    "triggers.list_of_account", "GET", f"{_PATH}/accounts/{{account_name}}", NoneType, TriggerList, repeatable=True
)
PROMO_ALERTS: Final = Operation(
    "triggers.promo_alerts", "GET", f"{_PATH}/categories/PromoAlerts", NoneType, TriggerList, repeatable=True
)
GET: Final = Operation("triggers.get", "GET", f"{_PATH}/{{trigger_id}}", NoneType, TriggerList, repeatable=True)
RATE_PLANS: Final = Operation(
    "triggers.rate_plans", "GET", f"{_PATH}/rateplanlist/{{ecpd_id}}", NoneType, RatePlanList, repeatable=True
)
# Not repeatable: the platform refuses to delete a trigger twice.
DELETE: Final = Operation("triggers.delete", "DELETE", "/m2m/v1/triggers/{trigger_id}", NoneType, TriggerResult)

OPERATIONS: Final = (
    CREATE,
    UPDATE,
    LIST,
    LIST_OF_ACCOUNT,
    PROMO_ALERTS,
    GET,
    RATE_PLANS,
    DELETE,
    *V1_OPERATIONS,
)


class Triggers(Namespace):
    """Triggers: alerts about usage, anomalies and promotions, by email, SMS or callback.

    A trigger may also suspend devices or change their plan by itself, if its `action` says so.
    """

    @cached_property
    def v1(self) -> DeviceTriggers:
        """The older triggers, on the usage of each device. Their alerts arrive on AlertService only."""
        return DeviceTriggers(self._caller)

    async def create(self, request: CreateTriggerRequest) -> TriggerCreated:
        """Create a trigger on anomalies, or on the usage of accounts, of a device group or of a price plan.

        Pass a UsageAnomalyTrigger, AccountUsageTrigger, DeviceGroupUsageTrigger or PricePlanTrigger.
        With an `action`, the trigger suspends devices or changes their plan when it fires, without asking. The models
        ask for none by default, and always send that. Alerts arrive on AlertService if the `notification` has
        `callback=True`. Price plan triggers need a plan with real-time rating (RTR). Names of triggers are unique.
        https://thingspace.verizon.com/documentation/apis/intelligence/anomaly-detection/intelligence-api-reference/trigger-create.html
        """
        return await self._send(CREATE, request)

    async def update(self, request: UpdateTriggerRequest) -> TriggerResult:
        """Change a trigger: pass the class for its category, such as AccountUsageTriggerUpdate.

        The request replaces the settings. Without an `action`, the trigger only notifies from now on. Its category
        cannot be changed. If the answer is lost, read the trigger with `get`.
        https://thingspace.verizon.com/documentation/apis/intelligence/anomaly-detection/intelligence-api-reference/trigger-update.html
        """
        return await self._send(UPDATE, request)

    async def list(self) -> tuple[Trigger, ...]:
        """List the triggers of all accounts that the user may see, without those of `session.triggers.v1`.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-triggers.html
        """
        return (await self._send(LIST)).triggers

    async def list_of_account(self, account_name: str) -> tuple[Trigger, ...]:
        """List the triggers of an account.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-triggers.html
        """
        return (await self._send(LIST_OF_ACCOUNT, path={"account_name": account_name})).triggers

    async def promo_alerts(self) -> tuple[Trigger, ...]:
        """List the triggers on promotional periods of ReadySIM devices.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/mdnless/api-reference/update-promo-trigger.html
        """
        return (await self._send(PROMO_ALERTS)).triggers

    async def get(self, trigger_id: str) -> Trigger:
        """Read one trigger.

        Raises NotFound if the platform answers no trigger.
        https://thingspace.verizon.com/documentation/apis/intelligence/anomaly-detection/intelligence-api-reference/trigger-get.html
        """
        found = (await self._send(GET, path={"trigger_id": trigger_id})).triggers
        named = [one for one in found if one.trigger_id == trigger_id] if len(found) > 1 else found
        if not named:
            raise NotFound("the platform answered no trigger with this id", operation=GET.name, status=200)
        return named[0]

    async def rate_plans(self, ecpd_id: str) -> tuple[RatePlanGroup, ...]:
        """List the price plans of a customer's profile, in groups.

        `ecpd_id` is the id of the profile in Verizon's enterprise customer database.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/rtr-ia/api-reference/get-rateplan-list.html
        """
        return (await self._send(RATE_PLANS, path={"ecpd_id": ecpd_id})).rate_plan_group

    async def delete(self, trigger_id: str) -> TriggerResult:
        """Delete a trigger of this namespace or of `session.triggers.v1`.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/delete-trigger.html
        """
        return await self._send(DELETE, path={"trigger_id": trigger_id})
