"""Messages from devices, and of what happened without a request (protocol.md 3.4)."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Final

import attrs

from thingspace_async._codec import wire
from thingspace_async.callbacks.messages.base import DetailedMessage, Message, ReportingMessage

__all__ = [
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
    """An SMS message that a device has sent."""

    text: str | None = attrs.field(default=None, metadata=wire("smsMessage"))


@attrs.frozen(kw_only=True)
class SmsDelivery(ReportingMessage):
    """What became of an SMS message to a device: received, or expired after five days."""

    confirmation: str | None = None


@attrs.frozen(kw_only=True)
class SmsSent(SmsDelivery):
    """An SMS message was sent to a device, or could not be; whether it arrived is told by an SmsDelivery."""


@attrs.frozen(kw_only=True)
class NiddMessage(ReportingMessage):
    """Data that a device has sent without IP."""

    account_name: str | None = None
    message: str | None = None
    """The data, in Base64."""

    @property
    def data(self) -> bytes:
        """The data; raises ValueError when `message` is not Base64."""
        return base64.b64decode(self.message or "", validate=True)


@attrs.frozen(kw_only=True)
class NiddDelivery(ReportingMessage):
    """What became of data that was sent to a device without IP; with the status `QUEUED`, it waits for the device."""

    account_name: str | None = None
    acknowledge_time: str | None = None
    first_attempt_delivery_time: str | None = None
    reason: str | None = None


@attrs.frozen(kw_only=True)
class NiddConfiguration(ReportingMessage):
    """Whether a device can send and receive data without IP now; an activation causes one beside its result."""

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
    """A device was changed by another way than this API; an activation comes without `device_ids`.

    The device as it is now is in `details`.
    """

    source: str | None = None
    """The tool that it was changed with."""
    change: str | None = None
    """Such as `Activate`, `Suspend`, `changeIMEI`."""


_RESUMED: Final = re.compile(r"auto resumed on\s*-?\s*(\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d:\d\d [AP]M)", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class ResumeNotice(Message):
    """A suspended device will be in service again in seven days."""

    @property
    def resumes(self) -> datetime | None:
        """When, in a time zone that the platform does not tell; None when `comment` does not say it as documented."""
        # m2mdeveloper.verizon.com/docs/ts-docs-wns/src/API_Reference/ResumeTrackingNotification-Callback.html
        found = _RESUMED.search(self.comment or "")
        try:
            # No zone is told, and none is made up.
            return None if found is None else datetime.strptime(found[1].upper(), "%m/%d/%Y %I:%M:%S %p")  # noqa: DTZ007
        except ValueError:
            return None
