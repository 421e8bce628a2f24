"""Names of fields on the wire."""

from __future__ import annotations

from typing import Any, Final

import attrs

__all__ = ["REST", "is_local", "named_on_wire", "wire_name"]

REST: Final = "*"
"""Wire name of a field that takes all other members. No member has this name."""


def named_on_wire(name: str, also: str | None = None) -> dict[str, str]:
    """Return the `metadata` of a field whose wire name is not its camelCase form.

    `also` is a second spelling to read if the platform's documents disagree.
    """
    return {"wire": name} if also is None else {"wire": name, "also": also}


def is_local(field: attrs.Attribute[Any]) -> bool:
    """Return whether a field is neither read nor written: its `metadata` has `local`."""
    return "local" in field.metadata


def wire_name(field: attrs.Attribute[Any]) -> str:
    """Return the platform's name of a field."""
    if (name := field.metadata.get("wire")) is not None:
        return str(name)
    first, *rest = field.name.split("_")
    return first + "".join(word.capitalize() for word in rest)
