"""Every call of every room against the platform's documents: what is sent, by wire name, and what comes back."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import cache
from operator import attrgetter
from typing import Any, get_type_hints
from urllib.parse import quote, urlsplit

import attrs
import orjson
import pytest

from tests import filled
from tests.products import facts
from tests.products.facts import ENDPOINTS, Endpoint, needs_facts
from tests.products.recording import Recorded, Recorder, recording
from tests.surface.rooms import PRODUCTS, all_calls, room
from thingspace_async import Credentials, Environment, Session, _codec, _types
from thingspace_async._operation import Operation

pytestmark = needs_facts

MADE_OF_OTHERS = {
    "accounts.wait",
    *(f"devices.{action}_all" for action in ("activate", "deactivate", "suspend", "restore", "change_plan")),
}
"""Calls that send the requests of other calls, and have no endpoint of their own."""

CALLS = {name: call for name, call in all_calls().items() if name not in MADE_OF_OTHERS}

PATH_NAMES = {
    "aname": "account_name",
    "accountName": "account_name",
    "gname": "group_name",
    "sname": "service_name",
    "requestId": "request_id",
    "requestID": "request_id",
    "serviceType": "service_type",
}
"""What the documents call a value of a path, and what the calls do."""

UNREACHABLE = {
    "POST /api/m2m/v1/devices/actions/restore": {
        "withBilling": "it says how to bill a suspension; the documents have one model for both requests",
    },
    "POST /api/m2m/v1/devices/profile/actions/activate": {
        "smrsOid": "the platform's pages and the other models of this request spell it smsrOid",
    },
}
"""Members of request bodies that the documents have and no call sends, by endpoint, each with the reason."""

IN_BOTH_PLACES = {
    "DELETE /api/m2m/v1/diagnostics/basic/devicereachability": "the page has it in the body, the SDKs in the query",
}
"""What is sent as a query and as a body, with the reason."""

_ON_THE_PAGE = "the SDKs leave it out at will, the platform's page requires it"

STRICTER = {
    "POST /api/v1/devices/usage/actions/list": dict.fromkeys(("deviceId", "earliest", "latest"), _ON_THE_PAGE),
    "POST /api/v1/devices/usage/actions/list/aggregate": dict.fromkeys(
        ("accountName", "deviceId", "startTime", "endTime"), _ON_THE_PAGE
    ),
    "POST /api/m2m/v2/devices/history/actions/list": {"accountName": _ON_THE_PAGE},
    "POST /api/m2m/v1/devices/profile/actions/deactivate": {"devices": _ON_THE_PAGE},
    "POST /api/m2m/v1/devices/profile/actions/download": {"accountName": _ON_THE_PAGE},
    "POST /api/m2m/v1/devices/profile/actions/renew_activation_code": dict.fromkeys(
        ("accountName", "devices"), _ON_THE_PAGE
    ),
    "POST /api/v1/devices/profile/actions/setfallbackattribute": dict.fromkeys(
        ("accountName", "devices"), _ON_THE_PAGE
    ),
}
"""Members that a request model always wants although no source requires them, each with the reason."""

ALWAYS_ANSWERED = {
    "requestId": "it is all that an acceptance says",
    "devices": "it is the answer, and a page without it has lost its devices",
    "leads": "it is the answer, as are devices",
    "engagement": "it is the answer, as are devices",
    "key": "a value without its name says nothing",
    "id": "half an identifier names nothing",
    "kind": "as id",
}
"""Members without which an answer is unreadable although the documents do not promise them, each with the reason."""


def _key(operation: Operation[Any, Any]) -> str:
    return f"{operation.method} {facts.blank(_path(operation))}"


def _path(operation: Operation[Any, Any]) -> str:
    return urlsplit(Environment.production.bases[operation.server]).path + operation.path


OPERATIONS = {_key(operation): operation for name in PRODUCTS for operation in room(name).OPERATIONS}


# Making the calls


@attrs.define
class Sent:
    """What one way of making a call sent."""

    arguments: dict[str, Any]
    requests: list[Recorded]


@attrs.define
class Tried:
    """What a call sent: with all that it takes, in as many goes as that needs, and with as little as it takes."""

    full: list[Sent]
    bare: Sent


def _values(kind: Any, name: str, *, bare: bool) -> list[Any]:
    """Return what to give for a parameter: one value, or as many models as it takes to fill all of their fields."""
    if kind is _types.SomeDevices or "DeviceIds" in str(kind):
        return [(_types.DeviceIds(device_ids=(filled.IMEI, filled.ICCID), ip_address="203.0.113.7"),)]
    inner = _codec._without_none(kind)[0]
    if name in set(PATH_NAMES.values()) - {"account_name"}:
        return [f"{name}/é?#%2F"]
    if not attrs.has(inner) or inner in filled.PLAIN:
        return list(filled.candidates(inner, name))[:1]
    return [filled.smallest(inner)] if bare else list(filled.instances(inner))


def _parameters(call: Callable[..., Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters' types, and the names of those that must be given."""
    hints = get_type_hints(call, localns={**vars(_types)})
    known = inspect.signature(call).parameters
    return {name: hints[name] for name in known}, [n for n, p in known.items() if p.default is inspect.Parameter.empty]


