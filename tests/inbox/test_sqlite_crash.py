"""What an inbox in a file has acknowledged is never lost, and what it has kept is never kept again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inbox.making import devices, take_100_000
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
async def test_killing_at_200_random_moments_loses_no_message_that_was_acknowledged_and_repeats_none(
    path: Path,
) -> None:
    command = [sys.executable, "-m", "tests.inbox.crashing", str(path), "10000", "200"]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    kills, left = map(int, done.stdout.split())
    assert kills == 200
    assert left > 0, "the processes were killed while they had work"
    async with SqliteInbox(path) as inbox:
        found = await devices(inbox.read())
    assert sorted(found) == list(range(10_000))


@pytest.mark.slow
async def test_of_100_000_messages_in_random_order_with_repeats_none_is_lost_and_none_is_kept_twice(
    kept: SqliteInbox,
) -> None:
    await take_100_000(kept)
