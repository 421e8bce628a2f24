"""Requests, answers and refusals of the simulator's handlers: plain JSON, never the client's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import attrs
import orjson
from aiohttp import web

from thingspace_async.simulator.mechanisms.dialect import M2M, Dialect
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.tokens import LiveSession

__all__ = [
    "REASON_HEADER",
    "Answer",
    "At",
    "Call",
    "Handler",
    "Received",
    "Refusal",
    "fault",
    "optional",
    "refuse",
    "required",
    "unexpected",
]

T = TypeVar("T")

REASON_HEADER = "X-Simulator-Reason"
"""The header with the reason of a refusal, which the platform does not send."""

_LONGEST_REASON = 500


@attrs.define(kw_only=True)
class Received:
    """A received request. Its repr shows no secrets."""

    operation: str | None
    """None if no operation has its path."""
    method: str
    path: str
    query: Mapping[str, str] = attrs.field(repr=False)
    """Repeated values of a name are joined with commas."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    number: int = 0
    """Increases with each request."""
    at: datetime | None = None
    """The simulated time of its arrival."""
    status: int | None = None
    """The status of its answer; None before the answer, and if the connection was closed instead."""
    reason: str | None = None
    """The reason of a refusal; None for any other answer."""
    answer: bytes = attrs.field(default=b"", repr=False)
    """The body of its answer, up to 4,096 bytes."""

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return orjson.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body, parsed as a form."""
        return dict(parse_qsl(self.body.decode()))


def encode(body: object) -> bytes:
    """Return bytes unchanged, strings in UTF-8, and anything else as JSON."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else orjson.dumps(body)


def _header_safe(text: str) -> str:
    """Escape and shorten a string that may contain a client's input, so that it fits a header."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(each if each.isprintable() else "?" for each in plain)[:_LONGEST_REASON]


@attrs.frozen
class Answer:
    """An answer, before it is sent."""

    status: int
    body: bytes = attrs.field(default=b"", repr=False, converter=encode)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False, kw_only=True)
    reason: str | None = attrs.field(default=None, kw_only=True)
    """The reason of a refusal."""

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers to send, apart from Content-Length."""
        plain = {"Content-Type": "application/json;charset=UTF-8"} if self.body else {}
        reason = {} if self.reason is None else {REASON_HEADER: _header_safe(self.reason)}
        return {**plain, **self.headers, **reason}

    def response(self) -> web.Response:
        """Return the answer for aiohttp."""
        return web.Response(status=self.status, body=self.body, headers=self.all_headers)

    def head(self) -> bytes:
        """Return the bytes before the body."""
        headers = {**self.all_headers, "Content-Length": str(max(1, len(self.body)))}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


At = tuple[object, str | int]
"""A part of a request: the object or list that contains it, and its name or index there."""


class Refusal(Exception):
    """Raised to refuse a request."""

    def __init__(self, answer: Callable[[Dialect], Answer], reason: str, at: At | None = None) -> None:
        super().__init__(reason)
        self.answer = answer
        """Builds the answer in the wording of a server."""
        self.reason = reason
        """An explanation for the client's developer: the platform's own words seldom help."""
        self.at = at
        """The part of the request at fault. The reason continues a sentence that begins with its name."""


def refuse(code: str, message: str, status: int = 400, *, reason: str = "", at: At | None = None) -> Refusal:
    """Make a refusal in the wording of its server (PROTOCOL.md 2.1). The reason is the message by default."""
    return Refusal(
        lambda dialect: Answer(dialect.status(code, status), dialect.body(code, message)), reason or message, at
    )


def fault(status: int, code: str, message: str, description: str, *, reason: str | None = None) -> Answer:
    """Make a refusal in the gateway's shape (PROTOCOL.md 2.2)."""
    return Answer(status, {"fault": {"code": code, "message": message, "description": description}}, reason=reason)


