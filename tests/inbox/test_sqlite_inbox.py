"""What an inbox in a file promises beyond what every inbox does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import aclosing, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.inbox.making import activated, ask, devices, taken
from thingspace_async.callbacks import sqlite_inbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.errors import InboxUnavailable


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("thingspace-inbox")]


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


# The file


async def test_a_restarted_program_finds_everything(path: Path) -> None:
    async with SqliteInbox(path) as before:
        await before.store(activated(1), service="CarrierService")
        await before.record("suspend", {"a": "sent"})
        (first,) = [received async for received in before.read()]
    async with SqliteInbox(path) as after:
        assert [received async for received in after.read()] == [first]
        assert await after.recorded("suspend") == {"a": "sent"}
        assert not await after.store(activated(1, callbackCount=2), service="CarrierService")
        assert await taken(after.follow("request"), 1) == [1]


async def test_every_commit_is_flushed_to_the_disk(kept: SqliteInbox) -> None:
    assert await ask(kept, "PRAGMA journal_mode") == "wal"
    assert await ask(kept, "PRAGMA synchronous") == 2
    assert await ask(kept, "PRAGMA fullfsync") == 1


async def test_only_its_owner_reads_the_file_and_those_beside_it(kept: SqliteInbox, path: Path) -> None:
    await kept.store(activated())
    assert _modes(path.parent) == dict.fromkeys(("messages.db", "messages.db-wal", "messages.db-shm"), 0o600)


async def test_the_mode_of_a_file_that_is_there_is_left_alone(path: Path) -> None:
    _write(path, b"")
    os.chmod(path, 0o640)  # noqa: PTH101 - no coroutine for one call
    async with SqliteInbox(path) as inbox:
        await inbox.store(activated())
    assert _modes(path.parent) == {path.name: 0o640}


async def test_closing_leaves_one_file_and_no_thread(path: Path) -> None:
    async with SqliteInbox(path) as inbox:
        await inbox.store(activated())
        assert len(_threads()) == 1
    assert _threads() == []
    assert [file.name for file in path.parent.iterdir()] == ["messages.db"]


async def test_closing_stores_what_was_begun(path: Path) -> None:
    inbox = SqliteInbox(path)
    await inbox.open()
    storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(1000)]
    await asyncio.sleep(0)
    await inbox.close()
    assert await asyncio.gather(*storing) == [True] * 1000
    async with SqliteInbox(path) as again:
        assert len(await devices(again.read())) == 1000


async def _gone(condition: Any) -> None:
    async with asyncio.timeout(5):
        while condition():
            await asyncio.sleep(0.005)


async def test_opening_that_is_cancelled_leaves_nothing_open(path: Path) -> None:
    inbox = SqliteInbox(path)
    opening = asyncio.create_task(inbox.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert not inbox.is_open
    await _gone(_threads)
    async with inbox:
        assert await inbox.store(activated())


async def test_closing_that_is_cancelled_closes_all_the_same(path: Path) -> None:
    inbox = SqliteInbox(path)
    await inbox.open()
    storing = [asyncio.create_task(inbox.store(activated(number))) for number in range(1000)]
    await asyncio.sleep(0)
    closing_it = asyncio.create_task(inbox.close())
    await asyncio.sleep(0)
    closing_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing_it
    assert await asyncio.gather(*storing) == [True] * 1000
    await _gone(_threads)
    await _gone(lambda: path.with_name("messages.db-wal").exists())


async def test_many_may_open_a_new_file_at_once(path: Path) -> None:
    inboxes = [SqliteInbox(path) for _ in range(8)]
    await asyncio.gather(*(inbox.open() for inbox in inboxes))
    stored = await asyncio.gather(*(inbox.store(activated(number // 2)) for number, inbox in enumerate(inboxes)))
    assert sum(stored) == 4
    await asyncio.gather(*(inbox.close() for inbox in inboxes))


async def test_messages_that_wait_together_are_stored_in_one_transaction(kept: SqliteInbox) -> None:
    seen: list[str] = []
    await kept._run(lambda: kept._connection.set_trace_callback(seen.append))
    await asyncio.gather(*(kept.store(activated(number)) for number in range(500)))
    assert seen.count("COMMIT") <= 4


# What goes wrong


async def test_a_full_disk_is_said_and_when_there_is_space_again_all_is_well(kept: SqliteInbox) -> None:
    await kept.store(activated(0))
    pages = await ask(kept, "PRAGMA page_count")
    await ask(kept, f"PRAGMA max_page_count = {pages + 2}")
    stored: list[int] = []

    async def store_on() -> None:
        for number in range(1, 1000):
            await kept.store(activated(number))
            stored.append(number)

    with pytest.raises(InboxUnavailable, match=r"messages\.db failed: there is no space left: free some"):
        await store_on()
    with pytest.raises(InboxUnavailable, match="no space left"):
        await kept.record("run", {str(key): "x" * 100 for key in range(1000)})
    assert await devices(kept.read()) == [0, *stored], "what was acknowledged, and no more"
    assert await kept.recorded("run") == {}
    await ask(kept, "PRAGMA max_page_count = 1000000")
    assert await kept.store(activated(len(stored) + 1, callbackCount=2)), "the platform's next attempt"


async def test_a_full_disk_is_said_when_the_inbox_is_opened(path: Path) -> None:
    async with SqliteInbox(path):
        pass
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))  # Less than a file beside it takes.
    try:
        with pytest.raises(InboxUnavailable, match="there is no space left: free some on its disk"):
            await SqliteInbox(path).open()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_of_messages_that_fail_together_each_caller_is_told(kept: SqliteInbox) -> None:
    await ask(kept, f"PRAGMA max_page_count = {await ask(kept, 'PRAGMA page_count')}")
    storing = (kept.store(activated(number, comment="x" * 10_000)) for number in range(50))
    results = await asyncio.gather(*storing, return_exceptions=True)
    assert {type(result) for result in results} == {InboxUnavailable}
    assert len({id(result) for result in results}) == 50
    assert await devices(kept.read()) == []


async def test_a_file_that_became_read_only_is_said_and_can_still_be_read(kept: SqliteInbox) -> None:
    await kept.store(activated(0))
    await ask(kept, "PRAGMA query_only = ON")
    for attempt in (kept.store(activated(1)), kept.record("run", {"a": "b"}), kept.prune(timedelta(minutes=-1))):
        with pytest.raises(InboxUnavailable, match="it cannot be written: this user has to be let write to it"):
            await attempt
    assert await devices(kept.read()) == [0]


@contextlib.contextmanager
def _nobody() -> Iterator[None]:
    """Be another user than root, whom no mode keeps out."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_read_only_file_is_said_when_it_is_opened() -> None:
    with tempfile.TemporaryDirectory() as name:  # One that others may enter, which tmp_path is not.
        path = Path(name) / "messages.db"
        async with SqliteInbox(path):
            pass
        path.chmod(0o444)
        path.parent.chmod(0o555)
        with _nobody(), pytest.raises(InboxUnavailable, match="this user has to be let write"):
            await SqliteInbox(path).open()
        path.parent.chmod(0o700)
        with _nobody(), pytest.raises(InboxUnavailable, match="it cannot be opened: its folder has to exist, and"):
            await SqliteInbox(path).open()
    assert _threads() == []


