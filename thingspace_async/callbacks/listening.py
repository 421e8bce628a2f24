"""Registering a receiver for services of an account, and putting back what was registered before."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from thingspace_async.callbacks.calls import Callbacks
from thingspace_async.callbacks.models import CallbackListener, CallbackService, RegisterCallbackRequest, to_service
from thingspace_async.callbacks.outcomes import Outcomes
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.errors import InvalidRequest, ListenersLeft, ListenersTaken, ThingSpaceError

__all__ = ["RESULT_SERVICES", "Listening"]

RESULT_SERVICES: Final = (
    CallbackService.CARRIER,
    CallbackService.STATE,
    CallbackService.DEVICE,
    CallbackService.DEVICE_PROFILE,
    CallbackService.DEVICE_PRL_INFORMATION,
    CallbackService.DEVICE_SUSPENSION_STATUS,
    CallbackService.DEVICE_USAGE,
    CallbackService.DIAGNOSTICS,
    CallbackService.NIDD,
    CallbackService.ENHANCED_CONNECTIVITY,
    CallbackService.SMS_DELIVERY_CONFIRMATION,
)
"""The services that tell what became of this package's requests (protocol.md 3.1)."""

_PUT_BACK_WITHIN: Final = 60.0
"""Seconds for putting back all listeners: nobody waits long for a process to end."""


class Listening(AbstractAsyncContextManager[Outcomes]):
    """A receiver registered for services of an account; what `Session.listen` gives."""

    def __init__(
        self,
        callbacks: Callbacks,
        account_name: str,
        receiver: Receiver,
        *,
        base_url: str,
        services: Iterable[CallbackService | str] | None,
        replace: bool,
        restore: bool,
    ) -> None:
        self._callbacks = callbacks
        self._account_name = account_name
        self._receiver = receiver
        self._replace = replace
        self._restore = restore
        self._ours = _requests(receiver, base_url, RESULT_SERVICES if services is None else services)
        self._changed: dict[CallbackService, CallbackListener | None] = {}
        """What was registered before for the services that were changed, the latest change last."""
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Outcomes:
        async with self._resources as resources:
            await resources.enter_async_context(self._receiver.running())
            await self._register()
            self._resources = resources.pop_all()
        return Outcomes(self._receiver.inbox)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with self._resources:
            if self._restore:
                await self._put_back(error)

    async def _register(self) -> None:
        before = await self._registered()
        self._check(before)
        try:
            for service, request in self._ours.items():
                found = before.get(service)
                # What a process before this one has registered, or one beside it that shares the URL, is taken over:
                # no message is lost in between, and none of theirs is refused.
                if found is None or not _is_same(found, request) or not self._expect(service, found):
                    await self._change(service, found, request)
        except BaseException as error:
            await self._put_back(error)
            raise

    async def _registered(self) -> dict[CallbackService, CallbackListener]:
        listed = await self._callbacks.list(self._account_name)
        return {one.service_name: one for one in listed if one.service_name is not None}

    def _check(self, before: Mapping[CallbackService, CallbackListener]) -> None:
        """Refuse to replace what is another's, unless told to, and what could not be put back."""
        found = {service: before[service] for service in self._ours if service in before}
        others = {
            service.value: _shown(one.url) for service, one in found.items() if not _is_same(one, self._ours[service])
        }
        if others and not self._replace:
            listed = ", ".join(f"those of {service} to {url}" for service, url in others.items())
            raise ListenersTaken(
                f"messages of account {self._account_name} go elsewhere, {listed}: "
                "deregister them, or say replace=True",
                urls=others,
            )
        for one in found.values():
            _as_it_was(one)

    async def _change(
        self, service: CallbackService, found: CallbackListener | None, request: RegisterCallbackRequest
    ) -> None:
        self._changed[service] = found  # First of all: what is sent and not answered may have been carried out.
        self._expect(service, request)
        if found is not None:  # That registering replaces a listener is not documented (protocol.md 3.2).
            await self._callbacks.deregister(self._account_name, service)
        await self._callbacks.register(self._account_name, request)

    def _expect(self, service: CallbackService, listener: CallbackListener | RegisterCallbackRequest) -> bool:
        """Have the receiver accept a listener's messages; not without credentials, as anybody could send them."""
        if not listener.username or listener.password is None or not listener.password.reveal():
            return False
        self._receiver.expect(service.value, username=listener.username, password=listener.password)
        return True

    async def _put_back(self, error: BaseException | None) -> None:
        """Register what was registered before; that it failed is a note on the error that it was done for, if any."""
        if not self._changed:
            return
        failures: list[Exception] = []
        try:
            async with asyncio.timeout(_PUT_BACK_WITHIN):
                now = await self._registered()
                for service in reversed(tuple(self._changed)):
                    try:
                        await self._put_back_one(service, now.get(service))
                    except ThingSpaceError as failure:  # The others can be put back still.
                        failures.append(failure)
        except (ThingSpaceError, TimeoutError) as failure:
            failures.append(failure)
        if not failures:
            return
        services = tuple(service.value for service in self._changed)
        reason = str(failures[0]) or f"no answer within {_PUT_BACK_WITHIN:g} s"
        text = f"the listeners of {', '.join(services)} could not be put back as they were: {reason}"
        if error is None:
            raise ListenersLeft(text, services=services) from failures[0]
        error.add_note(f"thingspace_async: {text}")

    async def _put_back_one(self, service: CallbackService, now: CallbackListener | None) -> None:
        found, ours = self._changed[service], self._ours[service]
        if now != found and (now is None or _is_own(now, ours)):  # Else it is as it was, or another's by now.
            if now is not None:
                await self._callbacks.deregister(self._account_name, service)
            if found is not None:
                await self._callbacks.register(self._account_name, _as_it_was(found))
        self._receiver.forget(service.value, username=ours.username)
        del self._changed[service]


