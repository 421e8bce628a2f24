"""Handlers for ThingSpace Intelligence. Answers arrive later on IntelligenceService, and follow from the seed.

The documents show few members of the answers. The others are made up (PROTOCOL.md 3.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

import attrs

from thingspace_async._core.operation import Operation
from thingspace_async.intelligence.calls import (
    ACTIVATE,
    CONNECTION_PLAN_STATUS,
    DEVICE_EXPERIENCE,
    DEVICE_EXPERIENCE_HISTORY,
    NETWORK_CONDITIONS,
    PLAN_CONNECTIONS,
    RESET,
    SETTINGS,
    SITE_PROXIMITY,
    SITE_RF_PERFORMANCE,
    WIRELESS_COVERAGE,
)
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.late_requests import LateRequest, Work
from thingspace_async.simulator.mechanisms.messages import DeviceFault, message_of
from thingspace_async.simulator.mechanisms.seeded import chosen, share
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import (
    Chosen,
    check_count,
    chosen_devices,
    kind_of,
    named_device,
    objects_of,
)
from thingspace_async.simulator.rooms.devices.timeline import MOST_BYTES, midnight
from thingspace_async.simulator.rooms.devices.usage import usage_of
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, refuse, required, unexpected

__all__ = ["HANDLERS", "Anomaly", "Intelligence"]

_SERVICE: Final = "IntelligenceService"
_MOST: Final = 100
_MOST_A_DAY: Final = 10_000
_NETWORKS: Final = ("CAT-M", "NB-IOT", "LTE", "LTE-AWS", "5GNW", "C-BAND")
_SITE_TECHNOLOGIES: Final = ("LTE", "C-BAND")
_SCORED: Final = ("iccid", "eid", "imei", "mdn")
_LEARNING: Final = timedelta(days=7)
_UNKNOWN_ZIP: Final = "00000"
"""The ZIP code of addresses that the simulator does not find."""

Content = dict[str, Any]


# Anomaly detection


@attrs.define
class Detection:
    """The settings of anomaly detection of an account."""

    since: datetime
    thresholds: dict[str, Any]
    """The sensitivity, by the platform's names."""

    def class_of(self, likelihood: float) -> str | None:
        """Return the class of usage that is this likely, in percent; None for usual usage."""
        for name in ("VeryAbnormal", "Abnormal"):
            threshold = self.thresholds.get(f"{name[0].lower()}{name[1:]}MaxValue")
            if self.thresholds[f"enable{name}"] and threshold is not None and likelihood <= threshold:
                return name
        return None


@attrs.frozen
class Anomaly:
    """The unusual usage of a device on a day."""

    device: Device
    day: date
    kind: str
    """`Abnormal` or `VeryAbnormal`."""
    is_over: bool
    """Whether the device used more than expected, and not less."""
    bytes_used: int


class Intelligence:
    """The settings of anomaly detection, and the places that accounts have asked for."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.detections: dict[str, Detection] = {}
        """The active detections by account."""
        self.places: Counter[tuple[str, date]] = Counter()
        """The number of places in the requests of each account and day."""

    def anomalies(self, account_name: str, day: date) -> Iterator[Anomaly]:
        """Yield the anomalies in the usage of an account's devices on a day."""
        begin = midnight(day)
        for device in self._platform.devices.walk():
            if device.account_name == account_name:
                for _, record in usage_of(self._platform, device, begin, begin):
                    if (found := self.anomaly_in(device, day, record["bytesUsed"])) is not None:
                        yield found

    def anomaly_in(self, device: Device, day: date, bytes_used: int) -> Anomaly | None:
        """Return the anomaly in the usage of a device on a day, if it is one. There are none in the first week.

        The simulated usage is spread evenly. The thresholds are percentages: usage is abnormal if so few days have
        usage that is as low or as high.
        """
        detection = self.detections.get(device.account_name)
        if detection is None or midnight(day) < detection.since + _LEARNING:
            return None
        rank = bytes_used / MOST_BYTES
        kind = detection.class_of(200 * min(rank, 1 - rank))
        return None if kind is None else Anomaly(device, day, kind, rank > 0.5, bytes_used)


_USUAL: Final[Mapping[str, Any]] = {
    "abnormalMaxValue": 1.1,
    "enableAbnormal": True,
    "enableVeryAbnormal": True,
    "veryAbnormalMaxValue": 0.55,
}
"""The thresholds after a reset: those of the platform's sample."""


