"""The same models for other libraries: plain cattrs, and pydantic if it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, get_args

import attrs
import cattrs.preconf.orjson
from cattrs.gen import make_dict_structure_fn, override

from thingspace_async._core.codec import wire_name
from thingspace_async.devices import AccountDeviceListResult

__all__ = ["peers"]

Decode = Callable[[bytes], object]


def peers() -> Iterator[tuple[str, Decode]]:
    """Yield each decoder of a page of devices with its name."""
    yield "stock cattrs", _cattrs(detailed=False)
    yield "stock cattrs, detailed", _cattrs(detailed=True)
    if importlib.util.find_spec("pydantic") is not None:
        yield "pydantic", _pydantic(AccountDeviceListResult).model_validate_json


def _cattrs(*, detailed: bool) -> Decode:
    converter = cattrs.preconf.orjson.make_converter(detailed_validation=detailed)

    def renamed(cls: type[Any]) -> Callable[..., Any]:
        names = {field.name: override(rename=wire_name(field)) for field in attrs.fields(attrs.resolve_types(cls))}
        make: Callable[..., Callable[..., Any]] = make_dict_structure_fn
        return make(cls, converter, **names)

    converter.register_structure_hook_factory(attrs.has, renamed)
    return lambda body: converter.loads(body, AccountDeviceListResult)


@cache
def _pydantic(cls: type[Any]) -> Any:
    """Return the pydantic model of an attrs class."""
    pydantic: Any = importlib.import_module("pydantic")
    fields = {
        field.name: (
            _with_pydantic(field.type),
            pydantic.Field(... if field.default is attrs.NOTHING else field.default, alias=wire_name(field)),
        )
        for field in attrs.fields(attrs.resolve_types(cls))
    }
    return pydantic.create_model(cls.__name__, __config__={"frozen": True}, **fields)


def _with_pydantic(kind: Any) -> Any:
    """Replace the item of a sequence of models."""
    item = next(iter(get_args(kind)), None)
    return tuple[_pydantic(item), ...] if isinstance(item, type) and attrs.has(item) else kind  # type: ignore[misc]
