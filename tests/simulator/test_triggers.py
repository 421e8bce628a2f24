"""Simulated triggers: forms of requests that the platform's sources disagree about, refusals, cycles and jumps."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.simulator.api import Api
from tests.simulator.listener import Listener
from thingspace_async.simulator.rooms.triggers import Triggers
from thingspace_async.simulator.rooms.triggers.rules import Rule, cycle_of

ACCOUNT, OTHER = "0000123456-00001", "0000222222-00001"
V1, V2 = "/api/m2m/v1/triggers", "/api/m2m/v2/triggers"
UNEXPECTED = "UnifiedWebService.REQUEST_FAILED.UnexpectedError"
CONDITION = {
    "conditionType": "Individual",
    "comparator": "gt",
    "threshold": 4,
    "thresholdUnit": "MB",
    "cycleType": "Daily",
}
TOLD = {"callback": True}
ANOMALY = {
    "accountNames": ACCOUNT,
    "includeAbnormal": True,
    "includeVeryAbnormal": True,
    "includeUnderExpectedUsage": True,
    "includeOverExpectedUsage": True,
}
SMS = {
    "name": "Messages",
    "accountName": ACCOUNT,
    "triggerCategory": "DeviceSMSUsage",
    "triggerCycle": "Daily",
    "smsTriggerRequest": {"comparator": "gt", "threshold": 1},
}


def on_accounts(**changes: Any) -> dict[str, Any]:
    level = {
        "filterCriteria": {"accountNames": {"accountNameList": [ACCOUNT]}},
        "condition": CONDITION,
        "action": "notify",
        **changes,
    }
    return {
        "triggerName": "Busy",
        "triggerCategory": "AccountUsage",
        "dataTrigger": {"accountLevel": level},
        "notification": TOLD,
    }


def on_plan(**rules: Any) -> dict[str, Any]:
    return {
        "triggerName": "Plan",
        "triggerCategory": "PricePlanDataUsage",
        "pricePlanTrigger": rules,
        "notification": TOLD,
        "active": "true",
    }


PLAN = {"filterCriteria": {"carrierServicePlanCode": "M2M_4G_5MB"}, "condition": CONDITION}


@pytest.fixture(autouse=True)
async def listens(api: Api, listener: Listener) -> None:
    api.cloud.clock.speed = 0
    await api.send("POST", f"/api/m2m/v1/callbacks/{ACCOUNT}", json={"name": "AlertService", "url": listener.url})


async def created(api: Api, document: object, path: str = V2) -> str:
    answer = await api.send("POST", path, json=document)
    assert answer.status == 200, answer.body
    return str(answer.json["triggerId"])


async def alerts(api: Api, listener: Listener, *, days: float = 1) -> list[dict[str, Any]]:
    api.cloud.clock.advance(timedelta(days=days))
    await api.cloud.delivered()
    return listener.messages


@pytest.mark.parametrize(
    "document",
    [
        on_accounts(condition={**{k: v for k, v in CONDITION.items() if k != "comparator"}, "comparitor": "gt"}),
        on_accounts(filterCriteria={"separateOrCombined": "Separate", "accountNames": {"accountNameList": [ACCOUNT]}}),
        on_accounts(filterCriteria={"accountNames": {"accountNameList": [ACCOUNT], "separateOrCombined": "Separate"}}),
        on_plan(standAlone=PLAN),
        on_plan(payAsYouGo={"filterCriteria": PLAN["filterCriteria"]}, condition=CONDITION, action={"suspend": False}),
        [{"name": "Odd", "triggerCategory": "UsageAnomaly", "anomalyTriggerRequest": ANOMALY}, {"notification": TOLD}],
    ],
)
async def test_the_forms_of_all_sources_are_taken(api: Api, listener: Listener, document: object) -> None:
    sensitivity = {"enableAbnormal": True, "abnormalMaxValue": 33, "enableVeryAbnormal": False}
    settings = {"accountName": ACCOUNT, "requestType": "anomaly", "sensitivityParameter": sensitivity}
    assert (await api.send("POST", "/api/m2m/v1/intelligence/anomaly/settings", json=settings)).status == 200
    api.cloud.clock.advance(timedelta(days=8))
    await api.enter()
    trigger_id = await created(api, document)
    messages = await alerts(api, listener, days=2)
    assert messages
    assert {one["triggerId"] for one in messages} == {trigger_id}
    assert all(one["timestamp"].endswith("T01:00:00Z") for one in messages)
    assert {len(one["deviceIds"]) > 0 for one in messages} == {True}


@pytest.mark.parametrize(
    ("path", "document", "refusal"),
    [
        (V2, on_accounts() | {"triggerCategory": "PromoAlerts"}, (400, UNEXPECTED)),
        (V1, on_accounts(), (400, UNEXPECTED)),
        (V2, {"triggerCategory": "AccountUsage"}, (400, "UnifiedWebService.DeserializationFailed")),
        (V2, on_accounts(action="destroy"), (400, UNEXPECTED)),
        (V2, on_accounts(condition={**CONDITION, "comparator": "ne"}), (400, UNEXPECTED)),
        (V2, on_accounts(condition={**CONDITION, "thresholdUnit": "TB"}), (400, UNEXPECTED)),
        (V2, on_accounts(condition={**CONDITION, "cycleType": "Yearly"}), (400, UNEXPECTED)),
        (
            V2,
            on_accounts(condition={"conditionType": "UsageAllowance", "allowanceThreshold": {"percentage50": False}}),
            (400, UNEXPECTED),
        ),
        (V2, on_accounts(filterCriteria={"accountNames": {"accountNameList": [7]}}), (400, UNEXPECTED)),
        (
            V2,
            on_accounts(filterCriteria={"accountNames": {"accountNameList": [OTHER]}}),
            (400, "UnifiedWebService.REQUEST_FAILED.AccountNotFound"),
        ),
        (V2, on_plan(), (400, UNEXPECTED)),
        (V2, on_plan(standAlone={**PLAN, "filterCriteria": {"carrierServicePlanCode": "no"}}), (400, "400")),
        (
            V2,
            on_plan(
                standAlone={
                    **PLAN,
                    "action": {"changePlan": True, "changePlanDetails": {"toCarrierServicePlanCode": "no"}},
                }
            ),
            (400, "400"),
        ),
        (
            V2,
            on_plan(
                accountGroupShare={
                    "accountGroupShareIndividual": {
                        "filterCriteria": {"ratePlanGroupId": 1},
                        "action": {"notify": {"threshold": []}},
                    }
                }
            ),
            (400, UNEXPECTED),
        ),
        (
            V2,
            {
                "name": "Odd",
                "triggerCategory": "UsageAnomaly",
                "anomalyTriggerRequest": {**ANOMALY, "deviceGroups": "West fleet"},
            },
            (400, UNEXPECTED),
        ),
        (
            V2,
            {
                "name": "Odd",
                "triggerCategory": "UsageAnomaly",
                "anomalyTriggerRequest": {**ANOMALY, "accountNames": None, "deviceGroups": "Nobody"},
            },
            (400, "UnifiedWebService.REQUEST_FAILED.DeviceGroupNotFound"),
        ),
        (V1, SMS | {"groupName": "Nobody"}, (400, "UnifiedWebService.REQUEST_FAILED.DeviceGroupNotFound")),
        (V2, [7], (400, UNEXPECTED)),
        (V2, [{"name": "it's"}], (400, "UnifiedWebService.INPUT_INVALID.Request.InvalidCharacter")),
    ],
)
async def test_a_wrong_request_is_refused(api: Api, path: str, document: object, refusal: tuple[int, str]) -> None:
    assert (await api.send("POST", path, json=document)).refusal == refusal
    assert [one.category for one in api.cloud.platform.room(Triggers).by_id.values()] == ["PromoAlerts"]


async def test_an_unreadable_list_is_refused(api: Api) -> None:
    answer = await api.send("POST", V2, data=b"[{]")
    assert answer.refusal == (400, "UnifiedWebService.DeserializationFailed")


async def test_a_name_is_unique_in_an_account(api: Api) -> None:
    api.cloud.add_account(OTHER)
    first = await created(api, on_accounts())
    assert (await api.send("POST", V2, json=on_accounts())).refusal == (400, "400")
    second = await created(api, SMS | {"accountName": OTHER, "name": "Busy"}, V1)
    assert (await api.send("PUT", V2, json=on_accounts() | {"triggerId": first})).status == 200
    third = await created(api, SMS, V1)
    again = SMS | {"triggerId": third, "name": "Busy"}
    assert (await api.send("PUT", V1, json=again)).refusal == (400, "400")
    assert len({first, second, third}) == 3


async def test_category_account_and_version_of_a_trigger_cannot_be_changed(api: Api) -> None:
    api.cloud.add_account(OTHER)
    first, second = await created(api, on_accounts()), await created(api, SMS, V1)
    for path, change, code in (
        (V2, on_accounts() | {"triggerId": first, "triggerCategory": "UsageAnomaly"}, UNEXPECTED),
        (V1, SMS | {"triggerId": second, "accountName": OTHER}, UNEXPECTED),
    ):
        assert (await api.send("PUT", path, json=change)).refusal == (400, code)
    for path, wrong in ((V2, on_accounts() | {"triggerId": second}), (V1, SMS | {"triggerId": first})):
        assert (await api.send("PUT", path, json=wrong)).refusal == (404, "404")
    for path, wrong_id in ((V1, first), (V2, second), (V2, "no")):
        assert (await api.send("GET", f"{path}/{wrong_id}")).refusal == (404, "404")


async def test_an_update_of_the_first_version_takes_both_names(api: Api) -> None:
    trigger_id = await created(api, SMS, V1)
    change = {"triggerId": trigger_id, "triggerCategory": "DeviceSMSUsage", "triggerName": "New"}
    assert (await api.send("PUT", V1, json=change)).json == {"triggerId": trigger_id}
    (listed,) = (await api.send("GET", f"{V1}/{trigger_id}")).json
    assert listed["triggers"][0]["triggerName"] == "New"
    assert listed["triggers"][0]["threshold"] == "1"


async def test_triggers_of_accounts_are_listed_by_account(api: Api) -> None:
    api.cloud.add_account(OTHER)
    await created(api, SMS | {"accountName": OTHER}, V1)
    theirs = on_accounts(filterCriteria={"accountNames": {"accountNameList": [OTHER]}})
    await created(api, theirs)
    for path, version in ((f"/api/m2m/v1/accounts/{OTHER}/triggers", 1), (f"{V2}/accounts/{OTHER}", 2)):
        answer = (await api.send("GET", path)).json
        (shown,) = answer[0]["triggers"] if version == 1 else answer["triggers"]
        assert shown["accountName"] == OTHER
    assert (await api.send("GET", f"/api/m2m/v1/accounts/{ACCOUNT}/triggers")).json == [{"triggers": []}]


async def test_a_trigger_fires_once_in_a_cycle_for_each_device(api: Api, listener: Listener) -> None:
    await created(api, on_accounts(condition={**CONDITION, "cycleType": "Monthly", "threshold": 1}))
    messages = await alerts(api, listener, days=20)
    named = [one["deviceIds"][0]["id"] for one in messages]
    assert sorted(named) == sorted(set(named))
    active = [one for one in api.cloud.devices if one.state == "active"]
    assert len(named) == len(active)
    # The next billing cycle begins on the 10th.
    assert len(await alerts(api, listener, days=20)) == 2 * len(active)


async def test_too_little_usage_fires_at_the_end_of_a_cycle(api: Api, listener: Listener) -> None:
    low = {**CONDITION, "comparator": "lt", "threshold": 900, "cycleType": "Weekly"}
    await created(api, on_accounts(condition=low))
    # The simulator starts on a Thursday, so the week ends three days later.
    assert await alerts(api, listener, days=3) == []
    messages = await alerts(api, listener, days=1)
    assert len(messages) == len([one for one in api.cloud.devices if one.state == "active"])


async def test_percentages_fire_one_after_the_other(api: Api, listener: Listener) -> None:
    allowance = {"percentage50": True, "percentage100": True}
    condition = {"conditionType": "UsageAllowance", "allowanceThreshold": allowance, "cycleType": "Monthly"}
    await created(api, on_plan(standAlone={**PLAN, "condition": condition}))
    by_device: dict[str, list[int]] = {}
    for one in await alerts(api, listener, days=10):
        by_device.setdefault(one["deviceIds"][0]["id"], []).append(one["percentage"])
    assert by_device
    assert all(percentages in ([50], [50, 100]) for percentages in by_device.values())
    assert [50, 100] in by_device.values()


async def test_a_plan_without_an_allowance_has_no_percentages(api: Api, listener: Listener) -> None:
    condition = {"conditionType": "UsageAllowance", "allowanceThreshold": {"percentage50": True}}
    criteria = {"carrierServicePlanCode": "M2M_PP"}
    await created(api, on_plan(payAsYouGo={"filterCriteria": criteria, "condition": condition}))
    assert await alerts(api, listener, days=10) == []


async def test_a_suspended_device_uses_nothing_and_fires_nothing(api: Api, listener: Listener) -> None:
    await created(api, on_accounts(action="suspend", condition={**CONDITION, "threshold": 0}))
    active = [one for one in api.cloud.devices if one.state == "active"]
    # It is suspended at 01:00, so its last day of service has usage, too.
    assert len(await alerts(api, listener, days=2)) == 2 * len(active)
    assert {one.state for one in active} == {"suspend"}
    assert len(await alerts(api, listener, days=10)) == 2 * len(active)
    assert [event.event_type for one in active for event in one.events] == ["Suspend"] * len(active)


async def test_a_long_jump_of_the_clock_checks_its_last_month_only(api: Api, listener: Listener) -> None:
    await created(api, on_accounts(condition={**CONDITION, "threshold": 1}))
    messages = await alerts(api, listener, days=900)
    days = {one["timestamp"] for one in messages}
    # The first day, and the days of the last month.
    assert 1 < len(days) <= 33


async def test_without_triggers_nothing_is_checked(api: Api) -> None:
    first = await created(api, on_accounts())
    assert api.cloud.platform.agenda.due is not None
    await api.send("DELETE", f"{V1}/{first}")
    api.cloud.clock.advance(timedelta(days=2))
    assert api.cloud.platform.agenda.due is None
    await api.enter()
    second = await created(api, on_accounts())
    assert second != first
    assert api.cloud.platform.agenda.due is not None


async def test_a_trigger_without_devices_is_fired_without_one(api: Api, listener: Listener) -> None:
    api.cloud.add_account(OTHER)
    await created(api, on_accounts(filterCriteria={"accountNames": {"accountNameList": [OTHER]}}))
    empty = next(one for one in api.cloud.platform.room(Triggers).by_id.values() if one.account_name == OTHER)
    promo = next(one for one in api.cloud.platform.room(Triggers).by_id.values() if one.category == "PromoAlerts")
    await api.send("POST", f"/api/m2m/v1/callbacks/{OTHER}", json={"name": "AlertService", "url": listener.url})
    api.cloud.fire_trigger(empty.id)
    api.cloud.fire_trigger(promo.id)
    (alert,) = await alerts(api, listener, days=0)
    assert (alert["accountName"], alert["deviceIds"]) == (OTHER, [])


@pytest.mark.parametrize(
    ("cycle", "day", "first", "last"),
    [
        ("Daily", date(2026, 1, 15), date(2026, 1, 15), date(2026, 1, 15)),
        ("Weekly", date(2026, 1, 15), date(2026, 1, 12), date(2026, 1, 18)),
        ("Monthly", date(2026, 1, 15), date(2026, 1, 10), date(2026, 2, 9)),
        ("Monthly", date(2026, 1, 9), date(2025, 12, 10), date(2026, 1, 9)),
        ("Monthly", date(2026, 12, 31), date(2026, 12, 10), date(2027, 1, 9)),
    ],
)
def test_a_cycle_has_its_first_and_last_day(cycle: str, day: date, first: date, last: date) -> None:
    assert cycle_of(cycle, day) == (first, last)


@pytest.mark.parametrize(("comparator", "used"), [("gt", 11), ("lt", 9), ("eq", 10)])
def test_usage_is_compared(comparator: str, used: int) -> None:
    rule = Rule(comparator=comparator, threshold=10)
    assert [bool(rule.reached(one, 0)) for one in (9, 10, 11)] == [one == used for one in (9, 10, 11)]
