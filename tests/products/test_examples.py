"""The platform's published bodies: each is read as its model and written back, and nothing is lost."""

from __future__ import annotations

from types import NoneType
from typing import Any

import orjson
import pytest

from tests.products.facts import ENDPOINTS, EXAMPLES, needs_facts
from tests.products.test_facts import OPERATIONS
from thingspace_async import _codec

pytestmark = needs_facts

PLACEHOLDERS = {
    "15-digit IMEI": "990013907835573",
    "20-digit ICCID": "89141390780800784259",
    "20-digit iccid": "89141390780800784259",
    "32-digit EID": "67891278912345345678400866645632",
    "iccid (ICCID is only used for reactivation)": "iccid",
    "five digit zip code": "94105",
}
"""What some published bodies say about a value in the place of one."""

_NO_ZONE = "an American date without a zone, which the documents' own type for it does not allow"
_NO_DATE = "the documents' generator has made it up, of texts that are no dates and of names that the model has not"

REFUSED: dict[str, tuple[str, str]] = {
    "device_actions.aggregate_usage": ("startTime: missing", _NO_DATE),
    "device_actions.daily_usage": ("earliest: expected a time stamp", _NO_DATE),
    "device_management.retrieve_device_connection_history": (
        "earliest is after latest",
        "it ends in 2010 and begins in 2015; no record can be between",
    ),
    "global_reporting.deviceprovhistory_using_post": ("earliest has no time zone", _NO_ZONE),
    "managing_e_sim_profiles.activate_a_device_profile": (
        "deviceIds: missing",
        "an empty object stands for a device, which names none",
    ),
    "managing_e_sim_profiles.resume_profile": ("deviceIds: missing", "as activate_a_device_profile"),
    "promotion_period_information.get_promo_device_aggregate_usage_history": ("start_time has no time zone", _NO_ZONE),
    "promotion_period_information.get_promo_device_usage_history": ("start_time has no time zone", _NO_ZONE),
}
"""Published requests that our models refuse: what the refusal says, and why it is right."""

ZONELESS = [name for name, (said, _) in REFUSED.items() if "no time zone" in said]

BODIES = {
    f"{fact['group']}.{fact['name']}": (key, EXAMPLES[f"{fact['group']}.{fact['name']}"])
    for key, endpoint in ENDPOINTS.items()
    for fact in endpoint.facts
    if f"{fact['group']}.{fact['name']}" in EXAMPLES
}


def _mended(value: Any) -> Any:
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {key: _mended(item) for key, item in value.items()}
    return PLACEHOLDERS.get(value, value) if isinstance(value, str) else value


def _normal(value: Any) -> Any:
    """Leave out what is empty, and spell all time stamps alike: the platform cannot tell the difference either."""
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if isinstance(value, dict):
        normal = {key: _normal(item) for key, item in value.items()}
        return {key: item for key, item in normal.items() if item not in (None, "", [], {})}
    return _moment(value) if isinstance(value, str) else value


def _moment(text: str) -> Any:
    try:
        return _codec.parse_datetime(text)
    except _codec.Mismatch:
        return text


def _there_and_back(body: Any, kind: Any) -> Any:
    return orjson.loads(_codec.dump(_codec.load(orjson.dumps(body), kind)))


PUBLISHED = [name for name, (_, body) in BODIES.items() if body["request"] is not None]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name not in REFUSED])
def test_a_published_request_is_written_as_it_is_published(name: str) -> None:
    key, body = BODIES[name]
    assert OPERATIONS[key].request is not NoneType
    published = _mended(body["request"])
    assert _normal(_there_and_back(published, OPERATIONS[key].request)) == _normal(published)


@pytest.mark.parametrize("name", REFUSED)
def test_a_published_request_that_contradicts_itself_is_refused_by_the_field(name: str) -> None:
    key, body = BODIES[name]
    with pytest.raises(_codec.Mismatch) as caught:
        _codec.load(orjson.dumps(_mended(body["request"])), OPERATIONS[key].request)
    assert REFUSED[name][0] in f"{caught.value.path}: {caught.value}"


@pytest.mark.parametrize("name", ZONELESS)
def test_a_published_request_without_a_zone_is_written_as_it_is_published_when_it_is_given_one(name: str) -> None:
    key, body = BODIES[name]
    dates = {
        text: f"{_codec.parse_datetime(text):%Y-%m-%dT%H:%M:%SZ}" for text in body["request"].values() if "/" in text
    }
    published = {member: dates.get(text, text) for member, text in body["request"].items()}
    assert len(dates) == 2
    assert _there_and_back(published, OPERATIONS[key].request) == published


@pytest.mark.parametrize("name", [name for name, (_, body) in BODIES.items() if body["response"] is not None])
def test_a_published_answer_is_read_and_nothing_of_it_is_lost(name: str) -> None:
    key, body = BODIES[name]
    assert _normal(_there_and_back(body["response"], OPERATIONS[key].answer)) == _normal(body["response"])
