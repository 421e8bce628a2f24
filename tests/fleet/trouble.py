"""A fleet run through ten minutes of outage, a minute of throttling and a forced login, on a simulated clock.

The platform, the receiver and the run share an event loop whose clock jumps ahead whenever they all wait.
"""

from __future__ import annotations

import asyncio
import selectors
import time
import warnings
from collections import Counter
from contextlib import aclosing
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tests.fleet.staging import Stage, fleet, requests, staged
from thingspace_async import SuspiciousIdentifier
from thingspace_async._core.ledger import BatchState
from thingspace_async.callbacks import MemoryInbox
from thingspace_async.devices import FleetOutcome, FleetResult, fleet_status
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.faults import Status

_GRACE = 0.002
"""Seconds in which data on loopback arrives."""


class _Clock:
    """A clock that runs, and can jump ahead."""

    def __init__(self) -> None:
        self._real = time.monotonic
        self._jumped = 0.0

    def __call__(self) -> float:
        return self._real() + self._jumped

    def jump(self, seconds: float) -> None:
        self._jumped += max(0.0, seconds)


class _Selector(selectors.DefaultSelector):
    """Waits for data a moment, and then lets the clock jump to the next timer."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock
        self.threads = 0
        """Threads at work for the loop. While there are any, the clock runs at its own pace."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= _GRACE or self.threads:
            return super().select(timeout)
        ready = super().select(_GRACE)
        if not ready:
            self._clock.jump(timeout - _GRACE)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """An event loop on a clock that jumps ahead."""

    def __init__(self, clock: _Clock) -> None:
        self._watched = _Selector(clock)
        super().__init__(self._watched)

    def run_in_executor(self, *about: Any) -> Any:  # type: ignore[override]
        """Run a function in a thread, and count the threads."""
        self._watched.threads += 1
        done = super().run_in_executor(*about)
        done.add_done_callback(self._ended)
        return done

    def _ended(self, _: asyncio.Future[Any]) -> None:
        self._watched.threads -= 1


class _Gate:
    """Holds back new requests of a run."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._is_open = asyncio.Event()
        self._is_open.set()
        store = stage.session._engine.store
        self._pace = store.pace
        store.pace = self._wait  # type: ignore[method-assign]

    async def _wait(self, account: str | None) -> None:
        await self._pace(account)
        await self._is_open.wait()

    async def close(self) -> None:
        """Wait until no request is in progress. The devices of a request that is cut off are unknown."""
        self._is_open.clear()
        await asyncio.sleep(1)
        while await self._count_sending():
            await asyncio.sleep(0.1)

    def open(self) -> None:
        self._is_open.set()

    async def _count_sending(self) -> int:
        status = await fleet_status(self._stage.outcomes.inbox, "spring")
        return 0 if status is None else status.batches.get(BatchState.SENDING, 0)


async def _trouble(stage: Stage) -> None:
    gate = _Gate(stage)
    await asyncio.sleep(30)
    await gate.close()
    await stage.cloud.close()
    gate.open()
    await asyncio.sleep(600)
    await stage.cloud.start()
    await asyncio.sleep(60)
    stage.cloud.faults.add("devices.activate", Status.too_many_requests(), times=None)
    await asyncio.sleep(60)
    stage.cloud.faults.clear()
    await asyncio.sleep(10)
    stage.cloud.expire_sessions()


async def _activate(count: int) -> dict[str, Any]:
    began, real = time.monotonic(), time.perf_counter()
    results: Counter[FleetResult] = Counter()
    late = Assumptions(request_time=timedelta(seconds=30))
    async with MemoryInbox() as inbox, staged(inbox, assumptions=late) as stage:
        troubling = asyncio.create_task(_trouble(stage))
        run: Any = stage.activate(fleet(count), devices_per_request=max(1, count // 500))
        async with aclosing(run) as coming:
            outcome: FleetOutcome
            async for outcome in coming:
                results[outcome.result] += 1
        in_time = troubling.done()
        await troubling
        statuses = Counter(one.status for one in requests(stage.cloud))
        accepted = Counter(stage.accepted)
        logins = stage.cloud.count("session.log_in")
    return {
        **{str(result): number for result, number in results.items()},
        "trouble was over before the run": int(in_time),
        "devices accepted twice": sum(number > 1 for number in accepted.values()),
        "requests answered with 429": statuses[429],
        "logins": logins,
        "simulated seconds": round(time.monotonic() - began),
        "seconds": round(time.perf_counter() - real),
    }


def carry_out(count: int) -> dict[str, Any]:
    """Activate devices through all the trouble, and return figures."""
    clock = _Clock()
    with (
        warnings.catch_warnings(),
        patch.object(time, "monotonic", clock),
        asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner,
    ):
        warnings.simplefilter("ignore", SuspiciousIdentifier)
        return runner.run(_activate(count))
