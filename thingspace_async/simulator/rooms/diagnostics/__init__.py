"""Handlers for diagnostics (PROTOCOL.md 2.3, 3.6, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.diagnostics.calls import (
    DEREGISTER,
    HISTORY,
    LIST_CALLBACKS,
    OBSERVE,
    REGISTER,
    RESTART,
    SETTINGS,
    STOP,
    SUBSCRIPTION,
)
from thingspace_async.simulator.rooms.diagnostics import account, observing
from thingspace_async.simulator.rooms.diagnostics.state import Diagnostics
from thingspace_async.simulator.wire import Handler

__all__ = ["HANDLERS", "Diagnostics"]

HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    OBSERVE: observing.observe,
    STOP: observing.stop,
    SETTINGS: observing.show_settings,
    HISTORY: observing.search_history,
    RESTART: observing.restart,
    SUBSCRIPTION: account.show_subscription,
    REGISTER: account.register,
    LIST_CALLBACKS: account.list_listeners,
    DEREGISTER: account.deregister,
}
