"""The devices room, composed of its parts."""

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
        """Usage segmentation labels, which split the usage of devices into parts."""
        return Labels(self._caller)

    @cached_property
    def usage(self) -> Usage:
        """Data and SMS usage of devices."""
        return Usage(self._caller)

    @cached_property
    def history(self) -> History:
        """Connection and provisioning history of devices."""
        return History(self._caller)