async def test_the_file_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (a)")
    before = _read(path)
    with pytest.raises(InboxUnavailable, match="it is not an inbox but another program's file: choose another path"):
        await SqliteInbox(path).open()
    assert _read(path) == before
    assert _threads() == []


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    theirs = b"name,imei\n" * 1000
    _write(path, theirs)
    with pytest.raises(InboxUnavailable, match="it is not an inbox but another program's file"):
        await SqliteInbox(path).open()
    assert _read(path) == theirs


async def test_a_file_of_a_newer_release_is_refused(path: Path) -> None:
    async with SqliteInbox(path) as inbox:
        await ask(inbox, "PRAGMA user_version = 99")
    with pytest.raises(InboxUnavailable, match="was made by a newer release"):
        await SqliteInbox(path).open()


async def test_a_folder_that_is_not_there_and_a_folder_as_the_file_are_said(tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "messages.db", tmp_path):
        with pytest.raises(InboxUnavailable, match="it cannot be opened: its folder has to exist"):
            await SqliteInbox(path).open()


async def test_a_file_system_without_a_write_ahead_log_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # `unix-excl` and the like aside, SQLite answers with another mode where it cannot share memory.
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda _, **options: connect(":memory:", **options))
    with pytest.raises(InboxUnavailable, match="is on no local disk: put it on one, or use MemoryInbox"):
        await SqliteInbox(path).open()


