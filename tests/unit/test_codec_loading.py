"""Reading JSON: nothing is coerced, and errors give the path in the platform's spelling."""

import copy
import pickle
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from types import NoneType
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async._core import codec
from thingspace_async._core.codec import Mismatch, dump, load, named_on_wire, parse_date, parse_datetime, wire_name
from thingspace_async._core.types import UNSET, DeviceId, OpenEnum, Secret, Unset
from thingspace_async.accounts.models import Account, AsynchronousRequestResult, IpPool, RequestStatus, ServicePlan
from thingspace_async.devices import (
    AccountDeviceListFilter,
    AccountDeviceListRequest,
    AccountDeviceListResult,
    CustomFieldsUpdateRequest,
    Device,
    DeviceIdSearch,
)
from thingspace_async.session_management.models import LogInResult, OAuthToken


class Colour(OpenEnum):
    RED = "Red"


@attrs.frozen(kw_only=True)
class Inner:
    id: str
    kind: str | None = None


@attrs.frozen(kw_only=True)
class Required:
    a_text: str
    a_number: int
    a_ratio: float
    a_flag: bool
    a_moment: datetime
    a_day: date
    a_colour: Colour
    a_secret: Secret
    an_inner: Inner
    some_texts: tuple[str, ...]
    some_inners: tuple[Inner, ...]
    a_grid: tuple[tuple[int, ...], ...]
    some_holes: tuple[str | None, ...]
    some_ratios: tuple[float, ...]
    nullable: str | None
    anything: Any
    any_list: tuple[Any, ...]


@attrs.frozen(kw_only=True)
class Optional:
    a_text: str | None = None
    a_number: int | None = None
    a_ratio: float | None = None
    a_flag: bool | None = None
    a_moment: datetime | None = None
    a_day: date | None = None
    a_colour: Colour | None = None
    a_secret: Secret | None = None
    an_inner: Inner | None = None
    some_texts: tuple[str, ...] = ()
    some_inners: tuple[Inner, ...] = ()
    a_grid: tuple[tuple[int, ...], ...] = ()
    some_holes: tuple[str | None, ...] | None = None
    some_ratios: tuple[float, ...] = ()
    count: int = 7
    colour: Colour = Colour.RED


@attrs.frozen(kw_only=True)
class Irregular:
    device_ids: tuple[Inner, ...] = attrs.field(default=(), metadata=named_on_wire("DeviceIDs"))
    zip_plus: str | None = attrs.field(default=None, metadata=named_on_wire("zip+4"))
    page: int | None = attrs.field(default=None, metadata=named_on_wire("$page"))
    pools: tuple[int, ...] = attrs.field(default=(), metadata=named_on_wire("iPPools", "ipPools"))
    needed: str = attrs.field(metadata=named_on_wire("its name", "itsName"))


@attrs.frozen(kw_only=True)
class Tree:
    name: str
    child: "Tree | None" = None
    children: "tuple[Tree, ...]" = ()


@attrs.frozen(kw_only=True)
class Update:
    text: str | Unset | None = UNSET
    number: int | Unset = UNSET
    inner: Inner | Unset | None = UNSET
    words: tuple[str, ...] | Unset = UNSET


@attrs.frozen(kw_only=True)
class Base:
    name: str


@attrs.frozen(kw_only=True)
class Derived(Base):
    size: int = 0


@attrs.frozen(kw_only=True, slots=False)
class WithoutSlots:
    name: str
    inner: Inner | None = None


def _as_tuple(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(words)


@attrs.frozen(kw_only=True)
class Checked:
    low: int = attrs.field(validator=attrs.validators.instance_of(int))
    words: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple)


@attrs.frozen(kw_only=True)
class Counted:
    words: tuple[str, ...]
    count: int = 0

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "count", len(self.words))


@attrs.frozen(kw_only=True)
class Keyed:
    inners: dict[str, Inner]
    counts: dict[str, int] | None = None


