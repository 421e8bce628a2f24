"""Locating any number of devices: known locations, which are free, and current ones by reports.

A run claims devices in batches. For each batch, it looks the known locations up and requests one report on the other
devices. The ledger records the batch before the report is requested, and the report's id afterwards. A later run reads
the locations of that report instead of requesting another one.

If the answer to a request for a report is lost, the run looks for new known locations of its devices: each current
location becomes the known one.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence, Sized
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import attrs

from thingspace_async._core.ledger import BatchRecord, BatchState
from thingspace_async._core.meaning import Meaning, meaning_of
from thingspace_async._core.positions import PositionError
from thingspace_async._core.runs import Batch, Filling, Part
from thingspace_async._core.tasks import end
from thingspace_async.errors import AnswerUnreadable, ThingSpaceError
from thingspace_async.location.interface import LocatedDevice, LocationProgress, RunDevices
from thingspace_async.location.models import (
    CacheMode,
    Location,
    LocationReport,
    LocationReportAccepted,
    LocationReportStatus,
    LocationRequest,
    ReportStatus,
)
from thingspace_async.location.plan import LocationPlan
from thingspace_async.location.rows import NamedDevice, chunks, device_of, items_of

__all__ = ["LocationRun", "Reports"]

T = TypeVar("T")

_MOST_IN_PROGRESS: Final = 4
"""Reports at once."""
_MOST_UNREAD: Final = 4
"""Unread pages to buffer before the run pauses."""
_SLOWER: Final = 1.5
_SLOWEST: Final = 6
"""The pause between two polls grows to this multiple."""
_HELP_INTERVAL: float = 1.0
"""Seconds between checks for batches that other workers have abandoned."""
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0
_PATIENCE: Final = 5.0
"""Seconds to wait for the answer to a request for a report when the run is cancelled."""

_CREATE: Final = "location.reports.create"
_STATUS: Final = "location.reports.status"
_LOCATIONS: Final = "location.reports.locations"
_EXCLUSIONS: Final = "location.exclusions.list"
_UNSENT: Final = (BatchState.CLAIMED, BatchState.NOT_SENT)
_WITH_REPORT: Final = (BatchState.ACCEPTED, BatchState.FINISHED)

_EXCLUDED: Final = PositionError(type="EXCLUDED", info="The device is excluded from the location service.")
_MISSING: Final = PositionError(type="MISSING", info="The report does not name the device.")
_UNKNOWN: Final = PositionError(
    type="UNKNOWN", info="The answer to the request for a report was lost, and no location has become known since."
)


class Reports(Protocol):
    """The calls for reports."""

    async def create(self, request: LocationRequest) -> LocationReportAccepted:
        """Request a report."""
        ...

    async def status(self, account_name: str, request_id: str) -> LocationReportStatus:
        """Read how far a report is."""
        ...

    async def locations_page(self, account_name: str, request_id: str, *, start_index: int = 0) -> LocationReport:
        """Read a page of a report."""
        ...


@attrs.frozen
class _Work:
    """A batch whose report was requested, or that was taken over."""

    batch: Batch
    devices: dict[str, NamedDevice]
    """The devices to read from the report, by phone number."""
    is_own: bool
    """Whether this worker has requested the report, for exactly these devices."""


class _Patience:
    """Waits between the tries of a request while the platform is unreachable."""

    def __init__(
        self, give_up_after: float, leaving: asyncio.Event, *, jitter: Callable[[], float] = random.random
    ) -> None:
        self._give_up_after = give_up_after
        self._jitter = jitter
        self._leaving = leaving
        self._since: float | None = None
        self._wait = _FIRST_WAIT

    async def again(self, error: ThingSpaceError) -> bool:
        """Wait, and return whether to try again."""
        self._since = time.monotonic() if self._since is None else self._since
        if time.monotonic() - self._since >= self._give_up_after:
            return False
        pause = max(self._wait * (1 + self._jitter()) / 2, getattr(error, "retry_after", None) or 0.0)
        self._wait = min(_LONGEST_WAIT, 2 * self._wait)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._leaving.wait()
        return not self._leaving.is_set()


class LocationRun:
    """One worker's part of a run. `located` carries it out, once."""

    def __init__(
        self, plan: LocationPlan, reports: Reports, excluded: Callable[[], AsyncGenerator[str]], *, host: str
    ) -> None:
        self._plan = plan
        self._reports = reports
        self._read_excluded = excluded
        self._excluded: Collection[str] = ()
        self._part = plan.part(host)
        self._progress = LocationProgress()
        self._found: asyncio.Queue[tuple[Batch, Sequence[LocatedDevice]] | asyncio.Event | None] = asyncio.Queue()
        self._unread = asyncio.Semaphore(_MOST_UNREAD)
        self._leaving = asyncio.Event()

    async def located(self, devices: RunDevices) -> AsyncGenerator[LocatedDevice]:
        """Yield each device once, with its location."""
        self._note(total=len(devices) if isinstance(devices, Sized) else None)
        work = asyncio.create_task(self._work(devices), name="locate_all")
        work.add_done_callback(lambda _: self._found.put_nowait(None))
        try:
            while (found := await self._found.get()) is not None:
                if isinstance(found, asyncio.Event):
                    found.set()
                    continue
                self._unread.release()
                batch, located = found
                for one in located:
                    if not await self._part.has(batch):
                        break  # Another worker returns the rest.
                    self._count(one)
                    yield attrs.evolve(one, repeat=True) if batch.repeats_until is not None else one
            await work
        finally:
            work.cancel()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # Retrieved. It was raised above, unless the caller has stopped early.

    def _count(self, one: LocatedDevice) -> None:
        now = self._progress
        self._note(done=now.done + 1, failed=now.failed + one.location.failed, cached=now.cached + one.cached)

    def _note(self, **changes: Any) -> None:
        self._progress = attrs.evolve(self._progress, **changes)
        if self._plan.on_progress is not None:
            self._plan.on_progress(self._progress)

    async def _work(self, devices: RunDevices) -> None:
        async with self._part.joined(_release_unsent):
            self._excluded = await self._patiently(_EXCLUSIONS, self._all_excluded)
            pending: deque[_Work] = deque()
            async with aclosing(self._claimed(devices)) as batches:
                async for batch in batches:
                    if (begun := await self._begin(batch)) is not None:
                        pending.append(begun)
                    if len(pending) == _MOST_IN_PROGRESS:
                        await self._report(pending.popleft())
            while pending:
                await self._report(pending.popleft())
            await self._take_over(await self._part.earlier())
            await self._help()

    async def _all_excluded(self) -> set[str]:
        async with aclosing(self._read_excluded()) as excluded:
            return {one async for one in excluded}

    # New devices

    async def _claimed(self, devices: RunDevices) -> AsyncGenerator[Batch]:
        most = self._plan.devices_per_report
        filling = Filling(most)
        async with aclosing(chunks(devices, most)) as given:
            async for chunk in given:
                items = chunk
                while items:
                    items = await filling.claim(self._part, items, [])
                    if filling.is_full:
                        yield filling.batch()
                        filling = Filling(most)
        yield filling.batch()

    async def _begin(self, batch: Batch) -> _Work | None:
        """Request a report on the devices without a known location, and give the others to the caller."""
        while batch.size:
            devices = _by_number(batch)
            known = await self._known(devices)
            if self._plan.current:
                known = _final(known)
            numbers = {one.device.mdn for one in known}
            unknown = {number: one for number, one in devices.items() if number not in numbers}
            if await self._requested(batch, unknown):
                await self._give(batch, known)
                return _Work(batch, unknown, is_own=True)
            if not batch.is_gone:
                return None  # Another worker has taken it over.
            # Another worker has released it, because this one seemed to have crashed.
            items = [item async for item in items_of(batch.rows)]
            filling = Filling(len(items))
            await filling.claim(self._part, items, [])
            batch = filling.batch()
        return None

    async def _requested(self, batch: Batch, devices: Mapping[str, NamedDevice]) -> bool:
        """Request a report, and return whether this worker still holds the batch.

        If the run is cancelled, the request gets some seconds to finish.
        """
        task = asyncio.create_task(self._request(batch, devices), name="location report")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            self._leaving.set()
            await asyncio.wait([task], timeout=_PATIENCE)
            raise
        finally:
            await end(task)
            if not task.cancelled():
                task.exception()  # Retrieved. The ledger records the result, even if nobody awaits it.
        return task.result()

    async def _request(self, batch: Batch, devices: Mapping[str, NamedDevice]) -> bool:
        """Request a report until the batch is ACCEPTED or UNKNOWN."""
        patience = self._patience()
        while await self._part.begin(batch):
            try:
                request_id = (await self._create(devices, CacheMode.CURRENT)).request_id if devices else ""
            except ThingSpaceError as error:
                meaning = meaning_of(error, _CREATE)
                if meaning is Meaning.LOST:
                    return await self._part.note(batch, BatchState.UNKNOWN, str(error))
                await self._part.note(batch, BatchState.CLAIMED)
                if meaning is not Meaning.TEMPORARY or not await patience.again(error):
                    raise
            else:
                is_own = await self._part.note(batch, BatchState.ACCEPTED, request_id)
                self._note(waiting=self._progress.waiting + len(devices))
                return is_own
        return False

    # Batches of other workers and earlier runs

    async def _take_over(self, records: list[BatchRecord]) -> None:
        """Take batches over, and give their devices to the caller."""
        random.shuffle(records)  # Other workers take over the same batches.
        for record in records:
            batch = await self._part.adopt(record)
            if batch is None:
                continue
            work: _Work | None = _Work(batch, _by_number(batch), is_own=False)
            if batch.state in _UNSENT:
                work = await self._begin(batch)
            if work is not None:
                await self._report(work)

    async def _help(self) -> None:
        """Take over abandoned batches until all other workers have finished."""
        while True:
            await self._part.look(finished=True)
            left = [record async for record in self._part.abandoned()]
            if not left and not self._part.others_work:
                return
            if left:
                await self._part.look()  # Get a lease again.
                await self._take_over(left)
            await asyncio.sleep(_HELP_INTERVAL)

    # Results

    async def _give(self, batch: Batch, located: Sequence[LocatedDevice]) -> None:
        """Give devices to the caller, and wait if many are unread."""
        await self._unread.acquire()
        self._found.put_nowait((batch, located))

    async def _report(self, work: _Work) -> None:
        """Give the caller the devices of a batch, and finish the batch when all are taken."""
        batch = work.batch
        if batch.state in _WITH_REPORT:
            await self._give_report(work)
        else:
            await self._search(work)
        taken = asyncio.Event()
        self._found.put_nowait(taken)
        await taken.wait()
        await self._part.finish(batch, reported=batch.state in _WITH_REPORT)

    async def _give_report(self, work: _Work) -> None:
        """Give the devices of a report, and then the other devices of a batch that was taken over."""
        rest, request_id = dict(work.devices), work.batch.detail
        error = _MISSING
        if request_id:
            status = await self._wait_for(request_id)
            if status == ReportStatus.COMPLETED:
                async with aclosing(self._read(request_id, rest, cached=False)) as pages:
                    async for page in pages:
                        await self._give(work.batch, page)
            else:
                error = PositionError(type=status.value, info="The report was not completed.")
        if work.is_own:
            self._note(waiting=self._progress.waiting - len(work.devices))
            await self._give(work.batch, [_failed(one, error, cached=False) for one in rest.values()])
        elif rest:
            await self._give(work.batch, await self._known(rest))

    async def _search(self, work: _Work) -> None:
        """Give the devices of a lost report as their locations become known, and at last the others."""
        batch, rest, pauses = work.batch, dict(work.devices), self._pauses()
        until = batch.sent_at + self._plan.timeout
        while True:
            found = _final(await self._known(rest))
            for one in found:
                del rest[one.device.mdn]
            await self._give(batch, [attrs.evolve(one, cached=not self._plan.current) for one in found])
            if not rest or self._part.now >= until:
                break
            await asyncio.sleep(next(pauses))
        if not rest:
            await self._part.note(batch, BatchState.ACCEPTED)  # All are known now.
            return
        if batch.state is BatchState.SENDING:
            await self._part.note(batch, BatchState.UNKNOWN, "the process ended before the answer arrived")
        await self._give(batch, [_failed(one, _UNKNOWN, cached=False) for one in rest.values()])

    # Requests

    async def _known(self, devices: Mapping[str, NamedDevice]) -> list[LocatedDevice]:
        """Return the known locations, which are free, and errors for the other devices."""
        kept = {name: one for name, one in devices.items() if one.identifiers.isdisjoint(self._excluded)}
        found = [_failed(one, _EXCLUDED, cached=True) for name, one in devices.items() if name not in kept]
        if not kept:
            return found
        accepted = await self._patiently(_CREATE, lambda: self._create(kept, CacheMode.CACHED))
        await self._wait_for(accepted.request_id)
        rest = dict(kept)
        async with aclosing(self._read(accepted.request_id, rest, cached=True)) as pages:
            async for page in pages:
                found += page
        return [*found, *(_failed(one, _MISSING, cached=True) for one in rest.values())]

    async def _create(self, devices: Mapping[str, NamedDevice], cache_mode: CacheMode) -> LocationReportAccepted:
        request = LocationRequest(
            account_name=self._plan.account_name,
            devices=[one.device for one in devices.values()],
            cache_mode=cache_mode,
            accuracy_mode=self._plan.accuracy_mode,
        )
        return await self._reports.create(request)

    async def _read(
        self, request_id: str, rest: dict[str, NamedDevice], *, cached: bool
    ) -> AsyncGenerator[list[LocatedDevice]]:
        """Yield the pages of a report, and remove their devices from `rest`."""
        index: int | None = 0
        while index is not None:
            page_of = partial(self._reports.locations_page, self._plan.account_name, request_id, start_index=index)
            page = await self._patiently(_LOCATIONS, page_of)
            named = [(rest.pop(one.msid or "", None), one) for one in page.locations]
            yield [
                LocatedDevice(device=known.device, location=one, cached=cached)
                for known, one in named
                if known is not None
            ]
            index = page.next

    async def _wait_for(self, request_id: str) -> ReportStatus:
        """Wait until a report has ended, and return its status."""
        pauses = self._pauses()
        status_of = partial(self._reports.status, self._plan.account_name, request_id)
        while True:
            status = (await self._patiently(_STATUS, status_of)).status
            if status not in (None, ReportStatus.QUEUED, ReportStatus.IN_PROGRESS):
                return status
            await asyncio.sleep(next(pauses))

    def _pauses(self) -> Iterator[float]:
        """Yield the pauses between two polls."""
        pause = first = self._plan.check_every.total_seconds()
        while True:
            yield pause
            pause = min(pause * _SLOWER, first * _SLOWEST)

    def _patience(self) -> _Patience:
        return _Patience(self._plan.give_up_after.total_seconds(), self._leaving)

    async def _patiently(self, operation: str, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that is free and may be repeated, and repeat it while the platform is unreachable."""
        patience = self._patience()
        while True:
            try:
                return await call()
            except AnswerUnreadable:
                raise
            except ThingSpaceError as error:
                if meaning_of(error, operation) not in (Meaning.TEMPORARY, Meaning.LOST):
                    raise
                if not await patience.again(error):
                    raise


async def _release_unsent(part: Part) -> None:
    """Release batches that no worker has sent. The run reads their devices again."""
    async with aclosing(part.every()) as records:
        async for record in records:
            if record.state in _UNSENT:
                rows = await part.rows_of(record.key)
                await part.release(record, [item async for item in items_of(rows)])


def _by_number(batch: Batch) -> dict[str, NamedDevice]:
    devices = map(device_of, batch.rows)
    return {one.device.mdn: one for one in devices}


def _final(found: list[LocatedDevice]) -> list[LocatedDevice]:
    """Return the devices that need no current location: those with a known one, and excluded ones."""
    return [one for one in found if not one.location.failed or one.location.error == _EXCLUDED]


def _failed(one: NamedDevice, error: PositionError, *, cached: bool) -> LocatedDevice:
    return LocatedDevice(device=one.device, location=Location(msid=one.device.mdn, error=error), cached=cached)
