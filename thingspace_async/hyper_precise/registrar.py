"""The listeners of hyper precise location, for `session.listen`."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from thingspace_async._core.registrar import Listener, listener_at, url_with_credentials
from thingspace_async.hyper_precise.calls import HyperPreciseCallbacks
from thingspace_async.hyper_precise.models import RegisterHyperPreciseCallbackRequest

__all__ = ["HyperPreciseRegistrar"]


@attrs.frozen
class HyperPreciseRegistrar:
    """The listeners of an account; see `Registrar`. Their URLs have the username and the password."""

    calls: HyperPreciseCallbacks
    account_name: str
    signs: bool = attrs.field(default=False, init=False)

    def check(self, service: str, listener: Listener) -> None:
        """Raise InvalidRequest if the platform would refuse a listener."""
        _request(service, listener)

    async def listed(self) -> Mapping[str, Listener]:
        """Return the listener of each service that has one."""
        listed = await self.calls.list(self.account_name)
        return {one.name.value: listener_at(one.url or "") for one in listed if one.name is not None}

    async def register(self, service: str, listener: Listener) -> None:
        """Register a listener."""
        await self.calls.register(self.account_name, _request(service, listener))

    async def deregister(self, service: str) -> None:
        """Remove the listener of a service."""
        await self.calls.deregister(self.account_name, service)


def _request(service: str, listener: Listener) -> RegisterHyperPreciseCallbackRequest:
    return RegisterHyperPreciseCallbackRequest(name=service, url=url_with_credentials(listener))
