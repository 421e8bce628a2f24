"""ThingSpace Intelligence: questions under the platform's names, and answers that arrive later as typed messages."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from thingspace_async import Accepted, DeviceId, DeviceIds, Session, errors
from thingspace_async._core import codec
from thingspace_async.callbacks import Outcomes
from thingspace_async.callbacks.messages import (
    ConnectionPlan,
    DeviceExperience,
    DeviceExperienceHistory,
    IntelligenceMessage,
    NetworkConditions,
    SitePerformance,
    SiteProximity,
    WirelessCoverage,
)
from thingspace_async.intelligence import (
    AnomalyRequest,
    AnomalySettings,
    ConnectionPlanRequest,
    ConnectionPlanStatusRequest,
    Coordinates,
    CoverageLocations,
    DeviceExperienceHistoryRequest,
    DeviceExperienceRequest,
    LocationType,
    NetworkConditionsRequest,
    NetworkType,
    PlannedDevice,
    ScoredDevice,
    Sensitivity,
    ServiceAddress,
    SitePerformanceRequest,
    SiteProximityRequest,
    WirelessCoverageRequest,
)
from thingspace_async.simulator import Assumptions, Simulator

ACCOUNT = "0000123456-00001"
PATH = "/api/m2m/v1/intelligence"
NEW_YORK = Coordinates(latitude=40.7128, longitude=-74.006)
OFFICE = ServiceAddress(address_line1="1 Main St", city="Basking Ridge", state="NJ", country="USA", zip="07920")
ICCID = DeviceId.iccid("89148000004292933820")
SHARP = Sensitivity(
    enable_abnormal=True, abnormal_max_value=1.1, enable_very_abnormal=True, very_abnormal_max_value=0.55
)
CONDITIONS = NetworkConditionsRequest(account_name=ACCOUNT, coordinates=NEW_YORK)


@pytest.fixture
def cloud(thingspace_simulator: Simulator) -> Simulator:
    """Results arrive at once."""
    thingspace_simulator.assumptions = Assumptions(request_time=timedelta())
    return thingspace_simulator


# The workflow


async def test_anomaly_detection_is_activated_read_and_reset_and_questions_are_answered(
    cloud: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    room = thingspace_session.intelligence
    assert not (await room.anomaly.settings(ACCOUNT)).is_active
    own = Sensitivity(enable_abnormal=True, abnormal_max_value=3, enable_very_abnormal=False)
    assert (await room.anomaly.activate(AnomalyRequest(account_name=ACCOUNT, sensitivity=own))).status == "Success"
    found = await room.anomaly.settings(ACCOUNT)
    assert (found.is_active, found.account_name) == (True, "Success")
    assert found.sensitivity is not None
    assert (found.sensitivity.abnormal_max_value, found.sensitivity.enable_very_abnormal) == (3, False)
    await room.anomaly.reset(ACCOUNT)
    found = await room.anomaly.settings(ACCOUNT)
    assert found.sensitivity is not None
    assert (found.sensitivity.abnormal_max_value, found.sensitivity.very_abnormal_max_value) == (1.1, 0.55)

    accepted = await room.network_conditions(CONDITIONS)
    conditions = await thingspace_outcomes.answer(accepted, NetworkConditions)
    assert conditions.coordinates is not None
    assert conditions.coordinates.latitude == NEW_YORK.latitude
    accepted = await room.site_proximity(SiteProximityRequest(account_name=ACCOUNT, coordinates=NEW_YORK))
    assert (await thingspace_outcomes.answer(accepted, SiteProximity)).details["sites"]
    device = cloud.devices[0]
    asked = DeviceExperienceHistoryRequest(account_name=ACCOUNT, device=DeviceId.imei(str(device.imei)))
    history = await thingspace_outcomes.answer(await room.device_experience_history(asked), DeviceExperienceHistory)
    assert history.identifier("imei") == device.imei
    assert len(history.scores) == 30


async def test_every_question_is_answered_by_a_message_of_its_own_class(
    cloud: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    room, device = thingspace_session.intelligence, DeviceId.imei(str(cloud.devices[0].imei))
    coverage = WirelessCoverageRequest(account_name=ACCOUNT, locations=[NEW_YORK], network_types=["LTE"])
    fixed = WirelessCoverageRequest(account_name=ACCOUNT, locations=[OFFICE], network_types=[NetworkType.C_BAND])
    performance = SitePerformanceRequest(account_name=ACCOUNT, locations=[NEW_YORK])
    scores = DeviceExperienceRequest(account_name=ACCOUNT, devices=[device])
    asked: list[tuple[type[IntelligenceMessage], Accepted]] = [
        (WirelessCoverage, await room.wireless_coverage(coverage)),
        (WirelessCoverage, await room.wireless_coverage(fixed)),
        (SitePerformance, await room.site_rf_performance(performance)),
        (DeviceExperience, await room.device_experience(scores)),
    ]
    for kind, accepted in asked:
        message = await thingspace_outcomes.answer(accepted, kind)
        assert type(message) is kind
        assert message.details
        assert accepted.devices == ()


async def test_a_question_without_a_listener_is_never_answered(
    cloud: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    await thingspace_session.callbacks.deregister(ACCOUNT, "IntelligenceService")
    accepted = await thingspace_session.intelligence.network_conditions(CONDITIONS)
    cloud.clock.advance(3600)
    with pytest.raises(errors.OutcomesMissing, match="check that a listener is registered"):
        await thingspace_outcomes.answer(accepted, timeout=timedelta(seconds=0.01))


async def test_a_device_that_cannot_be_scored_fails_with_a_reason(
    cloud: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    asked = DeviceExperienceHistoryRequest(account_name=ACCOUNT, device=ICCID)
    accepted = await thingspace_session.intelligence.device_experience_history(asked)
    with pytest.raises(errors.RequestFailed, match="The device could not be found") as caught:
        await thingspace_outcomes.answer(accepted, DeviceExperienceHistory)
    assert caught.value.received.message.fault.short_code == "REQUEST_FAILED.DeviceNotFound"
    assert cloud.count("intelligence.device_experience_history") == 1


async def test_a_question_outlives_the_program_that_asked(
    thingspace_simulator: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    accepted = await thingspace_session.intelligence.network_conditions(CONDITIONS)
    waiting = asyncio.create_task(thingspace_outcomes.answer(accepted))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    thingspace_simulator.clock.advance(61)
    later = Accepted(request_id=accepted.request_id)
    assert isinstance(await thingspace_outcomes.answer(later), NetworkConditions)


async def test_connections_are_planned_for_each_device(
    thingspace_simulator: Simulator, thingspace_session: Session, thingspace_outcomes: Outcomes
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.intelligence
    active = DeviceId.imei(next(str(device.imei) for device in cloud.devices if device.state == "active"))
    accepted = await room.plan_connections(ConnectionPlanRequest(account_name=ACCOUNT, devices=[active, ICCID]))
    asked = ConnectionPlanStatusRequest(account_name=ACCOUNT, request_id=accepted.request_id)
    status = await room.connection_plan_status(asked)
    assert (status.account_name, status.request_id) == (ACCOUNT, accepted.request_id)
    assert [(one.status, one.reason) for one in status.devices] == [("Pending", None)] * 2
    cloud.clock.advance(61)
    planned, failed = await thingspace_outcomes.all(accepted)
    assert isinstance(planned.message, ConnectionPlan)
    assert planned.message.details["windows"]
    assert failed.failed
    status = await room.connection_plan_status(asked)
    assert [(one.imei, one.status) for one in status.devices] == [(active.id, "Success"), (None, "Failed")]
    assert status.devices[1].reason == "The device could not be found."


# Requests under the platform's names


async def test_questions_have_the_platforms_names(cloud: Simulator, thingspace_session: Session) -> None:
    room, account = thingspace_session.intelligence, {"accountName": ACCOUNT}
    place = {"latitude": "40.7128", "longitude": "-74.006"}

    def sent() -> tuple[str, Any]:
        return cloud.requests[-1].path, cloud.requests[-1].json

    await room.network_conditions(CONDITIONS)
    assert sent() == (f"{PATH}/network-conditions", {**account, "locationType": "LONGLAT", "coordinates": place})
    sites = SiteProximityRequest(account_name=ACCOUNT, coordinates=NEW_YORK, technology_type="c-band")
    await room.site_proximity(sites)
    path = f"{PATH}/site-proximity/action/list"
    assert sent() == (
        path,
        {**account, "locationType": "LONGLAT", "technologyType": "C-BAND", "coordinates": place},
    )
    await room.wireless_coverage(
        WirelessCoverageRequest(account_name=ACCOUNT, locations=[NEW_YORK], network_types=["LTE", "5GNW"])
    )
    assert sent()[1] == {
        **account,
        "requestType": "NW",
        "locationType": "LONGLAT",
        "locations": {"coordinatesList": [place]},
        "networkTypesList": [{"networkType": "LTE"}, {"networkType": "5GNW"}],
    }
    await room.wireless_coverage(
        WirelessCoverageRequest(account_name=ACCOUNT, locations=[OFFICE], network_types=["LTE"])
    )
    address = {"addressLine1": "1 Main St", "city": "Basking Ridge", "state": "NJ", "country": "USA", "zip": "07920"}
    assert (sent()[1]["requestType"], sent()[1]["locationType"]) == ("FWA", "ADDRESS")
    assert sent()[1]["locations"] == {"addressList": [address]}
    await room.device_experience(DeviceExperienceRequest(account_name=ACCOUNT, devices=[ICCID]))
    assert sent()[1] == {**account, "deviceList": [{"id": ICCID.id, "kind": "iccid"}]}
    await room.anomaly.activate(AnomalyRequest(account_name=ACCOUNT, sensitivity=SHARP))
    sensitivity = {
        "abnormalMaxValue": 1.1,
        "enableAbnormal": True,
        "enableVeryAbnormal": True,
        "veryAbnormalMaxValue": 0.55,
    }
    assert sent()[1] == {**account, "requestType": "anomaly", "sensitivityParameter": sensitivity}
    await room.anomaly.reset(ACCOUNT)
    assert (cloud.requests[-1].method, cloud.requests[-1].body) == ("PUT", b"")


async def test_the_planner_has_another_path_and_another_name_for_the_account(
    cloud: Simulator, thingspace_session: Session
) -> None:
    request = ConnectionPlanRequest(account_name=ACCOUNT, devices=[ICCID])
    accepted = await thingspace_session.intelligence.plan_connections(request)
    assert cloud.requests[-1].path == "/api/v1/intelligence/device/connection-planner"
    listed = [{"deviceIds": [{"id": ICCID.id, "kind": "iccid"}]}]
    assert cloud.requests[-1].json == {"accountNumber": ACCOUNT, "devices": listed}
    assert [one.iccid for one in accepted.devices] == [ICCID.id]


# Values that are converted


class Measured(float):
    """A float with a repr of its own, like those of NumPy."""

    def __repr__(self) -> str:
        return f"Measured({float(self)})"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (40, "40"),
        (-74.006, "-74.006"),
        (1e-7, "0.0000001"),
        ("+33.5", "+33.5"),
        (Measured(1.5), "1.5"),
        (0, "0"),
        (-90, "-90"),
    ],
)
def test_degrees_are_sent_as_decimal_strings(given: Any, sent: str) -> None:
    assert Coordinates(latitude=given, longitude=0).latitude == sent


@pytest.mark.parametrize(
    "given", [90.1, -91, "north", "1e1", "1.2.3", "", " 40", "40°", float("nan"), float("inf"), True, None, "٤٠"]
)
def test_a_latitude_is_a_number_of_degrees_up_to_90(given: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"^Coordinates: latitude must"):
        Coordinates(latitude=given, longitude=0)
    with pytest.raises(errors.InvalidRequest, match="longitude must be decimal degrees from -180 to 180"):
        Coordinates(latitude=0, longitude=180.5)


def test_a_device_of_an_answer_is_named_by_an_identifier_that_the_platform_scores() -> None:
    device = DeviceIds(device_ids=(DeviceId.mdn("5125550123"), DeviceId.meid("A0000012345678"), ICCID))
    asked = DeviceExperienceRequest(account_name=ACCOUNT, devices=[device, DeviceId(id="5125550123", kind="MDN")])
    assert [(one.kind, one.id) for one in asked.devices] == [("iccid", ICCID.id), ("MDN", "5125550123")]


def test_a_device_to_plan_for_is_named_by_its_best_identifier() -> None:
    device = DeviceIds(device_ids=(DeviceId.mdn("5125550123"), ICCID))
    whole = PlannedDevice(device_ids=[ICCID], activation_code="1$abc")
    asked = ConnectionPlanRequest(account_name=ACCOUNT, devices=[device, whole])
    assert [one.device_ids for one in asked.devices] == [(ICCID,), (ICCID,)]
    assert asked.devices[1] is whole
    assert "1$abc" not in repr(asked)


# Invalid requests


@pytest.mark.parametrize(
    ("kind", "identifier", "said"),
    [
        ("meid", "12345678901234", "kind must be one of iccid, eid, imei, mdn"),
        ("imei", "12345678901", "has the imei 12345678901, which must be 14 to 16 digits"),
        ("iccid", "8914800000429293382A", "id must have digits only, 10 or more"),
    ],
)
def test_the_identifier_of_a_scored_device_is_checked(kind: str, identifier: str, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=f"^ScoredDevice: {said}"):
        ScoredDevice(id=identifier, kind=kind)


def test_a_device_without_an_identifier_that_can_be_scored_is_refused() -> None:
    device = DeviceIds(device_ids=(DeviceId.meid("A0000012345678"),))
    with pytest.raises(errors.InvalidRequest, match="device must be a ScoredDevice, not DeviceIds"):
        DeviceExperienceHistoryRequest(account_name=ACCOUNT, device=device)
    with pytest.raises(errors.InvalidRequest, match="devices must hold ScoredDevice only, not DeviceIds"):
        DeviceExperienceRequest(account_name=ACCOUNT, devices=[device])


def test_no_more_than_100_devices_or_places_are_asked_for() -> None:
    with pytest.raises(errors.InvalidRequest, match="devices may hold 100 ScoredDevice, not 101"):
        DeviceExperienceRequest(account_name=ACCOUNT, devices=[ICCID] * 101)
    with pytest.raises(errors.InvalidRequest, match="coordinates may hold 100 Coordinates, not 101"):
        SitePerformanceRequest(account_name=ACCOUNT, locations=[NEW_YORK] * 101)
    for place, field in ((NEW_YORK, "coordinates"), (OFFICE, "addresses")):
        many: Any = [place] * 101
        with pytest.raises(errors.InvalidRequest, match=f"CoverageLocations: {field} may hold 100"):
            WirelessCoverageRequest(account_name=ACCOUNT, locations=many, network_types=["LTE"])


@pytest.mark.parametrize("locations", [[NEW_YORK, OFFICE], [], [5], "New York", None, NEW_YORK])
def test_places_of_two_kinds_or_of_none_are_refused(locations: Any) -> None:
    said = "WirelessCoverageRequest: locations must be a list of Coordinates, or a list of ServiceAddress"
    with pytest.raises(errors.InvalidRequest, match=said):
        WirelessCoverageRequest(account_name=ACCOUNT, locations=locations, network_types=["LTE"])


def test_wrapped_places_are_of_one_kind_too() -> None:
    with pytest.raises(errors.InvalidRequest, match="give coordinates or addresses"):
        CoverageLocations()
    with pytest.raises(errors.InvalidRequest, match="give either coordinates or addresses, not both"):
        CoverageLocations(coordinates=[NEW_YORK], addresses=[OFFICE])
    given = CoverageLocations(addresses=[OFFICE])
    request = WirelessCoverageRequest(account_name=ACCOUNT, locations=given, network_types=["LTE"])
    assert request.location_type is LocationType.ADDRESS


@pytest.mark.parametrize("networks", [[], [""], [None], "LTE", ["x'"]])
def test_types_of_networks_are_a_list_of_names(networks: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="WirelessCoverageRequest: network_types must"):
        WirelessCoverageRequest(account_name=ACCOUNT, locations=[NEW_YORK], network_types=networks)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("zip", "0792", "zip must have 5 digits"),
        ("zip", "0792O", "zip must have 5 digits"),
        ("zip4", "12345", "zip4 must have 4 digits"),
        ("state", "New Jersey", "state"),
    ],
)
def test_an_address_is_checked(field: str, value: str, said: str) -> None:
    fields = {"address_line1": "1 Main St", "city": "Basking Ridge", "state": "NJ", "country": "USA", "zip": "07920"}
    with pytest.raises(errors.InvalidRequest, match=f"^ServiceAddress: {said}"):
        ServiceAddress(**fields | {field: value})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"abnormal_max_value": None}, "enable_abnormal needs abnormal_max_value, too"),
        ({"very_abnormal_max_value": None}, "enable_very_abnormal needs very_abnormal_max_value, too"),
        ({"abnormal_max_value": -1}, "abnormal_max_value must be zero or more"),
        ({"abnormal_max_value": float("nan")}, "abnormal_max_value must be zero or more"),
        ({"abnormal_max_value": "1.1"}, "abnormal_max_value must be a number, not str"),
        ({"abnormal_max_value": True}, "abnormal_max_value must be a number, not bool"),
    ],
    ids=str,
)
def test_thresholds_are_numbers_and_given_where_they_are_needed(changes: dict[str, Any], said: str) -> None:
    fields: dict[str, Any] = {
        "enable_abnormal": True,
        "abnormal_max_value": 1.1,
        "enable_very_abnormal": True,
        "very_abnormal_max_value": 0.55,
    }
    with pytest.raises(errors.InvalidRequest, match=f"^Sensitivity: {said}"):
        Sensitivity(**fields | changes)


def test_a_plan_needs_devices_or_a_filter_and_its_status_a_request_or_devices() -> None:
    with pytest.raises(errors.InvalidRequest, match="ConnectionPlanRequest: give devices or filter"):
        ConnectionPlanRequest(account_name=ACCOUNT)
    with pytest.raises(errors.InvalidRequest, match="ConnectionPlanStatusRequest: give request_id or devices"):
        ConnectionPlanStatusRequest(account_name=ACCOUNT)
    with pytest.raises(errors.InvalidRequest, match="devices must be a tuple of PlannedDevice, not DeviceIds"):
        ConnectionPlanRequest(account_name=ACCOUNT, devices=DeviceIds(device_ids=(ICCID,)))  # type: ignore[arg-type]


# Answers in other forms


@pytest.mark.parametrize("wrapped", [True, False])
def test_settings_are_read_as_on_the_page_too(*, wrapped: bool) -> None:
    thresholds = {"abnormalMaxValue": "1.1", "enableAbnormal": True, "veryAbnormalMaxValue": "high"}
    listed: Any = [thresholds] if wrapped else thresholds
    body = {"accountName": "Success", "sensitivityParameter": listed, "status": "Active"}
    found = codec.load(orjson.dumps(body), AnomalySettings)
    assert found.sensitivity is not None
    assert (found.sensitivity.abnormal_max_value, found.sensitivity.very_abnormal_max_value) == (1.1, None)


@pytest.mark.parametrize(("listed", "readable"), [([], True), ([{}, {}], False), (7, False)])
def test_settings_in_an_unknown_form_are_unreadable(listed: Any, *, readable: bool) -> None:
    body = orjson.dumps({"sensitivityParameter": listed})
    if readable:
        assert codec.load(body, AnomalySettings).sensitivity is None
    else:
        with pytest.raises(codec.Mismatch):
            codec.load(body, AnomalySettings)
