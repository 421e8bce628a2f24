"""The ASGI application, called without a server: the cases in which servers differ."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.callbacks.receiver.conftest import REQUEST_ID, SERVICE, body_of, receiver_of, stored
from thingspace_async.callbacks.inbox import MemoryInbox
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.errors import InboxUnavailable

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": f"/{SERVICE}", "headers": [], "client": None}


async def speak(receiver: Receiver, scope: dict[str, Any], *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Send events to an application, and return the events that it sends."""
    waiting, sent = list(events), list[Any]()

    async def receive() -> dict[str, Any]:
        while not waiting:  # Wait for ever, like a server without further events.
            await asyncio.sleep(1)
        return waiting.pop(0)

    async def send(event: Any) -> None:
        sent.append(event)

    async with asyncio.timeout(5):
        await receiver(scope, receive, send)
    return sent


async def test_a_body_in_parts_is_read_whole_even_if_some_are_empty(receiver: Receiver, inbox: SqliteInbox) -> None:
    body = body_of()
    events: list[dict[str, Any]] = [
        {"body": b"", "more_body": True},
        {"body": body[:9], "more_body": True},
        {"more_body": True},
    ]
    events += [{"body": body[9:], "more_body": True}, {"body": b""}]
    start, end = await speak(receiver, SCOPE, *({"type": "http.request", **event} for event in events))
    assert (start["type"], start["status"], end["type"]) == ("http.response.start", 200, "http.response.body")
    assert await stored(inbox) == [(REQUEST_ID, SERVICE)]


async def test_a_disconnected_client_is_not_an_error(receiver: Receiver, inbox: SqliteInbox) -> None:
    gone = {"type": "http.disconnect"}
    await speak(receiver, SCOPE, {"type": "http.request", "body": body_of(), "more_body": True}, gone)

    async def receive() -> Any:
        return gone

    async def send(event: Any) -> None:
        raise OSError("gone")  # As required since version 2.4 of the specification.

    await receiver(SCOPE, receive, send)
    assert await stored(inbox) == []


async def test_a_websocket_is_refused(receiver: Receiver) -> None:
    scope = {"type": "websocket", "path": f"/{SERVICE}", "headers": []}
    assert await speak(receiver, scope, {"type": "websocket.connect"}) == [{"type": "websocket.close"}]


async def test_a_lifespan_that_fails_at_startup_says_why(tmp_path: Any) -> None:
    receiver = receiver_of(SqliteInbox(tmp_path / "no such folder" / "inbox.db"))
    (failed,) = await speak(receiver, {"type": "lifespan"}, {"type": "lifespan.startup"})
    assert failed["type"] == "lifespan.startup.failed"
    assert failed["message"]


async def test_a_lifespan_that_fails_at_shutdown_says_why() -> None:
    class Closing(MemoryInbox):
        async def __aexit__(self, *_: object) -> None:
            await super().__aexit__(None, None, None)
            raise InboxUnavailable("the disk is full")

    events = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    complete, failed = await speak(receiver_of(Closing()), {"type": "lifespan"}, *events)
    assert complete["type"] == "lifespan.startup.complete"
    assert failed == {"type": "lifespan.shutdown.failed", "message": "the disk is full"}


@pytest.mark.parametrize("length", ["-1", "1e9", "٣", "", "99999999999999999999"])
async def test_an_odd_content_length_is_not_an_error(receiver: Receiver, length: str) -> None:
    scope = {**SCOPE, "headers": [(b"Content-Length", length.encode("utf-8"))]}
    start, _ = await speak(receiver, scope, {"type": "http.request", "body": body_of()})
    assert start["status"] == (413 if length.startswith("9") else 200)
