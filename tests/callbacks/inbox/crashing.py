"""Stores messages in processes that are killed one after the other.

Run as `python -m tests.callbacks.inbox.crashing PLACE MESSAGES KILLS`. Each process gets the messages that the earlier
ones have not acknowledged. Prints the number of processes that were killed while storing, and the number of messages
that were left for the last process.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from itertools import islice

from tests.callbacks.inbox.making import activated
from tests.callbacks.inbox.opening import opened

AT_ONCE = 8
OF_A_PROCESS = 200
"""Messages per process: more than it can store before it is killed."""


async def _store(place: str, attempts: dict[int, int], acknowledge: int) -> None:
    left = iter(attempts.items())

    async def send() -> None:
        for number, attempt in left:
            await inbox.store(activated(number, callbackCount=attempt))
            os.write(acknowledge, b"%d\n" % number)

    async with opened(place) as inbox:
        await asyncio.gather(*(send() for _ in range(AT_ONCE)))


def _child(place: str, attempts: dict[int, int]) -> tuple[int, int]:
    """Fork a process that stores messages. Starting 200 processes from scratch would take too long."""
    reading, writing = os.pipe()
    if child := os.fork():
        os.close(writing)
        return child, reading
    os.close(reading)
    asyncio.run(_store(place, attempts, writing))
    os._exit(0)


def _acknowledged(reading: int, most: int | None = None) -> list[int]:
    """Read `count` numbers, or fewer if the other process ends."""
    text = b""
    while (most is None or text.count(b"\n") < most) and (more := os.read(reading, 1 << 16)):
        text += more
    return [int(line) for line in text.split()]


def main(place: str, messages: int, kills: int) -> None:
    """Kill processes, and then let one finish."""
    chance = random.Random(4)
    attempts, hits = dict.fromkeys(range(messages), 1), 0
    while hits < kills:
        assert attempts, "the processes ended before they could be killed"
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
