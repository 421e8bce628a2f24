"""What an inbox in Redis promises beyond what every inbox does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tests.inbox.making import activated, devices, take_100_000, taken, texted
from tests.redis.servers import ClusterServers, RedisServer
from thingspace_async.callbacks.messages import UnknownMessage
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.errors import ConfigurationError, InboxUnavailable
from thingspace_async.redis import _wakes
from thingspace_async.redis import inbox as module
from thingspace_async.redis._scripts import text_of
from thingspace_async.redis.inbox import RedisInbox

ROOT = Path(__file__).parents[2]


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
    """Start a server of the test's own, to be maltreated."""
    with RedisServer() as started:
        yield started


@asynccontextmanager
async def _opened(url: str, **options: Any) -> AsyncIterator[RedisInbox]:
    """Open an inbox with a client of its own, which does not try again by itself for long."""
    async with Redis.from_url(url, retry=Retry(NoBackoff(), 1)) as client, RedisInbox(client, **options) as inbox:
        yield inbox


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look after everything more often."""
    monkeypatch.setattr(_wakes, "_BLOCK", 0.1)
    monkeypatch.setattr(_wakes, "_PAUSE", 0.05)


async def _names(redis: Redis) -> set[str]:
    """Return what keys there are, without what all have in common, and without answers that are soon gone."""
    names = {text_of(key).split(":", 2)[2] for key in await redis.keys()}
    return {name for name in names if not name.startswith("answer:")}


# Other processes


@asynccontextmanager
async def _process(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.communicate()


async def test_a_waiter_is_woken_within_50_ms_of_what_another_process_stores(
    redis_server: RedisServer, inbox: RedisInbox
) -> None:
    spent: list[float] = []
    async with (
        aclosing(inbox.follow("request")) as following,
        _process("tests.redis.storing", redis_server.url, "30", "0.02"),
    ):
        while len(spent) < 30:
            received = await anext(following)
            assert isinstance(received.message, UnknownMessage)
            stored = received.message.body["stored"]
            assert isinstance(stored, float)
            spent.append(time.monotonic() - stored)
    assert median(spent) < 0.05
    assert max(spent) < 1, "nobody polls"


async def test_killing_who_stores_and_who_waits_at_random_moments_loses_nothing_and_repeats_nothing(
    redis_server: RedisServer, inbox: RedisInbox
) -> None:
    async with aclosing(inbox.follow("request")) as following:
        all_of_them = asyncio.create_task(taken(following, 2000))
        async with _process("tests.inbox.crashing", redis_server.url, "2000", "40") as crashing:
            for seconds in (0.7, 0.8, 0.9):
                async with _process("tests.redis.following", redis_server.url):
                    await asyncio.sleep(seconds)
            out, _ = await crashing.communicate()
            assert crashing.returncode == 0
        kills, left = map(int, out.split())
        assert kills == 40
        assert left > 0, "the processes were killed while they had work"
        assert sorted(await asyncio.wait_for(all_of_them, 5)) == list(range(2000))
    assert sorted(await devices(inbox.read())) == list(range(2000))


async def test_only_who_follows_a_request_is_told_of_it(redis: Redis, inbox: RedisInbox, another: RedisInbox) -> None:
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
        assert await heard() <= 4, "a first one each, and one of a message each"


async def test_who_is_gone_is_told_nothing_any_more(redis: Redis, inbox: RedisInbox, another: RedisInbox) -> None:
    async with aclosing(inbox.follow("request")) as following:
        await another.store(activated(1))
        assert await taken(following, 1) == [1]
    await inbox.close()
    assert "followers:request" in await _names(redis)
    await another.store(activated(2))
    assert not {name for name in await _names(redis) if name.startswith(("wake:", "followers:"))}


async def test_many_followers_get_along_with_few_connections(redis_server: RedisServer, another: RedisInbox) -> None:
    async with (
        Redis.from_url(redis_server.url, max_connections=20) as client,
        RedisInbox(client) as inbox,
        asyncio.TaskGroup() as waiting,
    ):
        following = [inbox.follow(f"request {number}") for number in range(300)]
        taking = [waiting.create_task(taken(one, 1)) for one in following]
        await asyncio.gather(*(another.store(activated(number, request=f"request {number}")) for number in range(300)))
        assert await asyncio.gather(*taking) == [[number] for number in range(300)]
        for one in following:
            await one.aclose()


@pytest.mark.usefixtures("hasty")
async def test_a_follower_that_redis_has_forgotten_says_again_that_it_follows(
    redis: Redis, inbox: RedisInbox, another: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wakes, "_AGAIN", 0.1)
    async with aclosing(inbox.follow("request")) as following:
        await another.store(activated(0))
        assert await taken(following, 1) == [0]
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.05)
        await redis.delete(inbox._keys("followers:request"))
        await another.store(activated(1))
        assert await asyncio.wait_for(waiting, 5) == [1]


@pytest.mark.usefixtures("hasty")
async def test_a_follower_that_redis_has_forgotten_with_all_else_is_told_again(
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
async def test_a_follower_that_redis_has_forgotten_is_told_again_once_another_one_begins(
    redis: Redis, inbox: RedisInbox, another: RedisInbox
) -> None:
    async with aclosing(inbox.follow("request")) as following, aclosing(inbox.follow("other")) as beginning:
        await another.store(activated(0))
        assert await taken(following, 1) == [0]
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.05)
        await redis.flushall()
        await another.store(activated(1, request="other"))
        assert await taken(beginning, 1) == [1], "it makes the stream anew that both are told by"
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
    await storing.record("run", {"a": "sent"})
    assert await inbox.recorded("run") == {"a": "sent"}
    assert await inbox.prune(timedelta(minutes=-1)) == 3
    assert await devices(storing.read()) == []


async def test_a_flood_of_word_that_redis_had_to_cut_short_wakes_everybody(
    redis: Redis, inbox: RedisInbox, another: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wakes, "_AT_ONCE", 5)
    async with aclosing(inbox.follow("request")) as following:
        await another.store(activated(0))
        assert await taken(following, 1) == [0]
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.05)
        known = await redis.smembers(inbox._keys("followers:request"))
        await redis.delete(inbox._keys("followers:request"))  # What it would have been told is lost.
        await another.store(activated(1))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        (process,) = known
        async with redis.pipeline() as pipeline:
            for number in range(20):
                pipeline.xadd(inbox._keys("wake", text_of(process)), {"request": f"another {number}"})
            await pipeline.execute()
        assert await asyncio.wait_for(waiting, 5) == [1]


# What is kept


async def test_of_more_messages_than_are_to_be_kept_the_oldest_go(redis: Redis) -> None:
    async with RedisInbox(redis, keep=10) as inbox:
        for number in range(25):
            assert await inbox.store(activated(number))
        await asyncio.gather(*(inbox.store(activated(number)) for number in range(25, 50)))
        assert sorted(await devices(inbox.read())) == list(range(40, 50))
        assert len(await devices(inbox.read(request_id="request"))) == 10
        assert not await inbox.store(activated(49, callbackCount=2))
        assert await inbox.store(activated(0, callbackCount=2)), "no repeat of anything that is kept"


async def test_messages_that_were_pruned_leave_nothing(
    redis: Redis, inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMOVED_AT_ONCE", 7)
    await asyncio.gather(*(inbox.store(activated(number, request=f"r{number % 3}")) for number in range(30)))
    await inbox.store(texted())
    assert await inbox.prune(timedelta(minutes=-1)) == 31
    assert await _names(redis) == {"messages", "newest"}
    assert await redis.xlen(inbox._keys("messages")) == 0


async def test_what_one_service_has_sent_is_found_among_much_of_others(
    inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOKED_AT_AT_ONCE", 10)
    for number in range(60):
        await inbox.store(activated(number), service="DeviceService" if number % 25 == 3 else "CarrierService")
    assert await devices(inbox.read(service="DeviceService")) == [3, 28, 53]
    assert await devices(inbox.read(request_id="request", service="DeviceService")) == [3, 28, 53]


async def test_reading_goes_on_where_the_last_that_was_read_is_gone(inbox: RedisInbox) -> None:
    await asyncio.gather(*(inbox.store(activated(number)) for number in range(150)))
    read = []
    async for received in inbox.read():
        read.append(received.number)
        if len(read) == 100:
            age = received.received_at
            await inbox._remove(age + timedelta(microseconds=1))
    assert read == sorted(set(read))
    assert len(read) == 150


async def test_inboxes_of_other_names_and_prefixes_are_others(redis: Redis, inbox: RedisInbox) -> None:
    async with RedisInbox(redis, name="other") as other, RedisInbox(redis, prefix="other") as third:
        assert await inbox.store(activated(0))
        assert await other.store(activated(0))
        assert await third.store(activated(0))
        assert await devices(other.read()) == [0]


async def test_the_answer_to_what_was_stored_may_be_lost_and_it_is_stored_once(
    redis_server: RedisServer, redis: Redis
) -> None:
    async with _cutting(redis_server.port, b"answer:") as url, _opened(url) as inbox:
        assert await inbox.store(texted()), "a device may well say this again, but has not"
        assert len([received async for received in inbox.read()]) == 1


@asynccontextmanager
async def _cutting(port: int, what: bytes) -> AsyncIterator[str]:
    """Pass on what a client and a server say, but cut the first answer to what has this in it, and the connection."""
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
        assert cut, "there was such an answer"
        for task in passing:
            task.cancel()
        await asyncio.wait(passing)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("decoded", [True, False], ids=["text", "bytes"])
async def test_any_settings_of_the_client_will_do(
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
        await inbox.record("run", {"é": "sent"})
        assert await inbox.recorded("run") == {"é": "sent"}


@pytest.mark.parametrize("wrong", [{"keep": 0}, {"replicas": -1}, {"prefix": ""}])
async def test_settings_that_make_no_sense_are_refused(redis: Redis, wrong: dict[str, Any]) -> None:
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


async def test_closing_stores_what_was_begun_and_leaves_the_client_open(redis: Redis, inbox: RedisInbox) -> None:
    storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(500)]
    await asyncio.sleep(0)
    await inbox.close()
    assert await asyncio.gather(*storing) == [True] * 500
    assert await redis.ping()


async def test_closing_that_is_cancelled_closes_all_the_same(redis: Redis, inbox: RedisInbox) -> None:
    async with aclosing(inbox.follow("request")) as following:
        await inbox.store(activated(0))
        assert await taken(following, 1) == [0]
        storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(1, 500)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(inbox.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    assert await asyncio.gather(*storing) == [True] * 499
    assert not {name for name in await _names(redis) if name.startswith("wake:")}


async def test_closing_does_not_try_all_that_waits_while_redis_does_not_answer(server: RedisServer) -> None:
    async with _opened(server.url) as inbox:
        server.pause()
        storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(1000)]
        await asyncio.sleep(0.1)
        await asyncio.wait_for(inbox.close(), 3)
        results = await asyncio.gather(*storing, return_exceptions=True)
        assert {type(result) for result in results} == {InboxUnavailable}
        server.resume()


async def test_what_its_sender_has_given_up_is_not_held_while_redis_does_not_answer(server: RedisServer) -> None:
    async with _opened(server.url) as inbox, Redis.from_url(server.url) as redis:
        server.pause()
        for number in range(1000):
            asyncio.get_running_loop().call_later(0.1, asyncio.create_task(inbox.store(activated(number))).cancel)
        with pytest.raises(InboxUnavailable):
            await inbox.store(texted())
        server.resume()
        assert await inbox.store(texted(callbackCount=2)) in (True, False)
        assert await redis.xlen(inbox._keys("messages")) <= 130, "of those that were on their way already"


async def test_many_messages_of_a_megabyte_are_stored_and_read_together(inbox: RedisInbox) -> None:
    bodies = [activated(number, comment="x" * 1_000_000) for number in range(130)]
    assert await asyncio.gather(*(inbox.store(body) for body in bodies)) == [True] * 130
    assert await devices(inbox.read(request_id="request")) == list(range(130))
    assert sorted(await devices(inbox.read())) == list(range(130))


@pytest.mark.parametrize("most", [1, 1000])
async def test_reading_in_parts_leaves_nothing_out_and_repeats_nothing(
    inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(module, "_BYTES_AT_ONCE", most)
    for number in range(230):
        await inbox.store(activated(number), service="even" if number % 2 == 0 else "odd")
    for request_id in (None, "request"):
        assert await devices(inbox.read(request_id=request_id)) == list(range(230))
        assert await devices(inbox.read(request_id=request_id, service="even")) == list(range(0, 230, 2))


# Replicas


async def test_who_follows_in_the_same_process_is_told_of_what_was_kept_without_a_confirmation(redis: Redis) -> None:
    async with RedisInbox(redis, replicas=1) as inbox, aclosing(inbox.follow("request")) as following:
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.1)
        with pytest.raises(InboxUnavailable, match="0 of 1 replicas"):
            await inbox.store(activated(0))
        assert await asyncio.wait_for(waiting, 1) == [0]


async def test_too_few_replicas_are_said_and_the_next_attempt_is_no_second_message(redis: Redis) -> None:
    async with RedisInbox(redis, replicas=1) as inbox:
        for attempt in (1, 2):
            with pytest.raises(InboxUnavailable, match="0 of 1 replicas have the message: see that they run"):
                await inbox.store(activated(0, callbackCount=attempt))
        assert await devices(inbox.read()) == [0]


async def test_with_its_replica_a_message_is_acknowledged_once_that_has_it(server: RedisServer) -> None:
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


# What goes wrong


def _receiver(inbox: RedisInbox) -> Receiver:
    receiver = Receiver(inbox)
    receiver.expect("CarrierService", username="fleet", password="secret")
    return receiver


async def _answer(receiver: Receiver, number: int) -> int:
    body = activated(number, username="fleet", password="secret")
    return (await receiver.handle(body, headers={}, peer=None, service="CarrierService")).status


async def test_while_redis_is_away_the_receiver_answers_503_and_then_200_by_itself(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with _opened(server.url) as inbox:
        receiver = _receiver(inbox)
        assert await _answer(receiver, 0) == 200
        server.stop()
        assert await _answer(receiver, 1) == 503
        assert "the inbox inbox in Redis failed: Redis: it cannot be reached: see that it runs" in caplog.text
        for use in (devices(inbox.read()), inbox.prune(timedelta(0)), inbox.recorded("run"), inbox.record("r", {})):
            with contextlib.suppress(InboxUnavailable):  # Nothing to record needs no Redis.
                await use
        with pytest.raises(InboxUnavailable, match="cannot be reached"):
            await anext(inbox.follow("request"))
        server.start()
        assert await _answer(receiver, 1) == 200
        assert await devices(inbox.read()) == [1]


async def test_a_receiver_starts_while_redis_is_away(server: RedisServer) -> None:
    server.stop()
    async with _opened(server.url) as inbox:
        assert await _answer(_receiver(inbox), 0) == 503
        server.start()
        assert await _answer(_receiver(inbox), 0) == 200


async def test_a_redis_that_does_not_answer_is_not_waited_for(server: RedisServer) -> None:
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


async def test_a_full_memory_is_said_and_pruning_helps(server: RedisServer) -> None:
    async with _opened(server.url) as inbox, Redis.from_url(server.url) as redis:
        await inbox.store(activated(0))
        await redis.config_set("maxmemory", "1")
        with pytest.raises(InboxUnavailable, match="its memory is full: raise maxmemory"):
            await inbox.store(activated(1))
        with pytest.raises(InboxUnavailable, match="its memory is full"):
            await inbox.record("run", {"a": "b"})
        assert await _answer(_receiver(inbox), 1) == 503
        assert await devices(inbox.read()) == [0]
        assert await inbox.prune(timedelta(minutes=-1)) == 1
        await redis.config_set("maxmemory", "0")
        assert await inbox.store(activated(1, callbackCount=2))


async def test_a_replica_after_a_failover_is_said_and_can_still_be_read(server: RedisServer) -> None:
    async with _opened(server.url) as inbox, Redis.from_url(server.url) as redis:
        await inbox.store(activated(0))
        await redis.replicaof("127.0.0.1", 1)
        with pytest.raises(InboxUnavailable, match="it is a replica, which takes no writes"):
            await inbox.store(activated(1))
        assert await _answer(_receiver(inbox), 1) == 503
        assert await devices(inbox.read()) == [0]
        await redis.replicaof("NO", "ONE")
        assert await inbox.store(activated(1, callbackCount=2))


async def test_of_messages_that_fail_together_each_caller_is_told(server: RedisServer) -> None:
    async with _opened(server.url) as inbox:
        server.stop()
        storing = (inbox.store(activated(number)) for number in range(50))
        results = await asyncio.gather(*storing, return_exceptions=True)
        assert {type(result) for result in results} == {InboxUnavailable}
        assert len({id(result) for result in results}) == 50


@pytest.mark.usefixtures("hasty")
async def test_a_follower_goes_on_after_redis_was_restarted_empty(
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
    assert "followers wait for Redis to come back" in caplog.text
    assert "the inbox inbox in Redis is back" in caplog.text


@pytest.mark.usefixtures("hasty")
async def test_a_follower_gets_what_another_process_stored_before_it_was_back(hasty: None) -> None:
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        async with _opened(server.url) as inbox, aclosing(inbox.follow("request")) as following:
            async with _opened(server.url) as another:
                assert await another.store(activated(0))
                waiting = asyncio.create_task(taken(following, 3))
                server.stop()
                server.start()
                assert await another.store(activated(1))
                server.stop(signal.SIGTERM)
                server.start()
                assert await another.store(activated(2))
            assert await asyncio.wait_for(waiting, 5) == [0, 1, 2]


@pytest.mark.usefixtures("hasty")
async def test_a_follower_that_looks_while_redis_is_away_waits_for_it(server: RedisServer) -> None:
    async with _opened(server.url) as inbox, aclosing(inbox.follow("request")) as following:
        await inbox.store(activated(0))
        assert await taken(following, 1) == [0]
        server.stop()
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0)
        inbox._followers.wake_all()  # It looks, and meets the error.
        await asyncio.sleep(0.2)
        assert not waiting.done()
        server.start()
        assert await inbox.store(activated(1))
        assert await asyncio.wait_for(waiting, 5) == [1]


@pytest.mark.usefixtures("hasty")
async def test_a_follower_that_begins_while_redis_is_away_waits_for_it_if_it_was_there_before(
    server: RedisServer,
) -> None:
    async with _opened(server.url) as inbox, aclosing(inbox.follow("another")) as following:
        earlier = asyncio.create_task(taken(following, 1))
        await inbox.store(activated(0, requestId="another"))
        assert await earlier == [0]
        server.stop()
        begun = inbox.follow("request")
        waiting = asyncio.create_task(taken(begun, 1))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        server.start()
        async with _opened(server.url) as other:
            assert await other.store(activated(1))
            assert await asyncio.wait_for(waiting, 5) == [1]
        await begun.aclose()


@pytest.mark.usefixtures("hasty")
async def test_a_follower_gives_up_when_redis_stays_away(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wakes, "_PATIENCE", 0.3)
    async with _opened(server.url) as inbox, aclosing(inbox.follow("request")) as following:
        await inbox.store(activated(0))
        assert await taken(following, 1) == [0]
        server.stop()
        with pytest.raises(InboxUnavailable, match=r"has been away for more than 0\.3 s"):
            await asyncio.wait_for(taken(following, 1), 5)


@pytest.mark.usefixtures("hasty")
async def test_a_follower_gives_up_when_redis_answers_all_but_what_it_asks(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wakes, "_PATIENCE", 1)
    async with _opened(server.url) as inbox, Redis.from_url(server.url) as redis:
        await redis.acl_setuser("default", enabled=True, commands=["-zrangebyscore"])
        with pytest.raises(InboxUnavailable):
            await asyncio.wait_for(taken(inbox.follow("request"), 1), 5)
        following = inbox.follow("request")
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.3)
        await redis.acl_setuser("default", enabled=True, commands=["+zrangebyscore"])
        await inbox.store(activated(0))
        assert await asyncio.wait_for(waiting, 5) == [0], "it bears with that for a while"
        await following.aclose()


async def test_no_name_of_a_key_tells_who_it_is(redis: Redis, inbox: RedisInbox) -> None:
    async with RedisInbox(redis, name="jane.doe") as hers:
        await hers.store(json.dumps({"username": "jane.doe"}).encode())
    assert all("jane" not in text_of(key) for key in await redis.keys())


@pytest.mark.slow
async def test_of_100_000_messages_in_random_order_with_repeats_none_is_lost_and_none_is_kept_twice(
    inbox: RedisInbox,
) -> None:
    await take_100_000(inbox)
