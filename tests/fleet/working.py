"""A worker of a fleet run: `python -m tests.fleet.working TASK`. It prints a line for each outcome."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import warnings
from datetime import timedelta
from typing import Any

from tests.callbacks.inbox.opening import opened
from tests.fleet.staging import OPTIONS, fleet
from thingspace_async import Credentials, Environment, Session, SuspiciousIdentifier
from thingspace_async._core import runs as ledger
from thingspace_async._core import store
from thingspace_async.callbacks import Outcomes


async def main(task: dict[str, Any]) -> None:
    """Take part in the run."""
    vars(store)["REQUESTS_PER_MINUTE"] = task["requests_a_minute"]
    ledger.LEASE = task["lease"]
    devices = fleet(task["devices"])
    random.Random(task["order"]).shuffle(devices)
    async with (
        opened(task["inbox"]) as inbox,
        Session(Credentials(**task["credentials"]), environment=Environment.at(task["url"]), retries=0) as session,
    ):
        if task.get("waits"):
            sys.stdout.write("\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.readline)
        run = session.devices.activate_all(
            devices,
            Outcomes(inbox),
            run="spring",
            timeout=timedelta(seconds=task["timeout"]),
            **OPTIONS,
            **task["options"],
        )
        async for outcome in run:
            sys.stdout.write(f"{outcome.device.device_ids[0].id} {outcome.repeat:d} {outcome.result}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore", SuspiciousIdentifier)
    asyncio.run(main(json.loads(sys.argv[1])))
