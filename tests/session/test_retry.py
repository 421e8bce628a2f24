"""Which requests are sent again, which never are, and how long retries may take."""

from __future__ import annotations

import asyncio
import logging
import socket
import time

import aiohttp
import attrs
import pytest

from tests.session.checks import raises
from tests.session.fake import (
    ACCOUNT,
    DEVICES,
    LOG_IN,
    NAME,
    TOKEN,
    Answer,
    Call,
    Link,
    Platform,
    answer,
    hang_up,
    raw,
    reset,
    say_nothing,
)
from thingspace_async import Session
from thingspace_async._core.operation import Method
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    BadRequest,
    RateLimited,
    RequestNotSent,
    ServerFault,
    SessionClosed,
)

THROTTLED = {"fault": {"code": "900800", "message": "Message throttled out", "description": "Try later"}}
THING = "/m2m/v1/things"


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_temporary_failure_of_a_safe_call_is_retried(session: Session, platform: Platform, status: int) -> None:
    platform.on(ACCOUNT, answer(status), answer(status))
    assert (await session.accounts.get(NAME)).account_name == NAME
    assert platform.count(ACCOUNT) == 3


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_temporary_failure_of_a_call_that_could_bill_is_not_retried(
    session: Session, platform: Platform, status: int
) -> None:
    platform.always(f"POST /api{THING}", answer(status))
    with raises(ServerFault) as caught:
        await session.request("POST", THING, json={})
    assert (caught.error.status, caught.error.tries) == (status, 1)
    assert platform.count(f"POST /api{THING}") == 1


@pytest.mark.parametrize(("status", "kind"), [(500, ServerFault), (501, ServerFault), (400, BadRequest)])
async def test_a_permanent_failure_is_not_retried(
    session: Session, platform: Platform, status: int, kind: type[BadRequest | ServerFault]
) -> None:
    platform.always(ACCOUNT, answer(status))
    with raises(kind):
        await session.accounts.get(NAME)
    assert platform.count(ACCOUNT) == 1


async def test_the_log_says_why_there_was_no_next_try(
    session: Session, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.always(f"POST /api{THING}", answer(503))
    with caplog.at_level(logging.DEBUG, "thingspace_async"), raises(ServerFault):
        await session.request("POST", THING, json={})
    assert "no next try: the platform may have carried it out" in caplog.text


async def test_tries_are_limited_and_counted(session: Session, platform: Platform) -> None:
    platform.always(ACCOUNT, answer(503))
    with raises(ServerFault) as caught:
        await session.accounts.get(NAME)
    assert caught.error.tries == platform.count(ACCOUNT) == 3


async def test_no_try_starts_after_the_deadline(session: Session, platform: Platform) -> None:
    session._caller.policy = attrs.evolve(session._caller.policy, retries=1000, first_delay=0.02, total=0.2)
    platform.always(ACCOUNT, answer(503))
    started = time.monotonic()
    with raises(ServerFault):
        await session.accounts.get(NAME)
    assert time.monotonic() - started < 1
    assert platform.count(ACCOUNT) < 200


@pytest.mark.parametrize("refusal", [answer(429), answer(429, THROTTLED), answer(503, THROTTLED)])
async def test_any_throttled_call_is_retried(session: Session, platform: Platform, refusal: Answer) -> None:
    platform.on(f"POST /api{THING}", refusal, refusal)
    assert (await session.request("POST", THING, json={})).status == 200
    assert platform.count(f"POST /api{THING}") == 3


async def test_retry_after_of_the_platform_is_respected(session: Session, platform: Platform) -> None:
    platform.on(ACCOUNT, answer(429, b"", {"Retry-After": "1"}))
    started = time.monotonic()
    await session.accounts.get(NAME)
    assert time.monotonic() - started >= 1


async def test_a_retry_after_beyond_the_limit_is_raised_instead(session: Session, platform: Platform) -> None:
    platform.always(ACCOUNT, answer(429, THROTTLED, {"Retry-After": "3600"}))
    with raises(RateLimited) as caught:
        await session.accounts.get(NAME)
    assert (caught.error.retry_after, caught.error.code) == (3600.0, "900800")
    assert platform.count(ACCOUNT) == 1


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "-5",
        "",
        "1e9",
        "Wed, 21 Oct 1992 07:28:00 GMT",
        "9" * 5000,
        "Mon, 01 Jan 0001 00:00:00 -0000",
        "Fri, 31 Dec 9999 23:59:59 -2359",
    ],
)
async def test_an_unusual_retry_after_does_not_break_the_retry(
    session: Session, platform: Platform, value: str
) -> None:
    platform.always(ACCOUNT, answer(429, b"", {"Retry-After": value}))
    with raises(RateLimited):
        await session.with_options(retries=0).accounts.get(NAME)


async def test_a_refused_connection_is_retried_until_it_works(platform: Platform) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    other = platform.session()
    login = other._engine.login
    login._environment = attrs.evolve(
        login._environment,
        bases={name: base.replace(str(platform.port), str(port)) for name, base in login._environment.bases.items()},
    )
    login._policy = attrs.evolve(login._policy, retries=50, first_delay=0.01, longest_delay=0.05)
    opening = asyncio.create_task(other.open())
    await asyncio.sleep(0.05)
    assert not opening.done()
    late = await asyncio.start_server(platform._serve, "127.0.0.1", port)
    try:
        await (await opening).close()
    finally:
        late.close()
    assert platform.count(LOG_IN) == 1


