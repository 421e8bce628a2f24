"""What the commands share: options, running on the event loop, and ending without a traceback."""

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

from thingspace_async._environment import Environment
from thingspace_async.errors import ConfigurationError, InvalidRequest, ThingSpaceError

__all__ = ["DevicesOption", "EnvironmentOption", "checked_account", "environment_named", "listening", "run"]

DevicesOption = Annotated[int, typer.Option(min=0, max=1_000_000, help="Devices in the simulator.")]

EnvironmentOption = Annotated[
    str,
    typer.Option(
        "--environment",
        envvar="THINGSPACE_ENVIRONMENT",
        help="production, staging, mock, or a base URL such as a simulator's.",
    ),
]

_NAMED: Final = {one.name: one for one in (Environment.production, Environment.staging, Environment.mock)}


def environment_named(name: str) -> Environment:
    """Return an environment by its name or base URL."""
    if name in _NAMED:
        return _NAMED[name]
    if "://" not in name:
        raise ConfigurationError("environment: it must look like https://host, or production, staging, mock")
    return Environment.at(name)


def checked_account(account: str | None) -> str | None:
    """Return the account name, unless it is empty, as an unset variable of a shell is: that would mean all accounts."""
    if account is not None and not account.strip():
        raise InvalidRequest("--account is empty: name an account, or leave the option out")
    return account


@contextmanager
def listening(host: str, port: int) -> Iterator[None]:
    """Begin to listen on an address that a user chose: raise ConfigurationError that names the option to change."""
    if not host:
        raise ConfigurationError("--host is empty: name an address of this machine, such as 127.0.0.1")
    try:
        yield
    except OSError as error:
        other = "--port" if error.errno in _PORT_IS_NOT_OURS else "--host"
        raise ConfigurationError(f"cannot listen on {host}:{port} ({error.strerror}); choose another {other}") from None


_PORT_IS_NOT_OURS: Final = (errno.EADDRINUSE, errno.EACCES)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command; an interrupt cancels it, so that it logs out, and errors become one line."""
    try:
        received = asyncio.run(_until_signalled(work()))
    except ThingSpaceError as error:
        typer.echo(f"thingspace: {error}", err=True)
        raise typer.Exit(1) from None
    except BrokenPipeError:  # The reader went away, as `head` does.
        _discard_output()
        raise typer.Exit(1) from None
    except OSError as error:  # As of a full disk.
        _discard_output()
        typer.echo(f"thingspace: {error}", err=True)
        raise typer.Exit(1) from None
    if received is not None:
        raise typer.Exit(128 + received)


def _discard_output() -> None:
    """Send what Python still wants to flush nowhere, in place of its complaint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)


async def _until_signalled(work: Coroutine[Any, Any, None]) -> int | None:
    """Await the work and return None, or the signal that cut it short.

    The handlers are ours because a shell starts background commands with SIGINT ignored, which Python would keep.
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
        if sys.stdout is not None:  # As it is for a process that was started with it closed.
            sys.stdout.flush()  # Here, where a full disk becomes one line: at exit Python would complain itself.
    return None


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_STDOUT: Final = 1
