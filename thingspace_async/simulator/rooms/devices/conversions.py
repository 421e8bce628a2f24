"""Handlers for changes of a device's plan, identifiers, custom state or account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

from thingspace_async._core.operation import Operation
from thingspace_async.devices.lifecycle.calls import CHANGE_IDENTIFIER, CHANGE_PLAN, GO_TO_STATE, MOVE
from thingspace_async.simulator.fleet import Device, spelled_as_answered
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.reading import (
    Chosen,
    account_of,
    check_identifier,
    choose,
    chosen_devices,
    matching_devices,
    moment_of,
    named_device,
    objects_of,
)
from thingspace_async.simulator.rooms.devices.accepting import first_of
from thingspace_async.simulator.rooms.devices.addresses import LISTED, with_addresses
from thingspace_async.simulator.rooms.devices.attributes import writer_of
from thingspace_async.simulator.rooms.devices.provisioning import (
    LINE,
    Change,
    check_active,
    existing_in,
    line_of,
    optional_plan,
    plan_of,
    provision,
    too_often,
    wrong_state,
)
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required, unexpected

__all__ = ["HANDLERS"]

Document: TypeAlias = "dict[str, Any]"

_CHANGE_PLAN: Final = "Change Plan"
_PLAN_CHANGES_A_MONTH: Final = 4


def change_plan(call: Call) -> Answer:
    """Change the plan of active devices, now or at a given time."""
    document, write_address = with_addresses(call.document())
    plan = plan_of(document)
    if document.get(LISTED) is not None:
        # With the list, the present plan does not select devices.
        document = {name: value for name, value in document.items() if name != "currentServicePlan"}
    account_name, chosen = choose(call, document, service_plan="currentServicePlan")
    usual = call.platform.clock.now() + call.platform.assumptions.request_time
    due = max(usual, moment_of(document, "takeEffect") or usual)

    def finish(device: Device) -> None:
        check_active(device)
        changes = [one for one in device.events if one.event_type == _CHANGE_PLAN and one.status == "Success"]
        if sum(_month(one.occurred_at) == _month(due) for one in changes) >= _PLAN_CHANGES_A_MONTH:
            raise too_often(call)
        device.service_plan = plan
        write_address(device)

    change = Change(event_type=_CHANGE_PLAN, find=existing_in(account_name), finish=finish)
    return provision(call, change, chosen, account_name=account_name, due=due)


def _month(moment: datetime) -> tuple[int, int]:
    return moment.year, moment.month


_3G: Final = frozenset({"esn", "meid"})
_4G: Final = frozenset({"imei", "iccid", "eid"})
_CHANGES: Final[Mapping[str | None, tuple[frozenset[str], frozenset[str]]]] = {
    None: (_3G, _3G),
    "ChangeICCID": (frozenset({"iccid"}), frozenset({"iccid"})),
    "ChangeIMEI": (frozenset({"imei"}), frozenset({"imei"})),
    "ChangeIMEIandICCID": (frozenset({"imei", "iccid"}), frozenset({"imei", "iccid"})),
    "ChangeIMEIandEID": (frozenset({"imei", "eid"}), frozenset({"imei", "eid"})),
    "ChangeMSISDN": (LINE, frozenset()),
    "3Gto4G": (_3G, _4G),
    "4Gto3G": (_4G, _3G),
}
"""The kinds of identifiers that each change removes and adds (PROTOCOL.md 3.1). None is the change of 3G devices.

