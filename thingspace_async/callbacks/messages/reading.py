"""Telling what kind a callback message is of, and reading it as that.

The kind is told by a member that it alone has, often within `deviceResponse` or `niddResponse`; where there is none, by
the service that the listener is registered for, which the message itself does not name. What is within such a member is
read as if it stood beside it, so that a message is one object and not three.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Final, TypeVar

import attrs

from thingspace_async import _codec
from thingspace_async._types import DeviceId, ExtendedAttribute
from thingspace_async.callbacks.messages.base import REST, DetailedMessage, Fault, Message, UnknownMessage, read_object
from thingspace_async.callbacks.messages.notices import (
    ExternalProvisioningChange,
    NiddConfiguration,
    NiddDelivery,
    NiddMessage,
    PromoChange,
    ResumeNotice,
    SmsDelivery,
    SmsReceived,
    SmsSent,
)
from thingspace_async.callbacks.messages.results import (
    ActivateResult,
    ChangeIdentifierResult,
    DeactivateResult,
    DeviceServiceResult,
    DeviceUsage,
    PrlInformation,
    ProfileResult,
    PromoUsageResult,
    ReachabilityMessage,
    RequestResult,
    RequestSummary,
    RestoreResult,
    StateResult,
    SuspendResult,
    SuspensionStatus,
    UsageResult,
)
from thingspace_async.callbacks.messages.services import (
    DiagnosticsMessage,
    Firmware,
    FirmwareUpgrade,
    LocationMessage,
    Position,
    PositionError,
    SoftwareMessage,
)
from thingspace_async.errors import MessageUnreadable

__all__ = ["parse"]

T = TypeVar("T")

_DEEPEST: Final = 32
"""What is kept as it came may be deeper than any documented message, but must still be shown, copied and pickled."""

_CREDENTIALS: Final = ("username", "password")
_WRAPPERS: Final = ("deviceResponse", "niddResponse")
_REPORTED_IDS: Final = _codec.wire_name(attrs.fields(ActivateResult).reported_ids)

_BY_MEMBER: Final[Mapping[str, type[Message]]] = {
    "activateResponse": ActivateResult,
    "deactivateResponse": DeactivateResult,
    "suspendResponse": SuspendResult,
    "restoreResponse": RestoreResult,
    "changeIdentifierResponse": ChangeIdentifierResult,
    "prlInformationResponse": PrlInformation,
    "smsDeliveryResponse": SmsDelivery,
    "usageResponse": UsageResult,
    "niddMONotificationResponse": NiddMessage,
    "niddMTDeliveryResponse": NiddDelivery,
    "niddConfigResponse": NiddConfiguration,
    "promoChange": PromoChange,
    "externalProvisioningChange": ExternalProvisioningChange,
    "summary": RequestSummary,
    "smsMessage": SmsReceived,
    "txid": LocationMessage,
    "transactionID": DiagnosticsMessage,
    "transactionId": DiagnosticsMessage,
    "firmwareList": SoftwareMessage,
    "upgradeScheduled": SoftwareMessage,
    "upgradeProgress": SoftwareMessage,
}
_MEMBERS: Final = frozenset(_BY_MEMBER)
_KEPT: Final = frozenset({"firmwareList", "upgradeScheduled", "upgradeProgress"})
"""The members that stay what they are; what is in the others is read as if it stood beside them."""

# In small letters, as the platform's pages spell some of them in several ways.
_BY_SERVICE: Final[Mapping[str, type[Message]]] = {
    "devicelocation": LocationMessage,
    "deviceprlinformation": PrlInformation,
    "deviceprofileservice": ProfileResult,
    "devicepromousage": PromoUsageResult,
    "deviceservice": DeviceServiceResult,
    "devicesuspensionstatus": SuspensionStatus,
    "deviceusage": UsageResult,
    "diagnostics": DiagnosticsMessage,
    "diagnosticsservice": ReachabilityMessage,
    "enhancedconnectivityservice": SmsSent,
    "externalprovisioningchanges": ExternalProvisioningChange,
    "fota": SoftwareMessage,
    "location": LocationMessage,
    "promochanges": PromoChange,
    "resumetrackingnotification": ResumeNotice,
    "smsdeliveryconfirmation": SmsDelivery,
    "stateservice": StateResult,
}

_TOLD_FULLY: Final = frozenset(
    kind
    for kind in _BY_MEMBER.values()
    if not issubclass(kind, DetailedMessage) and not any(issubclass(sent, kind) for sent in _BY_SERVICE.values())
)
"""The kinds of which no service sends a narrower one, and that keep nothing else: a message's other members, and the
service that sent it, need not be looked at."""


def parse(body: bytes | str, *, service: str | None = None) -> Message:
    """Read a message that the platform has sent, as the class of its kind.

    `service` is the one that the listener is registered for: some kinds cannot be told without it. What is of no known
    kind, or not of its form, is an UnknownMessage. Raises MessageUnreadable only for what is no JSON object, or is
    nested too deeply.
    """
    return _read(read_object(body), service) or _read_respelt(body, service)


def _bounded(value: T) -> T:
    """Refuse what is nested too deeply to be kept as it came; counts without a call for each level."""
    depth, level = 0, _inner(value)
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise MessageUnreadable(f"a callback message may not be nested deeper than {_DEEPEST} levels")
        level = [inner for outer in level for inner in _inner(outer)]
    return value


def _inner(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _read(data: dict[str, Any], service: str | None) -> Message | None:
    """Read a message, which is used up; None when its kind is not known or it has not the form of its kind."""
    told, within = _opened(data)
    kind: Any = told if told in _TOLD_FULLY else _told_by_all(told, data, within, service)
    if kind is None:
        return None
    try:
        message: Message = _codec.pair_loader(kind)(data, within)
    except _codec.Mismatch:
        return None
    if message.fault is not None:
        _bounded(message.fault.detail)
    return message


def _opened(data: dict[str, Any]) -> tuple[type[Message] | None, dict[str, Any]]:
    """Find the kind by the member that tells it, and return with it what is in that member."""
    for wrapper in _WRAPPERS:
        if isinstance(within := data.get(wrapper), dict):
            for member in within:
                if (kind := _BY_MEMBER.get(member)) is not None and (content := within[member]) is not None:
                    del data[wrapper]
                    return kind, _taken_out(data, member, content)
    if not _MEMBERS.isdisjoint(data):
        for member, kind in _BY_MEMBER.items():
            if (content := data.get(member)) is not None:
                del data[member]
                return kind, _taken_out(data, member, content)
    return None, {}


def _told_by_all(
    told: type[Message] | None, data: dict[str, Any], within: dict[str, Any], service: str | None
) -> type[Message] | None:
    """Find the kind by the service, too, and by what else the message holds, which is kept where the kind keeps it."""
    kind = told if service is None else _narrowed(told, service)
    if kind is None and (kind := _plain_kind(data)) is None:
        return None
    if issubclass(kind, DetailedMessage):
        data[REST] = _rest(within, kind) | _rest(data, kind)
    elif told is None and _rest(data, kind):
        return None
    return kind


def _taken_out(data: dict[str, Any], member: str, content: Any) -> dict[str, Any]:
    """Return what is in a member, to be read as if it stood beside it; what is no object is put there."""
    if content.__class__ is not dict or member in _KEPT:
        data[member] = content
        if member == "usageResponse" and content.__class__ is list:
            for usage in content:
                if usage.__class__ is dict:
                    usage[REST] = _rest(usage, DeviceUsage)
        return {}
    if "deviceIds" in content:
        # A configuration for NIDD comes without the identifiers that all other messages have beside it.
        data[_REPORTED_IDS if data.get("deviceIds") else "deviceIds"] = content["deviceIds"]
    return content


def _narrowed(told: type[Message] | None, service: str) -> type[Message] | None:
    """Return the kind that a service sends, unless a member has told another."""
    sent = _BY_SERVICE.get(service.casefold())
    return sent if sent is not None and (told is None or issubclass(sent, told)) else told


def _plain_kind(data: dict[str, Any]) -> type[Message] | None:
    """Find the kind of a message that has little but what all have."""
    comment = data.get("comment")
    if isinstance(comment, str) and "auto resumed" in comment.casefold():
        return ResumeNotice
    if data.get("status") is None and data.get("faultResponse") is None:
        return None
    return RequestResult if _rest(data, RequestResult).keys() <= frozenset(_WRAPPERS) else None


def _rest(data: dict[str, Any], kind: type) -> dict[str, Any]:
    """Return what is in a message beside the members of its kind, but for what is empty."""
    names = _names(kind)
    if names.issuperset(data):
        return {}
    rest = {name: value for name, value in data.items() if name not in names and not _is_empty(name, value)}
    return _bounded(rest)


def _is_empty(name: str, value: object) -> bool:
    return value in (None, "", [], {}) or _is_credential(name)


def _is_credential(name: str) -> bool:
    return name.casefold() in _CREDENTIALS


@cache
def _names(kind: type) -> frozenset[str]:
    fields = attrs.fields(kind)
    also = {field.metadata["also"] for field in fields if "also" in field.metadata}
    return frozenset({*map(_codec.wire_name, fields), *also, *_CREDENTIALS} - {REST})


def _read_respelt(body: bytes | str, service: str | None) -> Message:
    """Read a message whose members may be written in other letters than documented, or of which no kind is known."""
    _bounded(read_object(body))
    return _read(_respelt(read_object(body)), service) or _read_unknown(body)


def _respelt(data: Any) -> Any:
    """Write the names of members as they are documented, whatever the case of their letters."""
    if isinstance(data, list):
        return [_respelt(item) for item in data]
    if not isinstance(data, dict):
        return data
    known = _spellings()
    return {known.get(name.casefold(), name): _respelt(value) for name, value in data.items()}


@cache
def _spellings() -> Mapping[str, str]:
    kinds = {*_BY_MEMBER.values(), *_BY_SERVICE.values(), RequestResult}
    parts = {DeviceId, Fault, DeviceUsage, ExtendedAttribute, Position, PositionError, Firmware, FirmwareUpgrade}
    fields = {_codec.wire_name(field) for model in kinds | parts for field in attrs.fields(model)}
    return {name.casefold(): name for name in sorted({*_WRAPPERS, *_BY_MEMBER, *fields})}


def _read_unknown(body: bytes | str) -> UnknownMessage:
    """Keep a message whole, and read as much of what all messages have as has the right form."""
    kept = {name: value for name, value in read_object(body).items() if not _is_credential(name)}
    data, fitting = _respelt(read_object(body)), {}
    if isinstance(ids := data.get("deviceIds"), list):
        data["deviceIds"] = [one for one in ids if _fits(one, DeviceId)]
    for field in attrs.fields(Message):
        name = _codec.wire_name(field)
        try:
            fitting[field.name] = getattr(_codec.loader(Message)({name: data.get(name)}), field.name)
        except _codec.Mismatch:
            continue
    return UnknownMessage(**fitting, body=kept)


def _fits(data: object, kind: type) -> bool:
    try:
        _codec.loader(kind)(data)
    except _codec.Mismatch:
        return False
    return True
