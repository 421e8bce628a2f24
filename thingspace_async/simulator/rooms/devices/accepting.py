"""Requests that are accepted now and carried out later, device by device."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.reading import Chosen
from thingspace_async.simulator.wire import Answer, Call, unexpected

__all__ = ["accept", "accept_each", "first_of"]


def accept_each(
    call: Call,
    chosen: list[Chosen],
    do: Callable[[Chosen], object],
    account_name: str | None,
    *,
    service: str = "CarrierService",
) -> Answer:
    """Accept a request with the same work for each of its devices."""
    work = [Work(each.device_ids, partial(do, each)) for each in chosen]
    return accept(call, chosen, work, account_name, service=service)


def accept(
    call: Call,
    chosen: list[Chosen],
    work: list[Work],
    account_name: str | None,
    *,
    service: str = "CarrierService",
    due: datetime | None = None,
) -> Answer:
    """Accept a request about some devices. Its account defaults to that of the first known device."""
    if not chosen:
        raise unexpected("the request names no device")
    if account_name is None and (first := first_of(chosen)) is not None:
        account_name = first.account_name
    time = None if due is None else due - call.platform.clock.now()
    return Answer(200, {"requestId": call.platform.accept(work, account_name=account_name, service=service, time=time)})


def first_of(chosen: list[Chosen]) -> Device | None:
    """Return the first known device."""
    return next((each.device for each in chosen if each.device is not None), None)
