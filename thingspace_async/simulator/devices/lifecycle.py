"""Answers about the service of devices (protocol.md 4.2): what is accepted now is carried out later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NoReturn, TypeAlias, cast

import attrs

from thingspace_async._operation import Operation
from thingspace_async.devices.lifecycle.calls import (
    ACTIVATE,
    CHANGE_IDENTIFIER,
    CHANGE_PLAN,
    CHECK_AVAILABILITY,
    DEACTIVATE,
    GO_TO_STATE,
    MOVE,
    ORDER_STATUS,
    RESTORE,
    SUSPEND,
    SUSPENSION_STATUS,
    UPLOAD,
    UPLOAD_AND_ACTIVATE,
)
from thingspace_async.simulator.devices.timeline import events_of
from thingspace_async.simulator.fleet import PLAN_CODES, Device, Event, spelled_as_answered, stamp
from thingspace_async.simulator.reading import (
    Chosen,
    account_of,
    check_identifier,
    chosen_devices,
    custom_fields_of,
    find_group,
    matching_devices,
    moment_of,
    named_device,
    objects_of,
)
from thingspace_async.simulator.state import DeviceFault, Work
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required, unexpected

__all__ = ["HANDLERS"]

Document: TypeAlias = "dict[str, Any]"


@attrs.frozen(kw_only=True)
class _Change:
    """What a request does to each of its devices; each part of it may refuse one with a DeviceFault."""

    event_type: str
    find: Callable[[Chosen], Device]
    begin: Callable[[Device], object] = lambda _: None
    """What happens as soon as the request is accepted."""
    finish: Callable[[Device], object]
    """What happens when its time has come."""
    tell: Callable[[Device], object] = lambda _: {}
    """What the callback then tells about the device, as far as that is known (protocol.md 3.4)."""


@attrs.frozen
class _Step:
    """One of the four provisioning actions that are limited to some a day."""

    event_type: str
    begins: Callable[[str], bool]
    """Whether it may begin in a state."""
    pending: Callable[[Call], str]
    """The state until it is carried out."""
    ends: str


_IDLE: Final = frozenset({"preactive", "deactive"})
_ACTIVATE: Final = _Step("Activate", _IDLE.__contains__, lambda _: "pending activation", "active")
_SUSPEND: Final = _Step(
    "Suspend", "active".__eq__, lambda call: call.platform.assumptions.pending_suspend_state, "suspend"
)
_RESTORE: Final = _Step(
    "Restore", "suspend".__eq__, lambda call: call.platform.assumptions.pending_restore_state, "active"
)
# From custom states, too.
_DEACTIVATE: Final = _Step(
    "Deactivate",
    lambda state: state not in _IDLE and not state.startswith("pending "),
    lambda _: "pending deactivation",
    "deactive",
)
_LONGEST_SUSPENSION: Final = timedelta(days=90)
_STEPS: Final = frozenset(step.event_type for step in (_ACTIVATE, _SUSPEND, _RESTORE, _DEACTIVATE))

_CHANGE_PLAN: Final = "Change Plan"
_PLAN_CHANGES_A_MONTH: Final = 4


def activate(call: Call) -> Answer:
    """Put devices into service; those that are not in the account are added to it at once."""
    return _activate(call, call.document())


def upload_and_activate(call: Call) -> Answer:
    """Put new devices into service."""
    document = call.document()
    _check_upload(document)
    return _activate(call, document)


def _activate(call: Call, document: Document) -> Answer:
    account_name = account_of(call, document)
    required(document, "mdnZipCode", str)
    plan, label = _plan_of(document), _labelling(call, document, account_name)
    kinds_of_new = {"iccid"} if optional(document, "skuNumber", str) else {"imei", "iccid"}
    required(document, "devices", list)

    def find(chosen: Chosen) -> Device:
        if chosen.device is None and kinds_of_new <= {one["kind"].casefold() for one in chosen.device_ids}:
            chosen = named_device(call, chosen.device_ids)  # The same request may have added it: it may name one twice.
            if chosen.device is None:
                return call.platform.devices.add_named(account_name, chosen.device_ids, call.platform.clock.now())
        return chosen.existing(account_name)

    def finish(device: Device) -> None:
        hardware = [own for own in device.device_ids if own["kind"].casefold() not in _LINE]
        device.device_ids = [*call.platform.devices.new_line(), *hardware]
        device.service_plan = plan
        label(device)
        _end(_ACTIVATE, device)

    activation = _Change(
        event_type=_ACTIVATE.event_type,
        find=find,
        begin=partial(_begin, call, _ACTIVATE),
        finish=finish,
        tell=lambda device: {"activateResponse": {**_line(device), "state": device.state}},
    )
    return _provision(call, activation, chosen_devices(call, document), account_name=account_name)


def suspend(call: Call) -> Answer:
    """Suspend devices."""
    return _change_service(call, _SUSPEND, call.document(), tell=partial(_suspension, call))


def restore(call: Call) -> Answer:
    """Restore suspended devices."""
    return _change_service(call, _RESTORE, call.document(), tell=lambda _: {"restoreResponse": {"restored": True}})


def deactivate(call: Call) -> Answer:
    """End the service of devices, and delete them if that is wanted."""
    document = call.document()
    required(document, "accountName", str)
    if required(document, "reasonCode", str) != "FF":
        raise unexpected()
    delete = optional(document, "deleteAfterDeactivation", bool)

    def finish(device: Device) -> None:
        _end(_DEACTIVATE, device)
        if delete:
            call.platform.devices.remove(device)

    return _change_service(call, _DEACTIVATE, document, finish=finish, tell=lambda _: {"deactivateResponse": {}})


def _change_service(
    call: Call,
    step: _Step,
    document: Document,
    *,
    finish: Callable[[Device], object] | None = None,
    tell: Callable[[Device], object],
) -> Answer:
    account_name, chosen = _choose(call, document)
    change = _Change(
        event_type=step.event_type,
        find=_existing_in(account_name),
        begin=partial(_begin, call, step),
        finish=finish or partial(_end, step),
        tell=tell,
    )
    return _provision(call, change, chosen, account_name=account_name)


def _begin(call: Call, step: _Step, device: Device) -> None:
    if not step.begins(device.state):
        if step is _ACTIVATE:
            raise DeviceFault(
                "UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive", "REQUEST_FAILED. Device is already active"
            )
        raise _wrong_state()
    assumptions, now = call.platform.assumptions, call.platform.clock.now()
    today = [one for one in device.events if one.event_type in _STEPS and one.occurred_at > now - timedelta(days=1)]
    if sum(one.status == "Success" for one in today) >= assumptions.provisioning_actions_a_day:
        raise _too_often(call)
    device.state, device.connected = step.pending(call), False


def _end(step: _Step, device: Device) -> None:
    device.state, device.connected = step.ends, step.ends == "active"


def change_plan(call: Call) -> Answer:
    """Change the plan of active devices, at once or at a time."""
    document = call.document()
    plan = _plan_of(document)
    account_name, chosen = _choose(call, document, service_plan="currentServicePlan")
    usual = call.platform.clock.now() + call.platform.assumptions.request_time
    due = max(usual, moment_of(document, "takeEffect") or usual)

    def finish(device: Device) -> None:
        _check_active(device)
        changes = [one for one in device.events if one.event_type == _CHANGE_PLAN and one.status == "Success"]
        if sum(_month(one.occurred_at) == _month(due) for one in changes) >= _PLAN_CHANGES_A_MONTH:
            raise _too_often(call)
        device.service_plan = plan

    change = _Change(event_type=_CHANGE_PLAN, find=_existing_in(account_name), finish=finish)
    return _provision(call, change, chosen, account_name=account_name, due=due)


def _month(moment: datetime) -> tuple[int, int]:
    return moment.year, moment.month


_LINE: Final = frozenset({"mdn", "msisdn", "min"})
_3G: Final = frozenset({"esn", "meid"})
_4G: Final = frozenset({"imei", "iccid", "eid"})
_CHANGES: Final[Mapping[str | None, tuple[frozenset[str], frozenset[str]]]] = {
    None: (_3G, _3G),
    "ChangeICCID": (frozenset({"iccid"}), frozenset({"iccid"})),
    "ChangeIMEI": (frozenset({"imei"}), frozenset({"imei"})),
    "ChangeIMEIandICCID": (frozenset({"imei", "iccid"}), frozenset({"imei", "iccid"})),
    "ChangeIMEIandEID": (frozenset({"imei", "eid"}), frozenset({"imei", "eid"})),
    "ChangeMSISDN": (_LINE, frozenset()),
    "3Gto4G": (_3G, _4G),
    "4Gto3G": (_4G, _3G),
}
"""By the change that is asked for (protocol.md 3.1), the kinds of identifiers that go and come; None is for 3G devices.

