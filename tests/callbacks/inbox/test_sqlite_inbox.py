"""Tests of SqliteInbox in addition to those of all inboxes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Awaitable, Iterator
from contextlib import aclosing, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.callbacks.inbox.making import activated, ask, devices, taken
from thingspace_async._core.ledger import Joined, Place, WorkerState
from thingspace_async.callbacks import incoming, sqlite_inbox
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.errors import InboxUnavailable


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("thingspace-inbox")]


def _join(inbox: SqliteInbox, description: str = "activate") -> Awaitable[Joined]:
    return inbox.ledger.lease(Place("run", "one"), description=description, state=WorkerState.LEFT, seconds=1)


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


# The file


async def test_messages_survive_a_restart(path: Path) -> None:
    async with SqliteInbox(path) as before:
        await before.store(activated(1), service="CarrierService")
        (first,) = [received async for received in before.read()]
    async with SqliteInbox(path) as after:
        assert [received async for received in after.read()] == [first]
        assert not await after.store(activated(1, callbackCount=2), service="CarrierService")
        assert await taken(after.follow("request"), 1) == [1]


async def test_every_commit_is_flushed_to_the_disk(kept: SqliteInbox) -> None:
    assert await ask(kept, "PRAGMA journal_mode") == "wal"
    assert await ask(kept, "PRAGMA synchronous") == 2
    assert await ask(kept, "PRAGMA fullfsync") == 1


async def test_the_file_its_log_and_its_index_are_readable_only_by_their_owner(kept: SqliteInbox, path: Path) -> None:
    await kept.store(activated())
    assert _modes(path.parent) == dict.fromkeys(("messages.db", "messages.db-wal", "messages.db-shm"), 0o600)


async def test_files_are_created_readable_only_by_their_owner(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks the modes at each call of SQLite, with a permissive umask."""
    seen: dict[str, set[int]] = {}
    connect = sqlite3.connect

    def look(*_: object) -> None:
        for name, mode in _modes(path.parent).items():
            seen.setdefault(name, set()).add(mode)

    def watched(*args: Any, **options: Any) -> sqlite3.Connection:
        look()
        connection: sqlite3.Connection = connect(*args, **options)
        look()
        connection.set_trace_callback(look)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    before = os.umask(0)
    try:
        async with SqliteInbox(path) as inbox:
            await inbox.store(activated())
            look()
    finally:
        os.umask(before)
    assert seen == {name: {0o600} for name in ("messages.db", "messages.db-wal", "messages.db-shm")}


