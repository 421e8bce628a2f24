"""Models of eSIM profiles."""

from __future__ import annotations

from typing import Annotated, Any

import attrs

from thingspace_async._core.checked import Count, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.models import PlaceOfUse
from thingspace_async._core.types import DeviceId, DeviceIds, SomeDevices, to_devices

__all__ = [
    "ActivateAndEnableRequest",
    "ActivateProfileRequest",
    "ChangeProfileRequest",
    "DeactivateProfileRequest",
    "DownloadProfileRequest",
    "GlobalFallbackRequest",
    "ProfileChangeStateRequest",
    "RenewActivationCodeRequest",
    "SetFallbackAttributeRequest",
    "SuspendProfileRequest",
]

_MOST_DEVICES = 100
"""Limit of lists of eUICC devices in the platform's documents (PROTOCOL.md 4.4)."""

# The SDKs leave the account out of some of these requests. The platform's pages require it in all of them.


@attrs.frozen(kw_only=True, field_transformer=checked)
class ActivateProfileRequest(Model):
    """Devices to activate."""

    account_name: str
    """Account of the devices."""
    devices: Annotated[tuple[DeviceIds, ...], Count(most=_MOST_DEVICES)] = attrs.field(converter=to_devices)
    """1 to 100 devices, each by EID and IMEI. A device that is activated again also needs its ICCID."""
    carrier_name: str | None = None
    """Carrier that provides the service. Default: `Verizon Wireless`."""
    service_plan: str | None = None
    """Code of a plan that `session.accounts.service_plans` lists."""
    mdn_zip_code: str | None = None
    """Five-digit ZIP code where the device will mostly be used. The platform assigns a number from that area."""
    # The SDKs have a list of parts, each with lists. The page's table and sample have an object, as for other devices:
    # https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/activate-device/
    primary_place_of_use: PlaceOfUse | None = None
    """Who uses the devices, and where."""
    # One of three SDK models spells this smrsOid. All pages and the other models spell it smsrOid.
    smsr_oid: str | None = None
    """Object identifier of the system that routes to the eUICC, such as `1.3.6.1.4.1.31746.1.500.200.101.5`."""
    carrier_ip_pool_name: str | None = None
    """Pool that provides the IP addresses."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ActivateAndEnableRequest(Model):
    """Devices to activate, and whose profile to enable."""

    account_name: str
    """Account of the devices."""
    devices: Annotated[tuple[DeviceIds, ...], Count(most=_MOST_DEVICES)] = attrs.field(converter=to_devices)
    """1 to 100 devices."""
    service_plan: str | None = None
    """Code of a plan that `session.accounts.service_plans` lists."""
    mdn_zip_code: str | None = None
    """Five-digit ZIP code."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeactivateProfileRequest(Model):
    """Devices to deactivate."""

    account_name: str
    """Account of the devices."""
    # Two SDK models call a device's identifiers `ids` here. All samples and all other requests call them `deviceIds`:
    # https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/api-reference/deactivate-device.html
    devices: Annotated[tuple[DeviceIds, ...], Count(most=_MOST_DEVICES)] = attrs.field(converter=to_devices)
    """1 to 100 devices, each by EID and ICCID."""
    reason_code: str | None = None
    """`FF`, the only value for other devices. Some of the platform's documents require it."""
    service_plan: str | None = None
    """Plan code of the devices."""
    carrier_name: str | None = None
    """Carrier of the devices."""
    etf_waiver: bool | None = None
    """Whether to waive the early termination fee. The SDKs send true."""
    check_fallback_profile: bool | None = None
    """Whether to check that a fallback profile is enabled."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DownloadProfileRequest(Model):
    """Devices that download a profile."""

    account_name: str
    """Account of the devices."""
    # The default is None instead of (). An empty list is refused, because its meaning is not documented.
    devices: Annotated[tuple[DeviceIds, ...] | None, Count(most=_MOST_DEVICES)] = attrs.field(
        default=None, converter=attrs.converters.optional(to_devices)
    )
    """At most 100 devices, each by EID, ICCID and IMEI. The platform's pages require it. SDKs and samples do not."""
    service_plan: str | None = None
    """Plan of the network that the profile belongs to."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ChangeProfileRequest(Model):
    """Devices whose profile to enable, download and enable, or delete."""

    account_name: str
    """Account of the devices."""
    devices: Annotated[tuple[DeviceIds, ...], Count(most=_MOST_DEVICES)] = attrs.field(converter=to_devices)
    """1 to 100 devices, each by EID and ICCID. Samples for global profiles have no devices, but do not explain why."""
    service_plan: str | None = None
    """For global profiles: plan of the network that the profile belongs to."""
    smsr_oid: str | None = None
    """Object identifier of the system that routes to the eUICC. Required for local profiles."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ProfileChangeStateRequest(Model):
    """Devices whose local profile to disable, or to download and leave disabled."""

    account_name: str
    """Account of the devices."""
    devices: Annotated[tuple[DeviceIds, ...], Count(most=_MOST_DEVICES)] = attrs.field(converter=to_devices)
    """1 to 100 devices, each by EID and ICCID."""
    smsr_oid: str
    """Object identifier of the system that routes to the eUICC, such as `1.3.6.1.4.1.31746.1.500.200.101.5`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class SuspendProfileRequest(Model):
    """Profiles or devices to suspend or resume: profiles by ICCID, whole devices by EID."""

    account_name: str
    """Account of the devices."""
    devices: Annotated[tuple[DeviceIds, ...], Count(most=_MOST_DEVICES)] = attrs.field(converter=to_devices)
    """1 to 100 profiles or devices."""
    service_plan: str | None = None
    """Plan of the network that the profile belongs to."""
    mdn_zip_code: str | None = None
    """Five-digit ZIP code."""
    # The only SDK model of these requests spells it smrsOid. The platform's pages do not have this field.
    smsr_oid: str | None = attrs.field(default=None, metadata=named_on_wire("smrsOid"))
    """Object identifier of the system that routes to the eUICC."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class SetFallbackAttributeRequest(Model):
    """Devices whose fallback profile to set."""

    account_name: str
    """Account of the devices."""
    devices: Annotated[tuple[DeviceIds, ...], Count(most=_MOST_DEVICES)] = attrs.field(converter=to_devices)
    """1 to 100 devices, each by EID, ICCID and IMEI."""
    carrier_name: str | None = None
    """Carrier of the devices."""