async def test_a_refused_connection_is_reported_as_not_sent(platform: Platform) -> None:
    session = platform.session(retries=1)
    await platform.stop()
    with raises(RequestNotSent) as caught:
        await session.open()
    assert caught.error.tries == 2
    assert caught.error.operation == "oauth.token"
    assert str(caught).endswith("(Connection refused); nothing was sent")
    assert isinstance(caught.error.__cause__, ConnectionRefusedError)
    await platform.start()


@pytest.mark.parametrize("end", [reset, hang_up, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")])
async def test_a_safe_call_with_a_lost_answer_is_sent_again(session: Session, platform: Platform, end: Answer) -> None:
    platform.on(DEVICES, end, end)
    assert [device async for device in session.devices.list()] == []
    assert platform.count(DEVICES) == 3


@pytest.mark.parametrize("end", [reset, hang_up, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")])
@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE", "PATCH"])
async def test_a_call_that_may_have_been_carried_out_is_sent_exactly_once(
    session: Session, platform: Platform, method: Method, end: Answer
) -> None:
    """aiohttp itself would repeat PUT, GET and DELETE after a failure on a reused connection."""
    key = f"{method} /api{THING}"
    await session.request(method, THING, json={"charge": 1})
    platform.always(key, end)
    with raises(AnswerLost) as caught:
        await session.request(method, THING, json={"charge": 1})
    assert "unknown" in str(caught)
    assert caught.error.tries == 1
    assert platform.count(key) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
async def test_a_safe_call_is_sent_again_on_a_new_connection(
    session: Session, platform: Platform, method: Method
) -> None:
    key = f"{method} /api{THING}"
    platform.on(key, hang_up)
    assert (await session.request(method, THING, repeatable=True)).status == 200
    assert platform.count(key) == 2


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
async def test_aiohttp_by_itself_sends_a_request_again(platform: Platform, method: Method) -> None:
    """If aiohttp changes this, our middleware can be removed."""
    key = f"{method} /api{THING}"
    platform.on(key, answer(200), hang_up)
    async with aiohttp.ClientSession() as plain:
        for _ in range(2):
            async with plain.request(method, f"{platform.url}/api{THING}") as response:
                await response.read()
    assert platform.count(key) == 3


async def test_a_clients_own_middlewares_run_around_calls_that_are_sent_once(platform: Platform) -> None:
    seen: list[str] = []

    async def spy(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        seen.append(f"{request.method} {request.url.path}")
        return await handler(request)

    async with (
        aiohttp.ClientSession(middlewares=[spy]) as client,
        platform.session(client_session=client) as session,
    ):
        await session.request("PUT", THING)
        await session.accounts.get(NAME)
        platform.on(f"PUT /api{THING}", reset)
        with raises(AnswerLost):
            await session.request("PUT", THING)
    assert seen == [call.key for call in platform.calls]
    assert platform.count(f"PUT /api{THING}") == 2


async def test_an_answer_that_does_not_arrive_in_time_is_lost(session: Session, platform: Platform) -> None:
    platform.on(f"POST /api{THING}", say_nothing)
    with raises(AnswerTimedOut) as caught:
        await session.with_options(timeout=0.1).request("POST", THING)
    assert "within 0.1 s" in str(caught)
    assert platform.count(f"POST /api{THING}") == 1


async def test_a_read_that_times_out_is_sent_again(session: Session, platform: Platform) -> None:
    platform.on(ACCOUNT, say_nothing)
    assert (await session.with_options(timeout=0.2).accounts.get(NAME)).account_name == NAME
    assert platform.count(ACCOUNT) == 2


async def test_an_oauth_token_request_is_repeatable(platform: Platform) -> None:
    platform.on(TOKEN, hang_up, answer(503))
    async with platform.session():
        assert platform.count(TOKEN) == 3


async def test_options_apply_only_to_the_clone(session: Session, platform: Platform) -> None:
    platform.always(ACCOUNT, answer(503))
    once = session.with_options(retries=0)
    with raises(ServerFault) as caught:
        await once.accounts.get(NAME)
    assert caught.error.tries == 1
    with raises(ServerFault) as caught:
        await session.accounts.get(NAME)
    assert caught.error.tries == 3
    with raises(ServerFault) as caught:
        await once.with_options(timeout=1).accounts.get(NAME)
    assert caught.error.tries == 1


async def test_a_clone_shares_tokens_and_connections(session: Session, platform: Platform) -> None:
    platform.expire_session()
    clone = session.with_options(timeout=2, retries=0)
    await clone.accounts.get(NAME)
    await session.accounts.get(NAME)
    assert platform.count(LOG_IN) == 2
    assert len({call.link for call in platform.calls}) == 1


async def test_a_clone_of_a_closed_session_is_closed(platform: Platform) -> None:
    async with platform.session() as session:
        clone = session.with_options(retries=1)
    with raises(SessionClosed):
        await clone.accounts.get(NAME)


async def test_a_wait_between_tries_can_be_cancelled(session: Session, platform: Platform) -> None:
    platform.always(ACCOUNT, answer(429, b"", {"Retry-After": "20"}))
    call = asyncio.create_task(session.accounts.get(NAME))
    await platform.until_seen(ACCOUNT)
    await asyncio.sleep(0.02)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert platform.count(ACCOUNT) == 1


async def test_an_error_answered_before_the_body_was_read_is_reported(session: Session, platform: Platform) -> None:
    async def refuse(call: Call, link: Link) -> None:
        await link.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        link.writer.close()

    platform.on(f"POST /api{THING}", refuse)
    with raises(BadRequest) as caught:
        await session.request("POST", THING, json=["x" * 1000])
    assert caught.error.status == 413
