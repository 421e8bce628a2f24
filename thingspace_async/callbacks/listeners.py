"""Register a receiver for services of one API, and restore the earlier listeners.

Messages prove their sender in one of two ways. Either they contain the username and the password of the registration:
then the inbox keeps both, and all processes that share it use the same ones. Or the API signs its messages with a
secret that only the answer to the registration has: then the inbox keeps each secret, and nothing can restore the
secret of an earlier listener.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from thingspace_async._core.registrar import Listener, Registrar
from thingspace_async.callbacks import credentials
from thingspace_async.callbacks.admission import Credentials, Signature
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.urls import is_same_url, shown_url
from thingspace_async.errors import (
    AnswerLost,
    AnswerUnreadable,
    BadRequest,
    InvalidRequest,
    ListenersLeft,
    ListenersTaken,
    ThingSpaceError,
)

__all__ = ["Listeners"]

_RESTORE_TIMEOUT: Final = 60.0
"""Seconds to restore the listeners of an API, so that the process does not take long to end."""

_SECRET_WITHIN: Final = 10.0
"""Seconds to wait for the secret of a listener that another process has just registered."""
_SECRET_PAUSE: Final = 0.2


class Listeners:
    """The services of one API for which a receiver is registered."""

    def __init__(
        self,
        registrar: Registrar,
        receiver: Receiver,
        *,
        base_url: str,
        services: Iterable[str],
        signature_header: str,
        replace: bool,
        restore: bool,
    ) -> None:
        self._registrar = registrar
        self._receiver = receiver
        self._header: Final = signature_header.casefold()
        self._replace = replace
        self._restore = restore
        self._ours = {service: Listener(receiver.url_of(base_url, service)) for service in services}
        self._changed: dict[str, Listener | None] = {}
        """The listener to restore for each service that was changed, in the order of the changes."""
        for service, ours in self._ours.items():
            registrar.check(service, ours)

    async def register(self) -> None:
        """Register the receiver for each service, unless it accepts the messages of the present listener."""
        before = await self._registrar.listed()
        self._check(before)
        for service in self._ours:
            await self._set_credentials(service, before.get(service))
        await self._receiver.load_credentials()  # Before registering: messages may arrive at once.
        for service in self._ours:
            if not await self._is_accepted(service, before.get(service)):
                await self._change(service, before.get(service))

    def _check(self, before: Mapping[str, Listener]) -> None:
        """Refuse to replace another URL without `replace`, and any listener that could not be restored."""
        found = {service: before[service] for service in self._ours if service in before}
        others = {
            service: shown_url(one.url)
            for service, one in found.items()
            if not is_same_url(one.url, self._ours[service].url)
        }
        if others and not self._replace:
            listed = ", ".join(f"{service} at {url}" for service, url in others.items())
            raise ListenersTaken(
                f"account {self._registrar.account_name} has other listeners, {listed}: deregister them, or pass "
                "replace=True",
                urls=others,
            )
        if others and self._registrar.signs and self._restore:
            raise InvalidRequest(
                f"listen: the listeners of {', '.join(others)} could not be restored later, because nobody can read "
                "their secrets: deregister them first, or leave out restore=True"
            )
        for service, one in found.items():
            self._check_restorable(service, one)

    def _check_restorable(self, service: str, found: Listener) -> None:
        if self._registrar.signs:
            return
        try:
            self._registrar.check(service, found)
        except InvalidRequest as error:
            raise InvalidRequest(
                f"listen: the listener of {service} could not be restored later ({error}): deregister it first"
            ) from None

    async def _set_credentials(self, service: str, found: Listener | None) -> None:
        """Get the credentials for a service from the inbox, and prepare its registration.

        If a listener with the same URL is registered, it keeps its credentials, and the receiver accepts them. An
        earlier process may have registered it, or one that shares the URL but not the inbox. So no message is lost.
        """
        if self._registrar.signs:
            return
        inbox = self._receiver.inbox
        theirs = _credentials(found) if found is not None and self._is_at_our_url(service, found) else None
        ours = await credentials.get_or_create(inbox, service, theirs)
        self._ours[service] = attrs.evolve(self._ours[service], username=ours.username, password=ours.password)
        if theirs not in (None, ours):
            await credentials.add(inbox, service, theirs)

    async def _is_accepted(self, service: str, found: Listener | None) -> bool:
        """Return whether the receiver accepts the messages of a listener."""
        if found is None or not self._is_at_our_url(service, found):
            return False
        if self._registrar.signs:
            return await credentials.has_secret(self._receiver.inbox, self._registrar.account_name, service)
        return _credentials(found) is not None

    async def _change(self, service: str, found: Listener | None) -> None:
        signs = self._registrar.signs
        self._changed[service] = None if signs else found  # Before the call: its answer may get lost.
        may_repeat = signs
        while True:
            try:
                if found is not None:  # Registering may not replace it (PROTOCOL.md 3.2).
                    await self._registrar.deregister(service)
                    found = None
                await self._register(service)
            except ThingSpaceError as error:
                # Another process may have started at the same moment and registered the service.
                now = (await self._registrar.listed()).get(service)
                if await self._take_over(service, now, error):
                    return
                is_free = now is None or self._is_at_our_url(service, now)
                if may_repeat and is_free and isinstance(error, AnswerLost | AnswerUnreadable):
                    may_repeat, found = False, now  # The secret was lost with the answer.
                    continue
                if now is not None or found is None:
                    raise
                found = None  # Another process has deregistered it.
            else:
                return

    async def _register(self, service: str) -> None:
        inbox, account_name = self._receiver.inbox, self._registrar.account_name
        if not self._registrar.signs:
            await self._registrar.register(service, self._ours[service])
            return
        number = await credentials.begin(inbox, account_name, service)
        try:
            secret = await self._registrar.register(service, self._ours[service])
        except BadRequest:
            await credentials.settle(inbox, account_name, service, number, stored=False)
            raise
        if secret is None:
            raise InvalidRequest(
                f"listen: the answer to the registration of {service} has no secret in a known header: register it "
                "yourself, and pass the secret to Receiver.expect_signed"
            )
        await credentials.add(inbox, service, Signature(secret, self._header))
        await credentials.settle(inbox, account_name, service, number, stored=True)
        await self._receiver.load_credentials()

    async def _take_over(self, service: str, now: Listener | None, error: ThingSpaceError) -> bool:
        """Use a listener that was registered meanwhile: by another process, or by this one if the answer was lost."""
        refused = isinstance(error, BadRequest)
        if now is None or not self._is_at_our_url(service, now) or (self._registrar.signs and not refused):
            return False
        until = time.monotonic() + _SECRET_WITHIN
        while not await self._is_accepted(service, now):
            if not self._registrar.signs or time.monotonic() > until:
                return False
            await asyncio.sleep(_SECRET_PAUSE)  # The other process stores the secret.
        await self._set_credentials(service, now)
        await self._receiver.load_credentials()
        if refused:  # The other process owns it, and restores the earlier one.
            del self._changed[service]
        return True

    async def restore(self, error: BaseException | None) -> None:
        """Restore the earlier listeners. If this fails after an error, add a note to that error."""
        if not self._changed:
            return
        failures: list[Exception] = []
        try:
            async with asyncio.timeout(_RESTORE_TIMEOUT):
                now = await self._registrar.listed()
                for service in reversed(tuple(self._changed)):
                    try:
                        await self._restore_one(service, now.get(service))
                    except ThingSpaceError as failure:  # Restore the others.
                        failures.append(failure)
        except (ThingSpaceError, TimeoutError) as failure:
            failures.append(failure)
        if not failures:
            return
        services = tuple(self._changed)
        reason = str(failures[0]) or f"no answer within {_RESTORE_TIMEOUT:g} s"
        text = f"the earlier listeners of {', '.join(services)} could not be restored: {reason}"
        if error is None:
            raise ListenersLeft(text, services=services) from failures[0]
        error.add_note(f"thingspace_async: {text}")

    async def _restore_one(self, service: str, now: Listener | None) -> None:
        found, ours = self._changed[service], self._ours[service]
        if now != found and (now is None or _is_own(now, ours)):  # Otherwise another process owns it.
            if now is not None:
                await self._registrar.deregister(service)
            if found is not None:
                await self._registrar.register(service, found)
        del self._changed[service]

    def _is_at_our_url(self, service: str, found: Listener) -> bool:
        return is_same_url(found.url, self._ours[service].url)


def _credentials(found: Listener) -> Credentials | None:
    """Return a listener's credentials, or None if it has no password: then anyone could send its messages."""
    if not found.username or found.password is None or not found.password.reveal():
        return None
    return Credentials(found.username, found.password)


def _is_own(found: Listener, ours: Listener) -> bool:
    """Return whether a listener is ours. Another process may register the same URL with other credentials."""
    return is_same_url(found.url, ours.url) and (found.username or ours.username) == ours.username
