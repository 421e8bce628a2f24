"""Checks of request models that follow from the annotations of their fields.

    @attrs.frozen(kw_only=True, field_transformer=checked)
    class SmsSendRequest:
        account_name: str
        devices: Annotated[tuple[DeviceIds, ...], Count(most=100)] = attrs.field(converter=to_devices)

Use it for requests only: a model of answers with validators is slower to read.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import attrs

from thingspace_async._core import checks
from thingspace_async._core.types import CustomField, DeviceId, DeviceIds
from thingspace_async._core.values import Secret, Unset

__all__ = ["Count", "Length", "Range", "checked"]


@attrs.frozen(kw_only=True)
class Length:
    """Allowed length of a string, in characters."""

    least: int = 1
    most: int | None = None


@attrs.frozen(kw_only=True)
class Range:
    """Bounds of a number."""

    least: int
    most: int | None = None


@attrs.frozen(kw_only=True)
class Count:
    """Allowed number of items in a tuple: at least one, unless it is empty by default."""

    most: int


Limit = TypeVar("Limit", Length, Range, Count)


def checked(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Give each field without a validator one that follows from its annotation. Use as `field_transformer` of attrs."""
    return [field if field.validator is not None else field.evolve(validator=_ByAnnotation()) for field in fields]


class _ByAnnotation:
    """The validator of one field. It is made at its first use, because resolving annotations slows down the import."""

    __slots__ = ("_validate",)

    def __init__(self) -> None:
        self._validate: checks.Validator | None = None

    def __call__(self, model: object, field: attrs.Attribute[Any], value: object) -> None:
        if value is field.default:
            return
        if self._validate is None:
            self._validate = validator_for(typing.get_type_hints(type(model), include_extras=True)[field.name])
        self._validate(model, field, value)


def validator_for(annotation: Any) -> checks.Validator:
    """Return the validator that follows from an annotation; raises TypeError if none does."""
    kind, limits = _taken_apart(annotation)
    if (check := _CHECKS.get(kind)) is not None:
        return check(limits)
    if get_origin(kind) is tuple:
        return _items(get_args(kind)[0], limits)
    if isinstance(kind, type) and kind is not Any:  # Any is a class since Python 3.11.
        return checks.named(kind) if issubclass(kind, Enum) else checks.instance(kind)
    raise TypeError(f"the annotation {annotation} has no known validator: give the field a validator")


def _taken_apart(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Split `Annotated[T | None, limits]` into T and the limits."""
    limits: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, *found = get_args(annotation)
        limits = tuple(found)
    if get_origin(annotation) in (typing.Union, UnionType):
        members = [member for member in get_args(annotation) if member not in (NoneType, Unset)]
        if len(members) == 1:
            inner, more = _taken_apart(members[0])
            return inner, limits + more
    return annotation, limits


def _limit(kind: type[Limit], limits: tuple[Any, ...]) -> Limit | None:
    return next((limit for limit in limits if isinstance(limit, kind)), None)


def _string(limits: tuple[Any, ...]) -> checks.Validator:
    if (length := _limit(Length, limits)) is None:
        return checks.text
    if length.most is not None:
        return checks.text_of(least=length.least, most=length.most)
    return checks.text if length.least else checks.text_or_empty


def _secret(limits: tuple[Any, ...]) -> checks.Validator:
    length = _limit(Length, limits)
    return checks.instance(Secret) if length is None or length.most is None else checks.secret_of(most=length.most)


def _number(limits: tuple[Any, ...]) -> checks.Validator:
    bounds = _limit(Range, limits) or Range(least=0)
    return checks.whole(least=bounds.least, most=bounds.most)


def _items(item: Any, limits: tuple[Any, ...]) -> checks.Validator:
    count = _limit(Count, limits)
    most = None if count is None else count.most
    if item is DeviceIds:
        return checks.devices() if most is None else checks.devices(most=most)
    if item is CustomField:
        return checks.custom_fields
    if item is DeviceId:
        return checks.device_ids(most=most)
    if item is str:
        return checks.texts(least=1, most=most)
    if get_origin(item) is tuple:
        return checks.lists_of_device_ids(most=most)
    return checks.instances(get_origin(item) or item, least=1, most=most)


_CHECKS: Final[dict[Any, Callable[[tuple[Any, ...]], checks.Validator]]] = {
    str: _string,
    int: _number,
    Secret: _secret,
    bool: lambda _: checks.flag,
    datetime: lambda _: checks.zoned,
    DeviceId: lambda _: checks.device_id,
}
