"""Handlers for targets and subscriptions."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from thingspace_async.simulator.rooms.cloud_connector.reading import (
    account_of,
    filter_of,
    invalid,
    resource_of,
    unknown,
)
from thingspace_async.simulator.rooms.cloud_connector.state import EVENT, CloudConnector, precise_stamp
from thingspace_async.simulator.wire import Answer, Call, optional, required

__all__ = [
    "create_azure_application",
    "create_external_id",
    "create_subscription",
    "create_target",
    "delete_subscription",
    "delete_target",
    "list_subscriptions",
    "list_targets",
    "update_subscription",
]

_TYPES: Final = {"streamrest": "REST", "streamawsiot": "Amazon Web Services", "streamazureiot": "Microsoft Azure"}
_TARGET: Final = ("address", "addressscheme", "description", "externalid", "name", "region")
_SUBSCRIPTION: Final = ("description", "email", "filter", "name", "streamkind", "targetid")
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_NEVER: Final = "0001-01-01T00:00:00Z"


def _room(call: Call) -> CloudConnector:
    return call.platform.room(CloudConnector)


def create_target(call: Call) -> Answer:
    """Create a target."""
    wanted = call.document()
    account_name, scheme = account_of(call, wanted), required(wanted, "addressscheme", str)
    if scheme not in _TYPES:
        raise invalid(f"must be one of {', '.join(_TYPES)}", (wanted, "addressscheme"))
    _check_address(wanted, required(wanted, "address", str), scheme)
    if scheme == "streamawsiot":
        required(wanted, "region", str)
        if required(wanted, "externalid", str) not in _room(call).external_ids[account_name]:
            raise invalid("is not an answer of newextid", (wanted, "externalid"))
    target = _new(call, wanted, _TARGET, "ts.target") | {"billingaccountid": account_name}
    room = _room(call)
    room.targets[account_name][target["id"]] = target
    room.secrets[target["id"]] = _headers(wanted)
    return Answer(200, target)


def _check_address(wanted: Mapping[str, Any], address: str, scheme: str) -> None:
    if scheme == "streamrest":
        try:
            parts = urlsplit(address if "://" in address else f"https://{address}")
            is_server = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_server = False
        if not is_server:
            raise invalid("must be a host and a port", (wanted, "address"))
    elif not address:
        raise invalid("is empty", (wanted, "address"))


def _headers(wanted: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that are sent with each event, as a listener has them."""
    given = optional(optional(wanted, "fields", dict) or {}, "httpheaders", dict) or {}
    token = optional(wanted, "key1", str)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if (authorization := optional(given, "Authorization", str)) is not None:
        headers["Authorization"] = authorization
    return {"httpHeaders": orjson.dumps(headers).decode()}


def list_targets(call: Call) -> Answer:
    """List targets."""
    wanted = call.document()
    matches = filter_of(wanted)
    return Answer(200, [one for one in _room(call).targets[account_of(call, wanted)].values() if matches(one)])


def delete_target(call: Call) -> Answer:
    """Delete a target. ASSUMPTION: one with a subscription is refused."""
    wanted = call.document()
    room, account_name = _room(call), account_of(call, wanted)
    target = _find(room.targets[account_name], wanted, "target")
    if any(one["targetid"] == target["id"] for one in room.subscriptions[account_name].values()):
        raise invalid("has a subscription: delete that first", (wanted, "resourceidentifier"))
    del room.targets[account_name][target["id"]]
    room.secrets.pop(target["id"])
    return Answer(204)


def create_external_id(call: Call) -> Answer:
    """Create an external id for AWS."""
    account_name = account_of(call, call.document())
    made = base64.urlsafe_b64encode("".join(call.platform.new_password() for _ in range(4)).encode()).decode()
    _room(call).external_ids[account_name].add(made)
    return Answer(200, {"externalid": made})


