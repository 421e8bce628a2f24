"""Checks of every request before its room answers: the gateway's bearer token, and the session token."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

import attrs

from thingspace_async._core.operation import Operation
from thingspace_async.session_management.calls import LOG_IN, LOG_OUT
from thingspace_async.simulator.fleet import stamp
from thingspace_async.simulator.mechanisms.dialect import Dialect, dialect_of
from thingspace_async.simulator.tokens import LiveSession
from thingspace_async.simulator.wire import Answer, Call, Handler, Received, Refusal, fault, refuse

__all__ = ["answer", "answer_unknown_path", "missing_credentials"]


def answer(operation: Operation[Any, Any], handler: Handler, call: Call) -> Answer:
    """Answer a request as the platform does."""
    session: LiveSession | None = None
    call = attrs.evolve(call, dialect=dialect_of(operation.server, operation.path))
    call.platform.settle()
    try:
        if operation.server != "oauth":
            _check_bearer(call)
            if operation.name != LOG_IN.name:
                session = _find_session(operation, call)
        call.check_characters(call.path)
        call.check_characters(call.received.query)
        given = handler(call)
    except Refusal as refusal:
        given = attrs.evolve(refusal.answer(_refusing(call)), reason=call.explain(refusal))
    finally:
        call.forget()
    if session is not None and (given.status < 400 or call.platform.assumptions.refused_calls_keep_session):
        session.used = call.platform.clock.now()
    return given


def _refusing(call: Call) -> Dialect:
    """Return the dialect of a refusal, with its id and its time if the server has them."""
    dialect = call.dialect
    if not dialect.is_traced:
        return dialect
    now = stamp(call.platform.clock.now())
    trace = {"uuid": str(uuid5(NAMESPACE_URL, f"{call.received.path} {now}")), "timestamp": now}
    return attrs.evolve(dialect, body=lambda code, message: dialect.body(code, message) | trace)


def answer_unknown_path(call: Call) -> Answer:
    """Answer a request to an unknown path (PROTOCOL.md 2.2)."""
    received = call.received
    reason = f"no operation has the path {received.method} {received.path}"
    if not received.path.startswith("/api/"):
        return fault(404, "404", "Not Found", "The requested resource is not available.", reason=reason)
    message = "No matching resource found in the API for the given request"
    return fault(400, "900906", message, _access_failure(received), reason=reason)


def missing_credentials() -> Refusal:
    """Make the refusal of a request without an Authorization header."""
    return Refusal(
        lambda _: fault(
            401,
            "900902",
            "Missing Credentials",
            "Required OAuth credentials not provided. Make sure your API invocation call has a header: "
            '"Authorization: Bearer ACCESS_TOKEN"',
        ),
        "the header Authorization is missing, or has the wrong scheme",
    )


def _check_bearer(call: Call) -> None:
    kind, _, value = call.received.headers.get("Authorization", "").partition(" ")
    if kind.casefold() != "bearer":
        raise missing_credentials()
    token = call.platform.tokens.access
    if token is None or value != token.value:
        raise Refusal(
            lambda _: fault(
                401,
                "900901",
                "Invalid Credentials",
                f"{_access_failure(call.received)} Make sure you have given the correct access token",
            ),
            "the OAuth token has expired: request a new one"
            if token is None
            else "the header Authorization does not contain the latest OAuth token",
        )


def _access_failure(received: Received) -> str:
    api, version = (*received.path.split("/"), "", "", "", "")[2:4]
    return f"Access failure for API: /{api}/{version}, version: {version}."


def _find_session(operation: Operation[Any, Any], call: Call) -> LiveSession:
    header = call.dialect.session_header
    token = call.received.headers.get(header, "")
    if not token:
        raise refuse(
            "UnifiedWebService.REQUEST_FAILED.SessionToken.Format",
            "The SessionToken is missing or has the wrong format.",
            reason=f"the header {header} is missing",
        )
    session = call.platform.tokens.sessions.get(token)
    if session is None:
        raise refuse(
            "UnifiedWebService.INPUT_INVALID.SessionToken.Invalid",
            "The SessionToken is invalid.",
            reason=f"the header {header} does not contain the token of a session: log in again",
        )
    lenient = operation.name == LOG_OUT.name and call.platform.assumptions.expired_session_logs_out
    if call.platform.tokens.has_expired(session) and not lenient:
        raise refuse(
            "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired",
            "The Session has expired",
            reason="the session was idle for 20 minutes, or reached its maximum age: log in again",
        )
    return session
