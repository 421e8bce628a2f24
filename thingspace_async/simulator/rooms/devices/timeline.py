"""The history of a simulated device by day, and pages of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, cast

import attrs

from thingspace_async.simulator.fleet import Device, Event
from thingspace_async.simulator.mechanisms.pager import page
from thingspace_async.simulator.mechanisms.seeded import bits
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import check_identifier, find_device, moment_of
from thingspace_async.simulator.wire import Call, required

__all__ = [
    "MOST_BYTES",
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
"""The time of an entry, and its JSON object."""

MOST_BYTES: Final = 5_000_000
"""Devices use fewer bytes in a day. Their usage is spread evenly below this number."""

_PER_PAGE: Final = 500
_BEGINNINGS: Final = frozenset({"Activate", "Restore"})
_ENDINGS: Final = frozenset({"Suspend", "Deactivate"})
_IMPLIED: Final[Mapping[str, str]] = {"suspend": "Suspend", "deactive": "Deactivate"}


def draw(platform: Platform, device: Device, day: int) -> int:
    """Return 64 pseudo-random bits for a device and a day."""
    return bits(platform.seed, device.place, day)


def eastern(moment: datetime) -> str:
    """Format a time stamp with an offset, as in the samples of histories (PROTOCOL.md 5)."""
    return (moment.astimezone(UTC) - timedelta(hours=5)).replace(tzinfo=None).isoformat() + "-05:00"


def range_of(document: Mapping[str, Any], first: str = "earliest", last: str = "latest") -> tuple[datetime, datetime]:
    """Read the requested period, which includes both ends."""
    return _moment(document, first), _moment(document, last)


def _moment(document: Mapping[str, Any], name: str) -> datetime:
    required(document, name, str)
    return cast(datetime, moment_of(document, name))


def device_of(call: Call, device_id: Mapping[str, Any]) -> Device | None:
    """Find the device with an identifier; None for a device's former identifier (PROTOCOL.md 4.2)."""
    fleet, pair = call.platform.devices, check_identifier(device_id)
    if fleet.find(*pair) is None and fleet.knew(*pair):
        return None
    return find_device(call, device_id)


def page_of(records: Iterable[Record], begin: datetime, end: datetime) -> tuple[list[dict[str, Any]], bool]:
    """Return the first page of records in a period, and whether more follow (PROTOCOL.md 5)."""
    found = page((document for moment, document in records if begin <= moment <= end), _PER_PAGE)
    return found.items, found.more


# Provisioning history


def events_of(platform: Platform, device: Device) -> list[Event]:
    """Return a device's provisioning history so far: first the events from its seed, then those from requests."""
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
    """A period of service on one plan."""

    begin: datetime
    end: datetime
    service_plan: str | None
    mdn: str | None


def spans_of(platform: Platform, device: Device) -> list[Span]:
    """Return a device's periods of service, oldest first."""
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
    """Yield the UTC days of a span that overlap a period."""
    first = max(span.begin, begin).astimezone(UTC).date()
    last = min(span.end, end).astimezone(UTC).date()
    return (date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1))


def midnight(day: date) -> datetime:
    """Return the start of a day, in UTC."""
    return datetime.combine(day, time(), UTC)