def _requests(
    receiver: Receiver, base_url: str, services: Iterable[CallbackService | str]
) -> dict[CallbackService, RegisterCallbackRequest]:
    """Make the registrations, with credentials of their own; what the platform would refuse is refused here."""
    if not isinstance(base_url, str) or "?" in base_url or "#" in base_url:
        raise InvalidRequest("listen: base_url must be a URL such as https://example.com/callbacks, without a query")
    names = () if isinstance(services, str) else tuple(services)
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidRequest("listen: services must be a list of names, such as [CallbackService.CARRIER]")
    return {
        service: RegisterCallbackRequest(
            name=service,
            url=receiver.url_of(base_url, service),
            username=f"listener-{secrets.token_hex(8)}",
            password=secrets.token_urlsafe(30),  # 40 characters, the most that the platform takes (protocol.md 3.2).
        )
        for service in map(to_service, names)
    }


def _as_it_was(found: CallbackListener) -> RegisterCallbackRequest:
    """Make what registers a listener again; raises InvalidRequest where this package would not register it."""
    password = found.password
    try:
        return RegisterCallbackRequest(
            name=found.service_name or "",
            url=found.url or "",
            username=found.username or None,
            password=password if password is not None and password.reveal() else None,
        )
    except InvalidRequest as error:
        raise InvalidRequest(
            f"listen: what is registered for {found.service_name} could not be put back ({error}): deregister it first"
        ) from None


def _is_same(found: CallbackListener, ours: RegisterCallbackRequest) -> bool:
    return _place(found.url) == _place(ours.url)


def _is_own(found: CallbackListener, ours: RegisterCallbackRequest) -> bool:
    """Say whether it is our doing: another process may have begun at the same moment, at the same URL."""
    return _is_same(found, ours) and (found.username or ours.username) == ours.username


def _place(url: str | None) -> tuple[object, ...]:
    """Return what two URLs of one place have in common, however they are spelled."""
    try:
        parts = urlsplit(url or "")
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return (url,)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/"), parts.query


def _shown(url: str | None) -> str:
    """Leave out what may be secret in a URL: user, password and query."""
    scheme, separator, rest = (url or "an unknown URL").partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
