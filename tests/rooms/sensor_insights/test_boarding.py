"""Onboarding of a sensor until it is listed: nothing is onboarded twice, and every failure has a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from thingspace_async import Session, errors
from thingspace_async.sensor_insights import (
    BoardingEvent,
    DeviceQuery,
    InsightsDevice,
    NewSensor,
    OffboardingStatusRequest,
    OffboardSensorRequest,
    OnboardingStatusRequest,
    OnboardSensorRequest,
)
from thingspace_async.simulator import Simulator, Status
from thingspace_async.simulator.faults import Fault, Reset
from thingspace_async.simulator.rooms.sensor_insights import SensorInsights

ACCOUNT = "0000123456-00001"
EUI, KEY, BAD_KEY = "70B3D57ED0000001", "00112233445566778899AABBCCDDEEFF", "0" * 32
SOON = timedelta(milliseconds=2)
ONBOARD, STATUS, LIST = (f"sensor_insights.sensors.{name}" for name in ("onboard", "onboarding_status", "list"))
A_MINUTE = timedelta(seconds=61)


def request_with(key: str = KEY) -> OnboardSensorRequest:
    sensor = NewSensor(
        dev_eui=EUI, app_eui="70B3D57ED0000000", app_key=key, device_class="A", kind="t", name="Door", description="x"
    )
    return OnboardSensorRequest(account_name=ACCOUNT, sensor=sensor)


@pytest.fixture
async def gateway(session: Session) -> str:
    return (await session.sensor_insights.gateways.list_page(DeviceQuery(account_name=ACCOUNT))).items[0].id


async def board(session: Session, gateway: str, *, key: str = KEY, seconds: float = 10) -> InsightsDevice:
    return await session.sensor_insights.sensors.boarded(
        request_with(key), gateway=gateway, timeout=timedelta(seconds=seconds), interval=SOON, longest_interval=SOON
    )


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_true():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def passing(cloud: Simulator) -> AsyncIterator[None]:
    """Let a minute pass once an onboarding is running and has been looked at."""
    onboarding = cloud.platform.room(SensorInsights).account(ACCOUNT).onboarding

    async def tick() -> None:
        await until(lambda: EUI in onboarding and onboarding[EUI].running and cloud.count(STATUS) > 2)
        cloud.clock.advance(A_MINUTE)

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_sensor_is_onboarded_and_returned_once_it_is_listed(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    async with passing(cloud):
        sensor = await board(session, gateway)
    assert (sensor.name, sensor.description, sensor.parent_device_id) == ("Door", "x", gateway)
    assert cloud.count(ONBOARD) == 1
    sent = next(one for one in cloud.requests if one.operation == ONBOARD)
    assert sent.json == {
        "accountname": ACCOUNT,
        "payload": {
            "addsensor": {
                "deveui": EUI,
                "appeui": "70B3D57ED0000000",
                "appkey": KEY,
                "class": "A",
                "kind": "t",
                "name": "Door",
                "description": "x",
            }
        },
    }


async def test_an_onboarded_sensor_is_not_onboarded_again(cloud: Simulator, session: Session, gateway: str) -> None:
    async with passing(cloud):
        first = await board(session, gateway)
    assert (await board(session, gateway)).id == first.id
    assert cloud.count(ONBOARD) == 1


async def test_other_sensors_are_not_taken_for_the_one_to_onboard(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    """The platform may ignore the EUI of the query, and its answer has no EUI."""
    cloud.faults.add(LIST, Status(200, [{"id": "1"}, {"id": "2"}]))
    with pytest.raises(errors.AnswerUnreadable, match="2 sensors, although the request names one"):
        await board(session, gateway)
    assert cloud.count(ONBOARD) == 0


async def test_a_restart_continues_an_onboarding(cloud: Simulator, session: Session, gateway: str) -> None:
    task = asyncio.create_task(board(session, gateway))
    await until(lambda: cloud.count(STATUS) > 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with passing(cloud):
        assert (await board(session, gateway)).name == "Door"
    assert cloud.count(ONBOARD) == 1


async def test_two_processes_onboard_a_sensor_once(cloud: Simulator, session: Session, gateway: str) -> None:
    async with passing(cloud), asyncio.TaskGroup() as group:
        tasks = [group.create_task(board(session, gateway)) for _ in range(2)]
    assert len({task.result().id for task in tasks}) == 1
    accepted = [one for one in cloud.requests if one.operation == ONBOARD and one.status == 200]
    assert len(accepted) == 1


async def test_a_failure_has_its_event_and_a_later_try_is_not_mistaken_for_it(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    async with passing(cloud):
        with pytest.raises(errors.SensorNotOnboarded, match="did not join") as caught:
            await board(session, gateway, key=BAD_KEY)
    event: BoardingEvent = caught.value.event
    assert (event.state, event.failed, event.succeeded) == ("failed", True, False)
    before = cloud.count(STATUS)
    task = asyncio.create_task(board(session, gateway))
    await until(lambda: cloud.count(STATUS) > before + 2)
    assert not task.done()
    cloud.clock.advance(A_MINUTE)
    assert (await task).name == "Door"
    assert cloud.count(ONBOARD) == 2


async def test_a_reason_without_the_key_is_shown(cloud: Simulator, session: Session, gateway: str) -> None:
    cloud.faults.add(STATUS, Status(404, {"error": "not_found"}))
    told = {"events": [{"state": "failed", "errmsg": f"no join with the key {KEY}"}]}
    cloud.faults.add(STATUS, Status(200, told), times=None, after=1)
    with pytest.raises(errors.SensorNotOnboarded, match="no join") as caught:
        await board(session, gateway)
    assert KEY not in f"{caught.value}{caught.value.event!r}{caught.value.__dict__}"


@pytest.mark.parametrize("fault", [Reset(processed=True), Status(500, processed=True)])
async def test_a_lost_answer_is_looked_for_and_the_request_is_not_sent_again(
    cloud: Simulator, session: Session, gateway: str, fault: Fault
) -> None:
    cloud.faults.add(ONBOARD, fault)
    async with passing(cloud):
        assert (await board(session, gateway)).name == "Door"
    assert cloud.count(ONBOARD) == 1


async def test_a_lost_request_is_an_unknown_outcome(cloud: Simulator, session: Session, gateway: str) -> None:
    cloud.faults.add(ONBOARD, Reset(processed=False))
    with pytest.raises(errors.AnswerLost):
        await board(session, gateway, seconds=0.1)
    assert cloud.count(ONBOARD) == 1


async def test_an_outage_before_and_during_the_onboarding_does_not_end_it(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    for operation in (STATUS, LIST):
        cloud.faults.add(operation, Status(503, b""), times=3)
        cloud.faults.add(operation, Status(503, b""), times=3, after=2)
    cloud.faults.add(ONBOARD, Status.too_many_requests(), times=2)
    async with passing(cloud):
        assert (await board(session, gateway)).name == "Door"
    assert [one.status for one in cloud.requests if one.operation == ONBOARD] == [429, 429, 200]


async def test_the_last_error_is_raised_if_the_platform_stays_away(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    cloud.faults.add(STATUS, Status(503, b""), times=None)
    with pytest.raises(errors.ServerFault):
        await board(session, gateway, seconds=0.1)
    assert cloud.count(ONBOARD) == 0


async def test_a_sensor_that_takes_too_long_is_pending_and_can_be_waited_for_again(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    with pytest.raises(errors.RequestPending, match=f"{EUI} was not onboarded after 0.1 s"):
        await board(session, gateway, seconds=0.1)
    async with passing(cloud):
        assert (await board(session, gateway)).name == "Door"
    assert cloud.count(ONBOARD) == 1


async def test_an_outage_that_lasts_is_the_cause_of_the_pending_sensor(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    cloud.faults.add(STATUS, Status(503, b""), times=None, after=2)
    with pytest.raises(errors.RequestPending) as caught:
        await board(session, gateway, seconds=0.1)
    assert isinstance(caught.value.__cause__, errors.ServerFault)


async def test_a_refusal_that_no_other_process_explains_is_raised(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    cloud.faults.add(ONBOARD, Status(400, {"error": "bad_request", "cause": f"the class of {KEY}"}))
    with pytest.raises(errors.BadRequest, match="the class of") as caught:
        await board(session, gateway)
    assert KEY not in str(caught.value)
    assert cloud.count(ONBOARD) == 1


async def test_an_offboarded_sensor_is_onboarded_again(cloud: Simulator, session: Session, gateway: str) -> None:
    sensors = session.sensor_insights.sensors
    async with passing(cloud):
        await board(session, gateway)
    await sensors.offboard(OffboardSensorRequest(account_name=ACCOUNT, sensor=EUI))
    wanted = OffboardingStatusRequest(account_name=ACCOUNT, gateway=gateway, sensor=EUI)
    assert (await sensors.offboarding_status(wanted)).is_still_registered
    cloud.clock.advance(A_MINUTE)
    status = await sensors.offboarding_status(wanted)
    assert (status.is_still_registered, [one.state for one in status.events]) == (False, ["pending", "deregistered"])
    before = cloud.count(STATUS)
    task = asyncio.create_task(board(session, gateway))
    await until(lambda: cloud.count(STATUS) > before + 1)
    cloud.clock.advance(A_MINUTE)
    assert (await task).name == "Door"
    assert cloud.count(ONBOARD) == 2


async def test_a_registered_sensor_that_is_not_listed_yet_is_waited_for(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    async with passing(cloud):
        await board(session, gateway)
    cloud.faults.add(LIST, Status(200, []), times=3)
    cloud.faults.add(LIST, Status(404, {"error": "not_found"}), after=3)
    assert (await board(session, gateway)).name == "Door"
    assert cloud.count(ONBOARD) == 1


async def test_the_latest_event_counts_however_the_platform_sorts_them(
    cloud: Simulator, session: Session, gateway: str
) -> None:
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    later, earlier = noon.isoformat(), (noon - timedelta(hours=1)).isoformat()
    told = [{"state": "pending", "createdon": later}, {"state": "failed", "createdon": earlier}]
    cloud.faults.add(STATUS, Status(200, {"events": told}), times=None)
    with pytest.raises(errors.RequestPending):
        await board(session, gateway, seconds=0.1)
    assert cloud.count(ONBOARD) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"gateway": ""},
        {"gateway": None},
        {"timeout": timedelta()},
        {"timeout": 5},
        {"interval": timedelta(seconds=-1)},
        {"longest_interval": timedelta()},
    ],
)
async def test_wrong_arguments_are_refused_before_anything_is_sent(
    cloud: Simulator, session: Session, gateway: str, wrong: dict[str, Any]
) -> None:
    before = len(cloud.requests)
    with pytest.raises(errors.InvalidRequest):
        await session.sensor_insights.sensors.boarded(request_with(), **{"gateway": gateway, **wrong})
    with pytest.raises(errors.InvalidRequest, match="OnboardSensorRequest"):
        await session.sensor_insights.sensors.boarded({"deveui": EUI}, gateway=gateway)  # type: ignore[arg-type]  # wrong on purpose
    assert len(cloud.requests) == before


async def test_an_onboarding_has_its_steps(cloud: Simulator, session: Session, gateway: str) -> None:
    sensors = session.sensor_insights.sensors
    wanted = OnboardingStatusRequest(account_name=ACCOUNT, gateway=gateway, sensor=EUI)
    with pytest.raises(errors.NotFound):
        await sensors.onboarding_status(wanted)
    await sensors.onboard(request_with())
    cloud.clock.advance(A_MINUTE)
    first, last = (await sensors.onboarding_status(wanted)).events
    assert (first.state, last.state, last.succeeded) == ("pending", "registered", True)
    assert first.transaction_id == last.transaction_id
