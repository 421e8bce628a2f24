"""Values that models and calls take, found by trying, so that no test has to repeat what each of them checks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Literal, get_args, get_origin

import attrs

from thingspace_async import _codec
from thingspace_async._types import UNSET, CustomField, DeviceId, OpenEnum, Secret
from thingspace_async.errors import InvalidRequest

IMEI = DeviceId.imei("990013907835573")
ICCID = DeviceId.iccid("89141390780800784259")
EID = DeviceId.eid("67891278912345345678400866645632")

TEXTS = ("FF", "08", "2026", "94105", "https://example.com/listener", "1.3.6.1.4.1.31746", "203.0.113.7", "7-bit")
"""For fields that do not take any text."""

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

PLAIN: dict[object, tuple[Any, ...]] = {
    int: (1, 7, 60, 2026),
    float: (1.5,),
    bool: (True, False),
    Secret: (Secret("hush"),),
    DeviceId: (IMEI, ICCID, EID, DeviceId.mdn("5125550123")),
    CustomField: (CustomField(key="CustomField1", value="truck"),),
    Any: ("anything",),
    object: ("anything",),
}


def candidates(kind: Any, name: str, place: int = 0) -> Iterator[Any]:
    """Yield values of a type for a field, the best first; time stamps are later the further back the field stands."""
    inner, _ = _codec._without_none(kind)
    if inner in PLAIN:
        yield from PLAIN[inner]
    elif inner is str:
        yield from ("0000123456-00001",) if name == "account_name" else (name.replace("_", " "), *TEXTS)
    elif inner is datetime:
        yield NOON + timedelta(minutes=place)
    elif inner is date:
        yield date(2026, 1, 31) + timedelta(days=place)
    elif isinstance(inner, type) and issubclass(inner, OpenEnum):
        yield from inner
    elif get_origin(inner) is Literal:
        yield from get_args(inner)
    elif attrs.has(inner):
        yield from instances(inner)
    elif get_origin(inner) in (tuple, Iterable):
        several = tuple(candidates(get_args(inner)[0], name, place))
        yield from (several[:2] if get_args(inner)[0] is DeviceId else several, several[:1])
    elif get_origin(inner) is dict:
        yield from ({name: one} for one in candidates(get_args(inner)[1], name, place))
    else:
        raise AssertionError(f"{name}: no value of the type {kind} is known")


def accepts(cls: type, field: attrs.Attribute[Any], value: object) -> bool:
    """Say whether a model's field takes a value."""
    try:
        if field.validator is not None:
            field.validator(object.__new__(cls), field, value)
    except InvalidRequest:
        return False
    return True


def shapes(required: Sequence[str], optional: Sequence[str], fits: Callable[[set[str]], bool]) -> list[set[str]]:
    """Return sets of names that fit together: first as few as do, then such as hold each optional one at least once."""
    found = [_smallest(set(required), optional, fits)]
    left = list(optional)
    while left:
        grown = _smallest({*required, left[0]}, optional, fits)
        for name in (*left, *optional):
            if name not in grown and fits({*grown, name}):
                grown = {*grown, name}
        found.append(grown)
        left = [name for name in left if name not in grown]
    return found


def _smallest(start: set[str], optional: Sequence[str], fits: Callable[[set[str]], bool]) -> set[str]:
    for more in range(4):
        for added in itertools.combinations(optional, more):
            if fits({*start, *added}):
                return {*start, *added}
    raise AssertionError(f"nothing can be made of {sorted(start)} with up to three of {optional}")


@cache
def shapes_of(cls: type) -> list[set[str]]:
    """Return which fields of a model may be given together; the first has the fewest."""
    fields = [field for field in _codec._fields(cls) if field.init]
    required = [str(field.alias) for field in fields if field.default is attrs.NOTHING]
    return shapes(
        required, [str(field.alias) for field in fields if field.alias not in required], lambda names: _fits(cls, names)
    )


def _fits(cls: type, names: set[str]) -> bool:
    try:
        _build(cls, names, 0)
    except InvalidRequest:
        return False
    return True


@cache
def choices(cls: type, alias: str) -> tuple[Any, ...]:
    """Return the values that a field takes, without its default."""
    place, field = next(found for found in enumerate(_codec._fields(cls)) if found[1].alias == alias)
    made = candidates(field.type, field.name, place)
    fitting = tuple(one for one in made if accepts(cls, field, one) and one not in (field.default, UNSET))
    assert fitting, f"{cls.__name__}.{field.name} takes none of the values that are tried"
    return fitting


def _build(cls: type, names: set[str], turn: int) -> Any:
    values = {}
    for name in names:
        fitting = choices(cls, name)
        values[name] = fitting[turn % len(fitting) if attrs.has(type(fitting[0])) else 0]
    return cls(**values)


@cache
def smallest(cls: type) -> Any:
    """Return a model with as few fields as it can do with, and the models in it likewise."""
    values = {name: _smaller(choices(cls, name)) for name in shapes_of(cls)[0]}
    return cls(**values)


def _smaller(fitting: tuple[Any, ...]) -> Any:
    first = fitting[0]
    if isinstance(first, tuple):
        return tuple(_small(item) for item in first[:1])
    return _small(first)


def _small(value: Any) -> Any:
    kind: type = type(value)
    return smallest(kind) if attrs.has(kind) and kind not in PLAIN else value


@cache
def instances(cls: type) -> tuple[Any, ...]:
    """Return models that together have every field filled, theirs and those of the models in them; the fullest first.

    One is enough unless some fields exclude each other.
    """
    full = sorted(shapes_of(cls)[1:] or shapes_of(cls), key=len, reverse=True)
    nested = [len(choices(cls, name)) for names in full for name in names if attrs.has(type(choices(cls, name)[0]))]
    return tuple(_build(cls, names, turn) for names in full for turn in range(max([1, *nested])))
