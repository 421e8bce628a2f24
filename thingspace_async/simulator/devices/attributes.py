"""Answers about what an account writes on its devices: custom fields, cost centers, contacts (protocol.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from thingspace_async._operation import Operation
from thingspace_async.devices.inventory.calls import (
    UPDATE_CONTACT_INFORMATION,
    UPDATE_COST_CENTER,
    UPDATE_CUSTOM_FIELDS,
)
from thingspace_async.simulator.devices.later import accept_each
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.reading import choose, custom_fields_of, find_group
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required

__all__ = ["HANDLERS", "writer_of"]

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
    return _accept(call, document, lambda device: device.write(fields))


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


def writer_of(call: Call, document: Mapping[str, Any], account_name: str) -> Change:
    """Return what writes on a device all that a request says about it, besides its service."""
    group_name = optional(document, "groupName", str)
    group = None if group_name is None else find_group(call, account_name, group_name)
    fields = custom_fields_of(document, "customFields")
    values: dict[str, str | None] = {}
    if (place := optional(document, "primaryPlaceOfUse", dict)) is not None:
        values |= _place_of_use(place)
    for member, key in (("skuNumber", "SkuNumber"), ("costCenterCode", "CostCenterCode")):
        if (value := optional(document, member, str)) is not None:
            values[key] = value

    def write(device: Device) -> None:
        if group is not None:
            device.group = group
        device.write(fields)
        if values:
            device.describe(values)

    return write


def _accept(call: Call, document: Mapping[str, Any], change: Change) -> Answer:
    account_name, chosen = choose(call, document)
    return accept_each(call, chosen, lambda each: change(each.existing(account_name)), account_name)


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    UPDATE_CUSTOM_FIELDS: update_custom_fields,
    UPDATE_CONTACT_INFORMATION: update_contact_information,
    UPDATE_COST_CENTER: update_cost_center,
}
