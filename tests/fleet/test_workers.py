"""Fleet runs shared by several workers, at the same time or one after another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.fleet.staging import OPTIONS, Stage, Tampered, all_of, fleet, requests, results, staged, until
from thingspace_async import errors
from thingspace_async._core import runs as ledger
from thingspace_async._core.ledger import BatchRecord, BatchState, Item, Joined, Place, WorkerState
from thingspace_async.callbacks import Inbox, MemoryInbox, Outcomes, SqliteInbox
from thingspace_async.devices import FleetOutcome, FleetResult, fleet_runs, fleet_status
from thingspace_async.devices.fleet import run as running
from thingspace_async.devices.fleet.rows import items_of, row_of
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.faults import Delay, Reset, Status

NEVER = timedelta(0)


@pytest.fixture(params=["memory", "sqlite"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    inbox: Inbox = MemoryInbox() if request.param == "memory" else SqliteInbox(tmp_path / "inbox.db")
    async with inbox, staged(inbox) as ready:
        yield ready


class Pausing:
    """Pauses workers for longer than their leases last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._parts: list[ledger.Part] = []
        self._paused: dict[ledger.Part, asyncio.Event] = {}
        init, renew = ledger.Part.__init__, ledger.Part._renew_lease

        def noted(part: ledger.Part, *about: Any, **more: Any) -> None:
            init(part, *about, **more)
            self._parts.append(part)

        async def paused(part: ledger.Part) -> None:
            if part in self._paused:
                await self._paused[part].wait()
            await renew(part)

        monkeypatch.setattr(ledger, "LEASE", 0.4)
        monkeypatch.setattr(ledger.Part, "__init__", noted)
        monkeypatch.setattr(ledger.Part, "_renew_lease", paused)

    async def pause(self) -> None:
        """Stop the first worker from renewing its lease, and wait until the lease has expired."""
        self._paused[self._parts[0]] = asyncio.Event()
        await asyncio.sleep(0.6)

    @property
    def is_paused(self) -> bool:
        return bool(self._paused)

    async def renew(self) -> None:
        """Renew the lease of the first worker."""
        await self._parts[0]._renew_lease()

    def resume(self) -> None:
        for event in self._paused.values():
            event.set()
        self._paused.clear()


@pytest.fixture
def pausing(monkeypatch: pytest.MonkeyPatch) -> Pausing:
    return Pausing(monkeypatch)


class Frozen:
    """A worker that keeps its devices without doing anything, like a suspended process."""

    def __init__(self, stage: Stage, devices: Any, **options: Any) -> None:
        self._run = stage.activate(devices, **options)
        self.outcomes: list[FleetOutcome] = []

    async def take(self, count: int) -> None:
        for _ in range(count):
            self.outcomes.append(await anext(self._run))

    async def rest(self) -> None:
        async with aclosing(self._run):
            self.outcomes += [one async for one in self._run]


async def test_workers_share_a_run_in_any_order_of_its_devices(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.02), times=None)
    devices = fleet(200)
    found = await asyncio.gather(*(stage.all(some, in_flight=2) for some in (devices, devices[::-1], devices)))
    assert results([one for some in found for one in some]) == all_of(devices, FleetResult.SUCCEEDED)
    assert len(stage.sent) == 200
    assert min(map(len, found)) > 0


