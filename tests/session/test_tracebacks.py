"""Exceptions that leave the package hold no frames of aiohttp, which contain tokens and passwords."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.session.checks import assert_keeps_secrets
from tests.session.fake import ACCOUNT, LOG_IN, NAME, RESET, Answer, Platform, hang_up, reset, say_nothing
from thingspace_async import Session, ThingSpaceError

_AIOHTTP = str(Path(aiohttp.__file__).parent)


def _links(error: BaseException | None, seen: set[int] | None = None) -> Iterator[BaseException]:
    seen = set() if seen is None else seen
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    yield from _links(error.__cause__, seen)
    yield from _links(error.__context__, seen)


def _assert_clean(error: BaseException) -> None:
    assert_keeps_secrets(error)
    for link in _links(error):
        for frame, _ in traceback.walk_tb(link.__traceback__):
            assert not frame.f_code.co_filename.startswith(_AIOHTTP), f"{link!r} keeps {frame}"


async def test_a_users_own_timeout_around_a_call_shows_no_frame_of_aiohttp(
    session: Session, platform: Platform
) -> None:
    platform.always(ACCOUNT, say_nothing)
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.1):
            await session.accounts.get(NAME)
    _assert_clean(caught.value)


async def test_a_users_own_timeout_around_the_login_shows_no_frame_of_aiohttp(platform: Platform) -> None:
    platform.always(LOG_IN, say_nothing)
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.2):
            await platform.session().open()
    _assert_clean(caught.value)


async def test_a_cancelled_call_shows_no_frame_of_aiohttp(session: Session, platform: Platform) -> None:
    platform.always(ACCOUNT, say_nothing)
    task = asyncio.create_task(session.accounts.get(NAME))
    await platform.until_seen(ACCOUNT)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    _assert_clean(caught.value)


@pytest.mark.parametrize("key", [ACCOUNT, LOG_IN, RESET])
@pytest.mark.parametrize("fault", [hang_up, reset, say_nothing])
async def test_an_error_of_ours_shows_no_frame_of_aiohttp(platform: Platform, key: str, fault: Answer) -> None:
    session = platform.session(timeout=0.3, retries=0)
    if key == LOG_IN:
        platform.always(LOG_IN, fault)
        with pytest.raises(ThingSpaceError) as caught:
            await session.open()
    else:
        async with session:
            platform.always(ACCOUNT, fault)
            platform.always(RESET, fault if fault is not say_nothing else hang_up)
            with pytest.raises(ThingSpaceError) as caught:
                await (session.reset_password() if key == RESET else session.accounts.get(NAME))
    _assert_clean(caught.value)
