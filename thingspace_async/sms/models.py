"""Models of SMS messages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Count, checked
from thingspace_async._core.codec import Model
from thingspace_async._core.types import (
    CustomField,
    DeviceId,
    OpenEnum,
    identifier_of,
    to_custom_fields,
    to_device_id,
    to_device_ids,
)
from thingspace_async.errors import InvalidRequest

__all__ = ["SmsEncoding", "SmsEventHistoryRequest", "SmsMessage", "SmsMessagesQueryResult", "SmsSendRequest"]


class SmsEncoding(OpenEnum):
    """Character encoding of a message."""

    SEVEN_BIT = "7-bit"
    ASCII = "8-bit-ASCII"
    UTF_8 = "8-bit-UTF-8"
    DATA = "8-bit-DATA"


def to_encoding(given: SmsEncoding | str | None) -> SmsEncoding | None:
    """Convert the name of an encoding. The validator refuses values that are not strings."""
    return SmsEncoding(given) if isinstance(given, str) else given


_MOST_DEVICES: Final = 100
_LONGEST: Final = 160
_LONGEST_8_BIT: Final = 140


@attrs.frozen(kw_only=True, field_transformer=checked)
class SmsSendRequest(Model):
    """A message for devices: either `device_ids`, or the filters (`account_name` must accompany both)."""

    account_name: str
    """Selects all devices of the account if given without `device_ids` and filters."""
    sms_message: str = attrs.field(validator=checks.content)
    """At most 160 characters, or 140 in the 8-bit encodings. UTF-8 may need several of them for one character."""
    # The default is None instead of (). An empty list would select the whole account, so it is refused.
    device_ids: Annotated[tuple[DeviceId, ...] | None, Count(most=_MOST_DEVICES)] = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids)
    )
    """At most 100 devices, one identifier each."""
    group_name: str | None = None
    """Select devices of this group. Not allowed with `device_ids`."""
    service_plan: str | None = None
    """Select devices with this plan code. Not allowed with `device_ids`."""
    custom_fields: tuple[CustomField, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_custom_fields)
    )
    """Select devices that have all of these values. Not allowed with `device_ids`."""
    data_encoding: SmsEncoding | None = attrs.field(default=None, converter=to_encoding)
    """Character encoding. Default: `7-bit`."""
    time_to_live: str | None = None
    """How long the network tries to deliver the message. The format is not documented."""

    def __attrs_post_init__(self) -> None:
        checks.exclusive(self, "device_ids", "group_name", "service_plan", "custom_fields")
        encoding = self.data_encoding or SmsEncoding.SEVEN_BIT
        most = _LONGEST_8_BIT if encoding.startswith("8-bit") else _LONGEST
        if len(self.sms_message) > most:
            raise InvalidRequest(
                f"SmsSendRequest: sms_message must have {most} characters or fewer in {encoding}, "
                f"not {len(self.sms_message):,}"
            )


@attrs.frozen(kw_only=True)
class SmsMessage(Model):
    """A message from a device."""

    device_ids: tuple[DeviceId, ...] = ()
    """Identifiers of the sender."""
    message: str | None = None
    timestamp: datetime | None = None

    def identifier(self, kind: str) -> str | None:
        """Return the sender's identifier of a kind (`imei`, `iccid`, `mdn`, …), ignoring upper and lower case."""
        return identifier_of(self.device_ids, kind)


@attrs.frozen(kw_only=True)
class SmsMessagesQueryResult(Model):
    """One block of queued messages. They stay in the queue until they are acknowledged."""

    messages: tuple[SmsMessage, ...] = ()
    has_more_data: bool | None = None
    next: str | None = None
    """Pass this to `queued_page` to acknowledge this block and request the next one, from the Location header."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class SmsEventHistoryRequest(Model):
    """A device and a time span to report messages of."""

    device_id: DeviceId = attrs.field(converter=to_device_id)
    """The device, by one identifier."""
    earliest: datetime | None = None
    """Start of the span, with a time zone. The platform keeps messages for three months."""
    latest: datetime | None = None
    """End of the span, with a time zone."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "earliest", "latest")
