"""The endpoints of the admin API: everything that Python can do to a simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any, Final, TypeVar

import attrs

from thingspace_async.simulator import imports
from thingspace_async.simulator.admin.endpoint import Asked, Do, Endpoint
from thingspace_async.simulator.admin.faults import FAULT_SHAPE, add_fault, fault_shown
from thingspace_async.simulator.admin.shapes import Field, Invalid, Shape
from thingspace_async.simulator.admin.shown import (
    delivery_shown,
    device_shown,
    request_shown,
    session_shown,
    token_shown,
    user_shown,
)
from thingspace_async.simulator.controls import Controls
from thingspace_async.simulator.deliveries import Delivery
from thingspace_async.simulator.fleet import Device
from thingspace_async.simulator.wire import Received

__all__ = ["ENDPOINTS"]

T = TypeVar("T")

_DONE: Final = {"done": True}


def _text(text: str, **more: Any) -> Field:
    return Field(kind="string", text=text, **more)


def _number(text: str, **more: Any) -> Field:
    return Field(kind="integer", text=text, **more)


def _yes(text: str, **more: Any) -> Field:
    return Field(kind="boolean", text=text, **more)


def _share(text: str) -> Field:
    return Field(kind="number", text=text, least=0, most=1)


def _calling(act: Callable[[Controls], object]) -> Do:
    """Make the function of an endpoint that only calls a method."""

    def do(cloud: Controls, _: Asked) -> Any:
        act(cloud)
        return _DONE

    return do


# Health and clock


def _health(cloud: Controls, _: Asked) -> Any:
    return {"status": "ok", "url": cloud.url, "devices": len(cloud.devices), **_clock(cloud)}


def _clock(cloud: Controls, _: Asked | None = None) -> dict[str, Any]:
    return {"now": cloud.clock.now().isoformat(), "speed": cloud.clock.speed}


def _set_clock(cloud: Controls, asked: Asked) -> Any:
    if "advance" in asked.body and "to" in asked.body:
        raise Invalid("body: advance and to exclude each other")
    if "speed" in asked.body:
        cloud.clock.speed = asked.body["speed"]
    try:
        if "advance" in asked.body:
            cloud.clock.advance(timedelta(seconds=asked.body["advance"]))
        if "to" in asked.body:
            cloud.clock.advance_to(asked.body["to"])
    except (ValueError, OverflowError) as error:
        raise Invalid(f"body: {error}") from None
    return _clock(cloud)


# Faults


def _list_faults(cloud: Controls, _: Asked) -> Any:
    return [fault_shown(rule) for rule in cloud.faults]


def _add_fault(cloud: Controls, asked: Asked) -> Any:
    return fault_shown(add_fault(cloud, asked.body))


def _remove_fault(cloud: Controls, asked: Asked) -> Any:
    cloud.faults.remove(_numbered(cloud.faults, asked, "fault"))
    return _DONE


def _delivery_faults(cloud: Controls, _: Asked) -> Any:
    return attrs.asdict(cloud.delivery_faults)


def _set_delivery_faults(cloud: Controls, asked: Asked) -> Any:
    cloud.delivery_faults = attrs.evolve(cloud.delivery_faults, **asked.body)
    return attrs.asdict(cloud.delivery_faults)


def _set_throttle(cloud: Controls, asked: Asked) -> Any:
    cloud.throttle.requests_per_minute = asked.body["requests_per_minute"]
    return dict(asked.body)


# Users and tokens


def _list_users(cloud: Controls, _: Asked) -> Any:
    return [user_shown(user) for user in cloud.users.values()]


def _add_user(cloud: Controls, asked: Asked) -> Any:
    cloud.add_user(asked.body["username"], asked.body["password"])
    return user_shown(cloud.users[asked.body["username"]])


def _change_user(cloud: Controls, asked: Asked) -> Any:
    name = asked.path["username"]
    if name not in cloud.users:
        raise Invalid(f"path: unknown user {name!r}; known: {', '.join(cloud.users)}", status=404)
    if "password" in asked.body:
        cloud.set_password(asked.body["password"], name)
    if "locked" in asked.body:
        (cloud.lock_user if asked.body["locked"] else cloud.unlock_user)(name)
    return user_shown(cloud.users[name])


def _credentials(cloud: Controls, _: Asked) -> Any:
    return cloud.exports()


def _list_sessions(cloud: Controls, _: Asked) -> Any:
    return [session_shown(cloud, session) for session in cloud.platform.tokens.sessions.values()]


def _token(cloud: Controls, _: Asked) -> Any:
    return token_shown(cloud)


# Accounts and devices


def _list_accounts(cloud: Controls, _: Asked) -> Any:
    return sorted(cloud.accounts)


def _add_account(cloud: Controls, asked: Asked) -> Any:
    try:
        cloud.add_account(asked.body["account"], devices=asked.body.get("devices", 0))
    except ValueError as error:
        raise Invalid(f"body: devices: {error}") from None
    return sorted(cloud.accounts)


def _list_devices(cloud: Controls, asked: Asked) -> Any:
    query = asked.query
    found = (device for device in cloud.devices.walk() if _matches(device, query))
    begin = query.get("offset", 0)
    page = list(islice(found, begin, begin + query.get("limit", 100)))
    return {"total": len(cloud.devices), "devices": [device_shown(device) for device in page]}


def _matches(device: Device, query: Mapping[str, Any]) -> bool:
    if "state" in query and device.state != query["state"]:
        return False
    if "account" in query and device.account_name != query["account"]:
        return False
    part = query.get("contains", "")
    return any(part in one["id"] for one in device.device_ids)


def _add_devices(cloud: Controls, asked: Asked) -> Any:
    given = {("account_name" if name == "account" else name): value for name, value in asked.body.items()}
    count = given.pop("count", 1)
    if count > 1 and given.keys() & {"imei", "iccid", "mdn", "eid"}:
        raise Invalid("body: count and identifiers exclude each other")
    try:
        return [device_shown(cloud.add_device(**given)) for _ in range(count)]
    except ValueError as error:
        raise Invalid(f"body: {error}") from None


def _import_devices(cloud: Controls, asked: Asked) -> Any:
    try:
        return {"added": imports.add_csv(cloud, asked.text)}
    except ValueError as error:
        raise Invalid(f"body: {error}") from None


def _device(cloud: Controls, identifier: str) -> Device:
    for kind in ("imei", "iccid", "mdn", "eid", "msisdn", "esn", "meid"):
        if (device := cloud.devices.find_to_change(kind, identifier)) is not None:
            return device
    raise Invalid(f"no device has the identifier {identifier!r}", status=404)


def _get_device(cloud: Controls, asked: Asked) -> Any:
    device = _device(cloud, asked.path["identifier"])
    return {**device_shown(device), "platform": device.as_json()}


def _change_device(cloud: Controls, asked: Asked) -> Any:
    device = _device(cloud, asked.path["identifier"])
    for name, value in asked.body.items():
        setattr(device, "group_name" if name == "group" else name, value)
    return device_shown(device)


def _remove_device(cloud: Controls, asked: Asked) -> Any:
    cloud.devices.remove(_device(cloud, asked.path["identifier"]))
    return _DONE


def _receive_sms(cloud: Controls, asked: Asked) -> Any:
    cloud.receive_sms(_device(cloud, asked.body["device"]), asked.body["text"])
    return _DONE


def _list_sms(cloud: Controls, _: Asked) -> Any:
    return {
        account: [{"number": one.number, "text": one.text, "sent": one.sent.isoformat()} for one in queue]
        for account, queue in cloud.queued_sms.items()
    }


def _report_reachability(cloud: Controls, asked: Asked) -> Any:
    cloud.report_reachability(_device(cloud, asked.body["device"]), reachable=asked.body["reachable"])
    return _DONE


# Requests and deliveries


def _list_requests(cloud: Controls, asked: Asked) -> Any:
    found = [one for one in cloud.requests if _is_asked(one, asked)]
    return [request_shown(one) for one in found[-asked.query.get("limit", 100) :]]


def _is_asked(received: Received, asked: Asked) -> bool:
    query = asked.query
    if "operation" in query and received.operation != query["operation"]:
        return False
    if "status" in query and received.status != query["status"]:
        return False
    return received.number > int(query.get("after", 0))


def _count_requests(cloud: Controls, asked: Asked) -> Any:
    return {"count": cloud.count(asked.query["operation"])}


def _list_deliveries(cloud: Controls, asked: Asked) -> Any:
    query = asked.query
    found = [one for one in cloud.deliveries if query.get("state", one.state) == one.state]
    return [delivery_shown(one) for one in found[-query.get("limit", 100) :]]


def _resend(cloud: Controls, asked: Asked) -> Any:
    delivery: Delivery = _numbered(cloud.deliveries, asked, "delivery")
    cloud.resend(delivery)
    return delivery_shown(delivery)


def _deliver_now(cloud: Controls, _: Asked) -> Any:
    return {"due": cloud.deliver_now()}


async def _wait_for_deliveries(cloud: Controls, asked: Asked) -> Any:
    try:
        await cloud.delivered(asked.body.get("seconds", 10))
    except TimeoutError as error:
        raise Invalid(str(error), status=409) from None
    return _DONE


def _list_late(cloud: Controls, _: Asked) -> Any:
    return [
        {"id": name, "account": one.account_name, "service": one.service, "due": one.done.isoformat()}
        for name, one in cloud.late_requests.items()
        if one.faults is None
    ]


def _add_late(cloud: Controls, asked: Asked) -> Any:
    return {"id": cloud.add_request(seconds=asked.body.get("seconds", 60), fails=asked.body.get("fails", False))}


def _list_listeners(cloud: Controls, _: Asked) -> Any:
    return [
        {"account": account, "service": service, "url": listener["url"]}
        for account, listeners in cloud.listeners.items()
        for service, listener in listeners.items()
    ]


def _numbered(things: Iterable[Any], asked: Asked, name: str) -> Any:
    number = asked.path["number"]
    for one in things:
        if str(one.number) == number:
            return one
    raise Invalid(f"path: unknown {name} {number!r}", status=404)


_LIMIT: Final = _number("Maximum number of results, 100 by default.", least=1, most=2000)
_OPERATION: Final = _text("The name of an operation, for example devices.list.")

_DEVICE: Final[Shape] = {
    "state": _text("active, suspend, deactive, preactive, or any other string."),
    "service_plan": _text("The code of its plan."),
}
_NEW_DEVICE: Final[Shape] = {
    **{kind: _text(f"Its {kind.upper()}.") for kind in ("imei", "iccid", "mdn", "eid")},
    **_DEVICE,
    "group_name": _text("The name of its group."),
    "account": _text("The account, by default the first one."),
    "count": _number("Number of generated devices.", least=1, most=1000),
}


def _endpoint(route: str, text: str, do: Do, **more: Any) -> Endpoint:
    """Declare an endpoint by its method and path, its description and its function."""
    method, path = route.split(" ")
    return Endpoint(method=method, path=path, text=text, do=do, **more)


ENDPOINTS: Final = (
    _endpoint("GET /health", "Check that the simulator is running.", _health),
    _endpoint("GET /clock", "Read the clock.", _clock),
    _endpoint(
        "POST /clock",
        "Advance the clock, or change its speed.",
        _set_clock,
        body={
            "advance": Field(kind="number", text="Seconds.", least=0, most=10**9),
            "to": _text("The time to advance to.", is_time=True),
            "speed": Field(
                kind="number", text="Simulated seconds per real second; 0 stops the clock.", least=0, most=10**5
            ),
        },
    ),
    _endpoint("GET /faults", "List the faults.", _list_faults),
    _endpoint("POST /faults", "Add a fault.", _add_fault, body=FAULT_SHAPE, status=201),
    _endpoint("DELETE /faults", "Clear the faults.", _calling(lambda cloud: cloud.faults.clear())),
    _endpoint("DELETE /faults/{number}", "Remove a fault.", _remove_fault),
    _endpoint("GET /delivery-faults", "Read the faults of callbacks.", _delivery_faults),
    _endpoint(
        "PATCH /delivery-faults",
        "Change the faults of callbacks.",
        _set_delivery_faults,
        body={
            "lost": _number("Number of attempts, from now on, that fail.", least=0),
            "out_of_order": _yes("Send messages that are due together in random order."),
            "duplicated": _share("Share of the messages that are sent twice."),
            "early": _yes("Send messages before the answer that contains the request id."),
            "brace_missing": _share("Share of attempts whose body lacks its opening brace."),
            "slow": Field(kind="number", text="Real seconds between the two halves of a body.", least=0, most=60),
        },
    ),
    _endpoint(
        "PATCH /throttle",
        "Limit the requests per minute.",
        _set_throttle,
        body={"requests_per_minute": _number("The limit; null for none.", required=True, nullable=True, least=1)},
    ),
    _endpoint("GET /users", "List the users.", _list_users),
    _endpoint(
        "POST /users",
        "Add a user.",
        _add_user,
        body={"username": _text("The name.", required=True), "password": _text("The password.", required=True)},
        status=201,
    ),
    _endpoint(
        "PATCH /users/{username}",
        "Lock or unlock a user, or set the password.",
        _change_user,
        body={"locked": _yes("Whether the user is locked."), "password": _text("The new password.")},
    ),
    _endpoint(
        "GET /credentials", "Read the environment variables with which a program uses the simulator.", _credentials
    ),
    _endpoint("GET /sessions", "List the sessions.", _list_sessions),
    _endpoint("DELETE /sessions", "Forget the sessions.", _calling(Controls.end_sessions)),
    _endpoint("POST /sessions/expire", "Expire the sessions.", _calling(Controls.expire_sessions)),
    _endpoint("GET /tokens", "Read the OAuth token's remaining time.", _token),
    _endpoint("POST /tokens/expire", "Expire the OAuth token.", _calling(Controls.expire_oauth_tokens)),
    _endpoint("GET /accounts", "List the accounts.", _list_accounts),
    _endpoint(
        "POST /accounts",
        "Add an account.",
        _add_account,
        body={
            "account": _text("The account's name.", required=True),
            "devices": _number("Number of generated devices.", least=0, most=10_000),
        },
        status=201,
    ),
    _endpoint(
        "GET /devices",
        "List devices.",
        _list_devices,
        query={
            "state": _text("Only devices in this state."),
            "account": _text("Only devices of this account."),
            "contains": _text("Only devices with an identifier that contains this string."),
            "limit": _LIMIT,
            "offset": _number("Number of devices to skip.", least=0, most=10**6),
        },
    ),
    _endpoint("POST /devices", "Add devices.", _add_devices, body=_NEW_DEVICE, status=201),
    _endpoint(
        "POST /devices/import",
        "Add devices from CSV with a heading line, for example the output of `thingspace devices list --format csv`.",
        _import_devices,
        takes="text/csv",
        status=201,
    ),
    _endpoint("GET /devices/{identifier}", "Read a device.", _get_device),
    _endpoint(
        "PATCH /devices/{identifier}",
        "Change a device.",
        _change_device,
        body={**_DEVICE, "group": _text("The name of its group."), "connected": _yes("Whether it has a data session.")},
    ),
    _endpoint("DELETE /devices/{identifier}", "Delete a device.", _remove_device),
    _endpoint("GET /sms", "List unacknowledged messages from devices.", _list_sms),
    _endpoint(
        "POST /sms",
        "Let a device send an SMS message.",
        _receive_sms,
        body={"device": _text("Any of its identifiers.", required=True), "text": _text("The message.", required=True)},
    ),
    _endpoint(
        "POST /reachability",
        "Make a device reachable or unreachable.",
        _report_reachability,
        body={
            "device": _text("Any of its identifiers.", required=True),
            "reachable": _yes("Whether the device is reachable.", required=True),
        },
    ),
    _endpoint(
        "GET /requests",
        "List the latest requests, oldest first.",
        _list_requests,
        query={
            "operation": _OPERATION,
            "status": _number("Only requests with this status.", least=100, most=599),
            "after": _number("Only requests with a larger number.", least=0),
            "limit": _LIMIT,
        },
    ),
    _endpoint(
        "GET /requests/count",
        "Count the requests of an operation.",
        _count_requests,
        query={"operation": attrs.evolve(_OPERATION, required=True)},
    ),
    _endpoint("DELETE /requests", "Forget the requests.", _calling(lambda cloud: cloud.requests.clear())),
    _endpoint(
        "GET /deliveries",
        "List the callback messages, oldest first.",
        _list_deliveries,
        query={
            "state": _text(
                "Only messages in this state.", among=("waiting", "delivered", "archived", "dropped", "refused")
            ),
            "limit": _LIMIT,
        },
    ),
    _endpoint("POST /deliveries/now", "Make all waiting messages due now.", _deliver_now),
    _endpoint(
        "POST /deliveries/wait",
        "Wait until every due message was sent and answered.",
        _wait_for_deliveries,
        body={"seconds": Field(kind="number", text="Real seconds to wait, 10 by default.", least=0, most=60)},
    ),
    _endpoint("POST /deliveries/{number}/resend", "Send a message again, now.", _resend),
    _endpoint("GET /listeners", "List the callback listeners.", _list_listeners),
    _endpoint("GET /late-requests", "List the pending requests whose results arrive later.", _list_late),
    _endpoint(
        "POST /late-requests",
        "Add a pending request whose result arrives later.",
        _add_late,
        body={
            "seconds": Field(
                kind="number", text="Simulated seconds until its result, 60 by default.", least=0, most=10**6
            ),
            "fails": _yes("Whether the request fails."),
        },
        status=201,
    ),
    _endpoint("POST /reset", "Restore the initial state.", _calling(Controls.reset)),
)
