"""The guard against lock-out: five refusals in a row lock a user, so a refused password is sent once."""

from __future__ import annotations

import asyncio

import pytest

from tests.session.checks import raises
from tests.session.fake import (
    BAD_BEARER,
    LOG_IN,
    NAME,
    RESET,
    TOKEN,
    WRONG_PASSWORD,
    Platform,
    after,
    answer,
    hang_up,
    say_nothing,
)
from thingspace_async import Secret, Session
from thingspace_async._core import guard
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    BadRequest,
    LoginRefused,
    RateLimited,
    RequestNotSent,
    ServerFault,
    Unauthorized,
)

WRONG = "hush-wrong"
OTHER = "hush-other"


async def test_a_refused_login_is_never_sent_again(platform: Platform) -> None:
    for turn in range(6):
        with raises(LoginRefused) as caught:
            async with platform.session(password=WRONG):
                pass
        assert caught.error.short_code == "INPUT_INVALID.Password.Invalid"
        assert caught.error.status == 400
        assert ("not sent again" in str(caught)) == (turn > 0)
        assert ("force=True to open()" if turn else "check username and password") in str(caught)
        assert str(caught).count("the user at the fifth refusal") + str(caught).count("lock the user") == 1
    assert platform.count(LOG_IN) == 1


async def test_twenty_sessions_at_once_with_a_wrong_password_send_it_once(platform: Platform) -> None:
    sessions = [platform.session(password=WRONG) for _ in range(20)]
    results = await asyncio.gather(*(session.open() for session in sessions), return_exceptions=True)
    assert {type(result) for result in results} == {LoginRefused}
    assert platform.count(LOG_IN) == 1


async def test_threads_with_a_wrong_password_send_it_once(platform: Platform) -> None:
    async def try_it() -> type[BaseException]:
        with raises(LoginRefused) as caught:
            await platform.session(password=WRONG).open()
        return type(caught.error)

    results = await asyncio.gather(*(asyncio.to_thread(asyncio.run, try_it()) for _ in range(5)))
    assert results == [LoginRefused] * 5
    assert platform.count(LOG_IN) == 1


async def test_another_password_another_user_and_another_host_are_not_held_back(
    platform: Platform, session: Session
) -> None:
    with raises(LoginRefused):
        await platform.session(password=WRONG).open()
    async with platform.session():
        pass
    with raises(LoginRefused):
        await platform.session(password=OTHER).open()
    assert platform.count(LOG_IN) == 4


async def test_force_sends_a_refused_password_once_more(platform: Platform) -> None:
    right = platform.password
    platform.password = "hush-not-yet"
    with raises(LoginRefused):
        await platform.session(password=right).open()
    platform.password = right
    with raises(LoginRefused):
        await platform.session(password=right).open()
    session = platform.session(password=right)
    await session.open(force=True)
    await session.close()
    assert platform.count(LOG_IN) == 2
    async with platform.session(password=right):
        assert platform.count(LOG_IN) == 3


async def test_the_refusal_says_how_to_send_the_password_again(platform: Platform) -> None:
    with raises(LoginRefused):
        await platform.session(password=WRONG).open()
    with raises(LoginRefused) as caught:
        await platform.session(password=WRONG).open()
    assert "force=True" in caught.error.message


async def test_a_password_that_is_no_longer_valid_is_sent_once_for_all_tasks(
    session: Session, platform: Platform
) -> None:
    right, platform.password = platform.password, "hush-changed-by-somebody"
    platform.expire_session()
    results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(50)), return_exceptions=True)
    assert {type(result) for result in results} == {LoginRefused}
    for _ in range(3):
        with raises(LoginRefused):
            await session.accounts.get(NAME)
    assert platform.count(LOG_IN) == 2
    with raises(LoginRefused):
        await session.log_in()
    assert platform.count(LOG_IN) == 2
    platform.password = right
    await session.log_in(force=True)
    await session.accounts.get(NAME)
    assert platform.count(LOG_IN) == 3


