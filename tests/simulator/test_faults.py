"""Faults: their answers, their effects, and the requests that they apply to."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time

import aiohttp
import attrs
import pytest
from aiohttp import web

from tests.simulator.api import ACCOUNT, RESET, Api
from thingspace_async.simulator import Cut, Delay, Drip, Expire, Raw, Reset, Simulator, Stage, Status
from thingspace_async.simulator.wire import Answer


async def reset_password(api: Api) -> bool:
    """Reset the password, ignore the answer, and return whether the password changed."""
    before = api.cloud.credentials.password
    with contextlib.suppress(aiohttp.ClientError):
        await api.send("PUT", RESET, json={"oldPassword": before.reveal()})
    return api.cloud.credentials.password != before


async def test_a_rule_applies_to_a_number_of_requests_after_some_others(api: Api) -> None:
    api.cloud.faults.add("accounts.get", Status(503), after=1, times=2)
    assert [(await api.account()).status for _ in range(5)] == [200, 503, 503, 200, 200]
    assert api.cloud.count("accounts.get") == 5


async def test_a_permanent_rule_ends_when_it_is_removed(api: Api) -> None:
    rule = api.cloud.faults.add("accounts.get", Status(503), times=None)
    assert [(await api.account()).status for _ in range(3)] == [503] * 3
    api.cloud.faults.remove(rule)
    assert (await api.account()).status == 200


async def test_rules_take_turns_in_the_order_in_which_they_were_added(api: Api) -> None:
    api.cloud.faults.add("accounts.get", Status(503))
    api.cloud.faults.add("accounts.get", Status(429))
    assert [(await api.account()).status for _ in range(3)] == [503, 429, 200]


async def test_a_rule_applies_to_its_own_operation_unless_it_is_for_all(api: Api) -> None:
    api.cloud.faults.add("devices.list", Status(503), times=None)
    assert (await api.account()).status == 200
    api.cloud.faults.clear()
    api.cloud.faults.add("*", Status(500), times=2)
    assert [(await api.account()).status, (await api.token()).status, (await api.account()).status] == [500, 500, 200]


def test_a_rule_for_an_unknown_operation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown operation 'device\.list': use one of .*devices\.list"):
        Simulator().faults.add("device.list", Status(503))


async def test_a_status_has_the_body_and_headers_that_are_given(api: Api) -> None:
    api.cloud.faults.add("accounts.get", Status(418, {"short": "stout"}, {"X-Tea": "pot"}))
    answer = await api.account()
    assert (answer.status, answer.json, answer.headers["X-Tea"]) == (418, {"short": "stout"}, "pot")


async def test_a_body_may_be_compressed_beforehand(api: Api) -> None:
    packed = gzip.compress(b"0" * 10_000_000)
    api.cloud.faults.add("accounts.get", Status(200, packed, {"Content-Encoding": "gzip"}))
    assert len((await api.account()).body) == 10_000_000


async def test_a_web_page_may_come_with_success(api: Api) -> None:
    api.cloud.faults.add("accounts.get", Status.html())
    answer = await api.account()
    assert (answer.status, answer.headers["Content-Type"], answer.body[:6]) == (200, "text/html", b"<html>")


async def test_a_redirect_leads_elsewhere(api: Api) -> None:
    api.cloud.faults.add("accounts.get", Status.redirect("https://example.com/", 307))
    answer = await api.account()
    assert (answer.status, answer.headers["Location"]) == (307, "https://example.com/")


async def test_throttling_speaks_as_http_or_as_the_gateway(api: Api) -> None:
    api.cloud.faults.add("accounts.get", Status.too_many_requests(7))
    api.cloud.faults.add("accounts.get", Status.too_many_requests())
    api.cloud.faults.add("accounts.get", Status.throttled_out())
    first, second, third = [await api.account() for _ in range(3)]
    assert (first.status, first.headers["Retry-After"]) == (429, "7")
    assert (second.status, second.headers.get("Retry-After")) == (429, None)
    assert third.fault == (503, "900800")


@pytest.mark.parametrize("processed", [False, True])
async def test_a_status_has_an_effect_only_if_it_is_processed(api: Api, *, processed: bool) -> None:
    api.cloud.faults.add("session.reset_password", Status(504, processed=processed))
    assert await reset_password(api) is processed


@pytest.mark.parametrize("processed", [False, True])
async def test_a_connection_is_reset_before_or_after_the_effect(api: Api, *, processed: bool) -> None:
    api.cloud.faults.add("accounts.get", Reset())
    with pytest.raises((ConnectionResetError, aiohttp.ClientOSError)):
        await api.send("GET", ACCOUNT)
    api.cloud.faults.clear()
    api.cloud.faults.add("session.reset_password", Reset(processed=processed))
    assert await reset_password(api) is processed
    assert (await api.account()).status == 200


async def test_a_cut_answer_ends_before_its_promised_length_though_its_effect_is_there(api: Api) -> None:
    whole = (await api.account()).body
    api.cloud.faults.add("accounts.get", Cut(0.25))
    api.cloud.faults.add("session.reset_password", Cut())
    async with api.http.get(
        api.cloud.url + ACCOUNT,
        headers={"Authorization": f"Bearer {api.bearer}", "VZ-M2M-Token": str(api.session)},
    ) as response:
        assert (response.status, response.content_length) == (200, len(whole))
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    assert await reset_password(api)


async def test_an_answer_without_a_body_can_be_cut_too(api: Api) -> None:
    api.cloud.faults.add("oauth.revoke", Cut())
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.send("POST", "/api/ts/v1/oauth2/revoke", data={"token": str(api.bearer)}, headers=api.key)


async def test_raw_bytes_are_not_http(api: Api) -> None:
    api.cloud.faults.add("session.log_in", Raw())
    with pytest.raises(aiohttp.ClientResponseError):
        await api.log_in()


async def test_a_connection_may_end_without_an_answer(api: Api) -> None:
    api.cloud.faults.add("session.log_in", Raw(b""))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await api.log_in()


async def test_a_delayed_answer_is_late_and_its_effect_is_not(api: Api) -> None:
    api.cloud.faults.add("session.reset_password", Delay(0.3))
    before = api.cloud.credentials.password
    begun = time.monotonic()
    reset = asyncio.create_task(reset_password(api))
    while api.cloud.credentials.password == before:
        await asyncio.sleep(0.005)
    assert not reset.done()
    assert await reset
    assert time.monotonic() - begun >= 0.3


async def test_a_dripping_answer_arrives_whole_in_the_end(api: Api) -> None:
    api.cloud.faults.add("session.log_out", Drip(0.002))
    begun = time.monotonic()
    answer = await api.log_out()
    assert answer.json == {"sessionToken": api.session}
    assert time.monotonic() - begun >= 0.002 * len(answer.body)


async def test_a_client_may_give_up_on_a_drip(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.cloud.faults.add("accounts.get", Drip(0.01))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await api.account()
    await asyncio.sleep(0.1)
    assert (await api.account()).status == 200
    assert caplog.records == []


async def test_a_token_can_expire_under_a_request(api: Api) -> None:
    api.cloud.faults.add("accounts.get", Expire("session"))
    assert (await api.account()).refusal[1].endswith("SessionToken.Expired")
    await api.enter()
    api.cloud.faults.add("accounts.get", Expire("oauth"))
    assert (await api.account()).fault == (401, "900901")


async def test_a_class_of_ones_own_can_be_a_fault(api: Api) -> None:
    @attrs.frozen
    class Shouting:
        async def play(self, stage: Stage) -> web.StreamResponse:
            return web.Response(status=200, body=stage.process().body.upper())

    api.cloud.faults.add("session.log_out", Shouting())
    assert (await api.log_out()).json == {"SESSIONTOKEN": str(api.session).upper()}


async def test_the_log_shows_how_requests_were_answered(api: Api) -> None:
    api.cloud.faults.add("accounts.get", Status(503))
    api.cloud.faults.add("accounts.get", Cut())
    await api.account()
    with pytest.raises(aiohttp.ClientPayloadError):
        await api.account()
    assert [each.status for each in api.cloud.requests if each.operation == "accounts.get"] == [503, None]


async def test_a_fault_finds_out_that_the_client_has_gone(api: Api) -> None:
    class Gone:
        transport = None

    stage = Stage(request=Gone(), platform=api.cloud, process=lambda: Answer(200))  # type: ignore[arg-type]
    for fault in (Reset(), Cut(), Raw()):
        with pytest.raises(ConnectionResetError):
            await fault.play(stage)
