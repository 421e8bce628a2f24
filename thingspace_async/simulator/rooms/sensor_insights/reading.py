"""Reading of requests: accounts, identifiers, filters and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs
import orjson

from thingspace_async.simulator.mechanisms.pager import answer_by_token, from_index
from thingspace_async.simulator.rooms.sensor_insights.state import Account, Resource, SensorInsights
from thingspace_async.simulator.wire import Answer, At, Call, Refusal, optional, refuse, required

__all__ = [
    "account_of",
    "bad",
    "change",
    "device_of",
    "from_query",
    "list_of",
    "payload_of",
    "resource_of",
    "shown",
    "unknown",
]

_HIDDEN: Final = frozenset({"deveui"})


def bad(reason: str, at: At | None = None) -> Refusal:
    """Make the refusal of an invalid request."""
    return refuse("bad_request", "The request is invalid.", reason=reason, at=at)


def unknown(noun: str) -> Refusal:
    """Make the refusal of an unknown resource."""
    return refuse("not_found", f"The {noun} could not be found.", 404)


def account_of(call: Call, document: Mapping[str, Any], name: str = "accountname") -> Account:
    """Return the account that a request names."""
    return call.platform.room(SensorInsights).account(call.check_account(required(document, name, str)))


def payload_of(call: Call, given: str | None) -> dict[str, Any]:
    """Read a request from its body, or from where the SDKs put it."""
    if call.received.body.strip() or given is None:
        return call.document()
    return attrs.evolve(call, received=attrs.evolve(call.received, body=given.encode())).document()


def from_query(call: Call, name: str) -> str | None:
    """Return a request from the query: one value in JSON, or a value for each member, as the SDKs send it."""
    query = call.received.query
    members = {key[len(name) + 1 : -1]: value for key, value in query.items() if key.startswith(f"{name}[")}
    return query.get(name) or (orjson.dumps(members).decode() if members else None)


def shown(resource: Resource) -> Resource:
    """Return a resource as answers show it."""
    return {name: value for name, value in resource.items() if name not in _HIDDEN}


def change(call: Call, resource: Resource, members: Mapping[str, Any]) -> Answer:
    """Change members of a resource, and answer it."""
    if not members:
        raise bad("the request changes nothing")
    resource.update(members)
    call.platform.room(SensorInsights).touch(resource)
    return Answer(200, shown(resource))


def resource_of(document: Mapping[str, Any], among: Mapping[str, Resource], noun: str) -> Resource:
    """Return the resource whose id a request names."""
    identifier = required(required(document, "resourceidentifier", dict), "id", str)
    if identifier not in among:
        raise unknown(noun)
    return among[identifier]


def device_of(document: Mapping[str, Any], account: Account) -> Resource:
    """Return the device that a request names by its id or by other identifiers."""
    identifier = required(document, "resourceidentifier", dict)
    if not identifier:
        raise bad("must have an identifier", at=(document, "resourceidentifier"))
    found = next((one for one in account.devices.values() if _is_named(one, identifier)), None)
    if found is None:
        raise unknown("device")
    return found


def list_of(of: Callable[[Account], Iterable[Resource]]) -> Callable[[Call], Answer]:
    """Make the handler that lists resources of an account."""

    def handle(call: Call) -> Answer:
        wanted = call.document()
        account = account_of(call, wanted)
        identifier = optional(wanted, "resourceidentifier", dict) or {}
        found = [one for one in of(account) if _is_named(one, identifier)]
        return _filtered(call, found, optional(wanted, "filter", dict) or {})

    return handle


def _is_named(resource: Resource, identifier: Mapping[str, Any]) -> bool:
    return all(_is_equal(resource.get("id" if name == "deviceid" else name), each) for name, each in identifier.items())


def _is_equal(own: object, wanted: object) -> bool:
    # Identifiers are numbers or strings, and EUIs are written in either case.
    return own is not None and str(own).casefold() == str(wanted).casefold()


def _filtered(call: Call, resources: list[Resource], wanted: dict[str, Any]) -> Answer:
    """Answer the page of the resources that a filter selects."""
    selection = optional(wanted, "$selection", dict) or {}
    chosen = [one for one in resources if all(one.get(name) == value for name, value in selection.items())]
    begin, size = _place_of(call, wanted, len(chosen))
    page = from_index(chosen, begin, size)
    names = optional(wanted, "$projection", list)
    body = [_projected(shown(one), names) for one in page.items]
    return answer_by_token(body, str(begin + size) if page.more else None)


def _projected(resource: Resource, names: list[Any] | None) -> Resource:
    return resource if not names else {name: value for name, value in resource.items() if name in {"id", *names}}


def _place_of(call: Call, wanted: dict[str, Any], count: int) -> tuple[int, int]:
    """Return the index and the size of the page that a filter asks for."""
    size = optional(wanted, "$limitnumber", int)
    if size is not None and size < 1:
        raise bad("must be 1 or more", at=(wanted, "$limitnumber"))
    if optional(wanted, "$nopagination", bool):
        return 0, max(1, count)
    size = size or call.platform.assumptions.insights_page
    if (token := optional(wanted, "$page", str)) is not None:
        if not (token.isascii() and token.isdigit()):
            raise bad("must be the X-Next header of the page before", at=(wanted, "$page"))
        return int(token), size
    number = optional(wanted, "$pagenumber", int)
    if number is not None and number < 1:
        raise bad("must be 1 or more", at=(wanted, "$pagenumber"))
    return ((number or 1) - 1) * size, size
