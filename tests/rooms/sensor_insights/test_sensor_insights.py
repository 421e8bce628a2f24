"""Sensor Insights: what is listed, changed and deleted, over the end of a page, and requests that make no sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from thingspace_async import Secret, Session, errors
from thingspace_async.sensor_insights import (
    AlertChange,
    AlertReference,
    BleScan,
    CreateNotificationGroupRequest,
    CreateProfilesRequest,
    CreateUserRequest,
    DeviceChange,
    DeviceConfigurationRequest,
    DeviceIdentifier,
    DeviceQuery,
    GroupDetails,
    GroupUsersRequest,
    InsightsFilter,
    InsightsQuery,
    InsightsUser,
    LastReportedRequest,
    NewProfile,
    NewSensor,
    NotificationGroup,
    OffboardSensorRequest,
    OnboardingStatusRequest,
    OnboardSensorRequest,
    ProfileChange,
    ReplaceRuleRequest,
    ResourceQuery,
    RuleDefinition,
    TiltConfiguration,
    TiltConfigurationRequest,
    UpdateAlertRequest,
    UpdateAlertsRequest,
    UpdateDeviceRequest,
    UpdateNotificationGroupRequest,
    UpdateProfileRequest,
    UpdateUserRequest,
    UserDetails,
)
from thingspace_async.simulator import Simulator, Status

ACCOUNT = "0000123456-00001"
DEVICES = DeviceQuery(account_name=ACCOUNT)
QUERY = InsightsQuery(account_name=ACCOUNT)
RESOURCES = ResourceQuery(account_name=ACCOUNT)


def sensor_with(**changes: Any) -> NewSensor:
    given = {"dev_eui": "70B3D57ED0000001", "app_eui": "70B3D57ED0000000", "app_key": "0123456789ABCDEF" * 2}
    return NewSensor(**{**given, "device_class": "A", "kind": "t", "name": "n", "description": "d", **changes})


async def group_with(session: Session, *emails: str) -> tuple[NotificationGroup, list[InsightsUser]]:
    insights = session.sensor_insights
    users = [
        await insights.users.create(CreateUserRequest(account_name=ACCOUNT, user=UserDetails(email=email)))
        for email in emails
    ]
    request = CreateNotificationGroupRequest(account_name=ACCOUNT, group=GroupDetails(name="Ops"), user_ids=users)
    return await insights.notification_groups.create(request), users


# Lists


async def test_a_list_is_walked_over_the_end_of_its_pages(cloud: Simulator, session: Session) -> None:
    devices = session.sensor_insights.devices
    walked = [device.id async for device in devices.list(DEVICES)]
    assert len(set(walked)) == len(walked) == 12
    assert cloud.count("sensor_insights.devices.list") == 3
    first = await devices.list_page(DEVICES)
    second = await devices.list_page(DEVICES, page=first.next)
    last = await devices.list_page(DEVICES, page=second.next)
    assert [[one.id for one in page.items] for page in (first, second, last)] == [walked[:5], walked[5:10], walked[10:]]
    assert last.next is None
    assert cloud.requests[-1].json == {"accountname": ACCOUNT, "filter": {"$page": second.next}}


async def test_a_walk_keeps_the_filter_and_begins_at_the_page_that_it_names(cloud: Simulator, session: Session) -> None:
    wanted = InsightsFilter(selection={"refidtype": "device"}, limit_number=3, page_number=2)
    query = DeviceQuery(account_name=ACCOUNT, filter=wanted)
    found = [device async for device in session.sensor_insights.devices.list(query)]
    assert len(found) == 6
    assert {device.ref_id_type for device in found} == {"device"}
    filters = [one.json["filter"] for one in cloud.requests if one.operation == "sensor_insights.devices.list"]
    selection = {"$selection": {"refidtype": "device"}, "$limitnumber": 3}
    assert filters == [{**selection, "$pagenumber": 2}, {**selection, "$page": "6"}]


async def test_a_page_that_leads_back_ends_the_walk_with_an_error(cloud: Simulator, session: Session) -> None:
    again = Status(200, [], headers={"X-Next": "5"})
    cloud.faults.add("sensor_insights.devices.list", again, times=None)
    with pytest.raises(errors.AnswerUnreadable, match="leads back"):
        _ = [one async for one in session.sensor_insights.devices.list(DEVICES)]


async def test_all_resources_come_at_once_without_pages(session: Session) -> None:
    query = DeviceQuery(account_name=ACCOUNT, filter=InsightsFilter(no_pagination=True))
    page = await session.sensor_insights.devices.list_page(query)
    assert (len(page.items), page.next) == (12, None)


async def test_only_some_members_are_answered(session: Session) -> None:
    query = DeviceQuery(account_name=ACCOUNT, filter=InsightsFilter(projection=["name"], limit_number=1))
    (device,) = (await session.sensor_insights.devices.list_page(query)).items
    assert device.to_dict() == {"id": device.id, "name": device.name}


@pytest.mark.parametrize("name", ["imei", "iccid", "serial", "device_id"])
async def test_one_device_is_found_by_an_identifier(session: Session, name: str) -> None:
    known = (await session.sensor_insights.devices.list_page(DEVICES)).items[3]
    identifier = {name: known.id if name == "device_id" else getattr(known, name)}
    query = DeviceQuery(account_name=ACCOUNT, device=DeviceIdentifier(**identifier))
    assert [one.id async for one in session.sensor_insights.devices.list(query)] == [known.id]


async def test_every_list_has_pages(session: Session) -> None:
    insights = session.sensor_insights
    for _ in range(2):
        await group_with(session, "a@example.com")
    one = InsightsFilter(limit_number=1)
    devices, query = DeviceQuery(account_name=ACCOUNT, filter=one), InsightsQuery(account_name=ACCOUNT, filter=one)
    resources = ResourceQuery(account_name=ACCOUNT, filter=one)
    lists: list[tuple[Callable[..., Any], Callable[..., Any], Any, int]] = [
        (insights.gateways.list_page, insights.gateways.list, devices, 3),
        (insights.rules.list_page, insights.rules.list, resources, 3),
        (insights.smart_alerts.list_page, insights.smart_alerts.list, resources, 3),
        (insights.users.list_page, insights.users.list, query, 2),
        (insights.notification_groups.list_page, insights.notification_groups.list, query, 2),
        (insights.devices.experience_history_page, insights.devices.experience_history, query, 30),
        (insights.devices.network_experience_history_page, insights.devices.network_experience_history, query, 24),
    ]
    for page_of, walk, request, count in lists:
        first = await page_of(request)
        second = await page_of(request, page=first.next)
        assert [one async for one in walk(request)][:2] == [*first.items, *second.items]
        assert len([one async for one in walk(request)]) == count
    assert (await insights.sensors.list_page(devices)).items == ()


# Devices


async def test_a_device_is_changed(cloud: Simulator, session: Session) -> None:
    devices = session.sensor_insights.devices
    known = (await devices.list_page(DEVICES)).items[0]
    change = DeviceChange(name="Hall", custom_data={"floor": 2}, licenses=["basic"])
    changed = await devices.update(
        UpdateDeviceRequest(account_name=ACCOUNT, device=DeviceIdentifier(imei=str(known.imei)), change=change)
    )
    assert (changed.name, changed.custom_data, changed.licenses) == ("Hall", {"floor": 2}, ("basic",))
    assert cloud.requests[-1].json == {
        "accountname": ACCOUNT,
        "resourceidentifier": {"imei": known.imei},
        "device": {"name": "Hall", "customdata": {"floor": 2}, "licenses": ["basic"]},
    }
    with pytest.raises(errors.NotFound):
        await devices.update(
            UpdateDeviceRequest(account_name=ACCOUNT, device=DeviceIdentifier(device_id="none"), change=change)
        )


async def test_settings_are_sent_in_both_forms(cloud: Simulator, session: Session) -> None:
    devices = session.sensor_insights.devices
    known = (await devices.list_page(DEVICES)).items[0]
    scan = DeviceConfigurationRequest(
        account_name=ACCOUNT, device=DeviceIdentifier(device_id=known.id), configuration=BleScan(min_sig_str=-90)
    )
    (result,) = await devices.set_configuration(scan)
    assert (result.device_id, result.state) == (known.id, "pending")
    assert cloud.requests[-1].json["configuration"] == {"deviceConfig": {"ble": {"minSigStr": -90}}}
    tilt = TiltConfigurationRequest(
        account_name=ACCOUNT, device=known.id, configuration=TiltConfiguration(angle_away=5, hold_time=30)
    )
    (result,) = await devices.set_configuration(tilt)
    assert result.fields == {"RbsHighPrecisionTiltConfig": {"angle-away": 5, "hold-time": 30}}
    assert "accountName" in cloud.requests[-1].json


async def test_the_last_report_of_a_device_has_its_readings(session: Session) -> None:
    known = (await session.sensor_insights.devices.list_page(DEVICES)).items[0]
    last = await session.sensor_insights.devices.last_reported(
        LastReportedRequest(account_name=ACCOUNT, device=DeviceIdentifier(device_id=known.id))
    )
    assert last.event is not None
    assert last.event.device_id == known.id
    assert last.event.fields is not None
    assert float(last.event.fields["temperature"]) > 0


# Profiles, rules, alerts, health


async def test_a_profile_is_created_found_changed_and_deleted(cloud: Simulator, session: Session) -> None:
    profiles = session.sensor_insights.profiles
    new = [NewProfile(name=f"P{model}", model_id=model, configuration={"period": 60}) for model in ("a", "b")]
    made = await profiles.create(CreateProfilesRequest(account_name=ACCOUNT, profiles=new))
    assert [one.id for one in await profiles.list()] == [one.id for one in made]
    (found,) = await profiles.list(model_id="b")
    assert (found.name, found.configuration) == ("Pb", {"period": 60})
    assert cloud.requests[-1].json == {"filter": {"$selection": {"modelid": "b"}}}
    change = UpdateProfileRequest(account_name=ACCOUNT, profile_id=found.id, change=ProfileChange(name="New"))
    (changed,) = await profiles.update(change)
    assert (changed.name, changed.model_id, changed.version_id) == ("New", "b", "2")
    await profiles.delete(ACCOUNT, found.id)
    sent = cloud.requests[-1]
    assert sent.json == json.loads(sent.headers["deleterequest"])
    assert sent.json == {"accountName": ACCOUNT, "resourceidentifier": {"id": found.id}}
    with pytest.raises(errors.NotFound):
        await profiles.delete(ACCOUNT, found.id)
    assert len(await profiles.list()) == 1


async def test_a_name_that_is_not_ascii_fits_the_header_of_a_deletion(cloud: Simulator, session: Session) -> None:
    with pytest.raises(errors.NotFound):
        await session.sensor_insights.profiles.delete(ACCOUNT, "Zürich 😀")
    sent = cloud.requests[-1]
    assert json.loads(sent.headers["deleterequest"]) == sent.json


async def test_a_deletion_without_an_answer_has_no_profiles(cloud: Simulator, session: Session) -> None:
    cloud.faults.add("sensor_insights.profiles.delete", Status(200, b""))
    assert await session.sensor_insights.profiles.delete(ACCOUNT, "p") == ()


async def test_a_rule_is_replaced_as_a_whole(session: Session) -> None:
    rules = session.sensor_insights.rules
    (known, *_) = [rule async for rule in rules.list(RESOURCES)]
    assert known.device_id is not None
    rule = RuleDefinition(rule_chain={"if": "hot"}, name="Heat")
    replaced = await rules.replace(ReplaceRuleRequest(account_name=ACCOUNT, rule_id=known.id, rule=rule))
    assert (replaced.id, replaced.name, replaced.rule_chain) == (known.id, "Heat", {"if": "hot"})
    assert replaced.device_id is None
    query = ResourceQuery(account_name=ACCOUNT, resource=known.id)
    assert [one.name async for one in rules.list(query)] == ["Heat"]


async def test_alerts_are_counted_acknowledged_and_renamed(cloud: Simulator, session: Session) -> None:
    alerts = session.sensor_insights.smart_alerts
    known = [alert async for alert in alerts.list(RESOURCES)]
    metrics = await alerts.metrics(days=2)
    assert (metrics.total, metrics.no_alert) == (3, 9)
    assert (await alerts.metrics(days=1)).total == 3
    cloud.clock.advance(timedelta(days=1))
    metrics = await alerts.metrics(days=1)
    assert metrics.total == 0
    assert sum((metrics.delta_critical or 0, metrics.delta_major or 0, metrics.delta_minor or 0)) == -3
    change = UpdateAlertRequest(account_name=ACCOUNT, alert_id=known[0].id, change=AlertChange(is_acknowledged=True))
    assert (await alerts.update(change)).is_acknowledged
    both = UpdateAlertsRequest(account_name=ACCOUNT, alerts=[known[1], AlertReference(id=known[2].id)], name="Old")
    assert [one.name for one in await alerts.update_many(both)] == ["Old"]
    assert [one.name async for one in alerts.list(RESOURCES)] == [known[0].name, "Old", "Old"]


async def test_a_list_of_changed_alerts_is_read_too(cloud: Simulator, session: Session) -> None:
    cloud.faults.add("sensor_insights.smart_alerts.update_many", Status(200, [{"id": "1"}, {"id": "2"}]))
    request = UpdateAlertsRequest(account_name=ACCOUNT, alerts=[AlertReference(id="1")], name="Old")
    assert [one.id for one in await session.sensor_insights.smart_alerts.update_many(request)] == ["1", "2"]


async def test_health_is_read_without_a_body(cloud: Simulator, session: Session) -> None:
    network, summary = await session.sensor_insights.health.network(), await session.sensor_insights.health.summary()
    assert cloud.requests[-1].body == b""
    assert network.network_summary[0].metric_type == "signal"
    assert network.overall_summary[0] == summary.overall_summary[0]


# Users and groups


async def test_a_group_is_created_changed_and_deleted_with_its_users(cloud: Simulator, session: Session) -> None:
    groups = session.sensor_insights.notification_groups
    made, (first, second) = await group_with(session, "a@example.com", "b@example.com")
    assert [user.email for user in made.users] == ["a@example.com", "b@example.com"]
    await groups.remove_users(GroupUsersRequest(account_name=ACCOUNT, id=made.id, user_ids=[first.id]))
    change = UpdateNotificationGroupRequest(
        account_name=ACCOUNT, id=made.id, group=GroupDetails(description="At night")
    )
    changed = await groups.update(change)
    assert (changed.name, changed.description, len(changed.users)) == ("Ops", "At night", 1)
    await groups.add_users(GroupUsersRequest(account_name=ACCOUNT, id=made.id, user_ids=[first, second]))
    (listed,) = [group async for group in groups.list(QUERY)]
    assert len(listed.users) == 2
    with pytest.raises(errors.BadRequest):
        await groups.delete(ACCOUNT, made.id)
    await groups.delete(ACCOUNT, made.id, force=True)
    sent = cloud.requests[-1]
    assert sent.json == json.loads(sent.query["payload"]) == {"accountname": ACCOUNT, "id": made.id, "force": True}
    assert [group async for group in groups.list(QUERY)] == []


async def test_users_replace_those_of_a_group(session: Session) -> None:
    made, (first, _) = await group_with(session, "a@example.com", "b@example.com")
    change = UpdateNotificationGroupRequest(
        account_name=ACCOUNT, id=made.id, group=GroupDetails(name="Few"), user_ids=[first]
    )
    changed = await session.sensor_insights.notification_groups.update(change)
    assert [user.email for user in changed.users] == ["a@example.com"]


async def test_a_user_is_changed_and_deleted(cloud: Simulator, session: Session) -> None:
    users = session.sensor_insights.users
    _, (user,) = await group_with(session, "a@example.com")
    change = UpdateUserRequest(account_name=ACCOUNT, id=user.id, user=UserDetails(first_name="Ada"))
    changed = await users.update(change)
    assert (changed.first_name, changed.email) == ("Ada", "a@example.com")
    await users.delete(ACCOUNT, user.id)
    sent = cloud.requests[-1]
    assert sent.json == json.loads(sent.query["deleterequestpayload"]) == {"accountname": ACCOUNT, "id": user.id}
    assert [one async for one in users.list(QUERY)] == []
    (group,) = [one async for one in session.sensor_insights.notification_groups.list(QUERY)]
    assert group.users == ()


# Errors


async def test_an_expired_session_is_renewed(cloud: Simulator, session: Session) -> None:
    cloud.expire_sessions()
    assert (await session.sensor_insights.health.summary()).overall_summary


async def test_an_unknown_account_is_refused(session: Session) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        await session.sensor_insights.devices.list_page(DeviceQuery(account_name="0000000000-00009"))
    assert caught.value.code == "bad_request"


@pytest.mark.parametrize(
    "wrong",
    [
        {"dev_eui": "70B3D57ED000000"},
        {"dev_eui": "70B3D57ED00000012"},
        {"dev_eui": "70B3D57ED000000G"},
        {"dev_eui": "70-B3-D5-7E-D0-00-00-01"},
        {"dev_eui": None},
        {"app_eui": ""},
        {"app_key": "0123456789ABCDEF"},
        {"app_key": "0123456789ABCDEF" * 2 + "0"},
        {"app_key": "0123456789ABCDEG" * 2},
        {"app_key": Secret("0123456789ABCDEG" * 2)},
        {"app_key": ""},
        {"app_key": None},
        {"device_class": ""},
    ],
)
def test_a_key_of_the_wrong_length_is_refused_and_not_shown(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(errors.InvalidRequest, match=f"NewSensor: {name} ") as caught:
        sensor_with(**wrong)
    assert "0123456789ABC" not in str(caught.value)


def test_a_key_is_not_shown() -> None:
    request = OnboardSensorRequest(account_name=ACCOUNT, sensor=sensor_with())
    assert "0123456789ABCDEF" not in f"{request!r}{request.to_json()}"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (DeviceIdentifier, "give device_id"),
        (lambda: DeviceIdentifier(imei="12a"), "imei must be an int"),
        (DeviceChange, "give name"),
        (ProfileChange, "give name"),
        (AlertChange, "give is_acknowledged"),
        (UserDetails, "give email"),
        (GroupDetails, "give name"),
        (BleScan, "give data_mode"),
        (TiltConfiguration, "give mode"),
        (lambda: CreateUserRequest(account_name=ACCOUNT, user=UserDetails(first_name="Ada")), "needs an email or"),
        (
            lambda: CreateNotificationGroupRequest(account_name=ACCOUNT, group=GroupDetails(description="x")),
            "group needs a name",
        ),
        (lambda: CreateProfilesRequest(account_name=ACCOUNT, profiles=[]), "profiles must hold 1"),
        (lambda: GroupUsersRequest(account_name=ACCOUNT, id="1", user_ids="user"), "user_ids must be a tuple"),
        (
            lambda: UpdateAlertsRequest(account_name=ACCOUNT, alerts="1", name="x"),  # type: ignore[arg-type]  # wrong on purpose
            "alerts must be a tuple",
        ),
        (lambda: OffboardSensorRequest(account_name=ACCOUNT, sensor="1"), "OffboardSensorRequest: sensor must be 16"),
        (
            lambda: OnboardingStatusRequest(account_name=ACCOUNT, gateway="1", sensor="1"),
            "OnboardingStatusRequest: sensor must be 16",
        ),
        (lambda: ResourceQuery(account_name=ACCOUNT, resource=""), "ResourceQuery: resource must not be empty"),
        (
            lambda: ResourceQuery(account_name=ACCOUNT, resource=5),  # type: ignore[arg-type]  # wrong on purpose
            "ResourceQuery: resource must be a str, not int",
        ),
        (lambda: InsightsFilter(page="1", page_number=1), "either page or page_number"),
        (lambda: InsightsFilter(no_pagination=True, limit_number=1), "either no_pagination or limit_number"),
        (lambda: InsightsFilter(limit_number=0), "limit_number must be 1"),
        (lambda: InsightsFilter(selection={}), "selection must not be empty"),
        (lambda: InsightsFilter(selection={"": 1}), "selection must have printable strings"),
        (
            lambda: InsightsFilter(selection=[1]),  # type: ignore[arg-type]
            "selection must be a dict",
        ),
        (lambda: InsightsFilter(projection="name"), "projection must be a tuple"),
        (lambda: RuleDefinition(rule_chain={}), "rule_chain must not be empty"),
    ],
)
def test_a_request_that_means_nothing_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        make()


async def test_values_that_are_no_json_are_refused(session: Session) -> None:
    query = DeviceQuery(account_name=ACCOUNT, filter=InsightsFilter(selection={"at": object()}))
    with pytest.raises(errors.InvalidRequest, match="cannot be written as JSON"):
        await session.sensor_insights.devices.list_page(query)


@pytest.mark.parametrize("value", [18.4, "18.4", [49, 56], {"value": True}, None])
async def test_a_report_may_have_any_value(cloud: Simulator, session: Session, value: object) -> None:
    """The SDKs have a list of numbers, which is how some generators describe any JSON."""
    cloud.faults.add("sensor_insights.devices.last_reported", Status(200, {"event": {"fieldvalue": value}}))
    request = LastReportedRequest(account_name=ACCOUNT, device=DeviceIdentifier(device_id="1"))
    last = await session.sensor_insights.devices.last_reported(request)
    assert last.event is not None
    assert last.event.field_value == value


@pytest.mark.parametrize("days", ["90", 90])
async def test_the_days_that_events_are_kept_may_be_a_string(cloud: Simulator, session: Session, days: object) -> None:
    """In Cloud Connector, which has the same devices, the platform's page shows a string."""
    cloud.faults.add("sensor_insights.gateways.list", Status(200, [{"id": "1", "eventretention": days}]))
    page = await session.sensor_insights.gateways.list_page(DeviceQuery(account_name=ACCOUNT))
    assert page.items[0].event_retention == days
