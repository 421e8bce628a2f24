"""`thingspace receiver`, as a user runs it: in a separate process."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.callbacks.inbox.opening import opened
from tests.callbacks.receiver.conftest import PASSWORD, REQUEST_ID, SERVICE, USERNAME, body_of, stored
from tests.cli.commands import run
from tests.cli.test_cli import finish, start
from tests.redis.servers import RedisServer, needs_redis
from tests.session.certificate import identity
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox

pytestmark = pytest.mark.processes

SECRETS = {"THINGSPACE_CALLBACK_USERNAME": USERNAME, "THINGSPACE_CALLBACK_PASSWORD": PASSWORD}


@asynccontextmanager
async def running(inbox: Path | str, *words: str) -> AsyncIterator[tuple[Process, str]]:
    """Run the command; yield its process and its base URL."""
    process = await start("receiver", "--port", "0", "--inbox", str(inbox), *words, **SECRETS)
    assert process.stdout is not None
    try:
        url, printed = "", b""
        async with asyncio.timeout(30):
            async for line in process.stdout:
                printed += line
                if line.startswith(b"http"):
                    url = line.decode().strip().removesuffix("/SERVICE")
                if b"Ctrl-C" in line:
                    break
        assert url, printed
        yield process, url
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            status, _, complaints = await finish(process)
            assert (status, PASSWORD in complaints, "Traceback" in complaints) == (128 + signal.SIGINT, False, False)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def post(url: str, body: bytes, trusting: ssl.SSLContext | None = None) -> int:
    connector = aiohttp.TCPConnector(ssl=trusting or True)
    async with aiohttp.ClientSession(connector=connector) as client, client.post(url, data=body) as answer:
        return answer.status


async def test_messages_are_kept_in_the_file(tmp_path: Path) -> None:
    async with running(tmp_path / "messages.db") as (_, url):
        assert await post(f"{url}/{SERVICE}", body_of()) == 200
        assert await post(f"{url}/DeviceUsage", body_of(requestId="usage")) == 200
        assert await post(f"{url}/{SERVICE}", body_of(password="wrong")) == 401
        assert await post(f"{url}/Unknown", body_of()) == 404
    async with SqliteInbox(tmp_path / "messages.db") as inbox:
        assert await stored(inbox) == [(REQUEST_ID, SERVICE), ("usage", "DeviceUsage")]


@needs_redis
async def test_messages_are_kept_in_redis(redis_server: RedisServer) -> None:
    async with running(redis_server.url) as (_, url):
        assert await post(f"{url}/{SERVICE}", body_of(requestId="kept in Redis")) == 200
    async with opened(redis_server.url) as inbox:
        assert "kept in Redis" in [one.message.request_id async for one in inbox.read()]


async def test_a_message_that_was_answered_outlives_the_process(tmp_path: Path) -> None:
    async with running(tmp_path / "messages.db") as (process, url):
        assert await post(f"{url}/{SERVICE}", body_of()) == 200
        process.kill()
        await process.communicate()
    async with SqliteInbox(tmp_path / "messages.db") as inbox:
        assert await stored(inbox) == [(REQUEST_ID, SERVICE)]


async def test_only_the_services_that_are_named_are_received(tmp_path: Path) -> None:
    words = ("--service", "DeviceUsage", "--service", "One of tomorrow")
    async with running(tmp_path / "messages.db", *words) as (_, url):
        assert await post(f"{url}/DeviceUsage", body_of()) == 200
        assert await post(f"{url}/One%20of%20tomorrow", body_of()) == 200
        assert await post(f"{url}/{SERVICE}", body_of()) == 404


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("--allow", "127.0.0.0/8"), 200),
        (("--allow", "published", "--allow", "127.0.0.1"), 200),
        (("--allow", "published"), 403),
    ],
)
async def test_only_allowed_addresses_may_send(tmp_path: Path, words: tuple[str, ...], status: int) -> None:
    async with running(tmp_path / "messages.db", *words) as (_, url):
        assert await post(f"{url}/{SERVICE}", body_of()) == status


@pytest.mark.parametrize("files", [("identity.pem",), ("certificate.pem", "key.pem")], ids=["together", "apart"])
async def test_with_a_certificate_it_speaks_https(tmp_path: Path, files: tuple[str, ...]) -> None:
    trusting = identity(tmp_path).trusting
    split(tmp_path)
    words = [
        part
        for option, file in zip(("--certificate", "--key"), files, strict=False)
        for part in (option, str(tmp_path / file))
    ]
    async with running(tmp_path / "messages.db", *words) as (_, url):
        assert url.startswith("https://127.0.0.1:")
        assert await post(f"{url}/{SERVICE}", body_of(), trusting) == 200


def split(folder: Path) -> None:
    """Write the certificate and its key to separate files as well."""
    key, begin, certificate = (folder / "identity.pem").read_text().partition("-----BEGIN CERTIFICATE")
    (folder / "key.pem").write_text(key)
    (folder / "certificate.pem").write_text(begin + certificate)


async def fails(*words: str, expected: int = 2, **variables: str) -> str:
    """Return the command's only line of output."""
    status, _, complaints = await run("receiver", "--port", "0", *words, **{**SECRETS, **variables})
    assert status == expected
    assert complaints.count("\n") == 1
    assert complaints.startswith("thingspace: ")
    assert PASSWORD not in complaints
    return complaints


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--key", "key.pem"), "--key needs --certificate"),
        (("--certificate", "no such file.pem"), "--certificate or --key cannot be used: No such file"),
        (("--certificate", "nonsense.pem"), "--certificate or --key cannot be used"),
        (("--certificate", "certificate.pem"), "--certificate or --key cannot be used"),
        (("--certificate", "certificate.pem", "--key", "encrypted.pem"), "--certificate or --key cannot be used"),
        (("--inbox", "no such folder/messages.db"), "no such folder"),
        (("--allow", "nonsense"), "allowed_addresses"),
        (("--host", ""), "--host is empty"),
        (("--host", "192.0.2.1"), "choose another --host"),
        (("--service", ""), "service must not be empty"),
        (("--username", ""), "username must not be empty"),
    ],
)
async def test_invalid_options_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nonsense.pem").write_text("nonsense")
    (tmp_path / "encrypted.pem").write_text(ENCRYPTED)
    identity(tmp_path)
    split(tmp_path)
    failed = said in ("no such folder", "choose another --host")
    assert said in await fails(*words, expected=1 if failed else 2)


ENCRYPTED = """-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF

AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END EC PRIVATE KEY-----
"""


async def test_the_password_comes_from_a_variable_alone(tmp_path: Path) -> None:
    inbox = str(tmp_path / "messages.db")
    said = await fails("--inbox", inbox, THINGSPACE_CALLBACK_PASSWORD="")
    assert "--username needs a password: set the environment variable THINGSPACE_CALLBACK_PASSWORD" in said
    said = await fails("--inbox", inbox, "--service", SERVICE, THINGSPACE_CALLBACK_USERNAME="")
    assert "--service needs --username" in said
    status, _, complaints = await run("receiver", "--password", PASSWORD, **SECRETS)
    assert status == 2
    assert "No such option" in complaints


async def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert "choose another --port" in await fails(
            "--port", port, "--inbox", str(tmp_path / "messages.db"), expected=1
        )
