"""Models of device groups."""

from __future__ import annotations

import attrs

from thingspace_async import _checks
from thingspace_async._types import DeviceId, DeviceIds, ExtendedAttribute, to_device_ids

__all__ = ["CreateDeviceGroupRequest", "DeviceGroup", "DeviceGroupDevicesData", "DeviceGroupUpdateRequest"]


@attrs.frozen(kw_only=True)
class CreateDeviceGroupRequest:
    """A group to be."""

    account_name: str = attrs.field(validator=_checks.text)
    group_name: str = attrs.field(validator=_checks.text)
    """No other group of the account may have it."""
    group_description: str = attrs.field(validator=_checks.text)
    devices_to_add: tuple[DeviceId, ...] = attrs.field(
        default=(), converter=to_device_ids, validator=_checks.device_ids(least=0)
    )
    """One identifier of each; they leave the groups that they are in."""


@attrs.frozen(kw_only=True)
class DeviceGroupUpdateRequest:
    """What to change of a group; what is not given stays as it is."""

    new_group_name: str | None = attrs.field(default=None, validator=_checks.text)
    """No other group of the account may have it."""
    new_group_description: str | None = attrs.field(default=None, validator=_checks.text_or_empty)
    """May be empty, as the platform's page shows groups whose description is."""
    devices_to_add: tuple[DeviceId, ...] = attrs.field(
        default=(), converter=to_device_ids, validator=_checks.device_ids(least=0)
    )
    """One identifier of each; they leave the groups that they are in."""
    devices_to_remove: tuple[DeviceId, ...] = attrs.field(
        default=(), converter=to_device_ids, validator=_checks.device_ids(least=0)
    )
    """One identifier of each; they return to the account's default group."""


@attrs.frozen(kw_only=True)
class DeviceGroup:
    """A group of an account."""

    name: str | None = None
    description: str | None = None
    is_default_group: bool | None = None
    """Whether it holds the devices that are in no other group; it cannot be deleted."""
    extended_attributes: tuple[ExtendedAttribute, ...] = ()


@attrs.frozen(kw_only=True)
class DeviceGroupDevicesData:
    """A group and one page of its devices."""

    name: str | None = None
    description: str | None = None
    devices: tuple[DeviceIds, ...] = ()
    has_more_data: bool | None = None
    next: int | None = None
    """What to ask the following page with; read from the answer's Location header."""
