"""Every model of the package survives writing and reading. The fast reader and the strict one refuse the same JSON."""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thingspace_async
from tests import filled
from thingspace_async._core import codec, types
from thingspace_async._core.codec import Mismatch, dump, load, wire_name
from thingspace_async._core.codec.explain import strict_converter
from thingspace_async._core.codec.mending import mend
from thingspace_async._core.codec.names import is_local
from thingspace_async._core.codec.reading import fast_converter
from thingspace_async._core.types import CustomField, DeviceId, DeviceIds
from thingspace_async._core.values import UNSET, OpenEnum, Secret, Unset
from thingspace_async.errors import InvalidRequest
from thingspace_async.sensor_insights import InsightsPage
from thingspace_async.software.v2 import ConfigurationFileUpload
from thingspace_async.triggers import SmsNumber
from thingspace_async.v2x.geofences import Geometry

NOT_JSON = {ConfigurationFileUpload, InsightsPage}
"""The first is sent in parts, and the second is made from a list and a header."""


def _modules() -> Iterator[Any]:
    yield types
    package = Path(thingspace_async.__file__).parent
    for models in sorted(package.rglob("models.py")):
        dotted = ".".join(models.relative_to(package.parent).with_suffix("").parts)
        yield importlib.import_module(dotted)


def _model_classes() -> Iterator[type]:
    for module in _modules():
        for value in vars(module).values():
            is_model = isinstance(value, type) and attrs.has(value) and value.__module__ == module.__name__
            if is_model and value not in NOT_JSON:
                yield value


MODELS = sorted(_model_classes(), key=lambda cls: (cls.__module__, cls.__name__))
every_model = pytest.mark.parametrize("cls", MODELS, ids=lambda cls: f"{cls.__module__.split('.')[1]}.{cls.__name__}")

