"""Writing JSON: the platform's names, no defaults, and secrets in clear only in the body."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import attrs
import orjson
import pytest

from thingspace_async._core.codec import dump, load, named_on_wire, wire_name
from thingspace_async._core.types import UNSET, CustomField, DeviceId, ExtendedAttribute, OpenEnum, Secret, Unset
from thingspace_async.devices import AccountDeviceListFilter, AccountDeviceListRequest, DeviceIdSearch
from thingspace_async.errors import InvalidRequest
from thingspace_async.session_management.models import LogInRequest, SessionResetPasswordRequest


class Colour(OpenEnum):
    RED = "Red"


@attrs.frozen(kw_only=True)
class Part:
    name: str
    secret: Secret | None = None


@attrs.frozen(kw_only=True)
class Full:
    text: str
    nullable: str | None
    part: Part
    parts: tuple[Part, ...]
    grid: tuple[tuple[int, ...], ...] = ()
    maybe_part: Part | None = None
    maybe_parts: tuple[Part | None, ...] | None = None
    secrets: tuple[Secret, ...] = ()
    colour: Colour | None = None
    moment: datetime | None = None
    day: date | None = None
    flag: bool = False
    count: int = 0
    by_name: dict[str, Part] | None = None
    odd: str | None = attrs.field(default=None, metadata=named_on_wire("zip+4", "zip4"))
    update: str | Unset | None = UNSET
    update_part: Part | Unset | None = UNSET


def _full(**more: Any) -> dict[str, Any]:
    model = Full(text="t", nullable=None, part=Part(name="p"), parts=(), **more)
    written = orjson.loads(dump(model))
    assert isinstance(written, dict)
    return written


REQUIRED: dict[str, Any] = {"text": "t", "nullable": None, "part": {"name": "p"}, "parts": []}


def test_defaults_are_omitted_and_required_fields_written_even_if_null_or_empty() -> None:
    assert _full() == REQUIRED


@pytest.mark.parametrize(
    ("field", "value", "name", "written"),
    [
        ("grid", ((1, 2), ()), "grid", [[1, 2], []]),
        ("maybe_part", Part(name="x"), "maybePart", {"name": "x"}),
        ("maybe_parts", (), "maybeParts", []),
        ("maybe_parts", (Part(name="x"), None), "maybeParts", [{"name": "x"}, None]),
        ("secrets", (Secret("s"),), "secrets", ["s"]),
        ("colour", Colour.RED, "colour", "Red"),
        ("colour", Colour("mauve"), "colour", "mauve"),
        ("day", date(2026, 1, 31), "day", "2026-01-31"),
        ("flag", True, "flag", True),
        ("count", 5, "count", 5),
        ("by_name", {"k": Part(name="x", secret=Secret("s"))}, "byName", {"k": {"name": "x", "secret": "s"}}),
        ("odd", "1234", "zip+4", "1234"),
        ("update", None, "update", None),
        ("update", "x", "update", "x"),
        ("update_part", None, "updatePart", None),
        ("update_part", Part(name="x"), "updatePart", {"name": "x"}),
    ],
)
def test_a_value_other_than_the_default_is_written_under_the_platforms_name(
    field: str, value: object, name: str, written: object
) -> None:
    assert _full(**{field: value}) == {**REQUIRED, name: written}


@pytest.mark.parametrize(
    ("field", "value"), [("grid", ()), ("maybe_part", None), ("flag", False), ("count", 0), ("update", UNSET)]
)
def test_a_default_given_explicitly_is_omitted_too(field: str, value: object) -> None:
    assert _full(**{field: value}) == REQUIRED


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00Z"),
        (datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC), "2026-01-31T12:00:00.250000Z"),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=-4))), "2026-01-31T12:00:00-04:00"),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(0))), "2026-01-31T12:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
)
def test_timestamps_are_written_with_their_zone_and_utc_as_z(moment: datetime, written: str) -> None:
    assert _full(moment=moment)["moment"] == written


def test_secrets_are_revealed_in_the_body_and_only_there() -> None:
    request = LogInRequest(username="user", password=Secret("p-hidden"))
    assert "p-hidden" not in repr(request)
    assert dump(request) == b'{"username":"user","password":"p-hidden"}'
    assert dump(SessionResetPasswordRequest(old_password=Secret("p"))) == b'{"oldPassword":"p"}'


def test_a_request_without_values_is_an_empty_object() -> None:
    assert dump(AccountDeviceListRequest()) == b"{}"


def test_a_device_list_request_is_written_as_the_platform_documents_it() -> None:
    request = AccountDeviceListRequest(
        account_name="0000123456-00001",
        device_id=DeviceId.imei("990013907835573"),
        filter=AccountDeviceListFilter(
            device_identifier_filters=(DeviceIdSearch(kind="imei", startswith="9900"),),
        ),
        current_state="active",
        custom_fields=(CustomField(key="CustomField1", value="x"),),
        earliest=datetime(2020, 5, 1, 15, tzinfo=UTC),
        group_name="g",
        service_plan="p",
        max_number_of_devices=500,
        largest_device_id_seen=0,
    )
    assert orjson.loads(dump(request)) == {
        "accountName": "0000123456-00001",
        "deviceId": {"id": "990013907835573", "kind": "imei"},
        "filter": {"deviceIdentifierFilters": [{"kind": "imei", "startswith": "9900"}]},
        "currentState": "active",
        "customFields": [{"key": "CustomField1", "value": "x"}],
        "earliest": "2020-05-01T15:00:00Z",
        "groupName": "g",
        "servicePlan": "p",
        "maxNumberOfDevices": 500,
        "largestDeviceIdSeen": 0,
    }


def test_a_time_without_its_zone_is_refused_before_it_is_written() -> None:
    with pytest.raises(InvalidRequest, match="earliest has no time zone"):
        AccountDeviceListRequest(earliest=datetime.fromisoformat("2020-05-01T15:00:00"))


@pytest.mark.parametrize(
    "request_",
    [AccountDeviceListRequest(largest_device_id_seen=2**64), ExtendedAttribute(key="\ud800")],
)
def test_a_value_that_json_cannot_represent_is_an_invalid_request(request_: object) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
        dump(request_)


@pytest.mark.parametrize("value", [object(), {"x": object()}, {1, 2}, {(1, 2): 3}])
def test_an_object_that_is_not_json_is_an_invalid_request_too(value: object) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
        dump(value)


@attrs.frozen(kw_only=True)
class Measured:
    ratio: float | None = None
    loose: Any = None


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda odd: odd,
        lambda odd: {"a": [odd]},
        lambda odd: ({"a": {"b": odd}},),
        lambda odd: Measured(ratio=odd),
        lambda odd: {"model": Measured(loose=[odd])},
    ],
)
def test_nan_and_infinity_are_refused_and_never_written_as_null(wrap: Callable[[float], object], number: float) -> None:
    with pytest.raises(InvalidRequest, match=f"{number} is not a JSON number"):
        dump(wrap(number))


@pytest.mark.parametrize("value", [UNSET, {"a": UNSET}, [{"a": [UNSET]}], Measured(loose={"a": UNSET})])
def test_unset_in_plain_json_is_refused_with_the_advice_to_omit_the_key(value: object) -> None:
    with pytest.raises(InvalidRequest, match="leave the key out"):
        dump(value)


def test_finite_numbers_in_models_and_plain_json_are_written() -> None:
    assert dump({"a": [1.5, Measured(ratio=2.5, loose=(0.25,))]}) == b'{"a":[1.5,{"ratio":2.5,"loose":[0.25]}]}'


def _endless() -> list[object]:
    found: list[object] = []
    found.append({"again": found})
    return found


def _deep() -> list[object]:
    found: list[object] = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize("make", [_endless, _deep])
def test_a_cyclic_or_endless_value_is_an_invalid_request(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidRequest, match="contains itself or is nested too deeply") as refused:
        dump(make())
    assert refused.value.__context__ is None


def test_plain_json_is_written_unchanged() -> None:
    assert dump({"a": [1, None, "x"], "model": DeviceId(id="1", kind="serial")}) == (
        b'{"a":[1,null,"x"],"model":{"id":"1","kind":"serial"}}'
    )
    assert dump([ExtendedAttribute(key="k")]) == b'[{"key":"k"}]'
    assert dump({"password": Secret("p")}) == b'{"password":"p"}'


def test_written_json_can_be_read_back() -> None:
    full = Full(
        text="é\n\"'",
        nullable="x",
        part=Part(name="p", secret=Secret("s")),
        parts=(Part(name="q"),),
        maybe_parts=(None, Part(name="r")),
        by_name={"k": Part(name="x")},
        update=None,
    )
    assert load(dump(full), Full) == full


@pytest.mark.parametrize(
    ("name", "on_the_wire"),
    [("a", "a"), ("device_ids", "deviceIds"), ("address_line1", "addressLine1"), ("is_default_pool", "isDefaultPool")],
)
def test_a_wire_name_is_camel_case_unless_the_field_declares_another(name: str, on_the_wire: str) -> None:
    made = attrs.make_class("Made", {name: attrs.field(type=str)})
    assert wire_name(attrs.fields(made)[0]) == on_the_wire
    irregular = attrs.make_class("Made", {name: attrs.field(type=str, metadata=named_on_wire("$odd"))})
    assert wire_name(attrs.fields(irregular)[0]) == "$odd"


@attrs.frozen(kw_only=True)
class Leaf:
    id: str
    note: str | None = None
    odd: str | None = attrs.field(default=None, metadata=named_on_wire("odd+name"))


@attrs.frozen(kw_only=True)
class Branch:
    leaves: tuple[Leaf, ...]
    name: str


@attrs.frozen(kw_only=True)
class Tree:
    branches: tuple[Branch, ...]


@attrs.frozen(kw_only=True)
class Chain:
    name: str
    links: tuple[Chain, ...]


ODD_TEXTS = ['"', 'a","b', "\\", "\\u0041", "a\nb", "\x00", "\x1f", "\x7f", "é中😀", "", "'", '":{"', " "]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_models_with_only_strings_are_written_like_any_others(text: str) -> None:
    """A faster path writes them. It cannot escape characters and must detect when escaping is needed."""
    plain = Leaf(id="1")
    trees = [
        Tree(branches=(Branch(leaves=(plain, Leaf(id=text), plain), name="b"),)),
        Tree(branches=(Branch(leaves=(Leaf(id="1", note=text),), name=text), Branch(leaves=(), name="c"))),
        Tree(branches=(Branch(leaves=(Leaf(id="1", note=None, odd=text), Leaf(id="2", odd="n")), name="b"),) * 2),
        Tree(branches=()),
    ]
    for tree in trees:
        expected = {
            "branches": [
                {
                    "leaves": [
                        {
                            "id": leaf.id,
                            **({} if leaf.note is None else {"note": leaf.note}),
                            **({} if leaf.odd is None else {"odd+name": leaf.odd}),
                        }
                        for leaf in branch.leaves
                    ],
                    "name": branch.name,
                }
                for branch in tree.branches
            ]
        }
        assert orjson.loads(dump(tree)) == expected
        assert load(dump(tree), Tree) == tree


@pytest.mark.parametrize("odd", [5, None, b"1", ["1"]])
def test_a_value_that_is_not_a_string_is_not_converted_to_one(odd: Any) -> None:
    tree = Tree(branches=(Branch(leaves=(Leaf(id=odd),), name="b"),))
    try:
        written = orjson.loads(dump(tree))
    except InvalidRequest:
        assert isinstance(odd, bytes)
    else:
        assert written["branches"][0]["leaves"][0]["id"] == odd


def test_half_a_surrogate_pair_is_reported() -> None:
    with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
        dump(Tree(branches=(Branch(leaves=(Leaf(id="\ud800"),), name="b"),)))


def test_a_recursive_model_with_only_strings_is_written() -> None:
    chain = Chain(name="a", links=(Chain(name="b", links=()), Chain(name="c", links=(Chain(name="d", links=()),))))
    assert load(dump(chain), Chain) == chain
