"""Shared code of the commands: options, running on the event loop, and ending without a traceback."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer

from thingspace_async._cli._printing import logged
from thingspace_async._core.environment import Environment
from thingspace_async._core.guard import FORCE
from thingspace_async.errors import ConfigurationError, InvalidRequest, ThingSpaceError

__all__ = [
    "FAILED",
    "NOTHING_DONE",
    "SOME_FAILED",
    "DevicesOption",
    "WrongUsage",
    "checked_account",
    "confirm",
    "environment_named",
    "listening",
    "option_values",
    "run",
]

# Exit statuses, as the page lists them.
FAILED: Final = 1
_WRONG_USAGE: Final = 2
NOTHING_DONE: Final = 3
SOME_FAILED: Final = 4
_SIGNALLED: Final = 128


class WrongUsage(ConfigurationError):
    """An option or an argument is wrong, or a file that one of them names."""


DevicesOption = Annotated[int, typer.Option(min=0, max=1_000_000, help="Devices in the simulator.")]

_NAMED: Final = {one.name: one for one in (Environment.production, Environment.staging, Environment.mock)}


def environment_named(name: str) -> Environment:
    """Return an environment by its name or base URL."""
    if name in _NAMED:
        return _NAMED[name]
    if "://" not in name:
        raise WrongUsage(f"unknown environment {name!r}: use production, staging, mock, or https://host")
    with option_values():
        return Environment.at(name)


@contextmanager
def option_values() -> Iterator[None]:
    """Report a value that the library refuses as a wrong option."""
    try:
        yield
    except ConfigurationError as error:
        raise WrongUsage(str(error)) from None


def checked_account(account: str | None) -> str | None:
    """Return the account name; refuse an empty one (from an unset variable), which would mean all accounts."""
    if account is not None and not account.strip():
        raise InvalidRequest("--account is empty: name an account, or leave the option out")
    return account


@contextmanager
def listening(host: str, port: int, prefix: str = "") -> Iterator[None]:
    """Listen on a user's address in the block. Raises ConfigurationError that names the option to change.

    The options are `--host` and `--port`, or begin with a prefix, as in `--metrics-port`.
    """
    if not host:
        raise WrongUsage(f"--{prefix}host is empty: use an address of this machine, for example 127.0.0.1")
    try:
        yield
    except OSError as error:
        other = f"--{prefix}port" if error.errno in _PORT_IS_NOT_OURS else f"--{prefix}host"
        raise ConfigurationError(f"cannot listen on {host}:{port} ({error.strerror}); choose another {other}") from None


_PORT_IS_NOT_OURS: Final = (errno.EADDRINUSE, errno.EACCES)


async def confirm(question: str) -> None:
    """Ask on the terminal; raise typer.Abort unless the answer is yes, and ConfigurationError without a terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigurationError(f"{question} Pass --yes to confirm without a terminal")
    typer.echo(f"{question} [y/N] ", nl=False, err=True)
    if (await _line()).strip().casefold() not in ("y", "yes"):
        raise typer.Abort


async def _line() -> str:
    """Read a line from the terminal."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(sys.stdin, ready.set)
    except NotImplementedError:  # Windows
        return await asyncio.to_thread(sys.stdin.readline)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command. An interrupt cancels it, so that it logs out. Errors become one line on stderr."""
    try:
        with logged():
            received = asyncio.run(_until_signalled(work()))
    except ThingSpaceError as error:
        text = str(error).replace(FORCE, "run `thingspace whoami --force-login`")
        typer.echo(f"thingspace: {text}", err=True)
        raise typer.Exit(_WRONG_USAGE if isinstance(error, WrongUsage | InvalidRequest) else FAILED) from None
    except BrokenPipeError:  # The reading program ended early, for example `head`.
        _discard_output()
        raise typer.Exit(FAILED) from None
    except OSError as error:  # For example, a full disk.
        _discard_output()
        typer.echo(f"thingspace: {error}", err=True)
        raise typer.Exit(FAILED) from None
    if received is not None:
        raise typer.Exit(_SIGNALLED + received)


def _discard_output() -> None:
    """Redirect stdout to the null device, so that Python's flush at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)


async def _until_signalled(work: Coroutine[Any, Any, None]) -> int | None:
    """Await the work; return None, or the number of the signal that interrupted it.

    Own handlers are necessary: a shell starts background commands with SIGINT ignored, and Python would keep that.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        for one in _SIGNALS:
            loop.remove_signal_handler(one)  # The second one ends the process at once.
        task.cancel()

    try:
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop, number)
    except NotImplementedError:
        pass  # Windows: asyncio.run turns Ctrl-C into a cancellation itself.
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
        return received[0]
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        if sys.stdout is not None:  # It is None if the process was started with stdout closed.
            sys.stdout.flush()  # Flush here, so that `run` reports a full disk in one line.
    return None


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_STDOUT: Final = 1
