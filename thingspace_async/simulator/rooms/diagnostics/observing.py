"""Handlers for observations, settings, history and restarts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.mechanisms.pager import answer_by_token
from thingspace_async.simulator.reading import moment_of, objects_of
from thingspace_async.simulator.rooms.diagnostics.reading import (
    account_in_query,
    attribute_of,
    given,
    listed_targets,
    span_of,
    targets_of,
)
from thingspace_async.simulator.rooms.diagnostics.state import (
    API,
    ATTRIBUTES,
    SERVICE,
    Diagnostics,
    Observation,
    Target,
    invalid,
    precise_stamp,
)
from thingspace_async.simulator.wire import Answer, Call, optional, required

__all__ = ["observe", "restart", "search_history", "show_settings", "stop"]

_SHORTEST: Final = timedelta(seconds=15)
_USUAL: Final = {"value": 1, "unit": "MINUTE"}
"""ASSUMPTION: the frequency of a request without one."""


def observe(call: Call) -> Answer:
    """Start an observation."""
    document, room = call.document(), call.platform.room(Diagnostics)
    account_name = call.check_account(required(document, "accountName", str))
    _check_listener(call, account_name)
    targets = listed_targets(call, account_name, document)
    _check_registered(targets)
    attributes = list(dict.fromkeys(attribute_of(one) for one in objects_of(document, "attributes")))
    if not attributes:
        raise invalid(reason="must name an attribute", at=(document, "attributes"))
    every, length = span_of(document, "frequency") or timedelta(minutes=1), span_of(document, "duration")
    if every < _SHORTEST:
        raise invalid(reason="must be 15 seconds or more", at=(document, "frequency"))
    if length is not None and length < every:
        raise invalid(reason="is shorter than the frequency", at=(document, "duration"))
    if not room.has_allowance(account_name, call.platform.clock.now()):
        raise invalid(code="ACCOUNT_USAGE_EXCEEDED", reason="all events of the month are used up")
    observation = Observation(
        account_name=account_name,
        targets=targets,
        attributes=attributes,
        frequency=optional(document, "frequency", dict) or _USUAL,
        every=every,
        length=length,
    )
    return _accepted(call, room.begin(observation), "OBSERVE_PENDING")


def stop(call: Call) -> Answer:
    """Stop an observation."""
    account_name, transaction_id = account_in_query(call), given(call, "transactionId")
    room = call.platform.room(Diagnostics)
    observation = room.observations.get(transaction_id)
    if observation is None or observation.account_name != account_name:
        raise invalid("Observe has failed for this transaction ID.")
    if not observation.running:
        raise invalid("Transaction ID is already canceled.")
    room.end(transaction_id, "OBSERVE_CANCELLED")
    return _accepted(call, transaction_id, "CANCEL_OBSERVE_PENDING")


def show_settings(call: Call) -> Answer:
    """Show the attributes of devices."""
    account_name, query = account_in_query(call), call.received.query
    try:
        listed = orjson.loads(given(call, "devices"))
    except orjson.JSONDecodeError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise invalid(reason='must be a list such as [{"id":"...","kind":"imei"}]', at=(query, "devices"))
    targets, room = targets_of(call, account_name, listed, (query, "devices")), call.platform.room(Diagnostics)
    shown = [
        {
            "accountName": account_name,
            "device": target.named,
            "attributes": [_setting(room, target.device, name) for name in ATTRIBUTES],
        }
        for target in targets
    ]
    return Answer(200, shown)


def _setting(room: Diagnostics, device: Device, name: str) -> dict[str, Any]:
    observation = room.current(device, name)
    last: dict[str, Any] = next((one for one in reversed(room.history[device]) if one["name"] == name), {})
    frequency = {} if observation is None else {"frequency": observation.frequency}
    return {"name": name, "isObservable": True, "isObserving": observation is not None, **frequency, **last}


def search_history(call: Call) -> Answer:
    """Show a page of earlier values, newest first. The mark of a page is the number of values that are left."""
    document = call.document()
    wanted = required(document, "$filter", dict)
    account_name = call.check_account(required(wanted, "accountName", str))
    (target,) = targets_of(call, account_name, [required(wanted, "device", dict)], (wanted, "device"))
    is_wanted = _filter_of(wanted, document)
    found = [
        {"accountName": account_name, "device": target.named, "attributes": one}
        for one in call.platform.room(Diagnostics).history[target.device]
        if is_wanted(one)
    ]
    size = optional(document, "$limitNumber", int)
    if size is None:
        size = call.platform.assumptions.diagnostics_history_page
    if size < 1:
        raise invalid(reason="must be 1 or more", at=(document, "$limitNumber"))
    mark = optional(document, "$page", str)
    if mark is not None and not (mark.isascii() and mark.isdigit() and len(mark) <= 9):
        raise invalid(reason="must be the X-Next of the page before", at=(document, "$page"))
    left = found if mark is None else found[: int(mark)]
    return answer_by_token(left[-size:][::-1], str(len(left) - size) if len(left) > size else None)


def _filter_of(wanted: dict[str, Any], document: dict[str, Any]) -> Callable[[dict[str, Any]], bool]:
    """Return whether a value is of the wanted attribute, and in the wanted span of time."""
    only = optional(wanted, "attributes", dict)
    names = ATTRIBUTES if only is None else (attribute_of(only),)
    times = optional(document, "$limitTime", dict) or {}
    begin, length = moment_of(times, "startOn"), span_of(times, "duration")
    first = "" if begin is None else precise_stamp(begin)
    last = "9999" if begin is None or length is None else precise_stamp(begin + length)
    return lambda value: value["name"] in names and first <= value["createdOn"] <= last


def restart(call: Call) -> Answer:
    """Restart the modem of devices. Three messages for each device follow."""
    document, room = call.document(), call.platform.room(Diagnostics)
    account_name = call.check_account(required(document, "accountName", str))
    action = required(document, "action", str)
    if action not in ("reboot", "factory_reset"):
        raise invalid(reason="must be reboot or factory_reset", at=(document, "action"))
    _check_listener(call, account_name)
    targets = listed_targets(call, account_name, document)
    _check_registered(targets)
    transaction_id, now = call.platform.new_id(), call.platform.clock.now()
    step, agenda = call.platform.assumptions.request_time / 3, call.platform.agenda

    def report(target: Target, state: str, moment: datetime) -> None:
        stamped = {"status": f"{action.upper()}_{state}", "createdOn": precise_stamp(moment)}
        room.send(transaction_id, account_name, target, stamped)

    def transmit(target: Target, moment: datetime) -> None:
        report(target, "TRANSMITTED", moment)
        agenda.put(moment + step, lambda: report(target, "SUCCESS", moment + step))

    def begin(target: Target) -> None:
        agenda.put(now + step, lambda: report(target, "QUEUED", now + step))
        later = now + 2 * step
        agenda.put(later, lambda: room.when_reachable(target.device, later, lambda moment: transmit(target, moment)))

    for target in targets:
        begin(target)
    # The published answer to a reboot has this status, too.
    return _accepted(call, transaction_id, "FACTORY_RESET_PENDING")


def _check_listener(call: Call, account_name: str) -> None:
    if call.platform.listeners[API].find(account_name, SERVICE) is None:
        raise invalid(code="CALLBACK_NOT_REGISTERED", reason="the account has no listener for Diagnostics")


def _check_registered(targets: list[Target]) -> None:
    """Refuse devices that are not in service. ASSUMPTION: they are not registered with LwM2M."""
    for target in targets:
        if target.device.state != "active":
            reason = f"is of a device that is {target.device.state}, not active"
            raise invalid(code="DEVICE_UNREGISTERED", reason=reason, at=(target.named, "id"))


def _accepted(call: Call, transaction_id: str, status: str) -> Answer:
    created = precise_stamp(call.platform.clock.now())
    return Answer(200, {"transactionID": transaction_id, "status": status, "createdOn": created})
