"""Fixtures of all tests: loopback only, no leaked sockets or tasks."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import ipaddress
import logging
import os
import signal
import socket
import tempfile
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses, core
from blockbuster import BlockBuster
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from tests.postgres.servers import PostgresServer
from tests.postgres.servers import missing as missing_postgres
from tests.redis.servers import RedisServer, find_program

# No deadline: the first example includes import time. No database: it would write into the checkout.
settings.register_profile("thingspace", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("thingspace")

# It reads its version from disk when it is imported, which BlockBuster would refuse on an event loop.
importlib.import_module("aiolimiter")

# Shells start background commands with SIGINT ignored, and child processes inherit that. Tests interrupt theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_PATIENCE = 1.0
"""Seconds within which sockets and tasks must end: closing takes a few iterations of the loop."""

_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


if "THINGSPACE_TESTS_UVLOOP" in os.environ:
    import uvloop

    def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
        """Run the engine's tests on uvloop. Needs pytest-asyncio 1.4 or later."""
        if item.path.parent.name in ("session", "unit"):
            return {"uvloop": uvloop.new_event_loop}
        return {"asyncio": asyncio.new_event_loop}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report missing servers, whose tests were skipped."""
    absent = {"Redis": find_program() is None, "PostgreSQL": missing_postgres is not None}
    if names := [name for name, is_absent in absent.items() if is_absent]:
        terminalreporter.section(f"NOT TESTED WITH {' AND '.join(names).upper()}: no server was found", red=True)


class LeftBehindError(AssertionError):
    """A test left something open."""


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


def _open_sockets() -> set[socket.socket]:
    return {found for found in _sockets if found.fileno() != -1 and found.family != socket.AF_UNIX}


@pytest.fixture(scope="session", autouse=True)
def _state_of_its_own() -> Iterator[None]:
    """Give the tests and their processes directories of their own for state and settings."""
    with tempfile.TemporaryDirectory(prefix="thingspace-state-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.delenv("THINGSPACE_GUARD_FILE", raising=False)
        # Linux uses the first two, macOS a directory in the last one.
        for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
            patch.setenv(name, folder)
        yield


@pytest.fixture(scope="module", autouse=True)
def _settled_memory() -> None:
    """Exclude loaded modules from garbage collection, which runs after many tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to other machines and lookups of their names, and record each new socket."""
    make, connect, look_up = socket.socket.__init__, socket.socket.connect, socket.getaddrinfo

    def noted(self: socket.socket, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        _sockets.add(self)

    def checked(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
            raise AssertionError(f"a test connects to {address[0]}, which is not this machine")
        connect(self, address)

    def looked_up(host: Any, *args: Any, **options: Any) -> Any:
        if not _is_loopback(host):
            raise AssertionError(f"a test looks up {host}, which is not this machine")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket.socket, "__init__", noted)
    monkeypatch.setattr(socket.socket, "connect", checked)
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)


class _Complaints(logging.Handler):
    """Collects asyncio's complaints: destroyed tasks, exceptions never retrieved, unclosed sessions."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # A server logs this in debug mode when its client does not trust its certificate.
        if not record.getMessage().startswith("Error on transport creation for incoming connection"):
            self.texts.append(self.format(record))


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest, _loopback_only: None) -> Iterator[None]:
    """Fail a test that leaves a task or socket open or makes asyncio complain."""
    before, made = _open_sockets(), len(_sockets)
    is_async = request.node.get_closest_marker("asyncio") is not None
    complaints = _Complaints()
    loggers = [logging.getLogger(name) for name in ("asyncio", "concurrent.futures")]
    for logger in loggers:
        logger.addHandler(complaints)
    if is_async:
        request.getfixturevalue("_no_task_left")
    yield
    if is_async or len(_sockets) != made:  # A plain function without sockets leaves nothing open.
        gc.collect()
    for logger in loggers:
        logger.removeHandler(complaints)
    leaves_sockets = request.node.get_closest_marker("leaves_sockets") is not None
    if (left := _open_sockets() - before) and not leaves_sockets:
        raise LeftBehindError(f"open sockets: {left}")
    if complaints.texts:
        raise LeftBehindError("asyncio complains: " + "\n".join(complaints.texts))


_blocking = BlockBuster(["thingspace_async._core", "thingspace_async._session"])
del _blocking.functions["os.stat"]  # In debug mode, asyncio checks source files for each callback that it schedules.


# Libraries read their version at their first use. The second file is of a backport, which keyring needs on Python 3.11.
for _file in ("importlib/metadata/__init__.py", "importlib_metadata/__init__.py"):
    _blocking.functions["io.TextIOWrapper.read"].can_block_in(_file, {"read_text"})

# Coverage's tracer notes each new file under a lock.
_blocking.functions["threading.Lock.acquire"].can_block_in("coverage/collector.py", {"lock_data", "unlock_data"})


@pytest.fixture
async def _no_task_left() -> AsyncIterator[None]:
    """Forbid blocking calls on an async test's loop, and fail the test if it leaves tasks.

    `THINGSPACE_TESTS_DEBUG` sets asyncio's debug mode, which takes half of the time again: `.ci/run` has one such run.
    """
    loop = asyncio.get_running_loop()
    loop.set_debug("THINGSPACE_TESTS_DEBUG" in os.environ)
    loop.slow_callback_duration = 30.0  # No warnings about slow callbacks on a busy machine.
    tasks, sockets = asyncio.all_tasks(), _open_sockets()
    _blocking.activate()
    try:
        yield
    finally:
        _blocking.deactivate()
    mine = asyncio.current_task()
    until = loop.time() + _PATIENCE
    while (left := asyncio.all_tasks() - tasks - {mine}) or _open_sockets() - sockets:
        if loop.time() > until:
            break
        await asyncio.sleep(0.002)
    if left:
        raise LeftBehindError(f"tasks: {left}")


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Give canned answers without a server. This replaces aiohttp's sending: timeouts and middlewares do not work."""

    class Mended(aiohttp.ClientResponse):
        # aiohttp 3.14 needs a stream writer, which aioresponses 0.7.9 does not pass (its issue #289).
        def __init__(self, *args: Any, **options: Any) -> None:
            if "stream_writer" in inspect.signature(aiohttp.ClientResponse).parameters:
                options["stream_writer"] = Mock(output_size=0)
            super().__init__(*args, **options)

    monkeypatch.setattr(core, "ClientResponse", Mended)
    with aioresponses() as answers:
        yield answers


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Start a Redis server for all tests."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """Connect to the Redis server, and empty it."""
    async with Redis.from_url(redis_server.url) as client:
        await client.flushall()
        yield client


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for all tests."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> str:
    """Empty the PostgreSQL server, and return its URL."""
    postgres_server.empty()
    return postgres_server.url
