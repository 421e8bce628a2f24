"""Errors of Redis: what each means, and what to do about it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from redis import exceptions

from thingspace_async._core.tasks import cancellable
from thingspace_async.errors import InboxUnavailable, InboxUnusable

__all__ = ["COMMAND_TIMEOUT", "FAULTS", "INBOX_TIMEOUT", "inbox_errors", "unavailable"]

COMMAND_TIMEOUT: Final = 1.0
"""Seconds for Redis to answer."""

INBOX_TIMEOUT: float = 5.0
"""Seconds for a call of an inbox. A token can be fetched without Redis, but a message cannot be stored without it."""

FAULTS: Final[tuple[type[BaseException], ...]] = (
    exceptions.RedisError,
    exceptions.RedisClusterException,  # Not a RedisError.
    OSError,
    TimeoutError,
)
"""Exceptions that mean that Redis is unavailable."""

_CREDENTIALS: Final = "it rejects the client's username or password: correct them"
_NOT_REACHED: Final = "it cannot be reached: check that it runs, and the client's host, port and TLS settings"
_TOO_SLOW: Final = "it does not answer in time: check its load and SLOWLOG"
_IS_CLUSTER: Final = "it is a cluster: pass a redis.asyncio.RedisCluster"

_ADVICE: Final = {
    "OOM": "its memory is full: raise maxmemory, or keep less in it",
    "READONLY": "it is a read-only replica: connect to the primary, or through Sentinel or Cluster",
    "NOREPLICAS": "it has fewer replicas than min-replicas-to-write: check that they run",
    "MISCONF": "it cannot save to its disk: see its log",
    "LOADING": "it is still loading its data",
    "MASTERDOWN": "it is a replica whose primary is down",
    "CLUSTERDOWN": "the cluster does not serve all slots: see CLUSTER INFO",
    "TRYAGAIN": "the cluster is moving the slot to another node",
    "CROSSSLOT": _IS_CLUSTER,
    "MOVED": _IS_CLUSTER,
    "BUSY": "a long-running script blocks it: find out which client runs it",
    "NOAUTH": _CREDENTIALS,
    "WRONGPASS": _CREDENTIALS,
    "NOPERM": "its ACL does not let this user run the command: extend the user's permissions",
    "WRONGTYPE": "a key holds another type of value: use another prefix",
}
"""Advice by the error code. Redis starts an error with the code; errors inside scripts have it further on."""

_CODE: Final = re.compile(rf"\b({'|'.join(_ADVICE)})\b")

# redis-py removes the code from errors that have a class of their own.
_BY_CLASS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (exceptions.OutOfMemoryError, _ADVICE["OOM"]),
    (exceptions.ReadOnlyError, _ADVICE["READONLY"]),
    (exceptions.BusyLoadingError, _ADVICE["LOADING"]),
    (exceptions.MasterDownError, _ADVICE["MASTERDOWN"]),
    (exceptions.ClusterDownError, _ADVICE["CLUSTERDOWN"]),
    (exceptions.TryAgainError, _ADVICE["TRYAGAIN"]),
    (exceptions.ClusterCrossSlotError, _ADVICE["CROSSSLOT"]),
    (exceptions.MovedError, _ADVICE["MOVED"]),
    (exceptions.NoPermissionError, _ADVICE["NOPERM"]),
    (exceptions.AuthenticationWrongNumberOfArgsError, _CREDENTIALS),
    (exceptions.AuthenticationError, _CREDENTIALS),
    (exceptions.AuthorizationError, _ADVICE["NOPERM"]),
    (exceptions.MaxConnectionsError, "the client's connection pool is exhausted: raise its max_connections"),
    (exceptions.TimeoutError, _TOO_SLOW),
    (TimeoutError, _TOO_SLOW),
    (exceptions.ConnectionError, _NOT_REACHED),
    (exceptions.RedisClusterException, "the cluster cannot be reached, or does not serve all slots: see CLUSTER INFO"),
    (OSError, _NOT_REACHED),
)

_REJECTED: Final = "it rejected a command: check that it is Redis 6.2 or later"

_PERMANENT: Final = frozenset({_CREDENTIALS, _IS_CLUSTER, _REJECTED, _ADVICE["NOPERM"], _ADVICE["WRONGTYPE"]})
"""Advice on errors that last until it is followed."""


def unavailable(error: BaseException) -> str:
    """Explain an error in one line, with advice and without any argument of the command."""
    advice, name = _advice_on(error)
    return f"Redis: {advice} ({name})"


def _advice_on(error: BaseException) -> tuple[str, str]:
    """Return advice on an error, and its code, or its class if it has no code."""
    if isinstance(error, TimeoutError):
        error = _redis_error_of(error)
    if (code := _CODE.search(str(error))) is not None:
        return _ADVICE[code[1]], code[1]
    # The error's own message is left out: for an unknown command it repeats the arguments.
    advice = next((text for kind, text in _BY_CLASS if isinstance(error, kind)), _REJECTED)
    return advice, type(error).__name__


def _redis_error_of(error: BaseException) -> BaseException:
    """Return the error that redis-py was retrying when the time ran out, or `error` if Redis had not answered."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, exceptions.RedisError):
        cause = cause.__cause__ or cause.__context__
    return error if cause is None else cause


@asynccontextmanager
async def inbox_errors(label: str, longer: float = 0) -> AsyncGenerator[None]:
    """Limit the time of the block, and raise errors of Redis as InboxUnavailable; `label` names the inbox.

    `longer` is the seconds that Redis may take on top.
    """
    try:
        async with asyncio.timeout(INBOX_TIMEOUT + longer):
            with cancellable():
                yield
    except FAULTS as error:
        kind = InboxUnusable if _advice_on(error)[0] in _PERMANENT else InboxUnavailable
        raise kind(f"{label} failed: {unavailable(error)}") from error
