"""The connection pool, clients and connectors passed in, proxies, and cancelled calls."""

from __future__ import annotations

import asyncio
import socket
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses

from tests.session.checks import raises
from tests.session.fake import (
    ACCOUNT,
    LOG_IN,
    LOG_OUT,
    NAME,
    TOKEN,
    Platform,
    after,
    answer,
    raw,
    running,
    say_nothing,
)
from thingspace_async import Environment, Session
from thingspace_async.errors import (
    AnswerLost,
    ApiError,
    ConfigurationError,
    InvalidRequest,
    RequestNotSent,
    SessionClosed,
    ThingSpaceError,
)

# The pool


async def test_500_calls_share_five_connections(platform: Platform) -> None:
    asyncio.get_running_loop().set_debug(False)  # Debug mode makes each request take 3 ms.
    async with platform.session(connections=5) as session:
        accounts = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(500)))
    assert {account.account_name for account in accounts} == {NAME}
    assert len({call.link for call in platform.calls}) <= 5


async def test_waiting_for_a_connection_is_not_connecting(platform: Platform) -> None:
    """With aiohttp's own queue, calls that wait longer than the connect timeout would fail."""
    gate = asyncio.Event()
    platform.on(ACCOUNT, after(gate, answer(200, {})))
    async with platform.session(connections=1, connect_timeout=0.1) as session:
        calls = [asyncio.create_task(session.accounts.get(NAME)) for _ in range(3)]
        await asyncio.sleep(0.3)
        gate.set()
        await asyncio.gather(*calls)


@pytest.mark.parametrize("size", [1, 3])
async def test_a_cancelled_call_releases_its_connection(platform: Platform, size: int) -> None:
    async with platform.session(connections=size) as session:
        for turn in range(4):
            platform.on(ACCOUNT, *[say_nothing] * size)
            calls = [asyncio.create_task(session.accounts.get(NAME)) for _ in range(size + 5)]
            await platform.until_seen(ACCOUNT, size * (turn + 1))
            for call in calls:
                call.cancel()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(result) for result in results} == {asyncio.CancelledError}
        await asyncio.gather(*(session.accounts.get(NAME) for _ in range(size * 3)))


