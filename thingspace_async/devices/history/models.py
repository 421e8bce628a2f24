"""Models of devices' history."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import attrs

from thingspace_async import _checks
from thingspace_async._types import DeviceId, ExtendedAttribute, to_device_ids
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
    """Which device's connections to read, and of which time."""

    # The request on the platform's page ends five years before it begins, which no record can be between; it is refused
    # here as any such: .../api-reference/retrieve-device-connection-history.html


@attrs.frozen(kw_only=True)
class ConnectionEvent:
    """The beginning, the end or an interim report of a device's data session."""

    connection_event_attributes: tuple[ExtendedAttribute, ...] = ()
    """Such as `Event` with `Start` or `Stop`, and `BytesUsed`."""
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    occurred_at: datetime | None = None

    def attribute(self, key: str) -> str | None:
        """Return the attribute of a name, such as `Event`; None when it is absent or empty."""
        return next((found.value for found in self.connection_event_attributes if found.key == key), None)


@attrs.frozen(kw_only=True)
class ConnectionHistoryResult:
    """One page of a device's connections, oldest first."""

    connection_history: tuple[ConnectionEvent, ...] = ()
    has_more_data: bool | None = None


@attrs.frozen(kw_only=True)
class DeviceProvisioningHistoryListRequest(DeviceInTime):
    """Which device's provisioning to read, and of which time."""


@attrs.frozen(kw_only=True)
class ProvisioningHistory:
    """One thing that provisioning did to a device."""

    occurred_at: datetime | None = None
    status: str | None = None
    """Such as `Success`."""
    event_by: str | None = None
    """The user who asked for it."""
    event_type: str | None = None
    """Such as `Activate`, `Suspend`, `Restore`, `Deactivate` or `Activation Confirmed`."""
    mdn: str | None = None
    """As it was afterwards; may be empty."""
    msisdn: str | None = None
    """As it was afterwards."""
    service_plan: str | None = None
    """As it was afterwards."""
    extended_attributes: tuple[ExtendedAttribute, ...] = ()


@attrs.frozen(kw_only=True)
class DeviceProvisioningHistoryListResult:
    """One page of a device's provisioning, oldest first."""

    has_more_data: bool | None = None
    provisioning_history: tuple[ProvisioningHistory, ...] = ()


@attrs.frozen(kw_only=True)
class ProvisioningHistoryRequest:
    """Whose provisioning to report, and of which time."""

    account_name: str = attrs.field(validator=_checks.text)
    # None by default, and not (): a list that happens to be empty is refused, where it would mean the whole account.
    device_filter: tuple[DeviceId, ...] | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(to_device_ids),
        validator=_checks.device_ids(most=_MOST_FILTERED),
    )
    """At most 100 devices, by IMEI, ICCID, MDN or EID; without it, all of the account."""
    earliest: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Needs a time zone."""
    latest: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Needs a time zone."""

    def __attrs_post_init__(self) -> None:
        _checks.in_order(self, "earliest", "latest")
