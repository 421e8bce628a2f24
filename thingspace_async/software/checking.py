"""Checks of arguments that are not in a request model."""

from __future__ import annotations

from typing import Any

from thingspace_async._core.checks import fault_of_text
from thingspace_async._core.operation import Operation
from thingspace_async.errors import InvalidRequest

__all__ = ["at_most", "query_of"]


def query_of(operation: Operation[Any, Any], **values: str | None) -> dict[str, str]:
    """Return the query of a call by wire names, without values that are None. Raises InvalidRequest for others."""
    query = {name: value for name, value in values.items() if value is not None}
    for name, value in query.items():
        if (fault := fault_of_text(value)) is not None:
            raise InvalidRequest(f"{operation.name}: {name} {fault}")
    return query


def at_most(operation: Operation[Any, Any], request: object, most: int) -> None:
    """Raise InvalidRequest if a request has more devices than its operation takes."""
    devices = getattr(request, "devices", ())  # The call itself refuses a request of another type.
    if len(devices) > most:
        raise InvalidRequest(
            f"{operation.name}: devices may hold {most:,} IMEIs, not {len(devices):,}: send several requests"
        )
