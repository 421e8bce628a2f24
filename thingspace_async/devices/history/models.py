"""Models of the history of devices."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Count, checked
from thingspace_async._core.codec import Model
from thingspace_async._core.types import DeviceId, ExtendedAttribute, to_device_ids
from thingspace_async.devices._models import DeviceInTime

__all__ = [
    "ConnectionEvent",
    "ConnectionHistoryResult",
    "DeviceConnectionListRequest",
    "DeviceProvisioningHistoryListRequest",
    "DeviceProvisioningHistoryListResult",
    "ProvisioningHistory",
    "ProvisioningHistoryRequest",
]

_MOST_FILTERED: Final = 100


@attrs.frozen(kw_only=True)
class DeviceConnectionListRequest(DeviceInTime):
    """A device and a time span to read connections of."""

    # The sample request on the platform's page ends five years before it begins. Such a request is refused here:
    # .../api-reference/retrieve-device-connection-history.html


@attrs.frozen(kw_only=True)
class ConnectionEvent(Model):
    """The start, the end or an interim report of a device's data session."""

    connection_event_attributes: tuple[ExtendedAttribute, ...] = ()
    """For example `Event`, with the value `Start` or `Stop`, and `BytesUsed`."""
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    occurred_at: datetime | None = None

    def attribute(self, key: str) -> str | None:
        """Return an attribute such as `Event`, or None if it is absent or empty."""
        return next((found.value for found in self.connection_event_attributes if found.key == key), None)


@attrs.frozen(kw_only=True)
class ConnectionHistoryResult(Model):
    """One page of a device's connections, oldest first."""

    connection_history: tuple[ConnectionEvent, ...] = ()
    has_more_data: bool | None = None


@attrs.frozen(kw_only=True)
class DeviceProvisioningHistoryListRequest(DeviceInTime):
    """A device and a time span to read the provisioning history of."""


@attrs.frozen(kw_only=True)
class ProvisioningHistory(Model):
    """One provisioning event of a device."""

    occurred_at: datetime | None = None
    status: str | None = None
    """For example `Success`."""
    event_by: str | None = None
    """The user who requested the change."""
    event_type: str | None = None
    """For example `Activate`, `Suspend`, `Restore`, `Deactivate` or `Activation Confirmed`."""
    mdn: str | None = None
    """MDN after the event. May be empty."""
    msisdn: str | None = None
    """MSISDN after the event."""
    service_plan: str | None = None
    """Plan code after the event."""
    extended_attributes: tuple[ExtendedAttribute, ...] = ()


@attrs.frozen(kw_only=True)
class DeviceProvisioningHistoryListResult(Model):
    """One page of a device's provisioning history, oldest first."""

    has_more_data: bool | None = None
    provisioning_history: tuple[ProvisioningHistory, ...] = ()


@attrs.frozen(kw_only=True, field_transformer=checked)
class ProvisioningHistoryRequest(Model):
    """Devices of an account and a time span to report the provisioning history of."""

    account_name: str
    """Account of the devices."""
    # The default is None instead of (). An empty list would select the whole account, so it is refused.
    device_filter: Annotated[tuple[DeviceId, ...] | None, Count(most=_MOST_FILTERED)] = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids)
    )
    """At most 100 devices, by IMEI, ICCID, MDN or EID. Default: all devices of the account."""
    earliest: datetime | None = None
    """Start of the span, with a time zone."""
    latest: datetime | None = None
    """End of the span, with a time zone."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "earliest", "latest")
