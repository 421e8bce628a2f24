"""Real PostgreSQL servers on loopback, started and stopped by the tests."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

__all__ = ["PostgresServer", "find_program", "missing", "needs_postgres"]

_PATIENCE: Final = 20.0
"""Seconds for a server to start or stop."""

_USER: Final = "postgres"
"""The server refuses to run as root. Then it runs as this user, which its package creates."""

_FAST: Final = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off")
_SMALL: Final = ("-c", "shared_buffers=16MB", "-c", "max_connections=60", "-c", "max_wal_size=256MB")

EMPTY: Final = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'thingspace' AND tablename <> 'version' LOOP
        EXECUTE 'DELETE FROM thingspace.' || quote_ident(name);
    END LOOP;
END $$
"""
"""Empties the tables. Creating them again would take ten times as long."""


def find_program(name: str = "postgres") -> str | None:
    """Find a program of the server: in THINGSPACE_POSTGRES_BIN, in Debian's folder for the latest, or on PATH."""
    if named := os.environ.get("THINGSPACE_POSTGRES_BIN"):
        return str(Path(named, name))
    known = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    return str(known[-1]) if known else shutil.which(name)


def _why_none() -> str | None:
    """Return why no server can be started, or None."""
    if find_spec("asyncpg") is None:
        return "NO ASYNCPG: it has no wheel for this Python"
    if find_program() is None or find_program("initdb") is None:
        return "NO POSTGRESQL SERVER: install one, or name its folder of programs in THINGSPACE_POSTGRES_BIN"
    return None


missing: Final = _why_none()
needs_postgres: Final = pytest.mark.skipif(missing is not None, reason=str(missing))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _command(name: str) -> list[str]:
    """Return the command for a program. THINGSPACE_POSTGRES_RUN may have words to put first."""
    program = find_program(name)
    assert program is not None, "no PostgreSQL server was found"
    words = os.environ.get("THINGSPACE_POSTGRES_RUN", "").split()
    if os.geteuid() == 0:
        words += ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--"]
    return [*words, program]


class PostgresServer:
    """A server with its own port and folder. `with` starts and stops it.

    Local clients need no password, except for the role `guarded`, whose password is `secret`.
    """

    def __init__(self, *options: str, port: int | None = None, durable: bool = False) -> None:
        self.port = port or _free_port()
        self._options = (*_SMALL, *(() if durable else _FAST), *options)
        self._folder = Path(tempfile.mkdtemp(prefix="thingspace-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self.url_of(_USER)

    def url_of(self, user: str, database: str = "postgres") -> str:
        """Return a URL with another user or database."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return self._folder / "data"

    def make(self) -> None:
        """Create the files of a new server."""
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_USER)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        words = ["-D", str(self.data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C"]
        words += ["--no-sync", "--no-instructions"]
        subprocess.run([*_command("initdb"), *words], check=True, stdout=subprocess.DEVNULL, cwd="/")
        access = self.data / "pg_hba.conf"
        guarded = "host all guarded 127.0.0.1/32 scram-sha-256\n"
        access.write_text(guarded + access.read_text())

    def start(self, *options: str) -> None:
        """Start it with its existing files, and wait until it answers."""
        words = ["-D", str(self.data), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        words += ["-c", "unix_socket_directories=", "-c", "logging_collector=off"]
        command = [*_command("postgres"), *words, *self._options, *options]
        until = time.monotonic() + _PATIENCE
        while not self._try_to_start(command, until):
            # A process of a killed server may live some moments longer. It may still write, so PostgreSQL refuses.
            assert "shared memory block" in self.log(), f"PostgreSQL ended: {self.log()}"
            time.sleep(0.05)

    def _try_to_start(self, command: list[str], until: float) -> bool:
        """Start it, and wait until it answers. Return False if it has ended."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")
        while not self._is_ready(self._process.pid):
            if self._process.poll() is not None:
                return False
            assert time.monotonic() < until, f"PostgreSQL does not start: {self.log()}"
            time.sleep(0.01)
        return True

    def _is_ready(self, pid: int) -> bool:
        """Return whether the server with this pid answers. A killed server leaves its file behind."""
        lines: list[str] = []
        with suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().split()
        return lines[:1] == [str(pid)] and "ready" in lines

    def empty(self) -> None:
        """Empty the tables."""

        async def empty() -> None:
            import asyncpg

            connection = await asyncpg.connect(self.url)
            await connection.execute(EMPTY)
            await connection.close()

        with ThreadPoolExecutor(1) as thread:  # An event loop may be running in this thread.
            thread.submit(asyncio.run, empty()).result()

    def log(self) -> str:
        """Return its log."""
        return (self._folder / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop it: with SIGQUIT at once, as in a crash, or with SIGINT in an orderly way."""
        process = self._process
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:  # Rarely, the server waits for a process of its own.
            if how != signal.SIGQUIT:
                raise
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Kill all its processes with SIGKILL."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)  # So that it starts no more processes.
        pids = self._pids()
        _send(signal.SIGKILL, pids)
        process.wait(_PATIENCE)
        self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Freeze it during a block. Its connections stay open."""
        pids = self._pids()
        _send(signal.SIGSTOP, pids)
        try:
            yield
        finally:
            _send(signal.SIGCONT, pids)

    def _pids(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def restart(self, *options: str) -> None:
        """Crash it, and start it again."""
        self.stop()
        self.start(*options)

    def __enter__(self) -> Self:
        try:
            self.make()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        # BlockBuster looks at each call on the event loop's thread, and there are thousands: that takes minutes.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(shutil.rmtree, self._folder, ignore_errors=True).result()
