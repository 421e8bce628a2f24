"""An embedded ThingSpace to test against: a real HTTP server on loopback.

    async with Simulator(devices=2000) as cloud:
        async with Session(cloud.credentials, environment=cloud.environment) as session:
            ...

It reads and writes plain JSON, never through the client's codec, so that both cannot be wrong together.
"""

from thingspace_async.simulator.assumptions import Assumptions
from thingspace_async.simulator.clock import Clock
from thingspace_async.simulator.deliveries import Attempt, Delivery, DeliveryFaults, DeliveryLog
from thingspace_async.simulator.faults import (
    Cut,
    Delay,
    Drip,
    Expire,
    Fault,
    FaultRule,
    Faults,
    Raw,
    Reset,
    Stage,
    Status,
)
from thingspace_async.simulator.fleet import Device, Fleet
from thingspace_async.simulator.log import RequestLog
from thingspace_async.simulator.server import Simulator
from thingspace_async.simulator.users import User, Users
from thingspace_async.simulator.wire import Received

__all__ = [
    "Assumptions",
    "Attempt",
    "Clock",
    "Cut",
    "Delay",
    "Delivery",
    "DeliveryFaults",
    "DeliveryLog",
    "Device",
    "Drip",
    "Expire",
    "Fault",
    "FaultRule",
    "Faults",
    "Fleet",
    "Raw",
    "Received",
    "RequestLog",
    "Reset",
    "Simulator",
    "Stage",
    "Status",
    "User",
    "Users",
]
