"""Closing: calls in progress end with SessionClosed, never with an unrequested CancelledError."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.session.checks import raises
from tests.session.fake import (
    ACCOUNT,
    BAD_BEARER,
    LOG_IN,
    LOG_OUT,
    NAME,
    TOKEN,
    Platform,
    after,
    answer,
    head,
    say_nothing,
)
from thingspace_async import Environment
from thingspace_async._core import engine
from thingspace_async.errors import SessionClosed

THING = "/m2m/v1/things"
POST_THING = f"POST /api{THING}"


class Names(AbstractResolver):
    """Resolve each name to this machine. Once stuck, never answer."""

    def __init__(self) -> None:
        self.stuck = False
        self.asked = asyncio.Event()

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        if self.stuck:
            self.asked.set()
            await asyncio.Event().wait()
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0),
        ]

    async def close(self) -> None:
        """Do nothing: nothing is open."""


async def test_a_call_that_waits_for_dns_ends_with_session_closed(platform: Platform) -> None:
    names = Names()
    connector = aiohttp.TCPConnector(resolver=names, use_dns_cache=False, force_close=True)
    here = Environment.at(f"http://localhost:{platform.port}")
    async with connector:
        session = await platform.session(connector=connector, environment=here, connections=2).open()
        names.stuck = True
        call = asyncio.create_task(session.accounts.get(NAME))
        await names.asked.wait()
        names.stuck = False
        await session.close()
        async with asyncio.timeout(3):
            with raises(SessionClosed):
                await call


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Make sessions that create their own pool use this resolver."""
    found = Names()

    class Connector(aiohttp.TCPConnector):
        def __init__(self, **options: Any) -> None:
            # With its cache on, aiohttp resolves names in tasks of its own and cancels them when the pool closes.
            super().__init__(**options, resolver=found, ttl_dns_cache=0, force_close=True)

    monkeypatch.setattr(aiohttp, "TCPConnector", Connector)
    return found


async def test_a_call_that_waits_for_dns_of_the_sessions_own_pool_ends_with_session_closed(
    platform: Platform, names: Names
) -> None:
    """aiohttp cancels the lookups of a closed pool, so that its callers get a bare CancelledError."""
    here = Environment.at(f"http://localhost:{platform.port}")
    session = await platform.session(environment=here, log_out="never").open()
    names.stuck = True
    call = asyncio.create_task(session.accounts.get(NAME))
    await names.asked.wait()
    await session.close()
    with raises(SessionClosed):
        await call


async def test_calls_that_wait_for_a_connection_end_with_session_closed(platform: Platform) -> None:
    platform.always(ACCOUNT, say_nothing)
    session = await platform.session(connections=1).open()
    calls = [asyncio.create_task(session.accounts.get(NAME)) for _ in range(5)]
    await platform.until_seen(ACCOUNT)
    await session.close()
    async with asyncio.timeout(3):
        for call in calls:
            with raises(SessionClosed):
                await call


async def test_a_task_group_reports_that_its_session_was_closed(platform: Platform, names: Names) -> None:
    """A task group ignores a task that ends with a CancelledError."""
    here = Environment.at(f"http://localhost:{platform.port}")
    session = await platform.session(environment=here, log_out="never").open()
    names.stuck = True

    async def close_in_a_group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(session.accounts.get(NAME))
            await names.asked.wait()
            await session.close()

    with pytest.raises(ExceptionGroup) as caught:
        await close_in_a_group()
    assert [type(error) for error in caught.value.exceptions] == [SessionClosed]


async def test_the_error_of_a_call_cut_off_by_closing_names_the_call_and_not_the_token(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_LEAVE_WITHIN", 0.2)
    session = await platform.session().open()
    platform.expire_bearer()
    platform.on(ACCOUNT, answer(401, BAD_BEARER))
    platform.on(TOKEN, say_nothing)
    call = asyncio.create_task(session.accounts.get(NAME))
    await platform.until_seen(TOKEN, 2)
    await session.close()
    with raises(SessionClosed) as caught:
        await call
    assert "oauth.token" not in str(caught)
    assert "accounts.get" in str(caught)


async def test_a_second_close_waits_for_the_first(platform: Platform) -> None:
    gate = asyncio.Event()
    session = await platform.session().open()
    platform.on(LOG_OUT, after(gate, answer(200, {})))
    first = asyncio.create_task(session.close())
    await platform.until_seen(LOG_OUT)
    second = asyncio.create_task(session.close())
    await asyncio.sleep(0.05)
    returned_early = second.done()
    gate.set()
    await second
    closed = repr(session)
    await first
    assert not returned_early
    assert closed.endswith("closed>")
    assert platform.count(LOG_OUT) == 1


async def test_a_second_close_that_is_cancelled_does_not_disturb_the_first(platform: Platform) -> None:
    gate = asyncio.Event()
    session = await platform.session().open()
    platform.on(LOG_OUT, after(gate, answer(200, {})))
    first = asyncio.create_task(session.close())
    await platform.until_seen(LOG_OUT)
    second = asyncio.create_task(session.close())
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.wait([second])
    still_closing = not first.done()
    gate.set()
    await first
    assert second.cancelled()
    assert still_closing


@pytest.mark.parametrize("key", [TOKEN, LOG_IN])
@pytest.mark.parametrize("rounds", range(6))
async def test_a_session_can_be_opened_after_its_opening_was_cancelled_twice(
    platform: Platform, key: str, rounds: int
) -> None:
    platform.on(key, say_nothing)
    session = platform.session()
    opening = asyncio.create_task(session.open())
    await platform.until_seen(key)
    opening.cancel()
    for _ in range(rounds):
        await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with session:
        assert (await session.accounts.get(NAME)).account_name == NAME


# An idle keep-alive connection that holds data or a FIN that the event loop has not read yet


def _idle_socket(platform: Platform) -> Any:
    """Return the server's end of the connection that the next call will use."""
    (link,) = platform.links
    return link.writer.get_extra_info("socket")


async def test_an_unsafe_call_does_not_take_an_answer_that_arrived_before_it(platform: Platform) -> None:
    stale = b'{"stale": true}'
    async with platform.session() as session:
        await session.request("POST", THING)
        os.write(_idle_socket(platform).fileno(), head(200, len(stale), {}) + stale)
        answered = await session.request("POST", THING)
        await session.request("POST", THING)
    assert b"stale" not in answered.body
    assert platform.count(POST_THING) == 3


async def test_an_unsafe_call_is_sent_on_a_new_connection_if_the_idle_one_was_closed(platform: Platform) -> None:
    async with platform.session() as session:
        await session.request("POST", THING)
        # Through a duplicate socket: uvloop's transports do not expose one that can be shut down.
        with socket.socket(fileno=os.dup(_idle_socket(platform).fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)
        assert (await session.request("POST", THING)).status == 200
    assert platform.count(POST_THING) == 2
