"""Handlers for SMS messages (PROTOCOL.md 5)."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import attrs

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.mechanisms.pager import answer_by_location, page
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import Chosen, choose, find_device, identified_devices, moment_of, next_of
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required
from thingspace_async.sms.calls import EVENT_HISTORY, QUEUED, SEND, START_CALLBACKS

__all__ = ["HANDLERS", "QueuedSms", "Sms"]

_SERVICE: Final = "EnhancedConnectivityService"
_PER_BLOCK: Final = 100
_LONGEST: Final = 160
_LONGEST_8_BIT: Final = 140


@attrs.frozen(kw_only=True)
class QueuedSms:
    """An unacknowledged message from a device."""

    number: int
    """Increases with each message."""
    device_ids: list[dict[str, str]]
    text: str
    sent: datetime


class Sms:
    """The messages from devices."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._numbers = itertools.count(1)
        self.queued: defaultdict[str, list[QueuedSms]] = defaultdict(list)
        """The queue of each account, oldest first."""

    def receive(self, device: Device, text: str) -> None:
        """Let a device send a message to the account's listener.

        Without a listener that accepts it, the message stays in the account's queue until it is acknowledged.
        """
        message = QueuedSms(
            number=next(self._numbers), device_ids=device.device_ids, text=text, sent=self._platform.clock.now()
        )
        if self.has_listener(device.account_name):
            self._send(device.account_name, message)
        else:
            self.queued[device.account_name].append(message)

    def has_listener(self, account_name: str) -> bool:
        """Return whether an account has a listener for messages from devices."""
        return self._platform.listeners["m2m"].find(account_name, _SERVICE) is not None

    def send_queued(self, account_name: str) -> None:
        """Send the queued messages to the account's listener."""
        for message in self.queued.pop(account_name, ()):
            self._send(account_name, message)

    def _send(self, account_name: str, message: QueuedSms) -> None:
        content = {"deviceIds": message.device_ids, "smsMessage": message.text}
        give_up = partial(self._queue, account_name, message)
        self._platform.outbox.send(account_name, _SERVICE, content, give_up=give_up)

    def _queue(self, account_name: str, message: QueuedSms) -> None:
        queue = self.queued[account_name]
        if message not in queue:  # A duplicated delivery may have queued it already.
            queue.append(message)
            queue.sort(key=lambda one: one.number)


def send(call: Call) -> Answer:
    """Accept a message for later delivery."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    text = _text_of(wanted)
    _, chosen = choose(call, wanted, listed="deviceIds", find=identified_devices)
    work = [Work(one.device_ids, partial(_deliver, account_name, one, text), _RECEIVED) for one in chosen]
    request_id = call.platform.accept(work, account_name=account_name, service=_SERVICE)
    return Answer(200, {"requestId": request_id})


def _text_of(wanted: Mapping[str, Any]) -> str:
    text, encoding = optional(wanted, "smsMessage", str), optional(wanted, "dataEncoding", str) or "7-bit"
    if not text:
        raise refuse(
            "UnifiedWebService.INPUT_INVALID.SmsMessage.Null",
            "The SMS message cannot be empty.",
            at=(wanted, "smsMessage"),
            reason="is empty",
        )
    if len(text) > (longest := _LONGEST_8_BIT if encoding.startswith("8-bit") else _LONGEST):
        raise refuse(
            "UnifiedWebService.INPUT_INVALID.SmsMessage.TooLong",
            "The SMS message is too long.",
            reason=f"has {len(text)} characters, and at most {longest} are allowed",
            at=(wanted, "smsMessage"),
        )
    return text


def _confirmation(text: str) -> dict[str, object]:
    # The names of the members are known, but not their values (PROTOCOL.md 3.4).
    return {"smsDeliveryResponse": {"confirmation": text}}


_RECEIVED: Final = ("SMSDeliveryConfirmation", _confirmation("Received"))


def _deliver(account_name: str, chosen: Chosen, text: str) -> dict[str, object]:
    device = chosen.existing(account_name)
    if device.state != "active":
        raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not active.")
    device.texts.append(text)
    return _confirmation("Sent")


def list_queued(call: Call) -> Answer:
    """Acknowledge the block that `next` names, and answer with the next block."""
    account_name = call.check_account(call.path["account_name"])
    queue = call.platform.room(Sms).queued[account_name]
    if (last := next_of(call)) is not None:
        queue[:] = [message for message in queue if message.number > last]
    block = page(queue, _PER_BLOCK)
    body = {"messages": [_as_json(message) for message in block.items], "hasMoreData": block.more}
    if block.more or (block.items and call.platform.assumptions.last_sms_block_leads_on):
        return answer_by_location(body, f"/sms/{quote(account_name, safe='')}/history?next={block.items[-1].number}")
    queue.clear()
    return answer_by_location(body, None)


def _as_json(message: QueuedSms) -> dict[str, Any]:
    return {
        "deviceIds": message.device_ids,
        "message": message.text,
        "timestamp": message.sent.isoformat(timespec="seconds"),
    }


def start_callbacks(call: Call) -> Answer:
    """Send the queued messages to the listener, if there is one."""
    account_name, sms = call.check_account(call.path["account_name"]), call.platform.room(Sms)
    if sms.has_listener(account_name):
        sms.send_queued(account_name)
    return Answer(200, {"success": True})


def list_events(call: Call) -> Answer:
    """Accept a request for the messages to and from a device."""
    wanted = call.document()
    device_id = required(wanted, "deviceId", dict)
    device = find_device(call, device_id)
    for name in ("earliest", "latest"):
        moment_of(wanted, name)
    work = [Work([device_id], lambda: None)]
    request_id = call.platform.accept(work, account_name=device.account_name, service="DeviceService")
    return Answer(200, {"requestId": request_id})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    SEND: send,
    QUEUED: list_queued,
    START_CALLBACKS: start_callbacks,
    EVENT_HISTORY: list_events,
}
