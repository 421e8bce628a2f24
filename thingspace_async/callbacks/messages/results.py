"""Messages that tell the result of a request (protocol.md 3.1 and 3.4)."""

from __future__ import annotations

from typing import Any

import attrs

from thingspace_async._codec import wire
from thingspace_async._types import DeviceId, ExtendedAttribute, Secret
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
    """The result of a request that says nothing of its kind: a failure, or a success with nothing more to tell."""


@attrs.frozen(kw_only=True)
class ActivateResult(ReportingMessage):
    """A device was activated."""

    state: str | None = None
    service_plan: str | None = None
    ip_address: str | None = None
    feature_codes: tuple[str, ...] = ()
    device_credential: dict[str, Secret | None] | None = None
    """What the device logs in to the network with."""


@attrs.frozen(kw_only=True)
class DeactivateResult(ReportingMessage):
    """A device was deactivated."""

    deactivated: bool | str | None = None


@attrs.frozen(kw_only=True)
class SuspendResult(ReportingMessage):
    """A device was suspended, and when its service will be resumed."""

    expected_resume_date: str | None = None
    max_suspend_days_allowed: int | str | None = None
    num_days_suspend_allowed_current_12_months: int | str | None = attrs.field(
        default=None, metadata=wire("numDaysSuspendAllowedCurrent12Months")
    )
    num_days_suspended_last_12_months: int | str | None = attrs.field(
        default=None, metadata=wire("numDaysSuspendedLast12Months")
    )


@attrs.frozen(kw_only=True)
class SuspensionStatus(SuspendResult):
    """How long a device has been suspended, and may be; the answer to `session.devices.suspension_status`."""


@attrs.frozen(kw_only=True)
class RestoreResult(ReportingMessage):
    """A suspended device is in service again."""

    restored: bool | str | None = None


@attrs.frozen(kw_only=True)
class ChangeIdentifierResult(ReportingMessage):
    """A device has another identifier, which is in `reported_ids`; `device_ids` has what the request named."""

    service_plan: str | None = None
    """The new one, if it was changed with it."""


@attrs.frozen(kw_only=True)
class PrlInformation(ReportingMessage):
    """Which preferred roaming list a device has."""

    prl_version: int | str | None = None


@attrs.frozen(kw_only=True)
class DeviceUsage:
    """What one device used in the time that the request named."""

    device_ids: tuple[DeviceId, ...] = ()
    bytes_used: int | str | None = None
    sms_used: int | str | None = None
    service_plan: str | None = attrs.field(default=None, metadata=wire("servicePlan", also="serviceplan"))
    source: str | None = None
    timestamp: str | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    details: dict[str, Any] = attrs.field(factory=dict[str, Any], metadata=wire(REST))
    """All else, as it came: of these objects, only the identifiers are documented."""


@attrs.frozen(kw_only=True)
class UsageResult(Message):
    """What devices used; the result of `session.devices.usage.aggregate`."""

    usage: tuple[DeviceUsage, ...] = attrs.field(default=(), metadata=wire("usageResponse"))


@attrs.frozen(kw_only=True)
class RequestSummary(Message):
    """Word of a request as a whole, of which the results for each device come by themselves."""

    devices_requested: int | str | None = None


@attrs.frozen(kw_only=True)
class StateResult(DetailedMessage):
    """A device was moved to a state of the account's own."""


@attrs.frozen(kw_only=True)
class DeviceServiceResult(DetailedMessage):
    """Whether a device can be activated, was uploaded, or what became of its SMS: what the DeviceService sends."""


@attrs.frozen(kw_only=True)
class ProfileResult(DetailedMessage):
    """What became of an eSIM profile; with the status `WARNING`, another message is to follow."""


@attrs.frozen(kw_only=True)
class PromoUsageResult(DetailedMessage):
    """What devices used in a promotional time."""


@attrs.frozen(kw_only=True)
class ReachabilityMessage(DetailedMessage):
    """Whether a device can be reached, or that it is watched: what the DiagnosticsService sends."""
