"""The time from storing a message on a server in one process until another process has it, on two cores.

The waiting process follows all requests from the start. Each message contains the time of its arrival in the first
process's inbox. The server is a third process on the same cores.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing
from statistics import quantiles
from typing import Final

import orjson

from benchmarks._measure import Bar, Row
from benchmarks._server import ROOT
from thingspace_async.callbacks.inbox import BaseInbox

__all__ = ["Size", "rows", "work"]

_MESSAGES: Final = 10_000
_REQUESTS: Final = 200
_AT_ONCE: Final = 100
_RATE: Final = 2000
"""Messages per second when measuring latency. At full speed, the queue would dominate the latency."""

_ROUNDS: Final = 3

Figures = dict[str, float]
Size = Callable[[], Awaitable[int]]
"""Returns the bytes that the server uses for all messages."""


def rows(server: str, module: str, start: Callable[[], AbstractContextManager[str]], *, size: str) -> list[Row]:
    """Measure several rounds, each with a new server from `start` and new processes."""
    fast, steady = ([_round(module, start, pace) for _ in range(_ROUNDS)] for pace in ("fast", "steady"))
    rates, sizes = ([one[name] for one in fast] for name in ("rate", "size"))
    what = f"stored in {server}, handed to another process"
    return [
        Row(what=f"{what}, {_AT_ONCE} at once", values=rates, unit="msg/s", bar=Bar(2000, at_least=True)),
        Row(what=f"{what} at {_RATE} msg/s, 50 % within", values=[one["p50"] for one in steady], unit="ms"),
        Row(what=f"{what} at {_RATE} msg/s, 99 % within", values=[one["p99"] for one in steady], unit="ms"),
        Row(what=f"{size} for a message of {len(_message(0))} B", values=sizes, unit="B"),
    ]


def _round(module: str, start: Callable[[], AbstractContextManager[str]], pace: str) -> Figures:
    command = [sys.executable, "-m", module]
    with (
        start() as url,
        subprocess.Popen([*command, "wait", url], cwd=ROOT, stdout=subprocess.PIPE, text=True) as waiter,
    ):
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == "ready\n"
        subprocess.run([*command, pace, url], cwd=ROOT, check=True)
        figures: Figures = json.loads(waiter.stdout.readline())
    return figures


def _message(number: int) -> bytes:
    """Make an activation's result of realistic size. The device's identifiers are the current time."""
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


async def _fast(inbox: BaseInbox) -> None:
    left = iter(range(_MESSAGES))

    async def send() -> None:
        for number in left:
            await inbox.store(_message(number), service="CarrierService")

    await asyncio.gather(*(send() for _ in range(_AT_ONCE)))


async def _steady(inbox: BaseInbox) -> None:
    """Store at a fixed rate, without waiting for earlier messages."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as storing:
        for number in range(_MESSAGES):
            await asyncio.sleep(began + number / _RATE - time.monotonic())
            storing.create_task(inbox.store(_message(number), service="CarrierService"))


async def _wait(inbox: BaseInbox, size: Size) -> None:
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
    bytes_each = await size() / _MESSAGES
    print(json.dumps({"rate": _MESSAGES / seconds, "p50": percentiles[49], "p99": percentiles[98], "size": bytes_each}))


def work(opened: Callable[[str], AbstractAsyncContextManager[tuple[BaseInbox, Size]]]) -> None:
    """Carry out the command line `ACTION URL` with an inbox from `opened`."""

    async def run(what: str, url: str) -> None:
        async with opened(url) as (inbox, size):
            if what == "wait":
                await _wait(inbox, size)
            else:
                await {"fast": _fast, "steady": _steady}[what](inbox)

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    asyncio.run(run(sys.argv[1], sys.argv[2]))
