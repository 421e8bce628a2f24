"""Every call of every room sends and reads the documented fields, by wire name."""

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
from tests.facts import bodies
from tests.facts.endpoints import ENDPOINTS, Endpoint, without_names
from tests.rooms.recording import Recorded, Recorder, recording
from tests.surface.rooms import PRODUCTS, all_calls, room
from thingspace_async import Credentials, Environment, Session
from thingspace_async._core import codec, types
from thingspace_async._core.operation import Encoded, Operation, Text
from thingspace_async.cloud_connector import Resource

COMPOSED = {
    "accounts.all",
    "accounts.wait",
    "cloud_connector.streaming",
    "diagnostics.estimate",
    "diagnostics.observing",
    "qos.enhanced",
    "devices.get_many",
    "devices.usage.of",
    "location.locate_all",
    *(
        f"software.{campaigns}.{call}"
        for campaigns in ("campaigns", "v2.campaigns", "v1.upgrades")
        for call in ("follow", "wait")
    ),
    "sensor_insights.sensors.boarded",
    "software.upgrade",
    "v2x.enrol",
    *(f"devices.{action}_all" for action in ("activate", "deactivate", "suspend", "restore", "change_plan")),
}
"""Calls that use other calls and have no endpoint of their own."""

CALLS = {name: call for name, call in all_calls().items() if name not in COMPOSED}

PATH_NAMES = {
    "acc": "account_name",
    "account": "account_name",
    "aname": "account_name",
    "accountName": "account_name",
    "campaignId": "campaign_id",
    "deviceId": "device_id",
    "fieldname": "field_name",
    "gname": "group_name",
    "i10nid": "intersection_id",
    "regionId": "region_id",
    "sname": "service_name",
    "requestId": "request_id",
    "requestID": "request_id",
    "serviceName": "service_name",
    "serviceType": "service_type",
    "triggerId": "trigger_id",
    "ecpdId": "ecpd_id",
    "service": "service_name",
    "startIndex": "start_index",
    "startindex": "start_index",
    "txid": "request_id",
    "upgradeId": "upgrade_id",
    "upgradeStatus": "status",
}
"""Names of path values in the documents, and the arguments of calls."""

FIRST = {"startIndex": "0", "startindex": "0", "service": "Fota"}
"""Path values of calls without this argument."""

_ONLY_DEVICES = "the SDKs have one model for all resources, and only devices have an IMEI"
_IN_THE_PATH = "the path has it, and the other versions do not have it"

NOT_SENT = {"on_progress", "most_bytes"}
"""Parameters that stay in the client."""

UNREACHABLE = {
    **{
        f"POST /api/cc/v1/{path}": {"resourceidentifier.imei": _ONLY_DEVICES}
        for path in (
            "subscriptions/actions/delete",
            "subscriptions/actions/query",
            "targets/actions/delete",
            "targets/actions/query",
        )
    },
    "POST /api/fota/v2/licenses/{}/assign": {"accountName": _IN_THE_PATH},
    "POST /api/fota/v2/licenses/{}/remove": {"accountName": _IN_THE_PATH},
    "POST /api/fota/v2/licenses/{}/cancel": {"count": "it is the length of the list, and v1 does not have it"},
    "POST /api/m2m/v1/devices/actions/restore": {
        "withBilling": "it says how to bill a suspension: the documents have one model for both requests",
    },
    "POST /api/m2m/v1/devices/profile/actions/activate": {
        "smrsOid": "the platform's pages and the other models of this request spell it smsrOid",
    },
}
"""Documented members of request bodies that no call sends, by endpoint, with the reason."""

IN_BOTH_PLACES = {
    "DELETE /api/m2m/v1/diagnostics/basic/devicereachability": "the page has it in the body, the SDKs in the query",
    **{
        f"DELETE /api/dm/v1/{name}": "the SDKs cannot send a body with DELETE, which is the usual place"
        for name in ("deviceConfigurationProfiles", "notificationGroups", "users")
    },
}
"""Endpoints whose arguments are sent in the query or in a header, and in the body, with the reason."""

_ON_THE_PAGE = "optional in the SDKs, but the platform's page requires it"
_NO_MEANING = "optional in the SDKs, but a request without it would change nothing"

_ACCOUNT = {"accountidentifier": _ON_THE_PAGE}
_ACCOUNT_AND_RESOURCE = dict.fromkeys(("accountidentifier", "resourceidentifier"), _ON_THE_PAGE)

