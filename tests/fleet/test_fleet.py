"""Fleet runs: no request is sent twice, no device is forgotten, and lost outcomes are reported as unknown."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest

from tests.fleet.staging import (
    ACCOUNT,
    OPTIONS,
    Stage,
    Tampered,
    all_of,
    fleet,
    imei,
    imeis,
    new,
    requests,
    results,
    staged,
    until,
)
from thingspace_async import DeviceId, DeviceIds, Environment, Session, errors
from thingspace_async._core.ledger import BatchState, Place
from thingspace_async.callbacks import MemoryInbox, Outcomes, Received
from thingspace_async.callbacks.inbox import MessageQuery
from thingspace_async.devices import FleetProgress, FleetResult
from thingspace_async.devices.fleet import plan, sending
from thingspace_async.devices.fleet import run as running
from thingspace_async.simulator import Assumptions, DeliveryFaults
from thingspace_async.simulator.faults import Delay, Reset, Status

ROOT = Path(__file__).parents[2]
NEVER = timedelta(0)
EXPIRED = {"errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "errorMessage": "It has expired"}


@pytest.mark.slow
async def test_25_000_devices_are_activated_and_three_fail(real_pace: None) -> None:
    asyncio.get_running_loop().set_debug(False)  # Debug mode would triple the time.
    progress: list[FleetProgress] = []

    async def devices() -> AsyncIterator[DeviceIds]:
        for device in fleet(25_000):
            yield device

    async with MemoryInbox() as inbox, staged(inbox) as stage:
        stage.cloud.delivery_faults = DeliveryFaults(out_of_order=True, duplicated=0.1)
        refused = fleet(3, first=11_000)
        for device in refused:
            added = stage.cloud.devices.add_named(
                ACCOUNT, [{"id": one.id, "kind": one.kind} for one in device.device_ids], stage.cloud.clock.now()
            )
            added.state = "active"
        run = stage.session.devices.activate_all(
            devices(), stage.outcomes, run="spring", on_progress=progress.append, **OPTIONS
        )
        async with asyncio.timeout(120):
            outcomes = [one async for one in run]
        assert sorted(map(len, map(imeis, requests(stage.cloud)))) == [5_000, 10_000, 10_000]
    found = results(outcomes)
    assert len(found) == 25_000
    assert {key for key, value in found.items() if value is not FleetResult.SUCCEEDED} == set(map(imei, refused))
    failed = [one for one in outcomes if one.result is FleetResult.FAILED]
    assert {one.reason for one in failed} == {"REQUEST_FAILED. Device is already active"}
    assert {one.outcome.fault.short_code for one in failed if one.outcome and one.outcome.fault} == {
        "REQUEST_FAILED.DeviceAlreadyActive"
    }
    assert progress[0].total is None
    assert (progress[-1].done, progress[-1].failed, progress[-1].waiting, progress[-1].total) == (25_000, 3, 0, 25_000)


# Stopping and resuming


async def test_a_second_run_with_the_same_name_sends_nothing_and_yields_all_outcomes(stage: Stage) -> None:
    devices = fleet(35)
    first = await stage.all(devices)
    again = await stage.all(random.sample(devices, 35))
    assert results(first) == results(again) == all_of(devices, FleetResult.SUCCEEDED)
    assert len(stage.sent) == 35


async def test_a_run_left_at_any_moment_can_be_resumed(stage: Stage) -> None:
    devices, chance = fleet(200), random.Random(4)
    stage.cloud.faults.add("devices.activate", Delay(0.02), times=None)
    for _ in range(4):
        chance.shuffle(devices)
        async with aclosing(stage.activate(devices, in_flight=3)) as coming:
            async for _ in coming:
                if chance.random() < 0.05:
                    break
    for _ in range(4):
        chance.shuffle(devices)
        consumer = asyncio.create_task(stage.all(devices, in_flight=3))
        await asyncio.sleep(chance.random() * 0.1)
        consumer.cancel()
        await asyncio.wait([consumer])
    outcomes = await stage.all(devices)
    assert results(outcomes) == all_of(devices, FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 200


class Slow(MemoryInbox):
    """An inbox that takes its time for each read."""

    pause = 0.0

    async def _page(self, query: MessageQuery, last: Received | None) -> list[Received]:
        await asyncio.sleep(self.pause)
        return await super()._page(query, last)


async def test_messages_that_have_arrived_are_read_after_the_timeout_however_slow_the_inbox_is() -> None:
    async with Slow() as inbox, staged(inbox) as stage:
        outcomes = await stage.all(fleet(10), timeout=NEVER)
        assert results(outcomes) == all_of(fleet(10), FleetResult.MISSING)
        await stage.cloud.delivered()
        inbox.pause = 1.5
        outcomes = await stage.all(fleet(10), timeout=NEVER)
        assert results(outcomes) == all_of(fleet(10), FleetResult.SUCCEEDED)


async def test_a_request_that_is_being_sent_when_the_run_is_left_is_finished(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.3))
    consumer = asyncio.create_task(stage.all(fleet(10)))
    while not (requests(stage.cloud) or consumer.done()):
        await asyncio.sleep(0.01)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert results(await stage.all(fleet(10))) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert len(requests(stage.cloud)) == 1


async def test_a_request_left_unanswered_when_the_run_is_left_is_found_by_its_messages(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_PATIENCE", 0.05)
    stage.cloud.faults.add("devices.activate", Delay(5))
    run = asyncio.create_task(stage.all(fleet(10)))
    await until(lambda: len(requests(stage.cloud)) == 1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert results(await stage.all(fleet(20))) == all_of(fleet(20), FleetResult.SUCCEEDED)
    assert len(requests(stage.cloud)) == 2


@pytest.mark.parametrize("fault", [Status.too_many_requests(), None], ids=str)
async def test_a_batch_that_waits_for_a_retry_when_the_run_is_left_was_not_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fault: Status | None
) -> None:
    monkeypatch.setattr(sending, "_FIRST_WAIT", 60.0)
    monkeypatch.setattr(sending, "_LONGEST_WAIT", 60.0)
    if fault is None:
        await stage.cloud.close()
    else:
        stage.cloud.faults.add("devices.activate", fault)
    consumer = asyncio.create_task(stage.all(fleet(10)))
    await asyncio.sleep(0.5)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    if fault is None:
        await stage.cloud.start()
    assert results(await stage.all(fleet(10))) == all_of(fleet(10), FleetResult.SUCCEEDED)


async def test_a_batch_that_waits_for_a_token_when_the_run_is_left_was_not_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_PATIENCE", 0.05)
    await stage.session.log_out()
    stage.cloud.faults.add("session.log_in", Delay(5))
    consumer = asyncio.create_task(stage.all(fleet(10)))
    await asyncio.sleep(0.5)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert requests(stage.cloud) == []
    assert results(await stage.all(fleet(10))) == all_of(fleet(10), FleetResult.SUCCEEDED)


async def test_a_run_left_while_it_records_a_batch_does_not_send_the_batch(stage: Stage) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        async def change(self, *about: Any, state: BatchState, **more: Any) -> Any:
            changed = await stage.outcomes.inbox.ledger.change(*about, state=state, **more)
            if state is BatchState.SENDING:
                begun.set()
                await go_on.wait()
            return changed

    source: Any = Outcomes(Tampered(stage.outcomes.inbox, Slow()))
    run = stage.session.devices.activate_all(fleet(3), source, run="spring", **OPTIONS)
    consumer = asyncio.create_task(anext(run))
    await begun.wait()
    consumer.cancel()
    await asyncio.sleep(0.02)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    await run.aclose()
    assert requests(stage.cloud) == []
    assert results(await stage.all(fleet(3))) == all_of(fleet(3), FleetResult.SUCCEEDED)


async def test_devices_not_given_to_the_next_run_are_still_awaited(stage: Stage) -> None:
    await stage.all(fleet(10))
    outcomes = await stage.all(fleet(5, first=100))
    assert results(outcomes) == all_of(fleet(10) + fleet(5, first=100), FleetResult.SUCCEEDED)


async def test_outcomes_that_did_not_arrive_in_time_are_missing_and_awaited_by_the_next_run(stage: Stage) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    outcomes = await stage.all(fleet(5), timeout=timedelta(seconds=0.05))
    assert results(outcomes) == all_of(fleet(5), FleetResult.MISSING)
    assert {one.request_id for one in outcomes} == {next(iter(stage.cloud.late_requests))}
    stage.cloud.clock.advance(timedelta(hours=2))
    assert results(await stage.all(fleet(5))) == all_of(fleet(5), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 5


async def test_finished_requests_whose_messages_were_pruned_are_not_awaited(stage: Stage) -> None:
    await stage.all(fleet(5))
    await stage.outcomes.inbox.prune(timedelta())
    outcomes = await stage.all(fleet(5))
    assert results(outcomes) == all_of(fleet(5), FleetResult.MISSING)
    assert {one.reason for one in outcomes} == {"its message is no longer in the inbox"}


async def test_runs_with_different_names_are_independent(stage: Stage) -> None:
    await stage.all(fleet(5))
    again = await stage.all(fleet(5), run="summer")
    assert results(again) == all_of(fleet(5), FleetResult.FAILED)  # They are active already.
    assert len(requests(stage.cloud)) == 2


async def test_a_forgotten_run_starts_from_the_beginning(stage: Stage) -> None:
    await stage.all(fleet(5))
    await stage.outcomes.inbox.forget_run("spring")
    assert results(await stage.all(fleet(5))) == all_of(fleet(5), FleetResult.FAILED)  # They are active already.
    assert len(requests(stage.cloud)) == 2


async def test_two_concurrent_runs_with_one_name_share_the_devices_and_cannot_be_forgotten(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.3))
    first = asyncio.create_task(stage.all(fleet(200)))
    async with asyncio.timeout(10):
        while not requests(stage.cloud):
            await asyncio.sleep(0.01)
    with pytest.raises(errors.InvalidRequest, match="forget_run: a worker of the run spring is alive"):
        await stage.outcomes.inbox.forget_run("spring")
    second = await stage.all(fleet(200))
    assert results([*await first, *second]) == all_of(fleet(200), FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 200
    assert not any(one.repeat for one in [*await first, *second])


async def test_the_run_name_of_another_call_is_refused(stage: Stage) -> None:
    await stage.all(fleet(5))
    with pytest.raises(errors.InvalidRequest, match=r"was begun as devices\.activate"):
        await anext(stage.session.devices.suspend_all(fleet(5), stage.outcomes, run="spring"))
    assert stage.cloud.count("devices.suspend") == 0


@pytest.mark.parametrize("changes", [{"service_plan": "M2M_PP"}, {"carrier_name": "Verizon"}], ids=str)
async def test_resuming_a_run_with_other_options_is_refused(stage: Stage, changes: dict[str, str]) -> None:
    await stage.all(fleet(5))
    with pytest.raises(errors.InvalidRequest, match=r"run spring was begun with other options.*or use another name"):
        await stage.all(fleet(5), **changes)
    assert len(requests(stage.cloud)) == 1


async def test_devices_sent_to_another_platform_do_not_count_as_sent_to_this_one(stage: Stage) -> None:
    await stage.all(fleet(5))
    elsewhere = Environment.at(stage.cloud.url.replace("127.0.0.1", "localhost"))
    async with Session(stage.cloud.credentials, environment=elsewhere) as session:
        run = session.devices.activate_all(fleet(5), stage.outcomes, run="spring", **OPTIONS)
        with pytest.raises(errors.InvalidRequest, match="on another platform"):
            await anext(run)


# Failing requests


@pytest.mark.parametrize("fault", [Status(400), Status(409), Status(404)], ids=str)
async def test_a_refused_request_is_not_sent_again_by_the_next_run(stage: Stage, fault: Status) -> None:
    stage.cloud.faults.add("devices.activate", fault)
    outcomes = await stage.all(fleet(20), in_flight=1)
    expected = all_of(fleet(10), FleetResult.FAILED) | all_of(fleet(10, first=10), FleetResult.SUCCEEDED)
    assert results(outcomes) == expected
    hit = [one for one in outcomes if one.result is FleetResult.FAILED]
    assert all(one.error is not None and one.reason == str(one.error) for one in hit)
    later = await stage.all(fleet(20))
    assert results(later) == expected
    assert len(requests(stage.cloud)) == 2
    assert all(one.repeat for one in later)
    assert {one.reason for one in later if one.result is FleetResult.FAILED} == {one.reason for one in hit}


LOST = [
    Reset(processed=True),
    Status(500, processed=True),
    Status(504, processed=True),
    Status(408, processed=True),
    Status(499, processed=True),
    Status(200, "no JSON", processed=True),
]


@pytest.mark.parametrize("fault", LOST, ids=str)
async def test_a_request_whose_answer_was_lost_is_found_by_its_messages(stage: Stage, fault: Any) -> None:
    stage.cloud.faults.add("devices.activate", fault)
    outcomes = await stage.all(fleet(20), in_flight=1)
    assert results(outcomes) == all_of(fleet(20), FleetResult.SUCCEEDED)
    assert {one.request_id for one in outcomes} == set(stage.cloud.late_requests)
    assert not any(one.repeat for one in outcomes)
    assert len(requests(stage.cloud)) == 2


@pytest.mark.parametrize("fault", [Reset(), Status(500), Status(408), Status(499), Status(200, "no JSON")], ids=str)
async def test_a_request_whose_answer_was_lost_is_unknown_without_messages_and_never_sent_again(
    stage: Stage, fault: Any
) -> None:
    stage.cloud.faults.add("devices.activate", fault)
    outcomes = await stage.all(fleet(20), in_flight=1, timeout=timedelta(seconds=2))
    expected = all_of(fleet(10), FleetResult.UNKNOWN) | all_of(fleet(10, first=10), FleetResult.SUCCEEDED)
    assert results(outcomes) == expected
    hit = [one for one in outcomes if one.result is FleetResult.UNKNOWN]
    assert all(one.error is not None and one.reason == str(one.error) for one in hit)
    later = await stage.all(fleet(20), timeout=timedelta(seconds=0.5))
    assert results(later) == expected
    assert len(requests(stage.cloud)) == 2
    assert {one.reason for one in later if one.result is FleetResult.UNKNOWN} == {one.reason for one in hit}


async def test_messages_of_another_request_for_the_same_devices_are_not_mistaken_for_the_lost_ones(
    stage: Stage,
) -> None:
    stage.cloud.faults.add("devices.activate", Reset())
    lost = asyncio.create_task(stage.all(fleet(10), timeout=timedelta(seconds=2)))
    await until(lambda: len(requests(stage.cloud)) == 1)
    assert results(await stage.all(fleet(10), run="other")) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert results(await lost) == all_of(fleet(10), FleetResult.UNKNOWN)


async def test_the_next_run_finds_an_unknown_request_by_messages_that_arrived_later(stage: Stage) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    stage.cloud.faults.add("devices.activate", Reset(processed=True))
    assert results(await stage.all(fleet(10), timeout=NEVER)) == all_of(fleet(10), FleetResult.UNKNOWN)
    stage.cloud.clock.advance(timedelta(hours=2))
    await asyncio.sleep(0.3)
    outcomes = await stage.all(fleet(10))
    assert results(outcomes) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert not any(one.repeat for one in outcomes)


# Temporary trouble


@pytest.mark.parametrize(
    "fault", [Status.too_many_requests(), Status.throttled_out(), Status(401), Status(400, EXPIRED)], ids=str
)
async def test_all_batches_wait_together_until_trouble_is_over(stage: Stage, fault: Status) -> None:
    stage.cloud.faults.add("devices.activate", fault, times=12)
    outcomes = await stage.all(fleet(100), in_flight=5)
    assert results(outcomes) == all_of(fleet(100), FleetResult.SUCCEEDED)
    assert len(requests(stage.cloud)) == 10 + 12


@pytest.mark.parametrize(
    ("refusal", "fetch"), [(Status(401), "oauth.token"), (Status(400, EXPIRED), "session.log_in")], ids=str
)
async def test_a_request_whose_token_was_refused_counts_as_not_sent_until_it_is_sent_again(
    stage: Stage, refusal: Status, fetch: str
) -> None:
    stage.cloud.faults.add("devices.activate", refusal)
    stage.cloud.faults.add(fetch, Delay(60))
    fetched = stage.cloud.count(fetch)
    run = asyncio.create_task(stage.all(fleet(10)))
    await until(lambda: stage.cloud.count(fetch) > fetched)
    assert len(requests(stage.cloud)) == 1
    assert await _state_of_only_batch(stage) is BatchState.CLAIMED
    await _end(run)


async def test_a_request_counts_as_not_sent_while_its_session_logs_in(stage: Stage) -> None:
    await stage.session.log_out()
    stage.cloud.faults.add("session.log_in", Delay(60))
    logins = stage.cloud.count("session.log_in")
    run = asyncio.create_task(stage.all(fleet(10)))
    await until(lambda: stage.cloud.count("session.log_in") > logins)
    assert await _state_of_only_batch(stage) is BatchState.CLAIMED
    await _end(run)
    assert requests(stage.cloud) == []


async def _state_of_only_batch(stage: Stage) -> BatchState:
    place = Place(run="spring", worker="a spectator")
    await stage.outcomes.inbox.ledger.look(place)
    (kept,) = await stage.outcomes.inbox.ledger.batches(place)
    return kept.state


async def _end(run: asyncio.Task[Any]) -> None:
    run.cancel()
    await asyncio.wait([run])


async def test_an_outage_is_waited_out(stage: Stage) -> None:
    await stage.cloud.close()
    run = asyncio.create_task(stage.all(fleet(15)))
    await asyncio.sleep(0.5)
    assert not run.done()
    await stage.cloud.start()
    assert results(await run) == all_of(fleet(15), FleetResult.SUCCEEDED)


async def test_a_failing_login_is_waited_out(stage: Stage) -> None:
    await stage.session.log_out()
    stage.cloud.faults.add("session.log_in", Reset(), times=2)
    assert results(await stage.all(fleet(5))) == all_of(fleet(5), FleetResult.SUCCEEDED)
    assert len(requests(stage.cloud)) == 1


async def test_trouble_that_lasts_ends_as_not_sent_and_the_next_run_sends_the_devices(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status.too_many_requests(), times=None)
    outcomes = await stage.all(fleet(50), give_up_after=timedelta(seconds=0.3), in_flight=3)
    assert results(outcomes) == all_of(fleet(50), FleetResult.NOT_SENT)
    assert all(isinstance(one.error, errors.RateLimited) for one in outcomes)
    stage.cloud.faults.clear()
    again = await stage.all(fleet(50))
    assert results(again) == all_of(fleet(50), FleetResult.SUCCEEDED)
    assert not any(one.repeat for one in again)


async def test_while_the_platform_throttles_one_request_is_tried_at_a_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_FIRST_WAIT", 0.2)
    monkeypatch.setattr(sending, "_LONGEST_WAIT", 0.2)
    stage.cloud.faults.add("devices.activate", Status.too_many_requests(), times=None)
    run = asyncio.create_task(stage.all(fleet(100), in_flight=10))
    await asyncio.sleep(1)
    run.cancel()
    await asyncio.wait([run])
    assert len(requests(stage.cloud)) <= 10 + 1 / 0.1


async def test_retry_after_of_the_platform_is_respected(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status(429, headers={"Retry-After": "1"}))
    begun = time.monotonic()
    assert results(await stage.all(fleet(5))) == all_of(fleet(5), FleetResult.SUCCEEDED)
    assert time.monotonic() - begun >= 1


async def test_an_error_that_all_requests_would_meet_ends_the_run_and_the_next_run_sends_them(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status(403), times=None)
    with pytest.raises(errors.Forbidden):
        await stage.all(fleet(50), in_flight=1)
    assert len(requests(stage.cloud)) == 1
    stage.cloud.faults.clear()
    assert results(await stage.all(fleet(50))) == all_of(fleet(50), FleetResult.SUCCEEDED)


async def test_a_refused_login_ends_the_run(stage: Stage) -> None:
    await stage.session.log_out()
    stage.cloud.set_password("another password")
    with pytest.raises(errors.LoginRefused):
        await stage.all(fleet(50))
    assert requests(stage.cloud) == []


async def test_a_session_that_is_closed_ends_the_run(stage: Stage) -> None:
    await stage.session.close()
    with pytest.raises(errors.SessionClosed):
        await stage.all(fleet(5))


async def test_a_request_cut_off_by_closing_the_session_is_found_later(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Delay(1))
    run = asyncio.create_task(stage.all(fleet(20), in_flight=1))
    await until(lambda: len(requests(stage.cloud)) == 1)
    await stage.session.close()
    with pytest.raises(errors.SessionClosed):
        await run
    async with Session(stage.cloud.credentials, environment=stage.cloud.environment) as stage.session:
        outcomes = await stage.all(fleet(20))
    assert results(outcomes) == all_of(fleet(20), FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 20


async def test_an_inbox_that_fails_ends_the_run_before_anything_is_sent(stage: Stage) -> None:
    await stage.outcomes.inbox.close()
    with pytest.raises(errors.InboxUnavailable):
        await stage.all(fleet(5))
    assert requests(stage.cloud) == []


async def test_an_accepted_request_that_cannot_be_recorded_at_once_is_recorded_later(stage: Stage) -> None:
    class Full:
        failures = 5

        async def change(self, *about: Any, state: BatchState, **more: Any) -> Any:
            if state is BatchState.ACCEPTED and self.failures:
                self.failures -= 1
                raise errors.InboxUnavailable("there is no space left")
            return await stage.outcomes.inbox.ledger.change(*about, state=state, **more)

    source: Any = Outcomes(Tampered(stage.outcomes.inbox, Full()))
    run = stage.session.devices.activate_all(fleet(3), source, run="spring", **OPTIONS)
    assert results([one async for one in run]) == all_of(fleet(3), FleetResult.SUCCEEDED)


async def test_a_device_that_cannot_be_sent_is_found_without_checking_each_of_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, request = 0, plan.Action.request

    def counted(action: plan.Action, devices: tuple[DeviceIds, ...]) -> Any:
        nonlocal looks
        looks += 1
        return request(action, devices)

    monkeypatch.setattr(plan.Action, "request", counted)
    given = [*fleet(300), DeviceIds(device_ids=()), *fleet(700, first=300)]
    outcomes = await stage.all(given, devices_per_request=1_001)
    assert [one.device.device_ids for one in outcomes if one.result is FleetResult.FAILED] == [()]
    assert len(stage.sent) == 1_000
    assert looks < 50


async def test_devices_that_cannot_be_sent_fail_alone(stage: Stage) -> None:
    bad = [attrs.evolve(fleet(1)[0], ip_address="'"), DeviceIds(device_ids=())]
    outcomes = await stage.all([*fleet(5), *bad, *fleet(5, first=5)], devices_per_request=12)
    failed = [one for one in outcomes if one.result is FleetResult.FAILED]
    assert [one.device for one in failed] == bad
    assert all(isinstance(one.error, errors.InvalidRequest) for one in failed)
    assert len(outcomes) == 12
    assert sorted(stage.sent) == sorted(map(imei, fleet(10)))
    assert [one.result for one in await stage.all(bad, run="only these")] == [FleetResult.FAILED] * 2


# Devices and options


async def test_a_device_given_twice_is_sent_once_under_any_of_its_identifiers(stage: Stage) -> None:
    twice = [*fleet(10), new(3).device_ids[1], [new(4).device_ids[0]], DeviceId(kind="IMEI", id=imei(new(5)))]
    progress: list[FleetProgress] = []
    outcomes = await stage.all(twice, on_progress=progress.append)
    assert results(outcomes) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 10
    assert progress[-1].total == 10


async def test_a_device_may_have_an_identifier_twice(stage: Stage) -> None:
    twice = DeviceIds(device_ids=(*new(1).device_ids, new(1).device_ids[0]))
    assert [one.device for one in await stage.all([twice, new(1)])] == [twice]


async def test_a_message_about_a_request_in_progress_is_not_an_outcome(stage: Stage) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(seconds=60))
    consumer = asyncio.create_task(stage.all(fleet(1)))
    while not stage.cloud.late_requests:
        await asyncio.sleep(0.01)
    (request_id,) = stage.cloud.late_requests
    device = [{"id": one.id, "kind": one.kind} for one in new(0).device_ids]
    pending = orjson.dumps({"requestId": request_id, "deviceIds": device, "status": "Pending"})
    await stage.outcomes.inbox.store(pending, service="CarrierService")
    await asyncio.sleep(0.1)
    stage.cloud.clock.advance(61)
    assert results(await consumer) == all_of(fleet(1), FleetResult.SUCCEEDED)


def _plain(devices: list[DeviceIds]) -> Iterator[DeviceIds]:
    yield from devices


async def _async(devices: list[DeviceIds]) -> AsyncIterator[DeviceIds]:
    for device in devices:
        await asyncio.sleep(0)
        yield device


@pytest.mark.parametrize("form", [list, tuple, set, iter, _plain, _async])
async def test_devices_may_come_in_any_iterable(stage: Stage, form: Callable[[Any], Any]) -> None:
    assert results(await stage.all(form(fleet(12)))) == all_of(fleet(12), FleetResult.SUCCEEDED)
    assert sorted(map(len, map(imeis, requests(stage.cloud)))) == [2, 10]


async def test_an_empty_fleet_has_no_outcomes(stage: Stage) -> None:
    assert await stage.all([]) == []
    assert requests(stage.cloud) == []


async def test_an_iterable_that_fails_ends_the_run_and_nothing_is_lost(stage: Stage) -> None:
    async def broken() -> AsyncIterator[DeviceIds]:
        for device in fleet(15):
            yield device
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError, match="went away"):
        await stage.all(broken())
    assert results(await stage.all(fleet(15))) == all_of(fleet(15), FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 15


@pytest.mark.parametrize("wrong", ["990013907835573", 5, None, new(1), DeviceId.imei("990013907835573")], ids=str)
async def test_anything_but_an_iterable_of_devices_is_refused_at_once(stage: Stage, wrong: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="devices must be an iterable"):
        stage.activate(wrong)


async def test_an_item_that_is_not_a_device_ends_the_run(stage: Stage) -> None:
    with pytest.raises(errors.InvalidRequest, match="not str"):
        await stage.all(["990013907835573"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"run": ""}, "run must not be empty"),
        ({"devices_per_request": 10_001}, "devices_per_request must be 10,000 or less"),
        ({"devices_per_request": 0}, "devices_per_request must be 1 or more"),
        ({"in_flight": 0}, "in_flight must be 1 or more"),
        ({"timeout": timedelta(seconds=-1)}, "timeout must be zero or more"),
        ({"on_progress": asyncio.sleep}, "on_progress must be a plain function"),
        ({"service_plan": ""}, "service_plan must not be empty"),
    ],
)
async def test_invalid_options_are_refused_at_once(stage: Stage, options: Any, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        stage.activate(fleet(1), **options)


# Rate limit, bounds and leaving


async def test_all_runs_of_a_session_together_send_at_most_100_requests_per_minute(
    stage: Stage, real_pace: None
) -> None:
    begun = time.monotonic()
    both = (stage.all(fleet(30), run="a"), stage.all(fleet(30, first=100), run="b"))
    await asyncio.gather(*both)
    assert len(requests(stage.cloud)) == 6
    assert time.monotonic() - begun >= 5 * 0.6


def has_sent(stage: Stage, count: int) -> bool:
    return len(requests(stage.cloud)) == count


async def test_the_number_of_devices_with_awaited_outcomes_is_bounded(stage: Stage) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(seconds=60))
    progress: list[FleetProgress] = []
    run = asyncio.create_task(stage.all(fleet(100), most_awaited=30, on_progress=progress.append))
    for count in (3, 6, 9, 10):
        await until(partial(has_sent, stage, count))
        await asyncio.sleep(0.1)
        assert len(requests(stage.cloud)) == count
        stage.cloud.clock.advance(61)
    assert len(await run) == 100
    assert max(one.waiting for one in progress) <= 30


async def test_a_slot_is_free_once_its_request_is_accepted(stage: Stage) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(seconds=60))
    run = asyncio.create_task(stage.all(fleet(100), in_flight=1))
    await until(lambda: len(requests(stage.cloud)) == 10)
    stage.cloud.clock.advance(61)
    assert results(await run) == all_of(fleet(100), FleetResult.SUCCEEDED)


async def test_progress_adds_up(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status(400), after=1)
    progress: list[FleetProgress] = []
    await stage.all(fleet(40), in_flight=2, on_progress=progress.append)
    assert [one.done for one in progress] == sorted(one.done for one in progress)
    assert all(one.failed + one.succeeded == one.done and one.done + one.waiting <= 40 for one in progress)
    assert {one.total for one in progress} == {40}
    assert (progress[-1].done, progress[-1].failed, progress[-1].succeeded, progress[-1].waiting) == (40, 10, 30, 0)
    assert progress[-1].rate > 0
    assert progress[-1].eta == timedelta()
    assert progress[0].eta is None


async def test_a_resumed_run_knows_its_number_of_devices_from_the_start(stage: Stage) -> None:
    await stage.all(fleet(20))
    progress: list[FleetProgress] = []
    await stage.all(fleet(40), in_flight=1, on_progress=progress.append)
    assert {one.total for one in progress} == {40}
    assert (progress[-1].done, progress[-1].failed, progress[-1].waiting) == (40, 0, 0)


async def test_a_progress_callback_that_fails_ends_the_run(stage: Stage) -> None:
    with pytest.raises(ZeroDivisionError):
        await stage.all(fleet(10), on_progress=lambda *_: 1 // 0)


async def test_a_caller_that_leaves_or_is_cancelled_leaves_nothing_behind(stage: Stage) -> None:
    tasks = asyncio.all_tasks()
    closed = False

    async def endless() -> AsyncIterator[DeviceIds]:
        nonlocal closed
        number = 0
        try:
            while True:
                yield new(number)
                number += 1
        finally:
            closed = True

    async with aclosing(stage.activate(endless(), in_flight=2)) as coming:
        await anext(coming)
    assert closed
    async with asyncio.timeout(5):
        while any("fleet" in task.get_name() for task in asyncio.all_tasks() - tasks):
            await asyncio.sleep(0.01)


async def test_a_slow_caller_slows_the_run_down(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_MOST_UNREAD", 5)
    async with aclosing(stage.activate(fleet(200), in_flight=2, most_awaited=40)) as coming:
        await anext(coming)
        await asyncio.sleep(0.5)
        assert len(requests(stage.cloud)) <= 4
        assert len([one async for one in coming]) == 199


async def test_the_other_fleet_calls_change_their_devices(stage: Stage) -> None:
    devices, calls = fleet(4), stage.session.devices
    await stage.all(devices)
    names = [one.device_ids[:1] for one in devices]
    runs = [
        (calls.suspend_all(names, stage.outcomes, run="1", account_name=ACCOUNT), "suspend"),
        (calls.restore_all(names, stage.outcomes, run="2", account_name=ACCOUNT), "active"),
        (calls.change_plan_all(names, stage.outcomes, run="3", service_plan="M2M_PP"), "active"),
        (calls.deactivate_all(names, stage.outcomes, run="4", account_name=ACCOUNT, reason_code="FF"), "deactive"),
    ]
    for run, state in runs:
        assert [one.reason async for one in run] == [None] * 4
        found = await calls.get(names[0][0])
        assert found.state == state
