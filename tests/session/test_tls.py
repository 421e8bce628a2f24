"""Certificates: which are trusted, and how the others are reported."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.session.certificate import Identity, identity
from tests.session.checks import raises
from tests.session.fake import LOG_OUT, NAME, Platform, running
from thingspace_async import Environment, Session
from thingspace_async.errors import RequestNotSent


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return identity(tmp_path_factory.mktemp("ours"))


async def test_a_server_with_an_untrusted_certificate_gets_no_token(ours: Identity) -> None:
    async with running(Platform(ssl=ours.server)) as platform:
        with raises(RequestNotSent) as caught:
            await platform.session(retries=0).open()
        assert "certificate" in str(caught)
        assert "nothing was sent" in str(caught)
        assert platform.calls == []


async def test_a_server_with_an_expired_certificate_gets_no_token(tmp_path: Path) -> None:
    expired = identity(tmp_path, days=-1)
    async with running(Platform(ssl=expired.server)) as platform:
        with raises(RequestNotSent) as caught:
            await platform.session(retries=0, ssl=expired.trusting).open()
        assert "certificate" in str(caught)
        assert "expired" in str(caught)
        assert platform.calls == []


async def test_a_users_own_ssl_context_is_trusted_and_stays_usable(ours: Identity) -> None:
    for _ in range(2):
        async with running(Platform(ssl=ours.server)) as platform:
            async with platform.session(ssl=ours.trusting) as session:
                await session.accounts.get(NAME)
            assert platform.count(LOG_OUT) == 1


async def test_a_connectors_own_ssl_context_is_used(ours: Identity) -> None:
    async with (
        running(Platform(ssl=ours.server)) as platform,
        aiohttp.TCPConnector(ssl=ours.trusting) as connector,
        platform.session(connector=connector) as session,
    ):
        await session.accounts.get(NAME)


async def test_checks_can_be_switched_off_only_for_this_machine(ours: Identity) -> None:
    async with running(Platform(ssl=ours.server)) as platform, platform.session(ssl=False) as session:
        await session.accounts.get(NAME)


async def test_a_failed_handshake_is_reported() -> None:
    async def answer_in_clear(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer_in_clear, "127.0.0.1", 0) as server:
        environment = Environment.at(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with raises(RequestNotSent) as caught:
            await Session(Platform().credentials(), retries=0, environment=environment).open()
    assert "SSL" in str(caught)


async def test_https_to_a_server_without_tls_is_reported_as_not_sent(platform: Platform) -> None:
    environment = Environment.at(platform.url.replace("http", "https"))
    with raises(RequestNotSent) as caught:
        await platform.session(retries=0, connect_timeout=0.2, environment=environment).open()
    assert "nothing was sent" in str(caught)
    assert platform.calls == []
