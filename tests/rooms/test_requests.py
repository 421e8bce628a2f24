"""Every request model refuses invalid values before anything is sent, and names the field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import attrs
import pytest

from tests import filled
from tests.surface.rooms import PRODUCTS, room
from thingspace_async._core import codec
from thingspace_async._core.types import UNSET, CustomField, DeviceId, DeviceIds
from thingspace_async.errors import InvalidRequest
from thingspace_async.software import TimeWindow
from thingspace_async.software.v2 import ConfigurationFileUpload
from thingspace_async.triggers import SmsNumber
from thingspace_async.v2x.geofences import Area

BY_THEIR_OWNER = {Area, CustomField, DeviceId, DeviceIds, SmsNumber, TimeWindow}
"""Models that answers contain too. The request model that contains them checks them."""

NOT_JSON = {ConfigurationFileUpload}
"""Requests that are sent in parts. They have tests of their own."""

WRONG: tuple[Any, ...] = (
    *(None, 5, -1, 1.5, True, b"x", object()),
    *("", "x'", "a<b", "a\\b", "a\nb", "a\0b"),
    *([], (), {}, [[]], ([],), (None,), (5,), ("x'",), [5], [None], [object()], {"id": "1", "kind": "imei"}),
    *(
        (DeviceIds(device_ids=()),),
        (DeviceId.imei("49015420323751"),),
        DeviceId.imei("49015420323751"),
        (CustomField(key="x", value="y"),),
    ),
)


def _models(kind: Any) -> Iterator[type]:
    """Yield the models that a type is or contains."""
    inner, _ = codec.without_none(kind)
    if attrs.has(inner) and inner not in BY_THEIR_OWNER | NOT_JSON:
        for arm in filled.arms(inner):
            yield arm
            for field in codec.fields_of(arm):
                yield from _models(field.type)
    for part in get_args(inner):
        yield from _models(part)


REQUESTS = sorted(
    {model for name in PRODUCTS for operation in room(name).OPERATIONS for model in _models(operation.request)},
    key=lambda model: (model.__module__, model.__name__),
)

FIELDS = [(model, field) for model in REQUESTS for field in codec.fields_of(model)]


def _named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(getattr(value, "name", value))


@pytest.mark.parametrize(("model", "field"), FIELDS, ids=_named)
def test_a_field_accepts_only_values_that_can_be_sent_and_its_error_names_it(
    model: type, field: attrs.Attribute[Any]
) -> None:
    assert field.validator is not None
    others = {name: filled.choices(model, name)[0] for name in filled.shapes_of(model)[0] if name != field.alias}
    refusals: list[str] = []
    for wrong in WRONG:
        try:
            made = model(**others, **{str(field.alias): wrong})
        except InvalidRequest as refusal:
            refusals.append(str(refusal))
        else:
            assert codec.load(codec.dump(made), model) == made
    assert len(refusals) > len(WRONG) / 2
    assert [said for said in refusals if not said.startswith(f"{model.__name__}: ") or not said.isprintable()] == []


@pytest.mark.parametrize("model", REQUESTS, ids=_named)
def test_the_smallest_and_the_fullest_request_survive_writing_and_reading(model: type) -> None:
    for made in (filled.smallest(model), *filled.instances(model)):
        assert codec.load(codec.dump(made), model) == made
        assert UNSET not in attrs.astuple(made, recurse=False)
