"""A run over a fleet: devices go in, requests go out, outcomes come back."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sized
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from thingspace_async import _checks, _codec
from thingspace_async._auth import rejected_token
from thingspace_async._caller import Caller
from thingspace_async._operation import Operation
from thingspace_async._outcomes import DeviceOutcome, OutcomeSource
from thingspace_async._types import Accepted, DeviceId, DeviceIds, to_devices
from thingspace_async.devices.fleet.interface import FleetDevices, FleetOutcome, FleetResult, Progress
from thingspace_async.devices.fleet.ledger import Batch, KnownDevices, Ledger, State
from thingspace_async.errors import (
    AnswerLost,
    AnswerUnreadable,
    ApiError,
    Forbidden,
    InboxUnavailable,
    InvalidRequest,
    OutcomesMissing,
    RateLimited,
    RequestNotSent,
    ServerFault,
    SessionMisused,
    ThingSpaceError,
    Unauthorized,
)

__all__ = ["Action", "FleetRun", "Plan"]

_log: Final = logging.getLogger("thingspace_async")

_MOST_UNREAD: Final = 1000
"""Outcomes that wait for the caller, until whom no more are taken in."""

_READ_AT_ONCE: Final = 1000
"""Devices that are read before others on the event loop have a turn."""

_PATIENCE: Final = 5.0
"""Seconds in which a request that is being sent may still be answered when the run is left: else 10,000 devices end as
unknown."""

_NO_WORD: Final = "the process ended before the answer came"


@attrs.frozen(kw_only=True)
class Plan:
    """How to run."""

    run: str = attrs.field(validator=_checks.text)
    devices_a_request: int = attrs.field(default=10_000, validator=_checks.whole(least=1, most=10_000))
    in_flight: int = attrs.field(default=10, validator=_checks.whole(least=1))
    timeout: timedelta = attrs.field(default=timedelta(hours=1))
    on_progress: Progress = attrs.field(default=lambda *_: None)

    def __attrs_post_init__(self) -> None:
        _checks.seconds("fleet", "timeout", self.timeout, may_be_zero=True)
        if not callable(self.on_progress) or inspect.iscoroutinefunction(self.on_progress):
            raise InvalidRequest("fleet: on_progress must be a plain function: it is called, and not awaited")


@attrs.frozen
class Action:
    """What to do to the devices."""

    operation: Operation[Any, Accepted]
    options: dict[str, Any]
    """Of its requests, devices aside."""

    @property
    def name(self) -> str:
        """The operation's, as errors and the ledger have it."""
        return self.operation.name

    def request(self, devices: tuple[DeviceIds, ...]) -> Any:
        """Make a request; raises InvalidRequest."""
        return self.operation.request(devices=devices, **self.options)

    def particulars(self, host: str) -> bytes:
        """Return what tells a run from another of the same operation: what was done there says nothing of here."""
        return host.encode() + b" " + _codec.dump(self.request((_ANY_DEVICE,)))


_ANY_DEVICE: Final = DeviceIds(device_ids=(DeviceId.imei("990013907835573"),))


_runs_under_way: Final[set[tuple[int, str]]] = set()
"""By the inbox and the name. Of other processes nothing is known."""


