"""Handlers for consents to locate devices, and for excluded devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.mechanisms.pager import from_index
from thingspace_async.simulator.rooms.location.reading import start_index, targets_of
from thingspace_async.simulator.rooms.location.state import BOTH, COARSE, NONE, PRECISE, Locations, invalid
from thingspace_async.simulator.wire import Answer, Call, optional, required

__all__ = [
    "add_exclusions",
    "create_consent",
    "get_consents",
    "list_exclusions",
    "remove_exclusions",
    "update_consent",
]

_SUCCESS: Final = Answer(200, {"success": True})
_MOST_EXCLUDED: Final = 2_000


def get_consents(call: Call) -> Answer:
    """Show the consents of an account, or of one device."""
    query, room = call.received.query, call.platform.room(Locations)
    account_name = call.check_account(query.get("accountName", ""))
    body: dict[str, Any] = {
        "accountName": account_name,
        "allDeviceConsent": room.account_consents.get(account_name, COARSE),
    }
    wanted = query.get("deviceId")
    body["deviceList"] = [
        _consent_of(device, level)
        for device, level in room.device_consents.items()
        if device.account_name == account_name and wanted in (None, device.imei)
    ]
    return Answer(200, body)


def _consent_of(device: Device, level: int) -> dict[str, Any]:
    return {"id": device.imei or "", "kind": "imei", "mdn": device.mdn or "", "consent": level}


def create_consent(call: Call) -> Answer:
    """Consent to locate devices, or all devices of an account."""
    document, room = call.document(), call.platform.room(Locations)
    account_name = call.check_account(required(document, "accountName", str))
    targets = targets_of(call, account_name, document) if document.get("deviceList") is not None else []

    def apply() -> None:
        if not targets:
            room.account_consents[account_name] = BOTH
        for target in targets:
            room.device_consents[target.device] = BOTH

    return _change_consents(call, account_name, apply)


def update_consent(call: Call) -> Answer:
    """Change the consent for all devices of an account."""
    document, room = call.document(), call.platform.room(Locations)
    account_name = call.check_account(required(document, "accountName", str))
    level = required(document, "allDeviceConsent", int)
    if level not in (NONE, COARSE, PRECISE, BOTH):
        raise invalid("Invalid allDeviceConsent", reason="must be 0, 1, 2 or 3", at=(document, "allDeviceConsent"))

    def apply() -> None:
        room.account_consents[account_name] = level
        for device in [one for one in room.device_consents if one.account_name == account_name]:
            del room.device_consents[device]

    return _change_consents(call, account_name, apply)


def _change_consents(call: Call, account_name: str, apply: Callable[[], object]) -> Answer:
    room, request_id = call.platform.room(Locations), call.platform.new_id()

    def finish() -> None:
        apply()
        level = room.account_consents.get(account_name, COARSE)
        message = {"txid": request_id, "accountName": account_name, "allDeviceConsent": level, "status": "Success"}
        room.send(account_name, "DeviceLocation", message)

    call.platform.agenda.put(call.platform.clock.now() + call.platform.assumptions.request_time, finish)
    return Answer(200, {"transactionId": request_id, "status": "QUEUED"})


def add_exclusions(call: Call) -> Answer:
    """Exclude devices: add them to the list, or replace it."""
    document, room = call.document(), call.platform.room(Locations)
    account_name = call.check_account(required(document, "accountName", str))
    listed, everyone = _excluded_ids(document), optional(document, "allDevice", bool)
    if everyone and listed:
        raise invalid(
            "Conflicting device list", reason="allows either allDevice or exclusion", at=(document, "exclusion")
        )
    kept = room.exclusions[account_name] if optional(document, "type", str) == "append" else {}
    changed = {**kept, **dict.fromkeys(listed)}
    if len(changed) > _MOST_EXCLUDED:
        raise invalid(f"The list exceeds the maximum of {_MOST_EXCLUDED} devices.", code="INVALID_REQUEST")
    if document.get("exclusion") is not None:
        room.exclusions[account_name] = changed
    if everyone is not None:
        (room.all_excluded.add if everyone else room.all_excluded.discard)(account_name)
    room.excluded_at[account_name] = call.platform.clock.now()
    return _SUCCESS


def _excluded_ids(document: Mapping[str, Any]) -> list[str]:
    listed = optional(document, "exclusion", list) or []
    if not all(isinstance(one, str) for one in listed):
        raise invalid("Invalid JSON", reason="must contain only strings", at=(document, "exclusion"))
    return listed


def remove_exclusions(call: Call) -> Answer:
    """Remove devices from the list."""
    query, room = call.received.query, call.platform.room(Locations)
    account_name = call.check_account(query.get("accountName", ""))
    listed = [one.strip() for one in query.get("deviceList", "").split(",") if one.strip()]
    if not listed:
        raise invalid("Device not found", reason="is missing or empty", at=(query, "deviceList"))
    for one in listed:
        room.exclusions[account_name].pop(one, None)
    room.excluded_at[account_name] = call.platform.clock.now()
    return _SUCCESS


def list_exclusions(call: Call) -> Answer:
    """Show a page of the list."""
    account_name, begin = call.check_account(call.path["account_name"]), start_index(call)
    room = call.platform.room(Locations)
    listed = list(room.exclusions[account_name])
    page = from_index(listed, begin, call.platform.assumptions.location_exclusion_page)
    body: dict[str, Any] = {
        "accountName": account_name,
        "allDevice": account_name in room.all_excluded,
        "hasMoreData": page.more,
        "totalCount": len(listed),
        "exclusion": page.items,
    }
    if (changed := room.excluded_at.get(account_name)) is not None:
        body["updateTime"] = changed.isoformat(timespec="seconds")
    return Answer(200, body)
