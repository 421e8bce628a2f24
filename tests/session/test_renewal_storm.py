"""Tokens that are revoked while many calls are in progress: the calls succeed, and logins stay few."""

from __future__ import annotations

import asyncio

import pytest

from tests.session.fake import ACCOUNT, BAD_BEARER, EXPIRED, LOG_IN, NAME, TOKEN, Call, Link, Platform, answer
from thingspace_async import Session
from thingspace_async.errors import BadRequest, Unauthorized


@pytest.fixture(autouse=True)
async def _plain_loop() -> None:
    asyncio.get_running_loop().set_debug(False)  # Debug mode makes each request take 3 ms.


async def storm(platform: Platform, session: Session, *, calls: int, revoke_at: set[int]) -> int:
    """Make calls at once, revoke the OAuth token at the numbered requests, and count the successes.

    Revocations are triggered by request counts, not by time, so that a busy machine sees the same storm. The token is
    checked 20 ms after a request arrived, so that a revocation hits all calls in progress together.
    """
    arrived = 0

    async def account(call: Call, link: Link) -> None:
        nonlocal arrived
        arrived += 1
        if arrived in revoke_at:
            platform.expire_bearer()
        await asyncio.sleep(0.02)
        usable = call.bearer in platform.bearers
        await (answer(200, {"accountName": NAME}) if usable else answer(401, BAD_BEARER))(call, link)

    platform.always(ACCOUNT, account)
    results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(calls)), return_exceptions=True)
    assert arrived > max(revoke_at), "the storm ended before its last revocation"
    return sum(not isinstance(result, BaseException) for result in results)


async def test_five_hundred_calls_survive_two_revocations(platform: Platform, session: Session) -> None:
    assert await storm(platform, session, calls=500, revoke_at={150, 450}) == 500
    assert platform.count(LOG_IN) == 1
    assert platform.count(TOKEN) == 3


async def test_nearly_all_of_five_hundred_calls_survive_five_revocations(platform: Platform, session: Session) -> None:
    assert await storm(platform, session, calls=500, revoke_at={50, 180, 310, 440, 570}) >= 490
    assert platform.count(LOG_IN) == 1


async def test_calls_that_wait_for_a_connection_carry_the_newest_token(platform: Platform) -> None:
    """Each call takes its token after it has its connection."""
    async with platform.session(connections=1) as session:
        gate, old = asyncio.Event(), set(platform.bearers)

        async def first(call: Call, link: Link) -> None:
            await gate.wait()
            platform.expire_bearer()
            await answer(401, BAD_BEARER)(call, link)

        platform.on(ACCOUNT, first)
        calls = [asyncio.create_task(session.accounts.get(NAME)) for _ in range(20)]
        await platform.until_seen(ACCOUNT)
        gate.set()
        await asyncio.gather(*calls)
        with_old = [call for call in platform.seen(ACCOUNT) if call.bearer in old]
    assert platform.count(TOKEN) == 2
    assert len(with_old) <= 2


@pytest.mark.parametrize("calls", [1, 100])
async def test_a_bearer_that_is_always_rejected_ends_in_unauthorized(
    platform: Platform, session: Session, calls: int
) -> None:
    platform.always(ACCOUNT, answer(401, BAD_BEARER))
    results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(calls)), return_exceptions=True)
    assert {type(result) for result in results} == {Unauthorized}
    assert platform.count(LOG_IN) == 1
    assert platform.count(TOKEN) <= 3


async def test_a_session_token_that_is_always_rejected_costs_one_login(platform: Platform, session: Session) -> None:
    platform.always(ACCOUNT, answer(401, EXPIRED))
    results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(100)), return_exceptions=True)
    assert {type(result) for result in results} == {Unauthorized}
    assert platform.count(LOG_IN) == 2  # One to open the session, and one more.


async def test_late_rejections_cost_no_further_login(platform: Platform) -> None:
    """With few connections, the rejections arrive one after the other, each for the newest token."""
    async with platform.session(connections=5) as session:
        platform.always(ACCOUNT, answer(400, EXPIRED))
        results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(100)), return_exceptions=True)
    assert {type(result) for result in results} == {BadRequest}
    assert platform.count(LOG_IN) == 2


async def test_a_session_that_expired_before_its_first_call_is_renewed(platform: Platform, session: Session) -> None:
    platform.expire_session()
    platform.expire_bearer()
    assert await session.accounts.get(NAME)
    assert (platform.count(TOKEN), platform.count(LOG_IN)) == (2, 2)
