"""Await the outcomes of requests, device by device."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeVar, overload

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.identity import are_different, key_of, keys_of, name_of, names_of
from thingspace_async._core.outcomes import inference_note
from thingspace_async._core.types import Accepted, DeviceId, DeviceIds, SomeDevices, to_devices
from thingspace_async.callbacks.inbox import Inbox, Received
from thingspace_async.callbacks.messages import (
    DeviceExperienceHistory,
    DiagnosticsMessage,
    Fault,
    LocationMessage,
    Message,
    MessageStatus,
    NiddConfiguration,
    ReportingMessage,
    RequestSummary,
    UsageResult,
)
from thingspace_async.errors import (
    DeviceFailed,
    InboxUnavailable,
    InvalidRequest,
    MessageUnreadable,
    OutcomesMissing,
    RequestFailed,
)

__all__ = ["Outcome", "Outcomes"]

M = TypeVar("M", bound=Message)

_AN_HOUR: Final = timedelta(hours=1)

_AT_ONCE: Final = 200
"""Devices or messages to process before yielding to other tasks."""

_NOT_FINAL: Final = frozenset({MessageStatus.PENDING, MessageStatus.QUEUED, MessageStatus.WARNING})


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome of a request for one of its devices."""

    device: DeviceIds
    """In the caller's spelling. If the caller did not name it: as in the message, and maybe without identifiers."""
    asked_for: bool
    """Whether this is one of the devices that the caller waits for."""
    inferred: bool = False
    """Whether the message does not name the device. It was matched because one device of the request was left
    without an outcome, and one message without a device."""
    received: Received

    @property
    def message(self) -> Message:
        """The whole message."""
        return self.received.message

    @property
    def received_at(self) -> datetime:
        """When the message was stored, in UTC."""
        return self.received.received_at

    @property
    def status(self) -> MessageStatus | None:
        """The message's status; the messages of some services have none."""
        return self.message.status

    @property
    def fault(self) -> Fault | None:
        """Why the request failed for this device; None if it did not."""
        return self.message.fault

    @property
    def failed(self) -> bool:
        """Whether the request failed for this device."""
        return self.message.failed

    @property
    def final(self) -> bool:
        """Whether this is the result, rather than a report of progress or a message that accompanies the result."""
        return _is_final(self.message)

    def raise_for_fault(self) -> None:
        """Raise DeviceFailed if the request failed for this device."""
        if not self.failed:
            return
        reason = f"{_reason(self.message)}{inference_note(self)}"
        raise DeviceFailed(f"{name_of(self.device)}: {reason}", outcome=self)


def _is_final(message: Message) -> bool:
    is_extra = isinstance(message, NiddConfiguration | RequestSummary)
    is_pending = isinstance(message, DiagnosticsMessage) and message.pending
    return message.status not in _NOT_FINAL and not is_extra and not is_pending


def _reason(message: Message) -> str:
    fault = message.fault or Fault()
    code = f" ({fault.code})" if fault.code else ""
    return f"{fault.message or message.status or 'no explanation given'}{code}"


