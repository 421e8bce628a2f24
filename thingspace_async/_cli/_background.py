"""Simulators in the background. Each one locks a file while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

import orjson
from filelock import FileLock, Timeout

from thingspace_async.errors import ConfigurationError

__all__ = ["recorded", "start", "stop"]

_TIMEOUT: Final = 60.0


def _folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("thingspace_async", appauthor=False) / "simulators"


async def start(port: int, words: list[str]) -> dict[str, str]:
    """Start `thingspace simulator` with the given arguments; return its variables as soon as it listens."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    record = folder / f"{port}.json"
    if _is_running(record):
        raise ConfigurationError(
            f"a simulator already runs in the background at port {port}: stop it with --stop, or choose another --port"
        )
    command = [sys.executable, "-m", "thingspace_async", "simulator", *words]
    command += ["--print", "json", "--record", str(record)]
    log = record.with_suffix(".log")
    process = await asyncio.to_thread(_spawn, command, log)
    with cast(IO[bytes], process.stdout) as printed:
        async with asyncio.timeout(_TIMEOUT):
            line = await asyncio.to_thread(printed.readline)
    process.returncode = 0  # The process keeps running on purpose: keep Popen from warning about it.
    if not line:
        complaint = log.read_text().strip().splitlines()
        raise ConfigurationError(
            complaint[-1].removeprefix("thingspace: ") if complaint else "the simulator ended without a message"
        )
    exports: dict[str, str] = orjson.loads(line)
    return exports


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as complaints:
        return subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,  # Ctrl-C in the shell must not stop it.
        )


@contextmanager
def recorded(record: Path | None, url: str) -> Iterator[None]:
    """Write a record of this process during the block, so that `stop` can find it."""
    if record is None:
        yield
        return
    with FileLock(_lock_of(record)):
        record.write_bytes(orjson.dumps({"pid": os.getpid(), "url": url}))
        try:
            yield
        finally:
            record.unlink(missing_ok=True)


def stop(port: int) -> None:
    """Stop the simulator in the background at a port. Raises ConfigurationError if none is running."""
    record = _folder() / f"{port}.json"
    if not _is_running(record):
        raise ConfigurationError(
            f"no simulator runs in the background at port {port}: pass the --port it was started with"
        )
    known: dict[str, Any] = orjson.loads(record.read_bytes())
    os.kill(known["pid"], signal.SIGTERM)
    try:
        with FileLock(_lock_of(record), timeout=_TIMEOUT):
            pass
    except Timeout:
        raise ConfigurationError(
            f"the simulator (process {known['pid']}) did not end within {_TIMEOUT:g} s: end the process yourself"
        ) from None
    for left in (record, record.with_suffix(".log"), Path(_lock_of(record))):
        with contextlib.suppress(OSError):
            left.unlink()


def _is_running(record: Path) -> bool:
    if not record.exists():
        return False
    try:
        with FileLock(_lock_of(record), timeout=0):
            return False
    except Timeout:
        return True


def _lock_of(record: Path) -> str:
    return str(record.with_suffix(".lock"))
