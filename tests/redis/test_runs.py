"""Fleet runs that several workers divide: each device is sent once, and none is forgotten."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.crc import key_slot

from tests.products.test_fleet import Stage, all_of, fleet, imei, imeis, new, requests, results, staged
from tests.redis.servers import ClusterServers, RedisServer
from thingspace_async import DeviceIds, _store, errors
from thingspace_async._outcomes import Batch, Part, State
from thingspace_async.devices import FleetOutcome, FleetResult
from thingspace_async.devices.fleet import run as running
from thingspace_async.redis import ledger
from thingspace_async.redis._keys import Keys
from thingspace_async.redis.inbox import RedisInbox
from thingspace_async.redis.ledger import RedisRuns
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.faults import Delay, Status

ROOT = Path(__file__).parents[2]
KEYS = Keys("thingspace", "inbox", "inbox")
LEASE = 1.5
BEGAN_AS = "devices.activate 0"


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_store, "REQUESTS_A_MINUTE", 60_000)
    monkeypatch.setattr(ledger, "LEASE", LEASE)
    monkeypatch.setattr(running, "_LOOKED_AFTER", 0.1)


@pytest.fixture
async def stage(redis: Redis) -> AsyncIterator[Stage]:
    async with RedisInbox(redis) as inbox, staged(inbox) as ready:
        yield ready


class Worker:
    """A process that takes part in the run."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @property
    def _lines(self) -> asyncio.StreamReader:
        assert self.process.stdout is not None
        return self.process.stdout

    async def told(self) -> dict[str, FleetResult]:
        """Wait for its end, and return what it told before."""
        lines = (await self._lines.read()).decode().splitlines(keepends=True)
        await self.process.wait()
        words = [line.split(maxsplit=1) for line in lines if line.endswith("\n")]
        assert len({name for name, _ in words}) == len(words)
        return {name: FleetResult(result.strip()) for name, result in words}

    async def all(self) -> dict[str, FleetResult]:
        """Wait until it has ended by itself."""
        found = await self.told()
        assert self.process.returncode == 0
        return found


