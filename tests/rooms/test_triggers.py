"""Triggers: requests, actions that must be asked for, and alerts that arrive in the inbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.rooms.recording import recording
from thingspace_async import Credentials, Environment, Session, errors
from thingspace_async.callbacks import CallbackService, MemoryInbox, Outcomes, Receiver
from thingspace_async.callbacks.messages import Alert
from thingspace_async.callbacks.web import serve
from thingspace_async.intelligence import AnomalyRequest, Sensitivity
from thingspace_async.simulator import Reset, Simulator
from thingspace_async.triggers import (
    AccountFilter,
    AccountGroupShare,
    AccountLevel,
    AccountUsageTrigger,
    AccountUsageTriggerUpdate,
    AllowanceThreshold,
    AnomalyFilter,
    ChangePlanDetails,
    DataUsageThreshold,
    DeviceGroup,
    DeviceGroupFilter,
    DeviceGroupUsage,
    DeviceGroupUsageTrigger,
    DeviceTriggerRequest,
    DeviceTriggerUpdateRequest,
    GroupShareAction,
    GroupShareFilter,
    GroupShareNotice,
    GroupShareUsage,
    Notification,
    PlanAllowance,
    PlanFilter,
    PlanUsage,
    PricePlanTrigger,
    PricePlanUsage,
    PromoAlertChange,
    PromoAlertTriggerUpdate,
    PromoThresholdsChange,
    SessionTimeThreshold,
    SmsNumber,
    SmsUsageThreshold,
    SuspendDetails,
    TriggerAction,
    UsageAnomalyTrigger,
    UsageAnomalyTriggerUpdate,
    UsageCondition,
)

ACCOUNT = "0000123456-00001"
BY_CALLBACK = Notification(callback=True)


@pytest.fixture
def cloud(thingspace_simulator: Simulator) -> Simulator:
    """Only tests move the clock."""
    thingspace_simulator.clock.speed = 0
    return thingspace_simulator


@pytest.fixture
async def outcomes(cloud: Simulator, thingspace_session: Session) -> AsyncIterator[Outcomes]:
    receiver = Receiver(MemoryInbox())
    async with (
        serve(receiver, port=0) as url,
        thingspace_session.listen(ACCOUNT, receiver, base_url=url, services=[CallbackService.ALERT]) as outcomes,
    ):
        yield outcomes


async def alerts_of(cloud: Simulator, outcomes: Outcomes, *, days: float = 1) -> list[Alert]:
    """Return the alerts in the inbox after some days."""
    cloud.clock.advance(timedelta(days=days))
    await cloud.delivered()
    found = [one.message async for one in outcomes.inbox.read(service=CallbackService.ALERT)]
    assert all(isinstance(one, Alert) for one in found)
    return [one for one in found if isinstance(one, Alert)]


async def detect(session: Session) -> None:
    """Detect a third of all usage as anomalies, after the platform has learned for a week."""
    often = Sensitivity(
        enable_abnormal=True, abnormal_max_value=33, enable_very_abnormal=True, very_abnormal_max_value=1
    )
    await session.intelligence.anomaly.activate(AnomalyRequest(account_name=ACCOUNT, sensitivity=often))


def condition(megabytes: int = 4, **changes: Any) -> UsageCondition:
    given = {"condition_type": "Individual", "comparator": "gt", "threshold": megabytes, "threshold_unit": "MB"}
    return UsageCondition(**{**given, "cycle_type": "Daily", **changes})


def level(megabytes: int = 4, **changes: Any) -> AccountLevel:
    return AccountLevel(
        **{
            "filter_criteria": AccountFilter(account_names=[ACCOUNT]),
            "condition": condition(megabytes),
            **changes,
        }
    )


def on_usage(rule: AccountLevel | None = None, **changes: Any) -> AccountUsageTrigger:
    given = {"trigger_name": "Busy", "data_trigger": rule or level(), "notification": BY_CALLBACK}
    return AccountUsageTrigger(**{**given, **changes})


async def test_a_trigger_is_created_fires_and_is_changed_and_deleted(
    cloud: Simulator, thingspace_session: Session, outcomes: Outcomes
) -> None:
    triggers = thingspace_session.triggers
    created = await triggers.create(on_usage())
    sent = cloud.requests[-1]
    assert (sent.method, sent.path) == ("POST", "/api/m2m/v2/triggers")
    assert sent.json == {
        "triggerName": "Busy",
        "triggerCategory": "AccountUsage",
        "notification": {"callback": True},
        "dataTrigger": {
            "accountLevel": {
                "filterCriteria": {"accountNames": {"accountNameList": [ACCOUNT]}},
                "condition": {
                    "conditionType": "Individual",
                    "comparator": "gt",
                    "threshold": 4,
                    "thresholdUnit": "MB",
                    "cycleType": "Daily",
                },
                "action": "notify",
            }
        },
    }
    fired = await alerts_of(cloud, outcomes)
    assert 0 < len(fired) < 40
    assert {(one.trigger_id, one.trigger_name, one.threshold) for one in fired} == {(created.trigger_id, "Busy", 4)}
    assert {one.request_id for one in fired} == {None}
    device = next(one for one in cloud.devices if one.imei == fired[0].identifier("imei"))
    used = fired[0].details["usage"]
    assert used > 4 * 1024**2
    assert device.state == "active"

    await triggers.update(
        AccountUsageTriggerUpdate(
            trigger_id=created.trigger_id, trigger_name="Never", data_trigger=level(900), notification=BY_CALLBACK
        )
    )
    assert (await triggers.get(created.trigger_id)).trigger_name == "Never"
    assert await alerts_of(cloud, outcomes, days=3) == fired

    assert (await triggers.delete(created.trigger_id)).trigger_id == created.trigger_id
    with pytest.raises(errors.NotFound):
        await triggers.get(created.trigger_id)
    with pytest.raises(errors.NotFound):
        await triggers.delete(created.trigger_id)


async def test_a_trigger_without_a_callback_sends_no_message(
    cloud: Simulator, thingspace_session: Session, outcomes: Outcomes
) -> None:
    await thingspace_session.triggers.create(on_usage(notification=Notification(email_notification=True)))
    await thingspace_session.triggers.create(on_usage(trigger_name="Paused", active=False))
    assert await alerts_of(cloud, outcomes, days=2) == []


async def test_an_alert_can_be_fired_by_a_test(
    cloud: Simulator, thingspace_session: Session, outcomes: Outcomes
) -> None:
    created = await thingspace_session.triggers.create(on_usage(level(900)))
    cloud.fire_trigger(created.trigger_id)
    (alert,) = await alerts_of(cloud, outcomes, days=0)
    assert (alert.trigger_id, alert.device_ids != ()) == (created.trigger_id, True)
    assert (alert.account_name, alert.trigger_category) == (ACCOUNT, "AccountUsage")


# Actions on devices


async def test_no_trigger_changes_devices_unless_it_is_asked_to(cloud: Simulator, thingspace_session: Session) -> None:
    before = [(one.state, one.service_plan) for one in cloud.devices]
    group = DeviceGroup(filter_criteria=DeviceGroupFilter(device_group_name="East fleet", account_name=ACCOUNT))
    silent = DeviceGroupUsage(device_group=group, **_members(condition(1)))
    nothing = {"suspend": False, "changePlan": False}
    await thingspace_session.triggers.create(DeviceGroupUsageTrigger(trigger_name="Group", data_trigger=silent))
    assert cloud.requests[-1].json["dataTrigger"]["action"] == nothing
    plan = PlanUsage(filter_criteria=PlanFilter(carrier_service_plan_code="M2M_PP"), condition=condition(1))
    await thingspace_session.triggers.create(
        PricePlanTrigger(trigger_name="Plan", price_plan_trigger=PricePlanUsage(pay_as_you_go=plan))
    )
    assert cloud.requests[-1].json["pricePlanTrigger"]["payAsYouGo"]["action"] == nothing
    await thingspace_session.triggers.create(on_usage(level(1)))
    cloud.clock.advance(timedelta(days=3))
    assert [(one.state, one.service_plan) for one in cloud.devices] == before


def _members(rule: UsageCondition) -> dict[str, Any]:
    names = ("condition_type", "comparator", "threshold", "threshold_unit", "cycle_type")
    return {name: getattr(rule, name) for name in names}


async def test_a_trigger_suspends_devices_if_it_is_asked_to(cloud: Simulator, thingspace_session: Session) -> None:
    await thingspace_session.triggers.create(on_usage(level(4, action="suspend")))
    active = [one.place for one in cloud.devices if one.state == "active"]
    cloud.clock.advance(timedelta(days=1))
    suspended = [one for one in cloud.devices if one.place in active and one.state == "suspend"]
    assert 0 < len(suspended) < len(active)
    assert [(one.events[-1].event_type, one.events[-1].event_by) for one in suspended] == [
        ("Suspend", "Trigger")
    ] * len(suspended)


async def test_a_trigger_changes_the_plan_of_devices_if_it_is_asked_to(
    cloud: Simulator, thingspace_session: Session
) -> None:
    action = TriggerAction(
        change_plan=True, change_plan_details=ChangePlanDetails(to_carrier_service_plan_code="M2M_4G_50MB")
    )
    filters = PlanFilter(carrier_service_plan_code="M2M_4G_5MB", account_name_list=[ACCOUNT])
    allowance = AllowanceThreshold(percentage75=True, percentage100=True)
    rule = PlanUsage(
        filter_criteria=filters,
        condition=UsageCondition(condition_type="UsageAllowance", allowance_threshold=allowance, cycle_type="Monthly"),
        action=action,
    )
    created = await thingspace_session.triggers.create(
        PricePlanTrigger(trigger_name="Upgrade", price_plan_trigger=PricePlanUsage(stand_alone=rule), active=True)
    )
    trigger = await thingspace_session.triggers.get(created.trigger_id)
    assert [trigger.attribute(key) for key in ("serviceplan", "DataPercentage75", "DataPercentage50")] == [
        "M2M_4G_5MB",
        True,
        None,
    ]
    assert trigger.active
    cloud.clock.advance(timedelta(days=1))
    changed = [one for one in cloud.devices if one.events and one.events[-1].event_type == "Change Plan"]
    assert changed
    assert {one.service_plan for one in changed} == {"M2M_4G_50MB"}


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (
            lambda: TriggerAction(suspend_details=SuspendDetails(suspend_duration=3)),
            r"TriggerAction: suspend_details needs suspend=True",
        ),
        (lambda: TriggerAction(change_plan=True), r"TriggerAction: give change_plan=True, .*, and change_plan_details"),
        (
            lambda: TriggerAction(change_plan_details=ChangePlanDetails(to_carrier_service_plan_code="a")),
            r"TriggerAction: give change_plan=True",
        ),
        (lambda: SuspendDetails(threshold=1), r"SuspendDetails: threshold needs threshold_unit, too"),
        (lambda: level(action="deactivate all'"), r"AccountLevel: action contains"),
        (lambda: condition(comparator=None), r"UsageCondition: threshold needs comparator, too"),
        (lambda: condition(threshold_unit=None), r"UsageCondition: threshold needs threshold_unit, too"),
        (lambda: condition(threshold=None), r"UsageCondition: give threshold or allowance_threshold"),
        (
            lambda: condition(allowance_threshold=AllowanceThreshold(percentage50=True)),
            r"UsageCondition: give either threshold or allowance_threshold, not both",
        ),
        (AllowanceThreshold, r"AllowanceThreshold: give percentage50, .* or percentage100"),
        (PricePlanUsage, r"PricePlanUsage: give stand_alone, .* or account_group_share"),
        (
            lambda: PricePlanUsage(stand_alone=_plan(), profile_share=_plan()),
            r"PricePlanUsage: give either stand_alone or profile_share, not both",
        ),
        (lambda: on_usage(trigger_category="UsageAnomaly"), r"trigger_category is always AccountUsage: leave it out"),
        (lambda: on_usage(active="maybe"), r"AccountUsageTrigger: active must be a bool"),
        (lambda: _anomalies(device_groups="West fleet"), r"AnomalyFilter: give either account_names or device_groups"),
        (lambda: _anomalies(account_names=None), r"AnomalyFilter: give account_names or device_groups"),
        (lambda: Notification(sms_numbers=[SmsNumber(number="1")] * 11), r"Notification: sms_numbers may hold 10"),
        (lambda: Notification(sms_numbers=[SmsNumber()]), r"Notification: sms_numbers must be a str, not NoneType"),
        (lambda: Notification(sms_numbers=[SmsNumber(number="1'")]), r"Notification: sms_numbers contains one of"),
        (lambda: PromoThresholdsChange(days_before_expiry=181), r"days_before_expiry must be 180 or less"),
        (lambda: _of_devices("DeviceSMSUsage"), r"DeviceTriggerRequest: the category DeviceSMSUsage needs sms, too"),
        (
            lambda: _of_devices("DeviceSMSUsage", sms=SmsUsageThreshold(threshold=1)),
            r"DeviceTriggerRequest: the category DeviceSMSUsage needs trigger_cycle, too",
        ),
        (
            lambda: _of_devices("DeviceSessionTime", sms=SmsUsageThreshold(threshold=1)),
            r"DeviceTriggerRequest: the category DeviceSessionTime needs session, too",
        ),
        (lambda: DataUsageThreshold(threshold=1), r"DataUsageThreshold: threshold needs threshold_unit, too"),
        (
            lambda: _changed("DeviceSMSUsage", data=DataUsageThreshold(threshold=1, threshold_unit="MB")),
            r"DeviceTriggerUpdateRequest: the category DeviceSMSUsage needs sms, too",
        ),
    ],
)
def test_a_request_that_means_nothing_is_refused_before_it_is_sent(make: Callable[[], object], fault: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=fault):
        make()


def _plan(**changes: Any) -> PlanUsage:
    return PlanUsage(
        filter_criteria=PlanFilter(carrier_service_plan_code="M2M_4G_5MB"), condition=condition(), **changes
    )


def _anomalies(**changes: Any) -> AnomalyFilter:
    included = dict.fromkeys(
        ("include_abnormal", "include_very_abnormal", "include_under_expected_usage", "include_over_expected_usage"),
        True,
    )
    return AnomalyFilter(**{"account_names": [ACCOUNT], **included, **changes})


def _of_devices(category: str, **changes: Any) -> DeviceTriggerRequest:
    return DeviceTriggerRequest(name="Old", account_name=ACCOUNT, trigger_category=category, **changes)


def _changed(category: str, **changes: Any) -> DeviceTriggerUpdateRequest:
    return DeviceTriggerUpdateRequest(
        trigger_id="1", name="Old", account_name=ACCOUNT, trigger_category=category, **changes
    )


async def test_one_category_is_not_taken_for_another(cloud: Simulator, thingspace_session: Session) -> None:
    update = AccountUsageTriggerUpdate(trigger_id="1", trigger_name="Busy", data_trigger=level())
    before = len(cloud.requests)
    with pytest.raises(errors.InvalidRequest, match="pass a CreateTriggerRequest, not a value of type AccountUsage"):
        await thingspace_session.triggers.create(update)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidRequest, match="pass an UpdateTriggerRequest"):
        await thingspace_session.triggers.update(on_usage())  # type: ignore[arg-type]
    assert len(cloud.requests) == before


async def test_a_trigger_whose_answer_was_lost_is_not_sent_again(cloud: Simulator, thingspace_session: Session) -> None:
    triggers = thingspace_session.triggers
    cloud.faults.add("triggers.create", Reset(processed=True))
    with pytest.raises(errors.AnswerLost):
        await triggers.create(on_usage())
    trigger = (await triggers.list_of_account(ACCOUNT))[-1]
    cloud.faults.add("triggers.update", Reset(processed=True))
    change = AccountUsageTriggerUpdate(trigger_id=trigger.trigger_id, trigger_name="Other", data_trigger=level())
    with pytest.raises(errors.AnswerLost):
        await triggers.update(change)
    assert (await triggers.get(trigger.trigger_id)).trigger_name == "Other"
    assert (cloud.count("triggers.create"), cloud.count("triggers.update")) == (1, 1)


# The other categories


async def test_anomalies_of_a_group_fire_a_trigger(
    cloud: Simulator, thingspace_session: Session, outcomes: Outcomes
) -> None:
    triggers = thingspace_session.triggers
    wanted = _anomalies(account_names=None, device_groups=["East fleet", "West fleet"])
    created = await triggers.create(
        UsageAnomalyTrigger(
            name="Odd", account_name=ACCOUNT, anomaly_trigger_request=wanted, notification=BY_CALLBACK, active=True
        )
    )
    assert cloud.requests[-1].json["anomalyTriggerRequest"]["deviceGroups"] == "East fleet,West fleet"
    assert await alerts_of(cloud, outcomes, days=3) == [], "no anomalies are detected yet"
    often = Sensitivity(
        abnormal_max_value=90, enable_abnormal=True, very_abnormal_max_value=1, enable_very_abnormal=True
    )
    await thingspace_session.intelligence.anomaly.activate(AnomalyRequest(account_name=ACCOUNT, sensitivity=often))
    assert await alerts_of(cloud, outcomes, days=7) == [], "it learns for a week"
    fired = await alerts_of(cloud, outcomes, days=3)
    assert fired
    assert {one.trigger_category for one in fired} == {"UsageAnomaly"}
    found = await triggers.get(created.trigger_id)
    assert found.anomaly_settings is not None
    assert (found.anomaly_settings.device_group, found.anomaly_settings.include_abnormal) == (
        "East fleet,West fleet",
        True,
    )
    assert found.notification is not None
    assert found.notification.callback
    result = await triggers.update(
        UsageAnomalyTriggerUpdate(
            trigger_id=created.trigger_id,
            account_name=ACCOUNT,
            anomaly_trigger_request=_anomalies(include_abnormal=False, include_very_abnormal=False),
            notification=BY_CALLBACK,
        )
    )
    assert result.status == "Success"
    assert await alerts_of(cloud, outcomes, days=5) == fired


async def test_a_combined_trigger_fires_once_for_all_devices(
    cloud: Simulator, thingspace_session: Session, outcomes: Outcomes
) -> None:
    combined = AccountFilter(account_names=[ACCOUNT], separate_or_combined="Combined")
    await thingspace_session.triggers.create(on_usage(level(50, filter_criteria=combined)))
    (alert,) = await alerts_of(cloud, outcomes)
    assert alert.device_ids == ()
    assert alert.details["usage"] > 50 * 1024**2


async def test_a_group_of_plans_notifies_by_default(
    cloud: Simulator, thingspace_session: Session, outcomes: Outcomes
) -> None:
    allowance = PlanAllowance(carrier_code="M2M_4G_5MB", percentage=AllowanceThreshold(percentage50=True))
    shared = GroupShareUsage(
        filter_criteria=GroupShareFilter(rate_plan_group_id=7),
        action=GroupShareAction(notify=GroupShareNotice(threshold=[allowance])),
    )
    usage = PricePlanUsage(account_group_share=AccountGroupShare(account_group_share_individual=shared))
    await thingspace_session.triggers.create(
        PricePlanTrigger(
            trigger_name="Shared", account_name=ACCOUNT, price_plan_trigger=usage, notification=BY_CALLBACK
        )
    )
    sent = cloud.requests[-1].json["pricePlanTrigger"]["accountGroupShare"]["accountGroupShareIndividual"]
    assert sent["condition"] == {"action": "notify"}
    fired = await alerts_of(cloud, outcomes)
    assert fired
    assert {one.details["percentage"] for one in fired} == {50}


async def test_the_platforms_own_triggers_on_promotions_are_changed(
    cloud: Simulator, thingspace_session: Session
) -> None:
    triggers = thingspace_session.triggers
    (own,) = await triggers.promo_alerts()
    assert own.promo_alerts[0].condition[0].days_before_expiry == 7
    change = PromoAlertChange(
        filter_criteria=["M2M_4G_50MB"],
        condition=[PromoThresholdsChange(data_percentage50=True, days_before_expiry=3)],
        enable_promo_exp=True,
    )
    result = await triggers.update(PromoAlertTriggerUpdate(trigger_id=own.trigger_id, promo_alerts=[change]))
    assert result.status == "Success"
    (changed,) = await triggers.list()
    assert changed.trigger_name == own.trigger_name
    assert changed.promo_alerts[0].filter_criteria[0].service_plan == "M2M_4G_50MB"
    assert changed.promo_alerts[0].condition[0].days_before_expiry == 3


async def test_rate_plans_are_listed_in_groups(thingspace_session: Session) -> None:
    with_allowance, without = await thingspace_session.triggers.rate_plans("1234567")
    assert [one.size_kb for one in without.rate_plans] == ["0"]
    assert "M2M_4G_5MB" in [one.carrier_rate_plan_code for one in with_allowance.rate_plans]
    assert with_allowance.rate_plans[0].accounts[0].account_name == ACCOUNT


# Triggers on the usage of devices


async def test_a_trigger_on_devices_fires_always_by_callback(
    cloud: Simulator, thingspace_session: Session, outcomes: Outcomes
) -> None:
    triggers = thingspace_session.triggers.v1
    request = _of_devices(
        "DeviceDataUsage",
        trigger_cycle="Weekly",
        group_name="East fleet",
        data=DataUsageThreshold(comparator="gt", threshold=3, threshold_unit="MB"),
    )
    created = await triggers.create(request)
    assert cloud.requests[-1].path == "/api/m2m/v1/triggers"
    fired = await alerts_of(cloud, outcomes)
    assert fired
    assert {(one.group_name, one.threshold, one.threshold_unit) for one in fired} == {("East fleet", 3, "MB")}
    found = await triggers.get(created.trigger_id)
    assert (found.trigger_name, found.threshold, found.trigger_cycle) == ("Old", "3", "Weekly")
    change = DeviceTriggerUpdateRequest(
        trigger_id=created.trigger_id,
        name="New",
        account_name=ACCOUNT,
        trigger_category="DeviceDataUsage",
        cycle_type="Daily",
        data=DataUsageThreshold(comparator="gt", threshold=1, threshold_unit="GB"),
    )
    assert (await triggers.update(change)).trigger_id == created.trigger_id
    (listed,) = await triggers.list()
    assert (listed.trigger_name, listed.trigger_cycle, listed.threshold_unit) == ("New", "Daily", "GB")
    assert await triggers.list_of_account(ACCOUNT) == (listed,)
    assert await alerts_of(cloud, outcomes) == fired
    await thingspace_session.triggers.delete(created.trigger_id)
    assert await triggers.list() == ()
    with pytest.raises(errors.NotFound):
        await triggers.get(created.trigger_id)


@pytest.mark.parametrize(
    ("category", "details"),
    [
        ("DeviceSMSUsage", {"trigger_cycle": "Daily", "sms": SmsUsageThreshold(comparator="gt", threshold=2)}),
        ("DeviceSMSUsage", {"trigger_cycle": "Daily", "sms": SmsUsageThreshold(sms_type="MT", threshold=2)}),
        ("DeviceSessionTime", {"session": SessionTimeThreshold(comparator="gt", threshold=480)}),
        ("UsageAnomaly", {"anomaly": _anomalies()}),
    ],
)
async def test_messages_sessions_and_anomalies_fire_a_trigger_on_devices(
    cloud: Simulator, thingspace_session: Session, outcomes: Outcomes, category: str, details: dict[str, Any]
) -> None:
    await detect(thingspace_session)
    cloud.clock.advance(timedelta(days=8))
    await thingspace_session.triggers.v1.create(_of_devices(category, **details))
    fired = await alerts_of(cloud, outcomes, days=2)
    assert 0 < len(fired) < 200
    assert {one.trigger_category for one in fired} == {category}


# What the platform may answer


async def test_an_empty_answer_is_not_a_trigger() -> None:
    async with (
        recording(lambda sent: [] if "/v1/" in sent.path else {"triggers": []}) as recorder,
        Session(
            Credentials(client_id="a", client_secret="b", username="c", password="d"),
            environment=Environment.at(recorder.url),
        ) as session,
    ):
        for get in (session.triggers.get, session.triggers.v1.get):
            with pytest.raises(errors.NotFound, match="answered no trigger"):
                await get("1")


@pytest.mark.parametrize("wanted", ["t-2", "t-3"])
async def test_a_list_of_all_triggers_is_searched_for_the_wanted_one(wanted: str) -> None:
    """The platform's answer to a single trigger is a list, too."""
    listed = [{"triggerId": name, "triggerName": name} for name in ("t-1", "t-2")]
    async with (
        recording(lambda sent: [{"triggers": listed}] if "/v1/" in sent.path else {"triggers": listed}) as recorder,
        Session(
            Credentials(client_id="a", client_secret="b", username="c", password="d"),
            environment=Environment.at(recorder.url),
        ) as session,
    ):
        for get in (session.triggers.get, session.triggers.v1.get):
            if wanted == "t-2":
                assert (await get(wanted)).trigger_id == wanted
            else:
                with pytest.raises(errors.NotFound, match="answered no trigger"):
                    await get(wanted)
