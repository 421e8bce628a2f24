"""What it means that Redis is away, and what to do about it."""

from __future__ import annotations

import re
from typing import Final

from redis import exceptions

__all__ = ["FAULTS", "unavailable"]

FAULTS: Final[tuple[type[BaseException], ...]] = (
    exceptions.RedisError,
    exceptions.RedisClusterException,  # No RedisError.
    OSError,
    TimeoutError,
)
"""What counts as Redis being away."""

_ADVICE: Final = {
    "OOM": "its memory is full: raise maxmemory, or let less be kept",
    "READONLY": "it is a replica, which takes no writes: connect to the primary, or through Sentinel or Cluster",
    "NOREPLICAS": "too few replicas are connected to it for min-replicas-to-write",
    "MISCONF": "it cannot save to its disk: see its log",
    "LOADING": "it is still loading what it had saved",
    "MASTERDOWN": "its primary is away",
    "CLUSTERDOWN": "the cluster does not serve all slots: see CLUSTER INFO",
    "TRYAGAIN": "the cluster is moving the slot",
    "CROSSSLOT": "it is a cluster: give a redis.asyncio.RedisCluster",
    "MOVED": "it is a cluster: give a redis.asyncio.RedisCluster",
    "BUSY": "a script of somebody's keeps it busy",
    "NOAUTH": "it wants another user or password from the client",
    "WRONGPASS": "it wants another user or password from the client",
    "NOPERM": "its ACL allows this user too little",
    "WRONGTYPE": "a key holds something else: give another prefix",
}
"""By the code that an error begins with, or bears in its middle when a script has met it."""

_CODE: Final = re.compile(rf"\b({'|'.join(_ADVICE)})\b")

# redis-py takes the code off the errors that it has classes for.
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
    (exceptions.AuthenticationWrongNumberOfArgsError, _ADVICE["WRONGPASS"]),
    (exceptions.AuthenticationError, _ADVICE["WRONGPASS"]),
    (exceptions.AuthorizationError, _ADVICE["NOPERM"]),
    (exceptions.MaxConnectionsError, "the client's pool is exhausted: give it more max_connections"),
    (exceptions.TimeoutError, "it does not answer in time: see its load, and SLOWLOG"),
    (TimeoutError, "it does not answer in time: see its load, and SLOWLOG"),
    (exceptions.ConnectionError, "it cannot be reached: see that it runs, and the client's host, port and TLS"),
    (exceptions.RedisClusterException, "the cluster cannot be reached, or does not serve all slots: see CLUSTER INFO"),
    (OSError, "it cannot be reached: see that it runs, and the client's host, port and TLS"),
)


def unavailable(error: BaseException) -> str:
    """Say in one line what is wrong with Redis and what to do, with nothing of what was sent to it."""
    if isinstance(error, TimeoutError):
        error = _behind(error)
    if (code := _CODE.search(str(error))) is not None:
        return f"Redis: {_ADVICE[code[1]]} ({code[1]})"
    advice = next((text for kind, text in _BY_CLASS if isinstance(error, kind)), None)
    # Its text is not shown: that of an unknown command repeats the arguments.
    return f"Redis: {advice or 'it refuses a command: see that it is a Redis of 6.2 or later'} ({type(error).__name__})"


def _behind(error: BaseException) -> BaseException:
    """Find why redis-py was still trying when the time was over; the error itself if it had no answer at all."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, exceptions.RedisError):
        cause = cause.__cause__ or cause.__context__
    return error if cause is None else cause
