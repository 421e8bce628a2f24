"""Handlers for devices with sensors, and their events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.rooms.cloud_connector.reading import (
    account_of,
    filter_of,
    invalid,
    resource_of,
    unknown,
)
from thingspace_async.simulator.rooms.cloud_connector.state import FREQUENCIES, SENSORS, CloudConnector, precise_stamp
from thingspace_async.simulator.wire import Answer, Call, optional, required

__all__ = ["delete_device", "list_devices", "list_events", "list_readings", "search_devices", "set_configuration"]


T = TypeVar("T")


def _room(call: Call) -> CloudConnector:
    return call.platform.room(CloudConnector)


def _find(call: Call, wanted: Mapping[str, Any]) -> Device:
    device = _room(call).find(account_of(call, wanted), resource_of(wanted))
    if device is None:
        raise unknown("device")
    return device


def _shown(room: CloudConnector, device: Device) -> dict[str, Any]:
    created = precise_stamp(device.created_at)
    return {
        "billingaccountid": device.account_name,
        "createdon": created,
        "eventretention": "90",
        "iccid": device.iccid,
        "id": room.id_of(device),
        "imei": device.imei,
        "kind": "ts.device.cHeAssetTracker",
        "lastupdated": created,
        "refid": device.imei,
        "refidtype": "imei",
        "state": "ready",
        "version": "1.0",
    }


def list_devices(call: Call) -> Answer:
    """List devices."""
    wanted = call.document()
    room, matches = _room(call), filter_of(wanted)
    shown = (_shown(room, device) for device in room.devices(account_of(call, wanted)))
    return Answer(200, _wrapped(call, "DeviceProperty", [one for one in shown if matches(one)]))


def search_devices(call: Call) -> Answer:
    """List devices with their last readings."""
    wanted = call.document()
    room, matches = _room(call), filter_of(wanted)
    found = [(_shown(room, device), device) for device in room.devices(account_of(call, wanted))]
    shown = [{**one, "fields": _last_readings(room, device)} for one, device in found if matches(one)]
    return Answer(200, _wrapped(call, "DeviceProperty", shown))


def _last_readings(room: CloudConnector, device: Device) -> dict[str, Any]:
    return {"item": room.readings(device, moments[-1]) if (moments := room.moments(device)) else {}}


def list_readings(call: Call) -> Answer:
    """List the readings of a sensor, newest first."""
    wanted, room, name = call.document(), _room(call), call.path["field_name"]
    device = _find(call, wanted)

    def build(moment: datetime) -> dict[str, Any]:
        return room.event(device, moment, {name: room.readings(device, moment)[name]})

    return _page(call, wanted, "SearchSensorHistory", room.moments(device) if name in SENSORS else [], build)


def list_events(call: Call) -> Answer:
    """List the events of a device, newest first."""
    wanted, room = call.document(), _room(call)
    device, selection = _find(call, wanted), optional(wanted, "$selection", dict)
    matches = filter_of({"$selection": selection})

    def build(dated: tuple[datetime, dict[str, Any]]) -> dict[str, Any]:
        moment, event = dated
        return event or room.event(device, moment, room.readings(device, moment))

    reported: list[tuple[datetime, dict[str, Any]]] = [(moment, {}) for moment in room.moments(device)]
    found = sorted([*reported, *room.configured[device]], key=lambda dated: dated[0])
    if selection:  # Building all events takes time.
        found = [dated for dated in found if matches(build(dated))]
    return _page(call, wanted, "SearchDeviceEventHistory", found, build)


def _page(
    call: Call, wanted: Mapping[str, Any], wrapper: str, found: Sequence[T], build: Callable[[T], dict[str, Any]]
) -> Answer:
    """Answer with a page of events. They are found oldest first. A mark is the number of older events."""
    size = optional(wanted, "$limitnumber", int)
    if size is None:
        size = call.platform.assumptions.cloud_connector_page
    if size < 1:
        raise invalid("must be 1 or more", (wanted, "$limitnumber"))
    mark = optional(wanted, "$page", str)
    if mark is not None and not (mark.isascii() and mark.isdigit() and len(mark) <= 9):
        raise invalid("must be the X-Next or X-Prev of another page", (wanted, "$page"))
    end = len(found) if mark is None else min(int(mark), len(found))
    begin = max(0, end - size)
    headers = {"X-Next": str(begin)} if begin else {}
    if end < len(found):
        headers["X-Prev"] = str(min(end + size, len(found)))
    shown = [build(one) for one in reversed(found[begin:end])]
    return Answer(200, _wrapped(call, wrapper, shown), headers=headers)


def _wrapped(call: Call, name: str, listed: list[dict[str, Any]]) -> object:
    return {name: listed} if call.platform.assumptions.cloud_connector_lists_are_wrapped else listed


def set_configuration(call: Call) -> Answer:
    """Set how often a device reports."""
    wanted = call.document()
    device, configuration = _find(call, wanted), required(wanted, "configuration", dict)
    frequency = required(configuration, "frequency", str)
    if frequency not in FREQUENCIES:
        raise invalid(f"must be one of {', '.join(FREQUENCIES)}", (configuration, "frequency"))
    return Answer(200, _room(call).configure(device, frequency))


def delete_device(call: Call) -> Answer:
    """Remove a device."""
    wanted = call.document()
    _room(call).removed.add(_find(call, wanted))
    return Answer(204)
