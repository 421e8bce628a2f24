"""Listening to the location service, whose messages are signed with a secret of the registration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.callbacks.listening.test_listening import served
from thingspace_async import Session, errors
from thingspace_async._core.registrar import Listener
from thingspace_async._core.types import Secret
from thingspace_async.callbacks import CallbackService, MemoryInbox, Receiver, credentials
from thingspace_async.callbacks.admission import Credentials, Signature
from thingspace_async.callbacks.listeners import Listeners
from thingspace_async.callbacks.messages import LocationMessage
from thingspace_async.location import CacheMode, LocationRequest, LocationService, RegisterLocationCallbackRequest
from thingspace_async.simulator import Simulator, Status

ACCOUNT = "0000123456-00001"
SERVICE = LocationService.DEVICE_LOCATION
ELSEWHERE = "http://127.0.0.1:9/elsewhere"


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=20) as cloud:
        for device in cloud.devices:
            cloud.set_locatable(device, locatable=True)
        yield cloud


@pytest.fixture
async def session(cloud: Simulator) -> AsyncIterator[Session]:
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        yield session


@pytest.fixture
async def inbox() -> AsyncIterator[MemoryInbox]:
    async with MemoryInbox() as inbox:
        yield inbox


async def urls(session: Session) -> dict[str | None, str | None]:
    return {one.name: one.url for one in await session.location.callbacks.list(ACCOUNT)}


async def register(session: Session, url: str) -> None:
    request = RegisterLocationCallbackRequest(name=SERVICE, url=url)
    await session.location.callbacks.register(ACCOUNT, request)


async def request(session: Session) -> LocationRequest:
    devices = [one async for one in session.devices.list(account_name=ACCOUNT, current_state="active")][:2]
    return LocationRequest(account_name=ACCOUNT, devices=devices, cache_mode=CacheMode.CURRENT)


@pytest.mark.parametrize("services", [[SERVICE], [CallbackService.CARRIER, SERVICE]])
async def test_locations_arrive_as_outcomes(
    cloud: Simulator, session: Session, inbox: MemoryInbox, services: list[str]
) -> None:
    receiver = Receiver(inbox)
    async with (
        served(receiver) as url,
        session.listen(ACCOUNT, receiver, base_url=url, services=services) as outcomes,
    ):
        accepted = await session.location.request_locations(await request(session))
        cloud.clock.advance(61)
        found = [one async for one in outcomes.of(accepted, timeout=timedelta(seconds=20))]
    assert [one.device for one in found] == list(accepted.devices)
    assert all(isinstance(one.message, LocationMessage) and one.message.latitude for one in found)
    assert set(await urls(session)) == {SERVICE}
    assert len(await session.callbacks.list(ACCOUNT)) == len(services) - 1


async def test_a_process_with_the_same_inbox_takes_the_listener_over(
    cloud: Simulator, session: Session, inbox: MemoryInbox
) -> None:
    for _ in range(2):
        async with session.listen(ACCOUNT, Receiver(inbox), base_url=ELSEWHERE, services=[SERVICE]):
            pass
    assert cloud.count("location.callbacks.register") == 1
    async with MemoryInbox() as other, session.listen(ACCOUNT, Receiver(other), base_url=ELSEWHERE, services=[SERVICE]):
        assert cloud.count("location.callbacks.register") == 2
        (kept,) = (await credentials.read_all(other))[SERVICE]
        assert isinstance(kept, Signature)
        assert kept.header == "x-signature"


async def test_another_listener_is_replaced_only_on_request(session: Session, inbox: MemoryInbox) -> None:
    await register(session, "http://127.0.0.1:9/theirs")
    receiver = Receiver(inbox)
    with pytest.raises(errors.ListenersTaken, match=r"DeviceLocation at http://127\.0\.0\.1:9/theirs"):
        await session.listen(ACCOUNT, receiver, base_url=ELSEWHERE, services=[SERVICE]).__aenter__()
    options: dict[str, Any] = {"base_url": ELSEWHERE, "services": [SERVICE], "replace": True}
    with pytest.raises(errors.InvalidRequest, match="could not be restored later"):
        await session.listen(ACCOUNT, receiver, restore=True, **options).__aenter__()
    async with session.listen(ACCOUNT, receiver, **options):
        pass
    assert await urls(session) == {SERVICE: f"{ELSEWHERE}/DeviceLocation"}


async def test_a_listener_is_removed_at_the_end_if_no_other_process_has_replaced_it(
    session: Session, inbox: MemoryInbox
) -> None:
    both = [SERVICE, LocationService.LOCATION]
    async with session.listen(ACCOUNT, Receiver(inbox), base_url=ELSEWHERE, services=both, restore=True):
        await register(session, "http://127.0.0.1:9/theirs")
    assert await urls(session) == {SERVICE: "http://127.0.0.1:9/theirs"}


async def test_if_a_registration_fails_the_others_are_removed(
    cloud: Simulator, session: Session, inbox: MemoryInbox
) -> None:
    both = [CallbackService.CARRIER, SERVICE, LocationService.LOCATION]
    cloud.faults.add("location.callbacks.register", Status(503), after=1)
    with pytest.raises(errors.ServerFault):
        await session.listen(ACCOUNT, Receiver(inbox), base_url=ELSEWHERE, services=both).__aenter__()
    assert await urls(session) == {}
    assert await session.callbacks.list(ACCOUNT) == ()


class Platform:
    """Listeners that a test can break; see `Registrar`."""

    account_name = ACCOUNT
    signs = True

    def __init__(self, *, gives_secret: bool = True) -> None:
        self.gives_secret = gives_secret
        self.urls: dict[str, str] = {}
        self.failures: list[Exception | None] = []
        """What the next registrations raise."""
        self.registered = 0
        self.lists = True

    def check(self, service: str, listener: Listener) -> None:
        pass

    async def listed(self) -> Mapping[str, Listener]:
        if not self.lists:
            raise lost("list")
        return {service: Listener(url) for service, url in self.urls.items()}

    async def register(self, service: str, listener: Listener) -> Secret | None:
        failure = self.failures.pop(0) if self.failures else None
        if not isinstance(failure, errors.BadRequest):
            self.registered += 1
            self.urls[service] = listener.url
        if failure is not None:
            raise failure
        return Secret(f"s3cret {self.registered}") if self.gives_secret else None

    async def deregister(self, service: str) -> object:
        return self.urls.pop(service)


def lost(call: str) -> errors.AnswerLost:
    return errors.AnswerLost("the answer was lost", operation=f"location.callbacks.{call}")


def refused() -> errors.BadRequest:
    return errors.BadRequest("Callback already registered", operation="location.callbacks.register", status=400)


def ours(platform: Platform, inbox: MemoryInbox, *, services: tuple[str, ...] = (SERVICE,)) -> Listeners:
    return Listeners(
        platform,
        Receiver(inbox),
        base_url=ELSEWHERE,
        services=services,
        signature_header="Digest",
        replace=False,
        restore=True,
    )


async def secrets(inbox: MemoryInbox) -> list[str]:
    known = (await credentials.read_all(inbox)).get(SERVICE, [])
    return [one.secret.reveal() for one in known if isinstance(one, Signature)]


async def leave(listeners: Listeners, error: Exception | None = None) -> None:
    await listeners.restore(error)


async def test_an_answer_without_a_secret_is_an_error_and_leaves_no_listener(inbox: MemoryInbox) -> None:
    platform = Platform(gives_secret=False)
    listeners = ours(platform, inbox)
    with pytest.raises(errors.InvalidRequest, match="has no secret in a known header") as caught:
        await listeners.register()
    await leave(listeners, caught.value)
    assert platform.urls == {}


async def test_a_failure_to_remove_a_listener_does_not_hide_the_error_of_the_block(inbox: MemoryInbox) -> None:
    platform = Platform()
    listeners = ours(platform, inbox)
    await listeners.register()
    platform.lists = False
    with pytest.raises(errors.ListenersLeft, match="DeviceLocation"):
        await leave(listeners)
    error = ValueError()
    await leave(listeners, error)
    (note,) = error.__notes__
    assert note.startswith("thingspace_async: the earlier listeners of DeviceLocation could not be restored: ")


async def test_a_secret_that_was_lost_with_its_answer_is_replaced_by_another_registration(inbox: MemoryInbox) -> None:
    platform = Platform()
    platform.failures = [lost("register")]
    await ours(platform, inbox).register()
    assert platform.registered == 2
    assert await secrets(inbox) == ["s3cret 2"]
    platform.urls.clear()
    platform.failures = [lost("register"), lost("register")]
    with pytest.raises(errors.AnswerLost):
        await ours(platform, inbox).register()


async def test_a_secret_of_an_earlier_listener_does_not_count_as_that_of_the_present_one(inbox: MemoryInbox) -> None:
    # A process that crashes after the platform has answered, and before it has stored the secret.
    platform = Platform()
    await ours(platform, inbox).register()
    platform.urls.clear()
    platform.failures = [KeyboardInterruption()]
    with pytest.raises(KeyboardInterruption):
        await ours(platform, inbox).register()
    assert platform.registered == 2
    await ours(platform, inbox).register()
    await ours(platform, inbox).register()
    assert platform.registered == 3, "once more, and then never again"
    assert await secrets(inbox) == ["s3cret 1", "s3cret 3"]


class KeyboardInterruption(Exception):
    """The end of a process."""


async def test_a_process_that_is_refused_uses_the_listener_of_the_process_that_was_faster(
    inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingspace_async.callbacks.listeners._SECRET_PAUSE", 0)
    platform = Platform()

    class Slower(Platform):
        async def register(self, service: str, listener: Listener) -> Secret | None:
            await ours(platform, inbox).register()  # In the meantime.
            self.urls = platform.urls
            return await super().register(service, listener)

    slower = Slower()
    slower.failures = [refused()]
    listeners = ours(slower, inbox)
    await listeners.register()
    await leave(listeners)
    assert platform.urls == {SERVICE: f"{ELSEWHERE}/DeviceLocation"}, "it belongs to the other process"
    assert await secrets(inbox) == ["s3cret 1"]
    await ours(platform, inbox).register()
    assert platform.registered == 1, "the refusal did not make the secret doubtful"


async def test_a_refusal_is_raised_if_no_other_process_stores_a_secret(
    inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingspace_async.callbacks.listeners._SECRET_WITHIN", 0.01)
    monkeypatch.setattr("thingspace_async.callbacks.listeners._SECRET_PAUSE", 0)
    platform = Platform()
    platform.failures = [refused()]

    class Late(Platform):
        async def register(self, service: str, listener: Listener) -> Secret | None:
            self.urls[service] = listener.url
            raise refused()

    with pytest.raises(errors.BadRequest):
        await ours(Late(), inbox).register()
    with pytest.raises(errors.BadRequest):
        await ours(platform, inbox).register()


async def test_the_name_of_a_service_may_be_in_any_case(session: Session, inbox: MemoryInbox) -> None:
    async with session.listen(ACCOUNT, Receiver(inbox), base_url=ELSEWHERE, services=["devicelocation", SERVICE]):
        assert set(await urls(session)) == {SERVICE}
        assert await session.callbacks.list(ACCOUNT) == ()


async def test_a_secret_and_a_password_of_one_service_do_not_mix(inbox: MemoryInbox) -> None:
    await credentials.add(inbox, "StateService", Signature(Secret("s3cret"), "x-signature"))
    with pytest.raises(errors.InboxUnavailable, match="a secret instead of a password for StateService"):
        await credentials.get_or_create(inbox, "StateService", None)
    await credentials.add(inbox, "StateService", Credentials("a", Secret("b")))
    assert len((await credentials.read_all(inbox))["StateService"]) == 2
