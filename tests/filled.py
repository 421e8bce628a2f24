"""Valid values for models and calls, found by trying, so that no test repeats the checks of each model."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

import attrs

from thingspace_async._core import codec
from thingspace_async._core.types import UNSET, CustomField, DeviceId, OpenEnum, Secret
from thingspace_async.diagnostics import TimeSpan, TimeUnit
from thingspace_async.errors import InvalidRequest
from thingspace_async.software import TimeWindow
from thingspace_async.software.v2 import HourWindow
from thingspace_async.v2x.geofences import Area

IMEI = DeviceId.imei("990013907835573")
ICCID = DeviceId.iccid("89141390780800784259")
EID = DeviceId.eid("67891278912345345678400866645632")

TEXTS = (
    "FF",
    "08",
    "2026",
    "94105",
    "https://example.com/listener",
    "1.3.6.1.4.1.31746",
    "203.0.113.7",
    "7-bit",
    "2001:db8::7",
    "5125550123",
    "04-01-2026",
    "mdn",
    "true",
    "990013907835573",
    "70B3D57ED0000001",
    "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11",
)
"""Strings for fields that do not accept every string."""

POLYGON = {"type": "Polygon", "coordinates": [[[-84.6, 33.4], [-84.5, 33.4], [-84.5, 33.5], [-84.6, 33.4]]]}

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

PLAIN: dict[object, tuple[Any, ...]] = {
    int: (1, 7, 60, 2026),
    float: (1.5,),
    bool: (True, False),
    Secret: (Secret("hush"), Secret("00112233445566778899AABBCCDDEEFF")),
    DeviceId: (IMEI, ICCID, EID, DeviceId.mdn("5125550123")),
    CustomField: (CustomField(key="CustomField1", value="truck"),),
    TimeSpan: (TimeSpan(value=15, unit=TimeUnit.SECOND),),
    TimeWindow: (TimeWindow(start_time=1, end_time=7),),
    HourWindow: (HourWindow(start_time="1", end_time="7"),),
    Path | bytes: (b"interval=60",),
    Any: ("anything", POLYGON),
    Mapping[str, Any]: (POLYGON,),
    Area: (Area.of("Polygon", POLYGON["coordinates"]),),
    UUID | str: (UUID(TEXTS[-1]),),
    object: ("anything",),
}


def candidates(kind: Any, name: str, place: int = 0) -> Iterator[Any]:
    """Yield values of a type for a field, the best first. Later fields get later timestamps."""
    inner = _first_of(codec.without_none(kind)[0])
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
        yield from ((one,) for one in several[1:])
    elif get_origin(inner) is dict:
        yield from ({name: one} for one in candidates(get_args(inner)[1], name, place))
    else:
        raise AssertionError(f"{name}: no values are defined for the type {kind}")


def _first_of(kind: Any) -> Any:
    """Return the main type of a parameter: DeviceId if it accepts a device of an answer too, and an enumeration
    if it accepts other strings too."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    if DeviceId in get_args(kind):
        return DeviceId
    return next((arm for arm in get_args(kind) if isinstance(arm, type) and issubclass(arm, OpenEnum)), kind)


def accepts(cls: type, field: attrs.Attribute[Any], value: object) -> bool:
    """Return whether a model's field accepts a value."""
    try:
        if field.validator is not None:
            field.validator(object.__new__(cls), field, value)
    except InvalidRequest:
        return False
    return True


def shapes(required: Sequence[str], optional: Sequence[str], fits: Callable[[set[str]], bool]) -> list[set[str]]:
    """Return sets of names that fit together: first the smallest, then sets that together cover all optional names."""
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
    raise AssertionError(f"{sorted(start)} with up to three of {optional} fit no model")


@cache
def arms(cls: type) -> tuple[type, ...]:
    """Return the models that a base class without fields stands for; for any other model, the model itself."""
    # attrs replaces a class with slots by another one, and the first one may still be there.
    below: list[type] = cls.__subclasses__()
    known = [one for one in below if getattr(sys.modules[one.__module__], one.__name__, None) is one]
    if attrs.fields(cls) or not known:
        return (cls,)
    return tuple(sorted(known, key=lambda one: one.__name__))


@cache
def shapes_of(cls: type) -> list[set[str]]:
    """Return sets of a model's fields that fit together. The first is the smallest."""
    fields = [field for field in codec.fields_of(cls) if field.init]
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
    """Return the values that a field accepts, without its default."""
    place, field = next(found for found in enumerate(codec.fields_of(cls)) if found[1].alias == alias)
    made = candidates(field.type, field.name, place)
    fitting = tuple(one for one in made if accepts(cls, field, one) and one not in (field.default, UNSET))
    assert fitting, f"{cls.__name__}.{field.name} accepts none of the candidates"
    return fitting


def _build(cls: type, names: set[str], turn: int) -> Any:
    values = {}
    for name in names:
        fitting = choices(cls, name)
        values[name] = fitting[turn % len(fitting) if attrs.has(type(fitting[0])) else 0]
    return cls(**values)


@cache
def smallest(cls: type) -> Any:
    """Return a model with as few fields as possible, in nested models too."""
    cls = arms(cls)[0]
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
    """Return models that together fill every field, in nested models too. The fullest is the first.

    One model is enough unless some fields exclude each other.
    """
    if (several := arms(cls)) != (cls,):
        return tuple(made for arm in several for made in instances(arm))
    full = sorted(shapes_of(cls)[1:] or shapes_of(cls), key=len, reverse=True)
    nested = [len(choices(cls, name)) for names in full for name in names if attrs.has(type(choices(cls, name)[0]))]
    return tuple(_build(cls, names, turn) for names in full for turn in range(max([1, *nested])))
