"""Answers about devices (protocol.md 4.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import orjson

from thingspace_async._operation import Operation
from thingspace_async.devices.calls import LIST
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required, unexpected

__all__ = ["HANDLERS"]

Test = Callable[[Device], bool]

_PER_PAGE: Final = 2000

_KINDS: Final = {
    "esn": r"\d{11}|[0-9a-f]{8}",
    "iccid": r"\d{19,20}",
    "imei": r"\d{14,16}",
    "imsi": r"\d{15}",
    "mdn": r"\d{10}",
    "meid": r"[0-9a-f]{14}",
    "msisdn": r"\d{11,15}",
}
"""The kinds that the platform accepts, and what fits them (protocol.md 2.1, 4.1)."""

_CUSTOM_FIELDS: Final = frozenset(f"CustomField{place}" for place in range(1, 6))


def list_devices(call: Call) -> Answer:
    """List one device, or a page of those that match."""
    # A blank body means all devices here, where it is an error elsewhere.
    wanted = call.document(may_be_blank=True)
    if (account_name := optional(wanted, "accountName", str)) is not None:
        call.check_account(account_name)
    if (device_id := optional(wanted, "deviceId", dict)) is not None:
        device = _find(call, device_id, account_name)
        return Answer(200, {"hasMoreData": False, "devices": [device.as_json()]})
    most = optional(wanted, "maxNumberOfDevices", int) or _PER_PAGE
    if most < 0:
        raise unexpected()
    found = list(islice(_matching(call, wanted), min(most, _PER_PAGE) + 1))
    page = found[: min(most, _PER_PAGE)]
    more = len(found) > len(page)
    with_number = call.platform.assumptions.device_number_in_pages
    # Each is written before the next is made: a page of 52,000 objects at once would set off the garbage collector.
    documents = [orjson.Fragment(orjson.dumps(device.as_json(with_number=with_number))) for device in page]
    return Answer(202 if more else 200, {"hasMoreData": more, "devices": documents})


def _find(call: Call, device_id: Mapping[str, Any], account_name: str | None) -> Device:
    kind, identifier = _kind(device_id), required(device_id, "id", str)
    if not re.fullmatch(_KINDS[kind], identifier, re.ASCII | re.IGNORECASE):
        raise _refuse("INPUT_INVALID.Device.Identifier.Invalid", f"The identifier is not a valid {kind}.")
    device = call.platform.devices.find(kind, identifier)
    if device is None:
        raise _refuse("REQUEST_FAILED.DeviceNotFound", "The device could not be found.")
    if account_name not in (None, device.account_name):
        raise _refuse("INPUT_INVALID.Device.Account.Invalid", "The device was not a part of the account specified.")
    return device


def _refuse(code: str, message: str) -> Exception:
    return refuse(f"DeviceService.{code}", message)


def _kind(part: Mapping[str, Any]) -> str:
    kind = required(part, "kind", str).casefold()
    if kind not in _KINDS:
        raise _refuse("INPUT_INVALID.Device.Kind.Invalid", "The device identifier's kind is invalid.")
    return kind


def _matching(call: Call, wanted: Mapping[str, Any]) -> Iterator[Device]:
    """Yield the devices that match everything asked for, in the order in which they were added."""
    earliest, latest = _date(wanted, "earliest"), _date(wanted, "latest")
    tests = [*_plain_tests(wanted), *_custom_field_tests(wanted), *_identifier_tests(wanted)]
    if latest is not None:
        tests.append(lambda device: device.created_at <= latest)
    # Sorted by date and by number alike, as later devices have larger numbers: one order serves both ways of paging.
    devices = call.platform.devices.walk(behind=optional(wanted, "largestDeviceIdSeen", int) or 0, earliest=earliest)
    return (device for device in devices if all(test(device) for test in tests))


def _date(wanted: Mapping[str, Any], name: str) -> datetime | None:
    if (text := optional(wanted, name, str)) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise unexpected() from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _plain_tests(wanted: Mapping[str, Any]) -> Iterator[Test]:
    if (account_name := optional(wanted, "accountName", str)) is not None:
        yield lambda device: device.account_name == account_name
    if (group_name := optional(wanted, "groupName", str)) is not None:
        yield lambda device: device.group_name == group_name
    if (service_plan := optional(wanted, "servicePlan", str)) is not None:
        yield lambda device: device.state != "preactive" and device.service_plan == service_plan
    if (state := optional(wanted, "currentState", str)) is not None:
        yield lambda device: device.state.casefold() == state.casefold()


def _custom_field_tests(wanted: Mapping[str, Any]) -> Iterator[Test]:
    for field in _objects(wanted, "customFields"):
        key, value = required(field, "key", str), required(field, "value", str)
        if key not in _CUSTOM_FIELDS:
            raise _refuse("INPUT_INVALID.CustomField.InvalidName", f"The custom field name {key} is invalid.")
        if len(value) > 50:
            raise _refuse("INPUT_INVALID.CustomField.TooLong", f"The value of {key} exceeds 50 characters.")
        pair = {"key": key, "value": value}
        yield lambda device, pair=pair: pair in device.custom_fields  # type: ignore[misc] # mypy cannot infer defaults


def _identifier_tests(wanted: Mapping[str, Any]) -> Iterator[Test]:
    for part in _objects(optional(wanted, "filter", dict) or {}, "deviceIdentifierFilters"):
        kind = _kind(part)
        contains, begin, end = (optional(part, name, str) or "" for name in ("contains", "startswith", "endswith"))

        def fits(
            device: Device, kind: str = kind, contains: str = contains, begin: str = begin, end: str = end
        ) -> bool:
            return any(
                own["kind"].casefold() == kind
                and contains in own["id"]
                and own["id"].startswith(begin)
                and own["id"].endswith(end)
                for own in device.device_ids
            )

        yield fits


def _objects(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    listed = optional(document, name, list) or []
    if not all(isinstance(each, dict) for each in listed):
        raise unexpected()
    return listed


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {LIST: list_devices}
