"""Promises of the ledger in Redis, in addition to those of every ledger."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import attrs
import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.crc import key_slot

from tests.callbacks.inbox.claiming import claim_all, device, join, keys_of
from tests.redis.servers import ClusterServers, RedisServer
from thingspace_async._core.ledger import BatchState, Claim, Place, WorkerState
from thingspace_async.errors import InboxUnavailable, InvalidRequest, RunLost
from thingspace_async.redis import _ledger
from thingspace_async.redis.inbox import RedisInbox


@pytest.fixture
async def inbox(redis: Redis) -> AsyncIterator[RedisInbox]:
    async with RedisInbox(redis) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Start a server for one test alone."""
    with RedisServer() as started:
        yield started


# A Redis that has gone back to an older state


async def test_after_redis_was_restored_from_a_copy_workers_that_saw_later_changes_get_run_lost(
    server: RedisServer,
) -> None:
    async with Redis.from_url(server.url) as client, RedisInbox(client) as inbox:
        ledger = inbox.ledger
        sender, other = await join(ledger, "sender"), await join(ledger, "other")
        await ledger.claim(sender, "batch", [device(1)], size=0, most=10, seconds=60)
        await client.save()
        sent = await ledger.change(sender, "batch", fence=1, worker="sender", state=BatchState.SENDING)
        await ledger.lease(other, description="", state=WorkerState.WORKING, seconds=60)
        server.stop(signal.SIGKILL)
        server.start()
        await client.connection_pool.disconnect()
        for place in (other, sender):
            with pytest.raises(RunLost, match="find out which requests were sent before you continue the run"):
                await ledger.change(place, "batch", fence=1, worker=place.worker, state=BatchState.SENDING)
        record = attrs.evolve(sent, rows=b"1")
        await ledger.put_back(sender, record, description="activate", keys=keys_of(1))
        (kept,) = await ledger.batches(sender)
        assert (kept.state, kept.fence) == (BatchState.SENDING, 2), "no worker may take it for unsent"
        with pytest.raises(RunLost):
            await ledger.look(Place("run", "other", other.id, sender.counter + 1))


async def test_after_redis_was_emptied_workers_get_run_lost(inbox: RedisInbox, redis: Redis) -> None:
    place = await join(inbox.ledger, "one")
    await redis.flushall()
    with pytest.raises(RunLost):
        await inbox.ledger.lease(place, description="activate", state=WorkerState.WORKING, seconds=60)
    await join(inbox.ledger, "two")
    with pytest.raises(RunLost):
        await inbox.ledger.claim(place, "batch", [device(1)], size=0, most=1, seconds=60)


# Replicas


async def test_each_change_waits_for_the_replicas(server: RedisServer) -> None:
    with RedisServer("--replicaof", "127.0.0.1", str(server.port), "--repl-diskless-sync-delay", "0") as replica:
        async with (
            Redis.from_url(server.url) as client,
            Redis.from_url(replica.url) as copy,
            RedisInbox(client, replicas=1) as inbox,
        ):
            async with asyncio.timeout(10):
                while (await copy.info("replication"))["master_link_status"] != "up":
                    await asyncio.sleep(0.02)
            one = await join(inbox.ledger, "one")
            (state,) = await copy.keys("*state")
            assert await copy.hget(state, "counter") == b"%d" % one.counter
            assert await inbox.ledger.claim(one, "a", [device(1)], size=0, most=2, seconds=60) == [Claim.NEW]
            assert await copy.hget(state, "counter") == b"%d" % one.counter
            replica.pause()
            seen = one.counter
            for _ in range(2):  # The second call only waits: the change is made already.
                with pytest.raises(InboxUnavailable, match="the run run failed: 0 of 1 replicas have the change"):
                    await inbox.ledger.change(one, "a", fence=1, worker="one", state=BatchState.SENDING)
                assert one.counter == seen
            replica.resume()
            changed = await inbox.ledger.change(one, "a", fence=1, worker="one", state=BatchState.SENDING)
            assert (changed.fence, changed.state) == (2, BatchState.SENDING)
            assert await copy.hget(state, "counter") == b"%d" % one.counter


# Memory and clients


async def test_each_claim_takes_eight_bytes(inbox: RedisInbox, redis: Redis) -> None:
    await claim_all(inbox.ledger, await join(inbox.ledger, "one"), 500)
    of_all: Any = redis.pipeline(transaction=False)
    for key in await redis.keys("*"):
        of_all.object("encoding", key)
    encodings = Counter(await of_all.execute())
    assert encodings[b"intset"] > 900
    assert encodings[b"hashtable"] == 0


async def test_the_client_may_decode_responses(redis_server: RedisServer, redis: Redis) -> None:
    async with Redis.from_url(redis_server.url, decode_responses=True) as client, RedisInbox(client) as inbox:
        one = await join(inbox.ledger, "one")
        assert await inbox.ledger.claim(one, "a", [device(1), device(2)], size=0, most=2, seconds=60) == [Claim.NEW] * 2
        (found,) = await inbox.ledger.batches(one, worker="one")
        kept = await inbox.ledger.batch(one, "a")
        assert kept is not None
        assert (found.key, kept.rows) == ("a", b"1\n2")
        await inbox.ledger.lease(one, description="", state=WorkerState.LEFT, seconds=1)
        await inbox.ledger.forget("run")
        assert await redis.keys("*") == []


