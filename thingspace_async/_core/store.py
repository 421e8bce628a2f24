"""Stores: tokens, refused passwords and a rate limit that sessions share, and the list of open sessions.

A session without a store shares nothing. Nothing here does I/O; `thingspace_async.redis` has a store that does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias

from thingspace_async._core.guard import Guard, local_guard
from thingspace_async._core.refusals import TokenKind
from thingspace_async._core.values import Secret

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

__all__ = [
    "REQUESTS_PER_MINUTE",
    "Fetch",
    "Identity",
    "LocalStore",
    "LocalUserStore",
    "LogOut",
    "Token",
    "TokenKind",
    "TokenStore",
    "UserStore",
]

LogOut = Literal["never", "last", "always"]


class Identity(NamedTuple):  # Not an attrs class: making one takes as long as importing a small module.
    """Owner of tokens: sessions share tokens if all of these are equal."""

    host: str
    client_id: str
    username: str


class Token(NamedTuple):
    """A token."""

    secret: Secret
    seconds: float | None = None
    """Remaining lifetime, or None if it is unknown."""
    check_after: float | None = None
    """Seconds until the session must check that this is still the shared token, or None for never."""
    mark: str | None = None
    """The store's name of the token, or None for a token of this session only."""


Fetch: TypeAlias = Callable[[], Awaitable[Token]]


class TokenStore(Protocol):
    """Shares tokens and more between sessions. The default is `LocalStore`."""

    def of(self, identity: Identity) -> UserStore:
        """Return the store of one session of a user."""
        ...


class UserStore(Protocol):
    """The store as one session of a user sees it.

    If the store is unreachable, methods fall back to local behaviour or raise StoreUnavailable before a request is
    sent, as configured. Methods that record an answer of the platform never raise.
    """

    @property
    def guard(self) -> Guard:
        """The guard, which decides which passwords may be sent."""
        ...

    async def enter(self) -> None:
        """Count this session as open until it leaves or its process ends."""
        ...

    async def leave(self, token: Token | None, log_out: LogOut) -> bool:
        """Stop counting this session, and return whether it should log out because no other session uses its token.

        Ends all background work of this session, even if cancelled. Returns False if the session has left already or
        never entered.
        """
        ...

    async def token(
        self,
        kind: TokenKind,
        fetch: Fetch,
        *,
        known: Token | None = None,
        rejected: Token | None = None,
        force_new: bool = False,
    ) -> Token:
        """Return the shared token, or fetch one for all sessions while the others wait.

        `known` is the caller's token. If it is still the shared token, the same `secret` object is returned. `rejected`
        is never returned, and all sessions forget it. `force_new` fetches a new token even if there is one.
        """
        ...

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Block all other sessions from logging in."""
        ...

    async def pace(self, account: str | None) -> None:
        """Wait until the rate limit of an account allows another request. None stands for the user's own limit."""
        ...


REQUESTS_PER_MINUTE: Final = 100
"""Limit for activations, the only one that the platform publishes (PROTOCOL.md 6)."""


class LocalStore:
    """Shares nothing with other processes, except the guard of this machine."""

    def of(self, identity: Identity) -> UserStore:
        """Return a store for one session."""
        return LocalUserStore(local_guard(identity.host, identity.username))


class LocalUserStore:
    """Shares the rate limit among all runs of a session, and the guard with other sessions of this machine."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._pace: AsyncLimiter | None = None

    async def enter(self) -> None:
        """Do nothing."""

    async def leave(self, token: Token | None, log_out: LogOut) -> bool:
        """Return whether to log out: no other session shares the token."""
        return token is not None and log_out != "never"

    async def token(
        self,
        kind: TokenKind,
        fetch: Fetch,
        *,
        known: Token | None = None,
        rejected: Token | None = None,
        force_new: bool = False,
    ) -> Token:
        """Fetch a token."""
        del kind, known, rejected, force_new
        return await fetch()

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None]:
        """Do nothing: no other session shares the store."""
        yield

    async def pace(self, account: str | None) -> None:
        """Wait until another request may be sent, for any account."""
        del account
        if self._pace is None:
            from aiolimiter import AsyncLimiter  # Only fleets need it.

            # Capacity 1: a bucket of a hundred would allow two hundred requests in the first minute.
            self._pace = AsyncLimiter(1, 60 / REQUESTS_PER_MINUTE)
        await self._pace.acquire()
