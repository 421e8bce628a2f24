"""Memory that errors and answers keep alive."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from tests.session.checks import raises
from tests.session.fake import ACCOUNT, LOG_IN, NAME, TOKEN, Answer, Platform, answer, hang_up
from thingspace_async import Session, ThingSpaceError
from thingspace_async.errors import AnswerUnreadable

_MIB = 1024 * 1024


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize(
    "fault",
    [
        answer(200, b'{"accountName": ' + b" " * 5 * _MIB + b"5}"),
        answer(503, b" " * 5 * _MIB),
        answer(404, {"errorCode": "S.X", "errorMessage": "x" * 5 * _MIB}),
        hang_up,
    ],
    ids=["unreadable", "failed", "refused", "lost"],
)
async def test_a_caught_error_leaves_nothing_without_the_garbage_collector(
    session: Session, platform: Platform, fault: Answer
) -> None:
    """A reference cycle would keep each body, of up to 64 MiB, until the next garbage collection."""
    call = session.with_options(retries=0).accounts.get
    platform.always(ACCOUNT, fault)
    with pytest.raises(ThingSpaceError):  # Modules loaded at first use stay in memory.
        await call(NAME)
    gc.collect()
    for _ in range(10):
        try:
            await call(NAME)
        except ThingSpaceError:
            pass
        else:
            pytest.fail("no error was raised")
    kept = [one for one in gc.get_objects() if isinstance(one, ThingSpaceError)]
    assert kept == []


def _bomb(size: int) -> Answer:
    data = zlib.compress(b" " * size)
    return answer(200, data, {"Content-Encoding": "deflate"})


async def test_eight_compressed_bombs_at_once_take_less_than_two_bodies(platform: Platform) -> None:
    limit = 8 * _MIB
    platform.always(ACCOUNT, _bomb(64 * _MIB))
    async with platform.session(max_body=limit) as session:
        tracemalloc.start()
        try:
            results = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(8)), return_exceptions=True)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert {type(result) for result in results} == {AnswerUnreadable}
    assert peak < 2 * limit + 4 * _MIB, "the data in the buffers of the eight readers comes on top"


async def test_compressed_answers_that_fit_are_all_read(platform: Platform) -> None:
    """Beyond the common budget, bodies are read one at a time, and none is refused."""
    body = b'{"accountName": "x"' + b" " * 3 * _MIB + b"}"
    platform.always(ACCOUNT, answer(200, zlib.compress(body), {"Content-Encoding": "deflate"}))
    async with platform.session(max_body=4 * _MIB) as session:
        accounts = await asyncio.gather(*(session.accounts.get(NAME) for _ in range(8)))
    assert {account.account_name for account in accounts} == {"x"}


@pytest.mark.parametrize("key", [TOKEN, LOG_IN])
async def test_an_answer_with_a_token_is_read_up_to_a_mebibyte(platform: Platform, key: str) -> None:
    platform.on(key, answer(200, b" " * (2 * _MIB)))
    with raises(AnswerUnreadable) as caught:
        await platform.session(retries=0).open()
    assert "1,048,576 bytes" in str(caught)