async def test_a_file_behind_a_link_is_readable_only_by_its_owner(path: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real" / "messages.db", path)  # noqa: PTH211 - no coroutine for one call
    async with SqliteInbox(path) as inbox:
        assert await inbox.store(activated())
        assert set(_modes(tmp_path / "real").values()) == {0o600}
        assert len(_modes(tmp_path / "real")) == 3


async def test_the_mode_of_an_existing_file_is_kept(path: Path) -> None:
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


async def test_closing_finishes_storing(path: Path) -> None:
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


async def test_a_cancelled_open_leaves_nothing_open(path: Path) -> None:
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


async def test_a_cancelled_close_still_closes(path: Path) -> None:
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


async def test_many_inboxes_may_open_a_new_file_at_once(path: Path) -> None:
    inboxes = [SqliteInbox(path) for _ in range(8)]
    await asyncio.gather(*(inbox.open() for inbox in inboxes))
    stored = await asyncio.gather(*(inbox.store(activated(number // 2)) for number, inbox in enumerate(inboxes)))
    assert sum(stored) == 4
    await asyncio.gather(*(inbox.close() for inbox in inboxes))


async def test_opening_waits_for_a_process_that_opens_the_new_file_too(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        inbox = SqliteInbox(path)
        opening = asyncio.create_task(inbox.open())
        await asyncio.sleep(0.1)
        assert not opening.done()
        other.execute("ROLLBACK")
        await opening
    assert await inbox.store(activated())
    await inbox.close()


async def test_opening_does_not_wait_for_ever_for_a_process_that_locks_the_new_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_inbox, "_BUSY_TIMEOUT", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InboxUnavailable, match="another process has kept it locked"):
            await SqliteInbox(path).open()


async def test_queued_messages_are_stored_in_one_transaction(kept: SqliteInbox) -> None:
    seen: list[str] = []
    await kept._run(lambda: kept._connection.set_trace_callback(seen.append))
    await asyncio.gather(*(kept.store(activated(number)) for number in range(500)))
    assert seen.count("COMMIT") <= 4


# Faults


async def test_a_full_disk_is_reported_and_the_inbox_works_again_once_there_is_space(kept: SqliteInbox) -> None:
    await kept.store(activated(0))
    pages = await ask(kept, "PRAGMA page_count")
    await ask(kept, f"PRAGMA max_page_count = {pages + 2}")
    stored: list[int] = []

    async def store_on() -> None:
        for number in range(1, 1000):
            await kept.store(activated(number))
            stored.append(number)

    with pytest.raises(InboxUnavailable, match=r"messages\.db failed: its disk is full: free some space"):
        await store_on()
    with pytest.raises(InboxUnavailable, match="its disk is full"):
        await _join(kept, "x" * 100_000)
    assert await devices(kept.read()) == [0, *stored], "only acknowledged messages are stored"
    assert await kept.ledger.runs() == []
    await ask(kept, "PRAGMA max_page_count = 1000000")
    assert await kept.store(activated(len(stored) + 1, callbackCount=2)), "the platform's next attempt"


async def test_a_full_disk_is_reported_when_the_inbox_is_opened(path: Path) -> None:
    async with SqliteInbox(path):
        pass
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))  # Less than the -shm file needs.
    try:
        with pytest.raises(InboxUnavailable, match="its disk is full: free some space"):
            await SqliteInbox(path).open()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_if_a_transaction_fails_each_caller_gets_the_error(kept: SqliteInbox) -> None:
    await ask(kept, f"PRAGMA max_page_count = {await ask(kept, 'PRAGMA page_count')}")
    storing = (kept.store(activated(number, comment="x" * 10_000)) for number in range(50))
    results = await asyncio.gather(*storing, return_exceptions=True)
    assert {type(result) for result in results} == {InboxUnavailable}
    assert len({id(result) for result in results}) == 50
    assert await devices(kept.read()) == []


async def test_a_file_that_became_read_only_is_reported_and_can_still_be_read(kept: SqliteInbox) -> None:
    await kept.store(activated(0))
    await ask(kept, "PRAGMA query_only = ON")
    for attempt in (kept.store(activated(1)), _join(kept), kept.prune(timedelta(minutes=-1))):
        with pytest.raises(InboxUnavailable, match="it cannot be written: this user must be allowed to write to it"):
            await attempt
    assert await devices(kept.read()) == [0]


@contextlib.contextmanager
def _nobody() -> Iterator[None]:
    """Run as another user, because root ignores file modes."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_read_only_file_is_reported_when_it_is_opened() -> None:
    with tempfile.TemporaryDirectory() as name:  # Other users cannot enter tmp_path.
        path = Path(name) / "messages.db"
        async with SqliteInbox(path):
            pass
        path.chmod(0o444)
        path.parent.chmod(0o555)
        with _nobody(), pytest.raises(InboxUnavailable, match="this user must be allowed to write"):
            await SqliteInbox(path).open()
        path.parent.chmod(0o700)
        with _nobody(), pytest.raises(InboxUnavailable, match="it cannot be opened: its folder must exist, and"):
            await SqliteInbox(path).open()
    assert _threads() == []


async def test_a_file_of_another_program_is_refused_and_not_changed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (a)")
    before = _read(path)
    with pytest.raises(InboxUnavailable, match="it is another program's file: choose another path"):
        await SqliteInbox(path).open()
    assert _read(path) == before
    assert _threads() == []


async def test_a_file_that_is_not_a_database_is_refused_and_not_changed(path: Path) -> None:
    theirs = b"name,imei\n" * 1000
    _write(path, theirs)
    with pytest.raises(InboxUnavailable, match="it is another program's file"):
        await SqliteInbox(path).open()
    assert _read(path) == theirs


async def test_a_file_of_a_newer_release_is_refused(path: Path) -> None:
    async with SqliteInbox(path) as inbox:
        await ask(inbox, "PRAGMA user_version = 99")
    with pytest.raises(InboxUnavailable, match="was written by a newer release"):
        await SqliteInbox(path).open()


async def test_a_missing_folder_and_a_folder_as_the_file_are_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "messages.db", tmp_path):
        with pytest.raises(InboxUnavailable, match="it cannot be opened: its folder must exist"):
            await SqliteInbox(path).open()


async def test_a_file_system_without_a_write_ahead_log_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # If SQLite cannot share memory, it chooses another journal mode, except with VFSs such as `unix-excl`.
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda _, **options: connect(":memory:", **options))
    with pytest.raises(InboxUnavailable, match="is not on a local disk: move it to one"):
        await SqliteInbox(path).open()


@pytest.mark.parametrize("replaced", [False, True])
async def test_nothing_is_acknowledged_after_the_file_was_moved_or_removed(path: Path, *, replaced: bool) -> None:
    moved = path.with_suffix(".moved")
    async with SqliteInbox(path) as kept:
        os.rename(path, moved)  # noqa: PTH104 - no coroutine for one call
        if replaced:
            _write(path, b"")
        for attempt in (kept.store(activated(1)), _join(kept)):
            with pytest.raises(InboxUnavailable, match="was moved or removed while it was open: put it back"):
                await attempt
        os.rename(moved, path)  # noqa: PTH104 - no coroutine for one call
        assert await kept.store(activated(1))


@pytest.mark.parametrize("beside", ["-wal", "-shm"])
async def test_nothing_is_acknowledged_after_the_log_was_removed_and_earlier_messages_are_saved(
    path: Path, beside: str
) -> None:
    async with SqliteInbox(path) as kept:
        for number in range(20):
            assert await kept.store(activated(number))
        os.unlink(f"{path}{beside}")  # noqa: PTH108 - no coroutine for one call
        for attempt in (kept.store(activated(20)), _join(kept), kept.prune(timedelta(0))):
            with pytest.raises(InboxUnavailable, match=f"messages.db{beside} was removed while the inbox .* was open"):
                await attempt
        # As after a SIGKILL: SQLite does not close the file.
        saved = path.with_name("saved.db")
        _write(saved, _read(path))
    async with SqliteInbox(saved) as again:
        assert await devices(again.read()) == list(range(20))


async def test_a_removed_file_is_reported_whatever_sqlite_reports(path: Path) -> None:
    async with SqliteInbox(path) as kept:
        await asyncio.gather(*(kept.store(activated(number)) for number in range(500)))
        os.unlink(path)  # noqa: PTH108 - no coroutine for one call
        with contextlib.suppress(InboxUnavailable):  # Another program has created a file of the same name.
            async with SqliteInbox(path):
                pass
        for attempt in (kept.store(activated(1000)), kept.prune(timedelta(0))):
            with pytest.raises(InboxUnavailable, match="was moved or removed while it was open"):
                await attempt
        await ask(kept, "PRAGMA wal_checkpoint")
        with pytest.raises(InboxUnavailable, match="was moved or removed while it was open"):
            await ask(kept, "SELECT * FROM what_another_program_has_made")


async def test_a_removed_log_is_not_reported_as_a_fault_of_the_disk(path: Path) -> None:
    async with SqliteInbox(path) as kept:
        await asyncio.gather(*(kept.store(activated(number)) for number in range(500)))
        os.unlink(f"{path}-wal")  # noqa: PTH108 - no coroutine for one call
        with pytest.raises(InboxUnavailable, match="was removed while programs had it open: stop them all"):
            await SqliteInbox(path).open()


async def test_messages_are_stored_in_batches_of_a_megabyte(kept: SqliteInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    insert = kept._insert

    def noted(batch: list[incoming.Incoming]) -> list[bool]:
        sizes.append(sum(len(new.body) for new in batch))
        return insert(batch)

    monkeypatch.setattr(kept, "_insert", noted)
    await asyncio.gather(*(kept.store(activated(number, comment="x" * 60_000)) for number in range(100)))
    assert max(sizes) < incoming.BYTES_AT_ONCE + 61_000
    assert sum(sizes) > 6_000_000


async def test_a_damaged_file_is_reported(path: Path) -> None:
    async with SqliteInbox(path) as inbox:
        await asyncio.gather(*(inbox.store(activated(number)) for number in range(500)))
    whole = _read(path)
    _write(path, whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(InboxUnavailable, match="it is damaged"):
        async with SqliteInbox(path) as inbox:
            await devices(inbox.read())


async def test_a_lock_of_another_process_does_not_block_the_loop_or_the_caller_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_inbox, "_BUSY_TIMEOUT", 0.3)
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


async def test_other_errors_are_reported_with_sqlites_text(kept: SqliteInbox) -> None:
    await ask(kept, "DROP TABLE run")
    with pytest.raises(InboxUnavailable, match="no such table: run"):
        await kept.ledger.runs()


# Other processes


async def test_followers_get_messages_of_another_process_soon(kept: SqliteInbox, path: Path) -> None:
    async with SqliteInbox(path) as elsewhere, aclosing(kept.follow("request")) as following:
        waiting = asyncio.create_task(taken(following, 1))
        await asyncio.sleep(0.01)
        assert await elsewhere.store(activated(0))
        async with asyncio.timeout(10):
            assert await waiting == [0]


async def test_followers_get_messages_of_several_processes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_inbox, "_INTERVAL", 0.01)
    async with SqliteInbox(path) as kept, SqliteInbox(path) as elsewhere:
        await _follow_both(kept, elsewhere)


async def _follow_both(kept: SqliteInbox, elsewhere: SqliteInbox) -> None:
    async with aclosing(kept.follow("request")) as following:
        for number in (1, 2, 3):
            waiting = asyncio.create_task(taken(following, 2))
            await asyncio.sleep(0.05)  # Let some checks find nothing.
            assert await kept.store(activated(number))
            assert await elsewhere.store(activated(number + 10))
            async with asyncio.timeout(10):
                assert await waiting == [number, number + 10]


async def test_a_process_recognises_repeats_of_another_processs_messages(kept: SqliteInbox, path: Path) -> None:
    async with SqliteInbox(path) as elsewhere:
        assert await elsewhere.store(activated(0))
        assert not await kept.store(activated(0, callbackCount=2))


async def test_a_waiting_follower_gets_the_error_if_the_file_fails(kept: SqliteInbox) -> None:
    waiting = asyncio.create_task(taken(kept.follow("request"), 1))
    await asyncio.sleep(0.01)
    await ask(kept, "DROP TABLE message")
    with pytest.raises(InboxUnavailable, match="no such table: message"):
        async with asyncio.timeout(10):
            await waiting


async def test_messages_are_stored_during_a_long_prune(kept: SqliteInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_inbox, "_REMOVED_AT_ONCE", 10)
    await asyncio.gather(*(kept.store(activated(number)) for number in range(500)))
    pruning = asyncio.create_task(kept.prune(timedelta(minutes=-1)))
    await asyncio.sleep(0)
    await kept.store(activated(1000))
    assert not pruning.done()
    assert await pruning in (500, 501)


async def test_its_repr_has_the_file(kept: SqliteInbox, path: Path) -> None:
    assert repr(kept) == f"SqliteInbox({str(path)!r})"
