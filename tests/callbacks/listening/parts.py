"""The parts of a program that run in processes of their own and share an inbox file."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Final

from thingspace_async import Accepted, Session
from thingspace_async.callbacks import CallbackService, Outcomes, Receiver, SqliteInbox
from thingspace_async.callbacks.messages import NetworkConditions
from thingspace_async.callbacks.web import serve
from thingspace_async.intelligence import Coordinates, NetworkConditionsRequest

__all__ = ["ask", "follow", "receive"]

ACCOUNT: Final = "0000123456-00001"
_SERVICES: Final = [CallbackService.INTELLIGENCE, CallbackService.QOS]


def receive(place: Path, port: int, ready: Path) -> None:
    """Receive messages until the process is killed."""
    asyncio.run(_receive(place, port, ready))


async def _receive(place: Path, port: int, ready: Path) -> None:
    async with SqliteInbox(place) as inbox, Session() as session:
        receiver = Receiver(inbox)
        async with (
            serve(receiver, port=port) as url,
            session.listen(ACCOUNT, receiver, base_url=url, services=_SERVICES),
        ):
            _note(ready, "")
            await asyncio.Event().wait()


def ask(place: Path, requests: Path, request_id: str | None) -> None:
    """Ask about the network, or wait for the answer to an earlier question. Print the answer."""
    asyncio.run(_ask(place, requests, request_id))


async def _ask(place: Path, requests: Path, request_id: str | None) -> None:
    async with SqliteInbox(place) as inbox:
        if request_id is None:
            question = NetworkConditionsRequest(
                account_name=ACCOUNT, coordinates=Coordinates(latitude=40.7128, longitude=-74.006)
            )
            async with Session() as session:
                request_id = (await session.intelligence.network_conditions(question)).request_id
            _note(requests, f"{request_id}\n")
        answer = await Outcomes(inbox).answer(Accepted(request_id=request_id), NetworkConditions)
        sys.stdout.write(f"{answer.request_id}\n")


def follow(place: Path, seen: Path, request_id: str) -> None:
    """Write the number of each message of a request, and continue after the last one."""
    asyncio.run(_follow(place, seen, request_id))


async def _follow(place: Path, seen: Path, request_id: str) -> None:
    accepted = Accepted(request_id=request_id)
    async with (
        SqliteInbox(place) as inbox,
        aclosing(Outcomes(inbox).stream(accepted, after=_last_number(seen))) as coming,
    ):
        async for received in coming:
            _note(seen, f"{received.number}\n")


def _last_number(seen: Path) -> int | None:
    numbers = seen.read_text().splitlines() if seen.exists() else []
    return int(numbers[-1]) if numbers else None


def _note(place: Path, text: str) -> None:
    with place.open("a") as file:
        file.write(text)
