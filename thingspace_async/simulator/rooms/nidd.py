"""Handlers for Non-IP Data Delivery. Data for a device that cannot be reached waits for it (PROTOCOL.md 3.4)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import attrs

from thingspace_async._core.operation import Operation
from thingspace_async.nidd.calls import SEND
from thingspace_async.simulator.fleet import Device, stamp
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.messages import DeviceFault, message_of
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import Chosen, identified_devices
from thingspace_async.simulator.rooms.reachability import Reachability
from thingspace_async.simulator.wire import Answer, Call, Handler, refuse, required, unexpected

__all__ = ["HANDLERS", "Nidd", "NiddData"]

_SERVICE: Final = "NiddService"
_MOST_BYTES: Final = 1_358
_SECONDS: Final = range(2, 2_592_001)


@attrs.frozen(kw_only=True, eq=False)
class NiddData:
    """Data for a device."""

    request_id: str
    account_name: str
    device: Device
    device_ids: list[dict[str, str]]
    """The device's identifiers in the request."""
    data: bytes
    tried: datetime
    """The time of the first attempt."""


class Nidd:
    """The data for devices."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.queued: list[NiddData] = []
        """Data for devices that cannot be reached, oldest first."""
        self.delivered: list[NiddData] = []
        """Data that arrived, oldest first."""
        platform.room(Reachability).on_reachable.append(self._deliver_queued)

    def send(self, sent: NiddData, longest: timedelta) -> dict[str, Any]:
        """Deliver data now, or queue it for a time; return the content of the message."""
        if sent.device.connected:
            return self._deliver(sent)
        self.queued.append(sent)
        self._platform.agenda.put(sent.tried + longest, partial(self._give_up, sent))
        return self._report(sent, "Queued", reason="Buffered, device not reachable")

    def _deliver(self, sent: NiddData) -> dict[str, Any]:
        self.delivered.append(sent)
        return self._report(sent, "Delivered", acknowledgeTime=stamp(self._platform.clock.now()))

    def _deliver_queued(self, device: Device) -> None:
        for sent in [one for one in self.queued if one.device is device]:
            self.queued.remove(sent)
            self._announce(sent, self._deliver(sent))

    def _give_up(self, sent: NiddData) -> None:
        if sent in self.queued:
            self.queued.remove(sent)
            self._announce(sent, self._report(sent, "DeliveryFailed", reason="Maximum delivery time exceeded"))

    def _announce(self, sent: NiddData, result: dict[str, Any]) -> None:
        message = _message(sent.request_id, sent.device_ids, result, None)
        self._platform.outbox.send(sent.account_name, _SERVICE, message)

    def _report(self, sent: NiddData, status: str, **details: str) -> dict[str, Any]:
        report = {"accountName": sent.account_name, "firstAttemptDeliveryTime": stamp(sent.tried), **details}
        return {"niddResponse": {"niddMTDeliveryResponse": report}, "status": status}


def _message(
    request_id: str, device_ids: list[dict[str, str]], result: object, fault: DeviceFault | None
) -> dict[str, Any]:
    if fault is not None or not isinstance(result, dict):
        return message_of(request_id, device_ids, result, fault)
    return {"requestId": request_id, "deviceIds": device_ids, **result}


def send(call: Call) -> Answer:
    """Accept data for devices."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    data, longest = _data_of(wanted), _longest_of(wanted)
    devices = identified_devices(call, wanted)
    platform = call.platform
    request_id = platform.new_id()

    def deliver(chosen: Chosen) -> dict[str, Any]:
        device = chosen.existing(account_name)
        if device.state != "active":
            raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not active.")
        sent = NiddData(
            request_id=request_id,
            account_name=account_name,
            device=device,
            device_ids=chosen.device_ids,
            data=data,
            tried=platform.clock.now(),
        )
        return platform.room(Nidd).send(sent, longest)

    work = [Work(one.device_ids, partial(deliver, one)) for one in devices]
    platform.accept(work, account_name=account_name, service=_SERVICE, request_id=request_id, message=_message)
    return Answer(200, {"requestId": request_id})


def _data_of(wanted: Mapping[str, Any]) -> bytes:
    text = required(wanted, "message", str)
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise unexpected("must be Base64", at=(wanted, "message")) from None
    if not data:
        message = "The message cannot be empty."
        raise refuse("UnifiedWebService.INPUT_INVALID.Message.Null", message, at=(wanted, "message"), reason="is empty")
    if len(data) > _MOST_BYTES:
        raise unexpected(f"has {len(data)} bytes, and at most {_MOST_BYTES} are allowed", at=(wanted, "message"))
    return data


def _longest_of(wanted: Mapping[str, Any]) -> timedelta:
    # The page's table has an integer, and its sample a string.
    given = wanted.get("maximumDeliveryTime")
    if isinstance(given, str) and given.isascii() and given.isdigit():
        given = int(given)
    if not isinstance(given, int) or given not in _SECONDS:
        at = (wanted, "maximumDeliveryTime")
        raise unexpected(f"must be a number of seconds from {_SECONDS[0]} to {_SECONDS[-1]}", at=at)
    return timedelta(seconds=given)


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {SEND: send}
