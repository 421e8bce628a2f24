"""Exchange, the argument of hooks, and Response, the answer to `Session.request`. Imported at their first use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

__all__ = ["Exchange", "Response"]


@attrs.frozen(kw_only=True, eq=False)  # Never compared.
class Exchange:
    """One request on the wire, as hooks receive it."""

    operation: str
    """Name of the call, such as `devices.list`."""
    method: str
    url: str
    """URL without its query, which may hold confidential values."""
    started: datetime
    tries: int
    """Number of the try in its call, from 1."""
    status: int | None = None
    """HTTP status. None before the answer, or if no answer arrived."""
    seconds: float = 0.0
    """Duration. 0 before the answer."""
    request_id: str | None = None
    """The platform's id of the request, for questions to Verizon's support."""
    error: type[BaseException] | None = None
    """Class of the error if no answer arrived."""


@attrs.frozen(kw_only=True, eq=False)  # Never compared.
class Response:
    """The answer to `Session.request`."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
