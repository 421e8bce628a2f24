"""Calls about devices, put together from the room's parts."""

from __future__ import annotations

from typing import Final

from thingspace_async.devices import inventory
from thingspace_async.devices.inventory.calls import Inventory

__all__ = ["OPERATIONS", "Devices"]

OPERATIONS: Final = (*inventory.OPERATIONS,)


class Devices(Inventory):
    """The devices of an account."""
