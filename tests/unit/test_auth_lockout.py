"""The guard against lock-out: a refused password is not sent again, and one login at a time for each user."""

import asyncio
import pickle
import threading
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from thingspace_async._auth import LOCKOUT, Lockout
from thingspace_async._store import Refusal
from thingspace_async._types import Secret
from thingspace_async.errors import LoginRefused

HOST, USER, PASSWORD = "thingspace.example", "user", Secret("p-hidden")


def _refusal() -> Refusal:
    return Refusal(message="wrong password", status=400, code="X.Y")


def test_a_password_that_was_not_refused_passes() -> None:
    Lockout().check(HOST, USER, PASSWORD)


def test_a_refused_password_is_refused_again_without_a_request_and_says_what_to_do() -> None:
    lockout = Lockout()
    lockout.refuse(HOST, USER, PASSWORD, _refusal())
    with pytest.raises(LoginRefused) as refused:
        lockout.check(HOST, USER, Secret("p-hidden"))
    error = refused.value
    assert (error.status, error.code, error.tries, error.body) == (400, "X.Y", 0, None)
    assert error.message.startswith("wrong password; ")
    assert "not sent again" in str(error)
    assert "change the password" in str(error)
    assert "force=True" in str(error)
    assert str(error).isprintable()


def test_each_refusal_is_an_error_of_its_own() -> None:
    lockout = Lockout()
    lockout.refuse(HOST, USER, PASSWORD, _refusal())
    seen = []
    for _ in range(2):
        with pytest.raises(LoginRefused) as refused:
            lockout.check(HOST, USER, PASSWORD)
        seen.append(refused.value)
    assert seen[0] is not seen[1]
    assert str(seen[0]) == str(seen[1])


def test_the_guard_keeps_no_password_in_clear() -> None:
    lockout = Lockout()
    lockout.refuse(HOST, USER, PASSWORD, _refusal())
    assert "p-hidden" not in repr(vars(lockout))
    assert b"p-hidden" not in pickle.dumps(lockout._refused)


@pytest.mark.parametrize(
    ("host", "user", "password"),
    [("other.example", USER, PASSWORD), (HOST, "other", PASSWORD), (HOST, USER, Secret("other"))],
    ids=["host", "user", "password"],
)
def test_a_refusal_is_for_one_host_user_and_password(host: str, user: str, password: Secret) -> None:
    lockout = Lockout()
    lockout.refuse(HOST, USER, PASSWORD, _refusal())
    lockout.check(host, user, password)
    lockout.forgive(host, user, password)
    with pytest.raises(LoginRefused):
        lockout.check(HOST, USER, PASSWORD)


def test_a_password_that_was_forgiven_passes() -> None:
    lockout = Lockout()
    lockout.refuse(HOST, USER, PASSWORD, _refusal())
    lockout.forgive(HOST, USER, PASSWORD)
    lockout.check(HOST, USER, PASSWORD)


def test_a_password_of_any_characters_can_be_remembered() -> None:
    lockout, odd = Lockout(), Secret("\ud800é")
    lockout.refuse(HOST, USER, odd, _refusal())
    with pytest.raises(LoginRefused):
        lockout.check(HOST, USER, odd)


def test_all_sessions_of_the_process_share_one_guard() -> None:
    assert isinstance(LOCKOUT, Lockout)


class Refusals(RuleBasedStateMachine):
    """Whatever is refused and forgiven in whatever order, exactly the refused passwords are stopped."""

    keys = st.tuples(*(st.sampled_from(["a", "b", "ab", ""]) for _ in range(3)))

    def __init__(self) -> None:
        super().__init__()
        self.lockout = Lockout()
        self.refused: set[tuple[str, str, str]] = set()
        self.seen: set[tuple[str, str, str]] = set()

    @rule(key=keys)
    def refuse(self, key: tuple[str, str, str]) -> None:
        self.lockout.refuse(key[0], key[1], Secret(key[2]), _refusal())
        self.refused.add(key)
        self.seen.add(key)

    @rule(key=keys)
    def forgive(self, key: tuple[str, str, str]) -> None:
        self.lockout.forgive(key[0], key[1], Secret(key[2]))
        self.refused.discard(key)
        self.seen.add(key)

    @invariant()
    def stops_exactly_what_was_refused(self) -> None:
        for key in self.seen:
            try:
                self.lockout.check(key[0], key[1], Secret(key[2]))
            except LoginRefused:
                assert key in self.refused
            else:
                assert key not in self.refused


