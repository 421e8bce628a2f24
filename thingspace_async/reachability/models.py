"""Models of reachability."""

from __future__ import annotations

from datetime import datetime

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model
from thingspace_async._core.types import DeviceId, DeviceIds, OpenEnum, to_device_id, to_devices

__all__ = [
    "MonitorType",
    "NotificationReportRequest",
    "NotificationReportStatusRequest",
    "RetrieveMonitorsRequest",
    "StopMonitorRequest",
]


class MonitorType(OpenEnum):
    """Events that a monitor reports."""

    DATA = "REACHABLE_FOR_DATA"
    SMS = "REACHABLE_FOR_SMS"
    """Not for devices of the higher LTE categories."""
    DATA_AND_SMS = "REACHABLE_FOR_DATA_SMS"
    LOSS = "LOSS_OF_CONNECTIVITY"
    DATA_AND_LOSS = "REACHABLE_FOR_DATA_AND_LOSS"
    SMS_AND_LOSS = "REACHABLE_FOR_SMS_AND_LOSS"
    DATA_SMS_AND_LOSS = "REACHABLE_FOR_DATA_SMS_AND_LOSS"


@attrs.frozen(kw_only=True, field_transformer=checked)
class NotificationReportRequest(Model):
    """Devices to monitor."""

    account_name: str
    """Account of the devices."""
    request_type: str
    """A `MonitorType`."""
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices)
    """One identifier of each device is enough."""
    monitor_expiration_time: datetime
    """End of the monitor, with a time zone, at most 3,650 days from now."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class StopMonitorRequest(Model):
    """Monitors to end. Raises InvalidRequest with neither monitors nor devices."""

    account_name: str
    """Account of the devices."""
    monitor_ids: tuple[str, ...] = ()
    """Ids from the callbacks of `monitor` and `monitors`. The platform's page has only this field."""
    devices: tuple[DeviceIds, ...] = attrs.field(default=(), converter=to_devices)
    """End all monitors of these devices. Newer SDKs have only this field."""

    def __attrs_post_init__(self) -> None:
        # According to an earlier version of the page, a request with neither ends all monitors of the account.
        checks.any_of(self, "monitor_ids", "devices")


@attrs.frozen(kw_only=True, field_transformer=checked)
class NotificationReportStatusRequest(Model):
    """A device to check."""

    account_name: str
    """Account of the device."""
    device: DeviceId = attrs.field(converter=to_device_id)
    """The device, by one identifier."""
    request_type: str
    """A `MonitorType`."""
    request_expiration_time: datetime | None = None
    """When to stop waiting for a device that cannot be reached, with a time zone, at most 3,650 days from now. Default:
    one hour after the request."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class RetrieveMonitorsRequest(Model):
    """Devices whose monitors to list."""

    account_name: str
    """Account of the devices."""
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices)
    """Devices, all by identifiers of the same kind: the platform does not accept a mixture."""
    # The platform's page calls this requestType in its table and its sample. All SDKs have monitorType.
    monitor_type: str | None = None
    """A `MonitorType`. Default: monitors of all types."""
