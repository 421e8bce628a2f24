"""The simulator: the platform's state behind a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from aiohttp import web
from yarl import URL

from thingspace_async._auth import LOCKOUT
from thingspace_async._environment import Environment
from thingspace_async.simulator import (
    accounts,
    callbacks,
    devices,
    esim,
    gateway,
    groups,
    reachability,
    session_management,
    sms,
)
from thingspace_async.simulator.assumptions import Assumptions
from thingspace_async.simulator.courier import Courier
from thingspace_async.simulator.faults import Faults, Stage
from thingspace_async.simulator.state import START, Platform
from thingspace_async.simulator.wire import Answer, Call, Received

__all__ = ["Simulator"]

_ROOMS: Final = (session_management, accounts, devices, groups, callbacks, sms, reachability, esim)

_BASES: Final = Environment.at("http://localhost").bases

_LARGEST_REQUEST: Final = 64 * 1024 * 1024


class Simulator(Platform):
    """An embedded ThingSpace: a real HTTP server on loopback, with the platform's state, clock and faults.

        async with Simulator(devices=2000) as cloud:
            async with Session(cloud.credentials, environment=cloud.environment) as session:
                ...

    Everything follows from `seed` but tokens and passwords that are reset. `port` 0 takes a free one. Closed, it can be
    started again at the same URL, and knows everything still. It posts callbacks to listeners on this machine, and on
    no other but the `callback_hosts`.
    """

    def __init__(
        self,
        *,
        devices: int = 100,
        account_name: str = "0000123456-00001",
        seed: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        start: datetime = START,
        assumptions: Assumptions = Assumptions(),  # noqa: B008 - it is frozen
        callback_hosts: Collection[str] = (),
    ) -> None:
        super().__init__(devices=devices, account_name=account_name, seed=seed, start=start, assumptions=assumptions)
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._callback_hosts = callback_hosts
        self._courier: Courier | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self._handlers = {operation: handler for room in _ROOMS for operation, handler in room.HANDLERS.items()}
        self._counts: Counter[str] = Counter()
        self.received: deque[Received] = deque(maxlen=10_000)
        """The latest requests, oldest first."""
        self.faults: Faults = Faults({operation.name for operation in self._handlers})

    @property
    def url(self) -> str:
        """Where it listens; the platform's servers are all below it."""
        if not self._port:
            raise RuntimeError("the simulator has no URL before it is started: `async with Simulator() as cloud`")
        return str(URL.build(scheme="http", host=self._host, port=self._port))

    @property
    def environment(self) -> Environment:
        """What to give to a Session."""
        return Environment.at(self.url)

    def count(self, operation: str) -> int:
        """Return how many requests of an operation came in, those that went wrong included."""
        return self._counts[operation]

    async def start(self) -> Self:
        """Begin to listen."""
        if self._runner is not None:
            raise RuntimeError("the simulator has been started already")
        self._runner = runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        try:
            await runner.setup()
            await web.TCPSite(runner, self._host, self._port, backlog=1024).start()
        except BaseException:
            self._runner = None
            await runner.cleanup()
            raise
        self._port = runner.addresses[0][1]
        LOCKOUT.forget_host(urlsplit(self.url).netloc)  # What an earlier simulator refused here, this one may accept.
        self._courier = Courier(self, self._callback_hosts)
        return self

    async def close(self) -> None:
        """Stop listening, and end at once whatever is under way; closing twice does nothing more."""
        runner, self._runner = self._runner, None
        courier, self._courier = self._courier, None
        if runner is None or courier is None:
            return
        for site in tuple(runner.sites):
            await site.stop()
        tasks = (*self._connections, courier.task)
        for task in tasks:
            task.cancel()
        for connection in runner.server.connections if runner.server else ():
            # Closed but not aborted, it would wait for its client to read what was written.
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()
        courier.check()

    async def delivered(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - callers expect it
        """Wait until each message that is due, at the simulated time, was sent and answered or has found no listener.

        What failed is due again five minutes later: move the clock. Raises TimeoutError after so many real seconds.
        """
        if self._courier is None:
            raise RuntimeError("the simulator sends nothing before it is started: `async with Simulator() as cloud`")
        try:
            async with asyncio.timeout(timeout):
                await self._courier.quiet()
        except TimeoutError:
            raise TimeoutError(f"after {timeout:g} s, messages to listeners are still under way") from None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_REQUEST)
        for operation, handler in self._handlers.items():
            path = urlsplit(_BASES[operation.server]).path + operation.path
            answer = partial(gateway.answer, operation, handler)
            application.router.add_route(operation.method, path, partial(self._serve, operation.name, answer))
        nowhere = partial(self._serve, None, gateway.answer_nowhere)
        application.router.add_route("*", "/{anything:.*}", nowhere)
        return application

    async def _serve(
        self, operation: str | None, answer: Callable[[Call], Answer], request: web.Request
    ) -> web.StreamResponse:
        if request.task not in self._connections:
            self._connections.add(request.task)
            request.task.add_done_callback(self._connections.discard)
        # A ConnectionError means that the client went away before it was answered in full.
        with contextlib.suppress(ConnectionError):
            received = await self._receive(operation, request)
            call = Call(platform=self, received=received, path=dict(request.match_info))
            stage = Stage(request=request, platform=self, process=partial(answer, call))
            fault = None if operation is None else self.faults.take(operation)
            accepted = len(self.late_requests)
            response = stage.process().response() if fault is None else await fault.play(stage)
            # Only a request waits for its messages: their listener may well make calls that don't.
            if self.delivery_faults.early and len(self.late_requests) > accepted:
                with contextlib.suppress(TimeoutError):
                    await self.delivered()
            if response is not None:
                received.status = response.status
                return response
        return web.Response()  # Which goes nowhere, as its connection is closed.

    async def _receive(self, operation: str | None, request: web.Request) -> Received:
        received = Received(
            operation=operation,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=request.headers,
            body=await request.read(),
        )
        self.received.append(received)
        if operation is not None:
            self._counts[operation] += 1
        return received
