"""Streamed events are stored once, whichever stream and attempt they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from thingspace_async.callbacks import Inbox, MemoryInbox, SqliteInbox
from thingspace_async.callbacks.messages import EventMessage

EVENT = {"id": "1", "kind": "ts.event", "action": "update", "versionid": "a", "fields": {"temperature": "18.4"}}


@pytest.fixture(params=["memory", "sqlite"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Inbox:
    return MemoryInbox() if request.param == "memory" else SqliteInbox(tmp_path / "inbox.db")


async def store(inbox: Inbox, event: dict[str, Any], *, service: str | None = "CloudConnector") -> bool:
    return await inbox.store(orjson.dumps(event), service=service)


async def test_an_event_is_known_by_its_id_and_version(inbox: Inbox) -> None:
    async with inbox:
        assert await store(inbox, EVENT)
        # Again, from another stream, in an envelope, and with another time of the last update.
        assert not await store(inbox, EVENT)
        assert not await store(inbox, EVENT, service=None)
        assert not await store(inbox, {"kind": "ts.event.diagnostics", "action": "create", "data": EVENT})
        assert not await store(inbox, EVENT | {"lastupdated": "2019-02-22T04:05:49.786Z"})
        assert await store(inbox, EVENT | {"versionid": "b", "state": "changed"})
        assert await store(inbox, EVENT | {"id": "2"})
        assert [one.message.event.id async for one in inbox.read() if isinstance(one.message, EventMessage)] == [
            "1",
            "1",
            "2",
        ]


async def test_events_without_an_id_are_compared_as_a_whole(inbox: Inbox) -> None:
    first = {"kind": "ts.event", "fields": {"temperature": "18.4"}}
    async with inbox:
        assert await store(inbox, first)
        assert not await store(inbox, first)
        assert await store(inbox, first | {"fields": {"temperature": "18.5"}})


async def test_events_with_an_id_and_without_a_version_are_compared_as_a_whole(inbox: Inbox) -> None:
    """An id alone may name something that changes, and a lost change could not be asked for again."""
    first = {"kind": "ts.event", "id": "1", "state": "pending"}
    async with inbox:
        assert await store(inbox, first)
        assert not await store(inbox, first)
        assert await store(inbox, first | {"state": "update"})
