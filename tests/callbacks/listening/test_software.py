"""Listening to software management: v1 has passwords in its messages, v2 and v3 have them in the URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.callbacks.listening.test_listening import served
from thingspace_async import Session, errors
from thingspace_async.callbacks import MemoryInbox, Receiver
from thingspace_async.callbacks.messages import SoftwareMessage
from thingspace_async.simulator import Simulator
from thingspace_async.software import CampaignRequest, SoftwareCallbackRequest

ACCOUNT = "0000123456-00001"
ELSEWHERE = "http://127.0.0.1:9/elsewhere"
EVERY = ["FotaV3", "FotaV2", "Fota"]


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=20) as cloud:
        cloud.clock.speed = 0
        for device in cloud.devices:
            cloud.fail_upgrades(device, times=0)
        yield cloud


@pytest.fixture
async def session(cloud: Simulator) -> AsyncIterator[Session]:
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        yield session


@pytest.fixture
async def inbox() -> AsyncIterator[MemoryInbox]:
    async with MemoryInbox() as inbox:
        yield inbox


async def urls(session: Session) -> list[str]:
    software = session.software
    later = [await software.callbacks.get(ACCOUNT), await software.v2.callbacks.get(ACCOUNT)]
    first = await software.v1.callbacks.list(ACCOUNT)
    return [*(one.url or "" for one in later), *(one.url or "" for one in first)]


async def campaign(session: Session, day: date) -> str:
    package = (await session.software.firmware.list(ACCOUNT))[0]
    devices = [one async for one in session.software.devices.list(ACCOUNT) if one.firmware == package.firmware_from]
    request = CampaignRequest(
        firmware_name=package.firmware_name or "",
        firmware_from=package.firmware_from or "",
        firmware_to=package.firmware_to or "",
        start_date=day,
        end_date=day,
        devices=devices[:3],
        auto_assign_licenses=True,
    )
    return (await session.software.campaigns.schedule(ACCOUNT, request)).id


async def test_messages_of_a_campaign_arrive_and_wake_its_follower(
    cloud: Simulator, session: Session, inbox: MemoryInbox
) -> None:
    receiver = Receiver(inbox)
    async with (
        served(receiver) as url,
        session.listen(ACCOUNT, receiver, base_url=url, services=["FotaV3"]) as outcomes,
    ):
        campaign_id = await campaign(session, cloud.clock.now().date())
        cloud.clock.advance(timedelta(hours=5))
        await cloud.delivered()
        received = [one async for one in inbox.read(request_id=campaign_id)]
        result = await session.software.campaigns.wait(ACCOUNT, campaign_id, outcomes=outcomes)
    assert {one.service for one in received} == {"FotaV3"}
    messages = [one.message for one in received if isinstance(one.message, SoftwareMessage)]
    assert len(messages) == len(received)
    assert sorted(device.device_id or "" for one in messages for device in one.devices) == sorted(
        one.device_id for one in result.succeeded
    )


async def test_each_version_has_its_own_listener_and_its_own_password(
    session: Session, inbox: MemoryInbox, cloud: Simulator
) -> None:
    async with session.listen(ACCOUNT, Receiver(inbox), base_url=ELSEWHERE, services=EVERY, restore=True):
        v3, v2, v1 = await urls(session)
        assert v3.startswith(f"{ELSEWHERE}/FotaV3~listener-")
        assert v2.startswith(f"{ELSEWHERE}/FotaV2~listener-")
        assert v1 == f"{ELSEWHERE}/Fota"
        assert v3.rpartition("~")[2] != v2.rpartition("~")[2]
    assert await urls(session) == ["", ""]
    assert cloud.count("software.callbacks.deregister") == 1


async def test_processes_with_the_same_inbox_share_the_url(
    session: Session, inbox: MemoryInbox, cloud: Simulator
) -> None:
    for _ in range(2):
        async with session.listen(ACCOUNT, Receiver(inbox), base_url=ELSEWHERE, services=["FotaV2", "FotaV3"]):
            pass
    assert (cloud.count("software.callbacks.register"), cloud.count("software.v2.callbacks.register")) == (1, 1)


async def test_a_url_that_was_registered_by_hand_is_replaced_on_request_and_restored(
    session: Session, inbox: MemoryInbox
) -> None:
    theirs = "http://127.0.0.1:9/theirs"
    await session.software.callbacks.register(ACCOUNT, SoftwareCallbackRequest(url=theirs))
    options: dict[str, Any] = {"base_url": ELSEWHERE, "services": ["FotaV3"]}
    with pytest.raises(errors.ListenersTaken, match=r"FotaV3 at http://127\.0\.0\.1:9/theirs"):
        await session.listen(ACCOUNT, Receiver(inbox), **options).__aenter__()
    async with session.listen(ACCOUNT, Receiver(inbox), replace=True, restore=True, **options):
        assert (await session.software.callbacks.get(ACCOUNT)).url != theirs
    assert (await session.software.callbacks.get(ACCOUNT)).url == theirs


async def test_the_password_in_a_url_is_never_shown(
    session: Session, inbox: MemoryInbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with session.listen(ACCOUNT, Receiver(inbox), base_url=ELSEWHERE, services=["FotaV3"]):
        found = await session.software.callbacks.get(ACCOUNT)
    password = (found.url or "").rpartition("~")[2]
    assert len(password) == 40
    assert password not in caplog.text
    assert password not in repr(found)
    async with MemoryInbox() as other:
        listening = session.listen(ACCOUNT, Receiver(other), base_url="http://127.0.0.1:9/b", services=["FotaV3"])
        with pytest.raises(errors.ListenersTaken) as caught:
            await listening.__aenter__()
    assert password not in f"{caught.value} {caught.value.urls}"
