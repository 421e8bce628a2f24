"""A fleet at once: nothing is sent twice, nothing is forgotten, and what is not known is said to be unknown."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from thingspace_async import DeviceId, DeviceIds, Environment, Session, _store, errors
from thingspace_async.callbacks import Inbox, Outcomes, SqliteInbox
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.devices import FleetOutcome, FleetResult
from thingspace_async.devices.fleet import ledger
from thingspace_async.devices.fleet import run as running
from thingspace_async.simulator import Assumptions, DeliveryFaults, Received, Simulator, Status
from thingspace_async.simulator.faults import Delay, Reset

ACCOUNT = "0000123456-00001"
ROOT = Path(__file__).parents[2]
SOON = Assumptions(request_time=timedelta(seconds=0.05))
NEVER = timedelta(0)
OPTIONS: dict[str, Any] = {"account_name": ACCOUNT, "service_plan": "M2M_4G_5MB", "mdn_zip_code": "94105"}


def new(number: int) -> DeviceIds:
    """A device that no account has."""
    return DeviceIds(device_ids=(DeviceId.imei(f"35{number:012}0"), DeviceId.iccid(f"8914800000{number:010}")))


def fleet(count: int, first: int = 0) -> list[DeviceIds]:
    return [new(number) for number in range(first, first + count)]


class Stage:
    """A session, its simulator, and outcomes that really arrive."""

    def __init__(self, cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
        self.cloud = cloud
        self.session = session
        self.outcomes = outcomes

    def activate(self, devices: Any, **options: Any) -> Any:
        return self.session.devices.activate_all(
            devices, self.outcomes, **{"run": "spring", "devices_a_request": 10, **OPTIONS, **options}
        )

    async def all(self, devices: Any, **options: Any) -> list[FleetOutcome]:
        async with asyncio.timeout(60), aclosing(self.activate(devices, **options)) as coming:
            return [outcome async for outcome in coming]

    @property
    def sent(self) -> list[str]:
        """The IMEIs of all requests, in order."""
        return [imei for request in requests(self.cloud) for imei in imeis(request)]


def requests(cloud: Simulator) -> list[Received]:
    return [one for one in cloud.received if one.operation == "devices.activate"]


def imeis(request: Received) -> list[str]:
    return [one["deviceIds"][0]["id"] for one in orjson.loads(request.body)["devices"]]


def imei(device: DeviceIds) -> str:
    return device.device_ids[0].id


def results(outcomes: list[FleetOutcome]) -> dict[str, FleetResult]:
    assert len({imei(one.device) for one in outcomes}) == len(outcomes), "each device has one outcome"
    return {imei(one.device): one.result for one in outcomes}


def all_of(devices: list[DeviceIds], result: FleetResult) -> dict[str, FleetResult]:
    return {imei(one): result for one in devices}


@asynccontextmanager
async def staged(inbox: Inbox, **simulated: Any) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(Simulator(**{"devices": 40, "assumptions": SOON, **simulated}))
        receiver = Receiver(inbox)
        url = await stack.enter_async_context(serve(receiver, port=0))
        receiver.expect("CarrierService", username="fleet", password="a password")
        cloud.listeners[ACCOUNT]["CarrierService"] = {
            "url": receiver.url_of(url, "CarrierService"),
            "username": "fleet",
            "password": "a password",
        }
        session = await stack.enter_async_context(Session(cloud.credentials, environment=cloud.environment, retries=0))
        yield Stage(cloud, session, Outcomes(inbox))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with SqliteInbox(tmp_path / "inbox.db") as inbox, staged(inbox) as ready:
        yield ready


@pytest.fixture(autouse=True)
def quick_pace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "real_pace" not in request.fixturenames:
        monkeypatch.setattr(_store, "REQUESTS_A_MINUTE", 60_000)


@pytest.fixture
def real_pace() -> None:
    """For a test that wants the platform's."""


