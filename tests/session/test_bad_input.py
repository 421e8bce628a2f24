"""Bad input from the caller or the platform raises a clear, typed error. Nothing is sent or leaked by mistake."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
import zlib
from typing import Any

import pytest

from tests.session.checks import assert_keeps_secrets, raises
from tests.session.fake import (
    ACCOUNT,
    DEVICES,
    LOG_IN,
    LOG_OUT,
    NAME,
    TOKEN,
    Answer,
    Call,
    Link,
    Platform,
    answer,
    drip,
    head,
    raw,
)
from thingspace_async import Credentials, Environment, Session
from thingspace_async.accounts import RequestStatus
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    AnswerUnreadable,
    ApiError,
    BadRequest,
    ConfigurationError,
    InvalidRequest,
    SessionClosed,
    SessionMisused,
    ThingSpaceError,
    Unauthorized,
)

# Arguments


@pytest.mark.parametrize("value", ["", None, 5, b"bytes", ["list"], "two\r\nlines", "nul\0"])
@pytest.mark.parametrize("field", ["client_id", "client_secret", "username", "password"])
def test_credentials_that_cannot_be_right_are_refused_and_the_field_is_named(field: str, value: Any) -> None:
    given: dict[str, Any] = {"client_id": "a", "client_secret": "b", "username": "c", "password": "d", field: value}
    with raises(ConfigurationError) as caught:
        Credentials(**given)
    assert field in str(caught)


@pytest.mark.parametrize("value", [5, {"username": "u"}, "user:password", object()])
def test_a_session_takes_only_credentials(value: Any) -> None:
    with raises(ConfigurationError) as caught:
        Session(value)
    assert "must be Credentials" in str(caught)


@pytest.mark.parametrize("url", ["http://192.0.2.1", "http://thingspace.verizon.com", "http://127.0.0.1.example.com"])
def test_tokens_are_never_sent_unencrypted_to_another_machine(url: str) -> None:
    with raises(ConfigurationError) as caught:
        Environment.at(url)
    assert "https" in str(caught)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "..\\x", "a/../b", "a\r\nVZ-M2M-Token: b", "a\0", "\ud800"])
async def test_an_account_name_that_would_change_the_path_is_not_sent(
    session: Session, platform: Platform, name: str
) -> None:
    sent = len(platform.calls)
    with raises(InvalidRequest) as caught:
        await session.accounts.get(name)
    assert "account_name" in str(caught)
    assert len(platform.calls) == sent


@pytest.mark.parametrize("name", [None, 5, b"0000123456-00001"])
async def test_an_account_name_that_is_not_a_string_is_not_sent(
    session: Session, platform: Platform, name: Any
) -> None:
    sent = len(platform.calls)
    with raises(InvalidRequest) as caught:
        await session.accounts.get(name)
    assert "must be a str" in str(caught)
    assert len(platform.calls) == sent


async def test_an_account_name_with_a_slash_or_question_mark_stays_one_segment(
    session: Session, platform: Platform
) -> None:
    await session.accounts.get("a/b?c#d%e f")
    call = platform.calls[-1]
    assert (call.key, call.query) == ("GET /api/m2m/v1/accounts/a%2Fb%3Fc%23d%25e%20f", "")


# Answers to logins


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "", "a b", "\u00fc"])
async def test_a_session_token_that_is_not_a_valid_header_is_never_sent(platform: Platform, token: str) -> None:
    platform.on(LOG_IN, answer(200, {"sessionToken": token}))
    with raises(AnswerUnreadable, *([token] if len(token) > 3 else [])) as caught:
        await platform.session().open()
    assert (caught.error.path, caught.error.operation) == ("sessionToken", "session.log_in")
    assert [call.key for call in platform.calls] == [TOKEN, LOG_IN]


async def test_an_oauth_token_that_is_not_a_valid_header_is_never_sent(platform: Platform) -> None:
    platform.on(TOKEN, answer(200, {"access_token": "hush\r\nX-Evil: 1"}))
    with raises(AnswerUnreadable) as caught:
        await platform.session().open()
    assert caught.error.path == "access_token"
    assert [call.key for call in platform.calls] == [TOKEN]


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        (b"{}", "sessionToken", "missing"),
        (b'{"token": "hush"}', "sessionToken", "missing"),
        (b'{"sessionToken": ["hush"]}', "sessionToken", "found a list"),
        (b'{"sessionToken": {"token": "hush"}}', "sessionToken", "found an object"),
        (b'{"sessionToken": null}', "sessionToken", "found null"),
        (b'{"sessionToken": 5}', "sessionToken", "found a number"),
        (b'["hush"]', None, "found a list"),
        (b"null", None, "found null"),
        (b"<!DOCTYPE html><html>hush</html>", None, "HTML"),
        (b"", None, "empty body"),
        (b'{"sessionToken": "hu', None, "JSON"),
        (b'{"sessionToken": "hush\xff"}', None, "JSON"),
        (b"[" * 100_000, None, "JSON"),
    ],
)
async def test_a_login_answer_without_a_token_is_unreadable(
    platform: Platform, body: bytes, path: str | None, reason: str
) -> None:
    platform.on(LOG_IN, answer(200, body))
    with raises(AnswerUnreadable) as caught:
        await platform.session().open()
    assert (caught.error.path, caught.error.status, caught.error.body) == (path, 200, body)
    assert reason in str(caught)
    assert platform.count(LOG_IN) == 1


@pytest.mark.parametrize(
    "sent",
    [
        head(200, 100, {}) + b'{"sessionToken": "hu',
        head(200, None, {"Transfer-Encoding": "chunked"}) + b"50\r\n{",
        head(200, None, {"Transfer-Encoding": "chunked"}) + b"zz\r\n{",
        head(200, 4, {"Content-Encoding": "gzip"}) + b"junk",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 100_000,
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
)
async def test_a_truncated_login_answer_is_lost_and_not_requested_again(platform: Platform, sent: bytes) -> None:
    platform.on(LOG_IN, raw(sent))
    with raises(AnswerLost) as caught:
        await platform.session().open()
    assert caught.error.operation == "session.log_in"
    assert "unknown" in str(caught)
    assert platform.count(LOG_IN) == 1


@pytest.mark.parametrize("status", [400, 401])
async def test_a_refused_key_is_reported_and_no_password_is_sent(platform: Platform, status: int) -> None:
    platform.always(TOKEN, answer(status, {"error": "invalid_client", "error_description": "no such key"}))
    with raises(Unauthorized, *platform.secrets) as caught:
        await platform.session().open()
    assert str(caught).startswith(f"[{status}] oauth.token: no such key; check client_id and client_secret")
    assert caught.error.code == "invalid_client"
    assert [call.key for call in platform.calls] == [TOKEN]


@pytest.mark.parametrize("status", [101, 204, 205, 300, 304, 600, 999])
async def test_an_unusual_status_raises_a_typed_error(session: Session, platform: Platform, status: int) -> None:
    platform.on(ACCOUNT, raw(head(status, 0, {"Connection": "upgrade", "Upgrade": "x"} if status == 101 else {})))
    with pytest.raises(ThingSpaceError) as caught:
        await session.with_options(timeout=1, retries=0).accounts.get(NAME)
    assert_keeps_secrets(caught.value)


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("key", [TOKEN, LOG_IN, ACCOUNT])
async def test_nothing_follows_a_redirect_to_another_host(
    platform: Platform, stranger: Platform, key: str, status: int
) -> None:
    platform.on(key, answer(status, b"", {"Location": f"{stranger.url}/api/m2m/v1/session/login"}))
    with raises(ApiError) as caught:
        async with platform.session() as session:
            await session.accounts.get(NAME)
    assert caught.error.status == status
    assert "redirect" in str(caught)
    assert platform.count(key) == 1


# Sizes and times

_MIB = 1024 * 1024


def _flood(*, with_length: bool, size: int = 200 * _MIB) -> Answer:
    async def send(call: Call, link: Link) -> None:
        await link.send(head(200, size if with_length else None, {} if with_length else {"Connection": "close"}))
        for _ in range(size // 65536):
            await link.send(b" " * 65536)
        link.writer.close()

    return send


def _bomb(size: int = 200 * _MIB) -> bytes:
    squeeze = zlib.compressobj(9, wbits=31)
    return b"".join([*(squeeze.compress(bytes(_MIB)) for _ in range(size // _MIB)), squeeze.flush()])


@pytest.mark.parametrize("with_length", [True, False])
async def test_a_huge_body_is_read_up_to_the_limit_only(platform: Platform, *, with_length: bool) -> None:
    platform.on(ACCOUNT, _flood(with_length=with_length))
    async with platform.session(max_body=4 * _MIB) as session:
        tracemalloc.start()
        try:
            with raises(AnswerUnreadable) as caught:
                await session.accounts.get(NAME)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await session.accounts.get(NAME)
    assert "4,194,304 bytes" in str(caught)
    assert "max_body" in str(caught)
    assert peak < 12 * _MIB


async def test_the_limit_is_64_mib_by_default(session: Session, platform: Platform) -> None:
    platform.on(ACCOUNT, _flood(with_length=True))
    with raises(AnswerUnreadable) as caught:
        await session.accounts.get(NAME)
    assert "67,108,864 bytes" in str(caught)


async def test_a_small_body_that_decompresses_to_200_mb_is_read_up_to_the_limit_only(platform: Platform) -> None:
    bomb = _bomb()
    assert len(bomb) < 0.25 * _MIB
    platform.on(ACCOUNT, answer(200, bomb, {"Content-Encoding": "gzip"}))
    async with platform.session(max_body=4 * _MIB) as session:
        tracemalloc.start()
        try:
            with raises(AnswerUnreadable) as caught:
                await session.accounts.get(NAME)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert "4,194,304 bytes" in str(caught)
    assert peak < 24 * _MIB


async def test_the_limit_applies_to_logins_and_errors(platform: Platform) -> None:
    platform.on(TOKEN, _flood(with_length=False, size=_MIB))
    with raises(AnswerUnreadable) as caught:
        await platform.session(max_body=1000).open()
    assert caught.error.operation == "oauth.token"


async def test_a_body_as_large_as_the_limit_is_read(platform: Platform) -> None:
    body = b'{"accountName": "%s"}' % (b"x" * 10_000)
    platform.always(ACCOUNT, answer(200, body))
    async with platform.session(max_body=len(body)) as session:
        assert len((await session.accounts.get(NAME)).account_name or "") == 10_000
    async with platform.session(max_body=len(body) - 1) as session:
        with raises(AnswerUnreadable):
            await session.accounts.get(NAME)


async def test_a_body_that_never_ends_times_out(platform: Platform) -> None:
    platform.always(ACCOUNT, drip)
    async with platform.session(timeout=1, retries=0) as session:
        started = time.monotonic()
        with raises(AnswerTimedOut) as caught:
            await session.accounts.get(NAME)
        assert 0.8 < time.monotonic() - started < 2.5
    assert "within 1 s" in str(caught)
    assert "unknown" in str(caught)
    assert platform.count(LOG_OUT) == 1


# Pages and fields


def _page(**last: object) -> bytes:
    good = {"deviceIds": [{"id": "123456789012345", "kind": "imei"}], "accountName": NAME}
    return json.dumps({"hasMoreData": False, "devices": [*[good] * 499, good | last]}).encode()


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        ({"id": 5, "kind": "imei"}, "found a number"),
        ({"kind": "imei"}, "missing"),
        ({"id": ["1"], "kind": "imei"}, "found a list"),
        ({"id": {}, "kind": "imei"}, "found an object"),
        ({"id": True, "kind": "imei"}, "found true or false"),
    ],
)
async def test_one_bad_device_in_500_is_named_by_its_path(
    session: Session, platform: Platform, identifier: object, reason: str
) -> None:
    body = _page(deviceIds=[identifier])
    platform.on(DEVICES, answer(200, body))
    with raises(AnswerUnreadable) as caught:
        [device async for device in session.devices.list()]
    assert caught.error.path == "devices[499].deviceIds[0].id"
    assert str(caught).startswith("devices.list: unreadable answer at devices[499].deviceIds[0].id: ")
    assert reason in str(caught)
    assert caught.error.body == body


@pytest.mark.parametrize(
    ("devices", "path"),
    [
        (None, "devices"),
        (5, "devices"),
        ({}, "devices"),
        ("abc", "devices"),
        ([None], "devices[0]"),
        ([[]], "devices[0]"),
        (["abc"], "devices[0]"),
        ([{"accountName": 5}], "devices[0].accountName"),
        ([{"accountName": []}], "devices[0].accountName"),
        ([{"accountName": {}}], "devices[0].accountName"),
        ([{"groupNames": "abc"}], "devices[0].groupNames"),
        ([{"groupNames": {}}], "devices[0].groupNames"),
        ([{"groupNames": ["a", None]}], "devices[0].groupNames[1]"),
        ([{"connected": "false"}], "devices[0].connected"),
        ([{"createdAt": 5}], "devices[0].createdAt"),
    ],
)
async def test_a_wrong_type_is_an_error_with_its_path(
    session: Session, platform: Platform, devices: object, path: str
) -> None:
    platform.on(DEVICES, answer(200, {"devices": devices}))
    with raises(AnswerUnreadable) as caught:
        [device async for device in session.devices.list()]
    assert caught.error.path == path


async def test_null_counts_as_absent_in_optional_fields(session: Session, platform: Platform) -> None:
    platform.on(DEVICES, answer(200, {"devices": [{"accountName": None, "groupNames": None, "createdAt": None}]}))
    (device,) = [device async for device in session.devices.list()]
    assert (device.account_name, device.group_names, device.created_at) == (None, (), None)


async def test_unknown_values_and_fields_are_accepted(session: Session, platform: Platform) -> None:
    key = f"{ACCOUNT}/requests/1/status"
    platform.on(key, answer(200, {"requestId": "1", "status": "Dreaming", "mood": {"deep": [1]}}))
    result = await session.accounts.request_status(NAME, "1")
    assert result.status == "Dreaming"
    assert isinstance(result.status, RequestStatus)


@pytest.mark.parametrize("number", ["9" * 5000, str(2**64), "-1", "1.5", "\u00b2", "", None])
async def test_a_next_page_that_is_not_a_number_is_an_error(
    session: Session, platform: Platform, number: str | None
) -> None:
    device = {"extendedAttributes": [{"key": "DeviceId", "value": number}]}
    platform.always(DEVICES, answer(202, {"devices": [device]}))
    with raises(AnswerUnreadable):
        [found async for found in session.devices.list()]
    assert platform.count(DEVICES) == 1


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "1.5", "", "5&next=6"])
async def test_a_location_without_a_number_is_an_error(session: Session, platform: Platform, number: str) -> None:
    key = f"GET /api/m2m/v1/leads/{NAME}"
    platform.always(key, answer(202, {"leads": [], "hasMoreData": True}, {"Location": f"/leads/x?next={number}"}))
    with raises(AnswerUnreadable):
        [lead async for lead in session.accounts.leads(NAME)]
    assert platform.count(key) == 1


async def test_a_page_that_promises_more_without_a_next_page_is_an_error(session: Session, platform: Platform) -> None:
    platform.always(DEVICES, answer(202, {"devices": [{"accountName": NAME}]}))
    seen = []
    with raises(AnswerUnreadable) as caught:
        async for device in session.devices.list():
            seen.append(device)  # noqa: PERF401 - keep the devices seen before the error
    assert "cannot be requested" in str(caught)
    assert platform.count(DEVICES) == 1


async def test_pages_that_form_a_cycle_are_an_error(session: Session, platform: Platform) -> None:
    def page(number: int) -> Answer:
        return answer(202, {"devices": [{"extendedAttributes": [{"key": "DeviceId", "value": str(number)}]}]})

    platform.on(DEVICES, page(1), page(2), page(1), page(2), page(1))
    with raises(AnswerUnreadable) as caught:
        [device async for device in session.devices.list()]
    assert "the answer promises more" in str(caught)
    assert platform.count(DEVICES) <= 3


# Sessions used the wrong way


async def test_a_session_that_is_not_open_says_how_to_open_it(platform: Platform) -> None:
    session = platform.session()
    for call in (session.accounts.get(NAME), session.log_in(), session.log_out(), session.reset_password()):
        with raises(SessionClosed) as caught:
            await call
        assert "async with" in str(caught)
    await session.close()
    assert platform.calls == []


async def test_a_closed_session_says_that_it_is_closed(platform: Platform) -> None:
    async with platform.session() as session:
        pass
    sent = len(platform.calls)
    for call in (session.accounts.get(NAME), session.log_in(), session.revoke_oauth_token()):
        with raises(SessionClosed) as caught:
            await call
        assert "closed" in str(caught)
    with raises(SessionClosed):
        [device async for device in session.devices.list()]
    await session.close()
    assert len(platform.calls) == sent


async def test_a_session_can_be_opened_only_once(platform: Platform) -> None:
    session = platform.session()
    async with session:
        with raises(SessionMisused) as caught:
            await session.open()
        assert "only once" in str(caught)
        await session.accounts.get(NAME)
    with raises(SessionMisused):
        await session.open()
    assert platform.count(LOG_IN) == 1


async def test_a_session_closed_before_it_was_opened_stays_closed(platform: Platform) -> None:
    session = platform.session()
    await session.close()
    with raises(SessionMisused):
        await session.open()
    assert platform.calls == []


async def test_plain_with_says_to_use_async_with(platform: Platform) -> None:
    with raises(SessionMisused) as caught, platform.session():
        pass
    assert "async with" in str(caught)


async def test_a_session_belongs_to_the_loop_that_opened_it(session: Session, platform: Platform) -> None:
    sent = len(platform.calls)

    async def elsewhere() -> None:
        for call in (session.accounts.get(NAME), session.log_out(), session.reset_password(), session.close()):
            with raises(SessionMisused) as caught:
                await call
            assert "event loop" in str(caught)

    await asyncio.to_thread(asyncio.run, elsewhere())
    assert len(platform.calls) == sent
    await session.accounts.get(NAME)


# Options


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", None, True])
@pytest.mark.parametrize("name", ["timeout", "connect_timeout", "connections", "max_body"])
def test_invalid_options_are_refused_and_named(name: str, value: Any) -> None:
    platform = Platform()
    with raises(ConfigurationError) as caught:
        Session(platform.credentials(), **{name: value})
    assert name in str(caught)


@pytest.mark.parametrize("value", [-1, 0.5, "2", None, True])
def test_an_invalid_number_of_retries_is_refused(value: Any) -> None:
    with raises(ConfigurationError) as caught:
        Session(Platform().credentials(), retries=value)
    assert "retries" in str(caught)


@pytest.mark.parametrize("name", ["connections", "max_body"])
def test_a_fraction_of_a_connection_or_byte_is_refused(name: str) -> None:
    with raises(ConfigurationError) as caught:
        Session(Platform().credentials(), **{name: 2.5})  # type: ignore[arg-type]
    assert name in str(caught)


@pytest.mark.parametrize("value", [None, "yes", 1])
def test_an_ssl_option_of_another_type_is_refused(value: Any) -> None:
    with raises(ConfigurationError) as caught:
        Session(Platform().credentials(), ssl=value)
    assert "ssl" in str(caught)


def test_certificates_of_other_machines_are_always_checked() -> None:
    with raises(ConfigurationError) as caught:
        Session(Platform().credentials(), ssl=False)
    assert "ssl=False" in str(caught)


async def test_a_400_page_of_html_is_a_bad_request(session: Session, platform: Platform) -> None:
    platform.on(DEVICES, answer(400, b"<html>oops</html>"))
    with raises(BadRequest) as caught:
        [device async for device in session.devices.list()]
    assert "oops" in str(caught)
