"""Observing devices during a block: values as they arrive, and a stop that is certain."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from thingspace_async._core.identity import key_of
from thingspace_async._core.observations import AttributeName, ObservedValue
from thingspace_async._core.outcomes import DeviceFault, OutcomeSource, ReceivedMessage, RunInbox
from thingspace_async._core.tasks import wait_shielded
from thingspace_async._core.types import DeviceId
from thingspace_async.diagnostics.models import DiagnosticsAccepted, ObservationRequest
from thingspace_async.errors import (
    AnswerLost,
    BadRequest,
    InboxUnavailable,
    OutcomesMissing,
    ServerFault,
    ThingSpaceError,
)

if TYPE_CHECKING:
    from thingspace_async.callbacks.messages import DiagnosticsMessage

__all__ = ["Observation", "ObservationEstimate", "Observed", "Observer"]

_log: Final = logging.getLogger("thingspace_async")

_LATE: Final = 60.0
"""Seconds after its duration that an observation has for its last values and its end."""
_READ_WITHIN: Final = 5.0
"""Seconds to read a stored message, if the caller was too slow to read it during the observation."""


@attrs.frozen(kw_only=True)
class ObservationEstimate:
    """The events of an observation, and the allowance of the month."""

    events: int
    """Events of the observation: one for each device, attribute and interval."""
    allowed: int | None
    """Events that the account has bought per month. None if the answer has no number."""
    used: int | None
    """Events of this month. None if the answer has no number."""

    @property
    def left(self) -> int | None:
        """Events that are left this month. None if unknown."""
        return None if self.allowed is None or self.used is None else max(0, self.allowed - self.used)

    @property
    def is_enough(self) -> bool | None:
        """Whether the allowance is enough for the whole observation. None if unknown."""
        return None if self.left is None else self.events <= self.left


@attrs.frozen(kw_only=True)
class Observed:
    """A value of an attribute of a device, or a fault of a device."""

    device: DeviceId | None
    """In the spelling of the request. None if the message names no device."""
    measured: ObservedValue | None
    """The value as received. None if the message reports a fault."""
    received: ReceivedMessage

    @property
    def attribute(self) -> AttributeName | None:
        """Name of the attribute."""
        return None if self.measured is None else self.measured.name

    @property
    def value(self) -> str | int | None:
        """The value as received. The platform sends numbers as strings."""
        return None if self.measured is None else self.measured.value

    @property
    def number(self) -> int | None:
        """The value as a whole number. None if it is not one."""
        return None if self.measured is None else self.measured.number

    @property
    def unit(self) -> str | None:
        """`dBm` for the signal strength. None for attributes without a unit."""
        return None if self.measured is None else self.measured.unit

    @property
    def time(self) -> datetime | None:
        """When the device measured the value."""
        return None if self.measured is None else self.measured.created_on

    @property
    def fault(self) -> DeviceFault | None:
        """The reason for a missing value. With the code `DEVICE_UNREACHABLE`, the platform waits for the device."""
        return self.received.message.fault


class Observation:
    """A running observation. Iterate over it for its values, oldest first."""

    def __init__(
        self,
        request: ObservationRequest,
        accepted: DiagnosticsAccepted,
        estimate: ObservationEstimate,
        inbox: RunInbox,
        seconds: float,
    ) -> None:
        self.accepted: Final = accepted
        """The platform's answer. To stop the observation after a crash, keep its `request_id`."""
        self.estimate: Final = estimate
        """The events of the observation, and the allowance of the month."""
        self._devices = {key_of(one): one for one in request.devices}
        self._running = set(self._devices)
        """Keys of the devices whose observation has not ended."""
        self._seconds = seconds
        length = None if request.duration is None else request.duration.as_timedelta()
        self._ends = asyncio.get_running_loop().time() + (length or timedelta()).total_seconds() + _LATE
        self._values = self._walk(inbox)

    def __aiter__(self) -> AsyncIterator[Observed]:
        return self._values

    async def aclose(self) -> None:
        """End the iteration. The block of `observing` does this."""
        await self._values.aclose()

    async def _walk(self, inbox: RunInbox) -> AsyncGenerator[Observed]:
        request_id, found = self.accepted.request_id, False
        async with aclosing(_messages_of(inbox, request_id, self._limit)) as messages:
            async for received in messages:
                found = True
                for observed in self._read(received):
                    yield observed
                if self._is_over(received):
                    return
        if not found or asyncio.get_running_loop().time() < self._ends:
            raise OutcomesMissing(
                f"observation {request_id}: no message has arrived on Diagnostics for {self._seconds:g} s, or until "
                "its end: check that a listener is registered, and that the devices are reachable",
                missing=tuple(self._devices[key] for key in self._running),
            )

    def _limit(self) -> float:
        """Return until when to wait for the next message."""
        now = asyncio.get_running_loop().time()
        return min(now + self._seconds, max(self._ends, now + _READ_WITHIN))

    def _read(self, received: ReceivedMessage) -> Iterator[Observed]:
        message = _diagnostics_of(received)
        if message is None:
            return
        device = message.device
        if device is not None:
            device = self._devices.get(key_of(device), device)
        for measured in message.values:
            yield Observed(device=device, measured=measured, received=received)
        if message.fault is not None and not message.values:
            yield Observed(device=device, measured=None, received=received)

    def _is_over(self, received: ReceivedMessage) -> bool:
        """Return whether no device is observed any longer, after a message."""
        message = _diagnostics_of(received)
        if message is None or not _ends_observation(message):
            return False
        if message.device is not None:
            self._running.discard(key_of(message.device))
            return not self._running
        return True


