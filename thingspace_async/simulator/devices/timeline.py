"""What has happened to a simulated device day by day, and pages of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any, Final, cast

import attrs

from thingspace_async.simulator.fleet import Device, Event
from thingspace_async.simulator.reading import check_identifier, find_device, moment_of
from thingspace_async.simulator.state import Platform
from thingspace_async.simulator.wire import Call, required

__all__ = [
    "Record",
    "Span",
    "days",
    "device_of",
    "draw",
    "eastern",
    "events_of",
    "midnight",
    "page_of",
    "range_of",
    "spans_of",
]

Record = tuple[datetime, dict[str, Any]]
"""When it happened, and how it is answered."""

_PER_PAGE: Final = 500
_BEGINNINGS: Final = frozenset({"Activate", "Restore"})
_ENDINGS: Final = frozenset({"Suspend", "Deactivate"})
_IMPLIED: Final[Mapping[str, str]] = {"suspend": "Suspend", "deactive": "Deactivate"}
_MASK: Final = (1 << 64) - 1


def draw(platform: Platform, device: Device, day: int) -> int:
    """Return 64 bits that look random: splitmix64 of seed, device and day."""
    mixed = (platform.seed * 0xD1B54A32D192ED03 + device.place * 0x9E3779B97F4A7C15 + day * 0xA0761D6478BD642F) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)


def eastern(moment: datetime) -> str:
    """Write a time stamp with an offset, as the samples of histories have it (protocol.md 5)."""
    return (moment.astimezone(UTC) - timedelta(hours=5)).replace(tzinfo=None).isoformat() + "-05:00"


def range_of(document: Mapping[str, Any], first: str = "earliest", last: str = "latest") -> tuple[datetime, datetime]:
    """Read the time that is asked for, both ends included."""
    return _moment(document, first), _moment(document, last)


def _moment(document: Mapping[str, Any], name: str) -> datetime:
    required(document, name, str)
    return cast(datetime, moment_of(document, name))


def device_of(call: Call, device_id: Mapping[str, Any]) -> Device | None:
    """Find the device with an identifier; None for one that a device had once, which finds no history (4.2)."""
    fleet, pair = call.platform.devices, check_identifier(device_id)
    if fleet.find(*pair) is None and fleet.knew(*pair):
        return None
    return find_device(call, device_id)


def page_of(records: Iterable[Record], begin: datetime, end: datetime) -> tuple[list[dict[str, Any]], bool]:
    """Return the first records of a time, as many as an answer holds, and whether there are more (protocol.md 5)."""
    found = list(islice((document for moment, document in records if begin <= moment <= end), _PER_PAGE + 1))
    return found[:_PER_PAGE], len(found) > _PER_PAGE


# What provisioning did


def events_of(platform: Platform, device: Device) -> list[Event]:
    """Return what was done to a device so far: first what its seed implies, then what requests have done."""
    done, now = device.events, platform.clock.now()
    before = done[0].occurred_at if done else now
    implied = [] if device.state == "preactive" and not done else _implied_events(platform, device)
    return [*(event for event in implied if event.occurred_at <= before), *done]


def _implied_events(platform: Platform, device: Device) -> list[Event]:
    new = platform.devices.seeded(device.place)
    first = device.events[0].event_type if device.events else None
    if new is None or new.state == "preactive" or (first == "Activate" and new.state != "deactive"):
        return []
    activated, user = new.last_activation

    def event(moment: datetime, kind: str) -> Event:
        return Event(
            occurred_at=moment,
            event_type=kind,
            status="Success",
            event_by=user,
            service_plan=new.service_plan,
            mdn=new.mdn,
        )

    found = [event(activated, "Activate")]
    if new.state in _IMPLIED:
        share = (1 + draw(platform, device, 0) % 98) / 100
        passed = max(timedelta(hours=1), (platform.devices.start - activated) * share)
        found.append(event((activated + passed).replace(microsecond=0), _IMPLIED[new.state]))
    return found


@attrs.frozen
class Span:
    """A time in which a device was in service on one plan."""

    begin: datetime
    end: datetime
    service_plan: str | None
    mdn: str | None


def spans_of(platform: Platform, device: Device) -> list[Span]:
    """Return when a device has been in service, oldest first."""
    found: list[Span] = []
    running: Event | None = None
    for event in events_of(platform, device):
        if event.status != "Success" or (running is None and event.event_type not in _BEGINNINGS):
            continue
        if running is not None:
            found.append(Span(running.occurred_at, event.occurred_at, running.service_plan, running.mdn))
        running = None if event.event_type in _ENDINGS else event
    if running is not None:
        found.append(Span(running.occurred_at, platform.clock.now(), running.service_plan, running.mdn))
    return found


def days(span: Span, begin: datetime, end: datetime) -> Iterator[date]:
    """Yield the days, in UTC, of a span that touch a time."""
    first = max(span.begin, begin).astimezone(UTC).date()
    last = min(span.end, end).astimezone(UTC).date()
    return (date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1))


def midnight(day: date) -> datetime:
    """Return the beginning of a day, in UTC."""
    return datetime.combine(day, time(), UTC)
