"""What posts messages to listeners (protocol.md 3.3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection
from typing import Final

import aiohttp
import orjson
from yarl import URL

from thingspace_async._checks import is_loopback
from thingspace_async.simulator.deliveries import Attempt, Delivery
from thingspace_async.simulator.state import Platform

__all__ = ["Courier"]

_MOST_AT_ONCE: Final = 20
_PATIENCE: Final = 10.0
"""Seconds in which a listener has to answer; the platform's are not documented."""
_IDLE: Final = 2.0
"""Seconds that a connection is kept for the next message, less than servers usually do."""

_REFUSED: Final = (
    "the simulator does not post to {}, where messages of {} are to go: it reaches this machine alone, "
    "and what Simulator(callback_hosts=...) names"
)

_log: Final = logging.getLogger("thingspace_async.simulator")


class Courier:
    """Posts what is due, until its `task` is cancelled; to be made on the running loop."""

    def __init__(self, platform: Platform, hosts: Collection[str]) -> None:
        self._platform = platform
        self._hosts = hosts
        self._refused: set[str] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        platform.outbox.on_change = self._changed.set
        self.task: Final = asyncio.create_task(self._run())

    def check(self) -> None:
        """Raise what the task has ended with, if it was not cancelled."""
        if self.task.done() and not self.task.cancelled():
            self.task.result()

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=_MOST_AT_ONCE, keepalive_timeout=_IDLE)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http,
            asyncio.TaskGroup() as workers,
        ):
            while True:
                self._changed.clear()
                self._platform.settle()
                due = self._platform.outbox.count_due()
                for _ in range(min(due, _MOST_AT_ONCE - len(self._workers))):
                    worker = workers.create_task(self._work(http))
                    self._workers.add(worker)
                    worker.add_done_callback(self._ended)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds_left()):
                        await self._changed.wait()

    async def quiet(self) -> None:
        """Wait until nothing that is due is under way."""
        while True:
            self.check()
            self._platform.settle()
            if self._workers:
                await asyncio.wait(self._workers)
            elif self._platform.outbox.count_due():
                await asyncio.sleep(0)  # The task is about to start workers.
            else:
                return

    def _ended(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        self._changed.set()

    def _seconds_left(self) -> float | None:
        """Return the time until something is due; None when nothing will be, or when workers are at it."""
        due = self._platform.next_due
        if due is None or len(self._workers) == _MOST_AT_ONCE:
            return None
        return (due - self._platform.clock.now()).total_seconds()

    async def _work(self, http: aiohttp.ClientSession) -> None:
        while (delivery := self._platform.outbox.take()) is not None:
            try:
                await self._deliver(http, delivery)
            finally:
                if delivery.state == "waiting":  # For its next attempt, or for this one again if that was cancelled.
                    self._platform.outbox.put(delivery)
            self._platform.settle()

    async def _deliver(self, http: aiohttp.ClientSession, delivery: Delivery) -> None:
        listener = self._platform.listeners[delivery.account_name].get(delivery.service)
        if listener is None:
            delivery.end("dropped")
        elif not self._may_reach(listener["url"]):
            delivery.state = "refused"
            if listener["url"] not in self._refused:  # Said once, and not for each of 10,000 devices.
                self._refused.add(listener["url"])
                _log.warning("%s", _REFUSED.format(listener["url"], delivery.service))
        else:
            at = self._platform.clock.now()
            body = delivery.body(listener, capitalised=self._platform.assumptions.capitalised_kinds)
            answer = await self._post(http, listener["url"], orjson.dumps(body))
            status, failure = (answer, None) if isinstance(answer, int) else (None, answer)
            delivery.note(Attempt(at=at, url=listener["url"], status=status, failure=failure))

    def _may_reach(self, url: str) -> bool:
        host = URL(url).host or ""
        return is_loopback(host) or host in self._hosts

    async def _post(self, http: aiohttp.ClientSession, url: str, body: bytes) -> int | str:
        """Return the status of the answer, or why there is none."""
        faults, outbox = self._platform.delivery_faults, self._platform.outbox
        if outbox.draw.random() < faults.brace_missing:
            body = body[1:]
        headers = {"Content-Type": "application/json;charset=UTF-8", "Content-Length": str(len(body))}
        sent = _in_halves(body, faults.slow) if faults.slow else body
        timeout = aiohttp.ClientTimeout(total=_PATIENCE + faults.slow)
        try:
            # A redirect is followed nowhere: it could lead to any host.
            async with http.post(url, data=sent, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                return answer.status
        except TimeoutError:
            return f"no answer within {timeout.total:g} s"
        except (aiohttp.ClientError, OSError) as error:
            return f"{type(error).__name__}: {error}"


async def _in_halves(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    await asyncio.sleep(seconds)
    yield body[len(body) // 2 :]
