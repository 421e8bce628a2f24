"""Answers of OAuth and session management (protocol.md 1)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from thingspace_async._operation import Operation
from thingspace_async.session_management.calls import LOG_IN, LOG_OUT, OAUTH_REVOKE, OAUTH_TOKEN, RESET_PASSWORD
from thingspace_async.simulator.gateway import missing_credentials
from thingspace_async.simulator.state import User, random_password
from thingspace_async.simulator.wire import Answer, Call, Handler, Refusal, refuse, required

__all__ = ["HANDLERS"]


def issue_token(call: Call) -> Answer:
    """Give out the OAuth token; `grant_type` may come as form or query."""
    _check_key(call)
    given = {**call.received.query, **call.received.form}
    if given.get("grant_type") != "client_credentials":
        raise _oauth_refusal(400, "unsupported_grant_type", "Missing or invalid grant_type parameter")
    value, left = call.platform.issue_access_token()
    seconds = int(left.total_seconds()) if call.platform.assumptions.expires_in_is_time_left else 3600
    return Answer(200, {"access_token": value, "scope": "default", "token_type": "Bearer", "expires_in": seconds})


def revoke_token(call: Call) -> Answer:
    """Forget the OAuth token; the answer has no body."""
    _check_key(call)
    token = call.platform.access_token
    if token is None or call.received.form.get("token") != token.value:
        return Answer(200)
    call.platform.expire_oauth_tokens()
    return Answer(200, headers={call.platform.assumptions.revocation_header: token.value})


def _check_key(call: Call) -> None:
    if (authorization := call.received.headers.get("Authorization")) is None:
        raise missing_credentials()
    kind, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        pair = ""
    if kind.casefold() != "basic" or pair != f"{call.platform.client_id}:{call.platform.client_secret}":
        raise _oauth_refusal(401, "invalid_client", "A valid OAuth client could not be found for client_id.")


def _oauth_refusal(status: int, error: str, description: str) -> Refusal:
    return Refusal(Answer(status, {"error": error, "error_description": description}))


def log_in(call: Call) -> Answer:
    """Begin a session."""
    document = call.document()
    username, password = required(document, "username", str), required(document, "password", str)
    _check_password(call, call.platform.users.get(username), password, counts=True)
    session = call.platform.begin_session(call.platform.users[username])
    return Answer(200, {"sessionToken": session.token})


def log_out(call: Call) -> Answer:
    """End a session."""
    session = call.session
    del call.platform.sessions[session.token]
    return Answer(200, {"sessionToken": session.token})


def reset_password(call: Call) -> Answer:
    """Choose a new password for the session's user."""
    old = required(call.document(), "oldPassword", str)
    user, assumptions = call.session.user, call.platform.assumptions
    _check_password(call, user, old, counts=assumptions.wrong_old_password_counts)
    user.password = random_password()
    if not assumptions.session_survives_reset:
        call.platform.end_sessions(user)
    return Answer(200, {"newPassword": user.password})


def _check_password(call: Call, user: User | None, password: str, *, counts: bool) -> None:
    """Refuse a wrong password, and even the right one once the user is locked; `counts` is towards locking."""
    assumptions = call.platform.assumptions
    if user is not None and user.locked:
        raise refuse(assumptions.locked_user_code, "The user is locked.", assumptions.refused_login_status)
    if user is None or password != user.password:
        if user is not None and counts:
            user.refusals += 1
        raise refuse(assumptions.refused_login_code, "Invalid username or password.", assumptions.refused_login_status)
    if counts:
        user.refusals = 0


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    OAUTH_TOKEN: issue_token,
    OAUTH_REVOKE: revoke_token,
    LOG_IN: log_in,
    LOG_OUT: log_out,
    RESET_PASSWORD: reset_password,
}
