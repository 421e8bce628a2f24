"""The platform and the receiver of `tests.fleet.proof`: `python -m tests.fleet.proving platform|receiver TASK`."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.callbacks.inbox.opening import opened
from tests.fleet.staging import ACCOUNT, imeis, requests
from thingspace_async import SuspiciousIdentifier
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.simulator import Assumptions, Simulator
from thingspace_async.simulator.faults import Stage

SERVICE = "CarrierService"
LISTENER = {"username": "fleet", "password": "a password"}
_SETTLING = 60.0
_MANY = 10**6


class _Slow:
    """Takes a random time before the request has its effect, and again before the answer."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    async def play(self, stage: Stage) -> web.StreamResponse:
        await asyncio.sleep(self._chance.random() * 0.1)
        answer = stage.process()
        await asyncio.sleep(self._chance.random() * 0.4)
        return answer.response()


async def platform(task: dict[str, Any]) -> None:
    """Simulate the platform. For each line on stdin, deliver all messages, and write a log of requests and messages."""
    late = Assumptions(request_time=timedelta(seconds=30))
    async with Simulator(
        devices=1, assumptions=late, most_requests=_MANY, most_deliveries=_MANY, most_late_requests=_MANY
    ) as cloud:
        cloud.clock.speed = task["speed"]
        cloud.faults.add("devices.activate", _Slow(task["seed"]), times=None)
        cloud.listeners[ACCOUNT][SERVICE] = {"url": task["receiver"], **LISTENER}
        resending = asyncio.create_task(_resend(cloud))
        known = cloud.credentials
        names = ("client_id", "client_secret", "username", "password")
        values = (known.client_id, known.client_secret.reveal(), known.username, known.password.reveal())
        _say({"url": cloud.url, "credentials": dict(zip(names, values, strict=True))})
        while await asyncio.to_thread(sys.stdin.readline):
            async with asyncio.timeout(_SETTLING):
                while any(one.state in ("waiting", "archived") for one in cloud.deliveries):
                    await asyncio.sleep(0.1)
            await asyncio.to_thread(Path(task["log"]).write_text, json.dumps(_log(cloud)))
            _say("written")
        resending.cancel()


async def _resend(cloud: Simulator) -> None:
    """Send messages again that the receiver has not taken in four attempts, as an operator of the platform would."""
    while True:
        await asyncio.sleep(1)
        for one in cloud.deliveries:
            if one.state == "archived":
                cloud.resend(one)


def _log(cloud: Simulator) -> dict[str, Any]:
    """Return the requests that arrived, those that were accepted, and the messages that were answered with 200."""
    return {
        "arrived": [name for one in requests(cloud) for name in imeis(one)],
        "refused": [name for one in requests(cloud) if (one.status or 0) >= 400 for name in imeis(one)],
        "accepted": {
            name: [_imei(work.device_ids) for work in one.work] for name, one in cloud.late_requests.items() if one.work
        },
        "stored": [
            [one.request_id, _imei(one.message["deviceIds"])]
            for one in cloud.deliveries
            if any(attempt.status == 200 for attempt in one.attempts)
        ],
        "attempts": sum(len(one.attempts) for one in cloud.deliveries),
    }


def _imei(names: list[dict[str, str]]) -> str:
    return next(one["id"] for one in names if one["kind"].casefold() == "imei")


async def receiver(task: dict[str, Any]) -> None:
    """Receive messages until killed."""
    async with opened(task["inbox"]) as inbox:
        taking = Receiver(inbox)
        taking.expect(SERVICE, **LISTENER)
        async with serve(taking, port=task["port"]):
            await asyncio.Event().wait()


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore", SuspiciousIdentifier)
    asyncio.run({"platform": platform, "receiver": receiver}[sys.argv[1]](json.loads(sys.argv[2])))
