"""What sessions share through Redis: tokens, the lock on renewing them, refused passwords, leases, the pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis import Redis as BlockingRedis
from redis.asyncio import BlockingConnectionPool, Redis

from tests.redis.servers import RedisServer
from tests.redis.sharing import IDENTITY, Source, entered, user
from tests.session.checks import raises
from thingspace_async import _store
from thingspace_async._store import UNANSWERED, LogOut, Refusal, Token
from thingspace_async._types import Secret
from thingspace_async.errors import ConfigurationError, RequestNotSent
from thingspace_async.redis import RedisStore, _leases, _lock, _tokens
from thingspace_async.redis._scripts import text_of

PASSWORD = Secret("hush-password")
REFUSED = Refusal(message="The password is wrong", status=400, code="Wrong", request_id="7")


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have locks and leases run out within a second."""
    monkeypatch.setattr(_lock, "LOCKED", 0.6)
    monkeypatch.setattr(_leases, "LEASED", 0.6)


async def _commands(redis: Redis) -> int:
    """Count what the server has been sent; what scripts call and the counting itself are left out."""
    stats = await redis.info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("evalsha", "eval", "xread"))


async def _keys(redis: Redis) -> list[str]:
    return sorted(text_of(key).rpartition("}:")[2] for key in await redis.keys())


# Tokens


async def test_a_token_is_fetched_once_for_all(redis: Redis, source: Source) -> None:
    source.wait = 0.05
    workers = [user(redis) for _ in range(20)]
    tokens = await asyncio.gather(*(worker.token("session", source.fetch) for worker in workers))
    assert {token.secret for token in tokens} == set(source.given)
    assert source.asked == 1
    assert {token.check_after for token in tokens} == {60}


async def test_those_who_wait_are_told_at_once(redis: Redis, source: Source) -> None:
    source.wait = 0.1
    first = asyncio.create_task(user(redis).token("session", source.fetch))
    await asyncio.sleep(0.05)
    before = await _commands(redis)
    await user(redis).token("session", source.fetch)
    await asyncio.wait_for(first, 1)
    assert await _commands(redis) - before <= 4  # Ask, listen, ask again; and the first one's publishing.


async def test_another_user_key_or_host_has_tokens_of_its_own(redis: Redis, source: Source) -> None:
    await user(redis).token("session", source.fetch)
    for name in ("host", "client_id", "username"):
        other = RedisStore(redis).of(_store.Identity(**(_as_dict() | {name: "other"})))
        await other.token("session", source.fetch)
    await user(redis, prefix="other").token("session", source.fetch)
    assert source.asked == 5


def _as_dict() -> dict[str, str]:
    return {"host": IDENTITY.host, "client_id": IDENTITY.client_id, "username": IDENTITY.username}


async def test_a_known_token_that_is_still_the_one_is_the_very_object_and_lives_on(
    redis: Redis, source: Source
) -> None:
    worker = user(redis)
    known = await worker.token("session", source.fetch)
    (key,) = await redis.keys("*token:session")
    await redis.pexpire(key, 1000)
    before = await _commands(redis)
    again = await worker.token("session", source.fetch, known=known)
    assert again.secret is known.secret
    assert await _commands(redis) - before == 1
    assert await redis.ttl(key) > 1100


async def test_an_oauth_token_is_shared_with_the_time_that_it_has_left(redis: Redis) -> None:
    source = Source(seconds=1800)
    await user(redis).token("oauth", source.fetch)
    (key,) = await redis.keys("*token:oauth")
    await redis.pexpire(key, 500_000)
    token = await user(redis).token("oauth", source.fetch)
    assert token.seconds == pytest.approx(500, abs=2)
    assert token.check_after is None
    assert source.asked == 1


async def test_a_rejected_token_is_dropped_but_not_the_one_after_it(redis: Redis, source: Source) -> None:
    one, other = user(redis), user(redis)
    old = await one.token("session", source.fetch)
    assert await other.token("session", source.fetch) == old
    new = await one.token("session", source.fetch, rejected=old)
    assert (await other.token("session", source.fetch, rejected=old)).secret == new.secret != old.secret
    assert source.asked == 2


