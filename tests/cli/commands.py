"""Runs commands of `thingspace` to their end, in processes that are forked where its libraries are loaded already."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Final

from thingspace_async.__main__ import main

__all__ = ["environment", "run"]

# To load the libraries takes most of a command's time, and of the suite's, which has a hundred of them.
_LOADED: Final = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload([__name__, "thingspace_async._cli", "thingspace_async.simulator"])

_PATIENCE: Final = 60.0


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables of a command: this process's, with no credentials but those that are given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("THINGSPACE_")}
    return {**clean, "COLUMNS": "200", "PYTHONUNBUFFERED": "1", **variables}


async def run(*words: str, **variables: str) -> tuple[int, str, str]:
    """Return a command's exit status, what it printed, and its complaints."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder, "printed"), Path(folder, "complaints")
        process = _LOADED.Process(target=_command, args=(words, environment(variables), outputs))
        await asyncio.to_thread(process.start)
        try:
            await asyncio.to_thread(process.join, _PATIENCE)
            status = process.exitcode
        finally:
            process.kill()
            process.join()
            process.close()
        assert status is not None, f"thingspace {' '.join(words)} has not ended in {_PATIENCE:g} s"
        printed, complaints = (output.read_text() for output in outputs)
        return status, printed, complaints


def _command(words: tuple[str, ...], variables: dict[str, str], outputs: tuple[Path, Path]) -> None:
    """Be the command."""
    for place, output in enumerate(outputs, 1):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), place)
    os.environ.clear()
    os.environ.update(variables)
    warnings.simplefilter("error")
    sys.argv = ["thingspace", *words]
    main()
