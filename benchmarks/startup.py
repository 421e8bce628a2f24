"""The time to import the package and build a Session, beyond the import of the dependencies."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median

from benchmarks._measure import Bar, Row, duration
from benchmarks._server import ROOT

__all__ = ["run"]

_PROCESSES = 15

_DEPENDENCIES = "import asyncio, aiohttp, attrs, cattrs, orjson"
_OURS = (
    "from thingspace_async import Credentials, Session\n"
    "Session(Credentials(client_id='key', client_secret='secret', username='user', password='password'))"
)
_PROGRAM = """
import time
started = time.perf_counter()
{floor}
between = time.perf_counter()
{ours}
print(between - started, time.perf_counter() - between)
"""


def run() -> list[Row]:
    """Measure both in several new processes, with cached byte code, as for users."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = cache
        _measure(environment)
        times = [_measure(environment) for _ in range(_PROCESSES)]
    return [
        Row(
            what="import and build a Session",
            ours=duration(median(sum(pair) for pair in times)),
            floor=duration(median(floor for floor, _ in times)),
            values=[1000 * above for _, above in times],
            unit="ms above",
            bar=Bar(15),
        )
    ]


def _measure(environment: dict[str, str]) -> tuple[float, float]:
    """Return the seconds for the dependencies, and the additional seconds for the package."""
    program = _PROGRAM.format(floor=_DEPENDENCIES, ours=_OURS)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    floor, above = map(float, done.stdout.split())
    return floor, above
