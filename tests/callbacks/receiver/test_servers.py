"""The receiver on each supported server, over real sockets."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.callbacks.inbox.making import ask
from tests.callbacks.receiver.conftest import (
    PASSWORD,
    REQUEST_ID,
    SERVICE,
    USERNAME,
    Serving,
    bare,
    body_of,
    head,
    in_aiohttp,
    in_fastapi,
    line_to,
    post,
    receiver_of,
    stored,
    under_uvicorn,
)
from thingspace_async.callbacks.inbox import MemoryInbox
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.callbacks.web import serve
from thingspace_async.errors import InboxUnavailable

pytestmark = pytest.mark.processes


class Failing(MemoryInbox):
    """An inbox that cannot store."""

    async def store(self, body: bytes, *, service: str | None = None) -> bool:
        raise InboxUnavailable("the disk is full")


async def test_a_message_is_stored_and_answered(serving: Serving, receiver: Receiver, inbox: SqliteInbox) -> None:
    async with serving(receiver) as url:
        assert await post(receiver.url_of(url, SERVICE), body_of()) == 200
        assert await post(receiver.url_of(url, SERVICE) + "/?ignored=1", body_of(requestId="another")) == 200
    assert await stored(inbox) == [(REQUEST_ID, SERVICE), ("another", SERVICE)]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (SERVICE, body_of(password="wrong"), 401),
        (SERVICE, body_of(password=None), 401),
        (SERVICE, body_of(password="of another service"), 401),
        (SERVICE, b'{"a":' * 5000 + b"1" + b"}" * 5000, 401),
        (SERVICE, body_of()[:-1] + b',"a":' + b"[" * 300 + b"]" * 300 + b"}", 400),
        (SERVICE, body_of()[:-1], 400),
        (SERVICE, b"no json", 401),
        (SERVICE, b"", 401),
        ("DeviceUsage", body_of(), 404),
        ("", body_of(), 404),
        (f"{SERVICE}/more", body_of(), 404),
        ("%F0%28%8C%28", body_of(), 404),
        ("a%00b%0Ac", body_of(), 404),
    ],
)
async def test_bad_requests_are_refused_by_each_server(
    serving: Serving, inbox: SqliteInbox, path: str, body: bytes, status: int
) -> None:
    receiver = receiver_of(inbox)
    receiver.expect("DeviceService", username=USERNAME, password="of another service")
    async with serving(receiver) as url, line_to(url) as (line, known):
        target = known.removesuffix(SERVICE) + path
        line.send(head(target, f"Content-Length: {len(body)}") + body)
        assert f" {status} " in (await line.answer()).partition("\r\n")[0]
    assert await stored(inbox) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"])
async def test_methods_other_than_post_get_405(serving: Serving, receiver: Receiver, method: str) -> None:
    async with (
        serving(receiver) as url,
        aiohttp.ClientSession() as client,
        client.request(method, receiver.url_of(url, SERVICE), data=body_of()) as answer,
    ):
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_the_answer_is_503_if_the_inbox_fails(serving: Serving) -> None:
    receiver = receiver_of(Failing())
    async with serving(receiver) as url:
        assert await post(receiver.url_of(url, SERVICE), body_of()) == 503


@pytest.mark.parametrize(
    "fault",
    [
        ("max_page_count = 1", "max_page_count = 1000000", "its disk is full: free some space"),
        ("query_only = ON", "query_only = OFF", "it cannot be written: this user must be allowed to write to it"),
    ],
    ids=["full", "read-only"],
)
async def test_if_the_file_cannot_be_written_the_answer_is_503_and_the_next_attempt_is_stored(
    serving: Serving, inbox: SqliteInbox, caplog: pytest.LogCaptureFixture, fault: tuple[str, str, str]
) -> None:
    broken, mended, said = fault
    receiver = receiver_of(inbox)
    async with serving(receiver) as url:
        await ask(inbox, f"PRAGMA {broken}")
        assert await post(receiver.url_of(url, SERVICE), body_of(comment="x" * 100_000)) == 503
        (line,) = (record.getMessage() for record in caplog.records if record.name == "thingspace_async")
        assert said in line
        assert PASSWORD not in line
        assert await stored(inbox) == []
        await ask(inbox, f"PRAGMA {mended}")
        assert await post(receiver.url_of(url, SERVICE), body_of(comment="x" * 100_000, callbackCount=2)) == 200
    assert await stored(inbox) == [(REQUEST_ID, SERVICE)]


async def test_a_signature_with_invalid_bytes_gets_401(serving: Serving, inbox: SqliteInbox) -> None:
    receiver = Receiver(inbox)
    receiver.expect_signed(SERVICE, "secret")
    async with serving(receiver) as url, line_to(url) as (line, path):
        line.send(head(path, "X-Signature: ?", "Content-Length: 2").replace(b"?", b"\xff") + b"{}")
        assert " 401 " in (await line.answer()).partition("\r\n")[0]


async def test_a_body_in_chunks_is_read_whole(serving: Serving, receiver: Receiver, inbox: SqliteInbox) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for byte in body_of():
            yield bytes([byte])

    async with (
        serving(receiver) as url,
        aiohttp.ClientSession() as client,
        client.post(receiver.url_of(url, SERVICE), data=parts()) as answer,
    ):
        assert answer.status == 200
    assert await stored(inbox) == [(REQUEST_ID, SERVICE)]


async def test_a_body_with_a_content_length_of_10_mib_is_refused_unread(serving: Serving, receiver: Receiver) -> None:
    async with serving(receiver) as url, line_to(url) as (line, path):
        line.send(head(path, f"Content-Length: {10 * 1024 * 1024}"))
        assert " 413 " in (await line.answer()).partition("\r\n")[0]


async def test_a_body_is_refused_as_soon_as_it_exceeds_the_limit(
    serving: Serving, receiver: Receiver, inbox: SqliteInbox
) -> None:
    async with serving(receiver) as url:
        async with line_to(url) as (line, path):
            line.send(head(path, "Transfer-Encoding: chunked"))
            chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
            for _ in range(5):
                line.send(chunk)
            assert " 413 " in (await line.answer()).partition("\r\n")[0]
        assert await post(receiver.url_of(url, SERVICE), body_of()) == 200
    assert len(await stored(inbox)) == 1


async def test_a_body_of_256_kib_is_accepted(serving: Serving, receiver: Receiver, inbox: SqliteInbox) -> None:
    body = body_of(comment="")
    body = body_of(comment="x" * (256 * 1024 - len(body)))
    assert len(body) == 256 * 1024
    async with serving(receiver) as url:
        assert await post(receiver.url_of(url, SERVICE), body) == 200
        assert await post(receiver.url_of(url, SERVICE), body + b" ") == 413
    assert len(await stored(inbox)) == 1


async def test_a_compression_bomb_is_refused(serving: Serving, receiver: Receiver, inbox: SqliteInbox) -> None:
    bomb = zlib.compress(b'{"a":"' + b"0" * 50_000_000, 9)
    async with serving(receiver) as url:
        async with line_to(url) as (line, path):
            line.send(head(path, "Content-Encoding: deflate", f"Content-Length: {len(bomb)}") + bomb)
            status = int((await line.answer()).split(" ")[1])
        assert status == (413 if serving is in_aiohttp else 401)  # Only aiohttp decompresses by default.
        assert await post(receiver.url_of(url, SERVICE), body_of()) == 200
    assert len(await stored(inbox)) == 1


async def test_a_body_that_cannot_be_decompressed_gets_400(serving: Serving, receiver: Receiver) -> None:
    packed = zlib.compress(body_of())
    async with serving(receiver) as url, line_to(url) as (line, path):
        line.send(head(path, "Content-Encoding: deflate", f"Content-Length: {len(packed)}") + packed[:2])
        await asyncio.sleep(0.05)
        line.send(b"\xff" * (len(packed) - 2))
        status = int((await line.answer()).split(" ")[1])
        assert status == (400 if serving is in_aiohttp else 401)


async def test_a_body_that_takes_too_long_gets_408(serving: Serving, inbox: SqliteInbox) -> None:
    receiver = receiver_of(inbox, timeout=0.2)
    body = body_of()
    async with serving(receiver) as url, line_to(url) as (line, path):
        line.send(head(path, f"Content-Length: {len(body)}") + body[:-1])
        first, _, headers = (await line.answer()).partition("\r\n")
        assert " 408 " in first
        assert "connection: close" in headers
    assert await stored(inbox) == []


@pytest.mark.parametrize("sent", [0, 1, 0.5])
async def test_a_client_that_disconnects_during_its_message_stores_nothing_and_does_not_affect_others(
    serving: Serving, receiver: Receiver, inbox: SqliteInbox, sent: float
) -> None:
    body = body_of(requestId="broken off")
    async with serving(receiver) as url:
        for headers in (f"Content-Length: {len(body) + 1}", "Transfer-Encoding: chunked"):
            async with line_to(url) as (line, path):
                line.send(head(path, headers) + (b"10\r\n" if "chunked" in headers else b""))
                line.send(body[: int(len(body) * sent)][:16])
                await line.drain()
                await asyncio.sleep(0.02)
        assert await post(receiver.url_of(url, SERVICE), body_of()) == 200
    assert await stored(inbox) == [(REQUEST_ID, SERVICE)]


async def test_a_broken_chunk_gets_400(serving: Serving, receiver: Receiver, inbox: SqliteInbox) -> None:
    async with serving(receiver) as url:
        async with line_to(url) as (line, path):
            line.send(head(path, "Transfer-Encoding: chunked") + b"5\r\n{\r\nzzz\r\n")
            answer = (await line.answer()).partition("\r\n")[0]
            assert " 5" not in answer.removeprefix("http/1.1")
            assert " 200" not in answer
        assert await post(receiver.url_of(url, SERVICE), body_of()) == 200
    assert len(await stored(inbox)) == 1


async def test_slow_clients_do_not_delay_others(serving: Serving, receiver: Receiver, inbox: SqliteInbox) -> None:
    async with serving(receiver) as url:
        lines = [line_to(url) for _ in range(100)]
        entered = [await one.__aenter__() for one in lines]
        for line, path in entered:
            line.send(head(path, "X-Slow: ").rstrip())
        async with asyncio.timeout(5):
            for number in range(20):
                for line, _ in entered:
                    line.send(b"x")
                assert await post(receiver.url_of(url, SERVICE), body_of(requestId=str(number))) == 200
        for one in lines:
            await one.__aexit__(None, None, None)
    assert len(await stored(inbox)) == 20


async def test_a_client_that_sends_its_headers_slowly_is_cut_off(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingspace_async.callbacks.web._IDLE", 0.3)
    async with serve(receiver, port=0) as url, line_to(url) as (line, path):
        began = asyncio.get_running_loop().time()
        ended = asyncio.create_task(line.answer())
        for byte in head(path, "X-Slow: " + "x" * 1000):
            if ended.done():
                break
            line.send(bytes([byte]))
            await asyncio.sleep(0.05)
        assert await ended == ""
        assert asyncio.get_running_loop().time() - began < 3


async def test_only_allowed_addresses_may_send(serving: Serving, inbox: SqliteInbox) -> None:
    for allowed, status in (("127.0.0.0/8", 200), ("192.0.2.0/24", 403)):
        receiver = receiver_of(inbox, allowed_addresses=[allowed])
        async with serving(receiver) as url:
            assert await post(receiver.url_of(url, SERVICE), body_of()) == status
    assert len(await stored(inbox)) == 1


@pytest.mark.parametrize("mount", ["bare", "in_aiohttp"])
async def test_a_header_does_not_change_the_senders_address(inbox: SqliteInbox, mount: str) -> None:
    receiver = receiver_of(inbox, allowed_addresses=["192.0.2.0/24"])
    running = under_uvicorn(receiver, proxy_headers=False) if mount == "bare" else in_aiohttp(receiver)
    async with running as url:
        forged = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"}
        assert await post(receiver.url_of(url, SERVICE), body_of(), headers=forged) == 403


@pytest.mark.parametrize("run", [bare, in_aiohttp, lambda receiver: serve(receiver, port=0)], ids=str)
async def test_a_closed_inbox_is_opened_and_closed_again(tmp_path: Path, run: Serving) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    receiver = receiver_of(inbox)
    async with run(receiver) as url:
        assert await post(receiver.url_of(url, SERVICE), body_of()) == 200
    with pytest.raises(InboxUnavailable):
        await inbox.store(b"{}")
    async with SqliteInbox(tmp_path / "inbox.db") as again:
        assert await stored(again) == [(REQUEST_ID, SERVICE)]


async def test_an_open_inbox_stays_open(serving: Serving, receiver: Receiver, inbox: SqliteInbox) -> None:
    async with serving(receiver):
        pass
    assert await inbox.store(body_of(), service=SERVICE)


async def test_the_server_does_not_start_if_the_inbox_cannot_be_opened(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "no such folder" / "inbox.db")
    with pytest.raises(InboxUnavailable):
        async with serve(receiver_of(inbox), port=0):
            pass
    with pytest.raises(RuntimeError, match="did not start"):
        async with under_uvicorn(receiver_of(inbox)):
            pass


async def test_mounted_in_fastapi_the_answer_is_503_unless_the_inbox_is_opened(tmp_path: Path) -> None:
    receiver = receiver_of(SqliteInbox(tmp_path / "inbox.db"))
    async with in_fastapi(receiver) as url:
        assert await post(receiver.url_of(url, SERVICE), body_of()) == 503


async def test_requests_in_progress_are_answered_when_the_server_stops(tmp_path: Path) -> None:
    release, entered = asyncio.Event(), asyncio.Event()

    class Held(SqliteInbox):
        async def store(self, body: bytes, *, service: str | None = None) -> bool:
            entered.set()
            await release.wait()
            return await super().store(body, service=service)

    receiver = receiver_of(Held(tmp_path / "inbox.db"))
    async with serve(receiver, port=0) as url:
        task = asyncio.create_task(post(receiver.url_of(url, SERVICE), body_of()))
        await entered.wait()
        asyncio.get_running_loop().call_later(0.1, release.set)
    assert await task == 200
    async with SqliteInbox(tmp_path / "inbox.db") as again:
        assert await stored(again) == [(REQUEST_ID, SERVICE)]


async def test_many_concurrent_messages_are_all_stored(
    serving: Serving, receiver: Receiver, inbox: SqliteInbox
) -> None:
    async with serving(receiver) as url, aiohttp.ClientSession() as client:

        async def send(number: int) -> int:
            body = body_of(requestId=str(number))
            async with client.post(receiver.url_of(url, SERVICE), data=body) as answer:
                return answer.status

        assert set(await asyncio.gather(*map(send, range(500)))) == {200}
    assert {request_id for request_id, _ in await stored(inbox)} == {str(number) for number in range(500)}
