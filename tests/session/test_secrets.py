"""No string, log line, local variable or pickle that we make contains a token or password."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import traceback
from typing import Any

import pytest

from tests.session.checks import assert_keeps_secrets, raises
from tests.session.fake import (
    ACCOUNT,
    LOG_IN,
    NAME,
    TOKEN,
    Platform,
    after,
    answer,
    hang_up,
    raw,
    say_nothing,
)
from thingspace_async import Credentials, Session
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    AnswerUnreadable,
    BadRequest,
    ConfigurationError,
    LoginRefused,
    NotFound,
    RequestNotSent,
    ServerFault,
    ThingSpaceError,
    Unauthorized,
)


def _said(platform: Platform) -> dict[str, str]:
    """Return every secret of a session, in each form that a server may echo."""
    (bearer,), (token,) = platform.bearers, platform.tokens
    return {
        "bearer": bearer,
        "token": token,
        "password": platform.password,
        "secret": platform.client_secret,
        "header": f"Authorization: Bearer {bearer}",
        "all": f"{bearer} {token} {platform.password} {platform.client_secret}",
    }


@pytest.mark.parametrize("which", ["bearer", "token", "password", "secret", "header", "all"])
@pytest.mark.parametrize("shape", ["errorMessage", "errorCode", "fault", "oauth", "html"])
async def test_an_echoed_secret_is_redacted(session: Session, platform: Platform, which: str, shape: str) -> None:
    echo = f"<{_said(platform)[which]}>"
    bodies: dict[str, Any] = {
        "errorMessage": {"errorCode": "S.X", "errorMessage": f"you sent {echo}"},
        "errorCode": {"errorCode": f"X.you sent {echo}", "errorMessage": "odd"},
        "fault": {"fault": {"code": "900999", "message": "you sent", "description": echo}},
        "oauth": {"error": "odd", "error_description": f"you sent {echo}"},
        "html": f"<html>you sent {echo}</html>".encode(),
    }
    platform.on(ACCOUNT, answer(404, bodies[shape]))
    with raises(NotFound) as caught:
        await session.accounts.get(NAME)
    assert "you sent" in str(caught)
    assert "***" in str(caught)


@pytest.mark.parametrize("before", range(180, 200, 3))
async def test_a_secret_cut_by_the_length_limit_of_a_message_is_redacted_completely(
    session: Session, platform: Platform, before: int
) -> None:
    (token,) = platform.tokens
    platform.on(ACCOUNT, answer(500, {"errorCode": "S.X", "errorMessage": "." * before + token}))
    with raises(ServerFault, token[:6], token[:4]):
        await session.accounts.get(NAME)


@pytest.mark.parametrize("before", range(780, 800, 3))
async def test_a_secret_cut_by_the_size_limit_of_an_error_page_is_redacted_completely(
    session: Session, platform: Platform, before: int
) -> None:
    (token,) = platform.tokens
    platform.on(ACCOUNT, answer(500, b" " * before + token.encode()))
    with raises(ServerFault, token[:6], token[:4]):
        await session.accounts.get(NAME)


async def test_a_secret_that_starts_with_another_is_redacted_completely(platform: Platform) -> None:
    platform.password = "hush-long"
    token = f"{platform.password}-and-token"
    platform.on(LOG_IN, answer(200, {"sessionToken": token}))
    async with platform.session() as session:
        platform.on(ACCOUNT, answer(404, {"errorCode": "S.X", "errorMessage": f"you sent {token}"}))
        with raises(NotFound, "and-token"):
            await session.accounts.get(NAME)
        platform.tokens.add(token)


async def test_an_echoed_key_is_redacted_in_its_header_form_too(platform: Platform) -> None:
    _, pair = platform.secrets
    platform.on(TOKEN, answer(401, {"error": "invalid_client", "error_description": f"bad header Basic {pair}"}))
    with raises(Unauthorized, pair) as caught:
        await platform.session().open()
    assert "bad header Basic" in str(caught)


async def test_an_old_token_is_redacted_after_another_call_renewed_it(session: Session, platform: Platform) -> None:
    (token,) = platform.tokens
    gate = asyncio.Event()
    platform.on(ACCOUNT, after(gate, answer(404, {"errorCode": "S.X", "errorMessage": f"{token} has expired"})))
    late = asyncio.create_task(session.accounts.get(NAME))
    await platform.until_seen(ACCOUNT)
    platform.expire_session()
    await session.accounts.get(NAME)
    gate.set()
    with raises(NotFound) as caught:
        await late
    assert "has expired" in str(caught)


async def test_an_echoed_password_with_unusual_characters_is_redacted(platform: Platform) -> None:
    platform.password = 'hush "quoted"  <two>  spaces'
    platform.on(LOG_IN, answer(400, {"errorCode": "S.X", "errorMessage": f"wrong: {platform.password}"}))
    with raises(LoginRefused, "quoted") as caught:
        await platform.session().open()
    assert "wrong: ***" in str(caught)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer(200, b'{"accountName": ["hush"]}'), AnswerUnreadable),
        (answer(200, b"<html>hush</html>"), AnswerUnreadable),
        (answer(200, b"hush"), AnswerUnreadable),
        (hang_up, AnswerLost),
        (raw(b"HTTP/1.1 hush\r\n\r\n"), AnswerLost),
        (raw(b"HTTP/1.1 200 OK\r\nhush\r\n\r\n"), AnswerLost),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhush"), AnswerLost),
        (say_nothing, AnswerTimedOut),
    ],
)
async def test_no_error_of_a_call_shows_a_secret(
    session: Session, platform: Platform, given: Any, kind: type[ThingSpaceError]
) -> None:
    platform.always(ACCOUNT, given)
    with raises(kind):
        await session.with_options(timeout=0.2, retries=0).accounts.get(NAME)


async def test_an_error_keeps_its_secrets_through_pickle_and_copy(session: Session, platform: Platform) -> None:
    platform.on(ACCOUNT, answer(400, {"errorCode": "A.B", "errorMessage": platform.password, "token": "hush"}))
    with raises(BadRequest) as caught:
        await session.accounts.get(NAME)
    assert caught.error.body is not None
    again = pickle.loads(pickle.dumps(caught.error))
    assert (str(again), again.body, again.code) == (str(caught), None, "A.B")
    assert copy.copy(caught.error).body == copy.deepcopy(caught.error).body == caught.error.body


async def test_a_connection_error_shows_no_secret(platform: Platform) -> None:
    session = platform.session(retries=0)
    await platform.stop()
    with raises(RequestNotSent):
        await session.open()
    await platform.start()


async def test_cancelled_calls_leave_no_secret_in_our_frames(session: Session, platform: Platform) -> None:
    for key, call in (
        (ACCOUNT, session.accounts.get(NAME)),
        ("GET /api/m2m/v1/x", session.request("GET", "/m2m/v1/x")),
        (LOG_IN, session.log_in(password=platform.password)),
    ):
        platform.on(key, say_nothing)
        seen = platform.count(key)
        task = asyncio.create_task(call)
        await platform.until_seen(key, seen + 1)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as error:
            assert_keeps_secrets(error)


@pytest.mark.parametrize("field", ["client_id", "client_secret", "username", "password"])
def test_the_error_for_bad_credentials_shows_none_of_the_values(field: str) -> None:
    good = {"client_id": "a", "client_secret": "hush-s", "username": "u", "password": "hush-p"}
    given = good | {field: f"{good[field]}\r\n"}
    with raises(ConfigurationError):
        Credentials(**given)


@pytest.mark.parametrize("value", ["", "hush-p\n"])
def test_the_error_for_a_bad_variable_does_not_show_the_others(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    known = {"CLIENT_ID": "a", "CLIENT_SECRET": "hush-s", "USERNAME": "u", "PASSWORD": value}
    for name, text in known.items():
        monkeypatch.setenv(f"THINGSPACE_{name}", text)
    with raises(ConfigurationError) as caught:
        Credentials.from_environment()
    assert "password" in str(caught).lower()


async def test_no_repr_or_str_shows_a_secret(session: Session, platform: Platform) -> None:
    shown = [session, session.credentials, session._engine, session._engine.login.oauth, session._engine.login.session]
    result = await session.log_in()
    for one in (*shown, result, result.session_token, await session._engine.login.tokens.headers()):
        assert "hush" not in f"{one!r} {one!s} {one}"


async def test_the_log_records_each_try_and_no_secret(
    session: Session, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    platform.on(ACCOUNT, answer(503, {"errorCode": "S.X", "errorMessage": platform.password}))
    await session.accounts.get(NAME)
    lines = [record.getMessage() for record in caplog.records if record.name == "thingspace_async"]
    assert any("try 1 failed" in line for line in lines)
    assert "hush" not in repr([(record.msg, record.args) for record in caplog.records])


async def test_a_traceback_with_locals_shows_no_secret(session: Session, platform: Platform) -> None:
    platform.on(ACCOUNT, answer(500, b"down"))
    try:
        await session.accounts.get(NAME)
    except ServerFault as error:
        captured = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [frame for frame in captured.stack if "thingspace_async/" in frame.filename]
        assert len(ours) >= 3
        assert "hush" not in "".join(f"{frame.locals}" for frame in ours)
    else:
        pytest.fail("no error was raised")
