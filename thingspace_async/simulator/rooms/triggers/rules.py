"""Rules of triggers, read from their requests: devices, condition and action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

import attrs

from thingspace_async.simulator.wire import optional, required, unexpected

__all__ = ["CATEGORIES", "DEVICE_CATEGORIES", "Anomalies", "Rule", "cycle_of", "rule_of"]

_UNITS: Final[Mapping[str, int]] = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}
_COMPARATORS: Final = ("gt", "lt", "eq")
_CYCLES: Final = ("Daily", "Weekly", "Monthly")
_PERCENTAGES: Final = (50, 75, 90, 100)
_BILLING_DAY: Final = 10
"""The first day of a billing cycle: devices answer the 9th as the last one."""


@attrs.frozen(kw_only=True)
class Anomalies:
    """The anomalies that a trigger includes."""

    abnormal: bool
    very_abnormal: bool
    under: bool
    over: bool

    def include(self, kind: str, *, is_over: bool) -> bool:
        """Return whether an anomaly of a kind is included: `Abnormal` or `VeryAbnormal`."""
        is_kind = self.very_abnormal if kind == "VeryAbnormal" else self.abnormal
        return is_kind and (self.over if is_over else self.under)


@attrs.frozen(kw_only=True)
class Rule:
    """A trigger's rule."""

    accounts: tuple[str, ...] = ()
    """The accounts of the devices; empty for all."""
    groups: tuple[str, ...] = ()
    """The groups of the devices; empty for all."""
    plans: tuple[str, ...] = ()
    """The plans of the devices; empty for all."""
    combined: bool = False
    """Whether the usage of all devices is added up."""
    measure: str = "data"
    """`data`, `sms`, `MO` or `MT` for messages of one direction, `session`, or `anomaly`."""
    comparator: str = "gt"
    threshold: int = 0
    """Bytes, messages or minutes."""
    percentages: tuple[int, ...] = ()
    """Percentages of the allowance, instead of a threshold."""
    cycle: str = "Daily"
    anomalies: Anomalies | None = None
    suspends: bool = False
    new_plan: str | None = None
    """The plan that devices get."""

    def reached(self, used: int, allowance: int) -> list[int | None]:
        """Return the percentages that are reached, or a single None for a threshold that is passed."""
        if self.percentages:
            return [one for one in self.percentages if allowance and used * 100 >= allowance * one]
        passed = {"gt": used > self.threshold, "lt": used < self.threshold, "eq": used == self.threshold}
        return [None] if passed[self.comparator] else []


def cycle_of(cycle: str, day: date) -> tuple[date, date]:
    """Return the first and the last day of the cycle that contains a day."""
    if cycle == "Daily":
        return day, day
    if cycle == "Weekly":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=6)
    first = day.replace(day=_BILLING_DAY)
    if first > day:
        first = (first.replace(day=1) - timedelta(days=1)).replace(day=_BILLING_DAY)
    following = (first.replace(day=1) + timedelta(days=31)).replace(day=_BILLING_DAY)
    return first, following - timedelta(days=1)


def rule_of(document: Mapping[str, Any]) -> Rule:
    """Read the rule of a trigger of a known category; refuse wrong values."""
    category = document["triggerCategory"]
    return (CATEGORIES.get(category) or DEVICE_CATEGORIES[category])(document)


def _chosen(document: Mapping[str, Any], name: str, among: tuple[str, ...], default: str | None = None) -> str:
    value = optional(document, name, str) or default
    if value not in among:
        raise unexpected(f"must be one of {', '.join(among)}", at=(document, name))
    return value


