"""Models of usage segmentation labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from thingspace_async import _checks
from thingspace_async._codec import wire
from thingspace_async._types import DeviceIds, as_tuple, to_devices

__all__ = ["AccountLabels", "AssociateLabelRequest", "DeviceLabel", "LabelList"]

_MOST: Final = 50


@attrs.frozen(kw_only=True)
class DeviceLabel:
    """A label by which the usage of devices can be told apart."""

    name: str = attrs.field(validator=_checks.text)
    """Such as `VIN`; the platform's page says 20 characters at most."""
    value: str = attrs.field(validator=_checks.text)
    """The platform's page says 50 characters at most."""


def to_labels(given: Iterable[DeviceLabel]) -> tuple[DeviceLabel, ...]:
    """Convert labels."""
    found: tuple[DeviceLabel, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True)
class AccountLabels:
    """Labels, and the devices that are to bear them."""

    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices())
    """The platform's page knows EIDs alone here."""
    label: tuple[DeviceLabel, ...] = attrs.field(
        default=(), converter=to_labels, validator=_checks.instances(DeviceLabel, most=_MOST)
    )
    """At most 50."""


@attrs.frozen(kw_only=True)
class AssociateLabelRequest:
    """Labels to put on devices of an account."""

    account_name: str = attrs.field(validator=_checks.text)
    labels: AccountLabels = attrs.field(validator=_checks.instance(AccountLabels))


@attrs.frozen(kw_only=True)
class LabelList:
    """Labels to take off the devices that bear them."""

    labels: tuple[DeviceLabel, ...] = attrs.field(
        metadata=wire("deviceIds"), converter=to_labels, validator=_checks.instances(DeviceLabel, least=1, most=_MOST)
    )
    """At most 50. What the documents call it on the wire does not say so, but it holds labels."""
