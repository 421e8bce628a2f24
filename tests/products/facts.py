"""The platform's documents on the calls of these rooms: what may be sent, what has to be, what comes back.

Several groups of the documents describe the same endpoint; what one of them knows of a body is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import attrs
import pytest

from tests.surface.rooms import SHARED

GROUPS = (
    "account_requests",
    "accounts",
    "connectivity_callbacks",
    "device_actions",
    "device_diagnostics",
    "device_groups",
    "device_management",
    "device_monitoring",
    "device_profile_management",
    "device_sms_messaging",
    "e_uicc_device_profile_management",
    "global_reporting",
    "managing_e_sim_profiles",
    "promotion_period_information",
    "service_plans",
    "sim_actions",
    "sms",
)
"""The groups of operations that the Connectivity Management API is made of."""

KNOWN = SHARED.exists()

needs_facts = pytest.mark.skipif(
    not KNOWN, reason="../shared/api is absent: nothing is compared with the platform's documents"
)


def _read(name: str) -> Any:
    return json.loads((SHARED / f"{name}.json").read_text()) if KNOWN else {}


CORRECTIONS = {
    "AccountDetails.carriers": ("list[str]", "the sample on the platform's page of global plans has texts"),
    "AccountDetails.features": ("list[str]", "as carriers"),
    "CarrierServicePlan.sizeKb": ("int", "as carriers: the sample has a number"),
    "DeactivateDeviceList.ids": (None, "the page's sample has deviceIds, as all other requests"),
    "DeviceList2.ids": (None, "as DeactivateDeviceList.ids"),
    "ProfileRequest.primaryPlaceOfUse": ("PlaceOfUse", "the page's table and sample have an object"),
    "StatusResponse.subrequests": (None, "the page spells it subRequests; both spellings are read"),
    "StatusResponse.subRequests": ("list[Subrequest]", "as subrequests"),
    "StopMonitorRequest.monitorIds": ("list[str]", "the page ends monitors by their ids"),
    "Subrequest.ids": ("list[GiodeviceId]", "the page has a list (protocol.md 3.5)"),
    **dict.fromkeys(
        ("DeviceList.ipAddress", "ESimdeviceList.ipAddress", "GiodeviceList.ipAddress"),
        ("str", "one DeviceIds serves all requests, and AccountDeviceList has it; nobody has to give it"),
    ),
}
"""Where the documents contradict themselves or the platform's pages: the member, its right type, and the reason.

A member that is right elsewhere has no type here, and so is left out.
"""


def _corrected(models: dict[str, Any]) -> dict[str, Any]:
    for dotted, (kind, _) in CORRECTIONS.items() if models else ():
        name, _, member = dotted.partition(".")
        fields = {field["json_name"]: field for field in models[name]["fields"]}
        fields[member] = {"required": False, **fields.get(member, {}), "json_name": member, "type": kind}
        models[name]["fields"] = [field for field in fields.values() if field["type"] is not None]
    return models


MODELS: dict[str, Any] = _corrected(_read("models"))
ENUMS: dict[str, Any] = _read("enums")
EXAMPLES: dict[str, Any] = _read("examples")
SERVERS: dict[str, Any] = _read("servers")


@attrs.frozen
class Endpoint:
    """A method and a URL, and all that the documents say about them."""

    key: str
    """Such as `GET /api/m2m/v1/accounts/{}`."""
    facts: tuple[dict[str, Any], ...]

    @property
    def path(self) -> str:
        """The path with the names that the documents have for its values."""
        return _base(self.facts[0]) + str(self.facts[0]["path"])

    @property
    def requests(self) -> list[str]:
        """Type expressions of the body, one for each group that has one."""
        return [fact["body"]["type"] for fact in self.facts if fact["body"] is not None]

    @property
    def answers(self) -> list[str]:
        return [fact["response"]["type"] for fact in self.facts if fact["response"] is not None]

    @property
    def query(self) -> dict[str, set[str]]:
        """The query's names, and the types that they may have."""
        found: dict[str, set[str]] = {}
        for fact in self.facts:
            for part in fact["query"]:
                found.setdefault(part["wire_name"], set()).add(part["type"])
        return found

    @property
    def required_query(self) -> set[str]:
        return set.intersection(*({part["wire_name"] for part in f["query"] if part["required"]} for f in self.facts))

    def matches(self, method: str, path: str) -> bool:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.path))
        return method == self.key.partition(" ")[0] and re.fullmatch(pattern, path) is not None


def _base(fact: dict[str, Any]) -> str:
    return str(SERVERS[fact["server"]]["production"]).removeprefix("https://thingspace.verizon.com")


def blank(path: str) -> str:
    """Take the names out of a path: `/accounts/{aname}` and `/accounts/{account_name}` are the same."""
    return re.sub(r"\{\w+\}", "{}", path)


def _endpoints() -> dict[str, Endpoint]:
    found: dict[str, list[dict[str, Any]]] = {}
    for fact in _read("operations") if KNOWN else ():
        if fact["group"] in GROUPS:
            found.setdefault(f"{fact['method']} {blank(_base(fact) + fact['path'])}", []).append(fact)
    return {key: Endpoint(key, tuple(facts)) for key, facts in found.items()}


