"""What the commands share: options, running on the event loop, and ending without a traceback."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

import typer

from thingspace_async._environment import Environment
from thingspace_async.errors import ThingSpaceError

__all__ = ["EnvironmentOption", "environment_named", "run"]

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
    return _NAMED.get(name) or Environment.at(name)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command; an interrupt cancels it, so that it logs out, and errors become one line."""
    try:
        received = asyncio.run(_until_signalled(work()))
    except ThingSpaceError as error:
        typer.echo(f"thingspace: {error}", err=True)
        raise typer.Exit(1) from None
    except BrokenPipeError:
        # The reader went away, as `head` does. What Python still wants to flush goes nowhere, in place of a complaint.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    if received is not None:
        raise typer.Exit(128 + received)


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
    return None


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
