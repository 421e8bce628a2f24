"""How fast a session starts requests, and when throttled calls are sent again."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.session.checks import raises
from tests.session.fake import ACCOUNT, NAME, Answer, Call, Link, Platform, answer
from thingspace_async.errors import ConfigurationError


def _timed(times: list[float], then: Answer) -> Answer:
    async def send(call: Call, link: Link) -> None:
        times.append(time.monotonic())
        await then(call, link)

    return send


async def test_each_try_of_each_call_takes_a_slot_of_the_pace(platform: Platform) -> None:
    times: list[float] = []
    platform.on(ACCOUNT, *[_timed(times, answer(429, b""))] * 2)
    platform.always(ACCOUNT, _timed(times, answer(200, {})))
    async with platform.session(requests_per_minute=600) as session:
        await asyncio.gather(*(session.accounts.get(NAME) for _ in range(5)))
    assert len(times) == 7
    # A busy machine delays single arrivals, which shortens the next gap: only the total has a lower bound.
    assert times[-1] - times[0] > 5 * 0.1


async def test_throttled_calls_are_not_repeated_all_at_once(platform: Platform) -> None:
    times: list[float] = []
    platform.on(ACCOUNT, *[answer(429, b"", {"Retry-After": "1"})] * 50)
    platform.always(ACCOUNT, _timed(times, answer(200, {})))
    async with platform.session() as session:
        await asyncio.gather(*(session.accounts.get(NAME) for _ in range(50)))
    busiest = max(sum(begin <= other < begin + 0.1 for other in times) for begin in times)
    assert len(times) == 50
    assert times[-1] - times[0] > 0.25
    assert busiest < 45


@pytest.mark.parametrize("pace", [0, -1, float("inf"), True, "60"])
def test_an_invalid_pace_is_refused(platform: Platform, pace: object) -> None:
    with raises(ConfigurationError) as caught:
        platform.session(requests_per_minute=pace)
    assert "requests_per_minute" in str(caught)
