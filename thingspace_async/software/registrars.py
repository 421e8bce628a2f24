"""The listeners of software management, for `session.listen`."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from thingspace_async._core.registrar import Listener, listener_at, url_with_credentials
from thingspace_async.software.callbacks import VersionCallbacks
from thingspace_async.software.models import SoftwareCallbackRequest
from thingspace_async.software.v1.calls import SoftwareCallbacks
from thingspace_async.software.v1.models import RegisterSoftwareCallbackRequest

__all__ = ["UrlRegistrar", "Version1Registrar"]


@attrs.frozen
class UrlRegistrar:
    """The one URL of an account in v2 or v3; see `Registrar`. It has the username and the password."""

    calls: VersionCallbacks
    account_name: str
    service: str
    signs: bool = attrs.field(default=False, init=False)

    def check(self, service: str, listener: Listener) -> None:
        """Raise InvalidRequest if the platform would refuse a listener."""
        del service
        SoftwareCallbackRequest(url=url_with_credentials(listener))

    async def listed(self) -> Mapping[str, Listener]:
        """Return the listener of the service if it has one."""
        found = await self.calls.get(self.account_name)
        return {self.service: listener_at(found.url)} if found.url else {}

    async def register(self, service: str, listener: Listener) -> None:
        """Register a listener."""
        del service
        await self.calls.register(self.account_name, SoftwareCallbackRequest(url=url_with_credentials(listener)))

    async def deregister(self, service: str) -> object:
        """Remove the listener."""
        del service
        return await self.calls.deregister(self.account_name)


@attrs.frozen
class Version1Registrar:
    """The listeners of an account in v1; see `Registrar`."""

    calls: SoftwareCallbacks
    account_name: str
    signs: bool = attrs.field(default=False, init=False)

    def check(self, service: str, listener: Listener) -> None:
        """Raise InvalidRequest if the platform would refuse a listener."""
        _request(service, listener)

    async def listed(self) -> Mapping[str, Listener]:
        """Return the listener of each service that has one."""
        listed = await self.calls.list(self.account_name)
        return {
            one.name.value: Listener(one.url or "", one.username, one.password)
            for one in listed
            if one.name is not None
        }

    async def register(self, service: str, listener: Listener) -> None:
        """Register a listener."""
        await self.calls.register(self.account_name, _request(service, listener))

    async def deregister(self, service: str) -> object:
        """Remove the listener of a service."""
        return await self.calls.deregister(self.account_name, service)


def _request(service: str, listener: Listener) -> RegisterSoftwareCallbackRequest:
    return RegisterSoftwareCallbackRequest(
        name=service, url=listener.url, username=listener.username or None, password=listener.password
    )