GOOD: dict[str, Any] = {
    "aText": "text",
    "aNumber": 5,
    "aRatio": 1.5,
    "aFlag": True,
    "aMoment": "2026-01-31T12:00:00Z",
    "aDay": "2026-01-31",
    "aColour": "Red",
    "aSecret": "hidden",
    "anInner": {"id": "1"},
    "someTexts": ["a", "b"],
    "someInners": [{"id": "1"}, {"id": "2", "kind": "x"}],
    "aGrid": [[1, 2], [], [3]],
    "someHoles": ["a", None],
    "someRatios": [1, 2.5],
    "nullable": None,
    "anything": {"x": [1]},
    "anyList": [1, "a", None, {}],
}

JSON_KINDS: dict[str, Any] = {
    "null": None,
    "true or false": True,
    "a number": 5,
    "a string": "text",
    "a list": [],
    "an object": {},
}

EXPECTED = {
    "aText": ("a string", {"a string"}),
    "aNumber": ("a whole number", {"a number"}),
    "aRatio": ("a number", {"a number"}),
    "aFlag": ("true or false", {"true or false"}),
    "aMoment": ("a time stamp", set[str]()),
    "aDay": ("a time stamp", set[str]()),
    "aColour": ("a string", {"a string"}),
    "aSecret": ("a string", {"a string"}),
    "anInner": ("an object", {"an object"}),
    "someTexts": ("a list", {"a list"}),
    "someInners": ("a list", {"a list"}),
    "aGrid": ("a list", {"a list"}),
    "someHoles": ("a list", {"a list"}),
    "someRatios": ("a list", {"a list"}),
}

WRONG = [
    (key, found)
    for key, (_, right) in EXPECTED.items()
    for found in JSON_KINDS
    if found not in right and not (key in ("aMoment", "aDay") and found == "a string")
]


def _json(value: object) -> bytes:
    return orjson.dumps(value)


def _mismatch(body: bytes | object, kind: Any) -> tuple[str | None, str]:
    with pytest.raises(Mismatch) as caught:
        load(body if isinstance(body, bytes) else _json(body), kind)
    assert str(caught.value) == caught.value.message
    return caught.value.path, caught.value.message


def _said_of(read: Callable[[], object]) -> str | None:
    """Return why a JSON text was refused, or None if it was read."""
    try:
        read()
    except Mismatch as mismatch:
        return mismatch.message
    return None


def test_every_kind_of_field_is_read() -> None:
    assert load(_json(GOOD), Required) == Required(
        a_text="text",
        a_number=5,
        a_ratio=1.5,
        a_flag=True,
        a_moment=datetime(2026, 1, 31, 12, tzinfo=UTC),
        a_day=date(2026, 1, 31),
        a_colour=Colour.RED,
        a_secret=Secret("hidden"),
        an_inner=Inner(id="1"),
        some_texts=("a", "b"),
        some_inners=(Inner(id="1"), Inner(id="2", kind="x")),
        a_grid=((1, 2), (), (3,)),
        some_holes=("a", None),
        some_ratios=(1, 2.5),
        nullable=None,
        anything={"x": [1]},
        any_list=(1, "a", None, {}),
    )


def test_values_of_an_enumeration_become_its_members_everywhere() -> None:
    assert load(b'"red"', Colour) is Colour.RED
    assert load(b'["RED"]', tuple[Colour, ...])[0] is Colour.RED
    assert load(b'{"colour": "red", "aColour": "rED"}', Optional) == Optional(a_colour=Colour.RED)
    assert load(b'{"aColour": "red"}', Optional).a_colour is Colour.RED
    assert type(load(b'{"aColour": "mauve"}', Optional).a_colour) is Colour


@pytest.mark.parametrize(("key", "found"), WRONG)
def test_a_wrong_type_is_never_coerced(key: str, found: str) -> None:
    path, message = _mismatch({**GOOD, key: JSON_KINDS[found]}, Required)
    assert (path, message) == (key, f"expected {EXPECTED[key][0]}, found {found}")