@pytest.mark.parametrize("kind", [str, Secret])
async def test_log_in_with_the_right_password_repairs_the_session(
    session: Session, platform: Platform, kind: type[str | Secret]
) -> None:
    platform.password = "hush-changed-by-me"
    platform.expire_session()
    with raises(LoginRefused):
        await session.accounts.get(NAME)
    result = await session.log_in(password=kind("hush-changed-by-me"))
    assert {result.session_token.reveal()} == platform.tokens
    assert session.credentials.password.reveal() == "hush-changed-by-me"
    await session.accounts.get(NAME)
    platform.expire_session()
    await session.accounts.get(NAME)


async def test_a_refused_new_password_is_not_adopted(session: Session, platform: Platform) -> None:
    with raises(LoginRefused):
        await session.log_in(password=WRONG)
    assert session.credentials.password.reveal() == platform.password
    platform.expire_session()
    await session.accounts.get(NAME)


async def test_a_password_echoed_by_its_refusal_is_redacted(session: Session, platform: Platform) -> None:
    platform.on(LOG_IN, answer(400, WRONG_PASSWORD | {"errorMessage": f"{WRONG} is not the password"}))
    with raises(LoginRefused) as caught:
        await session.log_in(password=WRONG)
    assert "is not the password" in str(caught)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
async def test_every_refusal_in_the_platforms_shape_counts(platform: Platform, status: int) -> None:
    platform.always(LOG_IN, answer(status, {"errorCode": "UnifiedWebService.Odd", "errorMessage": "no"}))
    for _ in range(2):
        with raises(LoginRefused) as caught:
            await platform.session().open()
        assert caught.error.status == status
    assert platform.count(LOG_IN) == 1


async def test_a_refused_key_does_not_count_as_a_refused_password(platform: Platform) -> None:
    platform.on(TOKEN, answer(401, {"error": "invalid_client"}))
    with raises(Unauthorized):
        await platform.session().open()
    async with platform.session():
        assert platform.count(LOG_IN) == 1


async def test_a_forbidden_token_request_does_not_count_as_a_refused_password(platform: Platform) -> None:
    platform.on(TOKEN, answer(403, {"error": "access_denied"}))
    with pytest.raises(Exception, match=r"oauth\.token") as caught:
        await platform.session().open()
    assert not isinstance(caught.value, LoginRefused)
    async with platform.session():
        assert platform.count(LOG_IN) == 1


async def test_a_token_refused_at_login_is_renewed_and_does_not_count_as_a_refused_password(platform: Platform) -> None:
    platform.on(LOG_IN, answer(401, BAD_BEARER))
    async with platform.session() as session:
        await session.accounts.get(NAME)
    assert (platform.count(TOKEN), platform.count(LOG_IN)) == (2, 2)


async def test_a_token_that_is_always_refused_at_login_does_not_cause_a_loop(platform: Platform) -> None:
    platform.always(LOG_IN, answer(401, BAD_BEARER))
    with raises(Unauthorized) as caught:
        await platform.session().open()
    assert caught.error.tries == 2
    assert (platform.count(TOKEN), platform.count(LOG_IN)) == (2, 2)
    platform.always(LOG_IN, answer(200, {"sessionToken": "hush-fine"}))
    async with platform.session():
        pass


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_login_answered_with_a_server_error_is_not_repeated(platform: Platform, status: int) -> None:
    platform.on(LOG_IN, answer(status, b""))
    with raises(ServerFault):
        await platform.session().open()
    assert platform.count(LOG_IN) == 1
    async with platform.session():
        assert platform.count(LOG_IN) == 2


async def test_a_lost_login_is_not_repeated(platform: Platform) -> None:
    platform.on(LOG_IN, hang_up)
    with raises(AnswerLost):
        await platform.session().open()
    platform.on(LOG_IN, say_nothing)
    with raises(AnswerTimedOut):
        await platform.session(timeout=0.1).open()
    assert platform.count(LOG_IN) == 2


async def test_a_throttled_login_is_repeated_and_does_not_count_as_a_refusal(platform: Platform) -> None:
    throttled = answer(429, b"", {"Retry-After": "0"})
    platform.on(LOG_IN, throttled, throttled)
    async with platform.session():
        assert platform.count(LOG_IN) == 3
    platform.on(LOG_IN, *[throttled] * 3)
    with raises(RateLimited):
        await platform.session().open()
    async with platform.session():
        pass


