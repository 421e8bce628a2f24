"""Opens the inbox for a test program, by URL or path."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox


@asynccontextmanager
async def opened(place: str) -> AsyncGenerator[BaseInbox]:
    """Open the inbox of a Redis or PostgreSQL URL, or of a SQLite file."""
    if place.startswith("redis:"):
        from redis.asyncio import Redis

        from thingspace_async.redis.inbox import RedisInbox

        async with Redis.from_url(place) as client, RedisInbox(client) as inbox:
            yield inbox
    elif place.startswith("postgresql:"):
        from thingspace_async.postgres.inbox import PostgresInbox

        async with PostgresInbox(place) as inbox:
            yield inbox
    else:
        async with SqliteInbox(place) as inbox:
            yield inbox
