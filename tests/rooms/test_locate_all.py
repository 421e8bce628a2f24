"""`locate_all`: any number of devices, the bill, interruptions, lost answers, outages, and several workers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from thingspace_async import DeviceId, Session, errors
from thingspace_async._core import runs
from thingspace_async._core.types import DeviceIds
from thingspace_async.callbacks import MemoryInbox, SqliteInbox
from thingspace_async.callbacks.inbox import Inbox
from thingspace_async.devices import Device
from thingspace_async.location import (
    ExcludeDevicesRequest,
    LocatedDevice,
    Location,
    LocationDevice,
    LocationProgress,
    LocationReport,
    LocationReportAccepted,
    LocationReportStatus,
    LocationRequest,
    ReportStatus,
    run,
)
from thingspace_async.location.plan import LocationPlan
from thingspace_async.location.run import LocationRun
from thingspace_async.simulator import Assumptions, Simulator, Status
from thingspace_async.simulator.faults import Delay, Reset

ACCOUNT = "0000123456-00001"
TRUCK = LocationDevice(id="990013907835573", kind="imei", mdn="5125550123")
CREATE = "location.reports.create"
QUICK = Assumptions(request_time=timedelta(milliseconds=30))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(run, "_HELP_INTERVAL", 0.02)
    monkeypatch.setattr(runs, "_PAUSE", 0.02)


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    """A simulator whose active devices can all be located, and whose reports take 30 ms."""
    async with Simulator(devices=40, assumptions=QUICK) as cloud:
        for device in cloud.devices:
            if device.state == "active":
                cloud.set_locatable(device, locatable=True)
        yield cloud


@pytest.fixture
async def session(cloud: Simulator) -> AsyncIterator[Session]:
    async with Session(cloud.credentials, environment=cloud.environment, retries=0) as session:
        yield session


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with MemoryInbox() as inbox:
        yield inbox


async def active(session: Session) -> list[Device]:
    return [one async for one in session.devices.list(account_name=ACCOUNT, current_state="active")]


def locating(session: Session, devices: Any, **options: Any) -> AsyncGenerator[LocatedDevice]:
    given: dict[str, Any] = {"check_every": timedelta(milliseconds=5), "devices_per_report": 8} | options
    return session.location.locate_all(ACCOUNT, devices, **given)


async def billed(session: Session) -> int:
    return int((await session.location.subscription(ACCOUNT)).used_allowance or 0)


def numbers(found: list[LocatedDevice]) -> list[str]:
    return sorted(one.device.mdn for one in found)


def all_numbers(devices: list[Device]) -> list[str]:
    return sorted(str(one.mdn) for one in devices)


def named(inbox: Inbox, **options: Any) -> dict[str, Any]:
    return {"inbox": inbox, "run": "spring"} | options


# Without a name


async def test_known_locations_come_first_and_only_the_others_are_billed(session: Session) -> None:
    listed = session.devices.list(account_name=ACCOUNT, current_state="active")
    found = [one async for one in locating(session, listed)]
    assert numbers(found) == all_numbers(await active(session))
    assert not any(one.location.failed or one.repeat for one in found)
    current = [one for one in found if not one.cached]
    assert 0 < len(current) < len(found)
    assert await billed(session) == len(current)


async def test_known_locations_alone_are_free(session: Session) -> None:
    devices = await active(session)
    found = [one async for one in locating(session, [*devices, *devices], current=False)]
    assert numbers(found) == all_numbers(devices)
    assert {one.location.error.type for one in found if one.location.error} >= {"CACHE_UNAVAILABLE"}
    assert await billed(session) == 0


async def test_an_excluded_device_fails_alone(session: Session) -> None:
    devices = (await active(session))[:3]
    imei = DeviceId.imei(str(devices[0].imei))
    await session.location.exclusions.add(ExcludeDevicesRequest(account_name=ACCOUNT, device_ids=[imei]))
    for size in (1, 3):
        found = {one.device.mdn: one async for one in locating(session, devices, devices_per_report=size)}
        assert [found[str(one.mdn)].location.failed for one in devices] == [True, False, False]
        excluded = found[str(devices[0].mdn)]
        assert excluded.cached
        assert excluded.location.error is not None
        assert excluded.location.error.type == "EXCLUDED"


async def test_the_progress_counts_every_device(cloud: Simulator, session: Session) -> None:
    devices, seen = await active(session), list[LocationProgress]()
    for device in cloud.devices:
        if device.state == "active":
            cloud.set_locatable(device, locatable=False)
    found = [one async for one in locating(session, devices, on_progress=seen.append)]
    cached = sum(one.cached for one in found)
    assert seen[0].total == len(devices)
    assert max(one.waiting for one in seen) > 0
    assert seen[-1] == LocationProgress(
        done=len(devices), failed=len(devices) - cached, cached=cached, waiting=0, total=len(devices)
    )


class Reports:
    """Reports that answer what a test says; see `run.Reports`."""

    def __init__(self, status: str = "COMPLETED") -> None:
        self._status = ReportStatus(status)

    async def create(self, request: LocationRequest) -> LocationReportAccepted:
        return LocationReportAccepted(request_id=str(request.cache_mode))

    async def status(self, account_name: str, request_id: str) -> LocationReportStatus:
        is_current = request_id == "1"
        return LocationReportStatus(status=self._status if is_current else ReportStatus.COMPLETED)

    async def locations_page(self, account_name: str, request_id: str, *, start_index: int = 0) -> LocationReport:
        return LocationReport(locations=(Location(msid="7892345678"),))


@pytest.mark.parametrize(("status", "error"), [("COMPLETED", "MISSING"), ("CANCELLED", "CANCELLED")])
async def test_a_device_without_a_location_in_its_report_has_failed(status: str, error: str) -> None:
    async def nothing() -> AsyncGenerator[str]:
        for name in tuple[str, ...]():
            yield name

    plan = LocationPlan(
        account_name=ACCOUNT,
        check_every=timedelta(seconds=1),
        devices_per_report=1,
        timeout=timedelta(),
        give_up_after=timedelta(),
    )
    located = LocationRun(plan, Reports(status), nothing, host="example.com").located([TRUCK])
    (found,) = [one async for one in located]
    assert found.device == TRUCK
    assert found.location.error is not None
    assert found.location.error.type == error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"check_every": timedelta()}, "check_every must be more than zero"),
        ({"timeout": timedelta(-1)}, "timeout must be zero or more"),
        ({"give_up_after": 7}, "give_up_after must be a timedelta"),
        ({"devices_per_report": 0}, "devices_per_report must be 1 to 10,000"),
        ({"devices_per_report": 10_001}, "devices_per_report must be 1 to 10,000"),
        ({"run": "spring"}, "give both inbox and run"),
        ({"inbox": MemoryInbox()}, "give both inbox and run"),
        ({"inbox": MemoryInbox(), "run": " "}, "run must not be empty"),
        ({"on_progress": active}, "on_progress must be a plain function"),
    ],
)
async def test_wrong_options_are_refused(session: Session, options: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        locating(session, [TRUCK], **options)


@pytest.mark.parametrize("device", ["truck", DeviceIds(device_ids=(DeviceId.imei("990013907835573"),))])
async def test_a_device_that_cannot_be_located_ends_a_run_with_an_error(session: Session, device: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"location\.locate_all: a device needs both an MDN"):
        await anext(locating(session, [device]))


async def test_a_refused_report_ends_the_run(session: Session, inbox: Inbox) -> None:
    (truck,) = (await active(session))[:1]
    other = LocationDevice(id=str(truck.imei), kind="imei", mdn="5125550199")
    with pytest.raises(errors.BadRequest, match="MDN validation failed"):
        await anext(locating(session, [other], **named(inbox)))


# Interruptions


class Killed(Exception):
    """The end of a process."""


def killed_when_waiting(progress: LocationProgress) -> None:
    """Kill the process as soon as a report was requested."""
    if progress.waiting:
        raise Killed


async def test_an_interrupted_run_continues_without_a_second_bill(session: Session, tmp_path: Path) -> None:
    devices, path = await active(session), tmp_path / "runs.db"
    async with SqliteInbox(path) as inbox:
        with pytest.raises(Killed):
            _ = [one async for one in locating(session, devices, **named(inbox, on_progress=killed_when_waiting))]
    async with SqliteInbox(path) as inbox:
        found = [one async for one in locating(session, devices, **named(inbox))]
    assert numbers(found) == all_numbers(devices)
    current = sum(not one.cached for one in found)
    assert await billed(session) == current
    async with SqliteInbox(path) as inbox:
        again = [one async for one in locating(session, devices, **named(inbox))]
        assert numbers(again) == all_numbers(devices)
        assert all(one.repeat for one in again)
        assert {one.location.position for one in again} == {one.location.position for one in found}
        await inbox.forget_run("spring")
        assert await inbox.ledger.runs() == []
    assert await billed(session) == current


async def test_a_run_that_is_closed_early_continues(session: Session, inbox: Inbox) -> None:
    devices = await active(session)
    async with aclosing(locating(session, devices, **named(inbox))) as located:
        async for one in located:
            if not one.cached:
                break
    found = [one async for one in locating(session, devices, **named(inbox))]
    assert numbers(found) == all_numbers(devices)
    assert await billed(session) == sum(not one.cached for one in found)


async def test_a_run_does_not_continue_with_other_options(session: Session, inbox: Inbox) -> None:
    devices = (await active(session))[:2]
    _ = [one async for one in locating(session, devices, **named(inbox))]
    with pytest.raises(errors.InvalidRequest, match=r"the run spring was begun with other options"):
        await anext(locating(session, devices, **named(inbox, current=False)))


# Lost answers


async def unknown_number(session: Session, devices: list[Device]) -> int:
    """Return how many devices have no known location."""
    return sum([one.location.failed async for one in locating(session, devices, current=False)])


async def test_a_report_whose_answer_was_lost_is_not_requested_again(
    cloud: Simulator, session: Session, inbox: Inbox
) -> None:
    devices = await active(session)
    expected = await unknown_number(session, devices)
    cloud.faults.add(CREATE, Reset(processed=True), after=1)  # The first report is about known locations.
    found = [one async for one in locating(session, devices, **named(inbox, devices_per_report=100))]
    assert numbers(found) == all_numbers(devices)
    assert not any(one.location.failed for one in found)
    assert sum(not one.cached for one in found) == expected == await billed(session)
    again = [one async for one in locating(session, devices, **named(inbox, devices_per_report=100))]
    assert numbers(again) == all_numbers(devices)
    assert await billed(session) == expected


async def test_devices_of_a_lost_report_end_as_unknown(cloud: Simulator, session: Session, inbox: Inbox) -> None:
    devices = await active(session)
    expected = await unknown_number(session, devices)
    cloud.faults.add(CREATE, Reset(), after=1)
    options = named(inbox, devices_per_report=100, timeout=timedelta())
    for _ in range(2):
        found = [one async for one in locating(session, devices, **options)]
        failed = [one.location.error.type for one in found if one.location.failed and one.location.error is not None]
        assert Counter(failed) == {"UNKNOWN": expected}
    assert await billed(session) == 0


@pytest.mark.parametrize("wait", [0.0, 5.0])
async def test_a_request_in_progress_gets_time_to_finish_when_the_run_is_cancelled(
    cloud: Simulator, session: Session, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, wait: float
) -> None:
    monkeypatch.setattr(run, "_PATIENCE", wait)
    devices = await active(session)
    expected = await unknown_number(session, devices)
    before = cloud.count(CREATE)
    cloud.faults.add(CREATE, Delay(0.2), after=1)
    options = named(inbox, devices_per_report=100)

    async def work() -> list[LocatedDevice]:
        return [one async for one in locating(session, devices, **options)]

    running = asyncio.create_task(work())
    async with asyncio.timeout(10):
        while cloud.count(CREATE) < before + 2:
            await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    found = await work()
    assert numbers(found) == all_numbers(devices)
    assert not any(one.location.failed for one in found)
    assert await billed(session) == expected
    assert cloud.count(CREATE) - before > 2, "known locations are looked up again"


async def test_devices_of_a_process_that_ended_during_its_request_end_as_unknown(
    session: Session, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_PATIENCE", 0)
    devices = await active(session)
    expected = await unknown_number(session, devices)
    create, began = session.location.reports.create, asyncio.Event()

    async def never_sent(request: LocationRequest) -> LocationReportAccepted:
        if request.cache_mode == "1":
            began.set()
            await asyncio.sleep(60)
        return await create(request)

    options = named(inbox, devices_per_report=100, timeout=timedelta())
    with monkeypatch.context() as patched:
        patched.setattr(session.location.reports, "create", never_sent)
        ending = asyncio.create_task(collected(locating(session, devices, **options)))
        await began.wait()
        ending.cancel()
        await asyncio.wait([ending])
    for _ in range(2):
        found = await collected(locating(session, devices, **options))
        assert sum(one.location.failed for one in found) == expected
        assert numbers(found) == all_numbers(devices)
    assert await billed(session) == 0


# Outages


@pytest.mark.parametrize(
    ("operation", "fault", "after"),
    [
        (CREATE, Status.too_many_requests(), 1),
        (CREATE, Status(503), 0),
        ("location.reports.status", Status(503), 1),
        ("location.reports.locations", Reset(), 0),
        ("location.exclusions.list", Reset(), 0),
    ],
    ids=str,
)
async def test_a_run_survives_an_outage_without_a_second_bill(
    cloud: Simulator, session: Session, operation: str, fault: Any, after: int
) -> None:
    devices = await active(session)
    expected = await unknown_number(session, devices)
    cloud.faults.add(operation, fault, after=after, times=3)
    found = [one async for one in locating(session, devices, devices_per_report=100)]
    assert numbers(found) == all_numbers(devices)
    assert await billed(session) == expected


async def test_a_run_ends_if_an_outage_lasts_too_long_and_continues_later(
    cloud: Simulator, session: Session, inbox: Inbox
) -> None:
    devices = await active(session)
    expected = await unknown_number(session, devices)
    options = named(inbox, give_up_after=timedelta(), devices_per_report=100)
    cloud.faults.add(CREATE, Status.too_many_requests(), after=1)
    with pytest.raises(errors.RateLimited):
        _ = [one async for one in locating(session, devices, **options)]
    cloud.faults.add("location.reports.status", Status(503))
    with pytest.raises(errors.ServerFault):
        _ = [one async for one in locating(session, devices, **options)]
    found = [one async for one in locating(session, devices, **options)]
    assert numbers(found) == all_numbers(devices)
    assert await billed(session) == expected


async def test_a_page_of_a_report_that_cannot_be_read_is_not_requested_for_an_hour(
    cloud: Simulator, session: Session
) -> None:
    cloud.faults.add("location.reports.locations", Status(200, "no JSON"))
    with pytest.raises(errors.AnswerUnreadable):
        _ = [one async for one in locating(session, await active(session))]


# Several workers


async def test_two_workers_divide_a_run(session: Session, inbox: Inbox) -> None:
    devices = await active(session)

    async def work() -> list[LocatedDevice]:
        return [one async for one in locating(session, devices, **named(inbox, devices_per_report=4))]

    parts = await asyncio.gather(work(), work())
    assert numbers([one for part in parts for one in part]) == all_numbers(devices)
    assert await billed(session) == sum(not one.cached for part in parts for one in part)


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LEASE", 0.3)


@pytest.mark.usefixtures("short_leases")
async def test_a_worker_takes_over_the_devices_of_one_that_was_stopped(
    cloud: Simulator, session: Session, inbox: Inbox
) -> None:
    devices = await active(session)
    expected = await unknown_number(session, devices)
    cloud.clock.speed = 0  # Reports stay in progress.
    stopped = locating(session, devices, **named(inbox, devices_per_report=100))
    first = await anext(stopped)
    frame: Any = getattr(stopped, "ag_frame")  # noqa: B009 - type checkers do not know it
    part = frame.f_locals["self"]._part
    renew, continues = part._renew_lease, asyncio.Event()

    async def paused() -> None:
        await continues.wait()
        await renew()

    part._renew_lease = paused
    await asyncio.sleep(0.35)
    cloud.clock.speed = 1
    found = [one async for one in locating(session, devices, **named(inbox, devices_per_report=100))]
    assert numbers(found) == all_numbers(devices)
    assert first.device.mdn in numbers([one for one in found if one.repeat])
    continues.set()
    assert all([one.repeat async for one in stopped]), "the other worker has returned them"
    assert await billed(session) == expected


async def collected(located: AsyncGenerator[LocatedDevice]) -> list[LocatedDevice]:
    return [one async for one in located]


async def until(cloud: Simulator, count: int) -> None:
    """Wait until so many reports were requested."""
    async with asyncio.timeout(10):
        while cloud.count(CREATE) < count:
            await asyncio.sleep(0.001)


class Stopped:
    """A worker whose request is delayed, and that renews no lease meanwhile, as if its process was stopped."""

    def __init__(self, located: AsyncGenerator[LocatedDevice]) -> None:
        self._located = located
        self.task = asyncio.create_task(collected(located))
        self.continues = asyncio.Event()

    def stop(self) -> None:
        frame: Any = getattr(self._located, "ag_frame")  # noqa: B009 - type checkers do not know it
        part = frame.f_locals["self"]._part
        renew = part._renew_lease

        async def paused() -> None:
            await self.continues.wait()
            await renew()

        part._renew_lease = paused


@pytest.mark.usefixtures("short_leases")
@pytest.mark.parametrize("known_locations", [True, False])
async def test_a_worker_takes_over_what_another_one_abandons(
    cloud: Simulator, session: Session, inbox: Inbox, *, known_locations: bool
) -> None:
    devices = await active(session)
    expected, before = await unknown_number(session, devices), cloud.count(CREATE)
    after = 0 if known_locations else 1  # It is stopped before, or while, it requests a report that is billed.
    cloud.faults.add(CREATE, Delay(1), after=after)
    stopped = Stopped(locating(session, devices, **named(inbox, devices_per_report=100)))
    await until(cloud, before + after + 1)
    helping = asyncio.create_task(collected(locating(session, devices, **named(inbox, devices_per_report=100))))
    await asyncio.sleep(0.1)
    stopped.stop()
    found = await helping
    assert numbers(found) == all_numbers(devices)
    stopped.continues.set()
    assert all(one.repeat for one in await stopped.task)
    assert await billed(session) == expected


@pytest.mark.usefixtures("short_leases")
async def test_a_worker_that_was_stopped_before_its_request_sends_it_no_more(
    cloud: Simulator, session: Session, inbox: Inbox
) -> None:
    devices = await active(session)
    expected, before = await unknown_number(session, devices), cloud.count(CREATE)
    cloud.faults.add(CREATE, Delay(1))
    stopped = Stopped(locating(session, devices, **named(inbox, devices_per_report=100)))
    await until(cloud, before + 1)
    stopped.stop()
    await asyncio.sleep(0.35)
    # It releases the devices that the first worker has claimed.
    found = await collected(locating(session, devices, **named(inbox, devices_per_report=100)))
    assert numbers(found) == all_numbers(devices)
    stopped.continues.set()
    assert all(one.repeat for one in await stopped.task)
    assert await billed(session) == expected


# Many devices


async def killed_half_way(cloud: Simulator, folder: Path, count: int, size: int) -> list[list[str]]:
    """Run `tests.rooms.locating` twice, and kill it the first time. Return the lines that each has printed."""
    printed: list[list[str]] = []
    for is_first in (True, False):
        path = folder / f"printed-{is_first}"
        with path.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.rooms.locating", str(folder / "runs.db"), str(count), str(size)),
                env={**os.environ, **cloud.exports()},
                cwd=Path(__file__).parents[2],
                stdout=output,
            )
        try:
            async with asyncio.timeout(250):
                while is_first and cloud.count(CREATE) < count / size:  # Two for each batch of devices.
                    await asyncio.sleep(0.001)
                if is_first:
                    process.kill()
                assert await process.wait() == (-9 if is_first else 0)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        printed.append(path.read_text().splitlines())
    return printed


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_25_000_devices_of_which_3_percent_fail_are_located_by_a_process_that_is_killed(tmp_path: Path) -> None:
    count = 25_000
    async with Simulator(devices=count + 7_000, assumptions=QUICK) as cloud:
        async with Session(cloud.credentials, environment=cloud.environment) as session:
            first, second = await killed_half_way(cloud, tmp_path, count, 1_000)
            charged = await billed(session)
        # If the lease of the first process has not expired, the second one shares its run: it does not return again
        # the devices that the first one has returned.
        results = {line.split(",")[0]: line for line in (*first, *second)}
        assert 0 < len(first) < count
        assert len(results) == count
        current = [line for line in results.values() if line.endswith("False")]
        failed = sum(",failed," in line for line in current)
        assert 0.02 < failed / len(current) < 0.04
        assert charged == len(current) - failed
