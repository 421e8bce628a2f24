"""Credentials that a receiver reads from its inbox, at any time and from any process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.callbacks.receiver.conftest import SERVICE, body_of, receiver_of, stored
from thingspace_async import Secret
from thingspace_async.callbacks import credentials
from thingspace_async.callbacks import receiver as module
from thingspace_async.callbacks.admission import Credentials
from thingspace_async.callbacks.inbox import MemoryInbox
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox
from thingspace_async.errors import InboxUnavailable

FOUND = Credentials("found", Secret("at the URL"))


class Counting(MemoryInbox):
    """An inbox that counts reads of its credentials."""

    looks = 0
    broken = False

    async def kept(self) -> dict[str, Secret]:
        self.looks += 1
        await asyncio.sleep(0.01)
        if self.broken:
            raise InboxUnavailable("the inbox is away")
        return await super().kept()


async def status_of(receiver: Receiver, found: Credentials, *, service: str = SERVICE, request_id: str = "r") -> int:
    body = body_of(username=found.username, password=found.password.reveal(), requestId=request_id)
    return (await receiver.handle(body, headers={}, peer="192.0.2.1", service=service)).status


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a receiver read the inbox at any time."""
    monkeypatch.setattr(module, "_REFRESH_INTERVAL", 0.0)


@pytest.mark.usefixtures("impatient")
async def test_a_running_receiver_accepts_listeners_of_another_process(inbox: SqliteInbox, tmp_path: Path) -> None:
    receiver = Receiver(inbox)
    assert await status_of(receiver, FOUND) == 404
    async with SqliteInbox(tmp_path / "inbox.db") as elsewhere:
        ours = await credentials.get_or_create(elsewhere, SERVICE, None)
        assert await status_of(receiver, FOUND) == 401
        assert await status_of(receiver, ours) == 200
        await credentials.add(elsewhere, SERVICE, FOUND)
    assert await status_of(receiver, FOUND, request_id="s") == 200
    assert await status_of(receiver, ours, service="StateService") == 404
    assert await stored(inbox) == [("r", SERVICE), ("s", SERVICE)]


async def test_processes_that_share_an_inbox_agree_on_credentials(inbox: SqliteInbox) -> None:
    ours = await credentials.get_or_create(inbox, SERVICE, FOUND)
    assert ours == FOUND
    assert await credentials.get_or_create(inbox, SERVICE, None) == FOUND
    other = Credentials("fleet", Secret("another"))
    assert await credentials.get_or_create(inbox, SERVICE, other) == FOUND
    for _ in range(2):
        await credentials.add(inbox, SERVICE, other)
    await inbox.keep_first("of something else", Secret("value"))
    assert await credentials.read_all(inbox) == {SERVICE: [FOUND, other]}


async def test_unreadable_credentials_are_reported_and_not_shown(inbox: SqliteInbox) -> None:
    await inbox.keep_first(f"listener {SERVICE} 0", Secret("[hidden"))
    for use in (credentials.read_all(inbox), credentials.get_or_create(inbox, SERVICE, None)):
        with pytest.raises(InboxUnavailable, match="credentials in the inbox cannot be read") as caught:
            await use
        assert caught.value.__context__ is None


async def test_strangers_cause_one_read_of_the_inbox_per_second() -> None:
    async with Counting() as inbox:
        receiver = receiver_of(inbox)
        for _ in range(5):
            assert await status_of(receiver, FOUND) == 401
            assert await status_of(receiver, FOUND, service="Unknown") == 404
        assert inbox.looks == 1


async def test_concurrent_messages_share_one_read_of_the_inbox() -> None:
    async with Counting() as inbox:
        await credentials.get_or_create(inbox, SERVICE, FOUND)
        receiver = Receiver(inbox)
        statuses = await asyncio.gather(*(status_of(receiver, FOUND, request_id=str(one)) for one in range(10)))
        assert statuses == [200] * 10
        assert inbox.looks == 1


@pytest.mark.usefixtures("impatient")
async def test_the_answer_is_503_if_the_inbox_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    async with Counting() as inbox:
        await credentials.get_or_create(inbox, SERVICE, FOUND)
        receiver = Receiver(inbox)
        inbox.broken = True
        assert await status_of(receiver, FOUND) == 503
        inbox.broken = False
        assert await status_of(receiver, FOUND) == 200
        inbox.broken = True
        assert await status_of(receiver, Credentials("new", Secret("other"))) == 503
    assert "the credentials cannot be read: the inbox is away" in caplog.text
    assert FOUND.password.reveal() not in caplog.text


async def test_the_answer_is_503_if_the_inbox_does_not_answer_in_time() -> None:
    class Stuck(MemoryInbox):
        async def kept(self) -> dict[str, Secret]:
            await asyncio.Event().wait()
            return {}

    async with Stuck() as inbox:
        assert await status_of(Receiver(inbox, timeout=0.05), FOUND) == 503


async def test_the_right_password_with_another_username_is_refused() -> None:
    async with Counting() as inbox:
        await credentials.get_or_create(inbox, SERVICE, FOUND)
        assert await status_of(Receiver(inbox), Credentials("other", FOUND.password)) == 401
