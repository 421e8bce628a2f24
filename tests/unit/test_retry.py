"""When to retry: never beyond the budget, and never an unsafe call that may have been carried out."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async._core.retry import RetryPolicy, delay_before_retry, reason_to_stop
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    AnswerUnreadable,
    ApiError,
    BadRequest,
    ConfigurationError,
    Conflict,
    Forbidden,
    InvalidRequest,
    LoginRefused,
    NotFound,
    RateLimited,
    RequestNotSent,
    ServerFault,
    SessionClosed,
    ThingSpaceError,
    Unauthorized,
)

POLICY = RetryPolicy(retries=3, total=100.0, first_delay=1.0, longest_delay=10.0)


def _refused(kind: type[ApiError], status: int, retry_after: float | None = None) -> ApiError:
    return kind("m", operation="x", status=status, retry_after=retry_after)


def _delay(
    failure: ThingSpaceError,
    *,
    repeatable: bool = True,
    retried: int = 0,
    elapsed: float = 0.0,
    jitter: float = 1.0,
    policy: RetryPolicy = POLICY,
) -> float | None:
    return delay_before_retry(
        policy, failure, repeatable=repeatable, retried=retried, elapsed=elapsed, jitter=lambda: jitter
    )


NOT_SENT = RequestNotSent("m", operation="x")
LOST = AnswerLost("m", operation="x")


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize(
    "failure", [NOT_SENT, _refused(RateLimited, 429), _refused(RateLimited, 503)], ids=["not sent", "429", "gateway"]
)
def test_any_call_that_was_not_carried_out_is_retried(failure: ThingSpaceError, *, repeatable: bool) -> None:
    assert _delay(failure, repeatable=repeatable) == 1.0


@pytest.mark.parametrize(
    "failure",
    [LOST, AnswerTimedOut("m", operation="x"), *(_refused(ServerFault, status) for status in (502, 503, 504))],
    ids=["lost", "timed out", "502", "503", "504"],
)
def test_a_call_that_may_have_been_carried_out_is_retried_only_if_repeatable(failure: ThingSpaceError) -> None:
    assert _delay(failure, repeatable=True) == 1.0
    assert _delay(failure, repeatable=False) is None


@pytest.mark.parametrize(
    "failure",
    [
        AnswerUnreadable("m", operation="x"),
        ConfigurationError("m"),
        InvalidRequest("m"),
        SessionClosed("m"),
        _refused(ApiError, 302),
        _refused(BadRequest, 400),
        _refused(BadRequest, 408, retry_after=1.0),
        _refused(Unauthorized, 401),
        _refused(LoginRefused, 400),
        _refused(Forbidden, 403),
        _refused(NotFound, 404),
        _refused(Conflict, 409),
        _refused(ServerFault, 500),
        _refused(ServerFault, 501),
        _refused(ServerFault, 500, retry_after=1.0),
    ],
    ids=repr,
)
def test_a_call_that_would_fail_again_is_never_retried(failure: ThingSpaceError) -> None:
    assert _delay(failure, repeatable=True) is None


@pytest.mark.parametrize(("retried", "wait"), [(0, 1.0), (1, 2.0), (2, 4.0), (3, 8.0), (4, 10.0), (9, 10.0)])
def test_the_delay_doubles_up_to_its_limit(retried: int, wait: float) -> None:
    policy = attrs.evolve(POLICY, retries=10)
    assert _delay(NOT_SENT, retried=retried, policy=policy) == wait
    assert _delay(NOT_SENT, retried=retried, policy=policy, jitter=0.25) == wait / 4


@pytest.mark.parametrize(("retries", "retried"), [(0, 0), (1, 1), (3, 3), (3, 7)])
def test_no_retry_is_left_when_all_are_used(retries: int, retried: int) -> None:
    assert _delay(NOT_SENT, retried=retried, policy=attrs.evolve(POLICY, retries=retries)) is None


@pytest.mark.parametrize(
    ("asked", "wait"), [(None, 0.5), (0.0, 0.5), (0.2, 0.7), (7.0, 8.75), (10.0, 12.5), (10.1, None), (86_400.0, None)]
)
def test_retry_after_of_the_platform_is_respected_up_to_the_limit(asked: float | None, wait: float | None) -> None:
    assert _delay(_refused(RateLimited, 429, asked), jitter=0.5) == wait
    assert _delay(_refused(ServerFault, 503, asked), jitter=0.5) == wait


@pytest.mark.parametrize(("elapsed", "wait"), [(0.0, 1.0), (99.0, 1.0), (99.1, None), (100.0, None), (500.0, None)])
def test_no_retry_begins_after_the_total(elapsed: float, wait: float | None) -> None:
    assert _delay(NOT_SENT, elapsed=elapsed) == wait


POLICIES = st.builds(
    RetryPolicy,
    retries=st.integers(0, 40),
    total=st.floats(0, 1e4),
    first_delay=st.floats(0, 60),
    longest_delay=st.floats(0, 600),
)

FAILURES = st.one_of(
    st.sampled_from([NOT_SENT, LOST, AnswerTimedOut("m", operation="x"), InvalidRequest("m")]),
    st.builds(
        _refused,
        st.sampled_from([RateLimited, ServerFault, BadRequest]),
        st.integers(400, 599),
        st.none() | st.floats(0, 1e5),
    ),
)


@given(
    policy=POLICIES,
    failures=st.lists(FAILURES, min_size=45, max_size=45),
    seconds=st.floats(0, 50),
    jitter=st.floats(0, 1, exclude_max=True),
    repeatable=st.booleans(),
)
def test_a_call_never_exceeds_its_budget(
    *, policy: RetryPolicy, failures: list[ThingSpaceError], seconds: float, jitter: float, repeatable: bool
) -> None:
    elapsed, retried = 0.0, 0
    for failure in failures:
        elapsed += seconds
        wait = _delay(failure, policy=policy, repeatable=repeatable, retried=retried, elapsed=elapsed, jitter=jitter)
        if wait is None:
            break
        retried += 1
        elapsed += wait
        assert 0 <= wait <= policy.longest_delay
        assert elapsed <= policy.total
        asked = getattr(failure, "retry_after", None)
        assert asked is None or wait >= asked
        assert repeatable or isinstance(failure, RequestNotSent | RateLimited)
        assert not isinstance(failure, InvalidRequest | BadRequest)
    assert retried <= policy.retries


@given(policy=POLICIES, retried=st.integers(0, 40), elapsed=st.floats(0, 1e4), jitter=st.floats(0, 1))
def test_an_unrepeatable_call_is_never_sent_again_after_a_lost_answer(
    policy: RetryPolicy, retried: int, elapsed: float, jitter: float
) -> None:
    assert _delay(LOST, policy=policy, repeatable=False, retried=retried, elapsed=elapsed, jitter=jitter) is None


def test_any_number_of_retries_can_be_counted() -> None:
    assert (
        delay_before_retry(
            RetryPolicy(retries=5000),
            RequestNotSent("m", operation="x"),
            repeatable=False,
            retried=1100,
            elapsed=0,
            jitter=lambda: 1.0,
        )
        == 30.0
    )


@pytest.mark.parametrize(
    ("failure", "repeatable", "retried", "reason"),
    [
        (_refused(BadRequest, 400), True, 0, "the answer is final"),
        (_refused(ServerFault, 500), True, 0, "the answer is final"),
        (LOST, False, 0, "the platform may have carried it out, and a second request may do harm"),
        (
            _refused(ServerFault, 503),
            False,
            0,
            "the platform may have carried it out, and a second request may do harm",
        ),
        (NOT_SENT, False, 3, "retries=3 allows no more"),
        (LOST, True, 3, "retries=3 allows no more"),
        (
            _refused(RateLimited, 429, 11),
            True,
            0,
            "the wait would be too long for the limit of 100 s, or for a Retry-After",
        ),
    ],
)
def test_the_log_says_why_a_call_is_not_retried(
    failure: ThingSpaceError, *, repeatable: bool, retried: int, reason: str
) -> None:
    assert _delay(failure, repeatable=repeatable, retried=retried) is None
    assert reason_to_stop(POLICY, failure, repeatable=repeatable, retried=retried) == reason