def _names(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Read a string with commas."""
    return tuple(one.strip() for one in (optional(document, name, str) or "").split(",") if one.strip())


def _listed(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    listed = optional(document, name, list) or []
    if not all(isinstance(one, str) for one in listed):
        raise unexpected("must be a list of strings", at=(document, name))
    return tuple(listed)


def _condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    """Read a condition on an amount of data. The SDKs spell `comparator` differently."""
    required(condition, "conditionType", str)
    rule: dict[str, Any] = {"cycle": _chosen(condition, "cycleType", _CYCLES, "Monthly")}
    if (allowance := optional(condition, "allowanceThreshold", dict)) is not None:
        return rule | {"percentages": _percentages(allowance)}
    spelled = "comparator" if "comparator" in condition else "comparitor"
    unit = _UNITS[_chosen(condition, "thresholdUnit", tuple(_UNITS))]
    return rule | {
        "comparator": _chosen(condition, spelled, _COMPARATORS),
        "threshold": required(condition, "threshold", int) * unit,
    }


def _percentages(allowance: Mapping[str, Any]) -> tuple[int, ...]:
    found = tuple(one for one in _PERCENTAGES if optional(allowance, f"percentage{one}", bool))
    if not found:
        raise unexpected("must have a percentage that is true", at=(allowance, "percentage50"))
    return found


def _action(document: Mapping[str, Any]) -> dict[str, Any]:
    """Read an action on devices."""
    action = optional(document, "action", dict) or {}
    rule: dict[str, Any] = {"suspends": optional(action, "suspend", bool) or False}
    if optional(action, "changePlan", bool):
        details = required(action, "changePlanDetails", dict)
        rule["new_plan"] = required(details, "toCarrierServicePlanCode", str)
    return rule


def _account_usage(document: Mapping[str, Any]) -> Rule:
    level = required(required(document, "dataTrigger", dict), "accountLevel", dict)
    criteria = required(level, "filterCriteria", dict)
    names = required(criteria, "accountNames", dict)
    # The page has this member inside of accountNames, the SDKs outside.
    kind = optional(criteria, "separateOrCombined", str) or optional(names, "separateOrCombined", str) or ""
    action = _chosen(level, "action", ("notify", "suspend", "changePricePlan"), "notify")
    return Rule(
        accounts=_listed(names, "accountNameList"),
        combined=kind.casefold() == "combined",
        suspends=action == "suspend",
        **_condition(required(level, "condition", dict)),
    )


def _device_group_usage(document: Mapping[str, Any]) -> Rule:
    data = required(document, "dataTrigger", dict)
    criteria = required(required(data, "deviceGroup", dict), "filterCriteria", dict)
    kind = optional(criteria, "IndividualOrCombined", str) or ""
    return Rule(
        accounts=(required(criteria, "accountName", str),),
        groups=(required(criteria, "deviceGroupName", str),),
        combined=kind.casefold() == "combined",
        **_condition(data),
        **_action(data),
    )


_SHARED: Final = ("accountShare", "profileShare")
_PLANS: Final = ("standAlone", "payAsYouGo", *_SHARED)


def _price_plan(document: Mapping[str, Any]) -> Rule:
    rules = required(document, "pricePlanTrigger", dict)
    if (group := optional(rules, "accountGroupShare", dict)) is not None:
        return _group_share(required(group, "accountGroupShareIndividual", dict))
    for kind in _PLANS:
        if (rule := optional(rules, kind, dict)) is not None:
            criteria = required(rule, "filterCriteria", dict)
            # The pages have the condition and the action inside of the plan, the SDKs outside.
            beside = {**rules, **rule}
            return Rule(
                accounts=_listed(criteria, "accountNameList"),
                plans=(required(criteria, "carrierServicePlanCode", str),),
                combined=kind in _SHARED,
                **_condition(required(beside, "condition", dict)),
                **_action(beside),
            )
    raise unexpected(f"must have one of {', '.join((*_PLANS, 'accountGroupShare'))}", at=(document, "pricePlanTrigger"))


def _group_share(rule: Mapping[str, Any]) -> Rule:
    required(required(rule, "filterCriteria", dict), "ratePlanGroupId", int)
    notice = required(required(rule, "action", dict), "notify", dict)
    allowances = [one for one in required(notice, "threshold", list) if isinstance(one, dict)]
    if not allowances:
        raise unexpected("must have a plan", at=(notice, "threshold"))
    # ASSUMPTION: all plans of a group share the percentages of the first one.
    return Rule(
        plans=tuple(required(one, "carrierCode", str) for one in allowances),
        percentages=_percentages(required(allowances[0], "percentage", dict)),
        cycle="Monthly",
    )


def _anomaly(document: Mapping[str, Any]) -> Rule:
    wanted = required(document, "anomalyTriggerRequest", dict)
    accounts, groups = _names(wanted, "accountNames"), _names(wanted, "deviceGroups")
    if bool(accounts) == bool(groups):
        raise unexpected("or deviceGroups is required, and not both", at=(wanted, "accountNames"))
    account = optional(document, "accountName", str)
    return Rule(
        accounts=accounts or (() if account is None else (account,)),
        groups=groups,
        measure="anomaly",
        anomalies=Anomalies(
            abnormal=optional(wanted, "includeAbnormal", bool) or False,
            very_abnormal=optional(wanted, "includeVeryAbnormal", bool) or False,
            under=optional(wanted, "includeUnderExpectedUsage", bool) or False,
            over=optional(wanted, "includeOverExpectedUsage", bool) or False,
        ),
    )


def _of_devices(document: Mapping[str, Any]) -> dict[str, Any]:
    group = optional(document, "groupName", str)
    # The page of the update names the cycle differently.
    spelled = "cycleType" if "cycleType" in document else "triggerCycle"
    return {
        "accounts": (required(document, "accountName", str),),
        "groups": () if group is None else (group,),
        "cycle": _chosen(document, spelled, _CYCLES, "Daily"),
    }


def _device_sms(document: Mapping[str, Any]) -> Rule:
    wanted = required(document, "smsTriggerRequest", dict)
    kind = optional(wanted, "smsType", str) or "All"
    return Rule(
        **_of_devices(document),
        measure=kind if kind in ("MO", "MT") else "sms",
        comparator=_chosen(wanted, "comparator", _COMPARATORS, "gt"),
        threshold=required(wanted, "threshold", int),
    )


def _device_data(document: Mapping[str, Any]) -> Rule:
    wanted = required(document, "dataTriggerRequest", dict)
    unit = _UNITS[_chosen(wanted, "thresholdUnit", tuple(_UNITS), "MB")]
    return Rule(
        **_of_devices(document),
        comparator=_chosen(wanted, "comparator", _COMPARATORS, "gt"),
        threshold=required(wanted, "threshold", int) * unit,
    )


def _device_session(document: Mapping[str, Any]) -> Rule:
    wanted = required(document, "sessionTriggerRequest", dict)
    watched: dict[str, Any] = {**_of_devices(document), "cycle": "Daily"}
    return Rule(
        **watched,
        measure="session",
        comparator=_chosen(wanted, "comparator", _COMPARATORS, "gt"),
        threshold=required(wanted, "threshold", int),
    )


CATEGORIES: Final = {
    "UsageAnomaly": _anomaly,
    "AccountUsage": _account_usage,
    "DeviceGroupUsage": _device_group_usage,
    "PricePlanDataUsage": _price_plan,
}
"""The categories of the second version."""

DEVICE_CATEGORIES: Final = {
    "DeviceSMSUsage": _device_sms,
    "DeviceDataUsage": _device_data,
    "DeviceSessionTime": _device_session,
    "UsageAnomaly": _anomaly,
}
"""The categories of the first version."""
