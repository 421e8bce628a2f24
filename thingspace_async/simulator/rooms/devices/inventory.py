"""Handlers that list, add and delete devices, and describe them (PROTOCOL.md 4.2, 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from thingspace_async._core.operation import Operation
from thingspace_async.devices.inventory.calls import (
    ADD,
    DELETE,
    EXTENDED_DIAGNOSTICS,
    LIST,
    MISMATCHED,
    PRL_VERSIONS,
    REQUEST_GLOBAL_LIST,
)
from thingspace_async.simulator.fleet import Device, stamp
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.mechanisms.pager import page
from thingspace_async.simulator.reading import (
    Chosen,
    account_of,
    check_count,
    check_identifier,
    choose,
    chosen_devices,
    filters_of,
    find_device,
    identified_devices,
    kind_of,
    moment_of,
    named_device,
    objects_of,
    refuse_device,
)
from thingspace_async.simulator.rooms.devices.accepting import accept_each
from thingspace_async.simulator.rooms.devices.attributes import writer_of
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required, unexpected

__all__ = ["HANDLERS"]

Test = Callable[[Device], bool]

_PER_PAGE: Final = 2000
_MOST_ADDED: Final = 200
"""Devices per request, according to the reference page:
https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/add-devices.html"""
_MOST_DELETED: Final = 100


def list_devices(call: Call) -> Answer:
    """List one device, or a page of matching devices."""
    # Here, an empty body means all devices. Other operations refuse it.
    wanted = call.document(may_be_blank=True)
    bare_keys = call.platform.assumptions.attributes_without_values
    if (account_name := optional(wanted, "accountName", str)) is not None:
        call.check_account(account_name)
    if (device_id := optional(wanted, "deviceId", dict)) is not None:
        device = find_device(call, device_id, account_name)
        return Answer(200, {"hasMoreData": False, "devices": [device.as_json(bare_keys=bare_keys)]})
    most = optional(wanted, "maxNumberOfDevices", int) or _PER_PAGE
    if most < 0:
        raise unexpected("must not be negative", at=(wanted, "maxNumberOfDevices"))
    found = page(_matching(call, wanted), min(most, _PER_PAGE))
    with_number = call.platform.assumptions.device_number_in_pages
    # Serialize each device before the next is built: 52,000 objects at once would trigger the garbage collector.
    documents = [
        orjson.Fragment(orjson.dumps(device.as_json(with_number=with_number, bare_keys=bare_keys)))
        for device in found.items
    ]
    return Answer(202 if found.more else 200, {"hasMoreData": found.more, "devices": documents})


def _matching(call: Call, wanted: Mapping[str, Any]) -> Iterator[Device]:
    """Yield the devices that match all filters, oldest first."""
    earliest, latest = moment_of(wanted, "earliest"), moment_of(wanted, "latest")
    tests = [*_plain_tests(wanted), *filters_of(wanted), *_identifier_tests(wanted)]
    if latest is not None:
        tests.append(lambda device: device.created_at <= latest)
    # Dates and numbers increase together, so that one order serves both ways of paging.
    devices = call.platform.devices.walk(behind=optional(wanted, "largestDeviceIdSeen", int) or 0, earliest=earliest)
    return (device for device in devices if all(test(device) for test in tests))


def _plain_tests(wanted: Mapping[str, Any]) -> Iterator[Test]:
    if (account_name := optional(wanted, "accountName", str)) is not None:
        yield lambda device: device.account_name == account_name
    if (state := optional(wanted, "currentState", str)) is not None:
        yield lambda device: device.state.casefold() == state.casefold()


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


# Adding and deleting


def add_devices(call: Call) -> Answer:
    """Add new devices, and return the result for each."""
    document = call.document()
    state, listed = required(document, "state", str), _named_in(document, "devicesToAdd")
    account_name = account_of(call, document)
    write = writer_of(call, document, account_name)
    if len(listed) > _MOST_ADDED:
        raise refuse_device("INPUT_INVALID.NumberofDevices", f"A request may add {_MOST_ADDED} devices.")
    results = []
    for device_ids in listed:
        if named_device(call, device_ids).device is not None:
            # The documents mention a message for a refused device, but do not show it.
            results.append({"deviceIds": device_ids, "response": "The device already exists."})
            continue
        device = call.platform.devices.add_named(account_name, device_ids, call.platform.clock.now())
        device.state = state.casefold()
        write(device)
        results.append({"deviceIds": device_ids, "response": "Success"})
    return Answer(200, results)


def delete_devices(call: Call) -> Answer:
    """Delete deactivated devices, and return the result for each."""
    document = call.document()
    listed, account_name = _named_in(document, "devicesToDelete"), optional(document, "accountName", str)
    if account_name is not None:
        call.check_account(account_name)
    check_count(listed, _MOST_DELETED)
    return Answer(200, [_delete(call, device_ids, account_name) for device_ids in listed])


def _delete(call: Call, device_ids: list[dict[str, str]], account_name: str | None) -> dict[str, Any]:
    try:
        device = named_device(call, device_ids).existing(account_name)
    except DeviceFault as fault:
        return {"deviceIds": device_ids, "status": "Failed", "message": fault.message}
    if device.state != "deactive":
        message = f"The device is {device.state}: deactivate it first."
        return {"deviceIds": device_ids, "status": "Failed", "message": message}
    call.platform.devices.remove(device)
    return {"deviceIds": device_ids, "status": "Success"}


def _named_in(document: Mapping[str, Any], name: str) -> list[list[dict[str, str]]]:
    """Read the identifiers of each listed device, and check them."""
    required(document, name, list)
    found = []
    for each in objects_of(document, name):
        required(each, "deviceIds", list)
        device_ids = objects_of(each, "deviceIds")
        if not device_ids:
            raise unexpected("is empty", at=(each, "deviceIds"))
        for one in device_ids:
            check_identifier(one)
        found.append(device_ids)
    return found


# Other questions about devices


def list_mismatched(call: Call) -> Answer:
    """List devices whose SIM was activated in unexpected hardware."""
    document = call.document()
    account_name, group_name = optional(document, "accountName", str), optional(document, "groupName", str)
    if account_name is not None:
        call.check_account(account_name)
    span = required(document, "filter", dict)
    earliest, latest = moment_of(span, "earliest"), moment_of(span, "latest")
    if earliest is None or latest is None:
        raise unexpected("needs both earliest and latest", at=(document, "filter"))
    named = document.get("devices") is not None
    candidates = [one.device for one in chosen_devices(call, document)] if named else call.platform.devices.walk()
    devices = [
        device
        for device in candidates
        if device is not None
        and account_name in (None, device.account_name)
        and group_name in (None, device.group_name)
        and earliest <= device.last_activation[0] <= latest
    ]
    reports = map(_mismatch, devices)
    return Answer(200, {"devices": [report for report in reports if report is not None]})


def _mismatch(device: Device) -> dict[str, Any] | None:
    """Describe a device's hardware if its SIM expects other hardware."""
    own = {one["kind"].casefold(): one["id"] for one in device.device_ids}
    expected, found = device.expected_imei, own.get("imei")
    if not device.was_activated or "iccid" not in own or None in (expected, found) or expected == found:
        return None
    activated = stamp(device.last_activation[0])
    return {
        "accountName": device.account_name,
        "mdn": device.mdn,
        "activationDate": activated,
        "iccid": own["iccid"],
        "preImei": expected,
        "postImei": found,
        "simOtaDate": activated,
    }


