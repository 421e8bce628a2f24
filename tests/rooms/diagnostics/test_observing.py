"""Observing during a block: values arrive typed, and the observation is stopped however the block ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.rooms.diagnostics.conftest import ACCOUNT, NOON, SIGNAL, active, observing
from thingspace_async import DeviceId, Session, errors
from thingspace_async.callbacks import MemoryInbox, Outcomes, Received
from thingspace_async.diagnostics import AttributeName, DiagnosticsAccepted, ObservationEstimate, Observed
from thingspace_async.diagnostics import observing as module
from thingspace_async.diagnostics.observing import Observation, Observer
from thingspace_async.simulator import Reset, Simulator, Stage, Status
from thingspace_async.simulator.rooms.diagnostics import Diagnostics


def running(cloud: Simulator) -> list[str]:
    return [name for name, one in cloud.platform.room(Diagnostics).observations.items() if one.running]


@pytest.fixture
def quick(session: Session) -> Session:
    """A session that retries at once."""
    session._caller.policy = attrs.evolve(session._caller.policy, first_delay=0.001)
    return session


async def taken(observation: Observation, count: int) -> list[Observed]:
    values: list[Observed] = []
    async for observed in observation:
        values.append(observed)
        if len(values) == count:
            break
    return values


async def test_values_arrive_until_the_observation_ends(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    devices = active(cloud, 2)
    request = observing(*devices, attributes=[SIGNAL, AttributeName.NETWORK_BEARER])
    async with session.diagnostics.observing(request, outcomes) as observation:
        assert (observation.estimate.events, observation.estimate.left) == (16, 24_000)
        assert observation.accepted.request_id in running(cloud)
        cloud.clock.advance(15)
        early = await taken(observation, 4)
        cloud.clock.advance(45)
        late = [observed async for observed in observation]
        assert running(cloud) == []
    assert [(one.device, one.attribute) for one in early] == [
        (device, name) for device in devices for name in (SIGNAL, AttributeName.NETWORK_BEARER)
    ]
    first, second = early[:2]
    assert first.number is not None
    assert -110 < first.number <= -60
    assert (first.unit, first.time, first.fault) == ("dBm", NOON + timedelta(seconds=15), None)
    assert (second.value in ("6", "7"), second.unit) == (True, None)
    assert len(late) == 12
    assert cloud.requests[-1].operation == "diagnostics.stop"  # A refusal, but not an error.
    assert cloud.requests[-1].status == 400
    assert (await session.diagnostics.subscription(ACCOUNT)).total_used == 16


async def test_an_observation_that_is_left_by_an_exception_is_stopped_all_the_same(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    async def observe() -> None:
        async with session.diagnostics.observing(observing(*active(cloud)), outcomes) as observation:
            cloud.clock.advance(15)
            async for _ in observation:
                assert running(cloud) == [observation.accepted.request_id]
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        await observe()
    assert running(cloud) == []
    assert not hasattr(caught.value, "__notes__")
    cloud.clock.advance(600)
    assert (await session.diagnostics.subscription(ACCOUNT)).total_used == 1


async def test_an_observation_that_is_cancelled_is_stopped(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    inside = asyncio.Event()

    async def observe() -> None:
        async with session.diagnostics.observing(observing(*active(cloud)), outcomes) as observation:
            inside.set()
            _ = [one async for one in observation]

    task = asyncio.create_task(observe())
    await inside.wait()
    assert len(running(cloud)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert running(cloud) == []


class Held:
    """Carries a request out, and answers once a test lets it."""

    def __init__(self) -> None:
        self.carried_out = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def play(self, stage: Stage) -> Any:
        answer = stage.process()
        self.carried_out.set()
        await self.may_answer.wait()
        return answer.response()


@pytest.mark.parametrize("operation", ["diagnostics.observe", "diagnostics.stop"])
async def test_a_cancellation_while_the_platform_answers_waits_until_all_is_stopped(
    cloud: Simulator, session: Session, outcomes: Outcomes, operation: str
) -> None:
    held = Held()
    cloud.faults.add(operation, held)

    async def observe() -> None:
        async with session.diagnostics.observing(observing(*active(cloud)), outcomes):
            pass

    task = asyncio.create_task(observe())
    await held.carried_out.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    held.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert running(cloud) == []
    assert cloud.count("diagnostics.stop") == 1


@pytest.mark.parametrize("fault", [Status(503), Reset(), Reset(processed=True)], ids=repr)
async def test_a_stop_whose_answer_is_lost_is_repeated(
    cloud: Simulator, quick: Session, outcomes: Outcomes, fault: Any
) -> None:
    cloud.faults.add("diagnostics.stop", fault)
    async with quick.diagnostics.observing(observing(*active(cloud)), outcomes):
        pass
    assert running(cloud) == []
    assert cloud.count("diagnostics.stop") == 2


async def test_a_stop_that_fails_for_good_is_an_error_that_names_the_observation(
    cloud: Simulator, quick: Session, outcomes: Outcomes, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.faults.add("diagnostics.stop", Status(503), times=9)
    with pytest.raises(errors.ServerFault) as caught:
        async with quick.diagnostics.observing(observing(*active(cloud)), outcomes) as observation:
            pass
    (note,) = caught.value.__notes__
    assert f"the observation {observation.accepted.request_id} could not be stopped" in note
    assert caplog.record_tuples[-1][1:] == (logging.ERROR, note.removeprefix("thingspace_async: "))
    with pytest.raises(ZeroDivisionError) as hidden:
        async with quick.diagnostics.observing(observing(*active(cloud)), outcomes):
            raise ZeroDivisionError
    assert "could not be stopped" in hidden.value.__notes__[0]
    assert len(running(cloud)) == 2


@pytest.mark.parametrize(
    ("failure", "is_logged"),
    [
        (errors.AnswerLost("the answer was lost", operation="diagnostics.stop"), True),
        (asyncio.CancelledError(), False),  # The event loop ends.
    ],
)
async def test_a_cancelled_block_whose_stop_fails_is_logged(
    caplog: pytest.LogCaptureFixture, failure: BaseException, *, is_logged: bool
) -> None:
    begun, may_fail = asyncio.Event(), asyncio.Event()

    async def fail(_: DiagnosticsAccepted) -> None:
        begun.set()
        await may_fail.wait()
        raise failure

    async def unused() -> Any:
        raise AssertionError

    observer = Observer(estimate=unused, start=unused, stop=fail)
    task = asyncio.create_task(observer._stop(DiagnosticsAccepted(request_id="7"), None))
    await begun.wait()
    task.cancel()
    may_fail.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ("the observation 7 could not be stopped" in caplog.text) == is_logged


async def test_a_start_whose_answer_is_lost_says_that_it_may_run(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    cloud.faults.add("diagnostics.observe", Reset(processed=True))
    with pytest.raises(errors.AnswerLost) as caught:
        async with session.diagnostics.observing(observing(*active(cloud)), outcomes):
            pytest.fail("the block ran")
    assert "the observation may have started" in caught.value.__notes__[0]
    assert cloud.count("diagnostics.observe") == 1


async def test_a_start_that_is_refused_or_cancelled_stops_nothing(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    with pytest.raises(errors.BadRequest, match="DEVICE_NOT_FOUND"):
        async with session.diagnostics.observing(observing(DeviceId.imei("990013907835573")), outcomes):
            pytest.fail("the block ran")

    async def refuse() -> DiagnosticsAccepted:
        await asyncio.sleep(0)
        raise errors.RequestNotSent("not sent", operation="diagnostics.observe")

    async def unused(*_: Any) -> Any:
        raise AssertionError

    task = asyncio.create_task(Observer(estimate=unused, start=refuse, stop=unused)._start())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cloud.count("diagnostics.stop") == 0


async def test_the_estimate_comes_before_the_start(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    cloud.assumptions = attrs.evolve(cloud.assumptions, diagnostics_allowance=3)

    def check(estimate: ObservationEstimate) -> None:
        if not estimate.is_enough:
            raise RuntimeError(f"{estimate.events} of {estimate.left}")

    with pytest.raises(RuntimeError, match="4 of 3"):
        async with session.diagnostics.observing(observing(*active(cloud)), outcomes, on_estimate=check):
            pytest.fail("the block ran")
    assert cloud.count("diagnostics.observe") == 0


@pytest.mark.parametrize("changes", [{"duration": None}, {"frequency": None}])
async def test_an_observation_without_an_end_is_not_started(
    cloud: Simulator, session: Session, outcomes: Outcomes, changes: dict[str, Any]
) -> None:
    with pytest.raises(errors.InvalidRequest, match="even if this process is killed"):
        async with session.diagnostics.observing(observing(*active(cloud), **changes), outcomes):
            pytest.fail("the block ran")
    with pytest.raises(errors.InvalidRequest, match=r"diagnostics\.observing: timeout must be more than zero"):
        session.diagnostics.observing(observing(*active(cloud)), outcomes, timeout=timedelta())


async def test_an_allowance_that_is_used_up_ends_the_iteration(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    cloud.assumptions = attrs.evolve(cloud.assumptions, diagnostics_allowance=3)
    async with session.diagnostics.observing(observing(*active(cloud, 2)), outcomes) as observation:
        cloud.clock.advance(60)
        found = [observed async for observed in observation]
    assert [one.number is None for one in found] == [False, False, False, True]
    assert found[-1].fault is not None
    assert (found[-1].fault.code, found[-1].device) == ("ACCOUNT_USAGE_EXCEEDED", None)
    assert (found[-1].attribute, found[-1].value, found[-1].unit, found[-1].time) == (None, None, None, None)


async def test_a_device_that_is_unreachable_is_reported_and_followed(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    (device,) = active(cloud)
    asleep = cloud.devices.find("imei", device.id)
    assert asleep is not None
    cloud.report_reachability(asleep, reachable=False)
    async with session.diagnostics.observing(observing(device), outcomes) as observation:
        cloud.clock.advance(30)
        cloud.report_reachability(asleep, reachable=True)
        cloud.clock.advance(30)
        found = [observed async for observed in observation]
    assert [one.number is None for one in found] == [True, False, False]
    assert {one.device for one in found} == {device}
    assert found[0].fault is not None
    assert found[0].fault.short_code == "DEVICE_UNREACHABLE"


async def test_an_observation_that_another_process_stops_ends_the_iteration(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    async with session.diagnostics.observing(observing(*active(cloud)), outcomes) as observation:
        await session.diagnostics.stop(account_name=ACCOUNT, transaction_id=observation.accepted.request_id)
        assert [one async for one in observation] == []


async def test_a_callback_that_never_comes_is_an_error(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    devices = active(cloud, 2)
    brief = timedelta(milliseconds=50)
    with pytest.raises(errors.OutcomesMissing, match=r"no message has arrived on Diagnostics for 0\.05 s") as caught:
        async with session.diagnostics.observing(observing(*devices), outcomes, timeout=brief) as observation:
            _ = [one async for one in observation]
    assert set(caught.value.missing) == set(devices)
    assert running(cloud) == []


@pytest.mark.parametrize("has_values", [False, True])
async def test_an_end_that_is_not_announced_ends_the_iteration_some_time_later(
    cloud: Simulator,
    session: Session,
    outcomes: Outcomes,
    monkeypatch: pytest.MonkeyPatch,
    *,
    has_values: bool,
) -> None:
    cloud.assumptions = attrs.evolve(cloud.assumptions, observation_end_is_announced=False)
    monkeypatch.setattr(module, "_LATE", -59.9)
    monkeypatch.setattr(module, "_READ_WITHIN", 0.1)
    async with session.diagnostics.observing(observing(*active(cloud)), outcomes) as observation:
        if has_values:
            cloud.clock.advance(60)
            await cloud.delivered()
            assert len([one async for one in observation]) == 4
        else:
            with pytest.raises(errors.OutcomesMissing):
                _ = [one async for one in observation]


async def test_messages_of_other_kinds_are_passed_over_and_a_closed_inbox_is_an_error(
    outcomes: Outcomes,
) -> None:
    estimate = ObservationEstimate(events=1, allowed=1, used=0)
    accepted = DiagnosticsAccepted(request_id="7")
    observation = Observation(observing(DeviceId.imei("990000000000002")), accepted, estimate, outcomes.inbox, 5.0)
    await outcomes.inbox.store(b'{"requestId": "7", "deviceIds": [], "status": "Success"}', service="CarrierService")
    await outcomes.inbox.store(
        b'{"transactionID": "7", "device": {"id": "99000000000000", "kind": "IMEI"}, "attributes": '
        b'[{"name": "CELL_ID", "value": 3}, {"name": "LINK_QUALITY", "value": 1.5}, 5, {"value": []}]}',
        service="Diagnostics",
    )
    found = await taken(observation, 2)
    assert [(one.attribute, one.value) for one in found] == [("CELL_ID", 3), ("LINK_QUALITY", "1.5")]
    assert found[0].device == DeviceId.imei("990000000000002")
    await outcomes.inbox.close()
    with pytest.raises(errors.InboxUnavailable):
        await anext(aiter(observation))


@pytest.mark.parametrize(
    ("failure", "raised"), [(None, errors.InboxUnavailable), (TimeoutError("the store"), TimeoutError)]
)
async def test_an_inbox_that_ends_or_fails_is_no_end_of_an_observation(
    failure: Exception | None, raised: type[Exception]
) -> None:
    class Broken(MemoryInbox):
        async def follow(self, request_id: str) -> AsyncGenerator[Received]:
            if failure is not None:
                raise failure
            return
            yield

    estimate = ObservationEstimate(events=1, allowed=1, used=0)
    accepted = DiagnosticsAccepted(request_id="7")
    observation = Observation(observing(DeviceId.imei("990000000000002")), accepted, estimate, Broken(), 5.0)
    with pytest.raises(raised):
        await anext(aiter(observation))
