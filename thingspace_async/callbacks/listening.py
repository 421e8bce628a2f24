"""Register a receiver for services of an account, and restore the earlier registrations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Final

from thingspace_async._core.registrar import Registrar
from thingspace_async.callbacks.listeners import Listeners
from thingspace_async.callbacks.models import CallbackService, to_service
from thingspace_async.callbacks.outcomes import Outcomes
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.errors import InvalidRequest, ListenersLeft

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
    CallbackService.INTELLIGENCE,
    CallbackService.PWN,
    CallbackService.QOS,
)
"""The services that report results of requests (PROTOCOL.md 3.1)."""

_SERVICES_OF_ROOMS: Final = {
    "diagnostics": ("Diagnostics",),
    "hyper_precise": ("BullseyeReporting",),
    "location": ("Location", "DeviceLocation"),
    "software": ("FotaV3",),
    "software.v1": ("Fota",),
    "software.v2": ("FotaV2",),
}
"""The services of each room with listeners of its own. All others are services of `session.callbacks`."""

_ROOM_AND_NAME: Final = {name.casefold(): (room, name) for room, names in _SERVICES_OF_ROOMS.items() for name in names}


class Listening(AbstractAsyncContextManager[Outcomes]):
    """A receiver that is registered for services of an account. `Session.listen` returns one.

    `registrar_of` returns the registrar of a room.
    """

    def __init__(
        self,
        registrar_of: Callable[[str], Registrar],
        receiver: Receiver,
        *,
        base_url: str,
        services: Iterable[CallbackService | str] | None,
        replace: bool,
        restore: bool,
        signature_header: str,
    ) -> None:
        if not isinstance(base_url, str) or "?" in base_url or "#" in base_url:
            raise InvalidRequest(
                "listen: base_url must be a URL such as https://example.com/callbacks, without a query"
            )
        self._receiver = receiver
        self._restore = restore
        self._listeners = [
            Listeners(
                registrar_of(room),
                receiver,
                base_url=base_url,
                services=names,
                signature_header=signature_header,
                replace=replace,
                restore=restore,
            )
            for room, names in _by_room(RESULT_SERVICES if services is None else services)
        ]
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Outcomes:
        async with AsyncExitStack() as resources:
            await resources.enter_async_context(self._receiver.running())
            try:
                for listeners in self._listeners:
                    await listeners.register()
            except BaseException as error:
                await self._restore_all(error)
                raise
            self._resources = resources.pop_all()
        return Outcomes(self._receiver.inbox)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with self._resources:
            if self._restore:
                await self._restore_all(error)

    async def _restore_all(self, error: BaseException | None) -> None:
        """Restore the earlier listeners of all APIs, even if one of them fails."""
        failure: ListenersLeft | None = None
        for listeners in reversed(self._listeners):
            try:
                await listeners.restore(error or failure)
            except ListenersLeft as left:
                failure = left
        if failure is not None:
            raise failure


def _by_room(services: Iterable[CallbackService | str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each room with the names of its services, each name once and in its usual spelling."""
    names = () if isinstance(services, str) else tuple(services)
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidRequest("listen: services must be a list of names, such as [CallbackService.CARRIER]")
    found: dict[str, dict[str, None]] = {}
    for given in names:
        room, name = _ROOM_AND_NAME.get(given.casefold()) or ("callbacks", to_service(given).value)
        found.setdefault(room, {})[name] = None
    return ((room, list(own)) for room, own in found.items())
