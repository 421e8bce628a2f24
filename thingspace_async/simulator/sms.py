"""Answers about SMS messages (protocol.md 5)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from thingspace_async._operation import Operation
from thingspace_async.simulator.reading import Chosen, choose, find_device, identified_devices, moment_of, next_of
from thingspace_async.simulator.state import DeviceFault, QueuedSms, Work
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
    work = [Work(one.device_ids, partial(_deliver, account_name, one, text)) for one in chosen]
    request_id = call.platform.accept(work, account_name=account_name, service="EnhancedConnectivityService")
    return Answer(200, {"requestId": request_id})


def _text_of(wanted: Mapping[str, Any]) -> str:
    text, encoding = optional(wanted, "smsMessage", str), optional(wanted, "dataEncoding", str) or "7-bit"
    if not text:
        raise refuse("UnifiedWebService.INPUT_INVALID.SmsMessage.Null", "The SMS message cannot be empty.")
    if len(text) > (_LONGEST_8_BIT if encoding.startswith("8-bit") else _LONGEST):
        raise refuse("UnifiedWebService.INPUT_INVALID.SmsMessage.TooLong", "The SMS message is too long.")
    return text


def _deliver(account_name: str, chosen: Chosen, text: str) -> None:
    device = chosen.existing(account_name)
    if device.state != "active":
        raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not active.")
    device.texts.append(text)


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
    account_name = call.check_account(call.path["account_name"])
    if "EnhancedConnectivityService" in call.platform.listeners[account_name]:
        call.platform.queued_sms[account_name].clear()
    return Answer(200, {"success": True})


def list_events(call: Call) -> Answer:
    """Accept a request for the messages to and from a device."""
    wanted = call.document()
    device = find_device(call, required(wanted, "deviceId", dict))
    for name in ("earliest", "latest"):
        moment_of(wanted, name)
    return Answer(
        200, {"requestId": call.platform.accept((), account_name=device.account_name, service="DeviceService")}
    )


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    SEND: send,
    QUEUED: list_queued,
    START_CALLBACKS: start_callbacks,
    EVENT_HISTORY: list_events,
}
