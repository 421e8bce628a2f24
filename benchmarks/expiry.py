"""The number of logins when 1,000 tasks find the session expired at the same time."""

from __future__ import annotations

import asyncio

from benchmarks._data import ACCOUNT_NAME
from benchmarks._measure import Bar, Row
from benchmarks._server import CREDENTIALS, Server, running
from thingspace_async import Session

__all__ = ["run"]

_TASKS = 1000
_ROUNDS = 5


def run() -> list[Row]:
    """Let the session expire several times."""
    with running() as server:
        logins = asyncio.run(_run(server))
    return [Row(what="log-ins of 1,000 tasks at expiry", values=logins, unit="log-ins", bar=Bar(1))]


async def _run(server: Server) -> list[float]:
    logins: list[float] = []
    async with Session(CREDENTIALS, environment=server.environment) as session:
        for _ in range(_ROUNDS):
            before = server.logins()
            server.expire()
            await asyncio.gather(*(session.accounts.get(ACCOUNT_NAME) for _ in range(_TASKS)))
            logins.append(server.logins() - before)
    return logins