Their meaning: https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Change_Device_Identifier/
"""


def change_identifier(call: Call) -> Answer:
    """Move a line to other hardware, or give a device another number."""
    document = call.document()
    option, plan = optional(document, "change4gOption", str), optional_plan(document)
    service_type = call.path["service_type"].casefold()
    if service_type not in ("3g", "4g"):
        raise unexpected("must be 3G or 4G", at=(call.path, "service_type"))
    if option not in _CHANGES or (option is None and service_type == "4g"):
        known = ", ".join(name for name in _CHANGES if name is not None)
        raise unexpected(f"must be one of {known}", at=(document, "change4gOption"))
    required(document, "deviceIds", list)
    (going, coming), fleet = _CHANGES[option], call.platform.devices
    new = _new_identifiers(document, coming)
    if option == "ChangeIMEIandEID":
        required(document, "smsrOid", str)

    def finish(device: Device) -> None:
        check_active(device)
        if any(fleet.find(one["kind"], one["id"]) is not None for one in new):
            raise DeviceFault(
                "UnifiedWebService.INPUT_INVALID.Device.Identifier.Invalid", "The new identifier is in use already."
            )
        kept = [own for own in device.device_ids if own["kind"].casefold() not in going]
        device.eid = next((one["id"] for one in new if one["kind"] == "eid"), device.eid)
        device.device_ids = [*kept, *([one for one in new if one["kind"] != "eid"] or fleet.new_line())]
        device.service_plan = plan or device.service_plan

    change = Change(
        event_type="Change Identifier",
        find=existing_in(None),
        finish=finish,
        response=lambda device: {"changeIdentifierResponse": line_of(device)},
    )
    return provision(call, change, [named_device(call, objects_of(document, "deviceIds"))])


def _new_identifiers(document: Document, coming: frozenset[str]) -> list[dict[str, str]]:
    """Read the new identifiers of a line, with their kinds spelled as in answers."""
    if coming:
        required(document, "deviceIdsTo", list)
    new = [check_identifier(one) for one in objects_of(document, "deviceIdsTo")]
    kinds = {kind for kind, _ in new}
    if kinds != coming and not (kinds and kinds <= coming and coming in (_3G, _4G)):
        raise unexpected(f"must contain the kinds {', '.join(sorted(coming)) or 'none'}", at=(document, "deviceIdsTo"))
    return spelled_as_answered([{"id": identifier, "kind": kind} for kind, identifier in new])


def go_to_state(call: Call) -> Answer:
    """Move devices to a custom state. Any names of a service and a state are accepted."""
    document = call.document()
    required(document, "serviceName", str)
    required(document, "mdnZipCode", str)
    state, plan = required(document, "stateName", str), plan_of(document)
    chosen = _listed_or_filtered(call, document)
    first = first_of(chosen)
    before = None if first is None else first.state
    write = writer_of(call, document, call.platform.account_name if first is None else first.account_name)

    def begin(device: Device) -> None:
        if device.state != before or device.state.startswith("pending "):
            raise wrong_state()

    def finish(device: Device) -> None:
        if device.mdn is None:
            device.device_ids = [*call.platform.devices.new_line(), *device.device_ids]
        device.state, device.service_plan = state, plan
        write(device)

    change = Change(event_type="Go To State", find=existing_in(None), begin=begin, finish=finish)
    return provision(call, change, chosen, service="StateService")


def move(call: Call) -> Answer:
    """Move active devices of one account to another."""
    document = call.document()
    target = call.check_account(required(document, "accountName", str))
    plan = optional_plan(document)
    write = writer_of(call, document, target)
    chosen = _listed_or_filtered(call, document)
    first = first_of(chosen)
    source = None if first is None else first.account_name

    def finish(device: Device) -> None:
        check_active(device)
        device.account_name, device.service_plan = target, plan or device.service_plan
        device.group = call.platform.devices.groups[target].default
        write(device)

    change = Change(event_type="Move", find=existing_in(source), finish=finish)
    return provision(call, change, chosen, account_name=target)


def _listed_or_filtered(call: Call, document: Document) -> list[Chosen]:
    """Find the listed or matching devices. `devicesWithServiceAddress` is not documented well enough to simulate."""
    filtered = optional(document, "filter", dict)
    if (document.get("devices") is None) == (filtered is None):
        raise unexpected("body: either devices or filter is needed")
    if filtered is None:
        return chosen_devices(call, document)
    return matching_devices(call, filtered, account_of(call, filtered, "account"))


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    CHANGE_PLAN: change_plan,
    CHANGE_IDENTIFIER: change_identifier,
    GO_TO_STATE: go_to_state,
    MOVE: move,
}
