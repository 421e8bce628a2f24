"""Processes forked from a server that has loaded the libraries."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

__all__ = ["Forked"]

# Loading the libraries takes most of the time of a process, and the suite has hundreds of them.
_LOADED: Final = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload(
    [__name__, "tests.cli.commands", "tests.session.guarded", "thingspace_async._cli", "thingspace_async.simulator"]
)

_PATIENCE: Final = 60.0


class Forked:
    """A process that calls a function of a module. `result` ends it."""

    def __init__(
        self, function: Callable[..., object], arguments: tuple[Any, ...], variables: Mapping[str, str]
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = Path(self._folder.name, "printed"), Path(self._folder.name, "complaints")
        self._process = _LOADED.Process(target=_begin, args=(function, arguments, dict(variables), self._outputs))

    @classmethod
    async def start(cls, function: Callable[..., object], *arguments: Any, variables: Mapping[str, str]) -> Self:
        """Start a process with these environment variables and no others."""
        forked = cls(function, arguments, variables)
        await asyncio.to_thread(forked._process.start)
        return forked

    async def result(self) -> tuple[int | None, str, str]:
        """Wait for the end, and return the exit status, stdout and stderr. The status is None after a timeout."""
        with self._folder:
            try:
                await asyncio.to_thread(self._process.join, _PATIENCE)
                status = self._process.exitcode
            finally:
                self._process.kill()
                self._process.join()
                self._process.close()
            printed, complaints = (path.read_text() if path.exists() else "" for path in self._outputs)
            return status, printed, complaints

    def kill(self) -> None:
        """Kill the process, as the system's out-of-memory killer would."""
        self._process.kill()


def _begin(
    function: Callable[..., object], arguments: tuple[Any, ...], variables: dict[str, str], outputs: tuple[Path, Path]
) -> None:
    for place, output in enumerate(outputs, 1):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), place)
    os.environ.clear()
    os.environ.update(variables)
    warnings.simplefilter("error")
    function(*arguments)
