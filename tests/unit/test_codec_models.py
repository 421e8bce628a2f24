"""Every model of the package: what is written is read back, and the fast reader refuses what the strict one refuses."""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Iterator, Mapping
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
from thingspace_async import _codec, _models, _types
from thingspace_async._codec import Mismatch, dump, load, wire_name
from thingspace_async._types import UNSET, CustomField, DeviceId, DeviceIds, OpenEnum, Secret, Unset
from thingspace_async.errors import InvalidRequest


def _modules() -> Iterator[Any]:
    yield _types
    yield _models
    package = Path(thingspace_async.__file__).parent
    for models in sorted(package.rglob("models.py")):
        dotted = ".".join(models.relative_to(package.parent).with_suffix("").parts)
        yield importlib.import_module(dotted)


def _model_classes() -> Iterator[type]:
    for module in _modules():
        for value in vars(module).values():
            if isinstance(value, type) and attrs.has(value) and value.__module__ == module.__name__:
                yield value


MODELS = sorted(_model_classes(), key=lambda cls: (cls.__module__, cls.__name__))
every_model = pytest.mark.parametrize("cls", MODELS, ids=lambda cls: f"{cls.__module__.split('.')[1]}.{cls.__name__}")

EXAMPLES = settings(max_examples=max(10, 1500 // len(MODELS)))
"""Fewer for each model the more there are, so that the suite takes as long with fifteen rooms as with three."""

OFFSETS = st.just(UTC) | st.integers(-840, 840).filter(bool).map(lambda minutes: timezone(timedelta(minutes=minutes)))

SAFE = st.text("aZ09 ./-_éß١中😀", min_size=1, max_size=8)
"""Texts that requests may hold: no control character, and none that the platform refuses."""

DIGITS = {"imei": 15, "iccid": 20, "mdn": 10, "msisdn": 11, "imsi": 15, "eid": 32, "esn": 11, "min": 10}

DEVICE_IDS = st.builds(
    lambda kind, digits, spell: DeviceId(id=digits * DIGITS[kind], kind=spell(kind)),
    st.sampled_from(sorted(DIGITS)),
    st.sampled_from("0123456789"),
    st.sampled_from([str.lower, str.upper, str.capitalize]),
) | st.builds(DeviceId, id=SAFE, kind=SAFE)
"""Identifiers that fit their kind, or of a kind that is unknown; these go into requests."""

PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    datetime: st.datetimes(timezones=OFFSETS).map(lambda moment: moment.replace(fold=0)),
    date: st.dates(),
    Secret: st.text(max_size=8).map(Secret),
    Any: st.none() | st.integers(0, 9) | st.text(max_size=3),
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
}
"""Values for fields that are checked."""


def _values(kind: Any, plain: Mapping[object, st.SearchStrategy[Any]] = PLAIN) -> st.SearchStrategy[Any]:
    """Make values of a field's type."""
    inner, nullable = _codec._without_none(kind)
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


def _field_values(cls: type, field: attrs.Attribute[Any], *, given: bool = False) -> st.SearchStrategy[Any]:
    """Make values of a field that its check lets pass; not null where it has to be given."""
    kind, nullable = _codec._without_none(field.type)
    # On the wire, null stands for the default.
    nullable = nullable and not given and field.default in (attrs.NOTHING, None, UNSET)
    if field.default is UNSET:
        return _values(field.type)
    if field.validator is None and cls not in TOGETHER:
        return st.none() | _values(kind) if nullable else _values(kind)
    probes = PROBES if kind is str else (1, 2**40) if kind is int else ()
    if all(filled.accepts(cls, field, probe) for probe in probes):
        values = _values(kind, CHECKED).filter(lambda value: filled.accepts(cls, field, value))
    else:
        values = st.sampled_from(filled.choices(cls, str(field.alias)))
    return st.none() | values if nullable else values


TOGETHER = {cls for cls in MODELS if hasattr(cls, "__attrs_post_init__")}
"""The models that check their fields together."""


@st.composite
def _checked_together(draw: st.DrawFn, cls: type) -> Any:
    """Make a model that checks its fields together: some of those that fit, and dates in order on one day."""
    fields = {str(field.alias): field for field in _codec._fields(cls) if field.init}
    shape = draw(st.sampled_from([sorted(names) for names in filled.shapes_of(cls)]))
    values = {name: draw(_field_values(cls, fields[name], given=True)) for name in shape}
    moments = sorted(draw(st.lists(st.integers(0, 86_399), min_size=len(shape), max_size=len(shape))))
    for name, seconds in zip([name for name in fields if name in values], moments, strict=True):
        if _codec._without_none(fields[name].type)[0] is datetime:
            values[name] = filled.NOON + timedelta(seconds=seconds)
    required = {name for name in shape if fields[name].default is attrs.NOTHING}
    fewer = {name: value for name, value in values.items() if name in required or draw(st.booleans())}
    try:
        return cls(**fewer)
    except InvalidRequest:
        return cls(**values)


@cache
def _instances(cls: type) -> st.SearchStrategy[Any]:
    if cls in TOGETHER:
        return _checked_together(cls)
    fields = [field for field in _codec._fields(cls) if field.init]
    return st.builds(cls, **{str(field.alias): _field_values(cls, field) for field in fields})


def _rejects(converter: Any, body: bytes, cls: type) -> bool:
    try:
        converter.get_structure_hook(cls)(orjson.loads(body), cls)
    except Exception:  # noqa: BLE001  (each converter has errors of its own; only whether it fails counts)
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
    """Write a model and put something else, or nothing, in the place of one of its values."""
    body = {**dict.fromkeys(map(wire_name, _codec._fields(cls))), **orjson.loads(dump(draw(_instances(cls))))}
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
    assert {"_types", "session_management", "accounts", "devices"} <= rooms


@every_model
def test_every_field_has_a_type_that_can_be_made_read_and_written(cls: type) -> None:
    assert attrs.has(cls)
    for field in _codec._fields(cls):
        assert not _values(_codec._without_none(field.type)[0]).is_empty, f"{field.name}: {field.type}"


@every_model
def test_no_two_fields_of_a_model_share_a_name_on_the_wire(cls: type) -> None:
    names = [wire_name(field) for field in _codec._fields(cls)]
    names += [field.metadata["also"] for field in _codec._fields(cls) if "also" in field.metadata]
    assert len(names) == len(set(names))


@every_model
@EXAMPLES
@given(data=st.data())
def test_every_model_written_and_read_again_is_the_same_and_frozen(cls: type, data: st.DataObject) -> None:
    model = data.draw(_instances(cls))
    twin: Any = load(dump(model), cls)
    assert twin == model
    assert repr(twin) == repr(model)
    assert type(twin) is cls
    assert dump(twin) == dump(model)
    assert pickle.loads(pickle.dumps(twin)) == copy.deepcopy(twin) == model
    if "dict[" not in str([field.type for field in _codec._fields(cls)]):  # JSON objects have no hash.
        assert hash(twin) == hash(model)
    for field in attrs.fields(cls):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(twin, field.name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(twin, field.name)


@every_model
@EXAMPLES
@given(data=st.data())
def test_the_fast_reader_and_the_strict_one_refuse_the_same_and_read_the_same(cls: type, data: st.DataObject) -> None:
    body = data.draw(_mutated(cls))
    refused = _rejects(_codec._fast_converter(), body, cls)
    assert _rejects(_codec._strict_converter(), body, cls) == refused
    if not refused:
        assert load(body, cls) == _codec._strict_converter().structure(orjson.loads(body), cls)
        return
    with pytest.raises(Mismatch) as caught:
        load(body, cls)
    assert "documented type" not in caught.value.message
    whole = not isinstance(orjson.loads(body), dict)
    # A model's own refusal names the field in its text.
    assert (caught.value.path is None) == (whole or caught.value.message.startswith(f"{cls.__name__}: "))
