"""Checks that follow from annotations: which check each annotation gets, and when it is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import attrs
import pytest

from thingspace_async._core import codec
from thingspace_async._core.checked import Count, Length, Range, checked, validator_for
from thingspace_async._core.types import (
    UNSET,
    CustomField,
    DeviceId,
    DeviceIds,
    OpenEnum,
    Secret,
    Unset,
    to_devices,
)
from thingspace_async.errors import InvalidRequest

IMEI = DeviceId.imei("490154203237518")


class Color(OpenEnum):
    RED = "red"


@attrs.frozen(kw_only=True, field_transformer=checked)
class Order:
    account_name: str = "0000123456-00001"
    short: Annotated[str | None, Length(least=2, most=3)] = None
    maybe_empty: Annotated[str, Length(least=0)] = "x"
    secret: Annotated[Secret | None, Length(most=3)] = None
    number: int | None = None
    bounded: Annotated[int, Range(least=1, most=5)] = 1
    flag: bool | None = None
    when: datetime | None = None
    color: Color | None = None
    update: str | None | Unset = UNSET
    field: CustomField | None = None
    words: tuple[str, ...] = ()
    ids: Annotated[tuple[DeviceId, ...], Count(most=2)] = ()
    bare: Annotated[tuple[tuple[DeviceId, ...], ...], Count(most=2)] = ()
    devices: Annotated[tuple[DeviceIds, ...], Count(most=2)] = attrs.field(default=(), converter=to_devices)
    fields: tuple[CustomField, ...] | None = None
    colors: tuple[Color, ...] = ()
    objects: tuple[dict[str, Any], ...] = ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"account_name": ""}, "account_name must not be empty"),
        ({"account_name": None}, "account_name must be a str, not NoneType"),
        ({"short": "a"}, "short must have 2 characters or more, not 1"),
        ({"short": "abcd"}, "short must have 3 characters or fewer, not 4"),
        ({"maybe_empty": "a'"}, "maybe_empty contains one of the characters"),
        ({"secret": "abc"}, "secret must be a Secret or a str, not str"),
        ({"secret": Secret("abcd")}, "secret must have 3 characters or fewer, not 4"),
        ({"number": -1}, "number must be 0 or more"),
        ({"number": True}, "number must be an int, not bool"),
        ({"bounded": 6}, "bounded must be 5 or less"),
        ({"flag": 1}, "flag must be a bool, not int"),
        ({"when": datetime(2026, 1, 31)}, "when has no time zone"),  # noqa: DTZ001 - the point
        ({"color": "red"}, "color must be a Color, not str"),
        ({"color": Color("it's")}, "color contains one of the characters"),
        ({"update": 7}, "update must be a str, not int"),
        ({"field": IMEI}, "field must be a CustomField, not DeviceId"),
        ({"words": ("a", "")}, "words has an item that must not be empty"),
        ({"ids": (IMEI,) * 3}, "ids may hold 2 DeviceId, not 3"),
        ({"bare": ((),)}, "bare has a device without identifiers, at 0"),
        ({"devices": [IMEI] * 3}, "devices may hold 2 DeviceIds, not 3"),
        ({"fields": ()}, "fields must hold 1 CustomField or more, not 0"),
        ({"colors": ("red",)}, "colors must hold Color only, not str"),
        ({"objects": ("red",)}, "objects must hold dict only, not str"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_annotation_has_a_check_whose_error_names_the_field(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Order(**given)
    assert str(caught.value).startswith(f"Order: {said}")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"maybe_empty": ""},
        {"short": "abc", "secret": Secret("abc"), "number": 0, "bounded": 5, "flag": False, "color": Color("blue")},
        {"when": datetime(2026, 1, 31, tzinfo=UTC), "update": "a", "words": ("a",), "ids": (IMEI,)},
        {"bare": ((IMEI,),), "devices": [IMEI], "objects": ({},), "colors": (Color.RED,)},
    ],
)
def test_fitting_values_and_defaults_pass(given: dict[str, Any]) -> None:
    Order(**given)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Cancellation(Order):
    reason: str


def test_inherited_fields_are_checked_and_the_error_names_the_subclass() -> None:
    with pytest.raises(InvalidRequest, match=r"^Cancellation: account_name must not be empty"):
        Cancellation(reason="x", account_name="")


def test_limits_do_not_change_the_request_body() -> None:
    assert codec.dump(Order(short="ab", devices=[IMEI], bounded=2)) == (
        b'{"short":"ab","bounded":2,"devices":[{"deviceIds":[{"id":"490154203237518","kind":"imei"}]}]}'
    )


def test_a_fields_own_validator_replaces_that_of_its_annotation() -> None:
    def anything(*_: Any) -> None: ...

    @attrs.frozen(kw_only=True, field_transformer=checked)
    class Free:
        word: str = attrs.field(validator=anything)

    assert Free(word="").word == ""


def test_annotations_are_resolved_at_the_first_check_and_not_before() -> None:
    @attrs.frozen(kw_only=True, field_transformer=checked)
    class Late:
        word: NotThereYet | None = None  # type: ignore[name-defined]  # noqa: F821

    Late()
    with pytest.raises(NameError):
        Late(word="a")


@pytest.mark.parametrize("annotation", [int | str, Callable[[], None], Any])
def test_an_annotation_without_a_check_is_refused_and_named(annotation: Any) -> None:
    with pytest.raises(TypeError, match="give the field a validator"):
        validator_for(annotation)
