"""The parts that all callback messages have."""

from __future__ import annotations

from typing import Any, Final

import attrs
import orjson

from thingspace_async._core.codec import REST, Model, named_on_wire
from thingspace_async._core.types import DeviceId, OpenEnum, identifier_of
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


class MessageStatus(OpenEnum):
    """The status of a request, for one device. `MessageStatus("…")` makes one that is not listed."""

    SUCCESS = "Success"
    FAILED = "Failed"
    FAILURE = "Failure"
    """Some pages use this for `FAILED`."""
    PENDING = "Pending"
    WARNING = "Warning"
    """The device could not be reached yet. Another message will have the result."""
    QUEUED = "Queued"
    DELIVERED = "Delivered"
    DELIVERY_FAILED = "DeliveryFailed"
    CONFIG_CREATED = "ConfigCreated"
    CONFIG_FAILED = "ConfigFailed"


_FAILURES: Final = frozenset(
    {MessageStatus.FAILED, MessageStatus.FAILURE, MessageStatus.DELIVERY_FAILED, MessageStatus.CONFIG_FAILED}
)


@attrs.frozen(kw_only=True)
class Fault(Model):
    """Why a request failed."""

    code: str | None = attrs.field(default=None, metadata=named_on_wire("faultcode"))
    """As the platform sent it. Compare `short_code` instead."""
    message: str | None = attrs.field(default=None, metadata=named_on_wire("faultstring"))
    actor: str | None = attrs.field(default=None, metadata=named_on_wire("faultactor"))
    detail: Any = None
    """A string or an object, as received."""

    @property
    def short_code(self) -> str | None:
        """`code` without the name of the service. It is the same in all services and releases."""
        # https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Callback_Error_Messages/
        if self.code is None:
            return None
        service, dot, rest = self.code.partition(".")
        return rest if dot and service.endswith("Service") else self.code


@attrs.frozen(kw_only=True)
class Message(Model):
    """A message from the platform to a listener. Base class of all messages."""

    request_id: str | None = None
    """The `request_id` of `Accepted`. None if no request caused the message."""
    device_ids: tuple[DeviceId, ...] = ()
    """The device. Kinds may be in upper or lower case; DeviceId compares them ignoring case."""
    status: MessageStatus | None = None
    fault: Fault | None = attrs.field(default=None, metadata=named_on_wire("faultResponse"))
    comment: str | None = None
    attempt: int | None = attrs.field(default=None, metadata=named_on_wire("callbackCount"))
    """How many times the platform has sent the message, including this one."""
    most_attempts: int | None = attrs.field(default=None, metadata=named_on_wire("maxCallbackThreshold"))

    @property
    def failed(self) -> bool:
        """Whether the request failed."""
        return self.fault is not None or self.status in _FAILURES

    def identifier(self, kind: str) -> str | None:
        """Return the device's identifier of a kind such as `imei`, `iccid` or `mdn`, ignoring case."""
        return identifier_of(self.device_ids, kind)


@attrs.frozen(kw_only=True)
class ReportingMessage(Message):
    """A message with two sets of identifiers: those of the request, and those that the platform reports."""

    reported_ids: tuple[DeviceId, ...] = attrs.field(default=(), metadata=named_on_wire("deviceResponse.deviceIds"))
    """All identifiers that the platform reports, including new ones such as the number of an activated device."""

    def identifier(self, kind: str) -> str | None:
        """Return the device's identifier of a kind, ignoring case. The reported one takes precedence."""
        return identifier_of((*self.reported_ids, *self.device_ids), kind)


@attrs.frozen(kw_only=True)
class DetailedMessage(Message):
    """A message whose own fields are not documented."""

    details: dict[str, Any] = attrs.field(factory=dict[str, Any], metadata=named_on_wire(REST))
    """All its other fields, as received."""


@attrs.frozen(kw_only=True)
class UnknownMessage(Message):
    """A message of an unknown kind, or one that does not have the structure of its kind."""

    body: dict[str, Any] = attrs.field(factory=dict[str, Any], repr=False)
    """All fields as received, without the listener's username and password. Not shown in the repr: it may contain a
    device's credentials."""


def read_object(body: bytes | str) -> dict[str, Any]:
    """Read the JSON object of a message. Raises MessageUnreadable."""
    data: Any
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        data = _read_repaired(body)
    if data.__class__ is not dict:
        # Outside the handlers: their exceptions contain the body, and so the listener's password.
        raise MessageUnreadable("a callback message must be a JSON object")
    return data


def _read_repaired(body: bytes | str) -> Any:
    """Read a message that lacks its first brace. A listener in production has received some (PROTOCOL.md 3.4)."""
    try:
        return orjson.loads("{" + body if isinstance(body, str) else b"{" + body)
    except orjson.JSONDecodeError:
        return None
