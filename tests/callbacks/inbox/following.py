"""Follows a request until it is killed: `python -m tests.callbacks.inbox.following PLACE`."""

from __future__ import annotations

import asyncio
import sys

from tests.callbacks.inbox.opening import opened


async def main(place: str) -> None:
    """Follow the request."""
    async with opened(place) as inbox:
        async for _ in inbox.follow("request"):
            pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