def _diagnostics_of(received: ReceivedMessage) -> DiagnosticsMessage | None:
    from thingspace_async.callbacks.messages import DiagnosticsMessage  # Imported late because it is slow.

    return received.message if isinstance(received.message, DiagnosticsMessage) else None


_ENDED: Final = r"(?i)expired|cancel(?!.*pending)"


def _ends_observation(message: DiagnosticsMessage) -> bool:
    # ASSUMPTION: the platform passes on the end that LwM2M servers report, OBSERVE_DURATION_EXPIRED.
    if message.fault is not None and message.fault.short_code == "ACCOUNT_USAGE_EXCEEDED":
        return True
    return message.status is not None and re.search(_ENDED, message.status) is not None


async def _messages_of(inbox: RunInbox, request_id: str, until: Callable[[], float]) -> AsyncGenerator[ReceivedMessage]:
    """Iterate over the messages of a request, stored and new, until one has not arrived by the time of `until`."""
    async with aclosing(inbox.follow(request_id)) as messages:
        while True:
            limit = asyncio.timeout_at(until())
            try:
                async with limit:
                    received = await anext(messages)
            except StopAsyncIteration:
                raise InboxUnavailable("the inbox was closed while a task waited for values") from None
            except TimeoutError:
                if limit.expired():
                    return
                raise
            yield received


@attrs.frozen(kw_only=True)
class Observer:
    """Starts an observation, and stops it for sure."""

    estimate: Callable[[], Awaitable[ObservationEstimate]]
    start: Callable[[], Coroutine[Any, Any, DiagnosticsAccepted]]
    stop: Callable[[DiagnosticsAccepted], Coroutine[Any, Any, object]]
    """Stops an observation. It may be refused because the observation has ended."""

    @asynccontextmanager
    async def observing(
        self,
        request: ObservationRequest,
        outcomes: OutcomeSource,
        seconds: float,
        on_estimate: Callable[[ObservationEstimate], object] | None,
    ) -> AsyncGenerator[Observation]:
        """Observe during a block; see `Diagnostics.observing`."""
        estimate = await self.estimate()
        if on_estimate is not None:
            on_estimate(estimate)
        accepted = await self._start()
        observation = Observation(request, accepted, estimate, outcomes.inbox, seconds)
        try:
            yield observation
        except BaseException as error:
            await self._stop(accepted, error)
            raise
        else:
            await self._stop(accepted, None)
        finally:
            await observation.aclose()

    async def _start(self) -> DiagnosticsAccepted:
        """Start the observation. If cancelled, wait for its id, stop it, and only then raise the cancellation."""
        task = asyncio.get_running_loop().create_task(self.start())
        try:
            try:
                await wait_shielded(task)
            except asyncio.CancelledError as error:
                if not task.cancelled() and task.exception() is None:
                    await self._stop(task.result(), error)
                raise
            return task.result()
        except (AnswerLost, ServerFault) as error:
            error.add_note(
                "thingspace_async: the observation may have started: session.diagnostics.settings shows whether it "
                "runs. Its messages have its id, which session.diagnostics.stop needs"
            )
            raise
        finally:
            del task  # Its exception refers to this frame.

    async def _stop(self, accepted: DiagnosticsAccepted, error: BaseException | None) -> None:
        """Stop the observation, even if cancelled. `error` is the exception that ends the block, if any."""
        task = asyncio.get_running_loop().create_task(self._try_to_stop(accepted))
        try:
            await wait_shielded(task)
        except asyncio.CancelledError as cancelled:
            if not task.cancelled():
                _report(accepted, task.result(), cancelled)
            raise
        _report(accepted, task.result(), error)

    async def _try_to_stop(self, accepted: DiagnosticsAccepted) -> ThingSpaceError | None:
        """Stop the observation; return the error if it may still run."""
        try:
            await self.stop(accepted)
        except ThingSpaceError as error:
            return None if _says_ended(error) else error
        return None


def _says_ended(error: ThingSpaceError) -> bool:
    """Return whether a refused stop says that the observation has ended, or never began (PROTOCOL.md 2.3)."""
    if not isinstance(error, BadRequest) or error.short_code != "INVALID_PARAMETER":
        return False
    message = error.message.casefold()
    return "already cancel" in message or "observe has failed" in message


def _report(accepted: DiagnosticsAccepted, failure: ThingSpaceError | None, error: BaseException | None) -> None:
    """Log the failure of a stop, and add it to the error of the block, or raise it."""
    if failure is None:
        return
    text = (
        f"the observation {accepted.request_id} could not be stopped: {failure}. It runs until its duration is over, "
        "unless you stop it with session.diagnostics.stop"
    )
    _log.error("%s", text)
    if error is None:
        failure.add_note(f"thingspace_async: {text}")
        raise failure
    error.add_note(f"thingspace_async: {text}")
