"""Structure hooks that the fast and the strict converter share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from types import NoneType
from typing import Any

from cattrs import Converter

from thingspace_async._core.codec.dates import parse_date, parse_datetime
from thingspace_async._core.codec.kinds import SCALARS, Mismatch, is_scalar_union, named, scalars_of, without_none
from thingspace_async._core.values import Secret

__all__ = ["new_converter"]


def new_converter() -> Converter:
    """Make a converter that reads scalars, dates and secrets and coerces nothing."""
    converter = Converter(detailed_validation=True, forbid_extra_keys=False)
    for kind, expected in (*SCALARS.items(), (float, "a number")):
        converter.register_structure_hook(kind, _exactly(kind, expected))
    converter.register_structure_hook(datetime, lambda value, _: parse_datetime(value))
    converter.register_structure_hook(date, lambda value, _: parse_date(value))
    converter.register_structure_hook(Secret, _load_secret)
    converter.register_structure_hook(NoneType, lambda _, __: None)
    converter.register_structure_hook_factory(is_scalar_union, _one_of_scalars)
    return converter


def _exactly(kind: type, expected: str) -> Callable[[object, Any], Any]:
    allowed = (int, float) if kind is float else (kind,)

    def check(value: object, wanted: Any) -> Any:
        if value.__class__ not in allowed:
            raise Mismatch(f"expected {expected}, found {named(value)}")
        # cattrs uses the hook of str for subclasses, too, such as enumerations.
        return value if wanted is kind else wanted(value)

    return check


def _one_of_scalars(kind: Any) -> Callable[..., Any]:
    inner, nullable = without_none(kind)
    scalars = scalars_of(inner)
    allowed = (*scalars, NoneType) if nullable else scalars
    expected = " or ".join(SCALARS[scalar] for scalar in scalars)

    def check(value: object, _: Any) -> Any:
        if value.__class__ not in allowed:
            raise Mismatch(f"expected {expected}, found {named(value)}")
        return value

    return check


def _load_secret(value: object, _: Any) -> Secret:
    if not isinstance(value, str):
        raise Mismatch(f"expected a string, found {named(value)}")
    return Secret(value)