What each means: https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Change_Device_Identifier/
"""


def change_identifier(call: Call) -> Answer:
    """Give a line of service other hardware, or a device another number."""
    document = call.document()
    option, plan = optional(document, "change4gOption", str), _optional_plan(document)
    service_type = call.path["service_type"].casefold()
    if option not in _CHANGES or service_type not in ("3g", "4g") or (option is None and service_type == "4g"):
        raise unexpected()
    required(document, "deviceIds", list)
    (going, coming), fleet = _CHANGES[option], call.platform.devices
    new = _new_identifiers(document, coming)
    if option == "ChangeIMEIandEID":
        required(document, "smsrOid", str)

    def finish(device: Device) -> None:
        _check_active(device)
        if any(fleet.find(one["kind"], one["id"]) is not None for one in new):
            raise DeviceFault(
                "UnifiedWebService.INPUT_INVALID.Device.Identifier.Invalid", "The new identifier is in use already."
            )
        kept = [own for own in device.device_ids if own["kind"].casefold() not in going]
        device.eid = next((one["id"] for one in new if one["kind"] == "eid"), device.eid)
        device.device_ids = [*kept, *([one for one in new if one["kind"] != "eid"] or fleet.new_line())]
        device.service_plan = plan or device.service_plan

    change = _Change(
        event_type="Change Identifier",
        find=_existing_in(None),
        finish=finish,
        tell=lambda device: {"changeIdentifierResponse": _line(device)},
    )
    return _provision(call, change, [named_device(call, objects_of(document, "deviceIds"))])


def _new_identifiers(document: Document, coming: frozenset[str]) -> list[dict[str, str]]:
    """Read the identifiers that a line gets, spelled as answers spell them."""
    if coming:
        required(document, "deviceIdsTo", list)
    new = [check_identifier(one) for one in objects_of(document, "deviceIdsTo")]
    kinds = {kind for kind, _ in new}
    if kinds != coming and not (kinds and kinds <= coming and coming in (_3G, _4G)):
        raise unexpected()
    return spelled_as_answered([{"id": identifier, "kind": kind} for kind, identifier in new])


def go_to_state(call: Call) -> Answer:
    """Put devices into a state of the account's own; any name of a service and a state is taken."""
    document = call.document()
    required(document, "serviceName", str)
    required(document, "mdnZipCode", str)
    state, plan = required(document, "stateName", str), _plan_of(document)
    chosen = _choose_or_filter(call, document)
    first = _first(chosen)
    before = None if first is None else first.state
    label = _labelling(call, document, call.platform.account_name if first is None else first.account_name)

    def begin(device: Device) -> None:
        if device.state != before or device.state.startswith("pending "):
            raise _wrong_state()

    def finish(device: Device) -> None:
        if device.mdn is None:
            device.device_ids = [*call.platform.devices.new_line(), *device.device_ids]
        device.state, device.service_plan = state, plan
        label(device)

    change = _Change(event_type="Go To State", find=_existing_in(None), begin=begin, finish=finish)
    return _provision(call, change, chosen, service="StateService")


