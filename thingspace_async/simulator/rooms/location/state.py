"""The state of the location service: reports, requests, consents, exclusions and usage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

import attrs

from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.mechanisms.agenda import Progress, Stage, Ticker
from thingspace_async.simulator.mechanisms.positions import Fix, fix_of
from thingspace_async.simulator.mechanisms.retention import LatestFinished
from thingspace_async.simulator.mechanisms.seeded import share
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.wire import At, Refusal, refuse

__all__ = [
    "API",
    "BOTH",
    "CACHED",
    "COARSE",
    "CURRENT",
    "NONE",
    "NOT_CACHED",
    "NO_CONSENT",
    "PRECISE",
    "LocationRequests",
    "Locations",
    "Report",
    "Target",
    "Wanted",
    "invalid",
]

API: Final = "location"

NONE, COARSE, PRECISE, BOTH = 0, 1, 2, 3
"""Levels of consent."""

CACHED: Final = "0"
CURRENT: Final = "1"

NOT_CACHED: Final = "Location cache has no data for this device"
NO_CONSENT: Final = "Consent check failed"
_ABSENT: Final = ("POSITION METHOD FAILURE", "Exception code=ABSENT SUBSCRIBER")


def invalid(message: str, *, code: str = "INVALID_PARAMETER", reason: str = "", at: At | None = None) -> Refusal:
    """Make a refusal with one of the few codes of this service (PROTOCOL.md 2.3)."""
    return refuse(code, message, reason=reason, at=at)


@attrs.frozen
class Target:
    """A device of a request, and its phone number, which names it in answers."""

    device: Device
    mdn: str


@attrs.frozen(kw_only=True)
class Wanted:
    """The content of a request for locations."""

    account_name: str
    targets: list[Target]
    precise: bool
    cache_mode: str
    most_age: timedelta | None


@attrs.define(kw_only=True)
class Report:
    """A report, or a request whose locations are sent to a listener."""

    account_name: str
    created: datetime
    progress: Progress | None = None
    locations: list[dict[str, Any]] = attrs.field(factory=list[dict[str, Any]])
    """The content, once the report is completed."""

    @property
    def state(self) -> str:
        """`QUEUED`, `INPROGRESS`, `COMPLETED` or `CANCELLED`."""
        return "" if self.progress is None else self.progress.state


class LocationRequests:
    """The reports or requests of one kind: all pending ones, and the latest finished ones."""

    def __init__(self) -> None:
        self.by_id: dict[str, Report] = {}
        self.finished: Final = LatestFinished(self.by_id, 1_000)


class Locations:
    """Where devices are, who may know, and how often it was asked."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.account_consents: dict[str, int] = {}
        """The consent for all devices of an account; coarse by default."""
        self.device_consents: dict[Device, int] = {}
        self.exclusions: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """The excluded identifiers of each account, in order."""
        self.all_excluded: set[str] = set()
        """The accounts whose devices are all excluded."""
        self.excluded_at: dict[str, datetime] = {}
        """When each account's exclusions were changed."""
        self.unlocatable: dict[Device, bool] = {}
        """Whether a device cannot be located, by a test's choice."""
        self.reports: Final = LocationRequests()
        self.requests: Final = LocationRequests()
        self.tickers: dict[str, tuple[str, Ticker]] = {}
        """The periodic requests by id, with their accounts."""
        self.used: defaultdict[str, Counter[date]] = defaultdict(Counter)
        """The billed locations of each account and day."""
        self._known: dict[Device, Fix] = {}

    def is_absent(self, device: Device) -> bool:
        """Return whether a device cannot be located: by a test's choice, or because it is out of service.

        Of the active devices, 3 % cannot be located either.
        """
        if (chosen := self.unlocatable.get(device)) is not None:
            return chosen
        return device.state != "active" or share(self._platform.seed, device.number, "absent") < 0.03

    def known(self, device: Device) -> Fix | None:
        """Return the last known location. From the start, 70 % of the devices have one."""
        if (fix := self._known.get(device)) is not None:
            return fix
        seed, number = self._platform.seed, device.number
        if share(seed, number, "cached") >= 0.7:
            return None
        age = timedelta(minutes=1 + int(share(seed, number, "age") * 1440))
        return fix_of(seed, number, self._platform.devices.start - age, precise=False)

    def locate(self, wanted: Wanted, target: Target) -> dict[str, Any]:
        """Return the location of a device as the platform answers it, and count it if it is billed."""
        device, now = target.device, self._platform.clock.now()
        if self.is_excluded(device) or not self.consents_to(device, precise=wanted.precise):
            return _error(target, now, "CONSENT", NO_CONSENT)
        known = None if wanted.cache_mode == CURRENT else self.known(device)
        fresh_enough = known is not None and (wanted.most_age is None or now - known.at <= wanted.most_age)
        if known is not None and (wanted.cache_mode == CACHED or fresh_enough):
            return _found(target, known)
        if wanted.cache_mode == CACHED:
            return _error(target, now, "CACHE_UNAVAILABLE", NOT_CACHED)
        if self.is_absent(device):
            return _error(target, now, *_ABSENT)
        fix = fix_of(self._platform.seed, device.number, now, precise=wanted.precise)
        self._known[device] = fix
        self.used[wanted.account_name][now.date()] += 1
        return _found(target, fix)

    def consents_to(self, device: Device, *, precise: bool) -> bool:
        """Return whether a device may be located."""
        level = self.device_consents.get(device, self.account_consents.get(device.account_name, COARSE))
        return level in ((PRECISE, BOTH) if precise else (COARSE, BOTH))

    def is_excluded(self, device: Device) -> bool:
        """Return whether a device is on its account's list, or all devices of the account are excluded."""
        listed = self.exclusions[device.account_name]
        return device.account_name in self.all_excluded or any(one["id"] in listed for one in device.device_ids)

    def used_this_month(self, account_name: str) -> int:
        """Return the billed locations of the current month."""
        now = self._platform.clock.now()
        return self.used_between(account_name, now.date().replace(day=1), now.date())

    def used_between(self, account_name: str, first: date, last: date) -> int:
        """Return the billed locations of a span of days."""
        return sum(count for day, count in self.used[account_name].items() if first <= day <= last)

    def begin(self, kept: LocationRequests, wanted: Wanted, finish: Callable[[str, Report], object]) -> str:
        """Start a report or request; return its id. A request for known locations is completed at once."""
        request_id, now, time = self._platform.new_id(), self._platform.clock.now(), self._platform.assumptions
        report = Report(account_name=wanted.account_name, created=now)
        kept.by_id[request_id] = report
        stages = [Stage("QUEUED", time.request_time / 4), Stage("INPROGRESS", time.request_time * 3 / 4)]

        def changed(state: str) -> None:
            if state == "COMPLETED":
                report.locations = [self.locate(wanted, target) for target in wanted.targets]
                finish(request_id, report)
            if state not in ("QUEUED", "INPROGRESS"):
                kept.finished.finish(request_id)

        at_once = wanted.cache_mode == CACHED
        report.progress = Progress(self._platform.agenda, now, () if at_once else stages, "COMPLETED", changed=changed)
        return request_id

    def send(self, account_name: str, service: str, message: Mapping[str, Any]) -> None:
        """Send a message to an account's listener for Location or DeviceLocation."""
        self._platform.outbox.send(account_name, service, message, api=API)


def _found(target: Target, fix: Fix) -> dict[str, Any]:
    return {"msid": target.mdn, "pd": fix.as_json()}


def _error(target: Target, now: datetime, kind: str, info: str) -> dict[str, Any]:
    stamp = {"time": now.strftime("%Y%m%d%H%M%S"), "utcoffset": "0"}
    return {"msid": target.mdn, "error": {**stamp, "type": kind, "info": info}}
