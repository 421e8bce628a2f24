"""Find out the kind of a callback message, and parse it.

Most kinds have a member of their own, often inside `deviceResponse` or `niddResponse`. Its contents are merged into the
message, so that the parsed message is one object instead of three. Other kinds are recognised by the service that the
listener is registered for, as messages do not name their service.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Final, TypeVar

import attrs

from thingspace_async._core import codec
from thingspace_async._core.types import DeviceId, ExtendedAttribute
from thingspace_async.callbacks.messages.base import REST, DetailedMessage, Fault, Message, UnknownMessage, read_object
from thingspace_async.callbacks.messages.intelligence import (
    INTELLIGENCE,
    DayScore,
    DeviceExperienceHistory,
    IntelligenceMessage,
    NetworkConditions,
    ReportedPlace,
    intelligence_part,
)
from thingspace_async.callbacks.messages.notices import (
    Alert,
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
    QosEvent,
    QosMessage,
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
    STREAMED,
    AggregateUsage,
    DiagnosticsMessage,
    EventMessage,
    Firmware,
    FirmwareProgress,
    FirmwareUpgrade,
    HyperPreciseReport,
    LocationMessage,
    Position,
    PositionError,
    ReportError,
    ReportErrorDetails,
    SoftwareDevice,
    SoftwareMessage,
)
from thingspace_async.errors import MessageUnreadable

__all__ = ["parse"]

T = TypeVar("T")

_DEEPEST: Final = 32
"""Nesting limit of fields that are kept as received. It exceeds all documented messages, and still lets the fields be
shown, copied and pickled."""

_CREDENTIALS: Final = ("username", "password")
_WRAPPERS: Final = ("deviceResponse", "niddResponse")
_REPORTED_IDS: Final = codec.wire_name(attrs.fields(ActivateResult).reported_ids)

_BY_MEMBER: Final[Mapping[str, type[Message]]] = {
    "activateResponse": ActivateResult,
    "deactivateResponse": DeactivateResult,
    "suspendResponse": SuspendResult,
    "restoreResponse": RestoreResult,
    "changeIdentifierResponse": ChangeIdentifierResult,
    "prlInformationResponse": PrlInformation,
    "smsDeliveryResponse": SmsDelivery,
    "usageResponse": UsageResult,
    "qoS": QosMessage,
    "niddMONotificationResponse": NiddMessage,
    "niddMTDeliveryResponse": NiddDelivery,
    "niddConfigResponse": NiddConfiguration,
    "promoChange": PromoChange,
    "externalProvisioningChange": ExternalProvisioningChange,
    "summary": RequestSummary,
    "smsMessage": SmsReceived,
    "triggerId": Alert,
    "txid": LocationMessage,
    "transactionID": DiagnosticsMessage,
    "transactionId": DiagnosticsMessage,
    "firmwareList": SoftwareMessage,
    "upgradeScheduled": SoftwareMessage,
    "upgradeProgress": SoftwareMessage,
    INTELLIGENCE: IntelligenceMessage,
    "campaignId": SoftwareMessage,
}
_MEMBERS: Final = frozenset(_BY_MEMBER)
_NOT_MERGED: Final = frozenset({"firmwareList", "upgradeScheduled", "upgradeProgress", "campaignId"})
"""The members that stay as they are. The contents of the others are merged into the message."""
_TRANSACTIONS: Final = frozenset({"transactionID", "transactionId"})

# In lower case, as the platform's pages disagree about the case of some.
_BY_SERVICE: Final[Mapping[str, type[Message]]] = {
    "alertservice": Alert,
    "alertsservice": Alert,
    "bullseyereporting": HyperPreciseReport,
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
    "intelligenceservice": IntelligenceMessage,
    "fotav2": SoftwareMessage,
    "fotav3": SoftwareMessage,
    "location": LocationMessage,
    "promochanges": PromoChange,
    "resumetrackingnotification": ResumeNotice,
    "smsdeliveryconfirmation": SmsDelivery,
    "stateservice": StateResult,
}

_KNOWN_BY_MEMBER: Final = frozenset(
    kind
    for kind in _BY_MEMBER.values()
    if not issubclass(kind, DetailedMessage) and not any(issubclass(sent, kind) for sent in _BY_SERVICE.values())
)
"""The kinds that a member alone identifies: no service sends a subclass of them, and they keep no other members."""


def parse(body: bytes | str, *, service: str | None = None) -> Message:
    """Parse a message from the platform, as an object of the class for its kind.

    `service` is the one that the listener is registered for. Some kinds cannot be recognised without it. If the kind is
    unknown, or the message does not have the structure of its kind, the result is an UnknownMessage. Raises
    MessageUnreadable if the message is not a JSON object, or is nested too deeply.
    """
    return _read(read_object(body), service) or _parse_any_case(body, service)


def _bounded(value: T) -> T:
    """Refuse values that are nested too deeply. Not recursive, so that depth cannot exhaust the stack."""
    depth, level = 0, _inner(value)
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise MessageUnreadable(f"a callback message must not be nested deeper than {_DEEPEST} levels")
        level = [inner for outer in level for inner in _inner(outer)]
    return value


def _inner(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _read(data: dict[str, Any], service: str | None) -> Message | None:
    """Parse a message. Return None if its kind is unknown or its structure wrong. Modifies `data`."""
    by_member, within = _take_member(data)
    kind: Any = by_member if by_member in _KNOWN_BY_MEMBER else _kind_of(by_member, data, within, service)
    if kind is None:
        return None
    try:
        message: Message = codec.pair_loader(kind)(data, within)
    except codec.Mismatch:
        return None
    if message.fault is not None:
        _bounded(message.fault.detail)
    return message


def _take_member(data: dict[str, Any]) -> tuple[type[Message] | None, dict[str, Any]]:
    """Find the member that identifies the kind. Return the kind, and the contents of the member."""
    if "kind" in data and _take_event(data):
        return EventMessage, {}
    for wrapper in _WRAPPERS:
        if isinstance(within := data.get(wrapper), dict):
            for member in within:
                if (kind := _BY_MEMBER.get(member)) is not None and (content := within[member]) is not None:
                    del data[wrapper]
                    return kind, _contents(data, member, content)
    if not _MEMBERS.isdisjoint(data):
        for member, kind in _BY_MEMBER.items():
            if (content := data.get(member)) is not None:
                del data[member]
                return (
                    intelligence_part(content) if member == INTELLIGENCE else (kind, _contents(data, member, content))
                )
    return None, {}


def _take_event(data: dict[str, Any]) -> bool:
    """Give an event of Cloud Connector the form of other messages. Return whether the message is an event.

    The published sample has the event as `data` of another one. An event of its own is read, too.
    """
    kind = data["kind"]
    if not (isinstance(kind, str) and (kind == STREAMED or kind.startswith(f"{STREAMED}."))):
        return False
    if not isinstance(data.get("data"), dict):
        event = dict(data)
        data.clear()
        data.update(data=event, kind=kind, action=event.get("action"))
    data["event"] = _bounded(data.pop("data"))
    data["requestId"] = STREAMED
    return True


def _kind_of(
    by_member: type[Message] | None, data: dict[str, Any], within: dict[str, Any], service: str | None
) -> type[Message] | None:
    """Find the kind by the member, the service and the other fields. Add the other fields if the kind keeps them."""
    kind = by_member if service is None else _narrowed(by_member, service)
    if kind is None and (kind := _plain_kind(data)) is None:
        return None
    if kind is SoftwareMessage:
        _lift_upgrade_id(data)
    if issubclass(kind, DetailedMessage):
        data[REST] = _rest(within, kind) | _rest(data, kind)
    elif by_member is None and _rest(data, kind):
        return None
    return kind


def _lift_upgrade_id(data: dict[str, Any]) -> None:
    """Put the id of an upgrade of software management v1 where later versions have the id of a campaign."""
    for member in ("upgradeProgress", "upgradeScheduled"):
        if isinstance(upgrade := data.get(member), dict) and isinstance(upgrade.get("upgradeId"), str):
            data.setdefault("campaignId", upgrade["upgradeId"] or None)


def _contents(data: dict[str, Any], member: str, content: Any) -> dict[str, Any]:
    """Return the contents of a member, for merging. If it is not an object, put it back into the message."""
    if content.__class__ is not dict or member in _NOT_MERGED:
        data[member] = content
        if member in _TRANSACTIONS:
            _take_error(data)
        if member == "usageResponse" and content.__class__ is list:
            for usage in content:
                if usage.__class__ is dict:
                    usage[REST] = _rest(usage, DeviceUsage)
        return {}
    if "deviceIds" in content:
        # Messages on NIDD configurations lack the identifiers that all other messages have outside the member.
        data[_REPORTED_IDS if data.get("deviceIds") else "deviceIds"] = content["deviceIds"]
    return content


def _take_error(data: dict[str, Any]) -> None:
    """Give an error of diagnostics the form of other faults."""
    if isinstance(code := data.get("errorCode"), str) and data.get("faultResponse") is None:
        data["faultResponse"] = {"faultcode": code, "faultstring": data.get("errorMessage")}
        del data["errorCode"]
        data.pop("errorMessage", None)


def _narrowed(by_member: type[Message] | None, service: str) -> type[Message] | None:
    """Return the kind that a service sends, unless the member identifies another kind."""
    sent = _BY_SERVICE.get(service.casefold())
    if sent is HyperPreciseReport and by_member is LocationMessage:
        return sent  # Both have the member `txid`.
    return sent if sent is not None and (by_member is None or issubclass(sent, by_member)) else by_member


def _plain_kind(data: dict[str, Any]) -> type[Message] | None:
    """Find the kind of a message that only has the common fields."""
    comment = data.get("comment")
    if isinstance(comment, str) and "auto resumed" in comment.casefold():
        return ResumeNotice
    if data.get("status") is None and data.get("faultResponse") is None:
        return None
    return RequestResult if _rest(data, RequestResult).keys() <= frozenset(_WRAPPERS) else None


def _rest(data: dict[str, Any], kind: type) -> dict[str, Any]:
    """Return the members of a message that its kind does not have, without empty ones."""
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
    return frozenset({*map(codec.wire_name, fields), *also, *_CREDENTIALS} - {REST})


def _parse_any_case(body: bytes | str, service: str | None) -> Message:
    """Parse a message whose members may be in another case than documented, or whose kind is unknown."""
    _bounded(read_object(body))
    return _read(_with_documented_names(read_object(body)), service) or _read_unknown(body)


def _with_documented_names(data: Any) -> Any:
    """Replace the names of members by the documented ones, ignoring case."""
    if isinstance(data, list):
        return [_with_documented_names(item) for item in data]
    if not isinstance(data, dict):
        return data
    known = _spellings()
    return {known.get(name.casefold(), name): _with_documented_names(value) for name, value in data.items()}


@cache
def _spellings() -> Mapping[str, str]:
    kinds = {*_BY_MEMBER.values(), *_BY_SERVICE.values(), RequestResult}
    parts = {
        DeviceId,
        Fault,
        DeviceUsage,
        ExtendedAttribute,
        Position,
        PositionError,
        Firmware,
        FirmwareProgress,
        FirmwareUpgrade,
        QosEvent,
        NetworkConditions,
        ReportedPlace,
        DeviceExperienceHistory,
        DayScore,
        SoftwareDevice,
        AggregateUsage,
        ReportError,
        ReportErrorDetails,
    }
    fields = {codec.wire_name(field) for model in kinds | parts for field in attrs.fields(model)}
    return {name.casefold(): name for name in sorted({*_WRAPPERS, *_BY_MEMBER, *fields})}


def _read_unknown(body: bytes | str) -> UnknownMessage:
    """Return an UnknownMessage with all fields. Common fields are parsed if they have the right type."""
    kept = {name: value for name, value in read_object(body).items() if not _is_credential(name)}
    data, fitting = _with_documented_names(read_object(body)), {}
    if isinstance(ids := data.get("deviceIds"), list):
        data["deviceIds"] = [one for one in ids if _fits(one, DeviceId)]
    for field in attrs.fields(Message):
        name = codec.wire_name(field)
        try:
            fitting[field.name] = getattr(codec.loader(Message)({name: data.get(name)}), field.name)
        except codec.Mismatch:
            continue
    return UnknownMessage(**fitting, body=kept)


def _fits(data: object, kind: type) -> bool:
    try:
        codec.loader(kind)(data)
    except codec.Mismatch:
        return False
    return True