class Outcomes:
    """The outcomes of requests, from an inbox that a receiver fills. `session.listen` returns one.

        async for outcome in outcomes.of(accepted):
            print(outcome.device, outcome.status, outcome.fault)

    Create one from an open inbox to get the outcomes of requests that were sent earlier or by other processes.
    """

    def __init__(self, inbox: Inbox) -> None:
        self.inbox: Final = inbox
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Number of requests whose messages are being awaited at present, by this object."""
        return self._waiting

    def of(
        self,
        accepted: Accepted,
        *,
        devices: SomeDevices | None = None,
        count: int | None = None,
        timeout: timedelta = _AN_HOUR,
    ) -> AsyncGenerator[Outcome]:
        """Iterate over the outcomes of a request, oldest first, until each device has a final one.

        By default, it waits for the devices that the request named. If the request selected them by a filter, or if
        `accepted` was created from a request id, pass all its `devices`, or their `count`. Devices are matched by their
        identifiers in any spelling. If one device and one final message are left, they match, unless the message names
        another device. Such an outcome is `inferred`. It is yielded at the timeout, or at once if the request names a
        single device.

        Failed devices have outcomes, too: nothing is raised for them. Several tasks may wait for one request, and each
        gets all messages. Outcomes of devices that you do not wait for have `asked_for=False`. If the request did not
        name their devices, they come last.

        Raises OutcomesMissing at the timeout, and InboxUnavailable.
        """
        _check(accepted)
        if devices is None and count is None:
            devices = accepted.devices
            if not devices:
                raise InvalidRequest("outcomes: pass devices or count, as the request named no devices")
        awaited = _Awaited(devices=() if devices is None else devices, count=count)
        within = checks.seconds("outcomes", "timeout", timeout, may_be_zero=True)
        return self._walk(accepted, awaited, within)

    async def all(
        self,
        accepted: Accepted,
        *,
        devices: SomeDevices | None = None,
        count: int | None = None,
        timeout: timedelta = _AN_HOUR,  # noqa: ASYNC109 - the error has the outcomes so far
    ) -> tuple[Outcome, ...]:
        """Wait until all devices of a request have a final outcome, and return all that `of` yields.

        Raises OutcomesMissing at the timeout, with the outcomes so far, and InboxUnavailable.
        """
        found: list[Outcome] = []
        try:
            async with aclosing(self.of(accepted, devices=devices, count=count, timeout=timeout)) as outcomes:
                async for outcome in outcomes:
                    found += (outcome,)  # One by one: if an error is raised, it gets the outcomes so far.
        except OutcomesMissing as error:
            error.outcomes = tuple(found)
            raise
        return tuple(found)

    @overload
    def answer(self, accepted: Accepted, *, timeout: timedelta = ...) -> Coroutine[Any, Any, Message]: ...

    @overload
    def answer(self, accepted: Accepted, kind: type[M], *, timeout: timedelta = ...) -> Coroutine[Any, Any, M]: ...

    def answer(
        self, accepted: Accepted, kind: type[Message] = Message, *, timeout: timedelta = _AN_HOUR
    ) -> Coroutine[Any, Any, Message]:
        """Wait for the one message that answers a request, and return it.

        Use this for requests that are not answered device by device, such as those of `session.intelligence`. If the
        message has arrived already, it is returned at once. Reports of progress are skipped. Several tasks and
        processes may wait for one request, and each gets the message. If you pass the `kind` of the message, a message
        of another class is an error.

        Raises RequestFailed if the platform could not carry out the request, MessageUnreadable for a message of another
        class than `kind`, OutcomesMissing at the timeout, and InboxUnavailable.
        """
        _check(accepted)
        if not (isinstance(kind, type) and issubclass(kind, Message)):
            raise InvalidRequest("outcomes: kind must be a class of messages, such as NetworkConditions")
        within = checks.seconds("outcomes", "timeout", timeout, may_be_zero=True)
        return self._answer(accepted.request_id, kind, within)

    def stream(
        self, accepted: Accepted, *, after: int | None = None, timeout: timedelta | None = None
    ) -> AsyncGenerator[Received]:
        """Iterate over the messages of a request that has no last one, oldest first, until you stop.

        Stored messages come first, then new ones as they arrive. Failures are yielded, too. To continue after a
        restart, keep the `number` of the last message that you have handled, and pass it as `after`. `timeout` limits
        the wait for each message.

        Raises OutcomesMissing if no message arrives within `timeout`, and InboxUnavailable.
        """
        _check(accepted)
        if after is not None and (not isinstance(after, int) or isinstance(after, bool)):
            raise InvalidRequest(f"outcomes: after must be the number of a message, not {type(after).__name__}")
        seconds = None if timeout is None else checks.seconds("outcomes", "timeout", timeout)
        return self._stream(accepted.request_id, after, seconds)

    def named_in(self, message: Message) -> Sequence[tuple[tuple[DeviceId, ...], ...]]:
        """Return the identifiers of each device in a message: first those of the request, then the platform's own."""
        return _names_in(message)

    def outcome_of(self, device: DeviceIds, received: Received) -> Outcome:
        """Return the outcome that a message has for a device that the caller waits for."""
        return Outcome(device=device, asked_for=True, received=received)

    async def _walk(self, accepted: Accepted, awaited: _Awaited, seconds: float) -> AsyncGenerator[Outcome]:
        until = asyncio.get_running_loop().time() + seconds
        wait = await _expecting(accepted, awaited)
        async with aclosing(self._received(accepted.request_id, until)) as messages:
            async for received in messages:
                for outcome in wait.take(received):
                    yield outcome
                if not wait.left:
                    break
        for outcome in wait.rest():
            yield outcome
        if wait.left:
            raise _missing(accepted.request_id, wait, seconds)

    async def _answer(self, request_id: str, kind: type[M], seconds: float) -> M:
        until = asyncio.get_running_loop().time() + seconds
        async with aclosing(self._received(request_id, until)) as messages:
            async for received in messages:
                if _is_final(received.message):
                    return _answer_in(received, request_id, kind)
        raise _none_arrived(request_id, "answer", seconds)

    async def _stream(self, request_id: str, after: int | None, seconds: float | None) -> AsyncGenerator[Received]:
        loop = asyncio.get_running_loop()

        def until() -> float | None:
            return None if seconds is None else loop.time() + seconds

        async with aclosing(self._followed(request_id, until)) as messages:
            async for received in messages:
                if after is None or received.number > after:
                    yield received
        raise _none_arrived(request_id, "message", seconds or 0.0)

    async def _received(self, request_id: str, until: float) -> AsyncGenerator[Received]:
        """Iterate over the messages of a request until the timeout."""
        last: Received | None = None
        async with aclosing(self._followed(request_id, lambda: until)) as messages:
            async for received in messages:
                last = received
                yield received
        # Messages may have arrived while the caller handled the last one, or before a call with timeout zero.
        for received in [one async for one in self.inbox.read(request_id=request_id, after=last)]:
            yield received

    async def _followed(self, request_id: str, until: Callable[[], float | None]) -> AsyncGenerator[Received]:
        """Iterate over the messages of a request, until one has not arrived at the time that `until` returned."""
        count = 0
        self._waiting += 1
        try:
            async with aclosing(self.inbox.follow(request_id)) as messages:
                while (received := await _next(messages, until())) is not None:
                    yield received
                    count += 1
                    if count % _AT_ONCE == 0:
                        await asyncio.sleep(0)
        finally:
            self._waiting -= 1


