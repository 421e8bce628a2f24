"""Answers about callback listeners (protocol.md 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from thingspace_async._checks import is_loopback
from thingspace_async._operation import Operation
from thingspace_async.callbacks.calls import DEREGISTER, LIST, REGISTER
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required, unexpected

__all__ = ["HANDLERS"]

_PORTS: Final = {80, 443, *range(9001, 9007), *range(28200, 28221), *range(50551, 50560)}
_LONGEST: Final = 40


def register(call: Call) -> Answer:
    """Register a listener."""
    account_name, wanted = call.check_account(call.path["account_name"]), call.document()
    service, url = required(wanted, "name", str), required(wanted, "url", str)
    _check_url(url)
    own = {name: value for name in ("username", "password") if (value := optional(wanted, name, str)) is not None}
    listeners = call.platform.listeners[account_name]
    replaces = call.platform.assumptions.registering_replaces_listener
    # None of these refusals' codes is documented.
    if any(len(value) > _LONGEST for value in own.values()) or (service in listeners and not replaces):
        raise unexpected()
    listeners[service] = {"accountName": account_name, "serviceName": service, "url": url, **own}
    return _done(account_name, service)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # Of half an IPv6 address, or of a port that is no number.
        raise unexpected() from None
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    # On this machine any port will do, since tests have to take a free one.
    allowed = (usual if port is None else port) in _PORTS or is_loopback(parts.hostname or "")
    if usual is None or not parts.hostname or port == 0 or not allowed:
        raise unexpected()


def list_listeners(call: Call) -> Answer:
    """List the listeners, passwords and all."""
    account_name = call.check_account(call.path["account_name"])
    return Answer(200, list(call.platform.listeners[account_name].values()))


def deregister(call: Call) -> Answer:
    """Forget a listener."""
    account_name, service = call.check_account(call.path["account_name"]), call.path["service_name"]
    if call.platform.listeners[account_name].pop(service, None) is None:
        raise unexpected()
    return _done(account_name, service)


def _done(account_name: str, service: str) -> Answer:
    return Answer(200, {"accountName": account_name, "serviceName": service})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    REGISTER: register,
    LIST: list_listeners,
    DEREGISTER: deregister,
}
