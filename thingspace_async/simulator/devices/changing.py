"""What changes of devices' service have in common: accepted now and carried out later, their outcome noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, NoReturn, cast

import attrs

from thingspace_async.simulator.devices.later import accept
from thingspace_async.simulator.fleet import PLAN_CODES, Device, Event
from thingspace_async.simulator.late import DeviceFault, Work
from thingspace_async.simulator.reading import Chosen
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
"""The states without service."""

LINE: Final = frozenset({"mdn", "msisdn", "min"})
"""The kinds of identifiers that belong to a line of service, and not to hardware."""


@attrs.frozen(kw_only=True)
class Change:
    """What a request does to each of its devices; each part of it may refuse one with a DeviceFault."""

    event_type: str
    find: Callable[[Chosen], Device]
    begin: Callable[[Device], object] = lambda _: None
    """What happens as soon as the request is accepted."""
    finish: Callable[[Device], object]
    """What happens when its time has come."""
    tell: Callable[[Device], object] = lambda _: {}
    """What the callback then tells about the device, as far as that is known (protocol.md 3.4)."""


def existing_in(account_name: str | None) -> Callable[[Chosen], Device]:
    """Return what finds a device that is there already; in an account, where one is given."""
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
    """Accept a request that changes devices, and note on each what becomes of it."""
    due = due or call.platform.clock.now() + call.platform.assumptions.request_time
    note = partial(_note, change.event_type, due, call.session.user.name)

    def carry_out(device: Device, refusal: DeviceFault | None) -> object:
        refusal = refusal or _refusal_of(change.finish, device)
        note(device, "Success" if refusal is None else "Failed")
        if refusal is not None:
            raise refusal
        return change.tell(device)

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
        return fault.with_traceback(None)  # Which would keep all that the request was read into.
    return None


def _note(event_type: str, moment: datetime, user: str, device: Device, status: str) -> None:
    plan = device.service_plan if device.was_activated else None
    device.events.append(
        Event(
            occurred_at=moment, event_type=event_type, status=status, event_by=user, service_plan=plan, mdn=device.mdn
        )
    )


def line_of(device: Device) -> dict[str, Any]:
    """Tell what a device is known by, and its plan."""
    return {"deviceIds": device.device_ids, "servicePlan": device.service_plan}


def plan_of(document: Mapping[str, Any]) -> str:
    """Read the plan that a request cannot do without."""
    required(document, "servicePlan", str)
    return cast(str, optional_plan(document))


def optional_plan(document: Mapping[str, Any]) -> str | None:
    """Read a plan, which has to be one that there is."""
    code = optional(document, "servicePlan", str)
    if code not in (None, *PLAN_CODES):
        # The code has the plan's name in it (protocol.md 2.1).
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
    """Make the refusal of a device that was changed as often as it may be."""
    return DeviceFault(call.platform.assumptions.too_often_code, "The device was changed too often.")
