"""The time until the receiver has stored and answered a message, at 500 messages per second.

`thingspace receiver` runs in its own process, with its file on disk. Each measurement starts when the message is
due, even if it is sent later: if one answer is slow, the delay of the following messages is included.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import orjson

from benchmarks._measure import Bar, Row
from benchmarks._server import ROOT

__all__ = ["run"]

_RATE = 500
_SECONDS = 4
_ROUNDS = 5
_CREDENTIALS = {"username": "fleet", "password": "password"}


def run() -> list[Row]:
    """Send messages at a fixed rate, in several rounds."""
    with tempfile.TemporaryDirectory() as folder, _receiver(Path(folder)) as url:
        rounds = asyncio.run(_run(url))
    what = f"receiver, {_RATE} messages/s"
    return [
        Row(what=f"{what}: median answer", values=[1000 * median(times) for times in rounds], unit="ms"),
        Row(
            what=f"{what}: 99th percentile",
            values=[1000 * quantiles(times, n=100)[-1] for times in rounds],
            unit="ms",
            bar=Bar(50),
        ),
        Row(what=f"{what}: slowest", values=[1000 * max(times) for times in rounds], unit="ms"),
    ]


@contextmanager
def _receiver(folder: Path) -> Iterator[str]:
    """Run the command during the block; yield the URL of a service."""
    command = [sys.executable, "-m", "thingspace_async", "receiver", "--port", "0", "--inbox", str(folder / "inbox.db")]
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "THINGSPACE_CALLBACK_USERNAME": _CREDENTIALS["username"],
        "THINGSPACE_CALLBACK_PASSWORD": _CREDENTIALS["password"],
    }
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = next(line for line in process.stdout if line.startswith("http"))
        yield url.strip().replace("SERVICE", "CarrierService")
        process.terminate()


async def _run(url: str) -> list[Sequence[float]]:
    async with aiohttp.ClientSession() as client:
        await _round(client, url, 1)  # Warm up: open connections, and load modules that are imported at first use.
        return [await _round(client, url, _SECONDS) for _ in range(_ROUNDS)]


async def _round(client: aiohttp.ClientSession, url: str, seconds: int) -> Sequence[float]:
    loop = asyncio.get_running_loop()
    bodies = [_message() for _ in range(_RATE * seconds)]
    began = loop.time() + 0.1

    async def send(body: bytes, due: float) -> float:
        await asyncio.sleep(due - loop.time())
        async with client.post(url, data=body) as answer:
            assert answer.status == 200
        return loop.time() - due

    return await asyncio.gather(*(send(body, began + place / _RATE) for place, body in enumerate(bodies)))


def _message() -> bytes:
    """Return an activation's result as the platform sends it (PROTOCOL.md 3.4)."""
    ids = [{"id": "353238060180150", "kind": "imei"}, {"id": "89148000000100000000", "kind": "iccId"}]
    activated = {
        "deviceIds": [*ids, {"id": "5555550100", "kind": "mdn"}, {"id": "5555550101", "kind": "min"}],
        "state": "active",
        "servicePlan": "M2M_4G",
        "ipAddress": "192.0.2.1",
        "featureCodes": ["75802", "84777"],
    }
    return orjson.dumps(
        {
            **_CREDENTIALS,
            "requestId": str(uuid.uuid4()),
            "deviceIds": ids,
            "deviceResponse": {"activateResponse": activated},
            "status": "Success",
            "callbackCount": 1,
            "maxCallbackThreshold": 4,
        }
    )
