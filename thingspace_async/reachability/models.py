"""Models of reachability."""

from __future__ import annotations

from datetime import datetime

import attrs

from thingspace_async import _checks
from thingspace_async._types import DeviceId, DeviceIds, OpenEnum, to_devices

__all__ = [
    "MonitorType",
    "NotificationReportRequest",
    "NotificationReportStatusRequest",
    "RetrieveMonitorsRequest",
    "StopMonitorRequest",
]


class MonitorType(OpenEnum):
    """What to be told about a device."""

    DATA = "REACHABLE_FOR_DATA"
    SMS = "REACHABLE_FOR_SMS"
    """Not for devices of the higher LTE categories."""
    DATA_AND_SMS = "REACHABLE_FOR_DATA_SMS"
    LOSS = "LOSS_OF_CONNECTIVITY"
    DATA_AND_LOSS = "REACHABLE_FOR_DATA_AND_LOSS"
    SMS_AND_LOSS = "REACHABLE_FOR_SMS_AND_LOSS"
    DATA_SMS_AND_LOSS = "REACHABLE_FOR_DATA_SMS_AND_LOSS"


@attrs.frozen(kw_only=True)
class NotificationReportRequest:
    """Which devices to monitor, for what and until when."""

    account_name: str = attrs.field(validator=_checks.text)
    request_type: str = attrs.field(validator=_checks.text)
    """A `MonitorType`."""
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices())
    monitor_expiration_time: datetime = attrs.field(validator=_checks.zoned)
    """At most 3,650 days from the request; needs a time zone."""


@attrs.frozen(kw_only=True)
class StopMonitorRequest:
    """Which monitors to end. Raises InvalidRequest when neither monitors nor devices are given."""

    account_name: str = attrs.field(validator=_checks.text)
    monitor_ids: tuple[str, ...] = attrs.field(default=(), validator=_checks.texts(least=1))
    """As the callbacks of `monitor` and `monitors` tell them: the one way that the platform's page knows."""
    devices: tuple[DeviceIds, ...] = attrs.field(default=(), converter=to_devices, validator=_checks.devices())
    """All monitors of these devices: the one way that the platform's newer SDKs know."""

    def __attrs_post_init__(self) -> None:
        # Without either, a former version of the page has the platform end all monitors of the account.
        _checks.any_of(self, "monitor_ids", "devices")


@attrs.frozen(kw_only=True)
class NotificationReportStatusRequest:
    """Which device to ask about, and for how long."""

    account_name: str = attrs.field(validator=_checks.text)
    device: DeviceId = attrs.field(validator=_checks.device_id)
    request_type: str = attrs.field(validator=_checks.text)
    """A `MonitorType`."""
    request_expiration_time: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """When to stop waiting for a device that cannot be reached: an hour after the request unless it is given, 3,650
    days at most; needs a time zone."""


@attrs.frozen(kw_only=True)
class RetrieveMonitorsRequest:
    """Whose monitors to list, and which."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices())
    """All by identifiers of the same kind: the platform does not take a mixture."""
    # The platform's page calls it requestType in its table and its sample; all SDKs have monitorType.
    monitor_type: str | None = attrs.field(default=None, validator=_checks.text)
    """A `MonitorType`; monitors of all types when it is left out."""
