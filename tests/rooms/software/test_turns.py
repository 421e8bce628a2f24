"""The turn to send a request: other workers, crashed ones, and inboxes in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from thingspace_async import errors
from thingspace_async._core import joining
from thingspace_async._core.ledger import BatchState, Place, WorkerState
from thingspace_async.callbacks import MemoryInbox
from thingspace_async.software import turns
from thingspace_async.software.turns import Turn

RUN = "software.upgrade a spring"
ABOUT = "software.upgrade 123"


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PAUSE", 0.005)
    monkeypatch.setattr(joining, "_FIRST_PAUSE", 0.005)


@pytest.fixture
async def inbox() -> AsyncIterator[MemoryInbox]:
    async with MemoryInbox() as inbox:
        yield inbox


def turn_of(inbox: MemoryInbox, description: str = ABOUT) -> Turn:
    return Turn(inbox, RUN, description, give_up_after=60)


async def crash(inbox: MemoryInbox, state: BatchState, detail: str = "", *, seconds: float = 0.0) -> None:
    """Leave the record of a worker that holds the turn, whose lease ends after some seconds."""
    turn = turn_of(inbox)
    async with turn.held():
        await turn.note(state, detail)
        place = turn._place
        turn._place = Place(run=RUN, worker="")  # So that it does not leave.
    await inbox.ledger.lease(place, description=ABOUT, state=WorkerState.WORKING, seconds=seconds)


async def test_a_worker_waits_for_an_earlier_one_and_then_gets_its_campaign(inbox: MemoryInbox) -> None:
    first, second = turn_of(inbox), turn_of(inbox)

    async def wait() -> str | None:
        async with second.held():
            return second.campaign_id

    async with first.held():
        waiting = asyncio.create_task(wait())
        assert await first.begin()
        await asyncio.sleep(0.03)
        assert not waiting.done()
        assert await first.note(BatchState.ACCEPTED, "c1")
    async with asyncio.timeout(10):
        assert await waiting == "c1"


async def test_a_turn_ends_the_wait_of_others_as_soon_as_the_request_is_accepted(inbox: MemoryInbox) -> None:
    first, second = turn_of(inbox), turn_of(inbox)
    async with first.held(), asyncio.timeout(10):
        await first.note(BatchState.ACCEPTED, "c1")
        async with second.held():
            assert second.campaign_id == "c1"


async def test_the_next_worker_knows_that_a_crashed_one_may_have_sent_the_request(inbox: MemoryInbox) -> None:
    sent_at = datetime(2026, 1, 15, 12, tzinfo=UTC)
    await crash(inbox, BatchState.SENDING, sent_at.isoformat(), seconds=0.05)
    for _ in range(2):  # The time of the first attempt stays.
        turn = turn_of(inbox)
        async with turn.held(), asyncio.timeout(10):
            assert turn.sent_at == sent_at
            assert turn.campaign_id is None
            await turn.note_lost("it was lost")
            assert turn.sent_at == sent_at
            assert abs(turn.now - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize("state", [BatchState.CLAIMED, BatchState.NOT_SENT, BatchState.REFUSED])
async def test_a_request_that_was_not_sent_leaves_no_record(inbox: MemoryInbox, state: BatchState) -> None:
    await crash(inbox, state)
    turn = turn_of(inbox)
    async with turn.held():
        assert turn.sent_at is None
    assert await inbox.ledger.runs() == []


async def test_a_worker_whose_turn_was_taken_over_must_not_send(inbox: MemoryInbox) -> None:
    slow, other = turn_of(inbox), turn_of(inbox)
    async with slow.held():
        await slow.note(BatchState.CLAIMED)
        await inbox.ledger.lease(slow._place, description=ABOUT, state=WorkerState.LEFT, seconds=0)
        async with other.held():
            assert not await slow.begin()
            assert await other.begin()


async def test_a_worker_that_claims_too_late_must_not_send(inbox: MemoryInbox) -> None:
    slow, other = turn_of(inbox), turn_of(inbox)
    async with slow.held():
        await inbox.ledger.lease(slow._place, description=ABOUT, state=WorkerState.LEFT, seconds=0)
        async with other.held():
            assert await other.begin()
            assert not await slow.begin()


async def test_another_request_under_the_name_is_refused(inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    async with turn_of(inbox).held():
        other = turn_of(inbox, "software.upgrade 456")
        with pytest.raises(errors.InvalidRequest, match="was begun with other options"):
            await other.held().__aenter__()

        async def look(_: Place) -> None:
            """Return as if the run did not exist yet."""

        monkeypatch.setattr(inbox.ledger, "look", look)
        with pytest.raises(errors.InvalidRequest, match="was begun with other options"):
            await other.held().__aenter__()


def failing(work: Callable[..., Any], times: int) -> Callable[..., Any]:
    """Return a method of a store that fails some times."""
    left = times

    async def fail(*given: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise errors.InboxUnavailable("away")
        return await work(*given, **named)

    return fail


async def test_an_inbox_that_is_briefly_away_is_waited_for(inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("look", "lease", "claim", "change", "batch"):
        monkeypatch.setattr(inbox.ledger, name, failing(getattr(inbox.ledger, name), 2))
    turn = turn_of(inbox)
    async with turn.held():
        assert await turn.begin()


async def test_an_inbox_that_stays_away_is_an_error(inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE", 0.02)
    turn = turn_of(inbox)
    async with turn.held():
        monkeypatch.setattr(inbox.ledger, "claim", failing(inbox.ledger.claim, 999))
        with pytest.raises(errors.InboxUnavailable, match="away"):
            await turn.begin()


async def test_an_inbox_that_is_away_at_the_start_is_waited_for_longer_and_said_once(
    inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(turns, "_PATIENCE", 0.0)
    monkeypatch.setattr(inbox.ledger, "look", failing(inbox.ledger.look, 4))
    async with turn_of(inbox).held():
        pass
    assert [one.getMessage() for one in caplog.records] == [f"the run {RUN} waits until its inbox can be used: away"]


async def test_an_inbox_that_someone_must_repair_is_an_error_at_once(
    inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: object, **__: object) -> None:
        raise errors.InboxUnusable("damaged")

    monkeypatch.setattr(joining, "_FIRST_PAUSE", 60)
    monkeypatch.setattr(turns, "_PAUSE", 60)
    turn = turn_of(inbox)
    async with asyncio.timeout(30), turn.held():
        monkeypatch.setattr(inbox.ledger, "claim", break_down)
        with pytest.raises(errors.InboxUnusable):
            await turn.begin()
    monkeypatch.setattr(inbox.ledger, "look", break_down)
    with pytest.raises(errors.InboxUnusable):
        await turn_of(inbox).held().__aenter__()


async def test_lost_changes_are_an_error_at_once(inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    async def change(*_: object, **__: object) -> None:
        raise errors.RunLost("lost")

    turn = turn_of(inbox)
    async with turn.held():
        monkeypatch.setattr(inbox.ledger, "change", change)
        with pytest.raises(errors.RunLost):
            await turn.begin()


async def test_the_lease_is_renewed_although_the_inbox_fails_once(
    inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_LEASE", 0.03)
    turn, watching = turn_of(inbox), Place(run=RUN, worker="watching")
    async with turn.held():
        monkeypatch.setattr(inbox.ledger, "lease", failing(inbox.ledger.lease, 1))
        await asyncio.sleep(0.2)
        joined = await inbox.ledger.look(watching)
        assert joined is not None
        counter = watching.counter
        await asyncio.sleep(0.1)
        await inbox.ledger.look(watching)
        assert watching.counter > counter
