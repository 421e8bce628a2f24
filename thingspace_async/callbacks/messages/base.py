"""What all callback messages have."""

from __future__ import annotations

from typing import Any, Final

import attrs
import orjson

from thingspace_async._codec import wire
from thingspace_async._types import DeviceId, OpenEnum, identifier_of
from thingspace_async.errors import MessageUnreadable

__all__ = [
    "REST",
    "DetailedMessage",
    "Fault",
    "Message",
    "MessageStatus",
    "ReportingMessage",
    "UnknownMessage",
    "read_object",
]

REST: Final = "*"
"""The wire name of the field that takes all other members, which no member has."""


class MessageStatus(OpenEnum):
    """What became of a request, for one device; `MessageStatus("…")` makes one that is not listed."""

    SUCCESS = "Success"
    FAILED = "Failed"
    FAILURE = "Failure"
    """What some pages call `FAILED`."""
    PENDING = "Pending"
    WARNING = "Warning"
    """The device could not be reached yet; another message is to tell the result."""
    QUEUED = "Queued"
    DELIVERED = "Delivered"
    DELIVERY_FAILED = "DeliveryFailed"
    CONFIG_CREATED = "ConfigCreated"
    CONFIG_FAILED = "ConfigFailed"


_FAILURES: Final = frozenset(
    {MessageStatus.FAILED, MessageStatus.FAILURE, MessageStatus.DELIVERY_FAILED, MessageStatus.CONFIG_FAILED}
)


@attrs.frozen(kw_only=True)
class Fault:
    """Why the platform failed at a request."""

    code: str | None = attrs.field(default=None, metadata=wire("faultcode"))
    """Verbatim; `short_code` is what to compare."""
    message: str | None = attrs.field(default=None, metadata=wire("faultstring"))
    actor: str | None = attrs.field(default=None, metadata=wire("faultactor"))
    detail: Any = None
    """A text or an object, as it came."""

    @property
    def short_code(self) -> str | None:
        """`code` without the name of the service, which is what stays the same between services and releases."""
        # https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Callback_Error_Messages/
        if self.code is None:
            return None
        service, dot, rest = self.code.partition(".")
        return rest if dot and service.endswith("Service") else self.code


@attrs.frozen(kw_only=True)
class Message:
    """What the platform tells a listener: the base of all kinds of messages."""

    request_id: str | None = None
    """What `Accepted.request_id` was; None for what nobody asked for."""
    device_ids: tuple[DeviceId, ...] = ()
    """The device. The platform writes the kinds in letters of any case, and compares them so, as DeviceId does."""
    status: MessageStatus | None = None
    fault: Fault | None = attrs.field(default=None, metadata=wire("faultResponse"))
    comment: str | None = None
    attempt: int | None = attrs.field(default=None, metadata=wire("callbackCount"))
    """How often the platform has sent the message, this time included."""
    most_attempts: int | None = attrs.field(default=None, metadata=wire("maxCallbackThreshold"))

    @property
    def failed(self) -> bool:
        """Whether the platform failed at what was asked."""
        return self.fault is not None or self.status in _FAILURES

    def identifier(self, kind: str) -> str | None:
        """Return the device's identifier of a kind (`imei`, `iccid`, `mdn`, …), whatever the case of its letters."""
        return identifier_of(self.device_ids, kind)


@attrs.frozen(kw_only=True)
class ReportingMessage(Message):
    """A message that names its device twice: as the request did, and as the platform knows it."""

    reported_ids: tuple[DeviceId, ...] = attrs.field(default=(), metadata=wire("deviceResponse.deviceIds"))
    """All identifiers that the platform reports, with those that are new, such as the number of an activated device."""

    def identifier(self, kind: str) -> str | None:
        """Return the device's identifier of a kind, the reported one first, whatever the case of its letters."""
        return identifier_of((*self.reported_ids, *self.device_ids), kind)


@attrs.frozen(kw_only=True)
class DetailedMessage(Message):
    """A message whose form is not documented beyond what all messages have."""

    details: dict[str, Any] = attrs.field(factory=dict[str, Any], metadata=wire(REST))
    """All else that it holds, as it came."""


@attrs.frozen(kw_only=True)
class UnknownMessage(Message):
    """A message of no known kind, or one that does not have the form of its kind, kept whole."""

    body: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    """All that it holds, as it came, but for the listener's username and password. Not shown: a device's credentials
    may be in it."""


def read_object(body: bytes | str) -> dict[str, Any]:
    """Read the JSON object of a message; raises MessageUnreadable."""
    data: Any
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        data = _read_repaired(body)
    if data.__class__ is not dict:
        # Behind the handlers, whose exceptions hold the body, and with it the listener's password.
        raise MessageUnreadable("a callback message must be a JSON object")
    return data


def _read_repaired(body: bytes | str) -> Any:
    """Read a message that came without its first brace, as a production listener has met (protocol.md 3.4)."""
    try:
        return orjson.loads("{" + body if isinstance(body, str) else b"{" + body)
    except orjson.JSONDecodeError:
        return None
