"""Serve a receiver with aiohttp.web, as an application or as a server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Final, cast

from aiohttp import http_exceptions, web
from yarl import URL

from thingspace_async.callbacks._throttled_log import ThrottledLog
from thingspace_async.callbacks.receiver import Receiver, service_of

__all__ = ["application", "serve"]

_IDLE: Final = 15.0
"""Seconds for a client to send its headers, and for a connection to be idle."""

_LINGERING: Final = 1.0
"""Seconds to discard an unread body. If the connection were closed at once, the client might not get the answer."""

_BUFFER: Final = 16 * 1024
"""Bytes to read of a body at once. The server buffers up to twice as many for each connection."""

_SOCKET_BUFFER: Final = 32 * 1024
"""Bytes that the system receives ahead for a connection. The event loop reads all of them at once into memory."""

_SHUTDOWN: Final = 5.0
"""Seconds to answer the requests in progress when the server stops."""


_throttled_log: Final = ThrottledLog()


def _in_one_line(record: logging.LogRecord) -> bool:
    """Drop the server's tracebacks of malformed requests, and log a line for some of them instead."""
    error = record.exc_info and record.exc_info[1]
    if not isinstance(error, http_exceptions.HttpProcessingError):
        return True
    peer = record.args[0] if isinstance(record.args, tuple) and record.args else None
    text = "a malformed request from %s was refused: %s"
    _throttled_log.log("malformed", logging.WARNING, text, peer, type(error).__name__)
    return False


_server_log: Final = logging.getLogger("thingspace_async.server")
_server_log.addFilter(_in_one_line)


def application(receiver: Receiver) -> web.Application:
    """Return an application to run or to mount.

        app.add_subapp("/callbacks", application(receiver))

    The application opens the receiver's inbox when it starts and closes it when it stops, unless it is open already.
    """

    async def answer(request: web.Request) -> web.Response:
        async def read() -> bytes:
            try:
                return await request.content.readany()
            except web.RequestPayloadError as error:  # Its compressed body is invalid.
                raise ConnectionResetError from error

        reply = await receiver.receive(
            read,
            method=request.method,
            headers=request.headers,
            peer=request.remote,
            service=service_of(request.path),
        )
        return web.Response(status=reply.status, headers=reply.headers)

    async def open_inbox(_: web.Application) -> AsyncIterator[None]:
        async with receiver.running():
            yield

    made = web.Application()
    made.router.add_route("*", "/{path:.*}", answer)
    made.cleanup_ctx.append(open_inbox)
    return made


@contextlib.asynccontextmanager
async def serve(
    receiver: Receiver, *, host: str = "127.0.0.1", port: int = 9001, certificate: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve a receiver during a block, and return its base URL. Port 0 chooses a free port.

    The platform needs HTTPS with a certificate of a public authority, and only posts to some ports (PROTOCOL.md 3.2).
    At the end of the block, requests in progress are answered first.
    """
    runner = web.AppRunner(
        application(receiver),
        access_log=None,
        logger=_server_log,
        read_bufsize=_BUFFER,
        auto_decompress=False,  # The platform does not compress, and a small body may decompress to a huge one.
        keepalive_timeout=_IDLE,
        lingering_time=_LINGERING,
        shutdown_timeout=_SHUTDOWN,
    )
    async with contextlib.AsyncExitStack() as ending:
        ending.push_async_callback(runner.cleanup)
        await runner.setup()
        protocols = cast("web.Server", runner.server)  # It has been set up.
        server = await asyncio.get_running_loop().create_server(
            protocols, host, port, ssl=certificate, backlog=1024, start_serving=False
        )
        ending.callback(server.close)
        for listening in server.sockets:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
        await server.start_serving()
        scheme = "http" if certificate is None else "https"
        yield str(URL.build(scheme=scheme, host=host, port=server.sockets[0].getsockname()[1]))
