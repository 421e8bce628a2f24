"""Serves the metrics and the health of a receiver, for Prometheus and for orchestrators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from yarl import URL

from thingspace_async.callbacks.inbox import Inbox
from thingspace_async.callbacks.receiver import Answered, Receiver
from thingspace_async.errors import InboxUnavailable

__all__ = ["serve_metrics"]

_ANSWERS_WITHIN: Final = 2.0
"""Seconds for the inbox to answer a probe."""


class _Readiness:
    """Finds out whether an inbox answers."""

    def __init__(self, inbox: Inbox, within: float) -> None:
        self._inbox = inbox
        self._within = within
        self._asking: asyncio.Task[str | None] | None = None

    async def trouble(self) -> str | None:
        """Return why the inbox is not ready, or None. Concurrent callers share one question, even a late one."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        asking = self._asking
        await asyncio.wait([asking], timeout=self._within)  # It is not cancelled: a cancellation may take long, too.
        if not asking.done() or asking.cancelled():
            return f"it has not answered within {self._within:g} s"
        return asking.result()

    async def _ask(self) -> str | None:
        try:
            await self._inbox.kept()
        except InboxUnavailable as error:
            return str(error)
        return None

    async def end(self) -> None:
        """Cancel a question that has no answer yet."""
        if self._asking is not None and not self._asking.done():
            self._asking.cancel()
            await asyncio.wait([self._asking])


class _Metrics:
    """The metrics of one receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self.registry = CollectorRegistry()
        self._messages = Counter(
            "thingspace_receiver_messages",
            "Messages by result: stored, refused, or unmatched if no listener is known for their service.",
            ("result", "service", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "thingspace_receiver_message_seconds",
            "Seconds to read and store a message.",
            registry=self.registry,
        )
        self.ready = Gauge(
            "thingspace_receiver_ready", "Whether the inbox answers: 1, or 0 if it does not.", registry=self.registry
        )
        receiver.add_hook(self._count)

    def _count(self, answered: Answered) -> None:
        self._messages.labels(answered.result, answered.service or "", str(answered.status)).inc()
        if answered.result == "stored":
            self._seconds.observe(answered.seconds)


@asynccontextmanager
async def serve_metrics(
    receiver: Receiver, *, host: str, port: int, answers_within: float = _ANSWERS_WITHIN
) -> AsyncIterator[str]:
    """Serve `/metrics`, `/healthz` and `/readyz` of a receiver during a block, and return their base URL."""
    measured = _Metrics(receiver)
    readiness = _Readiness(receiver.inbox, answers_within)

    async def metrics(_: web.Request) -> web.Response:
        measured.ready.set(await readiness.trouble() is None)
        return web.Response(body=generate_latest(measured.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        if (why := await readiness.trouble()) is None:
            return web.Response(text="ready\n")
        return web.Response(status=503, text=f"the inbox cannot be used: {why}\n")

    served = web.Application()
    served.add_routes([web.get("/metrics", metrics), web.get("/healthz", health), web.get("/readyz", ready)])
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=answers_within)
    try:
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield str(URL.build(scheme="http", host=host, port=runner.addresses[0][1]))
    finally:
        await runner.cleanup()
        await readiness.end()
