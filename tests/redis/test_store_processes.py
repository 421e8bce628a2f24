"""Many worker processes with one platform and one Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator

import pytest
from redis.asyncio import Redis

from tests.redis.servers import RedisServer
from tests.redis.workers import call, fork
from thingspace_async import Credentials, Secret, Session
from thingspace_async.errors import LoginRefused
from thingspace_async.redis import RedisStore, _lock, _tokens
from thingspace_async.simulator import Delay, Simulator

pytestmark = pytest.mark.processes

LOG_IN = "session.log_in"
WRONG = Secret("wrong")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=1) as cloud:
        yield cloud


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as client:
        yield client


async def _gate(client: Redis, name: str) -> None:
    """Wait until a key exists."""
    async with asyncio.timeout(30):
        while not await client.exists(name):
            await asyncio.sleep(0.01)


async def _expired(
    server: RedisServer, cloud: Simulator, redis: Redis, *, workers: int, calls: int
) -> tuple[list[int], int]:
    """Let workers find an expired session at the same time. Return their results and the number of logins."""
    environment, credentials = cloud.environment, cloud.credentials

    async def wait() -> None:
        async with Redis.from_url(server.url) as client:
            await client.incr("ready")
            await _gate(client, "go")

    def work() -> Awaitable[object]:
        return call(server.url, credentials, environment, calls=calls, before=wait)

    children = [fork(work) for _ in range(workers)]
    while int(await redis.get("ready") or 0) < workers:
        await asyncio.sleep(0.01)
    before = cloud.count(LOG_IN)
    cloud.expire_sessions()
    await redis.set("go", 1)
    done = await asyncio.gather(*(child.result() for child in children))
    return done, cloud.count(LOG_IN) - before


async def test_workers_that_find_an_expired_session_at_once_log_in_once(
    server: RedisServer, cloud: Simulator, redis: Redis
) -> None:
    assert await _expired(server, cloud, redis, workers=4, calls=20) == ([20] * 4, 1)
    assert cloud.count(LOG_IN) == 2


@pytest.mark.slow
async def test_sixteen_processes_of_200_calls_that_find_an_expired_session_at_once_log_in_once(
    server: RedisServer, cloud: Simulator, redis: Redis
) -> None:
    assert await _expired(server, cloud, redis, workers=16, calls=200) == ([200] * 16, 1)


async def _refused(server: RedisServer, cloud: Simulator, workers: int) -> None:
    credentials = cloud.credentials.with_password(WRONG)
    environment = cloud.environment

    def work() -> Awaitable[object]:
        return call(server.url, credentials, environment, calls=1)

    outcomes = await asyncio.gather(*(fork(work).result() for _ in range(workers)))
    assert [type(outcome) for outcome in outcomes] == [LoginRefused] * workers
    assert cloud.count(LOG_IN) == 1


async def test_a_wrong_password_in_four_processes_is_refused_once(server: RedisServer, cloud: Simulator) -> None:
    await _refused(server, cloud, 4)


@pytest.mark.slow
async def test_a_wrong_password_in_sixteen_processes_is_refused_once(server: RedisServer, cloud: Simulator) -> None:
    await _refused(server, cloud, 16)


async def _killed(server: RedisServer, cloud: Simulator, redis: Redis, times: int) -> None:
    """Kill a worker in the middle of its login. The two that wait for it must complete their calls."""
    environment, credentials = cloud.environment, cloud.credentials

    def work() -> Awaitable[object]:
        return call(server.url, credentials, environment, calls=2)

    await fork(work).result()
    cut_short = 0
    for _ in range(times):
        await redis.delete(*await redis.keys("*token:session"), "none")
        before = cloud.count(LOG_IN)
        cloud.faults.add(LOG_IN, Delay(0.3))
        holder = fork(work)
        while cloud.count(LOG_IN) == before:
            await asyncio.sleep(0.005)
        others = [fork(work) for _ in range(2)]
        await asyncio.sleep(0.05)
        holder.kill()
        assert await holder.result() is None
        # On a busy machine the worker may have shared its token before it died. Its lock lasts far longer than this.
        was_cut_short = not await redis.keys("*token:session")
        assert [await child.result() for child in others] == [2, 2]
        assert cloud.count(LOG_IN) - before == 1 + was_cut_short
        cut_short += was_cut_short
    assert cut_short


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lock, "LOCK_EXPIRES", 1.0)


@pytest.mark.usefixtures("_quick")
async def test_a_worker_that_is_killed_while_logging_in_costs_one_more_login(
    server: RedisServer, cloud: Simulator, redis: Redis
) -> None:
    await _killed(server, cloud, redis, 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("_quick")
async def test_fifty_workers_that_are_killed_while_logging_in_cost_one_more_login_each(
    server: RedisServer, cloud: Simulator, redis: Redis
) -> None:
    await _killed(server, cloud, redis, 50)


async def _emptied(server: RedisServer, cloud: Simulator, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    monkeypatch.setattr(_tokens, "_CHECK_AFTER", 0.05)
    monkeypatch.setattr(_tokens, "_RETRY_AFTER", 0.05)
    environment, credentials = cloud.environment, cloud.credentials

    def work() -> Awaitable[object]:
        return call(server.url, credentials, environment, calls=calls)

    children = [fork(work) for _ in range(4)]
    while cloud.count("accounts.get") < calls:
        await asyncio.sleep(0.005)
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(0.1)
    await asyncio.to_thread(server.start)
    assert [await child.result() for child in children] == [calls] * 4
    assert cloud.count("accounts.get") == 4 * calls
    assert cloud.count(LOG_IN) == 1


async def test_a_redis_that_restarts_empty_fails_no_call_and_costs_no_login(
    server: RedisServer, cloud: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _emptied(server, cloud, monkeypatch, 150)


@pytest.mark.slow
async def test_a_redis_that_restarts_empty_fails_none_of_5000_calls(
    server: RedisServer, cloud: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _emptied(server, cloud, monkeypatch, 1250)


async def test_a_password_that_one_worker_resets_reaches_the_others_through_the_secret_manager(
    server: RedisServer, cloud: Simulator, redis: Redis
) -> None:
    environment = cloud.environment
    await redis.set("manager", cloud.credentials.password.reveal())
    known = cloud.credentials
    keys = (known.client_id, known.client_secret.reveal(), known.username)

    async def ask() -> Credentials:
        async with Redis.from_url(server.url, decode_responses=True) as client:
            password = str(await client.get("manager"))
        return Credentials(client_id=keys[0], client_secret=keys[1], username=keys[2], password=password)

    async def other() -> int:
        async with (
            Redis.from_url(server.url) as client,
            Session(ask, environment=environment, store=RedisStore(client), log_out="never") as session,
        ):
            await client.set("ready", 1)
            await _gate(client, "go")
            await session.accounts.get("0000123456-00001")
        return 1

    child = fork(other)
    await _gate(redis, "ready")

    async def keep(password: Secret) -> None:
        await redis.set("manager", password.reveal())

    async with Session(ask, environment=environment, store=RedisStore(redis)) as session:
        await session.reset_password(keep)
        cloud.expire_sessions()
        await redis.set("go", 1)
        assert await child.result() == 1
    # The other worker knew of the reset, and did not try the old password.
    assert (cloud.count(LOG_IN), cloud.users[cloud.username].refusals) == (2, 0)
