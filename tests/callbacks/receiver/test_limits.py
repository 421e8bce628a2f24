"""Limits on the messages that a receiver reads at once, and the log of refused ones."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.callbacks.receiver.conftest import SERVICE, body_of, head, line_to, message, post, receiver_of
from thingspace_async.callbacks import _throttled_log, incoming, web
from thingspace_async.callbacks import receiver as module
from thingspace_async.callbacks.inbox import MemoryInbox
from thingspace_async.callbacks.receiver import Receiver, Reply
from thingspace_async.callbacks.web import serve

Read = Callable[[], Awaitable[bytes]]


def of(*parts: bytes, end: asyncio.Event | None = None) -> Read:
    """Return a `read` function for a body in parts. It returns the last part once an event is set."""
    left = [*parts, b""]

    async def read() -> bytes:
        if end is not None and len(left) == 1:
            await end.wait()
        return left.pop(0)

    return read


async def received(receiver: Receiver, read: Read) -> Reply:
    return await receiver.receive(read, method="POST", headers={}, peer="192.0.2.1", service=SERVICE)


async def test_messages_beyond_max_pending_get_503_until_others_are_done() -> None:
    body, end = body_of(comment="x" * 1000), asyncio.Event()
    async with MemoryInbox() as inbox:
        receiver = receiver_of(inbox, max_pending=2 * len(body))
        slow = [asyncio.create_task(received(receiver, of(body[:-1], end=end))) for _ in range(2)]
        await asyncio.sleep(0)
        reply = await received(receiver, of(body))
        assert reply.status == 503
        assert reply.headers == {"retry-after": "60", "connection": "close"}
        end.set()
        assert [one.status for one in await asyncio.gather(*slow)] == [400, 400], "their last parts were never sent"
        assert (await received(receiver, of(body))).status == 200


async def test_a_message_counts_as_pending_until_it_is_stored() -> None:
    class Held(MemoryInbox):
        stored = asyncio.Event()

        async def store(self, body: bytes, *, service: str | None = None) -> bool:
            await self.stored.wait()
            return await super().store(body, service=service)

    body = body_of()
    async with Held() as inbox:
        receiver = receiver_of(inbox, max_pending=len(body))
        storing = asyncio.create_task(received(receiver, of(body)))
        await asyncio.sleep(0.01)
        assert (await received(receiver, of(body))).status == 503
        inbox.stored.set()
        assert (await storing).status == 200
        assert (await received(receiver, of(body))).status == 200


def _gone() -> Read:
    async def read() -> bytes:
        raise ConnectionResetError

    return read


@pytest.mark.parametrize(
    "read", [of(b"x" * 2000), _gone(), of(b"x", end=asyncio.Event())], ids=["long", "gone", "late"]
)
async def test_a_refused_message_does_not_count_as_pending(read: Read) -> None:
    async with MemoryInbox() as inbox:
        receiver = receiver_of(inbox, max_body=1000, max_pending=2000, timeout=0.05)
        assert (await received(receiver, read)).status in (400, 408, 413)
        assert receiver._pending == 0


@pytest.mark.parametrize(("size", "is_apart"), [(1000, False), (200_000, True)])
async def test_a_long_message_is_parsed_in_a_thread_and_a_short_one_is_not(
    monkeypatch: pytest.MonkeyPatch, size: int, *, is_apart: bool
) -> None:
    threads: list[int] = []

    def noting(work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any) -> Any:
            threads.append(threading.get_ident())
            return work(*args)

        return noted

    monkeypatch.setattr(module, "_split", noting(module._split))
    monkeypatch.setattr(incoming, "_digest", noting(incoming._digest))
    async with MemoryInbox() as inbox:
        assert (await received(receiver_of(inbox), of(body_of(comment="x" * size)))).status == 200
    assert len(threads) == 2
    assert gc.isenabled()
    assert {one != threading.get_ident() for one in threads} == {is_apart}


async def test_an_authenticated_megabyte_of_small_items_blocks_the_loop_only_briefly() -> None:
    """Only the parser blocks the interpreter. Other threads run during the Python code."""
    items = json.dumps(message()).replace("null", "")[:-1] + ', "deviceResponse2": {"a": [' + "{}," * 300_000 + "{}]}}"
    loop, longest = asyncio.get_running_loop(), 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest = max(longest, loop.time() - before)

    async with MemoryInbox() as inbox:
        watching = asyncio.create_task(watch())
        reply = await received(receiver_of(inbox, max_body=2_000_000), of(items.encode()))
        watching.cancel()
        await asyncio.wait([watching])
    assert reply.status == 200
    assert longest < 1, "on a busy machine; 0.05 on an idle one"


async def test_few_of_many_refusals_are_logged_and_the_others_are_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MemoryInbox() as inbox:
        receiver = receiver_of(inbox)
        for _ in range(50):
            assert (await received(receiver, of(body_of(password="wrong")))).status == 401
        assert (await received(receiver, of(body_of()[:-1]))).status == 400
        assert len(caplog.messages) == 2, "one of each kind"
        monkeypatch.setattr(_throttled_log, "_INTERVAL", 0.0)
        for kind in receiver._log._kinds:
            receiver._log._kinds[kind] = (0.0, receiver._log._kinds[kind][1])
        await received(receiver, of(body_of(password="wrong")))
        assert caplog.messages[-1].endswith("signature (49 more since the last such line)")


@pytest.mark.parametrize(
    ("request_line", "lines"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 1),
        (b"GET\x00 / HTTP/1.1\r\n\r\n", 0),  # Not HTTP at all: it is not logged.
        (b"\x16\x03\x01\x02\r\n\r\n", 0),
    ],
)
async def test_malformed_requests_log_one_line_without_a_traceback(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, request_line: bytes, lines: int
) -> None:
    monkeypatch.setattr(web, "_throttled_log", _throttled_log.ThrottledLog())
    monkeypatch.setattr(_throttled_log, "_INTERVAL", 60.0)
    caplog.set_level(logging.INFO)
    async with serve(receiver_of(MemoryInbox()), port=0) as url:
        for _ in range(5):
            async with line_to(url) as (line, _):
                line.send(request_line)
                assert " 400 " in (await line.answer())
        assert await post(f"{url}/{SERVICE}", body_of()) == 200
    assert not [one for one in caplog.records if one.exc_info]
    assert len([one for one in caplog.records if one.levelno >= logging.WARNING]) == lines


async def test_other_errors_of_the_server_keep_their_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    class Wrong(MemoryInbox):
        async def store(self, body: bytes, *, service: str | None = None) -> bool:
            raise ZeroDivisionError

    async with serve(receiver_of(Wrong()), port=0) as url:
        assert await _status(url) == 500
    assert [one.exc_info[0] for one in caplog.records if one.exc_info] == [ZeroDivisionError]


async def _status(url: str) -> int:
    async with line_to(url) as (line, path):
        line.send(head(path, f"Content-Length: {len(body_of())}") + body_of())
        return int((await line.answer()).split(" ")[1])
