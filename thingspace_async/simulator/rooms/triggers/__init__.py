"""Handlers for triggers. Those that watch usage fire on the usage of the simulated devices (PROTOCOL.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.simulator.fleet import PLANS, stamp
from thingspace_async.simulator.reading import find_group
from thingspace_async.simulator.rooms.triggers.rules import CATEGORIES, DEVICE_CATEGORIES, Rule, rule_of
from thingspace_async.simulator.rooms.triggers.state import PROMO_ALERTS, Stored, Triggers
from thingspace_async.simulator.wire import Answer, Call, Handler, Refusal, optional, refuse, required, unexpected
from thingspace_async.triggers.calls import (
    CREATE,
    DELETE,
    GET,
    LIST,
    LIST_OF_ACCOUNT,
    RATE_PLANS,
    UPDATE,
)
from thingspace_async.triggers.calls import PROMO_ALERTS as LIST_PROMO_ALERTS
from thingspace_async.triggers.v1 import calls as v1

__all__ = ["HANDLERS", "Triggers"]


def create(call: Call) -> Answer:
    """Create a trigger of the second version."""
    document = _document(call)
    _check_category(document, CATEGORIES)
    required(document, "name" if document["triggerCategory"] == "UsageAnomaly" else "triggerName", str)
    return _create(call, 2, document)


def create_for_devices(call: Call) -> Answer:
    """Create a trigger of the first version."""
    document = _document(call)
    _check_category(document, DEVICE_CATEGORIES)
    required(document, "name", str)
    required(document, "accountName", str)
    return _create(call, 1, document)


def _create(call: Call, version: int, document: dict[str, Any]) -> Answer:
    rule = _checked(call, document)
    account_name = call.check_account(optional(document, "accountName", str) or _first(rule.accounts, call))
    room = call.platform.room(Triggers)
    _check_name(room, account_name, document, None)
    return Answer(200, {"triggerId": room.add(version, account_name, document).id})


def update(call: Call) -> Answer:
    """Replace the settings of a trigger of the second version."""
    document = _document(call)
    trigger = _to_change(call, document, 2)
    if trigger.category == PROMO_ALERTS:
        call.platform.room(Triggers).change(trigger, trigger.document | document)
        return Answer(200, {"status": "Success"})
    named = document if "triggerName" in document else document | {"triggerName": trigger.name}
    _change(call, trigger, {name: value for name, value in named.items() if name != "name"})
    # The answers of the two groups of operations differ.
    anomaly = trigger.category == "UsageAnomaly"
    return Answer(200, {"status": "Success"} if anomaly else {"triggerId": trigger.id})


def update_for_devices(call: Call) -> Answer:
    """Change settings of a trigger of the first version. The SDKs have `triggerName`, the page has `name`."""
    document = _document(call)
    trigger = _to_change(call, document, 1)
    name = document.pop("triggerName", None)
    _change(call, trigger, trigger.document | document | ({} if name is None else {"name": name}))
    return Answer(200, {"triggerId": trigger.id})


def _to_change(call: Call, document: Mapping[str, Any], version: int) -> Stored:
    """Find the trigger to change; refuse another category or account."""
    trigger = call.platform.room(Triggers).by_id.get(required(document, "triggerId", str))
    if trigger is None or trigger.version != version:
        raise _unknown()
    if required(document, "triggerCategory", str) != trigger.category:
        raise unexpected(f"cannot be changed: it is {trigger.category}", at=(document, "triggerCategory"))
    if optional(document, "accountName", str) not in (None, trigger.account_name):
        raise unexpected(f"cannot be changed: it is {trigger.account_name}", at=(document, "accountName"))
    return trigger


def _change(call: Call, trigger: Stored, document: dict[str, Any]) -> None:
    _checked(call, document)
    room = call.platform.room(Triggers)
    _check_name(room, trigger.account_name, document, trigger)
    room.change(trigger, document)


def list_all(call: Call) -> Answer:
    """List the triggers of the second version."""
    return _listed(one for one in _of_version(call, 2))


def list_of_account(call: Call) -> Answer:
    """List the triggers of an account."""
    account_name = call.check_account(call.path["account_name"])
    return _listed(one for one in _of_version(call, 2) if one.account_name == account_name)


def list_promo_alerts(call: Call) -> Answer:
    """List the triggers on promotions."""
    return _listed(one for one in _of_version(call, 2) if one.category == PROMO_ALERTS)


def show(call: Call) -> Answer:
    """Show a trigger of the second version, in a list."""
    return _listed([_found(call, 2)])


def list_for_devices(call: Call) -> Answer:
    """List the triggers of the first version."""
    return _listed_for_devices(_of_version(call, 1))


def list_for_devices_of_account(call: Call) -> Answer:
    """List the triggers of an account."""
    account_name = call.check_account(call.path["account_name"])
    return _listed_for_devices(one for one in _of_version(call, 1) if one.account_name == account_name)


def show_for_devices(call: Call) -> Answer:
    """Show a trigger of the first version, in a list."""
    return _listed_for_devices([_found(call, 1)])


def delete(call: Call) -> Answer:
    """Delete a trigger of any version."""
    trigger = call.platform.room(Triggers).by_id.pop(call.path["trigger_id"], None)
    if trigger is None:
        raise _unknown()
    return Answer(200, {"triggerId": trigger.id})


def rate_plans(call: Call) -> Answer:
    """List the plans in two groups. Every profile has all of them."""
    accounts = [{"accountName": name, "mtasAccountNumber": name[:10]} for name in sorted(call.platform.accounts)]

    def group(kind: str, codes: Iterable[str]) -> dict[str, Any]:
        plans = [
            {
                "description": f"Simulated: {code}",
                "sizeKb": str(PLANS[code]),
                "carrierRatePlanCode": code,
                "zeroDollarBilling": False,
                "promotionOffered": False,
                "promotionDays": 0,
                "ratePlanType": kind,
                "account": accounts,
            }
            for code in codes
        ]
        return {"ratePlanGroupDescription": f"Simulated: {kind}", "ratePlanType": kind, "ratePlan": plans}

    groups = [
        group("StandAlone", (code for code in PLANS if PLANS[code])),
        group("PayAsYouGo", (code for code in PLANS if not PLANS[code])),
    ]
    return Answer(200, {"ratePlanGroup": groups})


def _document(call: Call) -> dict[str, Any]:
    """Read a request. The SDKs send a list with the parts of the object."""
    merged: dict[str, Any] = {}
    for part in call.documents():
        merged |= part
    return merged


def _check_category(document: Mapping[str, Any], known: Mapping[str, object]) -> None:
    if required(document, "triggerCategory", str) not in known:
        raise unexpected(f"must be one of {', '.join(known)}", at=(document, "triggerCategory"))


def _checked(call: Call, document: Mapping[str, Any]) -> Rule:
    """Return the rule of a request; refuse unknown accounts, groups and plans."""
    rule = rule_of(document)
    for account_name in rule.accounts:
        call.check_account(account_name)
    for group_name in rule.groups:
        find_group(call, _first(rule.accounts, call), group_name)
    for code in (*rule.plans, *(() if rule.new_plan is None else (rule.new_plan,))):
        if code not in PLANS:
            raise refuse("400", f"The service plan {code} could not be found.", reason=f"unknown plan {code!r}")
    return rule


def _first(accounts: tuple[str, ...], call: Call) -> str:
    return accounts[0] if accounts else call.platform.account_name


def _check_name(room: Triggers, account_name: str, document: Mapping[str, Any], own: Stored | None) -> None:
    name = document.get("name") or document.get("triggerName")
    others = (one for one in room.by_id.values() if one is not own and one.account_name == account_name)
    if any(one.name == name for one in others):
        raise refuse("400", f"The trigger name {name} is in use.", reason="another trigger of the account has the name")


def _of_version(call: Call, version: int) -> list[Stored]:
    return [one for one in call.platform.room(Triggers).by_id.values() if one.version == version]


def _found(call: Call, version: int) -> Stored:
    trigger = call.platform.room(Triggers).by_id.get(call.path["trigger_id"])
    if trigger is None or trigger.version != version:
        raise _unknown()
    return trigger


def _unknown() -> Refusal:
    return refuse("404", "The trigger could not be found.", 404)


def _times(trigger: Stored) -> dict[str, str]:
    return {"createdAt": stamp(trigger.created), "modifiedAt": stamp(trigger.updated)}


def _listed(triggers: Iterable[Stored]) -> Answer:
    return Answer(200, {"triggers": [_shown(one) for one in triggers]})


def _shown(trigger: Stored) -> dict[str, Any]:
    document = trigger.document
    shown: dict[str, Any] = {
        "triggerId": trigger.id,
        "triggerName": trigger.name,
        "accountName": trigger.account_name,
        "triggerCategory": trigger.category,
        "active": trigger.active,
        **_times(trigger),
    }
    if trigger.category == PROMO_ALERTS:
        return shown | {"promoAlerts": document["promoAlerts"]}
    if (notification := document.get("notification")) is not None:
        shown["notification"] = notification
    if trigger.category == "UsageAnomaly":
        return shown | {"anomalyattributes": _anomalies(document["anomalyTriggerRequest"])}
    rule = rule_of(document)
    pairs: list[dict[str, Any]] = [{"key": "ServicePlan", "value": code} for code in rule.plans]
    pairs += [{"key": f"DataPercentage{one}", "value": True} for one in rule.percentages]
    return shown | {"triggerAttributes": pairs}


def _anomalies(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choice of anomalies. The answer spells the groups differently."""
    return {name.replace("deviceGroups", "deviceGroup"): value for name, value in wanted.items()}


