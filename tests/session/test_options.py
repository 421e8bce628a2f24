"""Options of an operation, tested on made-up endpoints."""

from __future__ import annotations

import logging
from types import NoneType
from typing import Any

import attrs
import pytest

from tests.session.checks import raises
from tests.session.fake import BAD_BEARER, LOG_IN, TOKEN, Platform, answer
from thingspace_async import Exchange, Session
from thingspace_async._core.caller import Reply
from thingspace_async._core.multipart import Part, multipart
from thingspace_async._core.namespace import (
    Namespace,
    following_index,
    following_last_seen,
    next_from_header,
    secret_from_headers,
)
from thingspace_async._core.operation import Operation, Text
from thingspace_async._core.upload import Bytes
from thingspace_async.errors import AnswerUnreadable, BadRequest, InvalidRequest, Unauthorized


@attrs.frozen(kw_only=True)
class Thing:
    name: str


GET: Operation[None, Any] = Operation("things.get", "GET", "/things", NoneType, NoneType, repeatable=True)
THINGS = "GET /api/things"
LIST: Operation[None, tuple[Thing, ...]] = Operation(
    "things.list", "GET", "/things", NoneType, tuple[Thing, ...], unwrap="ThingList"
)
IMP: Operation[None, Any] = Operation("v2x.get", "GET", "/things", NoneType, NoneType, repeatable=True, server="imp")
IMP_THINGS = "GET /things"


@pytest.fixture
def room(session: Session) -> Namespace:
    return Namespace(session._caller)


async def test_headers_of_a_call_are_not_sent_with_the_next_call(room: Namespace, platform: Platform) -> None:
    await room._send(GET, headers={"VendorID": "Acme Ltd", "accept": "text/csv"})
    await room._send(GET)
    first, second = platform.seen(THINGS)
    assert (first.headers["vendorid"], first.headers["accept"]) == ("Acme Ltd", "text/csv")
    assert (first.bearer, first.token) == (second.bearer, second.token)
    assert "vendorid" not in second.headers
    assert second.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {"A": "b\r\nEvil: 1"},
        {"A": ""},
        {"A": " b"},
        {"A": "\u00fc"},
        {"A": 1},
        {"": "b"},
        {"A B": "b"},
        {"A\r\nB": "b"},
        {"authorization": "Bearer x"},
        {"vz-m2m-token": "x"},
        {"SESSIONTOKEN": "x"},
        {"Host": "example.com"},
        {"Content-Length": "1"},
        {"Transfer-Encoding": "chunked"},
        ["A"],
    ],
)
async def test_a_header_that_is_malformed_or_replaces_one_of_the_sessions_is_not_sent(
    room: Namespace, platform: Platform, headers: Any
) -> None:
    sent = len(platform.calls)
    with raises(InvalidRequest):
        await room._send(GET, headers=headers)
    assert len(platform.calls) == sent


async def test_a_server_with_another_session_header_gets_the_token_only_there(
    room: Namespace, platform: Platform
) -> None:
    platform.always(IMP_THINGS, answer(200))
    await room._send(IMP, headers={"VendorID": "v"})
    await room._send(GET)
    call, usual = platform.calls[-2:]
    assert call.headers["sessiontoken"] in platform.tokens
    assert "vz-m2m-token" not in call.headers
    assert usual.token in platform.tokens
    assert "sessiontoken" not in usual.headers


async def test_another_session_header_carries_the_new_token_after_a_renewal(
    room: Namespace, platform: Platform
) -> None:
    platform.always(IMP_THINGS, answer(200))
    await room._send(IMP)
    platform.expire_session()
    await room._send(GET)
    await room._send(IMP)
    assert platform.calls[-1].headers["sessiontoken"] in platform.tokens


async def test_plain_text_is_sent_and_received_as_it_is(room: Namespace, platform: Platform) -> None:
    upload: Operation[Text, Text] = Operation("texts.upload", "POST", "/texts", Text, Text)
    platform.on("POST /api/texts", answer(200, "gr\u00fc\u00df".encode()), answer(200, b"\xff"))
    given = await room._send(upload, Text("caf\u00e9"))
    call = platform.calls[-1]
    assert (given, call.body) == ("gr\u00fc\u00df", "caf\u00e9".encode())
    assert (call.headers["content-type"], call.headers["accept"]) == ("text/plain; charset=utf-8", "text/plain")
    with raises(AnswerUnreadable):
        await room._send(upload, Text("x"))


async def test_a_multipart_body_can_be_parsed_by_servers(room: Namespace, platform: Platform) -> None:
    upload: Operation[None, Any] = Operation("files.upload", "POST", "/files", NoneType, NoneType)
    content = b"a\r\n--b\r\n\x00"
    last = Part(name="file", filename='a"b.bin', content_type="x/y")
    body, content_type = multipart((Part(name="note", content=b"hi"),), last, Bytes(content))
    await room._caller.send(upload, body, headers={"Content-Type": content_type})
    call = platform.calls[-1]
    kind, _, boundary = call.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    assert call.body.split(b"--" + boundary.encode()) == [
        b"",
        b'\r\nContent-Disposition: form-data; name="note"\r\n\r\nhi\r\n',
        b'\r\nContent-Disposition: form-data; name="file"; filename="a%22b.bin"\r\nContent-Type: x/y\r\n\r\n'
        + content
        + b"\r\n",
        b"--\r\n",
    ]


@pytest.mark.parametrize(
    "part", [Part(name="a\r\nb", content=b""), Part(name="a", content=b"", content_type="x\r\nEvil: 1")]
)
def test_a_part_cannot_forge_a_header(part: Part) -> None:
    with pytest.raises(InvalidRequest):
        multipart((), part, Bytes(b""))