async def _make(recorder: Recorder, call: Callable[..., Any], arguments: dict[str, Any]) -> Sent:
    recorder.take()
    made = call(**arguments)
    if isinstance(made, AsyncGenerator):
        async for _ in made:
            pass
    else:
        await made
    return Sent(arguments, recorder.take())


async def _try(recorder: Recorder, call: Callable[..., Any]) -> Tried:
    kinds, needed = _parameters(call)
    bare = {name: _values(kinds[name], name, bare=True)[0] for name in needed}
    choices = {name: _values(kind, name, bare=False) for name, kind in kinds.items()}
    turns = max((len(choice) for choice in choices.values()), default=1)
    goes = [{name: choice[turn % len(choice)] for name, choice in choices.items()} for turn in range(turns)]
    return Tried([await _make(recorder, call, go) for go in goes], await _make(recorder, call, bare))


def _answer(recorded: Recorded) -> Any:
    """Answer with all that the documents know, and nothing more to come."""
    found = next(endpoint for endpoint in ENDPOINTS.values() if endpoint.matches(recorded.method, recorded.path))
    answer = facts.answer_of(found.answers[0])
    for part in answer if isinstance(answer, list) else [answer]:
        part.update({name: False for name in part if name.casefold() == "hasmoredata"})
    return answer


async def _try_all() -> dict[str, Tried | Exception]:
    credentials = Credentials(client_id="a", client_secret="b", username="c", password="d")
    tried: dict[str, Tried | Exception] = {}
    async with (
        recording(_answer) as recorder,
        Session(credentials, environment=Environment.at(recorder.url)) as session,
    ):
        for name in CALLS:
            try:
                tried[name] = await _try(recorder, attrgetter(name)(session))
            except Exception as error:  # noqa: BLE001 - the call's own test raises it
                tried[name] = error
    return tried


@cache
def _tried(name: str) -> Tried:
    found = _all_tried()[name]
    if isinstance(found, Exception):
        raise found
    return found


@cache
def _all_tried() -> dict[str, Tried | Exception]:
    return asyncio.run(_try_all())


def _all_sent() -> Iterator[Sent]:
    for name in CALLS:
        tried = _tried(name)
        yield from (*tried.full, tried.bare)


def _endpoint(recorded: Recorded) -> Endpoint:
    return next(endpoint for endpoint in ENDPOINTS.values() if endpoint.matches(recorded.method, recorded.path))


# The tests


def test_every_endpoint_of_the_documents_has_its_operation_and_no_other_has_one() -> None:
    assert set(OPERATIONS) == set(ENDPOINTS)


def test_every_operation_is_sent_by_some_call() -> None:
    sent = {_endpoint(recorded).key for one in _all_sent() for recorded in one.requests}
    assert sent == set(OPERATIONS)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_goes_to_the_documented_address_with_both_tokens(name: str) -> None:
    tried = _tried(name)
    for sent in (*tried.full, tried.bare):
        assert sent.requests
        for recorded in sent.requests:
            values = {theirs: sent.arguments.get(ours) for theirs, ours in PATH_NAMES.items()}
            encoded = {theirs: quote(str(value), safe="") for theirs, value in values.items() if value is not None}
            assert recorded.path == _endpoint(recorded).path.format_map(encoded)
            assert recorded.headers["Authorization"] == "Bearer bearer-1"
            assert recorded.headers["VZ-M2M-Token"] == "session-1"
            assert recorded.headers["Content-Type"] == recorded.headers["Accept"] == "application/json"


