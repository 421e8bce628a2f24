"""Models of what changes the service of devices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from thingspace_async import _checks
from thingspace_async._models import PlaceOfUse
from thingspace_async._types import CustomField, DeviceId, DeviceIds, to_custom_fields, to_device_ids, to_devices
from thingspace_async.devices._models import FilteredDevices, ServedDevices

__all__ = [
    "ActivateRequest",
    "AvailabilityRequest",
    "ChangeDeviceIdRequest",
    "CheckOrderStatusRequest",
    "DeactivateRequest",
    "DeviceFilter",
    "DeviceFilterWithoutAccount",
    "DeviceUploadRequest",
    "GoToStateRequest",
    "MoveDeviceRequest",
    "RestoreRequest",
    "ServicePlanUpdateRequest",
    "SuspendRequest",
    "SuspensionStatusRequest",
    "UploadAndActivateRequest",
]


@attrs.frozen(kw_only=True)
class ActivateRequest:
    """Which devices to put into service, and how."""

    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices())
    """At most 10,000; a 4G device by its IMEI and its ICCID."""
    service_plan: str = attrs.field(validator=_checks.text)
    """The code of the plan that they get, as `session.accounts.service_plans` lists them."""
    mdn_zip_code: str = attrs.field(validator=_checks.text)
    """Where they will mostly be used; their numbers may follow from it."""
    account_name: str | None = attrs.field(default=None, validator=_checks.text)
    """Needed by users with several accounts."""
    carrier_ip_pool_name: str | None = attrs.field(default=None, validator=_checks.text)
    """The pool that their addresses come from; the account's default pool without it."""
    carrier_name: str | None = attrs.field(default=None, validator=_checks.text)
    cost_center_code: str | None = attrs.field(default=None, validator=_checks.text)
    custom_fields: tuple[CustomField, ...] = attrs.field(
        default=(), converter=to_custom_fields, validator=_checks.custom_fields
    )
    """To be written on the devices."""
    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    """The group that they are put into."""
    lead_id: str | None = attrs.field(default=None, validator=_checks.text)
    """A lead that is `Qualified` or `Closed - Won`, for members of Verizon's partner program."""
    primary_place_of_use: PlaceOfUse | None = attrs.field(default=None, validator=_checks.instance(PlaceOfUse))
    """The account's address without it."""
    public_ip_restriction: str | None = attrs.field(default=None, validator=_checks.text)
    """`restricted` or `unrestricted`: whether devices with static public addresses may use the whole internet."""
    sku_number: str | None = attrs.field(default=None, validator=_checks.text)
    """The type of all devices of the request, in place of their IMEIs."""


@attrs.frozen(kw_only=True)
class SuspendRequest(ServedDevices):
    """Which devices to suspend: `devices`, or those that match everything else that is given; never both."""

    with_billing: bool | None = attrs.field(default=None, validator=_checks.flag)
    """Whether they are billed while they are suspended."""


@attrs.frozen(kw_only=True)
class RestoreRequest(ServedDevices):
    """Which devices to restore: `devices`, or those that match everything else that is given; never both."""


