"""Generated loaders. They check each value inline, and stop at the first fault without its path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, get_args

import attrs
from cattrs import Converter

from thingspace_async._core.codec.dates import parse_date, parse_datetime
from thingspace_async._core.codec.hooks import new_converter
from thingspace_async._core.codec.kinds import (
    distinguishes_absence,
    factory_of,
    fields_of,
    is_flat,
    is_mapping,
    is_required,
    is_sequence,
    scalars_of,
    without_none,
)
from thingspace_async._core.codec.mending import is_lenient, read_odd_date
from thingspace_async._core.codec.names import is_local, wire_name
from thingspace_async._core.codec.source import Source, nested
from thingspace_async._core.values import UNSET, OpenEnum

__all__ = ["fast_converter", "make_loader", "sets_fields_only"]


@cache  # Made at first use: a converter takes a millisecond.
def fast_converter() -> Converter:
    """Return the converter with the generated loaders."""
    fast = new_converter()
    fast.register_structure_hook_factory(attrs.has, make_loader)
    fast.register_structure_hook_factory(is_sequence, _make_sequence_loader)
    fast.register_structure_hook_factory(is_mapping, _make_mapping_loader)
    return fast


def make_loader(cls: type, second: str | None = None) -> Callable[..., Any]:
    """Generate the loader of a class, from one dict or from two."""
    source = Source()
    with source.block(f"def load(data, {second or '_=None'}):"):
        _emit_object(source, cls, "data", second)
        source.add("return data")
    return source.build("load", cls.__name__)


def _make_sequence_loader(kind: Any) -> Callable[..., Any]:
    source = Source()
    with source.block("def load(data, _=None):"):
        _emit_value(source, kind, "data", null=None)
        source.add("return data")
    return source.build("load", str(kind))


def _make_mapping_loader(kind: Any) -> Callable[..., Any]:
    source = Source()
    inner, nullable = without_none(get_args(kind)[1])
    with source.block("def load(data, _=None):"):
        source.add("if data.__class__ is not dict: raise Mismatch('')")
        with source.block("for key, value in data.items():"):
            _emit_value(source, inner, "value", null="None" if nullable else None)
            source.add("data[key] = value")
        source.add("return data")
    return source.build("load", str(kind))


# Values


def _emit_value(source: Source, kind: Any, var: str, *, null: str | None) -> None:
    """Emit code that checks `var` against a type and converts it.

    `null` is the source of the value for null, or None if null is wrong.
    """
    if scalars := scalars_of(kind):
        _emit_scalar(source, scalars, var, null=null)
    elif null is None:
        _emit_present(source, kind, var)
    else:
        source.add(f"if {var} is None: {var} = {null}")
        if kind not in (Any, object):
            with source.block("else:"):
                _emit_present(source, kind, var)


def _emit_scalar(source: Source, scalars: Sequence[type], var: str, *, null: str | None) -> None:
    wrong = "if " + " and ".join(f"{var}.__class__ is not {scalar.__name__}" for scalar in scalars)
    if null is None:
        source.add(f"{wrong}: raise Mismatch('')")
        return
    with source.block(f"{wrong}:"):
        source.add(f"if {var} is not None: raise Mismatch('')")
        if null != "None":
            source.add(f"{var} = {null}")


def _emit_present(source: Source, kind: Any, var: str) -> None:
    """Emit code that converts a value that is neither a scalar nor null."""
    if is_sequence(kind):
        source.add(f"if {var}.__class__ is not list: raise Mismatch('')")
        item = get_args(kind)[0]
        items = var if item in (Any, object) else _emit_items(source, item, var)
        source.add(f"{var} = tuple({items})")
    elif is_flat(kind):
        _emit_object(source, kind, var)
    elif isinstance(kind, type) and issubclass(kind, OpenEnum):
        # Calling an enumeration takes three times as long as a lookup in its table of members.
        source.add(f"try: {var} = {source.name('members', kind._value2member_map_)}[{var}]")
        source.add(f"except (KeyError, TypeError): {var} = {_conversion(source, kind, var)}")
    else:
        source.add(f"{var} = {_conversion(source, kind, var)}")


def _emit_items(source: Source, item: Any, var: str) -> str:
    """Emit code that converts the items of the list in `var`, and return the name of the list of results."""
    inner, nullable = without_none(item)
    null = "None" if nullable else None
    value = source.fresh("v")
    if scalars_of(inner):
        with source.block(f"for {value} in {var}:"):
            _emit_value(source, inner, value, null=null)
        return var
    if is_flat(inner) and _read_by_subscript(fields_of(inner)):
        # A device has few identifiers, so a second list is faster than replacing the items of the first.
        made = source.fresh("o")
        source.add(f"{made} = []")
        with source.block(f"for {value} in {var}:"):
            _emit_value(source, inner, value, null=null)
            source.add(f"{made}.append({value})")
        return made
    # Replacing each dict by its object frees the dict at once. With a second list, thousands of dicts would stay alive
    # and start the garbage collector repeatedly.
    place = source.fresh("i")
    with source.block(f"for {place}, {value} in enumerate({var}):"):
        _emit_value(source, inner, value, null=null)
        source.add(f"{var}[{place}] = {value}")
    return var


def _conversion(source: Source, kind: Any, var: str) -> str:
    """Return the expression that converts a value through a function call."""
    if kind is datetime:
        return f"{source.name('datetime', parse_datetime)}({var})"
    if kind is date:
        return f"{source.name('date', parse_date)}({var})"
    if attrs.has(kind):
        return f"{source.name(kind.__name__, nested('load', kind, fast_converter().get_structure_hook))}({var})"
    hook = source.name("hook", fast_converter().get_structure_hook(kind))
    return f"{hook}({var}, {source.name('kind', kind)})"


# Objects


def _emit_object(source: Source, cls: type, var: str, second: str | None = None) -> None:
    """Emit code that turns the dict in `var`, with a second dict as fallback, into an object of a class."""
    fields = fields_of(cls)
    read = [field for field in fields if not distinguishes_absence(field) and not is_local(field)]
    if second is not None or not _read_by_subscript(fields):
        source.add(f"if {var}.__class__ is not dict: raise Mismatch('')")
    _emit_aliases(source, fields, *filter(None, (var, second)))
    if second is None:
        _emit_reads(source, read, var)
    else:
        _emit_reads_of_two(source, read, var, second)
    lenient = [field for field in fields if is_lenient(cls, field)]
    if lenient:
        source.add(f"{var}_unreadable = None")
    for field in fields:
        if is_local(field):
            source.add(f"{var}_{field.name} = {_null_of(source, field)}")
        elif field in lenient:
            _emit_lenient_date(source, field, var)
        else:
            _emit_field(source, field, var)
    _emit_construction(source, cls, var)


def _emit_construction(source: Source, cls: type, var: str) -> None:
    """Emit code that makes the object from its fields."""
    fields = fields_of(cls)
    if not sets_fields_only(cls, fields):
        words = ", ".join(f"{field.alias}={var}_{field.name}" for field in fields)
        source.add(f"{var} = {source.name('new', cls)}({words})")
    else:
        source.add(f"{var} = {source.name('twin', _twin(cls))}()")
        for field in fields:
            source.add(f"{var}.{field.name} = {var}_{field.name}")
        source.add(f"{var}.__class__ = {source.name('cls', cls)}")
    if any(is_lenient(cls, field) for field in fields):
        note = source.name("note", _note_unreadable)
        source.add(f"if {var}_unreadable is not None: {note}({var}, {var}_unreadable)")


def _note_unreadable(model: object, found: dict[str, str]) -> None:
    object.__setattr__(model, "_unreadable", found)  # The model is frozen.


def _emit_aliases(source: Source, fields: Sequence[attrs.Attribute[Any]], *variables: str) -> None:
    """Emit code that copies a value from its second spelling to the first if only the second is present."""
    for field in fields:
        if (also := field.metadata.get("also")) is not None:
            key = wire_name(field)
            for data in variables:
                missing = f"{data}.get({key!r}) is None and {also!r} in {data}"
                source.add(f"if {missing}: {data}[{key!r}] = {data}[{also!r}]")


def _emit_reads(source: Source, fields: list[attrs.Attribute[Any]], data: str) -> None:
    """Emit code that reads fields from the dict in `data`, with None for absent fields.

    Subscripts take half the time of `get`, and most answers are complete. A dict with fewer items than fields is
    incomplete, and is read with `get`. A KeyError costs more than a small object, but happens only with unknown fields.
    """
    if not fields:
        return
    if all(map(is_required, fields)):
        _emit_subscripts(source, fields, data)
        return
    with source.block(f"if len({data}) < {len(fields)}:"):
        source.add(f"{data}_get = {data}.get")
        for field in fields:
            source.add(f"{data}_{field.name} = {data}_get({wire_name(field)!r})")
    with source.block("else:"):
        _emit_subscripts(source, fields, data)


def _emit_subscripts(source: Source, fields: list[attrs.Attribute[Any]], data: str) -> None:
    keys = [wire_name(field) for field in fields]
    names = [f"{data}_{field.name}" for field in fields]
    with source.block("try:"):
        for name, key in zip(names, keys, strict=True):
            source.add(f"{name} = {data}[{key!r}]")
    unchecked = _read_by_subscript(fields)
    with source.block("except (KeyError, TypeError):" if unchecked else "except KeyError:"):
        if unchecked:
            source.add(f"if {data}.__class__ is not dict: raise Mismatch('')")
        source.add(f"{', '.join(names)}, = map({data}.get, {source.name('keys', tuple(keys))})")


def _emit_reads_of_two(source: Source, fields: list[attrs.Attribute[Any]], data: str, second: str) -> None:
    """Emit code that reads fields from the dict in `data`, or else from the dict in `second`."""
    for given in (data, second):
        source.add(f"{given}_get = {given}.get")
    for field in fields:
        name, key = f"{data}_{field.name}", wire_name(field)
        source.add(f"{name} = {data}_get({key!r})")
        source.add(f"if {name} is None: {name} = {second}_get({key!r})")


def _read_by_subscript(fields: Sequence[attrs.Attribute[Any]]) -> bool:
    """Return whether reading the fields fails for anything but a dict, so that the type needs no check.

    This is so for identifiers, which outnumber all other objects.
    """
    return bool(fields) and all(
        is_required(field) and not distinguishes_absence(field) and "also" not in field.metadata for field in fields
    )


def _emit_field(source: Source, field: attrs.Attribute[Any], data: str) -> None:
    """Emit code that checks one field. If null and absence differ, it also reads the field."""
    key, var = wire_name(field), f"{data}_{field.name}"
    kind, nullable = without_none(field.type)
    if field.default is UNSET:
        unset = source.name("unset", UNSET)
        source.add(f"{var} = {data}.get({key!r}, {unset})")
        with source.block(f"if {var} is not {unset}:"):
            _emit_value(source, kind, var, null="None" if nullable else unset)
    elif distinguishes_absence(field):
        source.add(f"if {key!r} not in {data}: raise Mismatch('')")
        source.add(f"{var} = {data}[{key!r}]")
        _emit_value(source, kind, var, null="None")
    else:
        _emit_value(source, kind, var, null=_null_of(source, field))


def _emit_lenient_date(source: Source, field: attrs.Attribute[Any], data: str) -> None:
    """Emit code that reads a date, or notes its string if that fails."""
    var, kind = f"{data}_{field.name}", without_none(field.type)[0]
    parse = source.name("parse", parse_datetime if kind is datetime else parse_date)
    with source.block(f"if {var} is not None:"):
        source.add(f"try: {var} = {source.name('fromisoformat', kind.fromisoformat)}({var})")
        with source.block("except (ValueError, TypeError):"):
            odd = f"{source.name('odd', read_odd_date)}({parse}, {var}, {field.name!r}, {data}_unreadable)"
            source.add(f"{var}, {data}_unreadable = {odd}")


def _null_of(source: Source, field: attrs.Attribute[Any]) -> str | None:
    """Return the source of the default, which null and absence stand for, or None if they are wrong."""
    if is_required(field):
        return None
    if (factory := factory_of(field)) is not None:
        return f"{source.name('factory', factory)}()"
    if field.default is None or field.default == ():
        return repr(field.default)
    return source.name("default", field.default)


def sets_fields_only(cls: type, fields: Sequence[attrs.Attribute[Any]]) -> bool:
    """Return whether constructing a model only sets its fields."""
    plain = all(field.init and field.validator is None and field.converter is None for field in fields)
    return "__slots__" in cls.__dict__ and plain and not hasattr(cls, "__attrs_post_init__")


@cache
def _twin(cls: type) -> type:
    """Make a subclass of a model with settable fields. The loader then changes the class of its objects to the model.

    A frozen class sets each field through a function call. The subclass does not, which halves the cost of an object.
    It has the same memory layout, so `__class__` may be set to the model.
    """
    plainly = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(cls.__name__, (cls,), {"__slots__": (), **plainly})
