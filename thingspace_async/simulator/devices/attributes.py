"""Answers about what an account writes on its devices: custom fields, cost centers, contacts (protocol.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from thingspace_async._operation import Operation
from thingspace_async.devices.inventory.calls import (
    UPDATE_CONTACT_INFORMATION,
    UPDATE_COST_CENTER,
    UPDATE_CUSTOM_FIELDS,
)
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.reading import Chosen, account_of, chosen_devices, custom_fields_of, matching_devices
from thingspace_async.simulator.state import Work
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required

__all__ = ["HANDLERS"]

Change = Callable[[Device], None]

_NAME: Final = {
    "title": "PrimaryPlaceOfUseTitle",
    "firstName": "PrimaryPlaceOfUseFirstName",
    "middleName": "PrimaryPlaceOfUseMiddleName",
    "lastName": "PrimaryPlaceOfUseLastName",
    "suffix": "PrimaryPlaceOfUseSuffix",
}
_ADDRESS: Final = {
    "addressLine1": "PrimaryPlaceOfUseAddressLine1",
    "addressLine2": "PrimaryPlaceOfUseAddressLine2",
    "city": "PrimaryPlaceOfUseCity",
    "state": "PrimaryPlaceOfUseState",
    "country": "PrimaryPlaceOfUseCountry",
    "zip": "PrimaryPlaceOfUseZipCode",
    "zip4": "PrimaryPlaceOfUseZipCode4",
    "phone": "PrimaryPlaceOfUseCBRPhone",
    "phoneType": "PrimaryPlaceOfUseCBRPhoneType",
    "emailAddress": "PrimaryPlaceOfUseEmailAddress",
}
"""What a request calls a part of the place of use, and what an answer about a device does."""


def update_custom_fields(call: Call) -> Answer:
    """Write custom fields; those that are not named stay."""
    document = call.document()
    fields = custom_fields_of(document, "customFieldsToUpdate")

    def change(device: Device) -> None:
        written = {field["key"]: field for field in [*device.custom_fields, *fields]}
        device.custom_fields = [written[key] for key in sorted(written)]

    return _accept(call, document, change)


def update_contact_information(call: Call) -> Answer:
    """Replace who uses devices, and where."""
    document = call.document()
    place = _place_of_use(required(document, "primaryPlaceOfUse", dict))
    return _accept(call, document, lambda device: device.describe(place))


def update_cost_center(call: Call) -> Answer:
    """Change or remove the cost center's code, change who uses devices, or both."""
    document = call.document()
    values: dict[str, str | None] = {}
    if (place := optional(document, "primaryPlaceOfUse", dict)) is not None:
        values |= _place_of_use(place)
    if (code := optional(document, "costCenter", str)) is not None:
        values["CostCenterCode"] = code
    if optional(document, "removeCostCenter", bool):
        values["CostCenterCode"] = None
    return _accept(call, document, lambda device: device.describe(values))


def _place_of_use(place: Mapping[str, Any]) -> dict[str, str | None]:
    """Read a place of use as extended attributes; what it leaves out is emptied."""
    name, address = required(place, "customerName", dict), required(place, "address", dict)
    for part, member in (
        *((name, member) for member in ("firstName", "lastName")),
        *((address, member) for member in ("addressLine1", "city", "state", "zip", "country")),
    ):
        required(part, member, str)
    values = {key: optional(name, member, str) for member, key in _NAME.items()}
    return values | {key: optional(address, member, str) for member, key in _ADDRESS.items()}


def _accept(call: Call, document: Mapping[str, Any], change: Change) -> Answer:
    """Accept a change of the devices that a request names, or else of those that match its filters."""
    account_name = account_of(call, document)
    named = document.get("devices") is not None
    chosen = chosen_devices(call, document) if named else matching_devices(call, document, account_name)
    work = [Work(one.device_ids, partial(_carry_out, one, account_name, change)) for one in chosen]
    return Answer(200, {"requestId": call.platform.accept(work, account_name=account_name)})


def _carry_out(chosen: Chosen, account_name: str, change: Change) -> None:
    change(chosen.existing(account_name))


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    UPDATE_CUSTOM_FIELDS: update_custom_fields,
    UPDATE_CONTACT_INFORMATION: update_contact_information,
    UPDATE_COST_CENTER: update_cost_center,
}
