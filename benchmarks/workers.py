"""`python -m benchmarks.workers`: four processes share one user of ThingSpace through Redis.

They call the simulator, whose session expires half-way. The number of logins is printed. Redis is the server at
`--redis URL`, or a new one if a Redis server is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process

from redis.asyncio import Redis

from tests.redis.servers import RedisServer, find_program
from thingspace_async import Credentials, Environment, Session
from thingspace_async.redis import RedisStore
from thingspace_async.simulator import Simulator

__all__: list[str] = []

_WORKERS = 4
_CALLS = 100
"""Calls of each worker before the session expires, and again after it."""


async def _work(url: str, redis_url: str, credentials: list[str]) -> None:
    """Run one worker: make calls, print a line, wait for a line, and make more calls."""
    client_id, client_secret, username, password = credentials
    known = Credentials(client_id=client_id, client_secret=client_secret, username=username, password=password)
    async with (
        Redis.from_url(redis_url) as redis,
        Session(known, environment=Environment.at(url), store=RedisStore(redis)) as session,
    ):
        for _ in range(2):
            for _ in range(_CALLS):
                await session.accounts.get("0000123456-00001")
            print(_CALLS, flush=True)
            await asyncio.to_thread(sys.stdin.readline)


async def _all(workers: list[Process]) -> int:
    """Wait until all workers have made their calls, and return the number of calls."""
    lines = await asyncio.gather(*(worker.stdout.readline() for worker in workers if worker.stdout is not None))
    return sum(map(int, lines))


def _go_on(workers: list[Process]) -> None:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"\n")


async def _run(redis_url: str) -> None:
    async with Simulator(devices=3) as cloud:
        known = cloud.credentials
        secrets = (known.client_id, known.client_secret.reveal(), known.username, known.password.reveal())
        command = (sys.executable, "-m", "benchmarks.workers", "--worker", cloud.url, redis_url, *secrets)
        workers = [await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE) for _ in range(_WORKERS)]
        calls, first = await _all(workers), cloud.count("session.log_in")
        print(f"{_WORKERS} workers made {calls} calls with {first} log-in")
        cloud.clock.advance(21 * 60)
        _go_on(workers)
        calls, second = await _all(workers), cloud.count("session.log_in") - first
        print(f"their session expired, and they made {calls} more with {second} log-in")
        _go_on(workers)
        await asyncio.gather(*(worker.wait() for worker in workers))
        print(f"they left, the last of them with {cloud.count('session.log_out')} log-out")


def main() -> None:
    """Run the workers, or one worker."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--redis", metavar="URL")
    parser.add_argument("--worker", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        url, redis_url, *credentials = given.worker
        asyncio.run(_work(url, redis_url, credentials))
        return
    with contextlib.ExitStack() as stack:
        redis_url = given.redis
        if redis_url is None:
            if find_program() is None:
                sys.exit("no Redis server is installed here: install one, or say --redis redis://HOST:6379")
            redis_url = stack.enter_context(RedisServer()).url
        asyncio.run(_run(redis_url))


if __name__ == "__main__":
    main()
