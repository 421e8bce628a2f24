"""Work on many items, a limited number at once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from thingspace_async._core.tasks import each_of


@pytest.mark.parametrize("count", [3, 5])
async def test_errors_that_come_together_end_the_work_with_the_first_and_none_is_left_unread(count: int) -> None:
    go = asyncio.Event()

    async def fail(number: int) -> int:
        await go.wait()
        raise ValueError(number)

    asyncio.get_running_loop().call_later(0.01, go.set)
    async with aclosing(each_of(range(count), fail, at_once=3)) as found:
        with pytest.raises(ValueError, match=r"^\d$"):
            await anext(found)


async def test_work_that_is_left_is_cancelled_before_the_iteration_ends() -> None:
    ended: list[int] = []

    async def work(number: int) -> int:
        try:
            await asyncio.sleep(60 if number else 0)
        finally:
            ended.append(number)
        return number

    async with aclosing(each_of(range(9), work, at_once=3)) as found:
        assert await anext(found) == 0
    assert sorted(ended)[:1] == [0]
    assert len(ended) >= 3