async def test_a_rejected_token_is_not_shared_again_by_one_that_still_holds_it(redis: Redis, source: Source) -> None:
    one, other = user(redis), user(redis)
    old = await one.token("session", source.fetch)
    await other.token("session", source.fetch)
    source.error = RequestNotSent("away", operation="session.log_in")
    with raises(RequestNotSent):
        await one.token("session", source.fetch, rejected=old)
    source.error = None
    new = await other.token("session", source.fetch, known=old)
    assert new.secret != old.secret


async def test_anew_fetches_though_there_is_a_token(redis: Redis, source: Source) -> None:
    worker = user(redis)
    known = await worker.token("session", source.fetch)
    new = await worker.token("session", source.fetch, known=known, anew=True)
    assert (await user(redis).token("session", source.fetch)).secret == new.secret != known.secret


async def test_the_first_call_of_a_new_worker_takes_one_round_trip_for_both_tokens(
    redis: Redis, source: Source
) -> None:
    async with entered(redis) as first:
        await first.token("oauth", Source(3600).fetch)
        await first.token("session", source.fetch)
        before = await _commands(redis)
        async with entered(redis) as second:
            await second.token("session", source.fetch)
            await second.token("oauth", source.fetch)
            assert await _commands(redis) - before == 1
    assert source.asked == 1


async def test_what_was_found_on_entering_is_not_used_late(
    redis: Redis, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tokens, "_FRESH", 0.0)
    first = user(redis)
    old = await first.token("session", source.fetch)
    async with entered(redis) as second:
        await first.token("session", source.fetch, rejected=old)
        assert (await second.token("session", source.fetch)).secret != old.secret


async def test_no_key_tells_whose_it_is_and_all_are_in_one_slot(redis: Redis, source: Source) -> None:
    async with entered(redis) as worker:
        await worker.token("session", source.fetch)
        await worker.may_send(PASSWORD)
        keys = [text_of(key) for key in await redis.keys()]
    assert await _keys(redis) == ["guard", "news:session", "token:session"]
    assert len({key[key.index("{") : key.index("}")] for key in keys}) == 1
    assert not any(word in key for key in keys for word in ("user", "hush", "thingspace.test"))


async def test_a_client_that_decodes_answers_will_do(redis_server: RedisServer, redis: Redis, source: Source) -> None:
    old = await user(redis).token("session", source.fetch)
    async with Redis.from_url(redis_server.url, decode_responses=True) as decoding, entered(decoding) as worker:
        assert (await worker.token("session", source.fetch)).secret == old.secret
        new = await worker.token("session", source.fetch, rejected=old)
        await worker.answered(PASSWORD, refusal=REFUSED)
        assert await worker.may_send(PASSWORD) == REFUSED
        source.wait = 0.1
        waiting = [user(decoding).token("session", source.fetch, rejected=new) for _ in range(2)]
        assert len({token.secret for token in await asyncio.gather(*waiting)}) == 1


@pytest.mark.parametrize("resp", [2, 3])
async def test_either_protocol_of_redis_will_do(
    redis_server: RedisServer, redis: Redis, source: Source, resp: int
) -> None:
    source.wait = 0.1
    async with Redis.from_url(redis_server.url, protocol=resp) as client:
        await asyncio.gather(*(user(client).token("session", source.fetch) for _ in range(3)))
    assert source.asked == 1


@pytest.mark.parametrize("limit", [0.4, None])
async def test_who_waits_for_longer_than_the_client_listens_does_not_take_redis_for_away(
    redis_server: RedisServer, redis: Redis, source: Source, caplog: pytest.LogCaptureFixture, limit: float | None
) -> None:
    source.wait = 1.0
    async with Redis.from_url(redis_server.url, socket_timeout=limit) as client:
        await asyncio.gather(*(user(client).token("session", source.fetch) for _ in range(3)))
    assert source.asked == 1
    assert not caplog.records


async def test_two_sessions_can_do_with_a_pool_of_two_connections(redis_server: RedisServer, redis: Redis) -> None:
    source = Source()
    source.wait = 1.0
    async with Redis.from_pool(BlockingConnectionPool.from_url(redis_server.url, max_connections=2)) as client:
        await asyncio.gather(*(user(client).token("session", source.fetch) for _ in range(2)))
    assert source.asked == 1


