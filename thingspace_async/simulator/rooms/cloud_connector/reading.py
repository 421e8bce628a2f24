"""Reading requests of Cloud Connector, and refusing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from thingspace_async.simulator.wire import At, Call, Refusal, optional, refuse, required

__all__ = ["account_of", "filter_of", "invalid", "resource_of", "unknown"]


def invalid(reason: str, at: At) -> Refusal:
    """Make the refusal of a wrong value."""
    return refuse("bad_request", f"{at[1]} {reason}", reason=reason, at=at)


def unknown(what: str) -> Refusal:
    """Make the refusal of an unknown id."""
    return refuse("not_found", f"The {what} could not be found.")


def account_of(call: Call, document: Mapping[str, Any]) -> str:
    """Read the account of a request."""
    return call.check_account(required(required(document, "accountidentifier", dict), "billingaccountid", str))


def resource_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read the identifier of the resource that a request is about."""
    resource = required(document, "resourceidentifier", dict)
    if not (optional(resource, "id", str) or optional(resource, "imei", str)):
        raise invalid("must have an id or an imei", (document, "resourceidentifier"))
    return resource


def filter_of(document: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
    """Read which resources a request lists. Values are compared as strings."""
    wanted: dict[str, Any] = {}
    for name in ("resourceidentifier", "$selection"):
        wanted |= optional(document, name, dict) or {}
    if not all(isinstance(value, str) for value in wanted.values()):
        raise invalid("must contain only strings", (document, "$selection"))
    return lambda shown: all(_text(shown.get(name)) == value for name, value in wanted.items())


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
