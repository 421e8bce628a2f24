"""Requests that are accepted now and carried out later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from thingspace_async.simulator.clock import Clock
from thingspace_async.simulator.mechanisms.agenda import Agenda
from thingspace_async.simulator.mechanisms.messages import DeviceFault, MessageBuilder, message_of
from thingspace_async.simulator.mechanisms.retention import LatestFinished

__all__ = ["Announce", "LateRequest", "LateRequests", "Work"]

_FAILED: Final = DeviceFault("UnifiedWebService.REQUEST_FAILED.UnexpectedError", "Unexpected error occurred.")


@attrs.frozen
class Work:
    """The work of a request on one device, done when the request is due."""

    device_ids: list[dict[str, str]]
    """The device's identifiers in the request."""
    do: Callable[[], object]
    """Does the work and returns the content of its callback, or raises DeviceFault."""
    then: tuple[str, dict[str, object]] | None = None
    """A second callback after success: its service and its content."""


@attrs.define
class LateRequest:
    """A request whose result arrives later."""

    account_name: str
    done: datetime
    """When its result is due."""
    service: str
    """The callback service of its result."""
    work: tuple[Work, ...] = ()
    fails: bool = False
    """Whether to report failure even if its work succeeds."""
    message: MessageBuilder = message_of
    """Builds the message about each device."""
    faults: list[DeviceFault | None] | None = None
    """The refusal of each piece of work, or None for success; None as a whole while the request is pending."""
    results: list[object] = attrs.field(factory=list[object])
    """The return value of each piece of work; None for a refused one."""

    @property
    def failed(self) -> bool:
        """Whether it failed for at least one device."""
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


Announce = Callable[[LateRequest, str, dict[str, Any]], object]
"""Sends the message about one device of a request to a callback service."""


class LateRequests:
    """Accepts requests whose results arrive later, and carries them out."""

    def __init__(
        self, clock: Clock, agenda: Agenda, new_id: Callable[[], str], announce: Announce, *, most: int
    ) -> None:
        self._clock, self._agenda, self._new_id, self._announce = clock, agenda, new_id, announce
        self.by_id: dict[str, LateRequest] = {}
        """All pending requests, and the latest finished ones."""
        self.accepted: int = 0
        """The number of requests accepted so far."""
        self._finished = LatestFinished(self.by_id, most)

    def accept(
        self,
        work: Iterable[Work],
        *,
        account_name: str,
        service: str,
        wait: timedelta,
        fails: bool = False,
        request_id: str | None = None,
        message: MessageBuilder = message_of,
    ) -> str:
        """Accept a request, to be carried out after `wait`; return its id."""
        name = request_id or self._new_id()
        done = self._clock.now() + wait
        request = LateRequest(account_name, done, service, tuple(work), fails, message)
        self.by_id[name] = request
        self.accepted += 1
        self._agenda.put(done, lambda: self._carry_out(name, request))
        return name

    def _carry_out(self, request_id: str, request: LateRequest) -> None:
        request.carry_out()
        self._finished.finish(request_id)
        spare = _FAILED if request.fails else None
        for work, result, fault in zip(request.work, request.results, request.faults or (), strict=True):
            message = request.message(request_id, work.device_ids, result, fault or spare)
            self._announce(request, request.service, message)
            if work.then is not None and fault is None and not request.fails:
                service, content = work.then
                self._announce(request, service, request.message(request_id, work.device_ids, content, None))

        if not request.work:
            self._announce(request, request.service, request.message(request_id, [], None, spare))
