"""A fleet run of a million devices against a fake platform, and the same run resumed.

The platform is a separate process that stores its messages in the run's inbox file, like a receiver. Each run is a
separate process too: `python -m benchmarks.fleet NAME FILE URL DEVICES`.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from benchmarks._measure import Bar, Row
from benchmarks._server import CREDENTIALS, ROOT
from thingspace_async import DeviceId, DeviceIds, Environment, Session, SuspiciousIdentifier
from thingspace_async.callbacks import Outcomes, SqliteInbox
from thingspace_async.devices import FleetResult

__all__ = ["run"]

_DEVICES = 1_000_000
_NEW = 10_000


def run() -> list[Row]:
    """Send a million devices, one silent device per request, and then resume the run with some new devices first."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "messages.db"
        with _platform(file) as url:
            first = _child("first", file, url, _DEVICES)
            again = _child("resumed", file, url, _DEVICES)
    return [
        Row(what=f"{_DEVICES:,} devices", values=[first["seconds"]], unit="s", bar=Bar(200)),
        Row(what="  the last request after", values=[first["sent"]], unit="s"),
        Row(what="  peak memory", values=[first["peak"]], unit="MB", bar=Bar(250)),
        Row(what="  longest pause of the event loop", values=[first["late"]], unit="ms", bar=Bar(100)),
        Row(what="resumed, the first new request after", values=[again["new"]], unit="s", bar=Bar(5)),
        Row(what="  all outcomes again after", values=[again["seconds"]], unit="s"),
        Row(what="  peak memory", values=[again["peak"]], unit="MB", bar=Bar(250)),
        Row(what="  longest pause of the event loop", values=[again["late"]], unit="ms", bar=Bar(100)),
    ]


def _child(name: str, file: Path, url: str, devices: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.fleet", name, str(file), url, str(devices)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@contextmanager
def _platform(file: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.fleet", "platform", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def _serve(file: Path) -> None:
    """Accept every request, and store a message for each of its devices except the first."""
    async with SqliteInbox(file) as inbox, asyncio.TaskGroup() as storing:

        async def store(request_id: str, devices: list[Any]) -> None:
            for start in range(1, len(devices), 500):
                some = [_message(request_id, device["deviceIds"]) for device in devices[start : start + 500]]
                await asyncio.gather(*(inbox.store(one, service="CarrierService") for one in some))

        async def answer(request: web.Request) -> web.Response:
            body = await request.read()
            if request.path.endswith("/token"):
                return web.json_response({"access_token": uuid.uuid4().hex, "expires_in": 3600})
            if "session" in request.path:
                return web.json_response({"sessionToken": uuid.uuid4().hex})
            request_id = str(uuid.uuid4())
            storing.create_task(store(request_id, orjson.loads(body)["devices"]))
            return web.json_response({"requestId": request_id})

        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()


def _message(request_id: str, names: list[dict[str, str]]) -> bytes:
    answer = {"deviceIds": [*names, {"id": names[0]["id"][-10:], "kind": "mdn"}], "state": "active"}
    return orjson.dumps(
        {
            "requestId": request_id,
            "deviceIds": names,
            "deviceResponse": {"activateResponse": answer},
            "status": "Success",
            "callbackCount": 1,
            "maxCallbackThreshold": 4,
        }
    )


def _devices(first: int, count: int) -> Iterator[DeviceIds]:
    for number in range(first, first + count):
        yield DeviceIds(device_ids=(DeviceId.imei(f"35{number:012}0"), DeviceId.iccid(f"8914800000{number:09}")))


async def _carry_out(name: str, file: Path, url: str, count: int) -> dict[str, float]:
    begun = time.monotonic()
    requests: list[float] = []
    late = 0.0

    def note(exchange: Any) -> None:
        if exchange.operation == "devices.activate":
            requests.append(time.monotonic() - begun)

    async def watch() -> None:
        nonlocal late
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            late = max(late, time.monotonic() - before - 0.005)

    def given() -> Iterator[DeviceIds]:
        if name == "resumed":
            yield from _devices(count, _NEW)
        yield from _devices(0, count)

    watching = asyncio.create_task(watch())
    async with (
        SqliteInbox(file) as inbox,
        Session(CREDENTIALS, environment=Environment.at(url), before_exchange=note) as session,
    ):
        outcomes = session.devices.activate_all(
            given(),
            Outcomes(inbox),
            run="million",
            timeout=timedelta(seconds=60 if name == "first" else 5),
            account_name="0000123456-00001",
            service_plan="M2M_4G_5MB",
            mdn_zip_code="94105",
        )
        results: dict[FleetResult, int] = {}
        async for outcome in outcomes:
            results[outcome.result] = results.get(outcome.result, 0) + 1
    watching.cancel()
    print(name, results, file=sys.stderr)
    return {
        "seconds": time.monotonic() - begun,
        "sent": requests[-1],
        "new": requests[0],
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "late": late * 1000,
    }


def main() -> None:
    """Run the platform, or a fleet run."""
    name, file, *rest = sys.argv[1:]
    warnings.simplefilter("ignore", SuspiciousIdentifier)
    if name == "platform":
        asyncio.run(_serve(Path(file)))
    else:
        print(json.dumps(asyncio.run(_carry_out(name, Path(file), rest[0], int(rest[1])))))


if __name__ == "__main__":
    main()
