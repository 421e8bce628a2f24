"""Messages from devices, and notices of events that no request caused (PROTOCOL.md 3.4)."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Final

import attrs

from thingspace_async._core.codec import named_on_wire
from thingspace_async.callbacks.messages.base import DetailedMessage, Message, ReportingMessage

__all__ = [
    "Alert",
    "ExternalProvisioningChange",
    "NiddConfiguration",
    "NiddDelivery",
    "NiddMessage",
    "PromoChange",
    "ResumeNotice",
    "SmsDelivery",
    "SmsReceived",
    "SmsSent",
]


@attrs.frozen(kw_only=True)
class SmsReceived(Message):
    """An SMS message from a device."""

    text: str | None = attrs.field(default=None, metadata=named_on_wire("smsMessage"))


@attrs.frozen(kw_only=True)
class SmsDelivery(ReportingMessage):
    """An SMS message to a device was received, or expired after five days."""

    confirmation: str | None = None


@attrs.frozen(kw_only=True)
class SmsSent(SmsDelivery):
    """An SMS message was sent to a device, or could not be sent. An SmsDelivery reports whether it arrived."""


@attrs.frozen(kw_only=True)
class NiddMessage(ReportingMessage):
    """Non-IP data (NIDD) from a device."""

    account_name: str | None = None
    message: str | None = None
    """The data, in Base64."""

    @property
    def data(self) -> bytes:
        """The data. Raises ValueError if `message` is not Base64."""
        return base64.b64decode(self.message or "", validate=True)


@attrs.frozen(kw_only=True)
class NiddDelivery(ReportingMessage):
    """The result of sending non-IP data to a device. With the status `QUEUED`, the data waits for the device."""

    account_name: str | None = None
    acknowledge_time: str | None = None
    first_attempt_delivery_time: str | None = None
    reason: str | None = None


@attrs.frozen(kw_only=True)
class NiddConfiguration(ReportingMessage):
    """Whether a device can now send and receive non-IP data. An activation causes one in addition to its result."""

    account_name: str | None = None
    reason: str | None = None


@attrs.frozen(kw_only=True)
class PromoChange(ReportingMessage):
    """A promotion of a device has begun or ended."""

    change: str | None = None
    """The promotion's code."""
    change_date: str | None = None


@attrs.frozen(kw_only=True)
class ExternalProvisioningChange(DetailedMessage):
    """A device was changed without this API. For an activation, `device_ids` is empty.

    `details` has the device after the change.
    """

    source: str | None = None
    """The tool that made the change."""
    change: str | None = None
    """For example `Activate`, `Suspend` or `changeIMEI`."""


@attrs.frozen(kw_only=True)
class Alert(DetailedMessage):
    """A trigger has fired: one of `session.triggers`, or one of `session.billing.usage_triggers`.

    The platform publishes no sample. The fields have the names of the triggers' own fields, and `details` has all other
    members. `device_ids` is empty if the usage of several devices is added up.
    """

    account_name: str | None = None
    trigger_id: str | None = None
    trigger_name: str | None = None
    trigger_category: str | None = None
    """For example `UsageAnomaly` or `DeviceDataUsage`."""
    group_name: str | None = None
    """Device group of the trigger."""
    threshold: int | str | None = None
    """Threshold that the usage has passed. Percentages are in `details`."""
    threshold_unit: str | None = None
    threshold_value: int | str | None = None
    """Percentage of the month's subscription, for a trigger of `session.billing`."""
    service_name: str | None = None
    """Service whose usage was counted, for a trigger of `session.billing`."""
    timestamp: str | None = None
    """When the trigger fired, in UTC."""
    previous_imei: str | None = attrs.field(default=None, metadata=named_on_wire("preIMEI"))
    """IMEI of the device before its SIM was moved."""
    current_imei: str | None = attrs.field(default=None, metadata=named_on_wire("postIMEI"))
    """IMEI of the device that has the SIM now."""


_RESUMED: Final = re.compile(r"auto resumed on\s*-?\s*(\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d:\d\d [AP]M)", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class ResumeNotice(Message):
    """A suspended device will resume service in seven days."""

    @property
    def resumes(self) -> datetime | None:
        """When service resumes, in an unknown time zone. None if `comment` does not have the documented format."""
        # m2mdeveloper.verizon.com/docs/ts-docs-wns/src/API_Reference/ResumeTrackingNotification-Callback.html
        found = _RESUMED.search(self.comment or "")
        try:
            # The platform does not state the time zone.
            return None if found is None else datetime.strptime(found[1].upper(), "%m/%d/%Y %I:%M:%S %p")  # noqa: DTZ007
        except ValueError:
            return None