def _listed_for_devices(triggers: Iterable[Stored]) -> Answer:
    return Answer(200, [{"triggers": [_shown_for_devices(one) for one in triggers]}])


_DETAILS: Final = ("smsTriggerRequest", "dataTriggerRequest", "sessionTriggerRequest")


def _shown_for_devices(trigger: Stored) -> dict[str, Any]:
    document = trigger.document
    details: dict[str, Any] = next((document[name] for name in _DETAILS if name in document), {})
    cycle = document.get("cycleType") or document.get("triggerCycle")
    shown = {
        "triggerId": trigger.id,
        "triggerName": trigger.name,
        "accountName": trigger.account_name,
        "groupName": document.get("groupName"),
        "triggerCategory": trigger.category,
        "triggerCycle": cycle,
        **{name: details.get(name) for name in ("comparator", "thresholdUnit", "smsType")},
        "threshold": str(details["threshold"]) if "threshold" in details else None,
        **_times(trigger),
    }
    return {name: value for name, value in shown.items() if value is not None}


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    CREATE: create,
    UPDATE: update,
    LIST: list_all,
    LIST_OF_ACCOUNT: list_of_account,
    LIST_PROMO_ALERTS: list_promo_alerts,
    GET: show,
    RATE_PLANS: rate_plans,
    DELETE: delete,
    v1.CREATE: create_for_devices,
    v1.UPDATE: update_for_devices,
    v1.LIST: list_for_devices,
    v1.LIST_OF_ACCOUNT: list_for_devices_of_account,
    v1.GET: show_for_devices,
}
