"""Tokens: who holds them, when they are renewed, which answers reject which, and the guard against lock-out.

Nothing here does I/O or knows the HTTP client: renewing is a coroutine function that the session gives.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import hashlib
import os
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeAlias

from thingspace_async._store import MOST_UNANSWERED, UNANSWERED, Fetch, Refusal, Token, TokenKind
from thingspace_async._types import Secret
from thingspace_async.errors import ApiError, LoginRefused, ThingSpaceError

__all__ = [
    "LOCKOUT",
    "Lockout",
    "Share",
    "TokenKeeper",
    "header_safe",
    "not_sent",
    "refuses_password",
    "rejected_token",
]

_EARLY: Final = 60.0


def header_safe(text: str) -> bool:
    """Say whether a token can travel in a header: something visible, and nothing that could start another header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


class TokenKeeper:
    """Holds one token, and renews it once for everybody who finds it missing.

    The rule: check, lock, check again, fetch. Callers that waited while a fetch failed share its error, or a thousand
    tasks that meet a dead platform would each wait for it in turn.
    """

    def __init__(self, fetch: Fetch, share: Share | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Hold what `fetch` gives; `share` is asked for it where others use the same token."""
        self._fetch = fetch
        self._share = share or _alone
        self._clock = clock
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[object] | None = None
        self.token: Token | None = None
        self._rejected: Token | None = None
        self._until: float | None = None
        self._failures = 0
        self._failure: ThingSpaceError | None = None

    @property
    def held(self) -> Secret | None:
        """The token, even if it may have ended."""
        return None if self.token is None else self.token.secret

    @property
    def current(self) -> Secret | None:
        """The token, unless it is missing, about to end, or to be asked for again."""
        if (token := self.token) is None or (self._until is not None and self._clock() >= self._until):
            return None
        return token.secret

    async def get(self) -> Secret:
        """Return the token, fetched if need be."""
        if (token := self.current) is not None:
            return token
        if self._owner is not None and self._owner is asyncio.current_task():
            return await self._renew(self._fetch)
        failures = self._failures
        async with self._lock:
            if (token := self.current) is not None:
                return token
            if failures != self._failures and self._failure is not None:
                raise copy.copy(self._failure)
            try:
                return await self._renew(self._fetch)
            except ThingSpaceError as error:
                self._failures += 1
                self._failure = copy.copy(error)
                raise

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None]:
        """Keep everybody but the task that enters from fetching a token."""
        async with self._lock:
            self._owner = asyncio.current_task()
            try:
                yield
            finally:
                self._owner = None

    async def replace(self, fetch: Fetch) -> Secret:
        """Fetch a new token in a way of the caller's, even though there is one."""
        async with self._lock:
            return await self._renew(fetch, anew=True)

    async def _renew(self, fetch: Fetch, *, anew: bool = False) -> Secret:
        token = await self._share(fetch, known=self.token, rejected=self._rejected, anew=anew)
        times = (None if token.seconds is None else _usable(token.seconds), token.check_after)
        self.token, self._rejected, self._failure = token, None, None
        self._until = min((self._clock() + seconds for seconds in times if seconds is not None), default=None)
        return token.secret

    def reject(self, seen: Secret) -> None:
        """Forget the token if it is still the one that was rejected; a newer one stays."""
        if self.held is seen:
            self._rejected = self.token
            self.forget()

    def forget(self) -> None:
        """Forget the token."""
        self.token = self._until = None


class Share(Protocol):
    """How a token is had that others use, too: as `UserStore.token`, for one kind of token."""

    def __call__(
        self, fetch: Fetch, *, known: Token | None, rejected: Token | None, anew: bool
    ) -> Awaitable[Token]: ...


def _alone(fetch: Fetch, *, known: Token | None, rejected: Token | None, anew: bool) -> Awaitable[Token]:
    del known, rejected, anew
    return fetch()


def _usable(seconds: float) -> float:
    """Say how long to use a token that ends in so many seconds.

    Within the hour of its first issue the platform hands out the same OAuth token to everybody who asks with the key
    (protocol.md 1.1), so one that is fetched anew may be about to end. Half of what is left then bounds how often it is
    asked for; what it ends up rejecting is renewed by the rejection.
    """
    return max(1.0, seconds - min(_EARLY, seconds / 2))


# Which answers reject which token

_BAD_BEARER: Final = frozenset({"900901", "900902", "900903", "900904"})


def rejected_token(error: ApiError) -> TokenKind | None:
    """Say which token an error rejects, from the ways in which the platform's APIs say so (protocol.md 2)."""
    code, message = error.short_code or "", error.message.casefold()
    if code in _BAD_BEARER or (error.status == 401 and error.code is None):
        return "oauth"
    if "SessionToken." in code:
        return "session"
    if code == "INVALID_PARAMETER" and "the session has expired" in message:  # location: only the text tells
        return "session"
    if code == "unauthorized" and "uws v1 rest accounts: [400]" in message:  # cloud connector
        return "session"
    return None


# The guard against lock-out


def refuses_password(error: ApiError) -> bool:
    """Say whether the answer to a login refuses the user or the password.

    Which code it bears is not documented, so every 4xx in the platform's own shape counts (protocol.md 2.4), and 400,
    401 and 403 in any shape but the gateway's: a login too few is repaired by hand, a user locked at the fifth refusal
    only by Verizon's support.
    """
    if error.status == 429 or not 400 <= error.status < 500:
        return False
    if error.code is not None and len(error.code) == 6 and error.code.startswith("90"):
        return False
    return error.code is not None or error.status in (400, 401, 403)


class Lockout:
    """Keeps a password that the platform refused from being sent again, by any session of the process.

    One login at a time for each user and host, across event loops and threads too: several sessions that start with
    the same wrong password would otherwise burn several of the five attempts before the first refusal arrives. And a
    password that was never accepted is not sent for long while no answer comes: each may have been a refusal.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._salt = os.urandom(16)
        self._refused: dict[_Key, LoginRefused] = {}
        self._unanswered: dict[_Key, int] = {}
        self._accepted: set[_Key] = set()
        self._turns: dict[tuple[str, str], concurrent.futures.Future[None]] = {}

    def _key(self, host: str, username: str, password: Secret) -> _Key:
        digest = hashlib.blake2b(password.reveal().encode("utf-8", "surrogatepass"), key=self._salt).digest()
        return host, username, digest

    @asynccontextmanager
    async def turn(self, host: str, username: str) -> AsyncGenerator[None]:
        """Wait until nobody else logs in as this user; raises TimeoutError when that does not end."""
        mine: concurrent.futures.Future[None] = concurrent.futures.Future()
        async with asyncio.timeout(_LONGEST_TURN):
            while True:
                with self._mutex:
                    other = self._turns.setdefault((host, username), mine)
                if other is mine:
                    break
                # Shielded: to cancel the wrapper would cancel the other's future.
                await asyncio.shield(asyncio.wrap_future(other))
        try:
            yield
        finally:
            with self._mutex:
                self._turns.pop((host, username), None)
            mine.set_result(None)

    def check(self, host: str, username: str, password: Secret) -> None:
        """Raise LoginRefused, without a request, for a password that was refused before, or never answered."""
        key = self._key(host, username, password)
        if (refusal := self._refused.get(key)) is not None:
            raise copy.copy(refusal)
        if key not in self._accepted and self._unanswered.get(key, 0) >= MOST_UNANSWERED:
            raise not_sent(UNANSWERED)

    def send(self, host: str, username: str, password: Secret) -> None:
        """Note that a login goes out, which counts as unanswered until it is answered."""
        key = self._key(host, username, password)
        self._unanswered[key] = self._unanswered.get(key, 0) + 1

    def answer(self, host: str, username: str, password: Secret) -> None:
        """Note that the last login was answered, or not sent after all."""
        self._unanswered.pop(self._key(host, username, password), None)

    def accept(self, host: str, username: str, password: Secret) -> None:
        """Note that the platform took a password."""
        key = self._key(host, username, password)
        self._refused.pop(key, None)
        self._accepted.add(key)

    def refuse(self, host: str, username: str, password: Secret, refusal: Refusal) -> None:
        """Remember a refused password."""
        key = self._key(host, username, password)
        self._accepted.discard(key)
        self._refused[key] = not_sent(refusal)

    def forgive(self, host: str, username: str, password: Secret) -> None:
        """Forget that a password was refused or not answered."""
        key = self._key(host, username, password)
        self._refused.pop(key, None)
        self._unanswered.pop(key, None)

    def forget_host(self, host: str) -> None:
        """Forget all that is known of a host, which has become another one, as a simulator's does."""
        for known in (self._refused, self._unanswered):
            for key in [key for key in known if key[0] == host]:
                del known[key]
        self._accepted = {key for key in self._accepted if key[0] != host}

    def forget_turns(self) -> None:
        """Forget who is logging in: in a forked child nobody is, and nobody would say that it has ended."""
        self._mutex = threading.Lock()
        self._turns.clear()


_Key: TypeAlias = tuple[str, str, bytes]

_LOCKS: Final = "Verizon locks the user at the fifth refusal in a row"
_FORCE: Final = "change the password, or say force=True to open() or log_in() once it is right on the platform"


def not_sent(refusal: Refusal) -> LoginRefused:
    """Make the error for a password that is not sent."""
    return LoginRefused(
        f"{refusal.message.rstrip('.')}; not sent again, since {_LOCKS}; {_FORCE}",
        operation="session.log_in",
        status=refusal.status,
        code=refusal.code,
        request_id=refusal.request_id,
        tries=0,
    )


_LONGEST_TURN: Final = 300.0
"""Seconds; a login ends long before by its own time-outs."""

LOCKOUT: Final = Lockout()
"""Shared by all sessions of the process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LOCKOUT.forget_turns)
