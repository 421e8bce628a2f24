"""Analysis of field types, for readers and writers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs

from thingspace_async._core.codec.names import is_local
from thingspace_async._core.values import UNSET, OpenEnum, Secret, Unset

__all__ = [
    "SCALARS",
    "Mismatch",
    "distinguishes_absence",
    "factory_of",
    "fields_of",
    "is_flat",
    "is_mapping",
    "is_required",
    "is_scalar_union",
    "is_sequence",
    "named",
    "refuse_odd_fields",
    "scalars_of",
    "without_none",
]


class Mismatch(Exception):
    """JSON does not fit its type. Internal: callers get AnswerUnreadable."""

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


SCALARS: Final = {str: "a string", int: "a whole number", bool: "true or false"}


def named(value: object) -> str:
    """Return the name of a value's JSON type. The value itself may be a secret."""
    names = {dict: "an object", list: "a list", str: "a string", NoneType: "null", bool: "true or false"}
    return names.get(type(value), "a number")


def without_none(kind: Any) -> tuple[Any, bool]:
    """Split `T | None | Unset` into T and whether null is allowed."""
    if get_origin(kind) not in (Union, UnionType):
        return kind, kind in (NoneType, Any, object)
    members = [member for member in get_args(kind) if member is not Unset]
    rest = [member for member in members if member is not NoneType]
    return (rest[0] if len(rest) == 1 else Union[tuple(rest)]), len(rest) < len(members)  # noqa: UP007


def scalars_of(kind: Any) -> tuple[type, ...]:
    """Return the scalars of a type, or nothing if it allows anything else."""
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return members if all(member in SCALARS for member in members) else ()


def is_scalar_union(kind: Any) -> bool:
    """Return whether a type allows several scalars: the platform sends some numbers as strings, too."""
    return len(scalars_of(without_none(kind)[0])) > 1


def is_sequence(kind: Any) -> bool:
    """Return whether a type is `tuple[T, ...]`."""
    return get_origin(kind) is tuple and len(get_args(kind)) == 2 and get_args(kind)[1] is Ellipsis


def is_mapping(kind: Any) -> bool:
    """Return whether a type is `dict[str, T]`."""
    return get_origin(kind) is dict


def fields_of(cls: type) -> tuple[attrs.Attribute[Any], ...]:
    """Return the fields of a class with their annotations resolved."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(attrs.resolve_types(cls, include_extras=False))
    return fields


def is_flat(kind: Any) -> bool:
    """Return whether a class has only scalar fields, so that its code can be inlined."""
    return attrs.has(kind) and all(scalars_of(without_none(field.type)[0]) for field in fields_of(kind))


def is_required(field: attrs.Attribute[Any]) -> bool:
    """Return whether a field has no default."""
    return field.default is attrs.NOTHING


def distinguishes_absence(field: attrs.Attribute[Any]) -> bool:
    """Return whether null and absence have different meanings for a field."""
    return field.default is UNSET or (is_required(field) and without_none(field.type)[1])


def factory_of(field: attrs.Attribute[Any]) -> Callable[[], Any] | None:
    """Return the factory of a field's default, or None if it has none."""
    factory: Callable[[], Any] | None = getattr(field.default, "factory", None)
    return factory


# Types that can be written as JSON


def refuse_odd_fields(cls: type) -> None:
    """Raise TypeError for a field of a model that cannot be read and written as JSON.

    A type that is defined later in its module cannot be resolved yet, and is not checked.
    """
    for field in attrs.fields(cls):
        if field.inherited or is_local(field):
            continue
        try:
            fits = _has_form(_resolved(field.type, cls.__module__))
        except NameError:
            continue
        if not fits:
            raise TypeError(
                f"{cls.__name__}: the field {field.name} has the type {field.type}, which the codec cannot read or "
                "write"
            )


@cache  # Models repeat a few annotations.
def _resolved(annotation: Any, module: str) -> Any:
    """Resolve one annotation, even if other annotations of its class cannot be resolved yet."""

    def annotated() -> None: ...

    annotated.__annotations__ = {"field": annotation}
    return get_type_hints(annotated, vars(sys.modules[module]))["field"]


def _has_form(kind: Any) -> bool:
    kind, _ = without_none(kind)
    if scalars_of(kind) or kind in (float, Any, object, NoneType):
        return True
    if is_sequence(kind):
        return _has_form(get_args(kind)[0])
    if is_mapping(kind):
        return get_args(kind)[0] is str and _has_form(get_args(kind)[1])
    return isinstance(kind, type) and (attrs.has(kind) or issubclass(kind, OpenEnum | Secret | date))