class FleetRun:
    """One run; `outcomes` walks it, once."""

    def __init__(
        self,
        caller: Caller,
        action: Action,
        devices: FleetDevices,
        source: OutcomeSource,
        plan: Plan,
    ) -> None:
        if isinstance(devices, str) or not isinstance(devices, Iterable | AsyncIterable):
            raise InvalidRequest(f"{action.name}: devices must be an iterable of devices")
        self._caller = caller
        self._action = action
        self._devices = devices
        self._source = source
        self._plan = plan
        # Without its port, which a simulator changes each time.
        host = urlsplit(caller.engine.environment.bases[action.operation.server]).hostname or ""
        # What is wrong with the options is told here, too, and not once for each device.
        self._ledger = Ledger(source.inbox, plan.run, action.name, action.particulars(host))
        self._came: asyncio.Queue[FleetOutcome | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_MOST_UNREAD)
        self._under_way = asyncio.Semaphore(plan.in_flight)
        self._leaving = False
        self._known = KnownDevices()
        self._distinct = self._done = self._failed = self._waiting = 0
        self._all_read = False

    async def outcomes(self) -> AsyncGenerator[FleetOutcome]:
        """Carry it out."""
        mark = id(self._source.inbox), self._plan.run
        if mark in _runs_under_way:
            raise InvalidRequest(f"{self._action.name}: the run {self._plan.run} is under way: it would send all twice")
        work = asyncio.create_task(self._work(), name=f"fleet run {self._plan.run}")
        _runs_under_way.add(mark)
        work.add_done_callback(lambda _: _runs_under_way.discard(mark))
        work.add_done_callback(lambda _: self._came.put_nowait(None))
        try:
            while (outcome := await self._came.get()) is not None:
                self._room.release()
                yield outcome
            await work
        finally:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # Raised above, unless the caller has left.

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as batches:
                await self._resume(batches)
                await self._send_all(batches)
        except ExceptionGroup as group:
            failure = _first(group)
        else:
            return
        raise failure

    async def _resume(self, tasks: asyncio.TaskGroup) -> None:
        """Take up what earlier runs have left; what they have sent is known before anything is sent."""
        async with aclosing(self._ledger.batches()) as batches:
            async for batch in batches:
                for device in batch.devices:
                    self._known.add(device)
                self._distinct += len(batch.devices)
        async with aclosing(self._ledger.batches()) as batches:
            async for batch in batches:
                await self._start(tasks, batch, self._report)

    async def _send_all(self, tasks: asyncio.TaskGroup) -> None:
        """Cut what is given into batches, and begin to send each as soon as it is full."""
        batch: list[DeviceIds] = []
        async with AsyncExitStack() as stack:
            if isinstance(self._devices, AsyncGenerator):  # Nobody else closes it where the run is left.
                await stack.enter_async_context(aclosing(self._devices))
            read = 0
            async for device in await stack.enter_async_context(aclosing(_each(self._devices))):
                read += 1
                if read % _READ_AT_ONCE == 0:
                    await asyncio.sleep(0)
                if self._known.add(device):
                    self._distinct += 1
                    batch.append(device)
                if len(batch) == self._plan.devices_a_request:
                    await self._start(tasks, Batch(devices=tuple(batch)), self._send)
                    batch.clear()
        self._all_read = True
        if batch:
            await self._start(tasks, Batch(devices=tuple(batch)), self._send)
        self._tell()

    async def _start(self, tasks: asyncio.TaskGroup, batch: Batch, work: Callable[[Batch], Any]) -> None:
        """Begin the work on a batch as soon as it may begin."""
        await self._under_way.acquire()

        async def limited() -> None:
            try:
                await work(batch)
            finally:
                self._under_way.release()

        tasks.create_task(limited(), name=f"fleet batch {batch.key}")
        self._tell()

    # Of one batch

    async def _report(self, batch: Batch) -> None:
        """Tell what an earlier run has left of a batch, and wait for what it has not."""
        if batch.state in (State.ACCEPTED, State.FINISHED):
            await self._await(batch, batch.detail)
        else:
            await self._end(batch.devices, _RESULTS[batch.state], batch.detail or _NO_WORD)

    async def _send(self, batch: Batch) -> None:
        """Send a batch, less what is not worth sending, and wait for its outcomes."""
        fit = await self._refuse_unfit(batch.devices)
        if not fit:
            return
        batch = attrs.evolve(batch, devices=fit)
        await self._caller.engine.store.pace(self._action.options.get("account_name"))
        answer = await self._finished(self._submit(batch))
        if isinstance(answer, Accepted):
            await self._await(batch, answer.request_id)
        else:
            await self._end(fit, _RESULTS[_state_of(answer, self._action.name)], str(answer), answer)

    async def _refuse_unfit(self, devices: tuple[DeviceIds, ...]) -> tuple[DeviceIds, ...]:
        """Return the devices that can be sent: one that cannot must not hold back the thousands beside it."""
        try:
            self._action.request(devices)
        except InvalidRequest as error:
            if len(devices) == 1:  # Not noted: nothing was sent, and the next run finds the same.
                await self._end(devices, FleetResult.FAILED, str(error), error)
                return ()
        else:
            return devices
        # By halves, and with turns for others: one by one, ten thousand would hold up the event loop.
        await asyncio.sleep(0)
        middle = len(devices) // 2
        return await self._refuse_unfit(devices[:middle]) + await self._refuse_unfit(devices[middle:])

    async def _submit(self, batch: Batch) -> Accepted | ThingSpaceError:
        """Send a batch, noting before that it will be sent, and afterwards what became of it."""
        await self._ledger.begin(batch)
        if self._leaving:
            await self._ledger.note(batch, State.NOT_SENT)
            raise asyncio.CancelledError
        try:
            accepted = await self._caller.call(self._action.operation, self._action.request(batch.devices))
        except (SessionMisused, RequestNotSent, AnswerLost, AnswerUnreadable, ApiError) as error:
            await self._ledger.note(batch, _state_of(error, self._action.name), str(error))
            if _ends_run(error):
                raise
            return error
        try:
            await self._ledger.note(batch, State.ACCEPTED, accepted.request_id)
        except InboxUnavailable:
            # The next run will call it unknown; with the id its outcomes can be found all the same.
            _log.error("request %s was accepted, and could not be noted", accepted.request_id)
            raise
        return accepted

    async def _finished(self, work: Any) -> Accepted | ThingSpaceError:
        """Await what is better not cut short: when the run is left, it has some seconds to finish."""
        task: asyncio.Task[Accepted | ThingSpaceError] = asyncio.create_task(work, name="fleet request")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            self._leaving = True
            await asyncio.wait([task], timeout=_PATIENCE)
            raise
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # Which the ledger knows of, where nobody is left to hear it.
        return task.result()

    async def _await(self, batch: Batch, request_id: str) -> None:
        """Wait for the outcomes of an accepted batch; those of one that was finished are there, or were pruned."""
        self._waiting += len(batch.devices)
        self._tell()
        timeout = timedelta() if batch.state is State.FINISHED else self._plan.timeout
        told = self._source.of(Accepted(request_id=request_id), devices=batch.devices, timeout=timeout)
        left = dict.fromkeys(batch.devices)
        try:
            async with aclosing(told) as coming:
                async for outcome in coming:
                    if outcome.final and outcome.device in left:
                        del left[outcome.device]
                        self._waiting -= 1
                        await self._put(_told(outcome, request_id))
        except OutcomesMissing:
            self._waiting -= len(left)
            pruned = batch.state is State.FINISHED
            reason = "its message is no longer in the inbox" if pruned else f"no outcome within {timeout}"
            await self._end(tuple(left), FleetResult.MISSING, reason, request_id=request_id)
        else:
            if batch.state is not State.FINISHED:
                await self._ledger.note(batch, State.FINISHED, request_id)

    # Telling

    async def _end(
        self,
        devices: tuple[DeviceIds, ...],
        result: FleetResult,
        reason: str,
        error: ThingSpaceError | None = None,
        request_id: str | None = None,
    ) -> None:
        for device in devices:
            await self._put(
                FleetOutcome(device=device, result=result, reason=reason, error=error, request_id=request_id)
            )

    async def _put(self, outcome: FleetOutcome) -> None:
        self._done += 1
        self._failed += outcome.result is not FleetResult.SUCCEEDED
        self._tell()
        await self._room.acquire()
        self._came.put_nowait(outcome)

    def _tell(self) -> None:
        self._plan.on_progress(self._done, self._failed, self._waiting, self._total)

    @property
    def _total(self) -> int | None:
        if self._all_read:
            return self._distinct
        # Which of the devices that were met again are repeats, and which an earlier run's, is not known.
        return max(self._distinct, len(self._devices)) if isinstance(self._devices, Sized) else None


