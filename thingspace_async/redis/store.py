"""RedisStore: sessions of one user, in as many processes as there are, share tokens, refused passwords and a pace."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, Literal, get_args

from redis.asyncio import Redis, RedisCluster

from thingspace_async._store import (
    Fetch,
    Identity,
    LocalStore,
    LogOut,
    Refusal,
    Token,
    TokenKind,
    UserStore,
)
from thingspace_async._types import Secret
from thingspace_async.errors import ConfigurationError, StoreUnavailable
from thingspace_async.redis._guard import Digests, Guard
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._leases import Lease
from thingspace_async.redis._line import Away, Line
from thingspace_async.redis._lock import Lock
from thingspace_async.redis._sealing import Seal, hidden
from thingspace_async.redis._tokens import Shared
from thingspace_async.redis.limits import SharedPace

__all__ = ["OnStoreFailure", "RedisStore"]

OnStoreFailure = Literal["local", "raise"]

_PAUSE: Final = 5.0
"""Seconds for which Redis is left alone once it is away, where work can go on without it."""


class RedisStore:
    """Shares tokens, refused passwords and the pace of fleet runs with all sessions that use the same Redis.

        async with Redis.from_url(url) as redis, Session(credentials, store=RedisStore(redis)) as session:
            ...

    All sessions of a user share one log-in, and the last to leave logs out. `redis` is yours: a `redis.asyncio.Redis`
    or `RedisCluster` of the event loop that the sessions run on, with Redis 6.2 or later behind it, which you close.
    Where its connections are bounded, it needs one for each session, which may wait on it, and one more.
    Keys begin with `prefix`, and with Cluster those of one user are in one slot.

    While Redis is away, `on_store_failure="local"` goes on with the tokens that are known, and logs in once for each
    session that has none; the log has one warning of it. With `"raise"`, StoreUnavailable is raised before anything is
    sent to the platform. Either ends by itself once Redis is back, even emptied.

    WITHOUT `encryption_keys` REDIS HOLDS THE TOKENS IN CLEAR: who can read it can act as the user. They are keys of
    cryptography's `Fernet.generate_key()`: the first encrypts and any decrypts, so that a new one is put last on all
    workers, then first, and the old one is then taken away. Passwords are kept as scrypt digests of the refused and the
    accepted ones. Raises ConfigurationError for what cannot work.
    """

    def __init__(
        self,
        redis: Redis | RedisCluster,
        *,
        prefix: str = "thingspace",
        on_store_failure: OnStoreFailure = "local",
        encryption_keys: Sequence[bytes | str] = (),
    ) -> None:
        # Hidden before anything can fail, as this frame's locals may be shown.
        keys, encryption_keys = hidden(encryption_keys), ()
        if not isinstance(redis, Redis | RedisCluster):
            kind = f"{type(redis).__module__}.{type(redis).__name__}"
            raise ConfigurationError(f"redis must be a redis.asyncio.Redis or RedisCluster, not {kind}")
        if on_store_failure not in get_args(OnStoreFailure):
            raise ConfigurationError(f"on_store_failure must be one of {', '.join(get_args(OnStoreFailure))}")
        Keys(prefix)
        self._prefix = prefix
        self._raises = on_store_failure == "raise"
        self._line = Line(redis, pause=0.0 if self._raises else _PAUSE)
        self._seal = Seal(keys)
        self._digests = Digests()

    def __repr__(self) -> str:
        return f"<RedisStore {self._prefix!r}>"

    def of(self, identity: Identity) -> UserStore:
        """Return what one session shares with the others of its user."""
        keys = Keys(self._prefix, identity.host, identity.client_id, identity.username)
        return _UserStore(
            self._line,
            keys,
            self._seal,
            Guard(self._line, keys("guard"), self._digests),
            SharedPace(self._line, keys),
            raises=self._raises,
        )


class _UserStore:
    """One session's part in what its user's sessions share."""

    def __init__(self, line: Line, keys: Keys, seal: Seal, guard: Guard, pace: SharedPace, *, raises: bool) -> None:
        self._shared: dict[TokenKind, Shared] = {kind: Shared(line, keys, kind, seal) for kind in get_args(TokenKind)}
        self._line = line
        self._lease = Lease(line, keys, self._shared["oauth"], self._shared["session"])
        self._guard = guard
        self._pace = pace
        self._local = LocalStore()
        self._raises = raises
        self._exclusive: Lock | None = None
        self._mark = ""

    def _without(self, away: Away) -> None:
        """Go on without Redis, if that is what was asked for."""
        if self._raises:
            raise StoreUnavailable(str(away)) from None

    async def enter(self) -> None:
        """Hold a lease until this session leaves or its process ends."""
        try:
            await self._lease.enter()
        except Away as away:
            self._without(away)

    async def leave(self, token: Token | None, log_out: LogOut) -> bool:
        """Give the lease up, and say whether to log out; without Redis, only of a session that is nobody else's."""
        return await self._lease.leave(token, log_out)

    async def token(
        self,
        kind: TokenKind,
        fetch: Fetch,
        *,
        known: Token | None = None,
        rejected: Token | None = None,
        anew: bool = False,
    ) -> Token:
        """Return the token that all use, or fetch it for all; without Redis, one of the session's own."""
        shared = self._shared[kind]
        shared.reject(rejected)
        try:
            # What a session's tasks do at the same time is for the session to settle.
            lock = self._exclusive if kind == "session" else None
            return await shared.get(fetch, known, anew=anew, lock=lock)
        except Away as away:
            self._without(away)
        return await shared.alone(fetch, known, anew=anew)

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None]:
        """Keep all other sessions from logging in."""
        lock = self._shared["session"].lock()
        try:
            try:
                await lock.take(anew=True)
            except Away as away:
                self._without(away)
            async with lock.kept_up():
                self._exclusive = lock
                yield
        finally:
            self._exclusive = None
            await lock.release()

    async def may_send(self, password: Secret) -> Refusal | None:
        """Note that a password is about to be sent, or say why it must not be."""
        self._mark = self._mark or secrets.token_hex(8)  # Until something is sent, it is one attempt.
        try:
            refusal = await self._guard.may_send(password, self._mark)
        except Away as away:
            self._without(away)
            refusal = await self._guard.known(password)
        self._mark = ""
        return refusal

    async def answered(self, password: Secret, *, accepted: bool = False, refusal: Refusal | None = None) -> None:
        """Note what came of a password that was sent, or that it was not sent after all."""
        with suppress(Away):
            await self._guard.answered(password, accepted=accepted, refusal=refusal)

    async def forgive(self, password: Secret) -> None:
        """Forget that a password was refused or not answered."""
        try:
            await self._guard.forgive(password)
        except Away as away:
            self._without(away)

    async def pace(self, account: str | None) -> None:
        """Wait until another request may be sent that counts towards an account's limit."""
        try:
            await self._pace.wait(account)
        except Away as away:
            self._without(away)
            await self._local.pace(account)
