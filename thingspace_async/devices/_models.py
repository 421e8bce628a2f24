"""What requests about devices share: the devices by name, what they have in common, or one and a span of time."""

from __future__ import annotations

from datetime import datetime

import attrs

from thingspace_async import _checks
from thingspace_async._types import CustomField, DeviceId, DeviceIds, to_custom_fields, to_devices

__all__ = ["ChosenDevices", "DeviceInTime", "FilteredDevices", "ServedDevices"]


@attrs.frozen(kw_only=True)
class ChosenDevices:
    """Devices that are named, or all of an account."""

    # Here and below None by default, and not (): what happens to be empty is refused, where it would mean the whole
    # account.
    devices: tuple[DeviceIds, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_devices), validator=_checks.devices()
    )
    """At most 10,000, by one identifier each."""
    account_name: str | None = attrs.field(default=None, validator=_checks.text)
    """Alone, it means all devices of the account. Needed by users with several accounts."""


@attrs.frozen(kw_only=True)
class FilteredDevices(ChosenDevices):
    """Devices that are named, or that match everything else that is given; never both."""

    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    """Only devices of this group; not together with `devices`."""
    custom_fields: tuple[CustomField, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_custom_fields), validator=_checks.custom_fields
    )
    """Only devices with all of these; not together with `devices`."""


@attrs.frozen(kw_only=True)
class ServedDevices(FilteredDevices):
    """Devices that are named, or that match everything else that is given, their plan included; never both."""

    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    """Only devices with the plan of this code; not together with `devices`."""

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "devices", "account_name", "group_name", "service_plan", "custom_fields")
        _checks.exclusive(self, "devices", "group_name", "service_plan", "custom_fields")


@attrs.frozen(kw_only=True)
class DeviceInTime:
    """One device, and the time that is asked about."""

    device_id: DeviceId = attrs.field(validator=_checks.device_id)
    earliest: datetime = attrs.field(validator=_checks.zoned)
    """Needs a time zone."""
    latest: datetime = attrs.field(validator=_checks.zoned)
    """Needs a time zone."""

    def __attrs_post_init__(self) -> None:
        _checks.in_order(self, "earliest", "latest")
