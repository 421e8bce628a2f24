"""Check-ins of HTTP devices, and the logs that they write while logging is turned on for them."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from thingspace_async.simulator.mechanisms.seeded import bits
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.rooms.software.reading import imeis_of
from thingspace_async.simulator.rooms.software.store import Managed, Software, Upgrade, invalid
from thingspace_async.simulator.wire import Answer, At, Call

__all__ = [
    "Logs",
    "disable",
    "disable_device",
    "enable",
    "enable_device",
    "list_check_ins",
    "list_logged",
    "list_logs",
]

_MOST_LOGGED: Final = 20
_ON_FOR: Final = timedelta(days=7)
_KEPT: Final = timedelta(days=30)
_CHECK_IN_EVERY: Final = timedelta(hours=6)
_SHOWN_CHECK_INS: Final = 20


@attrs.frozen
class _Span:
    begin: datetime
    end: datetime


class Logs:
    """When logging was on for each device, by account and IMEI."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._spans: Final[defaultdict[str, dict[str, list[_Span]]]] = defaultdict(dict)

    def logged(self, account_name: str) -> dict[str, datetime]:
        """Return until when logging is on for each device that writes logs."""
        now = self._platform.clock.now()
        return {imei: spans[-1].end for imei, spans in self._spans[account_name].items() if spans[-1].end > now}

    def turn_on(self, account_name: str, imei: str) -> None:
        """Turn logging on for seven days from now."""
        now, spans = self._platform.clock.now(), self._spans[account_name].setdefault(imei, [])
        is_on = bool(spans) and spans[-1].end > now
        begin = spans.pop().begin if is_on else now
        spans.append(_Span(begin, now + _ON_FOR))

    def turn_off(self, account_name: str, imei: str) -> None:
        """Turn logging off."""
        if imei in self.logged(account_name):
            spans = self._spans[account_name][imei]
            spans.append(_Span(spans.pop().begin, self._platform.clock.now()))

    def written(self, account_name: str, imei: str) -> Iterator[datetime]:
        """Yield the times of a device's logs, newest first: its check-ins while logging was on, kept for 30 days."""
        now = self._platform.clock.now()
        for span in reversed(self._spans[account_name].get(imei, ())):
            yield from self.check_ins(imei, max(span.begin, now - _KEPT), min(span.end, now))

    def check_ins(self, imei: str, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the times of a device's check-ins in a time span, newest first."""
        start = self._platform.devices.start - timedelta(days=365)
        phase = _CHECK_IN_EVERY * ((bits(self._platform.seed, imei, "check-in") % 3600) / 3600)
        moment = start + phase + (until - start - phase) // _CHECK_IN_EVERY * _CHECK_IN_EVERY
        while moment > after:
            yield moment.replace(microsecond=0)
            moment -= _CHECK_IN_EVERY


def _find(call: Call, imei: str, at: At) -> Managed:
    account_name = call.check_account(call.path["account_name"])
    found = call.platform.room(Software).find(account_name, imei)
    if found is None or found.model.protocol != "HTTP":
        raise invalid(f"The device {imei} cannot write logs.", reason=f"has {imei}, which is no HTTP device", at=at)
    return found


def _turn_on(call: Call, imeis: Sequence[str], at: At) -> list[dict[str, str]]:
    account_name, room = call.check_account(call.path["account_name"]), call.platform.room(Logs)
    for imei in imeis:
        _find(call, imei, at)
    if len(room.logged(account_name).keys() | set(imeis)) > _MOST_LOGGED:
        raise invalid(f"Logging is limited to {_MOST_LOGGED} devices.", reason="has too many devices", at=at)
    for imei in imeis:
        room.turn_on(account_name, imei)
    logged = room.logged(account_name)
    return [_shown(imei, logged[imei]) for imei in imeis]


def _shown(imei: str, end: datetime) -> dict[str, str]:
    return {"deviceId": imei, "expiryDate": end.date().isoformat()}


def enable(call: Call) -> Answer:
    """Turn logging on for devices."""
    document = call.document()
    imeis = imeis_of(document, _MOST_LOGGED, "deviceIds")
    if not imeis:
        raise invalid("Invalid device list.", reason="is empty", at=(document, "deviceIds"))
    return Answer(200, _turn_on(call, imeis, (document, "deviceIds")))


def enable_device(call: Call) -> Answer:
    """Turn logging on for a device."""
    return Answer(200, _turn_on(call, [call.path["device_id"]], (call.path, "device_id"))[0])


def disable(call: Call) -> Answer:
    """Turn logging off for devices."""
    query = call.received.query
    imeis = [one.strip() for one in query.get("deviceIds", "").split(",") if one.strip()]
    if not imeis:
        raise invalid("Invalid device list.", reason="is missing or empty", at=(query, "deviceIds"))
    return _turn_off(call, imeis, (query, "deviceIds"))


def disable_device(call: Call) -> Answer:
    """Turn logging off for a device."""
    return _turn_off(call, [call.path["device_id"]], (call.path, "device_id"))


def _turn_off(call: Call, imeis: Sequence[str], at: At) -> Answer:
    account_name, room = call.check_account(call.path["account_name"]), call.platform.room(Logs)
    for imei in imeis:
        _find(call, imei, at)
    for imei in imeis:
        room.turn_off(account_name, imei)
    return Answer(200)


def list_logged(call: Call) -> Answer:
    """List the devices that write logs."""
    account_name = call.check_account(call.path["account_name"])
    logged = call.platform.room(Logs).logged(account_name)
    return Answer(200, [_shown(imei, end) for imei, end in logged.items()])


def list_logs(call: Call) -> Answer:
    """List the logs of a device, newest first."""
    imei = call.path["device_id"]
    found = _find(call, imei, (call.path, "device_id"))
    written = call.platform.room(Logs).written(found.device.account_name, imei)
    return Answer(200, [_log(found, moment) for moment in written])


def _log(found: Managed, moment: datetime) -> dict[str, str]:
    text = f"{_zulu(moment)} check-in {found.model.make} {found.model.name} {found.version}\n"
    return {
        "deviceId": found.imei,
        "logTime": _zulu(moment),
        "logType": "ClientLog",
        "eventLog": text,
        "binaryLogFileBase64": base64.b64encode(text.encode()).decode(),
        "binaryLogFilename": f"{found.imei}_{moment:%Y%m%d%H%M%S}.log",
    }


def _zulu(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def list_check_ins(call: Call) -> Answer:
    """List the latest check-ins of a device, newest first. The attempts of its campaigns are check-ins, too."""
    imei = call.path["device_id"]
    found, now = _find(call, imei, (call.path, "device_id")), call.platform.clock.now()
    room, account_name = call.platform.room(Logs), found.device.account_name
    plain = [(moment, "NoUpdate", "") for moment in room.check_ins(imei, now - _CHECK_IN_EVERY * _SHOWN_CHECK_INS, now)]
    history = call.platform.room(Software).history(account_name, "v2", imei)
    tried = [_attempt(one.attempted, one) for _, one in history if one.attempted is not None]
    newest = sorted([*plain, *tried], reverse=True)[:_SHOWN_CHECK_INS]
    body: list[dict[str, Any]] = [
        {
            "deviceId": imei,
            "clientType": "HTTP",
            "result": result,
            "failureType": fault,
            "timeCompleted": _zulu(moment),
        }
        for moment, result, fault in newest
    ]
    return Answer(200, body)


def _attempt(moment: datetime, upgrade: Upgrade) -> tuple[datetime, str, str]:
    if upgrade.status == "failed":
        return moment, "UpdateFailed", upgrade.reason
    return moment, "UpdateSucceeded" if upgrade.status == "success" else "UpdateStarted", ""
