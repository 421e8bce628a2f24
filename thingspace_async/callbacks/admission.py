"""Authenticate a message before it is parsed: parsing a stranger's request costs time and memory."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

import attrs
import orjson

from thingspace_async._core.types import Secret

__all__ = ["Check", "Credentials", "Signature", "admits", "basic_credentials", "passwords_in"]


@attrs.frozen
class Credentials:
    """The username and password of a listener. The bodies of its messages contain both."""

    username: str
    password: Secret

    def may_admit(self, passwords: Iterable[object]) -> bool:
        """Return whether the password is among these."""
        return admits(_same(self.password.reveal(), one) for one in passwords)

    def admit(self, username: object, password: object) -> bool:
        """Return whether both are right."""
        # Always compare both, so that the time reveals nothing about either.
        return _same(self.username, username) & _same(self.password.reveal(), password)


@attrs.frozen
class Signature:
    """The secret of an API that signs its messages, and the header of the signature."""

    secret: Secret
    header: str

    def admit(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Return whether the header has the signature of the body."""
        given = next((value for name, value in headers.items() if name.casefold() == self.header), "").strip()
        digest = hmac.digest(self.secret.reveal().encode(), body, "sha256")
        hexadecimal = _same(digest.hex(), given.lower().removeprefix("sha256="))
        return hexadecimal | _same(base64.b64encode(digest).decode(), given)


Check = Credentials | Signature


def admits(found: Iterable[bool]) -> bool:
    """Return whether any check passes. All are evaluated, so that the time does not reveal which one did."""
    return any(list(found))


def basic_credentials(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the username and the password of a Basic Authorization header, or None if there are not both."""
    given = next((value for name, value in headers.items() if name.casefold() == "authorization"), "")
    scheme, _, encoded = given.partition(" ")
    if scheme.casefold() != "basic":
        return None
    try:
        username, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:  # Not base64, or not UTF-8.
        return None
    return (username, password) if username and password else None


def passwords_in(body: bytes) -> list[str]:
    """Return the values of members named `password` at any depth, without parsing the rest.

    The search does not use the right password: its time could reveal the password to a stranger.
    """
    found = _ESCAPED if rb"\u00" in body else _PLAIN
    return [value for one in islice(found.finditer(body), _MOST) if (value := _unescaped(one[1])) is not None]


_MOST: Final = 64
"""Passwords to check per message. The platform's messages have one, or two if they contain a device's credentials."""

_STRING: Final = rb'((?:[^"\\]++|(?:\\.)++)*+)"'
_MEMBER: Final = rb'"[ \t\r\n]*+:[ \t\r\n]*+"' + _STRING


def _any_spelling(name: str) -> bytes:
    """Return a pattern for a name in JSON. Each character may be an escape sequence."""
    spelled = [f"(?:{letter}|(?i:\\\\u{ord(letter):04x}))" for letter in name]
    return "".join(spelled).encode()


_PLAIN: Final = re.compile(b'"password' + _MEMBER)
_ESCAPED: Final = re.compile(b'"' + _any_spelling("password") + _MEMBER)


def _unescaped(string: bytes) -> str | None:
    try:
        value: str = orjson.loads(b'"' + string + b'"')
    except orjson.JSONDecodeError:
        return None
    return value


def _same(expected: str, given: object) -> bool:
    # Some servers decode invalid bytes of a header to surrogates.
    written = given.encode(errors="surrogatepass") if isinstance(given, str) else b""
    return hmac.compare_digest(expected.encode(), written)
