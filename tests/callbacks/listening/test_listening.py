"""`session.listen`: which listeners it registers, keeps and restores, and that outcomes arrive."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.callbacks.listening.conftest import message_about
from thingspace_async import DeviceId, Secret, Session, errors
from thingspace_async.callbacks import CallbackListener, CallbackService, RegisterCallbackRequest, listeners, listening
from thingspace_async.callbacks.inbox import Inbox, MemoryInbox
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.devices import SuspendRequest
from thingspace_async.simulator import Assumptions, Simulator, Status
from thingspace_async.simulator.faults import Delay, Reset

ACCOUNT = "0000123456-00001"
URL = "https://fleet.example.com/thingspace"
ELSEWHERE = "https://elsewhere.example.com/carrier"
TWO = (CallbackService.CARRIER, CallbackService.STATE)
PORTS = [*range(9001, 9007), *range(28200, 28221), *range(50551, 50560)]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(MemoryInbox())


@asynccontextmanager
async def served(receiver: Receiver) -> AsyncIterator[str]:
    """Serve on a free port that the platform posts to."""
    async with AsyncExitStack() as stack:
        for port in random.sample(PORTS, len(PORTS)):
            try:
                url = await stack.enter_async_context(serve(receiver, port=port))
            except OSError:
                continue
            yield url
            return
        raise RuntimeError("no port is free that the platform posts to")


async def registered(session: Session) -> dict[str, CallbackListener]:
    return {str(one.service_name): one for one in await session.callbacks.list(ACCOUNT)}


async def register(session: Session, url: str, **changes: Any) -> None:
    request = RegisterCallbackRequest(name=CallbackService.CARRIER, url=url, **changes)
    await session.callbacks.register(ACCOUNT, request)


async def posted(receiver: Receiver, service: str, username: str | None, password: Secret | None) -> int:
    """Post as the platform does, and return the status of the answer."""
    known = {"username": username, "password": password and password.reveal()}
    body = json.dumps(json.loads(message_about(DeviceId.imei("990013907830001"))) | known).encode()
    return (await receiver.handle(body, headers={}, peer=None, service=service)).status


@pytest.mark.parametrize("other_spellings", [False, True])
async def test_the_outcomes_of_a_request_arrive(inbox: Inbox, *, other_spellings: bool) -> None:
    receiver = Receiver(inbox)
    async with (
        Simulator(devices=40, assumptions=Assumptions(other_spellings=other_spellings)) as cloud,
        served(receiver) as url,
        Session(cloud.credentials, environment=cloud.environment) as session,
        session.listen(cloud.account_name, receiver, base_url=url) as outcomes,
    ):
        active = [one async for one in session.devices.list(account_name=ACCOUNT) if one.state == "active"][:3]
        devices = [DeviceId.imei(one.identifier("imei") or "") for one in active]
        never = DeviceId.imei("990013907839992")
        accepted = await session.devices.suspend(SuspendRequest(devices=[*devices, never], account_name=ACCOUNT))
        waiting = asyncio.create_task(outcomes.all(accepted, devices=[*devices, never], timeout=timedelta(seconds=20)))
        cloud.clock.advance(61)
        came = await waiting
    assert {one.device.device_ids[0] for one in came if not one.failed} == set(devices)
    assert {len(one.message.device_ids[0].id) for one in came} == {14 if other_spellings else 15}
    (failed,) = [one for one in came if one.failed]
    assert failed.device.device_ids == (never,)
    assert failed.fault is not None
    assert failed.fault.code


async def test_each_service_gets_its_own_url_and_credentials(thingspace_session: Session, receiver: Receiver) -> None:
    async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL):
        found = await registered(thingspace_session)
        assert set(found) == {service.value for service in listening.RESULT_SERVICES}
        assert {one.url for one in found.values()} == {f"{URL}/{service}" for service in found}
        passwords = {one.password.reveal() for one in found.values() if one.password is not None}
        assert len(passwords) == len(found)
        assert {len(password) for password in passwords} == {40}
        for service, one in found.items():
            assert one.username is not None
            assert len(one.username) <= 40
            assert await posted(receiver, service, one.username, one.password) == 200
        carrier, state = found["CarrierService"], found["StateService"]
        assert await posted(receiver, "StateService", carrier.username, carrier.password) == 401
        assert await posted(receiver, "StateService", state.username, Secret("guessed")) == 401


async def test_only_the_given_services_are_registered_and_each_once(
    thingspace_session: Session, receiver: Receiver
) -> None:
    services = ["StateService", CallbackService.STATE, "stateservice", "BrandNewService"]
    async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=services):
        assert set(await registered(thingspace_session)) == {"StateService", "BrandNewService"}


async def test_listeners_stay_registered_after_the_block_and_late_messages_are_accepted(
    thingspace_session: Session, inbox: Inbox
) -> None:
    receiver = Receiver(inbox)
    async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO):
        before = await registered(thingspace_session)
    assert await registered(thingspace_session) == before
    carrier = before["CarrierService"]
    assert await posted(receiver, "CarrierService", carrier.username, carrier.password) == 200


async def test_the_inbox_is_opened_and_closed_unless_it_is_already_open(
    thingspace_session: Session, receiver: Receiver, inbox: Inbox
) -> None:
    async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO):
        assert receiver.inbox.is_open
    assert not receiver.inbox.is_open
    async with thingspace_session.listen(ACCOUNT, Receiver(inbox), base_url=URL, services=TWO):
        pass
    assert inbox.is_open


async def test_the_inbox_is_closed_when_registering_fails(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver
) -> None:
    thingspace_simulator.faults.add("callbacks.list", Status(400))
    with pytest.raises(errors.BadRequest):
        await thingspace_session.listen(ACCOUNT, receiver, base_url=URL).__aenter__()
    assert not receiver.inbox.is_open


async def test_a_listener_of_an_earlier_process_is_reused_and_both_receive(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver
) -> None:
    other = Receiver(MemoryInbox())
    async with (
        thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO),
        thingspace_session.listen(ACCOUNT, other, base_url=f"{URL}/", services=TWO, restore=True),
    ):
        found = (await registered(thingspace_session))["CarrierService"]
        for one in (receiver, other):
            assert await posted(one, "CarrierService", found.username, found.password) == 200
    assert set(await registered(thingspace_session)) == set(TWO)
    assert thingspace_simulator.count("callbacks.register") == 2
    assert thingspace_simulator.count("callbacks.deregister") == 0


@pytest.mark.parametrize(
    "spelling",
    [
        "HTTPS://Fleet.Example.com:443/thingspace/CarrierService",
        "https://fleet.example.com/thingspace/CarrierService/",
    ],
)
async def test_urls_are_compared_after_normalisation(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver, spelling: str
) -> None:
    thingspace_simulator.listeners[ACCOUNT]["CarrierService"] = {
        "accountName": ACCOUNT,
        "serviceName": "CarrierService",
        "url": spelling,
        "username": "fleet",
        "password": "drowssap",
    }
    async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=["CarrierService"]):
        assert await posted(receiver, "CarrierService", "fleet", Secret("drowssap")) == 200
    assert thingspace_simulator.count("callbacks.register") == 0


@pytest.mark.parametrize("known", [{}, {"username": "", "password": ""}, {"username": "fleet"}], ids=str)
async def test_a_listener_without_credentials_is_replaced_by_one_with_credentials(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver, known: dict[str, str]
) -> None:
    # This platform refuses to replace a listener.
    thingspace_simulator.assumptions = Assumptions(registering_replaces_listener=False)
    before = {"accountName": ACCOUNT, "serviceName": "CarrierService", "url": f"{URL}/CarrierService", **known}
    thingspace_simulator.listeners[ACCOUNT]["CarrierService"] = before
    async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=["CarrierService"], restore=True):
        found = (await registered(thingspace_session))["CarrierService"]
        assert await posted(receiver, "CarrierService", found.username, found.password) == 200
        assert await posted(receiver, "CarrierService", "", Secret("")) == 401
    known = {name: value for name, value in known.items() if value}
    after = thingspace_simulator.listeners[ACCOUNT]["CarrierService"]
    assert {name: after.get(name) for name in ("url", *known)} == {"url": f"{URL}/CarrierService", **known}


async def test_another_url_is_not_replaced_and_nothing_is_changed(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver
) -> None:
    await register(thingspace_session, "https://user:hidden@elsewhere.example.com/carrier?token=hidden")
    before = await registered(thingspace_session)
    with pytest.raises(errors.ListenersTaken) as caught:
        await thingspace_session.listen(ACCOUNT, receiver, base_url=URL).__aenter__()
    assert caught.value.urls == {"CarrierService": ELSEWHERE}
    assert f"CarrierService at {ELSEWHERE}: deregister them, or pass replace=True" in str(caught.value)
    assert "hidden" not in repr(caught.value)
    assert await registered(thingspace_session) == before
    assert thingspace_simulator.count("callbacks.register") == 1
    assert thingspace_simulator.count("callbacks.deregister") == 0


@pytest.mark.parametrize("replaces", [True, False])
async def test_another_url_is_replaced_and_restored_on_request(receiver: Receiver, *, replaces: bool) -> None:
    assumptions = Assumptions(registering_replaces_listener=replaces)
    async with (
        Simulator(devices=0, assumptions=assumptions) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        await register(session, ELSEWHERE, username="theirs", password="drowssap")
        before = await registered(session)
        listener = session.listen(ACCOUNT, receiver, base_url=URL, services=TWO, replace=True, restore=True)
        async with listener:
            during = await registered(session)
            assert {one.url for one in during.values()} == {f"{URL}/{service}" for service in TWO}
        assert await registered(session) == before
        ours = during["CarrierService"]
        async with receiver.running():
            assert await posted(receiver, "CarrierService", ours.username, ours.password) == 200, "a late message"


async def test_a_listener_that_another_process_registered_meanwhile_is_not_replaced(
    thingspace_session: Session, receiver: Receiver
) -> None:
    async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO, restore=True):
        await register(thingspace_session, ELSEWHERE)
        await thingspace_session.callbacks.deregister(ACCOUNT, "StateService")
    assert [one.url for one in (await registered(thingspace_session)).values()] == [ELSEWHERE]


async def test_a_listener_that_another_process_registered_with_the_same_url_meanwhile_is_not_replaced(
    thingspace_session: Session, receiver: Receiver
) -> None:
    async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO, restore=True):
        await register(thingspace_session, f"{URL}/CarrierService", username="another", password="drowssap")
    assert [one.username for one in (await registered(thingspace_session)).values()] == ["another"]


async def test_if_two_inboxes_listen_at_once_the_refused_one_reuses_the_others_listener(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver
) -> None:
    thingspace_simulator.assumptions = Assumptions(registering_replaces_listener=False)
    thingspace_simulator.faults.add("callbacks.list", Delay(0.2))  # Its list is empty, and arrives late.
    listener = thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO, restore=True)
    late = asyncio.create_task(listener.__aenter__())
    async with asyncio.timeout(10):
        while not thingspace_simulator.count("callbacks.list"):
            await asyncio.sleep(0.001)
    await register(thingspace_session, f"{URL}/CarrierService", username="another", password="drowssap")
    await late
    assert await posted(receiver, "CarrierService", "another", Secret("drowssap")) == 200
    await listener.__aexit__(None, None, None)
    assert [one.username for one in (await registered(thingspace_session)).values()] == ["another"]


@pytest.mark.parametrize("fault", [Reset(processed=True), Status(200, "no JSON", processed=True)], ids=str)
@pytest.mark.parametrize("operation", ["callbacks.register", "callbacks.deregister"])
async def test_a_lost_answer_prevents_neither_registering_nor_restoring(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver, operation: str, fault: Any
) -> None:
    await register(thingspace_session, ELSEWHERE, username="theirs", password="drowssap")
    before = await registered(thingspace_session)
    thingspace_simulator.faults.add(operation, fault)
    async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO, replace=True, restore=True):
        for service, found in (await registered(thingspace_session)).items():
            assert await posted(receiver, service, found.username, found.password) == 200
    assert await registered(thingspace_session) == before


@pytest.mark.parametrize("replaces", [True, False])
async def test_processes_that_replace_a_listener_at_the_same_moment_agree(*, replaces: bool) -> None:
    assumptions = Assumptions(registering_replaces_listener=replaces)
    async with (
        Simulator(devices=0, assumptions=assumptions) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
        MemoryInbox() as shared,
        AsyncExitStack() as stack,
    ):
        await register(session, ELSEWHERE, username="theirs", password="drowssap")
        receivers = [Receiver(shared) for _ in range(4)]
        listeners = [session.listen(ACCOUNT, one, base_url=URL, services=TWO, replace=True) for one in receivers]
        await asyncio.gather(*(stack.enter_async_context(listener) for listener in listeners))
        for service, found in (await registered(session)).items():
            for one in receivers:
                assert await posted(one, service, found.username, found.password) == 200


@pytest.mark.parametrize("fault", [Status(400), Reset()], ids=str)
@pytest.mark.parametrize("operation", ["callbacks.register", "callbacks.deregister"])
async def test_all_listeners_are_restored_if_registering_fails(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver, operation: str, fault: Any
) -> None:
    await register(thingspace_session, ELSEWHERE, username="theirs", password="drowssap")
    thingspace_simulator.listeners[ACCOUNT]["DeviceUsage"] = {
        "accountName": ACCOUNT,
        "serviceName": "DeviceUsage",
        "url": ELSEWHERE,
    }
    before = await registered(thingspace_session)
    services = ("CarrierService", "StateService", "DeviceUsage")
    thingspace_simulator.faults.add(operation, fault, after=1)
    with pytest.raises(errors.ThingSpaceError) as caught:
        await thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=services, replace=True).__aenter__()
    assert isinstance(caught.value, errors.BadRequest | errors.AnswerLost)
    assert not getattr(caught.value, "__notes__", [])
    assert await registered(thingspace_session) == before


async def test_unchanged_listeners_are_not_touched_if_registering_fails(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver
) -> None:
    await register(thingspace_session, f"{URL}/CarrierService")
    thingspace_simulator.faults.add("callbacks.deregister", Status(400))
    with pytest.raises(errors.BadRequest):
        await thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO).__aenter__()
    assert set(await registered(thingspace_session)) == {"CarrierService"}
    assert thingspace_simulator.count("callbacks.register") == 1
    assert thingspace_simulator.count("callbacks.deregister") == 1


async def test_all_listeners_are_restored_if_registering_is_cancelled(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver
) -> None:
    await register(thingspace_session, ELSEWHERE, username="theirs", password="drowssap")
    before = await registered(thingspace_session)
    thingspace_simulator.faults.add("callbacks.register", Delay(10), after=1)
    listener = thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO, replace=True)
    entering = asyncio.create_task(listener.__aenter__())
    async with asyncio.timeout(10):
        while thingspace_simulator.count("callbacks.register") < 3:
            await asyncio.sleep(0.001)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert await registered(thingspace_session) == before


async def test_a_failure_to_restore_is_a_note_on_the_first_error(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver
) -> None:
    thingspace_simulator.faults.add("callbacks.register", Status(400), after=1)
    thingspace_simulator.faults.add("callbacks.deregister", Status(500))
    with pytest.raises(errors.BadRequest) as caught:
        await thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO).__aenter__()
    (note,) = caught.value.__notes__
    assert note.startswith("thingspace_async: the earlier listeners of CarrierService could not be restored: [500]")


@pytest.mark.parametrize("operation", ["callbacks.deregister", "callbacks.list"])
async def test_a_failure_to_restore_after_the_block_is_an_error_or_a_note_on_the_blocks_error(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver, operation: str
) -> None:
    def restoring() -> Any:
        return thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO, restore=True)

    left = {"callbacks.deregister": ("StateService",), "callbacks.list": ("CarrierService", "StateService")}[operation]
    with pytest.raises(errors.ListenersLeft, match=" and |, ".join(left)) as caught:
        async with restoring():
            thingspace_simulator.faults.add(operation, Status(400))
    assert caught.value.services == left
    assert isinstance(caught.value.__cause__, errors.BadRequest)
    assert not receiver.inbox.is_open
    assert set(await registered(thingspace_session)) == set(left)
    thingspace_simulator.listeners.clear()
    with pytest.raises(ZeroDivisionError) as body:  # noqa: PT012 - the body of `async with` is what raises
        async with restoring():
            thingspace_simulator.faults.add(operation, Status(400))
            raise ZeroDivisionError
    assert "could not be restored" in body.value.__notes__[0]


async def test_restoring_ends_after_a_while_if_the_platform_does_not_answer(
    thingspace_simulator: Simulator,
    thingspace_session: Session,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listeners, "_RESTORE_TIMEOUT", 0.1)
    with pytest.raises(errors.ListenersLeft, match=r"no answer within 0\.1 s"):
        async with thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO, restore=True):
            thingspace_simulator.faults.add("callbacks.list", Delay(30))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"base_url": "https://fleet.example.com:8443"}, "url has the port 8443"),
        ({"base_url": "ftp://fleet.example.com"}, "url must be a URL such as"),
        ({"base_url": "fleet.example.com"}, "url must be a URL such as"),
        ({"base_url": ""}, "url must be a URL such as"),
        ({"base_url": f"{URL}?a=b"}, "without a query"),
        ({"base_url": f"{URL}#a"}, "without a query"),
        ({"base_url": None}, "base_url must be a URL"),
        ({"services": "CarrierService"}, "services must be a list of names"),
        ({"services": []}, "services must be a list of names"),
        ({"services": [7]}, "services must be a list of names"),
        ({"services": [""]}, "name must not be empty"),
    ],
    ids=str,
)
async def test_invalid_registrations_are_refused_before_anything_is_sent(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver, wrong: dict[str, Any], said: str
) -> None:
    before = len(thingspace_simulator.requests)
    with pytest.raises(errors.InvalidRequest, match=said):
        thingspace_session.listen(ACCOUNT, receiver, **{"base_url": URL, **wrong})
    assert len(thingspace_simulator.requests) == before


@pytest.mark.parametrize("url", ["http://10.120.102.147:50569/Carrier.asmx", "http://a:b", ""])
async def test_a_listener_that_could_not_be_restored_is_not_replaced(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver, url: str
) -> None:
    listener = {"accountName": ACCOUNT, "serviceName": "CarrierService", "url": url}
    thingspace_simulator.listeners[ACCOUNT]["CarrierService"] = listener
    with pytest.raises(
        errors.InvalidRequest, match=r"CarrierService could not be restored later \(.*\): deregister it first"
    ):
        await thingspace_session.listen(ACCOUNT, receiver, base_url=URL, replace=True).__aenter__()
    assert thingspace_simulator.listeners[ACCOUNT] == {"CarrierService": listener}


async def test_two_accounts_may_share_a_receiver(
    thingspace_simulator: Simulator, thingspace_session: Session, receiver: Receiver
) -> None:
    thingspace_simulator.add_account("0000123456-00002")
    async with (
        thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO),
        thingspace_session.listen("0000123456-00002", receiver, base_url=URL, services=TWO),
    ):
        for account in (ACCOUNT, "0000123456-00002"):
            found = thingspace_simulator.listeners[account]["CarrierService"]
            assert await posted(receiver, "CarrierService", found["username"], Secret(found["password"])) == 200


async def test_no_password_is_shown_or_logged(
    thingspace_simulator: Simulator,
    thingspace_session: Session,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    listener = thingspace_session.listen(ACCOUNT, receiver, base_url=URL, services=TWO, restore=True)
    async with listener:
        passwords = [one["password"] for one in thingspace_simulator.listeners[ACCOUNT].values()]
        refusal = {"errorCode": "A.B", "errorMessage": "The password is too simple."}
        shown = repr(vars(listener))
        thingspace_simulator.faults.add("callbacks.register", Status(400, refusal))
        with pytest.raises(errors.BadRequest) as caught:
            await thingspace_session.listen(
                ACCOUNT, receiver, base_url=f"{URL}/new", services=TWO, replace=True
            ).__aenter__()
        shown += repr(caught.value) + str(caught.value) + caplog.text
    assert len(passwords) == 2
    assert not [password for password in passwords if password in shown]
