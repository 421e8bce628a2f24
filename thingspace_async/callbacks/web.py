"""The receiver for aiohttp.web: a sub-application, and a server of its own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from yarl import URL

from thingspace_async.callbacks.receiver import Receiver, service_of

__all__ = ["application", "serve"]

_IDLE: Final = 15.0
"""Seconds in which the headers of a request must have come, and for which a connection may do nothing."""

_LINGERING: Final = 1.0
"""Seconds for which an unread body is thrown away: a connection that is closed at once may lose the answer with it."""

_LEAVING: Final = 5.0
"""Seconds for the requests that are under way to be answered when the server stops."""


def application(receiver: Receiver) -> web.Application:
    """Make an application, to be run by itself or mounted.

        app.add_subapp("/callbacks", application(receiver))

    It opens the receiver's inbox when it starts, unless it is open, and closes it then when it stops.
    """

    async def answer(request: web.Request) -> web.Response:
        async def read() -> bytes:
            try:
                return await request.content.readany()
            except web.RequestPayloadError as error:  # It cannot be unpacked.
                raise ConnectionResetError from error

        reply = await receiver.receive(
            read,
            method=request.method,
            headers=request.headers,
            peer=request.remote,
            service=service_of(request.path),
        )
        return web.Response(status=reply.status, headers=reply.headers)

    async def keep_inbox(_: web.Application) -> AsyncIterator[None]:
        async with receiver.running():
            yield

    made = web.Application()
    made.router.add_route("*", "/{path:.*}", answer)
    made.cleanup_ctx.append(keep_inbox)
    return made


@asynccontextmanager
async def serve(
    receiver: Receiver, *, host: str = "127.0.0.1", port: int = 9001, certificate: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Listen for messages while the block runs, and give it the base URL; port 0 takes any that is free.

    The platform wants a certificate of a known authority for HTTPS, and one of the ports that it allows (protocol.md
    3.2). On leaving, requests under way are answered first.
    """
    runner = web.AppRunner(
        application(receiver),
        access_log=None,
        auto_decompress=False,  # The platform compresses nothing, and a small body may unpack to a huge one.
        keepalive_timeout=_IDLE,
        lingering_time=_LINGERING,
        shutdown_timeout=_LEAVING,
    )
    try:
        await runner.setup()
        await web.TCPSite(runner, host, port, ssl_context=certificate, backlog=1024).start()
        scheme = "http" if certificate is None else "https"
        yield str(URL.build(scheme=scheme, host=host, port=runner.addresses[0][1]))
    finally:
        await runner.cleanup()
