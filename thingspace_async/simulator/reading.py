"""Readers for devices, custom fields and dates in requests. They refuse wrong values as the platform does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from thingspace_async.simulator.fleet import Device, Group
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.wire import At, Call, Refusal, optional, refuse, required, unexpected

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
    "fits",
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

_FORMS: Final = {
    "eid": r"\d{30,32}",
    "esn": r"\d{11}|[0-9a-f]{8}",
    "iccid": r"\d{16,20}",
    "imei": r"\d{14,16}",
    "imsi": r"\d{15}",
    "mdn": r"\d{10}",
    "meid": r"[0-9a-f]{14}",
    "msisdn": r"\d{11,15}",
}
"""The accepted kinds of identifiers, and the form of each (PROTOCOL.md 2.1, 4.1)."""

_PATTERNS: Final = {kind: re.compile(form, re.ASCII | re.IGNORECASE) for kind, form in _FORMS.items()}

_LONGEST_NEXT: Final = 18
"""Maximum number of digits, so that the value fits 64 bits."""

_CUSTOM_FIELDS: Final = frozenset(f"CustomField{place}" for place in range(1, 6))


def refuse_device(code: str, message: str, *, reason: str = "", at: At | None = None) -> Refusal:
    """Make a refusal of the platform's device service."""
    return refuse(f"DeviceService.{code}", message, reason=reason, at=at)