def move(call: Call) -> Answer:
    """Move active devices of one account to another."""
    document = call.document()
    target = call.check_account(required(document, "accountName", str))
    plan = _optional_plan(document)
    label = _labelling(call, document, target)
    chosen = _choose_or_filter(call, document)
    first = _first(chosen)
    source = None if first is None else first.account_name

    def finish(device: Device) -> None:
        _check_active(device)
        device.account_name, device.service_plan = target, plan or device.service_plan
        device.group = call.platform.devices.groups[target].default
        label(device)

    change = _Change(event_type="Move", find=_existing_in(source), finish=finish)
    return _provision(call, change, chosen, account_name=target)


def upload(call: Call) -> Answer:
    """Make new devices known to Verizon."""
    document = call.document()
    _check_upload(document)
    account_name = account_of(call, document)
    known = call.platform.devices.uploaded
    chosen = chosen_devices(call, document)
    return _ask(call, chosen, lambda each: known.update(map(check_identifier, each.device_ids)), account_name)


def check_availability(call: Call) -> Answer:
    """Look whether devices are known to Verizon."""
    document = call.document()
    account_name = call.check_account(required(document, "accountName", str))
    required(document, "devices", list)

    def look(each: Chosen) -> dict[str, bool]:
        known = any(check_identifier(one) in call.platform.devices.uploaded for one in each.device_ids)
        in_service = each.device is not None and each.device.state not in _IDLE
        return {"deviceFound": known or each.device is not None, "associatedWithMTN": in_service}

    return _ask(call, chosen_devices(call, document), look, account_name)