def activate(call: Call) -> Answer:
    """Start anomaly detection, or change its thresholds."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    if required(wanted, "requestType", str) != "anomaly":
        raise unexpected("must be anomaly", at=(wanted, "requestType"))
    thresholds = _thresholds(wanted)
    detections = call.platform.room(Intelligence).detections
    before = detections.get(account_name)
    since = call.platform.clock.now() if before is None else before.since
    detections[account_name] = Detection(since, thresholds)
    return Answer(200, {"status": "Success"})


def _thresholds(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Read the sensitivity: an object as in the SDKs, or a list with one, as in the sample on the platform's page."""
    given = wanted.get("sensitivityParameter")
    if isinstance(given, list) and len(given) == 1:
        wanted = {"sensitivityParameter": given[0]}
    found = required(wanted, "sensitivityParameter", dict)
    for name in ("Abnormal", "VeryAbnormal"):
        member = f"{name[0].lower()}{name[1:]}MaxValue"
        value = found.get(member)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if required(found, f"enable{name}", bool) and not is_number:
            raise unexpected(f"must be a number, because enable{name} is true", at=(found, member))
    return {name: found[name] for name in _USUAL if name in found}


def settings(call: Call) -> Answer:
    """Report the settings. `accountName` is not a name: it says whether the account has anomaly detection."""
    detection = call.platform.room(Intelligence).detections.get(call.check_account(call.path["account_name"]))
    if detection is None:
        return Answer(200, {"accountName": "Failure", "status": "Disabled"})
    return Answer(200, {"accountName": "Success", "sensitivityParameter": detection.thresholds, "status": "Active"})


def reset(call: Call) -> Answer:
    """Reset the thresholds."""
    account_name = call.check_account(call.path["account_name"])
    detection = call.platform.room(Intelligence).detections.get(account_name)
    if detection is None:
        raise refuse(
            "UnifiedWebService.REQUEST_FAILED.UnexpectedError",
            "Anomaly detection is not active.",
            reason=f"the account {account_name} has no anomaly detection: activate it first",
        )
    detection.thresholds = dict(_USUAL)
    return Answer(200, {"status": "Success"})


# Places


