"""`Session.request`, for endpoints without a method, and `on_exchange`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.session.checks import raises
from tests.session.fake import (
    ACCOUNT,
    BAD_BEARER,
    EXPIRED,
    LOG_IN,
    NAME,
    TOKEN,
    Platform,
    answer,
    hang_up,
    say_nothing,
)
from thingspace_async import DeviceId, Exchange, Session
from thingspace_async.devices import AccountDeviceListRequest
from thingspace_async.errors import (
    AnswerLost,
    AnswerTimedOut,
    BadRequest,
    ConfigurationError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unauthorized,
)

THING = "/m2m/v1/things"


async def test_it_returns_status_headers_and_body(session: Session, platform: Platform) -> None:
    platform.on(f"GET /api{THING}", answer(202, b"plain \xff", {"Location": "/things?next=5", "X-Request-Id": "r1"}))
    response = await session.request("GET", THING)
    assert (response.status, response.body) == (202, b"plain \xff")
    assert response.headers["location"] == "/things?next=5"
    assert repr(response) == "Response(status=202)"


async def test_it_sends_both_tokens_query_and_json(session: Session, platform: Platform) -> None:
    await session.request("POST", THING, json={"name": "\u00fc"}, query={"next": "a&b=c d"})
    call = platform.calls[-1]
    assert (call.bearer in platform.bearers, call.token in platform.tokens) == (True, True)
    assert (call.key, call.query, call.json) == (f"POST /api{THING}", "next=a%26b%3Dc+d", {"name": "\u00fc"})


async def test_it_sends_models_under_their_wire_names(session: Session, platform: Platform) -> None:
    await session.request("POST", THING, json=AccountDeviceListRequest(device_id=DeviceId.imei("990013907835573")))
    assert platform.calls[-1].json == {"deviceId": {"id": "990013907835573", "kind": "imei"}}


async def test_a_path_with_a_query_is_sent_unchanged(session: Session, platform: Platform) -> None:
    await session.request("GET", f"{THING}?a=1&b=%20")
    assert platform.calls[-1].query == "a=1&b=%20"


async def test_a_query_may_have_an_empty_value_and_any_character(session: Session, platform: Platform) -> None:
    """The calls of this package need values: an endpoint without a method may not."""
    await session.request("GET", THING, query={"a": "", "b": "1\n2"})
    assert platform.calls[-1].query == "a=&b=1%0A2"


async def test_a_query_in_the_path_and_a_query_argument_are_merged(session: Session, platform: Platform) -> None:
    await session.request("GET", f"{THING}?a=1", query={"b": "2"})
    assert platform.calls[-1].query == "a=1&b=2"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "m2m/v1/x",
        "https://example.com/m2m",
        "//example.com/m2m",
        "/m2m/../../x",
        "/m2m/./x",
        "/m2m/%2e%2e/x",
        "/m2m/.%2E",
        "/m2m/..\\x",
        "/m2m/%2e%2e%2fx",
        "/m2m/x y",
        "/m2m/x\r\nEvil: 1",
        "/m2m/x#part",
        "/m2m/\u00fc",
        "/m2m/\ud800",
        "/m2m/x\0",
    ],
)
async def test_a_path_that_leads_elsewhere_is_not_sent(session: Session, platform: Platform, path: str) -> None:
    sent = len(platform.calls)
    with raises(InvalidRequest) as caught:
        await session.request("GET", path)
    assert "path" in str(caught)
    assert len(platform.calls) == sent


@pytest.mark.parametrize("path", [None, 5, b"/m2m/v1/x"])
async def test_a_path_that_is_not_a_string_is_not_sent(session: Session, platform: Platform, path: Any) -> None:
    sent = len(platform.calls)
    with raises(InvalidRequest):
        await session.request("GET", path)
    assert len(platform.calls) == sent


@pytest.mark.parametrize("method", ["", "GE T", "GET /x HTTP/1.1\r\nEvil: 1\r\n\r\nGET", None, 5])
async def test_an_invalid_method_is_not_sent(session: Session, platform: Platform, method: Any) -> None:
    sent = len(platform.calls)
    with raises(InvalidRequest):
        await session.request(method, THING)
    assert len(platform.calls) == sent


@pytest.mark.parametrize("json", [object(), {1, 2}, {"a": b"bytes"}, {"a": "\ud800"}, {("a",): 1}, 2**70])
async def test_a_value_that_json_cannot_represent_is_not_sent(
    session: Session, platform: Platform, json: object
) -> None:
    sent = len(platform.calls)
    with raises(InvalidRequest) as caught:
        await session.request("POST", THING, json=json)
    assert "JSON" in str(caught)
    assert len(platform.calls) == sent


async def test_a_value_that_json_cannot_represent_is_refused_in_a_model_too(
    session: Session, platform: Platform
) -> None:
    sent = len(platform.calls)
    with raises(InvalidRequest):
        await session.devices.list_page(AccountDeviceListRequest(account_name="\ud800"))
    assert len(platform.calls) == sent


async def test_null_can_be_sent(session: Session, platform: Platform) -> None:
    await session.request("POST", THING, json=[None])
    assert platform.calls[-1].json == [None]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequest), (403, Forbidden), (404, NotFound), (409, Conflict), (418, BadRequest)]
)
async def test_it_raises_the_typed_errors(
    session: Session, platform: Platform, status: int, kind: type[BadRequest | Forbidden | NotFound | Conflict]
) -> None:
    refusal = {"errorCode": "DeviceService.REQUEST_FAILED.Odd", "errorMessage": "so\nodd"}
    platform.on(f"GET /api{THING}", answer(status, refusal, {"X-Request-Id": "r-7"}))
    with raises(kind) as caught:
        await session.request("GET", f"{THING}?a=1")
    assert str(caught) == f"[{status}] GET {THING}: so odd (DeviceService.REQUEST_FAILED.Odd)"
    assert (caught.error.short_code, caught.error.request_id) == ("REQUEST_FAILED.Odd", "r-7")


async def test_it_renews_tokens_once(session: Session, platform: Platform) -> None:
    platform.expire_session()
    platform.expire_bearer()
    assert (await session.request("GET", THING)).status == 200
    assert (platform.count(TOKEN), platform.count(LOG_IN)) == (2, 2)
    platform.always(f"GET /api{THING}", answer(401, BAD_BEARER))
    with raises(Unauthorized):
        await session.request("GET", THING)
    assert platform.count(TOKEN) == 3


async def test_it_is_sent_again_only_if_the_caller_allows_it(session: Session, platform: Platform) -> None:
    platform.on(f"GET /api{THING}", answer(503), hang_up)
    await session.request("GET", THING, repeatable=True)
    assert platform.count(f"GET /api{THING}") == 3
    platform.on(f"GET /api{THING}", hang_up)
    with raises(AnswerLost):
        await session.request("GET", THING)
    assert platform.count(f"GET /api{THING}") == 4


# on_exchange


async def test_the_hook_sees_every_exchange_once(platform: Platform) -> None:
    exchanges: list[Exchange] = []
    async with platform.session(on_exchange=exchanges.append) as session:
        platform.on(
            ACCOUNT,
            answer(503, b"", {"X-Correlation-Id": "c-1"}),
            answer(400, EXPIRED),
            answer(200, {}, {"X-Request-Id": "r-1"}),
        )
        await session.accounts.get(NAME)
    assert [(one.operation, one.status, one.tries, one.request_id) for one in exchanges] == [
        ("oauth.token", 200, 1, None),
        ("session.log_in", 200, 1, None),
        ("accounts.get", 503, 1, "c-1"),
        ("accounts.get", 400, 2, None),
        ("session.log_in", 200, 1, None),
        ("accounts.get", 200, 3, "r-1"),
        ("session.log_out", 200, 1, None),
    ]
    assert all(0 < one.seconds < 5 for one in exchanges)
    assert len(exchanges) == len(platform.calls)


async def test_the_hook_sees_an_exchange_without_an_answer(platform: Platform) -> None:
    exchanges: list[Exchange] = []
    async with platform.session(on_exchange=exchanges.append) as session:
        platform.on(f"POST /api{THING}", hang_up, say_nothing)
        with raises(AnswerLost):
            await session.request("POST", THING)
        with raises(AnswerTimedOut):
            await session.with_options(timeout=0.1).request("POST", THING)
    assert [one.status for one in exchanges if one.operation == f"POST {THING}"] == [None, None]


async def test_a_hook_that_fails_is_logged_and_does_not_affect_the_call(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Exchange) -> None:
        raise RuntimeError("the hook is broken")

    async with platform.session(on_exchange=fail) as session:
        assert (await session.accounts.get(NAME)).account_name == NAME
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == len(platform.calls) == 4
    assert "on_exchange failed for oauth.token" in errors[0].getMessage()


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
async def test_calls_work_with_and_without_a_log(
    platform: Platform, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    caplog.set_level(level, "thingspace_async")
    async with platform.session() as session:
        await session.accounts.get(NAME)
    lines = [record.getMessage() for record in caplog.records if "accounts.get: status 200" in record.getMessage()]
    assert len(lines) == (level == logging.DEBUG)


@pytest.mark.parametrize("query", ["next=1", {"next": None}, {"next": 1}, {1: "next"}, [("next", "1")]])
async def test_a_query_with_values_other_than_strings_is_not_sent(
    session: Session, platform: Platform, query: Any
) -> None:
    with raises(InvalidRequest) as caught:
        await session.request("GET", "/m2m/v1/things", query=query)
    assert "query" in str(caught)
    assert platform.count("GET /api/m2m/v1/things") == 0


async def test_a_pasted_url_is_refused_with_advice(session: Session) -> None:
    with raises(InvalidRequest) as caught:
        await session.request("GET", "/api/m2m/v1/things")
    assert "leave /api out" in str(caught)


@pytest.mark.parametrize("hook", [5, "print", asyncio.sleep])
def test_a_hook_that_is_not_a_plain_callable_is_refused(platform: Platform, hook: Any) -> None:
    with raises(ConfigurationError) as caught:
        Session(platform.credentials(), on_exchange=hook)
    assert "on_exchange" in str(caught)
