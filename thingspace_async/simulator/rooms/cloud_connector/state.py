"""The state of Cloud Connector: targets, subscriptions, and how often devices report.

Readings follow from the seed, and are not stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import attrs

from thingspace_async.simulator.deliveries import Attempt
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.mechanisms.seeded import bits, share
from thingspace_async.simulator.platform import Platform

__all__ = ["API", "EVENT", "FREQUENCIES", "SENSORS", "CloudConnector", "precise_stamp"]

API: Final = "cloud_connector"
EVENT: Final = "ts.event"

FREQUENCIES: Final = {"High": timedelta(minutes=15), "Medium": timedelta(hours=1), "Low": timedelta(hours=6)}
"""ASSUMPTION: the values of `frequency`, and the intervals."""
SENSORS: Final = {"temperature": (-5, 35), "humidity": (20, 90), "battery": (5, 100), "signalStrength": (-110, -60)}
"""The least and the greatest reading of each sensor."""

_GRID: Final = timedelta(minutes=15)
_KEPT: Final = timedelta(days=90)
_MOST_DEVICES: Final = 1_000
"""Devices of an account that have sensors, at most."""
_MOST_CONFIGURED: Final = 1_000
"""Configuration events to keep for each device."""


def precise_stamp(moment: datetime) -> str:
    """Format a time to the millisecond, as in the published samples."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@attrs.define
class Reporting:
    """How often a device reports, from a time on."""

    since: datetime
    every: timedelta


