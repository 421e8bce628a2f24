"""Starring of secrets in JSON, recognized by the names of their members."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["STARS", "starred"]

STARS: Final = "***"

_SECRET: Final = re.compile(r"password|secret|token|authorization|app_?key", re.IGNORECASE)
_PLAIN: Final = "token_type"


def starred(value: Any) -> Any:
    """Return a JSON value with its secrets starred."""
    if isinstance(value, Mapping):
        return {name: _member(name, each) for name, each in value.items()}
    return [starred(each) for each in value] if isinstance(value, list) else value


def _member(name: str, value: Any) -> Any:
    is_secret = _SECRET.search(name) is not None and isinstance(value, str | int | float) and value != ""
    return STARS if is_secret and name != _PLAIN else starred(value)
