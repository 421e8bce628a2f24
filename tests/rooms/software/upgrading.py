"""Upgrade devices, in a process of its own, and write the status of each device to a file as it changes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

from tests.rooms.software.campaigns import ACCOUNT
from thingspace_async import Session
from thingspace_async.callbacks import Outcomes, SqliteInbox
from thingspace_async.software import CampaignRequest

__all__ = ["upgrade"]

_OFTEN = timedelta(milliseconds=20)


def upgrade(request: CampaignRequest, inbox: Path, changes: Path) -> None:
    """Upgrade until the end of the campaign."""
    asyncio.run(_upgrade(request, inbox, changes))


async def _upgrade(request: CampaignRequest, place: Path, changes: Path) -> None:
    with changes.open("a", buffering=1) as file:
        async with (
            Session() as session,
            SqliteInbox(place) as inbox,
            aclosing(session.software.upgrade(ACCOUNT, request, Outcomes(inbox), check_every=_OFTEN)) as coming,
        ):
            async for change in coming:
                file.write(f"{change.device_id} {change.status}\n")
        file.write("end\n")
