"""Handlers for software management: three versions over one state (PROTOCOL.md 3.6, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.rooms.software import v1, v2, v3
from thingspace_async.simulator.rooms.software.store import Software
from thingspace_async.simulator.wire import Handler

__all__ = ["HANDLERS", "Software"]

HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {**v3.HANDLERS, **v2.HANDLERS, **v1.HANDLERS}
