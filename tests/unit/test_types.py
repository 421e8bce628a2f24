"""Types that several products share: what they hide, keep and equal."""

import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingspace_async._types import UNSET, CustomField, DeviceId, ExtendedAttribute, OpenEnum, Secret, Unset

HIDDEN = "hunter2-is-hidden"


class Colour(OpenEnum):
    RED = "Red"
    LIGHT_BLUE = "lightBlue"
    LARGE_SS = "STRASSE"


@attrs.frozen(kw_only=True)
class Holder:
    name: str
    secret: Secret


def _raise_beside(secret: Secret) -> None:
    raise ValueError(f"refused {secret}")


def _logged() -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    shown = (Secret(HIDDEN), Secret(HIDDEN), [Secret(HIDDEN)])
    handler.emit(logging.LogRecord("unit", logging.WARNING, __file__, 1, "%s %r %s", shown, None))
    return stream.getvalue()


def _traced() -> str:
    try:
        _raise_beside(Secret(HIDDEN))
    except ValueError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    raise AssertionError


@pytest.mark.parametrize(
    "show",
    [
        lambda: str(Secret(HIDDEN)),
        lambda: repr(Secret(HIDDEN)),
        lambda: f"{Secret(HIDDEN)} {Secret(HIDDEN)!r} {Secret(HIDDEN)!a}",
        lambda: format(Secret(HIDDEN)),
        lambda: "{} {!r}".format(Secret(HIDDEN), Secret(HIDDEN)),  # noqa: UP032  (the method is under test)
        lambda: "%s %r" % (Secret(HIDDEN), Secret(HIDDEN)),  # noqa: UP031  (the operator is under test)
        lambda: repr([Secret(HIDDEN), {"key": Secret(HIDDEN)}]),
        lambda: repr(Holder(name="n", secret=Secret(HIDDEN))),
        lambda: repr(attrs.asdict(Holder(name="n", secret=Secret(HIDDEN)))),
        lambda: repr(Secret(Secret(HIDDEN))),
        _logged,
        _traced,
    ],
    ids=[
        "str",
        "repr",
        "f-string",
        "format()",
        "str.format",
        "percent",
        "containers",
        "model",
        "asdict",
        "nested",
        "log",
        "traceback with locals",
    ],
)
def test_a_secret_shows_in_no_text(show: Callable[[], str]) -> None:
    text = show()
    assert "**********" in text
    assert HIDDEN not in text


def test_a_secret_is_given_away_by_reveal_alone() -> None:
    assert Secret(HIDDEN).reveal() == HIDDEN
    assert Secret(Secret(HIDDEN)).reveal() == HIDDEN
    assert not hasattr(Secret(HIDDEN), "__dict__")


