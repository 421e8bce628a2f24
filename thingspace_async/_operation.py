"""Operation: one endpoint of the platform, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import quote

import attrs

from thingspace_async._checks import fault_of_text
from thingspace_async.errors import InvalidRequest

__all__ = ["Method", "Operation", "Server", "check_request", "fill_path"]

Q = TypeVar("Q")
R = TypeVar("R")

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

Server = Literal[
    "thingspace",
    "oauth",
    "m2m",
    "location",
    "subscriptions",
    "software_management_v1",
    "software_management_v2",
    "software_management_v3",
    "diagnostics",
    "cloud_connector",
    "hyper_precise_location",
    "hyper_precise_credentials",
    "quality_of_service",
    "edge_services",
    "imp",
]
"""The platform's servers; each environment has a base URL for each."""


@attrs.frozen(eq=False)  # Never compared.
class Operation(Generic[Q, R]):
    """One endpoint. Calls, errors, logs, the simulator and the benchmarks all know it by its name."""

    name: str
    method: Method
    path: str
    """Below the server's base, with `{named}` values."""
    request: type[Q]
    """The body's model; NoneType where there is no body."""
    answer: type[R]
    """NoneType where the answer has no body that matters."""
    repeatable: bool = attrs.field(default=False, kw_only=True)
    """Whether doing it twice means the same as doing it once. About meaning, not the HTTP verb: many reads are POST.

    Not so where the answer arrives later: asked twice, it would be sent twice, once for each of up to 10,000 devices.
    """
    server: Server = attrs.field(default="thingspace", kw_only=True)


def check_request(operation: Operation[Any, Any], request: object, advice: str = "") -> None:
    """Raise InvalidRequest for what is not the operation's request; a dict would go past the checks of the model."""
    if not isinstance(request, operation.request):
        given = "None" if request is None else f"a value of type {type(request).__name__}"
        name = operation.request.__name__
        article = "an" if name[0] in "AEIOU" else "a"
        raise InvalidRequest(f"{operation.name}: give {article} {name}, not {given}{advice}")


_DOTS: Final = frozenset({".", ".."})


def fill_path(operation: Operation[Q, R], values: Mapping[str, str]) -> str:
    """Put values into an operation's path, percent-encoded.

    Raises InvalidRequest for a value that is no text, or that would lead to another path.
    """
    for name, value in values.items():
        if not isinstance(value, str):  # Before the cache, for which it need not be hashable, and 1 would be True.
            raise InvalidRequest(f"{operation.name}: {name} {fault_of_text(value)}")
    return _filled(operation.name, operation.path, tuple(values.items()))


@lru_cache(maxsize=1024)  # Nearly every call of an application names the same few accounts.
def _filled(operation: str, path: str, values: tuple[tuple[str, str], ...]) -> str:
    for name, value in values:
        if (fault := _fault_of(value)) is not None:
            raise InvalidRequest(f"{operation}: {name} {fault}")
    return path.format_map({name: quote(value, safe="") for name, value in values})


def _fault_of(value: str) -> str | None:
    if (fault := fault_of_text(value)) is not None:
        return fault
    if not _DOTS.isdisjoint(value.replace("\\", "/").split("/")):
        return "has a `.` or `..` segment, which would lead to another path"
    return None
