"""Answers that are not as documented: every call ends in a typed error, or in a value that the answer really has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from operator import attrgetter
from typing import Any

import pytest
from aiohttp import web

from tests.facts import bodies
from tests.facts.endpoints import ENDPOINTS
from tests.filled import POLYGON
from tests.rooms import test_facts as facts
from tests.rooms.recording import TOKENS
from thingspace_async import Credentials, Environment, Session, errors
from thingspace_async.cloud_connector import CreateTargetRequest, StreamKind, StreamSettings
from thingspace_async.hyper_precise import CredentialsRequest
from thingspace_async.simulator import Simulator, Status
from thingspace_async.v2x import ClientQuery, MapMessageText

ACCOUNT = "0000123456-00001"
PAGE = "\n<!DOCTYPE html>\n<html><body>Sign in to use this network</body></html>"
ID = "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11"

WITHOUT_A_MODEL: dict[str, Callable[[Session], Coroutine[Any, Any, object]]] = {
    "v2x.clients.unregister": lambda session: session.v2x.clients.unregister("vendor", [ID]),
    "v2x.map_messages.delete": lambda session: session.v2x.map_messages.delete(region_id=0, intersection_id=1),
    "v2x.map_messages.upload": lambda session: session.v2x.map_messages.upload("vendor", MapMessageText(text="ABI=")),
    "v2x.map_messages.download": lambda session: session.v2x.map_messages.download("vendor", POLYGON),
    "cloud_connector.targets.delete": lambda session: session.cloud_connector.targets.delete(
        account_name=ACCOUNT, target_id="1"
    ),
}


@pytest.mark.parametrize("name", WITHOUT_A_MODEL)
async def test_the_page_of_a_firewall_is_not_taken_for_success(
    thingspace_simulator: Simulator, thingspace_session: Session, name: str
) -> None:
    """Calls without a model would accept every answer with the status 200."""
    thingspace_simulator.faults.add(name, Status(200, PAGE))
    with pytest.raises(errors.AnswerUnreadable, match=f"{name}: .*expected no HTML page"):
        await WITHOUT_A_MODEL[name](thingspace_session)


async def test_null_instead_of_a_list_means_that_there_is_nothing(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    """Servers in Go write an empty list so. The answer's `MecIds` and `campaignList` are documented to be null."""
    cloud, room = thingspace_simulator, thingspace_session.cloud_connector
    cloud.faults.add("cloud_connector.targets.list", Status(200, b"null\n"))
    assert await room.targets.list(ACCOUNT) == ()
    cloud.faults.add("cloud_connector.devices.list", Status(200, {"DeviceProperty": None}))
    assert await room.devices.list(ACCOUNT) == ()
    cloud.faults.add("v2x.clients.list", Status(200, b"null"))
    assert await thingspace_session.v2x.clients.list_page(ClientQuery(vendor_id="vendor")) == ()


async def test_a_first_stream_begins_where_lists_are_null(
    thingspace_simulator: Simulator, thingspace_session: Session
) -> None:
    for operation in ("cloud_connector.targets.list", "cloud_connector.subscriptions.list"):
        thingspace_simulator.faults.add(operation, Status(200, b"null"))
    target = CreateTargetRequest.to_server(ACCOUNT, "http://127.0.0.1:9", username="events", password="hush")
    settings = StreamSettings(stream_kind=StreamKind.EVENTS)
    assert (await thingspace_session.cloud_connector.streaming(target, settings)).subscription.id


@pytest.mark.parametrize("body", [b"null", b"[null]", b'{"items": null}'])
async def test_null_is_no_list_of_what_a_call_has_made(
    thingspace_simulator: Simulator, thingspace_session: Session, body: bytes
) -> None:
    thingspace_simulator.faults.add("hyper_precise.credentials.create", Status(200, body))
    request = CredentialsRequest(ecpd_id="1", account_name=ACCOUNT, devices=["990013907835573"])
    with pytest.raises(errors.AnswerUnreadable):
        await thingspace_session.hyper_precise.credentials.create(request)


# Every call

ODD: dict[str, Callable[[Any], web.Response]] = {
    "a page": lambda _: web.Response(text=PAGE, content_type="text/html"),
    "nothing": lambda _: web.Response(),
    "nothing, with 202": lambda _: web.Response(status=202),
    "null": lambda _: web.json_response(None),
    "an empty object": lambda _: web.json_response({}),
    "an empty list": lambda _: web.json_response([]),
    "a list of null": lambda _: web.json_response([None]),
    "a number": lambda _: web.json_response(5),
    "a string": lambda _: web.json_response("ok"),
    "deep nesting": lambda _: web.Response(text="[" * 100_000, content_type="application/json"),
    "bytes that are no UTF-8": lambda _: web.Response(body=b'{"a": "\xff\xfe"}', content_type="application/json"),
    "an error without words": lambda _: web.json_response({"errorCode": None, "error": 5}, status=400),
    "null everywhere": lambda answer: web.json_response(_changed(answer, str, lambda _: None)),
    "numbers for strings": lambda answer: web.json_response(_changed(answer, str, lambda _: 5)),
    "strings for numbers": lambda answer: web.json_response(_changed(answer, int, str)),
    "empty strings": lambda answer: web.json_response(_changed(answer, str, lambda _: "")),
    "lists for members": lambda answer: web.json_response(_changed(answer, (str, int), lambda one: [one])),
}


def _changed(answer: Any, kind: type | tuple[type, ...], change: Callable[[Any], object]) -> Any:
    if isinstance(answer, dict):
        return {name: _changed(one, kind, change) for name, one in answer.items()}
    if isinstance(answer, list):
        return [_changed(one, kind, change) for one in answer]
    return change(answer) if isinstance(answer, kind) and not isinstance(answer, bool) else answer


async def _use(made: Any) -> object:
    if not isinstance(made, AsyncGenerator):
        return await made
    async for one in made:
        await made.aclose()
        return one
    return None


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD)
async def test_every_call_reads_an_odd_answer_or_raises_a_typed_error(odd: str) -> None:
    async def handle(request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if path in TOKENS:
            return web.json_response(TOKENS[path])
        endpoint = next(one for one in ENDPOINTS.values() if one.matches(request.method, path))
        kind = endpoint.answers[0]
        return ODD[odd](None if kind == "none" else bodies.answer_of(kind))

    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{anything:.*}", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        place = Environment.at(f"http://127.0.0.1:{runner.addresses[0][1]}")
        credentials = Credentials(client_id="a", client_secret="b", username="c", password="d")
        read: list[str] = []
        async with Session(credentials, environment=place, retries=0) as session:
            for name in facts.CALLS:
                call = attrgetter(name)(session)
                kinds, needed = facts._parameters(call)
                arguments = {one: facts._values(kinds[one], one, bare=True)[0] for one in needed}
                try:
                    repr(await asyncio.wait_for(_use(call(**arguments)), 10))
                except errors.ThingSpaceError as error:
                    str(error)
                else:
                    read.append(name)
    finally:
        await runner.cleanup()
    assert odd != "a page" or not read
