"""Fleet runs that several workers divide: each device is sent exactly once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster

from tests.fleet.staging import Stage, all_of, fleet, requests, results, staged, until
from tests.redis.servers import ClusterServers, RedisServer
from thingspace_async import DeviceIds, errors
from thingspace_async._core import runs as ledger
from thingspace_async._core import store
from thingspace_async.devices import FleetOutcome, FleetProgress, FleetResult
from thingspace_async.devices.fleet import run as running
from thingspace_async.redis.inbox import RedisInbox
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.faults import Delay, Status

pytestmark = pytest.mark.processes


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "REQUESTS_PER_MINUTE", 60_000)
    monkeypatch.setattr(ledger, "LEASE", 1.5)
    monkeypatch.setattr(ledger, "_PAUSE", 0.1)
    monkeypatch.setattr(running, "_HELP_INTERVAL", 0.1)


@pytest.fixture
async def stage(redis: Redis) -> AsyncIterator[Stage]:
    async with RedisInbox(redis) as inbox, staged(inbox) as ready:
        yield ready


@pytest.mark.parametrize("changes", [{"service_plan": "M2M_PP"}, {"carrier_name": "Verizon"}], ids=str)
async def test_a_worker_with_other_options_is_refused_at_once(stage: Stage, changes: dict[str, str]) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.3), times=None)
    first = asyncio.create_task(stage.all(fleet(20)))
    await until(lambda: len(requests(stage.cloud)) > 0)
    with pytest.raises(errors.InvalidRequest, match=r"run spring was begun with other options.*or use another name"):
        await stage.all(fleet(20), **changes)
    assert results(await first) == all_of(fleet(20), FleetResult.SUCCEEDED)
    with pytest.raises(errors.InvalidRequest, match="with other options"):
        await stage.all(fleet(20), **changes)


async def test_a_run_that_claimed_nothing_is_forgotten(stage: Stage, redis: Redis) -> None:
    assert await stage.all([]) == []
    assert await redis.keys("*fleet*") == []


# Redis


@asynccontextmanager
async def unsteady(*options: str) -> AsyncIterator[tuple[RedisServer, Stage]]:
    """Start a server for this test alone, which it may disturb."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(RedisServer(*options))
        client = await stack.enter_async_context(Redis.from_url(server.url))
        inbox = await stack.enter_async_context(RedisInbox(client))
        yield server, await stack.enter_async_context(staged(inbox))


async def delivered(stage: Stage, *runs: asyncio.Task[list[FleetOutcome]]) -> list[FleetOutcome]:
    """Wait for runs, and advance the clock while they send nothing: the platform repeats a callback after five minutes.

    While they send, the clock stands still: after twenty minutes their session would end, and requests be repeated.
    """
    sent = -1
    while not all(run.done() for run in runs):
        if len(stage.sent) == sent:
            stage.cloud.clock.advance(timedelta(minutes=5))
        sent = len(stage.sent)
        await asyncio.sleep(1.5)
    assert stage.cloud.count("session.log_in") == 1
    return [outcome for run in runs for outcome in await run]


@pytest.mark.slow
async def test_a_run_continues_after_a_short_outage_of_redis() -> None:
    joined: set[int] = set()

    def run(stage: Stage, number: int) -> asyncio.Task[list[FleetOutcome]]:
        return asyncio.create_task(stage.all(fleet(200), in_flight=2, on_progress=lambda *_: joined.add(number)))

    async with unsteady() as (server, stage):
        stage.cloud.faults.add("devices.activate", Delay(0.1), times=None)
        both = [run(stage, number) for number in (1, 2)]
        await until(lambda: len(joined) == 2)
        server.pause()
        await asyncio.sleep(2)
        server.resume()
        assert results(await delivered(stage, *both)) == all_of(fleet(200), FleetResult.SUCCEEDED)
        assert len(stage.sent) == 200


@pytest.mark.slow
async def test_a_run_ends_if_redis_stays_unavailable_and_continues_when_it_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "_PATIENCE", 0.1)
    async with unsteady("--appendonly", "yes", "--appendfsync", "always") as (server, stage):
        stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
        run = asyncio.create_task(stage.all(fleet(200), in_flight=2))
        await until(lambda: len(requests(stage.cloud)) > 3)
        server.stop()
        with pytest.raises(errors.InboxUnavailable, match="Redis: it cannot be reached"):
            await run
        server.start()
        again = asyncio.create_task(stage.all(fleet(200)))
        assert results(await delivered(stage, again)) == all_of(fleet(200), FleetResult.SUCCEEDED)
        assert len(stage.sent) == 200


