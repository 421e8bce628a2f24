"""Handlers for usage segmentation labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import orjson

from thingspace_async._core.operation import Operation
from thingspace_async.devices.labels.calls import ADD, REMOVE
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.reading import Chosen, chosen_devices, objects_of
from thingspace_async.simulator.rooms.devices.accepting import accept_each
from thingspace_async.simulator.wire import Answer, Call, Handler, required, unexpected

__all__ = ["HANDLERS"]

_MOST: Final = 50
"""Labels per request (PROTOCOL.md 4.4)."""


def add_labels(call: Call) -> Answer:
    """Add labels to devices."""
    document = call.document()
    account_name = call.check_account(required(document, "accountName", str))
    wanted = required(document, "labels", dict)
    labels = _labels_of(wanted, "label")
    required(wanted, "devices", list)

    def put_on(each: Chosen) -> None:
        device = each.existing(account_name)
        device.labels = [*device.labels, *(label for label in labels if label not in device.labels)]

    return accept_each(call, chosen_devices(call, wanted), put_on, account_name)


def remove_labels(call: Call) -> Answer:
    """Remove labels from all devices of an account."""
    query = call.received.query
    account_name = call.check_account(required(query, "accountName", str))
    try:
        wanted = orjson.loads(required(query, "LabelList", str))
    except orjson.JSONDecodeError as error:
        raise unexpected(f"is not valid JSON: {error}", at=(query, "LabelList")) from None
    if not isinstance(wanted, dict):
        raise unexpected("must be a JSON object", at=(query, "LabelList"))
    # The documents call the list of labels `deviceIds` here.
    labels = _labels_of(wanted, "deviceIds")
    labelled = [
        device
        for device in call.platform.devices.walk()
        if device.account_name == account_name and any(label in device.labels for label in labels)
    ]
    work = [Work(device.device_ids, partial(_take_off, device, labels)) for device in labelled]
    return Answer(200, {"requestId": call.platform.accept(work, account_name=account_name)})


def _take_off(device: Device, labels: list[dict[str, str]]) -> None:
    device.labels = [label for label in device.labels if label not in labels]


def _labels_of(document: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    listed = objects_of(document, name)
    if len(listed) > _MOST:
        raise unexpected(f"has {len(listed)} labels, and at most {_MOST} are allowed", at=(document, name))
    return [{"name": required(each, "name", str), "value": required(each, "value", str)} for each in listed]


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {ADD: add_labels, REMOVE: remove_labels}
