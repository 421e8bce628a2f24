"""A simulator's state in a file: a journal of all changes, which the next start replays.

The platform's state is a function of its seeds and of the requests with their simulated times. Requests that only read
are not written.
"""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from thingspace_async._core.operation import Operation
from thingspace_async.billing.calls import UPDATE as UPDATE_TRIGGER
from thingspace_async.sensor_insights.rules.calls import REPLACE as REPLACE_RULE
from thingspace_async.sensor_insights.smart_alerts.calls import UPDATE_MANY as UPDATE_ALERTS
from thingspace_async.session_management.calls import LOG_IN, LOG_OUT
from thingspace_async.simulator import gateway
from thingspace_async.simulator.admin.routes import repeat_request
from thingspace_async.simulator.controls import Controls
from thingspace_async.simulator.deliveries import Attempt, Delivery
from thingspace_async.simulator.wire import Answer, Call, Received

__all__ = ["Header", "Journal", "header_of"]

_HEADERS: Final = (
    "Authorization",
    "VZ-M2M-Token",
    "SessionToken",
    "Content-Type",
    "DeviceID",
    "MessageStandard",
    "VendorID",
    "deleterequest",
)

_CHANGES: Final = (LOG_OUT, UPDATE_TRIGGER, REPLACE_RULE, UPDATE_ALERTS)
"""Requests of the method POST that change something, although they may be repeated."""


class Header(NamedTuple):
    """The first line of a journal."""

    id_seed: int
    start: datetime


def header_of(path: Path, start: datetime) -> Header:
    """Return the header of a journal, and create a missing file. Raises ValueError for any other file."""
    if not _read(path):
        header = {"version": 1, "id_seed": secrets.randbits(63), "start": start.isoformat()}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(orjson.dumps(header) + b"\n")
    first = _read(path)[0]
    return Header(first["id_seed"], datetime.fromisoformat(first["start"]))


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a file: a killed process may have left its last line incomplete."""
    if not path.exists():
        return []
    found: list[dict[str, Any]] = []
    try:
        found = [orjson.loads(line) for line in _whole(path.read_bytes()).splitlines()]
        is_ours = not found or found[0]["version"] == 1
    except (KeyError, TypeError, orjson.JSONDecodeError):
        is_ours = False
    if not is_ours:
        raise ValueError(f"{path} is not a simulator's state file: choose another file")
    return found


def _whole(text: bytes) -> bytes:
    return text[: text.rfind(b"\n") + 1]


class Journal:
    """Writes the changes of a simulator to a file, in a separate thread so that no request waits for the disk."""

    def __init__(self, path: Path, cloud: Controls, *, replay: bool) -> None:
        self._cloud = cloud
        if replay:
            self._replay(_read(path)[1:])
        self._file = path.open("r+b")
        self._file.truncate(len(_whole(self._file.read())))
        self._file.seek(0, os.SEEK_END)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="simulator-state")

    def note_request(self, operation: Operation[Any, Any], call: Call, answer: Answer, ids_before: int) -> None:
        """Write a request, unless it had no lasting effect."""
        platform = self._cloud.platform
        is_read = answer.status >= 400 or (
            operation.repeatable and operation.method in ("GET", "POST") and operation not in _CHANGES
        )
        if is_read and platform.ids_made == ids_before and operation is not LOG_IN and operation.server != "oauth":
            return
        received = call.received
        headers = {name: received.headers[name] for name in _HEADERS if name in received.headers}
        self._write(
            {
                "at": platform.clock.now().isoformat(),
                "operation": operation.name,
                "method": received.method,
                "path": received.path,
                "query": dict(received.query),
                "values": dict(call.path),
                "headers": headers,
                "body": received.body.decode("latin-1"),
            }
        )

    def note_admin(self, at: datetime, method: str, path: str, body: bytes) -> None:
        """Write a request to the admin API that changed something, with its start time."""
        self._write({"at": at.isoformat(), "admin": [method, path, body.decode("latin-1")]})

    def note_delivery(self, delivery: Delivery) -> None:
        """Write the result of a delivery attempt."""
        last = delivery.attempts[-1] if delivery.attempts else None
        attempt = None if last is None else [last.at.isoformat(), last.url, last.status, last.failure]
        self._write({"at": self._now(), "delivery": delivery.number, "state": delivery.state, "attempt": attempt})

    def close(self) -> None:
        """Write the time, wait for the writing thread, and close the file."""
        self._write({"at": self._now()})
        self._thread.shutdown()
        self._file.close()

    def _now(self) -> str:
        return self._cloud.clock.now().isoformat()

    def _write(self, line: dict[str, Any]) -> None:
        self._thread.submit(self._append, orjson.dumps(line) + b"\n")

    def _append(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()

    # Replay

    def _replay(self, lines: list[dict[str, Any]]) -> None:
        speed, self._cloud.clock.speed = self._cloud.clock.speed, 0.0
        operations = {operation.name: operation for operation in self._cloud.handlers}
        for line in lines:
            self._go_to(datetime.fromisoformat(line["at"]))
            if "operation" in line:
                self._ask(operations[line["operation"]], line)
            elif "admin" in line:
                method, path, body = line["admin"]
                self._cloud.clock.speed = speed
                repeat_request(self._cloud, method, path, body.encode("latin-1"))
                speed, self._cloud.clock.speed = self._cloud.clock.speed, 0.0
            elif "delivery" in line:
                self._deliver(line)
        self._cloud.clock.speed = speed

    def _go_to(self, moment: datetime) -> None:
        """Advance the clock to a moment, and stop at each due action on the way."""
        platform = self._cloud.platform
        while (due := platform.agenda.due) is not None and due <= moment:
            platform.clock.advance_to(max(due, platform.clock.now()))
        platform.clock.advance_to(max(moment, platform.clock.now()))

    def _ask(self, operation: Operation[Any, Any], line: dict[str, Any]) -> None:
        platform = self._cloud.platform
        received = Received(
            operation=operation.name,
            method=line["method"],
            path=line["path"],
            query=line["query"],
            headers=line["headers"],
            body=line["body"].encode("latin-1"),
        )
        for name in ("VZ-M2M-Token", "SessionToken"):
            # Read-only requests kept the session alive, but the journal does not contain them.
            if (session := platform.tokens.sessions.get(line["headers"].get(name, ""))) is not None:
                session.used = max(session.used, platform.clock.now())
        call = Call(platform=platform, received=received, path=line["values"])
        gateway.answer(operation, self._cloud.handlers[operation], call)

    def _deliver(self, line: dict[str, Any]) -> None:
        outbox = self._cloud.platform.outbox
        if (delivery := outbox.deliveries.find(line["delivery"])) is None:
            return
        outbox.forget(delivery)
        if line["attempt"] is not None and line["state"] not in ("dropped", "refused"):
            at, url, status, failure = line["attempt"]
            delivery.note(Attempt(at=datetime.fromisoformat(at), url=url, status=status, failure=failure))
        elif line["state"] == "dropped":
            delivery.end("dropped")
        else:
            delivery.state = line["state"]
        outbox.put_back(delivery)
