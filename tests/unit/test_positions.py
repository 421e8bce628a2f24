"""Positions of devices: the platform's strings as numbers and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from thingspace_async import DeviceId
from thingspace_async.callbacks.messages import LocationMessage, MessageStatus
from thingspace_async.location import Location, Position, PositionError

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def test_a_position_is_read_as_numbers_and_a_time() -> None:
    found = Location(position=Position(x="33.45324", y="-84.59621", radius="5571", time="20260115120000"))
    assert (found.latitude, found.longitude, found.accuracy, found.time) == (33.45324, -84.59621, 5571.0, NOON)
    assert not found.failed


@pytest.mark.parametrize("text", [None, "", "north", "nan", "inf"])
def test_a_number_that_cannot_be_read_is_none(text: str | None) -> None:
    found = Location(position=Position(x=text, y=text, radius=text))
    assert (found.latitude, found.longitude, found.accuracy) == (None, None, None)


def test_a_location_without_a_position_has_no_numbers() -> None:
    found = Location()
    assert (found.latitude, found.longitude, found.accuracy, found.time) == (None, None, None, None)


@pytest.mark.parametrize(
    ("offset", "hours"),
    [(None, 0), ("", 0), ("0", 0), ("-5", -5), ("+0530", 5.5), ("-05:00", -5), (" 1 ", 1), ("99", 0), ("west", 0)],
)
def test_a_time_has_the_offset_of_the_answer_or_is_utc(offset: str | None, hours: float) -> None:
    found = Location(position=Position(time="20260115120000", utc_offset=offset))
    assert found.time == NOON.replace(tzinfo=timezone(timedelta(hours=hours)))


@pytest.mark.parametrize("text", [None, "", "2026", "20261315120000"])
def test_a_time_that_cannot_be_read_is_none(text: str | None) -> None:
    assert Location(position=Position(time=text)).time is None


def test_the_time_of_an_error_is_read_too() -> None:
    found = Location(position=Position(), error=PositionError(time="20260115120000", type="POSITION METHOD FAILURE"))
    assert (found.time, found.failed) == (NOON, True)


def test_an_empty_error_is_no_failure() -> None:
    assert not Location(error=PositionError()).failed
    assert not LocationMessage(error=PositionError()).failed
    assert LocationMessage(error=PositionError(info="Exception code=ABSENT SUBSCRIBER")).failed
    assert LocationMessage(status=MessageStatus.FAILED).failed


def test_a_message_names_its_device_by_its_phone_number() -> None:
    assert LocationMessage(msid="7892345678").reported_ids == (DeviceId.mdn("7892345678"),)
    assert LocationMessage(msid="unknown").reported_ids == ()
    assert LocationMessage().reported_ids == ()
