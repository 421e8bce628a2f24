"""What several handlers read from a request: devices, custom fields, dates; each refused as the platform refuses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from thingspace_async.simulator.fleet import Device, Group
from thingspace_async.simulator.late import DeviceFault
from thingspace_async.simulator.wire import Call, Refusal, optional, refuse, required, unexpected

__all__ = [
    "Chosen",
    "account_of",
    "check_count",
    "check_identifier",
    "choose",
    "chosen_devices",
    "custom_fields_of",
    "filters_of",
    "find_device",
    "find_group",
    "given_account",
    "identified_devices",
    "kind_of",
    "matching_devices",
    "moment_of",
    "named_device",
    "next_of",
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

_LONGEST_NEXT: Final = 18
"""Digits; more would not fit 64 bits."""

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


def find_group(call: Call, account_name: str, name: str) -> Group:
    """Find a group of an account."""
    group = call.platform.devices.groups[account_name].find(name)
    if group is None:
        raise refuse(
            "UnifiedWebService.REQUEST_FAILED.DeviceGroupNotFound", f"The device group could not be found: {name}."
        )
    return group


def check_count(listed: Sequence[object], most: int = 10_000) -> None:
    """Refuse more devices than a request may name (protocol.md 4.4)."""
    if len(listed) > most:
        raise refuse_device("INPUT_INVALID.MaxRequestsExceeded", f"The request exceeds the maximum of {most} devices.")


@attrs.frozen
class Chosen:
    """A device that a request is to be carried out on, later."""

    device_ids: list[dict[str, str]]
    """As the request names it, or all that it has where a filter found it."""
    device: Device | None
    """None where none of the identifiers is known."""

    def existing(self, account_name: str | None = None) -> Device:
        """Return the device; in an account, where one is given. Raises DeviceFault."""
        if self.device is None or not all(self.device.has(one["kind"], one["id"]) for one in self.device_ids):
            raise DeviceFault("UnifiedWebService.REQUEST_FAILED.DeviceNotFound", "The device could not be found.")
        if account_name not in (None, self.device.account_name):
            raise DeviceFault(
                "UnifiedWebService.INPUT_INVALID.Device.Account.Invalid",
                "The device was not a part of the account specified.",
            )
        return self.device

    def check(self, account_name: str | None = None) -> None:
        """Find the device, to tell nothing about it. Raises DeviceFault."""
        self.existing(account_name)


def next_of(call: Call) -> int | None:
    """Read where a page or block is to begin, as a Location header gave it; None for the first one."""
    if (token := call.received.query.get("next")) is None:
        return None
    if not (token.isascii() and token.isdigit() and len(token) <= _LONGEST_NEXT):
        raise unexpected()
    return int(token)


def account_of(call: Call, document: Mapping[str, Any], name: str = "accountName") -> str:
    """Read the account that a request is about, which may be left out where there is only one."""
    if (given := optional(document, name, str)) is not None:
        return call.check_account(given)
    if len(call.platform.accounts) > 1:
        raise refuse("UnifiedWebService.REQUEST_FAILED.MultipleAccounts", "The user has several accounts: name one.")
    return call.platform.account_name


def named_device(call: Call, device_ids: list[dict[str, Any]]) -> Chosen:
    """Find the device that has one of some identifiers."""
    found: Device | None = None
    for one in device_ids:
        pair = check_identifier(one)
        found = found or call.platform.devices.find_to_change(*pair)
    return Chosen(device_ids, found)


def chosen_devices(call: Call, document: Mapping[str, Any]) -> list[Chosen]:
    """Find the devices that a request lists."""
    listed = objects_of(document, "devices")
    check_count(listed)
    for each in listed:
        required(each, "deviceIds", list)
    return [named_device(call, objects_of(each, "deviceIds")) for each in listed]


def identified_devices(call: Call, document: Mapping[str, Any]) -> list[Chosen]:
    """Find the devices that a request lists by one identifier each; an empty list does not mean all."""
    if not (listed := objects_of(document, "deviceIds")):
        raise unexpected()
    check_count(listed)
    return [named_device(call, [one]) for one in listed]


def filters_of(document: Mapping[str, Any], *, service_plan: str = "servicePlan") -> list[Callable[[Device], bool]]:
    """Read what devices are filtered by: each has to pass all of these."""
    group_name, plan = optional(document, "groupName", str), optional(document, service_plan, str)
    fields = custom_fields_of(document, "customFields")
    filters: list[Callable[[Device], bool]] = []
    if group_name is not None:
        filters.append(lambda device: device.group_name == group_name)
    if plan is not None:
        filters.append(lambda device: device.was_activated and device.service_plan == plan)
    if fields:
        filters.append(lambda device: all(field in device.custom_fields for field in fields))
    return filters


def matching_devices(
    call: Call, document: Mapping[str, Any], account_name: str, *, service_plan: str = "servicePlan"
) -> list[Chosen]:
    """Find the devices of an account that match a request's filters, one of them at least."""
    if (group_name := optional(document, "groupName", str)) is not None:
        find_group(call, account_name, group_name)
    filters, fleet = filters_of(document, service_plan=service_plan), call.platform.devices
    found = [
        Chosen(device.device_ids, fleet.keep(device))
        for device in fleet.walk()
        if device.account_name == account_name and all(passes(device) for passes in filters)
    ]
    if not found:
        raise refuse_device("REQUEST_FAILED.DeviceNotFound", "No device matches the filter.")
    return found


def choose(
    call: Call,
    document: Mapping[str, Any],
    *,
    listed: str = "devices",
    find: Callable[[Call, Mapping[str, Any]], list[Chosen]] = chosen_devices,
    service_plan: str = "servicePlan",
) -> tuple[str | None, list[Chosen]]:
    """Find the devices that are listed, or match the filters, and their account; None where it is not named.

    The documents forbid to mix lists and filters (protocol.md 4.4).
    """
    if document.get(listed) is None:
        account_name = account_of(call, document)
        return account_name, matching_devices(call, document, account_name, service_plan=service_plan)
    if any(document.get(name) for name in ("groupName", "customFields", service_plan)):
        raise unexpected()
    return given_account(call, document), find(call, document)


def given_account(call: Call, document: Mapping[str, Any]) -> str | None:
    """Read the account that a request about listed devices may name."""
    given = optional(document, "accountName", str)
    return None if given is None else call.check_account(given)
