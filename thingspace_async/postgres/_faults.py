"""PostgreSQL's errors, with advice on each."""

from __future__ import annotations

from typing import Final

import asyncpg

__all__ = ["FAULTS", "advice_on", "is_temporary", "tables_are_missing"]

FAULTS: Final[tuple[type[BaseException], ...]] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""Errors that mean that PostgreSQL failed."""

_BUSY: Final = "it does not answer in time: check its load, pg_stat_activity, and whether the pool has free connections"
_POOLED: Final = "PgBouncer uses transaction pooling: connect directly, or with pool_mode=session"
_PRIVILEGE: Final = (
    "this user lacks a privilege: GRANT USAGE, CREATE ON the SCHEMA, or make this user the owner of the schema"
)
_REACH: Final = "it cannot be reached: check that it is running, and the DSN's host, port and TLS options"
_SIGN_IN: Final = "it refuses the user or the password: check the DSN and the server's pg_hba.conf"
_STARTING: Final = "it is starting or stopping: check its log if this lasts"

_ADVICE: Final = {
    "0A000": "its tables were changed: try again",
    "22021": "its encoding must be UTF8",
    "22P05": "its encoding must be UTF8",
    "25006": "it is read-only: connect to the primary, for example with target_session_attrs=read-write in the DSN",
    "25P03": "this process was blocked during a transaction: try again",
    "26000": _POOLED,
    "28000": _SIGN_IN,
    "28P01": _SIGN_IN,
    "3D000": "there is no such database: create it, or correct the DSN",
    "3F000": "its schema is missing: the next call creates it again",
    "42501": _PRIVILEGE,
    "42703": "the schema is used for something else: choose another schema",
    "42P01": "its tables are missing: the next call creates them again",
    "42P05": _POOLED,
    "42P07": "the schema is used for something else: choose another schema",
    "53100": "its disk is full: free some space",
    "53200": "it is out of memory: check its log",
    "53300": "it has no free connection: raise max_connections, or make pools smaller",
    "54000": "a name is too long for an index",
    "55P03": _BUSY,
    "57014": _BUSY,
    "58030": "its disk fails: check its log",
    "XX001": "its data is damaged: check its log",
    "XX002": "its data is damaged: check its log",
}
"""Advice by SQLSTATE."""

_BY_CLASS: Final = {
    "08": _REACH,
    "28": _SIGN_IN,
    "40": "transactions conflict: try again",
    "53": "it lacks resources: check its log",
    "57": _STARTING,
    "58": "its operating system reports an error: check its log",
}
"""Advice by the first two characters of a SQLSTATE."""

_ENDED: Final = ("connection is closed", "connection has been released")
"""asyncpg's messages if the server has just ended a connection, which returns to the pool at once."""

_MISSING: Final = ("3F000", "42P01")
_TEMPORARY: Final = frozenset({"08", "40", "53", "57", "58", "0A000", "25006", "25P03", "55P03", *_MISSING})
"""SQLSTATEs, and their first two characters, of errors that may end without a correction of the settings."""


def advice_on(error: BaseException) -> str:
    """Describe an error and what to do, in one line. The server's own text is left out, as it may contain data."""
    if state := _state(error):
        advice = _ADVICE.get(state) or _BY_CLASS.get(state[:2]) or "it refuses a statement: check its log"
        return f"{advice} ({state}, {type(error).__name__})"
    if isinstance(error, TimeoutError):
        advice = _BUSY
    elif isinstance(error, OSError) or _has_ended(error):
        advice = _REACH
    elif isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        advice = "no server in the DSN has the requested target_session_attrs"
    else:
        advice = "asyncpg refuses: check that the pool is open and belongs to this event loop"
    return f"{advice} ({type(error).__name__})"


def is_temporary(error: BaseException) -> bool:
    """Return whether an error may end by itself, for example when the server has restarted or a failover is over."""
    if state := _state(error):
        return not _TEMPORARY.isdisjoint((state, state[:2]))
    return isinstance(error, OSError | TimeoutError | asyncpg.TargetServerAttributeNotMatched) or _has_ended(error)


def tables_are_missing(error: BaseException) -> bool:
    """Return whether the tables must be created again."""
    return _state(error) in _MISSING


def _has_ended(error: BaseException) -> bool:
    """Return whether the server has just ended the connection."""
    return any(how in str(error) for how in _ENDED)


def _state(error: BaseException) -> str:
    return getattr(error, "sqlstate", None) or "" if isinstance(error, asyncpg.PostgresError) else ""
