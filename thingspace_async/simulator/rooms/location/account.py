"""Handlers for the listeners of an account, its subscription and its usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from thingspace_async.simulator.rooms.callbacks import check_url
from thingspace_async.simulator.rooms.location.state import API, Locations, invalid
from thingspace_async.simulator.wire import Answer, Call, optional, required

__all__ = ["ALLOWANCE", "deregister", "list_listeners", "register", "show_subscription", "show_usage"]

ALLOWANCE: Final = 5_000
"""The locations that an account may request in a month."""
_SKU: Final = "TS-LOC-COARSE-CellID-5K"


def register(call: Call) -> Answer:
    """Register a listener. The secret of its messages is in a header of the answer."""
    account_name, wanted = call.check_account(call.path["account_name"]), call.document()
    name, url = required(wanted, "name", str), required(wanted, "url", str)
    if name not in ("Location", "DeviceLocation"):
        raise invalid("Invalid callback name", reason="must be Location or DeviceLocation", at=(wanted, "name"))
    check_url(wanted, url)
    listener = call.platform.listeners[API].register(account_name, name, url)
    if listener is None:
        raise invalid("Callback already registered", reason=f"has a listener: deregister {name}", at=(wanted, "name"))
    return Answer(200, {"account": account_name, "name": name}, headers={"Shared-Key": listener["secret"]})


def list_listeners(call: Call) -> Answer:
    """List the listeners, without their secrets."""
    account_name = call.check_account(call.path["account_name"])
    listeners = call.platform.listeners[API].by_account[account_name].values()
    return Answer(200, [{"name": one["serviceName"], "url": one["url"]} for one in listeners])


def deregister(call: Call) -> Answer:
    """Remove a listener."""
    account_name, service = call.check_account(call.path["account_name"]), call.path["service_name"]
    if not call.platform.listeners[API].deregister(account_name, service):
        raise invalid("Callback not found", reason="has no listener", at=(call.path, "service_name"))
    return Answer(200, {"success": True})


def show_subscription(call: Call) -> Answer:
    """Show the bought and used locations of an account."""
    account_name = call.check_account(call.path["account_name"])
    used = call.platform.room(Locations).used_this_month(account_name)
    bought = call.platform.devices.start - timedelta(days=400)
    body = {
        "accountName": account_name,
        "locType": _SKU,
        "maxAllowance": str(ALLOWANCE),
        "usedAllowance": str(used),
        "purchaseTime": bought.isoformat(timespec="seconds"),
    }
    return Answer(200, body)


def show_usage(call: Call) -> Answer:
    """Count the billed locations of a span of days."""
    document, room = call.document(), call.platform.room(Locations)
    account_name = call.check_account(required(document, "accountName", str))
    first, last = _day_of(document, "startDate"), _day_of(document, "endDate")
    if first > last:
        raise invalid("Invalid date range", reason="is after endDate", at=(document, "startDate"))
    everyone = optional(document, "usageForAllAccounts", bool) or False
    others: Sequence[str] = sorted(call.platform.accounts - {account_name}) if everyone else ()
    counts = {name: room.used_between(name, first, last) for name in (account_name, *others)}
    body = {
        "accountName": account_name,
        "usageForAllAcounts": everyone,  # The platform's own spelling.
        "skuName": _SKU,
        "transactionsAllowed": str(ALLOWANCE),
        "totalTransactionCount": str(sum(counts.values())),
        "PrimaryAccount": {"accountName": account_name, "transactionsCount": str(counts[account_name])},
        "ManagedAccounts": [{"accountName": name, "transactionsCount": str(counts[name])} for name in others],
    }
    return Answer(200, body)


def _day_of(document: Mapping[str, Any], name: str) -> date:
    try:
        return datetime.strptime(required(document, name, str), "%m-%d-%Y").date()  # noqa: DTZ007
    except ValueError:
        raise invalid("Invalid date", reason="must be a date such as 04-30-2026", at=(document, name)) from None
