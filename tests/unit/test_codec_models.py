"""Every model of the package: what is written is read back, and the fast reader refuses what the strict one refuses."""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import attrs
import orjson
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import thingspace_async
from thingspace_async import _codec, _models, _types
from thingspace_async._codec import Mismatch, dump, load, wire_name
from thingspace_async._types import UNSET, OpenEnum, Secret, Unset
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

PRINTABLE = "aZ09 ./-_éß١中😀"

PLAIN: dict[object, st.SearchStrategy[Any]] = {
    # Each with a half that request models take, too.
    str: st.text(PRINTABLE, min_size=1, max_size=8) | st.text(max_size=8),
    int: st.integers(1, 2**63) | st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    datetime: st.datetimes(timezones=OFFSETS).map(lambda moment: moment.replace(fold=0)),
    date: st.dates(),
    Secret: st.text(max_size=8).map(Secret),
    Any: st.none() | st.integers(0, 9) | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=2),
}


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """Make values of a field's type."""
    inner, nullable = _codec._without_none(kind)
    made: st.SearchStrategy[Any]
    if inner in PLAIN:
        made = PLAIN[inner]
    elif attrs.has(inner):
        made = st.deferred(lambda: _instances(inner))
    elif isinstance(inner, type) and issubclass(inner, OpenEnum):
        made = st.sampled_from(inner) | st.text(max_size=5).map(inner)
    elif get_origin(inner) is tuple:
        made = st.lists(_values(get_args(inner)[0]), max_size=2).map(tuple)
    elif get_origin(inner) is dict:
        made = st.dictionaries(st.text(max_size=3), _values(get_args(inner)[1]), max_size=2)
    else:
        made = st.nothing()
    if Unset in get_args(kind):
        made = st.just(UNSET) | made
    return st.none() | made if nullable else made


def _accepts(cls: type, field: attrs.Attribute[Any], value: object) -> bool:
    """Say whether a request model's field takes a value."""
    try:
        if field.validator is not None:
            field.validator(object.__new__(cls), field, value)
    except InvalidRequest:
        return False
    return True


def _field_values(cls: type, field: attrs.Attribute[Any]) -> st.SearchStrategy[Any]:
    values = _values(field.type).filter(lambda value: _accepts(cls, field, value))
    if field.default in (attrs.NOTHING, None, UNSET):
        return values
    return values.filter(lambda value: value is not None)  # on the wire, null stands for the default


@cache
def _instances(cls: type) -> st.SearchStrategy[Any]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        str(field.alias): _field_values(cls, field) for field in _codec._fields(cls) if field.init
    }

    def build(values: dict[str, Any]) -> Any:
        try:
            return cls(**values)
        except InvalidRequest:  # a request model may refuse combinations
            reject()

    return st.fixed_dictionaries(fields).map(build)


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
        assert not _values(field.type).is_empty, f"{field.name}: {field.type}"


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
    refused = _rejects(_codec._converter, body, cls)
    assert _rejects(_codec._strict, body, cls) == refused
    if not refused:
        assert load(body, cls) == _codec._strict.structure(orjson.loads(body), cls)
        return
    with pytest.raises(Mismatch) as caught:
        load(body, cls)
    assert "documented type" not in caught.value.message
    whole = not isinstance(orjson.loads(body), dict)
    # A model's own refusal names the field in its text.
    assert (caught.value.path is None) == (whole or caught.value.message.startswith(f"{cls.__name__}: "))
