"""Lua scripts, which Redis runs as one step."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError

from thingspace_async._core.types import Secret

__all__ = [
    "MICROSECOND",
    "Argument",
    "Client",
    "Script",
    "longest_block",
    "microseconds_of",
    "plain",
    "text_of",
    "time_of",
]

Client: TypeAlias = Redis | RedisCluster
Argument: TypeAlias = str | bytes | int | float | Secret

MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Script:
    """A Lua script. Each server gets its text once, and after that only its digest."""

    def __init__(self, text: str, *, writes: bool = False) -> None:
        self.text: Final = text
        self.writes: Final = writes
        """Whether each success stores something. A full Redis and a replica also run scripts that store nothing."""
        self.sha: Final = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, client: Client, keys: Sequence[str], args: Sequence[Argument] = ()) -> Any:
        """Run the script, and send its text if the server does not have it."""
        try:
            return await client.evalsha(self.sha, len(keys), *keys, *map(plain, args))
        except NoScriptError:
            return await client.eval(self.text, len(keys), *keys, *map(plain, args))


def plain(argument: Argument) -> Any:
    """Return an argument as redis-py takes it."""
    return argument.reveal() if isinstance(argument, Secret) else argument


def longest_block(client: Client, most: float) -> float:
    """Return how many seconds a read may block: at most `most`, and half of the client's `socket_timeout`."""
    limit = client.get_connection_kwargs().get("socket_timeout")
    return most if limit is None else min(most, limit / 2)


def text_of(value: bytes | str) -> str:
    """Return an answer as a string. Clients with `decode_responses` have decoded it already."""
    return value if isinstance(value, str) else value.decode()


def microseconds_of(time: datetime) -> int:
    """Return a time as Redis keeps it: in whole microseconds since 1970."""
    return (time - _EPOCH) // MICROSECOND


def time_of(microseconds: bytes | str | int) -> datetime:
    """Return the time that `microseconds_of` turned into a number."""
    return _EPOCH + int(microseconds) * MICROSECOND