@pytest.mark.parametrize("replaced", [False, True])
async def test_nothing_is_acknowledged_once_the_file_is_no_longer_in_its_place(path: Path, *, replaced: bool) -> None:
    moved = path.with_suffix(".moved")
    async with SqliteInbox(path) as kept:
        os.rename(path, moved)  # noqa: PTH104 - no coroutine for one call
        if replaced:
            _write(path, b"")
        for attempt in (kept.store(activated(1)), kept.record("run", {"a": "b"})):
            with pytest.raises(InboxUnavailable, match="was moved or removed while it was open: put it back"):
                await attempt
        os.rename(moved, path)  # noqa: PTH104 - no coroutine for one call
        assert await kept.store(activated(1))


async def test_a_damaged_file_is_said(path: Path) -> None:
    async with SqliteInbox(path) as inbox:
        await asyncio.gather(*(inbox.store(activated(number)) for number in range(500)))
    whole = _read(path)
    _write(path, whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(InboxUnavailable, match="it is damaged"):
        async with SqliteInbox(path) as inbox:
            await devices(inbox.read())


async def test_a_lock_of_another_process_holds_up_neither_the_loop_nor_the_caller_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_inbox, "_PATIENCE", 0.3)
    loop = asyncio.get_running_loop()
    async with SqliteInbox(path) as inbox:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            storing = asyncio.create_task(inbox.store(activated()))
            rounds = 0
            while not storing.done():
                before = loop.time()
                await asyncio.sleep(0.01)
                rounds += loop.time() - before < 0.2
            assert rounds > 5
            with pytest.raises(InboxUnavailable, match="another process has kept it locked"):
                await storing
            other.execute("ROLLBACK")
        assert await inbox.store(activated())


async def test_any_other_fault_is_said_in_sqlites_words(kept: SqliteInbox) -> None:
    await ask(kept, "DROP TABLE entry")
    with pytest.raises(InboxUnavailable, match="no such table: entry"):
        await kept.recorded("run")


# Other processes


async def test_what_another_process_stores_is_followed_soon(kept: SqliteInbox, path: Path) -> None:
    async with SqliteInbox(path) as elsewhere, aclosing(kept.follow("request")) as following:
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.01)
        assert await elsewhere.store(activated(0))
        async with asyncio.timeout(10):
            assert await waiting == [0]


async def test_what_several_processes_store_is_followed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_inbox, "_INTERVAL", 0.01)
    async with SqliteInbox(path) as kept, SqliteInbox(path) as elsewhere:
        await _follow_both(kept, elsewhere)


async def _follow_both(kept: SqliteInbox, elsewhere: SqliteInbox) -> None:
    async with aclosing(kept.follow("request")) as following:
        for number in (1, 2, 3):
            waiting = asyncio.create_task(taken(following, 2))
            await asyncio.sleep(0.05)  # Some looks that find nothing.
            assert await kept.store(activated(number))
            assert await elsewhere.store(activated(number + 10))
            async with asyncio.timeout(10):
                assert await waiting == [number, number + 10]


async def test_one_process_finds_repeats_of_what_another_has_stored(kept: SqliteInbox, path: Path) -> None:
    async with SqliteInbox(path) as elsewhere:
        assert await elsewhere.store(activated(0))
        assert not await kept.store(activated(0, callbackCount=2))


async def test_a_follower_is_told_when_the_file_fails_while_it_waits(kept: SqliteInbox) -> None:
    waiting = asyncio.create_task(taken(kept.follow("request"), 1))
    await asyncio.sleep(0.01)
    await ask(kept, "DROP TABLE message")
    with pytest.raises(InboxUnavailable, match="no such table: message"):
        async with asyncio.timeout(10):
            await waiting


async def test_a_long_prune_lets_messages_in(kept: SqliteInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_inbox, "_REMOVED_AT_ONCE", 10)
    await asyncio.gather(*(kept.store(activated(number)) for number in range(500)))
    pruning = asyncio.create_task(kept.prune(timedelta(minutes=-1)))
    await asyncio.sleep(0)
    await kept.store(activated(1000))
    assert not pruning.done()
    assert await pruning in (500, 501)


async def test_it_shows_its_file(kept: SqliteInbox, path: Path) -> None:
    assert repr(kept) == f"SqliteInbox({str(path)!r})"
