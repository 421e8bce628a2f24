"""Declarations of the admin API's requests, used for checks and for the OpenAPI description."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import attrs

__all__ = ["Field", "Invalid", "Shape", "read", "read_query", "schema_of"]

Kind = Literal["string", "integer", "number", "boolean", "array", "object", "any"]

_TYPES: Final[Mapping[Kind, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "any": (object,),
}

_LARGEST: Final = 10**12


class Invalid(Exception):
    """Raised for an invalid request, with all its errors."""

    def __init__(self, *faults: str, status: int = 400) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
        self.status = status


@attrs.frozen(kw_only=True)
class Field:
    """One member of a body, or one parameter of a query."""

    kind: Kind
    text: str
    """Its description in OpenAPI."""
    required: bool = False
    among: tuple[str, ...] = ()
    """The allowed values of a string."""
    least: float | None = None
    most: float | None = None
    is_time: bool = False
    """Whether the string is a time in the format of ISO 8601."""
    nullable: bool = False

    def fault_of(self, value: object) -> str | None:
        """Return the error of a value; None for a valid one."""
        if value is None and self.nullable:
            return None
        if self.kind != "any" and (not isinstance(value, _TYPES[self.kind]) or self._is_false_number(value)):
            return f"must be of type {self.kind}"
        if self.among and value not in self.among:
            return f"must be one of {', '.join(self.among)}"
        if isinstance(value, int | float) and self.kind in ("integer", "number"):
            return self._fault_of_number(value)
        if self.is_time and isinstance(value, str) and _time_of(value) is None:
            return "must be a time with a zone, such as 2026-11-26T12:00:00Z"
        if isinstance(value, str) and not value.isprintable() and self.kind == "string" and not self.is_time:
            return "must be printable"
        return None

    def _is_false_number(self, value: object) -> bool:
        return isinstance(value, bool) and self.kind in ("integer", "number")

    def _fault_of_number(self, value: float) -> str | None:
        least, most = -_LARGEST if self.least is None else self.least, self.most or _LARGEST
        if not math.isfinite(value) or not least <= value <= most:
            return f"must be from {least:g} to {most:g}"
        return None

    def value_of(self, value: Any) -> Any:
        """Convert a valid value: times from strings."""
        return _time_of(value) if self.is_time and value is not None else value


Shape = Mapping[str, Field]
"""The fields by name."""


def _time_of(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        moment.timestamp()
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


def read(shape: Shape, document: object, where: str = "body") -> dict[str, Any]:
    """Return the converted members of a document; raise Invalid with all unknown, missing and wrong members."""
    if not isinstance(document, dict):
        raise Invalid(f"{where}: must be a JSON object")
    faults = [f"{where}: unknown field {name!r}; known: {', '.join(shape)}" for name in document if name not in shape]
    faults += [f"{where}: {name} is missing" for name, one in shape.items() if one.required and name not in document]
    for name, value in document.items():
        if name in shape and (fault := shape[name].fault_of(value)) is not None:
            faults.append(f"{where}: {name} {fault}")
    if faults:
        raise Invalid(*faults)
    return {name: shape[name].value_of(value) for name, value in document.items()}


def read_query(shape: Shape, query: Mapping[str, str]) -> dict[str, Any]:
    """Return the converted parameters of a query."""
    return read(shape, {name: _number(shape, name, text) for name, text in query.items()}, "query")


def _number(shape: Shape, name: str, text: str) -> object:
    if name in shape and shape[name].kind == "integer":
        try:
            return int(text)
        except ValueError:
            return text
    return text


def schema_of(field: Field) -> dict[str, Any]:
    """Return the JSON Schema of a field, for OpenAPI 3.1."""
    kind: Any = [field.kind, "null"] if field.nullable else field.kind
    schema: dict[str, Any] = {} if field.kind == "any" else {"type": kind}
    schema["description"] = field.text
    if field.among:
        schema["enum"] = [*field.among, *([None] if field.nullable else [])]
    if field.is_time:
        schema["format"] = "date-time"
    if field.kind in ("integer", "number"):
        schema["minimum"] = -_LARGEST if field.least is None else field.least
        schema["maximum"] = field.most or _LARGEST
    return schema