class Workers:
    """Starts processes, and ends those that are left."""

    def __init__(self, stage: Stage, url: str) -> None:
        known = stage.cloud.credentials
        self._task = {
            "redis": url,
            "url": stage.cloud.url,
            "credentials": {
                "client_id": known.client_id,
                "client_secret": known.client_secret.reveal(),
                "username": known.username,
                "password": known.password.reveal(),
            },
            "lease": LEASE,
            "requests_a_minute": 60_000,
            "devices": 200,
        }
        self._started: list[Process] = []

    async def start(self, order: int = 0, *, devices_a_request: int = 10, in_flight: int = 4, **task: Any) -> Worker:
        options = {"devices_a_request": devices_a_request, "in_flight": in_flight}
        text = json.dumps({**self._task, "order": order, "options": options, **task})
        words = [sys.executable, "-m", "tests.redis.working", text]
        process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=subprocess.PIPE)
        self._started.append(process)
        return Worker(process)

    async def end(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
async def workers(stage: Stage, redis_server: RedisServer) -> AsyncIterator[Workers]:
    made = Workers(stage, redis_server.url)
    yield made
    await made.end()


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def check(stage: Stage, devices: list[DeviceIds], *told: dict[str, FleetResult]) -> None:
    """See that each device was sent once at most, and that each has an outcome, or was unknown."""
    assert len(stage.sent) == len(set(stage.sent))
    found: dict[str, FleetResult] = {}
    for some in told:
        found |= some
    assert set(found) == set(map(imei, devices))
    assert set(found.values()) <= {FleetResult.SUCCEEDED, FleetResult.UNKNOWN}
    unknown = {name for name, result in found.items() if result is FleetResult.UNKNOWN}
    assert set(stage.sent) | unknown == set(found)


# What goes wrong


@pytest.mark.slow
async def test_a_worker_that_is_killed_before_it_sends_leaves_its_devices_to_another(
    stage: Stage, workers: Workers
) -> None:
    devices = fleet(60)
    slow = await workers.start(devices=60, requests_a_minute=1)
    await until(lambda: len(requests(stage.cloud)) == 1)
    await asyncio.sleep(0.3)
    slow.process.kill()
    told = await slow.told()
    found = results(await stage.all(random.sample(devices, 60)))
    assert found == all_of(devices, FleetResult.SUCCEEDED)
    check(stage, devices, told, found)


async def test_what_a_worker_was_sending_when_it_was_killed_is_unknown(stage: Stage, workers: Workers) -> None:
    stage.cloud.faults.add("devices.activate", Delay(30), after=2)
    other = await workers.start(in_flight=1)  # The third request is sent when the others have ended.
    await until(lambda: len(requests(stage.cloud)) >= 3)
    unanswered = imeis(requests(stage.cloud)[2])
    surviving = asyncio.create_task(stage.all(fleet(200)))
    await asyncio.sleep(0.1)
    other.process.kill()
    told = await other.told()
    found = results(await surviving)
    assert {name for name, result in found.items() if result is FleetResult.UNKNOWN} == set(unanswered)
    check(stage, fleet(200), told, found)


@pytest.mark.slow
async def test_what_a_killed_worker_had_accepted_is_awaited_by_another(stage: Stage, workers: Workers) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    other = await workers.start(devices=40)
    await until(lambda: len(stage.cloud.late_requests) == 4)
    await asyncio.sleep(0.3)
    surviving = asyncio.create_task(stage.all(fleet(40)))
    await asyncio.sleep(0.3)
    assert not surviving.done()
    other.process.kill()
    assert await other.told() == {}
    stage.cloud.clock.advance(timedelta(hours=2))
    assert results(await surviving) == all_of(fleet(40), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 40


@pytest.mark.slow
async def test_workers_that_are_killed_at_any_moment_repeat_and_forget_nothing(stage: Stage, workers: Workers) -> None:
    chance, told = random.Random(5), []
    stage.cloud.faults.add("devices.activate", Delay(0.02), times=None)
    for round_ in range(3):
        both = [await workers.start(order=chance.randrange(100), requests_a_minute=1200) for _ in range(2)]
        await until(partial(lambda count: len(requests(stage.cloud)) > count, 3 * round_))
        await asyncio.sleep(chance.random() * 0.3)
        for one in both:
            one.process.send_signal(signal.SIGKILL)
        told += [await one.told() for one in both]
    found = results(await stage.all(fleet(200)))
    assert len(found) == 200
    check(stage, fleet(200), *told, found)


@pytest.mark.slow
async def test_a_worker_that_was_paused_beyond_its_lease_sends_nothing_that_another_has(
    stage: Stage, workers: Workers
) -> None:
    paused = await workers.start(devices=60, requests_a_minute=40, in_flight=2)
    await until(lambda: len(requests(stage.cloud)) == 1)
    await asyncio.sleep(0.3)
    paused.process.send_signal(signal.SIGSTOP)
    found = results(await stage.all(fleet(60)))
    assert found == all_of(fleet(60), FleetResult.SUCCEEDED)
    paused.process.send_signal(signal.SIGCONT)
    told = await paused.all()
    assert set(told) <= set(imeis(requests(stage.cloud)[0]))
    check(stage, fleet(60), told, found)


@pytest.mark.slow
async def test_a_worker_that_was_paused_while_it_sent_tells_the_ledger_what_it_was_answered(
    stage: Stage, workers: Workers
) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.5))
    paused = await workers.start(devices=10)
    await until(lambda: len(requests(stage.cloud)) == 1)
    paused.process.send_signal(signal.SIGSTOP)
    assert results(await stage.all(fleet(10))) == all_of(fleet(10), FleetResult.UNKNOWN)
    paused.process.send_signal(signal.SIGCONT)
    assert await paused.all() == {}
    assert results(await stage.all(fleet(10))) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 10


