"""One kind of a user's tokens: read from Redis, or fetched for all sessions that share them."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Final

from thingspace_async._core.encryption import Cipher
from thingspace_async._core.refusals import header_safe
from thingspace_async._core.store import Fetch, Token, TokenKind
from thingspace_async._core.types import Secret
from thingspace_async.redis._breaker import Breaker, RedisUnavailable
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._lock import SESSION_EXPIRES, FoundToken, Lock

__all__ = ["SharedTokens"]

_log: Final = logging.getLogger("thingspace_async")

_CHECK_AFTER: Final = 60.0
"""Seconds between checks that a session token is still the shared one. Each check extends its life in Redis."""

_RETRY_AFTER: Final = 5.0
"""Seconds until a session tries again to share a token that Redis could not take."""

_MARGIN: Final = 60.0
"""A token counts as used up this many seconds before it ends."""

_OFFER_EXPIRES: Final = 5.0
"""Seconds until a token that was read on entering needs a check before it is used."""


class SharedTokens:
    """One session's access to one kind of token. Methods raise RedisUnavailable, unless they have fetched a token."""

    def __init__(self, breaker: Breaker, keys: Keys, kind: TokenKind, cipher: Cipher) -> None:
        self.keys: Final = (keys("token", kind), keys("lock", kind), keys("news", kind))
        self._breaker = breaker
        self._kind = kind
        self._cipher = cipher
        self._rejected = ""
        self._current: Secret | None = None
        self._good_until = 0.0
        self._offered: tuple[FoundToken, float] | None = None

    def lock(self) -> Lock:
        """Make a lock for one attempt to fetch a token."""
        return Lock(self._breaker, self.keys)

    def offer(self, found: FoundToken) -> None:
        """Remember a token that was read on entering, for the first call of `get`."""
        self._offered = found, time.monotonic() + _OFFER_EXPIRES

    def reject(self, token: Token | None) -> None:
        """Remember that a token must never be used again."""
        if token is not None and token.mark is not None:
            self._rejected = token.mark

    async def get(self, fetch: Fetch, known: Token | None, *, force_new: bool, lock: Lock | None) -> Token:
        """Return the shared token, or fetch one under a lock: under `lock` if the caller holds it already."""
        if (token := self._take_offer()) is not None and known is None and not force_new:
            return token
        claim = lock or self.lock()
        try:
            return await _Renewal(self, claim, fetch, known, force_new=force_new, keep=lock is not None).run()
        finally:
            if lock is None:
                await claim.release()

    def _take_offer(self) -> Token | None:
        offered, self._offered = self._offered, None
        return None if offered is None or time.monotonic() > offered[1] else self._decrypted(offered[0], None)

    async def get_without_redis(self, fetch: Fetch, known: Token | None, *, force_new: bool) -> Token:
        """Return the known token, or fetch one for this session alone. The session soon asks Redis again."""
        if known is None or force_new or (self._kind == "oauth" and not self.is_good(known)):
            return self.own(await fetch())
        left = None if known.seconds is None else self._seconds_left()
        return known._replace(seconds=left, check_after=_RETRY_AFTER)

    async def acquire(self, lock: Lock, *, force_new: bool) -> FoundToken | str:
        """Return the shared token, or acquire the lock and return the mark of the last token."""
        answer = await lock.acquire(rejected=self._rejected, extend=self._kind == "session", force_new=force_new)
        return answer if isinstance(answer, FoundToken) else answer.last_mark

    def read(self, found: FoundToken, known: Token | None) -> Token | None:
        """Return a token that was found. If it cannot be read, reject it and return None."""
        if (token := self._decrypted(found, known)) is None:
            _log.warning("replacing a shared token that cannot be read: give all workers the same encryption_keys")
            self._rejected = found.mark
        return token

    def _decrypted(self, found: FoundToken, known: Token | None) -> Token | None:
        secret = known.secret if known is not None and known.mark == found.mark else self._cipher.decrypt(found.kept)
        if secret is None or not header_safe(secret.reveal()):
            return None
        return self.shared(secret, found.mark, found.seconds)

    async def publish(self, lock: Lock, token: Token, *, keep: bool) -> Token | None:
        """Share a token. Returns None if another session has the lock by now."""
        mark = token.mark or secrets.token_hex(8)  # A token that returns to an emptied Redis keeps its mark.
        seconds = SESSION_EXPIRES if self._kind == "session" or token.seconds is None else token.seconds
        if not await lock.publish(self._cipher.encrypt(token.secret), mark, seconds, keep=keep):
            return None
        return self.shared(token.secret, mark, seconds)

    def shared(self, secret: Secret, mark: str, seconds: float) -> Token:
        """Make the token that all sessions use."""
        if self._kind == "session":
            return self._note(Token(secret, check_after=_CHECK_AFTER, mark=mark), seconds)
        return self._note(Token(secret, seconds, mark=mark), seconds - _MARGIN)

    def own(self, token: Token) -> Token:
        """Make a token that this session uses alone, until it can be shared."""
        seconds = SESSION_EXPIRES if token.seconds is None else token.seconds - _MARGIN
        return self._note(Token(token.secret, token.seconds, check_after=_RETRY_AFTER, mark=token.mark), seconds)

    def _note(self, token: Token, seconds: float) -> Token:
        self._current, self._good_until = token.secret, time.monotonic() + seconds
        return token

    def is_good(self, known: Token) -> bool:
        """Return whether a token is the latest one of this session and good for a while."""
        return self._current is known.secret and time.monotonic() < self._good_until

    def is_newer_than(self, mark: str) -> bool:
        """Return whether this session's token is newer than the one with that mark.

        It is if Redis knows no mark, or that of the token that this session has rejected.
        """
        return mark in ("", self._rejected)

    def with_time_left(self, known: Token) -> Token:
        """Return the latest token of this session with the seconds that it has left."""
        return known._replace(seconds=self._seconds_left())

    def _seconds_left(self) -> float:
        return self._good_until + _MARGIN - time.monotonic()