TestRefusals = Refusals.TestCase
TestRefusals.settings = settings(max_examples=30, stateful_step_count=20)


class Room:
    """Counts who is in a turn; more than one at a time is what must not happen."""

    def __init__(self) -> None:
        self.inside = 0
        self.crowded = False
        self.entered = 0

    async def visit(self, lockout: Lockout, user: str = USER, host: str = HOST) -> None:
        async with lockout.turn(host, user):
            self.inside += 1
            self.entered += 1
            self.crowded |= self.inside > 1
            await asyncio.sleep(0.001)
            self.inside -= 1


async def test_logins_of_one_user_take_turns() -> None:
    lockout, room = Lockout(), Room()
    async with asyncio.timeout(30):
        await asyncio.gather(*(room.visit(lockout) for _ in range(50)))
    assert (room.entered, room.crowded) == (50, False)
    assert not lockout._turns


async def test_logins_of_other_users_or_hosts_do_not_wait() -> None:
    lockout, room = Lockout(), Room()
    async with asyncio.timeout(30), lockout.turn(HOST, USER):
        await asyncio.gather(room.visit(lockout, user="other"), room.visit(lockout, host="other.example"))
    assert room.crowded


async def test_logins_in_several_threads_event_loops_take_turns() -> None:
    lockout, room = Lockout(), Room()

    async def visit_often() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*(room.visit(lockout) for _ in range(10)))

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, visit_often()) for _ in range(4)))
    assert (room.entered, room.crowded) == (40, False)
    assert not lockout._turns


async def test_a_turn_ends_when_its_login_fails() -> None:
    lockout = Lockout()

    async def fail() -> None:
        async with lockout.turn(HOST, USER):
            raise LoginRefused("wrong password", operation="session.log_in", status=400)

    for _ in range(2):
        with pytest.raises(LoginRefused):
            await asyncio.wait_for(fail(), 10)
    assert not lockout._turns


async def test_a_turn_ends_when_its_login_is_cancelled() -> None:
    lockout, room = Lockout(), Room()

    async def hang() -> None:
        async with lockout.turn(HOST, USER):
            await asyncio.sleep(60)

    hanging = asyncio.create_task(hang())
    waiting = asyncio.create_task(room.visit(lockout))
    await asyncio.sleep(0.01)
    assert room.entered == 0
    hanging.cancel()
    await asyncio.wait_for(waiting, 10)
    assert room.entered == 1


async def test_a_waiter_that_is_cancelled_breaks_nobody_else() -> None:
    lockout, room = Lockout(), Room()
    async with asyncio.timeout(30):
        async with lockout.turn(HOST, USER):
            waiting = [asyncio.create_task(room.visit(lockout)) for _ in range(5)]
            await asyncio.sleep(0.01)
            for cancelled in waiting[:3]:
                cancelled.cancel()
            await asyncio.sleep(0.01)
            assert room.entered == 0
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 3 + [type(None)] * 2
    assert (room.entered, room.crowded) == (2, False)


def _give_up_waiting(lockout: Lockout) -> None:
    async def wait() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Room().visit(lockout), 0.02)

    asyncio.run(wait())


async def _in_a_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.005)


async def test_a_waiter_whose_event_loop_is_gone_breaks_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    lockout, room = Lockout(), Room()
    async with lockout.turn(HOST, USER):
        await _in_a_thread(lambda: _give_up_waiting(lockout))
    await asyncio.wait_for(room.visit(lockout), 10)
    assert room.entered == 1
    assert not caplog.records
