"""Messages for tests of inboxes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from thingspace_async.callbacks.inbox import Received

__all__ = ["activated", "device_of", "devices", "taken", "texted"]


def activated(number: int = 0, *, request: str | None = "request", **more: Any) -> bytes:
    """Return the result of activating device `number`."""
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
    """Return an SMS from a device. It has no request id."""
    device = [{"id": "19995551234", "kind": "mdn"}]
    return json.dumps({"deviceIds": device, "smsMessage": content, "callbackCount": 1} | more).encode()


def device_of(received: Received) -> int:
    """Return the device's number in a message from `activated`."""
    return int(received.message.device_ids[0].id)


async def devices(found: AsyncIterator[Received]) -> list[int]:
    """Return the device numbers of all messages."""
    return [device_of(received) async for received in found]


async def taken(found: AsyncIterator[Received], count: int) -> list[int]:
    """Return the device numbers of the next `count` messages."""
    return [device_of(await anext(found)) for _ in range(count)]