async def test_what_a_worker_leaves_undone_is_done_by_another_at_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LEASE", 60.0)
    devices = fleet(100)
    stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
    leaving = asyncio.create_task(stage.all(devices, in_flight=3))
    await until(lambda: len(requests(stage.cloud)) > 2)
    staying = asyncio.create_task(stage.all(devices[::-1], in_flight=3))
    await asyncio.sleep(0.1)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert results(await staying) == all_of(devices, FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 100


async def test_what_ends_one_workers_run_leaves_its_devices_to_the_others(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status(403), times=1)
    stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
    first, second = await asyncio.gather(stage.all(fleet(100)), stage.all(fleet(100)), return_exceptions=True)
    refused, done = (first, second) if isinstance(first, BaseException) else (second, first)
    assert isinstance(refused, errors.Forbidden)
    assert not isinstance(done, BaseException)
    assert results(done) == all_of(fleet(100), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 110  # The refused ones twice, once refused.


@pytest.mark.parametrize("changes", [{"service_plan": "M2M_PP"}, {"carrier_name": "Verizon"}], ids=str)
async def test_a_worker_with_other_options_is_refused_at_once(stage: Stage, changes: dict[str, str]) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.3), times=None)
    first = asyncio.create_task(stage.all(fleet(20)))
    await until(lambda: len(requests(stage.cloud)) > 0)
    with pytest.raises(errors.InvalidRequest, match=r"run spring was begun with other options.*or give another name"):
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
    """A server of the test's own, to be maltreated."""
    async with AsyncExitStack() as stack:
        server = stack.enter_context(RedisServer(*options))
        client = await stack.enter_async_context(Redis.from_url(server.url))
        inbox = await stack.enter_async_context(RedisInbox(client))
        yield server, await stack.enter_async_context(staged(inbox))


