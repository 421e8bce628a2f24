"""A store in Redis: all sessions of a user share tokens, the lock-out guard and the pace of requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Literal, get_args

from redis.asyncio import Redis, RedisCluster

from thingspace_async._core.encryption import Cipher, as_secrets
from thingspace_async._core.guard import local_guard
from thingspace_async._core.store import (
    Fetch,
    Identity,
    LocalUserStore,
    LogOut,
    Token,
    TokenKind,
    UserStore,
)
from thingspace_async.errors import ConfigurationError, StoreUnavailable
from thingspace_async.redis._breaker import Breaker, RedisUnavailable
from thingspace_async.redis._guard import Digests, Guard
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._leases import Lease
from thingspace_async.redis._lock import Lock
from thingspace_async.redis._tokens import SharedTokens
from thingspace_async.redis.limits import SharedPace

__all__ = ["OnStoreFailure", "RedisStore"]

OnStoreFailure = Literal["local", "raise"]

_PAUSE: Final = 5.0
"""Seconds between attempts to reach Redis while sessions work without it."""


class RedisStore:
    """Shares tokens, refused passwords and the pace of fleet runs with all sessions that use the same Redis.

        async with Redis.from_url(url) as redis, Session(credentials, store=RedisStore(redis)) as session:
            ...

    All sessions of a user share one login, and the last one to leave logs out. `redis` is your `redis.asyncio.Redis` or
    `RedisCluster`, for Redis 6.2 or later. Create it on the event loop of the sessions; you close it. If its connection
    pool is bounded, allow one connection for each session, which may wait on it, and one more. Keys begin with
    `prefix`. In a Cluster, all keys of a user are in one slot.

    If Redis is unavailable, sessions with `on_store_failure="local"` continue with the tokens that they know. A session
    without a token logs in on its own. The log has one warning for each outage. With `"raise"`, sessions raise
    StoreUnavailable before they send anything to the platform. Both recover once Redis is back, even if it is empty.

    WITHOUT `encryption_keys`, REDIS HOLDS THE TOKENS IN CLEAR: anyone who can read them can act as the user. Pass keys
    from cryptography's `Fernet.generate_key()`. The first key encrypts, and any of them decrypts. To rotate keys, add
    the new key last on all workers, then move it to the front, then remove the old one. Passwords are stored only as
    scrypt digests, of the refused and the accepted ones. Raises ConfigurationError for invalid arguments.
    """

    def __init__(
        self,
        redis: Redis | RedisCluster,
        *,
        prefix: str = "thingspace",
        on_store_failure: OnStoreFailure = "local",
        encryption_keys: Sequence[bytes | str] = (),
    ) -> None:
        # First of all, because a traceback may show the locals of this frame.
        keys, encryption_keys = as_secrets(encryption_keys), ()
        if not isinstance(redis, Redis | RedisCluster):
            kind = f"{type(redis).__module__}.{type(redis).__name__}"
            raise ConfigurationError(f"redis must be a redis.asyncio.Redis or RedisCluster, not {kind}")
        if on_store_failure not in get_args(OnStoreFailure):
            raise ConfigurationError(f"on_store_failure must be one of {', '.join(get_args(OnStoreFailure))}")
        Keys(prefix)
        self._prefix = prefix
        self._raises = on_store_failure == "raise"
        self._breaker = Breaker(redis, pause=0.0 if self._raises else _PAUSE)
        self._cipher = Cipher(keys)
        self._digests = Digests()

    def __repr__(self) -> str:
        return f"<RedisStore {self._prefix!r}>"

    def of(self, identity: Identity) -> UserStore:
        """Return one session's share of its user's store."""
        keys = Keys(self._prefix, identity.host, identity.client_id, identity.username)
        return _UserStore(
            self._breaker,
            keys,
            self._cipher,
            SharedPace(self._breaker, keys),
            LocalUserStore(local_guard(identity.host, identity.username)),
            digests=self._digests,
            raises=self._raises,
        )


class _UserStore:
    """One session's share of its user's store."""

    def __init__(
        self,
        breaker: Breaker,
        keys: Keys,
        cipher: Cipher,
        pace: SharedPace,
        local: LocalUserStore,
        *,
        digests: Digests,
        raises: bool,
    ) -> None:
        self._tokens: dict[TokenKind, SharedTokens] = {
            kind: SharedTokens(breaker, keys, kind, cipher) for kind in get_args(TokenKind)
        }
        self._lease = Lease(breaker, keys, self._tokens["oauth"], self._tokens["session"])
        self.guard = Guard(breaker, keys("guard"), digests, local.guard, self._on_unavailable)
        self._pace = pace
        self._local = local
        self._raises = raises
        self._exclusive: Lock | None = None

    def _on_unavailable(self, error: RedisUnavailable) -> None:
        """Raise StoreUnavailable if the store was asked to; otherwise the caller continues without Redis."""
        if self._raises:
            raise StoreUnavailable(str(error)) from None

    async def enter(self) -> None:
        """Hold a lease until this session leaves or its process ends."""
        try:
            await self._lease.enter()
        except RedisUnavailable as error:
            self._on_unavailable(error)

    async def leave(self, token: Token | None, log_out: LogOut) -> bool:
        """Give the lease up, and return whether to log out. Without Redis, only a token of this session alone ends."""
        return await self._lease.leave(token, log_out)

    async def token(
        self,
        kind: TokenKind,
        fetch: Fetch,
        *,
        known: Token | None = None,
        rejected: Token | None = None,
        force_new: bool = False,
    ) -> Token:
        """Return the shared token, or fetch one for all sessions; without Redis, for this session alone."""
        tokens = self._tokens[kind]
        tokens.reject(rejected)
        try:
            # Only the task inside `exclusive` gets here meanwhile: the session holds its other tasks back.
            lock = self._exclusive if kind == "session" else None
            return await tokens.get(fetch, known, force_new=force_new, lock=lock)
        except RedisUnavailable as error:
            self._on_unavailable(error)
        return await tokens.get_without_redis(fetch, known, force_new=force_new)

    @asynccontextmanager
    async def exclusive(self) -> AsyncGenerator[None]:
        """Keep all other sessions from logging in."""
        lock = self._tokens["session"].lock()
        try:
            try:
                await lock.acquire(force_new=True)
            except RedisUnavailable as error:
                self._on_unavailable(error)
            async with lock.renewing():
                self._exclusive = lock
                yield
        finally:
            self._exclusive = None
            await lock.release()

    async def pace(self, account: str | None) -> None:
        """Wait until another request may be sent that counts towards an account's limit."""
        try:
            await self._pace.wait(account)
        except RedisUnavailable as error:
            self._on_unavailable(error)
            await self._local.pace(account)
