"""What becomes of a request, device by device, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

import attrs

from thingspace_async import _checks
from thingspace_async._types import Accepted, DeviceId, DeviceIds, SomeDevices, to_devices
from thingspace_async.callbacks.inbox import Inbox, Received
from thingspace_async.callbacks.messages import (
    Fault,
    Message,
    MessageStatus,
    NiddConfiguration,
    ReportingMessage,
    RequestSummary,
    UsageResult,
)
from thingspace_async.errors import DeviceFailed, InboxUnavailable, InvalidRequest, OutcomesMissing

__all__ = ["Outcome", "Outcomes"]

_AN_HOUR: Final = timedelta(hours=1)

_UNDER_WAY: Final = frozenset({MessageStatus.PENDING, MessageStatus.QUEUED, MessageStatus.WARNING})


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of a request for one of its devices."""

    device: DeviceIds
    """As the caller named it; as the message does where the caller did not, and then maybe without identifiers."""
    asked_for: bool
    """Whether it is one of the devices that are waited for."""
    received: Received

    @property
    def message(self) -> Message:
        """All that the platform told."""
        return self.received.message

    @property
    def received_at(self) -> datetime:
        """When its message came."""
        return self.received.received_at

    @property
    def status(self) -> MessageStatus | None:
        """The status in the platform's words; the messages of some services have none."""
        return self.message.status

    @property
    def fault(self) -> Fault | None:
        """Why the platform failed at the request for this device, where it did."""
        return self.message.fault

    @property
    def failed(self) -> bool:
        """Whether the platform failed at the request for this device."""
        return self.message.failed

    @property
    def final(self) -> bool:
        """Whether it is the result, and not word of what is under way still, or of what comes with the result."""
        beside = isinstance(self.message, NiddConfiguration | RequestSummary)
        return self.status not in _UNDER_WAY and not beside

    def raise_for_fault(self) -> None:
        """Raise DeviceFailed where the platform failed at the request for this device."""
        if not self.failed:
            return
        names = ", ".join(f"{one.kind} {one.id}" for one in self.device.device_ids) or "an unnamed device"
        fault = self.fault or Fault()
        code = f" ({fault.code})" if fault.code else ""
        raise DeviceFailed(f"{names}: {fault.message or self.status or 'no explanation given'}{code}", outcome=self)


class Outcomes:
    """The outcomes of requests, out of an inbox that a receiver fills: what `session.listen` gives.

        async for outcome in outcomes.of(accepted, devices=request.devices):
            print(outcome.device, outcome.status, outcome.fault)

    Made with an open inbox alone, it finds what came for requests of earlier days and other processes.
    """

    def __init__(self, inbox: Inbox) -> None:
        self.inbox: Final = inbox

    def of(
        self,
        accepted: Accepted,
        *,
        devices: SomeDevices | None = None,
        count: int | None = None,
        timeout: timedelta = _AN_HOUR,
    ) -> AsyncGenerator[Outcome]:
        """Walk the outcomes of a request as they come, those first that have come before; end when each device has one.

        `devices` as the request has them, or `count`, how many they are. A device that failed has an outcome, too:
        nothing is raised for it. A device has another outcome after one that was not `final`, and what the platform
        tells of devices that nobody asked for is given, with `asked_for` false. Each wait sees all of it, whoever else
        waits. When the time is over, OutcomesMissing tells what came and what did not. Raises InboxUnavailable.
        """
        if not isinstance(accepted, Accepted):
            raise InvalidRequest(f"outcomes: give what the request answered, Accepted, not {type(accepted).__name__}")
        awaited = _Awaited(devices=() if devices is None else devices, count=count)
        within = _checks.seconds("outcomes", "timeout", timeout, may_be_zero=True)
        return self._walk(accepted.request_id, _Wait(awaited), within)

    async def all(
        self,
        accepted: Accepted,
        *,
        devices: SomeDevices | None = None,
        count: int | None = None,
        timeout: timedelta = _AN_HOUR,  # noqa: ASYNC109 - when it is over, the error has what came
    ) -> tuple[Outcome, ...]:
        """Wait until all devices of a request have an outcome, and return what `of` gives.

        Raises OutcomesMissing when the time is over, and InboxUnavailable.
        """
        async with aclosing(self.of(accepted, devices=devices, count=count, timeout=timeout)) as coming:
            return tuple([outcome async for outcome in coming])

    async def _walk(self, request_id: str, wait: _Wait, seconds: float) -> AsyncGenerator[Outcome]:
        until = asyncio.get_running_loop().time() + seconds
        async with aclosing(self.inbox.follow(request_id)) as coming:
            while wait.left and (received := await _next(coming, until)) is not None:
                for outcome in wait.take(received):
                    yield outcome
        for received in await self._unread(request_id, wait) if wait.left else ():
            for outcome in wait.take(received):
                yield outcome
        if wait.left:
            raise OutcomesMissing(
                f"{wait.left:,} of {wait.count:,} devices have no outcome after {seconds:g} s, of request {request_id}",
                outcomes=tuple(wait.came),
                missing=wait.missing,
            )

    async def _unread(self, request_id: str, wait: _Wait) -> list[Received]:
        """Read what came while the caller was at work, or before it began to wait for no time at all."""
        known = {outcome.received.number for outcome in wait.came}
        return [one async for one in self.inbox.read(request_id=request_id) if one.number not in known]


