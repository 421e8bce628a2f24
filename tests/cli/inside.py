"""Runs commands in this process, against a simulator in another thread. That is faster than a process for each."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cli.commands import run_inside
from thingspace_async.simulator import Simulator

__all__ = ["Inside", "serving"]

_PATIENCE = 30.0


@contextmanager
def serving(**options: Any) -> Iterator[Simulator]:
    """Run a simulator in a thread."""
    ready, loops, clouds = threading.Event(), list[asyncio.AbstractEventLoop](), list[Simulator]()
    ends = list[asyncio.Event]()

    async def serve() -> None:
        async with Simulator(**options) as cloud:
            loops.append(asyncio.get_running_loop())
            clouds.append(cloud)
            ends.append(asyncio.Event())
            ready.set()
            await ends[0].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    log = logging.getLogger("thingspace_async.simulator")
    thread.start()
    assert ready.wait(_PATIENCE)
    log.propagate = False  # A real simulator writes its log in another process.
    try:
        yield clouds[0]
    finally:
        log.propagate = True
        loops[0].call_soon_threadsafe(ends[0].set)
        thread.join(_PATIENCE)


class Inside:
    """Runs commands in this process, each with its own environment variables."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._patch = monkeypatch
        for name in [name for name in os.environ if name.startswith("THINGSPACE_") and "TESTS" not in name]:
            monkeypatch.delenv(name)

    def set(self, **variables: str) -> None:
        """Set environment variables for the rest of the test."""
        for name, value in variables.items():
            self._patch.setenv(name, value)

    def run(self, *words: str, **variables: str) -> tuple[int, str, str]:
        """Run a command; return its exit status, stdout and stderr."""
        self.set(**variables)
        return run_inside(self._capsys, *words)

    def run_on_terminal(
        self, *words: str, columns: int, waits: Callable[[], bool] | None = None
    ) -> tuple[int, str, str]:
        """Run a command whose output goes to a terminal. `waits` says when to interrupt it."""
        with self._patch.context() as patch:
            patch.setenv("COLUMNS", str(columns))
            patch.setenv("TERM", "xterm-256color")
            for stream in (sys.stdout, sys.stderr):
                patch.setattr(stream, "isatty", lambda: True)
            return self.run(*words) if waits is None else self.run_interrupted(waits, *words)

    def run_interrupted(self, waits: Callable[[], bool], *words: str) -> tuple[int, str, str]:
        """Run a command, and interrupt it as soon as it waits."""
        ended = threading.Event()

        def interrupt() -> None:
            until = time.monotonic() + _PATIENCE
            while not ended.is_set() and time.monotonic() < until:
                if waits():
                    os.kill(os.getpid(), signal.SIGINT)
                    return
                time.sleep(0.005)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            return self.run(*words)
        finally:
            ended.set()
            thread.join()
