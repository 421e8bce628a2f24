"""The codec and the shapes that few models have: any JSON, objects by name, made defaults, second spellings, depth."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest

from thingspace_async._codec import Mismatch, dump, load, wire
from thingspace_async._types import UNSET, DeviceId, Unset


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
