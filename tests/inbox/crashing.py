"""Stores messages as the platform would, in processes that are killed again and again.

Run as `python -m tests.inbox.crashing FILE_OR_REDIS_URL MESSAGES KILLS`. Each process is sent what no process before it
has acknowledged. Prints how often it killed one that was storing, and how many messages were then left for the last.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import islice

from redis.asyncio import Redis

from tests.inbox.making import activated
from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.redis.inbox import RedisInbox

AT_ONCE = 8
OF_A_PROCESS = 200
"""Messages that a process is given: more than it will come to."""


@asynccontextmanager
async def _opened(place: str) -> AsyncGenerator[BaseInbox]:
    if place.startswith("redis:"):
        async with Redis.from_url(place) as client, RedisInbox(client) as inbox:
            yield inbox
    else:
        async with SqliteInbox(place) as inbox:
            yield inbox


async def _store(place: str, attempts: dict[int, int], acknowledge: int) -> None:
    left = iter(attempts.items())

    async def send() -> None:
        for number, attempt in left:
            await inbox.store(activated(number, callbackCount=attempt))
            os.write(acknowledge, b"%d\n" % number)

    async with _opened(place) as inbox:
        await asyncio.gather(*(send() for _ in range(AT_ONCE)))


def _child(place: str, attempts: dict[int, int]) -> tuple[int, int]:
    """Start a process that stores; forked, for it takes too long to import everything two hundred times."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        return child, reading
    os.close(reading)
    asyncio.run(_store(place, attempts, writing))
    os._exit(0)


def _acknowledged(reading: int, most: int | None = None) -> list[int]:
    """Read numbers until there are so many, or until the other end is gone."""
    text = b""
    while (most is None or text.count(b"\n") < most) and (more := os.read(reading, 1 << 16)):
        text += more
    return [int(line) for line in text.split()]


def main(place: str, messages: int, kills: int) -> None:
    """Kill and kill again, and then let one process finish."""
    chance = random.Random(4)
    attempts, hits = dict.fromkeys(range(messages), 1), 0
    while hits < kills:
        assert attempts, "the processes were done before they could be killed"
        child, reading = _child(place, dict(islice(attempts.items(), OF_A_PROCESS)))
        done = _acknowledged(reading, chance.randrange(OF_A_PROCESS // 5))
        time.sleep(chance.random() * (0.002 if done else 0.03))
        os.kill(child, signal.SIGKILL)
        done += _acknowledged(reading)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        hits += os.WIFSIGNALED(status)
        for number in islice(tuple(attempts), OF_A_PROCESS):
            attempts[number] += 1
        for number in done:
            del attempts[number]
    child, reading = _child(place, attempts)
    assert set(_acknowledged(reading)) == set(attempts)
    os.close(reading)
    assert os.waitpid(child, 0)[1] == 0
    sys.stdout.write(f"{hits} {len(attempts)}\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
