"""Calls about accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from types import NoneType
from typing import Final

import attrs

from thingspace_async import _checks
from thingspace_async._namespace import Namespace, next_from_location
from thingspace_async._operation import Operation
from thingspace_async._types import Accepted
from thingspace_async.accounts.models import (
    Account,
    AccountLead,
    AccountLeadsResult,
    AccountStatesAndServices,
    AsynchronousRequestResult,
    RequestStatus,
    ServicePlan,
    StatusResponse,
)
from thingspace_async.errors import BadRequest, InvalidRequest, NotFound, RequestPending, StatusNotOffered, retyped

__all__ = ["OPERATIONS", "Accounts"]

GET: Final = Operation("accounts.get", "GET", "/m2m/v1/accounts/{account_name}", NoneType, Account, repeatable=True)
LEADS: Final = Operation(
    "accounts.leads", "GET", "/m2m/v1/leads/{account_name}", NoneType, AccountLeadsResult, repeatable=True
)
STATES_AND_SERVICES: Final = Operation(
    "accounts.states_and_services",
    "GET",
    "/m2m/v1/accounts/{account_name}/statesandservices",
    NoneType,
    AccountStatesAndServices,
    repeatable=True,
)
SERVICE_PLANS: Final = Operation(
    "accounts.service_plans", "GET", "/m2m/v1/plans/{account_name}", NoneType, tuple[ServicePlan, ...], repeatable=True
)
REQUEST_STATUS: Final = Operation(
    "accounts.request_status",
    "GET",
    "/m2m/v1/accounts/{account_name}/requests/{request_id}/status",
    NoneType,
    AsynchronousRequestResult,
    repeatable=True,
)

REQUEST_STATUS_BY_DEVICE: Final = Operation(
    "accounts.request_status_by_device",
    "GET",
    "/m2m/v2/accounts/{account_name}/requests/{request_id}/status",
    NoneType,
    StatusResponse,
    repeatable=True,
)
GET_GLOBAL: Final = Operation(
    "accounts.get_global", "GET", "/v1/accounts/{account_name}", NoneType, Account, repeatable=True
)
GLOBAL_SERVICE_PLANS: Final = Operation(
    "accounts.global_service_plans", "GET", "/v1/plans/{account_name}", NoneType, Account, repeatable=True
)

OPERATIONS: Final = (
    GET,
    LEADS,
    STATES_AND_SERVICES,
    SERVICE_PLANS,
    REQUEST_STATUS,
    REQUEST_STATUS_BY_DEVICE,
    GET_GLOBAL,
    GLOBAL_SERVICE_PLANS,
)


class Accounts(Namespace):
    """Accounts, their service plans, leads, custom states and pending requests."""

    async def get(self, account_name: str) -> Account:
        """Read an account: its carriers, features, IP pools and service plans.

        Raises BadRequest with the short code `REQUEST_FAILED.AccountNotFound` for an account that does not exist.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-account-information.html
        """
        return await self._send(GET, path={"account_name": account_name})

    async def leads_page(self, account_name: str, *, next: int | None = None) -> AccountLeadsResult:  # noqa: A002
        """Read one page of the account's leads; ask for the following one with the page's `next`.

        For members of Verizon's partner program only. The platform synchronizes leads once an hour.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Account_Leads/
        """
        query = {} if next is None else {"next": str(next)}
        reply = await self._reply(LEADS, path={"account_name": account_name}, query=query)
        more = reply.status == 202 if reply.value.has_more_data is None else reply.value.has_more_data
        way_on = next_from_location(LEADS, reply) if more else None
        return attrs.evolve(reply.value, has_more_data=more, next=way_on)

    def leads(self, account_name: str) -> AsyncGenerator[AccountLead]:
        """Walk all leads of the account, a page ahead of the caller.

        Raises AnswerUnreadable where the platform promises more leads and does not say how to get them.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Account_Leads/
        """
        return self._walk(
            LEADS,
            fetch=lambda way_on: self.leads_page(account_name, next=way_on),
            following=lambda page: page.next,
            items=lambda page: page.leads,
        )

    async def states_and_services(self, account_name: str) -> AccountStatesAndServices:
        """Read the custom services and states that are defined for the account.

        In limited release: not every account has it.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Services_and_States/
        """
        return await self._send(STATES_AND_SERVICES, path={"account_name": account_name})

    async def service_plans(self, account_name: str) -> tuple[ServicePlan, ...]:
        """Read the data plans that devices of the account may be activated with.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Service_Plans/
        """
        return await self._send(SERVICE_PLANS, path={"account_name": account_name})

    async def request_status(self, account_name: str, request_id: str) -> AsynchronousRequestResult:
        """Read how far an activation, deactivation, suspension or restoration of a single device has come.

        Requests about several devices and all other kinds of requests have no status here; for those about eSIM
        profiles ask `request_status_by_device`. Activations usually take minutes, up to 12 hours during large updates
        of the network. The answer holds no details: read the device again for its new state.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-request-status.html
        """
        return await self._send(REQUEST_STATUS, path={"account_name": account_name, "request_id": request_id})

    async def wait(
        self,
        account_name: str,
        accepted: Accepted,
        *,
        timeout: timedelta = timedelta(hours=1),  # noqa: ASYNC109 - when it is over, the error says so
        interval: timedelta = timedelta(seconds=2),
        longest_interval: timedelta = timedelta(minutes=1),
    ) -> AsynchronousRequestResult:
        """Ask for the status of a request until the platform has ended it; for where no callback can be received.

        Only of an activation, deactivation, suspension or restoration of a single device: for all else the platform has
        no status, which is StatusNotOffered; await its messages instead (`session.listen`). Each interval is half as
        long again as the one before, up to the longest. A request that failed raises nothing: ask `failed` of the
        answer. Raises RequestPending when the time is over; call it again to wait on.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-request-status.html
        """
        if not isinstance(accepted, Accepted):
            raise InvalidRequest(
                f"accounts.wait: give what the request answered, Accepted, not {type(accepted).__name__}"
            )
        within = _checks.seconds("accounts.wait", "timeout", timeout)
        pause = _checks.seconds("accounts.wait", "interval", interval)
        longest = _checks.seconds("accounts.wait", "longest_interval", longest_interval)
        try:
            async with asyncio.timeout(within):
                result = await self._first_status(account_name, accepted.request_id)
                while not (result.failed or result.status is RequestStatus.SUCCESS):
                    await asyncio.sleep(min(pause, longest))
                    pause = min(pause * 1.5, longest)
                    result = await self.request_status(account_name, accepted.request_id)
        except TimeoutError:
            raise RequestPending(f"request {accepted.request_id} was still under way after {within:g} s") from None
        return result

    async def _first_status(self, account_name: str, request_id: str) -> AsynchronousRequestResult:
        try:
            return await self.request_status(account_name, request_id)
        except (BadRequest, NotFound) as error:
            refusal = error
        if any(part in (refusal.short_code or "") for part in (".Account", ".SessionToken.")):
            raise refusal
        raise retyped(
            refusal,
            StatusNotOffered,
            f"{refusal.message}; the platform tells the status of requests about a single device only, and of "
            "activations, deactivations, suspensions and restorations alone: await its messages with session.listen, "
            "or ask request_status_by_device where it is about eSIM profiles",
        )

    async def request_status_by_device(self, account_name: str, request_id: str) -> StatusResponse:
        """Read how far a request about eSIM profiles has come, as a whole and with each of its devices.

        A device that the platform gave up raises nothing: look at `failed_devices`.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/asynch-request-status.html
        """
        return await self._send(REQUEST_STATUS_BY_DEVICE, path={"account_name": account_name, "request_id": request_id})

    async def get_global(self, account_name: str) -> Account:
        """Read an account at the address without `m2m`, which is meant for accounts with global eSIM profiles.

        `get` reads the same at the address that all accounts have, with the IP pools, which may be missing here.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-account-information.html
        """
        return await self._send(GET_GLOBAL, path={"account_name": account_name})

    async def global_service_plans(self, account_name: str) -> Account:
        """Read service plans with the account's carriers and features, meant for accounts with global eSIM profiles.

        `service_plans` reads the plans alone, at the address that all accounts have.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/global-iot/api_reference/service_plan_list.html
        """
        return await self._send(GLOBAL_SERVICE_PLANS, path={"account_name": account_name})
