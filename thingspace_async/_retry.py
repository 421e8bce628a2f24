"""When to try again: a pure decision, with no clock and no I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from thingspace_async.errors import AnswerLost, RateLimited, RequestNotSent, ServerFault, ThingSpaceError

__all__ = ["RetryPolicy", "delay_before_retry"]

_PASSING: Final = frozenset({502, 503, 504})


@attrs.frozen(kw_only=True, eq=False)  # Never compared.
class RetryPolicy:
    """How often and how long to try again. All times in seconds."""

    retries: int = 2
    """At most so many after the first try."""
    total: float = 120.0
    """No retry begins later than this after the first try began."""
    first_delay: float = 0.5
    longest_delay: float = 30.0
    """Also the longest Retry-After of the platform that is waited for."""


def delay_before_retry(
    policy: RetryPolicy,
    failure: ThingSpaceError,
    *,
    repeatable: bool,
    retried: int,
    elapsed: float,
    jitter: Callable[[], float],
) -> float | None:
    """Return the seconds to wait before the next try, or None when there must not be one.

    What was not carried out may be sent again whatever it is; what may have been carried out only if it is repeatable.
    """
    if isinstance(failure, RequestNotSent | RateLimited):
        allowed = True
    elif isinstance(failure, ServerFault):
        allowed = repeatable and failure.status in _PASSING
    else:
        allowed = repeatable and isinstance(failure, AnswerLost)
    if not allowed or retried >= policy.retries:
        return None
    wait = jitter() * min(policy.longest_delay, policy.first_delay * 2 ** min(retried, 60))
    asked = getattr(failure, "retry_after", None)
    if asked is not None:
        if asked > policy.longest_delay:
            return None
        wait = max(wait, asked)
    return wait if elapsed + wait <= policy.total else None
