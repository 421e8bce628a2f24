"""SqliteInbox never loses an acknowledged message, and never stores one twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.callbacks.inbox.making import devices, store_many
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
async def test_killing_at_200_random_moments_loses_no_acknowledged_message_and_repeats_none(
    path: Path,
) -> None:
    command = [sys.executable, "-m", "tests.callbacks.inbox.crashing", str(path), "10000", "200"]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    kills, left = map(int, done.stdout.split())
    assert kills == 200
    assert left > 0, "the processes were killed before they had finished"
    async with SqliteInbox(path) as inbox:
        found = await devices(inbox.read())
    assert sorted(found) == list(range(10_000))


@pytest.mark.slow
async def test_each_of_100_000_messages_in_random_order_with_repeats_is_stored_once(
    kept: SqliteInbox,
) -> None:
    await store_many(kept, 100_000)
