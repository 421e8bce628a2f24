"""Handlers for profiles, rules, alerts, health, groups and users."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from thingspace_async.simulator.mechanisms.seeded import share
from thingspace_async.simulator.rooms.sensor_insights.reading import (
    account_of,
    bad,
    change,
    from_query,
    payload_of,
    resource_of,
    unknown,
)
from thingspace_async.simulator.rooms.sensor_insights.state import Account, Resource, SensorInsights
from thingspace_async.simulator.wire import Answer, Call, optional, required

__all__ = [
    "add_users",
    "count_alerts",
    "create_group",
    "create_profiles",
    "create_user",
    "delete_group",
    "delete_profile",
    "delete_user",
    "list_profiles",
    "network_health",
    "remove_users",
    "replace_rule",
    "summarize_health",
    "update_alert",
    "update_alerts",
    "update_group",
    "update_profile",
    "update_user",
]

_PROFILE: Final = ("name", "kind", "modelid", "version", "configuration")
_RULE: Final = ("rulechain", "rulesyntax", "name", "description", "deviceid", "disabled")
_ALERT: Final = ("isacknowledged", "iscleared", "isdisabled", "name", "description", "severity", "state")
_USER: Final = ("email", "firstname", "lastname", "mdn", "customdata")
_GROUP: Final = ("name", "description", "groupemail")


def _only(members: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: members[name] for name in names if name in members}


# Profiles


def create_profiles(call: Call) -> Answer:
    """Create profiles."""
    wanted = call.document()
    account = account_of(call, wanted)
    profiles = required(wanted, "profiles", list)
    if not profiles:
        raise bad("must not be empty", at=(wanted, "profiles"))
    for place, each in enumerate(profiles):
        if not isinstance(each, dict):
            raise bad("must be an object", at=(profiles, place))
        required(each, "name", str)
    room = call.platform.room(SensorInsights)
    made = [{**room.made(account.name), **_only(each, _PROFILE)} for each in profiles]
    account.profiles.update({one["id"]: one for one in made})
    return Answer(200, made)


def list_profiles(call: Call) -> Answer:
    """List the profiles of all accounts, or those for a model."""
    wanted = optional(call.document(), "filter", dict) or {}
    selection = optional(wanted, "$selection", dict) or {}
    found = [one for account in call.platform.room(SensorInsights).all_accounts() for one in account.profiles.values()]
    return Answer(200, [one for one in found if selection.items() <= one.items()])


def update_profile(call: Call) -> Answer:
    """Change a profile."""
    wanted = call.document()
    found = resource_of(wanted, account_of(call, wanted, "accountName").profiles, "profile")
    change(call, found, _only(required(wanted, "profile", dict), _PROFILE))
    return Answer(200, [found])


def delete_profile(call: Call) -> Answer:
    """Delete a profile. The SDKs send the request in a header."""
    wanted = payload_of(call, call.received.headers.get("deleterequest"))
    profiles = account_of(call, wanted, "accountName").profiles
    return Answer(200, [profiles.pop(resource_of(wanted, profiles, "profile")["id"])])


# Rules and alerts


def replace_rule(call: Call) -> Answer:
    """Replace a rule."""
    wanted = call.document()
    found = resource_of(wanted, account_of(call, wanted).rules, "rule")
    rule = required(wanted, "rule", dict)
    required(rule, "rulechain", dict)
    for name in _RULE:
        found.pop(name, None)
    return change(call, found, _only(rule, _RULE))


def update_alert(call: Call) -> Answer:
    """Change an alert."""
    wanted = call.document()
    found = resource_of(wanted, account_of(call, wanted).alerts, "alert")
    return change(call, found, _only(required(wanted, "smartalert", dict), _ALERT))


def update_alerts(call: Call) -> Answer:
    """Change several alerts, and answer the last one (PROTOCOL.md 5)."""
    wanted = call.document()
    alerts = account_of(call, wanted).alerts
    named = required(wanted, "resourceidentifiers", list)
    members = _only(required(wanted, "smartalert", dict), ("name",))
    if not named:
        raise bad("must not be empty", at=(wanted, "resourceidentifiers"))
    found = [resource_of({"resourceidentifier": one}, alerts, "alert") for one in named]
    return [change(call, one, members) for one in found][-1]


def count_alerts(call: Call) -> Answer:
    """Count the alerts of the last days, and compare them with as many days before."""
    wanted = call.document()
    days = required(wanted, "days", int)
    if days < 1:
        raise bad("must be 1 or more", at=(wanted, "days"))
    now = call.platform.clock.now()
    accounts = list(call.platform.room(SensorInsights).all_accounts())
    latest = _counts(accounts, now - timedelta(days=days), now)
    before = _counts(accounts, now - timedelta(days=2 * days), now - timedelta(days=days))
    deltas = {f"delta{name}": latest[name] - before[name] for name in latest if name != "total"}
    return Answer(200, latest | deltas)


def _counts(accounts: list[Account], begin: datetime, end: datetime) -> dict[str, int]:
    """Return the numbers of alerts between two times by severity."""
    alerts = [
        alert
        for account in accounts
        for alert in account.alerts.values()
        if begin <= datetime.fromisoformat(alert["createdon"]) < end
    ]
    found = {name: sum(one["severity"] == name for one in alerts) for name in ("critical", "major", "minor")}
    devices = sum(len(account.devices) for account in accounts)
    return {**found, "total": len(alerts), "noalert": devices - len({one["deviceid"] for one in alerts})}


# Health


def network_health(call: Call) -> Answer:
    """Show the scores of the network."""
    summary = {"networksummary": _scores(call, ("signal", "latency")), "overallsummary": _scores(call, ("overall",))}
    return Answer(200, summary)


def summarize_health(call: Call) -> Answer:
    """Show the scores of all devices."""
    return Answer(200, {"overallsummary": _scores(call, ("overall", "battery", "signal"))})


def _scores(call: Call, names: tuple[str, ...]) -> list[dict[str, str]]:
    day = call.platform.clock.now().toordinal()
    return [
        {"metrictype": name, "metricvalue": str(int(60 + 40 * share(call.platform.seed, "health", name, day)))}
        for name in names
    ]


# Users and groups


def create_user(call: Call) -> Answer:
    """Create a user."""
    wanted = call.document()
    account = account_of(call, wanted)
    user = _only(required(wanted, "user", dict), _USER)
    if not user.get("email") and not user.get("mdn"):
        raise bad("must have an email or an mdn", at=(wanted, "user"))
    made = {**call.platform.room(SensorInsights).made(account.name), "state": "active", "credentialstype": "none"}
    account.users[made["id"]] = made | user
    return Answer(200, account.users[made["id"]])


def update_user(call: Call) -> Answer:
    """Change a user."""
    wanted = call.document()
    found = _by_id(wanted, account_of(call, wanted).users, "user")
    return change(call, found, _only(required(wanted, "user", dict), _USER))


def delete_user(call: Call) -> Answer:
    """Delete a user, in its groups too. The SDKs send the request in the query."""
    wanted = payload_of(call, from_query(call, "deleterequestpayload"))
    account = account_of(call, wanted)
    user = account.users.pop(_by_id(wanted, account.users, "user")["id"])
    for group in account.groups.values():
        group["userids"] = [each for each in group["userids"] if each != user["id"]]
    return Answer(200)


def create_group(call: Call) -> Answer:
    """Create a group."""
    wanted = call.document()
    account = account_of(call, wanted)
    group = required(wanted, "group", dict)
    required(group, "name", str)
    made = call.platform.room(SensorInsights).made(account.name) | _only(group, _GROUP)
    del made["billingaccountid"]
    made["userids"] = _users_of(wanted, account, needed=False)
    account.groups[made["id"]] = made
    return Answer(200, shown_group(account, made))


def update_group(call: Call) -> Answer:
    """Change a group. If users are given, they replace its users."""
    wanted = call.document()
    account = account_of(call, wanted)
    found = _by_id(wanted, account.groups, "group")
    members = _only(required(wanted, "group", dict), _GROUP)
    if "userids" in wanted:
        members["userids"] = _users_of(wanted, account)
    change(call, found, members)
    return Answer(200, shown_group(account, found))


def delete_group(call: Call) -> Answer:
    """Delete a group. ASSUMPTION: one with users needs `force`. The SDKs send the request in the query."""
    wanted = payload_of(call, from_query(call, "payload"))
    groups = account_of(call, wanted).groups
    found = _by_id(wanted, groups, "group")
    if found["userids"] and not optional(wanted, "force", bool):
        raise bad("the group has users: remove them, or set force")
    del groups[found["id"]]
    return Answer(200)


def add_users(call: Call) -> Answer:
    """Add users to a group."""
    wanted = call.document()
    account = account_of(call, wanted)
    found = _by_id(wanted, account.groups, "group")
    return _set_users(call, found, [*found["userids"], *_users_of(wanted, account)])


def remove_users(call: Call) -> Answer:
    """Remove users from a group."""
    wanted = call.document()
    account = account_of(call, wanted)
    found, gone = _by_id(wanted, account.groups, "group"), _users_of(wanted, account)
    return _set_users(call, found, [each for each in found["userids"] if each not in gone])


def _set_users(call: Call, group: Resource, user_ids: list[str]) -> Answer:
    change(call, group, {"userids": list(dict.fromkeys(user_ids))})
    return Answer(200)


def _by_id(wanted: Mapping[str, Any], among: Mapping[str, Resource], noun: str) -> Resource:
    identifier = required(wanted, "id", str)
    if identifier not in among:
        raise unknown(noun)
    return among[identifier]


def _users_of(wanted: Mapping[str, Any], account: Account, *, needed: bool = True) -> list[str]:
    """Return the ids of existing users in a request."""
    listed = required(wanted, "userids", list) if needed else optional(wanted, "userids", list) or []
    if needed and not listed:
        raise bad("must not be empty", at=(wanted, "userids"))
    for each in listed:
        if each not in account.users:
            raise unknown("user")
    return listed


def shown_group(account: Account, group: Resource) -> Resource:
    """Return a group as answers show it, with its users."""
    plain = {name: value for name, value in group.items() if name != "userids"}
    return {**plain, "users": [_only(account.users[each], _USER) for each in group["userids"]]}
