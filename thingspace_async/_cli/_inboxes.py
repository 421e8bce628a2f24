"""Opens the inbox from an option: a file, or a database that several machines share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from thingspace_async._cli._run import WrongUsage
from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.errors import ConfigurationError

__all__ = ["DEFAULT", "InboxOption", "exists", "opened", "shown"]

InboxOption = Annotated[
    str,
    typer.Option(
        "--inbox",
        envvar="THINGSPACE_INBOX",
        help="Where messages and fleet runs are kept: a file, redis://HOST or postgresql://HOST/DATABASE. "
        "Keep a URL with a password in the variable: every user of a machine sees the options of its processes.",
    ),
]

DEFAULT: Final = "thingspace-messages.db"

_REDIS: Final = ("redis", "rediss")
_POSTGRES: Final = ("postgresql", "postgres")


def _scheme(where: str) -> str:
    """Return the scheme of a URL; an empty string for a file."""
    scheme, separator, _ = where.partition("://")
    return scheme.casefold() if separator else ""


def exists(where: str) -> bool:
    """Return False for a file that does not exist yet."""
    return _scheme(where) != "" or Path(where).exists()


def shown(where: str) -> str:
    """Return the name of an inbox without the secrets in its URL."""
    scheme = _scheme(where)
    return f"{scheme}://…" if scheme else where


@asynccontextmanager
async def opened(where: str) -> AsyncIterator[BaseInbox]:
    """Open an inbox for the block. Raises ConfigurationError if it cannot be opened."""
    scheme = _scheme(where)
    if not where:
        raise WrongUsage("--inbox is empty: name a file, redis://HOST or postgresql://HOST/DATABASE")
    if scheme in _REDIS:
        with _explained(where, "redis"):
            from redis.asyncio import Redis

            from thingspace_async.redis import RedisInbox

            client = Redis.from_url(where)
        async with client, RedisInbox(client) as inbox:
            yield inbox
    elif scheme in _POSTGRES:
        with _explained(where, "postgres"):
            from thingspace_async.postgres import PostgresInbox

            made = PostgresInbox(where)
        async with made as inbox:
            yield inbox
    elif scheme:
        raise WrongUsage(
            f"--inbox {shown(where)} has an unknown scheme: use a file, redis://HOST or postgresql://HOST/DATABASE"
        )
    else:
        async with SqliteInbox(where) as inbox:
            yield inbox


@contextmanager
def _explained(where: str, extra: str) -> Iterator[None]:
    """Name the extra to install if its libraries are missing. Errors never show the URL: it may contain a password."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"--inbox {shown(where)} needs {missing.name}: pip install 'thingspace_async[{extra}]'"
        ) from None
    except ValueError:
        raise WrongUsage(
            f"--inbox {shown(where)} cannot be read as a URL: percent-encode characters such as / and @ in its password"
        ) from None
