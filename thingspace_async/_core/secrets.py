"""Secrets: removes recently sent secrets from strings that may repeat them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

from thingspace_async._core.values import Secret

__all__ = ["Secrets"]

_HARMLESS: Final = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "date", "keep-alive", "server"}
    | {"transfer-encoding", "vary"}
)
"""Headers with ordinary values. Removing these values would garble most strings."""

_SHORTEST: Final = 4
"""Shortest secret to remove, in characters. Shorter strings occur in ordinary words, and real secrets are longer."""


class Secrets:
    """The secrets that were sent recently."""

    def __init__(self) -> None:
        self._known: deque[Secret] = deque(maxlen=64)
        self._brief: list[Secret] = []
        self._answered: deque[Secret] = deque(maxlen=64)

    def note(self, secret: Secret) -> None:
        """Remember a secret that is about to be sent."""
        if secret not in self._known:
            self._known.append(secret)

    def note_headers(self, headers: Mapping[str, str]) -> None:
        """Remember the values of an answer's headers, in a list of their own so that they displace no token."""
        self._answered.extend(Secret(value) for name, value in headers.items() if name.casefold() not in _HARMLESS)

    @contextmanager
    def noted(self, secret: Secret | None) -> Iterator[None]:
        """Remember a secret during a call only, so that many of them displace no token."""
        brief = [] if secret is None else [secret]
        self._brief += brief
        try:
            yield
        finally:
            for one in brief:
                self._brief.remove(one)

    def redact(self, text: str) -> str:
        """Replace secrets in a string, including their spellings in JSON, HTML and URLs."""
        # The longest first, because one may begin with another.
        every = (*self._known, *self._brief, *self._answered)
        spellings = {spelling for secret in every for spelling in _spellings(secret)}
        for spelling in sorted(spellings, key=lambda one: len(one.reveal()), reverse=True):
            text = text.replace(spelling.reveal(), "**********")
        return text


def _spellings(secret: Secret) -> Iterator[Secret]:
    import html  # Only errors need it, and importing it takes longer than this module.

    if len(secret.reveal()) >= _SHORTEST:
        yield secret
        yield Secret(json.dumps(secret.reveal())[1:-1])
        yield Secret(html.escape(secret.reveal()))
        yield Secret(quote(secret.reveal(), safe=""))
