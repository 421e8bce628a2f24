"""Log in once, in a process of its own, and print the name of the error or `open`.

A host name other than a loopback address resolves to loopback, so that the guard treats it as the platform.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from thingspace_async import Credentials, Environment, Session
from thingspace_async.errors import ThingSpaceError


class Resolver(AbstractResolver):
    """Resolves every name to loopback."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def _log_in(url: str, credentials: dict[str, str], *, force: bool) -> str:
    """Open a session, close it, and name the result."""
    options: dict[str, Any] = {} if "127.0.0.1" in url else {"insecure": True}
    async with aiohttp.TCPConnector(resolver=Resolver()) as connector:
        environment = Environment.at(url, **options)
        session = Session(Credentials(**credentials), environment=environment, connector=connector, retries=0)
        try:
            await session.open(force=force)
        except ThingSpaceError as error:
            return type(error).__name__
        await session.close()
    return "open"


def main(url: str, credentials: dict[str, str], *, force: bool) -> None:
    """Run in the process."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    sys.stdout.write(asyncio.run(_log_in(url, credentials, force=force)))
    sys.stdout.flush()
