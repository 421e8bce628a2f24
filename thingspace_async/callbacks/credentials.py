"""The credentials of listeners. They belong to the inbox: all processes that share it use the same ones."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Final

import orjson

from thingspace_async._core.types import Secret
from thingspace_async.callbacks.admission import Check, Credentials, Signature
from thingspace_async.callbacks.inbox import Inbox
from thingspace_async.errors import InboxUnavailable

__all__ = ["add", "begin", "get_or_create", "has_secret", "read_all", "settle"]

_PREFIX: Final = "listener "
_SIGNED: Final = "signed"
"""Marks the secret of an API that signs its messages."""
_BEGUN: Final = "registering "
_SETTLED: Final = "registered "
_STORED: Final = "stored"
_REFUSED: Final = "refused"


async def get_or_create(inbox: Inbox, service: str, offered: Credentials | None) -> Credentials:
    """Return the credentials for registering a service: the inbox's, else the offered ones, else new ones."""
    mine = offered or Credentials(
        username=f"listener-{secrets.token_hex(8)}",
        # 40 characters, the platform's limit (PROTOCOL.md 3.2).
        password=Secret(secrets.token_urlsafe(30)),
    )
    _, kept = _read(await inbox.keep_first(_name(service, 0), _written(service, mine)))
    if not isinstance(kept, Credentials):
        raise InboxUnavailable(f"the inbox has a secret instead of a password for {service}: use another inbox")
    return kept


async def add(inbox: Inbox, service: str, found: Check) -> None:
    """Store further credentials of a service, so that all receivers of the inbox accept them."""
    written, number = _written(service, found), 0
    while _read(await inbox.keep_first(_name(service, number), written)) != (service, found):
        number += 1


async def read_all(inbox: Inbox) -> dict[str, list[Check]]:
    """Return the valid credentials, by service."""
    found: dict[str, list[Check]] = {}
    for name, value in (await inbox.kept()).items():
        if name.startswith(_PREFIX):
            service, credentials = _read(value)
            found.setdefault(service, []).append(credentials)
    return found


async def begin(inbox: Inbox, account_name: str, service: str) -> int:
    """Note that a registration begins whose answer has a secret, and return its number.

    If the process ends before it has stored the secret, `has_secret` is false: the inbox may have the secret of an
    earlier registration, but not the one of the present listener.
    """
    mine, number = Secret(secrets.token_hex(8)), 0
    while await inbox.keep_first(f"{_BEGUN}{account_name} {service} {number}", mine) != mine:
        number += 1
    return number


async def settle(inbox: Inbox, account_name: str, service: str, number: int, *, stored: bool) -> None:
    """Note that the secret of a registration is stored, or that the platform has refused the registration."""
    name = f"{_SETTLED}{account_name} {service} {number}"
    await inbox.keep_first(name, Secret(_STORED if stored else _REFUSED))


async def has_secret(inbox: Inbox, account_name: str, service: str) -> bool:
    """Return whether the secret of the last registration of a service is stored."""
    kept = await inbox.kept()
    begun = sum(name.startswith(f"{_BEGUN}{account_name} {service} ") for name in kept)
    for number in reversed(range(begun)):
        settled = kept.get(f"{_SETTLED}{account_name} {service} {number}")
        if settled is None or settled.reveal() == _STORED:
            return settled is not None
    return False


def _name(service: str, number: int) -> str:
    return f"{_PREFIX}{service} {number}"


def _written(service: str, check: Check) -> Secret:
    if isinstance(check, Signature):
        fields = [service, check.header, check.secret.reveal(), _SIGNED]
    else:
        fields = [service, check.username, check.password.reveal()]
    return Secret(orjson.dumps(fields).decode())


def _read(value: Secret) -> tuple[str, Check]:
    fields: object = None
    with suppress(orjson.JSONDecodeError):  # Its error contains the password: do not chain it to ours.
        fields = orjson.loads(value.reveal())
    match fields:
        case [str(service), str(username), str(password)]:
            return service, Credentials(username, Secret(password))
        case [str(service), str(header), str(secret), str(kind)] if kind == _SIGNED:
            return service, Signature(Secret(secret), header)
    raise InboxUnavailable(
        "a listener's credentials in the inbox cannot be read: make sure that no other program writes to the inbox"
    )