async def _next(coming: AsyncGenerator[Received], until: float) -> Received | None:
    """Wait for the next message; None when it did not come in time."""
    limit = asyncio.timeout_at(until)
    try:
        async with limit:
            return await anext(coming)
    except StopAsyncIteration:
        raise InboxUnavailable("the inbox was closed while outcomes were waited for") from None
    except TimeoutError:
        if limit.expired():
            return None
        raise


@attrs.frozen(kw_only=True)
class _Awaited:
    """The devices that a caller waits for."""

    devices: tuple[DeviceIds, ...] = attrs.field(default=(), converter=to_devices, validator=_checks.devices())
    count: int | None = attrs.field(default=None, validator=_checks.whole(least=1))

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "devices", "count")
        _checks.exclusive(self, "devices", "count")


class _Wait:
    """Which of the devices that are waited for have an outcome."""

    def __init__(self, awaited: _Awaited) -> None:
        self.came: list[Outcome] = []
        self._any_device = awaited.count is not None
        self._known: dict[DeviceId, DeviceIds] = {}
        self._done: set[DeviceIds] = set()
        for device in awaited.devices:
            # Two entries with an identifier in common are one device.
            self._learn(device.device_ids, next(iter(self._find([device.device_ids])), device))
        self.count: int = awaited.count or len(set(self._known.values()))

    @property
    def left(self) -> int:
        """How many devices have no outcome."""
        return max(0, self.count - len(self._done))

    @property
    def missing(self) -> tuple[DeviceIds, ...]:
        """The devices that are known to have no outcome."""
        return tuple(device for device in dict.fromkeys(self._known.values()) if device not in self._done)

    def take(self, received: Received) -> list[Outcome]:
        """Find out whose message one is; mostly a single device's."""
        outcomes: list[Outcome] = []
        for names in _names_in(received.message):
            every = tuple(one for several in names for one in several)
            known = self._find(names)
            devices = known or [DeviceIds(device_ids=every)]
            asked_for = self._any_device or bool(known)
            if asked_for and len(devices) == 1:
                self._learn(every, devices[0])  # The next message may name it by one of the others alone.
            outcomes += [Outcome(device=device, asked_for=asked_for, received=received) for device in devices]
        self._done.update(outcome.device for outcome in outcomes if outcome.asked_for and outcome.final)
        self.came += outcomes
        return outcomes

    def _find(self, names: Iterable[Iterable[DeviceId]]) -> list[DeviceIds]:
        """Return the devices that any of the identifiers belongs to: the platform may name others beside them."""
        for several in names:
            if found := dict.fromkeys(self._known[one] for one in several if one in self._known):
                return list(found)
        return []

    def _learn(self, identifiers: Iterable[DeviceId], device: DeviceIds) -> None:
        for one in identifiers:
            self._known.setdefault(one, device)


def _names_in(message: Message) -> Sequence[tuple[tuple[DeviceId, ...], ...]]:
    """Return what each device of a message is named by: as the request did first, then as the platform knows it."""
    if isinstance(message, ReportingMessage):
        return [(message.device_ids, message.reported_ids)]
    if isinstance(message, UsageResult) and (used := [(one.device_ids,) for one in message.usage if one.device_ids]):
        return used
    return [(message.device_ids,)]
