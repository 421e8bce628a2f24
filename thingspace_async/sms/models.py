"""Models of SMS messages."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import attrs

from thingspace_async import _checks
from thingspace_async._types import CustomField, DeviceId, OpenEnum, identifier_of, to_custom_fields, to_device_ids
from thingspace_async.errors import InvalidRequest

__all__ = ["SmsEncoding", "SmsEventHistoryRequest", "SmsMessage", "SmsMessagesQueryResult", "SmsSendRequest"]


class SmsEncoding(OpenEnum):
    """How the characters of a message are written."""

    SEVEN_BIT = "7-bit"
    ASCII = "8-bit-ASCII"
    UTF_8 = "8-bit-UTF-8"
    DATA = "8-bit-DATA"


def to_encoding(given: SmsEncoding | str | None) -> SmsEncoding | None:
    """Convert the name of an encoding; what is no text is left for the validator to refuse."""
    return SmsEncoding(given) if isinstance(given, str) else given


_LONGEST: Final = 160
_LONGEST_8_BIT: Final = 140


@attrs.frozen(kw_only=True)
class SmsSendRequest:
    """A message, and the devices that it is for: those listed, or those that match everything else; never both."""

    account_name: str = attrs.field(validator=_checks.text)
    """Alone, it means every device of the account."""
    sms_message: str = attrs.field(validator=_checks.content)
    """At most 160 characters, 140 in the 8-bit encodings, where UTF-8 takes several for some characters."""
    # None by default, and not (): a list that happens to be empty is refused, where it would mean the whole account.
    device_ids: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids), validator=_checks.device_ids()
    )
    """One identifier of each."""
    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    """Only devices of this group; not together with `device_ids`, as the next two."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    custom_fields: tuple[CustomField, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_custom_fields), validator=_checks.custom_fields
    )
    data_encoding: SmsEncoding | None = attrs.field(default=None, converter=to_encoding, validator=_checks.text)
    """None is `7-bit`."""
    time_to_live: str | None = attrs.field(default=None, validator=_checks.text)
    """How long to try to deliver it; the format is not documented."""

    def __attrs_post_init__(self) -> None:
        _checks.exclusive(self, "device_ids", "group_name", "service_plan", "custom_fields")
        encoding = self.data_encoding or SmsEncoding.SEVEN_BIT
        most = _LONGEST_8_BIT if encoding.startswith("8-bit") else _LONGEST
        if len(self.sms_message) > most:
            raise InvalidRequest(
                f"SmsSendRequest: sms_message must have {most} characters or fewer in {encoding}, "
                f"not {len(self.sms_message):,}"
            )


@attrs.frozen(kw_only=True)
class SmsMessage:
    """A message that a device has sent."""

    device_ids: tuple[DeviceId, ...] = ()
    """The device that has sent it."""
    message: str | None = None
    timestamp: datetime | None = None

    def identifier(self, kind: str) -> str | None:
        """Return the sender's identifier of a kind (`imei`, `iccid`, `mdn`, …), whatever the case of its letters."""
        return identifier_of(self.device_ids, kind)


@attrs.frozen(kw_only=True)
class SmsMessagesQueryResult:
    """One block of queued messages, which stay in the queue until they are acknowledged."""

    messages: tuple[SmsMessage, ...] = ()
    has_more_data: bool | None = None
    next: str | None = None
    """Acknowledges this block and asks for the following one; read from the answer's Location header."""


@attrs.frozen(kw_only=True)
class SmsEventHistoryRequest:
    """Which messages to and from one device to report."""

    device_id: DeviceId = attrs.field(validator=_checks.device_id)
    earliest: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Sent after this; needs a time zone. The platform keeps three months."""
    latest: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Sent before this; needs a time zone."""

    def __attrs_post_init__(self) -> None:
        _checks.in_order(self, "earliest", "latest")
