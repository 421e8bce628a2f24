"""Operation: one endpoint of the platform, declared once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import quote, unquote, urlencode, urlsplit

import attrs

from thingspace_async._core.faults import fault_of_text
from thingspace_async.errors import InvalidRequest

__all__ = [
    "SESSION_HEADER",
    "Encoded",
    "Method",
    "Operation",
    "Query",
    "Server",
    "Text",
    "check_headers",
    "check_path",
    "check_query",
    "check_request",
    "encode_query",
    "fill_path",
    "request_of",
]

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
"""The platform's servers. Each environment has a base URL for each server."""

Query: TypeAlias = Mapping[str, str | Sequence[str] | Mapping[str, str]]
"""Query values. A sequence repeats its name, and an object becomes its members, as by default in OpenAPI."""

SESSION_HEADER: Final = "VZ-M2M-Token"
_SESSION_HEADERS: Final[Mapping[str, str]] = {"imp": "SessionToken"}


class Encoded:
    """Base of bodies that are not JSON, such as `Text`. Used as `Operation.request`."""

    __slots__ = ()

    def encoded(self) -> tuple[bytes, str]:
        """Return the body and its content type."""
        raise NotImplementedError


class Text(str, Encoded):
    """A plain-text body. Used as `Operation.request` or `Operation.answer`."""

    __slots__ = ()

    def encoded(self) -> tuple[bytes, str]:
        """Return the body and its content type."""
        return self.encode(), "text/plain; charset=utf-8"


@attrs.frozen(eq=False)  # Never compared.
class Operation(Generic[Q, R]):
    """One endpoint. Its name identifies it in calls, errors, logs, the simulator and the benchmarks."""

    name: str
    method: Method
    path: str
    """Path below the server's base URL, with `{named}` values."""
    request: type[Q]
    """Model of the body, or NoneType without a body."""
    answer: type[R]
    """Type of the answer, or NoneType if its body is ignored."""
    repeatable: bool = attrs.field(default=False, kw_only=True)
    """Whether sending the request twice has the same effect as sending it once. Many reads are POST.

    False if the result arrives later, because a second request would send up to 10,000 messages again.
    """
    server: Server = attrs.field(default="thingspace", kw_only=True)
    accept: str | None = attrs.field(default=None, kw_only=True)
    """Accept header, if the answer is neither JSON nor `Text`."""
    empty: R | None = attrs.field(default=None, kw_only=True)
    """Value of a successful answer without a body, although a model is documented."""
    unwrap: str | None = attrs.field(default=None, kw_only=True)
    """Member of an object that may wrap the list. A bare list is read, too."""
    one_or_many: bool = attrs.field(default=False, kw_only=True)
    """Whether to read a single object as a list of one."""
    secret_headers: bool = attrs.field(default=False, kw_only=True)
    """Whether the answer's headers hold a secret under an unknown name, so that all of them are hidden."""
    headers: Mapping[str, str] | None = attrs.field(init=False)
    session_header: str = attrs.field(init=False)
    """Name of the header with the session token."""
    is_plain: bool = attrs.field(init=False)
    """Whether the answer is JSON that needs none of the options above."""

    def __attrs_post_init__(self) -> None:
        # Computed once, so that the options cost nothing in ordinary calls.
        set_field = object.__setattr__
        answer: object = self.answer
        accept = self.accept or ("text/plain" if answer is Text else None)
        set_field(self, "headers", None if accept is None else {"Accept": accept})
        set_field(self, "session_header", _SESSION_HEADERS.get(self.server, SESSION_HEADER))
        plain = answer not in (Text, NoneType) and self.empty is None and self.unwrap is None and not self.one_or_many
        set_field(self, "is_plain", plain)


def check_request(operation: Operation[Any, Any], request: object, advice: str = "") -> None:
    """Raise InvalidRequest unless the request is the operation's model: a dict would bypass the model's checks."""
    if not isinstance(request, operation.request):
        given = "None" if request is None else f"a value of type {type(request).__name__}"
        name = operation.request.__name__
        article = "an" if name[0] in "AEIOU" else "a"
        raise InvalidRequest(f"{operation.name}: pass {article} {name}, not {given}{advice}")


# Compiled at first use, like all patterns of this package, to keep the import fast.
_HEADER_NAME: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_OURS: Final = frozenset(
    {
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "cookie",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        SESSION_HEADER.casefold(),
        *(name.casefold() for name in _SESSION_HEADERS.values()),
    }
)
"""Headers that hold tokens or belong to the HTTP connection."""