def order_status(call: Call) -> Answer:
    """Look how far an activation has come."""
    document = call.document()
    account_name = call.check_account(required(document, "accountName", str))
    order = optional(document, "orderRequestId", str)
    if order is not None and order.strip() not in call.platform.late_requests:  # The page's sample has blanks around.
        raise unexpected()
    required(document, "devices", list)
    return _ask(call, chosen_devices(call, document), lambda each: each.existing(account_name), account_name)


def suspension_status(call: Call) -> Answer:
    """Look how long devices are suspended."""
    document = call.document()
    if listed := objects_of(document, "deviceIds"):
        account_name = _given_account(call, document)
        chosen = [named_device(call, [one]) for one in listed]
    else:
        account_name = account_of(call, document)
        chosen = matching_devices(call, optional(document, "filter", dict) or {}, account_name)

    def look(each: Chosen) -> dict[str, Any]:
        device = each.existing(account_name)
        return _suspension(call, device) if device.state == "suspend" else {}

    return _ask(call, chosen, look, account_name, service="DeviceSuspensionStatus")


# What they share


def _choose(call: Call, document: Document, *, service_plan: str = "servicePlan") -> tuple[str | None, list[Chosen]]:
    """Find the devices that are listed, or match the filters; the documents forbid to mix them (protocol.md 4.4)."""
    if document.get("devices") is None:
        account_name = account_of(call, document)
        return account_name, matching_devices(call, document, account_name, service_plan=service_plan)
    if any(document.get(name) for name in ("groupName", "customFields", service_plan)):
        raise unexpected()
    return _given_account(call, document), chosen_devices(call, document)


def _given_account(call: Call, document: Document) -> str | None:
    given = optional(document, "accountName", str)
    return None if given is None else call.check_account(given)


def _choose_or_filter(call: Call, document: Document) -> list[Chosen]:
    """Find the devices that are listed or match the filter; `devicesWithServiceAddress` is not documented enough."""
    filtered = optional(document, "filter", dict)
    if (document.get("devices") is None) == (filtered is None):
        raise unexpected()
    if filtered is None:
        return chosen_devices(call, document)
    return matching_devices(call, filtered, account_of(call, filtered, "account"))


def _existing_in(account_name: str | None) -> Callable[[Chosen], Device]:
    return lambda chosen: chosen.existing(account_name)