@pytest.mark.parametrize("name", CALLS)
def test_a_call_sends_nothing_that_the_documents_do_not_know(name: str) -> None:
    tried = _tried(name)
    for recorded in itertools.chain.from_iterable(sent.requests for sent in (*tried.full, tried.bare)):
        known = _endpoint(recorded)
        for key, value in recorded.query.items():
            assert list(facts.faults(_unquoted(value, known.query[key]), known.query[key])) == []
        if known.requests:
            assert list(facts.faults(recorded.json, known.requests)) == []
        elif known.key in IN_BOTH_PLACES:
            assert recorded.body.decode() in recorded.query.values()
        else:
            assert recorded.body == b""


def _unquoted(text: str, kinds: set[str]) -> Any:
    """Read a value of a query: numbers and models travel as JSON, and all that may be a text as it is."""
    return text if "str" in kinds else json.loads(text)


@pytest.mark.parametrize("name", CALLS)
def test_the_least_that_a_call_sends_holds_all_that_the_documents_require(name: str) -> None:
    for recorded in _tried(name).bare.requests:
        known = _endpoint(recorded)
        assert known.required_query <= set(recorded.query)
        if known.requests:
            assert list(facts.missing(recorded.json, known.requests)) == []


@pytest.mark.parametrize("key", ENDPOINTS)
def test_everything_that_the_documents_know_can_be_sent(key: str) -> None:
    known = ENDPOINTS[key]
    requests = [one for sent in _all_sent() for one in sent.requests if known.matches(one.method, one.path)]
    assert requests
    reached = set().union(*(facts.paths_in(recorded.json) for recorded in requests if recorded.body))
    assert facts.paths(known.requests) - reached == set(UNREACHABLE.get(key, ()))
    asked = [{name: _unquoted(value, known.query[name]) for name, value in one.query.items()} for one in requests]
    assert set().union(*asked) == set(known.query)
    for name, kinds in known.query.items():
        assert facts.paths(kinds) <= set().union(*(facts.paths_in(query.get(name)) for query in asked))


@pytest.mark.parametrize("key", OPERATIONS)
def test_a_request_wants_nothing_that_no_source_requires(key: str) -> None:
    if attrs.has(OPERATIONS[key].request):
        fields = _codec._fields(OPERATIONS[key].request)
        wanted = {_codec.wire_name(field) for field in fields if field.default is attrs.NOTHING}
        sources = ENDPOINTS[key].requests or itertools.chain.from_iterable(ENDPOINTS[key].query.values())
        required = set().union(*(facts.required([kind]) for kind in sources))
        assert wanted - required == set(STRICTER.get(key, ()))


def _lost(sent: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Name what an answer held and its model does not."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for name, value in sent.items():
            yield from _lost(value, kept.get(name), f"{path}.{name}".lstrip("."))
    elif isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        for one, other in zip(sent, kept, strict=True):
            yield from _lost(one, other, path)
    elif sent != kept:
        yield f"{path}: {sent!r} became {kept!r}"


ANSWERS = [(key, kind) for key, endpoint in ENDPOINTS.items() for kind in sorted(set(endpoint.answers))]


@pytest.mark.parametrize(("key", "kind"), ANSWERS)
def test_nothing_of_an_answer_with_every_documented_field_is_lost(key: str, kind: str) -> None:
    answer = facts.answer_of(kind)
    kept = orjson.loads(_codec.dump(_codec.load(orjson.dumps(answer), OPERATIONS[key].answer)))
    assert list(_lost(answer, kept)) == []


@pytest.mark.parametrize(("key", "kind"), ANSWERS)
def test_an_answer_with_nothing_but_what_it_cannot_do_without_is_read(key: str, kind: str) -> None:
    answer = facts.answer_of(kind, least=frozenset(ALWAYS_ANSWERED))
    _codec.load(orjson.dumps(answer), OPERATIONS[key].answer)


@pytest.mark.parametrize("name", ALWAYS_ANSWERED)
def test_an_answer_without_what_it_cannot_do_without_is_unreadable(name: str) -> None:
    unreadable = set()
    for key, kind in ANSWERS:
        try:
            _codec.load(orjson.dumps(_without(name, facts.answer_of(kind))), OPERATIONS[key].answer)
        except _codec.Mismatch as mismatch:
            unreadable.add(str(mismatch.path).rpartition(".")[2])
    assert unreadable == {name}


def _without(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_without(name, item) for item in value]
    if isinstance(value, dict):
        return {key: _without(name, item) for key, item in value.items() if key != name}
    return value