@pytest.mark.parametrize("write", [json.dumps, orjson.dumps])
def test_a_secret_gets_into_no_json_by_accident(write: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as refused:
        write(Secret(HIDDEN))
    assert HIDDEN not in str(refused.value)


def test_a_format_specification_for_a_secret_fails_without_showing_it() -> None:
    with pytest.raises(TypeError) as refused:
        f"{Secret(HIDDEN):>40}"
    assert HIDDEN not in str(refused.value)


def test_secrets_compare_by_their_text_and_with_nothing_else() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("é") == Secret("é")
    assert Secret("a") != "a"
    assert Secret("a").__eq__("a") is NotImplemented
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_secret_can_be_copied_and_pickled() -> None:
    secret = Secret(HIDDEN)
    for twin in (copy.copy(secret), copy.deepcopy(secret), pickle.loads(pickle.dumps(secret))):
        assert twin == secret
        assert twin.reveal() == HIDDEN


@pytest.mark.parametrize("spelling", ["Red", "red", "RED", "rEd"])
def test_a_known_value_is_found_whatever_its_case(spelling: str) -> None:
    assert Colour(spelling) is Colour.RED


@given(st.sampled_from(Colour), st.sampled_from([str.upper, str.lower, str.swapcase, str.casefold]))
def test_every_member_is_found_in_every_case(member: Colour, change: Callable[[str], str]) -> None:
    assert Colour(change(member.value)) is member


@pytest.mark.parametrize("value", ["mauve", "", "Red ", "rouge é", "with space", "_name_", "RED.BLUE"])
def test_an_unknown_value_is_kept_as_it_is(value: str) -> None:
    kept = Colour(value)
    assert type(kept) is Colour
    assert (kept.value, kept.name, str(kept), f"{kept}") == (value,) * 4
    assert kept == value
    assert kept == Colour(value)
    assert hash(kept) == hash(value)
    assert kept not in list(Colour)
    assert kept is not Colour.RED


@given(st.text())
def test_a_value_known_or_not_travels_unchanged(text: str) -> None:
    value = Colour(text)
    assert copy.copy(value) == copy.deepcopy(value) == value
    twin = pickle.loads(pickle.dumps(value))
    assert (type(twin), twin) == (Colour, value)
    assert json.loads(json.dumps(value)) == value
    assert value.casefold() == text.casefold()


def test_unknown_values_are_not_added_to_the_class() -> None:
    before = list(Colour)
    for number in range(100):
        Colour(f"unknown {number}")
    assert list(Colour) == before
    assert set(Colour.__members__) == {"RED", "LIGHT_BLUE", "LARGE_SS"}


@pytest.mark.parametrize("value", [None, 5, 1.5, True, [], {}, b"Red"])
def test_what_is_no_text_is_no_value_of_an_enumeration(value: object) -> None:
    with pytest.raises(ValueError, match="is not a valid Colour"):
        Colour(value)  # type: ignore[arg-type]


def test_unset_is_one_falsy_thing_that_prints_plainly() -> None:
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert UNSET is Unset.UNSET
    assert copy.copy(UNSET) is copy.deepcopy(UNSET) is pickle.loads(pickle.dumps(UNSET)) is UNSET
    assert UNSET is not None
    assert list(Unset) == [UNSET]


@pytest.mark.parametrize(("one", "other"), [("imei", "IMEI"), ("iccid", "iccId"), ("ICCID", "iccId")])
def test_a_device_id_equals_another_whatever_the_case_of_its_kind(one: str, other: str) -> None:
    first, second = DeviceId(id="89148000000800139708", kind=one), DeviceId(id="89148000000800139708", kind=other)
    assert first == second
    assert hash(first) == hash(second)
    assert len({first, second}) == 1
    assert second.kind == other


@pytest.mark.parametrize(
    "other",
    [DeviceId(id="1", kind="meid"), DeviceId(id="2", kind="imei"), DeviceId(id="a", kind="imei"), ("1", "imei")],
)
def test_a_device_id_differs_from_another_id_or_kind(other: object) -> None:
    assert DeviceId(id="1", kind="imei") != other


def test_the_case_of_the_id_itself_matters() -> None:
    assert DeviceId(id="A100004", kind="meid") != DeviceId(id="a100004", kind="meid")


@pytest.mark.parametrize("kind", ["imei", "iccid", "mdn", "msisdn", "meid", "esn", "imsi", "eid"])
def test_each_kind_of_identifier_has_a_short_way_to_write_it(kind: str) -> None:
    assert getattr(DeviceId, kind)("123") == DeviceId(id="123", kind=kind)


@pytest.mark.parametrize(
    "value",
    [DeviceId.imei("1"), CustomField(key="CustomField1", value="x"), ExtendedAttribute(key="DeviceId")],
)
def test_shared_models_cannot_be_changed_and_travel(value: attrs.AttrsInstance) -> None:
    for field in attrs.fields(type(value)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, "other")
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value


def test_secrets_of_any_characters_compare() -> None:
    assert Secret("\ud800") != Secret("x")
    assert Secret("\ud800") == Secret("\ud800")
