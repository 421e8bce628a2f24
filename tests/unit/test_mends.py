"""Promises that the engine keeps once the reported faults are mended; each belongs into the file of its module."""

from __future__ import annotations

import asyncio
import copy
import email.utils
import pickle
import time
from typing import Any

import attrs
import orjson
import pytest

from thingspace_async._auth import Token, TokenKeeper
from thingspace_async._codec import Mismatch, dump, load, wire
from thingspace_async._environment import Environment
from thingspace_async._retry import RetryPolicy, delay_before_retry
from thingspace_async._types import UNSET, DeviceId, Secret, Unset
from thingspace_async.errors import ConfigurationError, LoginRefused, RequestNotSent, api_error


@attrs.frozen(kw_only=True)
class Keyed:
    inners: dict[str, DeviceId] = attrs.field(factory=dict)
    counts: dict[str, int | None] | None = None


@attrs.frozen(kw_only=True)
class Loose:
    needed: Any
    loose: Any = None
    five: Any = 5


@attrs.frozen(kw_only=True)
class Spelt:
    nullable: str | None = attrs.field(metadata=wire("a", "b"))
    update: str | Unset = attrs.field(default=UNSET, metadata=wire("u", "v"))


@attrs.frozen(kw_only=True)
class Tree:
    child: Tree | None = None


def test_a_field_of_any_json_may_have_a_default() -> None:
    assert load(b'{"needed": null}', Loose) == Loose(needed=None)
    assert load(b'{"needed": 1, "loose": [2], "five": null}', Loose) == Loose(needed=1, loose=[2])


def test_a_required_field_of_any_json_that_is_missing_is_named() -> None:
    with pytest.raises(Mismatch) as caught:
        load(b"{}", Loose)
    assert (caught.value.path, caught.value.message) == ("needed", "missing")


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({"counts": {"a": "x"}}, "counts[a]", "expected a whole number, found a text"),
        ({"counts": []}, "counts", "expected an object, found a list"),
        ({"counts": "x"}, "counts", "expected an object, found a text"),
        ({"inners": {"k": {"id": 1, "kind": "x"}}}, "inners[k].id", "expected a text, found a number"),
        ({"inners": [["k", {}]]}, "inners", "expected an object, found a list"),
        ({"inners": {"k": None}}, "inners[k]", "expected an object, found null"),
    ],
)
def test_a_fault_in_objects_by_name_is_found(body: object, path: str, message: str) -> None:
    with pytest.raises(Mismatch) as caught:
        load(orjson.dumps(body), Keyed)
    assert (caught.value.path, caught.value.message) == (path, message)


def test_objects_by_name_at_the_top_are_checked_too() -> None:
    assert load(b'{"a": 1}', dict[str, int]) == {"a": 1}
    with pytest.raises(Mismatch, match="expected an object, found a list"):
        load(b"[]", dict[str, int])


def test_a_default_that_is_made_is_made_anew_each_time_and_left_out_when_written() -> None:
    assert load(b"{}", Keyed) == Keyed()
    assert load(b"{}", Keyed).inners is not load(b"{}", Keyed).inners
    assert dump(Keyed()) == b"{}"
    keyed = Keyed(inners={"a": DeviceId.mdn("1")}, counts={"x": None})
    assert load(dump(keyed), Keyed) == keyed


def test_a_second_spelling_is_read_of_every_kind_of_field() -> None:
    assert load(b'{"b": "1", "v": "2"}', Spelt) == Spelt(nullable="1", update="2")
    assert load(b'{"a": null}', Spelt) == Spelt(nullable=None)


def test_an_answer_nested_too_deeply_is_said_to_be_so() -> None:
    with pytest.raises(Mismatch, match="nested too deeply"):
        load(b'{"child":' * 1000 + b"{}" + b"}" * 1000, Tree)


def test_an_html_page_behind_many_empty_lines_is_called_one() -> None:
    with pytest.raises(Mismatch, match="HTML"):
        load(b"\r\n" * 40 + b"<html></html>", DeviceId)


@pytest.mark.parametrize("value", ["9" * 400, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"])
def test_an_absurd_retry_after_is_ignored(value: str) -> None:
    assert api_error("x", 429, {"Retry-After": value}, b"").retry_after is None


def test_retry_after_as_a_date_without_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        later = email.utils.formatdate(time.time() + 90)
        asked = api_error("x", 429, {"Retry-After": later}, b"").retry_after
    finally:
        monkeypatch.undo()
        time.tzset()
    assert later.endswith("-0000")
    assert asked is not None
    assert 80 < asked <= 90


@pytest.mark.parametrize("body", [b" \r\n", b'{"errorMessage": "  "}', b"\x00\x00"])
def test_a_blank_explanation_is_none(body: bytes) -> None:
    assert api_error("x", 502, {}, body).message == "no explanation given"


def test_secrets_of_any_characters_compare() -> None:
    assert Secret("\ud800") != Secret("x")
    assert Secret("\ud800") == Secret("\ud800")


@pytest.mark.parametrize("url", ["https://h.example?", "https://h.example#", " https://h.example", "https://h example"])
def test_a_base_url_that_would_swallow_the_path_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Environment.at(url)


def test_environments_travel() -> None:
    known = Environment.production
    assert pickle.loads(pickle.dumps(known)) == copy.deepcopy(known) == known


async def test_a_refused_replacement_is_not_the_failure_of_those_who_waited() -> None:
    gate = asyncio.Event()

    async def fetch() -> Token:
        return Token(Secret("good"))

    async def refused() -> Token:
        await gate.wait()
        raise LoginRefused("the other password is wrong", operation="session.log_in", status=400)

    keeper = TokenKeeper(fetch)
    replacing = asyncio.create_task(keeper.replace(refused))
    await asyncio.sleep(0)
    getting = asyncio.create_task(keeper.get())
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(LoginRefused):
        await replacing
    assert (await getting).reveal() == "good"


def test_any_number_of_retries_can_be_counted() -> None:
    assert (
        delay_before_retry(
            RetryPolicy(retries=5000),
            RequestNotSent("m", operation="x"),
            repeatable=False,
            retried=1100,
            elapsed=0,
            jitter=lambda: 1.0,
        )
        == 30.0
    )