@pytest.mark.slow
async def test_25_000_devices_are_activated_and_three_fail(tmp_path: Path, real_pace: None) -> None:
    asyncio.get_running_loop().set_debug(False)  # It would take three times as long.
    told: list[tuple[int, int, int, int | None]] = []

    async def devices() -> AsyncIterator[DeviceIds]:
        for device in fleet(25_000):
            yield device

    async with SqliteInbox(tmp_path / "inbox.db") as inbox, staged(inbox) as stage:
        stage.cloud.delivery_faults = DeliveryFaults(out_of_order=True, duplicated=0.1)
        refused = fleet(3, first=11_000)
        for device in refused:
            added = stage.cloud.devices.add_named(
                ACCOUNT, [{"id": one.id, "kind": one.kind} for one in device.device_ids], stage.cloud.clock.now()
            )
            added.state = "active"
        run = stage.session.devices.activate_all(
            devices(), stage.outcomes, run="spring", on_progress=lambda *counts: told.append(counts), **OPTIONS
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
    assert told[0][3] is None
    assert told[-1] == (25_000, 3, 0, 25_000)


# Stopped, and started again


async def test_a_second_run_of_the_name_sends_nothing_again_and_gives_all_outcomes(stage: Stage) -> None:
    devices = fleet(35)
    first = await stage.all(devices)
    again = await stage.all(random.sample(devices, 35))
    assert results(first) == results(again) == all_of(devices, FleetResult.SUCCEEDED)
    assert len(stage.sent) == 35


async def test_a_run_that_is_left_at_any_moment_goes_on_where_it_was(stage: Stage) -> None:
    devices, chance = fleet(200), random.Random(4)
    stage.cloud.faults.add("devices.activate", Delay(0.02), times=None)
    for _ in range(12):
        chance.shuffle(devices)
        async with aclosing(stage.activate(devices, in_flight=3)) as coming:
            async for _ in coming:
                if chance.random() < 0.05:
                    break
    for _ in range(12):
        chance.shuffle(devices)
        consumer = asyncio.create_task(stage.all(devices, in_flight=3))
        await asyncio.sleep(chance.random() * 0.1)
        consumer.cancel()
        await asyncio.wait([consumer])
    outcomes = await stage.all(devices)
    assert results(outcomes) == all_of(devices, FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 200


async def test_a_request_that_is_being_sent_when_the_run_is_left_is_finished(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.3))
    consumer = asyncio.create_task(stage.all(fleet(10)))
    while not requests(stage.cloud):
        await asyncio.sleep(0.01)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert results(await stage.all(fleet(10))) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert len(requests(stage.cloud)) == 1


async def test_what_is_not_answered_in_time_when_the_run_is_left_is_unknown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_PATIENCE", 0.05)
    stage.cloud.faults.add("devices.activate", Delay(5))
    consumer = asyncio.create_task(stage.all(fleet(10)))
    while not requests(stage.cloud):
        await asyncio.sleep(0.01)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    outcomes = await stage.all(fleet(20))
    assert results(outcomes) == all_of(fleet(10), FleetResult.UNKNOWN) | all_of(
        fleet(10, first=10), FleetResult.SUCCEEDED
    )
    assert {one.reason for one in outcomes if one.result is FleetResult.UNKNOWN} == {
        "the process ended before the answer came"
    }
    assert len(requests(stage.cloud)) == 2


@pytest.mark.parametrize("fault", [Status.too_many_requests(), None], ids=str)
async def test_what_waits_for_a_retry_when_the_run_is_left_was_not_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fault: Status | None
) -> None:
    monkeypatch.setattr(running, "_PATIENCE", 0.05)
    monkeypatch.setattr(random, "random", lambda: 100.0)  # Which the wait is a multiple of.
    stage.session = stage.session.with_options(retries=5)
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