async def test_a_session_cancelled_while_it_waits_its_turn_lets_the_next_one_log_in(platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(LOG_IN, after(gate, answer(400, WRONG_PASSWORD)))
    first = asyncio.create_task(platform.session(password=WRONG).open())
    await platform.until_seen(LOG_IN)
    second = asyncio.create_task(platform.session(password=WRONG).open())
    third = asyncio.create_task(platform.session().open())
    await asyncio.sleep(0.02)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    gate.set()
    with raises(LoginRefused):
        await first
    await (await third).close()
    assert platform.count(LOG_IN) == 2


async def test_a_loop_that_ended_while_it_waited_its_turn_does_not_disturb_the_others(platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(LOG_IN, after(gate, answer(200, {"sessionToken": "hush-first"})))
    first = asyncio.create_task(platform.session().open())
    await platform.until_seen(LOG_IN)

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await platform.session().open()

    await asyncio.to_thread(asyncio.run, impatient())
    gate.set()
    await (await first).close()


@pytest.mark.parametrize("impatient", [True, False])
async def test_a_password_whose_logins_go_unanswered_is_not_sent_five_times(
    platform: Platform, *, impatient: bool
) -> None:
    """Each login may have been refused, and the fifth refusal locks the user."""
    platform.always(LOG_IN, say_nothing)
    for turn in range(6):
        session = platform.session(timeout=5.0 if impatient else 0.1, retries=0)
        with pytest.raises((TimeoutError, AnswerTimedOut, LoginRefused)) as caught:
            async with asyncio.timeout(0.1 if impatient else None):
                await session.open()
        assert isinstance(caught.value, LoginRefused) == (turn >= 2)
    assert "went unanswered" in str(caught.value)
    assert platform.count(LOG_IN) == 2


async def test_force_sends_a_password_that_went_unanswered(platform: Platform) -> None:
    platform.on(LOG_IN, hang_up, hang_up)
    for _ in range(2):
        with raises(AnswerLost):
            await platform.session().open()
    with raises(LoginRefused):
        await platform.session().open()
    session = await platform.session().open(force=True)
    await session.close()
    async with platform.session():
        assert platform.count(LOG_IN) == 4


async def test_a_password_that_was_accepted_once_is_sent_however_often_answers_are_lost(platform: Platform) -> None:
    async with platform.session():
        pass
    platform.on(LOG_IN, *[hang_up] * 6)
    for _ in range(6):
        with raises(AnswerLost):
            await platform.session().open()
    async with platform.session():
        assert platform.count(LOG_IN) == 8


async def test_logins_that_were_not_sent_are_not_counted(platform: Platform) -> None:
    session = platform.session(retries=0)
    await platform.stop()
    for _ in range(4):
        with raises(RequestNotSent):
            await session.open()
    await platform.start()
    async with platform.session():
        assert platform.count(LOG_IN) == 1


async def test_a_refused_old_password_is_not_sent_again_by_a_reset(session: Session, platform: Platform) -> None:
    """It is not documented whether a refused reset counts towards the lock-out, so we assume that it does."""
    platform.always(RESET, answer(400, WRONG_PASSWORD))
    with raises(BadRequest):
        await session.reset_password()
    for _ in range(5):
        with raises(LoginRefused):
            await session.reset_password()
    assert platform.count(RESET) == 1


async def test_a_reset_that_is_refused_for_another_reason_locks_nothing(session: Session, platform: Platform) -> None:
    platform.on(RESET, answer(400, {"errorCode": "S.REQUEST_FAILED.UnexpectedError", "errorMessage": "try later"}))
    with raises(BadRequest):
        await session.reset_password()
    platform.expire_session()
    assert await session.accounts.get(NAME)


async def test_a_forked_child_does_not_wait_for_logins_of_its_parent() -> None:
    memory = guard.MemoryGuard()
    async with memory.turn():
        memory.after_fork()
        async with asyncio.timeout(5), memory.turn():
            pass
