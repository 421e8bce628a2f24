"""The listeners of the location service, for `session.listen`."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from thingspace_async._core.registrar import Listener
from thingspace_async._core.types import Secret
from thingspace_async.location.calls import LocationCallbacks
from thingspace_async.location.models import RegisterLocationCallbackRequest

__all__ = ["LocationRegistrar"]


@attrs.frozen
class LocationRegistrar:
    """The listeners of an account; see `Registrar`."""

    calls: LocationCallbacks
    account_name: str
    signs: bool = attrs.field(default=True, init=False)

    def check(self, service: str, listener: Listener) -> None:
        """Raise InvalidRequest if the platform would refuse a listener."""
        RegisterLocationCallbackRequest(name=service, url=listener.url)

    async def listed(self) -> Mapping[str, Listener]:
        """Return the listener of each service that has one."""
        listed = await self.calls.list(self.account_name)
        return {one.name.value: Listener(one.url or "") for one in listed if one.name is not None}

    async def register(self, service: str, listener: Listener) -> Secret | None:
        """Register a listener, and return the secret of its messages."""
        request = RegisterLocationCallbackRequest(name=service, url=listener.url)
        return (await self.calls.register(self.account_name, request)).secret

    async def deregister(self, service: str) -> object:
        """Remove the listener of a service."""
        return await self.calls.deregister(self.account_name, service)