@pytest.mark.parametrize(("key", "found"), [pair for pair in WRONG if pair[1] != "null"])
def test_a_wrong_type_does_not_become_the_default_either(key: str, found: str) -> None:
    path, message = _mismatch({key: JSON_KINDS[found]}, Optional)
    assert (path, message) == (key, f"expected {EXPECTED[key][0]}, found {found}")


@pytest.mark.parametrize("key", sorted(GOOD.keys() - {"anything"}))
def test_a_missing_required_field_is_named(key: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != key}
    assert _mismatch(body, Required) == (key, "missing")


def test_absence_and_null_both_mean_the_default() -> None:
    names = [wire_name(field) for field in attrs.fields(Optional)]
    assert load(b"{}", Optional) == load(_json(dict.fromkeys(names)), Optional) == Optional()


def test_a_float_accepts_a_whole_number_and_an_int_no_fraction_or_bool() -> None:
    assert load(b'{"aRatio": 5}', Optional).a_ratio == 5
    assert _mismatch(b'{"aNumber": 5.0}', Optional) == ("aNumber", "expected a whole number, found a number")
    assert _mismatch(b'{"aNumber": true}', Optional) == ("aNumber", "expected a whole number, found true or false")
    assert _mismatch(b'{"aRatio": true}', Optional) == ("aRatio", "expected a number, found true or false")
    assert _mismatch(b'{"aFlag": 1}', Optional) == ("aFlag", "expected true or false, found a number")
    assert _mismatch(b'{"aNumber": "5"}', Optional) == ("aNumber", "expected a whole number, found a string")


def test_a_number_too_large_for_64_bits_is_refused_and_one_that_just_fits_is_exact() -> None:
    assert load(b'{"aNumber": 18446744073709551615}', Optional).a_number == 2**64 - 1
    assert load(b'{"aNumber": -9223372036854775808}', Optional).a_number == -(2**63)
    assert _mismatch(b'{"aNumber": 18446744073709551616}', Optional)[0] == "aNumber"


