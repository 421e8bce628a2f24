"""The gateway's limit of requests per minute (PROTOCOL.md 6: ASSUMPTION)."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from thingspace_async.simulator.wire import Answer, fault

__all__ = ["Throttle", "throttled_out"]

_MINUTE: Final = timedelta(minutes=1)


def throttled_out(status: int = 503, reason: str | None = None) -> Answer:
    """Make the gateway's answer to a request beyond the limit: fault 900800 (ASSUMPTION, PROTOCOL.md 2.2)."""
    return fault(status, "900800", "Message throttled out", "You have exceeded your quota.", reason=reason)


class Throttle:
    """Limits the requests per simulated minute."""

    def __init__(self, requests_per_minute: int | None) -> None:
        self.requests_per_minute = requests_per_minute
        """The limit; None for none."""
        self._times: deque[datetime] = deque()

    def refuse(self, now: datetime) -> Answer | None:
        """Return the refusal of a request beyond the limit; otherwise count the request and return None."""
        if self.requests_per_minute is None:
            return None
        while self._times and not now - _MINUTE < self._times[0] <= now:
            self._times.popleft()
        if len(self._times) >= self.requests_per_minute:
            return throttled_out(reason=f"more than {self.requests_per_minute} requests in a minute")
        self._times.append(now)
        return None
