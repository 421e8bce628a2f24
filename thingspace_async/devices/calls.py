"""Calls about devices, put together from the room's parts."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from thingspace_async.devices import history, inventory, labels, lifecycle, usage
from thingspace_async.devices.fleet.calls import Fleet
from thingspace_async.devices.history.calls import History
from thingspace_async.devices.inventory.calls import Inventory
from thingspace_async.devices.labels.calls import Labels
from thingspace_async.devices.lifecycle.calls import Lifecycle
from thingspace_async.devices.usage.calls import Usage

__all__ = ["OPERATIONS", "Devices"]

OPERATIONS: Final = (
    *inventory.OPERATIONS,
    *lifecycle.OPERATIONS,
    *labels.OPERATIONS,
    *usage.OPERATIONS,
    *history.OPERATIONS,
)


class Devices(Inventory, Lifecycle, Fleet):
    """The devices of an account."""

    @cached_property
    def labels(self) -> Labels:
        """Usage segmentation labels, by which the usage of devices can be told apart."""
        return Labels(self._caller)

    @cached_property
    def usage(self) -> Usage:
        """What devices use: bytes and messages."""
        return Usage(self._caller)

    @cached_property
    def history(self) -> History:
        """What happened to devices: their connections and their provisioning."""
        return History(self._caller)
