"""Promises of the inbox in Redis, in addition to those of every inbox."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.callbacks.inbox.claiming import join
from tests.callbacks.inbox.making import activated, devices, taken, texted
from tests.callbacks.inbox.served import REDIS, close_and_cancel, received_status, shorten_intervals
from tests.redis.clock import timed
from tests.redis.servers import ClusterServers, RedisServer
from thingspace_async import Secret
from thingspace_async._core.ledger import Place, WorkerState
from thingspace_async.callbacks import incoming, waking
from thingspace_async.callbacks.messages import UnknownMessage
from thingspace_async.errors import ConfigurationError, InboxUnavailable
from thingspace_async.redis import _faults, _messages, _scripts, _wake_stream
from thingspace_async.redis import inbox as module
from thingspace_async.redis._scripts import text_of
from thingspace_async.redis.inbox import RedisInbox


@pytest.fixture
async def inbox(redis: Redis) -> AsyncIterator[RedisInbox]:
    """Open an inbox."""
    async with RedisInbox(redis) as opened:
        yield opened


@pytest.fixture
async def another(redis: Redis) -> AsyncIterator[RedisInbox]:
    """Open the same inbox as another process would."""
    async with RedisInbox(redis) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Start a server for one test alone, which it may disturb."""
    with RedisServer() as started:
        yield started


@asynccontextmanager
async def _opened(url: str, **options: Any) -> AsyncIterator[RedisInbox]:
    """Open an inbox with a client of its own, which retries only once."""
    async with Redis.from_url(url, retry=Retry(NoBackoff(), 1)) as client, RedisInbox(client, **options) as inbox:
        yield inbox


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for Redis for a second at most."""
    monkeypatch.setattr(_faults, "INBOX_TIMEOUT", 1.0)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten all intervals."""
    shorten_intervals(monkeypatch, REDIS)


async def _names(redis: Redis) -> set[str]:
    """Return the names of all keys without their common prefix, except short-lived answers."""
    names = {text_of(key).split(":", 2)[2] for key in await redis.keys()}
    return {name for name in names if not name.startswith("answer:")}


async def test_only_followers_of_a_request_are_woken_for_it(
    redis: Redis, inbox: RedisInbox, another: RedisInbox
) -> None:
    async def heard() -> int:
        return sum([await redis.xlen(key) for key in await redis.keys() if ":wake:" in text_of(key)])

    async with RedisInbox(redis) as third, AsyncExitStack() as stack:
        mine = await stack.enter_async_context(aclosing(inbox.follow("mine")))
        theirs = await stack.enter_async_context(aclosing(third.follow("theirs")))
        both = asyncio.gather(taken(mine, 1), taken(theirs, 1))
        await another.store(activated(1, request="nobody's"))
        await another.store(activated(2, request="mine"))
        await third.store(activated(3, request="theirs"))
        assert list(await both) == [[2], [3]]
        assert await heard() <= 4, "for each process, its first entry and one message"


async def test_a_process_that_has_closed_its_inbox_is_no_longer_woken(
    redis: Redis, inbox: RedisInbox, another: RedisInbox
) -> None:
    async with aclosing(inbox.follow("request")) as following:
        await another.store(activated(1))
        assert await taken(following, 1) == [1]
    await inbox.close()
    assert "followers:request" in await _names(redis)
    await another.store(activated(2))
    assert not {name for name in await _names(redis) if name.startswith(("wake:", "followers:"))}


@pytest.mark.usefixtures("hasty")
async def test_a_follower_that_redis_has_forgotten_registers_again(
    redis: Redis, inbox: RedisInbox, another: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wake_stream, "_REGISTER_INTERVAL", 0.1)
    async with aclosing(inbox.follow("request")) as following:
        await another.store(activated(0))
        assert await taken(following, 1) == [0]
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.05)
        await redis.delete(inbox._keys("followers:request"))
        await another.store(activated(1))
        assert await asyncio.wait_for(waiting, 5) == [1]


