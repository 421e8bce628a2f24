"""TokenKeeper: holds one token, and renews it once for all calls that need it."""

from __future__ import annotations

import asyncio
import copy
import logging
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from thingspace_async._core.store import Fetch, Token
from thingspace_async._core.tasks import end
from thingspace_async._core.values import Secret
from thingspace_async.errors import SessionClosed, ThingSpaceError

__all__ = ["Share", "TokenKeeper"]

_log: Final = logging.getLogger("thingspace_async")

_EARLY: Final = 60.0
"""Seconds before its expiry to renew a token. Calls use the old token until then."""

_PAUSE: Final = 5.0
"""Seconds after a failed early renewal before the next one."""

_SETTLED: Final = 30.0
"""Age in seconds from which a rejected token counts as expired, even if the platform never accepted it."""


class Share(Protocol):
    """Gets a token that other processes use too: `UserStore.token` for one kind of token."""

    def __call__(
        self, fetch: Fetch, *, known: Token | None, rejected: Token | None, force_new: bool
    ) -> Awaitable[Token]: ...


def _alone(fetch: Fetch, *, known: Token | None, rejected: Token | None, force_new: bool) -> Awaitable[Token]:
    del known, rejected, force_new
    return fetch()


class TokenKeeper:
    """Holds one token.

    The rule is: check, lock, check again, fetch. The keeper fetches in its own task, so a cancelled caller does not end
    a login that other callers wait for. If the fetch fails, all waiting callers get its error.
    """

    def __init__(
        self,
        fetch: Fetch,
        share: Share | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        most_unproven: int = 1,
    ) -> None:
        """Make a keeper of the tokens that `fetch` returns.

        `most_unproven` is the number of tokens in a row that may replace a rejected token before the platform accepts
        one.
        """
        self._fetch = fetch
        self._share = share or _alone
        self._clock = clock
        self._most_unproven = most_unproven
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[object] | None = None
        self._task: asyncio.Task[Secret] | None = None
        self.token: Token | None = None
        self._rejected: Token | None = None
        self._failure: ThingSpaceError | None = None
        """Error of the renewal that should have replaced the rejected token."""
        self._early = self._check = self._end = math.inf
        self._fetched = -math.inf
        self._unproven = 0

    @property
    def held(self) -> Secret | None:
        """The token, even if it may have expired."""
        return None if self.token is None else self.token.secret

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the token expires, or None if there is none or its lifetime is unknown."""
        return None if math.isinf(self._end) else max(0.0, self._end - self._clock())

    @property
    def current(self) -> Secret | None:
        """The token, or None if it is missing, due for renewal, or due for a check with the store."""
        if (token := self.token) is None or self._clock() >= self._early:
            return None
        return token.secret

    async def get(self) -> Secret:
        """Return the token. Fetch a missing token first."""
        if (token := self.current) is not None:
            return token
        if self._owner is not None and self._owner is asyncio.current_task():
            return await self._renew(self._fetch)
        task = self._task
        if task is None or task.done():
            task = self._task = asyncio.get_running_loop().create_task(self._renew_once())
            task.add_done_callback(_retrieve)  # All waiting callers may be cancelled.
        if (held := self.token) is not None and self._clock() < min(self._check, self._end):
            return held.secret  # The token is valid, and the task renews it early.
        await asyncio.wait([task])
        if task.cancelled():
            raise SessionClosed("the session was closed during the call: open a new Session")
        if (error := task.exception()) is None:
            return task.result()
        try:
            raise copy.copy(error) if isinstance(error, ThingSpaceError) else error
        finally:
            del error

    async def _renew_once(self) -> Secret:
        async with self._lock:
            if (token := self.current) is not None:
                return token
            try:
                return await self._renew(self._fetch)
            except Exception as error:
                if isinstance(error, ThingSpaceError):
                    self._failure = copy.copy(error)
                if (held := self.token) is None or self._clock() >= min(self._check, self._end):
                    raise
                self._early = self._clock() + _PAUSE
                # Another exception, for example of a credentials provider, may quote a secret.
                why = error if isinstance(error, ThingSpaceError) else type(error).__name__
                _log.warning("a token could not be renewed early and stays in use until it expires: %s", why)
                return held.secret

    async def end(self) -> None:
        """Cancel a fetch that is in progress."""
        if (task := self._task) is not None:
            await end(task)

    async def settle(self) -> None:
        """Wait until no fetch is in progress."""
        if (task := self._task) is not None and not task.done():
            await asyncio.wait([task])
        async with self._lock:  # Also wait for `replace`, which fetches in its caller's task.
            pass

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None]:
        """Block other tasks from fetching a token."""
        async with self._lock:
            self._owner = asyncio.current_task()
            try:
                yield
            finally:
                self._owner = None

    async def replace(self, fetch: Fetch) -> Secret:
        """Fetch a new token with another function, even if the present token is valid."""
        async with self._lock:
            return await self._renew(fetch, force_new=True)

    async def _renew(self, fetch: Fetch, *, force_new: bool = False) -> Secret:
        token = await self._share(fetch, known=self.token, rejected=self._rejected, force_new=force_new)
        if self._rejected is not None and token.secret == self._rejected.secret:
            self._unproven = self._most_unproven  # The platform issued the rejected token again.
        self.token, self._rejected, self._failure = token, None, None
        now = self._fetched = self._clock()
        seconds, check = token.seconds, token.check_after
        self._end = math.inf if seconds is None else now + seconds
        self._check = math.inf if check is None else now + check
        # The platform returns the same OAuth token for an hour after its first issue (PROTOCOL.md 1.1), so a fetched
        # token may be about to expire. Waiting for half of the remaining time bounds the number of requests.
        early = math.inf if seconds is None else now + max(1.0, seconds - min(_EARLY, seconds / 2))
        self._early = min(early, self._check)
        return token.secret

    def accepted(self) -> None:
        """Record that the platform accepted the token."""
        self._unproven = 0

    def reject(self, seen: Secret) -> bool:
        """Forget the token if it is the rejected one, and return whether to try again.

        The result is True if the token has been replaced already. It is False if the token replaced a rejected one a
        moment ago and was never accepted: the platform then refuses every token.

        Raises the error of the renewal if that has failed already: calls that were rejected together share one login.
        """
        if self.held is not seen:
            if self._failure is not None and self._rejected is not None and self._rejected.secret is seen:
                raise copy.copy(self._failure)
            return True
        settled = self._clock() - self._fetched >= _SETTLED
        if self._unproven >= self._most_unproven and not settled:
            return False
        self._unproven = 1 if settled else self._unproven + 1
        self._rejected, self._failure = self.token, None
        self.forget()
        return True

    def forget(self) -> None:
        """Forget the token."""
        self.token = None
        self._early = self._check = self._end = math.inf


def _retrieve(task: asyncio.Task[Secret]) -> None:
    if not task.cancelled():
        task.exception()