async def test_a_cluster_keeps_all_of_an_inboxs_runs_in_one_slot() -> None:
    with ClusterServers() as cluster:
        nodes = [ClusterNode("127.0.0.1", one.port) for one in cluster.servers]
        async with RedisCluster(startup_nodes=nodes, decode_responses=True) as client, RedisInbox(client) as inbox:
            one = await join(inbox.ledger, "one")
            assert len(await claim_all(inbox.ledger, one, 50)) == 50
            assert len(await inbox.ledger.batches(one, worker="one")) == 5
            record = await inbox.ledger.batch(one, "one 0")
            assert record is not None
            await inbox.ledger.put_back(one, record, description="", keys=keys_of(1))
            assert await inbox.ledger.release(one, "one 0", fence=1, keys=keys_of(1))
            keys = await client.keys("*", target_nodes=RedisCluster.PRIMARIES)
            assert len({key_slot(str(key).encode()) for key in keys}) == 1
            await inbox.ledger.lease(one, description="", state=WorkerState.LEFT, seconds=1)
            await inbox.forget_run("run")
            assert await client.keys("*", target_nodes=RedisCluster.PRIMARIES) == []


# Listing


async def test_all_batches_are_listed_if_there_are_more_than_one_call_lists(
    inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ledger, "_AT_ONCE", 4)
    one = await join(inbox.ledger, "one")
    await claim_all(inbox.ledger, one, 120)
    keys = [found.key for found in await inbox.ledger.batches(one)]
    assert keys == sorted(f"one {start}" for start in range(0, 120, 10))
    assert [found.key for found in await inbox.ledger.batches(one, worker="one", limit=9)] == keys[:9]


# Forgetting


async def test_a_partly_forgotten_run_is_refused_until_it_is_forgotten_completely(
    inbox: RedisInbox, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await join(inbox.ledger, "one")
    await claim_all(inbox.ledger, one, 50)
    record = await inbox.ledger.batch(one, "one 0")
    assert record is not None
    await inbox.ledger.lease(one, description="", state=WorkerState.LEFT, seconds=1)

    async def some_keys(ledger: _ledger.RedisLedger, run: str) -> AsyncIterator[list[str]]:
        yield [ledger._of(run)("batch", "one 0")]
        raise InboxUnavailable("Redis is unreachable")

    with monkeypatch.context() as patch:
        patch.setattr(_ledger.RedisLedger, "_all_keys", some_keys)
        with pytest.raises(InboxUnavailable, match="is unreachable"):
            await inbox.forget_run("run")
    with pytest.raises(InvalidRequest, match=r"being forgotten, or was forgotten in part: .* or call it again"):
        await join(inbox.ledger, "two")
    before = one.counter
    await inbox.ledger.put_back(one, record, description="activate", keys=keys_of(1000))
    assert one.counter == before
    await inbox.forget_run("run")
    assert await redis.keys("*") == []


async def test_a_slow_forget_run_leaves_a_new_run_of_the_same_name_alone(
    inbox: RedisInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, go_on, all_keys = asyncio.Event(), asyncio.Event(), _ledger.RedisLedger._all_keys

    async def slow_keys(ledger: _ledger.RedisLedger, run: str) -> AsyncIterator[list[str]]:
        async for keys in all_keys(ledger, run):
            going.set()
            await go_on.wait()
            yield keys

    one = await join(inbox.ledger, "one")
    await claim_all(inbox.ledger, one, 10)
    await inbox.ledger.lease(one, description="", state=WorkerState.LEFT, seconds=1)
    with monkeypatch.context() as patch:
        patch.setattr(_ledger.RedisLedger, "_all_keys", slow_keys)
        slow = asyncio.create_task(inbox.forget_run("run"))
        await going.wait()
    await inbox.forget_run("run")
    two = await join(inbox.ledger, "two")
    assert len(await claim_all(inbox.ledger, two, 10)) == 10
    go_on.set()
    await slow
    assert await claim_all(inbox.ledger, await join(inbox.ledger, "three"), 10) == []
    assert len(await inbox.ledger.batches(two)) == 1


# Runs of earlier versions


async def begun_by_an_earlier_version(inbox: RedisInbox, redis: Redis, *, until: int) -> None:
    of = inbox.ledger._of("run")
    await redis.hset(of("run"), mapping={"began as": "devices.activate", "id": "0123"})
    await redis.zadd(of("workers"), {"gone": until})
    await redis.sadd(of("of", "gone"), "one", "two")
    await redis.hset(of("batch", "one"), "state", "accepted")
    await redis.hset(of("batch", "two"), "state", "sending")
    await redis.sadd(of("7"), 7)
    await redis.sadd(of("unsent"), "three")


async def test_a_run_of_an_earlier_version_is_refused_until_it_is_forgotten(inbox: RedisInbox, redis: Redis) -> None:
    await begun_by_an_earlier_version(inbox, redis, until=0)
    for refused in (join(inbox.ledger, "one"), inbox.ledger.look(Place("run", ""))):
        with pytest.raises(InvalidRequest, match=r"begun by an earlier version.*finish it.*or call forget_run"):
            await refused
    await inbox.forget_run("run")
    assert await redis.keys("*") == []
    await join(inbox.ledger, "one")


async def test_a_run_with_live_workers_of_an_earlier_version_is_not_forgotten(inbox: RedisInbox, redis: Redis) -> None:
    now, _ = await redis.time()
    await begun_by_an_earlier_version(inbox, redis, until=(now + 60) * 1000)
    with pytest.raises(InvalidRequest, match="forget_run: a worker of the run run is alive"):
        await inbox.forget_run("run")


async def test_a_run_that_an_earlier_version_noted_outside_the_ledger_is_refused_too(
    inbox: RedisInbox, redis: Redis
) -> None:
    await redis.hset(inbox._keys("noted", "run"), "operation", "devices.activate")
    with pytest.raises(InvalidRequest, match="begun by an earlier version"):
        await join(inbox.ledger, "one")
    await inbox.forget_run("run")
    assert await redis.keys("*") == []