@pytest.mark.usefixtures("hasty")
async def test_a_follower_is_woken_again_after_redis_has_lost_everything(
    redis: Redis, inbox: RedisInbox, another: RedisInbox
) -> None:
    async with aclosing(inbox.follow("request")) as following:
        await another.store(activated(0))
        assert await taken(following, 1) == [0]
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.05)
        await redis.flushall()
        await another.store(activated(1))
        assert await asyncio.wait_for(waiting, 5) == [1]


@pytest.mark.usefixtures("hasty")
async def test_a_follower_is_woken_again_if_another_one_starts_after_redis_has_lost_everything(
    redis: Redis, inbox: RedisInbox, another: RedisInbox
) -> None:
    async with aclosing(inbox.follow("request")) as following, aclosing(inbox.follow("other")) as beginning:
        await another.store(activated(0))
        assert await taken(following, 1) == [0]
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.05)
        await redis.flushall()
        await another.store(activated(1, request="other"))
        assert await taken(beginning, 1) == [1], "its registration recreates the stream, which wakes both"
        await another.store(activated(2))
        assert await asyncio.wait_for(waiting, 5) == [2]


async def test_in_a_cluster_one_process_stores_and_another_follows_reads_and_prunes() -> None:
    with ClusterServers() as servers:
        text = RedisCluster(host="127.0.0.1", port=servers.servers[0].port, decode_responses=True)
        async with text, RedisCluster(host="127.0.0.1", port=servers.servers[1].port) as binary:
            for name in ("one", "two", "three", "four"):  # On several nodes.
                async with RedisInbox(text, name=name) as inbox, RedisInbox(binary, name=name) as another:
                    await _share_all_of_it(inbox, another)
                    await _share_all_of_it(another, inbox)
            async with RedisInbox(binary, name="one", replicas=1) as careful:
                with pytest.raises(InboxUnavailable, match="0 of 1 replicas"):
                    await careful.store(activated(3))


async def _share_all_of_it(storing: RedisInbox, inbox: RedisInbox) -> None:
    async with aclosing(inbox.follow("request")) as following:
        waiting = asyncio.create_task(taken(following, 3))
        await asyncio.sleep(0.02)
        for number in range(3):
            assert await storing.store(activated(number))
        assert not await storing.store(activated(0, callbackCount=2))
        assert await asyncio.wait_for(waiting, 5) == [0, 1, 2]
    assert await devices(inbox.read()) == [0, 1, 2]
    assert await devices(inbox.read(request_id="request")) == [0, 1, 2]
    await join(storing.ledger, "one")
    assert await inbox.ledger.runs() == [("run", "activate")]
    assert await inbox.prune(timedelta(minutes=-1)) == 3
    assert await devices(storing.read()) == []


async def test_a_stream_that_redis_had_to_trim_wakes_all_followers(
    redis: Redis, inbox: RedisInbox, another: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wake_stream, "_AT_ONCE", 5)
    async with aclosing(inbox.follow("request")) as following:
        await another.store(activated(0))
        assert await taken(following, 1) == [0]
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.05)
        known = await redis.smembers(inbox._keys("followers:request"))
        await redis.delete(inbox._keys("followers:request"))  # So the next message wakes no follower.
        await another.store(activated(1))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        (process,) = known
        async with redis.pipeline() as pipeline:
            for number in range(20):
                pipeline.xadd(inbox._keys("wake", text_of(process)), {"request": f"another {number}"})
            await pipeline.execute()
        assert await asyncio.wait_for(waiting, 5) == [1]


# Keeping and removing


