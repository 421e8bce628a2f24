"""Handlers for locations, and for reports on them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import attrs

from thingspace_async.simulator.mechanisms.agenda import Ticker
from thingspace_async.simulator.mechanisms.pager import from_index
from thingspace_async.simulator.rooms.location.reading import MOST, check_exclusions, start_index, wanted_of
from thingspace_async.simulator.rooms.location.state import (
    CACHED,
    CURRENT,
    NO_CONSENT,
    NOT_CACHED,
    LocationRequests,
    Locations,
    Report,
    invalid,
)
from thingspace_async.simulator.wire import Answer, Call, required

__all__ = [
    "cancel",
    "cancel_report",
    "create_report",
    "list_report",
    "locate",
    "report_status",
    "request_locations",
    "start_periodic",
]

_MOST_AT_ONCE: Final = 20
_KEPT: Final = timedelta(days=30)


def locate(call: Call) -> Answer:
    """Locate up to 20 devices at once."""
    document = call.document()
    wanted = wanted_of(call, document, _MOST_AT_ONCE)
    room = call.platform.room(Locations)
    if wanted.precise:
        raise invalid("Invalid accuracyMode", reason="must be 0 here: coarse", at=(document, "accuracyMode"))
    check_exclusions(call, wanted)
    if not all(room.consents_to(one.device, precise=False) for one in wanted.targets):
        raise invalid(NO_CONSENT, reason="a device of the request may not be located coarsely")
    # ASSUMPTION: the request is refused only if no location of any device is known.
    if wanted.cache_mode == CACHED and not any(room.known(one.device) for one in wanted.targets):
        raise invalid(NOT_CACHED, code="CACHE_UNAVAILABLE")
    return Answer(200, [room.locate(wanted, target) for target in wanted.targets])


def request_locations(call: Call) -> Answer:
    """Accept a request whose locations are sent to the listener for DeviceLocation."""
    wanted, room = wanted_of(call, call.document(), MOST), call.platform.room(Locations)

    def finish(request_id: str, report: Report) -> None:
        for found in report.locations:
            room.send(wanted.account_name, "DeviceLocation", {"txid": request_id, **found})

    request_id = room.begin(room.requests, wanted, finish)
    return Answer(200, {"txid": request_id, "status": room.requests.by_id[request_id].state})


def start_periodic(call: Call) -> Answer:
    """Locate devices at an interval."""
    document = call.document()
    wanted, room = attrs.evolve(wanted_of(call, document, MOST), precise=True), call.platform.room(Locations)
    interval, count = required(document, "fixInterval", int), required(document, "numberOfFixes", int)
    if not (0 < interval <= 86_400 * 366 and 0 < count <= 1_000_000):
        raise invalid("Invalid fixInterval or numberOfFixes")
    request_id, now = call.platform.new_id(), call.platform.clock.now()
    current = attrs.evolve(wanted, cache_mode=CURRENT)

    def tick(_: datetime) -> None:
        for target in wanted.targets:
            message = {"txid": request_id, **room.locate(current, target)}
            room.send(wanted.account_name, "DeviceLocation", message)

    every = timedelta(seconds=interval)
    ticker = Ticker(call.platform.agenda, now, every, tick, end=now + every * count)
    room.tickers[request_id] = (wanted.account_name, ticker)
    return Answer(200, {"txid": request_id, "status": "QUEUED"})


def cancel(call: Call) -> Answer:
    """Cancel a queued request, or stop a periodic one."""
    query, request_id = call.received.query, call.path["request_id"]
    # Some pages spell it in lower case.
    account_name = call.check_account(query.get("accountName") or query.get("accountname") or "")
    room = call.platform.room(Locations)
    owner, ticker = room.tickers.get(request_id, (None, None))
    if ticker is None or owner != account_name:
        return _cancel(room.requests, account_name, request_id)
    if not ticker.running:
        raise invalid("Unable to Cancel", reason="all locations of the request were sent already")
    ticker.stop()
    return Answer(200, {"txid": request_id})


def _cancel(kept: LocationRequests, account_name: str, request_id: str) -> Answer:
    report = _find(kept, account_name, request_id)
    if report.progress is None or report.state != "QUEUED":
        raise invalid("Unable to Cancel", reason=f"the request is {report.state}: only QUEUED ones can be cancelled")
    report.progress.end("CANCELLED")
    return Answer(200, {"txid": request_id})


def _find(kept: LocationRequests, account_name: str, request_id: str) -> Report:
    report = kept.by_id.get(request_id)
    if report is None or report.account_name != account_name:
        raise invalid("Transaction not found", code="INVALID_REQUEST", reason=f"unknown transaction {request_id}")
    return report


def create_report(call: Call) -> Answer:
    """Accept a report."""
    wanted, room = wanted_of(call, call.document(), MOST), call.platform.room(Locations)
    check_exclusions(call, wanted)

    def finish(request_id: str, _: Report) -> None:
        if wanted.cache_mode != CACHED:
            room.send(wanted.account_name, "Location", {"txid": request_id, "status": "COMPLETED"})

    request_id = room.begin(room.reports, wanted, finish)
    seconds = int(call.platform.assumptions.request_time.total_seconds())
    state = room.reports.by_id[request_id].state
    return Answer(200, {"txid": request_id, "status": state, "estimatedDuration": str(seconds)})


def report_status(call: Call) -> Answer:
    """Show how far a report is."""
    report = _report(call)
    return Answer(200, {"txid": call.path["request_id"], "status": report.state})


def list_report(call: Call) -> Answer:
    """Show a page of a completed report."""
    report, begin = _report(call), start_index(call)
    if report.state != "COMPLETED":
        raise invalid("Report is not ready", code="INVALID_REQUEST", reason=f"the report is {report.state}")
    page = from_index(report.locations, begin, call.platform.assumptions.location_report_page)
    body = {
        "startIndex": str(begin),
        "txid": call.path["request_id"],
        "totalCount": len(report.locations),
        "hasMoreData": page.more,
        # Both members are always there, as in the published sample.
        "devLocationList": [{"error": {}, "pd": {}, **one} for one in page.items],
    }
    return Answer(200, body)


def cancel_report(call: Call) -> Answer:
    """Cancel a queued report."""
    account_name = call.check_account(call.path["account_name"])
    return _cancel(call.platform.room(Locations).reports, account_name, call.path["request_id"])


def _report(call: Call) -> Report:
    account_name = call.check_account(call.path["account_name"])
    report = _find(call.platform.room(Locations).reports, account_name, call.path["request_id"])
    if call.platform.clock.now() - report.created > _KEPT:
        raise invalid("Transaction not found", code="INVALID_REQUEST", reason="reports are kept for 30 days")
    return report