_NO_SUBJECT = "optional in the SDKs, like everything in these requests, but a request without it names no subject"

_SENSOR_INSIGHTS = {
    **dict.fromkeys(
        (
            *(f"POST devices{part}/actions/query" for part in ("", "/experience", "/networkexperience")),
            *(f"POST devices/{part}/actions/query" for part in ("gateways", "sensors")),
            *(f"POST {part}/actions/query" for part in ("notificationGroups", "rules", "smartAlerts", "users")),
            "POST notificationGroups",
        ),
        "accountname",
    ),
    "DELETE deviceConfigurationProfiles": "accountName resourceidentifier",
    "DELETE notificationGroups": "accountname id",
    "DELETE users": "accountname id",
    "PATCH deviceConfigurationProfiles": "accountName resourceidentifier profile",
    "PATCH devices": "accountname resourceidentifier device",
    "PATCH notificationGroups": "accountname id",
    "PATCH smartAlerts": "accountname resourceidentifier smartalert",
    "PATCH users": "accountname id user",
    "POST deviceConfigurationProfiles": "accountname profiles",
    "POST deviceConfigurationProfiles/actions/query": "filter",
    "POST devices/lastreported": "accountname resourceidentifier",
    "POST devices/sensors/offboard": "accountname configuration",
    "POST devices/sensors/offboard/status/actions/query": "accountname gatewayidentifier offboarding",
    "POST devices/sensors/onboard": "accountname payload",
    "POST devices/sensors/onboard/status/actions/query": "accountname gatewayidentifier onboarding",
    "POST notificationGroups/actions/add-users": "accountname id userids",
    "POST notificationGroups/actions/remove-users": "accountname id userids",
    "POST rules": "accountname resourceidentifier rule",
    "POST smartAlerts/actions/bulkupdate": "accountname resourceidentifiers smartalert",
    "POST smartAlerts/actions/metrics": "days",
    "POST users": "accountname user",
}
"""Members that the requests of Sensor Insights need, by method and path below `/api/dm/v1`."""

