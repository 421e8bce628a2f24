"""A server that pages records by time as the platform's documents say. It shares no code with the package."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from tests.rooms.recording import Recorded, Recorder, recording
from thingspace_async import Credentials, DeviceId, Environment, Session

IMEI = DeviceId.imei("990013907835573")
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


def stamp(second: float) -> str:
    """Write the time this many seconds after BEGIN."""
    return (BEGIN + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")


def event(time: str, name: str = "") -> Json:
    return {
        "connectionEventAttributes": [{"key": "Event", "value": "Start"}, {"key": "Name", "value": name}],
        "occurredAt": time,
    }


@attrs.define
class History:
    """The server's records, ordered by time."""

    records: list[Json]
    per_page: int = 500
    time: str = "occurredAt"
    name: str = "connectionHistory"
    begin: str = "earliest"
    end: str = "latest"
    more: str = "hasMoreData"
    shuffled: random.Random | None = None
    """Reorders records with equal times for each answer."""
    coarse: bool = False
    """Ignores fractions of seconds in the requested time."""

    def __call__(self, recorded: Recorded) -> Json:
        asked = recorded.json
        begin, end = (datetime.fromisoformat(asked[name]) for name in (self.begin, self.end))
        if self.coarse:
            begin = begin.replace(microsecond=0)
        found = [one for one in self.records if begin <= datetime.fromisoformat(one[self.time]) <= end]
        if self.shuffled is not None:
            self.shuffled.shuffle(found)
            found.sort(key=lambda one: datetime.fromisoformat(one[self.time]))
        return {self.name: found[: self.per_page], self.more: len(found) > self.per_page}


@asynccontextmanager
async def answering(answer: Callable[[Recorded], Any]) -> AsyncIterator[tuple[Recorder, Session]]:
    """Open a session to a server."""
    credentials = Credentials(client_id="a", client_secret="b", username="c", password="d")
    async with (
        recording(answer) as recorder,
        Session(credentials, environment=Environment.at(recorder.url)) as session,
    ):
        yield recorder, session
