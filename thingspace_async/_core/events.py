"""Events of devices, in the history of Cloud Connector and in streamed messages."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import attrs

from thingspace_async._core.codec import Model, named_on_wire

__all__ = ["DeviceEvent"]


@attrs.frozen(kw_only=True)
class DeviceEvent(Model):
    """An event of a device, such as the readings of its sensors."""

    id: str | None = None
    kind: str | None = None
    """`ts.event`, or a more specific kind such as `ts.event.diagnostics`."""
    device_id: str | None = attrs.field(default=None, metadata=named_on_wire("deviceid"))
    """The platform's id of the device, which `cloud_connector.devices.list` shows with its IMEI."""
    fields: dict[str, Any] | None = None
    """Values by the names of the sensors. The platform sends numbers as strings."""
    action: str | None = None
    """For example `update`."""
    state: str | None = None
    name: str | None = None
    created_on: datetime | None = attrs.field(default=None, metadata=named_on_wire("createdon"))
    """When the device sent it."""
    last_updated: datetime | None = attrs.field(default=None, metadata=named_on_wire("lastupdated"))
    foreign_id: str | None = attrs.field(default=None, metadata=named_on_wire("foreignid"))
    tag_ids: tuple[str, ...] = attrs.field(default=(), metadata=named_on_wire("tagids"))
    transaction_id: str | None = attrs.field(default=None, metadata=named_on_wire("transactionid"))
    """The transaction of the request or of the device that caused the event."""
    version: str | None = None
    version_id: str | None = attrs.field(default=None, metadata=named_on_wire("versionid"))
    """Changes with each change of the event."""

    def number(self, field_name: str) -> float | None:
        """Return a reading as a number, or None if the event has none of that name."""
        value = (self.fields or {}).get(field_name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
