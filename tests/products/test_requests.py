"""Every model of a request refuses what its fields cannot be, before anything is sent, and says which field it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import attrs
import pytest

from tests import filled
from tests.surface.rooms import PRODUCTS, room
from thingspace_async import _codec
from thingspace_async._types import UNSET, CustomField, DeviceId, DeviceIds
from thingspace_async.errors import InvalidRequest

BY_THEIR_OWNER = {CustomField, DeviceId, DeviceIds}
"""Models that are in answers, too; what holds them in a request checks them."""

WRONG: tuple[Any, ...] = (
    *(None, 5, -1, 1.5, True, b"x", object()),
    *("", "x'", "a<b", "a\\b", "a\nb", "a\0b"),
    *([], (), {}, [[]], ([],), (None,), (5,), ("x'",), [5], [None], [object()], {"id": "1", "kind": "imei"}),
    *((DeviceIds(device_ids=()),), (DeviceId.imei("1"),), DeviceId.imei("1"), (CustomField(key="x", value="y"),)),
)


def _models(kind: Any) -> Iterator[type]:
    """Yield the models that a type is or holds."""
    inner, _ = _codec._without_none(kind)
    if attrs.has(inner) and inner not in BY_THEIR_OWNER:
        yield inner
        for field in _codec._fields(inner):
            yield from _models(field.type)
    for part in get_args(inner):
        yield from _models(part)


REQUESTS = sorted(
    {model for name in PRODUCTS for operation in room(name).OPERATIONS for model in _models(operation.request)},
    key=lambda model: (model.__module__, model.__name__),
)

FIELDS = [(model, field) for model in REQUESTS for field in _codec._fields(model)]


def _named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(getattr(value, "name", value))


@pytest.mark.parametrize(("model", "field"), FIELDS, ids=_named)
def test_a_field_takes_only_what_it_can_send_and_names_itself_when_it_refuses(
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
            assert _codec.load(_codec.dump(made), model) == made
    assert len(refusals) > len(WRONG) / 2
    assert [said for said in refusals if not said.startswith(f"{model.__name__}: ") or not said.isprintable()] == []


@pytest.mark.parametrize("model", REQUESTS, ids=_named)
def test_the_least_and_the_most_that_a_request_can_hold_is_read_as_it_was_written(model: type) -> None:
    for made in (filled.smallest(model), *filled.instances(model)):
        assert _codec.load(_codec.dump(made), model) == made
        assert UNSET not in attrs.astuple(made, recurse=False)
