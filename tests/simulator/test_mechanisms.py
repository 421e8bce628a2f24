"""The building blocks of rooms: collections, listeners, late messages, tickers, progress, pages, allowances."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any

import pytest

from tests.simulator.api import Api
from tests.simulator.listener import Listener
from thingspace_async._core.operation import Method, Operation, Server
from thingspace_async.simulator.clock import Clock
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.agenda import Agenda, Daily, Progress, Stage, Ticker
from thingspace_async.simulator.mechanisms.allowance import Allowance
from thingspace_async.simulator.mechanisms.collection import Collection
from thingspace_async.simulator.mechanisms.dialect import DIALECTS, M2M, dialect_of
from thingspace_async.simulator.mechanisms.listeners import ListenerRegistry, signed_envelope
from thingspace_async.simulator.mechanisms.messages import DeviceFault, message_of, transaction_message
from thingspace_async.simulator.mechanisms.pager import after, answer_by_location, answer_by_token, from_index
from thingspace_async.simulator.mechanisms.seeded import bits, chosen, share

Serve = Callable[..., Awaitable[Api]]

ACCOUNT = "0000123456-00001"


# A new room: its things, and five endpoints of a line each


def _operation(name: str, method: Method, path: str, server: Server = "subscriptions") -> Operation[Any, Any]:
    return Operation(f"triggers.{name}", method, path, NoneType, NoneType, server=server)


TRIGGERS = Collection(
    name="trigger",
    needs={"triggerName": str, "threshold": int},
    may_change=("threshold", "triggerName"),
    id="triggerId",
    unique="triggerName",
    times=("createdAt", "updatedAt"),
)
CREATE = _operation("create", "POST", "/tests/triggers")
LIST = _operation("list", "GET", "/tests/accounts/{account_name}/triggers")
GET = _operation("get", "GET", "/tests/accounts/{account_name}/triggers/{triggerId}")
UPDATE = _operation("update", "PATCH", "/tests/accounts/{account_name}/triggers/{triggerId}")
DELETE = _operation("delete", "DELETE", "/tests/accounts/{account_name}/triggers/{triggerId}")
HANDLERS = {
    CREATE: TRIGGERS.create(status=201),
    LIST: TRIGGERS.list(wrap=lambda shown: {"triggers": shown}),
    GET: TRIGGERS.get(),
    UPDATE: TRIGGERS.update(),
    DELETE: TRIGGERS.delete(body={"status": "Success"}),
}

BASE = "/api/subsc/v1/tests"
THERE = f"{BASE}/accounts/{ACCOUNT}/triggers"


@pytest.fixture
async def triggers(serve: Serve) -> Api:
    return await serve(handlers=HANDLERS)


async def make(api: Api, name: str = "half", **more: object) -> dict[str, Any]:
    body = {"accountName": ACCOUNT, "triggerName": name, "threshold": 50, **more}
    reply = await api.send("POST", f"{BASE}/triggers", json=body)
    assert reply.status == 201
    made: dict[str, Any] = reply.json
    return made


async def test_a_thing_is_created_read_listed_changed_and_deleted(triggers: Api) -> None:
    first, second = await make(triggers), await make(triggers, "full")
    there = f"{THERE}/{first['triggerId']}"
    assert first["createdAt"] == first["updatedAt"]
    assert (await triggers.send("GET", there)).json == first
    assert (await triggers.send("GET", THERE)).json == {"triggers": [first, second]}
    triggers.cloud.clock.advance(60)
    changed = (await triggers.send("PATCH", there, json={"threshold": 70})).json
    assert changed["threshold"] == 70
    assert changed["createdAt"] == first["createdAt"] < changed["updatedAt"]
    assert (await triggers.send("DELETE", there)).json == {"status": "Success"}
    assert (await triggers.send("GET", there)).refusal == (400, "UnifiedWebService.REQUEST_FAILED.NotFound")
    assert (await triggers.send("GET", THERE)).json == {"triggers": [second]}


async def test_what_a_thing_needs_and_what_may_change_is_declared(triggers: Api) -> None:
    made = await make(triggers)
    there = f"{THERE}/{made['triggerId']}"
    missing = await triggers.send("POST", f"{BASE}/triggers", json={"accountName": ACCOUNT, "triggerName": "x"})
    assert missing.headers["X-Simulator-Reason"] == "body: threshold is missing: it must be an integer"
    odd = await triggers.send("PATCH", there, json={"accountName": "other"})
    assert odd.headers["X-Simulator-Reason"] == "body: accountName cannot be changed; threshold, triggerName can"
    twice = await triggers.send(
        "POST", f"{BASE}/triggers", json={"accountName": ACCOUNT, "triggerName": "half", "threshold": 1}
    )
    assert twice.headers["X-Simulator-Reason"] == "body: triggerName is the name of another trigger"
    assert (await triggers.send("PATCH", there, json={"triggerName": "half"})).status == 200


async def test_an_account_has_its_own_things(triggers: Api) -> None:
    triggers.cloud.add_account("0000222222-00001")
    await make(triggers, accountName="0000222222-00001")
    assert (await triggers.send("GET", THERE)).json == {"triggers": []}


# Listeners and messages


def test_a_registry_that_does_not_replace_refuses_the_second_listener() -> None:
    registry = ListenerRegistry(signed_envelope("X-Signature"), replaces=lambda: False, new_secret=lambda: "s3cret")
    first = registry.register(ACCOUNT, "Location", "http://127.0.0.1/a")
    assert first == {
        "accountName": ACCOUNT,
        "serviceName": "Location",
        "url": "http://127.0.0.1/a",
        "secret": "s3cret",
    }
    assert registry.register(ACCOUNT, "Location", "http://127.0.0.1/b") is None
    assert registry.deregister(ACCOUNT, "Location")
    assert not registry.deregister(ACCOUNT, "Location")


async def test_a_signed_delivery_has_no_counts_and_its_signature_in_a_header(api: Api, listener: Listener) -> None:
    registry = ListenerRegistry(signed_envelope("X-Signature"), new_secret=lambda: "s3cret")
    api.cloud.platform.listeners["location"] = registry
    registry.register(ACCOUNT, "DeviceLocation", listener.url)
    api.cloud.platform.outbox.send(ACCOUNT, "DeviceLocation", {"txid": "1", "pd": {"x": 1}}, api="location")
    await api.cloud.delivered()
    (body,) = listener.bodies
    assert body == b'{"txid":"1","pd":{"x":1}}'
    signature = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert listener.headers[0]["X-Signature"] == signature


async def test_a_late_request_tells_its_results_in_the_shape_of_its_api(api: Api) -> None:
    def refuse() -> None:
        raise DeviceFault("X", "too far away")

    ids = [{"id": "35327209000001", "kind": "imei"}]
    work = [Work(ids, lambda: {"pd": {"x": "1", "y": "2"}}), Work(ids, refuse)]
    name = api.cloud.platform.accept(work, service="DeviceLocation", message=transaction_message("txid"))
    api.cloud.clock.advance(61)
    assert [one.message for one in api.cloud.deliveries] == [
        {"txid": name, "deviceid": ids[0], "pd": {"x": "1", "y": "2"}},
        {"txid": name, "deviceid": ids[0], "status": "Failed", "fault": "too far away"},
    ]


def test_a_transaction_without_devices_or_results_names_itself_alone() -> None:
    assert transaction_message("transactionID")("7", [], None, None) == {"transactionID": "7"}
    assert message_of("7", [], None, None) == {"requestId": "7", "deviceIds": [], "status": "Success"}


# Scheduled actions


@pytest.fixture
def clock() -> Clock:
    clock = Clock(datetime(2030, 1, 1, tzinfo=UTC))
    clock.speed = 0
    return clock


MINUTE = timedelta(minutes=1)


def test_a_ticker_ticks_at_its_interval_until_its_end(clock: Clock) -> None:
    agenda, ticks = Agenda(clock), list[datetime]()
    begin = clock.now()
    ticker = Ticker(agenda, begin, MINUTE, ticks.append, end=begin + 3 * MINUTE)
    clock.advance(150)
    agenda.settle()
    assert ticks == [begin + MINUTE, begin + 2 * MINUTE]
    clock.advance(3600)
    agenda.settle()
    assert len(ticks) == 3
    assert not ticker.running
    assert agenda.due is None


def test_a_ticker_that_is_stopped_ticks_no_more(clock: Clock) -> None:
    agenda, ticks = Agenda(clock), list[datetime]()
    ticker = Ticker(agenda, clock.now(), MINUTE, ticks.append, end=clock.now() + 10 * MINUTE)
    clock.advance(60)
    agenda.settle()
    ticker.stop()
    clock.advance(3600)
    agenda.settle()
    assert len(ticks) == 1
    with pytest.raises(ValueError, match="interval"):
        Ticker(agenda, clock.now(), timedelta(), ticks.append, end=clock.now())


def test_a_daily_action_stops_when_it_has_nothing_to_do_and_starts_again(clock: Clock) -> None:
    agenda, done = Agenda(clock), list[datetime]()

    def act(moment: datetime) -> bool:
        done.append(moment)
        return len(done) % 3 > 0

    daily = Daily(agenda, clock, 1, act)
    for _ in range(2):
        daily.start()
        daily.start()
        assert daily.running
        clock.advance(timedelta(days=10))
        agenda.settle()
        assert not daily.running
    assert [(one.day, one.hour) for one in done] == [(1, 1), (2, 1), (3, 1), (11, 1), (12, 1), (13, 1)]


def test_a_daily_action_makes_up_for_a_month_at_most(clock: Clock) -> None:
    agenda, done = Agenda(clock), list[datetime]()
    clock.advance(timedelta(hours=1))

    def act(moment: datetime) -> bool:
        done.append(moment)
        return True

    Daily(agenda, clock, 1, act).start()
    assert agenda.due == datetime(2030, 1, 2, 1, tzinfo=UTC)
    clock.advance(timedelta(days=100_000))
    agenda.settle()
    assert len(done) == 32
    assert clock.now() - done[1] <= timedelta(days=31)


def test_progress_goes_from_stage_to_stage_by_the_clock(clock: Clock) -> None:
    agenda, states = Agenda(clock), list[str]()
    stages = (Stage("QUEUED", MINUTE), Stage("INPROGRESS", 5 * MINUTE))
    report = Progress(agenda, clock.now(), stages, "COMPLETED", changed=states.append)
    assert (report.state, report.done) == ("QUEUED", False)
    clock.advance(60)
    agenda.settle()
    assert report.state == "INPROGRESS"
    clock.advance(3600)
    agenda.settle()
    assert (report.state, report.done) == ("COMPLETED", True)
    assert states == ["QUEUED", "INPROGRESS", "COMPLETED"]


def test_progress_that_is_cancelled_stays_so(clock: Clock) -> None:
    agenda = Agenda(clock)
    report = Progress(agenda, clock.now(), (Stage("QUEUED", MINUTE),), "COMPLETED")
    report.end("CANCELLED")
    clock.advance(3600)
    agenda.settle()
    assert report.state == "CANCELLED"


# Pages, allowances, values of the seed, dialects


def test_a_list_is_paged_by_index_and_by_the_last_id_seen() -> None:
    names = [str(number) for number in range(12)]
    assert from_index(names, 0, 5).items == names[:5]
    assert (from_index(names, 10, 5).items, from_index(names, 10, 5).more) == (names[10:], False)
    second = after(names, "4", 5, id_of=str)
    assert (second.items, second.more) == (names[5:10], True)
    assert after(names, None, 5, id_of=str).items == names[:5]
    assert after(names, "unknown", 5, id_of=str).items == []


def test_the_way_to_the_next_page_is_in_a_header() -> None:
    assert answer_by_location({}, "/next").headers == {"Location": "/next"}
    assert (answer_by_location({}, "/next").status, answer_by_location({}, None).status) == (202, 200)
    assert answer_by_token([], "t2").headers == {"X-Next": "t2"}
    assert answer_by_token([], None).headers == {}


def test_an_allowance_is_used_up_and_given_back() -> None:
    licences = Allowance(2)
    assert licences.assign(["a", "b", "c"]) == {"a": None, "b": None, "c": "all 2 are in use"}
    assert licences.assign(["a"]) == {"a": "assigned already"}
    assert licences.remove(["a", "z"]) == {"a": None, "z": "not assigned"}
    assert licences.left == 1


def test_seeded_values_follow_from_what_they_are_about() -> None:
    assert bits(1, 2, "rssi") == bits(1, 2, "rssi") != bits(1, 2, "rsrp")
    shares = [share(1, place) for place in range(1000)]
    assert 0.4 < sum(shares) / len(shares) < 0.6
    assert all(0 <= one < 1 for one in shares)
    assert {chosen("abc", 1, place) for place in range(50)} == set("abc")


async def test_a_server_words_its_refusals_in_its_dialect_and_looks_for_the_token_in_its_header(serve: Serve) -> None:
    there = _operation("list", "GET", "/api/v1/roads/{account_name}", "imp")
    cloud = _operation("list", "GET", "/targets/{account_name}", "cloud_connector")
    api = await serve(handlers={there: TRIGGERS.list(), cloud: TRIGGERS.list()})
    refused = await api.send("GET", "/api/v1/roads/unknown")
    assert refused.json.keys() == {"error", "description"}
    assert "header SessionToken is missing" in refused.headers["X-Simulator-Reason"]
    own = {"Authorization": f"Bearer {api.bearer}", "SessionToken": str(api.session)}
    assert (await api.send("GET", f"/api/v1/roads/{ACCOUNT}", headers=own)).json == []
    assert (await api.send("GET", "/api/cc/v1/targets/unknown")).json.keys() == {"error", "error_description", "cause"}
    assert dialect_of("edge_services") is M2M
    assert DIALECTS["hyper_precise_location"].body("A", "b") == {"responseCode": "A", "message": "b"}


# Why a request is refused


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("devices/actions/list", {"deviceId": {"kind": "imex", "id": "1"}}, "body: deviceId.kind must be one of eid,"),
        ("devices/actions/list", {"deviceId": {"kind": "imei", "id": "1"}}, "body: deviceId.id does not fit the kind"),
        ("devices/actions/list", {"maxNumberOfDevices": "1"}, "body: maxNumberOfDevices must be an integer, not a str"),
        ("devices/actions/list", [], "the body must be a JSON object, not a list"),
        ("devices/actions/list", {"groupName": "it's"}, "body: groupName holds one of the forbidden characters ' < \\"),
        ("devices/actions/list", {"accountName": "x"}, "unknown account 'x'; known: 0000123456-00001"),
        (
            "devices/actions/suspend",
            {"devices": [{"deviceIds": [{"kind": "mdn", "id": "5550000000"}]}, {"deviceIds": [7]}]},
            "body: devices[1].deviceIds[0] must be an object",
        ),
        (
            "devices/actions/suspend",
            {"devices": [{"deviceIds": [{"kind": "wrong", "id": "1"}]}]},
            "body: devices[0].deviceIds[0].kind must be one of eid, esn",
        ),
    ],
)
async def test_a_refusal_says_which_part_of_the_request_is_to_blame(
    api: Api, path: str, body: object, reason: str
) -> None:
    refused = await api.send("POST", f"/api/m2m/v1/{path}", json=body)
    assert refused.status == 400
    assert refused.headers["X-Simulator-Reason"].startswith(reason)
    assert api.cloud.requests[-1].reason == refused.headers["X-Simulator-Reason"]


async def test_a_reason_fits_a_header_whatever_was_sent(api: Api) -> None:
    refused = await api.send("POST", "/api/m2m/v1/devices/actions/list", json={"accountName": "\u00fc\n" * 400})
    reason = refused.headers["X-Simulator-Reason"]
    assert reason.isascii()
    assert len(reason) == 500


async def test_a_body_that_is_not_json_is_reported(api: Api) -> None:
    refused = await api.send("POST", "/api/m2m/v1/devices/actions/suspend", data=b"{oops")
    assert refused.headers["X-Simulator-Reason"].startswith("the body is not valid JSON")
    blank = await api.send("POST", "/api/m2m/v1/devices/actions/suspend")
    assert "body is empty" in blank.headers["X-Simulator-Reason"]


async def test_an_accepted_request_has_no_reason(api: Api) -> None:
    accepted = await api.account()
    assert "X-Simulator-Reason" not in accepted.headers
    assert api.cloud.requests[-1].reason is None
    assert api.cloud.requests[-1].answer.startswith(b'{"accountName"')
