"""The listeners of diagnostics, for `session.listen`."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from thingspace_async._core.registrar import Listener
from thingspace_async._core.types import Secret
from thingspace_async.diagnostics.calls import DiagnosticsCallbacks
from thingspace_async.diagnostics.models import RegisterDiagnosticsCallbackRequest

__all__ = ["DiagnosticsRegistrar"]


@attrs.frozen
class DiagnosticsRegistrar:
    """The listeners of an account; see `Registrar`."""

    calls: DiagnosticsCallbacks
    account_name: str
    signs: bool = attrs.field(default=True, init=False)

    def check(self, service: str, listener: Listener) -> None:
        """Raise InvalidRequest if the platform would refuse a listener."""
        self._request(service, listener)

    async def listed(self) -> Mapping[str, Listener]:
        """Return the listener of each service that has one."""
        listed = await self.calls.list(self.account_name)
        return {one.service_name.value: Listener(one.endpoint or "") for one in listed if one.service_name is not None}

    async def register(self, service: str, listener: Listener) -> Secret | None:
        """Register a listener, and return the secret of its messages."""
        return (await self.calls.register(self._request(service, listener))).secret

    async def deregister(self, service: str) -> object:
        """Remove the listener of a service."""
        return await self.calls.deregister(self.account_name, service)

    def _request(self, service: str, listener: Listener) -> RegisterDiagnosticsCallbackRequest:
        return RegisterDiagnosticsCallbackRequest(
            account_name=self.account_name, service_name=service, endpoint=listener.url
        )
