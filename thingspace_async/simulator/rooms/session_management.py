"""Handlers for OAuth and session management (PROTOCOL.md 1)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.session_management.calls import LOG_IN, LOG_OUT, OAUTH_REVOKE, OAUTH_TOKEN, RESET_PASSWORD
from thingspace_async.simulator.gateway import missing_credentials
from thingspace_async.simulator.users import User
from thingspace_async.simulator.wire import Answer, Call, Handler, Refusal, refuse, required

__all__ = ["HANDLERS"]

_GRANT_TYPE: Final = "grant_type must be client_credentials, in a form or in the query"
_KEY: Final = "the header Authorization must be Basic with the simulator's client id and client secret"


def issue_token(call: Call) -> Answer:
    """Return the OAuth token. `grant_type` may be in the form or in the query."""
    _check_key(call)
    given = {**call.received.query, **call.received.form}
    if given.get("grant_type") != "client_credentials":
        raise _oauth_refusal(400, "unsupported_grant_type", "Missing or invalid grant_type parameter", _GRANT_TYPE)
    token, left = call.platform.tokens.issue_access(), call.platform.assumptions.expires_in_is_time_left
    seconds = int((token.ends - call.platform.clock.now()).total_seconds()) if left else 3600
    return Answer(200, {"access_token": token.value, "scope": "default", "token_type": "Bearer", "expires_in": seconds})


def revoke_token(call: Call) -> Answer:
    """Revoke the OAuth token. The answer has no body."""
    _check_key(call)
    token = call.platform.tokens.access
    if token is None or call.received.form.get("token") != token.value:
        return Answer(200)
    call.platform.tokens.expire_access()
    return Answer(200, headers={call.platform.assumptions.revocation_header: token.value})


def _check_key(call: Call) -> None:
    if (authorization := call.received.headers.get("Authorization")) is None:
        raise missing_credentials()
    kind, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        pair = ""
    known = call.platform.credentials
    if kind.casefold() != "basic" or pair != f"{known.client_id}:{known.client_secret.reveal()}":
        raise _oauth_refusal(401, "invalid_client", "A valid OAuth client could not be found for client_id.", _KEY)


def _oauth_refusal(status: int, error: str, description: str, reason: str) -> Refusal:
    return Refusal(lambda _: Answer(status, {"error": error, "error_description": description}), reason)


def log_in(call: Call) -> Answer:
    """Start a session."""
    document = call.document()
    username, password = required(document, "username", str), required(document, "password", str)
    _check_password(call, call.platform.users.get(username), password, counts=True)
    session = call.platform.tokens.begin_session(call.platform.users[username])
    return Answer(200, {"sessionToken": session.token})


def log_out(call: Call) -> Answer:
    """End a session."""
    session = call.session
    del call.platform.tokens.sessions[session.token]
    return Answer(200, {"sessionToken": session.token})


def reset_password(call: Call) -> Answer:
    """Set a new random password for the session's user."""
    old = required(call.document(), "oldPassword", str)
    user, assumptions = call.session.user, call.platform.assumptions
    _check_password(call, user, old, counts=assumptions.wrong_old_password_counts)
    user.password = call.platform.new_password()
    if not assumptions.session_survives_reset:
        call.platform.tokens.end_sessions(user)
    return Answer(200, {"newPassword": user.password})


def _check_password(call: Call, user: User | None, password: str, *, counts: bool) -> None:
    """Refuse a wrong password, and any password of a locked user. `counts` adds a refusal towards the lock-out."""
    assumptions = call.platform.assumptions
    if user is not None and user.locked:
        reason = f"the user {user.name} is locked after {user.refusals} wrong passwords in a row: unlock the user"
        raise refuse(
            assumptions.locked_user_code, "The user is locked.", assumptions.refused_login_status, reason=reason
        )
    if user is None or password != user.password:
        if user is not None and counts:
            user.refusals += 1
        reason = (
            "the user is unknown"
            if user is None
            else f"wrong password number {user.refusals} in a row: the fifth one locks the user {user.name}"
        )
        raise refuse(
            assumptions.refused_login_code,
            "Invalid username or password.",
            assumptions.refused_login_status,
            reason=reason,
        )
    if counts:
        user.refusals = 0


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    OAUTH_TOKEN: issue_token,
    OAUTH_REVOKE: revoke_token,
    LOG_IN: log_in,
    LOG_OUT: log_out,
    RESET_PASSWORD: reset_password,
}
