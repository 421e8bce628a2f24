"""Cloud Connector: streams that are set up once, events in the inbox, history in pages, and refused requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest

from thingspace_async import DeviceId, DeviceIds, Secret, Session, errors
from thingspace_async.callbacks import MemoryInbox, Outcomes, Receiver, SqliteInbox
from thingspace_async.callbacks.messages import EventMessage
from thingspace_async.callbacks.web import serve
from thingspace_async.cloud_connector import (
    AzureApplicationRequest,
    ConfigurationRequest,
    ConnectedDevice,
    CreateSubscriptionRequest,
    CreateTargetRequest,
    DeviceConfiguration,
    EventHistoryRequest,
    QueryRequest,
    Resource,
    SensorHistoryRequest,
    Stream,
    StreamKind,
    StreamSettings,
    Subscription,
    Target,
    TargetFields,
    TargetHeaders,
    UpdateSubscriptionRequest,
)
from thingspace_async.simulator import Delay, Reset, Simulator, Status
from thingspace_async.simulator.rooms.cloud_connector import CloudConnector

ACCOUNT = "0000123456-00001"
NOWHERE = "http://127.0.0.1:9"
EVERYTHING = StreamSettings(stream_kind=StreamKind.EVENTS)
PASSWORD = Secret("correct horse")

CREATE_TARGET = "cloud_connector.targets.create"
LIST_TARGETS = "cloud_connector.targets.list"
DELETE_TARGET = "cloud_connector.targets.delete"
SUBSCRIBE = "cloud_connector.subscriptions.create"


def server(url: str = NOWHERE) -> CreateTargetRequest:
    return CreateTargetRequest.to_server(ACCOUNT, url, username="events", password=PASSWORD)


@asynccontextmanager
async def receiving(*, path: str = "/CloudConnector") -> AsyncIterator[tuple[MemoryInbox, str]]:
    """Run a receiver for events, and yield its inbox and its address."""
    inbox = MemoryInbox()
    receiver = Receiver(inbox)
    receiver.expect("CloudConnector", username="events", password=PASSWORD)
    async with serve(receiver, port=0) as url:
        yield inbox, url + path


async def settle(cloud: Simulator, **time: float) -> None:
    cloud.clock.advance(timedelta(**time))
    await cloud.delivered()


# Streams


@pytest.mark.parametrize("path", ["/CloudConnector", "", "/"])
async def test_events_are_streamed_to_the_inbox_and_awaited_there(
    thingspace_simulator: Simulator, thingspace_session: Session, path: str
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    async with receiving(path=path) as (inbox, url):
        stream = await room.streaming(server(url), EVERYTHING)
        known = {one.id: one.imei for one in await room.devices.list(ACCOUNT)}
        await settle(cloud, hours=1)
        found: set[str | None] = set()
        async with aclosing(Outcomes(inbox).stream(stream.accepted, timeout=timedelta(minutes=1))) as events:
            async for received in events:
                message = received.message
                assert isinstance(message, EventMessage)
                assert -5 <= (message.event.number("temperature") or -99) <= 35
                assert message.event.number("color") is None
                found.add(message.event.device_id)
                if len(found) == len(known):
                    break
        assert found == set(known)
        assert [one async for one in inbox.read(service="CloudConnector")]
        (shown,) = await room.subscriptions.list(ACCOUNT)
        assert (shown.last_streaming_status, shown.is_failing) == ("success", False)
        assert shown.last_streamed_on is not None
        assert cloud.clock.now() - shown.last_streamed_on < timedelta(minutes=1)


async def test_every_receiver_of_an_inbox_takes_the_events_of_its_streams(
    thingspace_simulator: Simulator, thingspace_session: Session, tmp_path: Path
) -> None:
    async with SqliteInbox(tmp_path / "inbox.db") as inbox, SqliteInbox(tmp_path / "inbox.db") as elsewhere:
        username, password = await Receiver(inbox).credentials_for("CloudConnector")
        # A new process with the same inbox, after a restart.
        assert await Receiver(elsewhere).credentials_for("CloudConnector") == (username, password)
        async with serve(Receiver(elsewhere), port=0) as url:
            target = CreateTargetRequest.to_server(ACCOUNT, url, username=username, password=password)
            await thingspace_session.cloud_connector.streaming(target, EVERYTHING)
            await settle(thingspace_simulator, hours=1)
        assert {one.state for one in thingspace_simulator.deliveries} == {"delivered"}
        assert len([one async for one in inbox.read()]) == len(thingspace_simulator.deliveries)
        with pytest.raises(errors.ConfigurationError, match="service must not"):
            await Receiver(inbox).credentials_for("")


async def test_an_event_of_two_streams_is_stored_once(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    room = thingspace_session.cloud_connector
    async with receiving() as (inbox, url):
        target = (await room.streaming(server(url), EVERYTHING)).target
        second = await room.streaming(server(url), StreamSettings(stream_kind=StreamKind.CONFIGURATION))
        assert second.target == target
        device = (await room.devices.list(ACCOUNT))[0]
        for frequency in ("High", "Low"):
            await room.devices.set_configuration(configured(device, frequency))
        await thingspace_simulator.delivered()
        assert len(thingspace_simulator.deliveries) == 4
        messages = [one.message async for one in inbox.read()]
        frequencies = [one.event.fields for one in messages if isinstance(one, EventMessage)]
        assert frequencies == [{"configuration": {"frequency": name}} for name in ("High", "Low")]


def configured(device: Any, frequency: str) -> ConfigurationRequest:
    return ConfigurationRequest(
        account_name=ACCOUNT, resource=device, configuration=DeviceConfiguration(frequency=frequency)
    )


async def test_a_stream_is_set_up_once_however_often_programs_start(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    room = thingspace_session.cloud_connector
    first = await room.streaming(server(), EVERYTHING)
    # An equal address in another spelling.
    again = await room.streaming(server("HTTP://127.0.0.1:9/"), EVERYTHING)
    assert (again.target.id, again.subscription.id) == (first.target.id, first.subscription.id)
    assert thingspace_simulator.count(CREATE_TARGET) == thingspace_simulator.count(SUBSCRIBE) == 1
    other = await room.streaming(server(), StreamSettings(stream_kind=StreamKind.SECURITY))
    assert other.target.id == first.target.id
    assert thingspace_simulator.count(CREATE_TARGET) == 1


async def test_two_programs_that_start_at_once_share_a_stream_and_leave_one_target(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    cloud.faults.add(CREATE_TARGET, Delay(0.05), times=2)  # Both have found nothing before either continues.
    async with Session(cloud.credentials, environment=cloud.environment) as other:
        starting = [one.streaming(server(), EVERYTHING) for one in (room, other.cloud_connector)]
        one, two = await asyncio.gather(*starting)
    assert one.subscription.id == two.subscription.id
    (target,) = await room.targets.list(ACCOUNT)
    assert one.target.id == two.target.id == target.id
    assert cloud.count(SUBSCRIBE) == 2


async def test_two_programs_share_a_target_that_exists(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    left = await room.targets.create(server())
    async with Session(cloud.credentials, environment=cloud.environment) as other:
        starting = [one.streaming(server(), EVERYTHING) for one in (room, other.cloud_connector)]
        one, two = await asyncio.gather(*starting)
    assert one.subscription.id == two.subscription.id
    assert one.target.id == two.target.id == left.id
    assert [found.id for found in await room.targets.list(ACCOUNT)] == [left.id]


async def test_the_loser_of_a_race_for_another_target_leaves_none(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    cloud.faults.add(CREATE_TARGET, Delay(0.05), times=2)
    async with Session(cloud.credentials, environment=cloud.environment) as other:
        urls = (NOWHERE, "http://127.0.0.1:10")
        calls = (room, other.cloud_connector)
        starting = [one.streaming(server(url), EVERYTHING) for one, url in zip(calls, urls, strict=True)]
        ended = await asyncio.gather(*starting, return_exceptions=True)
    assert {type(one) for one in ended} == {Stream, errors.StreamTaken}
    (stream,) = [one for one in ended if isinstance(one, Stream)]
    assert [found.id for found in await room.targets.list(ACCOUNT)] == [stream.target.id]


async def test_two_streams_of_one_kind_are_refused_before_anything_is_created(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    room = thingspace_session.cloud_connector
    first = await room.streaming(server(), EVERYTHING)
    with pytest.raises(errors.StreamTaken, match=r"ts\.event are streamed to another target") as caught:
        await room.streaming(server("http://127.0.0.1:10"), EVERYTHING)
    assert (caught.value.subscription_id, caught.value.target_id) == (first.subscription.id, first.target.id)
    with pytest.raises(errors.StreamTaken, match="with another filter"):
        await room.streaming(server(), attrs.evolve(EVERYTHING, filter="temperature > 30"))
    assert [one.id for one in await room.targets.list(ACCOUNT)] == [first.target.id]
    request = CreateSubscriptionRequest(
        account_name=ACCOUNT, target_id=str(first.target.id), stream_kind=StreamKind.EVENTS
    )
    with pytest.raises(errors.BadRequest, match="kind of another subscription"):
        await room.subscriptions.create(request)


async def test_a_refused_subscription_leaves_no_target(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    room = thingspace_session.cloud_connector
    with pytest.raises(errors.BadRequest, match=r"must be ts\.event"):
        await room.streaming(server(), StreamSettings(stream_kind="ts.mood"))
    assert await room.targets.list(ACCOUNT) == ()
    thingspace_simulator.faults.add("cloud_connector.targets.delete", Status(404))
    with pytest.raises(errors.BadRequest) as caught:
        await room.streaming(server(), StreamSettings(stream_kind="ts.mood"))
    (note,) = caught.value.__notes__
    assert "could not be deleted" in note


async def test_a_refused_stream_leaves_the_target_to_a_stream_of_another_kind(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    """The platform may allow the deletion of a target in use: the simulator does not."""
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    cloud.faults.add(SUBSCRIBE, Delay(0.2))
    refused = asyncio.create_task(room.streaming(server(), StreamSettings(stream_kind="ts.mood")))
    while not cloud.count(SUBSCRIBE):
        await asyncio.sleep(0.001)
    async with Session(cloud.credentials, environment=cloud.environment) as other:
        stream = await other.cloud_connector.streaming(server(), EVERYTHING)
    with pytest.raises(errors.BadRequest, match=r"must be ts\.event") as caught:
        await refused
    assert not hasattr(caught.value, "__notes__")
    assert cloud.count(DELETE_TARGET) == 0
    assert [one.id for one in await room.targets.list(ACCOUNT)] == [stream.target.id]


async def test_two_programs_that_start_streams_of_different_kinds_at_once_share_a_target(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    cloud.faults.add(CREATE_TARGET, Delay(0.05), times=2)
    security = StreamSettings(stream_kind=StreamKind.SECURITY)
    async with Session(cloud.credentials, environment=cloud.environment) as other:
        one, two = await asyncio.gather(
            room.streaming(server(), EVERYTHING), other.cloud_connector.streaming(server(), security)
        )
    assert cloud.count(CREATE_TARGET) == 2
    (target,) = await room.targets.list(ACCOUNT)
    assert one.target.id == two.target.id == target.id
    assert len(await room.subscriptions.list(ACCOUNT)) == 2


async def test_a_newer_target_that_cannot_be_deleted_is_reported(
    thingspace_simulator: Simulator, thingspace_session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    older = await room.targets.create(server())
    cloud.faults.add(LIST_TARGETS, Status(200, []))  # Asked before the older one was created.
    cloud.faults.add(DELETE_TARGET, Status(404))
    assert (await room.streaming(server(), EVERYTHING)).target.id == older.id
    assert "another target is used, and the target " in caplog.text
    assert " could not be deleted: " in caplog.text


async def deleted_target(cloud: Simulator, session: Session) -> list[dict[str, Any]]:
    """Return the list of targets from before the only one was deleted."""
    await session.cloud_connector.targets.create(server())
    targets = cloud.platform.room(CloudConnector).targets[ACCOUNT]
    listed = list(targets.values())
    targets.clear()
    return listed


async def test_a_target_that_another_program_deletes_meanwhile_is_created_again(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    listed = await deleted_target(cloud, thingspace_session)
    cloud.faults.add(LIST_TARGETS, Status(200, listed))
    stream = await room.streaming(server(), EVERYTHING)
    assert [one.id for one in await room.targets.list(ACCOUNT)] == [stream.target.id] != [listed[0]["id"]]


async def test_a_target_that_is_deleted_again_and_again_ends_in_the_refusal(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud = thingspace_simulator
    listed = await deleted_target(cloud, thingspace_session)
    for shown in [listed, []] * 3:
        cloud.faults.add(LIST_TARGETS, Status(200, shown))
    with pytest.raises(errors.NotFound, match="target"):
        await thingspace_session.cloud_connector.streaming(server(), EVERYTHING)
    assert cloud.count(SUBSCRIBE) == 3


async def test_a_refusal_is_not_replaced_by_a_later_failure(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    cloud.faults.add("cloud_connector.subscriptions.list", Status(200, []))
    cloud.faults.add("cloud_connector.subscriptions.list", Status(403))
    with pytest.raises(errors.BadRequest, match=r"must be ts\.event") as caught:
        await room.streaming(server(), StreamSettings(stream_kind="ts.mood"))
    could_not, again = caught.value.__notes__
    assert "could not be listed" in could_not
    assert "call streaming again" in again


async def test_a_created_target_without_an_id_is_not_subscribed_to(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    cloud.faults.add(CREATE_TARGET, Status(200, {}))  # The list has no target either.
    with pytest.raises(errors.AnswerUnreadable, match="id: is missing"):
        await room.streaming(server(), EVERYTHING)
    assert cloud.count(SUBSCRIBE) == 0


async def test_wherever_a_start_is_cancelled_the_next_one_completes_the_stream(
    thingspace_simulator: Simulator, thingspace_session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    cloud_room = cloud.platform.room(CloudConnector)
    steps, is_cancelled = 0, True
    while is_cancelled:
        caplog.clear()
        task = asyncio.create_task(room.streaming(server(), EVERYTHING))
        for _ in range(steps):
            await asyncio.sleep(0)
        is_cancelled = task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for _ in range(20):  # The platform may still work on the request.
            await asyncio.sleep(0)
        targets, subscriptions = cloud_room.targets[ACCOUNT], cloud_room.subscriptions[ACCOUNT]
        assert (len(targets), len(subscriptions)) in ((0, 0), (1, 0), (1, 1))
        if len(targets) > len(subscriptions):
            assert "may have no subscription: call it again" in caplog.text
        streams = [await room.streaming(server(), EVERYTHING) for _ in range(5)]
        assert {(one.target.id, one.subscription.id) for one in streams} == {(*targets, *subscriptions)}
        assert len(targets) == len(subscriptions) == 1
        for subscription_id in list(subscriptions):
            await room.subscriptions.delete(account_name=ACCOUNT, subscription_id=subscription_id)
        targets.clear()
        steps += 1
    assert steps > 20


@pytest.mark.parametrize("operation", [CREATE_TARGET, SUBSCRIBE])
async def test_after_a_lost_answer_the_next_start_continues_with_what_exists(
    thingspace_simulator: Simulator, thingspace_session: Session, operation: str
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    cloud.faults.add(operation, Reset(processed=True))
    with pytest.raises(errors.AnswerLost) as caught:
        await room.streaming(server(), EVERYTHING)
    assert caught.value.__notes__ == ["thingspace_async: call streaming again: it continues with what exists"]
    assert cloud.count(operation) == 1
    stream = await room.streaming(server(), EVERYTHING)
    (target,), (subscription,) = await room.targets.list(ACCOUNT), await room.subscriptions.list(ACCOUNT)
    assert (stream.target.id, stream.subscription.id) == (target.id, subscription.id)


async def test_a_failed_server_keeps_the_target_that_the_subscription_may_need(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    room = thingspace_session.cloud_connector
    thingspace_simulator.faults.add(SUBSCRIBE, Status(500))
    with pytest.raises(errors.ServerFault):
        await room.streaming(server(), EVERYTHING)
    (target,) = await room.targets.list(ACCOUNT)
    assert (await room.streaming(server(), EVERYTHING)).target == target


async def test_a_disabled_stream_sends_nothing_until_it_is_enabled(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    stream = await room.streaming(server(), attrs.evolve(EVERYTHING, disabled=True))
    await settle(cloud, hours=1)
    assert not cloud.deliveries
    enabled = await room.streaming(server(), EVERYTHING)
    assert (enabled.subscription.id, enabled.subscription.disabled) == (stream.subscription.id, False)
    renamed = await room.subscriptions.update(
        UpdateSubscriptionRequest(
            account_name=ACCOUNT, resource=Resource(id=stream.subscription.id), name="all", description="to the depot"
        )
    )
    assert (renamed.name, renamed.description, renamed.disabled) == ("all", "to the depot", False)
    await settle(cloud, hours=1)
    assert cloud.deliveries


async def test_a_target_that_fails_shows_in_the_failures_of_its_stream(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    async with receiving() as (inbox, url):
        await room.streaming(server(url), EVERYTHING)
        await inbox.close()  # The receiver now answers 503.
        await settle(cloud, hours=1)
        (shown,) = await room.subscriptions.list(ACCOUNT)
        assert (shown.stream_failures or 0) > 0 == shown.network_failures
        assert (shown.last_streaming_status, shown.is_failing) == ("failure", True)
        await inbox.open()
        await settle(cloud, minutes=5)
        (shown,) = await room.subscriptions.list(ACCOUNT)
        assert shown.last_streaming_status == "success"
        assert len([one async for one in inbox.read()]) == len(await room.devices.list(ACCOUNT))
    await settle(cloud, hours=1)
    (shown,) = await room.subscriptions.list(ACCOUNT)
    assert (shown.network_failures or 0) > 0


async def test_the_receiver_refuses_events_with_another_password(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    async with receiving() as (inbox, url):
        target = CreateTargetRequest.to_server(ACCOUNT, url, username="events", password="guessed")
        await thingspace_session.cloud_connector.streaming(target, EVERYTHING)
        await settle(thingspace_simulator, hours=1)
        assert {one.attempts[0].status for one in thingspace_simulator.deliveries} == {401}
        assert [one async for one in inbox.read()] == []


async def test_an_ended_stream_is_gone(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    stream = await room.streaming(server(), EVERYTHING)
    target_id, subscription_id = str(stream.target.id), str(stream.subscription.id)
    assert await room.targets.list(ACCOUNT, target_id=target_id) == (stream.target,)
    assert await room.subscriptions.list(ACCOUNT, selection={"streamkind": "ts.event.security"}) == ()
    with pytest.raises(errors.BadRequest, match="has a subscription"):
        await room.targets.delete(account_name=ACCOUNT, target_id=target_id)
    await room.subscriptions.delete(account_name=ACCOUNT, subscription_id=subscription_id)
    await room.targets.delete(account_name=ACCOUNT, target_id=target_id)
    for delete in (
        room.targets.delete(account_name=ACCOUNT, target_id=target_id),
        room.subscriptions.delete(account_name=ACCOUNT, subscription_id=subscription_id),
    ):
        with pytest.raises(errors.NotFound, match="could not be found"):
            await delete
    await settle(cloud, hours=2)
    assert not cloud.deliveries


async def test_streams_to_aws_and_azure_are_compared_by_their_addresses(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    room = thingspace_session.cloud_connector
    external = await room.targets.create_external_id(ACCOUNT)
    role = CreateTargetRequest(
        account_name=ACCOUNT,
        address="arn:aws:iam::252156542789:role/ThingSpace",
        address_scheme="streamawsiot",
        external_id=external.external_id,
        region="us-east-1",
    )
    hub = CreateTargetRequest(
        account_name=ACCOUNT,
        address="https://depot.azureiotcentral.com",
        address_scheme="streamazureiot",
        fields=TargetFields(
            http_headers=TargetHeaders(authorization="SharedAccessSignature sr=1"), device_types=["cHeAssetTracker"]
        ),
    )
    first = await room.streaming(role, EVERYTHING)
    assert (await room.streaming(role, EVERYTHING)).target == first.target
    with pytest.raises(errors.StreamTaken):
        await room.streaming(attrs.evolve(role, region="us-west-2"), EVERYTHING)
    await room.streaming(hub, StreamSettings(stream_kind=StreamKind.DIAGNOSTICS))
    await settle(thingspace_simulator, hours=1)
    assert not thingspace_simulator.deliveries  # The simulator streams to servers only.


async def test_an_azure_application_is_created_for_the_account_in_the_header(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    request = AzureApplicationRequest(
        account_name=ACCOUNT,
        app_name="depot",
        client_id="c",
        client_secret="hush",
        tenant_id="t",
        subscription_id="s",
        resource_group="g",
    )
    made = await thingspace_session.cloud_connector.targets.create_azure_application(request)
    assert made.url == "https://depot.azureiotcentral.com"
    assert made.shared_secret is not None
    assert made.shared_secret.reveal() not in repr(made)
    assert "hush" not in repr(request)
    received = thingspace_simulator.requests[-1]
    assert received.headers["BillingaccountID"] == ACCOUNT
    assert received.json["clientSecret"] == "hush"


# Devices and their events


async def test_history_is_walked_over_the_end_of_a_page(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, devices = thingspace_simulator, thingspace_session.cloud_connector.devices
    device = (await devices.list(ACCOUNT))[0]
    imei = DeviceId.imei(str(device.imei))
    (found,) = await devices.search(ACCOUNT, device=imei)
    assert (found.id, set((found.fields or {})["item"]) >= {"temperature"}) == (device.id, True)
    await devices.set_configuration(configured(imei, "High"))
    await settle(cloud, hours=1)
    request = SensorHistoryRequest(account_name=ACCOUNT, resource=device, limit_number=3)
    first = await devices.readings_page("temperature", request)
    assert first.previous is None
    second = await devices.readings_page("temperature", request, page=first.next)
    assert (await devices.readings_page("temperature", request, page=second.previous)).events == first.events
    times = [event.created_on for event in (*first.events, *second.events)]
    gaps = {(one - other) for one, other in pairwise(times) if one and other}
    assert gaps == {timedelta(minutes=15), timedelta(hours=1)}
    walked = []
    async with aclosing(devices.readings("temperature", request)) as readings:
        async for event in readings:
            walked.append(event)
            if len(walked) == 7:
                break
    assert walked[:6] == [*first.events, *second.events]
    assert all(set(event.fields or {}) == {"temperature"} for event in walked)
    assert [one async for one in devices.readings("color", request)] == []


async def test_events_have_all_readings_and_the_changes_of_the_configuration(thingspace_session: Session) -> None:
    devices = thingspace_session.cloud_connector.devices
    device = (await devices.list(ACCOUNT))[0]
    changed = await devices.set_configuration(configured(device, "Low"))
    assert (changed.state, changed.fields) == ("pending", {"configuration": {"frequency": "Low"}})
    everything = EventHistoryRequest(account_name=ACCOUNT, resource=device)
    page = await devices.events_page(everything)
    assert page.events[0].id == changed.id
    assert set(page.events[1].fields or {}) > {"temperature", "battery"}
    only = attrs.evolve(everything, selection={"kind": "ts.event.configuration"})
    assert [one.id async for one in devices.events(only)] == [changed.id]


async def test_a_removed_device_is_gone(thingspace_session: Session) -> None:
    devices = thingspace_session.cloud_connector.devices
    first, *others = await devices.list(ACCOUNT)
    await devices.delete(ACCOUNT, first)
    assert await devices.list(ACCOUNT) == tuple(others)
    with pytest.raises(errors.NotFound):
        await devices.delete(ACCOUNT, first)


async def test_an_expired_session_is_renewed(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    thingspace_simulator.expire_sessions()
    assert await thingspace_session.cloud_connector.targets.list(ACCOUNT) == ()


# Requests


def target(**changes: Any) -> CreateTargetRequest:
    return CreateTargetRequest(
        **{"account_name": ACCOUNT, "address": "https://a.example:1825", "address_scheme": "streamrest"} | changes
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: target(address="https://"), "address must look like"),
        (lambda: target(address="ftp://a.example"), "address must look like"),
        (lambda: target(address="https://a.example:port"), "address must look like"),
        (lambda: target(address="https://me:hush@a.example"), "address must look like"),
        (lambda: target(address_scheme="streamawsiot", region="us-east-1"), "external_id is missing"),
        (lambda: target(address_scheme="streamawsiot", external_id="1"), "region is missing"),
        (lambda: target(account_name=""), "account_name must not be empty"),
        (lambda: server(""), "address must not be empty"),
        (lambda: CreateTargetRequest.to_server(ACCOUNT, NOWHERE, username="a:b", password="c"), "a colon"),
        (lambda: CreateTargetRequest.to_server(ACCOUNT, NOWHERE, username="a", password=""), "password must not be"),
        (Resource, "give id or imei"),
        (lambda: UpdateSubscriptionRequest(account_name=ACCOUNT, resource=Resource(id="1")), "give name, description"),
        (lambda: SensorHistoryRequest(account_name=ACCOUNT, resource=DeviceId.mdn("5125550123")), "with an IMEI"),
        (lambda: SensorHistoryRequest(account_name=ACCOUNT, resource=ConnectedDevice()), "must be a Resource"),
        (lambda: QueryRequest(account_name=ACCOUNT, selection={}), "selection must be a dict"),
        (lambda: QueryRequest(account_name=ACCOUNT, selection={"iccid": ""}), "a value that must not be empty"),
    ],
)
def test_a_request_that_the_platform_cannot_take_is_refused(make: Callable[[], object], reason: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=reason) as caught:
        make()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("device", "resource"),
    [
        (Resource(id="1"), {"id": "1"}),
        (ConnectedDevice(id="1", imei="990013907835573"), {"id": "1"}),
        (DeviceId.imei("990013907835573"), {"imei": "990013907835573"}),
        (
            DeviceIds(device_ids=(DeviceId.mdn("5125550123"), DeviceId.imei("990013907835573"))),
            {"imei": "990013907835573"},
        ),
    ],
)
def test_a_device_is_named_by_its_id_or_its_imei(device: Any, resource: dict[str, str]) -> None:
    request = SensorHistoryRequest(account_name=ACCOUNT, resource=device)
    assert request.to_dict() == {
        "accountidentifier": {"billingaccountid": ACCOUNT},
        "resourceidentifier": resource,
    }


@pytest.mark.parametrize("name", ["Depot", "depot-depot", ""])
def test_the_name_of_an_azure_application_is_short_and_in_small_letters(name: str) -> None:
    with pytest.raises(errors.InvalidRequest, match="app_name must"):
        AzureApplicationRequest(
            account_name=ACCOUNT,
            app_name=name,
            client_id="c",
            client_secret="d",
            tenant_id="t",
            subscription_id="s",
            resource_group="g",
        )


async def test_settings_with_a_target_are_refused(thingspace_session: Session) -> None:
    request: Any = CreateSubscriptionRequest(account_name=ACCOUNT, target_id="1", stream_kind="ts.event")
    with pytest.raises(errors.InvalidRequest, match="settings must be StreamSettings, not CreateSubscriptionRequest"):
        await thingspace_session.cloud_connector.streaming(server(), request)


def test_no_secret_of_a_target_is_shown() -> None:
    shown = f"{server()!r} {server().to_json()!r}"
    assert PASSWORD.reveal() not in shown
    assert "Basic" not in shown


def test_a_subscription_that_has_never_streamed_says_so() -> None:
    assert Subscription().last_streamed_on is None
    assert not Subscription().is_failing


async def test_a_target_with_an_odd_address_is_another_one(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    targets = thingspace_simulator.platform.room(CloudConnector).targets[ACCOUNT]
    targets["1"] = {"id": "1", "addressscheme": "streamrest", "address": "https://a.example:port"}
    stream = await thingspace_session.cloud_connector.streaming(server("127.0.0.1:9"), EVERYTHING)
    assert stream.target.id != "1"
    assert isinstance(stream.target, Target)
