"""Models of device groups."""

from __future__ import annotations

from typing import Annotated

import attrs

from thingspace_async._core.checked import Length, checked
from thingspace_async._core.codec import Model
from thingspace_async._core.types import DeviceId, DeviceIds, ExtendedAttribute, to_device_ids

__all__ = ["CreateDeviceGroupRequest", "DeviceGroup", "DeviceGroupDevicesData", "DeviceGroupUpdateRequest"]


@attrs.frozen(kw_only=True, field_transformer=checked)
class CreateDeviceGroupRequest(Model):
    """A new group."""

    account_name: str
    """Account of the group."""
    group_name: str
    """Name of the group, unique in its account."""
    group_description: str
    """Description for people."""
    devices_to_add: tuple[DeviceId, ...] = attrs.field(default=(), converter=to_device_ids)
    """One identifier of each device. The devices leave their present groups."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceGroupUpdateRequest(Model):
    """Changes to a group. Fields that are not given keep their values."""

    new_group_name: str | None = None
    """Name of the group, unique in its account."""
    new_group_description: Annotated[str | None, Length(least=0)] = None
    """May be empty, as on the platform's page."""
    devices_to_add: tuple[DeviceId, ...] = attrs.field(default=(), converter=to_device_ids)
    """One identifier of each device. The devices leave their present groups."""
    devices_to_remove: tuple[DeviceId, ...] = attrs.field(default=(), converter=to_device_ids)
    """One identifier of each device. The devices return to the account's default group."""


@attrs.frozen(kw_only=True)
class DeviceGroup(Model):
    """A group of an account."""

    name: str | None = None
    description: str | None = None
    is_default_group: bool | None = None
    """Whether this group holds the devices that are in no other group. The default group cannot be deleted."""
    extended_attributes: tuple[ExtendedAttribute, ...] = ()


@attrs.frozen(kw_only=True)
class DeviceGroupDevicesData(Model):
    """A group and one page of its devices."""

    name: str | None = None
    description: str | None = None
    devices: tuple[DeviceIds, ...] = ()
    has_more_data: bool | None = None
    next: int | None = None
    """Pass this to `members_page` to request the next page. It comes from the answer's Location header."""
