"""Generated dumpers, which turn models into dicts for orjson, and a walk through JSON without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any, Final, NoReturn, get_args

import attrs

from thingspace_async._core.codec.kinds import (
    factory_of,
    fields_of,
    is_flat,
    is_required,
    is_sequence,
    scalars_of,
    without_none,
)
from thingspace_async._core.codec.names import is_local, wire_name
from thingspace_async._core.codec.source import Source, nested
from thingspace_async._core.codec.texts import is_all_text, text_writer
from thingspace_async._core.values import UNSET, Secret, Unset

__all__ = ["dumper", "unstructure"]


def unstructure(value: Any) -> Any:
    """Convert a value for orjson; raises TypeError if it cannot be written as JSON."""
    if (convert := _conversion_of(value.__class__)) is not None:
        return convert(value)
    return value


@cache
def _conversion_of(kind: type) -> Callable[[Any], Any] | None:
    """Return the function that converts values of a type, or None if orjson handles the type itself."""
    if attrs.has(kind):
        return dumper(kind)
    return next((convert for base, convert in _CONVERSIONS.items() if issubclass(kind, base)), None)


def _finite(number: float) -> float:
    if not isfinite(number):  # orjson would write null.
        raise TypeError(f"{number} is not a JSON number")
    return number


def _refuse_unset(_: Unset) -> NoReturn:
    raise TypeError("UNSET is for fields of models: leave the key out of the dict")


_CONVERSIONS: Final[dict[type, Callable[[Any], Any]]] = {
    float: _finite,
    Unset: _refuse_unset,
    Secret: Secret.reveal,
    Mapping: lambda mapping: {key: unstructure(item) for key, item in mapping.items()},
    list: lambda items: [unstructure(item) for item in items],
    tuple: lambda items: [unstructure(item) for item in items],
}


@cache
def dumper(cls: type) -> Callable[[Any], dict[str, Any]]:
    """Generate the function that turns a model into a dict."""
    source = Source()
    fields = fields_of(cls)
    with source.block("def dump(model):"):
        source.add(f"data = {_displayed(source, filter(is_required, fields), 'model')}")
        for field in fields:
            if not is_required(field) and not is_local(field):
                _emit_optional(source, field)
        source.add("return data")
    return source.build("dump", cls.__name__)


def _emit_optional(source: Source, field: attrs.Attribute[Any]) -> None:
    """Emit code that writes a field if it differs from its default."""
    factory = factory_of(field)
    default = source.name("default", field.default if factory is None else factory())
    same = "is" if field.default is None or field.default is UNSET else "=="
    source.add(f"value = model.{field.name}")
    with source.block(f"if not (value {same} {default}):"):
        source.add(f"data[{wire_name(field)!r}] = {_dumped(source, field.type, 'value')}")


def _displayed(source: Source, fields: Iterable[attrs.Attribute[Any]], var: str) -> str:
    """Return the source of a dict with fields of the model in `var`."""
    pairs = (f"{wire_name(field)!r}: {_dumped(source, field.type, f'{var}.{field.name}')}" for field in fields)
    return f"{{{', '.join(pairs)}}}"


_AS_THEY_ARE: Final = (str, int, bool, datetime, date)  # orjson writes these itself.


def _dumped(source: Source, kind: Any, var: str) -> str:
    """Return the expression that converts the value of a field for orjson."""
    kind, nullable = without_none(kind)
    if kind in _AS_THEY_ARE or scalars_of(kind) or (isinstance(kind, type) and issubclass(kind, Enum)):
        return var
    if is_sequence(kind):
        made = _dumped_items(source, get_args(kind)[0], var)
    elif kind is float:
        made = f"{source.name('finite', _finite)}({var})"
    elif kind is Secret:
        made = f"{var}.reveal()"
    elif is_flat(kind) and all(map(is_required, fields_of(kind))):
        made = _displayed(source, fields_of(kind), var)  # Inline: a request may have tens of thousands of identifiers.
    elif attrs.has(kind):
        made = f"{source.name(kind.__name__, nested('dump', kind, dumper))}({var})"
    else:
        made = f"{source.name('unstructure', unstructure)}({var})"
    return f"(None if {var} is None else {made})" if nullable and made != var else made


def _dumped_items(source: Source, inner: Any, var: str) -> str:
    item = _dumped(source, inner, "item")
    made = var if item == "item" else f"[{item} for item in {var}]"
    if is_all_text(inner):
        return f"({source.name('texts', text_writer(inner))}({var}) or {made})"
    return made