@pytest.mark.parametrize(
    ("body", "kind", "path", "message"),
    [
        ({**GOOD, "someTexts": ["a", 5]}, Required, "someTexts[1]", "expected a string, found a number"),
        ({**GOOD, "someTexts": ["a", None]}, Required, "someTexts[1]", "expected a string, found null"),
        ({**GOOD, "someHoles": [None, []]}, Required, "someHoles[1]", "expected a string, found a list"),
        ({**GOOD, "aGrid": [[1], [2, "3"]]}, Required, "aGrid[1][1]", "expected a whole number, found a string"),
        ({**GOOD, "aGrid": [[1], None]}, Required, "aGrid[1]", "expected a list, found null"),
        ({**GOOD, "someRatios": [1, "2"]}, Required, "someRatios[1]", "expected a number, found a string"),
        ({**GOOD, "someInners": [{"id": "1"}, {}]}, Required, "someInners[1].id", "missing"),
        ({**GOOD, "someInners": [None]}, Required, "someInners[0]", "expected an object, found null"),
        ({**GOOD, "someInners": [[]]}, Required, "someInners[0]", "expected an object, found a list"),
        ({**GOOD, "someInners": ["x"]}, Required, "someInners[0]", "expected an object, found a string"),
        ({**GOOD, "anInner": {"id": None}}, Required, "anInner.id", "expected a string, found null"),
        ({**GOOD, "anInner": {"id": "1", "kind": 5}}, Required, "anInner.kind", "expected a string, found a number"),
        ({"needed": "x"}, Irregular, "its name", "missing"),
        ({"its name": 5}, Irregular, "its name", "expected a string, found a number"),
        ({"its name": "x", "DeviceIDs": [{}]}, Irregular, "DeviceIDs[0].id", "missing"),
        ({"its name": "x", "zip+4": 1}, Irregular, "zip+4", "expected a string, found a number"),
        ({"its name": "x", "$page": "1"}, Irregular, "$page", "expected a whole number, found a string"),
        ({"name": "a", "child": {"name": "b", "children": [{}]}}, Tree, "child.children[0].name", "missing"),
        ({"size": 1}, Derived, "name", "missing"),
        ({"name": "x", "inner": {}}, WithoutSlots, "inner.id", "missing"),
        ({"text": 5}, Update, "text", "expected a string, found a number"),
        ({"number": "5"}, Update, "number", "expected a whole number, found a string"),
        ({"inner": {}}, Update, "inner.id", "missing"),
        ({"words": "abc"}, Update, "words", "expected a list, found a string"),
        ([], Inner, None, "expected an object, found a list"),
        (None, Inner, None, "expected an object, found null"),
        ("x", Inner, None, "expected an object, found a string"),
        ({}, tuple[Inner, ...], None, "expected a list, found an object"),
        (None, tuple[Inner, ...], None, "expected a list, found null"),
        ("abc", tuple[str, ...], None, "expected a list, found a string"),
        ([{"id": "1"}, {"id": 2}], tuple[Inner, ...], "[1].id", "expected a string, found a number"),
        (["a", 1], tuple[str, ...], "[1]", "expected a string, found a number"),
        ("5", int, None, "expected a whole number, found a string"),
        (5, str, None, "expected a string, found a number"),
        (5, Secret, None, "expected a string, found a number"),
        (5, Colour, None, "expected a string, found a number"),
        ({"devices": None}, AccountDeviceListResult, "devices", "expected a list, found null"),
        ({}, AccountDeviceListResult, "devices", "missing"),
        ({}, LogInResult, "sessionToken", "missing"),
        ({"sessionToken": ["x"]}, LogInResult, "sessionToken", "expected a string, found a list"),
        (
            {"access_token": "x", "token_type": 5},
            OAuthToken,
            "token_type",
            "expected a string, found a number",
        ),
        (
            [{"name": "x"}, {"sizeKb": "1 MB"}],
            tuple[ServicePlan, ...],
            "[1].sizeKb",
            "expected a whole number, found a string",
        ),
    ],
)
def test_the_path_names_the_field_as_the_platform_does(body: object, kind: Any, path: str | None, message: str) -> None:
    assert _mismatch(body, kind) == (path, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": [], "kind": "imei"}, "expected a string, found a list"),
        ({"id": 5, "kind": "imei"}, "expected a string, found a number"),
        ({"kind": "imei"}, "missing"),
    ],
)
def test_one_bad_device_among_five_hundred_is_named(change: dict[str, object], message: str) -> None:
    devices: list[Any] = [{"deviceIds": [{"id": str(number), "kind": "imei"}]} for number in range(500)]
    devices[499] = {"deviceIds": [change]}
    body = {"hasMoreData": False, "devices": devices}
    assert _mismatch(body, AccountDeviceListResult) == ("devices[499].deviceIds[0].id", message)


def test_the_first_of_several_errors_is_reported() -> None:
    assert _mismatch([{"id": "1"}, {"id": 2}, {"id": 3}], tuple[Inner, ...])[0] == "[1].id"


def test_no_message_shows_a_value() -> None:
    for key in EXPECTED:
        path, message = _mismatch({**GOOD, key: {"p-hidden": "p-hidden"} if key != "anInner" else "p-hidden"}, Required)
        assert "p-hidden" not in f"{path} {message}"
    assert "p-hidden" not in _mismatch({**GOOD, "aMoment": "p-hidden"}, Required)[1]


def test_unknown_fields_are_ignored() -> None:
    assert load(b'{"id": "1", "new": {"x": [1]}, "ID": 5}', Inner) == Inner(id="1")


def test_unknown_values_of_an_enumeration_are_kept_and_known_ones_found_in_any_case() -> None:
    assert load(b'{"status": "Exploded"}', AsynchronousRequestResult).status == "Exploded"
    assert load(b'{"status": "SUCCESS"}', AsynchronousRequestResult).status is RequestStatus.SUCCESS


def test_the_last_of_two_fields_with_one_name_wins() -> None:
    assert load(b'{"id": 5, "id": "1"}', Inner) == Inner(id="1")