# The lock


async def test_a_slow_log_in_keeps_its_lock(redis: Redis, source: Source, quick: None) -> None:
    source.wait = 1.5
    await asyncio.gather(*(user(redis).token("session", source.fetch) for _ in range(3)))
    assert source.asked == 1


async def test_a_lock_whose_holder_is_gone_runs_out(redis: Redis, source: Source, quick: None) -> None:
    await user(redis).token("session", source.fetch)
    (key,) = await redis.keys("*token:session")
    lock = text_of(key).replace("token", "lock")
    await redis.delete(key)
    await redis.set(lock, "one that was killed", px=600)
    started = time.monotonic()
    await asyncio.gather(*(user(redis).token("session", source.fetch) for _ in range(3)))
    assert 0.4 < time.monotonic() - started < 4
    assert source.asked == 2


@pytest.mark.parametrize("how", ["failed", "cancelled"])
async def test_who_gives_up_lets_the_next_one_try_at_once(redis: Redis, source: Source, how: str) -> None:
    source.wait = 0.1
    source.error = RequestNotSent("away", operation="session.log_in")
    first = asyncio.create_task(user(redis).token("session", source.fetch))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(user(redis).token("session", source.fetch))
    await asyncio.sleep(0.02)
    if how == "cancelled":
        source.error = None
        first.cancel()
    await asyncio.wait([first])
    source.error = None
    await asyncio.wait_for(second, 0.5)
    assert first.cancelled() or isinstance(first.exception(), RequestNotSent)
    assert await _keys(redis) == ["news:session", "token:session"]


async def test_who_has_lost_the_lock_takes_over_what_the_other_has_shared(redis: Redis) -> None:
    slow, fast = Source(), Source()
    slow.wait = 0.2
    first = asyncio.create_task(user(redis).token("session", slow.fetch))
    await asyncio.sleep(0.05)
    await redis.delete(*await redis.keys("*lock:*"))  # As if it had run out while the process stood still.
    shared = await user(redis).token("session", fast.fetch)
    assert (await first).secret == shared.secret
    assert (await user(redis).token("session", fast.fetch)).secret == shared.secret


async def test_who_has_lost_the_lock_shares_what_it_has_if_nobody_else_does(redis: Redis, source: Source) -> None:
    source.wait = 0.1
    first = asyncio.create_task(user(redis).token("session", source.fetch))
    await asyncio.sleep(0.05)
    await redis.delete(*await redis.keys("*lock:*"))
    assert (await first).mark is not None
    assert source.asked == 1
    assert await _keys(redis) == ["news:session", "token:session"]


async def test_who_has_lost_the_lock_fetches_again_where_a_later_token_was_rejected(redis: Redis) -> None:
    slow, fast = Source(), Source()
    slow.wait = 0.2
    first = asyncio.create_task(user(redis).token("session", slow.fetch))
    await asyncio.sleep(0.05)
    await redis.delete(*await redis.keys("*lock:*"))
    other = user(redis)
    shared = await other.token("session", fast.fetch)
    fast.error = RequestNotSent("away", operation="session.log_in")
    with raises(RequestNotSent):
        await other.token("session", fast.fetch, rejected=shared)
    await first
    assert slow.asked == 2


async def test_exclusive_keeps_all_others_from_logging_in(redis: Redis, source: Source, quick: None) -> None:
    worker, others = user(redis), [user(redis) for _ in range(3)]
    async with worker.exclusive():
        waiting = [asyncio.create_task(other.token("session", source.fetch)) for other in others]
        await asyncio.sleep(1.0)
        assert source.asked == 0
        await worker.token("session", source.fetch)
        await asyncio.sleep(0.1)
        assert source.asked == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(user(redis).token("session", source.fetch, anew=True), 0.2)
    await asyncio.wait_for(asyncio.gather(*waiting), 0.5)
    assert source.asked == 1


# Encrypted tokens


