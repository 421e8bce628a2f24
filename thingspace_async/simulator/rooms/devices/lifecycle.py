"""Handlers that activate, suspend, restore and deactivate devices (PROTOCOL.md 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeAlias

import attrs

from thingspace_async._core.operation import Operation
from thingspace_async.devices.lifecycle.calls import ACTIVATE, DEACTIVATE, RESTORE, SUSPEND, UPLOAD_AND_ACTIVATE
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.reading import Chosen, account_of, choose, chosen_devices, named_device
from thingspace_async.simulator.rooms.devices.addresses import with_addresses
from thingspace_async.simulator.rooms.devices.attributes import writer_of
from thingspace_async.simulator.rooms.devices.provisioning import (
    IDLE,
    LINE,
    Change,
    existing_in,
    line_of,
    plan_of,
    provision,
    too_often,
    wrong_state,
)
from thingspace_async.simulator.rooms.devices.status import check_upload, suspension_of
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required, unexpected

__all__ = ["HANDLERS"]

Document: TypeAlias = "dict[str, Any]"


@attrs.frozen
class _Step:
    """One of the four provisioning actions with a daily limit."""

    event_type: str
    begins: Callable[[str], bool]
    """Whether the action is allowed in a state."""
    pending: Callable[[Call], str]
    """The state while the action is pending."""
    ends: str


_ACTIVATE: Final = _Step("Activate", IDLE.__contains__, lambda _: "pending activation", "active")
_SUSPEND: Final = _Step(
    "Suspend", "active".__eq__, lambda call: call.platform.assumptions.pending_suspend_state, "suspend"
)
_RESTORE: Final = _Step(
    "Restore", "suspend".__eq__, lambda call: call.platform.assumptions.pending_restore_state, "active"
)
# Deactivation is allowed in custom states too.
_DEACTIVATE: Final = _Step(
    "Deactivate",
    lambda state: state not in IDLE and not state.startswith("pending "),
    lambda _: "pending deactivation",
    "deactive",
)
_STEPS: Final = frozenset(step.event_type for step in (_ACTIVATE, _SUSPEND, _RESTORE, _DEACTIVATE))


def activate(call: Call) -> Answer:
    """Put devices into service. Unknown devices are added to the account immediately."""
    document, write_address = with_addresses(call.document())
    return _activate(call, document, write_address)


def upload_and_activate(call: Call) -> Answer:
    """Put new devices into service."""
    document = call.document()
    check_upload(document)
    return _activate(call, document)


def _activate(call: Call, document: Document, write_address: Callable[[Device], object] = lambda _: None) -> Answer:
    account_name = account_of(call, document)
    required(document, "mdnZipCode", str)
    plan, write = plan_of(document), writer_of(call, document, account_name)
    kinds_of_new = {"iccid"} if optional(document, "skuNumber", str) else {"imei", "iccid"}
    required(document, "devices", list)

    def find(chosen: Chosen) -> Device:
        if chosen.device is None and kinds_of_new <= {one["kind"].casefold() for one in chosen.device_ids}:
            chosen = named_device(
                call, chosen.device_ids
            )  # The request may name a device twice, and have just added it.
            if chosen.device is None:
                return call.platform.devices.add_named(account_name, chosen.device_ids, call.platform.clock.now())
        return chosen.existing(account_name)

    def finish(device: Device) -> None:
        hardware = [own for own in device.device_ids if own["kind"].casefold() not in LINE]
        device.device_ids = [*call.platform.devices.new_line(), *hardware]
        device.service_plan = plan
        write(device)
        write_address(device)
        _end(_ACTIVATE, device)

    activation = Change(
        event_type=_ACTIVATE.event_type,
        find=find,
        begin=partial(_begin, call, _ACTIVATE),
        finish=finish,
        response=lambda device: {"activateResponse": {**line_of(device), "state": device.state}},
    )
    return provision(call, activation, chosen_devices(call, document), account_name=account_name)


def suspend(call: Call) -> Answer:
    """Suspend devices."""
    return _change_service(call, _SUSPEND, call.document(), response=partial(suspension_of, call))


def restore(call: Call) -> Answer:
    """Restore suspended devices."""
    return _change_service(call, _RESTORE, call.document(), response=lambda _: {"restoreResponse": {"restored": True}})


def deactivate(call: Call) -> Answer:
    """End the service of devices, and delete them on request."""
    document = call.document()
    required(document, "accountName", str)
    if required(document, "reasonCode", str) != "FF":
        raise unexpected("must be FF", at=(document, "reasonCode"))
    delete = optional(document, "deleteAfterDeactivation", bool)

    def finish(device: Device) -> None:
        _end(_DEACTIVATE, device)
        if delete:
            call.platform.devices.remove(device)

    return _change_service(call, _DEACTIVATE, document, finish=finish, response=lambda _: {"deactivateResponse": {}})


def _change_service(
    call: Call,
    step: _Step,
    document: Document,
    *,
    finish: Callable[[Device], object] | None = None,
    response: Callable[[Device], object],
) -> Answer:
    account_name, chosen = choose(call, document)
    change = Change(
        event_type=step.event_type,
        find=existing_in(account_name),
        begin=partial(_begin, call, step),
        finish=finish or partial(_end, step),
        response=response,
    )
    return provision(call, change, chosen, account_name=account_name)


def _begin(call: Call, step: _Step, device: Device) -> None:
    if not step.begins(device.state):
        if step is _ACTIVATE:
            raise DeviceFault(
                "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive", "REQUEST_FAILED. Device is already active"
            )
        raise wrong_state()
    assumptions, now = call.platform.assumptions, call.platform.clock.now()
    today = [one for one in device.events if one.event_type in _STEPS and one.occurred_at > now - timedelta(days=1)]
    if sum(one.status == "Success" for one in today) >= assumptions.provisioning_actions_a_day:
        raise too_often(call)
    device.state, device.connected = step.pending(call), False


def _end(step: _Step, device: Device) -> None:
    device.state, device.connected = step.ends, step.ends == "active"


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    ACTIVATE: activate,
    DEACTIVATE: deactivate,
    SUSPEND: suspend,
    RESTORE: restore,
    UPLOAD_AND_ACTIVATE: upload_and_activate,
}
