"""Inboxes: the rate and latency of durable storage on one core, and the memory of a waiting request.

Each measurement is a process of its own, `python -m benchmarks.inbox NAME`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import quantiles
from uuid import uuid4

from benchmarks._measure import Bar, Row
from benchmarks._server import ROOT
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox

__all__ = ["run"]

_MESSAGES, _AT_ONCE = 20_000, 64
_RATE, _SECONDS = 500, 6
_WAITING = 100_000

Figures = dict[str, float]


def run() -> list[Row]:
    """Store at full speed, store at the rate that a receiver must sustain, and wait for 100,000 requests."""
    fast, steady, waiting, bare = (_repeated(name) for name in ("fast", "steady", "waiting", "bare"))
    above = [ours - floor for ours, floor in zip(waiting["bytes"], bare["bytes"], strict=True)]
    return [
        Row(what=f"stored, {_AT_ONCE} at once", values=fast["rate"], unit="msg/s", bar=Bar(2000, at_least=True)),
        Row(what="  of these, 50 % within", values=fast["p50"], unit="ms"),
        Row(what="  of these, 99 % within", values=fast["p99"], unit="ms"),
        Row(what=f"stored at {_RATE} msg/s, 50 % within", values=steady["p50"], unit="ms"),
        Row(what=f"stored at {_RATE} msg/s, 99 % within", values=steady["p99"], unit="ms", bar=Bar(50)),
        Row(
            what=f"{_WAITING:,} requests waiting, each above its task",
            ours=f"{waiting['bytes'][0]:.0f} B",
            floor=f"{bare['bytes'][0]:.0f} B",
            values=above,
            unit="B",
            bar=Bar(1024),
        ),
    ]


def _repeated(name: str) -> dict[str, list[float]]:
    """Measure three times, each in a new process."""
    command = [sys.executable, "-m", "benchmarks.inbox", name]
    figures: list[Figures] = []
    for _ in range(3):
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        figures.append(json.loads(done.stdout))
    return {figure: [found[figure] for found in figures] for figure in figures[0]}


def _message(number: int) -> bytes:
    """Make an activation's result of realistic size."""
    kinds = ("Iccid", "Imei", "Mdn", "Msisdn", "Min")
    devices = [{"id": f"{number:015}", "kind": kind} for kind in kinds]
    answer = {"deviceIds": devices, "state": "active", "servicePlan": "M2M_4G", "ipAddress": "10.0.0.1"}
    message = {
        "requestId": str(uuid4()),
        "deviceIds": devices[:2],
        "deviceResponse": {"activateResponse": answer},
        "status": "Success",
        "callbackCount": 1,
        "maxCallbackThreshold": 4,
    }
    return json.dumps(message).encode()


async def _timed_store(inbox: SqliteInbox, body: bytes, spent: list[float], due: float | None = None) -> None:
    started = time.perf_counter() if due is None else due
    await inbox.store(body, service="CarrierService")
    spent.append((time.perf_counter() - started) * 1000)


def _percentiles(spent: list[float]) -> Figures:
    found = quantiles(spent, n=100)
    return {"p50": found[49], "p99": found[98]}


async def _fast(inbox: SqliteInbox) -> Figures:
    left = iter([_message(number) for number in range(_MESSAGES)])
    spent: list[float] = []

    async def send() -> None:
        for body in left:
            await _timed_store(inbox, body, spent)

    started = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(_AT_ONCE)))
    return {"rate": _MESSAGES / (time.perf_counter() - started)} | _percentiles(spent)


async def _steady(inbox: SqliteInbox) -> Figures:
    """Store at a fixed rate, without waiting for earlier messages."""
    bodies = [_message(number) for number in range(_RATE * _SECONDS)]
    spent: list[float] = []
    started = time.perf_counter()
    async with asyncio.TaskGroup() as storing:
        for number, body in enumerate(bodies):
            due = started + number / _RATE
            await asyncio.sleep(due - time.perf_counter())
            storing.create_task(_timed_store(inbox, body, spent, due))
    return _percentiles(spent)


async def _waiting(inbox: SqliteInbox) -> Figures:
    async def follow(request_id: str) -> None:
        async for _ in inbox.follow(request_id):
            pass

    return await _cost(follow, inbox)


async def _bare(inbox: SqliteInbox) -> Figures:
    """Let as many tasks wait without an inbox, to measure a task's own cost."""

    async def wait(_: str) -> None:
        await asyncio.get_running_loop().create_future()

    return await _cost(wait, inbox)


async def _cost(wait: Callable[[str], Awaitable[None]], inbox: SqliteInbox) -> Figures:
    requests = [str(uuid4()) for _ in range(_WAITING)]
    gc.collect()
    before, tasks = _resident(), set()
    for number, request_id in enumerate(requests):
        tasks.add(asyncio.ensure_future(wait(request_id)))
        if number % 100 == 0:
            await inbox.ledger.runs()  # Let earlier tasks start first, one after the other, as in real use.
    await asyncio.sleep(1)
    gc.collect()
    spent = _resident() - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"bytes": spent / _WAITING}


def _resident() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


async def _measure(name: str) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        async with SqliteInbox(Path(folder) / "messages.db") as inbox:
            return await {"fast": _fast, "steady": _steady, "waiting": _waiting, "bare": _bare}[name](inbox)


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps(asyncio.run(_measure(sys.argv[1]))))
