"""Calls for the callback URL of an account, the same in v2 and v3."""

from __future__ import annotations

from types import NoneType
from typing import ClassVar, Final

import attrs

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation, Server, check_request
from thingspace_async._core.registrar import listener_at
from thingspace_async._core.types import SuccessResult
from thingspace_async.software.models import SoftwareCallback, SoftwareCallbackRequest

__all__ = ["CallbackOperations", "VersionCallbacks", "callback_operations"]

_PATH: Final = "/callbacks/{account_name}"


@attrs.frozen
class CallbackOperations:
    """The endpoints of a version."""

    register: Operation[SoftwareCallbackRequest, SoftwareCallback]
    get: Operation[None, SoftwareCallback]
    update: Operation[SoftwareCallbackRequest, SoftwareCallback]
    deregister: Operation[None, SuccessResult]

    @property
    def all(self) -> tuple[Operation[SoftwareCallbackRequest, SoftwareCallback], ...]:
        """Every endpoint."""
        return attrs.astuple(self, recurse=False)


def callback_operations(version: str, server: Server) -> CallbackOperations:
    """Declare the endpoints of a version, whose calls are `version` + `.callbacks`."""
    request, answer = SoftwareCallbackRequest, SoftwareCallback
    return CallbackOperations(
        Operation(f"{version}.callbacks.register", "POST", _PATH, request, answer, server=server),
        Operation(f"{version}.callbacks.get", "GET", _PATH, NoneType, answer, repeatable=True, server=server),
        Operation(f"{version}.callbacks.update", "PUT", _PATH, request, answer, repeatable=True, server=server),
        # Not repeatable: a second deregistration is refused.
        Operation(f"{version}.callbacks.deregister", "DELETE", _PATH, NoneType, SuccessResult, server=server),
    )


class VersionCallbacks(Namespace):
    """The URL that the platform posts messages about campaigns to. An account has one in each version."""

    _operations: ClassVar[CallbackOperations]

    async def register(self, account_name: str, request: SoftwareCallbackRequest) -> SoftwareCallback:
        """Register the URL for the messages of an account.

        The platform neither signs the messages nor puts a password into them, so the URL should have a secret part.
        `session.listen` makes such a URL.
        https://thingspace.verizon.com/documentation/apis/software-management/getting-started/about-callback-services.html
        """
        return await self._put(self._operations.register, account_name, request)

    async def get(self, account_name: str) -> SoftwareCallback:
        """Read the URL of an account. It is None if there is none.

        https://thingspace.verizon.com/documentation/apis/software-management/getting-started/about-callback-services.html
        """
        return await self._send(self._operations.get, path={"account_name": account_name})

    async def update(self, account_name: str, request: SoftwareCallbackRequest) -> SoftwareCallback:
        """Replace the URL of an account.

        https://thingspace.verizon.com/documentation/apis/software-management/getting-started/about-callback-services.html
        """
        return await self._put(self._operations.update, account_name, request)

    async def deregister(self, account_name: str) -> SuccessResult:
        """Deregister the URL of an account.

        https://thingspace.verizon.com/documentation/apis/software-management/getting-started/about-callback-services.html
        """
        return await self._send(self._operations.deregister, path={"account_name": account_name})

    async def _put(
        self,
        operation: Operation[SoftwareCallbackRequest, SoftwareCallback],
        account_name: str,
        request: SoftwareCallbackRequest,
    ) -> SoftwareCallback:
        check_request(operation, request)
        with self._caller.engine.secrets.noted(listener_at(request.url).password):  # No error may contain it.
            return await self._send(operation, request, path={"account_name": account_name})