STRICTER = {
    **{
        key.replace(" ", " /api/dm/v1/"): dict.fromkeys(names.split(), _NO_SUBJECT)
        for key, names in _SENSOR_INSIGHTS.items()
    },
    "POST /api/cc/v1/targets": _ACCOUNT | dict.fromkeys(("address", "addressscheme"), _NO_MEANING),
    "POST /api/cc/v1/targets/actions/query": _ACCOUNT,
    "POST /api/cc/v1/targets/actions/delete": _ACCOUNT_AND_RESOURCE,
    "POST /api/cc/v1/targets/actions/newextid": _ACCOUNT,
    "POST /api/cc/v1/targets/actions/newaic": dict.fromkeys(
        ("appName", "billingAccountID", "clientID", "clientSecret", "resourcegroup", "subscriptionID", "tenantID"),
        _NO_MEANING,
    ),
    "POST /api/cc/v1/subscriptions": _ACCOUNT | dict.fromkeys(("streamkind", "targetid"), _NO_MEANING),
    "POST /api/cc/v1/subscriptions/actions/query": _ACCOUNT,
    "POST /api/cc/v1/subscriptions/actions/delete": _ACCOUNT_AND_RESOURCE,
    "POST /api/cc/v1/devices/actions/query": _ACCOUNT,
    "POST /api/cc/v1/devices/actions/search": _ACCOUNT,
    "POST /api/cc/v1/devices/configuration/actions/set": _ACCOUNT_AND_RESOURCE | {"configuration": _NO_MEANING},
    "POST /api/v1/devices/usage/actions/list": dict.fromkeys(("deviceId", "earliest", "latest"), _ON_THE_PAGE),
    "POST /api/v1/devices/usage/actions/list/aggregate": dict.fromkeys(
        ("accountName", "deviceId", "startTime", "endTime"), _ON_THE_PAGE
    ),
    "POST /api/m2m/v2/devices/history/actions/list": {"accountName": _ON_THE_PAGE},
    "POST /api/subsc/v1/managedaccounts/actions/add": {"serviceName": _ON_THE_PAGE},
    "POST /api/subsc/v1/managedaccounts/actions/provision": {"serviceName": _ON_THE_PAGE},
    "POST /api/subsc/v1/managedaccounts/actions/cancel": {"serviceName": _ON_THE_PAGE},
    "POST /api/subsc/v1/usage/triggers": {"serviceName": _ON_THE_PAGE},
    "POST /api/m2m/v1/accounts/subscriptions/actions/list": {"accountName": _ON_THE_PAGE},
    "POST /api/m2m/v1/devices/license/actions/assign": dict.fromkeys(
        ("accountName", "devices", "skuNumber"), _ON_THE_PAGE
    ),
    "POST /api/m2m/v1/intelligence/anomaly/settings": {
        "accountName": _ON_THE_PAGE,
        "sensitivityParameter": "optional in the SDKs, but a request without it would not say what to detect",
    },
    "POST /api/v1/intelligence/device/connection-planner": {"accountNumber": _NO_MEANING},
    "POST /api/v1/intelligence/device/connection-planner/status": {"accountNumber": _NO_MEANING},
    "DELETE /api/m2m/v1/devices/license/actions/assign": dict.fromkeys(
        ("accountName", "devices", "skuNumber"), _ON_THE_PAGE
    ),
    "POST /api/m2m/v1/devices/profile/actions/deactivate": {"devices": _ON_THE_PAGE},
    "POST /api/m2m/v1/devices/profile/actions/download": {"accountName": _ON_THE_PAGE},
    "POST /api/m2m/v1/devices/profile/actions/renew_activation_code": dict.fromkeys(
        ("accountName", "devices"), _ON_THE_PAGE
    ),
    "POST /api/diagnostics/v1/devices/actions/restart": dict.fromkeys(
        ("accountName", "action", "devices"), _ON_THE_PAGE
    ),
    "PUT /api/loc/v1/devicelocations/action/consents": dict.fromkeys(("accountName", "allDeviceConsent"), _NO_MEANING),
    "POST /api/hyper-precise/v1/devices/actions/add": dict.fromkeys(
        ("accountName", "devicesToAdd", "state"), _NO_MEANING
    ),
    "POST /api/loc/v1/devicelocations/action/consents": {"accountName": _NO_MEANING},
    "POST /api/v1/devices/profile/actions/setfallbackattribute": dict.fromkeys(
        ("accountName", "devices"), _ON_THE_PAGE
    ),
    "POST /api/fota/v2/callbacks/{}": {"url": _NO_MEANING},
    "PUT /api/fota/v2/callbacks/{}": {"url": _NO_MEANING},
    "POST /api/fota/v3/callbacks/{}": {"url": _NO_MEANING},
    "PUT /api/fota/v3/callbacks/{}": {"url": _NO_MEANING},
    "POST /api/fota/v2/files/{}": dict.fromkeys(
        ("fileupload", "fileVersion", "make", "model", "localTargetPath"), _ON_THE_PAGE
    ),
    "POST /api/fota/v2/campaigns/files/{}": {
        **dict.fromkeys(("fileName", "fileVersion", "distributionType", "startDate", "endDate"), _ON_THE_PAGE),
        "deviceList": _NO_MEANING,
    },
    "POST /api/fota/v2/campaigns/software/{}": {
        **dict.fromkeys(
            ("softwareName", "softwareFrom", "softwareTo", "distributionType", "startDate", "endDate"), _ON_THE_PAGE
        ),
        "deviceList": _NO_MEANING,
    },
}
"""Members that a request model requires although no source does, with the reason."""

ALWAYS_ANSWERED = {
    "requestId": "an acceptance has no other content",
    "txid": "like requestId",
    "transactionId": "like requestId",
    "devices": "it is the content: a page without it has lost its devices",
    "leads": "it is the content, like devices",
    "engagement": "it is the content, like devices",
    "key": "a value needs its name",
    "deviceId": "a status needs its device",
    "id": "an identifier needs both parts",
    "kind": "like id",
    "triggerId": "an alert without its id can be neither changed nor deleted",
}
"""Members that an answer must have although the documents do not promise them, with the reason."""


def _key(operation: Operation[Any, Any]) -> str:
    return f"{operation.method} {without_names(_path(operation))}"


def _path(operation: Operation[Any, Any]) -> str:
    return urlsplit(Environment.production.bases[operation.server]).path + operation.path


OPERATIONS = {_key(operation): operation for name in PRODUCTS for operation in room(name).OPERATIONS}


# Making the calls


@attrs.define
class Sent:
    """The requests of one call with some arguments."""

    arguments: dict[str, Any]
    requests: list[Recorded]


@attrs.define
class Tried:
    """The requests of a call with all arguments, in as many variants as needed, and with the fewest arguments."""

    full: list[Sent]
    bare: Sent


