"""Handlers for SIM-Secure licenses. Each account has some licenses of each SKU."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.sim_secure.calls import ASSIGN, SUBSCRIPTIONS, UNASSIGN
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.allowance import Allowance
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import Chosen, chosen_devices
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required, unexpected

__all__ = ["HANDLERS", "SimSecure"]

_LIFETIME: Final = "SIMSec-IoT-Lt"
_TYPES: Final = {
    "SIMSec-IoT": "Flexible",
    "TS-BUNDLE-KTO-SIMSEC-MRC": "Flexible Bundle",
    "TSS-IOT-INTLG-TIERED-SIMSEC": "Flexible Bundle",
    _LIFETIME: "Lifetime",
}
"""The SKUs and their types. The platform's samples have only the type `Flexible Bundle`."""
_BOUGHT: Final = 1_000
_MOST_DEVICES: Final = 100


def _licenses() -> dict[str, Allowance]:
    return {sku: Allowance(_BOUGHT) for sku in _TYPES}


class SimSecure:
    """The licenses."""

    def __init__(self, _: Platform) -> None:
        self.licenses: defaultdict[str, dict[str, Allowance]] = defaultdict(_licenses)
        """The licenses of each account by SKU. The users of a license are devices."""


def subscriptions(call: Call) -> Answer:
    """Count the licenses of an account."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    wanted_sku = optional(wanted, "skuNumber", str)
    listed = [
        {
            "skuNumber": sku,
            "licenseType": _TYPES[sku],
            "licensePurchased": licenses.bought,
            "licenseAssigned": len(licenses.used_by),
            "licenseAvailable": licenses.left,
        }
        for sku, licenses in call.platform.room(SimSecure).licenses[account_name].items()
        if wanted_sku in (None, sku)
    ]
    return Answer(200, {"accountName": account_name, "subscriptionList": listed})


def assign(call: Call) -> Answer:
    """Accept devices that need licenses."""
    return _accept(call, _assign)


def unassign(call: Call) -> Answer:
    """Accept devices whose licenses are taken back."""
    return _accept(call, _unassign)


def _assign(licenses: Allowance, device: Device) -> str | None:
    if device.state != "active":
        raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not active.")
    return licenses.assign([device])[device]


def _unassign(licenses: Allowance, device: Device) -> str | None:
    return licenses.remove([device])[device]


Step = Callable[[Allowance, Device], str | None]
"""Assigns or unassigns a license; returns the reason of a refusal, or None."""


def _accept(call: Call, step: Step) -> Answer:
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    sku = required(wanted, "skuNumber", str)
    licenses = call.platform.room(SimSecure).licenses[account_name].get(sku)
    if licenses is None:
        raise unexpected(f"must be one of {', '.join(_TYPES)}", at=(wanted, "skuNumber"))
    if step is _unassign and sku == _LIFETIME:
        raise unexpected("names a lifetime license, which can never be unassigned", at=(wanted, "skuNumber"))
    devices = chosen_devices(call, wanted, most=_MOST_DEVICES)
    if not devices:
        raise refuse("UnifiedWebService.INPUT_INVALID.DeviceNotProvided", "At least one device must be specified.")
    work = [Work(one.device_ids, partial(_carry_out, account_name, one, licenses, step)) for one in devices]
    return Answer(200, {"requestId": call.platform.accept(work, account_name=account_name)})


def _carry_out(account_name: str, chosen: Chosen, licenses: Allowance, step: Step) -> None:
    if (reason := step(licenses, chosen.existing(account_name))) is not None:
        raise DeviceFault("UnifiedWebService.REQUEST_FAILED.UnexpectedError", f"License: {reason}.")


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    SUBSCRIPTIONS: subscriptions,
    ASSIGN: assign,
    UNASSIGN: unassign,
}
