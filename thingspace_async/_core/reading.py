"""Read a successful answer as its operation's type."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final, TypeVar, cast, get_origin

import orjson

from thingspace_async._core import codec
from thingspace_async._core.operation import Operation, Text
from thingspace_async._core.transport import Answer
from thingspace_async.errors import AnswerUnreadable

__all__ = ["read_answer"]

R = TypeVar("R")

_PAGE: Final = (b"<!doctype", b"<html")


def read_answer(operation: Operation[Any, R], answer: Answer, tries: int) -> R:
    """Read a successful answer as the operation's type."""
    try:
        if operation.is_plain:
            return codec.load(answer.body, operation.answer)
        return _read_odd(operation, answer.body)
    except codec.Mismatch as mismatch:
        if _is_empty_list(operation, answer.body):
            return cast("R", ())
        failure = AnswerUnreadable(
            mismatch.message,
            operation=operation.name,
            path=mismatch.path,
            status=answer.status,
            tries=tries,
            body=answer.body,
        )
    try:
        raise failure
    finally:
        del failure  # The error's traceback refers to this frame, which would be a reference cycle.


def _read_odd(operation: Operation[Any, R], body: bytes) -> R:
    """Read an answer that is plain text, that may be empty, or whose list may have several forms."""
    kind: Any = operation.answer
    if kind in (NoneType, Text) and body.lstrip()[:9].lower().startswith(_PAGE):
        raise codec.Mismatch("expected no HTML page: a proxy or a firewall may have answered")
    if kind is NoneType:
        return cast("R", None)
    if kind is Text:
        try:
            return cast("R", Text(body.decode("utf-8-sig")))
        except UnicodeDecodeError:
            raise codec.Mismatch("expected text in UTF-8") from None
    if operation.empty is not None and not body.strip():
        return operation.empty
    if operation.unwrap is not None or operation.one_or_many:
        body = _as_list(operation, body)
    return codec.load(body, operation.answer)


def _is_empty_list(operation: Operation[Any, Any], body: bytes) -> bool:
    """Return whether the answer of a read is null instead of a list, as some of the platform's servers write it."""
    return operation.repeatable and get_origin(operation.answer) is tuple and body.strip() == b"null"


def _as_list(operation: Operation[Any, Any], body: bytes) -> bytes:
    """Return the list in a body as JSON: the body itself, one of its members, or the body as the only item."""
    member = operation.unwrap
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body  # The codec reports the fault.
    if isinstance(found, dict):
        if member is not None and member in found:
            is_empty = found[member] is None and operation.repeatable
            return orjson.dumps([] if is_empty else found[member])
        if operation.one_or_many:
            return orjson.dumps([found])
        raise codec.Mismatch(f"expected a list, or an object with the member `{member}`")
    return body
