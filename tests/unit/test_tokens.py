"""Tokens: one fetch serves all tasks, renewal is in time, and only the answer that rejects a token drops it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async._core.store import Token
from thingspace_async._core.tokens import TokenKeeper
from thingspace_async._core.types import Secret
from thingspace_async.errors import (
    LoginRefused,
    RateLimited,
    RequestNotSent,
    ServerFault,
    SessionClosed,
    ThingSpaceError,
    Unauthorized,
)


class Source:
    """Raise the errors in `failures`, then return a new token at each fetch. Wait while the gate is closed."""

    def __init__(self, *failures: Exception, seconds: float | None = None) -> None:
        self.fetches = 0
        self.failures = list(failures)
        self.seconds = seconds
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Token:
        self.fetches += 1
        number = self.fetches
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return Token(Secret(f"token {number}"), self.seconds)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _down() -> RequestNotSent:
    return RequestNotSent("cannot connect", operation="oauth.token")


async def _settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def _waiting(keeper: TokenKeeper, count: int) -> list[asyncio.Task[Secret]]:
    tasks = [asyncio.create_task(keeper.get()) for _ in range(count)]
    await _settle()
    return tasks


async def test_a_thousand_tasks_without_a_token_cause_one_fetch() -> None:
    source = Source()
    keeper = TokenKeeper(source)
    tokens = await asyncio.gather(*(keeper.get() for _ in range(1000)))
    assert source.fetches == 1
    assert {token.reveal() for token in tokens} == {"token 1"}


async def test_a_thousand_tasks_whose_token_was_rejected_cause_one_more_fetch() -> None:
    source = Source()
    keeper = TokenKeeper(source)
    seen = await keeper.get()

    async def meet_the_rejection() -> Secret:
        await asyncio.sleep(0)
        keeper.reject(seen)
        return await keeper.get()

    tokens = await asyncio.gather(*(meet_the_rejection() for _ in range(1000)))
    assert source.fetches == 2
    assert {token.reveal() for token in tokens} == {"token 2"}


async def test_a_valid_token_is_not_fetched_again() -> None:
    source = Source()
    keeper = TokenKeeper(source)
    assert keeper.current is None
    first = await keeper.get()
    assert await keeper.get() is keeper.current is keeper.held is first
    assert source.fetches == 1


async def test_a_late_rejection_keeps_the_newer_token() -> None:
    keeper = TokenKeeper(Source())
    old = await keeper.get()
    keeper.reject(old)
    new = await keeper.get()
    assert keeper.reject(old)
    assert keeper.current is new
    keeper.accepted()
    keeper.reject(new)
    assert keeper.current is None


async def test_the_time_left_is_that_of_the_present_token() -> None:
    clock = Clock()
    keeper = TokenKeeper(Source(seconds=3600), clock=clock)
    assert keeper.seconds_left is None
    await keeper.get()
    clock.now += 600
    assert keeper.seconds_left == 3000
    clock.now += 6000
    assert keeper.seconds_left == 0
    keeper.forget()
    assert keeper.seconds_left is None


async def test_a_dropped_token_is_fetched_again() -> None:
    keeper = TokenKeeper(Source(seconds=3600))
    await keeper.get()
    keeper.forget()
    assert keeper.held is keeper.current is None
    assert (await keeper.get()).reveal() == "token 2"


async def test_all_tasks_that_waited_for_a_fetch_share_its_failure_and_later_ones_fetch_again() -> None:
    source = Source(_down())
    source.gate.clear()
    keeper = TokenKeeper(source)
    tasks = await _waiting(keeper, 1000)
    source.gate.set()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert source.fetches == 1
    assert {str(failure) for failure in failures} == {"oauth.token: cannot connect"}
    assert len({id(failure) for failure in failures}) == 1000, (
        "tasks that share one exception object garble its traceback"
    )
    assert (await keeper.get()).reveal() == "token 2"


async def test_a_failure_is_not_shared_with_tasks_that_came_after_it() -> None:
    source = Source(_down(), _down())
    keeper = TokenKeeper(source)
    for fetches in (1, 2):
        with pytest.raises(RequestNotSent):
            await keeper.get()
        assert source.fetches == fetches
    await keeper.get()
    assert source.fetches == 3


async def test_after_a_success_no_task_gets_an_old_failure() -> None:
    source = Source(_down())
    keeper = TokenKeeper(source)
    with pytest.raises(RequestNotSent):
        await keeper.get()
    token = await keeper.get()
    source.gate.clear()
    keeper.reject(token)
    tasks = await _waiting(keeper, 3)
    source.gate.set()
    assert {token.reveal() for token in await asyncio.gather(*tasks)} == {"token 3"}


async def test_an_exception_that_is_not_ours_is_shared_too() -> None:
    source = Source(ZeroDivisionError())
    source.gate.clear()
    keeper = TokenKeeper(source)
    tasks = await _waiting(keeper, 3)
    source.gate.set()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(failure) for failure in failures] == [ZeroDivisionError] * 3
    assert source.fetches == 1


async def test_a_fetch_whose_caller_is_cancelled_continues_for_the_others() -> None:
    source = Source()
    source.gate.clear()
    keeper = TokenKeeper(source)
    first, *others = await _waiting(keeper, 5)
    first.cancel()
    await _settle()
    assert first.cancelled()
    source.gate.set()
    assert {token.reveal() for token in await asyncio.gather(*others)} == {"token 1"}
    assert source.fetches == 1


async def test_a_fetch_whose_only_caller_is_cancelled_serves_the_next_one() -> None:
    source = Source()
    source.gate.clear()
    keeper = TokenKeeper(source)
    (only,) = await _waiting(keeper, 1)
    only.cancel()
    await _settle()
    source.gate.set()
    assert (await keeper.get()).reveal() == "token 1"
    assert source.fetches == 1


async def test_callers_of_a_fetch_cut_off_by_closing_get_session_closed() -> None:
    source = Source()
    source.gate.clear()
    keeper = TokenKeeper(source)
    tasks = await _waiting(keeper, 3)
    await keeper.end()
    assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {SessionClosed}


async def test_when_a_waiting_task_is_cancelled_the_others_get_their_token() -> None:
    source = Source()
    source.gate.clear()
    keeper = TokenKeeper(source)
    tasks = await _waiting(keeper, 5)
    tasks[2].cancel()
    source.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert source.fetches == 1
    assert [type(result) for result in results] == [Secret, Secret, asyncio.CancelledError, Secret, Secret]


async def test_replacing_fetches_even_if_there_is_a_token() -> None:
    keeper = TokenKeeper(Source())
    old = await keeper.get()
    other = Source()
    assert await keeper.replace(other) is keeper.current
    assert other.fetches == 1
    keeper.reject(old)
    assert keeper.current is not None


async def test_a_failed_replacement_keeps_the_current_token() -> None:
    keeper = TokenKeeper(Source())
    old = await keeper.get()
    with pytest.raises(LoginRefused):
        await keeper.replace(Source(LoginRefused("wrong", operation="session.log_in", status=400)))
    assert keeper.current is old


async def test_a_task_that_comes_during_a_replacement_gets_the_new_token() -> None:
    own, other = Source(), Source()
    keeper = TokenKeeper(own)
    other.gate.clear()
    replacing = asyncio.create_task(keeper.replace(other))
    await _settle()
    tasks = await _waiting(keeper, 10)
    other.gate.set()
    assert set(await asyncio.gather(replacing, *tasks)) == {keeper.held}
    assert own.fetches == 0


async def test_during_exclusive_use_only_the_owning_task_fetches() -> None:
    source = Source()
    keeper = TokenKeeper(source)
    async with keeper.exclusive():
        tasks = await _waiting(keeper, 10)
        assert source.fetches == 0
        own = await keeper.get()
        keeper.reject(own)
        await _settle()
        assert source.fetches == 1
    assert {token.reveal() for token in await asyncio.gather(*tasks)} == {"token 2"}
    assert own.reveal() == "token 1"


async def test_exclusive_use_ends_when_its_block_fails() -> None:
    keeper = TokenKeeper(Source())
    with pytest.raises(LoginRefused):
        async with keeper.exclusive():
            raise LoginRefused("wrong", operation="session.log_in", status=400)
    assert (await asyncio.wait_for(keeper.get(), 10)).reveal() == "token 1"


@pytest.mark.parametrize(
    ("expires_in", "usable"),
    [(0, 1.0), (1, 1.0), (2, 1.0), (5, 2.5), (50, 25.0), (120, 60.0), (121, 61.0), (3600, 3540.0), (-9, 1.0)],
)
async def test_a_token_is_renewed_a_minute_before_its_end_or_after_half_its_lifetime(
    expires_in: float, usable: float
) -> None:
    source, clock = Source(seconds=expires_in), Clock()
    keeper = TokenKeeper(source, clock=clock)
    first = await keeper.get()
    clock.now += usable - 0.01
    assert await keeper.get() is first
    clock.now += 0.02
    assert keeper.current is None
    assert keeper.held is first
    second = await keeper.get()
    assert (second is first) == (expires_in > usable + 0.01), "the token stays in use while a task renews it"
    await keeper.settle()
    assert await keeper.get() is not first
    assert source.fetches == 2


async def test_calls_keep_using_a_token_while_one_task_renews_it_early() -> None:
    source, clock = Source(seconds=3600), Clock()
    keeper = TokenKeeper(source, clock=clock)
    first = await keeper.get()
    clock.now += 3541
    source.gate.clear()
    assert set(await asyncio.gather(*(keeper.get() for _ in range(100)))) == {first}
    assert source.fetches == 2
    source.gate.set()
    await keeper.settle()
    assert keeper.current is not first


@pytest.mark.parametrize("failure", [_down(), ZeroDivisionError("hush")], ids=["ours", "not ours"])
async def test_a_token_that_cannot_be_renewed_early_stays_in_use_until_it_ends(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    source, clock = Source(seconds=3600), Clock()
    keeper = TokenKeeper(source, clock=clock)
    first = await keeper.get()
    source.failures = [failure] * 3
    for moment, fetches in ((3541, 2), (3545, 2), (3547, 3), (3551, 3)):
        clock.now = 1000.0 + moment
        assert await keeper.get() is first
        await keeper.settle()
        assert source.fetches == fetches
    assert caplog.text.count("stays in use until it expires") == 2
    assert "hush" not in caplog.text
    clock.now = 1000.0 + 3600
    with pytest.raises(type(failure)):
        await keeper.get()
    assert (await keeper.get()).reveal() == "token 5"


async def test_a_task_that_needs_an_expired_token_waits_for_its_renewal() -> None:
    source, clock = Source(seconds=3600), Clock()
    keeper = TokenKeeper(source, clock=clock)
    first = await keeper.get()
    clock.now += 3601
    source.gate.clear()
    (waiting,) = await _waiting(keeper, 1)
    assert not waiting.done()
    source.gate.set()
    assert await waiting is not first


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_tokens_that_are_always_rejected_are_replaced_a_few_times_per_half_minute(most: int) -> None:
    source, clock = Source(), Clock()
    keeper = TokenKeeper(source, clock=clock, most_unproven=most)
    for _ in range(most):
        assert keeper.reject(await keeper.get())
    last = await keeper.get()
    clock.now += 29.9
    assert not keeper.reject(last)
    assert await keeper.get() is last
    assert source.fetches == most + 1
    clock.now += 0.2
    assert keeper.reject(last)
    assert await keeper.get() is not last


async def test_a_replacement_that_was_accepted_may_be_replaced_at_once() -> None:
    keeper = TokenKeeper(Source(), clock=Clock())
    for _ in range(5):
        assert keeper.reject(await keeper.get())
        await keeper.get()
        keeper.accepted()


async def test_a_replacement_that_equals_the_rejected_token_is_not_replaced_again_at_once() -> None:
    clock, fetches = Clock(), 0

    async def fetch() -> Token:
        nonlocal fetches
        fetches += 1
        return Token(Secret("the same"))

    keeper = TokenKeeper(fetch, clock=clock, most_unproven=3)
    assert keeper.reject(await keeper.get())
    same = await keeper.get()
    assert not keeper.reject(same)
    assert await keeper.get() is same
    assert fetches == 2
    clock.now += 30
    assert keeper.reject(same)


async def test_a_token_without_an_expiry_is_kept_until_it_is_rejected() -> None:
    clock = Clock()
    keeper = TokenKeeper(Source(), clock=clock)
    first = await keeper.get()
    clock.now += 1e9
    assert keeper.current is first


@given(st.floats(-10, 1e6))
async def test_no_token_is_fetched_more_than_once_a_second_or_used_after_its_expiry(expires_in: float) -> None:
    clock = Clock()
    keeper = TokenKeeper(Source(seconds=expires_in), clock=clock)
    await keeper.get()
    clock.now += 0.99
    assert keeper.current is not None
    clock.now += max(expires_in, 1.0)
    assert keeper.current is None


@pytest.mark.parametrize(
    "failure",
    [
        _down(),
        ServerFault("m", operation="x", status=503),
        RateLimited("m", operation="x", status=429),
        Unauthorized("m", operation="x", status=401),
    ],
)
async def test_each_waiting_task_gets_an_error_of_the_class_of_the_failure(failure: ThingSpaceError) -> None:
    source = Source(failure)
    source.gate.clear()
    keeper = TokenKeeper(source)
    tasks = await _waiting(keeper, 3)
    source.gate.set()
    shared = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(error) for error in shared} == {type(failure)}


Fetch = Callable[[], Awaitable[Token]]


async def test_a_fetch_may_be_any_function_that_returns_an_awaitable() -> None:
    async def fetch() -> Token:
        return Token(Secret("x"))

    wanted: Fetch = fetch
    assert (await TokenKeeper(wanted).get()).reveal() == "x"


async def test_a_refused_replacement_is_not_the_failure_of_the_waiting_tasks() -> None:
    gate = asyncio.Event()

    async def fetch() -> Token:
        return Token(Secret("good"))

    async def refused() -> Token:
        await gate.wait()
        raise LoginRefused("the other password is wrong", operation="session.log_in", status=400)

    keeper = TokenKeeper(fetch)
    replacing = asyncio.create_task(keeper.replace(refused))
    await asyncio.sleep(0)
    getting = asyncio.create_task(keeper.get())
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(LoginRefused):
        await replacing
    assert (await getting).reveal() == "good"
