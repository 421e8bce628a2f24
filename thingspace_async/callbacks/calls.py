"""Calls about callback listeners."""

from __future__ import annotations

from types import NoneType
from typing import Final

from thingspace_async._namespace import Namespace
from thingspace_async._operation import Operation, check_request
from thingspace_async.callbacks.models import CallbackActionResult, CallbackListener, RegisterCallbackRequest

__all__ = ["OPERATIONS", "Callbacks"]

# Not repeatable: whether a second registration replaces the first or is refused is not documented (protocol.md 3.2).
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
    """Where the platform sends the results that arrive later."""

    async def register(self, account_name: str, request: RegisterCallbackRequest) -> CallbackActionResult:
        """Register the URL that the messages of a service are sent to, one for each service of an account.

        What becomes of a URL that is registered for the service already is not documented: deregister it first. A
        service that was registered through the older SOAP API cannot be registered here.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Register_Callback_Listener/
        """
        check_request(REGISTER, request)
        with self._caller.engine.secrets.noted(request.password):  # So that no error repeats it.
            return await self._send(REGISTER, request, path={"account_name": account_name})

    async def list(self, account_name: str) -> tuple[CallbackListener, ...]:
        """List the listeners that are registered for an account, with their passwords.

        Those alone that were registered through this API, and not through the older SOAP one.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/List_Callback_Listeners/
        """
        return await self._send(LIST, path={"account_name": account_name})

    async def deregister(self, account_name: str, service_name: str) -> CallbackActionResult:
        """Stop the messages of a service; `service_name` is a CallbackService or another name.

        What finds no listener is not sent later, but for SMS messages: they wait for `session.sms.queued`.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/deregister-callback-listener.html
        """
        return await self._send(DEREGISTER, path={"account_name": account_name, "service_name": service_name})
