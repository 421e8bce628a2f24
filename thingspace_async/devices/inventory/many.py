"""The results of `devices.get_many`."""

from __future__ import annotations

import attrs

from thingspace_async._core.types import DeviceId, Identified
from thingspace_async.devices.inventory.models import Device
from thingspace_async.errors import CallError

__all__ = ["FoundDevice"]


@attrs.frozen(kw_only=True)
class FoundDevice:
    """A device of `get_many`, or the error that its request ended with."""

    asked: DeviceId | Identified
    """The device, as it was passed."""
    device: Device | None = None
    """The device, as the platform knows it, or None after an error."""
    error: CallError | None = None