EXAMPLES = settings(max_examples=max(10, 1500 // len(MODELS)))
"""Examples for each model: fewer if there are more models, so that the suite takes the same time."""

OFFSETS = st.just(UTC) | st.integers(-840, 840).filter(bool).map(lambda minutes: timezone(timedelta(minutes=minutes)))

SAFE = st.text("aZ09 ./-_éß١中😀", min_size=1, max_size=8)
"""Strings for requests, without control characters or characters that the platform refuses."""

DIGITS = {"imei": 15, "iccid": 20, "mdn": 10, "msisdn": 11, "imsi": 15, "eid": 32, "esn": 11, "min": 10}

DEVICE_IDS = st.builds(
    lambda kind, digits, spell: DeviceId(id=digits * DIGITS[kind], kind=spell(kind)),
    st.sampled_from(sorted(DIGITS)),
    st.sampled_from("0123456789"),
    st.sampled_from([str.lower, str.upper, str.capitalize]),
) | st.builds(DeviceId, id=SAFE, kind=SAFE)
"""Identifiers for requests: they fit their kind, or their kind is unknown."""

PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    datetime: st.datetimes(timezones=OFFSETS).map(lambda moment: moment.replace(fold=0)),
    date: st.dates(),
    Secret: st.text(max_size=8).map(Secret),
    Any: st.none() | st.integers(0, 9) | st.text(max_size=3),
    Geometry: st.builds(Geometry, type=st.just("Polygon"), coordinates=st.just(filled.POLYGON["coordinates"])),
    # Answers may hold any identifier, including those that callers cannot make.
    DeviceId: st.fixed_dictionaries({"id": st.text(max_size=8), "kind": st.text(max_size=8)}).map(
        lambda parts: load(dump(parts), DeviceId)
    ),
}

CHECKED: dict[object, st.SearchStrategy[Any]] = {
    **PLAIN,
    str: SAFE,
    int: st.integers(1, 2**63),
    DeviceId: DEVICE_IDS,
    DeviceIds: st.builds(
        DeviceIds,
        device_ids=st.lists(DEVICE_IDS, min_size=1, max_size=2).map(tuple),
        ip_address=st.none() | SAFE,
    ),
    CustomField: st.builds(
        CustomField,
        key=st.integers(1, 5).map("CustomField{}".format),
        value=st.just("") | SAFE,
    ),
    Secret: SAFE.map(Secret),
    SmsNumber: st.builds(SmsNumber, number=SAFE, carrier=st.none() | SAFE),
}
"""Values for checked fields."""


def _values(kind: Any, plain: Mapping[object, st.SearchStrategy[Any]] = PLAIN) -> st.SearchStrategy[Any]:
    """Make values of a field's type."""
    inner, nullable = codec.without_none(kind)
    made: st.SearchStrategy[Any]
    if inner in plain:
        made = plain[inner]
    elif attrs.has(inner):
        made = st.deferred(lambda: _instances(inner))
    elif isinstance(inner, type) and issubclass(inner, OpenEnum):
        made = st.sampled_from(inner) | plain[str].map(inner)
    elif get_origin(inner) is tuple:
        least = 0 if plain is PLAIN else 1
        made = st.lists(_values(get_args(inner)[0], plain), min_size=least, max_size=2).map(tuple)
    elif get_origin(inner) is dict:
        made = st.dictionaries(plain[str], _values(get_args(inner)[1], plain), max_size=2)
    elif get_origin(inner) is Union:
        made = st.one_of([_values(member, plain) for member in get_args(inner)])
    else:
        made = st.nothing()
    if Unset in get_args(kind):
        made = st.just(UNSET) | made
    return st.none() | made if nullable else made


PROBES = ("a", "aZ09", "x" * 8, " ./-_", "éß١中😀")


def _checks_together(cls: type) -> bool:
    """Return whether a model checks fields against each other."""
    return hasattr(cls, "__attrs_post_init__")


def _field_values(cls: type, field: attrs.Attribute[Any], *, given: bool = False) -> st.SearchStrategy[Any]:
    """Make values that a field accepts, without null for a required field."""
    kind, nullable = codec.without_none(field.type)
    # In JSON, null means the default.
    nullable = nullable and not given and field.default in (attrs.NOTHING, None, UNSET)
    if field.default is UNSET:
        return _values(field.type)
    if field.validator is None and not _checks_together(cls):
        return st.none() | _values(kind) if nullable else _values(kind)
    probes: tuple[Any, ...] = PROBES if kind is str else (1, 2**40) if kind is int else ()
    if kind is Any and field.validator is not None:
        return st.sampled_from(filled.choices(cls, str(field.alias)))
    if kind is Secret:
        probes = tuple(map(Secret, PROBES))
    if kind == tuple[str, ...]:
        probes = tuple((one,) for one in PROBES)
    if all(filled.accepts(cls, field, probe) for probe in probes):
        values = _values(kind, CHECKED).filter(lambda value: filled.accepts(cls, field, value))
    else:
        values = st.sampled_from(filled.choices(cls, str(field.alias)))
    return st.none() | values if nullable else values


def _checked_together(cls: type) -> st.SearchStrategy[Any]:
    """Make a model that checks fields against each other. Some values do not fit together: others are drawn then."""
    return _tried_together(cls).filter(lambda model: model is not None)


@st.composite
def _tried_together(draw: st.DrawFn, cls: type) -> Any:
    """Make a model with dates in order on one day, or return None if its values do not fit together."""
    fields = {str(field.alias): field for field in codec.fields_of(cls) if field.init}
    shape = draw(st.sampled_from([sorted(names) for names in filled.shapes_of(cls)]))
    values = {name: draw(_field_values(cls, fields[name], given=True)) for name in shape}
    moments = sorted(draw(st.lists(st.integers(0, 86_399), min_size=len(shape), max_size=len(shape))))
    for name, seconds in zip([name for name in fields if name in values], moments, strict=True):
        if codec.without_none(fields[name].type)[0] is datetime:
            values[name] = filled.NOON + timedelta(seconds=seconds)
    required = {name for name in shape if fields[name].default is attrs.NOTHING}
    fewer = {name: value for name, value in values.items() if name in required or draw(st.booleans())}
    for chosen in (fewer, values):
        with suppress(InvalidRequest):
            return cls(**chosen)
    return None


@cache
def _instances(cls: type) -> st.SearchStrategy[Any]:
    if _checks_together(cls):
        return _checked_together(cls)
    if cls in PLAIN:
        return PLAIN[cls]
    fields = [field for field in codec.fields_of(cls) if field.init and not is_local(field)]
    return st.builds(cls, **{str(field.alias): _field_values(cls, field) for field in fields})


def _rejects(converter: Any, body: bytes, cls: type) -> bool:
    try:
        converter.get_structure_hook(cls)(orjson.loads(body), cls)
    except Exception:  # noqa: BLE001  (each converter has its own errors: only failure matters)
        return True
    return False


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


ODD_JSON = st.sampled_from(
    [None, True, 0, 5, 1.5, -1, "", "x", "2026-01-31T12:00:00Z", "2026-01-31", [], [None], ["x"], [5], {}, {"id": "1"}]
)


@st.composite
def _mutated(draw: st.DrawFn, cls: type) -> bytes:
    """Write a model, then replace or remove one of its values."""
    body = {**dict.fromkeys(map(wire_name, codec.fields_of(cls))), **orjson.loads(dump(draw(_instances(cls))))}
    place = draw(st.sampled_from(list(_places(body))))
    if not place:
        return orjson.dumps(draw(ODD_JSON))
    holder: Any = body
    for key in place[:-1]:
        holder = holder[key]
    if draw(st.booleans()):
        holder[place[-1]] = draw(ODD_JSON)
    else:
        del holder[place[-1]]
    return orjson.dumps(body)


def test_the_models_of_every_room_are_found() -> None:
    rooms = {cls.__module__.split(".")[1] for cls in MODELS}
    assert {"_core", "session_management", "accounts", "devices"} <= rooms


@every_model
def test_every_model_has_a_short_repr_and_to_dict(cls: type) -> None:
    assert issubclass(cls, codec.Model)
    assert cls.__repr__ is codec.Model.__repr__


@every_model
def test_every_field_has_a_type_that_can_be_generated_read_and_written(cls: type) -> None:
    assert attrs.has(cls)
    for field in codec.fields_of(cls):
        assert not _values(codec.without_none(field.type)[0]).is_empty, f"{field.name}: {field.type}"


@every_model
def test_no_two_fields_of_a_model_share_a_wire_name(cls: type) -> None:
    names = [wire_name(field) for field in codec.fields_of(cls)]
    names += [field.metadata["also"] for field in codec.fields_of(cls) if "also" in field.metadata]
    assert len(names) == len(set(names))


@every_model
@EXAMPLES
@given(data=st.data())
def test_every_model_is_equal_and_frozen_after_writing_and_reading(cls: type, data: st.DataObject) -> None:
    model = data.draw(_instances(cls))
    twin: Any = load(dump(model), cls)
    assert twin == model
    assert repr(twin) == repr(model)
    assert type(twin) is cls
    assert dump(twin) == dump(model)
    assert copy.deepcopy(twin) == model
    if "Secret(" not in repr(twin):  # Secrets are never pickled.
        assert pickle.loads(pickle.dumps(twin)) == model
    if not {"{", "["} & set(repr(twin)):  # JSON objects and lists are not hashable.
        assert hash(twin) == hash(model)
    for field in attrs.fields(cls):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(twin, field.name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(twin, field.name)


@every_model
@EXAMPLES
@given(data=st.data())
def test_the_fast_reader_and_the_strict_one_agree(cls: type, data: st.DataObject) -> None:
    body = data.draw(_mutated(cls))
    refused = _rejects(fast_converter(), body, cls)
    assert _rejects(strict_converter(), body, cls) == refused
    if not refused:
        assert load(body, cls) == strict_converter().structure(orjson.loads(body), cls)
        return
    mended = orjson.loads(body)
    if mend(mended, cls):
        body = orjson.dumps(mended)
        if not _rejects(fast_converter(), body, cls):
            return
    with pytest.raises(Mismatch) as caught:
        load(body, cls)
    assert "documented type" not in caught.value.message
    whole = not isinstance(orjson.loads(body), dict)
    # The error of a model's own check names the field in its message.
    assert (caught.value.path is None) == (whole or caught.value.message.startswith(f"{cls.__name__}: "))
