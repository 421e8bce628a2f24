"""The JSON codec: one cattrs converter that knows the platform's wire names and coerces nothing.

`load` and `dump` are all that the rest of the package uses. A class's functions are generated at its first use and
registered on the converter, which serves every type that the generator has no faster form for.

Generated loaders check each value inline and stop at the first that does not fit, without saying where. Only then does
a second, slower converter read the same bytes again to find the path, so a good answer pays nothing for it.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

import attrs
import orjson
from cattrs import (
    AttributeValidationNote,
    BaseValidationError,
    ClassValidationError,
    Converter,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, make_mapping_structure_fn, override

from thingspace_async._types import UNSET, OpenEnum, Secret, Unset
from thingspace_async.errors import InvalidRequest

__all__ = ["Mismatch", "dump", "load", "loader", "wire", "wire_name"]

T = TypeVar("T")


class Mismatch(Exception):
    """A text does not fit the type that it was read for. Internal: the session makes an AnswerUnreadable of it."""

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


def wire(name: str, also: str | None = None) -> dict[str, str]:
    """Name a field on the wire, as its `metadata`, where camelCase would not be what the platform calls it.

    `also` is a second spelling that is read, for names on which the platform's own documents disagree.
    """
    return {"wire": name} if also is None else {"wire": name, "also": also}


def wire_name(field: attrs.Attribute[Any]) -> str:
    """Return what the platform calls a field."""
    if (name := field.metadata.get("wire")) is not None:
        return str(name)
    first, *rest = field.name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def load(body: bytes, kind: type[T]) -> T:
    """Read JSON as a type; raises Mismatch with the path to the value that does not fit."""
    try:
        return typing.cast(T, loader(typing.cast(Any, kind))(orjson.loads(body), kind))
    except RecursionError:
        raise Mismatch("nested too deeply") from None
    except (orjson.JSONDecodeError, Mismatch, InvalidRequest):  # The last from a request model's validators.
        pass
    # Behind the handler, whose exception holds the half-read page for the garbage collector to go through.
    raise _explain(body, kind)


def dump(value: object) -> bytes:
    """Write a request model as JSON; fields that are left at their default are left out.

    Raises InvalidRequest for what JSON cannot hold.
    """
    try:
        return orjson.dumps(_fast_converter().unstructure(value), option=orjson.OPT_UTC_Z)
    except TypeError as error:
        reason = str(error)
    except RecursionError:
        reason = "it contains itself or is nested too deeply"
    raise InvalidRequest(f"{type(value).__name__} cannot be written as JSON: {reason}")


@cache  # In front of cattrs' own, whose way to the function is a microsecond longer.
def loader(kind: Any) -> Callable[..., Any]:
    """Return what makes a type of parsed JSON, which it uses up; that raises Mismatch, which does not say where."""
    return _fast_converter().get_structure_hook(kind)


@cache
def pair_loader(cls: type[T]) -> Callable[[dict[str, Any], dict[str, Any]], T]:
    """Return what makes an object of two parsed JSON objects: what the first has not, or null, is in the second.

    To read both costs half of what it costs to put them together. For classes whose fields need not tell null from
    absence. It raises Mismatch, which does not say where.
    """
    return _make_loader(cls, second="within")


# Reading dates

# Compiled at their first use, like all that few programs need: importing this package is to take no time.
_SPELT_OUT: Final = r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d{4}) [A-Z]{3,4}"
_AMERICAN: Final = r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d)"


def parse_datetime(text: object) -> datetime:
    """Read a time stamp: ISO 8601, and the odd forms that the platform's published answers show."""
    if text.__class__ is not str:
        raise Mismatch(f"expected a time stamp, found {_named(text)}")
    stamp = str(text)
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        pass
    if match := re.fullmatch(_AMERICAN, stamp):  # 10/15/2021 04:49:35, global_reporting
        stamp = f"{match[3]}-{match[1]}-{match[2]}T{match[4]}"
    elif match := re.fullmatch(_SPELT_OUT, stamp):  # 2018-03-22 00:06:00.069 +0000 UTC, software_management_licenses_v2
        stamp = f"{match[1]}T{match[2]}{match[3]}"
    elif stamp.endswith("Z"):  # 2020-05-01T15:00:00-08:00Z, list_devices_with_imei_iccid_mismatch
        stamp = stamp.removesuffix("Z")
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        pass
    raise Mismatch("expected a time stamp such as 2026-01-31T12:00:00Z, found another text")


