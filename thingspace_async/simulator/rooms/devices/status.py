"""Handlers for questions about the service of devices, and for uploads. They do not change devices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.devices.lifecycle.calls import CHECK_AVAILABILITY, ORDER_STATUS, SUSPENSION_STATUS, UPLOAD
from thingspace_async.simulator.fleet import Device, stamp
from thingspace_async.simulator.reading import (
    Chosen,
    account_of,
    check_identifier,
    chosen_devices,
    given_account,
    identified_devices,
    matching_devices,
)
from thingspace_async.simulator.rooms.devices.accepting import accept_each
from thingspace_async.simulator.rooms.devices.provisioning import IDLE
from thingspace_async.simulator.rooms.devices.timeline import events_of
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required, unexpected

__all__ = ["HANDLERS", "check_upload", "suspension_of"]

_LONGEST_SUSPENSION: Final = timedelta(days=90)
_SERVICE: Final = "DeviceService"


def upload(call: Call) -> Answer:
    """Make new devices known to Verizon."""
    document = call.document()
    check_upload(document)
    account_name = account_of(call, document)
    known = call.platform.devices.uploaded

    def learn(each: Chosen) -> None:
        known.update(map(check_identifier, each.device_ids))

    return accept_each(call, chosen_devices(call, document), learn, account_name, service=_SERVICE)


def check_availability(call: Call) -> Answer:
    """Report whether devices are known to Verizon."""
    document = call.document()
    account_name = call.check_account(required(document, "accountName", str))
    required(document, "devices", list)

    def look(each: Chosen) -> dict[str, bool]:
        known = any(check_identifier(one) in call.platform.devices.uploaded for one in each.device_ids)
        in_service = each.device is not None and each.device.state not in IDLE
        return {"deviceFound": known or each.device is not None, "associatedWithMTN": in_service}

    return accept_each(call, chosen_devices(call, document), look, account_name, service=_SERVICE)


def order_status(call: Call) -> Answer:
    """Report the status of an activation."""
    document = call.document()
    account_name = call.check_account(required(document, "accountName", str))
    order = optional(document, "orderRequestId", str)
    if (
        order is not None and order.strip() not in call.platform.late_requests.by_id
    ):  # The page's sample has blanks around.
        raise unexpected("names no request", at=(document, "orderRequestId"))
    required(document, "devices", list)
    chosen = chosen_devices(call, document)
    return accept_each(call, chosen, lambda each: each.check(account_name), account_name, service=_SERVICE)


def suspension_status(call: Call) -> Answer:
    """Report how long devices remain suspended."""
    document = call.document()
    account_name, chosen = _choose(call, document)

    def look(each: Chosen) -> dict[str, Any]:
        device = each.existing(account_name)
        return suspension_of(call, device) if device.state == "suspend" else {}

    return accept_each(call, chosen, look, account_name, service="DeviceSuspensionStatus")


def _choose(call: Call, document: Mapping[str, Any]) -> tuple[str | None, list[Chosen]]:
    """Find the listed or matching devices; return the account, None if a list omits it, and the devices."""
    filtered = optional(document, "filter", dict)
    if document.get("deviceIds") is None:
        account_name = account_of(call, document)
        return account_name, matching_devices(call, filtered or {}, account_name)
    if filtered is not None:
        raise unexpected("is not allowed together with deviceIds", at=(document, "filter"))
    return given_account(call, document), identified_devices(call, document)


def check_upload(document: Mapping[str, Any]) -> None:
    """Refuse an upload without all required members."""
    for name in ("accountName", "emailAddress", "deviceSku", "uploadType"):
        required(document, name, str)
    required(document, "devices", list)


def suspension_of(call: Call, device: Device) -> dict[str, Any]:
    """Return the expected resume date of a suspended device."""
    done = [one for one in events_of(call.platform, device) if one.status == "Success"]
    begun = [one.occurred_at for one in done if one.event_type == "Suspend"]
    # If a test set the state to `suspend`, the history contains no suspension.
    return {"suspendResponse": {"expectedResumeDate": stamp(begun[-1] + _LONGEST_SUSPENSION)} if begun else {}}


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    UPLOAD: upload,
    CHECK_AVAILABILITY: check_availability,
    ORDER_STATUS: order_status,
    SUSPENSION_STATUS: suspension_status,
}
