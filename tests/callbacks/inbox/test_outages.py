"""Inboxes on a database server that stops, for each kind of server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import timedelta

import pytest

from tests.callbacks.inbox.claiming import join
from tests.callbacks.inbox.making import activated, devices, taken
from tests.callbacks.inbox.served import OUTAGES, Server, ServerKind, received_status, shorten_intervals
from thingspace_async.callbacks import waking
from thingspace_async.errors import InboxUnavailable


@pytest.fixture(params=OUTAGES, ids=str)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ServerKind:
    chosen: ServerKind = request.param
    shorten_intervals(monkeypatch, chosen)
    return chosen


@pytest.fixture
def server(kind: ServerKind) -> Iterator[Server]:
    """Start a separate server, which the test stops."""
    with kind.start() as started:
        yield started


async def test_the_receiver_answers_503_during_an_outage_and_200_afterwards(
    kind: ServerKind, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with kind.inbox(server.url) as inbox:
        assert await received_status(inbox, 0) == 200
        server.stop()
        assert await received_status(inbox, 1) == 503
        assert f"the inbox inbox in {kind.name} failed: " in caplog.text
        assert "it cannot be reached: check that it" in caplog.text
        reading = devices(inbox.read()), inbox.kept(), inbox.ledger.runs()
        for use in (*reading, inbox.prune(timedelta(0)), join(inbox.ledger, "one")):
            with pytest.raises(InboxUnavailable, match="cannot be reached"):
                await use
        server.start()
        assert await received_status(inbox, 1) == 200
        assert await devices(inbox.read()) == [0, 1]


async def test_a_receiver_starts_during_an_outage(
    kind: ServerKind, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.stop()
    async with kind.inbox(server.url) as inbox:
        assert ("cannot be reached" in caplog.text) == kind.connects_when_opened
        assert await received_status(inbox, 0) == 503
        server.start()
        assert await received_status(inbox, 0) == 200


async def test_each_caller_gets_an_error_of_its_own_if_a_batch_fails(kind: ServerKind, server: Server) -> None:
    async with kind.inbox(server.url) as inbox:
        server.stop()
        storing = (inbox.store(activated(number)) for number in range(50))
        results = await asyncio.gather(*storing, return_exceptions=True)
        assert {type(result) for result in results} == {InboxUnavailable}
        assert len({id(result) for result in results}) == 50


async def test_a_follower_gets_messages_that_were_stored_before_it_reconnected(
    kind: ServerKind, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with kind.inbox(server.url) as inbox, aclosing(inbox.follow("request")) as following:
        async with kind.inbox(server.url) as another:
            assert await another.store(activated(0))
            waiting = asyncio.create_task(taken(following, 3))
            for number, how in enumerate(kind.stops, 1):
                await asyncio.sleep(0.2)
                server.stop(how)
                await asyncio.sleep(0.2)
                server.start()
                assert await another.store(activated(number))
        assert await asyncio.wait_for(waiting, 60) == [0, 1, 2]
    assert f"followers wait until {kind.name} is reachable again" in caplog.text
    assert f"the inbox inbox in {kind.name} is reachable again" in caplog.text


async def test_a_follower_that_reads_during_an_outage_waits(kind: ServerKind, server: Server) -> None:
    async with kind.inbox(server.url) as inbox, aclosing(inbox.follow("request")) as following:
        await inbox.store(activated(0))
        assert await taken(following, 1) == [0]
        server.stop()
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0)
        inbox._followers.wake_all()  # It reads, and gets the error.
        await asyncio.sleep(0.2)
        assert not waiting.done()
        server.start()
        assert await inbox.store(activated(1))
        assert await asyncio.wait_for(waiting, 60) == [1]


async def test_a_follower_that_starts_during_an_outage_waits_if_the_server_has_answered_before(
    kind: ServerKind, server: Server
) -> None:
    async with kind.inbox(server.url) as inbox, aclosing(inbox.follow("another")) as following:
        await inbox.store(activated(0, requestId="another"))
        assert await taken(following, 1) == [0]
        server.stop()
        async with aclosing(inbox.follow("request")) as starting:
            waiting = asyncio.create_task(taken(starting, 1))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            server.start()
            async with kind.inbox(server.url) as other:
                assert await other.store(activated(1))
                assert await asyncio.wait_for(waiting, 60) == [1]


async def test_a_follower_gives_up_after_a_long_outage(
    kind: ServerKind, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "_LONGEST_OUTAGE", 0.3)
    async with kind.inbox(server.url) as inbox, aclosing(inbox.follow("request")) as following:
        await inbox.store(activated(0))
        assert await taken(following, 1) == [0]
        server.stop()
        with pytest.raises(InboxUnavailable, match=rf"{kind.name} has been unreachable for more than 0\.3 s"):
            await asyncio.wait_for(taken(following, 1), 60)
