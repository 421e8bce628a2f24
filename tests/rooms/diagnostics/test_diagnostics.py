"""Diagnostics: requests, refusals with status 500, pages, secrets, restarts, and listening."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest
from aioresponses import aioresponses

from tests.rooms.diagnostics.conftest import ACCOUNT, NOON, SERVICES, SIGNAL, active, observing
from tests.simulator.listener import listening
from thingspace_async import DeviceId, Secret, Session, errors
from thingspace_async._core.types import DeviceIds
from thingspace_async.callbacks import CallbackService, MemoryInbox, Outcomes, Receiver
from thingspace_async.callbacks.messages import DiagnosticsMessage
from thingspace_async.diagnostics import (
    AttributeName,
    DiagnosticsCallbackService,
    HistoryFilter,
    HistorySearchRequest,
    HistorySpan,
    ObservationEstimate,
    ObservationRequest,
    ObservedValue,
    RegisterDiagnosticsCallbackRequest,
    RestartAction,
    RestartRequest,
    TimeSpan,
    TimeUnit,
)
from thingspace_async.simulator import Simulator

PLACE = "http://127.0.0.1:1/api/diagnostics/v1"
IMEI = DeviceId.imei("990013907835573")


# Requests


async def test_an_observation_is_requested_under_the_platforms_names(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    (device,) = active(cloud)
    accepted = await session.diagnostics.observe(observing(device))
    assert cloud.requests[-1].path == "/api/diagnostics/v1/devices/attributes/actions/observe"
    assert cloud.requests[-1].json == {
        "accountName": ACCOUNT,
        "devices": [{"id": device.id, "kind": "imei"}],
        "attributes": [{"name": "RADIO_SIGNAL_STRENGTH"}],
        "frequency": {"value": 15, "unit": "SECOND"},
        "duration": {"value": 1, "unit": "MINUTE"},
    }
    assert (accepted.status, accepted.devices) == ("OBSERVE_PENDING", (DeviceIds(device_ids=(device,)),))
    assert accepted.created_on == NOON


def test_a_device_of_an_answer_is_named_by_its_imei() -> None:
    several = DeviceIds(device_ids=(DeviceId.iccid("89148000004292933820"), IMEI))
    bare = DeviceIds(device_ids=(DeviceId.mdn("5125550123"),))
    assert observing(several, bare, IMEI).devices == (IMEI, DeviceId.mdn("5125550123"), IMEI)
    assert ObservationRequest(account_name=ACCOUNT, devices=several, attributes=[SIGNAL]).devices == (IMEI,)


@pytest.mark.parametrize(
    ("length", "value", "unit"),
    [
        (timedelta(days=2), 2, TimeUnit.DAY),
        (timedelta(hours=36), 36, TimeUnit.HOUR),
        (timedelta(minutes=90), 90, TimeUnit.MINUTE),
        (timedelta(seconds=61), 61, TimeUnit.SECOND),
    ],
)
def test_a_span_is_written_in_the_largest_unit_that_divides_it(length: timedelta, value: int, unit: TimeUnit) -> None:
    request = observing(IMEI, duration=length)
    assert request.duration == TimeSpan(value=value, unit=unit)
    assert request.duration is not None
    assert request.duration.as_timedelta() == length


@pytest.mark.parametrize(
    "span",
    [TimeSpan(), TimeSpan(value=2, unit=TimeUnit("FORTNIGHT")), TimeSpan(value=10**15, unit=TimeUnit.DAY)],
)
def test_a_span_that_cannot_be_computed_has_no_length(span: TimeSpan) -> None:
    assert span.as_timedelta() is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frequency": timedelta(seconds=14)}, "frequency must be 15 seconds or more, not 0:00:14"),
        ({"frequency": TimeSpan(value=1, unit=TimeUnit.SECOND)}, "frequency must be 15 seconds or more"),
        ({"frequency": 15}, "frequency must be a timedelta"),
        ({"duration": TimeSpan(value=1)}, "duration must be a timedelta, or a TimeSpan with a value and a unit"),
        ({"duration": timedelta(seconds=14)}, "duration is shorter than frequency"),
        ({"duration": timedelta(0)}, "must be one or more whole seconds"),
        ({"duration": timedelta(seconds=15.5)}, "must be one or more whole seconds"),
        ({"devices": []}, "devices must hold 1 DeviceId or more"),
        ({"devices": "990013907835573"}, "devices must be a tuple of DeviceId"),
        ({"attributes": []}, "attributes must hold 1 ObservedAttribute or more"),
        ({"attributes": SIGNAL}, "attributes must be a tuple"),
        ({"attributes": [""]}, "attributes must hold ObservedAttribute only"),
    ],
)
def test_an_observation_that_the_platform_would_refuse_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=said):
        observing(IMEI, **changes)


def test_the_events_of_an_observation_are_known_before_it_starts() -> None:
    request = observing(IMEI, IMEI, attributes=[SIGNAL, "CELL_ID"], duration=timedelta(seconds=50))
    assert request.events == 2 * 2 * 4  # After 15, 30 and 45 seconds, and one that is begun.
    assert observing(IMEI, duration=None).events is None
    assert observing(IMEI, frequency=None).events is None
    assert observing(IMEI, duration=TimeSpan(value=1, unit=TimeUnit("FORTNIGHT"))).events is None


@pytest.mark.parametrize(
    ("allowed", "used", "left", "enough"),
    [(10, 4, 6, True), (10, 5, 5, False), (1, 2, 0, False), (None, 2, None, None)],
)
def test_an_estimate_compares_with_what_is_left(
    *, allowed: int | None, used: int, left: int | None, enough: bool | None
) -> None:
    estimate = ObservationEstimate(events=6, allowed=allowed, used=used)
    assert (estimate.left, estimate.is_enough) == (left, enough)


async def test_an_estimate_reads_the_subscription_and_starts_nothing(cloud: Simulator, session: Session) -> None:
    estimate = await session.diagnostics.estimate(observing(IMEI))
    assert estimate == ObservationEstimate(events=4, allowed=24_000, used=0)
    assert cloud.count("diagnostics.observe") == 0
    with pytest.raises(errors.InvalidRequest, match="give a frequency and a duration"):
        await session.diagnostics.estimate(observing(IMEI, duration=None))


@pytest.mark.parametrize(("value", "number"), [("-77", -77), (47, 47), ("LTE", None), (None, None), ("-77.5", None)])
def test_a_value_is_a_number_where_it_is_one(value: Any, number: int | None) -> None:
    found = ObservedValue(name=SIGNAL, value=value)
    assert (found.number, found.unit) == (number, "dBm")
    assert ObservedValue(name=AttributeName.CELL_ID, value=value).unit is None


# Refusals


async def test_without_a_listener_nothing_is_observed(cloud: Simulator, session: Session) -> None:
    with pytest.raises(errors.Forbidden) as caught:
        await session.diagnostics.observe(observing(*active(cloud)))
    assert caught.value.code == "CALLBACK_NOT_REGISTERED"
    request = RestartRequest(account_name=ACCOUNT, action="reboot", devices=active(cloud))
    with pytest.raises(errors.Forbidden, match="CALLBACK_NOT_REGISTERED"):
        await session.diagnostics.restart(request)


async def test_an_allowance_that_is_used_up_is_forbidden(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    cloud.assumptions = attrs.evolve(cloud.assumptions, diagnostics_allowance=0)
    with pytest.raises(errors.Forbidden, match="The account usage has been exceeded") as caught:
        await session.diagnostics.observe(observing(*active(cloud)))
    assert caught.value.code == "ACCOUNT_USAGE_EXCEEDED"


async def test_a_refusal_with_status_500_is_a_bad_request_and_not_repeated(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    gone = DeviceId.imei(next(str(one.imei) for one in cloud.devices if one.state == "suspend"))
    with pytest.raises(errors.BadRequest, match="The device is unregistered") as caught:
        await session.diagnostics.observe(observing(gone))
    assert (caught.value.status, caught.value.code) == (500, "DEVICE_UNREGISTERED")
    with pytest.raises(errors.BadRequest, match="The account has been unregistered") as caught:
        await session.diagnostics.subscription("0000999999-00001")
    assert (caught.value.status, caught.value.code) == (500, "UNREGISTERED_ACCOUNT")
    assert cloud.count("diagnostics.observe") == 1
    assert cloud.count("diagnostics.subscription") == 1


async def test_a_session_that_expired_is_renewed(cloud: Simulator, session: Session) -> None:
    cloud.expire_sessions()
    assert (await session.diagnostics.subscription(ACCOUNT)).total_allowed == 24_000
    refused = next(one for one in cloud.requests if one.status == 401)
    assert b'"INVALID_ACCOUNT"' in refused.answer


async def test_an_observation_that_has_ended_cannot_be_stopped(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    accepted = await session.diagnostics.observe(observing(*active(cloud)))
    stopping = {"account_name": ACCOUNT, "transaction_id": accepted.request_id}
    stopped = await session.diagnostics.stop(**stopping)
    assert (stopped.request_id, stopped.status) == (accepted.request_id, "CANCEL_OBSERVE_PENDING")
    with pytest.raises(errors.BadRequest, match="Transaction ID is already canceled"):
        await session.diagnostics.stop(**stopping)
    with pytest.raises(errors.InvalidRequest, match=r"diagnostics\.stop: transaction_id must not be empty"):
        await session.diagnostics.stop(account_name=ACCOUNT, transaction_id="")


# Settings and history


async def test_settings_show_what_is_observed(cloud: Simulator, session: Session, outcomes: Outcomes) -> None:
    first, second = active(cloud, 2)
    await session.diagnostics.observe(observing(first))
    cloud.clock.advance(20)
    settings = await session.diagnostics.settings(ACCOUNT, [first, second])
    asked = [{"id": one.id, "kind": "imei"} for one in (first, second)]
    assert cloud.requests[-1].query["devices"] == str(asked).replace("'", '"').replace(" ", "")
    assert [one.device for one in settings] == [first, second]
    by_name = {one.name: one for one in settings[0].attributes}
    observed = by_name[SIGNAL]
    assert (observed.is_observing, observed.frequency) == (True, TimeSpan(value=15, unit=TimeUnit.SECOND))
    assert observed.number is not None
    assert -110 < observed.number <= -60
    assert (by_name[AttributeName.CELL_ID].is_observing, by_name[AttributeName.CELL_ID].value) == (False, None)
    assert not any(one.is_observing for one in settings[1].attributes)


@pytest.mark.parametrize("given", [[], "990013907835573", [5], 5, [IMEI] * 300])
async def test_devices_that_cannot_be_named_in_a_query_are_refused(session: Session, given: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"^diagnostics\.settings: (devices must be|the request needs)"):
        await session.diagnostics.settings(ACCOUNT, given)


def searching(device: DeviceId, **changes: Any) -> HistorySearchRequest:
    return HistorySearchRequest(filter=HistoryFilter(account_name=ACCOUNT, device=device, attribute=SIGNAL), **changes)


async def test_history_is_walked_over_the_end_of_its_pages(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    cloud.assumptions = attrs.evolve(cloud.assumptions, diagnostics_history_page=4)
    (device,) = active(cloud)
    request = observing(device, attributes=[SIGNAL, "CELL_ID"], duration=timedelta(seconds=150))
    await session.diagnostics.observe(request)
    cloud.clock.advance(150)
    found = [one async for one in session.diagnostics.history(searching(device))]
    assert cloud.requests[-1].path == "/api/diagnostics/v1/history/actions/$search"
    assert [one.device for one in found] == [device] * 10
    times = [one.observed.created_on for one in found if one.observed is not None]
    assert times == [NOON + timedelta(seconds=15 * place) for place in range(10, 0, -1)]
    assert cloud.count("diagnostics.history") == 3

    page = await session.diagnostics.history_page(searching(device, limit_number=9))
    assert (len(page.records), page.next) == (9, "1")
    last = await session.diagnostics.history_page(searching(device), page=page.next)
    assert (last.records, last.next) == ((found[-1],), None)

    span = HistorySpan(start=NOON + timedelta(seconds=30), duration=timedelta(seconds=15))
    assert [one async for one in session.diagnostics.history(searching(device, limit_time=span))] == found[7:9]


@pytest.mark.parametrize("mark", ["", "  "])
async def test_a_page_that_promises_more_without_a_way_on_is_an_error(
    canned: aioresponses, scripted: Session, mark: str
) -> None:
    canned.post(f"{PLACE}/history/actions/$search", payload=[], headers={"X-Next": mark})
    with pytest.raises(errors.AnswerUnreadable, match="its X-Next header is missing or empty"):
        await scripted.diagnostics.history_page(searching(IMEI))


async def test_a_page_that_leads_back_to_itself_is_an_error(canned: aioresponses, scripted: Session) -> None:
    canned.post(f"{PLACE}/history/actions/$search", payload=[], headers={"X-Next": "7"}, repeat=True)
    with pytest.raises(errors.AnswerUnreadable, match="leads back to an earlier page"):
        _ = [one async for one in scripted.diagnostics.history(searching(IMEI))]


# Listeners


@pytest.mark.parametrize("header", ["Shared-Key", "X-Other"])
async def test_the_secrets_of_a_listener_are_never_shown(canned: aioresponses, scripted: Session, header: str) -> None:
    payload = {"accountName": ACCOUNT, "serviceName": "Diagnostics", "httpHeaders": {"X-Api-Key": "k3y"}}
    canned.post(f"{PLACE}/callbacks", payload=payload, headers={header: "s3cret"})
    request = RegisterDiagnosticsCallbackRequest(
        account_name=ACCOUNT, endpoint="https://example.com/Diagnostics", http_headers={"X-Api-Key": "k3y"}
    )
    registered = await scripted.diagnostics.callbacks.register(request)
    found = registered.headers[header] if registered.secret is None else registered.secret
    assert found.reveal() == "s3cret"
    assert (registered.secret is None) == (header == "X-Other")
    assert registered.http_headers == {"X-Api-Key": Secret("k3y")}
    shown = f"{registered!r} {registered.to_json()} {registered.headers} {request!r} {request.to_json()}"
    assert "s3cret" not in shown
    assert "k3y" not in shown


@pytest.mark.parametrize(
    "headers", [5, {"X": 5}, {"X\r\nY": "z"}, {"X": "z\r\nY: z"}, {"X": ""}, {"": "z"}, {"X": "é"}, {5: "z"}]
)
def test_headers_that_could_start_another_header_are_refused(headers: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="RegisterDiagnosticsCallbackRequest: http_headers ") as caught:
        RegisterDiagnosticsCallbackRequest(account_name=ACCOUNT, endpoint="https://example.com/", http_headers=headers)
    assert str(caught.value).isprintable()


async def test_listeners_are_registered_listed_and_removed(cloud: Simulator, session: Session) -> None:
    callbacks = session.diagnostics.callbacks
    async with listening() as listener:
        request = RegisterDiagnosticsCallbackRequest(
            account_name=ACCOUNT, endpoint=f"{listener.url}/Diagnostics", http_headers={"X-Api-Key": "k3y"}
        )
        registered = await callbacks.register(request)
        assert registered.secret is not None
        (listed,) = await callbacks.list(ACCOUNT)
        assert (listed.service_name, listed.endpoint) == (DiagnosticsCallbackService.DIAGNOSTICS, request.endpoint)
        assert listed.created_on == NOON
        await session.diagnostics.observe(observing(*active(cloud)))
        cloud.clock.advance(15)
        await cloud.delivered()
        assert listener.headers[0]["X-Api-Key"] == "k3y"
        receiver = Receiver(MemoryInbox())
        receiver.expect_signed("Diagnostics", registered.secret)
        async with receiver.inbox:
            (body,), (headers,) = listener.bodies, listener.headers
            forged = await receiver.handle(body + b" ", headers=headers, peer=None, service="Diagnostics")
            genuine = await receiver.handle(body, headers=headers, peer=None, service="Diagnostics")
        assert (forged.status, genuine.status) == (401, 200)
    removed = await callbacks.deregister(ACCOUNT, DiagnosticsCallbackService.DIAGNOSTICS)
    assert removed.endpoint == request.endpoint
    assert await callbacks.list(ACCOUNT) == ()


async def test_a_listener_of_diagnostics_is_taken_over_and_removed_beside_others(
    cloud: Simulator, session: Session
) -> None:
    services = [CallbackService.CARRIER, *SERVICES]
    options: dict[str, Any] = {"base_url": "http://127.0.0.1:9/here", "services": services}
    async with MemoryInbox() as inbox:
        for _ in range(2):
            async with session.listen(ACCOUNT, Receiver(inbox), **options):
                pass
        assert cloud.count("diagnostics.callbacks.register") == 1
        (listed,) = await session.diagnostics.callbacks.list(ACCOUNT)
        assert listed.endpoint == "http://127.0.0.1:9/here/Diagnostics"
    await session.diagnostics.callbacks.deregister(ACCOUNT, "Diagnostics")
    async with session.listen(ACCOUNT, Receiver(MemoryInbox()), restore=True, **options):
        assert len(await session.diagnostics.callbacks.list(ACCOUNT)) == 1
    assert await session.diagnostics.callbacks.list(ACCOUNT) == ()


# Restarts


async def test_a_restart_is_over_when_each_device_has_registered_again(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    devices = active(cloud, 2)
    asleep = cloud.devices.find("imei", devices[1].id)
    assert asleep is not None
    cloud.report_reachability(asleep, reachable=False)
    request = RestartRequest(account_name=ACCOUNT, action=RestartAction.FACTORY_RESET, devices=devices)
    accepted = await session.diagnostics.restart(request)
    assert accepted.status == "FACTORY_RESET_PENDING"
    cloud.clock.advance(61)
    await cloud.delivered()
    with pytest.raises(errors.OutcomesMissing) as caught:
        await outcomes.all(accepted, timeout=timedelta())
    assert caught.value.missing == (DeviceIds(device_ids=(devices[1],)),)
    cloud.report_reachability(asleep, reachable=True)
    cloud.clock.advance(61)
    await cloud.delivered()
    found = await outcomes.all(accepted, timeout=timedelta(seconds=5))
    assert [one.status for one in found if one.device.device_ids == (devices[1],)] == [
        "FACTORY_RESET_QUEUED",
        "FACTORY_RESET_TRANSMITTED",
        "FACTORY_RESET_SUCCESS",
    ]
    assert [one.final for one in found].count(True) == 2
    assert not any(one.failed for one in found)


async def test_a_message_that_is_sent_again_is_stored_once(
    cloud: Simulator, session: Session, outcomes: Outcomes
) -> None:
    accepted = await session.diagnostics.observe(observing(*active(cloud)))
    cloud.clock.advance(30)
    await cloud.delivered()
    cloud.resend(cloud.deliveries[0])
    await cloud.delivered()
    read = outcomes.inbox.read(request_id=accepted.request_id)
    values = [one.message.values[0] async for one in read if isinstance(one.message, DiagnosticsMessage)]
    assert len(values) == 2
    assert values[0].created_on == NOON + timedelta(seconds=15)
