"""Fleet runs that start while their inbox is unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.callbacks.inbox.served import OUTAGES, ServerKind
from tests.fleet.staging import OPTIONS, Stage, Tampered, all_of, fleet, requests, results, staged
from tests.redis.servers import RedisServer, needs_redis
from thingspace_async._core import joining
from thingspace_async.callbacks import Outcomes
from thingspace_async.devices import FleetOutcome, FleetResult
from thingspace_async.errors import InboxUnavailable, InboxUnusable, RunLost
from thingspace_async.redis.inbox import RedisInbox

_WAITS = "the run spring waits until its inbox can be used: "


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_FIRST_PAUSE", 0.02)


class Failing:
    """A ledger whose method fails some times before it works."""

    def __init__(self, stage: Stage, method: str, error: type[Exception], times: int) -> None:
        self._method = getattr(stage.outcomes.inbox.ledger, method)
        self._error = error
        self._left = times
        self.tries: list[float] = []
        setattr(self, method, self._work)

    async def _work(self, *about: Any, **more: Any) -> Any:
        self.tries.append(asyncio.get_running_loop().time())
        if self._left:
            self._left -= 1
            raise self._error("it is away")
        return await self._method(*about, **more)


async def _activate(stage: Stage, failing: Failing, **options: Any) -> list[FleetOutcome]:
    source: Any = Outcomes(Tampered(stage.outcomes.inbox, failing))
    run = stage.session.devices.activate_all(fleet(3), source, run="spring", **OPTIONS, **options)
    return [one async for one in run]


@pytest.mark.parametrize("method", ["look", "lease"])
async def test_a_run_waits_longer_each_time_until_its_inbox_can_be_used(
    stage: Stage, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    failing = Failing(stage, method, InboxUnavailable, 4)
    assert results(await _activate(stage, failing)) == all_of(fleet(3), FleetResult.SUCCEEDED)
    pauses = [after - before for before, after in zip(failing.tries[:4], failing.tries[1:5], strict=True)]
    assert all(pause >= 0.02 * 2**number - 0.001 for number, pause in enumerate(pauses))
    assert [record.getMessage() for record in caplog.records if "waits until" in record.getMessage()] == [
        f"{_WAITS}it is away"
    ]


async def test_a_run_gives_up_if_its_inbox_stays_unavailable(stage: Stage) -> None:
    failing = Failing(stage, "look", InboxUnavailable, 10_000)
    with pytest.raises(InboxUnavailable, match="it is away"):
        await _activate(stage, failing, give_up_after=timedelta(seconds=0.3))
    assert failing.tries[-1] - failing.tries[0] >= 0.3
    assert len(failing.tries) > 3
    assert requests(stage.cloud) == []


@pytest.mark.parametrize("error", [InboxUnusable, RunLost])
async def test_a_run_ends_at_once_if_waiting_does_not_help(
    stage: Stage, caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    failing = Failing(stage, "look", error, 10_000)
    with pytest.raises(error):
        await _activate(stage, failing)
    assert len(failing.tries) == 1
    assert "waits until" not in caplog.text


async def test_a_run_that_waits_for_its_inbox_can_be_left(stage: Stage) -> None:
    failing = Failing(stage, "look", InboxUnavailable, 10_000)
    run = asyncio.create_task(_activate(stage, failing))
    await asyncio.sleep(0.1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


# On servers


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Start a Redis server for one test."""
    with RedisServer() as started:
        yield started


@pytest.mark.parametrize("kind", OUTAGES, ids=str)
async def test_a_run_that_starts_during_an_outage_of_its_server_waits_for_the_server(
    kind: ServerKind, caplog: pytest.LogCaptureFixture
) -> None:
    with kind.start() as server:
        server.stop()
        async with kind.inbox(server.url) as inbox, staged(inbox) as stage:
            run = asyncio.create_task(stage.all(fleet(15)))
            await asyncio.sleep(0.3)
            assert not run.done()
            server.start()
            assert results(await run) == all_of(fleet(15), FleetResult.SUCCEEDED)
    assert caplog.text.count(_WAITS) == 1


@needs_redis
@pytest.mark.parametrize("url", ["redis://:guess@127.0.0.1:{}/0", "redis://127.0.0.1:{}/0"])
async def test_a_run_ends_at_once_if_redis_refuses_the_password(server: RedisServer, url: str) -> None:
    async with Redis.from_url(server.url) as client:
        await client.config_set("requirepass", "right")
    async with Redis.from_url(url.format(server.port)) as client, RedisInbox(client) as inbox, staged(inbox) as stage:
        with pytest.raises(InboxUnusable, match="it rejects the client's username or password: correct them") as ended:
            await asyncio.wait_for(stage.all(fleet(3)), 10)
        assert "guess" not in str(ended.value)
        assert requests(stage.cloud) == []
