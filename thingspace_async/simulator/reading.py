"""What several handlers read from a request: devices, custom fields, dates; each refused as the platform refuses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.wire import Call, Refusal, optional, refuse, required, unexpected

__all__ = [
    "check_count",
    "check_identifier",
    "custom_fields_of",
    "find_device",
    "kind_of",
    "moment_of",
    "objects_of",
    "refuse_device",
]

_KINDS: Final = {
    "eid": r"\d{30,32}",
    "esn": r"\d{11}|[0-9a-f]{8}",
    "iccid": r"\d{16,20}",
    "imei": r"\d{14,16}",
    "imsi": r"\d{15}",
    "mdn": r"\d{10}",
    "meid": r"[0-9a-f]{14}",
    "msisdn": r"\d{11,15}",
}
"""The kinds that the platform accepts, and what fits them (protocol.md 2.1, 4.1)."""

_CUSTOM_FIELDS: Final = frozenset(f"CustomField{place}" for place in range(1, 6))


def refuse_device(code: str, message: str) -> Refusal:
    """Make a refusal of the service that manages devices."""
    return refuse(f"DeviceService.{code}", message)


def objects_of(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Read a list of objects, empty where it is absent."""
    listed = optional(document, name, list) or []
    if not all(isinstance(each, dict) for each in listed):
        raise unexpected()
    return listed


def moment_of(document: Mapping[str, Any], name: str) -> datetime | None:
    """Read a time stamp."""
    if (text := optional(document, name, str)) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise unexpected() from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def custom_fields_of(document: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    """Read custom fields."""
    found: list[dict[str, str]] = []
    for field in objects_of(document, name):
        key, value = required(field, "key", str), required(field, "value", str)
        if key not in _CUSTOM_FIELDS:
            raise refuse_device("INPUT_INVALID.CustomField.InvalidName", f"The custom field name {key} is invalid.")
        if len(value) > 50:
            raise refuse_device("INPUT_INVALID.CustomField.TooLong", f"The value of {key} exceeds 50 characters.")
        found.append({"key": key, "value": value})
    return found


def kind_of(part: Mapping[str, Any]) -> str:
    """Read the kind of an identifier, in small letters."""
    kind = required(part, "kind", str).casefold()
    if kind not in _KINDS:
        raise refuse_device("INPUT_INVALID.Device.Kind.Invalid", "The device identifier's kind is invalid.")
    return kind


def check_identifier(device_id: Mapping[str, Any]) -> tuple[str, str]:
    """Read an identifier: its kind in small letters and its value, which has to fit."""
    kind, identifier = kind_of(device_id), required(device_id, "id", str)
    if not re.fullmatch(_KINDS[kind], identifier, re.ASCII | re.IGNORECASE):
        raise refuse_device("INPUT_INVALID.Device.Identifier.Invalid", f"The identifier is not a valid {kind}.")
    return kind, identifier


def find_device(call: Call, device_id: Mapping[str, Any], account_name: str | None = None) -> Device:
    """Find the device with an identifier, to be read only; in an account, where one is given."""
    device = call.platform.devices.find(*check_identifier(device_id))
    if device is None:
        raise refuse_device("REQUEST_FAILED.DeviceNotFound", "The device could not be found.")
    if account_name not in (None, device.account_name):
        raise refuse_device(
            "INPUT_INVALID.Device.Account.Invalid", "The device was not a part of the account specified."
        )
    return device


def check_count(listed: list[dict[str, Any]], most: int = 10_000) -> None:
    """Refuse more devices than a request may name (protocol.md 4.4)."""
    if len(listed) > most:
        raise refuse_device("INPUT_INVALID.MaxRequestsExceeded", f"The request exceeds the maximum of {most} devices.")
