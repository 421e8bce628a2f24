"""A worker of a fleet run: `python -m tests.redis.working TASK`, a line for the outcome of each device."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any

from redis.asyncio import Redis

from tests.products.test_fleet import OPTIONS, fleet
from thingspace_async import Credentials, Environment, Session, _store
from thingspace_async.callbacks import Outcomes
from thingspace_async.redis import ledger
from thingspace_async.redis.inbox import RedisInbox


async def main(task: dict[str, Any]) -> None:
    """Carry out a part of the run."""
    _store.REQUESTS_A_MINUTE = task["requests_a_minute"]  # type: ignore[misc]  # final elsewhere
    ledger.LEASE = task["lease"]
    devices = fleet(task["devices"])
    random.Random(task["order"]).shuffle(devices)
    async with (
        Redis.from_url(task["redis"]) as client,
        RedisInbox(client) as inbox,
        Session(Credentials(**task["credentials"]), environment=Environment.at(task["url"]), retries=0) as session,
    ):
        run = session.devices.activate_all(devices, Outcomes(inbox), run="spring", **OPTIONS, **task["options"])
        async for outcome in run:
            sys.stdout.write(f"{outcome.device.device_ids[0].id} {outcome.result}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
