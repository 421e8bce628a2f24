"""The base class of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

import attrs
import orjson

from thingspace_async._core.codec.kinds import refuse_odd_fields
from thingspace_async._core.codec.names import REST, is_local, wire_name
from thingspace_async._core.values import UNSET, Secret

__all__ = ["Model"]

M = TypeVar("M", bound="Model")


class Model:
    """Base of the models of requests, answers and callback messages."""

    # The loader sets this slot if a date cannot be read. Otherwise it stays empty, which costs nothing.
    __slots__ = ("_unreadable",)
    _unreadable: dict[str, str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # attrs makes no `__repr__` for a class that defines one. This also makes the import faster.
        type.__setattr__(cls, "__repr__", cls.__repr__)

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        refuse_odd_fields(cls)

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Dates that could not be read and are None, as a mapping from field names to the strings of the answer."""
        return getattr(self, "_unreadable", {})

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain JSON values with the platform's names, without fields that have their default.

        Secrets become asterisks. Dates become strings. Unreadable dates keep the string of the answer.
        """
        return cast("dict[str, Any]", orjson.loads(self._to_bytes()))

    def to_json(self) -> str:
        """Return `to_dict()` as a JSON string."""
        return self._to_bytes().decode()

    def _to_bytes(self) -> bytes:
        return orjson.dumps(_shown(self), option=orjson.OPT_UTC_Z)

    def __repr__(self) -> str:
        # Without empty fields, because most models have many.
        shown = [
            f"{field.name}={value!r}"
            for field in attrs.fields(cast(Any, type(self)))
            if field.repr and (value := getattr(self, field.name)) is not None and value is not UNSET and value != ()
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        """Convert a known odd form of an answer to the documented form, and return whether it had one."""
        del data
        return False

    @classmethod
    def _is_empty(cls, data: dict[str, Any]) -> bool:
        """Return whether an unreadable item of a list holds no information, so that it can be dropped."""
        del data
        return False

    def _answering(self, request: object) -> Self:
        """Return this answer with the fields that come from its request."""
        del request
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        # The state that attrs makes holds only its fields.
        if not self.unreadable:
            return super().__reduce_ex__(protocol)
        return _restore, (type(self), cast(Any, self).__getstate__(), dict(self.unreadable))


def _restore(cls: type[M], state: Any, unreadable: dict[str, str]) -> M:
    model = cls.__new__(cls)
    cast(Any, model).__setstate__(state)
    object.__setattr__(model, "_unreadable", unreadable)
    return model


def _shown(value: Any) -> Any:
    """Convert a value for orjson, with secrets as asterisks."""
    if isinstance(value, Secret):
        return str(value)
    if attrs.has(value.__class__):
        return _shown_fields(value)
    if isinstance(value, Mapping):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return value


def _shown_fields(model: Any) -> dict[str, Any]:
    unreadable = getattr(model, "_unreadable", {})
    shown: dict[str, Any] = {}
    for field in attrs.fields(model.__class__):
        value = unreadable.get(field.name, getattr(model, field.name))
        if value is not UNSET and value != _default_of(field) and not is_local(field):
            found = _shown(value)
            shown.update(found if (name := wire_name(field)) == REST else {name: found})
    return shown


def _default_of(field: attrs.Attribute[Any]) -> Any:
    default: Any = field.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]
