"""Requests that list devices of 5G Business Internet, each with its address (PROTOCOL.md 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.reading import objects_of
from thingspace_async.simulator.rooms.devices.attributes import place_of_use
from thingspace_async.simulator.wire import required, unexpected

__all__ = ["LISTED", "with_addresses"]

LISTED: Final = "deviceListWithServiceAddress"


def with_addresses(document: dict[str, Any]) -> tuple[dict[str, Any], Callable[[Device], object]]:
    """Return a request with its devices under the usual name, and a function that writes the address of a device."""
    if document.get(LISTED) is None:
        return document, lambda _: None
    if document.get("devices"):
        raise unexpected("is not allowed together with devices", at=(document, LISTED))
    entries = _entries(document)
    places = [place_of_use(_place(entry), fixed=True) for entry in entries]

    def write(device: Device) -> None:
        for entry, place in zip(entries, places, strict=True):
            if any(device.has(one["kind"], one["id"]) for one in entry["deviceIds"]):
                device.describe(place)

    return {**document, "devices": entries}, write


def _entries(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read the devices in the form of the page or of the SDKs.

    The SDKs have an entry for the identifiers and another one for the address, and spell both names differently.
    """
    found: list[dict[str, Any]] = []
    for entry in objects_of(document, LISTED):
        named = {**entry}
        if "deviceId" in named:
            named["deviceIds"] = named.pop("deviceId")
        if "primaryPlaceofuse" in named:
            named["primaryPlaceOfUse"] = named.pop("primaryPlaceofuse")
        if "deviceIds" in named or not found:
            required(named, "deviceIds", list)
            objects_of(named, "deviceIds")
            found.append(named)
        else:
            found[-1] |= named
    if not found:
        raise unexpected("must list a device", at=(document, LISTED))
    return found


def _place(entry: Mapping[str, Any]) -> dict[str, Any]:
    place = required(entry, "primaryPlaceOfUse", dict)
    # The SDKs nest it twice for a change of plan.
    return required(place, "primaryPlaceofuse", dict) if "primaryPlaceofuse" in place else place
