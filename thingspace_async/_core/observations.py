"""Observed values of devices, in answers and in callback messages."""

from __future__ import annotations

from datetime import datetime

import attrs

from thingspace_async._core.codec import Model
from thingspace_async._core.values import OpenEnum

__all__ = ["AttributeName", "ObservedValue"]


class AttributeName(OpenEnum):
    """An attribute of a device. `AttributeName("…")` makes one that is not listed."""

    NETWORK_BEARER = "NETWORK_BEARER"
    """The network technology that the device uses."""
    RADIO_SIGNAL_STRENGTH = "RADIO_SIGNAL_STRENGTH"
    """In dBm."""
    LINK_QUALITY = "LINK_QUALITY"
    """A number whose meaning depends on the network."""
    CELL_ID = "CELL_ID"
    """The cell that the device is attached to."""
    MANUFACTURER = "MANUFACTURER"
    """The maker of the device's radio module."""


@attrs.frozen(kw_only=True)
class ObservedValue(Model):
    """The value of an attribute of a device. The platform sends numbers as strings."""

    name: AttributeName | None = None
    value: str | int | None = None
    """As received. Use `number` for signal strength and link quality."""
    created_on: datetime | None = None
    """When the device measured the value."""

    @property
    def number(self) -> int | None:
        """The value as a whole number, or None if it is not one."""
        try:
            return None if self.value is None else int(self.value)
        except ValueError:
            return None

    @property
    def unit(self) -> str | None:
        """`dBm` for the signal strength, and None for attributes without a unit.

        ASSUMPTION: the platform passes on the values of LwM2M, whose signal strength is in dBm.
        """
        return "dBm" if self.name is AttributeName.RADIO_SIGNAL_STRENGTH else None
