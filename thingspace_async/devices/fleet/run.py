"""A fleet run: it reads devices, sends requests and reports outcomes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence, Sized
from contextlib import aclosing, suppress
from typing import Final

from thingspace_async._core.caller import Caller
from thingspace_async._core.ledger import BatchRecord, BatchState, Claim, Item
from thingspace_async._core.outcomes import OutcomeSource
from thingspace_async._core.runs import Batch, Filling, Part, is_reported
from thingspace_async.devices.fleet.awaiting import Awaiting, Room
from thingspace_async.devices.fleet.interface import FleetDevices, FleetOutcome, FleetResult
from thingspace_async.devices.fleet.plan import Action, Plan
from thingspace_async.devices.fleet.preparing import prepare
from thingspace_async.devices.fleet.progress import Tally
from thingspace_async.devices.fleet.reading import check_devices, chunks
from thingspace_async.devices.fleet.reconciling import Reconciler
from thingspace_async.devices.fleet.rows import device_of, items_of
from thingspace_async.devices.fleet.sending import NEVER_SENT, Breaker, Sender
from thingspace_async.devices.fleet.unsendable import (
    is_unsendable,
    new_unsendable,
    unsendable_item,
    unsendable_outcomes,
)
from thingspace_async.errors import ThingSpaceError

__all__ = ["FleetRun"]

_MOST_UNREAD: Final = 200
"""Unread outcomes to buffer before the run pauses. The event loop may be busy with as many in one turn."""

_MOST_CLASHES: Final = 10_000
"""Devices that share identifiers with others, to report together: each report reads the whole ledger."""

_HELP_INTERVAL: Final = 1.0
"""Seconds between checks for batches that other workers have abandoned."""

_NO_ANSWER: Final = "the process ended before the answer arrived"


class FleetRun:
    """One worker's part of a run. `outcomes` carries it out, once."""

    def __init__(
        self, caller: Caller, action: Action, devices: FleetDevices, source: OutcomeSource, plan: Plan
    ) -> None:
        check_devices(action, devices)
        self._action = action
        self._devices = devices
        self._source = source
        self._plan = plan
        description = action.description(caller.engine.environment)
        give_up_after = plan.give_up_after.total_seconds()
        self._part = Part(source.inbox, plan.run, description, items_of, give_up_after=give_up_after)
        breaker = Breaker(give_up_after)
        self._sender = Sender(caller, action, self._part, breaker)
        self._awaiting = Awaiting(source, plan.timeout)
        self._reconciler = Reconciler(source, self._part)
        self._slots = asyncio.Semaphore(plan.in_flight)
        self._room = Room(plan.most_awaited)
        self._arrived: asyncio.Queue[tuple[Batch, FleetOutcome] | None] = asyncio.Queue()
        self._unread = asyncio.Semaphore(_MOST_UNREAD)
        self._tally = Tally(plan.on_progress, len(devices) if isinstance(devices, Sized) else None)
        self._busy = 1
        """Batches in progress, plus one while devices are being read."""
        self._idle = asyncio.Event()

    async def outcomes(self) -> AsyncGenerator[FleetOutcome]:
        """Carry out the run."""
        work = asyncio.create_task(self._work(), name=f"fleet run {self._plan.run}")
        work.add_done_callback(lambda _: self._arrived.put_nowait(None))
        try:
            while (arrived := await self._arrived.get()) is not None:
                batch, outcome = arrived
                self._unread.release()
                if await self._part.has(batch):
                    self._tally.give(outcome.result, awaited=batch.is_awaited)
                    yield outcome
                    self._note_taken(batch)
                elif batch.task is not None:
                    batch.task.cancel()  # Another worker reports the rest.
            await work
        finally:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # Retrieved. It was raised above, unless the caller has stopped early.

    def _note_taken(self, batch: Batch) -> None:
        """Record that the caller has processed an outcome."""
        batch.untaken -= 1
        if batch.room:
            batch.room -= 1
            self._room.give(1)
        if not batch.untaken:
            batch.all_taken.set()

    async def _work(self) -> None:
        try:
            async with (
                self._part.joined(lambda part: prepare(part, self._source, self._plan.retry)),
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(self._help(tasks), name="fleet help")
                await self._send_all(tasks)
                await self._all_sent()
                await self._adopt_earlier(tasks)
                self._done()
        except ExceptionGroup as group:
            failure = _first(group)
        else:
            return
        raise failure

    # Reading devices

    async def _send_all(self, tasks: asyncio.TaskGroup) -> None:
        """Split the devices into batches, and start to send each as soon as it is full."""
        filling: Filling | None = None
        clashing: list[bytes] = []
        async with aclosing(chunks(self._action, self._devices, self._plan.most)) as given:
            async for chunk in given:
                await self._set_aside(tasks, chunk.unfit)
                items = chunk.items
                while items:
                    filling = filling or await self._new_filling()
                    items = await filling.claim(self._part, items, clashing)
                    if filling.is_full:
                        self._start(tasks, filling.batch())
                        filling = None
                        await asyncio.sleep(0)  # If another task has failed, this one is cancelled here.
                if len(clashing) >= _MOST_CLASHES:
                    await self._set_aside(tasks, clashing)
                    clashing.clear()
        if filling is not None:
            self._start(tasks, filling.batch())
        await self._set_aside(tasks, clashing)

    async def _all_sent(self) -> None:
        """Wait until no batch is being sent."""
        for _ in range(self._plan.in_flight):
            await self._slots.acquire()
        for _ in range(self._plan.in_flight):
            self._slots.release()

    async def _new_filling(self) -> Filling:
        """Wait for room and a slot before claiming devices, because other workers may have both."""
        most = self._plan.most
        await self._room.take(most)
        await self._slots.acquire()
        return Filling(most)

    async def _set_aside(self, tasks: asyncio.TaskGroup, rows: Sequence[bytes]) -> None:
        """Claim and report devices that are never sent, unless another worker or an earlier run has."""
        for start in range(0, len(rows), self._plan.devices_per_request):
            items = [unsendable_item(row) for row in rows[start : start + self._plan.devices_per_request]]
            batch = new_unsendable()
            new = await self._claim_all(batch, items)
            if new:
                self._start(tasks, batch)

    async def _claim_all(self, batch: Batch, items: Sequence[Item]) -> list[bytes]:
        """Claim free devices for a new batch."""
        answers = await self._part.claim(batch, items, len(items)) or []
        rows = [item.row for item, answer in zip(items, answers, strict=False) if answer is Claim.NEW]
        batch.pack(rows)
        self._part.hold(batch)
        return rows

    # Batches

    def _start(self, tasks: asyncio.TaskGroup, batch: Batch, *, earlier: int = 0) -> None:
        """Start the work on a batch. The batch has its room, and a slot if it was never sent."""
        batch.untaken = batch.size
        self._busy += 1
        self._idle.clear()
        self._tally.add(batch.size, earlier=earlier)
        batch.task = tasks.create_task(self._work_on(tasks, batch), name=f"fleet batch {batch.key}")

    async def _work_on(self, tasks: asyncio.TaskGroup, batch: Batch) -> None:
        try:
            if is_unsendable(batch.key):
                await self._report_unsendable(batch)
            elif batch.state in NEVER_SENT:
                await self._send(tasks, batch)
            else:
                await self._report(batch, None)
        finally:
            self._tally.drop(batch.untaken, awaited=batch.is_awaited)
            self._room.give(batch.room)
            batch.room = 0
            self._done()

    def _done(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._idle.set()

    async def _send(self, tasks: asyncio.TaskGroup, batch: Batch) -> None:
        """Send a batch, and report its outcomes."""
        try:
            error = await self._sender.send(batch) if batch.size else None
        finally:
            self._slots.release()
        if batch.is_gone:
            await self._send_again(tasks, batch)
        elif batch.size and not batch.is_lost:
            await self._report(batch, error)

    async def _send_again(self, tasks: asyncio.TaskGroup, gone: Batch) -> None:
        """Send the devices of a batch that was released because this worker was considered dead."""
        every = await self._part.items(gone.rows)
        await self._slots.acquire()
        batch = Batch()
        if not await self._claim_all(batch, every):
            self._slots.release()
            return
        batch.room, gone.room = batch.size, gone.room - batch.size
        self._start(tasks, batch)

    async def _report(self, batch: Batch, error: ThingSpaceError | None) -> None:
        """Report the outcomes of a batch that was sent or given up."""
        if batch.state in (BatchState.SENDING, BatchState.UNKNOWN):
            await self._reconcile(batch, error)
        if batch.is_lost:
            return
        missing = 0
        if batch.state in (BatchState.ACCEPTED, BatchState.FINISHED):
            batch.is_awaited = True
            self._tally.wait(batch.size)
            async with aclosing(self._awaiting.outcomes(batch)) as coming:
                async for outcome in coming:
                    missing += outcome.result is FleetResult.MISSING
                    await self._put(batch, outcome)
        else:
            for row in batch.rows:
                await self._put(
                    batch,
                    FleetOutcome(
                        device=device_of(row),
                        result=_RESULTS[batch.state],
                        reason=batch.reason,
                        error=error,
                        repeat=batch.repeats_until is not None,
                    ),
                )
        await batch.all_taken.wait()
        is_final = batch.state in (BatchState.ACCEPTED, BatchState.FINISHED, BatchState.REFUSED)
        await self._part.finish(batch, reported=is_final and not missing)

    async def _reconcile(self, batch: Batch, error: ThingSpaceError | None) -> None:
        """Find out whether a batch with a lost answer was accepted. Afterwards it is ACCEPTED or UNKNOWN."""
        request_id = await self._reconciler.find(batch, batch.sent_at + self._plan.timeout)
        if request_id is not None:
            is_own = await self._part.note(batch, BatchState.ACCEPTED, request_id)
        elif batch.state is BatchState.SENDING:
            is_own = await self._part.note(batch, BatchState.UNKNOWN, str(error or _NO_ANSWER))
        else:
            return
        if is_own and request_id is not None:
            batch.repeats_until = None  # While it was UNKNOWN, no outcome was reported.
        elif not is_own:
            await self._part.refresh(batch)  # The worker that sent it may have recorded the answer.

    async def _report_unsendable(self, batch: Batch) -> None:
        """Report devices that are never sent."""
        repeat = batch.repeats_until is not None
        if batch.state is not BatchState.REFUSED and not await self._part.note(batch, BatchState.REFUSED):
            return
        for outcome in await unsendable_outcomes(self._part, self._action, batch.rows, repeat=repeat):
            await self._put(batch, outcome)
        await batch.all_taken.wait()
        await self._part.finish(batch, reported=True)

    async def _put(self, batch: Batch, outcome: FleetOutcome) -> None:
        await self._unread.acquire()
        self._arrived.put_nowait((batch, outcome))

    # Batches of other workers and earlier runs

    async def _adopt_earlier(self, tasks: asyncio.TaskGroup) -> None:
        """Take over the batches of earlier runs."""
        records = await self._part.earlier()
        earlier = [record for record in records if self._plan.replay or not is_reported(record)]
        random.shuffle(earlier)  # Other workers take over the same batches.
        self._tally.know_all(sum(record.size for record in earlier))
        for record in earlier:
            await self._take_over(tasks, record, earlier=record.size)

    async def _take_over(self, tasks: asyncio.TaskGroup, record: BatchRecord, *, earlier: int = 0) -> None:
        """Wait for room and a slot, and take a batch over unless another worker is faster."""
        room = 0 if is_unsendable(record.key) else min(record.size, self._plan.most_awaited)
        has_slot = record.state in NEVER_SENT and not is_unsendable(record.key)
        await self._room.take(room)
        if has_slot:
            await self._slots.acquire()
        batch = await self._part.adopt(record)
        if batch is not None:
            batch.room = room
            self._start(tasks, batch, earlier=earlier)
            return
        if earlier:
            self._tally.know_all(-earlier)
        self._room.give(room)
        if has_slot:
            self._slots.release()

    async def _help(self, tasks: asyncio.TaskGroup) -> None:
        """Take over abandoned batches until this worker and all others have finished."""
        while True:
            finished = not self._busy
            await self._part.look(finished=finished)
            async with aclosing(self._part.abandoned()) as records:
                left = [record async for record in records]
            if finished and not left and not self._part.others_work:
                return
            if finished and left:
                await self._part.look()  # Get a lease again.
            for record in left:
                await self._take_over(tasks, record)
            with suppress(TimeoutError):
                async with asyncio.timeout(_HELP_INTERVAL):
                    await (asyncio.sleep(_HELP_INTERVAL) if finished else self._idle.wait())


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """Return the first failure. The others followed from it, or happened at the same time."""
    found = group.exceptions[0]
    return _first(found) if isinstance(found, ExceptionGroup) else found


_RESULTS: Final = {
    BatchState.UNKNOWN: FleetResult.UNKNOWN,
    BatchState.REFUSED: FleetResult.FAILED,
    BatchState.NOT_SENT: FleetResult.NOT_SENT,
}
