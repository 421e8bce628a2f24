"""Inboxes on a database server: promises beyond those of every inbox, for each kind of server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.callbacks.inbox.making import activated, devices, store_many, taken
from tests.callbacks.inbox.served import REDIS, SHARED, ServerKind
from tests.redis.servers import RedisServer
from thingspace_async.callbacks.served_inbox import ServedInbox
from thingspace_async.errors import InboxUnavailable


@pytest.fixture(params=SHARED, ids=str)
def kind(request: pytest.FixtureRequest) -> ServerKind:
    chosen: ServerKind = request.param
    return chosen


@pytest.fixture
def url(request: pytest.FixtureRequest, kind: ServerKind) -> str:
    """Empty the shared server, and return its URL."""
    if kind is not REDIS:
        return str(request.getfixturevalue("postgres"))
    server: RedisServer = request.getfixturevalue("redis_server")
    server.empty()
    return server.url


@pytest.fixture
async def inbox(kind: ServerKind, url: str) -> AsyncIterator[ServedInbox[Any]]:
    async with kind.inbox(url) as opened:
        yield opened


async def test_many_followers_share_few_connections(kind: ServerKind, url: str, inbox: ServedInbox[Any]) -> None:
    async with kind.inbox(url) as another, asyncio.TaskGroup() as waiting:
        following = [inbox.follow(f"request {number}") for number in range(300)]
        taking = [waiting.create_task(taken(one, 1)) for one in following]
        await asyncio.gather(*(another.store(activated(number, request=f"request {number}")) for number in range(300)))
        assert await asyncio.gather(*taking) == [[number] for number in range(300)]
        for one in following:
            await one.aclose()


async def test_the_oldest_messages_are_removed_if_there_are_more_than_keep(kind: ServerKind, url: str) -> None:
    async with kind.inbox(url, keep=10) as inbox:
        for number in range(25):
            assert await inbox.store(activated(number))
        await asyncio.gather(*(inbox.store(activated(number)) for number in range(25, 50)))
        assert sorted(await devices(inbox.read())) == list(range(40, 50))
        assert len(await devices(inbox.read(request_id="request"))) == 10
        assert not await inbox.store(activated(49, callbackCount=2))
        assert await inbox.store(activated(0, callbackCount=2)), "its first attempt is no longer kept"


@pytest.mark.parametrize(("most", "count"), [(1, 130), (1000, 230), (3000, 230)])
async def test_reading_in_pages_skips_and_repeats_nothing(
    inbox: ServedInbox[Any], monkeypatch: pytest.MonkeyPatch, most: int, count: int
) -> None:
    monkeypatch.setattr(sys.modules[type(inbox).__module__], "BYTES_AT_ONCE", most)
    storing = [inbox.store(activated(number), service="even" if number % 2 == 0 else "odd") for number in range(count)]
    await asyncio.gather(*storing)
    for request_id in (None, "request"):
        assert await devices(inbox.read(request_id=request_id)) == list(range(count))
        assert await devices(inbox.read(request_id=request_id, service="even")) == list(range(0, count, 2))


async def test_closing_stores_queued_messages(inbox: ServedInbox[Any]) -> None:
    storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(500)]
    await asyncio.sleep(0)
    await inbox.close()
    assert await asyncio.gather(*storing) == [True] * 500


async def test_a_closed_inbox_sends_nothing(inbox: ServedInbox[Any]) -> None:
    await inbox.close()
    for use in (inbox.ledger.runs(), inbox.ledger.forget("run"), inbox.kept()):
        with pytest.raises(InboxUnavailable, match="is not open"):
            await use


@pytest.mark.slow
async def test_each_of_30_000_messages_in_random_order_with_repeats_is_stored_once(inbox: ServedInbox[Any]) -> None:
    await store_many(inbox, 30_000)
