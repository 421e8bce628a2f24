"""Messages with the result of a request (PROTOCOL.md 3.1 and 3.4)."""

from __future__ import annotations

from typing import Any

import attrs

from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import DeviceId, ExtendedAttribute, Secret
from thingspace_async.callbacks.messages.base import REST, DetailedMessage, Message, ReportingMessage

__all__ = [
    "ActivateResult",
    "ChangeIdentifierResult",
    "DeactivateResult",
    "DeviceServiceResult",
    "DeviceUsage",
    "PrlInformation",
    "ProfileResult",
    "PromoUsageResult",
    "QosEvent",
    "QosMessage",
    "ReachabilityMessage",
    "RequestResult",
    "RequestSummary",
    "RestoreResult",
    "StateResult",
    "SuspendResult",
    "SuspensionStatus",
    "UsageResult",
]


@attrs.frozen(kw_only=True)
class RequestResult(DetailedMessage):
    """The result of a request, without its kind: a failure, or a success without further fields."""


@attrs.frozen(kw_only=True)
class ActivateResult(ReportingMessage):
    """A device was activated."""

    state: str | None = None
    service_plan: str | None = None
    ip_address: str | None = None
    feature_codes: tuple[str, ...] = ()
    device_credential: dict[str, Secret | None] | None = None
    """The device's credentials for the network."""


@attrs.frozen(kw_only=True)
class DeactivateResult(ReportingMessage):
    """A device was deactivated."""

    deactivated: bool | str | None = None


@attrs.frozen(kw_only=True)
class SuspendResult(ReportingMessage):
    """A device was suspended, with the date on which its service resumes."""

    expected_resume_date: str | None = None
    max_suspend_days_allowed: int | str | None = None
    num_days_suspend_allowed_current_12_months: int | str | None = attrs.field(
        default=None, metadata=named_on_wire("numDaysSuspendAllowedCurrent12Months")
    )
    num_days_suspended_last_12_months: int | str | None = attrs.field(
        default=None, metadata=named_on_wire("numDaysSuspendedLast12Months")
    )


@attrs.frozen(kw_only=True)
class SuspensionStatus(SuspendResult):
    """How long a device has been suspended, and may be. The result of `session.devices.suspension_status`."""


@attrs.frozen(kw_only=True)
class RestoreResult(ReportingMessage):
    """A suspended device is in service again."""

    restored: bool | str | None = None


@attrs.frozen(kw_only=True)
class ChangeIdentifierResult(ReportingMessage):
    """An identifier of a device was changed. `reported_ids` has the new one, `device_ids` those of the request."""

    service_plan: str | None = None
    """The new service plan, if it was changed, too."""


@attrs.frozen(kw_only=True)
class PrlInformation(ReportingMessage):
    """The version of a device's preferred roaming list."""

    prl_version: int | str | None = None


@attrs.frozen(kw_only=True)
class DeviceUsage(Model):
    """The usage of one device in the requested time."""

    device_ids: tuple[DeviceId, ...] = ()
    bytes_used: int | str | None = None
    sms_used: int | str | None = None
    service_plan: str | None = attrs.field(default=None, metadata=named_on_wire("servicePlan", also="serviceplan"))
    source: str | None = None
    timestamp: str | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    details: dict[str, Any] = attrs.field(factory=dict[str, Any], metadata=named_on_wire(REST))
    """All other fields, as received. Only the identifiers are documented."""


@attrs.frozen(kw_only=True)
class UsageResult(Message):
    """The usage of devices. The result of `session.devices.usage.aggregate`."""

    usage: tuple[DeviceUsage, ...] = attrs.field(default=(), metadata=named_on_wire("usageResponse"))


@attrs.frozen(kw_only=True)
class RequestSummary(Message):
    """A summary of a request. The results of its devices arrive in messages of their own."""

    devices_requested: int | str | None = None


@attrs.frozen(kw_only=True)
class StateResult(DetailedMessage):
    """A device was moved to a custom state."""


@attrs.frozen(kw_only=True)
class DeviceServiceResult(DetailedMessage):
    """A message of the DeviceService: whether a device can be activated or was uploaded, or the history of its SMS."""


@attrs.frozen(kw_only=True)
class ProfileResult(DetailedMessage):
    """The result of an action on an eSIM profile. With the status `WARNING`, another message follows."""


@attrs.frozen(kw_only=True)
class PromoUsageResult(DetailedMessage):
    """The usage of devices in a promotional period."""


@attrs.frozen(kw_only=True)
class ReachabilityMessage(DetailedMessage):
    """A message of the DiagnosticsService: whether a device can be reached, or that a monitor has started."""


@attrs.frozen(kw_only=True)
class QosEvent(Model):
    """A change in the quality of service."""

    account_name: str | None = None
    qos_subscription_id: str | None = None
    """Pass it to `session.qos.stop`. None if the request failed."""
    reported_time: str | None = None
    """As received, without a time zone in the platform's samples."""
    event: str | None = attrs.field(default=None, metadata=named_on_wire("qosEvent"))
    """For example `QoSChangeTerminated` or `QoSChangeFailed`."""
    status: str | None = None
    """`SUCCESS` or `FAILED`."""
    reason: str | None = None
    """Why the request failed."""

    @property
    def failed(self) -> bool:
        """Whether the request failed."""
        return (self.status or "").casefold() == "failed"


@attrs.frozen(kw_only=True)
class QosMessage(Message):
    """A message of the QoS service about a subscription. It names no devices."""

    events: tuple[QosEvent, ...] = attrs.field(default=(), metadata=named_on_wire("qoS"))

    @property
    def failed(self) -> bool:
        """Whether an event reports a failure."""
        return super().failed or any(event.failed for event in self.events)

    @property
    def subscription_ids(self) -> tuple[str, ...]:
        """The ids of the subscriptions, each once."""
        ids = [event.qos_subscription_id for event in self.events if event.qos_subscription_id is not None]
        return tuple(dict.fromkeys(ids))
