"""Runs commands of `thingspace` to their end, in processes forked from one that has its libraries loaded."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.forked import Forked
from thingspace_async.__main__ import main
from thingspace_async._cli import app

__all__ = ["environment", "run", "run_inside", "run_on", "run_on_full_disk"]


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables of a command: this process's, with only the given credentials."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("THINGSPACE_")}
    return {**clean, "COLUMNS": "200", "PYTHONUNBUFFERED": "1", **variables}


async def run(*words: str, **variables: str) -> tuple[int, str, str]:
    """Run a command with empty input; return its exit status, stdout and stderr."""
    return await run_on(None, *words, **variables)


async def run_on(terminal: str | None, *words: str, **variables: str) -> tuple[int, str, str]:
    """Run a command on a terminal; return the same. The variable PWD is its working folder."""
    process = await Forked.start(_command, words, terminal, variables=environment(variables))
    status, printed, complaints = await process.result()
    assert status is not None, f"thingspace {' '.join(words)} has not ended in time"
    return status, printed, complaints


async def run_on_full_disk(*words: str, **variables: str) -> tuple[int, str, str]:
    """Run a command whose stdout is a file on a full disk; return the same."""
    process = await Forked.start(_command_on_full_disk, words, variables=environment(variables))
    status, printed, complaints = await process.result()
    assert status is not None, f"thingspace {' '.join(words)} has not ended in time"
    return status, printed, complaints


def run_inside(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run a command that sends nothing, in this process; return the same."""
    with pytest.raises(SystemExit) as ended:
        app(list(words), prog_name="thingspace")
    printed, complaints = capsys.readouterr()
    return int(ended.value.code or 0), printed, complaints


def _command(words: tuple[str, ...], terminal: str | None) -> None:
    """Run the command in the forked process."""
    os.chdir(os.environ.get("PWD", "."))
    if terminal is not None:
        os.dup2(os.open(terminal, os.O_RDWR | os.O_NOCTTY), 0)
        sys.stdin = os.fdopen(0)
    sys.argv = ["thingspace", *words]
    main()


def _command_on_full_disk(words: tuple[str, ...]) -> None:
    """Run the command in the forked process. A file that cannot be written stands for the disk where there is none."""
    full = Path("/dev/full")
    os.dup2(os.open(full, os.O_WRONLY) if full.exists() else os.open(os.devnull, os.O_RDONLY), 1)
    _command(words, None)
