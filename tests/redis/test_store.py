"""Tokens, their lock, refused passwords, leases and the pace, shared by sessions through Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis import Redis as BlockingRedis
from redis.asyncio import BlockingConnectionPool, Redis

from tests.redis.guarding import answered, forgive, may_send
from tests.redis.servers import RedisServer
from tests.redis.sharing import IDENTITY, Source, entered, user
from tests.session.checks import raises
from thingspace_async._core import store
from thingspace_async._core.guard import UNANSWERED, Refusal
from thingspace_async._core.store import LogOut, Token
from thingspace_async._core.types import Secret
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
    """Let locks and leases expire within a second."""
    monkeypatch.setattr(_lock, "LOCK_EXPIRES", 0.6)
    monkeypatch.setattr(_leases, "LEASE_EXPIRES", 0.6)


async def _commands(redis: Redis) -> int:
    """Count the commands that clients have sent, without calls inside scripts and the counting itself."""
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


async def test_waiting_sessions_get_the_token_at_once(redis: Redis, source: Source) -> None:
    source.wait = 0.1
    first = asyncio.create_task(user(redis).token("session", source.fetch))
    await asyncio.sleep(0.05)
    before = await _commands(redis)
    await user(redis).token("session", source.fetch)
    await asyncio.wait_for(first, 1)
    assert await _commands(redis) - before <= 4  # Acquire, wait, acquire again; and the other worker publishes.


async def test_another_user_key_or_host_has_its_own_tokens(redis: Redis, source: Source) -> None:
    await user(redis).token("session", source.fetch)
    for name in ("host", "client_id", "username"):
        other = RedisStore(redis).of(store.Identity(**(_as_dict() | {name: "other"})))
        await other.token("session", source.fetch)
    await user(redis, prefix="other").token("session", source.fetch)
    assert source.asked == 5


def _as_dict() -> dict[str, str]:
    return {"host": IDENTITY.host, "client_id": IDENTITY.client_id, "username": IDENTITY.username}


async def test_a_known_token_that_is_still_shared_is_the_same_object_and_lives_longer(
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


async def test_an_oauth_token_is_shared_with_its_remaining_time(redis: Redis) -> None:
    source = Source(seconds=1800)
    await user(redis).token("oauth", source.fetch)
    (key,) = await redis.keys("*token:oauth")
    await redis.pexpire(key, 500_000)
    token = await user(redis).token("oauth", source.fetch)
    assert token.seconds == pytest.approx(500, abs=2)
    assert token.check_after is None
    assert source.asked == 1


async def test_a_rejected_token_is_dropped_and_the_next_one_kept(redis: Redis, source: Source) -> None:
    one, other = user(redis), user(redis)
    old = await one.token("session", source.fetch)
    assert await other.token("session", source.fetch) == old
    new = await one.token("session", source.fetch, rejected=old)
    assert (await other.token("session", source.fetch, rejected=old)).secret == new.secret != old.secret
    assert source.asked == 2


async def test_a_rejected_token_is_not_shared_again_by_a_session_that_still_holds_it(
    redis: Redis, source: Source
) -> None:
    one, other = user(redis), user(redis)
    old = await one.token("session", source.fetch)
    await other.token("session", source.fetch)
    source.error = RequestNotSent("away", operation="session.log_in")
    with raises(RequestNotSent):
        await one.token("session", source.fetch, rejected=old)
    source.error = None
    new = await other.token("session", source.fetch, known=old)
    assert new.secret != old.secret


async def test_force_new_fetches_although_there_is_a_token(redis: Redis, source: Source) -> None:
    worker = user(redis)
    known = await worker.token("session", source.fetch)
    new = await worker.token("session", source.fetch, known=known, force_new=True)
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


async def test_tokens_that_were_read_on_entering_expire_soon(
    redis: Redis, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tokens, "_OFFER_EXPIRES", 0.0)
    first = user(redis)
    old = await first.token("session", source.fetch)
    async with entered(redis) as second:
        await first.token("session", source.fetch, rejected=old)
        assert (await second.token("session", source.fetch)).secret != old.secret


async def test_keys_do_not_reveal_the_user_and_are_in_one_slot(redis: Redis, source: Source) -> None:
    async with entered(redis) as worker:
        await worker.token("session", source.fetch)
        await may_send(worker, PASSWORD)
        keys = [text_of(key) for key in await redis.keys()]
    assert await _keys(redis) == ["guard", "news:session", "token:session"]
    assert len({key[key.index("{") : key.index("}")] for key in keys}) == 1
    assert not any(word in key for key in keys for word in ("user", "hush", "thingspace.test"))


async def test_the_client_may_decode_responses(redis_server: RedisServer, redis: Redis, source: Source) -> None:
    old = await user(redis).token("session", source.fetch)
    async with Redis.from_url(redis_server.url, decode_responses=True) as decoding, entered(decoding) as worker:
        assert (await worker.token("session", source.fetch)).secret == old.secret
        new = await worker.token("session", source.fetch, rejected=old)
        await answered(worker, PASSWORD, refusal=REFUSED)
        assert await may_send(worker, PASSWORD) == REFUSED
        source.wait = 0.1
        waiting = [user(decoding).token("session", source.fetch, rejected=new) for _ in range(2)]
        assert len({token.secret for token in await asyncio.gather(*waiting)}) == 1


@pytest.mark.parametrize("resp", [2, 3])
async def test_both_protocols_of_redis_work(redis_server: RedisServer, redis: Redis, source: Source, resp: int) -> None:
    source.wait = 0.1
    async with Redis.from_url(redis_server.url, protocol=resp) as client:
        await asyncio.gather(*(user(client).token("session", source.fetch) for _ in range(3)))
    assert source.asked == 1


@pytest.mark.parametrize("limit", [0.4, None])
async def test_waiting_longer_than_the_socket_timeout_does_not_count_as_an_outage(
    redis_server: RedisServer, redis: Redis, source: Source, caplog: pytest.LogCaptureFixture, limit: float | None
) -> None:
    source.wait = 1.0
    async with Redis.from_url(redis_server.url, socket_timeout=limit) as client:
        await asyncio.gather(*(user(client).token("session", source.fetch) for _ in range(3)))
    assert source.asked == 1
    assert not caplog.records


async def test_two_sessions_need_two_connections(redis_server: RedisServer, redis: Redis) -> None:
    source = Source()
    source.wait = 1.0
    async with Redis.from_pool(BlockingConnectionPool.from_url(redis_server.url, max_connections=2)) as client:
        await asyncio.gather(*(user(client).token("session", source.fetch) for _ in range(2)))
    assert source.asked == 1


# The lock


async def test_a_slow_login_keeps_its_lock(redis: Redis, source: Source, quick: None) -> None:
    source.wait = 1.5
    await asyncio.gather(*(user(redis).token("session", source.fetch) for _ in range(3)))
    assert source.asked == 1


async def test_a_lock_expires_if_its_holder_has_died(redis: Redis, source: Source, quick: None) -> None:
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
async def test_if_the_holder_gives_up_the_next_session_tries_at_once(redis: Redis, source: Source, how: str) -> None:
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


async def test_a_session_that_lost_the_lock_uses_the_token_that_another_one_shared(redis: Redis) -> None:
    slow, fast = Source(), Source()
    slow.wait = 0.2
    first = asyncio.create_task(user(redis).token("session", slow.fetch))
    await asyncio.sleep(0.05)
    await redis.delete(*await redis.keys("*lock:*"))  # As if it had expired while the process was suspended.
    shared = await user(redis).token("session", fast.fetch)
    assert (await first).secret == shared.secret
    assert (await user(redis).token("session", fast.fetch)).secret == shared.secret


async def test_a_session_that_lost_the_lock_shares_its_token_if_no_other_one_did(redis: Redis, source: Source) -> None:
    source.wait = 0.1
    first = asyncio.create_task(user(redis).token("session", source.fetch))
    await asyncio.sleep(0.05)
    await redis.delete(*await redis.keys("*lock:*"))
    assert (await first).mark is not None
    assert source.asked == 1
    assert await _keys(redis) == ["news:session", "token:session"]


async def test_a_session_that_lost_the_lock_fetches_again_if_a_later_token_was_rejected(redis: Redis) -> None:
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


async def test_exclusive_keeps_all_other_sessions_from_logging_in(redis: Redis, source: Source, quick: None) -> None:
    worker, others = user(redis), [user(redis) for _ in range(3)]
    async with worker.exclusive():
        waiting = [asyncio.create_task(other.token("session", source.fetch)) for other in others]
        await asyncio.sleep(1.0)
        assert source.asked == 0
        await worker.token("session", source.fetch)
        await asyncio.sleep(0.1)
        assert source.asked == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(user(redis).token("session", source.fetch, force_new=True), 0.2)
    await asyncio.wait_for(asyncio.gather(*waiting), 0.5)
    assert source.asked == 1


# Encrypted tokens


def _dump(redis: BlockingRedis) -> bytes:
    """Return all data of the server, both plain and in the form that it saves."""
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
async def test_a_dump_of_redis_does_not_contain_an_encrypted_token(
    redis: Redis, source: Source, dump: BlockingRedis, *, encrypted: bool
) -> None:
    keys = [Fernet.generate_key()] if encrypted else []
    async with entered(redis, encryption_keys=keys) as worker:
        await worker.token("oauth", Source(3600).fetch)
        await worker.token("session", source.fetch)
        await may_send(worker, PASSWORD)
        await answered(worker, PASSWORD, refusal=REFUSED)
        text = await asyncio.to_thread(_dump, dump)
    assert (b"hush" in text) is not encrypted
    assert b"hush-password" not in text


async def test_keys_are_rotated_without_a_login(redis: Redis, source: Source) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key().decode()
    await user(redis, encryption_keys=[old]).token("session", source.fetch)
    for keys in ([old, new], [new, old]):
        await user(redis, encryption_keys=keys).token("session", source.fetch)
    assert source.asked == 1
    await user(redis, encryption_keys=[new, old]).token("session", source.fetch, force_new=True)
    await user(redis, encryption_keys=[new]).token("session", source.fetch)
    assert source.asked == 2


@pytest.mark.parametrize("theirs", [True, False])
@pytest.mark.parametrize("ours", [True, False])
async def test_a_token_that_cannot_be_read_is_replaced(
    redis: Redis, source: Source, caplog: pytest.LogCaptureFixture, *, theirs: bool, ours: bool
) -> None:
    mine, other = [[Fernet.generate_key()] if keyed else [] for keyed in (ours, theirs)]
    await user(redis, encryption_keys=other).token("session", source.fetch)
    async with entered(redis, encryption_keys=mine) as worker:
        await worker.token("session", source.fetch)
    alike = not theirs and not ours
    assert source.asked == 1 + (not alike)
    assert ("encryption_keys" in caplog.text) is not alike


async def test_a_token_that_could_start_another_header_is_replaced(redis: Redis, source: Source) -> None:
    await user(redis).token("session", source.fetch)
    (key,) = await redis.keys("*token:session")
    await redis.hset(key, "value", "clear:hush\r\nX-Other: 1")
    assert (await user(redis).token("session", source.fetch)).secret == source.given[1]


# Refused passwords


async def test_a_refused_password_is_sent_by_no_other_session(redis: Redis) -> None:
    one, other = user(redis), user(redis)
    assert await may_send(one, PASSWORD) is None
    await answered(one, PASSWORD, refusal=REFUSED)
    assert await may_send(other, PASSWORD) == REFUSED
    assert await may_send(other, Secret("hush-other")) is None
    stranger = RedisStore(redis).of(store.Identity(**(_as_dict() | {"username": "other"})))
    assert await may_send(stranger, PASSWORD) is None


async def test_a_refused_password_is_sent_again_after_it_was_forced_or_accepted(redis: Redis) -> None:
    one, other = user(redis), user(redis)
    await answered(one, PASSWORD, refusal=REFUSED)
    await forgive(other, PASSWORD)
    assert await may_send(one, PASSWORD) is None
    await answered(one, PASSWORD, refusal=REFUSED)
    await answered(one, PASSWORD, accepted=True)
    assert await may_send(other, PASSWORD) is None


async def test_an_unanswered_password_is_sent_twice_at_most(redis: Redis) -> None:
    for worker in (user(redis), user(redis)):
        assert await may_send(worker, PASSWORD) is None
    worker = user(redis)
    assert await may_send(worker, PASSWORD) == UNANSWERED
    await answered(worker, PASSWORD, accepted=True)
    assert await may_send(worker, PASSWORD) is None


async def test_an_answer_without_a_verdict_removes_only_its_own_logins_mark(redis: Redis) -> None:
    """Otherwise the 503 of one worker would clear the unanswered logins of all."""
    lost, throttled = user(redis), user(redis)
    assert await may_send(lost, PASSWORD) is None
    for _ in range(6):
        assert await may_send(throttled, PASSWORD) is None
        await answered(throttled, PASSWORD)
    assert await may_send(user(redis), PASSWORD) is None
    assert await may_send(user(redis), PASSWORD) == UNANSWERED
    await answered(throttled, PASSWORD)
    assert await may_send(throttled, PASSWORD) == UNANSWERED


async def test_after_three_refusals_only_the_accepted_password_is_sent(redis: Redis) -> None:
    accepted = Secret("hush-accepted")
    assert await may_send(user(redis), accepted) is None
    await answered(user(redis), accepted, accepted=True)
    for number in range(3):
        typo, worker = Secret(f"hush-typo-{number}"), user(redis)
        assert await may_send(worker, typo) is None
        await answered(worker, typo, refusal=REFUSED)
    assert await may_send(user(redis), PASSWORD) is not None
    assert await may_send(user(redis), accepted) is None
    await answered(user(redis), accepted, accepted=True)
    assert await may_send(user(redis), PASSWORD) is None


async def test_refusals_of_another_user_do_not_count(redis: Redis) -> None:
    stranger = RedisStore(redis).of(store.Identity(**(_as_dict() | {"username": "other"})))
    for number in range(3):
        typo = Secret(f"hush-typo-{number}")
        await may_send(stranger, typo)
        await answered(stranger, typo, refusal=REFUSED)
    assert await may_send(stranger, PASSWORD) is not None
    assert await may_send(user(redis), PASSWORD) is None


async def test_force_sends_a_password_after_three_refusals(redis: Redis) -> None:
    for number in range(3):
        typo, worker = Secret(f"hush-typo-{number}"), user(redis)
        await may_send(worker, typo)
        await answered(worker, typo, refusal=REFUSED)
    worker = user(redis)
    assert await may_send(worker, PASSWORD) is not None
    assert await may_send(worker, PASSWORD, force=True) is None


async def test_refusals_and_unanswered_logins_count_together(redis: Redis) -> None:
    for number in range(2):
        typo, worker = Secret(f"hush-typo-{number}"), user(redis)
        await may_send(worker, typo)
        await answered(worker, typo, refusal=REFUSED)
    assert await may_send(user(redis), Secret("hush-lost")) is None
    assert await may_send(user(redis), PASSWORD) is not None


async def test_a_password_that_was_accepted_may_go_unanswered(redis: Redis) -> None:
    worker = user(redis)
    await answered(worker, PASSWORD, accepted=True)
    for _ in range(9):
        assert await may_send(user(redis), PASSWORD) is None


# Leaving


@pytest.mark.parametrize("log_out", ["never", "last", "always"])
async def test_sessions_log_out_as_configured(redis: Redis, source: Source, log_out: LogOut) -> None:
    async with entered(redis) as one, entered(redis) as other:
        token = await one.token("session", source.fetch)
        assert await other.token("session", source.fetch) == token
        said = [await one.leave(token, log_out), await other.leave(token, log_out)]
    assert said == {"never": [False, False], "last": [False, True], "always": [True, True]}[log_out]
    await user(redis).token("session", source.fetch)
    assert source.asked == 1 + (log_out != "never")


async def test_a_lease_that_is_being_renewed_does_not_outlive_its_session(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        with monkeypatch.context() as patch:
            patch.setattr(_leases, "LEASE_EXPIRES", 0.001)
            worker = user(redis)
            await worker.enter()
        await asyncio.sleep(0.01)
        await worker.leave(None, "last")
        assert await redis.keys("*leases") == []


async def test_a_session_that_leaves_an_emptied_redis_does_not_count_as_the_last(redis: Redis, source: Source) -> None:
    async with entered(redis) as one, entered(redis) as other:
        token = await one.token("session", source.fetch)
        await other.token("session", source.fetch)
        await redis.flushall()
        assert not await one.leave(token, "last")


async def test_a_token_that_is_not_shared_is_logged_out_even_if_other_sessions_are_open(redis: Redis) -> None:
    async with entered(redis), entered(redis) as other, entered(redis) as third:
        assert await other.leave(Token(Secret("hush")), "last")
        assert not await third.leave(Token(Secret("hush")), "never")


async def test_leaving_twice_or_without_entering_does_nothing(redis: Redis, source: Source) -> None:
    worker = user(redis)
    token = await worker.token("session", source.fetch)
    assert not await worker.leave(token, "always")
    await worker.enter()
    assert await worker.leave(token, "always")
    assert not await worker.leave(token, "always")


async def test_the_lease_of_an_open_session_is_renewed_and_that_of_a_crashed_one_expires(
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


async def test_a_session_that_is_cancelled_while_it_leaves_keeps_no_lease(redis: Redis) -> None:
    worker = user(redis)
    await worker.enter()
    leaving = asyncio.create_task(worker.leave(None, "last"))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    assert await redis.keys("*leases") == []


# The pace


async def test_all_workers_share_one_pace(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "REQUESTS_PER_MINUTE", 600)
    workers = [user(redis) for _ in range(3)]
    started = time.monotonic()
    await asyncio.gather(*(worker.pace("0000123456-00001") for worker in workers for _ in range(3)))
    assert 0.7 < time.monotonic() - started < 4


# Invalid options


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
async def test_invalid_options_are_refused_at_once(redis: Redis, options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"redis": redis} | options
    with raises(ConfigurationError):
        RedisStore(**given)