def _dump(redis: BlockingRedis) -> bytes:
    """Return all that the server holds, as it is, and packed as it saves it."""
    read: dict[str, Callable[[Any], object]] = {
        "hash": redis.hgetall,
        "string": redis.get,
        "stream": redis.xrange,
        "zset": lambda key: redis.zrange(key, 0, -1),
    }
    found: list[Any] = [(key, read[text_of(redis.type(key))](key), redis.dump(key)) for key in redis.scan_iter()]
    return repr(found).encode()


@pytest.fixture
def dump(redis_server: RedisServer) -> Iterator[BlockingRedis]:
    with BlockingRedis.from_url(redis_server.url) as client:
        yield client


@pytest.mark.parametrize("encrypted", [True, False])
async def test_a_dump_of_redis_holds_nothing_of_a_token_that_is_encrypted(
    redis: Redis, source: Source, dump: BlockingRedis, *, encrypted: bool
) -> None:
    keys = [Fernet.generate_key()] if encrypted else []
    async with entered(redis, encryption_keys=keys) as worker:
        await worker.token("oauth", Source(3600).fetch)
        await worker.token("session", source.fetch)
        await worker.may_send(PASSWORD)
        await worker.answered(PASSWORD, refusal=REFUSED)
        text = await asyncio.to_thread(_dump, dump)
    assert (b"hush" in text) is not encrypted
    assert b"hush-password" not in text


async def test_keys_are_rotated_without_a_log_in(redis: Redis, source: Source) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key().decode()
    await user(redis, encryption_keys=[old]).token("session", source.fetch)
    for keys in ([old, new], [new, old]):
        await user(redis, encryption_keys=keys).token("session", source.fetch)
    assert source.asked == 1
    await user(redis, encryption_keys=[new, old]).token("session", source.fetch, anew=True)
    await user(redis, encryption_keys=[new]).token("session", source.fetch)
    assert source.asked == 2


@pytest.mark.parametrize("theirs", [True, False])
@pytest.mark.parametrize("ours", [True, False])
async def test_a_token_that_cannot_be_read_is_none(
    redis: Redis, source: Source, caplog: pytest.LogCaptureFixture, *, theirs: bool, ours: bool
) -> None:
    mine, other = [[Fernet.generate_key()] if keyed else [] for keyed in (ours, theirs)]
    await user(redis, encryption_keys=other).token("session", source.fetch)
    async with entered(redis, encryption_keys=mine) as worker:
        await worker.token("session", source.fetch)
    alike = not theirs and not ours
    assert source.asked == 1 + (not alike)
    assert ("encryption_keys" in caplog.text) is not alike


async def test_a_token_that_could_start_another_header_is_none(redis: Redis, source: Source) -> None:
    await user(redis).token("session", source.fetch)
    (key,) = await redis.keys("*token:session")
    await redis.hset(key, "value", "clear:hush\r\nX-Other: 1")
    assert (await user(redis).token("session", source.fetch)).secret == source.given[1]


# Refused passwords


async def test_a_refused_password_stops_all(redis: Redis) -> None:
    one, other = user(redis), user(redis)
    assert await one.may_send(PASSWORD) is None
    await one.answered(PASSWORD, refusal=REFUSED)
    assert await other.may_send(PASSWORD) == REFUSED
    assert await other.may_send(Secret("hush-other")) is None
    stranger = RedisStore(redis).of(_store.Identity(**(_as_dict() | {"username": "other"})))
    assert await stranger.may_send(PASSWORD) is None


async def test_a_refused_password_is_sent_again_once_it_is_forgiven_or_accepted(redis: Redis) -> None:
    one, other = user(redis), user(redis)
    await one.answered(PASSWORD, refusal=REFUSED)
    await other.forgive(PASSWORD)
    assert await one.may_send(PASSWORD) is None
    await one.answered(PASSWORD, refusal=REFUSED)
    await one.answered(PASSWORD, accepted=True)
    assert await other.may_send(PASSWORD) is None


async def test_a_password_that_goes_unanswered_is_not_sent_for_long(redis: Redis) -> None:
    for worker in (user(redis), user(redis)):
        assert await worker.may_send(PASSWORD) is None
    worker = user(redis)
    assert await worker.may_send(PASSWORD) == UNANSWERED
    await worker.answered(PASSWORD)
    assert await worker.may_send(PASSWORD) is None


