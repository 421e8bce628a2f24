"""Retries: the decision whether and when to try again, without a clock and without I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from thingspace_async.errors import AnswerLost, RateLimited, RequestNotSent, ServerFault, ThingSpaceError

__all__ = ["RetryPolicy", "delay_before_retry", "reason_to_stop"]

_PASSING: Final = frozenset({502, 503, 504})


@attrs.frozen(kw_only=True, eq=False)  # Never compared.
class RetryPolicy:
    """How often and how long to try again. All times in seconds."""

    retries: int = 2
    """Maximum number of tries after the first."""
    total: float = 120.0
    """Latest start of a retry, after the start of the first try."""
    first_delay: float = 0.5
    """Longest delay before the first retry. It doubles with each retry."""
    longest_delay: float = 30.0
    """Longest delay. A longer Retry-After ends the call."""
    renews_tokens: bool = True
    """Whether to try again with a new token if the platform rejects the first. Such a try does not count."""


def delay_before_retry(
    policy: RetryPolicy,
    failure: ThingSpaceError,
    *,
    repeatable: bool,
    retried: int,
    elapsed: float,
    jitter: Callable[[], float],
) -> float | None:
    """Return the seconds to wait before the next try, or None if there must not be one.

    A request that was not carried out may always be repeated. A request that may have been carried out is repeated only
    if it is `repeatable`.
    """
    if not _may_help(failure) or not (repeatable or _was_not_carried_out(failure)) or retried >= policy.retries:
        return None
    wait = jitter() * min(policy.longest_delay, policy.first_delay * 2 ** min(retried, 60))
    asked = getattr(failure, "retry_after", None)
    if asked is not None:
        if asked > policy.longest_delay:
            return None
        # Spread the retries of callers that were throttled together.
        wait = asked + jitter() * max(asked / 2, policy.first_delay)
    return wait if elapsed + wait <= policy.total else None


def reason_to_stop(policy: RetryPolicy, failure: ThingSpaceError, *, repeatable: bool, retried: int) -> str:
    """Return why `delay_before_retry` returned None, for the log."""
    if not _may_help(failure):
        return "the answer is final"
    if not (repeatable or _was_not_carried_out(failure)):
        return "the platform may have carried it out, and a second request may do harm"
    if retried >= policy.retries:
        return f"retries={policy.retries} allows no more"
    return f"the wait would be too long for the limit of {policy.total:g} s, or for a Retry-After"


def _may_help(failure: ThingSpaceError) -> bool:
    """Return whether another try may have another result."""
    if isinstance(failure, ServerFault):
        return failure.status in _PASSING
    return isinstance(failure, RequestNotSent | RateLimited | AnswerLost)


def _was_not_carried_out(failure: ThingSpaceError) -> bool:
    return isinstance(failure, RequestNotSent | RateLimited)
