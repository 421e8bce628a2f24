"""What sessions share: tokens, refused passwords, a pace, and who is still there.

A session that is given no store shares nothing. Nothing here does I/O; `thingspace_async.redis` has a store that does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias

import attrs

from thingspace_async._types import Secret

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

__all__ = [
    "MOST_UNANSWERED",
    "REQUESTS_A_MINUTE",
    "UNANSWERED",
    "Fetch",
    "Identity",
    "LocalStore",
    "LogOut",
    "Refusal",
    "Token",
    "TokenKind",
    "TokenStore",
    "UserStore",
]

TokenKind = Literal["oauth", "session"]

LogOut = Literal["never", "last", "always"]


class Identity(NamedTuple):  # Like Refusal no attrs class: to make one takes as long as to import a small module.
    """Whose tokens they are: sessions share only what is the same for all of this."""

    host: str
    client_id: str
    username: str


@attrs.frozen
class Token:
    """A token, and how many seconds it is good for; None when only the platform knows."""

    secret: Secret
    seconds: float | None = None
    check_after: float | None = attrs.field(default=None, kw_only=True)
    """Seconds after which the store is to be asked whether it is still the one that all use; None for never."""
    mark: str | None = attrs.field(default=None, kw_only=True)
    """Which of the store's tokens it is; None for one that is the session's own."""


Fetch: TypeAlias = Callable[[], Awaitable[Token]]


class Refusal(NamedTuple):
    """That the platform refused a password, or that it is not worth trying."""

    message: str
    status: int
    code: str | None = None
    request_id: str | None = None


MOST_UNANSWERED: Final = 2

UNANSWERED: Final = Refusal(
    message=f"{MOST_UNANSWERED} log-ins with this password went unanswered, each of which may have been refused",
    status=0,
)
"""Why a password is not sent that was never accepted, and may have been refused, for all that is known."""


class TokenStore(Protocol):
    """Where sessions share what they know; memory unless they are given another."""

    def of(self, identity: Identity) -> UserStore:
        """Return what one session shares with the others of a user."""
        ...


class UserStore(Protocol):
    """What one session shares with the others of its user.

    Where the store is away, what can be done without it is done without, or StoreUnavailable is raised before anything
    is sent to the platform, as the store was told. What follows an answer of the platform raises nothing.
    """

    async def enter(self) -> None:
        """Count this session among those that are open, until it leaves or its process ends."""
        ...

    async def leave(self, token: Token | None, log_out: LogOut) -> bool:
        """Count this session no more, and say whether it is to log out, its token then being nobody else's.

        Ends whatever was begun for it, even when it is cancelled. Left once, or never entered, it says no.
        """
        ...

    async def token(
        self,
        kind: TokenKind,
        fetch: Fetch,
        *,
        known: Token | None = None,
        rejected: Token | None = None,
        anew: bool = False,
    ) -> Token:
        """Return the token that all use, or fetch one for all, while nobody else does.

        `known` is what the caller has, whose `secret` is kept, the very object, where it is still the one. `rejected`
        is never returned, and forgotten by all. `anew` fetches even where there is a token.
        """
        ...

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Keep all other sessions from logging in; this one may."""
        ...

    async def may_send(self, password: Secret) -> Refusal | None:
        """Note that a password is about to be sent, or say why it must not be; see `_auth.Lockout`."""
        ...

    async def answered(self, password: Secret, *, accepted: bool = False, refusal: Refusal | None = None) -> None:
        """Note what came of a password that was sent, or that it was not sent after all."""
        ...

    async def forgive(self, password: Secret) -> None:
        """Forget that a password was refused or not answered."""
        ...

    async def pace(self, account: str | None) -> None:
        """Wait until another request may be sent that counts towards an account's limit; None for the user's own."""
        ...


REQUESTS_A_MINUTE: Final = 100
"""What is published for activations, and for nothing else (protocol.md 6)."""


class LocalStore:
    """Shares nothing but the pace, which all runs of a session share."""

    def __init__(self) -> None:
        self._pace: AsyncLimiter | None = None

    def of(self, identity: Identity) -> UserStore:
        """Return a store of the session's own."""
        del identity
        return LocalStore()

    async def enter(self) -> None:
        """Do nothing."""

    async def leave(self, token: Token | None, log_out: LogOut) -> bool:
        """Say whether to log out: there are no others."""
        return token is not None and log_out != "never"

    async def token(
        self,
        kind: TokenKind,
        fetch: Fetch,
        *,
        known: Token | None = None,
        rejected: Token | None = None,
        anew: bool = False,
    ) -> Token:
        """Fetch a token."""
        del kind, known, rejected, anew
        return await fetch()

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None]:
        """Keep nobody from anything."""
        yield

    async def may_send(self, password: Secret) -> Refusal | None:
        """Leave it to the guard of the process."""
        del password
        return None

    async def answered(self, password: Secret, *, accepted: bool = False, refusal: Refusal | None = None) -> None:
        """Leave it to the guard of the process."""

    async def forgive(self, password: Secret) -> None:
        """Leave it to the guard of the process."""

    async def pace(self, account: str | None) -> None:
        """Wait until another request may be sent, whatever the account."""
        del account
        if self._pace is None:
            from aiolimiter import AsyncLimiter  # Only fleets need it.

            # One at a time: a bucket that holds a hundred would let two hundred through in its first minute.
            self._pace = AsyncLimiter(1, 60 / REQUESTS_A_MINUTE)
        await self._pace.acquire()
