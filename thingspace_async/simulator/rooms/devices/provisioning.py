"""Shared code for changes of service: they are accepted now, carried out later, and added to the device's history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, NoReturn, cast

import attrs

from thingspace_async.simulator.fleet import PLAN_CODES, Device, Event
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.reading import Chosen
from thingspace_async.simulator.rooms.devices.accepting import accept
from thingspace_async.simulator.wire import Answer, Call, optional, refuse, required

__all__ = [
    "IDLE",
    "LINE",
    "Change",
    "check_active",
    "existing_in",
    "line_of",
    "optional_plan",
    "plan_of",
    "provision",
    "too_often",
    "wrong_state",
]

IDLE: Final = frozenset({"preactive", "deactive"})
"""States without service."""

LINE: Final = frozenset({"mdn", "msisdn", "min"})
"""The kinds of identifiers of a line of service. The other kinds identify hardware."""


@attrs.frozen(kw_only=True)
class Change:
    """A request's steps for each device. Each step may refuse a device with DeviceFault."""

    event_type: str
    find: Callable[[Chosen], Device]
    begin: Callable[[Device], object] = lambda _: None
    """Called when the request is accepted."""
    finish: Callable[[Device], object]
    """Called when the request is due."""
    response: Callable[[Device], object] = lambda _: {}
    """Returns the device's result for the callback, as far as its form is known (PROTOCOL.md 3.4)."""


def existing_in(account_name: str | None) -> Callable[[Chosen], Device]:
    """Return a `find` step for existing devices, in an account if one is given."""
    return lambda chosen: chosen.existing(account_name)


def provision(
    call: Call,
    change: Change,
    chosen: list[Chosen],
    *,
    account_name: str | None = None,
    service: str = "CarrierService",
    due: datetime | None = None,
) -> Answer:
    """Accept a request that changes devices, and add the outcome to each device's history."""
    due = due or call.platform.clock.now() + call.platform.assumptions.request_time
    note = partial(_note, change.event_type, due, call.session.user.name)

    def carry_out(device: Device, refusal: DeviceFault | None) -> object:
        refusal = refusal or _refusal_of(change.finish, device)
        note(device, "Success" if refusal is None else "Failed")
        if refusal is not None:
            raise refusal
        return change.response(device)

    work: list[Work] = []
    for each in chosen:
        try:
            device = change.find(each)
        except DeviceFault as fault:
            work.append(Work(each.device_ids, partial(_refuse, fault.with_traceback(None))))
        else:
            work.append(Work(each.device_ids, partial(carry_out, device, _refusal_of(change.begin, device))))
    return accept(call, chosen, work, account_name, service=service, due=due)


def _refuse(fault: DeviceFault) -> NoReturn:
    raise fault


def _refusal_of(part: Callable[[Device], object], device: Device) -> DeviceFault | None:
    try:
        part(device)
    except DeviceFault as fault:
        return fault.with_traceback(None)  # The traceback would keep the parsed request alive.
    return None


def _note(event_type: str, moment: datetime, user: str, device: Device, status: str) -> None:
    plan = device.service_plan if device.was_activated else None
    device.events.append(
        Event(
            occurred_at=moment, event_type=event_type, status=status, event_by=user, service_plan=plan, mdn=device.mdn
        )
    )


def line_of(device: Device) -> dict[str, Any]:
    """Return a device's identifiers and plan."""
    return {"deviceIds": device.device_ids, "servicePlan": device.service_plan}


def plan_of(document: Mapping[str, Any]) -> str:
    """Read a required plan."""
    required(document, "servicePlan", str)
    return cast(str, optional_plan(document))


def optional_plan(document: Mapping[str, Any]) -> str | None:
    """Read an optional plan; refuse an unknown one."""
    code = optional(document, "servicePlan", str)
    if code not in (None, *PLAN_CODES):
        # The code contains the plan's name (PROTOCOL.md 2.1).
        raise refuse(
            f"UnifiedWebService.REQUEST_FAILED.{code}.NotFound", f"The service plan {code} could not be found."
        )
    return code


def check_active(device: Device) -> None:
    """Refuse a device that is not in service."""
    if device.state != "active":
        raise wrong_state()


def wrong_state() -> DeviceFault:
    """Make the refusal of a device in the wrong state."""
    return DeviceFault(
        "UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The state of the device does not allow it."
    )


def too_often(call: Call) -> DeviceFault:
    """Make the refusal of a device that reached its limit of changes."""
    return DeviceFault(call.platform.assumptions.too_often_code, "The device was changed too often.")
