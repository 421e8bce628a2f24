"""Groups of options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

import attrs

__all__ = ["with_groups"]


def with_groups(work: Callable[..., None]) -> Callable[..., None]:
    """Return a command for typer: a parameter of an attrs class becomes the options that the class's fields declare.

    The other parameters come first.
    """
    hints = get_type_hints(work, include_extras=True)
    parameters = inspect.signature(work).parameters
    groups = {name: hints[name] for name in parameters if attrs.has(hints[name])}
    options = [
        one.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, one in parameters.items()
        if name not in groups
    ]
    for group in groups.values():
        declared = get_type_hints(group, include_extras=True)
        for field in attrs.fields(group):
            default = inspect.Parameter.empty if field.default is attrs.NOTHING else field.default
            options.append(
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=declared[field.name]
                )
            )

    @wraps(work)
    def command(**values: Any) -> None:
        made = {
            name: group(**{field.name: values.pop(field.name) for field in attrs.fields(group)})
            for name, group in groups.items()
        }
        work(**made, **values)

    vars(command)["__signature__"] = inspect.Signature(options)
    command.__annotations__ = {one.name: one.annotation for one in options}
    return command
