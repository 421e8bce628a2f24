"""What goes in and out of the simulator's handlers: plain JSON, never the client's models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import attrs
import orjson
from aiohttp import web

from thingspace_async.simulator.state import LiveSession, Platform

__all__ = [
    "SESSION_HEADER",
    "Answer",
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

SESSION_HEADER = "VZ-M2M-Token"


@attrs.define(kw_only=True)
class Received:
    """A request that came in. Its repr shows none of the secrets that it may hold."""

    operation: str | None
    """None when nothing answers at its path."""
    method: str
    path: str
    query: Mapping[str, str] = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    status: int | None = None
    """The status of its answer; None while there is none, and when none was sent whole."""

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return orjson.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body, read as a form."""
        return dict(parse_qsl(self.body.decode()))


def encode(body: object) -> bytes:
    """Return bytes and text as they are, and anything else as JSON."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else orjson.dumps(body)


@attrs.frozen
class Answer:
    """An answer, before it is sent."""

    status: int
    body: bytes = attrs.field(default=b"", repr=False, converter=encode)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False, kw_only=True)

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers that are sent."""
        plain = {"Content-Type": "application/json;charset=UTF-8"} if self.body else {}
        return {**plain, **self.headers}

    def response(self) -> web.Response:
        """Make what aiohttp sends."""
        return web.Response(status=self.status, body=self.body, headers=self.all_headers)

    def head(self) -> bytes:
        """Return the bytes before the body."""
        headers = {**self.all_headers, "Content-Length": str(max(1, len(self.body)))}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()


class Refusal(Exception):
    """Ends the handling of a request with an answer that says no."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def refuse(code: str, message: str, status: int = 400) -> Refusal:
    """Make a refusal in the shape of the connectivity APIs (protocol.md 2.1)."""
    return Refusal(Answer(status, {"errorCode": code, "errorMessage": message}))


def fault(status: int, code: str, message: str, description: str) -> Answer:
    """Make a refusal in the shape of the gateway (protocol.md 2.2)."""
    return Answer(status, {"fault": {"code": code, "message": message, "description": description}})


@attrs.frozen(kw_only=True)
class Call:
    """A request that the gateway let through."""

    platform: Platform
    received: Received
    path: Mapping[str, str]

    @property
    def session(self) -> LiveSession:
        """The session that the gateway has checked."""
        return self.platform.sessions[self.received.headers[SESSION_HEADER]]

    def document(self, *, may_be_blank: bool = False) -> dict[str, Any]:
        """Read the body, which must be a JSON object without forbidden characters."""
        if not self.received.body.strip():
            if may_be_blank:
                return {}
            raise refuse(
                "UnifiedWebService.INPUT_INVALID.RequestUndefined",
                "Request cannot be blank. Please provide request details.",
            )
        try:
            document = self.received.json
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise _not_deserialized("The input source is not correctly formatted.")
        self.check_characters(document)
        return document

    def check_characters(self, value: object) -> None:
        """Refuse the characters that the platform forbids in any input (protocol.md 4.1)."""
        if isinstance(value, str):
            if not _FORBIDDEN.isdisjoint(value):
                raise refuse(
                    "UnifiedWebService.INPUT_INVALID.Request.InvalidCharacter",
                    "The request contains an invalid character.",
                )
        elif isinstance(value, Mapping):
            for each in value.values():
                self.check_characters(each)
        elif isinstance(value, list):
            for each in value:
                self.check_characters(each)

    def check_account(self, name: str) -> str:
        """Return an account's name if there is such an account."""
        if name not in self.platform.accounts:
            raise refuse(
                "UnifiedWebService.REQUEST_FAILED.AccountNotFound", f"The account name could not be found: {name}."
            )
        return name


Handler = Callable[[Call], Answer]

_FORBIDDEN = frozenset("'<\\")


def _not_deserialized(detail: str) -> Refusal:
    # The platform's own spelling of "deserialze" (protocol.md 2.1).
    return refuse(
        "UnifiedWebService.DeserializationFailed",
        f"The formatter threw an exception while trying to deserialze the message: {detail}",
    )


def optional(document: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    """Return an element, None where it is absent or null; refuse another type than `kind`."""
    value = document.get(name)
    if value is None or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
        return value
    raise unexpected()


def required(document: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Return an element; refuse a request without it."""
    value = optional(document, name, kind)
    if value is None:
        raise _not_deserialized(f"Expecting element '{name}'.")
    return value


def unexpected() -> Refusal:
    """Refuse a value that makes no sense to the platform."""
    return refuse(
        "UnifiedWebService.REQUEST_FAILED.UnexpectedError", "Unexpected error occurred. Could not complete request."
    )
