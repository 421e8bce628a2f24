"""Handlers for hyper precise location (PROTOCOL.md 3.6, 5). Devices have a few sessions a day."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.hyper_precise.calls import (
    ADD_DEVICES,
    AGGREGATE,
    CREATE_CREDENTIALS,
    DELETE_CREDENTIALS,
    DEREGISTER,
    GET,
    LIST_CALLBACKS,
    LIST_CREDENTIALS,
    REGISTER,
    REQUEST_AGGREGATE,
    RESET_CREDENTIALS,
    SESSIONS,
    UPDATE,
)
from thingspace_async.simulator.fleet import Device, stamp
from thingspace_async.simulator.mechanisms.seeded import bits
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import moment_of, objects_of
from thingspace_async.simulator.rooms.callbacks import check_url
from thingspace_async.simulator.rooms.devices.inventory import add_devices
from thingspace_async.simulator.wire import Answer, At, Call, Handler, Refusal, optional, refuse, required

__all__ = ["HANDLERS", "HyperPrecise"]

_API: Final = "hyper_precise"
_SERVICE: Final = "BullseyeReporting"
_SUCCESS: Final = {"responseCode": "SUCCESS", "message": "Success"}
_UNKNOWN: Final = {"responseCode": "INVALID_PARAMETER", "message": "Device not found"}
_LONGEST: Final = timedelta(days=180)
_MOST_AGGREGATED: Final = 10
_MOST_REPORTED: Final = 10_000


class HyperPrecise:
    """The enabled devices and the credentials."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.enabled: set[str] = set()
        """The IMEIs of devices that may use the service."""
        self.credentials: dict[str, dict[str, str]] = {}
        """The username and the password of each IMEI."""

    def find(self, account_name: str, imei: str) -> Device | None:
        """Return the device of an account with an IMEI."""
        found = self._platform.devices.find("imei", imei)
        return found if found is not None and found.account_name == account_name else None

    def sessions(self, imei: str, start: datetime, end: datetime) -> Iterator[tuple[datetime, timedelta, int]]:
        """Yield the start, the length and the bytes of the sessions of an enabled device."""
        if imei not in self.enabled:
            return
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        while day <= end:
            for turn in range(3):
                drawn = bits(self._platform.seed, imei, day.toordinal(), turn)
                begun = day + timedelta(hours=8 * turn, minutes=drawn % 420)
                length = timedelta(minutes=1 + drawn // 420 % 59)
                if start <= begun and begun + length <= end:
                    yield begun, length, int(length.total_seconds()) * 500
            day += timedelta(days=1)


def _invalid(message: str, *, reason: str = "", at: At | None = None) -> Refusal:
    return refuse("INVALID_PARAMETER", message, reason=reason, at=at)


def _given(call: Call, name: str) -> str:
    if not (value := call.received.query.get(name)):
        raise _invalid(f"{name} is missing")
    return value


def _account_in_query(call: Call) -> str:
    return call.check_account(_given(call, "accountNumber"))


def _account_in(call: Call, document: Mapping[str, Any]) -> str:
    return call.check_account(required(document, "accountNumber", str))


# The service of devices


def show(call: Call) -> Answer:
    """Show whether a device may use the service."""
    account_name, imei = _account_in_query(call), _given(call, "imei")
    room = call.platform.room(HyperPrecise)
    if room.find(account_name, imei) is None:
        raise _invalid("Device not found", reason="is unknown", at=(call.received.query, "imei"))
    return Answer(200, _status(account_name, [_setting(imei, enabled=imei in room.enabled)]))


def update(call: Call) -> Answer:
    """Enable or disable devices. Unknown devices do not fail the whole request."""
    document, room = call.document(), call.platform.room(HyperPrecise)
    account_name = _account_in(call, document)
    if not (wanted := objects_of(document, "deviceList")):
        raise _invalid("No devices", reason="must have a device", at=(document, "deviceList"))
    return Answer(200, _status(account_name, [_changed(room, account_name, one) for one in wanted]))


def _changed(room: HyperPrecise, account_name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    imei, enable = required(wanted, "imei", str), wanted.get("BullseyeEnable")
    if isinstance(enable, dict):  # As in the SDKs.
        enable = enable.get("BullseyeEnable")
    if not isinstance(enable, bool):
        raise _invalid("Invalid BullseyeEnable", reason="must be true or false", at=(wanted, "BullseyeEnable"))
    if room.find(account_name, imei) is None:
        return _setting(imei, enabled=False, response=_UNKNOWN)
    (room.enabled.add if enable else room.enabled.discard)(imei)
    return _setting(imei, enabled=enable)


def _setting(imei: str, *, enabled: bool, response: Mapping[str, str] = _SUCCESS) -> dict[str, Any]:
    return {"imei": imei, "BullseyeEnable": enabled, "responseType": response}


def _status(account_name: str, devices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"accountNumber": account_name, "deviceList": devices, "responseType": _SUCCESS}


# Credentials


def _wanted(call: Call) -> tuple[str, list[str]]:
    document = call.document()
    required(document, "ECPD", str)
    account_name = _account_in(call, document)
    imeis = [required(one, "imei", str) for one in objects_of(document, "items")]
    if not imeis:
        raise _invalid("No devices", reason="must have a device", at=(document, "items"))
    return account_name, imeis


def _known(call: Call, *, have: bool | None = None) -> list[str]:
    """Read the IMEIs of a request. All must be known, and have or lack credentials as `have` says."""
    account_name, imeis = _wanted(call)
    room = call.platform.room(HyperPrecise)
    for imei in imeis:
        if room.find(account_name, imei) is None:
            raise _invalid(f"Device not found: {imei}")
        if have is not None and (imei in room.credentials) is not have:
            raise _invalid(f"The device has {'no' if have else 'already'} credentials: {imei}")
    return imeis


def _generated(call: Call, imeis: list[str]) -> Answer:
    made = call.platform.room(HyperPrecise).credentials
    for imei in imeis:
        made[imei] = {"username": f"ntrip{imei}", "password": call.platform.new_password()}
    return Answer(200, {"items": [{"imei": imei, "credential": made[imei]} for imei in imeis]})


def create_credentials(call: Call) -> Answer:
    """Make the credentials of devices that have none."""
    return _generated(call, _known(call, have=False))


def reset_credentials(call: Call) -> Answer:
    """Make new passwords."""
    return _generated(call, _known(call, have=True))


def list_credentials(call: Call) -> Answer:
    """Show the usernames. A device without credentials has a reason instead."""
    account_name, imeis = _wanted(call)
    room = call.platform.room(HyperPrecise)

    def shown(imei: str) -> dict[str, str]:
        if room.find(account_name, imei) is None:
            return {"imei": imei, "failure": "Device not found"}
        if (found := room.credentials.get(imei)) is None:
            return {"imei": imei, "failure": "No credentials"}
        return {"imei": imei, "username": found["username"]}

    return Answer(200, {"items": [shown(imei) for imei in imeis]})


def delete_credentials(call: Call) -> Answer:
    """Delete credentials."""
    imeis, room = _known(call, have=True), call.platform.room(HyperPrecise)
    for imei in imeis:
        del room.credentials[imei]
    return Answer(200, {"items": [{"imei": imei} for imei in imeis]})


# Reports


def _span(call: Call, document: Mapping[str, Any]) -> tuple[datetime, datetime]:
    now = call.platform.clock.now()
    end = moment_of(document, "endDate") or now
    start = moment_of(document, "startDate") or end - timedelta(days=30)
    if start > end:
        raise _invalid("Invalid time", reason="is after endDate", at=(document, "startDate"))
    if end - start > _LONGEST:
        raise _invalid("Invalid time", reason="is more than 180 days before endDate", at=(document, "startDate"))
    return start, min(end, now)


def report_sessions(call: Call) -> Answer:
    """Report the sessions of a device."""
    document, room = call.document(), call.platform.room(HyperPrecise)
    account_name, imei = _account_in(call, document), required(document, "imei", str)
    start, end = _span(call, document)
    if room.find(account_name, imei) is None:
        raise _invalid("Device not found", reason="is unknown", at=(document, "imei"))
    least, most = optional(document, "durationLow", int) or 0, optional(document, "durationHigh", int)
    sessions = [
        {"startTime": stamp(begun), "endTime": stamp(begun + length), "numBytes": size}
        for begun, length, size in room.sessions(imei, start, end)
        if length.total_seconds() >= least and (most is None or length.total_seconds() <= most)
    ]
    return Answer(200, {"id": imei, "txid": _read_id(call, imei), "sessions": sessions})


def _read_id(call: Call, subject: str) -> str:
    """Return an id for an answer. A request that only reads must not use up an id of the platform."""
    drawn = bits(call.platform.seed, subject, call.platform.clock.now().isoformat())
    return str(uuid.UUID(int=drawn, version=4))


def _aggregate(call: Call, most: int) -> tuple[str, dict[str, Any]]:
    """Return the account and the report."""
    document, room = call.document(), call.platform.room(HyperPrecise)
    account_name, imeis = _account_in(call, document), required(document, "imei", list)
    if not imeis or len(imeis) > most or not all(isinstance(one, str) for one in imeis):
        raise _invalid("Invalid IMEIs", reason=f"must have 1 to {most:,} strings", at=(document, "imei"))
    start, end = _span(call, document)
    usage: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for imei in imeis:
        if room.find(account_name, imei) is None:
            details = {
                "errorCode": "INVALID_PARAMETER",
                "errorMessage": "Device not found",
                "httpStatusCode": "404 NOT_FOUND",
            }
            errors.append({"imei": imei, "errorMessage": "Device not found", "errorResponse": details})
            continue
        sizes = [size for _, _, size in room.sessions(imei, start, end)]
        usage.append({"imei": imei, "numberOfSessions": len(sizes), "bytesTransferred": sum(sizes)})
    return account_name, {"txid": _read_id(call, imeis[0]), "usage": usage, "errors": errors}


def report_aggregate(call: Call) -> Answer:
    """Report the usage of a few devices."""
    return Answer(200, _aggregate(call, _MOST_AGGREGATED)[1])


def request_aggregate(call: Call) -> Answer:
    """Report the usage of many devices later."""
    platform = call.platform
    account_name, report = _aggregate(call, _MOST_REPORTED)
    message = report | {"txid": platform.new_id()}
    platform.agenda.put(
        platform.clock.now() + platform.assumptions.request_time,
        lambda: platform.outbox.send(account_name, _SERVICE, message, api=_API),
    )
    return Answer(200, {"txid": message["txid"], "status": "QUEUED"})


# Listeners


def register(call: Call) -> Answer:
    """Register a listener."""
    account_name, wanted = _account_in_query(call), call.document()
    name, url = required(wanted, "name", str), required(wanted, "url", str)
    if name != _SERVICE:
        raise _invalid("Invalid callback name", reason=f"must be {_SERVICE}", at=(wanted, "name"))
    check_url(wanted, url)
    call.platform.listeners[_API].register(account_name, name, url)
    return Answer(200, {"accountName": account_name, "name": name})


def list_listeners(call: Call) -> Answer:
    """List the listeners. The published sample has `aname`."""
    account_name = _account_in_query(call)
    listeners = call.platform.listeners[_API].by_account[account_name].values()
    return Answer(200, [{"aname": account_name, "name": one["serviceName"], "url": one["url"]} for one in listeners])


def deregister(call: Call) -> Answer:
    """Remove a listener."""
    account_name, service = _account_in_query(call), _given(call, "service")
    if not call.platform.listeners[_API].deregister(account_name, service):
        raise _invalid("Callback not found", reason="has no listener", at=(call.received.query, "service"))
    return Answer(200)


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    GET: show,
    UPDATE: update,
    ADD_DEVICES: add_devices,
    CREATE_CREDENTIALS: create_credentials,
    LIST_CREDENTIALS: list_credentials,
    RESET_CREDENTIALS: reset_credentials,
    DELETE_CREDENTIALS: delete_credentials,
    SESSIONS: report_sessions,
    AGGREGATE: report_aggregate,
    REQUEST_AGGREGATE: request_aggregate,
    REGISTER: register,
    LIST_CALLBACKS: list_listeners,
    DEREGISTER: deregister,
}
