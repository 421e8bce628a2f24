"""One kind of a user's tokens: found in Redis, or fetched for all that share it."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Final

import attrs

from thingspace_async._store import Fetch, Token, TokenKind
from thingspace_async._types import Secret
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._line import Away, Line
from thingspace_async.redis._lock import USED_WITHIN, Found, Lock
from thingspace_async.redis._sealing import Seal

__all__ = ["Shared"]

_log: Final = logging.getLogger("thingspace_async")

_CHECK_AFTER: Final = 60.0
"""Seconds for which a session's token is used before it is asked whether it is still the one, and said to be in use."""

_TRY_AFTER: Final = 5.0
"""Seconds for which a token is used that could not be shared."""

_EARLY: Final = 60.0
"""Seconds for which a token must be good to be worth sharing."""

_FRESH: Final = 5.0
"""Seconds for which a token may be used that was found on entering."""


class Shared:
    """One session's view of one kind of token; what it does raises Away, unless a token has been fetched by then."""

    def __init__(self, line: Line, keys: Keys, kind: TokenKind, seal: Seal) -> None:
        self.keys: Final = (keys("token", kind), keys("lock", kind), keys("news", kind))
        self._line = line
        self._kind = kind
        self._seal = seal
        self._rejected = ""
        self._given: Secret | None = None
        self._until = 0.0
        self._offered: tuple[Found, float] | None = None

    def lock(self) -> Lock:
        """Return another claim to fetch it."""
        return Lock(self._line, self.keys)

    def offer(self, found: Found) -> None:
        """Use what was found on entering, if it is soon needed."""
        self._offered = found, time.monotonic() + _FRESH

    def reject(self, token: Token | None) -> None:
        """Remember which token must never be taken again."""
        if token is not None and token.mark is not None:
            self._rejected = token.mark

    async def get(self, fetch: Fetch, known: Token | None, *, anew: bool, lock: Lock | None) -> Token:
        """Return the token that is shared, or fetch it, under a lock that is held already if there is one."""
        if (token := self._accept()) is not None and known is None and not anew:
            return token
        claim = lock or self.lock()
        try:
            return await _Renewal(self, claim, fetch, known, anew=anew, keep=lock is not None).run()
        finally:
            if lock is None:
                await claim.release()

    def _accept(self) -> Token | None:
        offered, self._offered = self._offered, None
        return None if offered is None or time.monotonic() > offered[1] else self._read(offered[0], None)

    async def alone(self, fetch: Fetch, known: Token | None, *, anew: bool) -> Token:
        """Use what is known, or fetch a token of one's own; soon, all is asked for again."""
        if known is None or anew or (self._kind == "oauth" and not self.is_good(known)):
            return self.own(await fetch())
        left = None if known.seconds is None else self._until + _EARLY - time.monotonic()
        return attrs.evolve(known, seconds=left, check_after=_TRY_AFTER)

    async def take(self, lock: Lock, *, anew: bool) -> Found | str:
        """Return what is found, or the mark of the last token that is known of, the lock then being one's own."""
        answer = await lock.take(rejected=self._rejected, slides=self._kind == "session", anew=anew)
        return answer if isinstance(answer, Found) else answer.last

    def read(self, found: Found, known: Token | None) -> Token | None:
        """Return a token that was found; None where it cannot be decrypted, and is not to be found again."""
        if (token := self._read(found, known)) is None:
            _log.warning(
                "a shared token cannot be read, and is replaced: do all workers have the same encryption_keys?"
            )
            self._rejected = found.mark
        return token

    def _read(self, found: Found, known: Token | None) -> Token | None:
        secret = known.secret if known is not None and known.mark == found.mark else self._seal.open(found.kept)
        return None if secret is None else self.shared(secret, found.mark, found.seconds)

    async def publish(self, lock: Lock, token: Token, *, keep: bool) -> Token | None:
        """Share a token; None if the lock has become somebody else's."""
        mark = token.mark or secrets.token_hex(8)  # One that is found again in an emptied Redis is still the same.
        seconds = USED_WITHIN if self._kind == "session" or token.seconds is None else token.seconds
        if not await lock.publish(self._seal.close(token.secret), mark, seconds, keep=keep):
            return None
        return self.shared(token.secret, mark, seconds)

    def shared(self, secret: Secret, mark: str, seconds: float) -> Token:
        """Make the token that all use."""
        if self._kind == "session":
            return self._noted(Token(secret, check_after=_CHECK_AFTER, mark=mark), seconds)
        return self._noted(Token(secret, seconds, mark=mark), seconds - _EARLY)

    def own(self, token: Token) -> Token:
        """Make a token that is the session's own for the time being, unless Redis has it all the same."""
        seconds = USED_WITHIN if token.seconds is None else token.seconds - _EARLY
        return self._noted(Token(token.secret, token.seconds, check_after=_TRY_AFTER, mark=token.mark), seconds)

    def _noted(self, token: Token, seconds: float) -> Token:
        self._given, self._until = token.secret, time.monotonic() + seconds
        return token

    def is_good(self, known: Token) -> bool:
        """Say whether what was given out last is good for a while."""
        return self._given is known.secret and time.monotonic() < self._until

    def is_newer_than(self, mark: str) -> bool:
        """Say whether what was given out last came after a token: one that Redis knows nothing of, or one rejected."""
        return mark in ("", self._rejected)

    def left_of(self, known: Token) -> Token:
        """Return what was given out last with the time that it has left."""
        return attrs.evolve(known, seconds=self._until + _EARLY - time.monotonic())


class _Renewal:
    """One search for a token, which ends with one that is shared, or in hand."""

    def __init__(self, place: Shared, lock: Lock, fetch: Fetch, known: Token | None, *, anew: bool, keep: bool) -> None:
        self._place = place
        self._lock = lock
        self._fetch = fetch
        self._known = known
        self._anew = anew
        self._keep = keep
        self._hand: Token | None = None
        self._before = ""

    async def run(self) -> Token:
        while True:
            try:
                token = await self._go_round()
            except Away:
                if self._hand is None:
                    raise
                return self._place.own(self._hand)
            if token is not None:
                return token

    async def _go_round(self) -> Token | None:
        """Adopt the token that is shared, or share one; None when somebody else was faster."""
        found = await self._place.take(self._lock, anew=self._anew and self._hand is None)
        if isinstance(found, Found):
            # What cannot be read is later than what is known.
            self._known = self._place.read(found, self._known)
            return self._known
        if self._hand is not None and found not in ("", self._before):
            self._hand = None  # A later one was shared meanwhile, and rejected: this one may be as dead.
        known = self._known
        goes_on = not self._anew and self._place.is_newer_than(found)
        if self._hand is None and known is not None and goes_on and self._place.is_good(known):
            # Redis was emptied, or away: what was used until now goes on, without a log-in.
            return await self._place.publish(self._lock, self._place.left_of(known), keep=self._keep)
        if self._hand is None:
            self._before = found
            async with self._lock.kept_up():
                # Marked before it is shared: if the answer to that is lost, others may use it.
                self._hand = attrs.evolve(await self._fetch(), mark=secrets.token_hex(8))
        return await self._place.publish(self._lock, self._hand, keep=self._keep)
