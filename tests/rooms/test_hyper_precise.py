"""Hyper precise location: new passwords are handed over first, and reports arrive later."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from thingspace_async import DeviceId, Secret, Session, errors
from thingspace_async.callbacks import MemoryInbox, Receiver
from thingspace_async.callbacks.messages import HyperPreciseReport
from thingspace_async.callbacks.web import serve
from thingspace_async.hyper_precise import (
    AddHyperPreciseDevicesRequest,
    AggregateReportRequest,
    CredentialsRequest,
    GeneratedCredential,
    HyperPreciseRequest,
    HyperPreciseSetting,
    HyperPreciseStatus,
    SessionReportRequest,
)
from thingspace_async.simulator import Cut, Simulator, Status

ACCOUNT = "0000123456-00001"
STRANGER = "990013907835573"
BEGUN = datetime(2026, 1, 5, tzinfo=UTC)
ENDED = datetime(2026, 1, 15, tzinfo=UTC)
SERVICE = "BullseyeReporting"


def imei_of(cloud: Simulator, place: int = 0) -> str:
    return str(cloud.devices[place].imei)


def wanting(*imeis: str) -> CredentialsRequest:
    return CredentialsRequest(ecpd_id="12345", account_name=ACCOUNT, devices=imeis)


async def enable(session: Session, *imeis: str, enabled: bool = True) -> HyperPreciseStatus:
    settings = [HyperPreciseSetting(imei=imei, enabled=enabled) for imei in imeis]
    return await session.hyper_precise.update(HyperPreciseRequest(account_name=ACCOUNT, devices=settings))


class Store:
    """A keeper that remembers what it stored, and how many requests the platform had received by then."""

    def __init__(self, cloud: Simulator) -> None:
        self.cloud = cloud
        self.kept: list[GeneratedCredential] = []
        self.requests_before = 0

    async def keep(self, made: Sequence[GeneratedCredential]) -> None:
        await asyncio.sleep(0)
        self.kept += made
        self.requests_before = len(self.cloud.requests)


# The service of devices


async def test_a_device_is_enabled_and_disabled(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    imei = imei_of(thingspace_simulator)
    for enabled in (True, False):
        status = await enable(thingspace_session, imei, enabled=enabled)
        assert not status.failed
        found = await thingspace_session.hyper_precise.get(account_name=ACCOUNT, imei=imei)
        assert [one.enabled for one in found.devices] == [enabled]


async def test_an_unknown_device_fails_inside_a_success(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    status = await enable(thingspace_session, imei_of(thingspace_simulator), STRANGER)
    (failed,) = status.failed
    assert failed.imei == STRANGER
    assert failed.response is not None
    assert failed.response.message
    with pytest.raises(errors.BadRequest, match="Device not found"):
        await thingspace_session.hyper_precise.get(account_name=ACCOUNT, imei=STRANGER)


async def test_the_nested_flag_of_the_sdks_is_read(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    device = {"imei": STRANGER, "BullseyeEnable": {"BullseyeEnable": True}}
    answer = {"accountNumber": ACCOUNT, "deviceList": [device]}
    thingspace_simulator.faults.add("hyper_precise.get", Status(200, answer))
    found = await thingspace_session.hyper_precise.get(account_name=ACCOUNT, imei=STRANGER)
    assert found.devices[0].enabled is True
    assert not found.failed


async def test_devices_are_added_by_their_identifiers(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    own = [DeviceId.imei(imei_of(thingspace_simulator))]
    new = [DeviceId.imei("990013907835573"), DeviceId.iccid("89141390780800784259")]
    request = AddHyperPreciseDevicesRequest(account_name=ACCOUNT, state="preactive", devices_to_add=[new, own])
    added, there = await thingspace_session.hyper_precise.add_devices(request)
    assert (added.succeeded, added.imei) == (True, "990013907835573")
    assert (there.succeeded, there.response) == (False, "The device already exists.")


# Credentials


async def test_a_password_is_shown_once_and_never_in_a_repr(
    thingspace_simulator: Simulator, thingspace_session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    imei, credentials = imei_of(thingspace_simulator), thingspace_session.hyper_precise.credentials
    (made,) = await credentials.create(wanting(imei))
    assert isinstance(made.password, Secret)
    assert made.username
    (listed,) = await credentials.list(wanting(imei))
    assert (listed.username, listed.failure) == (made.username, None)
    shown = f"{made!r} {made.to_json()} {listed!r} {caplog.text}"
    assert made.password.reveal() not in shown
    (dropped,) = await credentials.delete(wanting(imei))
    assert dropped.imei == imei
    assert [one.failure for one in await credentials.list(wanting(imei))] == ["No credentials"]


def test_a_credential_without_a_login_has_neither_name_nor_password() -> None:
    made = GeneratedCredential(imei=STRANGER)
    assert (made.username, made.password) == (None, None)


async def test_new_passwords_are_kept_before_the_call_returns(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    imei, credentials = imei_of(thingspace_simulator), thingspace_session.hyper_precise.credentials
    (old,) = await credentials.create(wanting(imei))
    store = Store(thingspace_simulator)
    (new,) = await credentials.reset(wanting(imei), store.keep)
    assert store.kept == [new]
    assert store.requests_before == len(thingspace_simulator.requests)
    assert new.password != old.password


async def test_passwords_that_cannot_be_stored_are_on_the_error_but_not_shown(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    imei, credentials = imei_of(thingspace_simulator), thingspace_session.hyper_precise.credentials
    await credentials.create(wanting(imei))

    def keep(made: Sequence[GeneratedCredential]) -> None:
        password = made[0].password
        assert password is not None
        raise OSError(f"no space left for {password.reveal()}")

    with pytest.raises(errors.SecretNotKept, match=r"did not store the new passwords \(OSError\)") as caught:
        await credentials.reset(wanting(imei), keep)
    (kept,) = caught.value.secret
    password = kept.password.reveal()
    assert len(password) == 12
    assert password not in f"{caught.value} {caught.value!r}"
    assert password.encode() not in pickle.dumps(caught.value)
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("ending", ["cancelled", "closed"])
async def test_a_reset_ends_in_the_store_although_its_caller_is_gone(
    thingspace_simulator: Simulator, ending: str
) -> None:
    cloud = thingspace_simulator
    store, imei, began = Store(cloud), imei_of(cloud), asyncio.Event()

    async def keep(made: Sequence[GeneratedCredential]) -> None:
        began.set()
        await asyncio.sleep(0.01)
        await store.keep(made)

    async with Session(cloud.credentials, environment=cloud.environment) as session:
        credentials = session.hyper_precise.credentials
        await credentials.create(wanting(imei))
        task = asyncio.create_task(credentials.reset(wanting(imei), keep))
        await began.wait()
        if ending == "cancelled":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert len(store.kept) == 1
    assert cloud.count("hyper_precise.credentials.reset") == 1
    if ending == "closed":
        assert await task == tuple(store.kept)


async def test_a_failure_behind_a_cancelled_caller_is_logged(
    thingspace_simulator: Simulator, thingspace_session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    imei, began = imei_of(thingspace_simulator), asyncio.Event()
    credentials = thingspace_session.hyper_precise.credentials
    await credentials.create(wanting(imei))

    async def keep(_: object) -> None:
        began.set()
        await asyncio.sleep(0.01)
        raise OSError

    task = asyncio.create_task(credentials.reset(wanting(imei), keep))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "continued after its caller was cancelled, and failed: " in caplog.text


async def test_a_keeper_cannot_close_its_session(thingspace_simulator: Simulator) -> None:
    cloud = thingspace_simulator
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        credentials = session.hyper_precise.credentials
        await credentials.create(wanting(imei_of(cloud)))
        with pytest.raises(errors.SecretNotKept) as caught:
            await credentials.reset(wanting(imei_of(cloud)), lambda _: session.close())
        assert isinstance(caught.value.__cause__, errors.SessionMisused)


async def test_a_reset_whose_answer_is_lost_is_not_sent_again(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, credentials = thingspace_simulator, thingspace_session.hyper_precise.credentials
    await credentials.create(wanting(imei_of(cloud)))
    cloud.faults.add("hyper_precise.credentials.reset", Cut())
    store = Store(cloud)
    with pytest.raises(errors.AnswerLost):
        await credentials.reset(wanting(imei_of(cloud)), store.keep)
    assert store.kept == []
    assert cloud.count("hyper_precise.credentials.reset") == 1


async def test_a_keeper_must_be_a_function(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    keep: Any = "passwords.txt"
    with pytest.raises(errors.InvalidRequest, match="keep must be a function or coroutine function, not str"):
        await thingspace_session.hyper_precise.credentials.reset(wanting(STRANGER), keep)
    assert thingspace_simulator.count("hyper_precise.credentials.reset") == 0


# Reports


async def test_sessions_and_their_sum_agree(thingspace_simulator: Simulator, thingspace_session: Session) -> None:
    imei, reports = imei_of(thingspace_simulator), thingspace_session.hyper_precise.reports
    await enable(thingspace_session, imei)
    span: dict[str, Any] = {"account_name": ACCOUNT, "start": BEGUN, "end": ENDED}
    one = await reports.sessions(SessionReportRequest(imei=imei, **span))
    assert one.sessions
    assert all(BEGUN <= found.start <= found.end <= ENDED for found in one.sessions if found.start and found.end)
    total = await reports.aggregate(AggregateReportRequest(devices=[imei, STRANGER], **span))
    (usage,) = total.usage
    assert usage.number_of_sessions == len(one.sessions)
    assert usage.bytes_transferred == sum(found.bytes_transferred or 0 for found in one.sessions)
    (error,) = total.errors
    assert (error.imei, error.error_response and error.error_response.http_status_code) == (STRANGER, "404 NOT_FOUND")
    short = await reports.sessions(SessionReportRequest(imei=imei, shortest=60, longest=1800, **span))
    assert 0 < len(short.sessions) < len(one.sessions)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"start": BEGUN, "end": BEGUN + timedelta(days=181)}, "end may be at most 180 days after start"),
        ({"start": ENDED, "end": BEGUN}, "start is after end"),
        ({"devices": ["12345"]}, "not an IMEI of 15 digits, at 0"),
        ({"devices": [STRANGER[:-4] + f"{number:04}" for number in range(10_000)] + ["0" * 15]}, "may hold 10,000"),
    ],
)
def test_a_report_that_the_platform_cannot_make_is_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=reason):
        AggregateReportRequest(**{"account_name": ACCOUNT, "devices": [STRANGER], **wrong})


def test_the_shortest_session_is_not_longer_than_the_longest() -> None:
    with pytest.raises(errors.InvalidRequest, match="shortest is greater than longest"):
        SessionReportRequest(account_name=ACCOUNT, imei=STRANGER, shortest=2, longest=1)


async def test_many_devices_need_a_report_that_arrives_later(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    devices = [str(one.imei) for one in list(thingspace_simulator.devices)[:11]] or []
    assert len(devices) == 11
    request = AggregateReportRequest(account_name=ACCOUNT, devices=devices)
    with pytest.raises(errors.InvalidRequest, match="at most 10 devices, not 11: use request_aggregate"):
        await thingspace_session.hyper_precise.reports.aggregate(request)


async def test_a_report_arrives_at_the_listener_and_is_awaited(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    cloud, session = thingspace_simulator, thingspace_session
    await enable(session, imei_of(cloud))
    request = AggregateReportRequest(account_name=ACCOUNT, devices=[imei_of(cloud), STRANGER], start=BEGUN, end=ENDED)
    expected = await session.hyper_precise.reports.aggregate(request)
    receiver = Receiver(MemoryInbox())
    async with (
        serve(receiver, port=0) as url,
        session.listen(ACCOUNT, receiver, base_url=url, services=[SERVICE], restore=True) as outcomes,
    ):
        (listener,) = await session.hyper_precise.callbacks.list(ACCOUNT)
        assert (listener.account_name, listener.name) == (ACCOUNT, SERVICE)
        password = str(listener.url).rpartition("~")[2]
        assert len(password) == 40
        assert password not in repr(listener)
        accepted = await session.hyper_precise.reports.request_aggregate(request)
        assert accepted.report_status == "QUEUED"
        cloud.clock.advance(61)
        report = await outcomes.answer(accepted, HyperPreciseReport, timeout=timedelta(seconds=5))
    assert (report.usage, report.errors) == (expected.usage, expected.errors)
    assert await session.hyper_precise.callbacks.list(ACCOUNT) == ()


def test_credentials_take_devices_by_their_imei_and_nothing_else() -> None:
    twice: list[str | DeviceId] = [DeviceId.imei(STRANGER), STRANGER]
    wanted = CredentialsRequest(ecpd_id="1", account_name=ACCOUNT, devices=twice)
    assert [one.imei for one in wanted.devices] == [STRANGER]
    with pytest.raises(errors.InvalidRequest, match="devices has an item that is not an IMEI of 15 digits, at 2"):
        CredentialsRequest(ecpd_id="1", account_name=ACCOUNT, devices=[*twice, DeviceId.mdn("5125550123")])
