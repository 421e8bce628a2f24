"""Callback listeners: a registry for each API, and that API's envelope for messages."""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import orjson

from thingspace_async.simulator.assumptions import Assumptions
from thingspace_async.simulator.mechanisms.messages import capitalise_kinds, respelled

__all__ = [
    "MOST_ATTEMPTS",
    "Envelope",
    "Listener",
    "ListenerRegistry",
    "Posted",
    "header_envelope",
    "m2m_envelope",
    "password_envelope",
    "plain_envelope",
    "signed_envelope",
]

MOST_ATTEMPTS: Final = 4
"""Attempts at one message (PROTOCOL.md 3.3)."""

Listener = dict[str, str]
"""A listener as the platform lists it: its `url`, and the other registered members."""


class Posted(NamedTuple):
    """The body and headers of one attempt."""

    body: bytes
    headers: dict[str, str]


class Envelope(Protocol):
    """Wraps a message for a listener."""

    def __call__(self, message: Mapping[str, Any], listener: Listener, attempt: int, /) -> Posted:
        """Return the body and headers for an attempt, counted from 1."""
        ...


def m2m_envelope(assumptions: Callable[[], Assumptions]) -> Envelope:
    """Wrap messages as Connectivity Management does: with the listener's username and password, and two counts."""

    def wrap(message: Mapping[str, Any], listener: Listener, attempt: int) -> Posted:
        assumed = assumptions()
        content = capitalise_kinds(message) if assumed.capitalised_kinds else message
        body = {
            "username": listener.get("username", ""),
            "password": listener.get("password", ""),
            **(respelled(content) if assumed.other_spellings else content),
            "callbackCount": attempt,
            "maxCallbackThreshold": MOST_ATTEMPTS,
        }
        return Posted(orjson.dumps(body), {})

    return wrap


def signed_envelope(header: str) -> Envelope:
    """Wrap messages as location and diagnostics do: unchanged, with an HMAC-SHA256 in a header.

    ASSUMPTION: the name of the header, that the signature is hexadecimal, and that `httpHeaders` are added.
    """

    def wrap(message: Mapping[str, Any], listener: Listener, _: int) -> Posted:
        body = orjson.dumps(message)
        signature = hmac.new(listener["secret"].encode(), body, hashlib.sha256).hexdigest()
        return Posted(body, {**orjson.loads(listener.get("httpHeaders", "{}")), header: signature})

    return wrap


def plain_envelope(message: Mapping[str, Any], _: Listener, __: int) -> Posted:
    """Send messages unchanged, as hyper precise location and software management v2 and v3 do."""
    return Posted(orjson.dumps(message), {})


def header_envelope(message: Mapping[str, Any], listener: Listener, _: int) -> Posted:
    """Wrap events as Cloud Connector does: with the headers of the target."""
    return Posted(orjson.dumps(message), orjson.loads(listener.get("httpHeaders", "{}")))


def password_envelope(message: Mapping[str, Any], listener: Listener, _: int) -> Posted:
    """Wrap messages as software management v1 does: with the listener's username and password."""
    own = {name: listener.get(name, "") for name in ("username", "password")}
    return Posted(orjson.dumps({**own, **message}), {})


class ListenerRegistry:
    """The callback listeners of one API, by account and service."""

    def __init__(
        self,
        wrap: Envelope,
        *,
        replaces: Callable[[], bool] = lambda: True,
        new_secret: Callable[[], str] | None = None,
    ) -> None:
        self.wrap: Final = wrap
        self._replaces = replaces
        self._new_secret = new_secret
        self.by_account: Final[defaultdict[str, dict[str, Listener]]] = defaultdict(dict)

    def register(self, account_name: str, service: str, url: str, **own: str) -> Listener | None:
        """Register and return a listener; return None if the service has one that must not be replaced.

        If the API signs its messages, the listener gets a `secret`.
        """
        listeners = self.by_account[account_name]
        if service in listeners and not self._replaces():
            return None
        secret = {} if self._new_secret is None else {"secret": self._new_secret()}
        listener = {"accountName": account_name, "serviceName": service, "url": url, **own, **secret}
        listeners[service] = listener
        return listener

    def find(self, account_name: str, service: str) -> Listener | None:
        """Return the listener of a service."""
        return self.by_account[account_name].get(service)

    def deregister(self, account_name: str, service: str) -> bool:
        """Remove a listener; return whether there was one."""
        return self.by_account[account_name].pop(service, None) is not None
