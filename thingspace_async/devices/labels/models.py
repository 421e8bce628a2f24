"""Models of usage segmentation labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import attrs

from thingspace_async._core.checked import Count, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import DeviceIds, as_tuple, to_devices

__all__ = ["AccountLabels", "AssociateLabelRequest", "DeviceLabel", "LabelList"]

_MOST: Final = 50


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceLabel(Model):
    """A usage segmentation label."""

    name: str
    """Name of the label, such as `VIN`. The platform's page allows 20 characters."""
    value: str
    """Value of the label. The platform's page allows 50 characters."""


def to_labels(given: Iterable[DeviceLabel]) -> tuple[DeviceLabel, ...]:
    """Convert labels."""
    found: tuple[DeviceLabel, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountLabels(Model):
    """Devices, and labels to put on them."""

    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices)
    """Devices. The platform's page names only EIDs here."""
    label: Annotated[tuple[DeviceLabel, ...], Count(most=_MOST)] = attrs.field(default=(), converter=to_labels)
    """At most 50 labels."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class AssociateLabelRequest(Model):
    """Labels to put on devices of an account."""

    account_name: str
    """Account of the devices."""
    labels: AccountLabels
    """Devices, and labels to put on them."""

    @property
    def devices(self) -> tuple[DeviceIds, ...]:
        """Devices to put the labels on."""
        return self.labels.devices


@attrs.frozen(kw_only=True, field_transformer=checked)
class LabelList(Model):
    """Labels to remove from all devices of an account."""

    labels: Annotated[tuple[DeviceLabel, ...], Count(most=_MOST)] = attrs.field(
        metadata=named_on_wire("deviceIds"), converter=to_labels
    )
    """At most 50 labels, although the documents call the field `deviceIds`."""
