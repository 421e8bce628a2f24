"""Claims devices as one of several workers.

Run as `python -m tests.callbacks.inbox.claiming FILE_OR_REDIS_URL WORKER DEVICES`. Waits for a line on stdin, then
claims all devices in requests of ten, and prints the numbers of the devices that were new.
"""

from __future__ import annotations

import asyncio
import sys

from tests.callbacks.inbox.opening import opened
from thingspace_async._core.ledger import Claim, Item, LedgerStore, Place, WorkerState

AT_ONCE = 10


def device(number: int) -> Item:
    """Return the item of device `number`."""
    return Item(number, (number, -number - 1), b"%d" % number)


def keys_of(number: int) -> list[int]:
    """Return the keys of a device's item."""
    return [number, -number - 1]


async def join(ledger: LedgerStore, worker: str, *, seconds: float = 60.0) -> Place:
    """Join the run."""
    place = Place("run", worker)
    await ledger.lease(place, description="activate", state=WorkerState.WORKING, seconds=seconds)
    return place


async def claim_all(ledger: LedgerStore, place: Place, count: int) -> list[int]:
    """Claim all devices, in one batch per request. Return those that were new."""
    new: list[int] = []
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        items = [device(number) for number in numbers]
        answers = await ledger.claim(place, f"{place.worker} {start}", items, size=0, most=AT_ONCE, seconds=60.0)
        assert answers is not None
        new += [number for number, answer in zip(numbers, answers, strict=True) if answer is Claim.NEW]
    return new


async def main(place: str, worker: str, count: int) -> None:
    """Join the run and claim all devices."""
    async with opened(place) as inbox:
        await asyncio.to_thread(sys.stdin.readline)
        joined = await join(inbox.ledger, worker)
        new = await claim_all(inbox.ledger, joined, count)
    sys.stdout.write(" ".join(map(str, new)) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
