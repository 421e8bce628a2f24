"""What all tests live with: loopback only, nothing left behind, asyncio's debug mode."""

from __future__ import annotations

import asyncio
import gc
import inspect
import ipaddress
import logging
import os
import socket
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses, core
from blockbuster import BlockBuster
from hypothesis import settings
from redis.asyncio import Redis

import thingspace_async
from tests.redis.servers import RedisServer

# No deadline: the first example pays for loading. No database: it would write into the checkout.
settings.register_profile("thingspace", deadline=None, database=None)
settings.load_profile("thingspace")

_PATIENCE = 1.0
"""Seconds in which sockets and tasks must be gone, as closing takes a few rounds of the loop."""

_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


class LeftBehindError(AssertionError):
    """A test has left something open."""


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


@pytest.fixture(scope="module", autouse=True)
def _settled_memory() -> None:
    """Exempt what is loaded already from garbage collection, which runs after each test that may leave something."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse sockets to other machines, names of other machines too, and note each socket that is made."""
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
    """What asyncio has to complain about: tasks destroyed, exceptions never retrieved, sessions left unclosed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # A server says so when its client trusts no certificate of its, and only in debug mode.
        if not record.getMessage().startswith("Error on transport creation for incoming connection"):
            self.texts.append(self.format(record))


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest, _loopback_only: None) -> Iterator[None]:
    """Fail a test that leaves a task or a socket behind, or has asyncio complain."""
    before, made = _open_sockets(), len(_sockets)
    is_async = request.node.get_closest_marker("asyncio") is not None
    complaints = _Complaints()
    loggers = [logging.getLogger(name) for name in ("asyncio", "concurrent.futures")]
    for logger in loggers:
        logger.addHandler(complaints)
    if is_async:
        request.getfixturevalue("_no_task_left")
    yield
    if is_async or len(_sockets) != made:  # A plain function's garbage can hold nothing that is left open.
        gc.collect()
    for logger in loggers:
        logger.removeHandler(complaints)
    if left := _open_sockets() - before:
        raise LeftBehindError(f"open sockets: {left}")
    if complaints.texts:
        raise LeftBehindError("asyncio complains: " + "\n".join(complaints.texts))


_ENGINE = sorted(path.stem for path in Path(thingspace_async.__file__).parent.glob("_[a-z]*.py"))
_blocking = BlockBuster([f"thingspace_async.{name}" for name in _ENGINE])
del _blocking.functions["os.stat"]  # In debug mode asyncio looks at source files for each callback that it schedules.


# A library that is loaded at its first use reads its own version.
_blocking.functions["io.TextIOWrapper.read"].can_block_in("importlib/metadata/__init__.py", {"read_text"})


@pytest.fixture
async def _no_task_left() -> AsyncIterator[None]:
    """Run an async test in debug mode, without blocking calls on its loop, and fail it for tasks that it leaves.

    Debug mode takes a third of the suite's time, and where the suite runs several times one does without.
    """
    loop = asyncio.get_running_loop()
    loop.set_debug("THINGSPACE_TESTS_PLAIN" not in os.environ)
    loop.slow_callback_duration = 30.0  # Being slow on a busy machine is no fault.
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
    """Give canned answers without a server; it replaces aiohttp's sending, so time-outs and middlewares don't work."""

    class Mended(aiohttp.ClientResponse):
        # aiohttp 3.14 asks for a stream writer, which aioresponses 0.7.9 does not give (its issue #289).
        def __init__(self, *args: Any, **options: Any) -> None:
            if "stream_writer" in inspect.signature(aiohttp.ClientResponse).parameters:
                options["stream_writer"] = Mock(output_size=0)
            super().__init__(*args, **options)

    monkeypatch.setattr(core, "ClientResponse", Mended)
    with aioresponses() as answers:
        yield answers


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Start a Redis server that all tests share."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """Connect to it, and empty it."""
    async with Redis.from_url(redis_server.url) as client:
        await client.flushall()
        yield client
