"""Places for exchanges: given in turn, and never lost to a waiter that is gone."""

from __future__ import annotations

import asyncio

import pytest

from thingspace_async._transport import Places


async def _take(places: Places) -> None:
    if places.free:
        places.free -= 1
    else:
        await places.wait()


async def _waiters(places: Places, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(_take(places)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_who_has_waited_longest_is_next() -> None:
    places = Places(1)
    await _take(places)
    first, second = await _waiters(places, 2)
    places.give_back()
    await asyncio.wait([first])
    assert not second.done()
    places.give_back()
    await second
    places.give_back()
    assert places.free == 1


async def test_a_waiter_that_was_cancelled_is_passed_over() -> None:
    places = Places(1)
    await _take(places)
    first, second = await _waiters(places, 2)
    first.cancel()
    await asyncio.wait([first])
    places.give_back()
    await second


async def test_a_waiter_that_is_cancelled_as_its_turn_comes_hands_it_on() -> None:
    places = Places(1)
    await _take(places)
    first, second = await _waiters(places, 2)
    places.give_back()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    places.give_back()
    assert places.free == 1


async def test_with_nobody_left_the_place_is_free() -> None:
    places = Places(1)
    await _take(places)
    (only,) = await _waiters(places, 1)
    places.give_back()
    only.cancel()
    await asyncio.wait([only])
    assert places.free == 1
