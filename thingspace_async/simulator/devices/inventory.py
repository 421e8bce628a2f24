"""Answers about devices (protocol.md 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import orjson

from thingspace_async._operation import Operation
from thingspace_async.devices.inventory.calls import LIST
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.reading import custom_fields_of, find_device, kind_of, moment_of, objects_of
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, unexpected

__all__ = ["HANDLERS"]

Test = Callable[[Device], bool]

_PER_PAGE: Final = 2000


def list_devices(call: Call) -> Answer:
    """List one device, or a page of those that match."""
    # A blank body means all devices here, where it is an error elsewhere.
    wanted = call.document(may_be_blank=True)
    if (account_name := optional(wanted, "accountName", str)) is not None:
        call.check_account(account_name)
    if (device_id := optional(wanted, "deviceId", dict)) is not None:
        device = find_device(call, device_id, account_name)
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


def _matching(call: Call, wanted: Mapping[str, Any]) -> Iterator[Device]:
    """Yield the devices that match everything asked for, in the order in which they were added."""
    earliest, latest = moment_of(wanted, "earliest"), moment_of(wanted, "latest")
    tests = [*_plain_tests(wanted), *_custom_field_tests(wanted), *_identifier_tests(wanted)]
    if latest is not None:
        tests.append(lambda device: device.created_at <= latest)
    # Sorted by date and by number alike, as later devices have larger numbers: one order serves both ways of paging.
    devices = call.platform.devices.walk(behind=optional(wanted, "largestDeviceIdSeen", int) or 0, earliest=earliest)
    return (device for device in devices if all(test(device) for test in tests))


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
    for pair in custom_fields_of(wanted, "customFields"):
        yield lambda device, pair=pair: pair in device.custom_fields  # type: ignore[misc] # mypy cannot infer defaults


def _identifier_tests(wanted: Mapping[str, Any]) -> Iterator[Test]:
    for part in objects_of(optional(wanted, "filter", dict) or {}, "deviceIdentifierFilters"):
        kind = kind_of(part)
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


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {LIST: list_devices}