async def test_a_call_cancelled_while_its_body_arrives_releases_its_connection(platform: Platform) -> None:
    async with platform.session(connections=1) as session:
        platform.on(ACCOUNT, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", close=False))
        call = asyncio.create_task(session.accounts.get(NAME))
        await platform.until_seen(ACCOUNT)
        await asyncio.sleep(0.02)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await session.accounts.get(NAME)


async def test_a_failed_call_releases_its_connection(platform: Platform) -> None:
    async with platform.session(connections=1, retries=0, max_body=1000) as session:
        platform.on(ACCOUNT, answer(200, b"x" * 2000), answer(500), answer(200, b"<html>"), raw(b"junk"))
        for _ in range(4):
            with pytest.raises(ThingSpaceError):
                await session.accounts.get(NAME)
        await session.accounts.get(NAME)


async def test_cookies_are_not_kept(session: Session, platform: Platform) -> None:
    platform.on(ACCOUNT, answer(200, {}, {"Set-Cookie": "a=b; Path=/"}))
    await session.accounts.get(NAME)
    await session.accounts.get(NAME)
    assert "cookie" not in platform.calls[-1].headers


# Clients and connectors passed in


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as ready:
        yield ready


async def test_traces_of_a_passed_in_client_see_each_body(platform: Platform) -> None:
    chunks: list[bytes] = []
    traces = aiohttp.TraceConfig()

    async def note(_: object, __: object, received: aiohttp.TraceResponseChunkReceivedParams) -> None:
        chunks.append(received.chunk)

    traces.on_response_chunk_received.append(note)
    async with (
        aiohttp.ClientSession(trace_configs=[traces]) as client,
        platform.session(client_session=client) as session,
    ):
        await session.accounts.get(NAME)
    assert any(NAME.encode() in chunk for chunk in chunks)


async def test_a_client_that_was_passed_in_stays_open(platform: Platform, client: aiohttp.ClientSession) -> None:
    for _ in range(2):
        async with platform.session(client_session=client) as session:
            await session.accounts.get(NAME)
    assert not client.closed
    async with client.get(platform.url) as response:
        assert response.status == 401
    await client.close()


async def test_a_passed_in_client_stays_open_when_the_login_fails(
    platform: Platform, client: aiohttp.ClientSession
) -> None:
    platform.on(LOG_IN, answer(500))
    with pytest.raises(ThingSpaceError):
        await platform.session(client_session=client).open()
    assert not client.closed
    await client.close()


async def test_a_connector_that_was_passed_in_stays_open(platform: Platform) -> None:
    connector = aiohttp.TCPConnector(limit=2)
    for _ in range(2):
        async with platform.session(connector=connector) as session:
            await asyncio.gather(*(session.accounts.get(NAME) for _ in range(20)))
        assert not connector.closed
    assert len({call.link for call in platform.calls}) <= 2
    await connector.close()


async def test_passing_both_a_client_and_a_connector_is_refused(client: aiohttp.ClientSession) -> None:
    async with aiohttp.TCPConnector() as connector:
        with raises(ConfigurationError):
            Session(Platform().credentials(), client_session=client, connector=connector)


async def test_a_call_on_a_client_closed_by_its_owner_says_so(
    platform: Platform, client: aiohttp.ClientSession
) -> None:
    session = await platform.session(client_session=client).open()
    await client.close()
    with raises(SessionClosed):
        await session.accounts.get(NAME)
    await session.close()


async def test_opening_with_a_closed_client_says_so(platform: Platform, client: aiohttp.ClientSession) -> None:
    await client.close()
    with raises(ConfigurationError) as caught:
        await platform.session(client_session=client).open()
    assert str(caught) == "client_session is closed: make a new one"
    assert platform.calls == []


async def test_opening_with_a_closed_connector_says_so(platform: Platform) -> None:
    connector = aiohttp.TCPConnector()
    await connector.close()
    with raises(ConfigurationError) as caught:
        await platform.session(connector=connector).open()
    assert str(caught) == "connector is closed: make a new one"
    assert platform.calls == []


@pytest.mark.parametrize("value", ["aiohttp", 0, object(), aiohttp.ClientSession, {}])
@pytest.mark.parametrize("name", ["client_session", "connector"])
async def test_only_aiohttp_clients_and_connectors_are_accepted(platform: Platform, name: str, value: Any) -> None:
    with raises(ConfigurationError) as caught:
        await platform.session(**{name: value}).open()
    assert str(caught).startswith(f"{name} must be an aiohttp.")
    assert platform.calls == []


@pytest.mark.parametrize("name", ["client_session", "connector"])
async def test_a_client_of_another_event_loop_is_refused(
    platform: Platform, client: aiohttp.ClientSession, name: str
) -> None:
    passed: Any = client if name == "client_session" else client.connector

    async def elsewhere() -> None:
        with raises(ConfigurationError) as caught:
            await platform.session(**{name: passed}).open()
        assert str(caught).startswith(f"{name} belongs to another event loop")

    await asyncio.wait_for(asyncio.to_thread(asyncio.run, elsewhere()), 5)
    assert platform.calls == []


@pytest.mark.parametrize("error", [RuntimeError("hush"), ValueError("hush")])
async def test_a_middleware_that_fails_after_the_answer_leaves_the_outcome_unknown(
    platform: Platform, error: Exception
) -> None:
    async def fail(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        response.close()
        raise error

    async with aiohttp.ClientSession(middlewares=(fail,)) as client:
        with raises(AnswerLost) as caught:
            await platform.session(client_session=client, retries=0).open()
    assert f"{type(error).__name__} in the HTTP client or in a middleware" in str(caught)
    assert "unknown" in str(caught)
    assert [call.key for call in platform.calls] == [TOKEN]


@pytest.mark.parametrize("header", ["Authorization", "VZ-M2M-Token", "authorization", "Accept"])
async def test_our_headers_override_a_clients_own(platform: Platform, header: str) -> None:
    async with (
        aiohttp.ClientSession(headers={header: "mine", "X-Mine": "kept"}) as client,
        platform.session(client_session=client) as session,
    ):
        await session.accounts.get(NAME)
    call = platform.seen(ACCOUNT)[0]
    assert call.headers["x-mine"] == "kept"
    assert call.headers["accept"] == "application/json"
    assert call.bearer.startswith("hush-bearer")
    assert call.token.startswith("hush-session")


async def test_a_client_with_its_own_authorization_is_refused_and_nothing_is_sent(platform: Platform) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Newer aiohttp takes it as a header.
        client = aiohttp.ClientSession(auth=aiohttp.BasicAuth("me", "hush-mine"))
    async with client:
        with raises(InvalidRequest) as caught:
            await platform.session(client_session=client).open()
    assert "remove the Authorization" in str(caught)
    assert platform.calls == []


async def test_netrc_is_read_only_when_asked_for(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hush-netrc\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with platform.session() as session:
        await session.accounts.get(NAME)
    sent = len(platform.calls)
    with raises(InvalidRequest) as caught:
        await platform.session(trust_env=True).open()
    assert "netrc" in str(caught)
    assert len(platform.calls) == sent


async def test_raise_for_status_of_a_client_changes_nothing(platform: Platform) -> None:
    async with (
        aiohttp.ClientSession(raise_for_status=True) as client,
        platform.session(client_session=client) as session,
    ):
        platform.expire_session()
        await session.accounts.get(NAME)
        platform.on(ACCOUNT, answer(404, {"errorCode": "X", "errorMessage": "none"}))
        with pytest.raises(ApiError, match="none"):
            await session.accounts.get(NAME)


async def test_a_client_that_does_not_decompress_is_refused_and_the_option_is_named(platform: Platform) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        with raises(ConfigurationError) as caught:
            await platform.session(client_session=client).open()
        assert "auto_decompress" in str(caught)
        assert not client.closed


async def test_a_clients_own_timeout_does_not_apply(platform: Platform) -> None:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.01)) as client,
        platform.session(client_session=client) as session,
    ):
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, gate.set)
        platform.on(ACCOUNT, after(gate, answer(200, {})))
        await session.accounts.get(NAME)