async def test_the_work_left_by_one_worker_is_done_by_another(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.4), times=None)
    devices = fleet(100)
    leaving = asyncio.create_task(stage.all(devices, in_flight=3))
    await until(lambda: len(requests(stage.cloud)) > 2)
    staying = asyncio.create_task(stage.all(devices[::-1], in_flight=3))
    await asyncio.sleep(0.1)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert results(await staying) == all_of(devices, FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 100


async def test_an_error_that_ends_one_workers_run_leaves_its_devices_to_the_others(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status(403), times=1)
    stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
    both = await asyncio.gather(stage.all(fleet(100)), stage.all(fleet(100)), return_exceptions=True)
    refused, done = both if isinstance(both[0], BaseException) else both[::-1]
    assert isinstance(refused, errors.Forbidden)
    assert not isinstance(done, BaseException)
    assert results(done) == all_of(fleet(100), FleetResult.SUCCEEDED)


async def test_a_worker_with_an_expired_lease_does_not_report_the_outcomes_of_another(
    stage: Stage, pausing: Pausing
) -> None:
    first = Frozen(stage, fleet(50))
    await first.take(3)
    await pausing.pause()
    second = await stage.all(fleet(50))
    pausing.resume()
    await first.rest()
    once = {one.device for one in first.outcomes}
    assert len(once) == len(first.outcomes)
    assert {one.device for one in second} | once == set(fleet(50))
    assert all(one.repeat for one in second if one.device in once)
    assert len(stage.sent) == 50


async def test_a_worker_that_is_paused_while_it_records_an_answer_does_not_repeat_the_reports_of_another(
    stage: Stage, pausing: Pausing
) -> None:
    """Its lease is renewed before it sees that the record was made. Meanwhile another worker has taken the batch."""
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    kept, others = stage.outcomes.inbox.ledger, list[asyncio.Task[list[FleetOutcome]]]()

    class Paused:
        async def change(self, place: Place, batch: str, *, state: BatchState, **more: Any) -> BatchRecord:
            changed = await kept.change(place, batch, state=state, **more)
            if state is BatchState.ACCEPTED and not others:
                await pausing.pause()
                others.append(asyncio.create_task(stage.all(fleet(10))))
                async with asyncio.timeout(10):
                    while (now := await kept.batch(place, batch)) is None or now.worker == place.worker:
                        await asyncio.sleep(0.02)
                pausing.resume()
                await pausing.renew()
            return changed

    source: Any = Outcomes(Tampered(stage.outcomes.inbox, Paused()))
    first = stage.session.devices.activate_all(fleet(10), source, run="spring", **OPTIONS)
    running = asyncio.create_task(_all_of(first))
    await until(lambda: bool(others) and not pausing.is_paused)
    await asyncio.sleep(0.2)
    stage.cloud.clock.advance(timedelta(hours=2))
    reported = [*await running, *await others[0]]
    assert results([one for one in reported if not one.repeat]) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 10


async def _all_of(run: Any) -> list[FleetOutcome]:
    return [one async for one in run]


async def test_a_worker_with_an_expired_lease_continues_if_no_other_took_its_devices(
    stage: Stage, pausing: Pausing
) -> None:
    first = Frozen(stage, fleet(50))
    await first.take(3)
    await pausing.pause()
    pausing.resume()
    await first.rest()
    assert results(first.outcomes) == all_of(fleet(50), FleetResult.SUCCEEDED)


async def test_devices_that_a_new_run_released_are_sent_once(
    stage: Stage, pausing: Pausing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a worker is paused after claiming, another worker starts a new run and sends the devices."""
    go_on = asyncio.Event()
    store = stage.session._engine.store
    pace = store.pace

    async def slow(account: str | None) -> None:
        await go_on.wait()
        await pace(account)

    with monkeypatch.context() as patch:
        patch.setattr(store, "pace", slow)
        first = asyncio.create_task(stage.all(fleet(30)))
        await asyncio.sleep(0.3)
        await pausing.pause()
    second = await stage.all(fleet(30))
    pausing.resume()
    go_on.set()
    # The first worker sees the outcomes reported by the second as repeats of an earlier run.
    found = [one for one in [*await first, *second] if not one.repeat]
    assert results(found) == all_of(fleet(30), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 30


async def test_devices_whose_batch_was_released_while_it_was_about_to_be_sent_are_sent_once(stage: Stage) -> None:
    """While the store is away, all leases expire. Then a new worker may be faster than the old ones."""
    kept = stage.outcomes.inbox.ledger

    class Released:
        keys: ClassVar[list[str]] = []

        async def change(self, place: Place, batch: str, *, state: BatchState, **more: Any) -> BatchRecord:
            if state is BatchState.SENDING and not self.keys:
                self.keys.append(batch)
                record = await kept.batch(place, batch)
                assert record is not None
                items = [item async for item in items_of((record.rows or b"").split(b"\n"))]
                assert await kept.release(place, batch, fence=record.fence, keys=ledger._keys_of(items))
            return await kept.change(place, batch, state=state, **more)

    source: Any = Outcomes(Tampered(stage.outcomes.inbox, Released()))
    run = stage.session.devices.activate_all(fleet(30), source, run="spring", devices_per_request=10, **OPTIONS)
    assert results([one async for one in run]) == all_of(fleet(30), FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 30


async def test_a_request_whose_batch_was_released_meanwhile_is_not_sent_again(stage: Stage) -> None:
    """A new run with `retry=[UNKNOWN]` considered this worker dead."""
    kept = stage.outcomes.inbox.ledger

    class Released:
        async def change(self, place: Place, batch: str, *, fence: int, state: BatchState, **more: Any) -> BatchRecord:
            if state is BatchState.ACCEPTED:
                assert await kept.release(place, batch, fence=fence, keys=[])
            return await kept.change(place, batch, fence=fence, state=state, **more)

    source: Any = Outcomes(Tampered(stage.outcomes.inbox, Released()))
    run = stage.session.devices.activate_all(fleet(3), source, run="spring", **OPTIONS)
    assert [one async for one in run] == []
    assert len(stage.sent) == 3


async def test_an_answer_after_a_takeover_is_recorded_for_the_new_worker(stage: Stage, pausing: Pausing) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    stage.cloud.faults.add("devices.activate", Delay(1.5))
    first = asyncio.create_task(stage.all(fleet(10)))
    await until(lambda: len(requests(stage.cloud)) == 1)
    await pausing.pause()
    second = asyncio.create_task(stage.all(fleet(10), timeout=timedelta(seconds=4)))
    await asyncio.sleep(0.5)
    pausing.resume()
    place = Place(run="spring", worker="a")
    await stage.outcomes.inbox.ledger.look(place)
    (noted,) = await stage.outcomes.inbox.ledger.batches(place)
    async with asyncio.timeout(10):
        while noted.state is not BatchState.ACCEPTED:
            await asyncio.sleep(0.05)
            (noted,) = await stage.outcomes.inbox.ledger.batches(place)
    stage.cloud.clock.advance(timedelta(hours=2))
    assert results(await second) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert await first == []


class Late:
    """A ledger whose leases are answered late."""

    def __init__(self, inbox: Inbox) -> None:
        self._ledger = inbox.ledger

    async def lease(self, *about: Any, **more: Any) -> Joined:
        joined = await self._ledger.lease(*about, **more)
        await asyncio.sleep(0.2)
        return joined


@asynccontextmanager
async def joined(inbox: Any) -> AsyncIterator[ledger.Part]:
    part = ledger.Part(inbox, "spring", "activation", items_of, give_up_after=60.0)
    async with part.joined(lambda _: asyncio.sleep(0)):
        yield part


async def hold(part: ledger.Part, number: int = 1) -> ledger.Batch:
    """Claim a batch that is being sent."""
    batch = ledger.Batch()
    (row,) = [row_of(device) for device in fleet(1, number)]
    await part.claim(batch, [Item(row=row, whole=number, keys=(-number,))], 10)
    batch.pack([row])
    part.hold(batch)
    assert await part.begin(batch)
    return batch


async def test_outcomes_from_before_a_takeover_are_repeats_even_if_the_store_answers_late(stage: Stage) -> None:
    inbox = stage.outcomes.inbox
    async with joined(inbox) as first:
        batch = await hold(first)
        assert await first.note(batch, BatchState.ACCEPTED, "its request")
    async with joined(Tampered(inbox, Late(inbox))) as second:
        (record,) = [one async for one in second.every()]
        reported_at = datetime.now(UTC)
        adopted = await second.adopt(record)
    assert adopted is not None
    assert adopted.repeats_until is not None
    assert adopted.repeats_until >= reported_at


async def test_a_worker_that_has_just_joined_keeps_its_devices(stage: Stage) -> None:
    inbox = stage.outcomes.inbox
    async with joined(inbox) as first, joined(inbox) as second:
        await hold(second)
        assert await first.earlier() == []


async def test_a_full_worker_does_not_take_over_batches_without_a_free_slot(
    stage: Stage, pausing: Pausing, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stage.session._engine.store
    go_on = asyncio.Event()

    async def slow(_: str | None) -> None:
        await go_on.wait()

    monkeypatch.setattr(store, "pace", slow)
    place = Place(run="spring", worker="a")

    async def batches(count: int) -> list[BatchRecord]:
        async with asyncio.timeout(20):
            while True:
                if await stage.outcomes.inbox.ledger.look(place):
                    found = await stage.outcomes.inbox.ledger.batches(place)
                    if len(found) >= count:
                        return found
                await asyncio.sleep(0.02)

    claimed = asyncio.create_task(stage.all(fleet(50), in_flight=5))
    await batches(5)
    full = asyncio.create_task(stage.all(fleet(60), in_flight=1))
    await batches(6)
    await pausing.pause()
    await asyncio.sleep(0.3)
    owners = Counter(one.worker for one in await batches(6))
    assert sorted(owners.values()) == [1, 5]
    pausing.resume()
    go_on.set()
    assert results([*await claimed, *await full]) == all_of(fleet(60), FleetResult.SUCCEEDED)


async def test_batches_of_a_worker_that_has_just_joined_are_not_those_of_an_earlier_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    kept, joined = stage.outcomes.inbox.ledger, list[asyncio.Task[list[FleetOutcome]]]()

    class Slow:
        listings = 0

        async def batches(self, place: Place, **about: Any) -> list[BatchRecord]:
            self.listings += 1
            if self.listings == 2:  # The first one prepares the run.
                joined.append(asyncio.create_task(stage.all(fleet(10))))
                await until(lambda: bool(stage.cloud.late_requests))
                await asyncio.sleep(0.1)
                monkeypatch.setattr(running, "_HELP_INTERVAL", 0.05)
            return await kept.batches(place, **about)

    monkeypatch.setattr(running, "_HELP_INTERVAL", 100)  # So that the first worker does not see the second one earlier.
    source: Any = Outcomes(Tampered(stage.outcomes.inbox, Slow()))
    first = asyncio.create_task(
        _all_of(stage.session.devices.activate_all([], source, run="spring", devices_per_request=10, **OPTIONS))
    )
    await until(lambda: bool(stage.cloud.late_requests))
    await asyncio.sleep(0.3)
    stage.cloud.clock.advance(timedelta(hours=2))
    assert results(await joined[0]) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert await first == []


# One after another


async def test_new_devices_are_sent_before_earlier_outcomes_are_replayed(stage: Stage) -> None:
    await stage.all(fleet(30))
    sent: list[int] = []
    outcomes: list[FleetOutcome] = []
    async with aclosing(stage.activate([*fleet(30), *fleet(10, first=100)])) as coming:
        async for outcome in coming:
            outcomes.append(outcome)
            sent.append(len(requests(stage.cloud)))
    assert [one.repeat for one in outcomes].count(True) == 30
    assert set(sent) == {4}


async def test_earlier_outcomes_are_not_yielded_without_replay(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status(400), after=1)
    await stage.all(fleet(30), in_flight=1)
    outcomes = await stage.all([*fleet(30), *fleet(10, first=100)], replay=False)
    assert results(outcomes) == all_of(fleet(10, first=100), FleetResult.SUCCEEDED)
    assert len(await stage.all([])) == 40


async def test_outcomes_not_yielded_before_are_yielded_even_without_replay(stage: Stage) -> None:
    async with aclosing(stage.activate(fleet(30), in_flight=1)) as coming:
        await anext(coming)
    outcomes = await stage.all(fleet(30), replay=False)
    assert results(outcomes) == all_of(fleet(30), FleetResult.SUCCEEDED)


async def test_failed_devices_are_sent_again_on_request(stage: Stage) -> None:
    active = fleet(2, first=3)
    await stage.all(active, run="before")
    stage.cloud.faults.add("devices.activate", Status(400), after=1)
    first = await stage.all(fleet(20), in_flight=1)
    failed = [one.device for one in first if one.result is FleetResult.FAILED]
    assert len(failed) == 12
    again = await stage.all(fleet(20), retry=[FleetResult.FAILED])
    assert results(again) == all_of(fleet(20), FleetResult.SUCCEEDED) | all_of(active, FleetResult.FAILED)
    assert {one.device for one in again if not one.repeat} == set(failed)
    assert len(stage.sent) == 2 + 20 + 12
    assert results(await stage.all(fleet(20))) == results(again)


async def test_missing_and_unknown_devices_are_sent_again_on_request(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Reset(), after=1)
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    first = await stage.all(fleet(20), in_flight=1, timeout=NEVER)
    assert results(first) == all_of(fleet(10), FleetResult.MISSING) | all_of(fleet(10, first=10), FleetResult.UNKNOWN)
    again = await stage.all(fleet(20), timeout=NEVER, retry=[FleetResult.UNKNOWN])
    assert results(again) == all_of(fleet(20), FleetResult.MISSING)
    assert len(requests(stage.cloud)) == 3
    await stage.all(fleet(20), timeout=NEVER, retry=[FleetResult.MISSING])
    assert len(requests(stage.cloud)) == 5


# A store that lost data


async def test_a_store_reset_to_an_earlier_state_ends_the_run_and_gets_the_sent_batches_again() -> None:
    async with MemoryInbox() as inbox, staged(inbox) as stage:
        await _lose_the_run(inbox, stage)


async def _lose_the_run(inbox: MemoryInbox, stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    run = asyncio.create_task(stage.all(fleet(200), in_flight=2))
    await until(lambda: len(requests(stage.cloud)) > 3)
    await asyncio.sleep(0.1)
    kept: Any = inbox.ledger
    kept._kept().clear()
    sent = len(requests(stage.cloud))
    with pytest.raises(errors.RunLost):
        await run
    assert len(requests(stage.cloud)) <= sent + 2  # The batches that were being sent.
    stage.cloud.clock.advance(timedelta(hours=2))
    stage.cloud.assumptions = Assumptions(request_time=timedelta(seconds=0.05))
    assert results(await stage.all(fleet(200))) == all_of(fleet(200), FleetResult.SUCCEEDED)
    assert len(stage.accepted) == len(set(stage.accepted)) == 200


class PutBackSlowly:
    """A ledger that takes long to get a batch back."""

    def __init__(self, inbox: Inbox) -> None:
        self._ledger = inbox.ledger
        self.got_one = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def put_back(self, *about: Any, **more: Any) -> None:
        await self._ledger.put_back(*about, **more)
        self.got_one.set()
        await self.goes_on.wait()


async def test_an_answer_that_arrives_while_a_lost_run_is_written_back_is_written_back_too() -> None:
    async with MemoryInbox() as inbox:
        with pytest.raises(errors.RunLost):
            await _answered_meanwhile(inbox)
        async with joined(inbox) as later:
            found = {(record.state, record.detail) for record in await later.earlier()}
        assert found == {(BatchState.ACCEPTED, "first request"), (BatchState.ACCEPTED, "second request")}


async def _answered_meanwhile(inbox: MemoryInbox) -> None:
    slow = PutBackSlowly(inbox)
    async with joined(Tampered(inbox, slow)) as part:
        batches = [await hold(part, number) for number in (1, 2)]
        kept: Any = inbox.ledger
        kept._kept().clear()
        first = asyncio.create_task(part.note(batches[0], BatchState.ACCEPTED, "first request"))
        await slow.got_one.wait()
        second = asyncio.create_task(part.note(batches[1], BatchState.ACCEPTED, "second request"))
        await asyncio.sleep(0.05)
        slow.goes_on.set()
        await asyncio.wait([first, second])
        assert isinstance(first.exception(), errors.RunLost)
        await second


async def test_a_run_waits_while_the_store_is_unreachable(stage: Stage) -> None:
    class Unreliable:
        reachable = True

        def recover(self) -> None:
            self.reachable = True

        def __getattr__(self, name: str) -> Any:
            if name in ("claim", "change", "lease", "batches", "batch"):

                async def work(*about: Any, **more: Any) -> Any:
                    if not self.reachable:
                        raise errors.InboxUnavailable("the server is unreachable")
                    return await getattr(stage.outcomes.inbox.ledger, name)(*about, **more)

                return work
            raise AttributeError(name)

    store = Unreliable()
    source: Any = Outcomes(Tampered(stage.outcomes.inbox, store))
    stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
    run = stage.session.devices.activate_all(
        fleet(100), source, run="spring", devices_per_request=10, in_flight=2, **OPTIONS
    )
    outcomes = [await anext(run)]
    store.reachable = False
    asyncio.get_running_loop().call_later(0.5, store.recover)
    outcomes += [one async for one in run]
    assert results(outcomes) == all_of(fleet(100), FleetResult.SUCCEEDED)


# Status


async def test_runs_and_their_state_are_listed_without_joining_them(stage: Stage) -> None:
    inbox = stage.outcomes.inbox
    assert await fleet_runs(inbox) == []
    assert await fleet_status(inbox, "spring") is None
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    run = asyncio.create_task(stage.all(fleet(15)))
    await until(lambda: len(stage.cloud.late_requests) == 2)
    await asyncio.sleep(0.1)
    status = await fleet_status(inbox, "spring")
    assert status is not None
    assert (status.operation, status.workers, status.finished) == ("devices.activate", 1, False)
    assert status.batches == {BatchState.ACCEPTED: 2}
    assert status.devices == {BatchState.ACCEPTED: 15}
    stage.cloud.clock.advance(timedelta(hours=2))
    await run
    status = await fleet_status(inbox, "spring")
    assert status is not None
    assert (status.workers, status.finished) == (0, True)
    assert status.devices == {BatchState.FINISHED: 15}
    assert [(one.name, one.operation) for one in await fleet_runs(inbox)] == [("spring", "devices.activate")]
    seen = await inbox.ledger.look(Place(run="spring", worker="a"))
    assert seen is not None
    assert WorkerState.FINISHED in {one.state for one in seen.workers}


async def test_a_run_that_was_left_is_not_finished(stage: Stage) -> None:
    async with aclosing(stage.activate(fleet(30), in_flight=1)) as coming:
        await anext(coming)
    status = await fleet_status(stage.outcomes.inbox, "spring")
    assert status is not None
    assert (status.workers, status.finished) == (0, False)


async def test_a_run_without_claims_is_forgotten(stage: Stage) -> None:
    assert await stage.all([]) == []
    assert await fleet_runs(stage.outcomes.inbox) == []