@attrs.frozen(kw_only=True)
class DeactivateRequest(FilteredDevices):
    """Which devices to deactivate: `devices`, or those that match everything else that is given; never both.

    `account_name` alone is refused here: it would end the service of the whole account.
    """

    account_name: str = attrs.field(validator=_checks.text)
    """The account that the devices belong to."""
    reason_code: str = attrs.field(validator=_checks.text)
    """`FF`, the only one that the platform takes."""
    etf_waiver: bool | None = attrs.field(default=None, validator=_checks.flag)
    """Whether to use one of the contract's waivers of the early termination fee."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    """Only devices with the plan of this code; not together with `devices`."""
    delete_after_deactivation: bool | None = attrs.field(default=None, validator=_checks.flag)
    """Whether to delete them from the account as well."""

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "devices", "group_name", "service_plan", "custom_fields")
        _checks.exclusive(self, "devices", "group_name", "service_plan", "custom_fields")


@attrs.frozen(kw_only=True)
class ServicePlanUpdateRequest(FilteredDevices):
    """Which plan to change to, and for which devices: `devices`, or those that match the filters; never both."""

    service_plan: str = attrs.field(validator=_checks.text)
    """The code of the new plan, as `session.accounts.service_plans` lists them."""
    current_service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    """Only devices with the plan of this code; not together with `devices`."""
    carrier_ip_pool_name: str | None = attrs.field(default=None, validator=_checks.text)
    """The pool that their addresses come from afterwards."""
    take_effect: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """When to change, rather than at once; how far ahead is not documented."""

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "devices", "account_name", "group_name", "current_service_plan", "custom_fields")
        _checks.exclusive(self, "devices", "group_name", "current_service_plan", "custom_fields")


@attrs.frozen(kw_only=True)
class ChangeDeviceIdRequest:
    """The hardware, SIM or number that a line of service gets in place of its present one."""

    device_ids: tuple[DeviceId, ...] = attrs.field(converter=to_device_ids, validator=_checks.device_ids())
    """One device, as it is now."""
    device_ids_to: tuple[DeviceId, ...] = attrs.field(
        default=(), converter=to_device_ids, validator=_checks.device_ids(least=0)
    )
    """Its new identifiers; needed for each change but that of the number."""
    change4g_option: str | None = attrs.field(default=None, validator=_checks.text)
    """For 4G devices: `ChangeICCID`, `ChangeIMEI`, `ChangeIMEIandICCID`, `ChangeMSISDN` for a new number, `3Gto4G`,
    `4Gto3G` or `ChangeIMEIandEID`."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    """The code of another plan, where the present one does not suit the new hardware."""
    assign_non_geo_mdn: bool | None = attrs.field(default=None, validator=_checks.flag)
    """True for a new number that belongs to no area, False for one that begins with `npa_nxx`."""
    npa_nxx: str | None = attrs.field(default=None, validator=_checks.text)
    """Area code and prefix of the new number, six digits."""
    zip_code: str | None = attrs.field(default=None, validator=_checks.text)
    """Where the device will mostly be used; the new number may follow from it."""
    smsr_oid: str | None = attrs.field(default=None, validator=_checks.text)
    """Needed for `ChangeIMEIandEID`."""


@attrs.frozen(kw_only=True)
class DeviceFilterWithoutAccount:
    """Devices that match everything given. Raises InvalidRequest when nothing is."""

    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    custom_fields: tuple[CustomField, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_custom_fields), validator=_checks.custom_fields
    )

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, *(field.name for field in attrs.fields(type(self))))


@attrs.frozen(kw_only=True)
class DeviceFilter(DeviceFilterWithoutAccount):
    """Devices that match everything given. Raises InvalidRequest when nothing is."""

    account: str | None = attrs.field(default=None, validator=_checks.text)
    """The account that they belong to; alone, it means all its devices."""


@attrs.frozen(kw_only=True)
class GoToStateRequest:
    """Which custom state to put devices into; give `devices`, `filter` or `devices_with_service_address`."""

    service_name: str = attrs.field(validator=_checks.text)
    """A service of the account's own, as `session.accounts.states_and_services` lists them."""
    state_name: str = attrs.field(validator=_checks.text)
    """One of that service's states."""
    service_plan: str = attrs.field(validator=_checks.text)
    """The code of the plan that they have in the new state."""
    mdn_zip_code: str = attrs.field(validator=_checks.text)
    """Where they will mostly be used; their numbers may follow from it."""
    devices: tuple[DeviceIds, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_devices), validator=_checks.devices()
    )
    """At most 10,000, all of them in the same state now."""
    filter: DeviceFilter | None = attrs.field(default=None, validator=_checks.instance(DeviceFilter))
    """Not together with `devices`."""
    devices_with_service_address: tuple[dict[str, Any], ...] = attrs.field(
        default=(), validator=_checks.instances(dict)
    )
    """JSON objects, for business internet only; their members are not documented."""
    carrier_ip_pool_name: str | None = attrs.field(default=None, validator=_checks.text)
    """The pool that new addresses come from; the account's default pool without it."""
    public_ip_restriction: str | None = attrs.field(default=None, validator=_checks.text)
    """`restricted` or `unrestricted`: whether devices with static public addresses may use the whole internet."""
    sku_number: str | None = attrs.field(default=None, validator=_checks.text)
    """The type of all devices of the request, in place of their IMEIs."""
    custom_fields: tuple[CustomField, ...] = attrs.field(
        default=(), converter=to_custom_fields, validator=_checks.custom_fields
    )
    """To be written on the devices."""
    ip_address: str | None = attrs.field(default=None, validator=_checks.text)
    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    """The group that they are put into."""
    primary_place_of_use: PlaceOfUse | None = attrs.field(default=None, validator=_checks.instance(PlaceOfUse))

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "devices", "filter", "devices_with_service_address")
        _checks.exclusive(self, "devices", "filter")


