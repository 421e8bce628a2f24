"""Changes that replicas have confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import RedisCluster

from thingspace_async.errors import InboxUnavailable
from thingspace_async.redis._faults import inbox_errors
from thingspace_async.redis._scripts import Argument, Client, Script, plain

__all__ = ["confirmed"]

_REPLICA_TIMEOUT: Final = 1000
"""Milliseconds for replicas to confirm a change."""


async def confirmed(
    client: Client, script: Script, keys: Sequence[str], args: Sequence[Argument], *, replicas: int, label: str
) -> Any:
    """Run a script that changes something, and wait until `replicas` replicas have the change.

    Raises InboxUnavailable, whose message starts with `label`. If too few replicas confirm in time, the change is made
    all the same.
    """
    if not replicas:
        async with inbox_errors(label):
            return await script(client, keys, args)
    untyped: Any = client  # redis-py's annotations do not say which methods are coroutines.
    node = {}
    async with inbox_errors(label, _REPLICA_TIMEOUT / 1000):
        if isinstance(untyped, RedisCluster):
            await untyped.initialize()
            node = {"target_nodes": untyped.get_node_from_key(keys[0])}
        # One pipeline, because WAIT covers only changes of its own connection. EVAL instead of EVALSHA, because a
        # server that did not know the script would have no change to wait for.
        pipeline: Any = untyped.pipeline(transaction=False)
        pipeline.execute_command("EVAL", script.text, len(keys), *keys, *map(plain, args))
        pipeline.execute_command("WAIT", replicas, _REPLICA_TIMEOUT, **node)
        answer, count = await pipeline.execute()
    if count < replicas:
        raise InboxUnavailable(
            f"{label} failed: {count} of {replicas} replicas have the change: check that they run, or lower `replicas`"
        )
    return answer