# Proxies


async def _refused_port() -> int:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return int(reserved.getsockname()[1])


async def test_an_unreachable_proxy_is_named(platform: Platform) -> None:
    proxy = f"http://me:hush-proxy@127.0.0.1:{await _refused_port()}"
    with raises(RequestNotSent) as caught:
        await platform.session(proxy=proxy, retries=0).open()
    assert "proxy cannot be reached" in str(caught)
    assert platform.calls == []


async def test_a_proxy_gets_the_request(platform: Platform) -> None:
    async with running(Platform()) as proxy:
        proxy.on(f"POST {platform.url}/api/ts/v1/oauth2/token", answer(407))
        with pytest.raises(ApiError, match="407"):
            await platform.session(proxy=proxy.url, retries=0).open()
        assert len(proxy.calls) == 1
    assert platform.calls == []


async def test_a_proxy_that_opens_no_tunnel_gets_no_token(platform: Platform) -> None:
    async with running(Platform()) as proxy:
        proxy.always(f"CONNECT 127.0.0.1:{platform.port}", answer(407))
        environment = Environment.at(platform.url.replace("http", "https"))
        with raises(RequestNotSent) as caught:
            await platform.session(proxy=proxy.url, retries=0, environment=environment).open()
        assert "proxy answered with status 407" in str(caught)
        (call,) = proxy.calls
        assert "authorization" not in call.headers
    assert platform.calls == []


async def test_proxies_of_the_environment_are_used_only_when_asked_for(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = await _refused_port()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with platform.session():
        assert platform.count(TOKEN) == 1
    with raises(RequestNotSent) as caught:
        await platform.session(trust_env=True, retries=0).open()
    assert "proxy cannot be reached" in str(caught)
    assert platform.count(TOKEN) == 1


@pytest.mark.parametrize("proxy", ["", "not a url", "127.0.0.1:1", "http://", "ftp://127.0.0.1", "http://[::1", 5])
def test_a_proxy_that_is_not_a_url_is_refused_before_anything_is_sent(proxy: Any) -> None:
    with raises(ConfigurationError) as caught:
        Session(Platform().credentials(), proxy=proxy)
    assert "proxy" in str(caught)


# Several sessions


async def test_sessions_in_several_loops_work_side_by_side(platform: Platform) -> None:
    async def one() -> None:
        async with platform.session() as session:
            await session.accounts.get(NAME)

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, one()) for _ in range(4)))
    assert (platform.count(LOG_IN), platform.count(LOG_OUT)) == (4, 4)


# Without a server


async def test_a_session_works_with_canned_answers(canned: aioresponses) -> None:
    """Test the fix of aioresponses for newer aiohttp, and show how to use it."""
    base = "http://127.0.0.1:1"
    canned.post(f"{base}/api/ts/v1/oauth2/token", payload={"access_token": "hush-a", "expires_in": 3600})
    canned.post(f"{base}/api/m2m/v1/session/login", payload={"sessionToken": "hush-s"})
    canned.get(f"{base}/api/m2m/v1/accounts/{NAME}", payload={"accountName": NAME})
    canned.post(f"{base}/api/m2m/v1/session/logout", payload={})
    async with Session(Platform().credentials(), environment=Environment.at(base)) as session:
        assert (await session.accounts.get(NAME)).account_name == NAME