async def test_pruned_messages_leave_nothing_behind(
    redis: Redis, inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMOVED_AT_ONCE", 7)
    await asyncio.gather(*(inbox.store(activated(number, request=f"r{number % 3}")) for number in range(30)))
    await inbox.store(texted())
    assert await inbox.prune(timedelta(minutes=-1)) == 31
    assert await _names(redis) == {"messages", "newest"}
    assert await redis.xlen(inbox._keys("messages")) == 0


async def test_messages_of_one_service_are_found_among_many_of_others(
    inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_EXAMINED_AT_ONCE", 10)
    for number in range(60):
        await inbox.store(activated(number), service="DeviceService" if number % 25 == 3 else "CarrierService")
    assert await devices(inbox.read(service="DeviceService")) == [3, 28, 53]
    assert await devices(inbox.read(request_id="request", service="DeviceService")) == [3, 28, 53]


async def test_reading_continues_after_the_last_message_that_was_read_is_removed(
    inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(150):
        await inbox.store(activated(number))
    read = []
    async for received in inbox.read():
        read.append(received.number)
        if len(read) == 100:
            soon = received.received_at + timedelta(microseconds=1)
            monkeypatch.setattr(module, "REMOVE", timed(_messages.REMOVE, soon))
            assert await inbox.prune(timedelta(0)) == 100
    assert read == sorted(set(read))
    assert len(read) == 150


# Listeners' passwords


async def test_values_of_the_inbox_are_encrypted_if_it_has_keys(redis: Redis) -> None:
    keys = [Fernet.generate_key() for _ in range(2)]
    async with RedisInbox(redis, encryption_keys=keys[:1]) as inbox:
        assert await inbox.keep_first("name", Secret("hidden")) == Secret("hidden")
        assert b"hidden" not in (await redis.dump(inbox._keys("first")) or b"hidden")
    async with RedisInbox(redis, encryption_keys=[keys[1], keys[0]]) as inbox:
        assert await inbox.keep_first("name", Secret("another")) == Secret("hidden")
        assert await inbox.kept() == {"name": Secret("hidden")}
    for wrong in ([], keys[1:]):
        async with RedisInbox(redis, encryption_keys=wrong) as inbox:
            with pytest.raises(InboxUnavailable, match="was written with other encryption_keys") as caught:
                await inbox.keep_first("name", Secret("another"))
            assert "hidden" not in str(caught.value)


async def test_values_of_the_inbox_wait_for_replicas(redis: Redis) -> None:
    async with RedisInbox(redis, replicas=1) as inbox:
        with pytest.raises(InboxUnavailable, match="0 of 1 replicas have the change"):
            await inbox.keep_first("name", Secret("value"))


# Its clock


async def test_a_worker_100_days_ahead_prunes_nothing_of_today(
    inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Ahead:
            return cls.fromtimestamp(time.time(), tz) + timedelta(days=100)

    for one in (incoming, _scripts):
        monkeypatch.setattr(one, "datetime", Ahead)
    before = datetime.now(UTC)
    await inbox.store(activated(0))
    assert await inbox.prune(timedelta(days=90)) == 0
    (received,) = [received async for received in inbox.read()]
    assert abs(received.received_at - before) < timedelta(minutes=1)


class _Rewound:
    """A failover that loses the last messages, to a replica whose clock is an hour behind."""

    def __init__(self, redis: Redis, inbox: RedisInbox, patch: pytest.MonkeyPatch) -> None:
        self._redis = redis
        self._inbox = inbox
        self._patch = patch
        self._keys: dict[Any, Any] = {}

    async def replicate(self) -> None:
        """Copy the current state to the replica."""
        self._keys = {key: await self._redis.dump(key) for key in await self._redis.keys() if b":wake:" not in key}

    async def fail_over(self) -> None:
        """Let the replica take over."""
        for key in await self._redis.keys():
            if b":wake:" not in key:
                await self._redis.delete(key)
        for key, value in self._keys.items():
            await self._redis.restore(key, 0, value)
        earlier = datetime.now(UTC) - timedelta(hours=1)
        self._patch.setattr(module, "STORE", timed(_messages.STORE, earlier))


@pytest.fixture
def rewound(redis: Redis, inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch) -> _Rewound:
    return _Rewound(redis, inbox, monkeypatch)


async def test_after_a_failover_to_an_earlier_clock_a_follower_gets_all_new_messages(
    inbox: RedisInbox, rewound: _Rewound
) -> None:
    async with aclosing(inbox.follow("request")) as following:
        await inbox.store(activated(0))
        assert await taken(following, 1) == [0]
        await rewound.replicate()
        for number in (1, 2, 3):
            await inbox.store(activated(number))
        assert await taken(following, 3) == [1, 2, 3]
        await rewound.fail_over()
        waiting = asyncio.create_task(taken(following, 2))
        for number in (4, 5):
            await inbox.store(activated(number))
        assert sorted(await asyncio.wait_for(waiting, 10)) == [4, 5]


async def test_after_a_failover_to_an_earlier_clock_no_new_message_counts_as_a_repeat(
    inbox: RedisInbox, rewound: _Rewound
) -> None:
    assert await inbox.store(texted())
    await rewound.replicate()
    await rewound.fail_over()
    assert await inbox.store(texted(callbackCount=2)), "its first attempt is lost"


async def test_inboxes_with_other_names_or_prefixes_are_separate(redis: Redis, inbox: RedisInbox) -> None:
    async with RedisInbox(redis, name="other") as other, RedisInbox(redis, prefix="other") as third:
        assert await inbox.store(activated(0))
        assert await other.store(activated(0))
        assert await third.store(activated(0))
        assert await devices(other.read()) == [0]


async def test_a_message_is_stored_once_if_the_answer_is_lost(redis_server: RedisServer, redis: Redis) -> None:
    async with _cutting(redis_server.port, b"answer:") as url, _opened(url) as inbox:
        assert await inbox.store(texted()), "the inbox must not take its own retry for a repeat"
        assert len([received async for received in inbox.read()]) == 1


@asynccontextmanager
async def _cutting(port: int, what: bytes) -> AsyncIterator[str]:
    """Forward traffic to a server. Drop the first answer to a request that contains `what`, and its connection."""
    cut: list[bytes] = []
    passing: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        passing.add(task)
        upstream, to_server = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.closing(writer), contextlib.closing(to_server), contextlib.suppress(ConnectionError):
            while asked := await reader.read(1 << 16):
                to_server.write(asked)
                answer = await upstream.read(1 << 16)
                if what in asked and not answer.startswith(b"-NOSCRIPT") and not cut:
                    cut.append(answer)
                    return
                writer.write(answer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        assert cut, "no answer was dropped"
        for task in passing:
            task.cancel()
        await asyncio.wait(passing)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decoded", [True, False], ids=["text", "bytes"])
async def test_any_settings_of_the_client_work(
    redis_server: RedisServer, another: RedisInbox, protocol: int, *, decoded: bool
) -> None:
    async with (
        Redis.from_url(redis_server.url, protocol=protocol, decode_responses=decoded, socket_timeout=0.4) as client,
        RedisInbox(client) as inbox,
        aclosing(inbox.follow("request")) as following,
    ):
        waiting = asyncio.create_task(taken(following, 2))
        await asyncio.sleep(0.5)
        await another.store(activated(0))
        assert await inbox.store(activated(1))
        assert await waiting == [0, 1]
        await inbox.store(json.dumps({"novelty": "\0 😀"}).encode(), service="é")
        (found,) = [received async for received in inbox.read(service="é")]
        assert isinstance(found.message, UnknownMessage)
        assert found.message.body["novelty"] == "\0 😀"
        await inbox.ledger.lease(Place("é", "é"), description="é", state=WorkerState.LEFT, seconds=1)
        assert await inbox.ledger.runs() == [("é", "é")]


@pytest.mark.parametrize("wrong", [{"keep": 0}, {"replicas": -1}, {"prefix": ""}])
async def test_invalid_options_are_refused(redis: Redis, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        RedisInbox(redis, **wrong)


async def test_scripts_that_redis_has_forgotten_are_sent_again(redis: Redis, inbox: RedisInbox) -> None:
    for number in range(3):
        await redis.script_flush()
        assert await inbox.store(activated(number))
        await redis.script_flush()
        assert len(await devices(inbox.read())) == number + 1
        await redis.script_flush()
        assert len(await devices(inbox.read(request_id="request"))) == number + 1
    await redis.script_flush()
    assert await inbox.prune(timedelta(minutes=-1)) == 3


async def test_closing_completes_although_it_is_cancelled(redis: Redis, inbox: RedisInbox) -> None:
    await close_and_cancel(inbox)
    assert await redis.ping()
    assert not {name for name in await _names(redis) if name.startswith("wake:")}


@pytest.mark.usefixtures("impatient")
async def test_closing_does_not_try_to_store_the_whole_queue_if_redis_does_not_answer(server: RedisServer) -> None:
    async with _opened(server.url) as inbox:
        server.pause()
        storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(1000)]
        await asyncio.sleep(0.1)
        await asyncio.wait_for(inbox.close(), 3)
        results = await asyncio.gather(*storing, return_exceptions=True)
        assert {type(result) for result in results} == {InboxUnavailable}
        server.resume()


@pytest.mark.usefixtures("impatient")
async def test_messages_of_cancelled_callers_are_dropped_while_redis_does_not_answer(server: RedisServer) -> None:
    async with _opened(server.url) as inbox, Redis.from_url(server.url) as redis:
        server.pause()
        for number in range(1000):
            asyncio.get_running_loop().call_later(0.1, asyncio.create_task(inbox.store(activated(number))).cancel)
        with pytest.raises(InboxUnavailable):
            await inbox.store(texted())
        server.resume()
        assert await inbox.store(texted(callbackCount=2)) in (True, False)
        assert await redis.xlen(inbox._keys("messages")) <= 130, "only those that were already being stored"


async def test_many_messages_of_a_megabyte_are_stored_and_read_together(inbox: RedisInbox) -> None:
    bodies = [activated(number, comment="x" * 1_000_000) for number in range(130)]
    assert await asyncio.gather(*(inbox.store(body) for body in bodies)) == [True] * 130
    assert sorted(await devices(inbox.read(request_id="request"))) == list(range(130))
    assert sorted(await devices(inbox.read())) == list(range(130))


# Replicas


async def test_a_follower_in_the_same_process_gets_a_message_that_no_replica_confirmed(redis: Redis) -> None:
    async with RedisInbox(redis, replicas=1) as inbox, aclosing(inbox.follow("request")) as following:
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.1)
        with pytest.raises(InboxUnavailable, match="0 of 1 replicas"):
            await inbox.store(activated(0))
        assert await asyncio.wait_for(waiting, 1) == [0]


async def test_too_few_replicas_are_reported_and_the_next_attempt_is_stored_once(redis: Redis) -> None:
    async with RedisInbox(redis, replicas=1) as inbox:
        for attempt in (1, 2):
            with pytest.raises(InboxUnavailable, match="0 of 1 replicas have the change: check that they run"):
                await inbox.store(activated(0, callbackCount=attempt))
        assert await devices(inbox.read()) == [0]


async def test_with_replicas_a_message_is_acknowledged_once_the_replica_has_it(server: RedisServer) -> None:
    with RedisServer("--replicaof", "127.0.0.1", str(server.port), "--repl-diskless-sync-delay", "0") as replica:
        async with _opened(server.url, replicas=1) as inbox, Redis.from_url(replica.url) as reading:
            async with asyncio.timeout(10):
                while (await reading.info("replication"))["master_link_status"] != "up":
                    await asyncio.sleep(0.02)
            for number in range(20):
                assert await inbox.store(activated(number))
                assert await reading.xlen(inbox._keys("messages")) == number + 1
            replica.pause()
            with pytest.raises(InboxUnavailable, match="0 of 1 replicas"):
                await inbox.store(activated(20))
            replica.resume()
            assert not await inbox.store(activated(20, callbackCount=2))


# Failures


@pytest.mark.usefixtures("impatient")
async def test_storing_gives_up_soon_if_redis_does_not_answer(server: RedisServer) -> None:
    async with _opened(server.url) as inbox:
        await inbox.store(activated(0))
        server.pause()
        began = time.monotonic()
        with pytest.raises(InboxUnavailable, match="does not answer in time"):
            await inbox.store(texted())
        assert time.monotonic() - began < 2
        server.resume()
        await inbox.store(texted(callbackCount=2))
        texts = [received async for received in inbox.read() if not isinstance(received.message, UnknownMessage)]
        assert len(texts) == 2


async def test_a_full_redis_is_reported_and_pruning_helps(server: RedisServer) -> None:
    async with _opened(server.url) as inbox, Redis.from_url(server.url) as redis:
        await inbox.store(activated(0))
        await redis.config_set("maxmemory", "1")
        with pytest.raises(InboxUnavailable, match="its memory is full: raise maxmemory"):
            await inbox.store(activated(1))
        with pytest.raises(InboxUnavailable, match="its memory is full"):
            await join(inbox.ledger, "one")
        assert await received_status(inbox, 1) == 503
        assert await devices(inbox.read()) == [0]
        assert await inbox.prune(timedelta(minutes=-1)) == 1
        await redis.config_set("maxmemory", "0")
        assert await inbox.store(activated(1, callbackCount=2))


async def test_a_redis_that_became_a_replica_is_reported_and_can_still_be_read(server: RedisServer) -> None:
    async with _opened(server.url) as inbox, Redis.from_url(server.url) as redis:
        await inbox.store(activated(0))
        await redis.replicaof("127.0.0.1", 1)
        with pytest.raises(InboxUnavailable, match="it is a read-only replica"):
            await inbox.store(activated(1))
        assert await received_status(inbox, 1) == 503
        assert await devices(inbox.read()) == [0]
        await redis.replicaof("NO", "ONE")
        assert await inbox.store(activated(1, callbackCount=2))


async def test_the_first_follower_of_a_process_does_not_wait_through_an_outage(server: RedisServer) -> None:
    async with _opened(server.url) as inbox:
        await inbox.store(activated(0))
        server.stop()
        with pytest.raises(InboxUnavailable, match="cannot be reached"):
            await anext(inbox.follow("request"))


@pytest.mark.usefixtures("hasty")
async def test_a_follower_continues_after_redis_has_restarted_empty(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with (
        _opened(server.url) as inbox,
        _opened(server.url) as another,
        aclosing(inbox.follow("request")) as following,
    ):
        await another.store(activated(0))
        assert await taken(following, 1) == [0]
        waiting = asyncio.create_task(taken(following, 1))
        server.stop()
        await asyncio.sleep(0.3)
        server.start()
        assert await another.store(activated(1))
        assert await asyncio.wait_for(waiting, 5) == [1]
    assert "followers wait until Redis is reachable again" in caplog.text
    assert "the inbox inbox in Redis is reachable again" in caplog.text


@pytest.mark.usefixtures("hasty")
async def test_a_follower_gives_up_if_redis_answers_everything_except_its_reads(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "_LONGEST_OUTAGE", 1)
    async with _opened(server.url) as inbox, Redis.from_url(server.url) as redis:
        await redis.acl_setuser("default", enabled=True, commands=["-zrangebyscore"])
        with pytest.raises(InboxUnavailable):
            await asyncio.wait_for(taken(inbox.follow("request"), 1), 5)
        following = inbox.follow("request")
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.3)
        await redis.acl_setuser("default", enabled=True, commands=["+zrangebyscore"])
        await inbox.store(activated(0))
        assert await asyncio.wait_for(waiting, 5) == [0], "it waits through a short outage"
        await following.aclose()


async def test_keys_do_not_reveal_the_name_of_the_inbox(redis: Redis, inbox: RedisInbox) -> None:
    async with RedisInbox(redis, name="jane.doe") as hers:
        await hers.store(json.dumps({"username": "jane.doe"}).encode())
    assert all("jane" not in text_of(key) for key in await redis.keys())
