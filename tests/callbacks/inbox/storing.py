"""Stores messages that contain the current time.

Run as `python -m tests.callbacks.inbox.storing PLACE COUNT SECONDS`. It waits SECONDS between messages.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from tests.callbacks.inbox.opening import opened


async def main(place: str, count: int, pause: float) -> None:
    """Store the messages one after the other."""
    async with opened(place) as inbox:
        for number in range(count):
            message = {"requestId": "request", "number": number, "stored": time.monotonic()}
            await inbox.store(json.dumps(message).encode())
            await asyncio.sleep(pause)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