def test_the_alternative_name_is_read_if_the_first_is_absent_or_null() -> None:
    pools = (IpPool(pool_name="p"),)
    assert load(b'{"iPPools": [{"poolName": "p"}]}', Account).ip_pools == pools
    assert load(b'{"ipPools": [{"poolName": "p"}]}', Account).ip_pools == pools
    assert load(b'{"iPPools": null, "ipPools": [{"poolName": "p"}]}', Account).ip_pools == pools
    assert load(b'{"iPPools": [], "ipPools": [{"poolName": "p"}]}', Account).ip_pools == ()
    assert load(b'{"itsName": "x"}', Irregular).needed == "x"


def test_an_error_under_the_alternative_name_is_found_too() -> None:
    path, message = _mismatch(b'{"itsName": "x", "ipPools": [1, "2"]}', Irregular)
    assert (path, message) == ("iPPools[1]", "expected a whole number, found a string")


def test_an_update_distinguishes_null_absence_and_a_value() -> None:
    assert load(b"{}", Update) == Update()
    assert load(b"{}", Update).text is UNSET
    assert load(b'{"text": null, "inner": null}', Update) == Update(text=None, inner=None)
    assert load(b'{"text": "x", "number": 5, "words": ["a"], "inner": {"id": "1"}}', Update) == Update(
        text="x", number=5, words=("a",), inner=Inner(id="1")
    )


def test_null_counts_as_absent_where_an_update_does_not_allow_it() -> None:
    assert load(b'{"number": null, "words": null}', Update) == Update()


@pytest.mark.parametrize(
    "update",
    [
        Update(),
        Update(text=None),
        Update(text="x", inner=None),
        Update(number=0, words=()),
        Update(inner=Inner(id="1", kind="k"), words=("a", "b")),
    ],
)
def test_an_update_survives_writing_and_reading(update: Update) -> None:
    assert load(dump(update), Update) == update


def test_a_model_may_contain_itself() -> None:
    body = b'{"name": "a", "child": {"name": "b"}, "children": [{"name": "c", "children": [{"name": "d"}]}]}'
    tree = Tree(name="a", child=Tree(name="b"), children=(Tree(name="c", children=(Tree(name="d"),)),))
    assert load(body, Tree) == tree
    assert load(dump(tree), Tree) == tree


def test_a_derived_model_reads_inherited_fields() -> None:
    derived = load(b'{"name": "x", "size": 5}', Derived)
    assert derived == Derived(name="x", size=5)
    assert type(derived) is Derived
    assert type(load(b'{"name": "x", "size": 5}', Base)) is Base


def test_models_without_slots_with_validators_or_with_post_init_are_supported() -> None:
    assert load(b'{"name": "x", "inner": {"id": "1"}}', WithoutSlots) == WithoutSlots(name="x", inner=Inner(id="1"))
    assert load(b'{"low": 5, "words": ["a"]}', Checked) == Checked(low=5, words=["a"])
    assert load(b'{"words": ["a", "b"]}', Counted).count == 2


