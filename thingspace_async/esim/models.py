"""Models of eSIM profiles."""

from __future__ import annotations

from typing import Any

import attrs

from thingspace_async import _checks
from thingspace_async._codec import wire
from thingspace_async._models import PlaceOfUse
from thingspace_async._types import DeviceId, DeviceIds, SomeDevices, to_devices

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
"""What the platform's documents allow in a list of eUICC devices (protocol.md 4.4)."""

# The SDKs leave the account out of some of these requests; the platform's pages require it in all of them.


@attrs.frozen(kw_only=True)
class ActivateProfileRequest:
    """Which devices to activate, and with what."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices(most=_MOST_DEVICES))
    """1 to 100; each by EID and IMEI, and by ICCID as well when it is activated again."""
    carrier_name: str | None = attrs.field(default=None, validator=_checks.text)
    """`Verizon Wireless` when it is left out."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    mdn_zip_code: str | None = attrs.field(default=None, validator=_checks.text)
    """Five digits; where the device will mostly be used, which its phone number follows from."""
    # The SDKs have a list of parts, each with lists. The page's table and sample have an object, as for other devices:
    # https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/activate-device/
    primary_place_of_use: PlaceOfUse | None = attrs.field(default=None, validator=_checks.instance(PlaceOfUse))
    # One of three SDK models spells it smrsOid, all pages and the other models smsrOid.
    smsr_oid: str | None = attrs.field(default=None, validator=_checks.text)
    """The object identifier of the system that routes to the eUICC, such as `1.3.6.1.4.1.31746.1.500.200.101.5`."""
    carrier_ip_pool_name: str | None = attrs.field(default=None, validator=_checks.text)


@attrs.frozen(kw_only=True)
class ActivateAndEnableRequest:
    """Which devices to activate and to bring under the control of a profile."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices(most=_MOST_DEVICES))
    """1 to 100."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    mdn_zip_code: str | None = attrs.field(default=None, validator=_checks.text)
    """Five digits."""


@attrs.frozen(kw_only=True)
class DeactivateProfileRequest:
    """Which devices to deactivate."""

    account_name: str = attrs.field(validator=_checks.text)
    # Two SDK models call a device's identifiers `ids` here; every page's sample, and all other requests, `deviceIds`:
    # https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/api-reference/deactivate-device.html
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices(most=_MOST_DEVICES))
    """1 to 100; each by EID and ICCID."""
    reason_code: str | None = attrs.field(default=None, validator=_checks.text)
    """`FF`, the only value that deactivations of other devices know. Some of the platform's documents require it."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    carrier_name: str | None = attrs.field(default=None, validator=_checks.text)
    etf_waiver: bool | None = attrs.field(default=None, validator=_checks.flag)
    """Whether to waive the early termination fee; the platform's SDKs send true."""
    check_fallback_profile: bool | None = attrs.field(default=None, validator=_checks.flag)
    """Whether to check that a fallback profile is enabled."""


@attrs.frozen(kw_only=True)
class DownloadProfileRequest:
    """Which devices are to download a profile."""

    account_name: str = attrs.field(validator=_checks.text)
    # None by default, and not (): a list that happens to be empty is refused, as nobody knows what it would mean.
    devices: tuple[DeviceIds, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_devices), validator=_checks.devices(most=_MOST_DEVICES)
    )
    """At most 100, each by EID, ICCID and IMEI; the platform's pages require it, its SDKs and samples do not."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)


@attrs.frozen(kw_only=True)
class ChangeProfileRequest:
    """Whose profiles to enable, download and enable, or delete."""

    account_name: str = attrs.field(validator=_checks.text)
    # None by default, and not (): a list that happens to be empty is refused, as nobody knows what it would mean.
    devices: tuple[DeviceIds, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_devices), validator=_checks.devices(most=_MOST_DEVICES)
    )
    """At most 100, each by EID and ICCID; the platform's pages require it, samples for global profiles do without."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    """For global profiles: the plan of the network that the profile is of."""
    smsr_oid: str | None = attrs.field(default=None, validator=_checks.text)
    """For local profiles, which need it: the object identifier of the system that routes to the eUICC."""


@attrs.frozen(kw_only=True)
class ProfileChangeStateRequest:
    """Whose local profiles to disable, or to download and leave disabled."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices(most=_MOST_DEVICES))
    """1 to 100, each by EID and ICCID."""
    smsr_oid: str = attrs.field(validator=_checks.text)
    """The object identifier of the system that routes to the eUICC, such as `1.3.6.1.4.1.31746.1.500.200.101.5`."""


@attrs.frozen(kw_only=True)
class SuspendProfileRequest:
    """What to suspend or to resume: profiles by their ICCID, whole devices by their EID."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices(most=_MOST_DEVICES))
    """1 to 100."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    """The plan of the network that the profile is of."""
    mdn_zip_code: str | None = attrs.field(default=None, validator=_checks.text)
    """Five digits."""
    # So in the only model of these requests; their pages have no such field, so that nothing outvotes it.
    smsr_oid: str | None = attrs.field(default=None, validator=_checks.text, metadata=wire("smrsOid"))
    """The object identifier of the system that routes to the eUICC."""


@attrs.frozen(kw_only=True)
class SetFallbackAttributeRequest:
    """Whose profiles to fall back on."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices(most=_MOST_DEVICES))
    """1 to 100, each by EID, ICCID and IMEI."""
    carrier_name: str | None = attrs.field(default=None, validator=_checks.text)


def to_identifiers(given: SomeDevices) -> tuple[tuple[DeviceId, ...], ...]:
    """Convert what a caller names devices by; what cannot be converted is left for the validator to refuse."""
    devices: Any = to_devices(given)
    if not isinstance(devices, tuple):
        return devices  # type: ignore[no-any-return]
    return tuple(one.device_ids if isinstance(one, DeviceIds) else one for one in devices)


@attrs.frozen(kw_only=True)
class GlobalFallbackRequest:
    """Whose global profiles to fall back on."""

    account_name: str = attrs.field(validator=_checks.text)
    # A list of lists, without `deviceIds`; some SDKs nest a third list.
    devices: tuple[tuple[DeviceId, ...], ...] = attrs.field(
        converter=to_identifiers, validator=_checks.lists_of_device_ids(most=_MOST_DEVICES)
    )
    """1 to 100, each by EID, ICCID and IMEI."""


@attrs.frozen(kw_only=True)
class RenewActivationCodeRequest:
    """Which deactivated devices need a new activation code."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices(most=_MOST_DEVICES))
    """1 to 100; each by EID and ICCID."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    mdn_zip_code: str | None = attrs.field(default=None, validator=_checks.text)
    """Five digits."""
