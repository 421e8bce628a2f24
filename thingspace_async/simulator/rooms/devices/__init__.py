"""Handlers for devices, in one module for each part of the room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.rooms.devices import (
    attributes,
    conversions,
    history,
    inventory,
    labels,
    lifecycle,
    status,
    usage,
)
from thingspace_async.simulator.wire import Handler

__all__ = ["HANDLERS"]

HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    **inventory.HANDLERS,
    **attributes.HANDLERS,
    **lifecycle.HANDLERS,
    **conversions.HANDLERS,
    **status.HANDLERS,
    **labels.HANDLERS,
    **usage.HANDLERS,
    **history.HANDLERS,
}
