"""Posts messages to listeners (PROTOCOL.md 3.3)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection
from typing import Final

import aiohttp
from yarl import URL

from thingspace_async._core.checks import is_loopback
from thingspace_async.simulator.deliveries import Attempt, Delivery, Outbox
from thingspace_async.simulator.mechanisms.listeners import Posted
from thingspace_async.simulator.platform import Platform

__all__ = ["Courier"]

_MOST_AT_ONCE: Final = 20
_TIMEOUT: Final = 10.0
"""Seconds for a listener to answer. The platform's timeout is not documented."""
_IDLE: Final = 2.0
"""Seconds to keep an idle connection, less than most servers do."""

_REFUSED: Final = (
    "the listener {} for {} is on another machine, and gets no messages: allow its host with "
    "Simulator(callback_hosts=...) or --callback-host"
)

_log: Final = logging.getLogger("thingspace_async.simulator")


class Courier:
    """Posts due messages until its `task` is cancelled. Create it on the running event loop."""

    def __init__(
        self,
        platform: Callable[[], Platform],
        hosts: Collection[str],
        attempted: Callable[[Delivery], object] = lambda _: None,
    ) -> None:
        self._current = platform
        self._attempted = attempted
        self._hosts = hosts
        self._refused: set[str] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self.task: Final = asyncio.create_task(self._run())

    @property
    def _platform(self) -> Platform:
        """The current platform: a reset replaces it."""
        return self._current()

    def check(self) -> None:
        """Raise the error of the task, if it failed."""
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
                self._platform.on_change(self._changed.set)
                self._platform.settle()
                due = self._platform.outbox.count_due()
                for _ in range(min(due, _MOST_AT_ONCE - len(self._workers))):
                    worker = workers.create_task(self._work(http))
                    self._workers.add(worker)
                    worker.add_done_callback(self._ended)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds_left()):
                        await self._changed.wait()

    async def wait_until_idle(self) -> None:
        """Wait until no message is due or being sent."""
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
        """Return the real time until the next message or action is due; None if there is none, or no free worker."""
        clock, due = self._platform.clock, self._platform.next_due
        if due is None or not clock.speed or len(self._workers) == _MOST_AT_ONCE:
            return None
        return (due - clock.now()).total_seconds() / clock.speed

    async def _work(self, http: aiohttp.ClientSession) -> None:
        platform = self._platform
        while platform is self._platform and (delivery := platform.outbox.take()) is not None:
            try:
                await self._deliver(http, platform, delivery)
                self._attempted(delivery)
            finally:
                platform.outbox.put_back(delivery)
            platform.settle()

    async def _deliver(self, http: aiohttp.ClientSession, platform: Platform, delivery: Delivery) -> None:
        registry = platform.listeners[delivery.api]
        listener = registry.find(delivery.account_name, delivery.service)
        if listener is None:
            delivery.end("dropped")
        elif not self._may_reach(listener["url"]):
            delivery.state = "refused"
            if listener["url"] not in self._refused:  # Log it once, not for each of 10,000 devices.
                self._refused.add(listener["url"])
                _log.warning("%s", _REFUSED.format(listener["url"], delivery.service))
        else:
            at = platform.clock.now()
            posted = registry.wrap(delivery.message, listener, len(delivery.attempts) + 1)
            answer = await self._post(http, platform.outbox, listener["url"], posted)
            status, failure = (answer, None) if isinstance(answer, int) else (None, answer)
            delivery.note(Attempt(at=at, url=listener["url"], status=status, failure=failure))

    def _may_reach(self, url: str) -> bool:
        host = URL(url).host or ""
        return is_loopback(host) or host in self._hosts

    async def _post(self, http: aiohttp.ClientSession, outbox: Outbox, url: str, posted: Posted) -> int | str:
        """Return the status of the answer, or the reason for a missing answer."""
        if outbox.lose():
            return "lost by DeliveryFaults.lost"
        faults, body = outbox.faults, posted.body
        if outbox.draw.random() < faults.brace_missing:
            body = body[1:]
        plain = {"Content-Type": "application/json;charset=UTF-8", "Content-Length": str(len(body))}
        headers = {**plain, **posted.headers}
        sent = _in_halves(body, faults.slow) if faults.slow else body
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT + faults.slow)
        try:
            # Do not follow redirects: they could lead to any host.
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