async def _each(given: FleetDevices) -> AsyncGenerator[DeviceIds]:
    if isinstance(given, AsyncIterable):
        async for one in given:
            yield _device(one)
    else:
        for one in given:
            yield _device(one)


def _device(given: Any) -> DeviceIds:
    (found,) = to_devices([given])
    if not isinstance(found, DeviceIds):
        raise InvalidRequest(f"fleet: a device must be a DeviceId, several, or DeviceIds, not {type(given).__name__}")
    return found


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Return what went wrong first; the rest came of it, or at the same moment."""
    found = group.exceptions[0]
    return _first(found) if isinstance(found, ExceptionGroup) else found


def _told(outcome: DeviceOutcome, request_id: str) -> FleetOutcome:
    fault = outcome.fault
    told = fault.message or fault.code if fault is not None else None
    reason = told or outcome.status or "no explanation given" if outcome.failed else None
    result = FleetResult.FAILED if outcome.failed else FleetResult.SUCCEEDED
    return FleetOutcome(device=outcome.device, result=result, request_id=request_id, outcome=outcome, reason=reason)


def _ends_run(error: ThingSpaceError) -> bool:
    """Say whether an error is one that all requests would meet; none of them is carried out."""
    if isinstance(error, ApiError) and rejected_token(error) is not None:
        return True
    return isinstance(error, SessionMisused | Unauthorized | Forbidden)


def _state_of(error: ThingSpaceError, operation: str) -> State:
    """Say what is known of a request that met an error."""
    # Before a call is sent the session may have to log in, with calls of their own names.
    is_of_call = getattr(error, "operation", None) == operation
    if not is_of_call or _ends_run(error) or isinstance(error, RequestNotSent | RateLimited):
        return State.NOT_SENT
    return State.REFUSED if isinstance(error, ApiError) and not isinstance(error, ServerFault) else State.UNKNOWN


_RESULTS: Final = {
    State.SENDING: FleetResult.UNKNOWN,
    State.UNKNOWN: FleetResult.UNKNOWN,
    State.REFUSED: FleetResult.FAILED,
    State.NOT_SENT: FleetResult.NOT_SENT,
}
