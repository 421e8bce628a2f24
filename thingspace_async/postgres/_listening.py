"""Wake followers when other processes store messages: with LISTEN, and by checking from time to time."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import AsyncExitStack, suppress
from typing import Final

from thingspace_async.callbacks.inbox import Followers
from thingspace_async.callbacks.waking import Waker
from thingspace_async.postgres._server import Server, drop

__all__ = ["Listening", "channel_of"]

_INTERVAL: Final = 5.0
"""Seconds between checks for messages whose notification was lost."""

_INTERVAL_WITHOUT_NOTIFICATIONS: Final = 0.5
"""Seconds between checks if no notification arrives at all."""

_NEWEST: Final = "SELECT coalesce(max(number), 0) FROM {schema}.message WHERE inbox = $1"
_NEWER: Final = """
SELECT request_id, max(number) AS number FROM {schema}.message WHERE inbox = $1 AND number > $2 GROUP BY request_id
"""
_NOTIFY: Final = "SELECT pg_notify($1, '')"

_log: Final = logging.getLogger("thingspace_async")


def channel_of(schema: str, name: str) -> str:
    """Return the name of an inbox's channel, in at most 63 bytes, which is PostgreSQL's limit."""
    return "thingspace_" + hashlib.blake2b(f"{schema}\0{name}".encode(errors="replace"), digest_size=8).hexdigest()


class Listening(Waker):
    """Listens for new messages on a connection of its own, one for each process.

    Message numbers become visible in ascending order. So each check only reads numbers above the last one, and finds
    all new messages, even if notifications were lost.
    """

    def __init__(self, server: Server, followers: Followers, name: str, channel: str) -> None:
        super().__init__(followers, server.label, "PostgreSQL")
        self._server = server
        self._name = name
        self._channel = channel
        self._notified = asyncio.Event()
        self._is_notified = False
        """Whether a notification has arrived on this connection."""

    @property
    def has_answered(self) -> bool:
        """Whether the server has ever answered."""
        return self._server.has_answered

    async def _listen(self) -> None:
        server, interval, self._is_notified = self._server, _INTERVAL, False
        async with AsyncExitStack() as stack:
            async with server.limited():
                connection = await stack.enter_async_context(server.pooled())
                stack.callback(drop, connection)
                await server.prepare(connection)
                connection.add_termination_listener(self._on_termination)
                await connection.add_listener(self._channel, self._on_notification)
                last = await connection.fetchval(server.sql(_NEWEST), self._name)
            async with server.borrowed() as another:  # To find out whether a pooler suppresses notifications.
                await another.execute(_NOTIFY, self._channel)
            self._note_reachable()
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(interval):
                        await self._notified.wait()
                self._notified.clear()
                async with server.limited():
                    newer = await connection.fetch(server.sql(_NEWER), self._name, last)
                last = max((row["number"] for row in newer), default=last)
                self._followers.wake(row["request_id"] for row in newer)
                self._end_round()
                if not self._is_notified and interval != _INTERVAL_WITHOUT_NOTIFICATIONS:
                    interval = _INTERVAL_WITHOUT_NOTIFICATIONS
                    _log.warning(_NO_NOTIFICATIONS, self.label, interval)

    def _on_notification(self, *_: object) -> None:
        self._is_notified = True
        self._notified.set()

    def _on_termination(self, _: object) -> None:
        self._notified.set()


_NO_NOTIFICATIONS: Final = (
    "%s: notifications do not arrive, so it checks for messages every %g s. If PgBouncer uses pool_mode=transaction, "
    "connect directly, or with pool_mode=session"
)