def objects_of(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Read a list of objects, empty if absent."""
    listed = optional(document, name, list) or []
    for place, each in enumerate(listed):
        if not isinstance(each, dict):
            raise unexpected("must be an object", at=(listed, place))
    return listed


def moment_of(document: Mapping[str, Any], name: str) -> datetime | None:
    """Read a time stamp."""
    if (text := optional(document, name, str)) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise unexpected("must be a time in ISO 8601 format", at=(document, name)) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def custom_fields_of(document: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    """Read custom fields."""
    found: list[dict[str, str]] = []
    for field in objects_of(document, name):
        key, value = required(field, "key", str), required(field, "value", str)
        if key not in _CUSTOM_FIELDS:
            raise refuse_device(
                "INPUT_INVALID.CustomField.InvalidName",
                f"The custom field name {key} is invalid.",
                reason=f"must be one of {', '.join(sorted(_CUSTOM_FIELDS))}",
                at=(field, "key"),
            )
        if len(value) > 50:
            raise refuse_device(
                "INPUT_INVALID.CustomField.TooLong",
                f"The value of {key} exceeds 50 characters.",
                reason="is longer than 50 characters",
                at=(field, "value"),
            )
        found.append({"key": key, "value": value})
    return found


def kind_of(part: Mapping[str, Any]) -> str:
    """Read the kind of an identifier, in lower case."""
    kind = required(part, "kind", str).casefold()
    if kind not in _FORMS:
        raise refuse_device(
            "INPUT_INVALID.Device.Kind.Invalid",
            "The device identifier's kind is invalid.",
            reason=f"must be one of {', '.join(_FORMS)}",
            at=(part, "kind"),
        )
    return kind


def fits(kind: str, identifier: str) -> bool:
    """Return whether an identifier has the form of its kind, given in lower case."""
    return _PATTERNS[kind].fullmatch(identifier) is not None


def check_identifier(device_id: Mapping[str, Any]) -> tuple[str, str]:
    """Read an identifier: its kind in lower case, and its value, which must fit the kind."""
    kind, identifier = kind_of(device_id), required(device_id, "id", str)
    if not fits(kind, identifier):
        raise refuse_device(
            "INPUT_INVALID.Device.Identifier.Invalid",
            f"The identifier is not a valid {kind}.",
            reason=f"does not fit the kind {kind}: {_FORMS[kind]}",
            at=(device_id, "id"),
        )
    return kind, identifier


def find_device(call: Call, device_id: Mapping[str, Any], account_name: str | None = None) -> Device:
    """Find the device with an identifier, in an account if one is given. Callers must not change it."""
    device = call.platform.devices.find(*check_identifier(device_id))
    if device is None:
        raise refuse_device(
            "REQUEST_FAILED.DeviceNotFound",
            "The device could not be found.",
            reason="does not identify any device",
            at=(device_id, "id"),
        )
    if account_name not in (None, device.account_name):
        raise refuse_device(
            "INPUT_INVALID.Device.Account.Invalid",
            "The device was not a part of the account specified.",
            reason=f"identifies a device of the account {device.account_name}, not of {account_name}",
            at=(device_id, "id"),
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
    """Refuse more devices than a request may name (PROTOCOL.md 4.4)."""
    if len(listed) > most:
        raise refuse_device("INPUT_INVALID.MaxRequestsExceeded", f"The request exceeds the maximum of {most} devices.")


@attrs.frozen
class Chosen:
    """A device that a request names or that its filters match."""

    device_ids: list[dict[str, str]]
    """The identifiers in the request, or all identifiers of a device that filters match."""
    device: Device | None
    """None if none of the identifiers is known."""

    def existing(self, account_name: str | None = None) -> Device:
        """Return the device. Raises DeviceFault if it is unknown or not in the given account."""
        if self.device is None or not all(self.device.has(one["kind"], one["id"]) for one in self.device_ids):
            raise DeviceFault("UnifiedWebService.REQUEST_FAILED.DeviceNotFound", "The device could not be found.")
        if account_name not in (None, self.device.account_name):
            raise DeviceFault(
                "UnifiedWebService.INPUT_INVALID.Device.Account.Invalid",
                "The device was not a part of the account specified.",
            )
        return self.device

    def check(self, account_name: str | None = None) -> None:
        """Do the checks of `existing`, without a result for the callback."""
        self.existing(account_name)


def next_of(call: Call) -> int | None:
    """Read the start of a page or block, taken from a Location header; None for the first one."""
    if (token := call.received.query.get("next")) is None:
        return None
    if not (token.isascii() and token.isdigit() and len(token) <= _LONGEST_NEXT):
        raise unexpected("must be a number, taken from a Location header", at=(call.received.query, "next"))
    return int(token)


def account_of(call: Call, document: Mapping[str, Any], name: str = "accountName") -> str:
    """Read the account of a request, which may omit it if there is only one."""
    if (given := optional(document, name, str)) is not None:
        return call.check_account(given)
    if len(call.platform.accounts) > 1:
        raise refuse(
            "UnifiedWebService.REQUEST_FAILED.MultipleAccounts",
            "The user has several accounts: name one.",
            reason=f"is missing, and there are {len(call.platform.accounts)} accounts",
            at=(document, name),
        )
    return call.platform.account_name


def named_device(call: Call, device_ids: list[dict[str, Any]]) -> Chosen:
    """Find the device with any of the identifiers."""
    found: Device | None = None
    for one in device_ids:
        pair = check_identifier(one)
        found = found or call.platform.devices.find_to_change(*pair)
    return Chosen(device_ids, found)


def chosen_devices(
    call: Call, document: Mapping[str, Any], *, name: str = "devices", most: int = 10_000
) -> list[Chosen]:
    """Find the devices that a request lists."""
    listed = objects_of(document, name)
    check_count(listed, most)
    for each in listed:
        required(each, "deviceIds", list)
    return [named_device(call, objects_of(each, "deviceIds")) for each in listed]


def identified_devices(call: Call, document: Mapping[str, Any]) -> list[Chosen]:
    """Find the devices that a request lists by one identifier each. An empty list does not mean all devices."""
    if not (listed := objects_of(document, "deviceIds")):
        raise unexpected("is empty, which does not mean all devices", at=(document, "deviceIds"))
    check_count(listed)
    return [named_device(call, [one]) for one in listed]


def filters_of(document: Mapping[str, Any], *, service_plan: str = "servicePlan") -> list[Callable[[Device], bool]]:
    """Read the filters of a request. A device must pass all of them."""
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
    """Find the devices of an account that match a request's filters. Refuses a request without matches."""
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
    """Find the listed or matching devices; return the account, None if a list omits it, and the devices.

    The documents do not allow both a list and filters (PROTOCOL.md 4.4).
    """
    if document.get(listed) is None:
        account_name = account_of(call, document)
        return account_name, matching_devices(call, document, account_name, service_plan=service_plan)
    for name in ("groupName", "customFields", service_plan):
        if document.get(name):
            raise unexpected(f"is not allowed together with {listed}", at=(document, name))
    return given_account(call, document), find(call, document)


def given_account(call: Call, document: Mapping[str, Any]) -> str | None:
    """Read the optional account of a request that lists devices."""
    given = optional(document, "accountName", str)
    return None if given is None else call.check_account(given)