@attrs.frozen(kw_only=True)
class MoveDeviceRequest:
    """Which account to move devices to; give `devices` or `filter`."""

    account_name: str = attrs.field(validator=_checks.text)
    """The account that they are to belong to."""
    devices: tuple[DeviceIds, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_devices), validator=_checks.devices()
    )
    """At most 10,000, all of them active and of one account."""
    filter: DeviceFilter | None = attrs.field(default=None, validator=_checks.instance(DeviceFilter))
    """Not together with `devices`; its account is the one that they belong to now."""
    custom_fields: tuple[CustomField, ...] = attrs.field(
        default=(), converter=to_custom_fields, validator=_checks.custom_fields
    )
    """To be written on the devices, which otherwise keep what they have where that is possible."""
    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    """The new account's group that they are put into."""
    carrier_ip_pool_name: str | None = attrs.field(default=None, validator=_checks.text)
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    """The code of another plan, which they get on the way."""

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "devices", "filter")
        _checks.exclusive(self, "devices", "filter")


@attrs.frozen(kw_only=True)
class DeviceUploadRequest:
    """New devices that a manufacturer makes known to Verizon."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices())
    """At most 10,000, all of one type."""
    email_address: str = attrs.field(validator=_checks.text)
    """Where Verizon's report goes; it has to be registered on the Open Development portal."""
    device_sku: str = attrs.field(validator=_checks.text)
    """The type of all devices of the request, in capital letters."""
    upload_type: str = attrs.field(validator=_checks.text)
    """Which identifiers the devices are given by, such as `IMEI` or `IMEI ICCID Pair`."""


@attrs.frozen(kw_only=True)
class UploadAndActivateRequest(DeviceUploadRequest):
    """New devices that a manufacturer makes known to Verizon and puts into service."""

    service_plan: str = attrs.field(validator=_checks.text)
    """The code of the plan that they get, as `session.accounts.service_plans` lists them."""
    mdn_zip_code: str = attrs.field(validator=_checks.text)
    """Where they will mostly be used; their numbers may follow from it."""
    # The platform's own sample has an empty one (upload-activate page).
    carrier_ip_pool_name: str | None = attrs.field(default=None, validator=_checks.text_or_empty)
    """The pool that their addresses come from; the account's default pool without it."""


@attrs.frozen(kw_only=True)
class CheckOrderStatusRequest:
    """The activation order to ask about."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices())
    """A single device by a single identifier, ESN, ICCID or MEID, says the platform's page."""
    order_request_id: str | None = attrs.field(default=None, validator=_checks.text)
    """The request id that the activation was accepted with."""


@attrs.frozen(kw_only=True)
class AvailabilityRequest:
    """Devices of which to find out whether they can be activated."""

    account_name: str = attrs.field(validator=_checks.text)
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices())
    """At most 10,000."""


@attrs.frozen(kw_only=True)
class SuspensionStatusRequest:
    """Whose suspensions to ask about: `device_ids`, or the devices that match; never both."""

    device_ids: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids), validator=_checks.device_ids()
    )
    """One identifier for each device."""
    filter: DeviceFilterWithoutAccount | None = attrs.field(
        default=None, validator=_checks.instance(DeviceFilterWithoutAccount)
    )
    """Not together with `device_ids`."""
    account_name: str | None = attrs.field(default=None, validator=_checks.text)
    """Alone, it means all devices of the account. Needed by users with several accounts."""

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "device_ids", "filter", "account_name")
        _checks.exclusive(self, "device_ids", "filter")
