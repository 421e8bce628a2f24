"""The rooms of the simulated platform. Each module contains one product's handlers and state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.rooms import (
    accounts,
    billing,
    callbacks,
    cloud_connector,
    devices,
    diagnostics,
    esim,
    groups,
    hyper_precise,
    intelligence,
    location,
    nidd,
    private_network,
    qos,
    reachability,
    sensor_insights,
    session_management,
    sim_secure,
    sms,
    software,
    triggers,
    v2x,
)
from thingspace_async.simulator.wire import Handler

__all__ = ["HANDLERS"]

_ROOMS: Final = (
    session_management,
    accounts,
    devices,
    diagnostics,
    groups,
    hyper_precise,
    callbacks,
    cloud_connector,
    sms,
    reachability,
    esim,
    intelligence,
    location,
    sim_secure,
    qos,
    nidd,
    billing,
    private_network,
    sensor_insights,
    software,
    triggers,
    v2x,
)

HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    operation: handler for room in _ROOMS for operation, handler in room.HANDLERS.items()
}
