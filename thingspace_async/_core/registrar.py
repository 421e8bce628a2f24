"""The interface to the callback listeners of one API, for `session.listen`.

Some APIs neither sign their messages nor send a username and a password. Their listeners have both in the last part of
the URL: `https://example.com/callbacks/FotaV3~username~password`. So nobody else can send messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from thingspace_async._core.values import Secret

__all__ = ["Listener", "Registrar", "listener_at", "split_service", "url_with_credentials"]


@attrs.frozen
class Listener:
    """The listener of a service: as its API lists it, or as it is to be registered."""

    url: str
    username: str | None = None
    """None if the API has none, and for a listener without credentials."""
    password: Secret | None = None


def url_with_credentials(listener: Listener) -> str:
    """Return the URL of a listener with its username and password."""
    if listener.username is None or listener.password is None:
        return listener.url
    return f"{listener.url}~{listener.username}~{listener.password.reveal()}"


def listener_at(url: str) -> Listener:
    """Return the listener of a URL that may have a username and a password."""
    place, slash, last = url.rpartition("/")
    service, credentials = split_service(last)
    if credentials is None:
        return Listener(url)
    username, password = credentials
    return Listener(f"{place}{slash}{service}", username, Secret(password))


def split_service(last: str) -> tuple[str, tuple[str, str] | None]:
    """Split the last part of a URL into the service and, if it has both, the username and the password."""
    match last.split("~"):
        case [service, username, password] if username and password:
            return service, (username, password)
        case _:
            return last, None


class Registrar(Protocol):
    """The listeners of one account at one API."""

    @property
    def account_name(self) -> str:
        """The account."""
        ...

    @property
    def signs(self) -> bool:
        """Whether the API signs its messages with a secret that only the answer to a registration has.

        Otherwise its messages contain the username and password of the registration, and the API lists both. If it has
        neither, the registrar puts them into the URL.
        """
        ...

    def check(self, service: str, listener: Listener) -> None:
        """Raise InvalidRequest if the API would refuse a listener."""
        ...

    async def listed(self) -> Mapping[str, Listener]:
        """Return the listener of each service that has one."""
        ...

    async def register(self, service: str, listener: Listener) -> Secret | None:
        """Register a listener. Return the secret of its messages, or None if the answer has none."""
        ...

    async def deregister(self, service: str) -> object:
        """Remove the listener of a service."""
        ...
