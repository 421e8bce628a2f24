"""The password reset: the platform picks the new password, so its answer must not be lost."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.session.checks import raises
from tests.session.fake import (
    ACCOUNT,
    EXPIRED,
    LOG_IN,
    LOG_OUT,
    NAME,
    RESET,
    Answer,
    Call,
    Link,
    Platform,
    after,
    answer,
    hang_up,
    raw,
    reset,
    say_nothing,
)
from thingspace_async import Secret, Session
from thingspace_async._core import login
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    AnswerUnreadable,
    BadRequest,
    ConfigurationError,
    RateLimited,
    RequestNotSent,
    ServerFault,
    SessionClosed,
    SessionMisused,
)

NEW = "hush-chosen"


def chosen(platform: Platform) -> Answer:
    """Answer with the new password and make it valid."""

    async def send(call: Call, link: Link) -> None:
        platform.password = NEW
        await answer(200, {"newPassword": NEW})(call, link)

    return send


async def assert_adopted(session: Session, platform: Platform) -> None:
    assert session.credentials.password.reveal() == platform.password == NEW
    platform.expire_session()
    await session.accounts.get(NAME)
    assert platform.seen(LOG_IN)[-1].json["password"] == NEW


async def test_the_new_password_is_returned_and_used_from_then_on(session: Session, platform: Platform) -> None:
    old = platform.password
    platform.on(RESET, chosen(platform))
    new = await session.reset_password()
    assert isinstance(new, Secret)
    assert new.reveal() == NEW
    assert NEW not in repr(new)
    (call,) = platform.seen(RESET)
    assert call.json == {"oldPassword": old}
    assert (call.bearer in platform.bearers, call.token in platform.tokens) == (True, True)
    await assert_adopted(session, platform)


async def test_a_clone_adopts_it_too(session: Session, platform: Platform) -> None:
    platform.on(RESET, chosen(platform))
    await session.with_options(retries=0).reset_password()
    await assert_adopted(session, platform)


async def test_the_callback_gets_the_password_first(session: Session, platform: Platform) -> None:
    got: list[str] = []
    platform.on(RESET, chosen(platform))
    new = await session.reset_password(lambda password: got.append(password.reveal()))
    assert got == [new.reveal()] == [NEW]


async def test_the_callback_may_be_a_coroutine_function(session: Session, platform: Platform) -> None:
    got: list[str] = []

    async def keep(password: Secret) -> None:
        await asyncio.sleep(0.01)
        got.append(password.reveal())

    platform.on(RESET, chosen(platform))
    await session.reset_password(keep)
    assert got == [NEW]
    await assert_adopted(session, platform)


@pytest.mark.parametrize("late", [True, False])
async def test_a_callback_that_fails_does_not_lose_the_password(
    session: Session, platform: Platform, *, late: bool
) -> None:
    def fail(_: Secret) -> None:
        raise OSError("the disk is full")

    async def fail_late(_: Secret) -> None:
        await asyncio.sleep(0)
        raise OSError("the disk is full")

    platform.on(RESET, chosen(platform))
    with pytest.raises(OSError, match="disk is full") as caught:
        await session.reset_password(fail_late if late else fail)
    (note,) = caught.value.__notes__
    assert "HAS been changed" in note
    assert "session.credentials.password" in note
    await assert_adopted(session, platform)


async def test_a_callback_that_does_not_end_is_cancelled(
    session: Session, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: Secret) -> None:
        monkeypatch.setattr(login, "_RESET_WITHIN", 0.05)
        await asyncio.Event().wait()

    platform.on(RESET, chosen(platform))
    monkeypatch.setattr(login, "_RESET_WITHIN", 0.3)
    with pytest.raises(TimeoutError) as caught:
        await session.reset_password(hang)
    assert "HAS been changed" in caught.value.__notes__[0]
    await assert_adopted(session, platform)


@pytest.mark.parametrize("callback", ["save", 5, [print]])
async def test_a_callback_that_is_not_callable_is_refused_before_the_reset(
    session: Session, platform: Platform, callback: Any
) -> None:
    with raises(ConfigurationError):
        await session.reset_password(callback)
    assert platform.count(RESET) == 0


async def test_a_callback_cannot_close_its_session(session: Session, platform: Platform) -> None:
    async def close(_: Secret) -> None:
        await session.close()

    platform.on(RESET, chosen(platform))
    with pytest.raises(SessionMisused, match="close it after reset_password"):
        await session.reset_password(close)
    await assert_adopted(session, platform)


async def test_a_login_during_the_callback_uses_the_new_password(session: Session, platform: Platform) -> None:
    """The old password would be refused, and the fifth refusal locks the user."""

    async def keep(_: Secret) -> None:
        platform.expire_session()
        await session.accounts.get(NAME)

    platform.on(RESET, chosen(platform))
    await session.reset_password(keep)
    assert [call.json["password"] for call in platform.seen(LOG_IN)][1:] == [NEW]


@pytest.mark.parametrize("loss", [reset, hang_up, raw(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"newPass')])
async def test_a_lost_answer_is_reported_and_never_requested_again(
    session: Session, platform: Platform, loss: Answer
) -> None:
    await session.accounts.get(NAME)
    platform.on(RESET, loss)
    passwords: list[Secret] = []
    with raises(AnswerLost) as caught:
        await session.reset_password(passwords.append)
    assert "unknown" in str(caught)
    assert platform.count(RESET) == 1
    assert passwords == []
    assert session.credentials.password.reveal() == platform.password


async def test_the_error_of_a_lost_answer_keeps_the_received_part_of_the_body(
    session: Session, platform: Platform
) -> None:
    platform.on(RESET, raw(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"newPassword": "hush-new"'))
    with raises(AnswerLost) as caught:
        await session.reset_password()
    assert caught.error.body == b'{"newPassword": "hush-new"'


async def test_the_old_password_may_be_tried_once_after_a_lost_answer(session: Session, platform: Platform) -> None:
    platform.on(RESET, hang_up)
    with raises(AnswerLost):
        await session.reset_password()
    await session.log_in()
    assert platform.count(LOG_IN) == 2


async def test_a_reset_has_a_longer_timeout_than_other_calls(
    session: Session, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert login._RESET_WITHIN == 120.0
    gate = asyncio.Event()
    platform.on(RESET, after(gate, chosen(platform)))
    call = asyncio.create_task(session.with_options(timeout=0.1).reset_password())
    await asyncio.sleep(0.3)
    assert not call.done()
    gate.set()
    assert (await call).reveal() == NEW
    monkeypatch.setattr(login, "_RESET_WITHIN", 0.2)
    platform.on(RESET, say_nothing)
    with raises(AnswerTimedOut):
        await session.reset_password()
    assert platform.count(RESET) == 2


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"newPassword": "hush-x"', None),
        (b'{"password": "hush-x"}', "newPassword"),
        (b'{"newPassword": ["hush-x"]}', "newPassword"),
        (b'{"newPassword": ""}', "newPassword"),
        (b"hush-x", None),
        (b"", None),
        (b"<html>hush-x</html>", None),
    ],
)
async def test_the_error_of_an_unreadable_answer_carries_its_body_without_showing_it(
    session: Session, platform: Platform, body: bytes, path: str | None
) -> None:
    platform.on(RESET, answer(200, body))
    with raises(AnswerUnreadable) as caught:
        await session.reset_password()
    assert (caught.error.path, caught.error.body, caught.error.operation) == (path, body, "session.reset_password")
    assert platform.count(RESET) == 1
    assert session.credentials.password.reveal() == platform.password


@pytest.mark.parametrize("odd", ["hush\u00fc \t", "hush\r\n", "hush " + "x" * 500, "hush\x7f"])
async def test_a_new_password_with_unusual_characters_is_still_returned(
    session: Session, platform: Platform, odd: str
) -> None:
    platform.on(RESET, answer(200, {"newPassword": odd}))
    got: list[str] = []
    new = await session.reset_password(lambda password: got.append(password.reveal()))
    assert got == [odd] == [new.reveal()]
    assert session.credentials.password.reveal() == odd
    platform.password = odd
    platform.expire_session()
    await session.accounts.get(NAME)


@pytest.mark.parametrize(
    ("refusal", "kind"), [(answer(400, {"errorCode": "X"}), BadRequest), (answer(429), RateLimited),
                          (answer(503), ServerFault)],
)  # fmt: skip
async def test_a_refused_reset_is_not_sent_again(
    session: Session, platform: Platform, refusal: Answer, kind: type[BadRequest | RateLimited | ServerFault]
) -> None:
    platform.always(RESET, refusal)
    with raises(kind):
        await session.reset_password()
    assert platform.count(RESET) == 1
    assert session.credentials.password.reveal() == platform.password


async def test_a_refusal_that_echoes_the_password_is_redacted(session: Session, platform: Platform) -> None:
    platform.on(RESET, answer(400, {"errorCode": "X", "errorMessage": f"'{platform.password}' is wrong"}))
    with raises(BadRequest) as caught:
        await session.reset_password()
    assert "is wrong" in str(caught)


async def test_an_expired_session_is_renewed_before_the_reset(session: Session, platform: Platform) -> None:
    platform.expire_session()
    platform.on(RESET, answer(400, EXPIRED), chosen(platform))
    assert (await session.reset_password()).reveal() == NEW
    assert platform.count(RESET) == 2


async def test_a_reset_that_was_not_sent_is_reported_as_not_sent(session: Session, platform: Platform) -> None:
    await platform.stop()
    with raises(RequestNotSent):
        await session.reset_password()
    await platform.start()


# Cancellation, closing, two resets at once


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_cancelled_caller_does_not_lose_the_password(session: Session, platform: Platform, times: int) -> None:
    gate = asyncio.Event()
    got: list[str] = []

    async def keep(password: Secret) -> None:
        await asyncio.sleep(0.01)
        got.append(password.reveal())

    platform.on(RESET, after(gate, chosen(platform)))
    call = asyncio.create_task(session.reset_password(keep))
    await platform.until_seen(RESET)
    for _ in range(times):
        call.cancel()
        await asyncio.sleep(0.01)
        assert not call.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert call.cancelled()
    assert got == [NEW]
    await assert_adopted(session, platform)


async def test_a_caller_that_times_out_does_not_lose_the_password(session: Session, platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(RESET, after(gate, chosen(platform)))
    asyncio.get_running_loop().call_later(0.2, gate.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await session.reset_password()
    await assert_adopted(session, platform)


async def test_a_reset_that_fails_after_its_caller_was_cancelled_is_logged(
    session: Session, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    gate = asyncio.Event()
    platform.on(RESET, after(gate, hang_up))
    call = asyncio.create_task(session.reset_password())
    await platform.until_seen(RESET)
    call.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "continued after its caller was cancelled, and failed" in error.getMessage()


async def test_closing_waits_for_the_reset(platform: Platform) -> None:
    gate = asyncio.Event()
    got: list[str] = []
    platform.on(RESET, after(gate, chosen(platform)))
    session = await platform.session().open()
    call = asyncio.create_task(session.reset_password(lambda password: got.append(password.reveal())))
    await platform.until_seen(RESET)
    closing = asyncio.create_task(session.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    assert platform.count(LOG_OUT) == 0
    gate.set()
    await closing
    assert (await call).reveal() == NEW
    assert got == [NEW]
    assert session.credentials.password.reveal() == NEW
    assert platform.count(LOG_OUT) == 1


@pytest.mark.parametrize("times", [1, 3])
async def test_closing_that_is_cancelled_does_not_cut_the_reset_off(platform: Platform, times: int) -> None:
    gate = asyncio.Event()
    platform.on(RESET, after(gate, chosen(platform)))
    session = await platform.session().open()
    call = asyncio.create_task(session.reset_password())
    await platform.until_seen(RESET)
    closing = asyncio.create_task(session.close())
    for _ in range(times):
        await asyncio.sleep(0.01)
        closing.cancel()
    await asyncio.sleep(0.01)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert (await call).reveal() == NEW
    await platform.until_alone()


async def test_leaving_after_an_exception_waits_for_the_reset(platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(RESET, after(gate, chosen(platform)))
    asyncio.get_running_loop().call_later(0.05, gate.set)
    session = await platform.session().open()
    call = asyncio.create_task(session.reset_password())
    await platform.until_seen(RESET)
    await session.__aexit__(KeyError, KeyError(), None)
    assert (await call).reveal() == NEW


async def test_a_second_reset_at_the_same_time_is_refused(session: Session, platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(RESET, after(gate, chosen(platform)))
    first = asyncio.create_task(session.reset_password())
    await platform.until_seen(RESET)
    with raises(SessionMisused) as caught:
        await session.with_options(retries=0).reset_password()
    assert "in progress" in str(caught)
    gate.set()
    assert (await first).reveal() == NEW
    assert platform.count(RESET) == 1
    await session.reset_password()


async def test_a_reset_needs_an_open_session(platform: Platform) -> None:
    session = platform.session()
    with raises(SessionClosed):
        await session.reset_password()
    async with session:
        pass
    with raises(SessionClosed):
        await session.reset_password()
    assert platform.count(RESET) == 0


async def test_calls_continue_during_a_reset(session: Session, platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(RESET, after(gate, chosen(platform)))
    call = asyncio.create_task(session.reset_password())
    await platform.until_seen(RESET)
    await session.accounts.get(NAME)
    gate.set()
    await call
    assert platform.count(ACCOUNT) == 1


async def test_log_in_during_a_reset_waits_for_the_new_password(session: Session, platform: Platform) -> None:
    gate = asyncio.Event()
    platform.on(RESET, after(gate, chosen(platform)))
    call = asyncio.create_task(session.reset_password())
    await platform.until_seen(RESET)
    other = asyncio.create_task(session.log_in())
    await asyncio.wait([other], timeout=0.1)
    gate.set()
    await call
    await other
    assert [sent.json["password"] for sent in platform.seen(LOG_IN)][1:] == [NEW]
    assert session.credentials.password.reveal() == NEW


async def test_a_login_during_a_reset_does_not_send_the_old_password(session: Session, platform: Platform) -> None:
    """The platform has already changed it: the old one would be refused, which counts towards the lock-out."""
    gate = asyncio.Event()

    async def change_then_wait(call: Call, link: Link) -> None:
        platform.password = NEW
        await after(gate, answer(200, {"newPassword": NEW}))(call, link)

    platform.on(RESET, change_then_wait)
    call = asyncio.create_task(session.reset_password())
    await platform.until_seen(RESET)
    platform.expire_session()
    other = asyncio.create_task(session.accounts.get(NAME))
    await asyncio.wait([other], timeout=0.1)
    gate.set()
    await call
    assert (await other).account_name == NAME
    assert [sent.json["password"] for sent in platform.seen(LOG_IN)][1:] == [NEW]
