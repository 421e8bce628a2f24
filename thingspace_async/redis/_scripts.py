"""Lua scripts: what they do happens at once, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoScriptError

from thingspace_async._types import Secret

__all__ = ["Argument", "Client", "Script", "longest_block", "text_of"]

Client: TypeAlias = Redis | RedisCluster
Argument: TypeAlias = str | bytes | int | float | Secret


class Script:
    """A Lua script, sent once to each server and then named by its digest."""

    def __init__(self, text: str) -> None:
        self.text: Final = text
        self.sha: Final = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, client: Client, keys: Sequence[str], args: Sequence[Argument] = ()) -> Any:
        """Run it; a server that does not know it, or no more, is told."""
        try:
            return await client.evalsha(self.sha, len(keys), *keys, *map(_plain, args))
        except NoScriptError:
            return await client.eval(self.text, len(keys), *keys, *map(_plain, args))


def _plain(argument: Argument) -> Any:
    return argument.reveal() if isinstance(argument, Secret) else argument


def longest_block(client: Client, most: float) -> float:
    """Return the seconds for which a read may block: well below those after which the client gives it up."""
    limit = client.get_connection_kwargs().get("socket_timeout")
    return most if limit is None else min(most, limit / 2)


def text_of(value: bytes | str) -> str:
    """Read what Redis answers, which a client may have decoded already."""
    return value if isinstance(value, str) else value.decode()
