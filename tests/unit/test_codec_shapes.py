"""Rare shapes: any JSON, objects keyed by name, default factories, alternative names, and deep nesting."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest

from thingspace_async._core.codec import Mismatch, Model, dump, load, named_on_wire
from thingspace_async._core.types import UNSET, DeviceId, Unset
from thingspace_async.errors import InvalidRequest


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
    nullable: str | None = attrs.field(metadata=named_on_wire("a", "b"))
    update: str | Unset = attrs.field(default=UNSET, metadata=named_on_wire("u", "v"))


@attrs.frozen(kw_only=True)
class Tree:
    child: Tree | None = None


def test_a_field_of_any_json_may_have_a_default() -> None:
    assert load(b'{"needed": null}', Loose) == Loose(needed=None)
    assert load(b'{"needed": 1, "loose": [2], "five": null}', Loose) == Loose(needed=1, loose=[2])


def test_a_missing_required_field_of_any_json_is_named() -> None:
    with pytest.raises(Mismatch) as caught:
        load(b"{}", Loose)
    assert (caught.value.path, caught.value.message) == ("needed", "missing")


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({"counts": {"a": "x"}}, "counts[a]", "expected a whole number, found a string"),
        ({"counts": []}, "counts", "expected an object, found a list"),
        ({"counts": "x"}, "counts", "expected an object, found a string"),
        ({"inners": {"k": {"id": 1, "kind": "x"}}}, "inners[k].id", "expected a string, found a number"),
        ({"inners": [["k", {}]]}, "inners", "expected an object, found a list"),
        ({"inners": {"k": None}}, "inners[k]", "expected an object, found null"),
    ],
)
def test_an_error_in_objects_keyed_by_name_is_found(body: object, path: str, message: str) -> None:
    with pytest.raises(Mismatch) as caught:
        load(orjson.dumps(body), Keyed)
    assert (caught.value.path, caught.value.message) == (path, message)


def test_objects_keyed_by_name_at_the_top_level_are_checked_too() -> None:
    assert load(b'{"a": 1}', dict[str, int]) == {"a": 1}
    with pytest.raises(Mismatch, match="expected an object, found a list"):
        load(b"[]", dict[str, int])


def test_a_default_factory_is_called_each_time_and_its_value_is_not_written() -> None:
    assert load(b"{}", Keyed) == Keyed()
    assert load(b"{}", Keyed).inners is not load(b"{}", Keyed).inners
    assert dump(Keyed()) == b"{}"
    keyed = Keyed(inners={"a": DeviceId(id="1", kind="serial")}, counts={"x": None})
    assert load(dump(keyed), Keyed) == keyed


def test_an_alternative_name_works_for_every_kind_of_field() -> None:
    assert load(b'{"b": "1", "v": "2"}', Spelt) == Spelt(nullable="1", update="2")
    assert load(b'{"a": null}', Spelt) == Spelt(nullable=None)


def test_the_error_for_an_answer_nested_too_deeply_says_so() -> None:
    with pytest.raises(Mismatch, match="nested too deeply"):
        load(b'{"child":' * 1000 + b"{}" + b"}" * 1000, Tree)


@attrs.frozen(kw_only=True)
class Branch(Model):
    size: int
    note: Any = None
    branches: tuple[Branch, ...] = ()


def test_an_error_is_found_in_lists_of_a_recursive_model() -> None:
    fine = {"size": 1, "branches": [{"size": 2}]}
    body = {"size": 1, "branches": [fine, {"size": 1, "branches": [fine, {"size": "x"}, {"size": "y"}]}, {}]}
    with pytest.raises(Mismatch) as caught:
        load(orjson.dumps(body), Branch)
    assert caught.value.path == "branches[1].branches[1].size"


def test_an_error_is_found_after_items_nested_too_deeply_to_be_written() -> None:
    deep = b'{"size":1,"note":' + b"[" * 400 + b"]" * 400 + b"}"
    with pytest.raises(Mismatch) as caught:
        load(b'{"size":1,"branches":[' + deep + b',{"size":"x"}]}', Branch)
    assert (caught.value.path, caught.value.message) == ("branches[1].size", "expected a whole number, found a string")


def test_an_html_page_after_many_empty_lines_is_recognised() -> None:
    with pytest.raises(Mismatch, match="HTML"):
        load(b"\r\n" * 40 + b"<html></html>", DeviceId)


@attrs.frozen(kw_only=True, init=False)
class Strict:
    id: str
    size: int

    def __init__(self, *, id: str, size: int) -> None:  # noqa: A002
        if not id:
            raise InvalidRequest("id must not be empty")
        self.__attrs_init__(id=id, size=size)


def test_an_init_that_checks_arguments_does_not_check_answers() -> None:
    assert load(b'{"id": "", "size": 1}', Strict).id == ""
    with pytest.raises(Mismatch) as caught:
        load(b'[{"id": "", "size": 1}, {"id": "", "size": "1"}]', tuple[Strict, ...])
    assert (caught.value.path, caught.value.message) == ("[1].size", "expected a whole number, found a string")
