"""Handlers for the listener of an account, and its subscription."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import orjson

from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.mechanisms.listeners import Listener
from thingspace_async.simulator.rooms.callbacks import check_url
from thingspace_async.simulator.rooms.diagnostics.reading import account_in_query, given
from thingspace_async.simulator.rooms.diagnostics.state import API, SERVICE, Diagnostics, invalid, precise_stamp
from thingspace_async.simulator.wire import Answer, Call, optional, required

__all__ = ["deregister", "list_listeners", "register", "show_subscription"]

_SKU: Final = "TS-BUNDLE-KTO-DIAGNOSTIC-MRC"


def register(call: Call) -> Answer:
    """Register a listener. The secret of its messages is in a header of the answer."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    name, url = required(wanted, "serviceName", str), required(wanted, "endpoint", str)
    if name != SERVICE:
        raise invalid(reason=f"must be {SERVICE}", at=(wanted, "serviceName"))
    check_url(wanted, url, "endpoint")
    headers = optional(wanted, "httpHeaders", dict) or {}
    if not all(isinstance(value, str) for value in headers.values()):
        raise invalid(reason="must contain only strings", at=(wanted, "httpHeaders"))
    listener = call.platform.listeners[API].register(
        account_name,
        name,
        url,
        createdOn=precise_stamp(call.platform.clock.now()),
        httpHeaders=orjson.dumps(headers).decode(),
    )
    if listener is None:
        raise invalid(reason=f"has a listener: deregister {name}", at=(wanted, "serviceName"))
    return Answer(200, _shown(listener), headers={"Shared-Key": listener["secret"]})


def list_listeners(call: Call) -> Answer:
    """List the listeners, without their secrets."""
    listeners = call.platform.listeners[API].by_account[account_in_query(call)].values()
    return Answer(200, [_shown(one) for one in listeners])


def deregister(call: Call) -> Answer:
    """Remove a listener."""
    account_name, service = account_in_query(call), given(call, "serviceName")
    listeners = call.platform.listeners[API]
    if (found := listeners.find(account_name, service)) is None:
        raise invalid(reason="has no listener", at=(call.received.query, "serviceName"))
    listeners.deregister(account_name, service)
    return Answer(200, _shown(found))


def _shown(listener: Listener) -> dict[str, Any]:
    return {
        "accountName": listener["accountName"],
        "serviceName": listener["serviceName"],
        "endpoint": listener["url"],
        "httpHeaders": orjson.loads(listener["httpHeaders"]),
        "createdOn": listener["createdOn"],
    }


def show_subscription(call: Call) -> Answer:
    """Show the bought and used events of an account."""
    account_name = account_in_query(call)
    bought = stamp(call.platform.devices.start - timedelta(days=400))
    body = {
        "accountName": account_name,
        "createdOn": bought,
        "lastUpdated": bought,
        "totalAllowed": call.platform.assumptions.diagnostics_allowance,
        "totalUsed": call.platform.room(Diagnostics).used(account_name),
        "skuName": _SKU,
    }
    return Answer(200, body)