async def test_a_password_that_was_accepted_may_go_unanswered(redis: Redis) -> None:
    worker = user(redis)
    await worker.answered(PASSWORD, accepted=True)
    for _ in range(9):
        assert await user(redis).may_send(PASSWORD) is None


# Leaving


@pytest.mark.parametrize("log_out", ["never", "last", "always"])
async def test_who_logs_out(redis: Redis, source: Source, log_out: LogOut) -> None:
    async with entered(redis) as one, entered(redis) as other:
        token = await one.token("session", source.fetch)
        assert await other.token("session", source.fetch) == token
        said = [await one.leave(token, log_out), await other.leave(token, log_out)]
    assert said == {"never": [False, False], "last": [False, True], "always": [True, True]}[log_out]
    await user(redis).token("session", source.fetch)
    assert source.asked == 1 + (log_out != "never")


async def test_a_lease_that_is_being_kept_up_does_not_outlive_its_session(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        with monkeypatch.context() as patch:
            patch.setattr(_leases, "LEASED", 0.001)
            worker = user(redis)
            await worker.enter()
        await asyncio.sleep(0.01)
        await worker.leave(None, "last")
        assert await redis.keys("*leases") == []


async def test_who_leaves_an_emptied_redis_does_not_take_itself_for_the_last(redis: Redis, source: Source) -> None:
    async with entered(redis) as one, entered(redis) as other:
        token = await one.token("session", source.fetch)
        await other.token("session", source.fetch)
        await redis.flushall()
        assert not await one.leave(token, "last")


async def test_a_session_of_ones_own_is_logged_out_whoever_else_is_there(redis: Redis) -> None:
    async with entered(redis), entered(redis) as other, entered(redis) as third:
        assert await other.leave(Token(Secret("hush")), "last")
        assert not await third.leave(Token(Secret("hush")), "never")


async def test_to_leave_twice_or_unentered_does_nothing(redis: Redis, source: Source) -> None:
    worker = user(redis)
    token = await worker.token("session", source.fetch)
    assert not await worker.leave(token, "always")
    await worker.enter()
    assert await worker.leave(token, "always")
    assert not await worker.leave(token, "always")


async def test_the_lease_of_a_session_that_is_open_is_kept_up_and_a_crashed_ones_runs_out(
    redis: Redis, source: Source, quick: None
) -> None:
    async with entered(redis) as one, entered(redis) as other:
        token = await one.token("session", source.fetch)
        (key,) = await redis.keys("*leases")
        seconds, microseconds = await redis.time()
        await redis.zadd(key, {"crashed": seconds * 1000 + microseconds // 1000 + 600})
        assert not await other.leave(token, "last")
        async with entered(redis) as third:
            await asyncio.sleep(1.0)
            assert not await one.leave(token, "last")
            assert await third.leave(token, "last")
    assert await redis.keys("*leases") == []


async def test_a_session_that_is_cancelled_while_it_leaves_leaves_nothing_behind(redis: Redis) -> None:
    worker = user(redis)
    await worker.enter()
    leaving = asyncio.create_task(worker.leave(None, "last"))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    assert await redis.keys("*leases") == []


# The pace


async def test_all_workers_keep_one_pace(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_store, "REQUESTS_A_MINUTE", 600)
    workers = [user(redis) for _ in range(3)]
    started = time.monotonic()
    await asyncio.gather(*(worker.pace("0000123456-00001") for worker in workers for _ in range(3)))
    assert 0.7 < time.monotonic() - started < 4


# What cannot work


@pytest.mark.parametrize(
    "options",
    [
        {"prefix": ""},
        {"prefix": "a{b}"},
        {"on_store_failure": "ignore"},
        {"encryption_keys": Fernet.generate_key()},
        {"encryption_keys": ["hush"]},
        {"encryption_keys": [None]},
        {"redis": BlockingRedis()},
    ],
)
async def test_what_cannot_work_is_said_at_once(redis: Redis, options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"redis": redis} | options
    with raises(ConfigurationError):
        RedisStore(**given)