def test_objects_keyed_by_name_are_read_and_written() -> None:
    keyed = Keyed(inners={"one key": Inner(id="1"), "two": Inner(id="2", kind="k")}, counts={"x": 1})
    assert (
        load(b'{"inners": {"one key": {"id": "1"}, "two": {"id": "2", "kind": "k"}}, "counts": {"x": 1}}', Keyed)
        == keyed
    )
    assert load(dump(keyed), Keyed) == keyed
    assert load(b'{"inners": {}}', Keyed) == Keyed(inners={})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (GOOD, Required),
        ({"devices": [{"deviceIds": [{"id": "1", "kind": "imei"}]}]}, AccountDeviceListResult),
        ([{"id": "1"}], tuple[Inner, ...]),
    ],
)
def test_reading_twice_gives_equal_objects_that_share_nothing_with_the_bytes(value: object, kind: Any) -> None:
    body = _json(value)
    before = bytes(body)
    assert load(body, kind) == load(body, kind)
    assert body == before


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "expected JSON, found an empty body"),
        (b" \r\n\t ", "expected JSON, found an empty body"),
        (b"<!DOCTYPE html><html></html>", "expected JSON, found an HTML or XML page"),
        (b"\r\n\r\n<html></html>", "expected JSON, found an HTML or XML page"),
        (b"<?xml version='1.0'?><fault/>", "expected JSON, found an HTML or XML page"),
        (b'{"id": "1"', "expected JSON, found a syntax error at line 1, column 11"),
        (b'{"id": "1",\n "kind": ', "expected JSON, found a syntax error at line 2, column 10"),
        (b"not json", "expected JSON, found a syntax error at line 1, column 2"),
        (b'{"id": "1"} trailing', "expected JSON, found a syntax error at line 1, column 13"),
        (b'{"id": NaN}', "expected JSON, found a syntax error at line 1, column 8"),
        (b"{'id': '1'}", "expected JSON, found a syntax error at line 1, column 2"),
        (b'{"id": "\xff"}', "expected JSON, found a syntax error at line 1, column 1"),
        (b'{"id": "\\ud800"}', "expected JSON, found a syntax error at line 1, column 9"),
        (b"[" * 100_000, "expected JSON, found a syntax error at line 1, column 1026"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "expected JSON, found a syntax error at line 1, column 5122"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_the_error_for_invalid_json_says_so(body: bytes, message: str) -> None:
    path, found = _mismatch(body, Inner)
    assert path is None
    assert found.partition(" at line")[0] == message.partition(" at line")[0]
    assert ("line" in found) == ("line" in message)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_raise_an_error_of_ours(body: bytes) -> None:
    message = _said_of(lambda: load(body, Device))
    assert message is None or (message and message.isprintable())


def test_a_body_nested_deeply_but_within_the_limit_is_read() -> None:
    depth = 150
    tree = load(b'{"name":"a","child":' * depth + b'{"name":"z"}' + b"}" * depth, Tree)
    for _ in range(depth):
        assert tree.child is not None
        tree = tree.child
    assert tree == Tree(name="z")


# Dates

STAMPS = {
    # Each unusual form is from the platform's published examples.
    "2018-12-19T06:45:41.496Z": "2018-12-19T06:45:41.496000+00:00",
    "2019-02-22T04:05:26Z": "2019-02-22T04:05:26+00:00",
    "2019-09-10T19:05:33.33Z": "2019-09-10T19:05:33.330000+00:00",
    "2019-08-07T10:42:15-04:00": "2019-08-07T10:42:15-04:00",
    "2011-01-21T10:55:27-08:00": "2011-01-21T10:55:27-08:00",
    "2019-02-03T06:48:07": "2019-02-03T06:48:07",
    "2020-08-21": "2020-08-21T00:00:00",
    "2020-05-01T15:00:00-08:00Z": "2020-05-01T15:00:00-08:00",
    "10/15/2021 04:49:35": "2021-10-15T04:49:35",
    "2018-03-22 00:06:00.069 +0000 UTC": "2018-03-22T00:06:00.069000+00:00",
    "2018-03-22 00:06:00 -0500 EST": "2018-03-22T00:06:00-05:00",
    "2021-10-21T23:57:03.397.0000Z": "2021-10-21T23:57:03.397000+00:00",
    "2026-01-31T12:00:00+0000": "2026-01-31T12:00:00+00:00",
    "2026-01-31 12:00:00": "2026-01-31T12:00:00",
}


@pytest.mark.parametrize(("text", "read"), STAMPS.items())
def test_every_published_form_of_timestamp_is_read(text: str, read: str) -> None:
    assert parse_datetime(text).isoformat() == read
    assert parse_date(text).isoformat() == read[:10]
    assert load(_json({"aMoment": text, "aDay": text}), Optional) == Optional(
        a_moment=datetime.fromisoformat(read), a_day=date.fromisoformat(read[:10])
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "Z",
        "2026-02-30T00:00:00Z",
        "13/15/2021 04:49:35",
        "10/15/2021",
        "1700000000",
        "2017-12-11Te8b47da2-eeee",
        "2018-03-22 00:06:00 +9900 UTC",
        "2026-01-31T12:00:00ZZZ",
        "2026-01-31T25:00:00Z",
        "\u0661\u0662/15/2021 04:49:35",
    ],
)
def test_a_string_that_is_not_a_timestamp_is_refused_at_its_path(text: str) -> None:
    reason = "expected a time stamp such as 2026-01-31T12:00:00Z, found another string"
    assert _mismatch({"aMoment": text}, Optional) == ("aMoment", reason)
    assert _mismatch({"aDay": text}, Optional) == ("aDay", reason)


