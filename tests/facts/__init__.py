"""Verizon's published REST API as data: operations, models, enums, and the published samples of bodies.

The tests compare the client and the simulator with it. A new room starts from it: `python -m tests.facts GROUP` prints
a group's operations and the models that they use. `thingspace_async/simulator/PROTOCOL.md` has the facts in prose.

Each file has one entry per line, so that `grep` finds it:

- `operations.json`: 316 operations by group and name. `call` is the method, the server's name and the path. `auth`
  stands where an operation takes other tokens than the two usual ones, and `either` where the SDKs say that one of
  them suffices. `parts` are the fields of a form. An answer of type `str` is plain text.
- `models.json`: the members of each JSON object.
- `enums.json`, `unions.json`: the values of an enum, and the types of a union.
- `constraints.json`: the limits of members, as Verizon's SDKs check them. Some are wrong: see PROTOCOL.md 4.3.
- `examples.json`: published requests and answers, and values of paths and queries. `made_up` marks generated ones.
- `page_operations.json`, `page_models.json`: operations, models and members that only the platform's pages or samples
  have, or that they describe better. They replace and extend those of the SDKs.
- `servers.json`, `auth.json`: base URLs by environment, and the kinds of tokens.
- `differences.json`: where the two SDKs disagree, and what `only` one of them has. `v4` is vz-apimatic-v-4-sdk 0.0.1 of
  October 2026, which the other files follow. `sdksio` is sdksio-verizon-apis-sdk 2.0.0 of May 2026.
- `sdk_names.json`: names of operations in sdksio-verizon-apis-sdk, where they differ.

A member is a type, then `*` if it is required, `?` if it may be null, and its default: `"int*? = 0"`. Types are `str`,
`int`, `float`, `bool`, `date`, `datetime`, `uuid`, `file`, `any`, `none`, `form`, `multipart`, `list[...]`,
`dict[...]`, `union[...,...]`, `enum:NAME`, or the name of a model.

Left out: Python names, `default` error types, errors of the SDKs that repeat a model, and limits of withdrawn models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs

__all__ = [
    "FACTS",
    "Member",
    "PublishedOperation",
    "enums",
    "examples",
    "models",
    "newer_only",
    "operations",
    "sdk_methods",
    "servers",
]

FACTS: Final = Path(__file__).parent


@attrs.frozen
class Member:
    """The type of a JSON object's member, or of a value in a path, query or header."""

    type: str
    required: bool = False
    nullable: bool = False
    default: Any = None


@attrs.frozen
class PublishedOperation:
    """An operation of the published API."""

    name: str
    """The group and the operation, such as `sms.send_sms`."""
    method: str
    server: str
    path: str
    answer: str
    """The type of the answer; `none` for an empty one."""
    query: Mapping[str, Member]
    headers: Mapping[str, Member]
    body: Member | None
    parts: Mapping[str, Member]

    @property
    def group(self) -> str:
        return self.name.partition(".")[0]

    @property
    def url(self) -> str:
        return servers()[self.server]["production"] + self.path


@cache
def operations() -> tuple[PublishedOperation, ...]:
    found = {entry["name"]: entry for entry in (*_read("operations"), *_read("page_operations"))}
    return tuple(_operation(entry) for entry in found.values())


def _operation(entry: Mapping[str, Any]) -> PublishedOperation:
    method, server, path = entry["call"].split(" ")
    return PublishedOperation(
        name=entry["name"],
        method=method,
        server=server,
        path=path,
        answer=entry["answer"],
        query=_members(entry.get("query", {})),
        headers=_members(entry.get("headers", {})),
        body=_member(entry["body"]) if "body" in entry else None,
        parts=_members(entry.get("parts", {})),
    )


@cache
def sdk_methods() -> dict[str, str]:
    """Return the methods of Verizon's Python SDK, such as `sms.send_sms_to_device`, with the names of the operations.

    An operation that only the newer SDK has is listed under its name there.
    """
    other: dict[str, str] = _read("sdk_names")
    return {other.get(entry["name"], entry["name"]): entry["name"] for entry in _read("operations")}


@cache
def newer_only() -> frozenset[str]:
    """Return the names of the operations that Verizon's own SDK lacks."""
    return frozenset(name for name, difference in _read("differences").items() if difference.get("only") == "v4")


@cache
def models() -> dict[str, dict[str, Member]]:
    """Return the members of each model by JSON name, with the corrections."""
    found = {name: _members(members) for name, members in _read("models").items()}
    found["multipart"] = _parts()
    for name, members in _read("page_models").items():
        found[name] = {**found.get(name, {}), **_members(members)}
    for dotted, (kind, _) in CORRECTIONS.items():
        name, _, member = dotted.partition(".")
        if kind is None:
            del found[name][member]
        else:
            found[name][member] = attrs.evolve(found[name].get(member, Member(kind)), type=kind)
    return found


def _parts() -> dict[str, Member]:
    """Return the parts of the only multipart body. A file is a string here, like all parts."""
    (upload,) = [one for one in operations() if one.body is not None and one.body.type == "multipart"]
    return {name: attrs.evolve(part, type="str") for name, part in upload.parts.items()}