def request_prl_versions(call: Call) -> Answer:
    """Accept a request for Preferred Roaming Lists. The simulated devices are 4G devices, which have none."""
    document = call.document()
    account_name, chosen = choose(call, document, listed="deviceIds", find=identified_devices)

    def look(each: Chosen) -> dict[str, Any]:
        each.check(account_name)
        return {"prlInformationResponse": {}}

    return accept_each(call, chosen, look, account_name, service="DevicePRLInformation")


def diagnose(call: Call) -> Answer:
    """Describe one device in categories. The documents name only the category Connectivity."""
    document = call.document()
    account_name = call.check_account(required(document, "accountName", str))
    required(document, "deviceList", list)
    listed = objects_of(document, "deviceList")
    if len(listed) != 1:
        raise unexpected("must name one device", at=(document, "deviceList"))
    known = find_device(call, listed[0], account_name).as_json()
    carrier = known["carrierInformations"][0]
    categories: dict[str, dict[str, str | None]] = {
        "DeviceIdentifiers": {one["kind"].upper(): one["id"] for one in known["deviceIds"]},
        "Device": {"AccountName": account_name, "GroupName": known["groupNames"][0]},
        "Connectivity": {"Connected": str(known["connected"]).lower(), "IPAddress": known.get("ipAddress")},
        "Provisioning": {"State": carrier["state"], "ServicePlan": carrier.get("servicePlan")},
        "Billing": {"BillingCycleEndDate": known.get("billingCycleEndDate")},
    }
    return Answer(200, {"categories": [_category(name, values) for name, values in categories.items()]})


def _category(name: str, values: Mapping[str, str | None]) -> dict[str, Any]:
    pairs = [{"key": key, "value": value} for key, value in values.items() if value is not None]
    return {"categoryName": name, "extendedAttributes": pairs}


def request_global_list(call: Call) -> Answer:
    """Accept a request for a list of devices with their profiles."""
    document = call.document()
    account_name = account_of(call, document)
    for name in ("provisioningStatusFilter", "profileStatusFilter", "carrierNameFilter"):
        optional(document, name, str)
    for one in objects_of(document, "deviceFilter"):
        check_identifier(one)
    request_id = call.platform.accept([], account_name=account_name, service="DeviceProfileService")
    return Answer(200, {"requestId": request_id})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    LIST: list_devices,
    ADD: add_devices,
    DELETE: delete_devices,
    MISMATCHED: list_mismatched,
    PRL_VERSIONS: request_prl_versions,
    EXTENDED_DIAGNOSTICS: diagnose,
    REQUEST_GLOBAL_LIST: request_global_list,
}
