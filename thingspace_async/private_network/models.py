"""Models of private networks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import attrs

from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import DeviceId, DeviceIds, Identified, as_tuple, to_device_ids, to_devices

__all__ = [
    "ChangeIpAddressRequest",
    "ChangeProfileRequest",
    "DeviceAddress",
    "Kpi",
    "Kpis",
    "PerformanceConsent",
    "PrivateActivateRequest",
    "PrivateDeactivateRequest",
    "PrivateProfile",
    "PrivateProfiles",
    "ProfileChoice",
]


@attrs.frozen(kw_only=True, field_transformer=checked)
class ProfileChoice(Model):
    """The profile that devices get."""

    profile: str
    """Name of a profile, from `session.private_network.profiles`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PrivateActivateRequest(Model):
    """Devices to put into service in the private network."""

    account_name: str
    """Account of the devices."""
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, metadata=named_on_wire("deviceList"))
    """One identifier of each device is enough."""
    activate: ProfileChoice
    """The profile of the devices."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PrivateDeactivateRequest(Model):
    """Devices to take out of service in the private network."""

    account_name: str
    """Account of the devices."""
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, metadata=named_on_wire("deviceList"))
    """One identifier of each device is enough."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ChangeProfileRequest(Model):
    """Devices that get another profile."""

    account_name: str
    """Account of the devices."""
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, metadata=named_on_wire("deviceList"))
    """One identifier of each device is enough."""
    new_profile: str
    """Name of a profile, from `session.private_network.profiles`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceAddress(Identified, Model):
    """A device and its new IP address."""

    device_ids: tuple[DeviceId, ...] = attrs.field(converter=to_device_ids)
    """The device. One identifier is enough."""
    ip_address: str
    """The new static address."""


def to_addresses(given: Iterable[DeviceAddress]) -> tuple[DeviceAddress, ...]:
    """Convert devices with addresses. The validator refuses other values."""
    addresses: tuple[DeviceAddress, ...] = as_tuple(given)
    return addresses


@attrs.frozen(kw_only=True, field_transformer=checked)
class ChangeIpAddressRequest(Model):
    """Devices that get other IP addresses."""

    account_name: str
    """Account of the devices."""
    devices: tuple[DeviceAddress, ...] = attrs.field(converter=to_addresses, metadata=named_on_wire("deviceList"))
    """Devices, each with its new address."""


@attrs.frozen(kw_only=True)
class PrivateProfile(Model):
    """A profile for devices of the private network."""

    profile_id: str | None = None
    profile_name: str | None = None
    """The name that requests need, such as `HSS EsmProfile Enterprise 5G`."""


@attrs.frozen(kw_only=True)
class PrivateProfiles(Model):
    """The profiles of an account."""

    profiles: tuple[PrivateProfile, ...] = ()


@attrs.frozen(kw_only=True)
class Kpi(Model):
    """A measured value of a node of the private network."""

    name: str | None = None
    """For example `DOWNLINK_THROUGHPUT`."""
    value: str | None = None
    """The number, as a string."""
    unit: str | None = None
    """For example `Mbps`."""
    node_name: str | None = None
    node_type: str | None = None
    """For example `BASEBAND`."""
    description: str | None = None
    category: str | None = None
    """For example `Network Performance Radio`."""
    time_of_last_update: datetime | None = None


@attrs.frozen(kw_only=True)
class Kpis(Model):
    """The measured values of a private network."""

    kpis: tuple[Kpi, ...] = attrs.field(default=(), metadata=named_on_wire("KpiInfoList"))


@attrs.frozen(kw_only=True)
class PerformanceConsent(Model):
    """Whether the account lets Verizon measure the performance of its private network."""

    consent: str | None = None
    """`true` or `false`, as a string."""

    @property
    def is_given(self) -> bool:
        """Whether the account has consented."""
        return (self.consent or "").casefold() == "true"