def _provision(
    call: Call,
    change: _Change,
    chosen: list[Chosen],
    *,
    account_name: str | None = None,
    service: str = "CarrierService",
    due: datetime | None = None,
) -> Answer:
    """Accept a request that changes devices, and note on each what becomes of it."""
    due = due or call.platform.clock.now() + call.platform.assumptions.request_time
    if account_name is None and (first := _first(chosen)) is not None:
        account_name = first.account_name
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
    return _accepted(call, work, account_name, service, due)


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


def _line(device: Device) -> dict[str, Any]:
    return {"deviceIds": device.device_ids, "servicePlan": device.service_plan}


def _suspension(call: Call, device: Device) -> dict[str, Any]:
    done = [one for one in events_of(call.platform, device) if one.status == "Success"]
    begun = [one.occurred_at for one in done if one.event_type == _SUSPEND.event_type]
    # A device whose state a test has set to `suspend` was suspended at no time.
    return {"suspendResponse": {"expectedResumeDate": stamp(begun[-1] + _LONGEST_SUSPENSION)} if begun else {}}


def _ask(
    call: Call,
    chosen: Iterable[Chosen],
    look: Callable[[Chosen], object],
    account_name: str | None,
    *,
    service: str = "DeviceService",
) -> Answer:
    """Accept a request that leaves devices as they are."""
    due = call.platform.clock.now() + call.platform.assumptions.request_time
    return _accepted(call, [Work(each.device_ids, partial(look, each)) for each in chosen], account_name, service, due)


def _accepted(call: Call, work: list[Work], account_name: str | None, service: str, due: datetime) -> Answer:
    if not work:
        raise unexpected()
    time = due - call.platform.clock.now()
    return Answer(200, {"requestId": call.platform.accept(work, account_name=account_name, service=service, time=time)})


def _check_upload(document: Document) -> None:
    for name in ("accountName", "emailAddress", "deviceSku", "uploadType"):
        required(document, name, str)
    required(document, "devices", list)


def _first(chosen: list[Chosen]) -> Device | None:
    return next((each.device for each in chosen if each.device is not None), None)


def _plan_of(document: Document) -> str:
    required(document, "servicePlan", str)
    return cast(str, _optional_plan(document))


def _optional_plan(document: Document) -> str | None:
    code = optional(document, "servicePlan", str)
    if code not in (None, *PLAN_CODES):
        # The code has the plan's name in it (protocol.md 2.1).
        raise refuse(
            f"UnifiedWebService.REQUEST_FAILED.{code}.NotFound", f"The service plan {code} could not be found."
        )
    return code


def _labelling(call: Call, document: Document, account_name: str) -> Callable[[Device], None]:
    """Return what writes a request's custom fields on a device and puts it into the request's group."""
    group_name = optional(document, "groupName", str)
    group = None if group_name is None else find_group(call, account_name, group_name)
    fields = {field["key"]: field for field in custom_fields_of(document, "customFields")}

    def change(device: Device) -> None:
        if group is not None:
            device.group = group
        if fields:
            written = {field["key"]: field for field in device.custom_fields} | fields
            device.custom_fields = [written[key] for key in sorted(written)]

    return change


def _check_active(device: Device) -> None:
    if device.state != "active":
        raise _wrong_state()


def _wrong_state() -> DeviceFault:
    return DeviceFault(
        "UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The state of the device does not allow it."
    )


def _too_often(call: Call) -> DeviceFault:
    return DeviceFault(call.platform.assumptions.too_often_code, "The device was changed too often.")


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    ACTIVATE: activate,
    DEACTIVATE: deactivate,
    SUSPEND: suspend,
    RESTORE: restore,
    CHANGE_PLAN: change_plan,
    CHANGE_IDENTIFIER: change_identifier,
    GO_TO_STATE: go_to_state,
    MOVE: move,
    UPLOAD: upload,
    UPLOAD_AND_ACTIVATE: upload_and_activate,
    ORDER_STATUS: order_status,
    CHECK_AVAILABILITY: check_availability,
    SUSPENSION_STATUS: suspension_status,
}
