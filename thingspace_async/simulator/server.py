"""The simulator: a simulated platform behind a real HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from aiohttp import web
from yarl import URL

from thingspace_async._core.checks import is_loopback
from thingspace_async._core.environment import Environment
from thingspace_async._core.operation import Operation
from thingspace_async.simulator import gateway
from thingspace_async.simulator.admin.routes import add_admin
from thingspace_async.simulator.assumptions import Assumptions
from thingspace_async.simulator.controls import Controls
from thingspace_async.simulator.courier import Courier
from thingspace_async.simulator.deliveries import Delivery
from thingspace_async.simulator.faults import Stage
from thingspace_async.simulator.journal import Journal, header_of
from thingspace_async.simulator.platform import START, Platform
from thingspace_async.simulator.rooms import HANDLERS
from thingspace_async.simulator.traffic import read_traffic, recording, replaying
from thingspace_async.simulator.wire import Answer, Call, Handler, Received

__all__ = ["Simulator"]

_BASES: Final = Environment.at("http://localhost").bases

_LARGEST_REQUEST: Final = 64 * 1024 * 1024

_log: Final = logging.getLogger("thingspace_async.simulator")

_MOST_PORTS: Final = 100
"""Attempts to find a free port that no simulator of this process has used."""

_used_ports: Final[set[int]] = set()


class Simulator(Controls):
    """An embedded ThingSpace: a real HTTP server on loopback, with the platform's state, clock and faults.

        async with Simulator(devices=2000) as cloud:
            async with Session(cloud.credentials, environment=cloud.environment) as session:
                ...

    - `seed` determines devices and credentials. `port` 0 picks a free port.
    - Callbacks are posted to listeners on this machine and on the `callback_hosts`, nowhere else.
    - `requests_per_minute` throttles as the platform's gateway does.
    - `most_requests`, `most_deliveries` and `most_late_requests` limit the logs of requests, finished callback
      messages and finished late requests. The oldest entries are dropped.
    - `handlers=` answers operations that are not simulated, or replaces simulated ones.
    - `admin` serves the admin API and its page at `/__admin`. On a host other than loopback, it needs `admin_token`.
    - `set_up` prepares the state: now, and after each `reset`.
    - `state` is a file that preserves the state over restarts with the same options.

    A closed simulator can be started again: it keeps its URL and its state.
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
        requests_per_minute: int | None = None,
        most_requests: int = 10_000,
        most_deliveries: int = 10_000,
        most_late_requests: int = 10_000,
        handlers: Mapping[Operation[Any, Any], Handler] = HANDLERS,
        admin: bool = True,
        admin_token: str | None = None,
        set_up: Callable[[Controls], object] = lambda _: None,
        state: Path | None = None,
    ) -> None:
        known = None if state is None else header_of(state, start)
        make_platform = partial(
            Platform,
            devices=devices,
            account_name=account_name,
            seed=seed,
            start=start if known is None else known.start,
            assumptions=assumptions,
            id_seed=None if known is None else known.id_seed,
            most_deliveries=most_deliveries,
            most_late_requests=most_late_requests,
        )
        super().__init__(
            make_platform,
            handlers={**HANDLERS, **handlers},
            most_requests=most_requests,
            requests_per_minute=requests_per_minute,
            set_up=set_up,
        )
        if admin and admin_token is None and not is_loopback(host):
            raise ValueError(
                f"other machines could control the simulator at {host}: set an admin_token, or pass admin=False"
            )
        self.has_admin: bool = admin
        """Whether the admin API is served."""
        self._admin_token = admin_token
        self._host = host
        self._port = port
        self._state = state
        self._journal: Journal | None = None
        self._was_started = False
        self._runner: web.AppRunner | None = None
        self._callback_hosts = callback_hosts
        self._courier: Courier | None = None
        self._connections: set[asyncio.Task[Any]] = set()

    @classmethod
    def replay(cls, path: Path, **options: Any) -> Self:
        """Return a simulator that gives the platform's answers to recorded requests, and its own to others.

        Raises ValueError for a file that is not a recording.
        """
        return cls(handlers=replaying(read_traffic(path), HANDLERS), **options)

    @staticmethod
    def record(upstream: str, path: Path, *, port: int = 0) -> AbstractAsyncContextManager[str]:
        """Run a proxy to the platform that appends requests and answers to a file, with secrets starred.

        `upstream` is the platform's URL. The context manager yields the URL to use instead.
        """
        return recording(upstream, path, port=port)

    @property
    def url(self) -> str:
        """The base URL of all the platform's servers."""
        if not self._port:
            raise RuntimeError("the simulator has no URL yet: start it with `async with Simulator() as cloud`")
        return str(URL.build(scheme="http", host=_reachable(self._host), port=self._port))

    @property
    def environment(self) -> Environment:
        """The environment for a Session."""
        return Environment.at(self.url, insecure=not is_loopback(_reachable(self._host)))

    async def start(self) -> Self:
        """Start the server, and return the simulator."""
        if self._runner is not None:
            raise RuntimeError("the simulator is already running")
        if self._state is not None:
            self._journal = Journal(self._state, self, replay=not self._was_started)
        self._was_started = True
        self._runner = runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        try:
            await runner.setup()
            await self._listen(runner)
        except BaseException:
            self._runner = None
            await runner.cleanup()
            raise
        self._courier = Courier(lambda: self.platform, self._callback_hosts, self._attempted)
        return self

    async def _listen(self, runner: web.AppRunner) -> None:
        """Listen at the chosen port, or at a free port that no simulator of this process has used.

        Clients remember which passwords an address refused, and another simulator may accept them.
        """
        for _ in range(_MOST_PORTS):
            site = web.TCPSite(runner, self._host, self._port, backlog=1024)
            await site.start()
            port = runner.addresses[0][1]
            if self._port or port not in _used_ports:
                self._port = port
                _used_ports.add(port)
                return
            await site.stop()
        raise RuntimeError("simulators of this process have used every free port that was tried: pass port=...")

    async def close(self) -> None:
        """Stop the server, and abort all requests in progress. Closing again has no effect."""
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
            # A close without an abort would wait for the client to read all data.
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        courier.check()

    async def delivered(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109 - callers expect it
        """Wait until every message that is due was delivered, failed, or had no listener.

        A failed message is due again five simulated minutes later: advance the clock. Raises TimeoutError after
        `timeout` real seconds.
        """
        if self._courier is None:
            raise RuntimeError("a stopped simulator sends no messages: start it with `async with Simulator() as cloud`")
        try:
            async with asyncio.timeout(timeout):
                await self._courier.wait_until_idle()
        except TimeoutError:
            raise TimeoutError(f"listeners have not answered all messages after {timeout:g} s") from None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_REQUEST)
        for operation, handler in self.handlers.items():
            path = urlsplit(_BASES[operation.server]).path + operation.path
            answer = partial(gateway.answer, operation, handler)
            application.router.add_route(operation.method, path, partial(self._serve, operation, answer))
        if self.has_admin:
            add_admin(application, self, token=self._admin_token, keep=self._keep, changed=self._changed)
        unknown = partial(self._serve, None, gateway.answer_unknown_path)
        application.router.add_route("*", "/{anything:.*}", unknown)
        return application

    async def _serve(
        self, operation: Operation[Any, Any] | None, answer: Callable[[Call], Answer], request: web.Request
    ) -> web.StreamResponse:
        self._keep(request)
        # A ConnectionError means that the client closed the connection early.
        with contextlib.suppress(ConnectionError):
            name = None if operation is None else operation.name
            received = await self._receive(name, request)
            call = Call(platform=self.platform, received=received, path=dict(request.match_info))
            process = partial(self._process, operation, answer, call)
            stage = Stage(request=request, platform=self.platform, process=process)
            accepted = self.platform.late_requests.accepted
            response = await self._respond(name, stage)
            # A listener's own calls must not wait here for the message that the listener is handling.
            if self.delivery_faults.early and self.platform.late_requests.accepted > accepted:
                with contextlib.suppress(TimeoutError):
                    await self.delivered()
            status = None if response is None else response.status
            self.requests.note(received, stage.answer, status)
            _log_request(received)
            if response is not None:
                return response
        return web.Response()  # Never sent: the connection is closed.

    def _process(self, operation: Operation[Any, Any] | None, answer: Callable[[Call], Answer], call: Call) -> Answer:
        ids_before = self.platform.ids_made
        given = answer(call)
        if self._journal is not None and operation is not None:
            self._journal.note_request(operation, call, given, ids_before)
        return given

    def _changed(self, at: datetime, method: str, path: str, body: bytes) -> None:
        if self._journal is not None:
            self._journal.note_admin(at, method, path, body)

    def _attempted(self, delivery: Delivery) -> None:
        if self._journal is not None:
            self._journal.note_delivery(delivery)

    def _keep(self, request: web.Request) -> None:
        """Remember the task of a connection, so that `close` can cancel it."""
        if request.task not in self._connections:
            self._connections.add(request.task)
            request.task.add_done_callback(self._connections.discard)

    async def _respond(self, operation: str | None, stage: Stage) -> web.StreamResponse | None:
        """Return the answer of the throttle, a fault or the platform; None after closing the connection instead."""
        if (refused := self.throttle.refuse(self.clock.now())) is not None:
            stage.answer = refused
            return refused.response()
        if operation is not None and (fault := self.faults.take(operation)) is not None:
            return await fault.play(stage)
        return stage.process().response()

    async def _receive(self, operation: str | None, request: web.Request) -> Received:
        received = Received(
            operation=operation,
            method=request.method,
            path=request.path,
            query={name: ",".join(request.query.getall(name)) for name in request.query},
            headers=request.headers,
            body=await request.read(),
            at=self.clock.now(),
        )
        self.requests.add(received)
        return received


def _log_request(received: Received) -> None:
    if _log.isEnabledFor(logging.INFO):
        why = f"  {received.reason}" if received.reason else ""
        status = received.status or "no answer"
        name = received.operation or "-"
        _log.info("%s %s  %s  %s%s", received.method, received.path, name, status, why)


def _reachable(host: str) -> str:
    """Return an address for clients: the loopback address if the host means every interface."""
    with contextlib.suppress(ValueError):
        if (address := ipaddress.ip_address(host)).is_unspecified:
            return "127.0.0.1" if address.version == 4 else "::1"
    return host
