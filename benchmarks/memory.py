"""Walking any number of devices: peak memory, measured from the moment when the session is open."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from benchmarks._measure import Bar, Row
from benchmarks._server import CREDENTIALS, ROOT, running
from thingspace_async import Environment, Session

__all__ = ["run"]

_BAR = Bar(60)


def run() -> list[Row]:
    """Walk two fleets, each in a new process, to show that the peak does not depend on their size."""
    return [_walk(20_000), _walk(100_000)]


def _walk(devices: int) -> Row:
    peaks = []
    with running(devices) as server:
        for _ in range(3):
            command = [sys.executable, "-m", "benchmarks.memory", server.url, str(devices)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            peaks.append(float(done.stdout))
    return Row(what=f"walk {devices:,} devices, peak memory", values=peaks, unit="MiB above", bar=_BAR)


async def _measure(url: str, devices: int) -> float:
    async with Session(CREDENTIALS, environment=Environment.at(url)) as session:
        start = _mebibytes("VmRSS")
        walked = 0
        async for _ in session.devices.list():
            walked += 1
    if walked != devices:
        raise RuntimeError(f"walked {walked} devices of {devices}")
    return _mebibytes("VmHWM") - start


def _mebibytes(field: str) -> float:
    """Read a figure of this process from /proc, because the peak in `resource` includes the parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    print(asyncio.run(_measure(sys.argv[1], int(sys.argv[2]))))
