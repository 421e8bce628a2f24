"""Outages of Redis: sessions continue or raise, as configured, and recover automatically."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from tests.redis.guarding import answered, forgive, may_send
from tests.redis.servers import RedisServer
from tests.redis.sharing import Source, entered, user
from tests.session.checks import assert_keeps_secrets, raises
from tests.session.fake import LOG_IN, NAME, Platform, running
from thingspace_async._core.guard import UNANSWERED, Refusal
from thingspace_async._core.store import Token
from thingspace_async._core.types import Secret
from thingspace_async.errors import LoginRefused, StoreUnavailable
from thingspace_async.redis import RedisStore, _breaker, _lock, _tokens, store
from thingspace_async.redis._faults import unavailable

pytestmark = pytest.mark.processes

PASSWORD = Secret("hush-password")
WRONG = "hush-wrong"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Start a server that the test may disturb."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as client:
        yield client


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(_breaker, "COMMAND_TIMEOUT", 0.3)
    monkeypatch.setattr(store, "_PAUSE", 0.4)
    monkeypatch.setattr(_tokens, "_CHECK_AFTER", 0.01)
    monkeypatch.setattr(_tokens, "_RETRY_AFTER", 0.01)
    monkeypatch.setattr(_lock, "LOCK_EXPIRES", 0.6)
    caplog.set_level(logging.INFO, "thingspace_async")


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with running(Platform()) as ready:
        yield ready


async def _configure(server: RedisServer, **options: str) -> None:
    async with Redis.from_url(server.url) as client:
        for name, value in options.items():
            await client.config_set(name.replace("_", "-"), value)


async def _fill(server: RedisServer) -> None:
    await _configure(server, maxmemory="1")


async def _empty(server: RedisServer) -> None:
    await _configure(server, maxmemory="0")


async def _follow(server: RedisServer) -> None:
    async with Redis.from_url(server.url) as client:
        await client.replicaof("127.0.0.1", "1")


async def _lead(server: RedisServer) -> None:
    async with Redis.from_url(server.url) as client:
        await client.replicaof("NO", "ONE")


async def _stop(server: RedisServer) -> None:
    await asyncio.to_thread(server.stop)


async def _start(server: RedisServer) -> None:
    await asyncio.to_thread(server.start)


async def _pause(server: RedisServer) -> None:
    server.pause()


async def _resume(server: RedisServer) -> None:
    server.resume()


OUTAGES = {
    "refused": (_stop, _start, "cannot be reached"),
    "slow": (_pause, _resume, "does not answer in time"),
    "full": (_fill, _empty, "maxmemory"),
    "replica": (_follow, _lead, "read-only replica"),
}
every_way = pytest.mark.parametrize("how", OUTAGES)


@every_way
async def test_local_continues_with_one_login_and_one_warning_and_recovers(
    server: RedisServer, redis: Redis, platform: Platform, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    begin, end, text = OUTAGES[how]
    await begin(server)
    shared = RedisStore(redis)
    async with platform.session(store=shared) as session:
        for _ in range(20):
            await session.accounts.get(NAME)
            await asyncio.sleep(0.02)
        assert platform.count(LOG_IN) == 1
        warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warnings) == 1
        assert text in warnings[0]
        await end(server)
        await asyncio.sleep(0.5)
        await session.accounts.get(NAME)
        assert "Redis is back" in caplog.text
        async with platform.session(store=RedisStore(redis)) as other:
            await other.accounts.get(NAME)
    assert platform.count(LOG_IN) == 1


@every_way
@pytest.mark.parametrize("mode", ["local", "raise"])
async def test_one_outage_is_one_warning_however_many_calls_fail(
    *,
    server: RedisServer,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    how: str,
    mode: store.OnStoreFailure,
) -> None:
    # A full Redis and a replica still run scripts that happen to write nothing. That is not a recovery.
    monkeypatch.setattr(store, "_PAUSE", 0.0)
    begin, end, text = OUTAGES[how]
    await begin(server)
    worker, source = user(redis, on_store_failure=mode), Source()
    for _ in range(3):
        with suppress(StoreUnavailable):
            await worker.token("session", source.fetch)
        with suppress(StoreUnavailable):
            await may_send(worker, PASSWORD)
        await answered(worker, PASSWORD, accepted=True)
        with suppress(StoreUnavailable):
            await forgive(worker, PASSWORD)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert text in caplog.text
    await end(server)
    await worker.token("session", source.fetch)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@every_way
async def test_raise_sends_nothing_and_recovers(
    server: RedisServer, redis: Redis, platform: Platform, how: str
) -> None:
    begin, end, text = OUTAGES[how]
    shared = RedisStore(redis, on_store_failure="raise")
    await begin(server)
    with raises(StoreUnavailable) as caught:
        await platform.session(store=shared).open()
    assert text in str(caught)
    assert platform.calls == []
    await end(server)
    async with platform.session(store=shared) as session:
        await session.accounts.get(NAME)
        platform.expire_session()
        await begin(server)
        with raises(StoreUnavailable):
            await session.accounts.get(NAME)
        assert platform.count(LOG_IN) == 1
        await end(server)
        await session.accounts.get(NAME)
    assert platform.count(LOG_IN) == 2


@pytest.mark.parametrize("mode", ["local", "raise"])
async def test_an_emptied_redis_gets_the_known_token_without_a_login(
    redis: Redis, platform: Platform, mode: store.OnStoreFailure
) -> None:
    one, other = (platform.session(store=RedisStore(redis, on_store_failure=mode)) for _ in range(2))
    async with one, other:
        for _ in range(3):
            await redis.flushall()
            await asyncio.sleep(0.02)
            for session in (one, other):
                await session.accounts.get(NAME)
        async with platform.session(store=RedisStore(redis)) as third:
            await third.accounts.get(NAME)
    assert platform.count(LOG_IN) == 1


@pytest.mark.parametrize("mode", ["local", "raise"])
async def test_a_flushed_script_cache_is_filled_again(
    redis: Redis, mode: store.OnStoreFailure, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    async with entered(redis, on_store_failure=mode) as worker:
        known = await worker.token("session", source.fetch)
        for _ in range(3):
            await redis.script_flush()
            known = await worker.token("session", source.fetch, known=known)
            await redis.script_flush()
            known = await worker.token("session", source.fetch, rejected=known)
            await redis.script_flush()
            await may_send(worker, PASSWORD)
            await answered(worker, PASSWORD)
    assert source.asked == 4
    assert not caplog.records


async def test_a_good_token_is_used_until_redis_is_back(server: RedisServer, redis: Redis) -> None:
    source = Source(seconds=1800)
    async with entered(redis) as worker:
        known = await worker.token("oauth", source.fetch)
        await _stop(server)
        for _ in range(3):
            known = await worker.token("oauth", source.fetch, known=known)
            assert known.seconds == pytest.approx(1800, abs=5)
        await _start(server)
        await asyncio.sleep(0.5)
        known = await worker.token("oauth", source.fetch, known=known)
        assert known.check_after is None
    assert source.asked == 1


async def test_an_oauth_token_about_to_end_is_renewed_during_an_outage(server: RedisServer, redis: Redis) -> None:
    source = Source(seconds=30)
    async with entered(redis) as worker:
        known = await worker.token("oauth", source.fetch)
        await _stop(server)
        await worker.token("oauth", source.fetch, known=known)
    assert source.asked == 2


async def test_a_fetched_token_is_kept_if_redis_fails_meanwhile(server: RedisServer, redis: Redis) -> None:
    for mode in ("local", "raise"):
        source = Source()
        source.wait = 0.2
        worker = user(redis, on_store_failure=mode)
        fetching = asyncio.create_task(worker.token("session", source.fetch))
        await asyncio.sleep(0.1)
        await _stop(server)
        token = await fetching
        assert (token.secret, token.check_after) == (source.given[0], 0.01)
        await _start(server)
        await asyncio.sleep(0.5)
        assert (await worker.token("session", source.fetch, known=token)).mark is not None
        assert source.asked == 1
        await redis.flushall()


async def test_a_token_that_was_rejected_during_an_outage_is_not_used_again_afterwards(
    server: RedisServer, redis: Redis
) -> None:
    source = Source()
    async with entered(redis) as worker:
        old = await worker.token("session", source.fetch)
        server.pause()
        own = await worker.token("session", source.fetch, rejected=old)
        server.resume()
        await asyncio.sleep(0.5)
        assert (await worker.token("session", source.fetch, known=own)).secret != old.secret


async def test_a_token_whose_sharing_went_unanswered_may_be_in_use_by_others(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    async with entered(redis) as worker, entered(redis) as other:
        with monkeypatch.context() as patch:
            patch.setattr(_lock.Lock, "_publish", _publish_without_answer)
            token = await worker.token("session", source.fetch)
        shared = await other.token("session", source.fetch)
        assert shared.secret == token.secret
        await asyncio.sleep(0.5)
        assert not await worker.leave(token, "last")
        assert (await other.token("session", source.fetch, rejected=token)).secret != token.secret


_publish = _lock.Lock._publish


async def _publish_without_answer(lock: _lock.Lock, *parts: Any, **options: Any) -> bool:
    """Share a token, but lose the answer."""
    await _publish(lock, *parts, **options)
    raise _breaker.RedisUnavailable("it does not answer in time")


async def test_a_token_that_was_fetched_during_an_outage_is_shared_without_another_login(
    server: RedisServer, redis: Redis
) -> None:
    source = Source()
    async with entered(redis) as worker, entered(redis) as other:
        old = await worker.token("session", source.fetch)
        await _follow(server)
        own = await worker.token("session", source.fetch, rejected=old)
        await _lead(server)
        await asyncio.sleep(0.5)
        assert (await worker.token("session", source.fetch, known=own)).secret == own.secret
        assert (await other.token("session", source.fetch, known=old)).secret == own.secret
    assert source.asked == 2


async def test_a_refusal_of_another_worker_is_remembered_during_an_outage(server: RedisServer, redis: Redis) -> None:
    one, other = user(redis), user(redis)
    refusal = Refusal(message="no", status=400)
    await answered(one, PASSWORD, refusal=refusal)
    assert await may_send(other, PASSWORD) == refusal
    await _stop(server)
    for worker in (one, other):
        assert await may_send(worker, PASSWORD) == refusal
        assert await may_send(worker, PASSWORD, force=True) is None


@pytest.mark.parametrize(("on_store_failure", "left"), [("raise", 2), ("local", 0)])
async def test_a_login_counts_if_it_was_sent_although_the_answer_of_redis_was_lost(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, on_store_failure: str, left: int
) -> None:
    run = _breaker.Breaker.run

    async def unheard(*parts: Any) -> Any:
        await run(*parts)
        raise _breaker.RedisUnavailable("it does not answer in time")

    worker = user(redis, on_store_failure=on_store_failure)
    with monkeypatch.context() as patch:
        patch.setattr(_breaker.Breaker, "run", unheard)
        for _ in range(2):
            with suppress(StoreUnavailable):  # Nothing is sent then.
                await may_send(worker, PASSWORD)
    assert [await may_send(worker, PASSWORD) for _ in range(left + 1)] == [None] * left + [UNANSWERED]


async def test_answers_during_an_outage_do_not_lock_the_user_out(server: RedisServer, redis: Redis) -> None:
    workers = [user(redis) for _ in range(3)]
    for worker in workers[:2]:
        assert await may_send(worker, PASSWORD) is None
    await _stop(server)
    for worker in workers[:2]:
        await answered(worker, PASSWORD, accepted=True)
    await _start(server)
    await asyncio.sleep(0.5)
    for _ in range(2):
        await may_send(workers[2], PASSWORD)
    for worker in (workers[0], workers[2]):
        assert await may_send(worker, PASSWORD) is None


async def test_no_secret_is_shown_by_a_cancellation_or_an_error(server: RedisServer, redis: Redis) -> None:
    source = Source()
    worker = user(redis, on_store_failure="raise")
    digesting = asyncio.create_task(may_send(worker, PASSWORD))
    await asyncio.sleep(0)
    digesting.cancel()
    known = await worker.token("session", source.fetch)

    async def fetch() -> Token:
        server.pause()
        return await source.fetch()

    sharing = asyncio.create_task(worker.token("session", fetch, known=known, force_new=True))
    await asyncio.sleep(0.1)
    sharing.cancel()
    for task in (digesting, sharing):
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert_keeps_secrets(caught.value)
    server.resume()


async def test_a_token_that_cannot_be_shared_again_is_not_shown(
    server: RedisServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    worker = user(redis, on_store_failure="raise")
    known = await worker.token("session", source.fetch)
    await redis.flushall()
    monkeypatch.setattr(_lock.Lock, "_publish", _with_redis_paused(server))
    with raises(StoreUnavailable):
        await worker.token("session", source.fetch, known=known)
    server.resume()


def _with_redis_paused(server: RedisServer) -> Callable[..., Awaitable[bool]]:
    async def publish(lock: _lock.Lock, *parts: Any, **options: Any) -> bool:
        server.pause()
        return await _publish(lock, *parts, **options)

    return publish


async def test_a_session_that_waits_for_another_one_continues_if_redis_fails(server: RedisServer, redis: Redis) -> None:
    source = Source()
    source.wait = 0.5
    first = asyncio.create_task(user(redis).token("session", source.fetch))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(user(redis).token("session", source.fetch))
    await asyncio.sleep(0.1)
    await _stop(server)
    assert {token.check_after for token in await asyncio.gather(first, second)} == {0.01}
    assert source.asked == 2


async def test_the_guard_of_the_machine_works_without_redis(
    server: RedisServer, redis: Redis, platform: Platform
) -> None:
    await _stop(server)
    for _ in range(3):
        with raises(LoginRefused):
            await platform.session(password=WRONG, store=RedisStore(redis)).open()
    assert platform.count(LOG_IN) == 1


async def test_raise_refuses_to_send_a_password_and_always_records_the_answer(
    server: RedisServer, redis: Redis
) -> None:
    worker = user(redis, on_store_failure="raise")
    await _stop(server)
    for work in (may_send(worker, PASSWORD), forgive(worker, PASSWORD), worker.pace(None), worker.enter()):
        with raises(StoreUnavailable):
            await work
    with raises(StoreUnavailable):
        async with worker.exclusive():
            pytest.fail("it must not be entered")
    await answered(worker, PASSWORD, refusal=Refusal(message="no", status=400))
    assert await worker.leave(Token(Secret("hush"), mark="m"), "always")


async def test_local_does_everything_without_redis(server: RedisServer, redis: Redis) -> None:
    await _stop(server)
    async with entered(redis) as worker:
        assert await may_send(worker, PASSWORD) is None
        await forgive(worker, PASSWORD)
        await worker.pace(None)
        async with worker.exclusive():
            await worker.token("session", Source().fetch)
        assert not await worker.leave(Token(Secret("hush"), mark="m"), "last")


async def test_an_outage_does_not_delay_every_call(server: RedisServer, redis: Redis) -> None:
    server.pause()
    worker, source = user(redis), Source()
    started = time.monotonic()
    known = None
    for _ in range(50):
        known = await worker.token("session", source.fetch, known=known)
    assert time.monotonic() - started < 3
    server.resume()


@pytest.mark.parametrize("url", ["redis://:hush-wrong@127.0.0.1:{}", "redis://127.0.0.1:{}"])
async def test_a_server_that_refuses_the_client_is_named_without_a_secret(server: RedisServer, url: str) -> None:
    await _configure(server, requirepass="right")
    async with Redis.from_url(url.format(server.port), retry=Retry(NoBackoff(), 0)) as client:
        with raises(StoreUnavailable, "hush-wrong") as caught:
            await may_send(user(client, on_store_failure="raise"), PASSWORD)
    assert "rejects the client's username or password" in str(caught)


async def test_a_cluster_that_does_not_serve_all_slots_is_named() -> None:
    with RedisServer("--cluster-enabled", "yes") as server:
        async with Redis.from_url(server.url) as client:
            with raises(StoreUnavailable) as caught:
                await may_send(user(client, on_store_failure="raise"), PASSWORD)
    assert "CLUSTER INFO" in str(caught)


async def test_an_acl_that_allows_too_little_is_named(server: RedisServer, redis: Redis) -> None:
    await redis.acl_setuser("few", enabled=True, passwords=["+few"], commands=["+evalsha"], keys=["*"])
    async with Redis.from_url(f"redis://few:few@127.0.0.1:{server.port}", retry=Retry(NoBackoff(), 0)) as client:
        with raises(StoreUnavailable) as caught:
            await may_send(user(client, on_store_failure="raise"), PASSWORD)
    assert "ACL" in str(caught)


def test_an_unknown_error_does_not_repeat_arguments() -> None:
    assert "hush" not in unavailable(OSError("hush"))
    assert "hush" not in unavailable(ResponseError("unknown command, with args beginning with hush"))
    assert unavailable(ResponseError("NOREPLICAS Not enough good replicas to write.")).endswith("(NOREPLICAS)")