@cache
def enums() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = _read("enums")
    return found


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Return the published bodies by operation, with the keys `request`, `answer`, `path` and `query`."""
    found: dict[str, dict[str, Any]] = _read("examples")
    return found


@cache
def servers() -> dict[str, dict[str, str]]:
    """Return the base URLs by server and environment."""
    found: dict[str, dict[str, str]] = _read("servers")
    return found


def _read(name: str) -> Any:
    return json.loads((FACTS / f"{name}.json").read_text(encoding="utf-8"))


_MEMBER: Final = re.compile(r"(?P<type>[^*? ]+)(?P<required>\*?)(?P<nullable>\??)(?: = (?P<default>.+))?")


def _members(texts: Mapping[str, str]) -> dict[str, Member]:
    return {name: _member(text) for name, text in texts.items()}


def _member(text: str) -> Member:
    match = _MEMBER.fullmatch(text)
    assert match is not None, f"{text!r} is not a member"
    default = match["default"]
    return Member(
        match["type"],
        bool(match["required"]),
        bool(match["nullable"]),
        None if default is None else json.loads(default),
    )


CORRECTIONS: Final[Mapping[str, tuple[str | None, str]]] = {
    **dict.fromkeys(
        (
            f"AccountLevel{request}TriggerRequest.{name}"
            for request in ("Create", "Update")
            for name in (
                "callback",
                "emailNotification",
                "externalEmailRecipients",
                "notificationFrequencyFactor",
                "notificationFrequencyInterval",
                "notificationGroupName",
                "notificationType",
                "reminder",
                "severity",
                "smsNotification",
                "smsNumbers",
            )
        ),
        (None, "the members of its notification, which the SDKs have twice"),
    ),
    "AccountDetails.carriers": ("list[str]", "the sample on the platform's page of global plans has strings"),
    "AccountDetails.features": ("list[str]", "as carriers"),
    "AccountGroupShareUpdateTriggerRequest.dataTrigger": (None, "as in the creation: pricePlanTrigger"),
    "AccountGroupShareUpdateTriggerRequest.pricePlanTrigger": ("AccountGroupShareObject", "as dataTrigger"),
    "AccountLevelUpdateTriggerRequest.dataTrigger": ("DataTrigger", "the page has accountLevel, as in the creation"),
    "AccountLevelObject.condition": (
        "ConditionObjectCall",
        "the page has an object; the SDKs allow its type alone, too",
    ),
    "AnomalyTriggerResult.triggers": ("list[AnomalyTriggerValue]", "the SDKs have the parts of one trigger as a union"),
    "CallbackCreated.accountName": (None, "the published sample has aname"),
    "CallbackCreated.aname": ("str", "as accountName"),
    "CarrierServicePlan.sizeKb": ("int", "as carriers: the sample has a number"),
    **dict.fromkeys(
        ("ConditionObjectCall.comparitor", "DataTrigger2.comparitor"),
        (None, "the page of pay-as-you-go triggers spells it comparator"),
    ),
    **dict.fromkeys(
        ("ConditionObjectCall.comparator", "DataTrigger2.comparator"), ("enum:Comparitor", "as comparitor")
    ),
    "DeactivateDeviceList.ids": (None, "the page's sample has deviceIds, like all other requests"),
    "DeviceList2.ids": (None, "as DeactivateDeviceList.ids"),
    **dict.fromkeys(
        ("DeviceServiceInformation.BullseyeEnable", "DeviceServiceRequest.BullseyeEnable"),
        ("bool", "the page and the published sample have a boolean"),
    ),
    **{
        f"UploadAndScheduleFileResponse.{name}": ("date", "the page has a date, like the other campaigns")
        for name in ("startDate", "endDate", "downloadAfterDate", "installAfterDate")
    },
    **dict.fromkeys(
        (
            f"{name}.fields"
            for name in ("DtoExpandedDeviceResponse", "DtoSensorBoardingEvent", "ResourceDevice", "ResourceEvent")
        ),
        ("dict[str,any]", "additionalProp1 to 3 are the SDK generator's names for any members"),
    ),
    "DtoOverwriteRuleRequest.rule": (
        "RuleToReplace",
        "the SDKs have the answer's model, which a request cannot fill",
    ),
    "DtoPatchDeviceRequest.device": ("DeviceToChange", "as DtoOverwriteRuleRequest.rule"),
    "DtoPatchSmartAlertRequest.smartalert": ("SmartAlertToChange", "as DtoOverwriteRuleRequest.rule"),
    "GeofencePolygon.coordinates": ("list[list[list[float]]]", "a GeoJSON polygon is a list of rings, like Polygon"),
    "Header.protocolVersion": ("int", "the standard has other versions, too"),
    "Kpiinfo.timeOfLastUpdate": ("datetime", "the sample has one"),
    "ManagedAccountsAddResponse.TxId": (None, "the sample spells it txid; both spellings are read"),
    "ManagedAccountsAddResponse.txid": ("str", "as TxId"),
    "ProfileRequest.primaryPlaceOfUse": ("PlaceOfUse", "the page's table and sample have an object"),
    "Rateplan.ratePlanGroup": ("list[RateplantypeObject]", "the page has groups, and the plans inside them"),
    "StatusResponse.subrequests": (None, "the page spells it subRequests; both spellings are read"),
    "StatusResponse.subRequests": ("list[Subrequest]", "as subrequests"),
    "StopMonitorRequest.monitorIds": ("list[str]", "the page ends monitors by their ids"),
    "Subrequest.ids": ("list[GiodeviceId]", "the page has a list (PROTOCOL.md 3.5)"),
    "UpdateTriggerRequest.cycleType": ("str", "the SDKs' values cycleone and cycletwo are made up"),
    "UpdateTriggerRequest.triggerName": (None, "the page spells it name"),
    **dict.fromkeys(
        ("DeviceList.ipAddress", "ESimdeviceList.ipAddress", "GiodeviceList.ipAddress", "PwndeviceList.ipAddress"),
        ("str", "one DeviceIds serves all requests, and AccountDeviceList has it; it is never required"),
    ),
}
"""Where the SDKs contradict themselves or the platform's pages: the member, its right type, and the reason.

A member without a type is left out: another member is right.
"""
