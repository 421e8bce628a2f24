"""Messages that one process stores in Redis and another one waits for, on two cores.

The waiter follows all requests from the start. A message bears the time at which it is given to the inbox of the one
process, from which it is measured until the other one has it. With Redis these are three processes, which share the
cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import aclosing
from statistics import quantiles
from typing import Final

import orjson
from redis.asyncio import Redis

from benchmarks._measure import Bar, Row
from benchmarks._server import ROOT
from tests.redis.servers import RedisServer, find_program
from thingspace_async.redis import RedisInbox

__all__ = ["run"]

_MESSAGES: Final = 10_000
_REQUESTS: Final = 200
_AT_ONCE: Final = 100
_RATE: Final = 2000
"""Messages a second where the latency is measured: at full speed it is that of the queue in front of the waiter."""

_ROUNDS: Final = 3

Figures = dict[str, float]


def run() -> list[Row]:
    """Measure against servers of our own, each time with fresh processes; without one there is nothing to measure."""
    if find_program() is None:
        print("redis_inbox: no Redis server is installed here, so nothing was measured")
        return []
    fast, steady = ([_round(pace) for _ in range(_ROUNDS)] for pace in ("fast", "steady"))
    rates, memory = ([one[name] for one in fast] for name in ("rate", "memory"))
    what = "stored in Redis, handed to another process"
    return [
        Row(what=f"{what}, {_AT_ONCE} at once", values=rates, unit="msg/s", bar=Bar(2000, at_least=True)),
        Row(what=f"{what} at {_RATE} msg/s, 50 % within", values=[one["p50"] for one in steady], unit="ms"),
        Row(what=f"{what} at {_RATE} msg/s, 99 % within", values=[one["p99"] for one in steady], unit="ms"),
        Row(what=f"memory of Redis for a message of {len(_message(0))} B", values=memory, unit="B"),
    ]


def _round(pace: str) -> Figures:
    command = [sys.executable, "-m", "benchmarks.redis_inbox"]
    with (
        RedisServer() as server,
        subprocess.Popen([*command, "wait", server.url], cwd=ROOT, stdout=subprocess.PIPE, text=True) as waiter,
    ):
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == "ready\n"
        subprocess.run([*command, pace, server.url], cwd=ROOT, check=True)
        figures: Figures = json.loads(waiter.stdout.readline())
    return figures


def _message(number: int) -> bytes:
    """Make the result of an activation, as long as the platform's are; an identifier of the device is the time."""
    kinds = ("Iccid", "Imei", "Mdn", "Msisdn", "Min")
    devices = [{"id": str(time.monotonic_ns()), "kind": kind} for kind in kinds]
    answer = {"deviceIds": devices, "state": "active", "servicePlan": "M2M_4G", "ipAddress": "10.0.0.1"}
    return orjson.dumps(
        {
            "requestId": _request(number % _REQUESTS),
            "deviceIds": devices[:2],
            "deviceResponse": {"activateResponse": answer},
            "status": "Success",
            "callbackCount": 1,
            "maxCallbackThreshold": 4,
        }
    )


def _request(number: int) -> str:
    return f"a86b9ac0-6bf2-4d4c-9d3c-{number:012}"


async def _fast(inbox: RedisInbox) -> None:
    left = iter(range(_MESSAGES))

    async def send() -> None:
        for number in left:
            await inbox.store(_message(number), service="CarrierService")

    await asyncio.gather(*(send() for _ in range(_AT_ONCE)))


async def _steady(inbox: RedisInbox) -> None:
    """Store at a rate, whether what came before is done or not."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as storing:
        for number in range(_MESSAGES):
            await asyncio.sleep(began + number / _RATE - time.monotonic())
            storing.create_task(inbox.store(_message(number), service="CarrierService"))


async def _wait(inbox: RedisInbox, client: Redis) -> None:
    """Wait for all messages, and print how long they took."""
    given: list[int] = []
    spent: list[float] = []

    async def follow(request_id: str) -> None:
        async with aclosing(inbox.follow(request_id)) as coming:
            for _ in range(_MESSAGES // _REQUESTS):
                received = await anext(coming)
                given.append(int(received.message.device_ids[0].id))
                spent.append((time.monotonic_ns() - given[-1]) / 1e6)

    following = [asyncio.create_task(follow(_request(number))) for number in range(_REQUESTS)]
    await asyncio.sleep(1)
    print("ready", flush=True)
    await asyncio.gather(*following)
    seconds = (time.monotonic_ns() - min(given)) / 1e9
    percentiles = quantiles(spent, n=100)
    memory = int((await client.info("memory"))["used_memory_dataset"]) / _MESSAGES
    print(json.dumps({"rate": _MESSAGES / seconds, "p50": percentiles[49], "p99": percentiles[98], "memory": memory}))


async def _run(work: str, url: str) -> None:
    async with Redis.from_url(url) as client, RedisInbox(client) as inbox:
        if work == "wait":
            await _wait(inbox, client)
        else:
            await {"fast": _fast, "steady": _steady}[work](inbox)


if __name__ == "__main__":
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    asyncio.run(_run(sys.argv[1], sys.argv[2]))
