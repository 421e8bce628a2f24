"""Messages for tests of inboxes."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.testing.messages import activated, device_of, devices, taken, texted

__all__ = ["activated", "ask", "device_of", "devices", "store_many", "taken", "texted"]


async def ask(inbox: SqliteInbox, statement: str) -> Any:
    """Run a statement on the inbox's own connection."""
    return await inbox._run(lambda: (inbox._connection.execute(statement).fetchone() or [None])[0])


async def store_many(inbox: BaseInbox, count: int) -> None:
    """Store messages in random order, a tenth of them twice, and check that each is stored once."""
    asyncio.get_running_loop().set_debug(False)  # Debug mode takes three times as long.
    chance = random.Random(4)
    sent = [(number, 1) for number in range(count)]
    sent += [(number, chance.randint(1, 4)) for number in chance.sample(range(count), count // 10)]
    chance.shuffle(sent)
    left = iter(sent)
    outcomes: list[bool] = []

    async def send() -> None:
        for number, attempt in left:
            body = activated(number, request=f"request {number // 50}", callbackCount=attempt)
            outcomes.append(await inbox.store(body, service="CarrierService"))

    async with asyncio.TaskGroup() as group:
        for _ in range(200):
            group.create_task(send())
    assert (outcomes.count(True), outcomes.count(False)) == (count, count // 10)
    assert sorted(await devices(inbox.read(service="CarrierService"))) == list(range(count))
    assert sorted(await devices(inbox.read(request_id="request 77"))) == list(range(3_850, 3_900))
