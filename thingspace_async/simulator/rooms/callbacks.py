"""Handlers for callback listeners (PROTOCOL.md 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from thingspace_async._core.checks import is_loopback
from thingspace_async._core.operation import Operation
from thingspace_async.callbacks.calls import DEREGISTER, LIST, REGISTER
from thingspace_async.simulator.wire import Answer, Call, Handler, optional, required, unexpected

__all__ = ["HANDLERS", "check_url"]

_PORTS: Final = {80, 443, *range(9001, 9007), *range(28200, 28221), *range(50551, 50560)}
_LONGEST: Final = 40
_URL: Final = "must be http or https with a host, on port 80, 443, 9001 to 9006, 28200 to 28220 or 50551 to 50559"


def register(call: Call) -> Answer:
    """Register a listener."""
    account_name, wanted = call.check_account(call.path["account_name"]), call.document()
    service, url = required(wanted, "name", str), required(wanted, "url", str)
    check_url(wanted, url)
    own = {name: value for name in ("username", "password") if (value := optional(wanted, name, str)) is not None}
    # The codes of these refusals are not documented.
    for name, value in own.items():
        if len(value) > _LONGEST:
            raise unexpected(f"is longer than {_LONGEST} characters", at=(wanted, name))
    if call.platform.listeners["m2m"].register(account_name, service, url, **own) is None:
        raise unexpected(f"already has a listener: deregister {service} first", at=(wanted, "name"))
    return _done(account_name, service)


def check_url(wanted: Mapping[str, Any], url: str, name: str = "url") -> None:
    """Refuse the URL of a listener that the platform cannot post to."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # For example, an incomplete IPv6 address or a port that is not a number.
        raise unexpected(f"is not a valid URL: {error}", at=(wanted, name)) from None
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    # On loopback, any port is allowed: tests need free ports.
    allowed = (usual if port is None else port) in _PORTS or is_loopback(parts.hostname or "")
    if usual is None or not parts.hostname or port == 0 or not allowed:
        raise unexpected(_URL, at=(wanted, name))


def list_listeners(call: Call) -> Answer:
    """List the listeners with their passwords."""
    account_name = call.check_account(call.path["account_name"])
    return Answer(200, list(call.platform.listeners["m2m"].by_account[account_name].values()))


def deregister(call: Call) -> Answer:
    """Remove a listener."""
    account_name, service = call.check_account(call.path["account_name"]), call.path["service_name"]
    if not call.platform.listeners["m2m"].deregister(account_name, service):
        raise unexpected("has no listener", at=(call.path, "service_name"))
    return _done(account_name, service)


def _done(account_name: str, service: str) -> Answer:
    return Answer(200, {"accountName": account_name, "serviceName": service})


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    REGISTER: register,
    LIST: list_listeners,
    DEREGISTER: deregister,
}
