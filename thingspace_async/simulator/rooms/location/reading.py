"""Reading requests for locations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from thingspace_async.simulator.reading import find_device, objects_of
from thingspace_async.simulator.rooms.location.state import CURRENT, NO_CONSENT, Locations, Target, Wanted, invalid
from thingspace_async.simulator.wire import Call, Refusal, optional, required

__all__ = ["MOST", "check_exclusions", "start_index", "targets_of", "wanted_of"]

MOST: Final = 10_000


def wanted_of(call: Call, document: Mapping[str, Any], most: int) -> Wanted:
    """Read a request for the locations of at most so many devices."""
    account_name = call.check_account(required(document, "accountName", str))
    if len(required(document, "deviceList", list)) > most:
        raise invalid(f"The request exceeds the maximum of {most} devices.", code="INVALID_REQUEST")
    accuracy, cache_mode = optional(document, "accuracyMode", str) or "0", optional(document, "cacheMode", str)
    if cache_mode not in (None, "0", "1", "2"):
        raise invalid("Invalid cacheMode", reason="must be 0, 1 or 2", at=(document, "cacheMode"))
    age = optional(document, "maxLocAge", int)
    return Wanted(
        account_name=account_name,
        targets=targets_of(call, account_name, document),
        precise=accuracy != "0",
        cache_mode=CURRENT if cache_mode is None else cache_mode,
        most_age=None if age is None else timedelta(seconds=max(0, min(age, 10**9))),
    )


def targets_of(call: Call, account_name: str, document: Mapping[str, Any]) -> list[Target]:
    """Find the devices of `deviceList`. Refuses unknown ones, and those of other accounts."""
    listed = objects_of(document, "deviceList")
    if not listed:
        raise invalid("Device not found", reason="is empty", at=(document, "deviceList"))
    return [_target(call, account_name, one) for one in listed]


def _target(call: Call, account_name: str, named: Mapping[str, Any]) -> Target:
    mdn = required(named, "mdn", str)
    try:
        device = call.platform.devices.keep(find_device(call, named))
    except Refusal as refusal:
        raise invalid("Device not found", reason=refusal.reason, at=refusal.at) from None
    if device.account_name != account_name or device.mdn != mdn:
        whose = f"belongs to {device.account_name} and has the MDN {device.mdn}"
        raise invalid("Ownership or MDN validation failed", reason=f"is of a device that {whose}", at=(named, "id"))
    return Target(device, mdn)


def check_exclusions(call: Call, wanted: Wanted) -> None:
    """Refuse a request that names an excluded device."""
    room = call.platform.room(Locations)
    for target in wanted.targets:
        if room.is_excluded(target.device):
            raise invalid(NO_CONSENT, reason=f"the device with the MDN {target.mdn} is excluded")


def start_index(call: Call) -> int:
    """Read the index of a page's first item from the path."""
    text = call.path["start_index"]
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise invalid(
            "Invalid startIndex", reason="must be a number, 0 for the first page", at=(call.path, "start_index")
        )
    return int(text)
