"""The proof of fleet runs: processes are killed at random, and the platform's log shows that no promise was broken.

    python -m tests.fleet.proof --store sqlite|redis|postgres --devices 10000 --kills 200 --seed 1

Several workers divide a run, a receiver stores the messages, and Redis or PostgreSQL keeps them. All these processes
are killed with SIGKILL at random times, and started again. The simulator has a process that is not killed, and a log.

`--trouble` carries out `tests.fleet.trouble` instead: an outage, throttling and a new login, on a simulated clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import attrs

from tests.callbacks.inbox.opening import opened
from tests.fleet import proving, trouble, working
from tests.fleet.staging import fleet, imei
from tests.postgres.servers import PostgresServer
from tests.redis.servers import RedisServer, free_port
from thingspace_async import SuspiciousIdentifier
from thingspace_async.callbacks import Outcomes

ROOT = Path(__file__).parents[2]
_LOADED = multiprocessing.get_context("forkserver")  # Starting Python and loading the libraries takes a second.
_LOADED.set_forkserver_preload(["tests.fleet.proving", "tests.fleet.working", "redis.asyncio", "asyncpg"])
LEASE = 2.0
SPEED = 100.0
"""Simulated seconds per second. The platform repeats a message after five minutes."""


@attrs.frozen(kw_only=True)
class Plan:
    """The size of a proof."""

    store: str
    devices: int
    kills: int
    seed: int
    pause: float = 1.0
    """Seconds between two kills, on average."""
    timeout: float = 30.0
    """Seconds that the run waits for messages."""

    @property
    def patience(self) -> float:
        """Seconds without any outcome after which the run counts as stuck."""
        return 2 * self.timeout + 60

    @property
    def workers(self) -> int:
        """Worker processes."""
        return 2 if self.store == "sqlite" else 3

    @property
    def request(self) -> int:
        """Devices per request."""
        return max(10, self.devices // 400)

    @property
    def requests_a_minute(self) -> float:
        """Pace of a worker, so that the run takes about as long as the kills."""
        return max(10.0, 45 * self.devices / self.request / (self.kills * self.pause) / self.workers)


Work: TypeAlias = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]
"""The work of a child."""


class Killable(Protocol):
    """A process, or the processes of a server."""

    def start(self) -> None: ...

    def kill(self) -> None: ...


class Child:
    """A process of the proof, whose output is appended to files."""

    def __init__(self, place: Path, name: str, work: Work, task: dict[str, Any]) -> None:
        self.printed, self.complaints = place / f"{name}.out", place / f"{name}.err"
        self._arguments = (work, task, self.printed, self.complaints)
        self.starts = 0
        self._process = _LOADED.Process(target=_begin, args=self._arguments)

    def start(self) -> None:
        self._process = _LOADED.Process(target=_begin, args=self._arguments)
        self._process.start()
        self.starts += 1

    def kill(self) -> None:
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs."""
        return self._process.exitcode


def _begin(work: Work, task: dict[str, Any], *outputs: Path) -> None:
    """Do the work of a child, in its process."""
    for place, output in enumerate(outputs, 1):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), place)
    os.environ["THINGSPACE_GUARD_FILE"] = "off"
    warnings.simplefilter("ignore", SuspiciousIdentifier)
    asyncio.run(work(task))