def to_identifiers(given: SomeDevices) -> tuple[tuple[DeviceId, ...], ...]:
    """Convert devices to lists of identifiers. The validator refuses values that cannot be converted."""
    devices: Any = to_devices(given)
    if not isinstance(devices, tuple):
        return devices  # type: ignore[no-any-return]
    return tuple(one.device_ids if isinstance(one, DeviceIds) else one for one in devices)


@attrs.frozen(kw_only=True, field_transformer=checked)
class GlobalFallbackRequest(Model):
    """Devices whose global fallback profile to set."""

    account_name: str
    """Account of the devices."""
    # A list of lists, without `deviceIds`; some SDKs nest a third list.
    devices: Annotated[tuple[tuple[DeviceId, ...], ...], Count(most=_MOST_DEVICES)] = attrs.field(
        converter=to_identifiers
    )
    """1 to 100 devices, each by EID, ICCID and IMEI."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class RenewActivationCodeRequest(Model):
    """Deactivated devices that need a new activation code."""

    account_name: str
    """Account of the devices."""
    devices: Annotated[tuple[DeviceIds, ...], Count(most=_MOST_DEVICES)] = attrs.field(converter=to_devices)
    """1 to 100 devices, each by EID and ICCID."""
    service_plan: str | None = None
    """Plan code of the devices."""
    mdn_zip_code: str | None = None
    """Five-digit ZIP code."""
