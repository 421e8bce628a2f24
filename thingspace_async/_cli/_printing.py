"""What commands print next to their results: the log, notes and progress. The options -v and --quiet choose it."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

import typer

if TYPE_CHECKING:
    from thingspace_async import Exchange

__all__ = ["QuietOption", "VerboseOption", "log_exchange", "logged", "note", "printing", "with_printing"]

VerboseOption = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Print each request to stderr; -vv prints more."
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print no notes and no progress, but errors.")]

_log: Final = logging.getLogger("thingspace_async.cli")


class Printing:
    """The choice of the user. The options may come before and after the name of a command."""

    def __init__(self) -> None:
        self.begin(verbose=0, quiet=False)

    def begin(self, *, verbose: int, quiet: bool) -> None:
        """Set the options before the name."""
        self.verbose, self.quiet = verbose, quiet

    def add(self, *, verbose: int, quiet: bool) -> None:
        """Add the options after the name."""
        self.verbose, self.quiet = self.verbose + verbose, self.quiet or quiet


printing: Final = Printing()
"""The choice for this process."""


def with_printing(work: Callable[..., None]) -> Callable[..., None]:
    """Return a command for typer with the options -v and --quiet in addition to its own."""
    hints = {**get_type_hints(work, include_extras=True), "verbose": VerboseOption, "quiet": QuietOption}
    own = [one.replace(annotation=hints[name]) for name, one in inspect.signature(work).parameters.items()]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[name])
        for name, default in (("verbose", 0), ("quiet", False))
    ]

    @wraps(work)
    def command(*, verbose: int, quiet: bool, **values: Any) -> None:
        printing.add(verbose=verbose, quiet=quiet)
        work(**values)

    vars(command)["__signature__"] = inspect.Signature([*own, *added])
    command.__annotations__ = hints
    return command


def note(text: str) -> None:
    """Print a note to stderr, unless the user wants none."""
    if not printing.quiet:
        typer.echo(text, err=True)


def log_exchange(exchange: Exchange) -> None:
    """Log a request and its answer, without secrets."""
    outcome = f"status {exchange.status}" if exchange.error is None else exchange.error.__name__
    known = "" if exchange.request_id is None else f", request {exchange.request_id}"
    _log.info("%s %s: %s in %.3f s%s", exchange.method, exchange.url, outcome, exchange.seconds, known)


@contextmanager
def logged() -> Iterator[None]:
    """Print the log of the package to stderr during the block, as far as the user wants it."""
    logger = logging.getLogger("thingspace_async")
    level = logger.level
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    if printing.verbose:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if printing.verbose > 1 else logging.INFO)
    elif printing.quiet:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
