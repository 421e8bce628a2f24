"""Handlers for data that accounts store with devices: custom fields, cost centers, contacts (PROTOCOL.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.devices.inventory.calls import (
    UPDATE_CONTACT_INFORMATION,
    UPDATE_COST_CENTER,
    UPDATE_CUSTOM_FIELDS,
)
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.reading import choose, custom_fields_of, find_group
from thingspace_async.simulator.rooms.devices.accepting import accept_each
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required

__all__ = ["HANDLERS", "place_of_use", "writer_of"]

Change = Callable[[Device], None]

_NAME: Final = {
    "title": "PrimaryPlaceOfUseTitle",
    "firstName": "PrimaryPlaceOfUseFirstName",
    "middleName": "PrimaryPlaceOfUseMiddleName",
    "lastName": "PrimaryPlaceOfUseLastName",
    "suffix": "PrimaryPlaceOfUseSuffix",
    "suffex": "PrimaryPlaceOfUseSuffix",
}
_ADDRESS: Final = {
    "addressLine1": "PrimaryPlaceOfUseAddressLine1",
    "addressLine2": "PrimaryPlaceOfUseAddressLine2",
    "city": "PrimaryPlaceOfUseCity",
    "state": "PrimaryPlaceOfUseState",
    "country": "PrimaryPlaceOfUseCountry",
    "zip": "PrimaryPlaceOfUseZipCode",
    "zip4": "PrimaryPlaceOfUseZipCode4",
    "zip+4": "PrimaryPlaceOfUseZipCode4",
    "phone": "PrimaryPlaceOfUseCBRPhone",
    "phoneType": "PrimaryPlaceOfUseCBRPhoneType",
    "emailAddress": "PrimaryPlaceOfUseEmailAddress",
}
"""The members of a place of use in requests, and the extended attributes for them in answers."""


def update_custom_fields(call: Call) -> Answer:
    """Set custom fields; keep the others."""
    document = call.document()
    fields = custom_fields_of(document, "customFieldsToUpdate")
    return _accept(call, document, lambda device: device.write(fields))


def update_contact_information(call: Call) -> Answer:
    """Replace the primary place of use, with the customer's name and address."""
    document = call.document()
    place = place_of_use(required(document, "primaryPlaceOfUse", dict))
    return _accept(call, document, lambda device: device.describe(place))


def update_cost_center(call: Call) -> Answer:
    """Change or remove the cost center code, replace the primary place of use, or both."""
    document = call.document()
    values: dict[str, str | None] = {}
    if (place := optional(document, "primaryPlaceOfUse", dict)) is not None:
        values |= place_of_use(place)
    if (code := optional(document, "costCenter", str)) is not None:
        values["CostCenterCode"] = code
    if optional(document, "removeCostCenter", bool):
        values["CostCenterCode"] = None
    return _accept(call, document, lambda device: device.describe(values))


def place_of_use(place: Mapping[str, Any], *, fixed: bool = False) -> dict[str, str | None]:
    """Read a place of use as extended attributes. Omitted members become attributes without a value.

    The `fixed` address of a 5G Business Internet device has no country.
    """
    name, address = required(place, "customerName", dict), required(place, "address", dict)
    for part, member in (
        *((name, member) for member in ("firstName", "lastName")),
        *((address, member) for member in ("addressLine1", "city", "state", "zip", *(() if fixed else ("country",)))),
    ):
        required(part, member, str)
    values: dict[str, str | None] = {key: None for part in (_NAME, _ADDRESS) for key in part.values()}
    for part, names in ((name, _NAME), (address, _ADDRESS)):
        values |= {names[member]: optional(part, member, str) for member in names if member in part}
    return values


def writer_of(call: Call, document: Mapping[str, Any], account_name: str) -> Change:
    """Return a function that applies a request's group, custom fields and attributes to a device."""
    group_name = optional(document, "groupName", str)
    group = None if group_name is None else find_group(call, account_name, group_name)
    fields = custom_fields_of(document, "customFields")
    values: dict[str, str | None] = {}
    if (place := optional(document, "primaryPlaceOfUse", dict)) is not None:
        values |= place_of_use(place)
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
