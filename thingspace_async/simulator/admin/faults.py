"""Faults in the admin API: the names of the kinds, and the fields of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from thingspace_async.simulator.admin.shapes import Field, Invalid, Shape
from thingspace_async.simulator.controls import Controls
from thingspace_async.simulator.faults import Cut, Delay, Drip, Expire, Fault, FaultRule, Raw, Reset, Status

__all__ = ["FAULT_SHAPE", "add_fault", "fault_shown"]

_MAKERS: Final[Mapping[str, tuple[Callable[..., Fault], tuple[str, ...]]]] = {
    "status": (Status, ("status", "body", "headers", "processed")),
    "html": (Status.html, ("status",)),
    "too_many_requests": (Status.too_many_requests, ("retry_after",)),
    "throttled_out": (Status.throttled_out, ("status",)),
    "delay": (Delay, ("seconds",)),
    "reset": (Reset, ("processed",)),
    "cut": (Cut, ("share",)),
    "raw": (Raw, ()),
    "drip": (Drip, ("seconds",)),
    "expire_session": (lambda: Expire("session"), ()),
    "expire_oauth": (lambda: Expire("oauth"), ()),
}
"""The constructor and the fields of each kind."""

_HEADER: Final = re.compile(r"[A-Za-z0-9-]+")

_NEEDED: Final = {"status": "status", "delay": "seconds", "drip": "seconds"}

FAULT_SHAPE: Final[Shape] = {
    "operation": Field(kind="string", text="An operation, for example devices.list, or * for all.", required=True),
    "kind": Field(kind="string", text="The kind of fault.", required=True, among=tuple(_MAKERS)),
    "times": Field(
        kind="integer", text="Number of requests that fail, 1 by default; null for all.", least=1, nullable=True
    ),
    "after": Field(kind="integer", text="Number of requests to let pass first.", least=0),
    "status": Field(kind="integer", text="The HTTP status, for status, html, throttled_out.", least=200, most=599),
    "body": Field(kind="any", text="The body of the answer, for status: JSON, or a string."),
    "headers": Field(kind="object", text="Headers of the answer, for status."),
    "processed": Field(kind="boolean", text="Whether the request takes effect, for status, reset."),
    "seconds": Field(kind="number", text="Real seconds, for delay, drip.", least=0, most=3600),
    "share": Field(kind="number", text="The share of the body that arrives, for cut.", least=0, most=1),
    "retry_after": Field(kind="integer", text="The header Retry-After, for too_many_requests.", least=0),
}


def add_fault(cloud: Controls, asked: Mapping[str, Any]) -> FaultRule:
    """Add a fault."""
    make, takes = _MAKERS[asked["kind"]]
    given = {name: value for name, value in asked.items() if name not in ("operation", "kind", "times", "after")}
    if odd := [name for name in given if name not in takes]:
        raise Invalid(f"body: {asked['kind']} does not take {', '.join(odd)}")
    if (needed := _NEEDED.get(asked["kind"])) is not None and needed not in given:
        raise Invalid(f"body: {asked['kind']} needs {needed}")
    for name, value in given.get("headers", {}).items():
        if not isinstance(value, str) or not value.isprintable() or not value.isascii() or not _HEADER.fullmatch(name):
            raise Invalid(f"body: headers: {name!r} must be a header name with a printable string as its value")
    try:
        return cloud.faults.add(
            asked["operation"], make(**given), times=asked.get("times", 1), after=asked.get("after", 0)
        )
    except ValueError as error:
        raise Invalid(f"body: operation: {error}") from None


def fault_shown(rule: FaultRule) -> dict[str, Any]:
    """Return a fault as JSON."""
    return {
        "number": rule.number,
        "operation": rule.operation,
        "fault": repr(rule.fault),
        "after": rule.after,
        "times": rule.times,
    }
