"""Readers for the requests of software management. They refuse wrong values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

from thingspace_async.simulator.rooms.callbacks import check_url
from thingspace_async.simulator.rooms.software.messages import SERVICES
from thingspace_async.simulator.rooms.software.store import PACKAGES, Campaign, Package, Software, invalid
from thingspace_async.simulator.wire import Answer, Call, Handler, required

__all__ = [
    "callback_handlers",
    "campaign_of",
    "day_of",
    "days_of",
    "imeis_of",
    "package_of",
    "spelled_out",
    "windows_of",
]

_DAY: Final = 24


def campaign_of(call: Call, version: str, name: str = "campaign_id") -> Campaign:
    """Return the campaign that a path names."""
    account_name = call.check_account(call.path["account_name"])
    campaign = call.platform.room(Software).campaigns[account_name].get(call.path[name])
    if campaign is None or campaign.version != version:
        raise invalid("The campaign could not be found.", reason="is unknown", at=(call.path, name))
    return campaign


def imeis_of(document: Mapping[str, Any], most: int | None = None, name: str = "deviceList") -> list[str]:
    """Read a list of IMEIs."""
    listed = document.get(name)
    if not isinstance(listed, list) or not all(isinstance(one, str) and _is_imei(one) for one in listed):
        raise invalid("Invalid device list.", reason="must be a list of IMEIs of 15 digits", at=(document, name))
    if most is not None and len(listed) > most:
        raise invalid(f"The device list exceeds the maximum of {most} devices.", at=(document, name))
    return list(dict.fromkeys(listed))


_is_imei: Final = re.compile(r"[0-9]{15}").fullmatch


def day_of(document: Mapping[str, Any], name: str) -> date:
    """Read a date."""
    try:
        return date.fromisoformat(str(document.get(name)))
    except ValueError:
        raise invalid("Invalid date.", reason="must be a date such as 2026-01-31", at=(document, name)) from None


def days_of(call: Call, document: Mapping[str, Any]) -> tuple[date, date]:
    """Read the first and the last day of a campaign."""
    start, end = day_of(document, "startDate"), day_of(document, "endDate")
    if start > end:
        raise invalid("Invalid date range.", reason="is after endDate", at=(document, "startDate"))
    if start < call.platform.clock.now().date():
        raise invalid("The start date is in the past.", reason="is in the past", at=(document, "startDate"))
    return start, end


def windows_of(document: Mapping[str, Any], name: str) -> list[tuple[int, int]]:
    """Read time windows, whose hours may be strings."""
    windows: list[tuple[int, int]] = []
    for window in document.get(name) or ():
        try:
            first, last = int(window["startTime"]), int(window["endTime"])
        except (KeyError, TypeError, ValueError):
            raise invalid("Invalid time window.", reason="must have two hours", at=(document, name)) from None
        if not 0 <= first < last <= _DAY:
            hours = "must be from an hour of 0 to 23 to a later one of 1 to 24"
            raise invalid("Invalid time window.", reason=hours, at=(document, name))
        windows.append((first, last))
    return windows


def package_of(document: Mapping[str, Any], name: str, protocols: Iterable[str]) -> Package:
    """Find the package that a request names."""
    wanted = document.get(name)
    found = next((one for one in PACKAGES if one.name == wanted and one.model.protocol in frozenset(protocols)), None)
    if found is None:
        raise invalid("The firmware could not be found.", reason="is not the name of a package", at=(document, name))
    return found


def spelled_out(moment: datetime) -> str:
    """Format a time as in lists of licenses."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} +0000 UTC"


def callback_handlers(version: str) -> tuple[Handler, Handler, Handler, Handler]:
    """Return the handlers of an account's one URL in v2 or v3: register, get, update and deregister."""
    api, service = f"software_{version}", SERVICES[version]

    def register(call: Call) -> Answer:
        account_name, wanted = call.check_account(call.path["account_name"]), call.document()
        url = required(wanted, "url", str)
        check_url(wanted, url)
        call.platform.listeners[api].register(account_name, service, url)
        return Answer(200, {"url": url})

    def get(call: Call) -> Answer:
        found = call.platform.listeners[api].find(call.check_account(call.path["account_name"]), service)
        return Answer(200, {} if found is None else {"url": found["url"]})

    def update(call: Call) -> Answer:
        _registered(call)
        return register(call)

    def deregister(call: Call) -> Answer:
        call.platform.listeners[api].deregister(_registered(call), service)
        return Answer(200, {"success": True})

    def _registered(call: Call) -> str:
        account_name = call.check_account(call.path["account_name"])
        if call.platform.listeners[api].find(account_name, service) is None:
            raise invalid("No callback is registered.", reason="has no callback URL", at=(call.path, "account_name"))
        return account_name

    return register, get, update, deregister
