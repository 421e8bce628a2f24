"""Requests that are accepted now and carried out later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import attrs

__all__ = ["DeviceFault", "LateRequest", "Work"]


class DeviceFault(Exception):
    """Raised by the work on a device that the platform refuses after it has accepted the request."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@attrs.frozen
class Work:
    """What a request does to one device when its time comes."""

    device_ids: list[dict[str, str]]
    """The device as the request named it."""
    do: Callable[[], object]
    """Does it and returns what its callback has to tell, or raises DeviceFault."""
    then: tuple[str, dict[str, object]] | None = None
    """Another callback service that hears of it when it went well, and what that is told."""


@attrs.define
class LateRequest:
    """A request whose result arrives later."""

    account_name: str
    done: datetime
    """When its result is there."""
    service: str
    """The callback service that its result goes to."""
    work: tuple[Work, ...] = ()
    fails: bool = False
    """Whether it fails whatever its work does."""
    faults: list[DeviceFault | None] | None = None
    """What became of each piece of work; None before it is done."""
    results: list[object] = attrs.field(factory=list[object])
    """What each piece of work returned, for its callback to tell; None where it was refused."""

    @property
    def failed(self) -> bool:
        """Whether it failed, for one of its devices at least."""
        return self.fails or any(fault is not None for fault in self.faults or ())

    def carry_out(self) -> None:
        """Do its work."""
        outcomes = [_outcome_of(work) for work in self.work]
        self.results = [result for result, _ in outcomes]
        self.faults = [fault for _, fault in outcomes]


def _outcome_of(work: Work) -> tuple[object, DeviceFault | None]:
    try:
        return work.do(), None
    except DeviceFault as fault:
        return None, fault
