"""Handlers for the history of devices (PROTOCOL.md 4.2, 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.devices.history.calls import CONNECTIONS, PROVISIONING, REQUEST_PROVISIONING
from thingspace_async.simulator.fleet import Device, Event
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import check_count, moment_of, named_device, objects_of
from thingspace_async.simulator.rooms.devices.timeline import (
    Record,
    Span,
    days,
    device_of,
    draw,
    eastern,
    events_of,
    midnight,
    page_of,
    range_of,
    spans_of,
)
from thingspace_async.simulator.wire import Answer, Call, Handler, required

__all__ = ["HANDLERS", "longest_session"]

_MOST_FILTERED: Final = 100
_A_DAY: Final = 86_400


def list_connections(call: Call) -> Answer:
    """List the starts and stops of a device's data sessions."""
    wanted = call.document()
    begin, end = range_of(wanted)
    device = device_of(call, required(wanted, "deviceId", dict))
    events, more = page_of([] if device is None else _connections(call, device, begin, end), begin, end)
    return Answer(202 if more else 200, {"connectionHistory": events, "hasMoreData": more})


def _connections(call: Call, device: Device, begin: datetime, end: datetime) -> Iterator[Record]:
    """Yield the connection events during the device's periods of service."""
    for span in spans_of(call.platform, device):
        for day in days(span, begin, end):
            luck = draw(call.platform, device, day.toordinal())
            for moment, attributes in _sessions(luck, day, span):
                if span.begin <= moment < span.end:
                    yield moment, _connection(moment, attributes)


def _spans(luck: int) -> Iterator[tuple[int, int]]:
    """Yield the two to four sessions of a day in seconds. Every second one starts when the previous one stops."""
    count = 2 + luck % 3
    part = _A_DAY // count
    for place in range(count):
        start = place * part + (0 if place % 2 else luck >> 8 & 1023)
        yield start, min(start + part // 2 if place % 2 else (place + 1) * part, _A_DAY - 1)


def longest_session(platform: Platform, device: Device, day: date) -> timedelta:
    """Return the length of a device's longest data session of a day."""
    return timedelta(seconds=max(stop - start for start, stop in _spans(draw(platform, device, day.toordinal()))))


def _sessions(luck: int, day: date, span: Span) -> Iterator[tuple[datetime, dict[str, str]]]:
    """Yield the starts and stops of the sessions of a day."""
    spans = list(_spans(luck))
    line = {} if span.mdn is None else {"Msisdn": f"1{span.mdn}"}
    for start, stop in spans:
        yield midnight(day) + timedelta(seconds=start), {"BytesUsed": "0", "Event": "Start"}
        used = {"BytesUsed": str(luck % 5_000_000 // len(spans)), "Event": "Stop", **line}
        yield midnight(day) + timedelta(seconds=stop), used


def _connection(moment: datetime, attributes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "connectionEventAttributes": [{"key": key, "value": value} for key, value in attributes.items()],
        "extendedAttributes": [],
        "occurredAt": eastern(moment),
    }


def list_provisioning(call: Call) -> Answer:
    """List a device's provisioning history."""
    wanted = call.document()
    begin, end = range_of(wanted)
    device = device_of(call, required(wanted, "deviceId", dict))
    events = [] if device is None else events_of(call.platform, device)
    history, more = page_of(((event.occurred_at, _provisioning(event)) for event in events), begin, end)
    result = {"hasMoreData": more, "provisioningHistory": history}
    return Answer(202 if more else 200, [result] if call.platform.assumptions.provisioning_history_is_list else result)


def _provisioning(event: Event) -> dict[str, Any]:
    line = {} if event.mdn is None else {"mdn": event.mdn, "msisdn": f"1{event.mdn}"}
    plan = {} if event.service_plan is None else {"servicePlan": event.service_plan}
    return {
        "occurredAt": eastern(event.occurred_at),
        "status": event.status,
        "eventBy": event.event_by,
        "eventType": event.event_type,
        "extendedAttributes": [],
        **line,
        **plan,
    }


def request_provisioning(call: Call) -> Answer:
    """Accept a request for the provisioning history of an account's devices."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    for name in ("earliest", "latest"):
        moment_of(wanted, name)
    device_ids = objects_of(wanted, "deviceFilter")
    check_count(device_ids, _MOST_FILTERED)
    chosen = [named_device(call, [device_id]) for device_id in device_ids]
    work = [Work(one.device_ids, partial(one.check, account_name)) for one in chosen]
    request_id = call.platform.accept(work, account_name=account_name, service="DeviceProfileService")
    return Answer(200, {"requestId": request_id})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    CONNECTIONS: list_connections,
    PROVISIONING: list_provisioning,
    REQUEST_PROVISIONING: request_provisioning,
}
