"""The JSON objects of the admin API, with secrets starred."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import orjson

from thingspace_async.simulator.controls import Controls
from thingspace_async.simulator.deliveries import Delivery
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.mechanisms.secrets import STARS, starred
from thingspace_async.simulator.tokens import LiveSession
from thingspace_async.simulator.users import User
from thingspace_async.simulator.wire import Received

__all__ = [
    "delivery_shown",
    "device_shown",
    "request_shown",
    "session_shown",
    "token_shown",
    "user_shown",
]

_LONGEST: Final = 4096
"""Bodies of this many bytes or more are not shown."""


def _body_shown(body: bytes) -> Any:
    """Return a JSON body; for a long body, or one that is not JSON, only its size."""
    if not body:
        return None
    if len(body) >= _LONGEST:
        return f"{len(body):,} bytes or more"
    try:
        return starred(orjson.loads(body))
    except orjson.JSONDecodeError:
        return f"{len(body):,} bytes, not JSON"


def request_shown(received: Received) -> dict[str, Any]:
    """Return a request and its answer as JSON."""
    is_form = received.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
    return {
        "number": received.number,
        "at": None if received.at is None else received.at.isoformat(),
        "method": received.method,
        "path": received.path,
        "query": starred(dict(received.query)),
        "operation": received.operation,
        "status": received.status,
        "reason": received.reason,
        "body": starred(received.form) if is_form and len(received.body) < _LONGEST else _body_shown(received.body),
        "answer": _body_shown(received.answer),
    }


def device_shown(device: Device) -> dict[str, Any]:
    """Return a device as JSON."""
    return {
        "place": device.place,
        "account": device.account_name,
        "imei": device.imei,
        "iccid": device.iccid,
        "mdn": device.mdn,
        "eid": device.eid,
        "state": device.state,
        "service_plan": device.service_plan if device.was_activated else None,
        "group": device.group_name,
        "connected": device.connected,
        "texts": device.texts[-10:],
    }


def user_shown(user: User) -> dict[str, Any]:
    """Return a user without the password as JSON."""
    return {"username": user.name, "locked": user.locked, "refusals": user.refusals}


def session_shown(cloud: Controls, session: LiveSession) -> dict[str, Any]:
    """Return a session as JSON, with only the end of its token."""
    tokens = cloud.platform.tokens
    return {
        "username": session.user.name,
        "token": f"{STARS}{session.token[-4:]}",
        "begun": session.begun.isoformat(),
        "seconds_left": _seconds(tokens.session_ends(session) - cloud.clock.now()),
        "expired": tokens.has_expired(session),
    }


def token_shown(cloud: Controls) -> dict[str, Any]:
    """Return the OAuth token as JSON, with only the end of its value."""
    token = cloud.platform.tokens.access
    if token is None:
        return {"token": None, "seconds_left": 0}
    return {"token": f"{STARS}{token.value[-4:]}", "seconds_left": _seconds(token.ends - cloud.clock.now())}


def _seconds(left: timedelta) -> int:
    return max(0, int(left.total_seconds()))


def delivery_shown(delivery: Delivery) -> dict[str, Any]:
    """Return a callback message with its attempts as JSON."""
    return {
        "number": delivery.number,
        "account": delivery.account_name,
        "service": delivery.service,
        "state": delivery.state,
        "due": delivery.due.isoformat(),
        "request_id": delivery.request_id,
        "message": starred(delivery.message),
        "attempts": [
            {"at": one.at.isoformat(), "url": one.url, "status": one.status, "failure": one.failure}
            for one in delivery.attempts
        ],
    }