async def test_an_empty_answer_becomes_the_value_that_the_operation_declares(
    room: Namespace, platform: Platform
) -> None:
    empty = attrs.evolve(Operation("things.drop", "GET", "/things", NoneType, Thing), empty=Thing(name="none"))
    platform.on(THINGS, answer(200, b" \r\n"), answer(200, {"name": "real"}), answer(200, b"null"))
    assert await room._send(empty) == Thing(name="none")
    assert await room._send(empty) == Thing(name="real")
    with raises(AnswerUnreadable):
        await room._send(empty)


async def test_a_list_may_be_bare_or_wrapped_and_any_other_object_is_an_error(
    room: Namespace, platform: Platform
) -> None:
    things = [{"name": "a"}, {"name": "b"}]
    platform.on(THINGS, answer(200, things), answer(200, {"ThingList": things}), answer(200, {"oops": things}))
    assert await room._send(LIST) == await room._send(LIST) == (Thing(name="a"), Thing(name="b"))
    with raises(AnswerUnreadable) as caught:
        await room._send(LIST)
    assert "ThingList" in str(caught)


async def test_one_object_is_read_as_a_list_of_one(room: Namespace, platform: Platform) -> None:
    several = attrs.evolve(LIST, unwrap=None, one_or_many=True)
    platform.on(THINGS, answer(200, {"name": "a"}), answer(200, [{"name": "a"}]), answer(200, b"{"))
    assert await room._send(several) == await room._send(several) == (Thing(name="a"),)
    with raises(AnswerUnreadable):
        await room._send(several)


async def test_a_query_repeats_names_and_explodes_objects_as_openapi_does(room: Namespace, platform: Platform) -> None:
    await room._send(GET, query={"a": "1", "DeviceIDs": ["x", "y&z"], "ID": {"DeviceID": "d"}})
    assert platform.calls[-1].query == "a=1&DeviceIDs=x&DeviceIDs=y%26z&DeviceID=d"


async def test_a_secret_in_an_answers_header_reaches_only_the_caller(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    register = attrs.evolve(GET, secret_headers=True)
    exchanges: list[Exchange] = []
    secret = "zq-shared-secret"
    platform.on(THINGS, answer(200, b"", {"Shared-Key": secret, "X-Request-Id": secret, "Date": "Mon"}))
    platform.on(THINGS, answer(400, {"errorCode": "A.B", "errorMessage": f"no {secret} on Mon"}))
    caplog.set_level(logging.DEBUG, "thingspace_async")
    async with platform.session(on_exchange=exchanges.append) as session:
        room = Namespace(session._caller)
        reply = await room._reply(register)
        found = secret_from_headers(reply, "Signature-Key", "Shared-Key")
        assert found is not None
        assert found.reveal() == secret
        assert secret_from_headers(reply, "Other") is None
        assert secret not in repr(reply) + repr(exchanges) + caplog.text
        with raises(BadRequest, secret) as caught:
            await room._send(GET)
        assert "on Mon" in str(caught)


async def test_an_unexplained_401_renews_the_bearer_and_then_the_session_once(
    room: Namespace, platform: Platform
) -> None:
    platform.always(IMP_THINGS, answer(401, {"error": "Unauthorized", "description": "no"}))
    before = platform.count(TOKEN), platform.count(LOG_IN)
    with raises(Unauthorized) as caught:
        await room._send(IMP)
    assert "no" in str(caught)
    assert platform.count(IMP_THINGS) == 3
    assert (platform.count(TOKEN) - before[0], platform.count(LOG_IN) - before[1]) == (1, 1)


async def test_an_explained_401_on_the_main_server_still_renews_nothing(room: Namespace, platform: Platform) -> None:
    platform.on(THINGS, answer(401, {"error": "invalid_client", "error_description": "no"}))
    with raises(Unauthorized):
        await room._send(GET)
    assert platform.count(THINGS) == 1


@pytest.mark.parametrize("refusal", [BAD_BEARER, {"error": "invalid_token", "error_description": "expired"}])
async def test_a_rejected_bearer_is_renewed(room: Namespace, platform: Platform, refusal: object) -> None:
    platform.on(THINGS, answer(401, refusal))
    await room._send(GET)
    assert platform.count(THINGS) == 2


def _reply(**headers: str) -> Reply[None]:
    return Reply(200, headers, None)


@pytest.mark.parametrize("reply", [_reply(**{"X-Next": ""}), _reply(**{"X-Next": "  "})])
def test_an_invalid_next_header_is_an_error(reply: Reply[None]) -> None:
    with pytest.raises(AnswerUnreadable, match="X-Next"):
        next_from_header(GET, reply)


def test_a_missing_next_header_ends_the_iteration_unless_more_was_promised() -> None:
    assert next_from_header(GET, _reply(**{"X-Next": "abc"})) == "abc"
    assert next_from_header(GET, _reply()) is None
    with pytest.raises(AnswerUnreadable, match="promises more"):
        next_from_header(GET, _reply(), more=True)


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_promise_of_more_without_a_last_seen_id_is_an_error(nothing: str | None) -> None:
    with pytest.raises(AnswerUnreadable, match="last seen"):
        following_last_seen(GET, more=True, last_seen=nothing)
    assert following_last_seen(GET, more=False, last_seen="x") is None
    assert following_last_seen(GET, more=True, last_seen="x") == "x"
    assert following_last_seen(GET, more=True, last_seen=0) == 0


def test_a_promise_of_more_on_an_empty_page_is_an_error() -> None:
    with pytest.raises(AnswerUnreadable, match="empty"):
        following_index(GET, more=True, index=1000, count=0)
    assert following_index(GET, more=False, index=0, count=7) is None
    assert following_index(GET, more=True, index=1000, count=1000) == 2000