def _place_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Read coordinates, which are strings."""
    found = {name: required(document, name, str) for name in ("latitude", "longitude")}
    for (name, text), most in zip(found.items(), (90, 180), strict=True):
        try:
            fits = abs(float(text)) <= most
        except ValueError:
            fits = False
        if not fits:
            raise unexpected(f"must be decimal degrees from -{most} to {most}", at=(document, name))
    return found


def _check_type(wanted: Mapping[str, Any], expected: str) -> None:
    if required(wanted, "locationType", str) != expected:
        raise unexpected(f"must be {expected}", at=(wanted, "locationType"))


def _places_of(
    call: Call, wanted: Mapping[str, Any], listed: str, read: Callable[[Mapping[str, Any]], dict[str, str]]
) -> list[dict[str, str]]:
    """Read the places of a request, and count them."""
    account_name = call.check_account(required(wanted, "accountName", str))
    locations = required(wanted, "locations", dict)
    found = [read(place) for place in objects_of(locations, listed)]
    if not found or len(found) > _MOST:
        raise unexpected(f"must have 1 to {_MOST} places", at=(locations, listed))
    key = (account_name, call.platform.clock.now().date())
    counted = call.platform.room(Intelligence).places
    if counted[key] + len(found) > _MOST_A_DAY:
        raise unexpected(f"exceeds the {_MOST_A_DAY:,} places a day of an account", at=(locations, listed))
    counted[key] += len(found)
    return found


def wireless_coverage(call: Call) -> Answer:
    """Accept a question about coverage: of coordinates, or of addresses for fixed wireless access."""
    wanted = call.document()
    kind = required(wanted, "requestType", str)
    if kind not in ("NW", "FWA"):
        raise unexpected("must be NW or FWA", at=(wanted, "requestType"))
    _check_type(wanted, "LONGLAT" if kind == "NW" else "ADDRESS")
    networks = [required(one, "networkType", str) for one in objects_of(wanted, "networkTypesList")]
    if not networks or not set(networks) <= set(_NETWORKS):
        raise unexpected(f"must list some of {', '.join(_NETWORKS)}", at=(wanted, "networkTypesList"))
    listed, read = ("coordinatesList", _place_of) if kind == "NW" else ("addressList", _address_of)
    places = _places_of(call, wanted, listed, read)

    def answer() -> Content:
        found = [_covered(call, networks, place) for place in places]
        return {"wirelessCoverage": {"requestType": kind, "locations": found}}

    return _accept(call, wanted, answer)


def _address_of(document: Mapping[str, Any]) -> dict[str, str]:
    found = {name: required(document, name, str) for name in ("addressLine1", "city", "state", "country", "zip")}
    more = {name: optional(document, name, str) for name in ("addressLine2", "zip4")}
    return found | {name: text for name, text in more.items() if text is not None}


def _covered(call: Call, networks: list[str], place: dict[str, str]) -> Content:
    if place.get("zip") == _UNKNOWN_ZIP:
        return {**place, "error": "The address could not be found."}
    drawn = share(call.platform.seed, *list(place.values())[:2])
    covered = [{"networkType": name, "covered": drawn > 0.1 * _NETWORKS.index(name)} for name in networks]
    return {**place, "networkTypes": covered}


def network_conditions(call: Call) -> Answer:
    """Accept a question about the present conditions. They change every quarter of an hour."""
    wanted = call.document()
    _check_type(wanted, "LONGLAT")
    place = _place_of(required(wanted, "coordinates", dict))

    def answer() -> Content:
        quarter = int(call.platform.clock.now().timestamp()) // 900
        condition = chosen(("Good", "Good", "Fair", "Poor"), call.platform.seed, *place.values(), quarter)
        return {"networkConditions": {"coordinates": place, "networkType": "LTE", "condition": condition}}

    return _accept(call, wanted, answer)


_DIRECTIONS: Final = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


def site_proximity(call: Call) -> Answer:
    """Accept a question about cell sites near a place."""
    wanted = call.document()
    _check_type(wanted, "LONGLAT")
    place = _place_of(required(wanted, "coordinates", dict))
    technology = optional(wanted, "technologyType", str) or "LTE"
    if technology not in _SITE_TECHNOLOGIES:
        raise unexpected(f"must be {' or '.join(_SITE_TECHNOLOGIES)}", at=(wanted, "technologyType"))

    def answer() -> Content:
        about: tuple[int | str, ...] = (call.platform.seed, *place.values())
        sites = [
            {
                "direction": chosen(_DIRECTIONS, *about, number),
                "distance": f"{0.2 + 5 * share(*about, number + 10):.1f}",
                "technologyType": technology,
            }
            for number in range(3)
        ]
        return {"siteProximity": {"coordinates": place, "sites": sites}}

    return _accept(call, wanted, answer)


def site_rf_performance(call: Call) -> Answer:
    """Accept a question about the radio signal at places."""
    wanted = call.document()
    _check_type(wanted, "LONGLAT")
    places = _places_of(call, wanted, "coordinatesList", _place_of)

    def answer() -> Content:
        return {"siteRfPerformance": {"locations": [{**place, **_signal(call, place)} for place in places]}}

    return _accept(call, wanted, answer)


def _signal(call: Call, place: Mapping[str, str]) -> Content:
    """Return the signal indoors and outdoors, where it is better."""
    drawn = share(call.platform.seed, *place.values(), "signal")
    return {
        name: {"rsrp": f"{-110 + better + 30 * drawn:.0f}", "sinr": f"{better / 2 + 15 * drawn:.0f}"}
        for name, better in (("indoor", 0), ("outdoor", 12))
    }


# Scores of devices


def _score(call: Call, device: Device, day: date) -> str:
    return str(40 + int(60 * share(call.platform.seed, device.place, day.toordinal(), "score")))


def _scored(call: Call, document: dict[str, Any]) -> Chosen:
    if kind_of(document) not in _SCORED:
        raise unexpected(f"must be one of {', '.join(_SCORED)}", at=(document, "kind"))
    return named_device(call, [{"id": required(document, "id", str), "kind": document["kind"]}])


def device_experience(call: Call) -> Answer:
    """Accept a question about the latest scores of devices. One message answers it, also for unknown devices."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    listed = objects_of(wanted, "deviceList")
    if not listed:
        raise unexpected("must list a device", at=(wanted, "deviceList"))
    check_count(listed, _MOST)
    devices = [_scored(call, one) for one in listed]

    def latest(one: Chosen) -> Content:
        named, day = one.device_ids[0], call.platform.clock.now().date()
        try:
            return {**named, "score": _score(call, one.existing(account_name), day), "date": day.isoformat()}
        except DeviceFault as fault:
            return {**named, "error": fault.message}

    def answer() -> Content:
        return {"deviceExperienceScore": {"devices": [latest(one) for one in devices]}}

    return _accept(call, wanted, answer)