def _check(accepted: Accepted) -> None:
    if not isinstance(accepted, Accepted):
        raise InvalidRequest(f"outcomes: pass the Accepted of the request, not {type(accepted).__name__}")


def _answer_in(received: Received, request_id: str, kind: type[M]) -> M:
    message = received.message
    if message.failed:
        raise RequestFailed(f"request {request_id} failed, send a new one: {_reason(message)}", received=received)
    if not isinstance(message, kind):
        raise MessageUnreadable(
            f"request {request_id}: the message is of class {type(message).__name__}, not {kind.__name__}: await it "
            "without a kind"
        )
    return message


def _none_arrived(request_id: str, what: str, seconds: float) -> OutcomesMissing:
    return OutcomesMissing(
        f"request {request_id}: no {what} has arrived after {seconds:g} s: wait again, or check that a listener is "
        "registered for the service that sends it"
    )


def _missing(request_id: str, wait: _Wait, seconds: float) -> OutcomesMissing:
    text = f"request {request_id}: {wait.left:,} of {wait.count:,} devices have no outcome after {seconds:g} s"
    if unmatched := tuple(wait.unmatched):
        count = len({one.received.number for one in unmatched})
        messages = "1 message matches" if count == 1 else f"{count:,} messages match"
        text += f"; {messages} none of its devices: {names_of([one.device for one in unmatched])}"
    return OutcomesMissing(text, missing=wait.missing, unmatched=unmatched)


async def _next(messages: AsyncGenerator[Received], until: float | None) -> Received | None:
    """Wait for the next message, without a limit if `until` is None. Return None at the timeout."""
    limit = asyncio.timeout_at(until)
    try:
        async with limit:
            return await anext(messages)
    except StopAsyncIteration:
        raise InboxUnavailable("the inbox was closed while a task waited for outcomes") from None
    except TimeoutError:
        if limit.expired():
            return None
        raise


@attrs.frozen(kw_only=True, field_transformer=checked)
class _Awaited:
    """The devices that a caller waits for."""

    devices: tuple[DeviceIds, ...] = attrs.field(default=(), converter=to_devices)
    count: Annotated[int | None, Range(least=1)] = None

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "devices", "count")
        checks.exclusive(self, "devices", "count")


async def _expecting(accepted: Accepted, awaited: _Awaited) -> _Wait:
    """Create a wait for all devices of the request."""
    wait = _Wait(count=awaited.count, infers_at_once=len(accepted.devices) == 1)
    others = () if awaited.count or awaited.devices == accepted.devices else accepted.devices
    expected = [(device, True) for device in awaited.devices] + [(device, False) for device in others]
    for place, (device, asked_for) in enumerate(expected, 1):
        wait.expect(device, asked_for=asked_for)
        if place % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return wait


@attrs.define(eq=False)
class _Expected:
    """A device of a request."""

    device: DeviceIds
    asked_for: bool
    has_outcome: bool = False


