"""A run over a fleet: devices go in, requests go out, outcomes come back."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable, Sized
from contextlib import AsyncExitStack, aclosing, suppress
from datetime import timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import attrs

from thingspace_async import _checks, _codec
from thingspace_async._auth import rejected_token
from thingspace_async._caller import Caller
from thingspace_async._operation import Operation
from thingspace_async._outcomes import Batch, DeviceOutcome, OutcomeSource, Part, SharedRuns, State
from thingspace_async._types import Accepted, DeviceId, DeviceIds, to_devices
from thingspace_async.devices.fleet.interface import FleetDevices, FleetOutcome, FleetResult, Progress
from thingspace_async.devices.fleet.ledger import KnownDevices, LocalRuns
from thingspace_async.errors import (
    AnswerLost,
    AnswerUnreadable,
    ApiError,
    ConfigurationError,
    Forbidden,
    InboxUnavailable,
    InvalidRequest,
    OutcomesMissing,
    RateLimited,
    RequestNotSent,
    ServerFault,
    SessionMisused,
    StoreUnavailable,
    ThingSpaceError,
    Unauthorized,
)

__all__ = ["Action", "FleetRun", "Plan"]

T = TypeVar("T")

_log: Final = logging.getLogger("thingspace_async")

_MOST_UNREAD: Final = 1000
"""Outcomes that wait for the caller, until whom no more are taken in."""

_READ_AT_ONCE: Final = 1000
"""Devices that are read before others on the event loop have a turn."""

_PATIENCE: Final = 5.0
"""Seconds in which a request that is being sent may still be answered when the run is left: else 10,000 devices end as
unknown."""

_LOOKED_AFTER: Final = 1.0
"""Seconds between looks at what other workers have left behind."""

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

    def told_apart(self, host: str) -> str:
        """Return what tells runs of other operations, options or platforms apart: the name and a digest of the rest.

        What was done there says nothing of here.
        """
        particulars = host.encode() + b" " + _codec.dump(self.request((_ANY_DEVICE,)))
        return f"{self.name} {hashlib.blake2b(particulars, digest_size=16).hexdigest()}"


_ANY_DEVICE: Final = DeviceIds(device_ids=(DeviceId.imei("990013907835573"),))


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
        self._began_as = action.told_apart(host)
        self._runs: SharedRuns = getattr(source.inbox, "runs", None) or LocalRuns(source.inbox)
        self._part: Part
        self._came: asyncio.Queue[FleetOutcome | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_MOST_UNREAD)
        self._under_way = asyncio.Semaphore(plan.in_flight)
        self._leaving = False
        self._unfit = KnownDevices()
        self._distinct = self._done = self._failed = self._waiting = 0
        self._all_read = False
        self._to_do = 1
        """Batches that are not ended, outcomes that are not taken, and the reading of what is given."""
        self._nothing_to_do = asyncio.Event()

    async def outcomes(self) -> AsyncGenerator[FleetOutcome]:
        """Carry it out."""
        work = asyncio.create_task(self._work(), name=f"fleet run {self._plan.run}")
        work.add_done_callback(lambda _: self._came.put_nowait(None))
        try:
            while (outcome := await self._came.get()) is not None:
                self._room.release()
                yield outcome
                self._have_done()
            await work
        finally:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # Raised above, unless the caller has left.

    async def _work(self) -> None:
        try:
            async with self._runs.join(self._plan.run, self._began_as) as self._part, asyncio.TaskGroup() as tasks:
                await self._adopt(tasks)
                tasks.create_task(self._help(tasks), name="fleet help")
                await self._send_all(tasks)
        except ExceptionGroup as group:
            failure = _first(group)
        else:
            return
        raise failure

    async def _adopt(self, tasks: asyncio.TaskGroup) -> None:
        """Take up what nobody works at: what earlier runs have left, and other workers that left or died."""
        while (batch := await self._part.adopt()) is not None:
            self._distinct += len(batch.devices)
            await self._under_way.acquire()
            await self._start(tasks, batch)

    async def _help(self, tasks: asyncio.TaskGroup) -> None:
        """Take up what other workers leave, until all of them have finished, and this one has."""
        while True:
            await self._adopt(tasks)
            finished = not self._to_do
            if not await self._part.others_at_work(finished=finished) and finished:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOKED_AFTER):
                    await (asyncio.sleep(_LOOKED_AFTER) if finished else self._nothing_to_do.wait())

    async def _send_all(self, tasks: asyncio.TaskGroup) -> None:
        """Cut what is given into batches, and begin to send each as soon as it is full."""
        most = self._plan.devices_a_request
        batch: Batch | None = None
        async with aclosing(self._fit()) as given:
            async for devices in given:
                left = devices
                while left:
                    if batch is None:
                        await self._under_way.acquire()  # Before anything is claimed: others may have room for it.
                        batch = Batch()
                    grown, left = await self._part.claim(batch, left, most)
                    self._distinct += len(grown.devices) - len(batch.devices)
                    batch = grown
                    if len(batch.devices) == most:
                        await self._start(tasks, batch)
                        batch = None
        self._all_read = True
        if batch is not None and batch.devices:
            await self._start(tasks, batch)
        elif batch is not None:
            self._under_way.release()
        self._tell()
        self._have_done()

    async def _fit(self) -> AsyncGenerator[tuple[DeviceIds, ...]]:
        """Read what is given, some at a time, less what cannot be sent at all."""
        some: list[DeviceIds] = []
        async with AsyncExitStack() as stack:
            if isinstance(self._devices, AsyncGenerator):  # Nobody else closes it where the run is left.
                await stack.enter_async_context(aclosing(self._devices))
            async for device in await stack.enter_async_context(aclosing(_each(self._devices))):
                some.append(device)
                if len(some) == min(_READ_AT_ONCE, self._plan.devices_a_request):
                    yield await self._less_unfit(tuple(some))
                    some.clear()
                    await asyncio.sleep(0)
        if some:
            yield await self._less_unfit(tuple(some))

    async def _less_unfit(self, devices: tuple[DeviceIds, ...]) -> tuple[DeviceIds, ...]:
        """Return the devices that can be sent: one that cannot must not hold back the thousands beside it."""
        try:
            self._action.request(devices)
        except InvalidRequest as error:
            if len(devices) == 1:  # Not noted: nothing was sent, and the next run finds the same.
                if self._unfit.add(devices[0]):
                    self._distinct += 1
                    await self._end(devices, FleetResult.FAILED, str(error), error)
                return ()
        else:
            return devices
        # By halves, and with turns for others: one by one, ten thousand would hold up the event loop.
        await asyncio.sleep(0)
        middle = len(devices) // 2
        return await self._less_unfit(devices[:middle]) + await self._less_unfit(devices[middle:])

    async def _start(self, tasks: asyncio.TaskGroup, batch: Batch) -> None:
        """Begin the work on a batch."""
        await asyncio.sleep(0)  # Where another has failed, whoever begins this one is cancelled now.
        never_sent = batch.state in (State.CLAIMED, State.NOT_SENT)

        async def limited() -> None:
            try:
                await (self._send(batch) if never_sent else self._report(batch))
            finally:
                self._under_way.release()
            self._have_done()

        self._have_to_do()
        tasks.create_task(limited(), name=f"fleet batch {batch.key}")
        self._tell()

    def _have_to_do(self) -> None:
        self._to_do += 1
        self._nothing_to_do.clear()

    def _have_done(self) -> None:
        self._to_do -= 1
        if not self._to_do:
            self._nothing_to_do.set()

    # Of one batch

    async def _report(self, batch: Batch) -> None:
        """Tell what another worker or an earlier run has left of a batch, and wait for what it has not."""
        if batch.state in (State.ACCEPTED, State.FINISHED):
            await self._await(batch, batch.detail)
        else:
            await self._end(batch.devices, _RESULTS[batch.state], batch.detail or _NO_WORD)

    async def _send(self, batch: Batch) -> None:
        """Send a batch, and wait for its outcomes."""
        await self._caller.engine.store.pace(self._action.options.get("account_name"))
        answer = await self._finished(self._submit(batch))
        if answer is None:
            self._distinct -= len(batch.devices)
            self._tell()
        elif isinstance(answer, Accepted):
            await self._await(batch, answer.request_id)
        else:
            await self._end(batch.devices, _RESULTS[_state_of(answer, self._action.name)], str(answer), answer)

    async def _submit(self, batch: Batch) -> Accepted | ThingSpaceError | None:
        """Send a batch, noting before that it will be sent, and afterwards what became of it.

        Returns None where another worker has taken it over, and tells of it.
        """
        if not await self._part.begin(batch):
            return None
        if self._leaving:
            await self._note_unsent(batch, "")
            raise asyncio.CancelledError
        answer: Accepted | ThingSpaceError
        try:
            answer = await self._caller.call(self._action.operation, self._action.request(batch.devices))
        except asyncio.CancelledError as left:
            # Nothing was under way then, and what was before was not carried out.
            if isinstance(left.__cause__, RequestNotSent | RateLimited):
                await self._note_unsent(batch, str(left.__cause__))
            raise
        except (*_NOTHING_SENT, RequestNotSent, AnswerLost, AnswerUnreadable, ApiError) as error:
            answer = error
        is_own = await self._note(batch, answer)
        if isinstance(answer, ThingSpaceError) and _ends_run(answer):
            raise answer
        return answer if is_own else None

    async def _note_unsent(self, batch: Batch, why: str) -> None:
        """Note that a batch was not sent, when the run is being left: nobody waits long for that."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._part.note(batch, State.NOT_SENT, why)

    async def _note(self, batch: Batch, answer: Accepted | ThingSpaceError) -> bool:
        """Note what a request was answered; False where another worker has told by then that it is unknown."""
        if not isinstance(answer, Accepted):
            return await self._part.note(batch, _state_of(answer, self._action.name), str(answer))
        try:
            is_own = await self._part.note(batch, State.ACCEPTED, answer.request_id)
        except InboxUnavailable:
            # The next run will call it unknown; with the id its outcomes can be found all the same.
            _log.error("request %s was accepted, and could not be noted", answer.request_id)
            raise
        if not is_own:
            _log.warning(
                "request %s was accepted after another worker had called it unknown: the next run awaits it",
                answer.request_id,
            )
        return is_own

    async def _finished(self, work: Coroutine[Any, Any, T]) -> T:
        """Await what is better not cut short: when the run is left, it has some seconds to finish."""
        task = asyncio.create_task(work, name="fleet request")
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
                await self._part.note(batch, State.FINISHED, request_id)

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
        self._have_to_do()
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
    return isinstance(error, (*_NOTHING_SENT, Unauthorized, Forbidden))


def _state_of(error: ThingSpaceError, operation: str) -> State:
    """Say what is known of a request that met an error."""
    # Before a call is sent the session may have to log in, with calls of their own names.
    is_of_call = getattr(error, "operation", None) == operation
    if not is_of_call or _ends_run(error) or isinstance(error, RequestNotSent | RateLimited):
        return State.NOT_SENT
    return State.REFUSED if isinstance(error, ApiError) and not isinstance(error, ServerFault) else State.UNKNOWN


_NOTHING_SENT: Final = (SessionMisused, ConfigurationError, StoreUnavailable)
"""What is raised while a request gets its tokens, and for all requests."""

_RESULTS: Final = {
    State.SENDING: FleetResult.UNKNOWN,
    State.UNKNOWN: FleetResult.UNKNOWN,
    State.REFUSED: FleetResult.FAILED,
    State.NOT_SENT: FleetResult.NOT_SENT,
}
