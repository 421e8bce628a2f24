"""JSON values against the types of the documents, such as `list[union[DeviceId,PropertyDeviceId]]`.

Several types may describe the same value. A value is right if one of them allows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, Final

from tests.facts import enums, models

__all__ = ["answer_of", "faults", "missing", "paths", "paths_in", "required"]


def arms(kinds: Iterable[str]) -> set[str]:
    """Return the types, with each union replaced by its arms."""
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
    """Return the types of a list's items."""
    return arms(kind[5:-1] for kind in arms(kinds) if kind.startswith("list["))


def members(kinds: Iterable[str]) -> dict[str, set[str]]:
    """Return the types of an object's members, by name."""
    found: dict[str, set[str]] = {}
    for kind in arms(kinds):
        for name, member in models().get(kind, {}).items():
            found.setdefault(name, set()).add(member.type)
    return found


def required(kinds: Iterable[str]) -> set[str]:
    """Return the members that all types of an object require."""
    wanted = [
        {name for name, member in models()[kind].items() if member.required} for kind in arms(kinds) if kind in models()
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
    """Describe each place where a JSON value differs from the documents."""
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
        named = _members_of(value, known)
        if not named:
            yield f"{path} is an object, not {sorted(known)}"
        for name, inner_value in value.items():
            dotted = f"{path}.{name}".lstrip(".")
            if named and name not in named:
                yield f"{dotted} is unknown"
            yield from faults(inner_value, named.get(name, {"any"}), dotted)
    elif not any(_fits(value, kind) for kind in known):
        yield f"{path} is {value!r}, not {sorted(known)}"


def _members_of(value: dict[str, Any], known: set[str]) -> dict[str, set[str]]:
    """Return the types of an object's members. A `dict[str,any]` may have any members."""
    free = {kind[9:-1] for kind in known if kind.startswith("dict[str,")}
    return dict.fromkeys(value, free) if free else members(known)


def _fits(value: Any, kind: str) -> bool:
    if kind == "datetime":
        return isinstance(value, str) and _is_moment(value)
    if kind == "date":
        return isinstance(value, str) and _is_day(value)
    if kind.startswith("enum:"):
        return value in enums()[kind[5:]]
    plain = {"str": (str,), "uuid": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}
    return type(value) in plain.get(kind, ())


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("2026-01-31") and bool(date.fromisoformat(text))
    except ValueError:
        return False


def missing(value: Any, kinds: Iterable[str], path: str = "") -> Iterator[str]:
    """Name the members that all types require and a JSON value lacks."""
    if isinstance(value, list):
        for item in value:
            yield from missing(item, items(kinds), path)
    elif isinstance(value, dict):
        yield from (f"{path}{name}" for name in sorted(required(kinds) - set(value)))
        for name, inner in members(kinds).items():
            if name in value:
                yield from missing(value[name], inner, f"{path}{name}.")


_MOMENT: Final = re.compile(r"(Date|Time|At|timestamp|earliest|latest)$", re.IGNORECASE)


def answer_of(kind: str, name: str = "", *, least: frozenset[str] | None = None) -> Any:
    """Make the JSON of a type, with all of its members.

    With `least`, make only the required members, those that `least` names, and those that contain other members.
    """
    only = max(arms([kind]), key=lambda arm: arm.startswith("list["))  # The list, if the types allow either.
    if only.startswith("list["):
        return [answer_of(only[5:-1], name, least=least)]
    if only.startswith("dict[str,"):
        return {f"some {name}": answer_of(only[9:-1], name)}
    if only == "DownloadTimeWindow":
        return {"startTime": "1", "endTime": "7"}  # Hours, in spite of their names.
    if only in models():
        return {
            inner: answer_of(member.type, inner, least=least)
            for inner, member in models()[only].items()
            if least is None or member.required or inner in least or members(_opened(member.type))
        }
    if only.startswith("enum:"):
        return enums()[only[5:]][0]
    if only == "datetime" or (only == "str" and _MOMENT.search(name)):
        return "2026-01-31T12:00:00Z"
    if only == "any":
        return {f"some {name}": "hush"}
    if only == "date":
        return "2026-01-31"
    if only == "uuid":
        return "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11"
    return {"str": f"some {name}", "int": 7, "float": 1.5, "bool": True}[only]


def _opened(kind: str) -> set[str]:
    return items([kind]) or {kind}
