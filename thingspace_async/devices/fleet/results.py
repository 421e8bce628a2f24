"""Results of the devices of a fleet run."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["FleetResult"]


class FleetResult(StrEnum):
    """Result of one device in a run."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The platform refused the device or its request, or the device was never sent because it is invalid."""
    MISSING = "missing"
    """Accepted, but no outcome arrived in time. The next run of the same name awaits it again."""
    UNKNOWN = "unknown"
    """Perhaps sent: the answer was lost, and no message about the device arrived. Find out before you send it
    again. The next run of the same name searches for messages again, and sends the device only with `retry`."""
    NOT_SENT = "not sent"
    """Never accepted. The next run of the same name sends it."""