def _values(kind: Any, name: str, *, bare: bool) -> list[Any]:
    """Return arguments for a parameter: one value, or enough models to fill all of their fields."""
    if kind is types.SomeDevices or "DeviceIds" in str(kind):
        return [(types.DeviceIds(device_ids=(filled.IMEI, filled.ICCID), ip_address="203.0.113.7"),)]
    if name == "keep":
        return [id]
    if "NamedByImei" in str(kind):
        return [(filled.IMEI.id,)]
    if "ConnectedDevice" in str(kind):
        return [filled.IMEI, Resource(id="some id")]
    inner = codec.without_none(kind)[0]
    if name in set(PATH_NAMES.values()) - {"account_name"} and inner is str:
        return [f"{name}/é?#%2F"]
    if not attrs.has(inner) or inner in filled.PLAIN:
        return list(filled.candidates(inner, name))[:1]
    return [filled.smallest(inner)] if bare else list(filled.instances(inner))


def _parameters(call: Callable[..., Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the types of all parameters, and the names of the required ones."""
    hints = get_type_hints(call, localns={**vars(types)})
    every = inspect.signature(call).parameters
    known = {
        name: one
        for name, one in every.items()
        if one.kind is not inspect.Parameter.VAR_KEYWORD and name not in NOT_SENT
    }
    # `request` is always passed here, even if keywords could replace it.
    needed = [n for n, p in known.items() if n == "request" or p.default is inspect.Parameter.empty]
    return {name: hints[name] for name in known}, needed


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
    """Answer with all documented fields, as the last page."""
    found = next(endpoint for endpoint in ENDPOINTS.values() if endpoint.matches(recorded.method, recorded.path))
    if found.answers[0] == "none":
        return None
    answer = bodies.answer_of(found.answers[0])
    if isinstance(answer, str):
        return answer
    for part in answer if isinstance(answer, list) else [answer]:
        part.update({name: False for name in part if name.casefold() in ("hasmoredata", "hasmoreflag")})
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
            except Exception as error:  # noqa: BLE001 - the test of the call raises it
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


def test_the_operations_are_exactly_the_documented_endpoints() -> None:
    assert set(OPERATIONS) == set(ENDPOINTS)


def test_every_operation_is_sent_by_some_call() -> None:
    sent = {_endpoint(recorded).key for one in _all_sent() for recorded in one.requests}
    assert sent == set(OPERATIONS)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_sent_to_the_documented_url_with_both_tokens(name: str) -> None:
    tried = _tried(name)
    for sent in (*tried.full, tried.bare):
        assert sent.requests
        for recorded in sent.requests:
            values = {theirs: sent.arguments.get(ours) for theirs, ours in PATH_NAMES.items()}
            given = {theirs: quote(str(value), safe="") for theirs, value in values.items() if value is not None}
            encoded = FIRST | given
            assert recorded.path == _endpoint(recorded).path.format_map(encoded)
            assert recorded.headers["Authorization"] == "Bearer bearer-1"
            operation = OPERATIONS[_endpoint(recorded).key]
            of_session = "SessionToken" if operation.server == "imp" else "VZ-M2M-Token"
            assert recorded.headers[of_session] == "session-1"
            # The SDKs have X-Request-ID, but no page has it.
            assert _endpoint(recorded).required_headers - {"X-Request-ID"} <= set(recorded.headers)
            in_parts = _endpoint(recorded).requests == ["multipart"]
            kind = recorded.headers["Content-Type"].partition(";")[0]
            is_text = isinstance(sent.arguments.get("request"), Encoded)
            usual = "text/plain" if is_text else "application/json"
            assert kind == ("multipart/form-data" if in_parts else usual)
            assert recorded.headers["Accept"] == ("text/plain" if operation.answer is Text else "application/json")


@pytest.mark.parametrize("name", CALLS)
def test_a_call_sends_only_documented_fields(name: str) -> None:
    tried = _tried(name)
    for recorded in itertools.chain.from_iterable(sent.requests for sent in (*tried.full, tried.bare)):
        known = _endpoint(recorded)
        for key, value in recorded.query.items():
            assert list(bodies.faults(_unquoted(value, known.query[key]), known.query[key])) == []
        if known.requests:
            assert list(bodies.faults(recorded.content, known.requests)) == []
        elif known.key in IN_BOTH_PLACES:
            assert recorded.body.decode() in {*recorded.query.values(), *recorded.headers.values()}
        else:
            assert recorded.body == b""


def _unquoted(text: str, kinds: set[str]) -> Any:
    """Read a query value: numbers and models are JSON, strings are sent unchanged."""
    if kinds == {"list[uuid]"}:  # A name for each item.
        return [text]
    is_text = any(kind in ("str", "uuid") or kind.startswith("enum:") for kind in kinds)
    return text if is_text else json.loads(text)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_with_the_fewest_arguments_sends_all_required_fields(name: str) -> None:
    for recorded in _tried(name).bare.requests:
        known = _endpoint(recorded)
        assert known.required_query <= set(recorded.query)
        if known.requests:
            assert list(bodies.missing(recorded.content, known.requests)) == []


@pytest.mark.parametrize("key", ENDPOINTS)
def test_every_documented_field_can_be_sent(key: str) -> None:
    known = ENDPOINTS[key]
    requests = [one for sent in _all_sent() for one in sent.requests if known.matches(one.method, one.path)]
    assert requests
    reached = set().union(*(bodies.paths_in(recorded.content) for recorded in requests if recorded.body))
    assert bodies.paths(known.requests) - reached == set(UNREACHABLE.get(key, ()))
    asked = [{name: _unquoted(value, known.query[name]) for name, value in one.query.items()} for one in requests]
    assert set().union(*asked) == set(known.query)
    for name, kinds in known.query.items():
        assert bodies.paths(kinds) <= set().union(*(bodies.paths_in(query.get(name)) for query in asked))


@pytest.mark.parametrize("key", OPERATIONS)
def test_a_request_model_requires_only_fields_that_a_source_requires(key: str) -> None:
    if attrs.has(OPERATIONS[key].request):
        fields = codec.fields_of(OPERATIONS[key].request)
        wanted = {codec.wire_name(field) for field in fields if field.default is attrs.NOTHING}
        sources = ENDPOINTS[key].requests or itertools.chain.from_iterable(ENDPOINTS[key].query.values())
        required = set().union(*(bodies.required([kind]) for kind in sources))
        assert wanted - required == set(STRICTER.get(key, ()))


def _lost(sent: Any, kept: Any, path: str = "") -> Iterator[str]:
    """Yield the differences between an answer and its model written back."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for name, value in sent.items():
            yield from _lost(value, kept.get(name), f"{path}.{name}".lstrip("."))
    elif isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        for one, other in zip(sent, kept, strict=True):
            yield from _lost(one, other, path)
    elif sent != kept and not (isinstance(sent, str) and sent.isdigit() and int(sent) == kept):
        yield f"{path}: {sent!r} became {kept!r}"


ANSWERS = [
    (key, kind) for key, endpoint in ENDPOINTS.items() for kind in sorted(set(endpoint.answers) - {"none", "str"})
]


def bare(key: str, answer: Any) -> Any:
    """Return the list in an answer, which an object may wrap, or which may be a single object."""
    member = OPERATIONS[key].unwrap
    found = answer if member is None else answer[member]
    return [found] if OPERATIONS[key].one_or_many and not isinstance(found, list) else found


@pytest.mark.parametrize(("key", "kind"), ANSWERS)
def test_an_answer_with_every_documented_field_is_read_completely(key: str, kind: str) -> None:
    answer = bare(key, bodies.answer_of(kind))
    kept = orjson.loads(codec.dump(codec.load(orjson.dumps(answer), OPERATIONS[key].answer)))
    assert list(_lost(answer, kept)) == []


@pytest.mark.parametrize(("key", "kind"), ANSWERS)
def test_an_answer_with_only_its_required_members_is_read(key: str, kind: str) -> None:
    answer = bare(key, bodies.answer_of(kind, least=frozenset(ALWAYS_ANSWERED)))
    codec.load(orjson.dumps(answer), OPERATIONS[key].answer)


@pytest.mark.parametrize("name", ALWAYS_ANSWERED)
def test_an_answer_without_a_required_member_is_unreadable(name: str) -> None:
    unreadable = set()
    for key, kind in ANSWERS:
        try:
            codec.load(orjson.dumps(_without(name, bare(key, bodies.answer_of(kind)))), OPERATIONS[key].answer)
        except codec.Mismatch as mismatch:
            unreadable.add(str(mismatch.path).rpartition(".")[2])
    assert unreadable == {name}


def _without(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_without(name, item) for item in value]
    if isinstance(value, dict):
        return {key: _without(name, item) for key, item in value.items() if key != name}
    return value
