"""`keep_first` and `kept`: the first value of a name is kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.callbacks.inbox.making import activated
from thingspace_async import Secret
from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.errors import InboxUnavailable

ODD = '"quoted" é 😀 \\ with spaces'


async def test_the_first_value_is_kept_and_returned_to_all(inbox: BaseInbox) -> None:
    assert await inbox.kept() == {}
    assert await inbox.keep_first("name", Secret("first")) == Secret("first")
    assert await inbox.keep_first("name", Secret("second")) == Secret("first")
    assert await inbox.keep_first("another", Secret(ODD)) == Secret(ODD)
    assert await inbox.kept() == {"name": Secret("first"), "another": Secret(ODD)}


async def test_one_of_many_concurrent_values_is_kept(inbox: BaseInbox) -> None:
    kept = await asyncio.gather(*(inbox.keep_first("name", Secret(str(number))) for number in range(20)))
    assert len({one.reveal() for one in kept}) == 1


async def test_pruning_and_forgetting_a_run_do_not_remove_it(inbox: BaseInbox) -> None:
    await inbox.store(activated())
    await inbox.keep_first("name", Secret("value"))
    await inbox.prune(timedelta(minutes=-1))
    await inbox.forget_run("name")
    assert await inbox.kept() == {"name": Secret("value")}


async def test_keeping_a_value_needs_an_open_inbox(closed: BaseInbox) -> None:
    for use in (closed.keep_first("name", Secret("value")), closed.kept()):
        with pytest.raises(InboxUnavailable, match="is not open"):
            await use