async def test_a_run_ends_if_redis_has_lost_it_and_continues_with_the_batches_that_were_written_back(
    redis: Redis, stage: Stage
) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
    run = asyncio.create_task(stage.all(fleet(200), in_flight=2))
    await until(lambda: len(requests(stage.cloud)) > 3)
    ledger_keys = await redis.keys("*fleet*")
    await redis.delete(*ledger_keys)
    with pytest.raises(errors.RunLost, match="has lost confirmed changes"):
        await run
    assert len(stage.sent) == len(set(stage.sent)) < 200
    assert results(await stage.all(fleet(200))) == all_of(fleet(200), FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 200


async def test_without_redis_nothing_is_sent() -> None:
    async with unsteady() as (server, stage):
        server.stop()
        with pytest.raises(errors.InboxUnavailable, match="cannot be reached"):
            await stage.all(fleet(5), give_up_after=timedelta(seconds=0.1))
        assert requests(stage.cloud) == []


# Two workers


async def test_workers_may_be_given_different_devices(stage: Stage) -> None:
    first, second = await asyncio.gather(stage.all(fleet(50)), stage.all(fleet(50, first=30)))
    assert results([*first, *second]) == all_of(fleet(80), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 80


async def test_a_worker_that_has_finished_waits_for_the_others(stage: Stage) -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[DeviceIds]:
        for device in fleet(10, first=100):
            yield device
        await go_on.wait()

    async def walk(devices: Any) -> list[FleetOutcome]:
        return await stage.all(devices)

    late = asyncio.create_task(walk(slow()))
    quick = asyncio.create_task(walk(fleet(10)))
    await until(lambda: len(requests(stage.cloud)) == 2)
    await asyncio.sleep(0.3)
    assert not quick.done()
    go_on.set()
    assert len(await quick) == len(await late) == 10


async def test_progress_of_each_worker_adds_up(stage: Stage) -> None:
    reported: list[list[FleetProgress]] = [[], []]
    found = await asyncio.gather(*(stage.all(fleet(100), in_flight=2, on_progress=one.append) for one in reported))
    for progress, outcomes in zip(reported, found, strict=True):
        assert (progress[-1].done, progress[-1].total) == (len(outcomes), len(outcomes))


async def test_in_a_cluster_workers_divide_runs_on_several_nodes_and_forget_them() -> None:
    with ClusterServers() as servers:
        async with RedisCluster(host="127.0.0.1", port=servers.servers[0].port) as client:
            for name in ("one", "two", "three"):
                async with RedisInbox(client, name=name) as inbox, staged(inbox) as stage:
                    both = (stage.all(fleet(50), in_flight=1), stage.all(fleet(50)[::-1], in_flight=1))
                    first, second = await asyncio.gather(*both)
                    once = [outcome for outcome in [*first, *second] if not outcome.repeat]
                    assert results(once) == all_of(fleet(50), FleetResult.SUCCEEDED)
                    assert results(await stage.all(fleet(60))) == all_of(fleet(60), FleetResult.SUCCEEDED)
                    assert len(stage.sent) == 60
                    await forget(stage)
            assert await client.keys("*fleet*", target_nodes="all") == []


# Started again


async def test_a_run_that_is_started_again_sends_nothing_twice_and_returns_all_outcomes(stage: Stage) -> None:
    both = await asyncio.gather(stage.all(fleet(50), in_flight=1), stage.all(fleet(50)[::-1], in_flight=1))
    assert sum(map(len, both)) == 50
    again = await stage.all(random.sample(fleet(70), 70))
    assert results(again) == all_of(fleet(70), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 70


async def test_devices_that_were_not_sent_are_sent_by_the_next_run_that_is_given_them(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status.too_many_requests(), times=2)
    assert results(await stage.all(fleet(20), give_up_after=timedelta())) == all_of(fleet(20), FleetResult.NOT_SENT)
    assert results(await stage.all(fleet(15))) == all_of(fleet(15), FleetResult.SUCCEEDED)
    assert len(requests(stage.cloud)) == 4


async def test_two_workers_that_are_started_again_divide_the_remaining_devices(stage: Stage) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    await stage.all(fleet(100), timeout=timedelta())
    stage.cloud.clock.advance(timedelta(hours=2))
    both = await asyncio.gather(stage.all(fleet(100), in_flight=1), stage.all(fleet(100), in_flight=1))
    assert results([*both[0], *both[1]]) == all_of(fleet(100), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 100


# Forgotten


async def forget(stage: Stage) -> None:
    await stage.outcomes.inbox.forget_run("spring")


async def test_a_forgotten_run_leaves_nothing_and_starts_from_the_beginning(stage: Stage, redis: Redis) -> None:
    await asyncio.gather(stage.all(fleet(50), in_flight=1), stage.all(fleet(50)[::-1], in_flight=1))
    await stage.all(fleet(5), run="summer")
    kept = await redis.keys("*fleet*")
    await forget(stage)
    left = await redis.keys("*fleet*")
    assert 0 < len(left) < len(kept)
    await stage.outcomes.inbox.forget_run("summer")
    assert await redis.keys("*fleet*") == []
    assert results(await stage.all(fleet(50))) == all_of(fleet(50), FleetResult.FAILED)  # They are active already.
