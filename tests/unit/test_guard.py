"""The guard against lock-out: a refused password is not sent again, and each user has one login at a time."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from thingspace_async._core.guard import (
    MOST_REFUSED,
    MOST_UNANSWERED,
    RETIRED,
    TOO_MANY,
    UNANSWERED,
    WITHDRAWN,
    Accepted,
    FileGuard,
    Guard,
    MemoryGuard,
    Refusal,
    Retired,
    local_guard,
    not_sent,
)
from thingspace_async._core.types import Secret
from thingspace_async.errors import LoginRefused, UserLocked

HOST, USER, PASSWORD = "thingspace.example", "user", Secret("p-hidden")
REFUSED = Refusal("wrong password.", 400, "X.Y", "7")


def _in_file(path: Path, host: str = HOST, user: str = USER) -> FileGuard:
    """Make the guard of a newly started process."""
    return FileGuard(path, host, user, MemoryGuard())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guard.json"


@pytest.fixture(params=["memory", "file"])
def guard(request: pytest.FixtureRequest, path: Path) -> Guard:
    return MemoryGuard() if request.param == "memory" else _in_file(path)


async def _refuse(guard: Guard, *passwords: str) -> None:
    for password in passwords:
        assert await guard.admit(Secret(password), password) is None
        await guard.settle(Secret(password), password, REFUSED)


# The rules


async def test_a_refused_password_is_not_sent_again(guard: Guard) -> None:
    await _refuse(guard, "p-hidden")
    for mark in "ab":
        assert await guard.admit(Secret("p-hidden"), mark) == REFUSED


async def test_a_refused_password_does_not_block_others(guard: Guard) -> None:
    await _refuse(guard, "p-hidden")
    assert await guard.admit(Secret("other"), "a") is None


async def test_a_third_refusal_in_a_row_blocks_every_new_password(guard: Guard) -> None:
    await _refuse(guard, "1", "2", "3")
    assert await guard.admit(PASSWORD, "a") == TOO_MANY
    assert await guard.admit(Secret("1"), "a") == REFUSED


async def test_refused_and_unanswered_logins_count_together(guard: Guard) -> None:
    await _refuse(guard, "1", "2")
    assert await guard.admit(Secret("lost"), "a") is None
    assert await guard.admit(PASSWORD, "b") == TOO_MANY


async def test_a_password_may_go_unanswered_twice(guard: Guard) -> None:
    for mark in "ab":
        assert await guard.admit(PASSWORD, mark) is None
    assert await guard.admit(PASSWORD, "c") == UNANSWERED


async def test_a_login_requested_twice_counts_once(guard: Guard) -> None:
    for _ in range(9):
        assert await guard.admit(PASSWORD, "a") is None
    assert await guard.admit(PASSWORD, "b") is None


async def test_the_password_accepted_last_is_allowed_in_any_state_of_the_others(guard: Guard) -> None:
    await guard.admit(PASSWORD, "a")
    await guard.settle(PASSWORD, "a", Accepted())
    await _refuse(guard, "1", "2", "3")
    for mark in "bcdefg":
        assert await guard.admit(PASSWORD, mark) is None


async def test_an_accepted_password_resets_the_count(guard: Guard) -> None:
    await _refuse(guard, "1", "2")
    await guard.admit(PASSWORD, "a")
    await guard.settle(PASSWORD, "a", Accepted())
    await _refuse(guard, "3", "4")
    assert await guard.admit(Secret("1"), "b") == REFUSED


async def test_an_accepted_password_that_is_refused_later_is_not_sent_again(guard: Guard) -> None:
    for verdict in (Accepted(), REFUSED):
        await guard.admit(PASSWORD, "a")
        await guard.settle(PASSWORD, "a", verdict)
    assert await guard.admit(PASSWORD, "b") == REFUSED


async def test_a_withdrawn_login_removes_only_its_own_entry(guard: Guard) -> None:
    assert await guard.admit(PASSWORD, "lost") is None
    for mark in "abcdef":
        assert await guard.admit(PASSWORD, mark) is None
        await guard.settle(PASSWORD, mark, WITHDRAWN)
    assert await guard.admit(PASSWORD, "second") is None
    await guard.settle(PASSWORD, "unheard of", WITHDRAWN)
    assert await guard.admit(PASSWORD, "third") == UNANSWERED


async def test_a_password_that_was_reset_is_withheld_and_does_not_count_as_a_refusal(guard: Guard) -> None:
    await guard.admit(PASSWORD, "a")
    await guard.settle(PASSWORD, "a", Accepted())
    await guard.settle(PASSWORD, "", Retired())
    assert await guard.admit(PASSWORD, "b") == RETIRED
    await _refuse(guard, "1", "2", "3")


@pytest.mark.parametrize("before", [("p-hidden",), ("1", "2", "3")], ids=["refused", "too many"])
async def test_force_sends_a_withheld_password(guard: Guard, before: tuple[str, ...]) -> None:
    await _refuse(guard, *before)
    assert await guard.admit(PASSWORD, "a") is not None
    assert await guard.admit(PASSWORD, "a", force=True) is None
    await guard.settle(PASSWORD, "a", REFUSED)
    assert await guard.admit(PASSWORD, "b") == REFUSED


async def test_a_password_of_any_characters_can_be_remembered(guard: Guard) -> None:
    odd = Secret("\ud800é")
    assert await guard.admit(odd, "a") is None
    await guard.settle(odd, "a", REFUSED)
    assert await guard.admit(odd, "b") == REFUSED


class Rules(RuleBasedStateMachine):
    """For any sequence of logins and answers, the guard decides as a slow, simple model of its rules does."""

    passwords = st.sampled_from("abcd")
    marks = st.sampled_from("123")

    def __init__(self) -> None:
        super().__init__()
        self.guard = MemoryGuard()
        self.refused: dict[str, Refusal] = {}
        self.open: list[tuple[str, str]] = []
        self.refusals = 0
        self.accepted: str | None = None

    def expected(self, password: str, mark: str) -> Refusal | None:
        if password in self.refused:
            return self.refused[password]
        if password == self.accepted or (password, mark) in self.open:
            return None
        if sum(other == password for other, _ in self.open) >= MOST_UNANSWERED:
            return UNANSWERED
        return TOO_MANY if self.refusals + len(self.open) >= MOST_REFUSED else None

    def close(self, password: str) -> None:
        self.open = [(other, mark) for other, mark in self.open if other != password]

    @rule(password=passwords, mark=marks)
    def ask(self, password: str, mark: str) -> None:
        expected = self.expected(password, mark)
        assert asyncio.run(self.guard.admit(Secret(password), mark)) == expected
        if expected is None and password != self.accepted and (password, mark) not in self.open:
            self.open.append((password, mark))

    @rule(password=passwords, mark=marks)
    def force(self, password: str, mark: str) -> None:
        assert asyncio.run(self.guard.admit(Secret(password), mark, force=True)) is None
        self.refused.pop(password, None)
        self.close(password)
        if password != self.accepted:
            self.open.append((password, mark))

    @rule(password=passwords, mark=marks)
    def accept(self, password: str, mark: str) -> None:
        asyncio.run(self.guard.settle(Secret(password), mark, Accepted()))
        self.refused.pop(password, None)
        self.open, self.refusals, self.accepted = [], 0, password

    @rule(password=passwords, mark=marks)
    def refuse(self, password: str, mark: str) -> None:
        asyncio.run(self.guard.settle(Secret(password), mark, REFUSED))
        self.close(password)
        self.refused[password] = REFUSED
        self.refusals += 1
        self.accepted = None if self.accepted == password else self.accepted

    @rule(password=passwords, mark=marks)
    def withdraw(self, password: str, mark: str) -> None:
        asyncio.run(self.guard.settle(Secret(password), mark, WITHDRAWN))
        self.open = [one for one in self.open if one != (password, mark)]

    @rule(password=passwords)
    def look(self, password: str) -> None:
        left = max(0, MOST_REFUSED - self.refusals - len(self.open))
        for _ in range(2):
            found = asyncio.run(self.guard.look(Secret(password)))
            assert found == (self.expected(password, ""), password == self.accepted, left, None)

    @rule(password=passwords)
    def retire(self, password: str) -> None:
        asyncio.run(self.guard.settle(Secret(password), "", Retired()))
        self.refused[password] = RETIRED
        self.accepted = None if self.accepted == password else self.accepted


TestRules = Rules.TestCase
TestRules.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)


# Errors for withheld passwords


def test_a_withheld_password_says_why_and_what_to_do() -> None:
    error = not_sent(REFUSED)
    assert type(error) is LoginRefused
    assert (error.status, error.code, error.request_id, error.tries, error.body) == (400, "X.Y", "7", 0, None)
    assert error.message.startswith("wrong password; not sent again")
    assert "correct the password" in str(error)
    assert "force=True" in str(error)
    assert str(error).isprintable()


def test_a_locked_user_is_an_error_of_its_own_that_names_who_can_help() -> None:
    error = not_sent(REFUSED._replace(locked=True))
    assert type(error) is UserLocked
    assert "only Verizon's support can unlock" in str(error)
    assert "force=True" in str(error)


def test_each_refusal_is_an_error_of_its_own() -> None:
    assert not_sent(REFUSED) is not not_sent(REFUSED)


# Memory and file


async def test_the_guard_stores_no_password_in_clear(path: Path) -> None:
    memory = MemoryGuard()
    guard = FileGuard(path, HOST, USER, memory)
    await _refuse(guard, "p-hidden")
    await guard.admit(Secret("p-lost"), "a")
    kept = repr((vars(memory), memory._record)) + await asyncio.to_thread(path.read_text)
    assert "wrong password" in kept
    assert not any(secret in kept for secret in ("p-hidden", "p-lost"))


async def test_the_guards_memory_survives_the_process(path: Path) -> None:
    await _refuse(_in_file(path), "p-hidden")
    assert await _in_file(path).admit(Secret("lost"), "a") is None
    assert await _in_file(path).admit(Secret("lost"), "b") is None
    assert await _in_file(path).admit(PASSWORD, "c") == REFUSED
    assert await _in_file(path).admit(Secret("lost"), "d") == UNANSWERED
    assert await _in_file(path).admit(Secret("new"), "e") == TOO_MANY


@pytest.mark.parametrize(("host", "user"), [("other.example", USER), (HOST, "other")], ids=["host", "user"])
async def test_a_file_distinguishes_hosts_and_users(path: Path, host: str, user: str) -> None:
    await _refuse(_in_file(path), "p-hidden", "2", "3")
    assert await _in_file(path, host, user).admit(PASSWORD, "a") is None


async def test_looking_at_the_file_changes_nothing_and_creates_none(path: Path) -> None:
    assert await _in_file(path).look(PASSWORD) == (None, False, MOST_REFUSED, path)
    assert not list(path.parent.iterdir())
    await _refuse(_in_file(path), "p-hidden")
    before = await asyncio.to_thread(path.read_bytes)
    assert await _in_file(path).look(PASSWORD) == (REFUSED, False, MOST_REFUSED - 1, path)
    assert await _in_file(path, user="other").look(PASSWORD) == (None, False, MOST_REFUSED, path)
    assert await asyncio.to_thread(path.read_bytes) == before


async def test_a_look_at_a_file_that_cannot_be_read_finds_what_this_process_knows(path: Path) -> None:
    guard = _in_file(path)
    await _refuse(guard, "p-hidden")
    await asyncio.to_thread(path.unlink)
    await asyncio.to_thread(path.mkdir)
    assert await guard.look(PASSWORD) == (REFUSED, False, MOST_REFUSED - 1, None)


async def test_the_process_keeps_its_memory_when_the_file_fails_later(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard = _in_file(path)
    await _refuse(guard, "p-hidden")
    await asyncio.to_thread(path.unlink)
    await asyncio.to_thread(path.mkdir)
    for mark in "ab":
        assert await guard.admit(PASSWORD, mark) == REFUSED
    assert caplog.text.count("THINGSPACE_GUARD_FILE") == 1


async def test_many_refused_passwords_are_remembered(guard: Guard) -> None:
    for number in range(25):
        await guard.settle(Secret(f"{number}"), "", REFUSED)
    assert await guard.admit(Secret("24"), "a") == REFUSED
    assert await guard.admit(Secret("5"), "a") == REFUSED
    assert await guard.admit(Secret("4"), "a") == TOO_MANY


async def test_all_sessions_of_the_process_share_one_guard_for_each_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THINGSPACE_GUARD_FILE", "off")
    await _refuse(local_guard("one.example", USER), "p-hidden")
    assert await local_guard("one.example", USER).admit(PASSWORD, "a") == REFUSED
    for host, user in (("two.example", USER), ("one.example", "other")):
        assert await local_guard(host, user).admit(PASSWORD, "a") is None


# One login at a time


class Room:
    """Count the tasks inside a turn: only one is allowed at a time."""

    def __init__(self) -> None:
        self.inside = 0
        self.crowded = False
        self.entered = 0

    async def visit(self, guard: Guard) -> None:
        async with guard.turn():
            self.inside += 1
            self.entered += 1
            self.crowded |= self.inside > 1
            await asyncio.sleep(0.001)
            self.inside -= 1


async def test_logins_of_one_user_take_turns(guard: Guard) -> None:
    room = Room()
    async with asyncio.timeout(60):
        await asyncio.gather(*(room.visit(guard) for _ in range(20)))
    assert (room.entered, room.crowded) == (20, False)


async def test_logins_of_several_processes_take_turns(path: Path) -> None:
    room = Room()
    async with asyncio.timeout(60):
        await asyncio.gather(*(room.visit(_in_file(path)) for _ in range(6)))
    assert (room.entered, room.crowded) == (6, False)


async def test_logins_of_other_users_or_hosts_do_not_wait(path: Path) -> None:
    async with asyncio.timeout(60), _in_file(path).turn():
        for host, user in ((HOST, "other"), ("other.example", USER)):
            await Room().visit(_in_file(path, host, user))


async def test_logins_in_event_loops_of_several_threads_take_turns(guard: Guard) -> None:
    room = Room()

    async def visit_often() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*(room.visit(guard) for _ in range(5)))

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, visit_often()) for _ in range(4)))
    assert (room.entered, room.crowded) == (20, False)


async def test_a_turn_ends_when_its_login_fails(guard: Guard) -> None:
    async def fail() -> None:
        async with guard.turn():
            raise LoginRefused("wrong password", operation="session.log_in", status=400)

    for _ in range(2):
        with pytest.raises(LoginRefused):
            await asyncio.wait_for(fail(), 30)


async def test_a_turn_ends_when_its_login_is_cancelled(guard: Guard) -> None:
    room, inside = Room(), asyncio.Event()

    async def hang() -> None:
        async with guard.turn():
            inside.set()
            await asyncio.sleep(600)

    hanging = asyncio.create_task(hang())
    await asyncio.wait_for(inside.wait(), 30)
    waiting = asyncio.create_task(room.visit(guard))
    await asyncio.sleep(0.01)
    assert room.entered == 0
    hanging.cancel()
    await asyncio.wait_for(waiting, 30)
    assert room.entered == 1


async def test_a_cancelled_waiter_does_not_affect_the_others(guard: Guard) -> None:
    room = Room()
    async with asyncio.timeout(60):
        async with guard.turn():
            waiting = [asyncio.create_task(room.visit(guard)) for _ in range(5)]
            await asyncio.sleep(0.01)
            for cancelled in waiting[:3]:
                cancelled.cancel()
            await asyncio.wait(waiting[:3])
            assert room.entered == 0
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 3 + [type(None)] * 2
    assert (room.entered, room.crowded) == (2, False)


def _give_up_waiting(guard: Guard) -> None:
    async def wait() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Room().visit(guard), 0.02)

    asyncio.run(wait())


async def _in_a_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.005)


async def test_a_waiter_whose_event_loop_was_closed_does_not_affect_the_others(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    room = Room()
    async with guard.turn():
        await _in_a_thread(lambda: _give_up_waiting(guard))
    await asyncio.wait_for(room.visit(guard), 30)
    assert room.entered == 1
    assert not caplog.records


def test_the_error_after_three_refusals_does_not_advise_another_password() -> None:
    error = not_sent(TOO_MANY)
    assert "correct the password" not in str(error)
    assert "make sure that the password is correct, then pass force=True" in str(error)
