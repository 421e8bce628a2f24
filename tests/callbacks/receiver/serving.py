"""A receiver in a separate process, to measure its memory.

Run as `python -m tests.callbacks.receiver.serving FILE MAX_BODY`. Prints its base URL, serves until its input ends, and
prints its peak memory in MB: after the start, and at the end.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from tests.callbacks.receiver.conftest import receiver_of
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.callbacks.web import serve


def peak() -> float:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000_000
    # On Linux, ru_maxrss includes the memory of the parent before this program started.
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


async def main(path: str, max_body: int) -> None:
    async with serve(receiver_of(SqliteInbox(path), max_body=max_body), port=0) as url:
        before = peak()
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    sys.stdout.write(f"{before:.0f} {peak():.0f}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