ENDPOINTS = _endpoints()


# Types, as the documents spell them: `list[union[DeviceId,PropertyDeviceId]]`


def arms(kinds: Iterable[str]) -> set[str]:
    """Take unions apart."""
    found: set[str] = set()
    for kind in kinds:
        found |= arms(_split(kind[6:-1])) if kind.startswith("union[") else {kind}
    return found


def _split(text: str) -> Iterator[str]:
    depth = start = 0
    for place, sign in enumerate(text):
        depth += (sign == "[") - (sign == "]")
        if sign == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def items(kinds: Iterable[str]) -> set[str]:
    """Return what may stand in a list."""
    return arms(kind[5:-1] for kind in arms(kinds) if kind.startswith("list["))


def members(kinds: Iterable[str]) -> dict[str, set[str]]:
    """Return what may stand in an object, by name."""
    found: dict[str, set[str]] = {}
    for kind in arms(kinds):
        for field in MODELS.get(kind, {"fields": ()})["fields"]:
            found.setdefault(field["json_name"], set()).add(field["type"])
    return found


def required(kinds: Iterable[str]) -> set[str]:
    """Return what has to stand in an object: what all sources want."""
    wanted = [
        {field["json_name"] for field in MODELS[kind]["fields"] if field["required"]}
        for kind in arms(kinds)
        if kind in MODELS
    ]
    return set.intersection(*wanted) if wanted else set()


def paths(kinds: Iterable[str], above: str = "") -> set[str]:
    """Return the dotted names of all members at any depth."""
    found: set[str] = set()
    if listed := items(kinds):
        found |= paths(listed, above)
    for name, inner in members(kinds).items():
        found |= {above + name} | paths(inner, f"{above}{name}.")
    return found


def paths_in(value: Any, above: str = "") -> set[str]:
    """Return the dotted names of all members of a JSON value."""
    if isinstance(value, list):
        return set().union(*(paths_in(item, above) for item in value))
    if not isinstance(value, dict):
        return set()
    return set().union(*({above + name} | paths_in(inner, f"{above}{name}.") for name, inner in value.items()))


def faults(value: Any, kinds: Iterable[str], path: str = "") -> Iterator[str]:
    """Say what in a JSON value is not as the documents have it."""
    known = arms(kinds)
    if "any" in known:
        return
    if isinstance(value, list):
        inner = items(known)
        if not inner:
            yield f"{path} is a list, not {sorted(known)}"
        for item in value:
            yield from faults(item, inner or {"any"}, path)
    elif isinstance(value, dict):
        named = members(known)
        if not named:
            yield f"{path} is an object, not {sorted(known)}"
        for name, inner_value in value.items():
            dotted = f"{path}.{name}".lstrip(".")
            if named and name not in named:
                yield f"{dotted} is unknown"
            yield from faults(inner_value, named.get(name, {"any"}), dotted)
    elif not any(_fits(value, kind) for kind in known):
        yield f"{path} is {value!r}, not {sorted(known)}"


def _fits(value: Any, kind: str) -> bool:
    if kind == "datetime":
        return isinstance(value, str) and _is_moment(value)
    if kind.startswith("enum:"):
        return value in ENUMS[kind[5:]]["values"]
    plain = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}
    return type(value) in plain.get(kind, ())


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def missing(value: Any, kinds: Iterable[str], path: str = "") -> Iterator[str]:
    """Name what all sources require and a JSON value does not have."""
    if isinstance(value, list):
        for item in value:
            yield from missing(item, items(kinds), path)
    elif isinstance(value, dict):
        yield from (f"{path}{name}" for name in sorted(required(kinds) - set(value)))
        for name, inner in members(kinds).items():
            if name in value:
                yield from missing(value[name], inner, f"{path}{name}.")


# Answers, made of the documents


_MOMENT = re.compile(r"(Date|Time|At|timestamp|earliest|latest)$", re.IGNORECASE)


def answer_of(kind: str, name: str = "", *, least: frozenset[str] | None = None) -> Any:
    """Make the JSON of a type, with each of its fields.

    With `least`, only with the fields that the documents require, those that it names, and those that hold others.
    """
    only = max(arms([kind]), key=lambda arm: arm.startswith("list["))  # A list rather than what stands in for one.
    if only.startswith("list["):
        return [answer_of(only[5:-1], name, least=least)]
    if only in MODELS:
        return {
            field["json_name"]: answer_of(field["type"], field["json_name"], least=least)
            for field in MODELS[only]["fields"]
            if least is None or field["required"] or field["json_name"] in least or members(_opened(field["type"]))
        }
    if only.startswith("enum:"):
        return ENUMS[only[5:]]["values"][0]
    if only == "datetime" or (only == "str" and _MOMENT.search(name)):
        return "2026-01-31T12:00:00Z"
    return {"str": f"some {name}", "int": 7, "float": 1.5, "bool": True}[only]


def _opened(kind: str) -> set[str]:
    return items([kind]) or {kind}
