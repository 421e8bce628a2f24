"""The platform's published bodies survive reading into their model and writing."""

from __future__ import annotations

from types import NoneType
from typing import Any

import orjson
import pytest

from tests import filled
from tests.facts.endpoints import ENDPOINTS, published
from tests.rooms.test_facts import OPERATIONS, bare
from thingspace_async._core import codec

PLACEHOLDERS = {
    "15-digit IMEI": "990013907835573",
    "20-digit ICCID": "89141390780800784259",
    "20-digit iccid": "89141390780800784259",
    "32-digit EID": "67891278912345345678400866645632",
    "iccid (ICCID is only used for reactivation)": "iccid",
    "five digit zip code": "94105",
}
"""Published descriptions that stand where a value should be, and values for them."""

_NO_ZONE = "an American date without a zone, which the documented type does not allow"
_NO_DATE = "the documents' generator made it up, with strings that are not dates and names that the model does not have"

_NO_DEVICES = "without devices, it is unclear whose profiles are meant"
_NO_TARGETS = "without devices, it is unclear which of them get the file"

REFUSED: dict[str, tuple[str, str]] = {
    "anomaly_triggers.create_anomaly_detection_trigger": ("name: missing", "the page requires a name, too"),
    "anomaly_triggers.update_anomaly_detection_trigger": ("triggerId: missing", "it does not say which trigger"),
    "gbi_device_actions5.business_internetactivate_using_post": (
        "deviceIds: missing",
        "its list has the device and its address as two entries; the page has one entry with both",
    ),
    "device_reports.calculate_aggregated_report_asynchronous": (
        "noSessionFlag: expected",
        "it has a string, and the documented type is a boolean",
    ),
    "managing_e_sim_profiles.delete_a_device_profile": ("devices: missing", _NO_DEVICES),
    "managing_e_sim_profiles.enable_a_device_profile": ("devices: missing", _NO_DEVICES),
    "managing_e_sim_profiles.enable_a_device_profile_for_download": ("devices: missing", _NO_DEVICES),
    "campaigns_v2.schedule_file_upgrade": ("deviceList: missing", _NO_TARGETS),
    "device_actions.aggregate_usage": ("startTime: missing", _NO_DATE),
    "device_actions.daily_usage": ("earliest: expected a time stamp", _NO_DATE),
    "device_management.retrieve_device_connection_history": (
        "earliest is after latest",
        "it begins in 2015 and ends in 2010, so no record can match",
    ),
    "global_reporting.deviceprovhistory_using_post": ("earliest has no time zone", _NO_ZONE),
    "managing_e_sim_profiles.activate_a_device_profile": (
        "deviceIds: missing",
        "its device is an empty object, which names no device",
    ),
    "managing_e_sim_profiles.resume_profile": ("deviceIds: missing", "like activate_a_device_profile"),
    "promotion_period_information.get_promo_device_aggregate_usage_history": ("start_time has no time zone", _NO_ZONE),
    "promotion_period_information.get_promo_device_usage_history": ("start_time has no time zone", _NO_ZONE),
}
"""Published requests that our models refuse: part of the error, and why it is right."""

ZONELESS = [name for name, (said, _) in REFUSED.items() if "no time zone" in said]

BODIES = {name: (key, body) for key, endpoint in ENDPOINTS.items() for name, body in published(endpoint)}


def _mended(value: Any) -> Any:
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {key: _mended(item) for key, item in value.items()}
    return PLACEHOLDERS.get(value, value) if isinstance(value, str) else value


def _normal(value: Any) -> Any:
    """Drop empty values and repeated devices, and unify timestamps: none makes a difference to the platform."""
    if isinstance(value, list):
        items = [_normal(item) for item in value]
        return list(dict.fromkeys(items)) if all(isinstance(item, str) for item in items) else items
    if isinstance(value, dict):
        normal = {key: _normal(item) for key, item in value.items()}
        return {key: item for key, item in normal.items() if item not in (None, "", [], {})}
    return _moment(value) if isinstance(value, str) else value


def _moment(text: str) -> Any:
    try:
        return codec.parse_datetime(text)
    except codec.Mismatch:
        return text


def _read_and_written(body: Any, kind: Any) -> Any:
    return orjson.loads(codec.dump(codec.load(orjson.dumps(body), kind)))


PUBLISHED = [name for name, (_, body) in BODIES.items() if "request" in body]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name not in REFUSED])
def test_a_published_request_is_unchanged_after_reading_and_writing(name: str) -> None:
    key, body = BODIES[name]
    assert OPERATIONS[key].request is not NoneType
    published = _mended(body["request"])
    # A base class stands for several models: one of them must be the right one.
    assert any(_survives(published, kind) for kind in filled.arms(OPERATIONS[key].request))


def _survives(published: Any, kind: type) -> bool:
    try:
        return bool(_normal(_read_and_written(published, kind)) == _normal(published))
    except codec.Mismatch:
        return False


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_published_request_is_refused_and_the_field_named(name: str) -> None:
    key, body = BODIES[name]
    with pytest.raises(codec.Mismatch) as caught:
        codec.load(orjson.dumps(_mended(body["request"])), OPERATIONS[key].request)
    assert REFUSED[name][0] in f"{caught.value.path}: {caught.value}"


@pytest.mark.parametrize("name", ZONELESS)
def test_a_published_request_without_a_zone_is_unchanged_once_it_has_one(name: str) -> None:
    key, body = BODIES[name]
    dates = {
        text: f"{codec.parse_datetime(text):%Y-%m-%dT%H:%M:%SZ}" for text in body["request"].values() if "/" in text
    }
    published = {member: dates.get(text, text) for member, text in body["request"].items()}
    assert len(dates) == 2
    assert _read_and_written(published, OPERATIONS[key].request) == published


@pytest.mark.parametrize("name", [name for name, (_, body) in BODIES.items() if "answer" in body])
def test_a_published_answer_is_read_completely(name: str) -> None:
    key, body = BODIES[name]
    assert _normal(_read_and_written(bare(key, body["answer"]), OPERATIONS[key].answer)) == _normal(
        bare(key, body["answer"])
    )
