"""What every request passes before its room answers: the gateway's check of the bearer, and that of the session."""

from __future__ import annotations

import uuid
from typing import Any

from thingspace_async._operation import Operation
from thingspace_async.session_management.calls import LOG_IN, LOG_OUT
from thingspace_async.simulator.state import LiveSession
from thingspace_async.simulator.wire import SESSION_HEADER, Answer, Call, Handler, Received, Refusal, fault, refuse

__all__ = ["answer", "answer_nowhere", "missing_credentials"]


def answer(operation: Operation[Any, Any], handler: Handler, call: Call) -> Answer:
    """Answer a request as the platform does."""
    session: LiveSession | None = None
    call.platform.settle()
    try:
        if operation.server != "oauth":
            _check_bearer(call)
            if operation.name != LOG_IN.name:
                session = _find_session(operation, call)
        call.check_characters({**call.path, **call.received.query})
        given = handler(call)
    except Refusal as refusal:
        given = refusal.answer
    if session is not None and (given.status < 400 or call.platform.assumptions.refused_calls_keep_session):
        session.used = call.platform.clock.now()
    return given


def answer_nowhere(call: Call) -> Answer:
    """Answer a request to an address that there is not (protocol.md 2.2)."""
    received = call.received
    if not received.path.startswith("/api/"):
        return fault(404, "404", "Not Found", "The requested resource is not available.")
    return fault(
        400, "900906", "No matching resource found in the API for the given request", _access_failure(received)
    )


def missing_credentials() -> Refusal:
    """Refuse a request without Authorization."""
    return Refusal(
        fault(
            401,
            "900902",
            "Missing Credentials",
            "Required OAuth credentials not provided. Make sure your API invocation call has a header: "
            '"Authorization: Bearer ACCESS_TOKEN"',
        )
    )


def _check_bearer(call: Call) -> None:
    kind, _, value = call.received.headers.get("Authorization", "").partition(" ")
    if kind.casefold() != "bearer":
        raise missing_credentials()
    token = call.platform.access_token
    if token is None or value != token.value:
        raise Refusal(
            fault(
                401,
                "900901",
                "Invalid Credentials",
                f"{_access_failure(call.received)} Make sure you have given the correct access token",
            )
        )


def _access_failure(received: Received) -> str:
    api, version = (*received.path.split("/"), "", "", "", "")[2:4]
    return f"Access failure for API: /{api}/{version}, version: {version}."


def _find_session(operation: Operation[Any, Any], call: Call) -> LiveSession:
    token = call.received.headers.get(SESSION_HEADER, "")
    if not token:
        raise refuse(
            "UnifiedWebService.REQUEST_FAILED.SessionToken.Format",
            "The SessionToken is missing or has the wrong format.",
        )
    session = call.platform.sessions.get(token) if _is_guid(token) else None
    if session is None:
        raise refuse("UnifiedWebService.INPUT_INVALID.SessionToken.Invalid", "The SessionToken is invalid.")
    lenient = operation.name == LOG_OUT.name and call.platform.assumptions.expired_session_logs_out
    if call.platform.has_expired(session) and not lenient:
        raise refuse("UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "The Session has expired")
    return session


def _is_guid(token: str) -> bool:
    try:
        uuid.UUID(token)
    except ValueError:
        return False
    return True
