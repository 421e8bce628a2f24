"""Opening and leaving: nothing stays open, and the exception of the body takes precedence."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from tests.session.checks import raises
from tests.session.fake import (
    ACCOUNT,
    DEVICES,
    EXPIRED,
    LOG_IN,
    LOG_OUT,
    NAME,
    TOKEN,
    Answer,
    Platform,
    after,
    answer,
    hang_up,
    raw,
    say_nothing,
)
from thingspace_async import ThingSpaceError
from thingspace_async._core import engine
from thingspace_async.errors import LoginRefused, ServerFault, SessionClosed, SessionMisused


class BodyError(Exception):
    """An exception of the user's code."""


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_leaving_logs_out_once(platform: Platform, caplog: pytest.LogCaptureFixture) -> None:
    async with platform.session() as session:
        (token,) = platform.tokens
    assert [call.token for call in platform.seen(LOG_OUT)] == [token]
    assert platform.tokens == set()
    assert session._engine.login.session.held is None
    assert session._engine.login.oauth.held is None
    await session.close()
    await session.close()
    assert platform.count(LOG_OUT) == 1
    assert _warnings(caplog) == []


async def test_open_and_close_work_without_async_with(platform: Platform) -> None:
    session = platform.session()
    assert await session.open() is session
    await session.accounts.get(NAME)
    await session.close()
    assert platform.count(LOG_OUT) == 1


async def test_a_sessions_repr_says_whether_it_is_open(platform: Platform) -> None:
    session = platform.session()
    assert repr(session) == f"<Session at {platform.url}, new>"
    async with session:
        assert repr(session) == f"<Session at {platform.url}, open>"
    assert repr(session) == f"<Session at {platform.url}, closed>"


async def test_a_session_opens_nothing_before_it_is_opened(platform: Platform) -> None:
    platform.session()
    assert platform.calls == []


# Opening that fails


async def test_everything_is_closed_when_the_login_fails(platform: Platform) -> None:
    platform.on(LOG_IN, answer(500, b"<html>down</html>"))
    session = platform.session()
    with raises(ServerFault):
        await session.open()
    await platform.until_alone()
    with raises(SessionClosed):
        await session.accounts.get(NAME)
    assert platform.count(LOG_OUT) == 0


async def test_opening_may_be_retried_after_a_failure(platform: Platform) -> None:
    platform.on(LOG_IN, answer(500, b"<html>down</html>"))
    session = platform.session()
    with raises(ServerFault):
        await session.open()
    async with session:
        assert await session.accounts.get(NAME)
    with raises(SessionMisused):
        await session.open()


async def test_a_session_closed_while_it_opens_leaves_nothing_on_the_platform(platform: Platform) -> None:
    gate = asyncio.Event()
    session = platform.session()
    platform.tokens.add("hush-late")
    platform.on(LOG_IN, after(gate, answer(200, {"sessionToken": "hush-late"})))
    opening = asyncio.create_task(session.open())
    await platform.until_seen(LOG_IN)
    closing = asyncio.create_task(session.close())
    await asyncio.sleep(0.02)
    gate.set()
    await closing
    with pytest.raises(SessionClosed, match="closed while it was opening"):
        await opening
    assert platform.count(LOG_OUT) == 1
    await platform.until_alone()


async def test_everything_is_closed_when_the_password_is_wrong(platform: Platform) -> None:
    with raises(LoginRefused):
        async with platform.session(password="wrong"):
            pytest.fail("the body must not run")
    await platform.until_alone()


@pytest.mark.parametrize("key", [TOKEN, LOG_IN])
async def test_everything_is_closed_when_opening_is_cancelled(platform: Platform, key: str) -> None:
    platform.always(key, say_nothing)
    session = platform.session()
    opening = asyncio.create_task(session.open())
    await platform.until_seen(key)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await platform.until_alone()
    with raises(SessionClosed):
        await session.accounts.get(NAME)
    assert platform.count(key) == 1


async def test_everything_is_closed_when_opening_takes_too_long(platform: Platform) -> None:
    platform.on(LOG_IN, say_nothing)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), platform.session():
            pytest.fail("the body must not run")
    await platform.until_alone()