class Redis:
    """A Redis that loses nothing when it is killed."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        self._server.stop()


@attrs.define
class Result:
    """Figures and faults."""

    figures: dict[str, Any] = attrs.field(factory=dict[str, Any])
    faults: list[str] = attrs.field(factory=list[str])

    def expect_none(self, what: str, found: Sequence[object]) -> None:
        """Note how many cases there are of something that must not happen."""
        self.figures[what] = len(found)
        if found:
            self.faults.append(f"{what}: {len(found)}, for example {found[:5]}")


class Proof:
    """The processes of a proof."""

    def __init__(self, plan: Plan, place: Path, stack: ExitStack) -> None:
        self._plan = plan
        self._place = place
        self._chance = random.Random(plan.seed)
        self._killed: Counter[str] = Counter()
        self.result = Result()
        self._inbox, server = _store(plan.store, place, stack)
        port = free_port()
        self._platform, known = stack.enter_context(self._simulated(port))
        self._receiver = Child(place, "receiver", proving.receiver, {"inbox": self._inbox, "port": port})
        self._workers = [self._worker(number, known) for number in range(plan.workers)]
        self._last = self._worker(plan.workers, known)
        for child in (self._receiver, *self._workers, self._last):
            stack.callback(child.kill)
        self._victims: dict[str, Sequence[Killable]] = {"worker": self._workers, "receiver": [self._receiver]}
        if server is not None:
            self._victims["store"] = [server]

    @contextmanager
    def _simulated(self, port: int) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
        task = {
            "speed": SPEED,
            "seed": self._plan.seed,
            "receiver": f"http://127.0.0.1:{port}/CarrierService",
            "log": str(self._place / "log.json"),
        }
        command = [sys.executable, "-m", "tests.fleet.proving", "platform", json.dumps(task)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
            assert process.stdout is not None
            try:
                yield process, json.loads(process.stdout.readline())
            finally:
                process.kill()

    def _worker(self, number: int, known: dict[str, Any]) -> Child:
        task = {
            "inbox": self._inbox,
            **known,
            "lease": LEASE,
            "requests_a_minute": self._plan.requests_a_minute,
            "devices": self._plan.devices,
            "order": number,
            "timeout": self._plan.timeout,
            "options": {"devices_per_request": self._plan.request, "in_flight": 4},
        }
        return Child(self._place, f"worker-{number}", working.main, task)

    def carry_out(self) -> None:
        """Kill processes until all kills are done, let the run end, and check the logs."""
        began = time.monotonic()
        for child in (self._receiver, *self._workers):
            child.start()
        for _ in range(self._plan.kills):
            self._wait()
            self._start_ended()
            name = self._chance.choice([*self._victims])
            victim = self._chance.choice(self._victims[name])
            victim.kill()
            self._killed[name] += 1
            if self._chance.random() < 0.5:
                time.sleep(self._chance.random())
            victim.start()
        self._await(self._workers)
        self._log_of_platform()  # All messages are delivered now.
        self._last.start()  # A run that was finished is continued: it reports all outcomes again.
        self._await([self._last])
        self.result.figures |= {"seconds": round(time.monotonic() - began), **dict(self._killed)}
        self._check(self._log_of_platform())

    def _wait(self) -> None:
        """Wait a random time. In half of the cases, let the run make progress first, in spite of a busy machine."""
        if self._chance.random() < 0.5:
            before, until = self._reported(self._workers), time.monotonic() + 10 * self._plan.pause
            while self._reported(self._workers) == before and time.monotonic() < until:
                time.sleep(0.02)
        time.sleep(min(self._chance.expovariate(1 / self._plan.pause), 4 * self._plan.pause))

    @staticmethod
    def _reported(workers: Sequence[Child]) -> int:
        return sum(worker.printed.stat().st_size for worker in workers if worker.printed.exists())

    def _start_ended(self) -> None:
        """Start the workers again whose run has ended. A worker that ended by itself with an error is a fault."""
        for number, worker in enumerate(self._workers):
            if worker.status is not None:
                self._note_end(number, worker)
                worker.start()

    def _note_end(self, number: int, worker: Child) -> None:
        if worker.status != 0:
            text = worker.complaints.read_text()[-2000:]
            self.result.faults.append(f"worker {number} ended with {worker.status}: {text}")

    def _await(self, workers: Sequence[Child]) -> None:
        """Wait for workers to end, as long as any of them reports outcomes."""
        before, since = 0, time.monotonic()
        while any(worker.status is None for worker in workers) and time.monotonic() < since + self._plan.patience:
            time.sleep(0.05)
            if (reported := self._reported(workers)) != before:
                before, since = reported, time.monotonic()
        for number, worker in enumerate(workers):
            self._note_end(number, worker)

    def _log_of_platform(self) -> dict[str, Any]:
        assert self._platform.stdin is not None
        assert self._platform.stdout is not None
        self._platform.stdin.write("\n")
        self._platform.stdin.flush()
        assert self._platform.stdout.readline(), "the simulator has ended, or its messages were not taken"
        log: dict[str, Any] = json.loads((self._place / "log.json").read_text())
        return log

    def _check(self, log: dict[str, Any]) -> None:
        result, given = self.result, set(map(imei, fleet(self._plan.devices)))
        accepted = Counter(name for names in log["accepted"].values() for name in names)
        reported = [line for worker in (*self._workers, self._last) for line in _lines(worker.printed)]
        final = {name: outcome for name, _, outcome in _lines(self._last.printed)}
        unknown = {name for name, outcome in final.items() if outcome == "unknown"}
        result.figures |= {
            "accepted requests": len(log["accepted"]),
            "accepted devices": len(accepted),
            "worker starts": sum(worker.starts for worker in self._workers),
            "attempts to deliver a message": log["attempts"],
            "outcomes reported": len(reported),
            "  marked as a repeat": sum(repeat for _, repeat, _ in reported),
            "unknown": len(unknown),
            "  whose request arrived and was refused": len(unknown & set(log["refused"])),
        }
        result.expect_none("accepted twice", [name for name, count in accepted.items() if count > 1])
        result.expect_none("without any outcome", sorted(given - final.keys()))
        result.expect_none("unknown though accepted", sorted(unknown & accepted.keys()))
        carried_out = unknown & set(log["arrived"]) - set(log["refused"])
        result.expect_none("unknown, though its request arrived and was not refused", sorted(carried_out))
        result.expect_none("neither accepted nor unknown", sorted(given - accepted.keys() - unknown))
        lost = [(name, final.get(name)) for name in sorted(accepted.keys() - unknown) if final.get(name) != "succeeded"]
        result.expect_none("accepted, but not succeeded", lost)
        once = Counter((name, outcome) for name, repeat, outcome in reported if not repeat and outcome != "missing")
        result.expect_none("reported twice without a mark", [about for about, count in once.items() if count > 1])
        kept = asyncio.run(_kept(self._inbox))
        stored = {(request_id, name) for request_id, name in log["stored"]}
        result.figures["messages answered with 200"] = len(stored)
        result.expect_none("  of these not in the inbox", sorted(stored - kept))


def _store(store: str, place: Path, stack: ExitStack) -> tuple[str, Killable | None]:
    """Return the path or URL of an inbox, and its server, which is running."""
    if store == "sqlite":
        return str(place / "inbox.db"), None
    if store == "redis":
        redis = stack.enter_context(RedisServer("--appendonly", "yes", "--appendfsync", "always"))
        return redis.url, Redis(redis)
    postgres = stack.enter_context(PostgresServer(durable=True))
    return postgres.url, postgres


def _lines(printed: Path) -> list[tuple[str, bool, str]]:
    """Return the outcomes that a worker has printed: a device, whether it is a repeat, and its result."""
    words = [line.split(maxsplit=2) for line in printed.read_text().splitlines()] if printed.exists() else []
    return [(name, repeat == "1", result) for name, repeat, result in words]


async def _kept(inbox: str) -> set[tuple[str | None, str]]:
    """Return the request and the device of each message in an inbox."""
    found: set[tuple[str | None, str]] = set()
    async with opened(inbox) as box:
        source = Outcomes(box)
        async for received in box.read():
            for names in source.named_in(received.message):
                for one in (one for several in names for one in several if one.kind.casefold() == "imei"):
                    found.add((received.message.request_id, one.id))
    return found


def prove(plan: Plan, keep: Path | None = None) -> Result:
    """Carry out a proof. `keep` is a folder for the logs of its processes."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", SuspiciousIdentifier)
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="thingspace-proof-"))
        proof = Proof(plan, Path(place), stack)
        try:
            proof.carry_out()
        finally:
            if keep is not None:
                shutil.copytree(place, keep, dirs_exist_ok=True)
        return proof.result


def main() -> None:
    """Carry out a proof, and print its figures. The exit status is 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fleet.proof", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", choices=["sqlite", "redis", "postgres"], default="sqlite")
    parser.add_argument("--devices", type=int)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the logs of the processes")
    parser.add_argument("--trouble", action="store_true", help="an outage, throttling and a new login instead of kills")
    given = parser.parse_args()
    if given.trouble:
        figures, faults = trouble.carry_out(given.devices or 50_000), list[str]()
    else:
        plan = Plan(store=given.store, devices=given.devices or 10_000, kills=given.kills, seed=given.seed)
        result = prove(plan, given.keep)
        figures, faults = result.figures, result.faults
    for name, value in figures.items():
        sys.stdout.write(f"{name}: {value:,}\n")
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()
