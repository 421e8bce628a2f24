"""Tests of the rules for a `LedgerStore`."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final

import attrs

from thingspace_async._core.ledger import (
    BatchRecord,
    BatchState,
    Claim,
    Item,
    Joined,
    LedgerStore,
    Place,
    WorkerState,
)
from thingspace_async.errors import InvalidRequest, RunLost
from thingspace_async.testing.running import OpenInbox, raises, runs_tests

__all__ = ["DurableLedgerTests", "LedgerTests"]

NEW, REPEAT, CLASH = Claim.NEW, Claim.REPEAT, Claim.CLASH
LONG: Final = 60.0
"""Seconds of a lease that does not run out during a test."""


def _key(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), signed=True)


def _device(*names: str) -> Item:
    """Return an item with these identifiers."""
    return Item(_key(" ".join(names)), tuple(map(_key, names)), f'["{" ".join(names)}"]'.encode())


def _devices(numbers: Iterable[int]) -> list[Item]:
    return [_device(f"imei {number}", f"iccid {number}") for number in numbers]


def _keys(*items: Item) -> list[int]:
    return [key for item in items for key in (item.whole, *item.keys)]


def _rows(*items: Item) -> bytes:
    return b"\n".join(item.row for item in items)


async def _join(
    ledger: LedgerStore, worker: str, run: str = "run", *, description: str = "activate", seconds: float = LONG
) -> Place:
    place = Place(run, worker)
    await ledger.lease(place, description=description, state=WorkerState.WORKING, seconds=seconds)
    return place


async def _claim(
    ledger: LedgerStore, place: Place, batch: str, items: Sequence[Item], *, size: int = 0, most: int = 10_000
) -> list[Claim] | None:
    return await ledger.claim(place, batch, items, size=size, most=most, seconds=LONG)


async def _change(
    ledger: LedgerStore, place: Place, batch: str, fence: int, state: BatchState, *, detail: str = "", worker: str = ""
) -> BatchRecord:
    return await ledger.change(place, batch, fence=fence, worker=worker or place.worker, state=state, detail=detail)


async def _stop(ledger: LedgerStore, place: Place, state: WorkerState = WorkerState.LEFT) -> Joined:
    return await ledger.lease(place, description="", state=state, seconds=LONG)


async def _found(ledger: LedgerStore, place: Place, batch: str) -> BatchRecord:
    found = await ledger.batch(place, batch)
    assert found is not None
    return found


def _names(joined: Joined | None) -> list[str]:
    assert joined is not None
    return [worker.name for worker in joined.workers]


@runs_tests
class LedgerTests:
    """Tests for `Inbox.ledger`. STORES.md explains the rules."""

    # Leases

    async def test_the_first_worker_creates_the_run(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = Place("run", "one")
            joined = await inbox.ledger.lease(place, description="activate", state=WorkerState.JOINING, seconds=LONG)
            assert joined.description == "activate"
            assert [(one.name, one.state, one.alive) for one in joined.workers] == [("one", WorkerState.JOINING, True)]
            assert place.id
            assert place.counter > 0
            assert joined.now.utcoffset() == timedelta(0)

    async def test_workers_are_listed_in_the_order_of_joining(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as other:
            places = [await _join(inbox.ledger, "z"), await _join(other.ledger, "a", description="another")]
            places.append(await _join(inbox.ledger, "m"))
            joined = await _stop(other.ledger, places[0], WorkerState.WORKING)
            assert joined.description == "activate", "the first worker's description is kept"
            assert _names(joined) == ["z", "a", "m"]
            assert all(worker.alive for worker in joined.workers)
            assert len({place.id for place in places}) == 1

    async def test_a_worker_is_dead_once_its_lease_has_run_out(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            living = await _join(inbox.ledger, "living")
            dead = await _join(inbox.ledger, "dead", seconds=0.02)
            await asyncio.sleep(0.05)
            joined = await _stop(inbox.ledger, living, WorkerState.WORKING)
            assert [(one.name, one.alive) for one in joined.workers] == [("living", True), ("dead", False)]
            assert joined.workers[1].state is WorkerState.WORKING
            joined = await _stop(inbox.ledger, dead, WorkerState.WORKING)
            assert joined.workers[1].alive, "the paused worker renewed its lease"

    async def test_a_worker_that_has_finished_or_left_has_no_lease_and_stays_listed(
        self, open_inbox: OpenInbox
    ) -> None:
        async with open_inbox() as inbox:
            one, two, three = [await _join(inbox.ledger, name) for name in ("one", "two", "three")]
            await _stop(inbox.ledger, one, WorkerState.FINISHED)
            await _stop(inbox.ledger, two, WorkerState.LEFT)
            joined = await _stop(inbox.ledger, three, WorkerState.WORKING)
            assert [(worker.state, worker.alive) for worker in joined.workers] == [
                (WorkerState.FINISHED, False),
                (WorkerState.LEFT, False),
                (WorkerState.WORKING, True),
            ]

    async def test_a_lease_whose_answer_was_lost_can_be_requested_again(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            first, again = await _join(inbox.ledger, "one"), await _join(inbox.ledger, "one")
            assert first.id == again.id
            assert _names(await inbox.ledger.look(again)) == ["one"]

    async def test_a_run_without_live_workers_restarts_and_keeps_its_batches(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            dead, left = await _join(inbox.ledger, "dead"), await _join(inbox.ledger, "left")
            await _claim(inbox.ledger, dead, "batch", _devices([1]))
            await inbox.ledger.lease(dead, description="", state=WorkerState.WORKING, seconds=0.02)
            await _stop(inbox.ledger, left)
            await asyncio.sleep(0.05)
            place = Place("run", "new")
            joined = await inbox.ledger.lease(place, description="other", state=WorkerState.JOINING, seconds=LONG)
            assert joined.description == "activate"
            assert _names(joined) == ["new"]
            assert place.id == dead.id
            (kept,) = await inbox.ledger.batches(place)
            assert (kept.key, kept.worker) == ("batch", "dead")
            assert await _claim(inbox.ledger, place, "another", _devices([1, 2])) == [REPEAT, NEW]
            assert _names(await _stop(inbox.ledger, dead, WorkerState.WORKING)) == ["new", "dead"]

    async def test_an_expired_worker_continues_if_no_other_has_joined(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            # Joining drops expired workers: the first lease must last until the second worker has joined.
            other = await _join(inbox.ledger, "other", seconds=0.5)
            place = await _join(inbox.ledger, "one", seconds=0.5)
            await asyncio.sleep(0.6)
            assert _names(await _stop(inbox.ledger, place, WorkerState.WORKING)) == ["other", "one"]
            assert other.id == place.id

    async def test_looking_at_a_run_changes_nothing(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            watching = Place("run", "")
            assert await inbox.ledger.look(watching) is None
            assert (watching.id, await inbox.ledger.runs()) == ("", [])
            place = await _join(inbox.ledger, "one")
            await _claim(inbox.ledger, place, "batch", _devices([1]))
            for _ in range(2):
                joined = await inbox.ledger.look(watching)
                assert _names(joined) == ["one"]
                assert watching == Place("run", "", place.id, place.counter)
            assert [batch.key for batch in await inbox.ledger.batches(watching)] == ["batch"]

    # Claims

    async def test_a_device_is_claimed_once(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as other:
            one, two = await _join(inbox.ledger, "one"), await _join(other.ledger, "two")
            assert await _claim(inbox.ledger, one, "a", _devices([1, 2])) == [NEW, NEW]
            assert await _claim(other.ledger, two, "b", _devices([2, 3, 3])) == [REPEAT, NEW, REPEAT]
            assert await _claim(inbox.ledger, one, "a", _devices([3, 1]), size=2) == [REPEAT, REPEAT]
            assert (await _found(other.ledger, two, "a")).rows == _rows(*_devices([1, 2]))
            assert (await _found(inbox.ledger, one, "b")).rows == _rows(*_devices([3]))

    async def test_a_device_that_shares_an_identifier_with_another_is_a_clash(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            pair, other = _device("imei 1", "iccid 1"), _device("imei 2", "iccid 1")
            third, fourth = _device("imei 3", "iccid 2"), _device("imei 3", "iccid 3")
            assert await _claim(inbox.ledger, place, "a", [pair, other, pair, third, fourth]) == [
                NEW,
                CLASH,
                REPEAT,
                NEW,
                CLASH,
            ]
            assert await _claim(inbox.ledger, place, "b", [fourth, other, third]) == [CLASH, CLASH, REPEAT]
            free = [_device("imei 2", "iccid 9"), _device("iccid 3")]
            assert await _claim(inbox.ledger, place, "b", free) == [NEW, NEW], "a clash claims nothing"

    async def test_a_device_with_one_identifier_repeats_a_device_that_has_it(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            single = Item(_key("imei 1"), (_key("imei 1"),), b"[1]")
            assert await _claim(inbox.ledger, place, "a", [_device("imei 1", "iccid 1")]) == [NEW]
            assert await _claim(inbox.ledger, place, "a", [single], size=1) == [REPEAT]

    async def test_hashes_are_signed_64_bit_numbers(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            # Floating-point numbers could not distinguish neighbours.
            numbers = [0, -1, 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63 - 2, -(2**63), -(2**63) + 1]
            items = [Item(number, (number,), b"[]") for number in numbers]
            assert await _claim(inbox.ledger, place, "a", items) == [NEW] * len(items)
            assert await _claim(inbox.ledger, place, "b", items) == [REPEAT] * len(items)

    async def test_a_batch_takes_devices_until_it_is_full(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            assert await _claim(inbox.ledger, place, "a", _devices([1, 2]), most=3) == [NEW, NEW]
            answers = await _claim(inbox.ledger, place, "a", _devices([2, 3, 4, 5]), size=2, most=3)
            assert answers == [REPEAT, NEW]
            found = await _found(inbox.ledger, place, "a")
            assert (found.size, found.rows) == (3, _rows(*_devices([1, 2, 3])))
            assert await _claim(inbox.ledger, place, "b", _devices([4, 5])) == [NEW, NEW], "they were not claimed"

    async def test_a_claim_whose_answer_was_lost_gets_the_same_answer_again(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            items = [*_devices([1, 2]), _device("imei 1", "iccid 9"), *_devices([2, 3, 4])]
            for _ in range(2):
                assert await _claim(inbox.ledger, place, "a", items, most=3) == [NEW, NEW, CLASH, REPEAT, NEW]
            for _ in range(2):
                answers = await _claim(inbox.ledger, place, "a", _devices([3, 5, 6]), size=3, most=4)
                assert answers == [REPEAT, NEW]
            for _ in range(2):
                assert await _claim(inbox.ledger, place, "b", _devices([1, 2])) == [REPEAT, REPEAT]
            found = await _found(inbox.ledger, place, "a")
            assert (found.size, found.rows) == (4, _rows(*_devices([1, 2, 3, 5])))

    async def test_a_claim_without_new_devices_creates_no_batch(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            assert await _claim(inbox.ledger, place, "a", []) == []
            assert await _claim(inbox.ledger, place, "b", _devices([1])) == [NEW]
            assert await _claim(inbox.ledger, place, "a", _devices([1])) == [REPEAT]
            assert await inbox.ledger.batch(place, "a") is None
            assert [batch.key for batch in await inbox.ledger.batches(place)] == ["b"]

    async def test_only_its_worker_adds_to_a_batch_and_only_while_it_is_claimed(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            one, two = await _join(inbox.ledger, "one"), await _join(inbox.ledger, "two")
            await _claim(inbox.ledger, one, "a", _devices([1]))
            assert await _claim(inbox.ledger, two, "a", _devices([2]), size=1) is None
            assert await _claim(inbox.ledger, two, "a", _devices([2])) is None
            assert await _claim(inbox.ledger, one, "gone", _devices([2]), size=1) is None
            await _change(inbox.ledger, one, "a", 1, BatchState.SENDING)
            assert await _claim(inbox.ledger, one, "a", _devices([2]), size=1) is None
            await _change(inbox.ledger, one, "a", 2, BatchState.CLAIMED, worker="two")
            assert await _claim(inbox.ledger, one, "a", _devices([2]), size=1) is None
            assert await _claim(inbox.ledger, two, "a", _devices([2]), size=1) == [NEW], "refused claims add nothing"

    async def test_claiming_renews_the_lease(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one", seconds=0.02)
            await asyncio.sleep(0.05)
            await _claim(inbox.ledger, place, "a", _devices([1]))
            other = Place("run", "other")
            joined = await inbox.ledger.lease(other, description="", state=WorkerState.JOINING, seconds=LONG)
            assert [(one.name, one.alive) for one in joined.workers] == [("one", True), ("other", True)]

    async def test_concurrent_workers_divide_the_devices(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as other:
            ledgers = [inbox.ledger, other.ledger] * 2
            places = [await _join(ledger, f"worker {number}") for number, ledger in enumerate(ledgers)]

            async def claim_all(number: int) -> list[int]:
                new: list[int] = []
                for start in range(0, 200, 10):
                    numbers = range(start, start + 10)
                    answers = await _claim(
                        ledgers[number], places[number], f"batch {number}", _devices(numbers), size=len(new)
                    )
                    assert answers is not None
                    new += [one for one, answer in zip(numbers, answers, strict=True) if answer is NEW]
                return new

            claimed = await asyncio.gather(*map(claim_all, range(len(ledgers))))
            assert sorted(chain.from_iterable(claimed)) == list(range(200))
            for number, own in enumerate(claimed):
                found = await inbox.ledger.batch(places[0], f"batch {number}")
                assert (None if found is None else found.rows) == (_rows(*_devices(own)) if own else None)

    async def test_a_claim_may_have_a_thousand_devices(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            for start in range(0, 10_000, 1000):
                answers = await _claim(inbox.ledger, place, "a", _devices(range(start, start + 1000)), size=start)
                assert answers == [NEW] * 1000
            assert (await _found(inbox.ledger, place, "a")).rows == _rows(*_devices(range(10_000)))
            assert await _claim(inbox.ledger, place, "b", _devices(range(0, 10_000, 10))) == [REPEAT] * 1000

    async def test_a_cancelled_claim_can_be_repeated(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            for number in range(20):
                claiming = asyncio.create_task(_claim(inbox.ledger, place, f"batch {number}", _devices([number])))
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                claiming.cancel()
                await asyncio.wait([claiming])
                assert await _claim(inbox.ledger, place, f"batch {number}", _devices([number])) == [NEW]

    # Batches

    async def test_a_batch_has_all_its_fields(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            before = await inbox.ledger.look(place)
            assert before is not None
            await _claim(inbox.ledger, place, "a", _devices([1, 2]))
            found = await _found(inbox.ledger, place, "a")
            assert before.now - timedelta(milliseconds=2) <= found.changed_at < before.now + timedelta(minutes=1)
            expected = BatchRecord(
                key="a",
                worker="one",
                fence=1,
                state=BatchState.CLAIMED,
                size=2,
                changed_at=found.changed_at,
                rows=_rows(*_devices([1, 2])),
            )
            assert found == expected
            assert await inbox.ledger.batches(place) == [attrs.evolve(expected, rows=None)]
            assert await inbox.ledger.batch(place, "b") is None

    async def test_a_change_succeeds_only_with_the_current_fence(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as other:
            one, two = await _join(inbox.ledger, "one"), await _join(other.ledger, "two")
            await _claim(inbox.ledger, one, "a", _devices([1]))
            claimed = await _found(inbox.ledger, one, "a")
            changed = await _change(inbox.ledger, one, "a", 1, BatchState.SENDING)
            assert (changed.worker, changed.fence, changed.state) == ("one", 2, BatchState.SENDING)
            assert (changed.size, changed.rows) == (1, None)
            assert changed.changed_at >= claimed.changed_at
            # A repeat, as if the answer had been lost.
            assert await _change(inbox.ledger, one, "a", 1, BatchState.SENDING) == changed
            refused = await _change(other.ledger, two, "a", 1, BatchState.SENDING)
            assert refused == changed
            taken = await _change(other.ledger, two, "a", 2, BatchState.UNKNOWN, detail='lost "é\n😀"')
            assert (taken.worker, taken.fence, taken.detail) == ("two", 3, 'lost "é\n😀"')
            assert await _change(inbox.ledger, one, "a", 2, BatchState.ACCEPTED, detail="id") == taken
            assert await _found(inbox.ledger, one, "a") == attrs.evolve(taken, rows=_rows(*_devices([1])))
            assert (await _change(other.ledger, two, "a", 3, BatchState.FINISHED)).detail == ""

    async def test_only_one_worker_adopts_a_batch(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as other:
            gone = await _join(inbox.ledger, "gone")
            ledgers = [inbox.ledger, other.ledger] * 3
            places = [await _join(ledger, f"worker {number}") for number, ledger in enumerate(ledgers)]
            for batch in range(10):
                await _claim(inbox.ledger, gone, f"batch {batch}", _devices([batch]))

            async def adopt(number: int, batch: str) -> bool:
                place = places[number]
                adopted = await _change(ledgers[number], place, batch, 1, BatchState.CLAIMED)
                return (adopted.worker, adopted.fence) == (place.worker, 2)

            for batch in range(10):
                own = [adopt(number, f"batch {batch}") for number in range(len(ledgers))]
                assert sum(await asyncio.gather(*own)) == 1

    async def test_batches_are_listed_by_key_for_all_workers_or_for_one(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            one, two = await _join(inbox.ledger, "one"), await _join(inbox.ledger, "two")
            for number in (3, 1, 4, 0, 2, 5):
                await _claim(inbox.ledger, (one, two)[number % 2], f"batch {number}", _devices([number]))
            await _change(inbox.ledger, two, "batch 0", 1, BatchState.CLAIMED)

            async def keys(**limits: Any) -> list[str]:
                return [found.key[-1] for found in await inbox.ledger.batches(one, **limits)]

            assert await keys() == ["0", "1", "2", "3", "4", "5"]
            assert await keys(limit=2) == ["0", "1"]
            assert await keys(after="batch 1", limit=3) == ["2", "3", "4"]
            assert await keys(after="batch 3x") == ["4", "5"]
            assert await keys(worker="two") == ["0", "1", "3", "5"]
            assert await keys(worker="one") == ["2", "4"]
            assert await keys(worker="two", after="batch 1", limit=1) == ["3"]
            assert await keys(worker="nobody") == []

    async def test_releasing_a_batch_removes_the_named_claims(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            items = _devices([1, 2])
            await _claim(inbox.ledger, place, "a", items)
            assert not await inbox.ledger.release(place, "a", fence=2, keys=_keys(*items))
            assert await _claim(inbox.ledger, place, "b", items) == [REPEAT, REPEAT]
            assert await inbox.ledger.release(place, "a", fence=1, keys=_keys(*items))
            assert await inbox.ledger.batches(place) == []
            assert await inbox.ledger.batches(place, worker="one") == []
            assert await _claim(inbox.ledger, place, "b", items) == [NEW, NEW]
            assert await inbox.ledger.release(place, "a", fence=1, keys=_keys(*items)), "a repeat after a lost answer"
            assert await _claim(inbox.ledger, place, "c", items) == [REPEAT, REPEAT], "claimed by another batch now"
            await _change(inbox.ledger, place, "b", 1, BatchState.NOT_SENT, detail="why")
            assert not await inbox.ledger.release(place, "b", fence=1, keys=_keys(*items))
            assert await inbox.ledger.release(place, "b", fence=2, keys=_keys(items[0]))
            assert await _claim(inbox.ledger, place, "b", items) == [NEW, REPEAT], "a batch may be created again"

    # Lost changes

    async def test_changing_a_missing_or_outdated_batch_raises_run_lost(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            await _claim(inbox.ledger, place, "a", _devices([1]))
            with raises(RunLost, "the run run"):
                await _change(inbox.ledger, place, "gone", 1, BatchState.SENDING)
            with raises(RunLost, "the run run"):
                await _change(inbox.ledger, place, "a", 2, BatchState.ACCEPTED)
            assert (await _found(inbox.ledger, place, "a")).fence == 1

    async def test_a_store_that_lost_changes_raises_run_lost(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            await _claim(inbox.ledger, place, "a", _devices([1]))
            strangers = [
                Place("run", "one", place.id, place.counter + 1),
                Place("run", "one", "another", 0),
                Place("no run", "one", place.id, 0),
            ]
            ledger = inbox.ledger
            uses: list[Callable[[Place], Any]] = [
                lambda lost: _stop(ledger, lost),
                ledger.look,
                lambda lost: _claim(ledger, lost, "b", _devices([2])),
                lambda lost: _change(ledger, lost, "a", 1, BatchState.SENDING),
                lambda lost: ledger.release(lost, "a", fence=1, keys=_keys(*_devices([1]))),
                ledger.batches,
                lambda lost: ledger.batch(lost, "a"),
            ]
            for stranger in strangers:
                before = attrs.evolve(stranger)
                for use in uses:
                    with raises(RunLost, f"the run {stranger.run}"):
                        await use(stranger)
                    assert stranger == before
            assert [(one.key, one.fence) for one in await ledger.batches(place)] == [("a", 1)]
            assert await _claim(ledger, place, "b", _devices([1, 2])) == [REPEAT, NEW]

    async def test_each_answer_updates_the_counter_of_the_place(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            one, two = await _join(inbox.ledger, "one"), await _join(inbox.ledger, "two")
            assert two.counter > one.counter
            uses: list[Callable[[], Any]] = [
                lambda: _claim(inbox.ledger, one, "a", _devices([1])),
                lambda: _change(inbox.ledger, one, "a", 1, BatchState.NOT_SENT),
                lambda: inbox.ledger.release(one, "a", fence=2, keys=_keys(*_devices([1]))),
                lambda: inbox.ledger.put_back(one, _lost_batch(), description="activate", keys=[]),
                lambda: _stop(inbox.ledger, one),
            ]
            for use in uses:
                seen = max(one.counter, two.counter)
                await use()
                assert one.counter > seen
            await inbox.ledger.look(two)
            assert two.counter == one.counter

    async def test_put_back_restores_a_lost_batch_and_its_claims(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place, keys = await _join(inbox.ledger, "one"), _keys(*_devices([1, 2]))
            record = _lost_batch()
            for _ in range(2):
                await inbox.ledger.put_back(place, record, description="activate", keys=keys)
                assert await _found(inbox.ledger, place, "lost") == record
            assert [found.key for found in await inbox.ledger.batches(place, worker="one")] == ["lost"]
            assert await _claim(inbox.ledger, place, "a", _devices([1, 2, 3])) == [REPEAT, REPEAT, NEW]
            changed = await _change(inbox.ledger, place, "lost", 2, BatchState.ACCEPTED, detail="id")
            assert (changed.fence, changed.state) == (3, BatchState.ACCEPTED)

    async def test_put_back_replaces_an_older_batch_and_keeps_a_newer_one(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place, record = await _join(inbox.ledger, "one"), _lost_batch()
            other = await _join(inbox.ledger, "other")
            await _claim(inbox.ledger, other, "lost", _devices([1, 2]))
            await inbox.ledger.put_back(place, record, description="activate", keys=_keys(*_devices([1, 2])))
            assert await _found(inbox.ledger, place, "lost") == record
            assert await inbox.ledger.batches(place, worker="other") == []
            for fence in (1, 2):
                older = attrs.evolve(record, fence=fence, state=BatchState.UNKNOWN)
                await inbox.ledger.put_back(place, older, description="activate", keys=[])
            assert await _found(inbox.ledger, place, "lost") == record

    async def test_put_back_creates_a_lost_run_again(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place, record, keys = Place("run", "one", "the id", 700), _lost_batch(), _keys(*_devices([1, 2]))
            await inbox.ledger.put_back(place, record, description="activate", keys=keys)
            assert place.id == "the id"
            assert place.counter > 700
            assert await _found(inbox.ledger, place, "lost") == record
            assert await inbox.ledger.runs() == [("run", "activate")]
            with raises(RunLost, "the run run"):
                await inbox.ledger.look(Place("run", "one", "the id", 1_000_000))
            later = Place("run", "two")
            joined = await inbox.ledger.lease(later, description="other", state=WorkerState.JOINING, seconds=LONG)
            assert (joined.description, later.id) == ("activate", "the id")
            assert await _claim(inbox.ledger, later, "b", _devices([2, 3])) == [REPEAT, NEW]

    async def test_put_back_keeps_the_id_of_a_run_that_was_created_again(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            new, lost = await _join(inbox.ledger, "new"), Place("run", "one", "the id", 700)
            keys = _keys(*_devices([1, 2]))
            await inbox.ledger.put_back(lost, _lost_batch(), description="activate", keys=keys)
            with raises(RunLost, "the run run"):
                await inbox.ledger.look(lost)
            assert await _claim(inbox.ledger, new, "b", _devices([1, 2, 3])) == [REPEAT, REPEAT, NEW]
            assert [found.key for found in await inbox.ledger.batches(new)] == ["b", "lost"]

    # Runs

    async def test_runs_with_different_names_are_independent(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            names = ["a", "A", "a b", "é/:*{}'\"", "a" * 200]
            for name in names:
                place = await _join(inbox.ledger, "one", name, description=f"of {name}")
                assert await _claim(inbox.ledger, place, "batch", _devices([1])) == [NEW]
            assert await inbox.ledger.runs() == sorted((name, f"of {name}") for name in names)

    async def test_forgetting_a_run_removes_all_its_data_and_nothing_else(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as another:
            place, other = await _join(inbox.ledger, "one"), await _join(inbox.ledger, "one", "other")
            await _claim(inbox.ledger, place, "a", _devices(range(2000)))
            await _change(inbox.ledger, place, "a", 1, BatchState.ACCEPTED)
            await _claim(inbox.ledger, place, "b", _devices([2000]))
            await _claim(inbox.ledger, other, "a", _devices([1]))
            await _stop(inbox.ledger, place)
            await inbox.ledger.forget("run")
            await another.ledger.forget("run")
            await inbox.ledger.forget("unheard of")
            assert await inbox.ledger.runs() == [("other", "activate")]
            assert await inbox.ledger.look(Place("run", "")) is None
            with raises(RunLost, "the run run"):
                await inbox.ledger.batches(place)
            again = await _join(another.ledger, "two", description="suspend")
            assert again.id != place.id
            assert await another.ledger.batches(again) == []
            assert await _claim(another.ledger, again, "a", _devices([1, 2000])) == [NEW, NEW]
            assert await _claim(inbox.ledger, other, "b", _devices([1])) == [REPEAT]

    async def test_a_run_is_not_forgotten_while_a_worker_is_alive(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            one, two = await _join(inbox.ledger, "one"), await _join(inbox.ledger, "two", seconds=0.02)
            await _claim(inbox.ledger, one, "a", _devices([1]))
            await asyncio.sleep(0.05)
            with raises(InvalidRequest, "forget_run"):
                await inbox.ledger.forget("run")
            assert [found.key for found in await inbox.ledger.batches(two)] == ["a"]
            await _stop(inbox.ledger, one, WorkerState.FINISHED)
            await inbox.ledger.forget("run")
            assert await inbox.ledger.runs() == []

    async def test_concurrent_calls_that_forget_a_run_all_succeed(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox, open_inbox() as other:
            place = await _join(inbox.ledger, "one")
            await _claim(inbox.ledger, place, "a", _devices(range(1000)))
            await _stop(inbox.ledger, place)
            await asyncio.gather(*(one.ledger.forget("run") for one in (inbox, other, inbox)))
            assert await inbox.ledger.runs() == []


def _lost_batch() -> BatchRecord:
    return BatchRecord(
        key="lost",
        worker="one",
        fence=2,
        state=BatchState.SENDING,
        size=2,
        changed_at=datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC),
        rows=_rows(*_devices([1, 2])),
    )


@runs_tests
class DurableLedgerTests(LedgerTests):
    """Tests for a store that keeps fleet runs when all inboxes are closed."""

    async def test_runs_survive_closing_all_inboxes(self, open_inbox: OpenInbox) -> None:
        async with open_inbox() as inbox:
            place = await _join(inbox.ledger, "one")
            await _claim(inbox.ledger, place, "a", _devices([1, 2]))
            changed = await _change(inbox.ledger, place, "a", 1, BatchState.SENDING)
        async with open_inbox() as inbox:
            joined = await inbox.ledger.look(place)
            assert _names(joined) == ["one"]
            assert joined is not None
            assert joined.workers[0].alive
            assert await inbox.ledger.batches(place) == [changed]
            assert await _claim(inbox.ledger, place, "b", _devices([1, 3])) == [REPEAT, NEW]
