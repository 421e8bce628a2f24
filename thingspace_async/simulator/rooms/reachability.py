"""Answers about reachability: every request is accepted, and its result arrives later on DiagnosticsService.

A refusal of its own has the HTTP status as its code (PROTOCOL.md 2.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import attrs

from thingspace_async._core.operation import Operation
from thingspace_async.reachability.calls import MONITOR, MONITORS, STATUS, STOP
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.messages import DeviceFault, message_of
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import Chosen, chosen_devices, moment_of, named_device
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required, unexpected

__all__ = ["HANDLERS", "Monitor", "Reachability"]

_SERVICE: Final = "DiagnosticsService"
_LONGEST: Final = timedelta(days=3650)

Ids = list[dict[str, str]]


@attrs.frozen(kw_only=True)
class Monitor:
    """A monitor of a device's reachability."""

    account_name: str
    request_id: str
    """The request that started it."""
    device_ids: Ids
    """The device's identifiers in the request."""
    device: Device
    monitor_type: str
    """For example `REACHABLE_FOR_DATA`."""
    expires: datetime


class Reachability:
    """The reachability monitors."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.monitors: dict[str, Monitor] = {}
        """The monitors by id, including expired ones."""
        self.on_reachable: list[Callable[[Device], object]] = []
        """Called with each device that becomes reachable."""

    def active(self, device: Device) -> dict[str, Monitor]:
        """Return the active monitors of a device by id."""
        now = self._platform.clock.now()
        return {name: one for name, one in self.monitors.items() if one.device is device and one.expires > now}

    def report(self, device: Device, *, reachable: bool) -> None:
        """Make a device reachable or unreachable, and notify its monitors."""
        device.connected = reachable
        for notify in self.on_reachable if reachable else ():
            notify(device)
        for name, one in self.active(device).items():
            if reachable != (one.monitor_type == "LOSS_OF_CONNECTIVITY"):
                content = {"monitorId": name, "reachable": reachable}
                message = message_of(one.request_id, one.device_ids, content, None)
                self._platform.outbox.send(one.account_name, _SERVICE, message)


def monitor(call: Call) -> Answer:
    """Start to monitor devices."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    monitor_type = required(wanted, "requestType", str)
    required(wanted, "monitorExpirationTime", str)
    expires = _expiry_of(call, wanted, "monitorExpirationTime")

    request_id, monitors = call.platform.new_id(), call.platform.room(Reachability).monitors

    def begin(device: Device, device_ids: Ids) -> dict[str, Any]:
        name = call.platform.new_id()
        monitors[name] = Monitor(
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
    """Stop monitors by id or by device."""
    wanted = _stop_payload(call)
    account_name = call.check_account(required(wanted, "accountName", str))
    names = optional(wanted, "monitorIds", list) or []
    if not all(isinstance(name, str) for name in names):
        raise unexpected("must contain only strings", at=(wanted, "monitorIds"))
    devices = chosen_devices(call, wanted)
    room = call.platform.room(Reachability)
    if not names and not devices:
        raise refuse("400", "At least one monitor has to be specified.")

    def end_one(name: str) -> None:
        found = room.monitors.get(name)
        if found is None or found.account_name != account_name or found.expires <= call.platform.clock.now():
            raise DeviceFault("400", "There is no such monitor.")
        del room.monitors[name]

    def end_all(device: Device, _: Ids) -> dict[str, Any]:
        ended = list(room.active(device))
        for name in ended:
            del room.monitors[name]
        return {"monitorIds": ended}

    work = _work(account_name, devices, end_all)
    for name in names:
        known = room.monitors.get(name)
        work.append(Work([] if known is None else known.device_ids, partial(end_one, name)))
    return _accept(call, account_name, work)


def _stop_payload(call: Call) -> dict[str, Any]:
    """Read the request from the body, as on the platform's page, or from the query parameter that the SDKs send."""
    given = call.received.query.get("stopreachabilitypayload")
    if call.received.body.strip() or given is None:
        return call.document()
    return attrs.evolve(call, received=attrs.evolve(call.received, body=given.encode())).document()


def status(call: Call) -> Answer:
    """Report whether a device is reachable."""
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
            for name, one in call.platform.room(Reachability).active(device).items()
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
        message = f"{name} has to be in the future, by 10 years at most."
        raise refuse("400", message, reason=f"{message} It is {now.isoformat(timespec='seconds')} now.")
    return expires


def _work(account_name: str, devices: list[Chosen], do: Callable[[Device, Ids], object]) -> list[Work]:
    def carry_out(one: Chosen) -> object:
        return do(one.existing(account_name), one.device_ids)

    return [Work(one.device_ids, partial(carry_out, one)) for one in devices]


def _accept(call: Call, account_name: str, work: list[Work], request_id: str | None = None) -> Answer:
    accepted = call.platform.accept(work, account_name=account_name, service=_SERVICE, request_id=request_id)
    return Answer(200, {"requestId": accepted})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    MONITOR: monitor,
    STOP: stop,
    STATUS: status,
    MONITORS: list_monitors,
}
