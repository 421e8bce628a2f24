"""Tokens: one fetch for all who need one, renewed in time, and dropped only by the answer that rejects them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async._auth import TokenKeeper, header_safe, refuses_password, rejected_token
from thingspace_async._store import Token, TokenKind
from thingspace_async._types import Secret
from thingspace_async.errors import (
    ApiError,
    BadRequest,
    LoginRefused,
    RateLimited,
    RequestNotSent,
    ServerFault,
    ThingSpaceError,
    Unauthorized,
)


class Source:
    """Gives a new token at each fetch, or what is in `failures` first, and only while the gate is open."""

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


async def test_a_token_that_is_held_is_not_fetched_again() -> None:
    source = Source()
    keeper = TokenKeeper(source)
    assert keeper.current is None
    first = await keeper.get()
    assert await keeper.get() is keeper.current is keeper.held is first
    assert source.fetches == 1


async def test_a_rejection_that_comes_late_leaves_the_newer_token() -> None:
    keeper = TokenKeeper(Source())
    old = await keeper.get()
    keeper.reject(old)
    new = await keeper.get()
    keeper.reject(old)
    assert keeper.current is new
    keeper.reject(new)
    assert keeper.current is None


async def test_a_token_that_is_forgotten_is_fetched_anew() -> None:
    keeper = TokenKeeper(Source(seconds=3600))
    await keeper.get()
    keeper.forget()
    assert keeper.held is keeper.current is None
    assert (await keeper.get()).reveal() == "token 2"


async def test_all_who_waited_for_a_fetch_share_its_failure_and_later_ones_fetch_again() -> None:
    source = Source(_down())
    source.gate.clear()
    keeper = TokenKeeper(source)
    tasks = await _waiting(keeper, 1000)
    source.gate.set()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert source.fetches == 1
    assert {str(failure) for failure in failures} == {"oauth.token: cannot connect"}
    assert len({id(failure) for failure in failures}) == 1000, "tasks that share an exception spoil its traceback"
    assert (await keeper.get()).reveal() == "token 2"


async def test_a_failure_is_not_shared_with_who_came_after_it() -> None:
    source = Source(_down(), _down())
    keeper = TokenKeeper(source)
    for fetches in (1, 2):
        with pytest.raises(RequestNotSent):
            await keeper.get()
        assert source.fetches == fetches
    await keeper.get()
    assert source.fetches == 3


async def test_after_a_success_an_old_failure_reaches_nobody() -> None:
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


async def test_a_failure_that_is_none_of_ours_is_shared_with_nobody() -> None:
    source = Source(ZeroDivisionError())
    source.gate.clear()
    keeper = TokenKeeper(source)
    tasks = await _waiting(keeper, 3)
    source.gate.set()
    first, *others = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, ZeroDivisionError)
    assert {token.reveal() for token in others if isinstance(token, Secret)} == {"token 2"}


async def test_when_the_task_that_fetches_is_cancelled_the_next_one_fetches() -> None:
    source = Source()
    source.gate.clear()
    keeper = TokenKeeper(source)
    fetching, *waiting = await _waiting(keeper, 5)
    fetching.cancel()
    await _settle()
    assert fetching.cancelled()
    assert source.fetches == 2
    source.gate.set()
    assert {token.reveal() for token in await asyncio.gather(*waiting)} == {"token 2"}


async def test_when_a_task_that_waits_is_cancelled_the_others_get_their_token() -> None:
    source = Source()
    source.gate.clear()
    keeper = TokenKeeper(source)
    tasks = await _waiting(keeper, 5)
    tasks[2].cancel()
    source.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert source.fetches == 1
    assert [type(result) for result in results] == [Secret, Secret, asyncio.CancelledError, Secret, Secret]


async def test_replacing_fetches_even_though_there_is_a_token() -> None:
    keeper = TokenKeeper(Source())
    old = await keeper.get()
    other = Source()
    assert await keeper.replace(other) is keeper.current
    assert other.fetches == 1
    keeper.reject(old)
    assert keeper.current is not None


async def test_a_replacement_that_fails_leaves_the_token_that_there_is() -> None:
    keeper = TokenKeeper(Source())
    old = await keeper.get()
    with pytest.raises(LoginRefused):
        await keeper.replace(Source(LoginRefused("wrong", operation="session.log_in", status=400)))
    assert keeper.current is old


async def test_who_comes_during_a_replacement_gets_the_replacement() -> None:
    own, other = Source(), Source()
    keeper = TokenKeeper(own)
    other.gate.clear()
    replacing = asyncio.create_task(keeper.replace(other))
    await _settle()
    tasks = await _waiting(keeper, 10)
    other.gate.set()
    assert set(await asyncio.gather(replacing, *tasks)) == {keeper.held}
    assert own.fetches == 0


async def test_while_one_task_has_the_keeper_to_itself_only_it_fetches() -> None:
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


async def test_a_keeper_is_free_again_when_its_exclusive_use_fails() -> None:
    keeper = TokenKeeper(Source())
    with pytest.raises(LoginRefused):
        async with keeper.exclusive():
            raise LoginRefused("wrong", operation="session.log_in", status=400)
    assert (await asyncio.wait_for(keeper.get(), 10)).reveal() == "token 1"


@pytest.mark.parametrize(
    ("expires_in", "usable"),
    [(0, 1.0), (1, 1.0), (2, 1.0), (5, 2.5), (50, 25.0), (120, 60.0), (121, 61.0), (3600, 3540.0), (-9, 1.0)],
)
async def test_a_token_is_renewed_a_minute_before_its_end_or_at_half_of_what_is_left(
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
    assert await keeper.get() is not first
    assert source.fetches == 2


async def test_a_token_without_an_end_is_kept_until_it_is_rejected() -> None:
    clock = Clock()
    keeper = TokenKeeper(Source(), clock=clock)
    first = await keeper.get()
    clock.now += 1e9
    assert keeper.current is first


@given(st.floats(-10, 1e6))
async def test_no_token_is_asked_for_more_than_once_a_second_or_used_beyond_its_end(expires_in: float) -> None:
    clock = Clock()
    keeper = TokenKeeper(Source(seconds=expires_in), clock=clock)
    await keeper.get()
    clock.now += 0.99
    assert keeper.current is not None
    clock.now += max(expires_in, 1.0)
    assert keeper.current is None


@pytest.mark.parametrize("text", ["abc", "9e107d9d-372b-b682-6bd8-1d3542a419d6", "a.b_c~d+e/f==", "!"])
def test_a_visible_ascii_token_can_travel_in_a_header(text: str) -> None:
    assert header_safe(text)


@pytest.mark.parametrize("text", ["", " ", "a b", "a\r\nX-Evil: 1", "a\n", "a\x00", "a\x7f", "é", "a\u2028b", "\ud800"])
def test_a_token_that_could_break_a_header_cannot(text: str) -> None:
    assert not header_safe(text)


@given(st.text())
def test_nothing_but_visible_ascii_is_ever_called_safe_for_a_header(text: str) -> None:
    assert header_safe(text) == (bool(text) and all("!" <= c <= "~" for c in text))


def _refusal(status: int, code: str | None = None, message: str = "m") -> ApiError:
    return BadRequest(message, operation="x", status=status, code=code)


CLOUD = "Failure response received for UWS V1 REST accounts: [400]"

REJECTIONS: list[tuple[int, str | None, str, TokenKind | None]] = [
    (401, "900901", "Invalid Credentials", "oauth"),
    (401, "900902", "Missing Credentials", "oauth"),
    (403, "900901", "Invalid Credentials", "oauth"),
    (401, "900903", "expired", "oauth"),
    (401, "900904", "inactive", "oauth"),
    (401, None, "<html>", "oauth"),
    (403, None, "<html>", None),
    (400, "900906", "No matching resource", None),
    (403, "900908", "Resource forbidden", None),
    (503, "900800", "throttled out", None),
    (400, "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (400, "DeviceService.REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (400, "REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (403, "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (401, "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "The Session has expired", "session"),
    (500, "UnifiedWebService.INPUT_INVALID.SessionToken.Invalid", "no GUID", "session"),
    (400, "UnifiedWebService.REQUEST_FAILED.SessionToken.Format", "absent", "session"),
    (400, "INVALID_PARAMETER", "UWS verification failure (The Session has expired.)", "session"),
    (400, "INVALID_PARAMETER", "uws verification failure (the session HAS EXPIRED.)", "session"),
    (400, "INVALID_PARAMETER", "Device not found", None),
    (400, "INVALID_REQUEST", "The Session has expired", None),
    (401, "unauthorized", CLOUD, "session"),
    (400, "unauthorized", f"{CLOUD}: more", "session"),
    (401, "unauthorized", "Failure response received for UWS V1 REST accounts: [500]", None),
    (500, "internal_server_error", "[401]", None),
    (400, "invalid_client", "no such client", None),
    (401, "invalid_client", "no such client", None),
    (401, "INVALID_ACCOUNT", "UWS verification", None),
    (400, "UnifiedWebService.REQUEST_FAILED.AccountNotFound", "no such account", None),
    (400, None, "The Session has expired", None),
    (500, None, "<html>", None),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), REJECTIONS)
def test_each_way_to_reject_a_token_is_known_and_nothing_else_is_taken_for_one(
    status: int, code: str | None, message: str, kind: TokenKind | None
) -> None:
    assert rejected_token(_refusal(status, code, message)) == kind


@pytest.mark.parametrize(
    ("status", "code", "refused"),
    [
        (400, "UnifiedWebService.INPUT_INVALID.Password.Invalid", True),
        (400, "UnifiedWebService.REQUEST_FAILED.UserNotFound", True),
        (400, "400", True),
        (400, None, True),
        (401, None, True),
        (401, "INVALID_ACCOUNT", True),
        (403, None, True),
        (404, "UnifiedWebService.REQUEST_FAILED.UserNotFound", True),
        (409, "X.Y", True),
        (404, None, False),
        (405, None, False),
        (408, None, False),
        (401, "900901", False),
        (401, "900902", False),
        (400, "900906", False),
        (403, "900908", False),
        (403, "900800", False),
        (429, None, False),
        (429, "X.Y", False),
        (302, None, False),
        (500, None, False),
        (500, "UnifiedWebService.INPUT_INVALID.Password.Invalid", False),
        (503, "X.Y", False),
    ],
)
def test_a_refused_password_is_told_from_a_login_that_failed_otherwise(
    *, status: int, code: str | None, refused: bool
) -> None:
    assert refuses_password(_refusal(status, code)) is refused


@pytest.mark.parametrize(
    "failure",
    [
        _down(),
        ServerFault("m", operation="x", status=503),
        RateLimited("m", operation="x", status=429),
        Unauthorized("m", operation="x", status=401),
    ],
)
async def test_each_waiter_gets_an_error_of_the_class_of_the_failure(failure: ThingSpaceError) -> None:
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


async def test_a_refused_replacement_is_not_the_failure_of_those_who_waited() -> None:
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