class _Renewal:
    """One search for a token. It ends with a shared token, or with a fetched one that could not be shared."""

    def __init__(
        self, tokens: SharedTokens, lock: Lock, fetch: Fetch, known: Token | None, *, force_new: bool, keep: bool
    ) -> None:
        self._tokens = tokens
        self._lock = lock
        self._fetch = fetch
        self._known = known
        self._force_new = force_new
        self._keep = keep
        self._fetched: Token | None = None
        self._mark_before = ""
        """Mark of the last token when this one was fetched."""

    async def run(self) -> Token:
        while True:
            try:
                token = await self._try()
            except RedisUnavailable:
                if self._fetched is None:
                    raise
                return self._tokens.own(self._fetched)
            if token is not None:
                return token

    async def _try(self) -> Token | None:
        """Read the shared token, or share one. Returns None if another session was faster."""
        found = await self._tokens.acquire(self._lock, force_new=self._force_new and self._fetched is None)
        if isinstance(found, FoundToken):
            # An unreadable token is newer than the known one, which is then forgotten too.
            self._known = self._tokens.read(found, self._known)
            return self._known
        if self._fetched is not None and found not in ("", self._mark_before):
            self._fetched = None  # A later token was shared and rejected meanwhile, so this one may be invalid too.
        known = self._known
        may_keep = not self._force_new and self._tokens.is_newer_than(found)
        if self._fetched is None and known is not None and may_keep and self._tokens.is_good(known):
            # Redis was emptied or unreachable. Share the known token again, without a login.
            return await self._tokens.publish(self._lock, self._tokens.with_time_left(known), keep=self._keep)
        if self._fetched is None:
            self._mark_before = found
            async with self._lock.renewing():
                # Marked before it is shared: if the answer gets lost, other sessions may already use the token.
                self._fetched = (await self._fetch())._replace(mark=secrets.token_hex(8))
        return await self._tokens.publish(self._lock, self._fetched, keep=self._keep)