def device_experience_history(call: Call) -> Answer:
    """Accept a question about the scores of a device in the last 30 days."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    chosen_one = _scored(call, required(wanted, "deviceId", dict))

    def answer() -> Content:
        device, today = chosen_one.existing(account_name), call.platform.clock.now().date()
        days = [today - timedelta(days=past) for past in range(30, 0, -1)]
        scores = [{"date": day.isoformat(), "averageScore": _score(call, device, day)} for day in days]
        return {"deviceExperienceScoreHistory": {"device": chosen_one.device_ids, "scores": scores}}

    return _accept(call, wanted, answer)


# Answers that arrive later


def _message(
    request_id: str, device_ids: list[dict[str, str]], result: object, fault: DeviceFault | None
) -> dict[str, Any]:
    """Build a message without device ids."""
    found = message_of(request_id, device_ids, None, fault)
    if not device_ids:
        del found["deviceIds"]
    return found if fault is not None else {**found, "intelligenceResponse": result}


def _accept(call: Call, wanted: Mapping[str, Any], answer: Callable[[], Content]) -> Answer:
    account_name = call.check_account(required(wanted, "accountName", str))
    name = call.platform.accept([Work([], answer)], account_name=account_name, service=_SERVICE, message=_message)
    return Answer(200, {"requestId": name})


# The connection planner


def plan_connections(call: Call) -> Answer:
    """Accept devices whose connections to plan. Each has a message of its own."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountNumber", str))
    devices = chosen_devices(call, wanted)
    if not devices:
        # The documents do not say which filters there are, so a filter selects all devices.
        if optional(wanted, "filter", str) is None:
            raise unexpected("must list a device, or a filter must be given", at=(wanted, "devices"))
        fleet = call.platform.devices
        devices = [Chosen(one.device_ids, one) for one in fleet.walk() if one.account_name == account_name]

    def plan(one: Chosen) -> Content:
        device, today = one.existing(account_name), call.platform.clock.now().date()
        if device.state != "active":
            raise DeviceFault("UnifiedWebService.INPUT_INVALID.DeviceState.Invalid", "The device is not in service.")
        begin = midnight(today) + timedelta(days=1, hours=int(6 * share(call.platform.seed, device.place, "window")))
        window = {"startTime": begin.isoformat(), "endTime": (begin + timedelta(hours=2)).isoformat()}
        return {"connectionPlanner": {"windows": [window]}}

    work = [Work(one.device_ids, partial(plan, one)) for one in devices]
    name = call.platform.accept(work, account_name=account_name, service=_SERVICE, message=_plan_message)
    return Answer(200, {"requestId": name})


def _plan_message(
    request_id: str, device_ids: list[dict[str, str]], result: object, fault: DeviceFault | None
) -> dict[str, Any]:
    """Build the message about a device. Late requests with this builder are the planner's."""
    return _message(request_id, device_ids, result, fault)


def connection_plan_status(call: Call) -> Answer:
    """Report the state of devices of one request, or of all requests of an account that are known."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountNumber", str))
    request_id, devices = optional(wanted, "requestId", str), chosen_devices(call, wanted)
    if request_id is None and not devices:
        raise unexpected("must be given, or devices must be listed", at=(wanted, "requestId"))
    named = {(one["kind"].casefold(), one["id"]) for device in devices for one in device.device_ids}
    listed: list[dict[str, Any]] = []
    for name, request in call.platform.late_requests.by_id.items():
        if request.message is _plan_message and request.account_name == account_name and request_id in (None, name):
            listed += [one for one in _statuses(request) if not named or _names_any(one, named)]
    if request_id is not None and request_id not in call.platform.late_requests.by_id:
        raise refuse(
            "UnifiedWebService.REQUEST_FAILED.UnexpectedError", f"The request could not be found: {request_id}."
        )
    given = {} if request_id is None else {"requestId": request_id}
    return Answer(200, {"accountNumber": account_name, **given, "deviceStatusList": listed})


def _names_any(status: Mapping[str, Any], named: set[tuple[str, str]]) -> bool:
    return any((one["kind"].casefold(), one["id"]) in named for one in status["deviceIds"])


def _statuses(request: LateRequest) -> Iterator[dict[str, Any]]:
    faults = request.faults
    for place, work in enumerate(request.work):
        if faults is None:
            yield {"deviceIds": work.device_ids, "status": "Pending"}
        elif (fault := faults[place]) is not None:
            yield {"deviceIds": work.device_ids, "status": "Failed", "reason": fault.message}
        else:
            yield {"deviceIds": work.device_ids, "status": "Success"}


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    ACTIVATE: activate,
    SETTINGS: settings,
    RESET: reset,
    WIRELESS_COVERAGE: wireless_coverage,
    NETWORK_CONDITIONS: network_conditions,
    SITE_PROXIMITY: site_proximity,
    SITE_RF_PERFORMANCE: site_rf_performance,
    DEVICE_EXPERIENCE: device_experience,
    DEVICE_EXPERIENCE_HISTORY: device_experience_history,
    PLAN_CONNECTIONS: plan_connections,
    CONNECTION_PLAN_STATUS: connection_plan_status,
}