def create_azure_application(call: Call) -> Answer:
    """Create an application of Azure IoT Central."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "billingAccountID", str))
    if call.received.headers.get("BillingaccountID") != account_name:
        raise invalid("differs from the header BillingaccountID", (wanted, "billingAccountID"))
    for name in ("clientID", "clientSecret", "resourcegroup", "subscriptionID", "tenantID"):
        required(wanted, name, str)
    name = required(wanted, "appName", str)
    if re.fullmatch(r"[^A-Z]{1,10}", name) is None:
        raise invalid("must have 10 characters or fewer, and no capital letters", (wanted, "appName"))
    url = f"https://{name}.azureiotcentral.com"
    return Answer(200, {"appName": name, "sharedSecret": call.platform.new_password(), "url": url})


def create_subscription(call: Call) -> Answer:
    """Create a subscription, whose stream begins at once."""
    wanted = call.document()
    room, account_name = _room(call), account_of(call, wanted)
    kind = required(wanted, "streamkind", str)
    if kind != EVENT and not kind.startswith(f"{EVENT}."):
        raise invalid(f"must be {EVENT} or begin with {EVENT}.", (wanted, "streamkind"))
    target = room.targets[account_name].get(required(wanted, "targetid", str))
    if target is None:
        raise unknown("target")
    if any(one["streamkind"] == kind for one in room.subscriptions[account_name].values()):
        raise invalid("is the kind of another subscription of the account", (wanted, "streamkind"))
    subscription = _new(call, wanted, _SUBSCRIPTION, "ts.subscription") | {
        "delegateid": _NOBODY,
        "disabled": optional(wanted, "disabled", bool) or False,
        "targettype": _TYPES[target["addressscheme"]],
    }
    room.subscriptions[account_name][subscription["id"]] = subscription
    room.begin(account_name, subscription)
    return Answer(200, _shown(room, account_name, subscription))


def list_subscriptions(call: Call) -> Answer:
    """List subscriptions."""
    wanted = call.document()
    room, account_name, matches = _room(call), account_of(call, wanted), filter_of(wanted)
    shown = [_shown(room, account_name, one) for one in room.subscriptions[account_name].values()]
    return Answer(200, [one for one in shown if matches(one)])


def update_subscription(call: Call) -> Answer:
    """Change a subscription."""
    wanted = call.document()
    room, account_name = _room(call), account_of(call, wanted)
    subscription = _find(room.subscriptions[account_name], wanted, "subscription")
    kinds: dict[str, type] = {"name": str, "description": str, "disabled": bool}
    changes = {name: optional(wanted, name, kind) for name, kind in kinds.items() if name in wanted}
    subscription |= changes | {
        "lastupdated": precise_stamp(call.platform.clock.now()),
        "versionid": call.platform.new_id(),
    }
    return Answer(200, _shown(room, account_name, subscription))


def delete_subscription(call: Call) -> Answer:
    """Delete a subscription."""
    wanted = call.document()
    room, account_name = _room(call), account_of(call, wanted)
    subscription = _find(room.subscriptions[account_name], wanted, "subscription")
    del room.subscriptions[account_name][subscription["id"]]
    room.end(account_name, subscription["id"])
    return Answer(204)


def _new(call: Call, wanted: Mapping[str, Any], names: tuple[str, ...], kind: str) -> dict[str, Any]:
    """Return a new resource with the wanted values."""
    now = precise_stamp(call.platform.clock.now())
    given = {name: value for name in names if (value := optional(wanted, name, str)) is not None}
    return {
        **given,
        "id": call.platform.new_id(),
        "kind": kind,
        "createdon": now,
        "lastupdated": now,
        "version": "1.0",
        "versionid": call.platform.new_id(),
    }


def _find(known: Mapping[str, dict[str, Any]], wanted: Mapping[str, Any], what: str) -> dict[str, Any]:
    found = known.get(resource_of(wanted).get("id", ""))
    if found is None:
        raise unknown(what)
    return found


def _shown(room: CloudConnector, account_name: str, subscription: Mapping[str, Any]) -> dict[str, Any]:
    """Return a subscription with its failures."""
    attempts = room.attempts(account_name, subscription["id"])
    failed = [one for one in attempts if one.status is None or not 200 <= one.status < 300]
    last = attempts[-1] if attempts else None
    status = "" if last is None else "failure" if last in failed else "success"
    return {
        **subscription,
        "configurationfailures": 0,
        "laststreamingstatus": status,
        "laststreamingtime": _NEVER if last is None else precise_stamp(last.at),
        "networkfailures": sum(one.status is None for one in failed),
        "streamfailures": sum(one.status is not None for one in failed),
    }
