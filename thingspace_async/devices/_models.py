"""Base classes of device requests: a list of devices, filters, or one device and a time span."""

from __future__ import annotations

from datetime import datetime

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model
from thingspace_async._core.types import CustomField, DeviceId, DeviceIds, to_custom_fields, to_device_id, to_devices

__all__ = ["ChosenDevices", "DeviceInTime", "FilteredDevices", "ServedDevices"]


@attrs.frozen(kw_only=True, field_transformer=checked)
class ChosenDevices(Model):
    """The devices of a request: `devices`, or all devices of an account."""

    # Here and in the subclasses the default is None instead of (). An empty collection would select the whole account,
    # so it is refused.
    devices: tuple[DeviceIds, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(to_devices))
    """At most 10,000 devices, one identifier each."""
    account_name: str | None = None
    """Selects all devices of the account if given alone. Required for users with several accounts."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class FilteredDevices(ChosenDevices):
    """The devices of a request: either `devices`, or the filters (`account_name` may accompany both)."""

    group_name: str | None = None
    """Select devices of this group. Not allowed with `devices`."""
    custom_fields: tuple[CustomField, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_custom_fields)
    )
    """Select devices that have all of these values. Not allowed with `devices`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ServedDevices(FilteredDevices):
    """The devices of a request, with `service_plan` as a further filter."""

    service_plan: str | None = None
    """Select devices with this plan code. Not allowed with `devices`."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "devices", "account_name", "group_name", "service_plan", "custom_fields")
        checks.exclusive(self, "devices", "group_name", "service_plan", "custom_fields")


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceInTime(Model):
    """One device and a time span."""

    device_id: DeviceId = attrs.field(converter=to_device_id)
    """The device, by any identifier that it has now."""
    earliest: datetime
    """Start of the span, with a time zone."""
    latest: datetime
    """End of the span, with a time zone."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "earliest", "latest")
