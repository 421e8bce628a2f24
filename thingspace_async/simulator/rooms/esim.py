"""Handlers for eSIM profiles. Every request is accepted; its result arrives later, through DeviceProfileService."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import attrs

from thingspace_async._core.operation import Operation
from thingspace_async.esim.calls import (
    ACTIVATE,
    ACTIVATE_AND_ENABLE,
    DEACTIVATE,
    DELETE,
    DISABLE,
    DOWNLOAD,
    DOWNLOAD_AND_DISABLE,
    DOWNLOAD_AND_ENABLE,
    ENABLE,
    RENEW_ACTIVATION_CODE,
    RESUME,
    SET_FALLBACK,
    SET_GLOBAL_FALLBACK,
    SUSPEND,
    SUSPEND_DEVICE,
)
from thingspace_async.simulator.fleet import Device, Event, Profile
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.reading import Chosen, check_count, chosen_devices, named_device, objects_of
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required, unexpected

__all__ = ["HANDLERS"]


@attrs.frozen(kw_only=True)
class _Order:
    """A request, during its work on each device."""

    call: Call
    wanted: Mapping[str, Any]
    user: str
    due: datetime


Step = Callable[[Device, _Order], object]
Read = Callable[[Call, Mapping[str, Any]], list[Chosen]]

_MOST_DEVICES: Final = 100
_NONE: Final = Profile().status
_ENABLED: Final = frozenset({"DOWNLOAD_ENABLE", "ENABLE"})


def _refused(message: str) -> DeviceFault:
    # A page shows this message, for a suspended profile. Its code is not documented.
    return DeviceFault("UnifiedWebService.REQUEST_FAILED.UnexpectedError", message)


def _check_active(device: Device) -> None:
    if device.state != "active":
        raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not active.")


def _serve(device: Device, order: _Order, event_type: str, state: str) -> None:
    """Change a device's service, and add the change to its history."""
    device.state, device.connected = state, state == "active"
    device.events.append(
        Event(
            occurred_at=order.due,
            event_type=event_type,
            status="Success",
            event_by=order.user,
            service_plan=device.service_plan,
            mdn=device.mdn,
        )
    )


def _activate(device: Device, order: _Order) -> None:
    if device.state == "active":
        raise DeviceFault("UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive", "Device is already active")
    if device.mdn is None:
        device.device_ids = [*order.call.platform.devices.new_line(), *device.device_ids]
    device.service_plan = optional(order.wanted, "servicePlan", str) or device.service_plan
    _serve(device, order, "Activate", "active")


def _activate_and_enable(device: Device, order: _Order) -> None:
    _activate(device, order)
    device.profile.status = "DOWNLOAD_ENABLE"


def _deactivate(device: Device, order: _Order) -> None:
    if device.state not in ("active", "suspend"):
        raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not in service.")
    _serve(device, order, "Deactivate", "deactive")
    device.profile = Profile()


def _renew_activation_code(device: Device, order: _Order) -> dict[str, str]:
    if device.state != "deactive":
        raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not deactivated.")
    code = device.profile.activation_code = (
        f"LPA:1$smdp.example.com${order.call.platform.new_id().replace('-', '').upper()}"
    )
    return {"activationCode": code}


def _download(status: str) -> Step:
    def step(device: Device, _: _Order) -> None:
        _check_active(device)
        if device.profile.status != _NONE:
            raise _refused("Profile is already downloaded")
        device.profile.status = status

    return step


def _check_downloaded(device: Device) -> None:
    _check_active(device)
    if device.profile.status == _NONE:
        raise _refused("Profile is not downloaded")


def _enable(device: Device, _: _Order) -> None:
    _check_downloaded(device)
    if device.profile.status in _ENABLED:
        raise _refused("Profile is already enabled")
    device.profile.status = "ENABLE"


def _disable(device: Device, _: _Order) -> None:
    _check_downloaded(device)
    if device.profile.status not in _ENABLED:
        raise _refused("Profile is already disabled")
    device.profile.status = "DISABLE"


def _delete(device: Device, _: _Order) -> None:
    _check_downloaded(device)
    device.profile = Profile()


def _suspend(device: Device, _: _Order) -> None:
    if device.profile.suspended:
        raise _refused("Profile is already suspended")
    device.profile.suspended = True


def _resume(device: Device, _: _Order) -> None:
    if not device.profile.suspended:
        raise _refused("Profile is already resumed")
    device.profile.suspended = False


def _suspend_device(device: Device, order: _Order) -> None:
    _check_active(device)
    _serve(device, order, "Suspend", "suspend")


def _set_fallback(device: Device, _: _Order) -> None:
    device.profile.is_fallback = True


def _chosen(call: Call, wanted: Mapping[str, Any]) -> list[Chosen]:
    check_count(objects_of(wanted, "devices"), _MOST_DEVICES)
    return chosen_devices(call, wanted)


def _bare(call: Call, wanted: Mapping[str, Any]) -> list[Chosen]:
    """Find devices in a list of bare identifiers, without `deviceIds`."""
    listed = required(wanted, "devices", list)
    check_count(listed, _MOST_DEVICES)
    return [named_device(call, objects_of({"device": device}, "device")) for device in listed]


def _handler(step: Step, *needed: str, read: Read = _chosen) -> Handler:
    """Make the handler of requests that apply a step to devices. `needed` names required strings."""

    def handle(call: Call) -> Answer:
        wanted, platform = call.document(), call.platform
        account_name = call.check_account(required(wanted, "accountName", str))
        for name in needed:
            required(wanted, name, str)
        if not (devices := read(call, wanted)) or not all(one.device_ids for one in devices):
            raise unexpected("must list devices, each with its identifiers", at=(wanted, "devices"))
        due = platform.clock.now() + platform.assumptions.request_time
        order = _Order(call=call, wanted=wanted, user=call.session.user.name, due=due)

        def take(one: Chosen) -> object:
            return step(one.existing(account_name), order)

        work = [Work(one.device_ids, partial(take, one)) for one in devices]
        request_id = platform.accept(work, account_name=account_name, service="DeviceProfileService")
        return Answer(200, {"requestId": request_id})

    return handle


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    ACTIVATE: _handler(_activate),
    ACTIVATE_AND_ENABLE: _handler(_activate_and_enable),
    DEACTIVATE: _handler(_deactivate),
    RENEW_ACTIVATION_CODE: _handler(_renew_activation_code),
    DOWNLOAD: _handler(_download("DOWNLOAD_DISABLE")),
    DOWNLOAD_AND_ENABLE: _handler(_download("DOWNLOAD_ENABLE")),
    DOWNLOAD_AND_DISABLE: _handler(_download("DOWNLOAD_DISABLE"), "smsrOid"),
    ENABLE: _handler(_enable),
    DISABLE: _handler(_disable, "smsrOid"),
    DELETE: _handler(_delete),
    SUSPEND: _handler(_suspend),
    RESUME: _handler(_resume),
    SUSPEND_DEVICE: _handler(_suspend_device),
    SET_FALLBACK: _handler(_set_fallback),
    SET_GLOBAL_FALLBACK: _handler(_set_fallback, read=_bare),
}
