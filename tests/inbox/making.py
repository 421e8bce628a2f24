"""Messages for the tests of inboxes."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

from thingspace_async.callbacks.inbox import BaseInbox, Received
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox


def activated(number: int = 0, *, request: str | None = "request", **more: Any) -> bytes:
    """Make the result of an activation; the number tells the device."""
    fields = {
        "requestId": request,
        "deviceIds": [{"id": f"{number:020}", "kind": "Iccid"}],
        "deviceResponse": {"activateResponse": {"state": "active", "servicePlan": "M2M_4G"}},
        "status": "Success",
        "callbackCount": 1,
        "maxCallbackThreshold": 4,
    }
    return json.dumps({name: value for name, value in (fields | more).items() if value is not None}).encode()


def texted(content: str = "OK", **more: Any) -> bytes:
    """Make an SMS from a device, which bears no request id."""
    device = [{"id": "19995551234", "kind": "mdn"}]
    return json.dumps({"deviceIds": device, "smsMessage": content, "callbackCount": 1} | more).encode()


async def ask(inbox: SqliteInbox, statement: str) -> Any:
    """Carry out a statement on the inbox's own connection."""
    return await inbox._run(lambda: (inbox._connection.execute(statement).fetchone() or [None])[0])


def device_of(received: Received) -> int:
    """Return the number that a message was made with."""
    return int(received.message.device_ids[0].id)


async def devices(found: AsyncIterator[Received]) -> list[int]:
    """Read to the end."""
    return [device_of(received) async for received in found]


async def taken(found: AsyncIterator[Received], count: int) -> list[int]:
    """Read some, and no more."""
    return [device_of(await anext(found)) for _ in range(count)]


async def take_100_000(inbox: BaseInbox) -> None:
    """Store 100,000 messages in random order, a tenth of them twice, and see that each is kept once."""
    asyncio.get_running_loop().set_debug(False)  # It would take three times as long.
    chance = random.Random(4)
    sent = [(number, 1) for number in range(100_000)]
    sent += [(number, chance.randint(1, 4)) for number in chance.sample(range(100_000), 10_000)]
    chance.shuffle(sent)
    left = iter(sent)
    outcomes: list[bool] = []

    async def send() -> None:
        for number, attempt in left:
            body = activated(number, request=f"request {number // 50}", callbackCount=attempt)
            outcomes.append(await inbox.store(body, service="CarrierService"))

    await asyncio.gather(*(send() for _ in range(200)))
    assert (outcomes.count(True), outcomes.count(False)) == (100_000, 10_000)
    assert sorted(await devices(inbox.read(service="CarrierService"))) == list(range(100_000))
    assert sorted(await devices(inbox.read(request_id="request 777"))) == list(range(38_850, 38_900))