async def delivered(stage: Stage, *runs: asyncio.Task[list[FleetOutcome]]) -> list[FleetOutcome]:
    """Wait for runs, and let time pass once they send no more: what was answered 503 comes again after five minutes.

    While they send, twenty minutes would end their session, and requests be repeated that were refused.
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
async def test_a_run_goes_on_when_redis_was_away_for_a_while() -> None:
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
        check(stage, fleet(200), results(await delivered(stage, *both)))


@pytest.mark.slow
async def test_a_run_ends_when_redis_stays_away_and_goes_on_when_it_is_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "_PATIENCE", 0.1)
    async with unsteady("--appendonly", "yes", "--appendfsync", "always") as (server, stage):
        stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
        run = asyncio.create_task(stage.all(fleet(200), in_flight=2))
        await until(lambda: len(requests(stage.cloud)) > 3)
        server.stop()
        with pytest.raises(errors.InboxUnavailable, match="the run spring failed: Redis"):
            await run
        server.start()
        again = asyncio.create_task(stage.all(fleet(200)))
        check(stage, fleet(200), results(await delivered(stage, again)))


async def test_a_run_ends_when_redis_has_lost_it(redis: Redis, stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.05), times=None)
    run = asyncio.create_task(stage.all(fleet(200), in_flight=2))
    await until(lambda: len(requests(stage.cloud)) > 3)
    await redis.flushall()
    with pytest.raises(errors.InboxUnavailable, match="Redis has lost what it kept of it"):
        await run
    assert len(stage.sent) == len(set(stage.sent)) < 200


async def test_without_redis_nothing_is_sent() -> None:
    async with unsteady() as (server, stage):
        server.stop()
        with pytest.raises(errors.InboxUnavailable, match="cannot be reached"):
            await stage.all(fleet(5))
        assert requests(stage.cloud) == []


# Two workers


async def test_two_workers_divide_a_run_whatever_the_order_of_its_devices(stage: Stage, workers: Workers) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.02), times=None)
    both = [await workers.start(order=order, in_flight=2, requests_a_minute=300) for order in (1, 2)]
    told = [await one.all() for one in both]
    assert not set(told[0]) & set(told[1])
    assert min(map(len, told)) > 0
    check(stage, fleet(200), *told)
    assert set(told[0].values()) | set(told[1].values()) == {FleetResult.SUCCEEDED}
    assert len(requests(stage.cloud)) <= 21


@pytest.mark.slow
async def test_of_50_000_devices_each_is_sent_once_or_unknown_when_one_of_two_workers_is_killed_half_way(
    stage: Stage, workers: Workers
) -> None:
    asyncio.get_running_loop().set_debug(False)  # It would take three times as long.
    task: dict[str, Any] = {"devices": 50_000, "devices_a_request": 500, "requests_a_minute": 1200, "lease": 5.0}
    both = [await workers.start(order=order, **task) for order in (1, 2)]
    told = [asyncio.create_task(one.told()) for one in both]
    await until(lambda: len(stage.sent) >= 25_000, 200)
    both[0].process.kill()
    async with asyncio.timeout(400):
        killed, survived = [await one for one in told]
    assert both[1].process.returncode == 0
    check(stage, fleet(50_000), killed, survived)
    assert min(len(killed), len(survived)) > 5_000
    assert len(requests(stage.cloud)) <= 102


async def test_workers_may_name_the_same_devices_by_different_identifiers(stage: Stage) -> None:
    by_one = [one.device_ids[1] for one in fleet(100)]
    first, second = await asyncio.gather(
        stage.all(fleet(100), in_flight=2), stage.all(random.sample(by_one, 100), in_flight=2)
    )
    names = {one.device.device_ids[-1].id for one in (*first, *second)}
    assert len(first) + len(second) == len(names) == 100
    sent = [device for request in requests(stage.cloud) for device in json.loads(request.body)["devices"]]
    assert len({one["deviceIds"][-1]["id"] for one in sent}) == len(sent) == 100


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
    told: list[list[tuple[int, int, int, int | None]]] = [[], []]
    found = await asyncio.gather(
        *(stage.all(fleet(100), in_flight=2, on_progress=lambda *counts, one=one: one.append(counts)) for one in told)
    )
    for counts, outcomes in zip(told, found, strict=True):
        assert counts[-1] == (len(outcomes), 0, 0, len(outcomes))


async def test_in_a_cluster_workers_divide_runs_on_several_nodes_and_forget_them() -> None:
    with ClusterServers() as servers:
        async with RedisCluster(host="127.0.0.1", port=servers.servers[0].port) as client:
            for name in ("one", "two", "three"):
                async with RedisInbox(client, name=name) as inbox, staged(inbox) as stage:
                    both = (stage.all(fleet(50), in_flight=1), stage.all(fleet(50)[::-1], in_flight=1))
                    first, second = await asyncio.gather(*both)
                    assert results([*first, *second]) == all_of(fleet(50), FleetResult.SUCCEEDED)
                    assert results(await stage.all(fleet(60))) == all_of(fleet(60), FleetResult.SUCCEEDED)
                    assert len(stage.sent) == 60
                    await forget(stage)
            assert await client.keys("*fleet*", target_nodes="all") == []


# Started again


async def test_started_again_alone_it_sends_nothing_again_and_gives_all_outcomes(stage: Stage) -> None:
    both = await asyncio.gather(stage.all(fleet(50), in_flight=1), stage.all(fleet(50)[::-1], in_flight=1))
    assert sum(map(len, both)) == 50
    again = await stage.all(random.sample(fleet(70), 70))
    assert results(again) == all_of(fleet(70), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 70


async def test_what_was_not_sent_is_sent_by_the_next_run_only_if_it_is_given(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status.too_many_requests(), times=2)
    assert results(await stage.all(fleet(20))) == all_of(fleet(20), FleetResult.NOT_SENT)
    assert results(await stage.all(fleet(15))) == all_of(fleet(15), FleetResult.SUCCEEDED)
    assert len(requests(stage.cloud)) == 4


async def test_two_workers_that_are_started_again_divide_what_was_left(stage: Stage) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    await stage.all(fleet(100), timeout=timedelta())
    stage.cloud.clock.advance(timedelta(hours=2))
    both = await asyncio.gather(stage.all(fleet(100), in_flight=1), stage.all(fleet(100), in_flight=1))
    assert results([*both[0], *both[1]]) == all_of(fleet(100), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 100


# Forgotten


async def forget(stage: Stage) -> None:
    await stage.outcomes.inbox.forget_run("spring")


async def test_a_run_that_is_forgotten_leaves_nothing_and_begins_anew(stage: Stage, redis: Redis) -> None:
    await asyncio.gather(stage.all(fleet(50), in_flight=1), stage.all(fleet(50)[::-1], in_flight=1))
    await stage.all(fleet(5), run="summer")
    kept = await redis.keys("*fleet*")
    await forget(stage)
    left = await redis.keys("*fleet*")
    assert 0 < len(left) < len(kept)
    await stage.outcomes.inbox.forget_run("summer")
    assert await redis.keys("*fleet*") == []
    assert results(await stage.all(fleet(50))) == all_of(fleet(50), FleetResult.FAILED)  # They are active already.


async def test_a_run_is_not_forgotten_while_a_worker_is_at_it(stage: Stage, workers: Workers) -> None:
    await stage.outcomes.inbox.record("spring", {"a": "b"})
    stage.cloud.faults.add("devices.activate", Delay(0.5))
    other = await workers.start(devices=20)
    await until(lambda: len(requests(stage.cloud)) > 0)
    with pytest.raises(errors.InvalidRequest, match=r"under way.*a worker that crashed counts for 1\.5 s"):
        await forget(stage)
    assert await stage.outcomes.inbox.recorded("spring") == {"a": "b"}
    assert set((await other.all()).values()) == {FleetResult.SUCCEEDED}
    await forget(stage)
    assert await stage.outcomes.inbox.recorded("spring") == {}


async def test_a_run_that_was_forgotten_in_part_is_refused_until_all_of_it_is_forgotten(
    stage: Stage, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def some_keys(part: ledger._RedisPart) -> AsyncGenerator[list[str]]:
        yield [part._bucket(number) for number in range(1000)]
        raise errors.InboxUnavailable("Redis is away")

    await stage.all(fleet(50))
    with monkeypatch.context() as patch:
        patch.setattr(ledger._RedisPart, "_all_keys", some_keys)
        with pytest.raises(errors.InboxUnavailable):
            await forget(stage)
    with pytest.raises(errors.InvalidRequest, match=r"is being forgotten, or was in part: .* or call it again"):
        await stage.all(fleet(50))
    assert len(stage.sent) == 50
    await forget(stage)
    assert await redis.keys("*fleet*") == []


async def test_who_forgets_a_run_too_slowly_leaves_the_next_one_of_its_name_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, go_on, all_keys = asyncio.Event(), asyncio.Event(), ledger._RedisPart._all_keys

    async def slow_keys(part: ledger._RedisPart) -> AsyncGenerator[list[str]]:
        async for keys in all_keys(part):
            going.set()
            await go_on.wait()
            yield keys

    await stage.all(fleet(10))
    with monkeypatch.context() as patch:
        patch.setattr(ledger._RedisPart, "_all_keys", slow_keys)
        slow = asyncio.create_task(forget(stage))
        await going.wait()
    await forget(stage)
    await stage.all(fleet(10, first=100))
    go_on.set()
    await slow
    again = await stage.all(fleet(10, first=100))
    assert results(again) == all_of(fleet(10, first=100), FleetResult.SUCCEEDED)
    assert len(requests(stage.cloud)) == 2


# The ledger


@pytest.fixture
def no_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have workers do as those that are paused."""
    monkeypatch.setattr(ledger, "LEASE", 0.3)

    async def beat(_: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(ledger._RedisPart, "beat", beat)


@pytest.fixture(params=[False, True], ids=["bytes", "text"])
async def two_parts(
    request: pytest.FixtureRequest, redis_server: RedisServer, redis: Redis, no_beats: None
) -> AsyncIterator[tuple[Part, Part]]:
    """Two workers of a run; the clients' answers are decoded, or not."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Redis.from_url(redis_server.url, decode_responses=request.param))
        joined = [RedisRuns(client, KEYS).join("spring", BEGAN_AS) for _ in range(2)]
        first, second = [await stack.enter_async_context(one) for one in joined]
        yield first, second


async def claimed(part: Part, *devices: DeviceIds) -> Batch:
    batch, _ = await part.claim(Batch(), devices, 100)
    assert batch.devices == devices
    return batch


async def test_a_worker_without_a_lease_loses_what_it_claimed_and_nothing_else(two_parts: tuple[Part, Part]) -> None:
    first, second = two_parts
    sending, waiting = await claimed(first, new(1)), await claimed(first, *fleet(3, first=2))
    assert await first.begin(sending)
    assert await second.adopt() is None
    await asyncio.sleep(0.35)
    adopted = [await second.adopt(), await second.adopt(), await second.adopt()]
    assert {one.key: (one.devices, one.state) for one in adopted if one is not None} == {
        sending.key: (sending.devices, State.SENDING),
        waiting.key: (waiting.devices, State.CLAIMED),
    }
    assert not await first.begin(waiting)
    assert await second.begin(waiting)
    assert not await first.note(sending, State.ACCEPTED, "id")
    grown, left = await first.claim(waiting, (new(9),), 100)
    assert (grown.key != waiting.key, grown.devices, left) == (True, (), (new(9),))
    assert (await claimed(first, new(9))).devices == (new(9),)


async def adopted(part: Part) -> set[str]:
    found = set()
    while (batch := await part.adopt()) is not None:
        found.add(batch.key)
    return found


async def test_a_batch_is_adopted_by_one(two_parts: tuple[Part, Part], redis: Redis) -> None:
    first, second = two_parts
    for number in range(20):
        await claimed(first, new(number))
    async with RedisRuns(redis, KEYS).join("spring", BEGAN_AS) as third:
        await asyncio.sleep(0.35)
        found = await asyncio.gather(adopted(second), adopted(third))
    assert min(map(len, found)) > 0
    assert sum(map(len, found)) == len(found[0] | found[1]) == 20


async def test_a_claim_whose_answer_was_lost_is_answered_again(two_parts: tuple[Part, Part]) -> None:
    first, second = two_parts
    await claimed(second, new(1))
    begun = Batch()
    once = await first.claim(begun, tuple(fleet(4)), 2)
    assert once == await first.claim(begun, tuple(fleet(4)), 2)
    assert once == (Batch(key=begun.key, devices=(new(0), new(2))), (new(3),))
    grown = await first.claim(once[0], tuple(fleet(3, first=3)), 100)
    assert grown == await first.claim(once[0], tuple(fleet(3, first=3)), 100)
    assert grown[0].devices == (new(0), new(2), new(3), new(4), new(5))


async def test_only_the_first_of_those_that_begin_again_prepares_the_run(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = RedisRuns(redis, KEYS)
    async with runs.join("spring", BEGAN_AS) as part:
        await claimed(part, *fleet(5))
    monkeypatch.setattr(ledger, "LEASE", 60.0)
    all_have = asyncio.Barrier(5)

    async def claim() -> int:
        async with runs.join("spring", BEGAN_AS) as one:
            batch, _ = await one.claim(Batch(), tuple(fleet(5)), 100)
            await all_have.wait()
            return len(batch.devices)

    assert sorted(await asyncio.gather(*(claim() for _ in range(5)))) == [0, 0, 0, 0, 5]


async def test_claims_are_kept_in_eight_bytes_each(redis: Redis) -> None:
    async with RedisRuns(redis, KEYS).join("spring", BEGAN_AS) as part:
        await part.claim(Batch(), tuple(fleet(500)), 1000)
        keys: list[bytes] = await redis.keys("*fleet*")  # type: ignore[assignment]  # bytes or texts
        sets = [key for key in keys if await redis.type(key) == b"set"]
        encodings = Counter([await redis.object("encoding", key) for key in sets])
    assert encodings[b"intset"] > 900
    assert encodings.total() - encodings[b"intset"] == 2  # Of the unsent, and of the worker's.
    assert len(set(map(key_slot, keys))) == 1
