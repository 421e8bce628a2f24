"""Wire names of Sensor Insights, which writes most names in lower case: `billingaccountid`."""

from __future__ import annotations

from typing import Any

import attrs

from thingspace_async._core.checked import checked
from thingspace_async._core.codec import named_on_wire

__all__ = ["checked_low", "low"]


def low(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Give each field without a wire name its own name in lower case. Use as `field_transformer` of attrs."""
    return [
        field if "wire" in field.metadata else field.evolve(metadata=named_on_wire(field.name.replace("_", "")))
        for field in fields
    ]


def checked_low(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Do what `checked` and `low` do, for models of requests."""
    return low(cls, checked(cls, fields))