@attrs.frozen(kw_only=True)
class Call:
    """A request that the gateway let through."""

    platform: Platform
    received: Received
    path: Mapping[str, str]
    dialect: Dialect = M2M
    _documents: list[object] = attrs.field(factory=list[object], init=False, repr=False)
    """The parsed body, once it was read."""

    def explain(self, refusal: Refusal) -> str:
        """Return the reason of a refusal, with the path of the part at fault."""
        if refusal.at is None:
            return refusal.reason
        container, name = refusal.at
        roots = [("query", self.received.query), ("path", self.path), *(("body", one) for one in self._documents)]
        for root, document in roots:
            if (found := _find(document, container)) is not None:
                return f"{root}: {_join(found, name)} {refusal.reason}"
        return f"body: {name} {refusal.reason}"

    def forget(self) -> None:
        """Drop the parsed body, because pending work may keep this call alive."""
        self._documents.clear()

    @property
    def session(self) -> LiveSession:
        """The platform session, which the gateway has checked."""
        return self.platform.tokens.sessions[self.received.headers[self.dialect.session_header]]

    def document(self, *, may_be_blank: bool = False) -> dict[str, Any]:
        """Return the body, which must be a JSON object without forbidden characters."""
        if not self.received.body.strip():
            if may_be_blank:
                return {}
            raise refuse(
                "UnifiedWebService.INPUT_INVALID.RequestUndefined",
                "Request cannot be blank. Please provide request details.",
                reason="the body is empty: it must be a JSON object",
            )
        document = self._parsed()
        if not isinstance(document, dict):
            raise _not_deserialized(_UNREADABLE, f"the body must be a JSON object, not {_kind_of(document)}")
        self._documents.append(document)
        self.check_characters(document)
        return document

    def documents(self) -> list[dict[str, Any]]:
        """Return the body, which must be a JSON object or a list of JSON objects, without forbidden characters."""
        if not self.received.body.lstrip().startswith(b"["):
            return [self.document()]
        documents: list[dict[str, Any]] = self._parsed()
        self._documents.append(documents)
        for place, each in enumerate(documents):
            if not isinstance(each, dict):
                raise unexpected("must be an object", at=(documents, place))
        self.check_characters(documents)
        return documents

    def _parsed(self) -> Any:
        try:
            return self.received.json
        except orjson.JSONDecodeError as error:
            raise _not_deserialized(_UNREADABLE, f"the body is not valid JSON: {error}") from None

    def check_characters(self, value: object) -> None:
        """Refuse the characters that the platform forbids in any input (PROTOCOL.md 4.1)."""
        members = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
        for name, each in members:
            if not isinstance(each, str):
                self.check_characters(each)
            elif not self.dialect.forbidden.isdisjoint(each):
                raise refuse(
                    "UnifiedWebService.INPUT_INVALID.Request.InvalidCharacter",
                    "The request contains an invalid character.",
                    reason=f"holds one of the forbidden characters {' '.join(sorted(self.dialect.forbidden))}",
                    at=(value, name),
                )

    def check_account(self, name: str) -> str:
        """Return the name of an existing account; refuse any other name."""
        if name not in self.platform.accounts:
            raise refuse(
                "UnifiedWebService.REQUEST_FAILED.AccountNotFound",
                f"The account name could not be found: {name}.",
                reason=f"unknown account {name!r}; known: {', '.join(sorted(self.platform.accounts))}",
            )
        return name


Handler = Callable[[Call], Answer]


_UNREADABLE = "The input source is not correctly formatted."


def _not_deserialized(detail: str, reason: str, at: At | None = None) -> Refusal:
    # The platform's own spelling of "deserialze" (PROTOCOL.md 2.1).
    return refuse(
        "UnifiedWebService.DeserializationFailed",
        f"The formatter threw an exception while trying to deserialze the message: {detail}",
        reason=reason,
        at=at,
    )


_KINDS: Mapping[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def _kind_of(value: object) -> str:
    return _KINDS[type(value)]


def _join(path: str, name: str | int) -> str:
    """Return the path of a member. The path of the document itself is empty."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _find(root: object, wanted: object, path: str = "") -> str | None:
    """Return the path of an object in a document, found by identity."""
    if root is wanted:
        return path
    members = root.items() if isinstance(root, dict) else enumerate(root) if isinstance(root, list) else ()
    for name, each in members:
        if isinstance(each, dict | list) and (found := _find(each, wanted, _join(path, name))) is not None:
            return found
    return None


def optional(document: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    """Return an element, or None if it is absent or null; refuse a value of a type other than `kind`."""
    value = document.get(name)
    if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
        return value
    raise unexpected(f"must be {_KINDS[kind]}, not {_kind_of(value)}", at=(document, name))


def required(document: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Return an element; refuse a request without it."""
    value = optional(document, name, kind)
    if value is None:
        reason = f"is missing: it must be {_KINDS[kind]}"
        raise _not_deserialized(f"Expecting element '{name}'.", reason, (document, name))
    return value


def unexpected(reason: str, at: At | None = None) -> Refusal:
    """Make the platform's catch-all refusal."""
    return refuse(
        "UnifiedWebService.REQUEST_FAILED.UnexpectedError",
        "Unexpected error occurred. Could not complete request.",
        reason=reason,
        at=at,
    )
