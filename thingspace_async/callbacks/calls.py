"""Calls about callback listeners."""

from __future__ import annotations

from types import NoneType
from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation, check_request
from thingspace_async.callbacks.models import CallbackActionResult, CallbackListener, RegisterCallbackRequest

__all__ = ["OPERATIONS", "Callbacks"]

# Not repeatable: whether a second registration replaces the first or is refused is not documented (PROTOCOL.md 3.2).
REGISTER: Final = Operation(
    "callbacks.register",
    "POST",
    "/m2m/v1/callbacks/{account_name}",
    RegisterCallbackRequest,
    CallbackActionResult,
)
LIST: Final = Operation(
    "callbacks.list",
    "GET",
    "/m2m/v1/callbacks/{account_name}",
    NoneType,
    tuple[CallbackListener, ...],
    repeatable=True,
)
DEREGISTER: Final = Operation(
    "callbacks.deregister",
    "DELETE",
    "/m2m/v1/callbacks/{account_name}/name/{service_name}",
    NoneType,
    CallbackActionResult,
)

OPERATIONS: Final = (REGISTER, LIST, DEREGISTER)


class Callbacks(Namespace):
    """The URLs that the platform sends results to."""

    async def register(self, account_name: str, request: RegisterCallbackRequest) -> CallbackActionResult:
        """Register the URL that the messages of a service are sent to. Each service of an account has one.

        Deregister an earlier URL first: whether a new one replaces it is not documented. A service that was registered
        with the older SOAP API cannot be registered here.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Register_Callback_Listener/
        """
        check_request(REGISTER, request)
        with self._caller.engine.secrets.noted(request.password):  # No error may contain the password.
            return await self._send(REGISTER, request, path={"account_name": account_name})

    async def list(self, account_name: str) -> tuple[CallbackListener, ...]:
        """List the listeners of an account, with their passwords.

        Listeners that were registered with the older SOAP API are not listed.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/List_Callback_Listeners/
        """
        return await self._send(LIST, path={"account_name": account_name})

    async def deregister(self, account_name: str, service_name: str) -> CallbackActionResult:
        """Deregister the URL of a service. `service_name` is a CallbackService or another name.

        Messages without a listener are lost, except SMS messages: the platform queues them for `session.sms.queued`.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/deregister-callback-listener.html
        """
        return await self._send(DEREGISTER, path={"account_name": account_name, "service_name": service_name})