async def test_closing_while_opening_leaves_nothing_open(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_LEAVE_WITHIN", 0.2)
    gate = asyncio.Event()
    platform.on(LOG_IN, after(gate, answer(200, {"sessionToken": "hush-late"})))
    session = platform.session()
    opening = asyncio.create_task(session.open())
    await platform.until_seen(LOG_IN)
    await session.close()
    gate.set()
    with pytest.raises(ThingSpaceError):
        await opening
    await platform.until_alone()
    with raises(SessionClosed):
        await session.accounts.get(NAME)


async def test_closing_just_as_the_login_is_answered_leaves_no_platform_session(platform: Platform) -> None:
    """The answer has arrived, but the task that waits for it has not run yet."""
    session = platform.session()
    opening = asyncio.create_task(session.open())
    await platform.until_seen(LOG_IN)
    while not platform.tokens:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
        if session._engine.state != "opening":
            break
    await session.close()
    await asyncio.wait([opening])
    assert session._engine.state == "closed"
    if opening.exception() is None:
        assert platform.tokens == set()


# Leaving that fails


@pytest.mark.parametrize("failure", [answer(500, b"down"), hang_up, raw(b"junk"), answer(200, b"<html>")])
async def test_a_failed_logout_only_causes_a_warning(
    platform: Platform, caplog: pytest.LogCaptureFixture, failure: Answer
) -> None:
    platform.always(LOG_OUT, failure)
    async with platform.session() as session:
        await session.accounts.get(NAME)
    (warning,) = _warnings(caplog)
    assert "logging out failed" in warning
    assert "20 minutes" in warning
    assert platform.count(LOG_OUT) <= 2


async def test_the_bodys_exception_takes_precedence_and_carries_a_note(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.on(LOG_OUT, answer(500, {"errorCode": "X", "errorMessage": "cannot"}))
    with pytest.raises(BodyError) as caught:
        async with platform.session():
            raise BodyError("mine")
    assert caught.value.__notes__ == ["thingspace_async: logging out failed too: [500] session.log_out: cannot (X)"]
    assert caught.value.__cause__ is None
    assert _warnings(caplog) == []


async def test_the_bodys_exception_is_unchanged_when_the_logout_works(platform: Platform) -> None:
    with pytest.raises(BodyError) as caught:
        async with platform.session():
            raise BodyError("mine")
    assert not hasattr(caught.value, "__notes__")
    assert platform.count(LOG_OUT) == 1


async def test_the_warning_and_the_note_do_not_show_the_token(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    async with platform.session():
        (token,) = platform.tokens
        platform.on(LOG_OUT, answer(500, {"errorCode": "X", "errorMessage": f"cannot end {token}"}))
    (warning,) = _warnings(caplog)
    assert "cannot end" in warning
    assert token not in warning


@pytest.mark.parametrize("status", [400, 403])
async def test_leaving_a_session_that_has_expired_logs_nothing(
    platform: Platform, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    platform.on(LOG_OUT, answer(status, EXPIRED))
    async with platform.session():
        pass
    assert _warnings(caplog) == []
    assert (platform.count(LOG_IN), platform.count(LOG_OUT)) == (1, 1)


async def test_a_logout_that_hangs_is_abandoned(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert engine._LEAVE_WITHIN == 5.0
    monkeypatch.setattr(engine, "_LEAVE_WITHIN", 0.2)
    platform.on(LOG_OUT, say_nothing)
    async with platform.session():
        started = time.monotonic()
    assert 0.15 < time.monotonic() - started < 1
    (warning,) = _warnings(caplog)
    assert "no answer within 0.2 s" in warning
    await platform.until_alone()


async def test_a_logout_whose_token_fetch_hangs_is_abandoned(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_LEAVE_WITHIN", 0.2)
    async with platform.session():
        platform.expire_bearer()
        platform.on(TOKEN, say_nothing)
    await platform.until_alone()


async def test_cancellation_while_leaving_propagates_and_closes(platform: Platform) -> None:
    platform.on(LOG_OUT, say_nothing)

    async def work() -> None:
        async with platform.session():
            pass

    task = asyncio.create_task(work())
    await platform.until_seen(LOG_OUT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await platform.until_alone()


async def test_a_cancelled_body_logs_out_and_stays_cancelled(platform: Platform) -> None:
    async def work() -> None:
        async with platform.session():
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await platform.until_seen(LOG_IN)
    while not platform.tokens:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert platform.count(LOG_OUT) == 1
    assert platform.tokens == set()


async def test_a_session_without_a_token_sends_no_logout(platform: Platform) -> None:
    async with platform.session() as session:
        await session.log_out()
    assert (platform.count(LOG_OUT), platform.count(LOG_IN)) == (1, 1)


# Calls in progress when the session closes


async def test_calls_in_progress_end_when_the_session_closes(platform: Platform) -> None:
    session = await platform.session().open()
    platform.always(ACCOUNT, say_nothing)
    calls = [asyncio.create_task(session.accounts.get(NAME)) for _ in range(3)]
    platform.always("POST /api/m2m/v1/x", say_nothing)
    once = asyncio.create_task(session.request("POST", "/m2m/v1/x"))
    await platform.until_seen(ACCOUNT, 3)
    await platform.until_seen("POST /api/m2m/v1/x")
    await session.close()
    for call in calls:
        with raises(SessionClosed):
            await call
    with raises(SessionClosed) as caught:
        await once
    assert "whether the platform acted on it is unknown" in str(caught)
    assert platform.count(ACCOUNT) == 3


async def test_no_call_starts_while_the_session_closes(platform: Platform) -> None:
    gate = asyncio.Event()
    session = await platform.session().open()
    platform.on(LOG_OUT, after(gate, answer(200, {})))
    closing = asyncio.create_task(session.close())
    await platform.until_seen(LOG_OUT)
    with raises(SessionClosed):
        await session.accounts.get(NAME)
    gate.set()
    await closing
    assert platform.count(ACCOUNT) == 0


async def test_a_call_during_the_logout_does_not_log_in_again(platform: Platform) -> None:
    """Its token ended because the session is closing. Another login would leave a session on the platform."""
    answered, ended = asyncio.Event(), asyncio.Event()
    session = await platform.session().open()
    platform.on(ACCOUNT, after(answered, answer(400, EXPIRED)))
    platform.on(LOG_OUT, after(ended, answer(200, {})))
    call = asyncio.create_task(session.accounts.get(NAME))
    await platform.until_seen(ACCOUNT)
    closing = asyncio.create_task(session.close())
    await platform.until_seen(LOG_OUT)
    answered.set()
    await asyncio.wait([call], timeout=0.1)
    ended.set()
    await closing
    with pytest.raises(ThingSpaceError):
        await call
    assert platform.count(LOG_IN) == 1


async def test_a_login_in_progress_when_the_session_closes_leaves_no_platform_session(platform: Platform) -> None:
    gate = asyncio.Event()
    session = await platform.session().open()
    platform.expire_session()
    platform.on(LOG_IN, after(gate, answer(200, {"sessionToken": "hush-late"})))
    call = asyncio.create_task(session.accounts.get(NAME))
    await platform.until_seen(LOG_IN, 2)
    platform.tokens.add("hush-late")
    closing = asyncio.create_task(session.close())
    await asyncio.sleep(0.02)
    gate.set()
    await closing
    await asyncio.wait([call])
    call.exception()
    assert [sent.token for sent in platform.seen(LOG_OUT)] == ["hush-late"]


async def test_two_concurrent_closes_log_out_once(platform: Platform) -> None:
    session = await platform.session().open()
    await asyncio.gather(session.close(), session.close(), session.close())
    assert platform.count(LOG_OUT) == 1


async def test_a_prefetched_page_ends_with_the_session(platform: Platform) -> None:
    def page(number: int) -> Answer:
        return answer(202, {"devices": [{"extendedAttributes": [{"key": "DeviceId", "value": str(number)}]}]})

    platform.on(DEVICES, page(1), say_nothing)
    async with platform.session() as session:
        walk = session.devices.list()
        await anext(walk)
        await platform.until_seen(DEVICES, 2)
    with raises(SessionClosed):
        async for _ in walk:
            pytest.fail("there is no second device")


async def test_leaving_an_iteration_early_cancels_the_prefetch(platform: Platform) -> None:
    def page(number: int) -> Answer:
        return answer(202, {"devices": [{"extendedAttributes": [{"key": "DeviceId", "value": str(number)}]}] * 2})

    async with platform.session() as session:
        platform.on(DEVICES, page(1), say_nothing)
        walk = session.devices.list()
        async for _ in walk:
            await platform.until_seen(DEVICES, 2)
            break
        await walk.aclose()
        assert not session._engine._tasks
        await session.accounts.get(NAME)
