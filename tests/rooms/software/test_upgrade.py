"""A whole upgrade: licenses for those that lack one, one campaign whatever happens, and its devices until the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.rooms.software.campaigns import ACCOUNT, fitting, scheduled, simulated, today, wanting
from thingspace_async import Session, errors
from thingspace_async.callbacks import MemoryInbox, Outcomes, SqliteInbox
from thingspace_async.simulator import Simulator, Status
from thingspace_async.simulator.faults import Delay, Reset
from thingspace_async.simulator.rooms.software import Software
from thingspace_async.software import (
    CampaignRequest,
    CampaignStatus,
    DeviceListRequest,
    DeviceStatus,
    turns,
    upgrading,
)

SOON = timedelta(milliseconds=1)
SCHEDULE = "software.campaigns.schedule"
IMEI = "990013907835573"


@pytest.fixture
async def outcomes() -> AsyncIterator[Outcomes]:
    async with MemoryInbox() as inbox:
        yield Outcomes(inbox)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses short."""
    monkeypatch.setattr(upgrading, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(upgrading, "_FIND_EVERY", 0.001)
    monkeypatch.setattr(turns, "_PAUSE", 0.01)


async def upgrade(session: Session, request: CampaignRequest, outcomes: Outcomes, **options: Any) -> list[DeviceStatus]:
    async with (
        asyncio.timeout(30),
        aclosing(session.software.upgrade(ACCOUNT, request, outcomes, check_every=SOON, **options)) as changes,
    ):
        return [change async for change in changes]


async def began(session: Session, request: CampaignRequest, outcomes: Outcomes, **options: Any) -> DeviceStatus:
    """Begin an upgrade, and leave it at the first device."""
    async with (
        asyncio.timeout(30),
        aclosing(session.software.upgrade(ACCOUNT, request, outcomes, check_every=SOON, **options)) as changes,
    ):
        return await anext(changes)


# The whole


async def test_devices_get_licenses_and_are_upgraded(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    devices = await fitting(session, 9)
    await session.software.licenses.assign(ACCOUNT, DeviceListRequest(devices=devices[:4]))
    request, ids = await wanting(cloud, session, devices), list[str]()
    await began(session, request, outcomes, on_scheduled=ids.append)
    assert (await session.software.subscription(ACCOUNT)).license_used_count == 9
    cloud.clock.advance(timedelta(hours=5))
    changes = await upgrade(session, request, outcomes, on_scheduled=ids.append)
    assert [one.device_id for one in changes if one.succeeded] == [one.device_id for one in devices]
    assert len(set(ids)) == 1
    assert (cloud.count(SCHEDULE), cloud.count("software.licenses.assign")) == (1, 2)


async def test_a_continued_upgrade_leaves_out_the_statuses_that_are_known(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    devices = await fitting(session, 5)
    request, known = await wanting(cloud, session, devices), dict[str, str]()
    async with aclosing(session.software.upgrade(ACCOUNT, request, outcomes, check_every=SOON)) as changes:
        async for change in changes:
            known[change.device_id] = str(change.status)
            if len(known) == 3:
                break
    first = await began(session, request, outcomes, known=known)
    assert first.device_id == devices[3].device_id
    cloud.clock.advance(timedelta(hours=5))
    rest = await upgrade(session, request, outcomes, known=known)
    assert {one.device_id for one in rest if one.succeeded} == {one.device_id for one in devices}
    known = {one.device_id: str(one.status) for one in rest}
    assert await upgrade(session, request, outcomes, known=known) == []
    assert cloud.count(SCHEDULE) == 1


async def test_an_account_that_pays_by_event_assigns_no_licenses(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    cloud.platform.room(Software).purchase_types[ACCOUNT] = "TS-HFOTA-EVNT"
    await began(session, await wanting(cloud, session, await fitting(session, 1)), outcomes)
    assert (cloud.count(SCHEDULE), cloud.count("software.licenses.assign")) == (1, 0)


async def test_the_platform_may_assign_the_licenses(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    request = await wanting(cloud, session, await fitting(session, 1), auto_assign_licenses=True)
    await began(session, request, outcomes)
    assert (cloud.count(SCHEDULE), cloud.count("software.licenses.assign")) == (1, 0)


async def test_nothing_is_scheduled_for_devices_without_a_license(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    devices = await fitting(session, 3)
    cloud.platform.room(Software).licenses[ACCOUNT].bought = 2
    with pytest.raises(errors.LicensesMissing, match="1 devices have no license") as caught:
        await began(session, await wanting(cloud, session, devices), outcomes)
    assert caught.value.devices == (devices[2].device_id,)
    assert cloud.count(SCHEDULE) == 0
    assert await outcomes.inbox.ledger.runs() == []


async def test_a_lost_answer_to_an_assignment_is_no_reason_to_assign_again(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    cloud.faults.add("software.licenses.assign", Reset(processed=True))
    await began(session, await wanting(cloud, session, await fitting(session, 2)), outcomes)
    assert cloud.count("software.licenses.assign") == 1


async def test_an_assignment_that_was_not_done_is_repeated(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    cloud.faults.add("software.licenses.assign", Reset())
    await began(session, await wanting(cloud, session, await fitting(session, 2)), outcomes)
    assert cloud.count("software.licenses.assign") == 2


# Once


async def test_a_restart_finds_its_campaign_in_the_inbox(cloud: Simulator, session: Session, tmp_path: Path) -> None:
    request = await wanting(cloud, session, await fitting(session, 2))
    for _ in range(2):
        async with SqliteInbox(tmp_path / "inbox.db") as inbox:
            await began(session, request, Outcomes(inbox))
    assert cloud.count(SCHEDULE) == 1


async def test_a_restart_without_its_inbox_finds_the_campaign_by_its_name(cloud: Simulator, session: Session) -> None:
    request = await wanting(cloud, session, await fitting(session, 2))
    for _ in range(2):
        async with MemoryInbox() as inbox:
            await began(session, request, Outcomes(inbox))
    assert cloud.count(SCHEDULE) == 1


async def test_two_processes_at_once_schedule_one_campaign_and_both_follow_it(
    cloud: Simulator, session: Session, tmp_path: Path
) -> None:
    request = await wanting(cloud, session, await fitting(session, 2))
    async with (
        SqliteInbox(tmp_path / "inbox.db") as one,
        SqliteInbox(tmp_path / "inbox.db") as other,
        Session(cloud.credentials, environment=cloud.environment) as second,
    ):
        first, later = await asyncio.gather(
            began(session, request, Outcomes(one)), began(second, request, Outcomes(other))
        )
    assert first.device_id == later.device_id
    assert cloud.count(SCHEDULE) == 1


async def test_a_lost_answer_is_no_reason_to_schedule_again(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    cloud.faults.add(SCHEDULE, Reset(processed=True))
    await began(session, await wanting(cloud, session, await fitting(session, 2)), outcomes)
    assert cloud.count(SCHEDULE) == 1
    assert len(cloud.platform.room(Software).campaigns[ACCOUNT]) == 1


async def test_a_campaign_that_appears_late_is_found(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    cloud.faults.add(SCHEDULE, Reset(processed=True))
    nothing = Status(200, {"hasMoreData": False, "campaignList": None})
    looks = len(CampaignStatus)
    cloud.faults.add("software.campaigns.list", nothing, after=looks, times=3 * looks)
    await began(session, await wanting(cloud, session, await fitting(session, 2)), outcomes)
    assert cloud.count(SCHEDULE) == 1
    assert cloud.count("software.campaigns.list") > 4 * looks


async def test_a_process_whose_turn_was_taken_over_waits_for_its_next_one(
    cloud: Simulator, session: Session, outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, refused = turns.Turn.begin, [False]

    async def begin_later(turn: turns.Turn) -> bool:
        return refused.pop() if refused else await begin(turn)

    monkeypatch.setattr(turns.Turn, "begin", begin_later)
    await began(session, await wanting(cloud, session, await fitting(session, 2)), outcomes)
    assert cloud.count(SCHEDULE) == 1


async def test_a_process_that_is_killed_while_it_schedules_has_scheduled_once(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    request = await wanting(cloud, session, await fitting(session, 2))
    cloud.faults.add(SCHEDULE, Delay(60))
    begun = asyncio.create_task(began(session, request, outcomes))
    async with asyncio.timeout(20):
        while not cloud.count(SCHEDULE):
            await asyncio.sleep(0.001)
    begun.cancel()
    await asyncio.wait([begun])
    await began(session, request, outcomes)
    assert cloud.count(SCHEDULE) == 1


async def test_a_request_whose_outcome_is_unknown_is_repeated_only_on_demand(
    cloud: Simulator, session: Session, outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrading, "_SETTLED_AFTER", timedelta(milliseconds=20))
    request = await wanting(cloud, session, await fitting(session, 2))
    cloud.faults.add(SCHEDULE, Reset(), times=2)
    for options in ({}, {}, {"schedule_again": True}):
        with pytest.raises(errors.AnswerLost, match="find out whether it was scheduled"):
            await began(session, request, outcomes, **options)
    assert cloud.count(SCHEDULE) == 2
    await began(session, request, outcomes, schedule_again=True)
    assert cloud.count(SCHEDULE) == 3


async def test_a_throttled_request_is_sent_later(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    away = session.with_options(retries=0)
    cloud.faults.add(SCHEDULE, Status.too_many_requests(), times=3)
    await began(away, await wanting(cloud, session, await fitting(session, 2)), outcomes)
    assert cloud.count(SCHEDULE) == 4


async def test_a_platform_that_stays_away_ends_the_upgrade_and_frees_its_name(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    away = session.with_options(retries=0)
    request = await wanting(cloud, session, await fitting(session, 2))
    cloud.faults.add(SCHEDULE, Status.too_many_requests(), times=99)
    with pytest.raises(errors.RateLimited):
        await began(away, request, outcomes, give_up_after=timedelta(milliseconds=5))
    assert await outcomes.inbox.ledger.runs() == []
    cloud.faults.clear()
    await began(session, request, outcomes)
    assert len(cloud.platform.room(Software).campaigns[ACCOUNT]) == 1


async def test_an_outage_during_a_read_is_waited_out(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    away = session.with_options(retries=0)
    request = await wanting(cloud, session, await fitting(session, 2))
    cloud.faults.add("software.campaigns.list", Status(503), times=2)
    cloud.faults.add("software.subscription", Status(503), times=2)
    await began(away, request, outcomes)
    assert cloud.count(SCHEDULE) == 1


async def test_a_refused_campaign_may_be_corrected_under_the_same_name(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    devices = await fitting(session, 2)
    past = today(cloud) - timedelta(days=1)
    with pytest.raises(errors.BadRequest, match="in the past"):
        await began(session, await wanting(cloud, session, devices, start_date=past), outcomes)
    await began(session, await wanting(cloud, session, devices), outcomes)
    assert len(cloud.platform.room(Software).campaigns[ACCOUNT]) == 1


async def test_a_name_belongs_to_one_request(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    devices = await fitting(session, 2)
    await began(session, await wanting(cloud, session, devices), outcomes)
    with pytest.raises(errors.InvalidRequest, match="was begun with other options"):
        await began(session, await wanting(cloud, session, devices[:1]), outcomes)


async def test_a_name_of_other_firmware_is_refused(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    devices = await fitting(session, 2)
    await scheduled(cloud, session, devices)
    packages = await session.software.firmware.list(ACCOUNT)
    other = packages[1]
    request = await wanting(
        cloud,
        session,
        devices,
        firmware_name=other.firmware_name,
        firmware_from=other.firmware_from,
        firmware_to=other.firmware_to,
    )
    with pytest.raises(errors.InvalidRequest, match=r"the campaign spring upgrades to .*: choose another name"):
        await began(session, request, outcomes)


async def test_a_campaign_needs_a_name_and_an_inbox(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    devices = await fitting(session, 1)
    with pytest.raises(errors.InvalidRequest, match="give the campaign a name"):
        await began(session, await wanting(cloud, session, devices, campaign_name=None), outcomes)
    request = await wanting(cloud, session, devices)
    with pytest.raises(errors.InvalidRequest, match=r"pass the outcomes of session\.listen"):
        session.software.upgrade(ACCOUNT, request, None)  # type: ignore[call-overload]
    with pytest.raises(errors.InvalidRequest, match="pass a CampaignRequest, not None"):
        session.software.upgrade(ACCOUNT, None, outcomes)  # type: ignore[call-overload]


@pytest.mark.parametrize("option", ["check_every", "give_up_after"])
async def test_a_wrong_time_is_refused_before_anything_is_sent(
    cloud: Simulator, session: Session, outcomes: Outcomes, option: str
) -> None:
    request = await wanting(cloud, session, await fitting(session, 1))
    sent = len(cloud.requests)
    for wrong, why in ((5, "must be a timedelta, not int"), (timedelta(), "must be more than zero")):
        options: Any = {option: wrong}
        with pytest.raises(errors.InvalidRequest, match=rf"^software\.upgrade: {option} {why}"):
            await anext(session.software.upgrade(ACCOUNT, request, outcomes, **options))
    assert len(cloud.requests) == sent


# Beforehand


async def test_a_dry_run_tells_what_stands_in_the_way_and_changes_nothing(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 6)
    every = [one async for one in session.software.devices.list(ACCOUNT)]
    request = await wanting(cloud, session, devices)
    newer = next(one for one in every if one.firmware == request.firmware_to and one.fota_eligible)
    retired = devices[1]
    simulated(cloud, retired).state = "deactive"
    await session.software.licenses.assign(ACCOUNT, DeviceListRequest(devices=devices[:2]))
    spare = next(one for one in every if one.firmware == request.firmware_to and one is not newer)
    other = await scheduled(cloud, session, [devices[2], spare], campaign_name="other")
    before = cloud.count(SCHEDULE), cloud.count("software.licenses.assign")
    wanted = await wanting(cloud, session, [*devices, newer, IMEI])
    plan = await session.software.upgrade(ACCOUNT, wanted, dry_run=True)
    assert plan.campaign_id is None
    assert plan.unlicensed == (*[one.device_id for one in devices[3:]], newer.device_id)
    assert plan.licenses_left == 20_000 - 4
    assert plan.in_campaigns == {devices[2].device_id: other.id}
    assert plan.other_versions == {newer.device_id: newer.firmware}
    assert plan.ineligible == (retired.device_id,)
    assert plan.unknown == (IMEI,)
    assert not plan.ready
    assert (cloud.count(SCHEDULE), cloud.count("software.licenses.assign")) == before


async def test_a_dry_run_finds_nothing_if_all_is_well(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    devices = await fitting(session, 2)
    request = await wanting(cloud, session, devices)
    plan = await session.software.upgrade(ACCOUNT, request, dry_run=True)
    assert plan.ready
    cloud.platform.room(Software).licenses[ACCOUNT].bought = 1
    assert not (await session.software.upgrade(ACCOUNT, request, dry_run=True)).ready
    cloud.platform.room(Software).purchase_types[ACCOUNT] = "TS-HFOTA-EVNT"
    plan = await session.software.upgrade(ACCOUNT, request, dry_run=True)
    assert (plan.unlicensed, plan.licenses_left) == ((), None)
    await began(session, request, outcomes)
    plan = await session.software.upgrade(ACCOUNT, request, dry_run=True)
    assert plan.campaign_id is not None
    assert plan.in_campaigns == {}
    assert plan.ready
