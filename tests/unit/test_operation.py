"""Paths: a value only ever fills its own segment."""

from types import NoneType
from typing import Any
from urllib.parse import quote, unquote

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from thingspace_async._core.operation import Operation, check_query, encode_query, fill_path
from thingspace_async._core.types import OpenEnum
from thingspace_async.errors import InvalidRequest

STATUS = Operation(
    "accounts.status", "GET", "/m2m/v1/accounts/{account_name}/requests/{request_id}/status", NoneType, str
)
ACCOUNT = "0000123456-00001"


class Kind(OpenEnum):
    ODD = "a b/c"


def _filled(value: Any) -> str:
    return fill_path(STATUS, {"account_name": ACCOUNT, "request_id": value})


def test_plain_values_appear_unchanged_in_the_path() -> None:
    assert _filled("86c83330-4bf5") == "/m2m/v1/accounts/0000123456-00001/requests/86c83330-4bf5/status"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("a/b?c", "a%2Fb%3Fc"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
        ("a;b=c&d", "a%3Bb%3Dc%26d"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("%2F", "%252F"),
        ("{account_name}", "%7Baccount_name%7D"),
        ("{0}", "%7B0%7D"),
        ("...", "..."),
        ("a..b", "a..b"),
        (".hidden", ".hidden"),
        ("Åland 北京 😀", "%C3%85land%20%E5%8C%97%E4%BA%AC%20%F0%9F%98%80"),
        (Kind.ODD, "a%20b%2Fc"),
    ],
)
def test_characters_with_a_meaning_in_paths_are_percent_encoded(value: str, encoded: str) -> None:
    assert _filled(value) == f"/m2m/v1/accounts/{ACCOUNT}/requests/{encoded}/status"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "must not be empty"),
        (".", "would change the path"),
        ("..", "would change the path"),
        ("../x", "would change the path"),
        ("x/..", "would change the path"),
        ("x/./y", "would change the path"),
        ("..\\x", "would change the path"),
        ("x\\..", "would change the path"),
        ("a\r\nX-Evil: 1", "cannot be printed"),
        ("a\n", "cannot be printed"),
        ("\tb", "cannot be printed"),
        ("a\x00b", "cannot be printed"),
        ("a\x7fb", "cannot be printed"),
        (None, "must be a str, not NoneType"),
        (5, "must be a str, not int"),
        (True, "must be a str, not bool"),
        (b"abc", "must be a str, not bytes"),
        (["abc"], "must be a str, not list"),
    ],
)
def test_a_value_that_would_change_the_path_is_refused_and_named(value: object, reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _filled(value)
    assert str(refused.value).startswith("accounts.status: request_id ")
    assert reason in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"])
def test_half_of_a_surrogate_pair_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest, match="request_id"):
        _filled(value)


@given(st.text())
@example("a/b?c")
@example("..")
@example("\r\n")
@example("%2e%2e")
@example("{request_id}")
def test_a_value_never_adds_a_segment_or_changes_others_and_can_be_decoded(value: str) -> None:
    try:
        path = _filled(value)
    except InvalidRequest:
        return
    segments = path.split("/")
    assert segments[:6] == ["", "m2m", "v1", "accounts", ACCOUNT, "requests"]
    assert segments[7:] == ["status"]
    assert unquote(segments[6]) == value
    assert not set("?#\\ \r\n") & set(path)
    assert path.isascii()
    assert segments[6] not in ("", ".", "..")


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1).filter(lambda text: "." not in text))
def test_every_visible_string_without_dots_is_accepted(value: str) -> None:
    assert _filled(value).split("/")[6] == quote(value, safe="")


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_values_never_make_the_same_path(one: str, other: str) -> None:
    try:
        path = fill_path(STATUS, {"account_name": one, "request_id": other})
    except InvalidRequest:
        return
    segments = path.split("/")
    assert (unquote(segments[4]), unquote(segments[6])) == (one, other)
    assert len(segments) == 8


def test_an_operation_is_not_repeatable_by_default() -> None:
    operation = Operation("x.y", "POST", "/x", NoneType, str)
    assert operation.repeatable is False
    assert operation.server == "thingspace"


def test_an_operation_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        STATUS.repeatable = True  # type: ignore[misc]


# Queries


def test_a_query_may_have_several_values_of_a_name_and_several_names_for_an_object() -> None:
    query: dict[str, Any] = {"a": "x y", "b": ["1", "2"], "c": {"d": "3"}}
    assert encode_query(STATUS, query) == "a=x+y&b=1&b=2&d=3"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "must be a str, not NoneType"),
        (5, "must be a str, not int"),
        (b"x", "must be a str, not bytes"),
        (["a", None], "must be a str, not NoneType"),
        ("", "must not be empty"),
        ([], "must not be empty"),
        ({}, "must not be empty"),
        ("two\r\nlines", "cannot be printed"),
    ],
)
def test_a_query_without_a_readable_value_is_refused(value: Any, reason: str) -> None:
    """A deletion whose id is left out could delete everything."""
    with pytest.raises(InvalidRequest, match=f"^accounts.status: id in the URL .*{reason}"):
        check_query(STATUS, {"id": value})
