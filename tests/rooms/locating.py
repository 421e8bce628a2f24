"""A process that locates devices by a named run, and prints each: `python -m tests.rooms.locating FILE COUNT SIZE`."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from thingspace_async import Session
from thingspace_async.callbacks import SqliteInbox

ACCOUNT = "0000123456-00001"


async def main(path: Path, count: int, size: int) -> None:
    async with SqliteInbox(path) as inbox, Session() as session:
        listed = session.devices.list(account_name=ACCOUNT, current_state="active")
        devices = [device async for device in listed][:count]
        located = session.location.locate_all(
            ACCOUNT,
            devices,
            inbox=inbox,
            run="all",
            devices_per_report=size,
            check_every=timedelta(milliseconds=20),
        )
        async for one in located:
            result = "failed" if one.location.failed else "located"
            sys.stdout.write(f"{one.device.mdn},{result},{one.cached}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    file, number, at_once = sys.argv[1:]
    asyncio.run(main(Path(file), int(number), int(at_once)))