def parse_date(text: object) -> date:
    """Read a date, or the date of a time stamp."""
    try:
        return date.fromisoformat(typing.cast(str, text))
    except (TypeError, ValueError):
        return parse_datetime(text).date()


# Types, taken apart once for both converters

_SCALARS: Final = {str: "a text", int: "a whole number", bool: "true or false"}


def _without_none(kind: Any) -> tuple[Any, bool]:
    """Split `T | None | Unset` into T and whether null is allowed."""
    if get_origin(kind) not in (Union, UnionType):
        return kind, kind in (NoneType, Any, object)
    members = [member for member in get_args(kind) if member is not Unset]
    rest = [member for member in members if member is not NoneType]
    return (rest[0] if len(rest) == 1 else Union[tuple(rest)]), len(rest) < len(members)  # noqa: UP007


def _scalars_of(kind: Any) -> tuple[type, ...]:
    """Return the scalars that a type allows, if it allows nothing else: some numbers come as texts, too."""
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return members if all(member in _SCALARS for member in members) else ()


def _is_scalar_union(kind: Any) -> bool:
    return len(_scalars_of(_without_none(kind)[0])) > 1


def _is_sequence(kind: Any) -> bool:
    return get_origin(kind) is tuple and len(get_args(kind)) == 2 and get_args(kind)[1] is Ellipsis


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) is dict


