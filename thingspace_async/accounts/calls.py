"""Calls for accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from types import NoneType
from typing import Final, Protocol

import attrs

from thingspace_async._core import checks
from thingspace_async._core.caller import Caller
from thingspace_async._core.namespace import Namespace, next_from_location
from thingspace_async._core.operation import Operation
from thingspace_async._core.refusals import retyped
from thingspace_async._core.types import Accepted
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
from thingspace_async.errors import BadRequest, InvalidRequest, NotFound, RequestPending, StatusNotOffered

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


class OfAccount(Protocol):
    """A device, by its account."""

    @property
    def account_name(self) -> str | None: ...


class Accounts(Namespace):
    """Accounts: features, service plans, leads, custom states and pending requests of an account."""

    def __init__(self, caller: Caller, devices: Callable[[], AsyncGenerator[OfAccount]]) -> None:
        super().__init__(caller)
        self._devices = devices

    async def all(self) -> AsyncGenerator[Account]:
        """Read each account that the user can see, in the order of their oldest devices.

        The platform has no list of accounts. So this walks the devices of all accounts, up to 2,000 with each request,
        and does not find an account without devices.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
        """
        known = set[str]()
        async with aclosing(self._devices()) as devices:
            async for device in devices:
                if device.account_name is not None and device.account_name not in known:
                    known.add(device.account_name)
                    yield await self.get(device.account_name)

    async def get(self, account_name: str) -> Account:
        """Read an account: its carriers, features, IP pools and service plans.

        Raises BadRequest with the short code `REQUEST_FAILED.AccountNotFound` if the account does not exist.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-account-information.html
        """
        return await self._send(GET, path={"account_name": account_name})

    async def leads_page(self, account_name: str, *, next: int | None = None) -> AccountLeadsResult:  # noqa: A002
        """Read one page of the account's leads. Pass the page's `next` to request the next page.

        For members of Verizon's partner program only. The platform synchronizes leads once an hour.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Account_Leads/
        """
        query = {} if next is None else {"next": str(next)}
        reply = await self._reply(LEADS, path={"account_name": account_name}, query=query)
        more = reply.status == 202 if reply.value.has_more_data is None else reply.value.has_more_data
        next_page = next_from_location(LEADS, reply) if more else None
        return attrs.evolve(reply.value, has_more_data=more, next=next_page)

    def leads(self, account_name: str) -> AsyncGenerator[AccountLead]:
        """Walk all leads of the account, and fetch one page ahead.

        Raises AnswerUnreadable if there are more leads but the answer does not say how to request them.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Account_Leads/
        """
        return self._walk(
            LEADS,
            fetch=lambda next_page: self.leads_page(account_name, next=next_page),
            following=lambda page: page.next,
            items=lambda page: page.leads,
        )

    async def states_and_services(self, account_name: str) -> AccountStatesAndServices:
        """Read the custom services and states of the account.

        In limited release: not all accounts have this call.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Services_and_States/
        """
        return await self._send(STATES_AND_SERVICES, path={"account_name": account_name})

    async def service_plans(self, account_name: str) -> tuple[ServicePlan, ...]:
        """Read the service plans that are available to devices of the account.

        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Get_Service_Plans/
        """
        return await self._send(SERVICE_PLANS, path={"account_name": account_name})

    async def request_status(self, account_name: str, request_id: str) -> AsynchronousRequestResult:
        """Read the status of an activation, deactivation, suspension or restoration of a single device.

        Requests for several devices, and all other kinds of requests, have no status here. For eSIM profiles, use
        `request_status_by_device`. Activations usually take minutes, but up to 12 hours during large network updates.
        The answer holds no details: read the device again for its new state.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-request-status.html
        """
        return await self._send(REQUEST_STATUS, path={"account_name": account_name, "request_id": request_id})

    async def wait(
        self,
        account_name: str,
        accepted: Accepted,
        *,
        timeout: timedelta = timedelta(hours=1),  # noqa: ASYNC109 - raises an error of its own
        interval: timedelta = timedelta(seconds=2),
        longest_interval: timedelta = timedelta(minutes=1),
    ) -> AsynchronousRequestResult:
        """Poll the status of a request until the platform has finished it, if you cannot receive callbacks.

        This works only for an activation, deactivation, suspension or restoration of a single device. Other requests
        raise StatusNotOffered: await their messages instead (`session.listen`). Each interval is 1.5 times as long as
        the one before, up to `longest_interval`. A failed request raises no error: read `failed` of the result. Raises
        RequestPending after `timeout`; call this method again to keep waiting.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-request-status.html
        """
        if not isinstance(accepted, Accepted):
            raise InvalidRequest(
                f"accounts.wait: pass the Accepted that the request returned, not {type(accepted).__name__}"
            )
        within = checks.seconds("accounts.wait", "timeout", timeout)
        pause = checks.seconds("accounts.wait", "interval", interval)
        longest = checks.seconds("accounts.wait", "longest_interval", longest_interval)
        try:
            async with asyncio.timeout(within):
                result = await self._first_status(account_name, accepted.request_id)
                while not (result.failed or result.status is RequestStatus.SUCCESS):
                    await asyncio.sleep(min(pause, longest))
                    pause = min(pause * 1.5, longest)
                    result = await self.request_status(account_name, accepted.request_id)
        except TimeoutError:
            raise RequestPending(
                f"request {accepted.request_id} was not finished after {within:g} s: call accounts.wait again"
            ) from None
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
            f"{refusal.message.rstrip('.')}; the platform has a status only for an activation, deactivation, "
            "suspension or restoration of a single device: await the callback messages with session.listen, or call "
            "request_status_by_device for eSIM profiles",
        )

    async def request_status_by_device(self, account_name: str, request_id: str) -> StatusResponse:
        """Read the status of a request for eSIM profiles, as a whole and for each device.

        Devices that failed raise no error: read `failed_devices` of the answer.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/asynch-request-status.html
        """
        return await self._send(REQUEST_STATUS_BY_DEVICE, path={"account_name": account_name, "request_id": request_id})

    async def get_global(self, account_name: str) -> Account:
        """Read an account that has global eSIM profiles, at the URL without `m2m`.

        For all other accounts, use `get`. It also returns the IP pools, which may be missing here.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-account-information.html
        """
        return await self._send(GET_GLOBAL, path={"account_name": account_name})

    async def global_service_plans(self, account_name: str) -> Account:
        """Read the service plans, carriers and features of an account that has global eSIM profiles.

        For all other accounts, use `service_plans`. It returns the plans only.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/global-iot/api_reference/service_plan_list.html
        """
        return await self._send(GLOBAL_SERVICE_PLANS, path={"account_name": account_name})
