"""Reading requests of diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from thingspace_async.simulator.reading import find_device, objects_of
from thingspace_async.simulator.rooms.diagnostics.state import ATTRIBUTES, Target, invalid
from thingspace_async.simulator.wire import Call, optional, required

__all__ = ["account_in_query", "attribute_of", "given", "listed_targets", "span_of", "targets_of"]

_UNITS: Final = {
    "SECOND": timedelta(seconds=1),
    "MINUTE": timedelta(minutes=1),
    "HOUR": timedelta(hours=1),
    "DAY": timedelta(days=1),
}


def given(call: Call, name: str) -> str:
    """Read a value of the query."""
    query = call.received.query
    if not query.get(name):
        raise invalid(reason="is missing or empty", at=(query, name))
    return query[name]


def account_in_query(call: Call) -> str:
    """Read the account in the query."""
    return call.check_account(given(call, "accountName"))


def targets_of(call: Call, account_name: str, listed: list[dict[str, Any]], at: tuple[object, str]) -> list[Target]:
    """Find the devices of a request. Refuses unknown ones, and those of other accounts."""
    if not listed:
        raise invalid(reason="must name a device", at=at)
    return [
        Target(call.platform.devices.keep(find_device(call, one, account_name)), {"id": one["id"], "kind": one["kind"]})
        for one in listed
    ]


def listed_targets(call: Call, account_name: str, document: Mapping[str, Any]) -> list[Target]:
    """Find the devices of the member `devices`."""
    return targets_of(call, account_name, objects_of(document, "devices"), (document, "devices"))


def attribute_of(document: Mapping[str, Any]) -> str:
    """Read the name of an attribute."""
    name = required(document, "name", str)
    if name not in ATTRIBUTES:
        raise invalid(reason=f"must be one of {', '.join(ATTRIBUTES)}", at=(document, "name"))
    return name


def span_of(document: Mapping[str, Any], name: str) -> timedelta | None:
    """Read a span of time with its unit."""
    span = optional(document, name, dict)
    if span is None:
        return None
    value, unit = required(span, "value", int), required(span, "unit", str)
    if unit not in _UNITS:
        raise invalid(reason=f"must be one of {', '.join(_UNITS)}", at=(span, "unit"))
    if not 0 < value <= 10**6:
        raise invalid(reason="must be 1 to 1,000,000", at=(span, "value"))
    return value * _UNITS[unit]