class CloudConnector:
    """The streams of all accounts, and their devices."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.targets: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        """The targets of each account by id, as the platform shows them."""
        self.secrets: dict[str, dict[str, str]] = {}
        """By target, the headers that are sent with each event."""
        self.subscriptions: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        """The subscriptions of each account by id, without their failures."""
        self.external_ids: defaultdict[str, set[str]] = defaultdict(set)
        self.removed: set[Device] = set()
        self.configured: defaultdict[Device, list[tuple[datetime, dict[str, Any]]]] = defaultdict(list)
        """The configuration events of each device with their times, oldest first."""
        self._reporting: dict[Device, list[Reporting]] = {}
        self._is_streaming = False

    # Devices

    def devices(self, account_name: str) -> Iterator[Device]:
        """Yield the devices of an account that have sensors: active ones with an IMEI."""
        count = 0
        for device in self._platform.devices.walk():
            if device.account_name == account_name and device.state == "active" and device.imei is not None:
                if (kept := self._platform.devices.keep(device)) not in self.removed:
                    yield kept
                count += 1
                if count == _MOST_DEVICES:
                    return

    def id_of(self, device: Device) -> str:
        """Return the id of a device in this product."""
        return self._uuid(device, "device")

    def find(self, account_name: str, resource: Mapping[str, Any]) -> Device | None:
        """Return a device by its id or IMEI."""
        for device in self.devices(account_name):
            known = {"id": self.id_of(device), "imei": device.imei}
            if all(known.get(name) == value for name, value in resource.items()):
                return device
        return None

    def readings(self, device: Device, moment: datetime) -> dict[str, str]:
        """Return the readings of a device at a time."""
        second = int(moment.timestamp())
        return {
            name: f"{least + share(self._platform.seed, device.number, name, second) * (most - least):.1f}"
            for name, (least, most) in SENSORS.items()
        }

    def set_frequency(self, device: Device, moment: datetime, every: timedelta) -> None:
        """Let a device report at another interval from now on."""
        self._reports(device).append(Reporting(moment, every))

    def moments(self, device: Device) -> list[datetime]:
        """Return when a device has reported in the last 90 days, oldest first."""
        now, reports = self._platform.clock.now(), self._reports(device)
        found: list[datetime] = []
        for place, one in enumerate(reports):
            end = reports[place + 1].since if place + 1 < len(reports) else now
            moment = _next(max(one.since, now - _KEPT), one.every)
            while moment <= end:
                found.append(moment)
                moment += one.every
        return found

    def event(self, device: Device, moment: datetime, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the event with the readings of a device at a time."""
        second = str(int(moment.timestamp()))
        return {
            "action": "update",
            "createdon": precise_stamp(moment),
            "deviceid": self.id_of(device),
            "fields": dict(fields),
            "id": self._uuid(device, "event", second),
            "kind": EVENT,
            "lastupdated": precise_stamp(moment),
            "state": "update",
            "tagids": [],
            "transactionid": f"{device.imei}-OnBoard-{second}",
            "version": "1.0",
            "versionid": self._uuid(device, "version", second),
        }

    def configure(self, device: Device, frequency: str) -> dict[str, Any]:
        """Set how often a device reports; return the event. A second event follows when the device has applied it."""
        now = self._platform.clock.now()
        self.set_frequency(device, now, FREQUENCIES[frequency])
        event = {
            "action": "set",
            "createdon": precise_stamp(now),
            "deviceid": self.id_of(device),
            "fields": {"configuration": {"frequency": frequency}},
            "foreignid": self._uuid(device, "foreign"),
            "id": self._platform.new_id(),
            "kind": f"{EVENT}.configuration",
            "lastupdated": precise_stamp(now),
            "name": "SetConfigurationReq",
            "state": "pending",
            "transactionid": self._platform.new_id(),
            "version": "1.0",
            "versionid": self._platform.new_id(),
        }
        self._add(device, now, event)
        applied = now + self._platform.assumptions.request_time
        later = {"state": "update", "createdon": precise_stamp(applied), "lastupdated": precise_stamp(applied)}
        own = {"id": self._platform.new_id(), "versionid": self._platform.new_id()}
        self._platform.agenda.put(applied, lambda: self._add(device, applied, {**event, **later, **own}))
        return event

    def _add(self, device: Device, moment: datetime, event: dict[str, Any]) -> None:
        """Keep a configuration event, and stream it."""
        self.configured[device].append((moment, event))
        del self.configured[device][:-_MOST_CONFIGURED]
        self._stream(device.account_name, event)

    def _reports(self, device: Device) -> list[Reporting]:
        usual = Reporting(self._platform.devices.start - _KEPT, FREQUENCIES["Medium"])
        return self._reporting.setdefault(device, [usual])

    def _uuid(self, device: Device, *about: str) -> str:
        seed, number = self._platform.seed, device.number
        high, low = (bits(seed, number, "/".join(about), half) for half in ("high", "low"))
        return str(UUID(int=high << 64 | low, version=4))

    # Streams

    def begin(self, account_name: str, subscription: Mapping[str, Any]) -> None:
        """Begin a stream: its events are sent like messages to a listener of the subscription's id."""
        target = self.targets[account_name][subscription["targetid"]]
        if target["addressscheme"] == "streamrest":
            address = target["address"]
            url = address if "://" in address else f"https://{address}"
            self._platform.listeners[API].register(
                account_name, subscription["id"], url, **self.secrets.get(target["id"], {})
            )
        if not self._is_streaming:
            self._is_streaming = True
            self._wait(self._platform.clock.now())

    def end(self, account_name: str, subscription_id: str) -> None:
        """End a stream."""
        self._platform.listeners[API].deregister(account_name, subscription_id)

    def attempts(self, account_name: str, subscription_id: str) -> list[Attempt]:
        """Return the attempts to send events of a stream, among the latest deliveries, by time."""
        found = [
            attempt
            for delivery in self._platform.outbox.deliveries
            if delivery.api == API and (delivery.account_name, delivery.service) == (account_name, subscription_id)
            for attempt in delivery.attempts
        ]
        return sorted(found, key=lambda attempt: attempt.at)

    def _wait(self, now: datetime) -> None:
        moment = _next(now, _GRID)
        self._platform.agenda.put(moment, lambda: self._tick(moment))

    def _tick(self, moment: datetime) -> None:
        """Stream what devices report at a time, as long as there is a subscription."""
        streaming = [name for name, subscriptions in self.subscriptions.items() if subscriptions]
        for account_name in streaming:
            for device in self.devices(account_name):
                if not _seconds(moment) % int(self._reports(device)[-1].every.total_seconds()):
                    self._stream(account_name, self.event(device, moment, self.readings(device, moment)))
        self._is_streaming = bool(streaming)
        if streaming:
            self._wait(moment)

    def _stream(self, account_name: str, event: dict[str, Any]) -> None:
        """Send an event to the account's servers."""
        message = {"kind": EVENT, "action": "create", "data": event}
        for subscription in self.subscriptions[account_name].values():
            is_wanted = subscription["streamkind"] in (EVENT, event["kind"]) and not subscription["disabled"]
            if is_wanted and self._platform.listeners[API].find(account_name, subscription["id"]) is not None:
                self._platform.outbox.send(account_name, subscription["id"], message, api=API)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _next(after: datetime, every: timedelta) -> datetime:
    """Return the next time after another one that is a multiple of an interval."""
    step = int(every.total_seconds())
    return datetime.fromtimestamp((_seconds(after) // step + 1) * step, UTC)
