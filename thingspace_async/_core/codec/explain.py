"""The strict second pass: it reads an answer again to find the path to its fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

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

from thingspace_async._core.codec.dates import parse_date, parse_datetime
from thingspace_async._core.codec.hooks import new_converter
from thingspace_async._core.codec.kinds import Mismatch, fields_of, is_mapping, is_sequence, named, without_none
from thingspace_async._core.codec.mending import is_lenient, read_odd_date
from thingspace_async._core.codec.names import is_local, wire_name
from thingspace_async._core.codec.reading import fast_converter
from thingspace_async._core.values import Unset
from thingspace_async.errors import InvalidRequest

__all__ = ["explain", "strict_converter"]


def explain(body: bytes, kind: Any, parsed: Any = None) -> Mismatch:
    """Read the bytes again, or their parsed form, to find the fault and its path."""
    try:
        # A list's own check may refuse models that fit one by one. Only the second converter keeps them.
        for narrow in (True, False):
            strict_converter(narrow=narrow).structure(orjson.loads(body) if parsed is None else parsed, kind)
    except orjson.JSONDecodeError as error:
        start = body.lstrip()
        if not start:
            return Mismatch("expected JSON, found an empty body")
        if start.startswith(b"<"):
            return Mismatch("expected JSON, found an HTML or XML page")
        return Mismatch(f"expected JSON, found a syntax error at line {error.lineno}, column {error.colno}")
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
    """Walk down cattrs' tree of errors to its first leaf, and collect the path in the platform's names."""
    if not isinstance(error, BaseValidationError):
        return getattr(error, "path", None) or "", error
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
    return {field.name: wire_name(field) for field in fields_of(cls)}


@cache
def strict_converter(*, narrow: bool = False) -> Converter:
    """Return the converter that collects all faults with their paths.

    If `narrow`, it reads only the first faulty model of each list, because a page has thousands of models.
    """
    strict = new_converter()
    strict.register_structure_hook_factory(attrs.has, lambda cls: _strict_class(cls, strict))
    strict.register_structure_hook_factory(is_sequence, lambda kind: _strict_sequence(kind, strict))
    if narrow:
        strict.register_structure_hook_factory(_is_sequence_of_models, lambda kind: _first_fault_only(kind, strict))
    strict.register_structure_hook_factory(is_mapping, lambda kind: _strict_mapping(kind, strict))
    strict.register_structure_hook_factory(_is_optional_update, _load_update(strict))
    return strict


def _is_optional_update(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and Unset in get_args(kind)


def _load_update(converter: Converter) -> Callable[[Any], Callable[..., Any]]:
    def factory(kind: Any) -> Callable[..., Any]:
        inner, nullable = without_none(kind)
        wanted = inner | None if nullable else inner
        hook = converter.get_structure_hook(wanted)
        return lambda value, _: hook(value, wanted)

    return factory


def _strict_mapping(kind: Any, converter: Converter) -> Callable[..., Any]:
    items: Callable[..., Any] = make_mapping_structure_fn(kind, converter, detailed_validation=True)

    def hook(value: object, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(f"expected an object, found {named(value)}")
        return items(value, kind)

    return hook


def _strict_sequence(kind: Any, converter: Converter) -> Callable[..., Any]:
    plain: Any = list[get_args(kind)[0]]  # type: ignore[misc]
    items = converter.get_structure_hook(plain)

    def hook(value: object, _: Any) -> Any:
        if value.__class__ is not list:
            raise Mismatch(f"expected a list, found {named(value)}")
        return tuple(items(value, plain))

    return hook


def _is_sequence_of_models(kind: Any) -> bool:
    return is_sequence(kind) and attrs.has(get_args(kind)[0])


def _first_fault_only(kind: Any, converter: Converter) -> Callable[..., Any]:
    model = get_args(kind)[0]

    def hook(value: object, _: Any) -> Any:
        if not isinstance(value, list):
            raise Mismatch(f"expected a list, found {named(value)}")
        for place, item in enumerate(value):
            if _fits(item, model):
                continue
            try:
                converter.structure(item, model)
            except (BaseValidationError, Mismatch, InvalidRequest) as error:
                path, cause = _first_fault(error, model)
                raise Mismatch(_reason(cause), f"[{place}]{path}") from None
        return ()

    return hook


def _fits(item: Any, model: type) -> bool:
    """Return whether the generated loader can read an item. It reads a copy, because it changes its input."""
    try:
        fast_converter().structure(orjson.loads(orjson.dumps(item)), model)
    except (Mismatch, InvalidRequest, orjson.JSONEncodeError):  # orjson reads deeper nesting than it writes.
        return False
    return True


def _strict_class(cls: type, converter: Converter) -> Callable[..., Any]:
    fields = fields_of(cls)
    names: dict[str, Any] = {
        field.name: override(
            rename=wire_name(field),
            omit=is_local(field),
            struct_hook=_odd_date if is_lenient(cls, field) else None,
        )
        for field in fields
    }
    made = _filled_unchecked(cls)
    structure: Callable[..., Any] = make_dict_structure_fn(made, converter, _cattrs_detailed_validation=True, **names)
    null_is_default = {wire_name(f) for f in fields if f.default is not attrs.NOTHING and not without_none(f.type)[1]}
    spellings = {f.metadata["also"]: wire_name(f) for f in fields if "also" in f.metadata}

    def hook(value: object, _: Any) -> Any:
        if not isinstance(value, dict):
            raise Mismatch(f"expected an object, found {named(value)}")
        for also, name in spellings.items():
            if value.get(name) is None and also in value:
                value[name] = value[also]
        kept = {key: item for key, item in value.items() if item is not None or key not in null_is_default}
        found = structure(kept, made)
        if made is not cls:
            object.__setattr__(found, "__class__", cls)
        return found

    return hook


def _odd_date(value: object, kind: Any) -> date | None:
    parse = parse_datetime if without_none(kind)[0] is datetime else parse_date
    return None if value is None else read_odd_date(parse, value, "", None)[0]


def _filled_unchecked(cls: type) -> type:
    """Return the class, or a subclass that skips the checks of a hand-written `__init__`."""
    filled = cls.__dict__.get("__attrs_init__")
    return cls if filled is None else type(cls.__name__, (cls,), {"__slots__": (), "__init__": filled})