@pytest.mark.parametrize("parse", [parse_datetime, parse_date])
@given(text=st.text())
def test_any_string_is_read_as_a_timestamp_or_raises_an_error_of_ours(
    parse: Callable[[object], object], text: str
) -> None:
    message = _said_of(lambda: parse(text))
    assert message is None or "time stamp" in message


@given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))))
def test_every_timestamp_is_read_as_the_right_instant(moment: datetime) -> None:
    assert parse_datetime(moment.isoformat()) == moment


# The objects read


def _loaded() -> list[tuple[object, object]]:
    inner = Inner(id="1", kind="k")
    return [
        (load(b'{"id": "1", "kind": "k"}', Inner), inner),
        (load(b'{"name": "x", "size": 5}', Derived), Derived(name="x", size=5)),
        (load(b'{"name": "x", "inner": {"id": "1"}}', WithoutSlots), WithoutSlots(name="x", inner=Inner(id="1"))),
        (load(b'{"name": "x", "children": [{"name": "y"}]}', Tree), Tree(name="x", children=(Tree(name="y"),))),
        (load(b'{"id": "49015420323751", "kind": "IMEI"}', DeviceId), DeviceId.imei("49015420323751")),
        (load(b'{"low": 1}', Checked), Checked(low=1)),
    ]


@pytest.mark.parametrize(("loaded", "built"), _loaded())
def test_a_read_model_equals_a_constructed_one(loaded: Any, built: Any) -> None:
    assert type(loaded) is type(built)
    assert loaded == built
    assert built == loaded
    assert hash(loaded) == hash(built)
    assert attrs.evolve(loaded) == built
    assert pickle.loads(pickle.dumps(loaded)) == copy.copy(loaded) == copy.deepcopy(loaded) == built


@pytest.mark.parametrize(("loaded", "_"), _loaded())
def test_a_read_model_cannot_be_changed(loaded: Any, _: object) -> None:
    for field in attrs.fields(type(loaded)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(loaded, field.name, "other")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(loaded, field.name)
    with pytest.raises((AttributeError, attrs.exceptions.FrozenInstanceError)):
        loaded.something_new = 1


def test_an_answer_without_content_is_read_as_none() -> None:
    assert load(b"null", NoneType) is None


def test_a_mismatch_without_a_path_is_about_the_whole_answer() -> None:
    mismatch = codec.Mismatch("m")
    assert (mismatch.message, mismatch.path) == ("m", None)


@pytest.mark.parametrize(
    ("body", "kind", "path", "message"),
    [
        (
            b'{"deviceIdentifierFilters":[{"kind":"imei","contains":"1"},{"kind":"","contains":"1"}]}',
            AccountDeviceListFilter,
            "deviceIdentifierFilters[1]",
            "DeviceIdSearch: kind must not be empty",
        ),
        (b'{"accountName":""}', AccountDeviceListRequest, None, "AccountDeviceListRequest: account_name must not be"),
        (
            b'{"accountName":"a","customFieldsToUpdate":[{"key":"","value":""}]}',
            CustomFieldsUpdateRequest,
            None,
            "CustomFieldsUpdateRequest: custom_fields_to_update has a key that",
        ),
        (b'{"kind":"imei"}', DeviceIdSearch, None, "DeviceIdSearch: give contains, startswith or endswith"),
    ],
)
def test_a_value_refused_by_a_models_own_checks_is_a_mismatch_at_its_path(
    body: bytes, kind: type, path: str | None, message: str
) -> None:
    with pytest.raises(Mismatch, match=message) as caught:
        load(body, kind)
    assert caught.value.path == path
