"""Time limits and connections: `timeout` bounds one exchange and `deadline` the whole call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import aiohttp
import pytest

from tests.session.checks import raises
from tests.session.fake import (
    ACCOUNT,
    BAD_BEARER,
    LOG_IN,
    NAME,
    TOKEN,
    Call,
    Link,
    Platform,
    after,
    answer,
    say_nothing,
)
from thingspace_async import Session
from thingspace_async._core import engine
from thingspace_async.errors import AnswerTimedOut, ConfigurationError, RequestNotSent, ServerFault, ThingSpaceError

THING = "/m2m/v1/things"
POST_THING = f"POST /api{THING}"
PATIENCE = 3.0
"""Seconds allowed for a call whose own limit is a fraction of a second, even on a busy machine."""


class Busy:
    """Count the requests in progress on the platform at the same time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = self.most = 0

    async def __call__(self, call: Call, link: Link) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        await answer(200, {"accountName": NAME})(call, link)


async def _fails_soon(kind: type[ThingSpaceError], call: Awaitable[Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        with raises(kind):
            await call


# A deadline


async def test_a_token_server_that_hangs_ends_a_call_at_its_deadline(
    monkeypatch: pytest.MonkeyPatch, session: Session, platform: Platform
) -> None:
    """`timeout` alone does not: other calls wait for a token fetch too, so it has the limits of the session."""
    monkeypatch.setattr(engine, "_LEAVE_WITHIN", 0.2)
    platform.expire_bearer()
    platform.on(ACCOUNT, answer(401, BAD_BEARER))
    platform.always(TOKEN, say_nothing)
    limited = session.with_options(timeout=0.1, retries=0, deadline=0.3)
    with pytest.raises(ThingSpaceError):
        async with asyncio.timeout(PATIENCE):
            await limited.accounts.get(NAME)


async def test_a_deadline_of_one_call_does_not_end_the_token_fetch_of_others(
    session: Session, platform: Platform
) -> None:
    await session.log_out()
    gate = asyncio.Event()
    platform.tokens.add("hush-late")
    platform.on(LOG_IN, after(gate, answer(200, {"sessionToken": "hush-late"})))
    patient = asyncio.create_task(session.accounts.get(NAME))
    try:
        await platform.until_seen(LOG_IN, 2)
        await _fails_soon(RequestNotSent, session.with_options(deadline=0.1).accounts.get(NAME))
    finally:
        gate.set()
    assert (await patient).account_name == NAME
    assert platform.count(LOG_IN) == 2


async def test_a_deadline_that_ends_during_an_exchange_leaves_the_outcome_unknown(
    session: Session, platform: Platform
) -> None:
    platform.on(POST_THING, say_nothing)
    await _fails_soon(AnswerTimedOut, session.with_options(deadline=0.1).request("POST", THING))


async def test_a_deadline_that_ends_between_tries_raises_the_last_failure(session: Session, platform: Platform) -> None:
    platform.always(ACCOUNT, answer(503, b"", {"Retry-After": "20"}))
    await _fails_soon(ServerFault, session.with_options(deadline=0.2).accounts.get(NAME))
    assert platform.count(ACCOUNT) == 1


async def test_a_deadline_bounds_the_wait_for_a_connection(platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(ACCOUNT, after(gate, answer(200, {})))
    async with platform.session(connections=1) as session:
        first = asyncio.create_task(session.accounts.get(NAME))
        try:
            await platform.until_seen(ACCOUNT)
            await _fails_soon(RequestNotSent, session.with_options(deadline=0.1).request("POST", THING))
        finally:
            gate.set()
        await first
    assert platform.count(POST_THING) == 0


async def test_a_session_has_a_deadline_for_all_its_calls(platform: Platform) -> None:
    async with platform.session(deadline=1.0) as session:
        platform.on(POST_THING, say_nothing)
        await _fails_soon(AnswerTimedOut, session.request("POST", THING))


@pytest.mark.parametrize("deadline", [0, -1, True, "1", float("inf"), float("nan")])
async def test_a_deadline_that_is_not_a_positive_number_is_refused(
    session: Session, platform: Platform, deadline: Any
) -> None:
    with raises(ConfigurationError) as caught:
        platform.session(deadline=deadline)
    assert "deadline" in str(caught)
    with raises(ConfigurationError):
        session.with_options(deadline=deadline)


# A timeout


async def test_the_wait_for_a_connection_does_not_count_towards_the_timeout(platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(ACCOUNT, after(gate, answer(200, {})))
    async with platform.session(connections=1, retries=0) as session:
        first = asyncio.create_task(session.with_options(timeout=30).accounts.get(NAME))
        await platform.until_seen(ACCOUNT)
        second = asyncio.create_task(session.with_options(timeout=1.0).request("POST", THING))
        await asyncio.sleep(1.3)
        gate.set()
        await asyncio.wait([first, second])
        assert (await second).status == 200
    assert platform.count(POST_THING) == 1


@pytest.mark.parametrize("passed_in", ["client_session", "connector"])
async def test_closing_one_session_leaves_the_limits_of_others_on_its_connections(
    platform: Platform, passed_in: str
) -> None:
    platform.on(POST_THING, say_nothing)
    connector = aiohttp.TCPConnector()
    async with aiohttp.ClientSession(connector=connector) as client:
        shared: dict[str, Any] = {passed_in: client if passed_in == "client_session" else connector}
        async with platform.session(**shared) as other:
            async with platform.session(**shared):
                pass
            await _fails_soon(AnswerTimedOut, other.with_options(timeout=0.2).request("POST", THING))


async def test_a_call_that_outlives_the_session_on_a_clients_connection_keeps_its_limit(platform: Platform) -> None:
    """Closing used to stop the shared timer of all calls, including calls in progress."""
    platform.always(POST_THING, say_nothing)
    async with aiohttp.ClientSession() as client:
        session = await platform.session(client_session=client).open()
        call = asyncio.create_task(session.with_options(timeout=0.4).request("POST", THING))
        await platform.until_seen(POST_THING)
        await session.close()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ThingSpaceError):
                await call


async def test_two_exchanges_in_one_task_both_keep_their_limits(platform: Platform) -> None:
    """A client's middleware may use the session. The outer exchange used to lose its limit when the inner one ended."""
    inner: list[Session] = []

    async def nested(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if request.url.path == f"/api{THING}":
            await inner[0].accounts.get(NAME)
        return await handler(request)

    platform.on(POST_THING, say_nothing)
    async with (
        aiohttp.ClientSession(middlewares=[nested]) as client,
        platform.session(client_session=client) as session,
    ):
        inner.append(session)
        await _fails_soon(AnswerTimedOut, session.with_options(timeout=0.5).request("POST", THING))


async def test_a_middleware_that_turns_a_timeout_into_an_error_leaves_its_task_uncancelled(platform: Platform) -> None:
    async def disguise(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        try:
            return await handler(request)
        except asyncio.CancelledError:
            raise aiohttp.ClientError("given up") from None

    platform.on(POST_THING, say_nothing)
    async with (
        aiohttp.ClientSession(middlewares=[disguise]) as client,
        platform.session(client_session=client) as session,
    ):
        with pytest.raises(ThingSpaceError):
            await session.with_options(timeout=0.2).request("POST", THING)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


# Connections


async def test_a_session_keeps_its_limit_on_connections_even_if_its_client_allows_more(platform: Platform) -> None:
    busy = Busy(0.05)
    platform.always(ACCOUNT, busy)
    async with aiohttp.ClientSession() as client, platform.session(client_session=client, connections=5) as session:
        await asyncio.gather(*(session.accounts.get(NAME) for _ in range(30)))
    assert busy.most == 5


async def test_waiting_for_a_connectors_limit_for_each_host_is_not_connecting(platform: Platform) -> None:
    gate = asyncio.Event()
    platform.always(POST_THING, after(gate, answer(200, {})))
    async with (
        aiohttp.TCPConnector(limit_per_host=2) as connector,
        platform.session(connector=connector, connect_timeout=0.5, retries=0) as session,
    ):
        calls = [asyncio.create_task(session.request("POST", THING)) for _ in range(4)]
        await platform.until_seen(POST_THING)
        await asyncio.sleep(0.8)
        gate.set()
        await asyncio.wait(calls)
        assert [(await call).status for call in calls] == [200] * 4
