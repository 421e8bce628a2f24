"""Answers about SMS messages (protocol.md 5)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from thingspace_async._operation import Operation
from thingspace_async.simulator.late import DeviceFault, Work
from thingspace_async.simulator.reading import Chosen, choose, find_device, identified_devices, moment_of, next_of
from thingspace_async.simulator.state import SMS_SERVICE, QueuedSms
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required
from thingspace_async.sms.calls import EVENT_HISTORY, QUEUED, SEND, START_CALLBACKS

__all__ = ["HANDLERS"]

_PER_BLOCK: Final = 100
_LONGEST: Final = 160
_LONGEST_8_BIT: Final = 140


def send(call: Call) -> Answer:
    """Accept a message, which is delivered later."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    text = _text_of(wanted)
    _, chosen = choose(call, wanted, listed="deviceIds", find=identified_devices)
    work = [Work(one.device_ids, partial(_deliver, account_name, one, text), _RECEIVED) for one in chosen]
    request_id = call.platform.accept(work, account_name=account_name, service=SMS_SERVICE)
    return Answer(200, {"requestId": request_id})


def _text_of(wanted: Mapping[str, Any]) -> str:
    text, encoding = optional(wanted, "smsMessage", str), optional(wanted, "dataEncoding", str) or "7-bit"
    if not text:
        raise refuse("UnifiedWebService.INPUT_INVALID.SmsMessage.Null", "The SMS message cannot be empty.")
    if len(text) > (_LONGEST_8_BIT if encoding.startswith("8-bit") else _LONGEST):
        raise refuse("UnifiedWebService.INPUT_INVALID.SmsMessage.TooLong", "The SMS message is too long.")
    return text


def _confirmation(text: str) -> dict[str, object]:
    # The member's names are known, its texts are not (protocol.md 3.4).
    return {"smsDeliveryResponse": {"confirmation": text}}


_RECEIVED: Final = ("SMSDeliveryConfirmation", _confirmation("Received"))


def _deliver(account_name: str, chosen: Chosen, text: str) -> dict[str, object]:
    device = chosen.existing(account_name)
    if device.state != "active":
        raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not active.")
    device.texts.append(text)
    return _confirmation("Sent")


def list_queued(call: Call) -> Answer:
    """Acknowledge the block that `next` stands for, and answer with the one behind it."""
    account_name = call.check_account(call.path["account_name"])
    queue = call.platform.queued_sms[account_name]
    if (last := next_of(call)) is not None:
        queue[:] = [message for message in queue if message.number > last]
    block, more = queue[:_PER_BLOCK], len(queue) > _PER_BLOCK
    body = {"messages": [_as_json(message) for message in block], "hasMoreData": more}
    if more or (block and call.platform.assumptions.last_sms_block_leads_on):
        location = f"/sms/{quote(account_name, safe='')}/history?next={block[-1].number}"
        return Answer(202, body, headers={"Location": location})
    queue.clear()
    return Answer(200, body)


def _as_json(message: QueuedSms) -> dict[str, Any]:
    return {
        "deviceIds": message.device_ids,
        "message": message.text,
        "timestamp": message.sent.isoformat(timespec="seconds"),
    }


def start_callbacks(call: Call) -> Answer:
    """Send what is queued to the listener, if there is one."""
    account_name, platform = call.check_account(call.path["account_name"]), call.platform
    if SMS_SERVICE in platform.listeners[account_name]:
        for message in platform.queued_sms.pop(account_name, ()):
            platform.send_sms(account_name, message)
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