def _fields(cls: type) -> tuple[attrs.Attribute[Any], ...]:
    """Return a class's fields with their annotations resolved."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(attrs.resolve_types(cls))
    return fields


# The fast path


class _Source:
    """Python source under construction, and the names that it refers to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, object] = {"Mismatch": Mismatch}

    def add(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def name(self, prefix: str, value: object) -> str:
        """Give a value a name in the generated code's globals."""
        name = f"{prefix}_{len(self.names)}"
        self.names[name] = value
        return name

    def build(self, function: str, label: str) -> Callable[..., Any]:
        exec(compile("\n".join(self.lines), f"<codec of {label}>", "exec"), self.names)  # noqa: S102
        return typing.cast("Callable[..., Any]", self.names[function])


def _emit_value(source: _Source, depth: int, kind: Any, var: str, *, null: str | None) -> None:
    """Emit the lines that check `var` against a type and turn it into its object.

    `null` is the source of what null stands for, or None where null is wrong.
    """
    add = source.add
    if scalars := _scalars_of(kind):
        allowed = "if " + " and ".join(f"{var}.__class__ is not {scalar.__name__}" for scalar in scalars)
        if null is None:
            add(depth, f"{allowed}: raise Mismatch('')")
            return
        add(depth, f"{allowed}:")
        add(depth + 1, f"if {var} is not None: raise Mismatch('')")
        if null != "None":
            add(depth + 1, f"{var} = {null}")
        return
    if null is not None:
        add(depth, f"if {var} is None: {var} = {null}")
        if kind in (Any, object):
            return
        add(depth, "else:")
        depth += 1
    if _is_sequence(kind):
        add(depth, f"if {var}.__class__ is not list: raise Mismatch('')")
        item = get_args(kind)[0]
        items = var if item in (Any, object) else _emit_items(source, depth, item, var)
        add(depth, f"{var} = tuple({items})")
    elif _is_flat(kind):
        _emit_object(source, depth, kind, var)
    elif isinstance(kind, type) and issubclass(kind, OpenEnum):
        # Calling an enumeration takes three times as long as looking into its table of members.
        add(depth, f"try: {var} = {source.name('members', kind._value2member_map_)}[{var}]")
        add(depth, f"except (KeyError, TypeError): {var} = {_conversion(source, kind, var)}")
    else:
        add(depth, f"{var} = {_conversion(source, kind, var)}")


def _emit_items(source: _Source, depth: int, item: Any, var: str) -> str:
    """Emit the lines that convert the items of the list in `var`, and return the name of a list of what they become."""
    inner, nullable = _without_none(item)
    null = "None" if nullable else None
    value, place, made = f"v_{depth}", f"i_{depth}", f"o_{depth}"
    if _scalars_of(inner):
        source.add(depth, f"for {value} in {var}:")
        _emit_value(source, depth + 1, inner, value, null=null)
    elif _is_flat(inner) and _read_by_subscript(_fields(inner)):
        # Of identifiers each device has a few only: a second list takes less time than replacing them in the first.
        source.add(depth, f"{made} = []")
        source.add(depth, f"for {value} in {var}:")
        _emit_value(source, depth + 1, inner, value, null=null)
        source.add(depth + 1, f"{made}.append({value})")
        return made
    else:
        # Putting each object in its dict's place frees the dict at once; a second list would keep thousands of dicts
        # alive together, enough to start the garbage collector again and again.
        source.add(depth, f"for {place}, {value} in enumerate({var}):")
        _emit_value(source, depth + 1, inner, value, null=null)
        source.add(depth + 1, f"{var}[{place}] = {value}")
    return var


def _conversion(source: _Source, kind: Any, var: str) -> str:
    """Return the expression that converts what no inline check can."""
    if kind is datetime:
        return f"{source.name('datetime', parse_datetime)}({var})"
    if kind is date:
        return f"{source.name('date', parse_date)}({var})"
    if attrs.has(kind):
        return f"{source.name(kind.__name__, _nested('load', kind, _fast_converter().get_structure_hook))}({var})"
    hook = source.name("hook", _fast_converter().get_structure_hook(kind))
    return f"{hook}({var}, {source.name('kind', kind)})"


_making: Final[set[tuple[str, type]]] = set()


def _nested(work: str, cls: type, find: Callable[[type], Callable[..., Any]]) -> Callable[..., Any]:
    """Return a class's function, or one that finds it at its first call where a model contains itself."""
    if (work, cls) in _making:
        return lambda value: find(cls)(value)  # noqa: PLW0108 - found at the call, when it has been made
    _making.add((work, cls))
    try:
        return find(cls)
    finally:
        _making.discard((work, cls))


def _make_loader(cls: type, second: str | None = None) -> Callable[..., Any]:
    source = _Source()
    source.add(0, f"def load(data, {second or '_=None'}):")
    _emit_object(source, 1, cls, "data", second)
    source.add(1, "return data")
    return source.build("load", cls.__name__)


def _emit_object(source: _Source, depth: int, cls: type, var: str, second: str | None = None) -> None:
    """Emit the lines that turn the dict in `var`, and a second one beside it, into an object of a class."""
    fields = _fields(cls)
    read = [field for field in fields if not _tells_absence(field)]
    if second is not None or not _read_by_subscript(fields):
        source.add(depth, f"if {var}.__class__ is not dict: raise Mismatch('')")
    for field in fields:
        if (also := field.metadata.get("also")) is not None:
            key = wire_name(field)
            for data in filter(None, (var, second)):
                missing = f"{data}.get({key!r}) is None and {also!r} in {data}"
                source.add(depth, f"if {missing}: {data}[{key!r}] = {data}[{also!r}]")
    if second is None:
        _emit_reads(source, depth, read, var)
    else:
        _emit_reads_of_two(source, depth, read, var, second)
    for field in fields:
        _emit_field(source, depth, field, var)
    if not _sets_fields_only(cls, fields):
        words = ", ".join(f"{field.alias}={var}_{field.name}" for field in fields)
        source.add(depth, f"{var} = {source.name('new', cls)}({words})")
        return
    source.add(depth, f"{var} = {source.name('twin', _twin(cls))}()")
    for field in fields:
        source.add(depth, f"{var}.{field.name} = {var}_{field.name}")
    source.add(depth, f"{var}.__class__ = {source.name('cls', cls)}")


def _emit_reads(source: _Source, depth: int, fields: list[attrs.Attribute[Any]], data: str) -> None:
    """Emit the lines that take fields out of the dict in `data`, None for those that are absent.

    Subscripts take half the time of `get`, and most answers are complete. That one is not is seen by its length, as a
    KeyError costs more than all the rest of a small object; it is left for objects with fields that we do not know.
    """
    if not fields:
        return
    by_subscript = _read_by_subscript(fields)
    keys = [wire_name(field) for field in fields]
    names = [f"{data}_{field.name}" for field in fields]
    if not all(map(_is_required, fields)):
        source.add(depth, f"if len({data}) < {len(fields)}:")
        source.add(depth + 1, f"{data}_get = {data}.get")
        for name, key in zip(names, keys, strict=True):
            source.add(depth + 1, f"{name} = {data}_get({key!r})")
        source.add(depth, "else:")
        depth += 1
    source.add(depth, "try:")
    for name, key in zip(names, keys, strict=True):
        source.add(depth + 1, f"{name} = {data}[{key!r}]")
    if by_subscript:
        source.add(depth, "except (KeyError, TypeError):")
        source.add(depth + 1, f"if {data}.__class__ is not dict: raise Mismatch('')")
    else:
        source.add(depth, "except KeyError:")
    source.add(depth + 1, f"{', '.join(names)}, = map({data}.get, {source.name('keys', tuple(keys))})")


def _emit_reads_of_two(source: _Source, depth: int, fields: list[attrs.Attribute[Any]], data: str, second: str) -> None:
    """Emit the lines that take fields out of the dict in `data`, or else out of that in `second`."""
    for given in (data, second):
        source.add(depth, f"{given}_get = {given}.get")
    for field in fields:
        name, key = f"{data}_{field.name}", wire_name(field)
        source.add(depth, f"{name} = {data}_get({key!r})")
        source.add(depth, f"if {name} is None: {name} = {second}_get({key!r})")


def _read_by_subscript(fields: Sequence[attrs.Attribute[Any]]) -> bool:
    """Say whether reading an object fails for all but a dict, so that no time is spent on asking what it is.

    Such are identifiers, which outnumber all else.
    """
    return bool(fields) and all(
        _is_required(field) and not _tells_absence(field) and "also" not in field.metadata for field in fields
    )


def _tells_absence(field: attrs.Attribute[Any]) -> bool:
    """Say whether a field has to tell null from absence."""
    return field.default is UNSET or (field.default is attrs.NOTHING and _without_none(field.type)[1])


def _emit_field(source: _Source, depth: int, field: attrs.Attribute[Any], data: str) -> None:
    """Emit the lines that check one field, and read it where null and absence differ."""
    key, var = wire_name(field), f"{data}_{field.name}"
    kind, nullable = _without_none(field.type)
    if field.default is UNSET:
        unset = source.name("unset", UNSET)
        source.add(depth, f"{var} = {data}.get({key!r}, {unset})")
        source.add(depth, f"if {var} is not {unset}:")
        _emit_value(source, depth + 1, kind, var, null="None" if nullable else unset)
    elif _tells_absence(field):
        source.add(depth, f"if {key!r} not in {data}: raise Mismatch('')")
        source.add(depth, f"{var} = {data}[{key!r}]")
        _emit_value(source, depth, kind, var, null="None")
    else:
        _emit_value(source, depth, kind, var, null=_null_of(source, field))


def _is_flat(kind: Any) -> bool:
    """Say whether a class holds nothing but scalars, so that its lines may stand in its owner's function."""
    return attrs.has(kind) and all(_scalars_of(_without_none(field.type)[0]) for field in _fields(kind))


def _factory_of(field: attrs.Attribute[Any]) -> Callable[[], Any] | None:
    factory: Callable[[], Any] | None = getattr(field.default, "factory", None)
    return factory


def _null_of(source: _Source, field: attrs.Attribute[Any]) -> str | None:
    """Say what null and absence stand for: the default where there is one; else they are wrong."""
    if field.default is attrs.NOTHING:
        return None
    if (factory := _factory_of(field)) is not None:
        return f"{source.name('factory', factory)}()"
    if field.default is None or field.default == ():
        return repr(field.default)
    return source.name("default", field.default)


def _sets_fields_only(cls: type, fields: tuple[attrs.Attribute[Any], ...]) -> bool:
    """Say whether constructing a model does nothing but set its fields."""
    plain = all(field.init and field.validator is None and field.converter is None for field in fields)
    return "__slots__" in cls.__dict__ and plain and not hasattr(cls, "__attrs_post_init__")


@cache
def _twin(cls: type) -> type:
    """Make a subclass of a model whose fields can be set, to be built in its stead and then turned into it.

    A frozen class sets each field through a function call; the twin does not, and as it adds nothing to the layout its
    `__class__` may be set to the model's. That halves the cost of an object.
    """
    plainly = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(cls.__name__, (cls,), {"__slots__": (), **plainly})


def _make_dumper(cls: type) -> Callable[[Any], dict[str, Any]]:
    source = _Source()
    fields = _fields(cls)
    source.add(0, "def dump(model):")
    source.add(1, f"data = {_displayed(source, [field for field in fields if _is_required(field)], 'model')}")
    for field in fields:
        if _is_required(field):
            continue
        factory = _factory_of(field)
        default = source.name("default", field.default if factory is None else factory())
        same = "is" if field.default is None or field.default is UNSET else "=="
        source.add(1, f"value = model.{field.name}")
        source.add(1, f"if not (value {same} {default}):")
        source.add(2, f"data[{wire_name(field)!r}] = {_dumped(source, field.type, 'value')}")
    source.add(1, "return data")
    return source.build("dump", cls.__name__)


def _is_required(field: attrs.Attribute[Any]) -> bool:
    return field.default is attrs.NOTHING


def _displayed(source: _Source, fields: Iterable[attrs.Attribute[Any]], var: str) -> str:
    """Return the dict display of fields of the model in `var`."""
    pairs = (f"{wire_name(field)!r}: {_dumped(source, field.type, f'{var}.{field.name}')}" for field in fields)
    return f"{{{', '.join(pairs)}}}"


_AS_THEY_ARE: Final = (str, int, bool, float, datetime, date, Any, object)  # orjson writes these itself


def _dumped(source: _Source, kind: Any, var: str) -> str:
    """Return the expression that turns a field's value into what orjson takes."""
    kind, nullable = _without_none(kind)
    if kind in _AS_THEY_ARE or _scalars_of(kind) or (isinstance(kind, type) and issubclass(kind, Enum)):
        return var
    if _is_sequence(kind):
        inner = get_args(kind)[0]
        item = _dumped(source, inner, "item")
        made = f"{var}" if item == "item" else f"[{item} for item in {var}]"
        if _is_all_text(inner):
            made = f"({source.name('texts', _make_texts(inner))}({var}) or {made})"
    elif kind is Secret:
        made = f"{var}.reveal()"
    elif _is_flat(kind) and all(map(_is_required, _fields(kind))):
        made = _displayed(source, _fields(kind), var)  # Without a call: there may be tens of thousands of identifiers.
    elif attrs.has(kind):
        made = f"{source.name(kind.__name__, _nested('dump', kind, _fast_converter().get_unstructure_hook))}({var})"
    else:
        made = f"{source.name('unstructure', _fast_converter().unstructure)}({var})"
    return f"(None if {var} is None else {made})" if nullable and made != var else made


# Writing lists of models that hold nothing but texts: a request may name ten thousand devices, and a dict for each of
# their identifiers, made only to be written, would cost ten times what writing them does.


def _is_all_text(kind: Any, within: tuple[type, ...] = ()) -> bool:
    """Say whether a model holds texts and lists of such models only, and so can be written without a dict."""
    if not attrs.has(kind) or kind in within:
        return False
    fields = _fields(kind)
    if not fields or not _is_required(fields[0]):  # Behind the first, each begins with a comma.
        return False
    return all(
        _is_required(field) and _is_all_text(get_args(field.type)[0], (*within, kind))
        if _is_sequence(field.type)
        else field.type is str or (field.default is None and _without_none(field.type) == (str, True))
        for field in fields
    )


def _make_texts(cls: type) -> Callable[[Any], orjson.Fragment | None]:
    """Make a function that writes models as a JSON list, or returns None where a text has to be escaped, or is none.

    Whether one has to be is seen in the end: by the number of quotes, by backslashes and by control characters.
    """
    source = _Source()
    source.add(0, "def write(models):")
    source.add(1, "out, quotes = ['['], 0")
    _emit_texts(source, 1, cls, "models")
    source.add(1, "out += ']',")
    source.add(1, "return ''.join(out), quotes")
    write = source.build("write", cls.__name__)

    def dump_texts(models: Any) -> orjson.Fragment | None:
        try:
            text, quotes = write(models)
            raw = text.encode()
        except (AttributeError, TypeError, UnicodeEncodeError):
            return None
        plain = text.count('"') == quotes and len(raw.translate(None, _ESCAPED)) == len(raw)
        return orjson.Fragment(raw) if plain else None

    return dump_texts


_ESCAPED: Final = bytes(range(32)) + b"\\"


def _emit_texts(source: _Source, depth: int, cls: type, models: str) -> None:
    """Emit the lines that append the texts of models, and count the quotes that belong between them."""
    var, first = f"m_{depth}", f"first_{depth}"
    fields = _fields(cls)
    quotes = sum(2 if _is_sequence(field.type) else 4 for field in fields if _is_required(field))
    source.add(depth, f"quotes += {quotes} * len({models})")
    source.add(depth, f"{first} = ''")
    source.add(depth, f"for {var} in {models}:")
    parts, text = [first], "{"

    def flush() -> None:
        source.add(depth + 1, f"out += {', '.join([*parts, repr(text)])},")

    for place, field in enumerate(fields):
        value, comma = f"{var}.{field.name}", "," if place else ""
        if _is_sequence(field.type):
            text += f'{comma}"{wire_name(field)}":['
            flush()
            _emit_texts(source, depth + 1, get_args(field.type)[0], value)
            parts, text = [], "]"
        elif _is_required(field):
            parts += [repr(f'{text}{comma}"{wire_name(field)}":"'), value]
            text = '"'
        else:
            flush()
            source.add(depth + 1, f"if {value} is not None:")
            source.add(depth + 2, f"""out += '{comma}"{wire_name(field)}":"', {value}, '"',""")
            source.add(depth + 2, "quotes += 4")
            parts, text = [], ""
    text += "}"
    flush()
    source.add(depth + 1, f"{first} = ','")


# Both converters


def _exactly(kind: type, expected: str) -> Callable[[object, Any], Any]:
    allowed = (int, float) if kind is float else (kind,)

    def check(value: object, wanted: Any) -> Any:
        if value.__class__ not in allowed:
            raise Mismatch(f"expected {expected}, found {_named(value)}")
        # cattrs finds the hook of str for its subclasses, too, which the enums are.
        return value if wanted is kind else wanted(value)

    return check


def _named(value: object) -> str:
    """Name a value's JSON type; the value itself may be a secret."""
    names = {dict: "an object", list: "a list", str: "a text", NoneType: "null", bool: "true or false"}
    return names.get(type(value), "a number")


def _one_of_scalars(kind: Any) -> Callable[..., Any]:
    inner, nullable = _without_none(kind)
    scalars = _scalars_of(inner)
    allowed = (*scalars, NoneType) if nullable else scalars
    expected = " or ".join(_SCALARS[scalar] for scalar in scalars)

    def check(value: object, _: Any) -> Any:
        if value.__class__ not in allowed:
            raise Mismatch(f"expected {expected}, found {_named(value)}")
        return value

    return check


def _load_secret(value: object, _: Any) -> Secret:
    if not isinstance(value, str):
        raise Mismatch(f"expected a text, found {_named(value)}")
    return Secret(value)


def _new_converter() -> Converter:
    converter = Converter(detailed_validation=True, forbid_extra_keys=False)
    for kind, expected in (*_SCALARS.items(), (float, "a number")):
        converter.register_structure_hook(kind, _exactly(kind, expected))
    converter.register_structure_hook(datetime, lambda value, _: parse_datetime(value))
    converter.register_structure_hook(date, lambda value, _: parse_date(value))
    converter.register_structure_hook(Secret, _load_secret)
    converter.register_structure_hook(NoneType, lambda _, __: None)
    converter.register_structure_hook_factory(_is_scalar_union, _one_of_scalars)
    return converter


def _optional_update(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and Unset in get_args(kind)


def _load_update(converter: Converter) -> Callable[[Any], Callable[..., Any]]:
    def factory(kind: Any) -> Callable[..., Any]:
        inner, nullable = _without_none(kind)
        wanted = inner | None if nullable else inner
        hook = converter.get_structure_hook(wanted)
        return lambda value, _: hook(value, wanted)

    return factory


def _fast_sequence(kind: Any) -> Callable[..., Any]:
    source = _Source()
    source.add(0, "def load(data, _=None):")
    _emit_value(source, 1, kind, "data", null=None)
    source.add(1, "return data")
    return source.build("load", str(kind))


def _fast_mapping(kind: Any) -> Callable[..., Any]:
    source = _Source()
    source.add(0, "def load(data, _=None):")
    source.add(1, "if data.__class__ is not dict: raise Mismatch('')")
    source.add(1, "for key, value in data.items():")
    inner, nullable = _without_none(get_args(kind)[1])
    _emit_value(source, 2, inner, "value", null="None" if nullable else None)
    source.add(2, "data[key] = value")
    source.add(1, "return data")
    return source.build("load", str(kind))


def _strict_mapping(kind: Any, converter: Converter) -> Callable[..., Any]:
    items: Callable[..., Any] = make_mapping_structure_fn(kind, converter, detailed_validation=True)

    def hook(value: object, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(f"expected an object, found {_named(value)}")
        return items(value, kind)

    return hook


def _strict_sequence(kind: Any, converter: Converter) -> Callable[..., Any]:
    plain: Any = list[get_args(kind)[0]]  # type: ignore[misc]
    items = converter.get_structure_hook(plain)

    def hook(value: object, _: Any) -> Any:
        if value.__class__ is not list:
            raise Mismatch(f"expected a list, found {_named(value)}")
        return tuple(items(value, plain))

    return hook


def _strict_class(cls: type, converter: Converter) -> Callable[..., Any]:
    fields = _fields(cls)
    names: dict[str, Any] = {field.name: override(rename=wire_name(field)) for field in fields}
    structure: Callable[..., Any] = make_dict_structure_fn(cls, converter, _cattrs_detailed_validation=True, **names)
    null_is_default = {wire_name(f) for f in fields if f.default is not attrs.NOTHING and not _without_none(f.type)[1]}
    spellings = {f.metadata["also"]: wire_name(f) for f in fields if "also" in f.metadata}

    def hook(value: object, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(f"expected an object, found {_named(value)}")
        for also, name in spellings.items():
            if value.get(name) is None and also in value:
                value[name] = value[also]
        kept = {key: item for key, item in value.items() if item is not None or key not in null_is_default}
        return structure(kept, cls)

    return hook


@cache  # Made at the first use: a converter takes a millisecond of the import.
def _fast_converter() -> Converter:
    fast = _new_converter()
    fast.register_structure_hook_factory(attrs.has, _make_loader)
    fast.register_structure_hook_factory(_is_sequence, _fast_sequence)
    fast.register_structure_hook_factory(_is_mapping, _fast_mapping)
    fast.register_unstructure_hook_factory(attrs.has, _make_dumper)
    fast.register_unstructure_hook(Secret, Secret.reveal)
    return fast


# The slow path, which only explains


@cache
def _strict_converter() -> Converter:
    strict = _new_converter()
    strict.register_structure_hook_factory(attrs.has, lambda cls: _strict_class(cls, strict))
    strict.register_structure_hook_factory(_is_sequence, lambda kind: _strict_sequence(kind, strict))
    strict.register_structure_hook_factory(_is_mapping, lambda kind: _strict_mapping(kind, strict))
    strict.register_structure_hook_factory(_optional_update, _load_update(strict))
    return strict


def _explain(body: bytes, kind: Any) -> Mismatch:
    """Read the bytes again to find what is wrong with them, and where."""
    try:
        _strict_converter().structure(orjson.loads(body), kind)
    except orjson.JSONDecodeError as error:
        start = body.lstrip()
        if not start:
            return Mismatch("expected JSON, found an empty body")
        if start.startswith(b"<"):
            return Mismatch("expected JSON, found an HTML or XML page")
        return Mismatch(f"expected JSON, which ends or breaks at line {error.lineno}, column {error.colno}")
    except (BaseValidationError, Mismatch) as error:
        path, cause = _first_fault(error, kind)
        return Mismatch(_reason(cause), path.lstrip(".") or None)
    return Mismatch("does not fit the documented type")


def _reason(cause: BaseException) -> str:
    if isinstance(cause, Mismatch):
        return cause.message
    if isinstance(cause, InvalidRequest):
        return str(cause)
    if isinstance(cause, KeyError):
        return "missing"
    return "does not fit the documented type"


def _first_fault(error: BaseException, kind: Any) -> tuple[str, BaseException]:
    """Walk down cattrs' tree of errors to its first leaf, collecting the path in the platform's names."""
    if not isinstance(error, BaseValidationError):
        return "", error
    first = error.exceptions[0]
    note = next(_notes(first), None)
    if isinstance(error, IterableValidationError) and isinstance(note, IterableValidationNote):
        path, cause = _first_fault(first, note.type)
        return f"[{note.index}]{path}", cause
    if isinstance(error, ClassValidationError) and isinstance(note, AttributeValidationNote):
        path, cause = _first_fault(first, note.type)
        return f".{_wire_names(error.cl)[note.name]}{path}", cause
    return _first_fault(first, kind)


def _notes(error: BaseException) -> Iterator[AttributeValidationNote | IterableValidationNote]:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote | IterableValidationNote):
            yield note


def _wire_names(cls: type) -> dict[str, str]:
    return {field.name: wire_name(field) for field in _fields(cls)}
