"""The listeners of Connectivity Management, for `session.listen`."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from thingspace_async._core.registrar import Listener
from thingspace_async.callbacks.calls import Callbacks
from thingspace_async.callbacks.models import RegisterCallbackRequest

__all__ = ["CallbackRegistrar"]


@attrs.frozen
class CallbackRegistrar:
    """The listeners of an account; see `Registrar`."""

    calls: Callbacks
    account_name: str
    signs: bool = attrs.field(default=False, init=False)

    def check(self, service: str, listener: Listener) -> None:
        """Raise InvalidRequest if the platform would refuse a listener."""
        _request(service, listener)

    async def listed(self) -> Mapping[str, Listener]:
        """Return the listener of each service that has one."""
        listed = await self.calls.list(self.account_name)
        return {
            one.service_name.value: Listener(one.url or "", one.username, one.password)
            for one in listed
            if one.service_name is not None
        }

    async def register(self, service: str, listener: Listener) -> None:
        """Register a listener."""
        await self.calls.register(self.account_name, _request(service, listener))

    async def deregister(self, service: str) -> object:
        """Remove the listener of a service."""
        return await self.calls.deregister(self.account_name, service)


def _request(service: str, listener: Listener) -> RegisterCallbackRequest:
    password = listener.password
    return RegisterCallbackRequest(
        name=service,
        url=listener.url,
        username=listener.username or None,
        password=password if password is not None and password.reveal() else None,
    )