async def test_what_waits_for_a_token_when_the_run_is_left_was_not_sent(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_PATIENCE", 0.05)
    await stage.session.log_out()
    stage.cloud.faults.add("session.log_in", Delay(5))
    consumer = asyncio.create_task(stage.all(fleet(10)))
    await asyncio.sleep(0.5)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert requests(stage.cloud) == []
    assert results(await stage.all(fleet(10))) == all_of(fleet(10), FleetResult.SUCCEEDED)


async def test_a_run_that_is_left_while_it_notes_what_it_will_send_does_not_send_it(stage: Stage) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        async def record(self, run: str, entries: Any) -> None:
            await stage.outcomes.inbox.record(run, entries)
            begun.set()
            await go_on.wait()

        async def recorded(self, run: str) -> dict[str, str]:
            return await stage.outcomes.inbox.recorded(run)

    class Source:
        inbox = Slow()
        of = stage.outcomes.of

    run = stage.session.devices.activate_all(fleet(3), Source(), run="spring", **OPTIONS)
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


PROGRAM = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.products.test_fleet import ACCOUNT, OPTIONS, fleet
from thingspace_async import Credentials, Environment, Session
from thingspace_async.callbacks import Outcomes, SqliteInbox

async def main():
    credentials = Credentials(client_id=sys.argv[4], client_secret=sys.argv[5], username=sys.argv[6],
                              password=sys.argv[7])
    async with (
        SqliteInbox(sys.argv[2]) as inbox,
        Session(credentials, environment=Environment.at(sys.argv[3])) as session,
    ):
        run = session.devices.activate_all(
            fleet(200), Outcomes(inbox), run="spring", devices_a_request=10, in_flight=4, **OPTIONS
        )
        async for outcome in run:
            print(outcome.device.device_ids[0].id, flush=True)

asyncio.run(main())
"""


def _command(stage: Stage, inbox: Path) -> list[str]:
    known = stage.cloud.credentials
    secrets = (known.client_id, known.client_secret.reveal(), known.username, known.password.reveal())
    return [sys.executable, "-c", PROGRAM, str(ROOT), str(inbox), stage.cloud.url, *secrets]


async def test_a_process_that_is_killed_between_sending_and_the_answer_repeats_nothing_and_forgets_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    stage.cloud.faults.add("devices.activate", Delay(30), after=5)
    process = await asyncio.create_subprocess_exec(*_command(stage, tmp_path / "inbox.db"), stdout=subprocess.PIPE)
    async with asyncio.timeout(60):
        while len(requests(stage.cloud)) < 6:
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    unanswered = imeis(requests(stage.cloud)[5])
    found = results(await stage.all(fleet(200)))
    assert {key for key, value in found.items() if value is FleetResult.UNKNOWN} >= set(unanswered)
    assert len(found) == 200
    assert set(found.values()) == {FleetResult.SUCCEEDED, FleetResult.UNKNOWN}
    assert len(stage.sent) == len(set(stage.sent)) == 200


async def test_a_process_that_is_killed_at_any_moment_repeats_nothing_and_forgets_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    chance = random.Random(4)
    for _ in range(4):
        process = await asyncio.create_subprocess_exec(*_command(stage, tmp_path / "inbox.db"), stdout=subprocess.PIPE)
        assert process.stdout is not None
        async with asyncio.timeout(60):
            await process.stdout.readline()  # Its imports are done by then.
        await asyncio.sleep(chance.random() * 0.2)
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()
    found = results(await stage.all(fleet(200)))
    assert len(found) == 200
    assert set(found.values()) <= {FleetResult.SUCCEEDED, FleetResult.UNKNOWN}
    assert len(stage.sent) == len(set(stage.sent))
    assert set(stage.sent) | {key for key, value in found.items() if value is FleetResult.UNKNOWN} == set(found)


async def test_devices_that_the_next_run_is_not_given_are_awaited_all_the_same(stage: Stage) -> None:
    await stage.all(fleet(10))
    outcomes = await stage.all(fleet(5, first=100))
    assert results(outcomes) == all_of(fleet(10) + fleet(5, first=100), FleetResult.SUCCEEDED)


async def test_outcomes_that_did_not_come_in_time_are_missing_and_awaited_by_the_next_run(stage: Stage) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    outcomes = await stage.all(fleet(5), timeout=timedelta(seconds=0.05))
    assert results(outcomes) == all_of(fleet(5), FleetResult.MISSING)
    assert {one.request_id for one in outcomes} == {next(iter(stage.cloud.late_requests))}
    stage.cloud.clock.advance(timedelta(hours=2))
    assert results(await stage.all(fleet(5))) == all_of(fleet(5), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 5


async def test_finished_requests_are_not_waited_for_when_their_messages_were_pruned(stage: Stage) -> None:
    await stage.all(fleet(5))
    await stage.outcomes.inbox.prune(timedelta())
    outcomes = await stage.all(fleet(5))
    assert results(outcomes) == all_of(fleet(5), FleetResult.MISSING)
    assert {one.reason for one in outcomes} == {"its message is no longer in the inbox"}


async def test_runs_of_other_names_know_nothing_of_each_other(stage: Stage) -> None:
    await stage.all(fleet(5))
    again = await stage.all(fleet(5), run="summer")
    assert results(again) == all_of(fleet(5), FleetResult.FAILED)  # They are active already.
    assert len(requests(stage.cloud)) == 2


async def test_a_run_that_is_forgotten_begins_anew(stage: Stage) -> None:
    await stage.all(fleet(5))
    await stage.outcomes.inbox.forget_run("spring")
    assert results(await stage.all(fleet(5))) == all_of(fleet(5), FleetResult.FAILED)  # They are active already.
    assert len(requests(stage.cloud)) == 2


async def test_a_run_that_is_under_way_is_not_begun_again_until_it_has_ended(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Delay(0.3))
    first = asyncio.create_task(stage.all(fleet(20)))
    async with asyncio.timeout(10):
        while not requests(stage.cloud):
            await asyncio.sleep(0.01)
    with pytest.raises(errors.InvalidRequest, match="the run spring is under way"):
        await stage.all(fleet(20))
    with pytest.raises(errors.InvalidRequest, match="forget_run: the run spring is under way"):
        await stage.outcomes.inbox.forget_run("spring")
    assert results(await stage.all(fleet(5, first=100), run="summer")) == all_of(
        fleet(5, first=100), FleetResult.SUCCEEDED
    )
    first.cancel()
    await asyncio.wait([first])
    assert results(await stage.all(fleet(20))) == all_of(fleet(20), FleetResult.SUCCEEDED)
    assert len(stage.sent) == len(set(stage.sent)) == 25


async def test_the_name_of_another_calls_run_is_refused(stage: Stage) -> None:
    await stage.all(fleet(5))
    with pytest.raises(errors.InvalidRequest, match=r"was begun as devices\.activate"):
        await anext(stage.session.devices.suspend_all(fleet(5), stage.outcomes, run="spring"))
    assert stage.cloud.count("devices.suspend") == 0


@pytest.mark.parametrize("changes", [{"service_plan": "M2M_PP"}, {"carrier_name": "Verizon"}], ids=str)
async def test_a_run_does_not_go_on_with_other_options_as_if_it_had_been_sent_with_them(
    stage: Stage, changes: dict[str, str]
) -> None:
    await stage.all(fleet(5))
    with pytest.raises(errors.InvalidRequest, match=r"run spring was begun with other options.*or give another name"):
        await stage.all(fleet(5), **changes)
    assert len(requests(stage.cloud)) == 1


async def test_what_was_sent_to_another_platform_is_not_taken_for_sent_to_this_one(stage: Stage) -> None:
    await stage.all(fleet(5))
    elsewhere = Environment.at(stage.cloud.url.replace("127.0.0.1", "localhost"))
    async with Session(stage.cloud.credentials, environment=elsewhere) as session:
        run = session.devices.activate_all(fleet(5), stage.outcomes, run="spring", **OPTIONS)
        with pytest.raises(errors.InvalidRequest, match="on another platform"):
            await anext(run)


# What goes wrong with a request


@pytest.mark.parametrize(
    ("fault", "result", "again"),
    [
        (Reset(processed=True), FleetResult.UNKNOWN, FleetResult.UNKNOWN),
        (Reset(), FleetResult.UNKNOWN, FleetResult.UNKNOWN),
        (Status(500), FleetResult.UNKNOWN, FleetResult.UNKNOWN),
        (Status(200, "no JSON", processed=True), FleetResult.UNKNOWN, FleetResult.UNKNOWN),
        (Status(400), FleetResult.FAILED, FleetResult.FAILED),
        (Status(409), FleetResult.FAILED, FleetResult.FAILED),
        (Status.too_many_requests(), FleetResult.NOT_SENT, FleetResult.SUCCEEDED),
        (Status.throttled_out(), FleetResult.NOT_SENT, FleetResult.SUCCEEDED),
    ],
    ids=str,
)
async def test_what_met_an_error_is_sent_again_only_if_it_cannot_have_been_carried_out(
    stage: Stage, fault: Any, result: FleetResult, again: FleetResult
) -> None:
    stage.cloud.faults.add("devices.activate", fault)
    outcomes = await stage.all(fleet(20), in_flight=1)
    others = all_of(fleet(10, first=10), FleetResult.SUCCEEDED)
    assert results(outcomes) == all_of(fleet(10), result) | others
    hit = [one for one in outcomes if one.result is result]
    assert all(one.error is not None and one.reason == str(one.error) for one in hit)
    later = await stage.all(fleet(20))
    assert results(later) == all_of(fleet(10), again) | others
    assert len(requests(stage.cloud)) == 2 + (again is FleetResult.SUCCEEDED)
    if again is not FleetResult.SUCCEEDED:
        assert {one.reason for one in later if one.result is again} == {one.reason for one in hit}


async def test_without_a_connection_nothing_was_sent(tmp_path: Path) -> None:
    async with SqliteInbox(tmp_path / "inbox.db") as inbox, staged(inbox) as stage:
        await stage.cloud.close()
        assert results(await stage.all(fleet(15))) == all_of(fleet(15), FleetResult.NOT_SENT)
        await stage.cloud.start()
        assert results(await stage.all(fleet(15))) == all_of(fleet(15), FleetResult.SUCCEEDED)


async def test_an_answer_that_a_log_in_lost_leaves_the_request_unsent(stage: Stage) -> None:
    await stage.session.log_out()
    stage.cloud.faults.add("session.log_in", Reset())
    assert results(await stage.all(fleet(5))) == all_of(fleet(5), FleetResult.NOT_SENT)
    assert results(await stage.all(fleet(5))) == all_of(fleet(5), FleetResult.SUCCEEDED)


EXPIRED = {"errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "errorMessage": "It has expired"}


@pytest.mark.parametrize(
    ("fault", "kind", "count"),
    [
        (Status(401), errors.Unauthorized, 2),  # With another token, too.
        (Status(400, EXPIRED), errors.BadRequest, 2),
        (Status(403), errors.Forbidden, 1),
    ],
    ids=str,
)
async def test_what_all_requests_would_meet_ends_the_run_and_the_next_one_sends_them(
    stage: Stage, fault: Status, kind: type[Exception], count: int
) -> None:
    stage.cloud.faults.add("devices.activate", fault, times=None)
    with pytest.raises(kind):
        await stage.all(fleet(50), in_flight=1)
    assert len(requests(stage.cloud)) == count
    stage.cloud.faults.clear()
    assert results(await stage.all(fleet(50))) == all_of(fleet(50), FleetResult.SUCCEEDED)


async def test_a_session_that_is_closed_ends_the_run(stage: Stage) -> None:
    await stage.session.close()
    with pytest.raises(errors.SessionClosed):
        await stage.all(fleet(5))


async def test_an_inbox_that_fails_ends_the_run_before_anything_is_sent(stage: Stage) -> None:
    await stage.outcomes.inbox.close()
    with pytest.raises(errors.InboxUnavailable):
        await stage.all(fleet(5))
    assert requests(stage.cloud) == []


async def test_the_id_of_a_request_that_was_accepted_and_could_not_be_noted_is_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        async def record(self, run: str, entries: Any) -> None:
            if any(value.startswith("accepted") for value in entries.values()):
                raise errors.InboxUnavailable("there is no space left")
            await stage.outcomes.inbox.record(run, entries)

        async def recorded(self, run: str) -> dict[str, str]:
            return await stage.outcomes.inbox.recorded(run)

    class Source:
        inbox = Full()
        of = stage.outcomes.of

    with pytest.raises(errors.InboxUnavailable):
        await anext(stage.session.devices.activate_all(fleet(3), Source(), run="spring", **OPTIONS))
    (request_id,) = stage.cloud.late_requests
    assert f"request {request_id} was accepted, and could not be noted" in caplog.messages
    assert results(await stage.all(fleet(3))) == all_of(fleet(3), FleetResult.UNKNOWN)


async def test_a_device_that_cannot_be_sent_is_found_without_a_look_at_each_of_the_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, request = 0, running.Action.request

    def counted(action: running.Action, devices: tuple[DeviceIds, ...]) -> Any:
        nonlocal looks
        looks += 1
        return request(action, devices)

    monkeypatch.setattr(running.Action, "request", counted)
    given = [*fleet(300), DeviceIds(device_ids=()), *fleet(700, first=300)]
    outcomes = await stage.all(given, devices_a_request=1_001)
    assert [one.device.device_ids for one in outcomes if one.result is FleetResult.FAILED] == [()]
    assert len(stage.sent) == 1_000
    assert looks < 50


async def test_devices_that_cannot_be_sent_fail_alone(stage: Stage) -> None:
    bad = [DeviceIds(device_ids=(DeviceId.imei("9.90014E+14"),)), DeviceIds(device_ids=())]
    outcomes = await stage.all([*fleet(5), *bad, *fleet(5, first=5)], devices_a_request=12)
    failed = [one for one in outcomes if one.result is FleetResult.FAILED]
    assert [one.device for one in failed] == bad
    assert all(isinstance(one.error, errors.InvalidRequest) for one in failed)
    assert len(outcomes) == 12
    assert sorted(stage.sent) == sorted(map(imei, fleet(10)))
    assert [one.result for one in await stage.all(bad, run="only these")] == [FleetResult.FAILED] * 2


# What is given


async def test_a_device_that_is_given_twice_is_sent_once_whatever_it_is_named_by(stage: Stage) -> None:
    twice = [*fleet(10), new(3).device_ids[1], [new(4).device_ids[0]], DeviceId(kind="IMEI", id=imei(new(5)))]
    told: list[int | None] = []
    outcomes = await stage.all(twice, on_progress=lambda *counts: told.append(counts[3]))
    assert results(outcomes) == all_of(fleet(10), FleetResult.SUCCEEDED)
    assert len(stage.sent) == 10
    assert told[-1] == 10


async def test_a_device_may_name_an_identifier_twice(stage: Stage) -> None:
    twice = DeviceIds(device_ids=(*new(1).device_ids, new(1).device_ids[0]))
    assert [one.device for one in await stage.all([twice, new(1)])] == [twice]


async def test_word_of_what_is_under_way_still_is_no_outcome(stage: Stage) -> None:
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
async def test_what_is_no_iterable_of_devices_is_refused_at_once(stage: Stage, wrong: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="devices must be an iterable"):
        stage.activate(wrong)


async def test_what_is_no_device_ends_the_run(stage: Stage) -> None:
    with pytest.raises(errors.InvalidRequest, match="not str"):
        await stage.all(["990013907835573"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"run": ""}, "run must not be empty"),
        ({"devices_a_request": 10_001}, "devices_a_request must be 10,000 or less"),
        ({"devices_a_request": 0}, "devices_a_request must be 1 or more"),
        ({"in_flight": 0}, "in_flight must be 1 or more"),
        ({"timeout": timedelta(seconds=-1)}, "timeout must be zero or more"),
        ({"on_progress": asyncio.sleep}, "on_progress must be a plain function"),
        ({"service_plan": ""}, "service_plan must not be empty"),
    ],
)
async def test_options_that_cannot_work_are_refused_at_once(stage: Stage, options: Any, said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        stage.activate(fleet(1), **options)


# Pace, bounds and leaving


async def test_no_more_than_100_requests_a_minute_are_sent_by_all_runs_of_a_session(
    stage: Stage, real_pace: None
) -> None:
    begun = time.monotonic()
    both = (stage.all(fleet(30), run="a"), stage.all(fleet(30, first=100), run="b"))
    await asyncio.gather(*both)
    assert len(requests(stage.cloud)) == 6
    assert time.monotonic() - begun >= 5 * 0.6


async def test_the_requests_whose_outcomes_are_awaited_are_bounded(stage: Stage) -> None:
    stage.cloud.assumptions = Assumptions(request_time=timedelta(seconds=60))
    waiting: list[int] = []

    def tell(done: int, failed: int, waits: int, total: int | None) -> None:
        waiting.append(waits)

    consumer = asyncio.create_task(stage.all(fleet(100), in_flight=3, on_progress=tell))
    for count in (3, 6, 9, 10):
        async with asyncio.timeout(20):
            while len(requests(stage.cloud)) < count:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(requests(stage.cloud)) == count
        stage.cloud.clock.advance(61)
    assert len(await consumer) == 100
    assert max(waiting) <= 30


async def test_progress_adds_up(stage: Stage) -> None:
    stage.cloud.faults.add("devices.activate", Status(400), after=1)
    told: list[tuple[int, int, int, int | None]] = []
    await stage.all(fleet(40), in_flight=2, on_progress=lambda *counts: told.append(counts))
    assert [counts[0] for counts in told] == sorted(counts[0] for counts in told)
    assert all(failed <= done and done + waiting <= 40 for done, failed, waiting, _ in told)
    assert {counts[3] for counts in told} == {40}
    assert told[-1] == (40, 10, 0, 40)


async def test_a_run_that_goes_on_knows_from_its_beginning_how_many_devices_there_are(stage: Stage) -> None:
    await stage.all(fleet(20))
    told: list[tuple[int, int, int, int | None]] = []
    await stage.all(fleet(40), in_flight=1, on_progress=lambda *counts: told.append(counts))
    assert {counts[3] for counts in told} == {40}
    assert told[-1] == (40, 0, 0, 40)


async def test_a_progress_callback_that_fails_ends_the_run(stage: Stage) -> None:
    with pytest.raises(ZeroDivisionError):
        await stage.all(fleet(10), on_progress=lambda *_: 1 // 0)


async def test_a_caller_who_leaves_or_is_cancelled_leaves_nothing(stage: Stage) -> None:
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


async def test_a_caller_who_is_slow_holds_the_run_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_MOST_UNREAD", 5)
    async with aclosing(stage.activate(fleet(200), in_flight=2)) as coming:
        await anext(coming)
        await asyncio.sleep(0.5)
        assert len(requests(stage.cloud)) <= 4
        assert len([one async for one in coming]) == 199


async def test_the_other_calls_do_what_their_names_say(stage: Stage) -> None:
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


def test_a_million_devices_are_known_in_little_memory() -> None:
    known = ledger.KnownDevices()
    tracemalloc.start()
    try:
        assert all(known.add(new(number)) for number in range(50_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not any(known.add(new(number)) for number in range(0, 50_000, 7))
    assert peak / 50_000 < 64