def check_path(path: str, base: str) -> None:
    """Raise InvalidRequest for a path that a user must not append to a base URL."""
    if not isinstance(path, str):
        raise InvalidRequest(f"request: the path must be a str, not {type(path).__name__}")
    plain = path.partition("?")[0]
    if not path.startswith("/") or path.startswith("//"):
        raise InvalidRequest("request: the path must begin with one slash, as in /m2m/v1/...")
    if path.startswith("/api/") and urlsplit(base).path.startswith("/api"):
        raise InvalidRequest("request: leave /api out of the path: it must begin as in /m2m/v1/...")
    if not path.isprintable() or not path.isascii() or " " in path or "#" in path:
        raise InvalidRequest("request: percent-encode spaces, control characters, # and non-ASCII letters in the path")
    if {".", ".."} & set(unquote(plain).replace("\\", "/").split("/")):
        raise InvalidRequest("request: the path must not have a `.` or `..` segment")


def check_headers(operation: str, headers: Mapping[str, str]) -> None:
    """Raise InvalidRequest for a header that a call must not set, or whose value could start another header."""
    if not isinstance(headers, Mapping):
        raise InvalidRequest(f"{operation}: headers must map names to strings, not {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or re.fullmatch(_HEADER_NAME, name) is None:
            raise InvalidRequest(f"{operation}: a header's name may have letters, digits and dashes only")
        if name.casefold() in _OURS:
            raise InvalidRequest(f"{operation}: the session sets the header {name}: leave it out")
        if not isinstance(value, str):
            raise InvalidRequest(f"{operation}: the header {name} must be a str, not {type(value).__name__}")
        if not (value and value.isascii() and value.isprintable() and value == value.strip()):
            raise InvalidRequest(
                f"{operation}: the header {name} must have visible ASCII characters only, without spaces around them"
            )


_LONGEST_QUERY: Final = 8_000
"""Most servers limit the whole request line to 8 KB."""


def check_query(operation: Operation[Any, Any], query: Query) -> None:
    """Raise InvalidRequest for a value of a typed call that is empty or unreadable."""
    for name, value in query.items():
        for _, one in _pairs({name: value}) or [(name, "")]:
            if (fault := fault_of_text(one)) is not None:
                raise InvalidRequest(f"{operation.name}: {name} in the URL {fault}")


def encode_query(operation: Operation[Any, Any], query: Query) -> str:
    """Encode query values for a URL. Raises InvalidRequest if they are too long for most servers."""
    encoded = urlencode(_pairs(query))
    if (length := len(encoded)) > _LONGEST_QUERY:
        raise InvalidRequest(
            f"{operation.name}: the request needs {length:,} characters in the URL, but {_LONGEST_QUERY:,} is the "
            "limit: send fewer items at a time"
        )
    return encoded


def _pairs(query: Query) -> list[tuple[str, object]]:
    """Return names with their values."""
    pairs: list[tuple[str, object]] = []
    for name, value in query.items():
        if isinstance(value, Mapping):
            pairs += value.items()
        else:
            pairs += [(name, one) for one in (value if isinstance(value, list | tuple) else [value])]
    return pairs


def request_of(operation: Operation[Q, Any], request: Q | None, filters: Mapping[str, Any], advice: str = "") -> Q:
    """Return the request of a `list` method: the given request, or a request made of keywords.

    Raises InvalidRequest if both are given.
    """
    if request is None:
        return operation.request(**filters)
    check_request(operation, request, advice)
    if filters:
        names = ", ".join(filters)
        raise InvalidRequest(f"{operation.name}: pass a request or keywords, not both: put {names} into the request")
    return request


_DOTS: Final = frozenset({".", ".."})


def fill_path(operation: Operation[Q, R], values: Mapping[str, str]) -> str:
    """Put values into an operation's path, percent-encoded.

    Raises InvalidRequest if a value is not a string, or would lead to another path.
    """
    for name, value in values.items():
        if not isinstance(value, str):  # Checked before the cache: its keys must be hashable, and 1 equals True.
            raise InvalidRequest(f"{operation.name}: {name} {fault_of_text(value)}")
    return _filled(operation.name, operation.path, tuple(values.items()))


@lru_cache(maxsize=1024)  # Most calls of an application name the same few accounts.
def _filled(operation: str, path: str, values: tuple[tuple[str, str], ...]) -> str:
    for name, value in values:
        if (fault := _fault_of(value)) is not None:
            raise InvalidRequest(f"{operation}: {name} {fault}")
    return path.format_map({name: quote(value, safe="") for name, value in values})


def _fault_of(value: str) -> str | None:
    if (fault := fault_of_text(value)) is not None:
        return fault
    if not _DOTS.isdisjoint(value.replace("\\", "/").split("/")):
        return "has a `.` or `..` segment, which would change the path"
    return None
