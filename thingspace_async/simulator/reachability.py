"""Answers about reachability: every request is accepted, and its result arrives later on DiagnosticsService.

A refusal of its own has the HTTP status as its code (protocol.md 2.1).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import attrs

from thingspace_async._operation import Operation
from thingspace_async.reachability.calls import MONITOR, MONITORS, STATUS, STOP
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.late import DeviceFault, Work
from thingspace_async.simulator.reading import Chosen, chosen_devices, moment_of, named_device
from thingspace_async.simulator.state import REACHABILITY_SERVICE, Monitor
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required, unexpected

__all__ = ["HANDLERS"]

_LONGEST: Final = timedelta(days=3650)

Ids = list[dict[str, str]]


def monitor(call: Call) -> Answer:
    """Begin to monitor devices."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    monitor_type = required(wanted, "requestType", str)
    required(wanted, "monitorExpirationTime", str)
    expires = _expiry_of(call, wanted, "monitorExpirationTime")

    request_id = str(uuid.uuid4())

    def begin(device: Device, device_ids: Ids) -> dict[str, Any]:
        name = str(uuid.uuid4())
        call.platform.monitors[name] = Monitor(
            account_name=account_name,
            request_id=request_id,
            device_ids=device_ids,
            device=device,
            monitor_type=monitor_type,
            expires=expires,
        )
        return {"monitorId": name, "reachable": device.connected}

    return _accept(call, account_name, _work(account_name, _chosen(call, wanted), begin), request_id)


def stop(call: Call) -> Answer:
    """End monitors, by their ids or by their devices."""
    wanted = _stop_payload(call)
    account_name = call.check_account(required(wanted, "accountName", str))
    names = optional(wanted, "monitorIds", list) or []
    if not all(isinstance(name, str) for name in names):
        raise unexpected()
    devices = chosen_devices(call, wanted)
    if not names and not devices:
        raise refuse("400", "At least one monitor has to be specified.")

    def end_one(name: str) -> None:
        found = call.platform.monitors.get(name)
        if found is None or found.account_name != account_name or found.expires <= call.platform.clock.now():
            raise DeviceFault("400", "There is no such monitor.")
        del call.platform.monitors[name]

    def end_all(device: Device, _: Ids) -> dict[str, Any]:
        ended = list(call.platform.active_monitors(device))
        for name in ended:
            del call.platform.monitors[name]
        return {"monitorIds": ended}

    work = _work(account_name, devices, end_all)
    for name in names:
        known = call.platform.monitors.get(name)
        work.append(Work([] if known is None else known.device_ids, partial(end_one, name)))
    return _accept(call, account_name, work)


def _stop_payload(call: Call) -> dict[str, Any]:
    """Read what to stop from the body, as the platform's page has it, or from the parameter that the SDKs have."""
    given = call.received.query.get("stopreachabilitypayload")
    if call.received.body.strip() or given is None:
        return call.document()
    return attrs.evolve(call, received=attrs.evolve(call.received, body=given.encode())).document()


def status(call: Call) -> Answer:
    """Ask whether a device can be reached."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    required(wanted, "requestType", str)
    if wanted.get("requestExpirationTime") is not None:
        _expiry_of(call, wanted, "requestExpirationTime")
    device = named_device(call, [required(wanted, "device", dict)])
    work = _work(account_name, [device], lambda device, _: {"reachable": device.connected})
    return _accept(call, account_name, work)


def list_monitors(call: Call) -> Answer:
    """List the monitors of devices."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    # The platform's page has the one name, its SDKs have the other.
    monitor_type = optional(wanted, "requestType", str) or optional(wanted, "monitorType", str)

    def find(device: Device, _: Ids) -> dict[str, Any]:
        found = [
            {"monitorId": name, "requestType": one.monitor_type, "monitorExpirationTime": one.expires.isoformat()}
            for name, one in call.platform.active_monitors(device).items()
            if monitor_type in (None, one.monitor_type)
        ]
        return {"monitors": found}

    return _accept(call, account_name, _work(account_name, _chosen(call, wanted), find))


def _chosen(call: Call, wanted: Mapping[str, Any]) -> list[Chosen]:
    if not (devices := chosen_devices(call, wanted)):
        raise refuse("400", "At least one device has to be specified.")
    return devices


def _expiry_of(call: Call, wanted: Mapping[str, Any], name: str) -> datetime:
    expires, now = moment_of(wanted, name), call.platform.clock.now()
    if expires is None or not now < expires <= now + _LONGEST:
        raise refuse("400", f"{name} has to be in the future, by 10 years at most.")
    return expires


def _work(account_name: str, devices: list[Chosen], do: Callable[[Device, Ids], object]) -> list[Work]:
    def carry_out(one: Chosen) -> object:
        return do(one.existing(account_name), one.device_ids)

    return [Work(one.device_ids, partial(carry_out, one)) for one in devices]


def _accept(call: Call, account_name: str, work: list[Work], request_id: str | None = None) -> Answer:
    accepted = call.platform.accept(
        work, account_name=account_name, service=REACHABILITY_SERVICE, request_id=request_id
    )
    return Answer(200, {"requestId": accepted})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    MONITOR: monitor,
    STOP: stop,
    STATUS: status,
    MONITORS: list_monitors,
}
