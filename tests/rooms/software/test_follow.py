"""Following a campaign: changes, pauses, messages, outages, and the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import orjson
import pytest

from tests.rooms.software.campaigns import ACCOUNT, fitting, scheduled, simulated
from thingspace_async import Session, errors
from thingspace_async.callbacks import MemoryInbox, Outcomes
from thingspace_async.simulator import Simulator, Status
from thingspace_async.software import Campaign, DeviceStatus, DeviceUpgradeStatus, following
from thingspace_async.software.following import CampaignState, FollowedCampaign, Follower

SOON = timedelta(milliseconds=1)
PAGES = "software.campaigns.devices"
SUCCESS, PENDING = DeviceUpgradeStatus.SUCCESS, DeviceUpgradeStatus.PENDING


@pytest.fixture
async def outcomes() -> AsyncIterator[Outcomes]:
    async with MemoryInbox() as inbox:
        yield Outcomes(inbox)


async def looked(cloud: Simulator, times: int) -> None:
    """Wait until the campaign was read so many more times."""
    before = cloud.count("software.campaigns.get")
    async with asyncio.timeout(20):
        while cloud.count("software.campaigns.get") < before + times:
            await asyncio.sleep(0.001)


def answered(cloud: Simulator, operation: str) -> int:
    """Count the requests of an operation, without those that had an expired token or met a fault."""
    return sum(one.operation == operation and one.status == 200 for one in cloud.requests)


class Scripted:
    """A campaign whose looks are scripted. The last one repeats."""

    def __init__(
        self, *looks: dict[str, DeviceUpgradeStatus], final_at: int | None = None, grows: bool = False
    ) -> None:
        self.looks = looks
        self.final_at = final_at
        self.grows = grows
        self.count = 0
        self.errors: list[Exception] = []

    async def state(self) -> CampaignState:
        if self.errors:
            raise self.errors.pop(0)
        self.count += 1
        is_final = self.final_at is not None and self.count >= self.final_at
        return CampaignState(status="some", final=is_final, grows=self.grows)

    async def devices(self) -> AsyncGenerator[DeviceStatus]:
        for imei, status in self.looks[min(self.count, len(self.looks)) - 1].items():
            yield DeviceStatus(device_id=imei, status=status)

    def follower(self, **changes: Any) -> Follower:
        campaign = FollowedCampaign(operation="test", id="c", state=self.state, devices=self.devices)
        values: dict[str, Any] = {"outcomes": None, "check_every": SOON, "give_up_after": timedelta(hours=1)}
        return Follower(campaign=campaign, **values | changes)


async def changes_of(follower: Follower) -> list[tuple[str, str | None]]:
    async with asyncio.timeout(20), aclosing(follower.changes()) as changes:
        return [(one.device_id, one.status) async for one in changes]


# Changes and the end


async def test_each_change_is_yielded_once_until_the_campaign_has_ended() -> None:
    failed = DeviceUpgradeStatus.FAILED
    looks = [{"a": PENDING, "b": PENDING}, {"a": SUCCESS, "b": PENDING}, {"a": SUCCESS, "b": failed}]
    script = Scripted(*looks, final_at=4)
    found = await changes_of(script.follower())
    assert found == [("a", PENDING), ("b", PENDING), ("a", SUCCESS), ("b", failed)]
    assert script.count == 4


async def test_it_ends_once_every_device_is_upgraded_unless_more_may_join() -> None:
    assert await changes_of(Scripted({"a": SUCCESS}).follower()) == [("a", SUCCESS)]
    growing = Scripted({"a": SUCCESS}, {"a": SUCCESS, "b": SUCCESS}, final_at=3, grows=True)
    assert await changes_of(growing.follower()) == [("a", SUCCESS), ("b", SUCCESS)]
    assert growing.count == 3


async def test_a_campaign_that_has_no_devices_yet_is_not_over() -> None:
    assert await changes_of(Scripted({}, {"a": SUCCESS}).follower()) == [("a", SUCCESS)]


async def test_known_statuses_are_not_repeated() -> None:
    script = Scripted({"a": PENDING, "b": PENDING}, {"a": SUCCESS, "b": SUCCESS})
    found = await changes_of(script.follower(seen={"a": PENDING, "b": "UpgradePending"}))
    assert found == [("a", SUCCESS), ("b", SUCCESS)]


async def test_a_campaign_is_followed_on_the_platform_with_one_request_for_each_page_and_look(
    cloud: Simulator, session: Session
) -> None:
    devices = await fitting(session, 9)
    campaign = await scheduled(cloud, session, devices)
    changes: list[DeviceStatus] = []

    async def follow() -> None:
        async for change in session.software.campaigns.follow(ACCOUNT, campaign.id, check_every=SOON):
            changes.append(change)  # noqa: PERF401 - the list is read while it grows

    following_it = asyncio.create_task(follow())
    await looked(cloud, 2)
    assert [one.status for one in changes] == [PENDING] * 9
    cloud.clock.advance(timedelta(hours=5))
    async with asyncio.timeout(20):
        await following_it
    assert sorted(one.device_id for one in changes[9:]) == sorted(one.device_id for one in devices)
    assert all(one.succeeded for one in changes[9:])
    assert answered(cloud, PAGES) == 2 * answered(cloud, "software.campaigns.get")


async def test_waiting_sums_up_what_became_of_the_devices(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 3)
    cloud.fail_upgrades(simulated(cloud, devices[0]), times=9)
    campaign = await scheduled(cloud, session, devices)
    waiting = asyncio.create_task(session.software.campaigns.wait(ACCOUNT, campaign.id, check_every=SOON))
    await looked(cloud, 1)
    cloud.clock.advance(timedelta(days=3))
    async with asyncio.timeout(20):
        result = await waiting
    assert (result.campaign_id, result.status) == (campaign.id, "CampaignEnded")
    assert [one.device_id for one in result.succeeded] == [one.device_id for one in devices[1:]]
    assert [(one.device_id, one.result_reason) for one in result.failed] == [(devices[0].device_id, "DownloadFailed")]
    assert result.waiting == ()


async def test_devices_that_were_never_tried_are_still_waiting_at_the_end(cloud: Simulator, session: Session) -> None:
    devices = await fitting(session, 2)
    campaign = await scheduled(cloud, session, devices)
    await session.software.campaigns.cancel(ACCOUNT, campaign.id)
    result = await session.software.campaigns.wait(ACCOUNT, campaign.id, check_every=SOON)
    assert len(result.waiting) == 2
    assert result.status == "CampaignAborted"


# Pauses and messages


async def test_the_pause_grows_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def rest(_: Follower, shortest: float, pause: float) -> None:
        pauses.append(pause / shortest)

    monkeypatch.setattr(Follower, "_rest", rest)
    await changes_of(Scripted(*[{"a": PENDING}] * 10, {"a": SUCCESS, "b": PENDING}, {"b": SUCCESS}).follower())
    assert pauses[:4] == pytest.approx([1, 1.5, 2.25, 3.375])
    assert max(pauses) == 15
    assert pauses[-1] == 1


async def test_a_message_ends_a_long_pause(outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_SLOWER", 1e9)
    monkeypatch.setattr(following, "_SLOWEST", 1e9)
    script = Scripted({"c": PENDING}, {"c": PENDING}, {"c": SUCCESS})
    task = asyncio.create_task(changes_of(script.follower(outcomes=outcomes)))
    async with asyncio.timeout(20):
        while script.count < 2:
            await asyncio.sleep(0.001)
    await outcomes.inbox.store(orjson.dumps({"campaignId": "other", "status": "CampaignScheduled"}), service="FotaV3")
    await asyncio.sleep(0.02)
    assert script.count == 2
    await outcomes.inbox.store(orjson.dumps({"campaignId": "c", "status": "CampaignScheduled"}), service="FotaV3")
    assert await task == [("c", PENDING), ("c", SUCCESS)]


async def test_polling_continues_without_the_inbox(caplog: pytest.LogCaptureFixture) -> None:
    async with MemoryInbox() as inbox:
        outcomes = Outcomes(inbox)
    with caplog.at_level(logging.WARNING):
        found = await changes_of(Scripted({"a": PENDING}, {"a": SUCCESS}).follower(outcomes=outcomes))
    assert found == [("a", PENDING), ("a", SUCCESS)]
    assert "test.follow: only polling is left for c" in caplog.text


async def test_leaving_the_iteration_ends_its_task(outcomes: Outcomes) -> None:
    async with aclosing(Scripted({"a": PENDING}).follower(outcomes=outcomes).changes()) as changes:
        await anext(changes)
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert "following campaign c" in names
    assert "following campaign c" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_cancelled_wait_ends(cloud: Simulator, session: Session) -> None:
    campaign: Campaign = await scheduled(cloud, session, await fitting(session, 1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await session.software.campaigns.wait(ACCOUNT, campaign.id, check_every=SOON)


# Outages


async def test_it_goes_on_when_the_platform_is_back(cloud: Simulator, session: Session) -> None:
    campaign = await scheduled(cloud, session, await fitting(session, 2))
    campaigns = session.with_options(retries=0).software.campaigns
    cloud.clock.advance(timedelta(hours=5))
    cloud.faults.add("software.campaigns.get", Status(503), times=3)
    cloud.faults.add(PAGES, Status.too_many_requests(), times=1)
    result = await campaigns.wait(ACCOUNT, campaign.id, check_every=SOON)
    assert len(result.succeeded) == 2
    assert answered(cloud, "software.campaigns.get") == 2


async def test_an_outage_that_lasts_too_long_raises_its_error() -> None:
    script = Scripted({"a": PENDING})
    lost = errors.AnswerLost("gone", operation="test")
    script.errors = [lost, lost]
    with pytest.raises(errors.AnswerLost, match="gone"):
        await changes_of(script.follower(give_up_after=timedelta(microseconds=1)))


async def test_an_error_that_stays_is_raised_at_once(session: Session) -> None:
    with pytest.raises(errors.BadRequest, match="could not be found"):
        await session.software.campaigns.wait(ACCOUNT, "none", check_every=SOON)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"check_every": timedelta()}, "check_every must be more than zero"),
        ({"give_up_after": 5}, "give_up_after must be a timedelta"),
        ({"outcomes": MemoryInbox()}, "outcomes must come from session.listen, not MemoryInbox"),
    ],
)
async def test_wrong_options_are_refused(session: Session, options: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        await anext(session.software.campaigns.follow(ACCOUNT, "c", **options))