class _Wait:
    """The devices of a request, and whether they have an outcome."""

    def __init__(self, *, count: int | None, infers_at_once: bool) -> None:
        self.count = count or 0
        """Number of devices to wait for."""
        self.left = self.count
        """Number of these without an outcome."""
        self.unmatched: list[Outcome] = []
        """Outcomes that match none of the request's devices."""
        self._any_device = count is not None
        self._infers_at_once = infers_at_once
        self._expected: list[_Expected] = []
        self._known: dict[str, tuple[_Expected, ...]] = {}
        """Devices by the keys of their identifiers. Several devices may share an identifier."""

    @property
    def missing(self) -> tuple[DeviceIds, ...]:
        """The known devices without an outcome."""
        return tuple(one.device for one in self._expected if one.asked_for and not one.has_outcome)

    def expect(self, device: DeviceIds, *, asked_for: bool) -> None:
        """Add a device, unless it is a known one with other identifiers.

        Two devices may share one identifier if others differ.
        """
        keys = keys_of(device)
        for other in self._find([keys]):
            if not are_different(keys, keys_of(other.device)):
                self._learn(keys, other)
                return
        self._add(device, keys, asked_for=asked_for)
        self.count += asked_for
        self.left += asked_for

    def _add(self, device: DeviceIds, keys: Iterable[str], *, asked_for: bool) -> _Expected:
        added = _Expected(device, asked_for)
        self._expected.append(added)
        for key in keys:
            self._known[key] = (*self._known.get(key, ()), added)
        return added

    def take(self, received: Received) -> list[Outcome]:
        """Match a message with its device. In rare cases it has several."""
        outcomes: list[Outcome] = []
        for names in _names_in(received.message):
            keys = [[key_of(one) for one in several] for several in names]
            named = DeviceIds(device_ids=tuple(one for several in names for one in several))
            found = self._find(keys)
            if not found and self._any_device:
                found = [self._add(named, keys_of(named), asked_for=True)]
            if not found:
                self.unmatched.append(Outcome(device=named, asked_for=False, received=received))
            elif len(found) == 1:
                # The next message may only have one of the other identifiers.
                self._learn((key for several in keys for key in several), found[0])
            outcomes += [self._outcome(one, received) for one in found]
        if self._infers_at_once and len(self._expected) == 1:
            outcomes += self._infer()
        return outcomes

    def rest(self) -> list[Outcome]:
        """Return the remaining outcomes, after the last message."""
        unmatched, self.unmatched = self.unmatched, []
        outcomes: list[Outcome] = []
        for one in unmatched:
            # Later messages may have linked this identifier to the device.
            found = self._find([keys_of(one.device)])
            outcomes += [self._outcome(device, one.received) for device in found]
            self.unmatched += [] if found else [one]
        return [*outcomes, *(self._infer() if self.left else ()), *self.unmatched]

    def _infer(self) -> list[Outcome]:
        """If one device and one final message are left, match them, unless the message names another device."""
        left = [one for one in self._expected if not one.has_outcome]
        final = [one for one in self.unmatched if one.final]
        if len(left) != 1 or len(final) != 1:
            return []
        keys = [key for key, devices in self._known.items() if left[0] in devices]
        if are_different(keys, keys_of(final[0].device)):
            return []
        self.unmatched = [one for one in self.unmatched if one is not final[0]]
        return [self._outcome(left[0], final[0].received, inferred=True)]

    def _outcome(self, one: _Expected, received: Received, *, inferred: bool = False) -> Outcome:
        outcome = Outcome(device=one.device, asked_for=one.asked_for, inferred=inferred, received=received)
        if outcome.final and not one.has_outcome:
            one.has_outcome = True
            self.left = max(0, self.left - one.asked_for)
        return outcome

    def _find(self, names: Iterable[Iterable[str]]) -> list[_Expected]:
        """Return the devices for any of the keys, from the first group of keys that has any."""
        for keys in names:
            found: dict[_Expected, None] = {}
            # Keys of few devices come first: once a key has identified a device, keys that it shares add no others.
            for devices in sorted([self._known.get(key, ()) for key in keys], key=len):
                if found.keys().isdisjoint(devices):
                    found.update(dict.fromkeys(devices))
            if found:
                return list(found)
        return []

    def _learn(self, keys: Iterable[str], device: _Expected) -> None:
        for key in keys:
            self._known.setdefault(key, (device,))


def _names_in(message: Message) -> Sequence[tuple[tuple[DeviceId, ...], ...]]:
    """Return the identifiers of each device in a message: first those of the request, then the platform's own."""
    if isinstance(message, ReportingMessage | LocationMessage | DeviceExperienceHistory | DiagnosticsMessage):
        return [(message.device_ids, message.reported_ids)]
    if isinstance(message, UsageResult) and (used := [(one.device_ids,) for one in message.usage if one.device_ids]):
        return used
    return [(message.device_ids,)]
