"""Models of device service."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Count, Length, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.models import PlaceOfUse
from thingspace_async._core.types import (
    CustomField,
    DeviceId,
    DeviceIds,
    Identified,
    as_tuple,
    to_custom_fields,
    to_device_ids,
    to_devices,
)
from thingspace_async.devices._models import FilteredDevices, ServedDevices
from thingspace_async.errors import InvalidRequest

__all__ = [
    "ActivateRequest",
    "AvailabilityRequest",
    "ChangeDeviceIdRequest",
    "CheckOrderStatusRequest",
    "DeactivateRequest",
    "DeviceAtAddress",
    "DeviceFilter",
    "DeviceFilterWithoutAccount",
    "DeviceUploadRequest",
    "GoToStateRequest",
    "MoveDeviceRequest",
    "RestoreRequest",
    "ServiceAddress",
    "ServiceCustomer",
    "ServicePlace",
    "ServicePlanUpdateRequest",
    "SuspendRequest",
    "SuspensionStatusRequest",
    "UploadAndActivateRequest",
]


@attrs.frozen(kw_only=True, field_transformer=checked)
class ServiceAddress(Model):
    """The address at which a 5G Business Internet device is used. The platform checks that service is available."""

    address_line1: str
    """Street and house number."""
    city: str
    """Name of the city."""
    state: str
    """Two letters, such as `NJ`."""
    zip: str
    """Five digits."""
    zip4: str | None = attrs.field(default=None, metadata=named_on_wire("zip+4"))
    """Four further digits of the ZIP code."""
    phone: str | None = None
    """Phone number, 10 digits."""
    phone_type: str | None = None
    """One letter, such as `W` for work."""
    email_address: str | None = None
    """E-mail address."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ServiceCustomer(Model):
    """The customer who uses a 5G Business Internet device."""

    first_name: str
    """First name."""
    last_name: str
    """Last name."""
    middle_name: str | None = None
    """Middle name or initial."""
    title: str | None = None
    """Title before the name, such as `Dr.`."""
    suffix: str | None = attrs.field(default=None, metadata=named_on_wire("suffex"))
    """Suffix after the name, such as `Jr.`. The platform's own spelling is `suffex`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ServicePlace(Model):
    """Who uses a 5G Business Internet device, and where."""

    address: ServiceAddress
    """Where it is used: its plan is valid at this address only."""
    customer_name: ServiceCustomer
    """Who uses it."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceAtAddress(Identified, Model):
    """A 5G Business Internet device, and its address."""

    device_ids: tuple[DeviceId, ...] = attrs.field(converter=to_device_ids)
    """Identifiers of one device. An activation needs its IMEI and its ICCID."""
    primary_place_of_use: ServicePlace
    """Its address."""


def to_devices_at_addresses(given: Iterable[DeviceAtAddress] | None) -> tuple[DeviceAtAddress, ...] | None:
    """Convert devices. The validator refuses other values."""
    found: tuple[DeviceAtAddress, ...] | None = as_tuple(given)
    return found


@attrs.frozen(kw_only=True, field_transformer=checked)
class ActivateRequest(Model):
    """Devices to put into service: either `devices`, or `devices_at_addresses`."""

    devices: tuple[DeviceIds, ...] = attrs.field(default=(), converter=to_devices)
    """At most 10,000 devices. A 4G device needs its IMEI and its ICCID."""
    devices_at_addresses: Annotated[tuple[DeviceAtAddress, ...] | None, Count(most=10_000)] = attrs.field(
        default=None, converter=to_devices_at_addresses, metadata=named_on_wire("deviceListWithServiceAddress")
    )
    """Devices of 5G Business Internet, each with its address."""
    service_plan: str
    """Code of a plan that `session.accounts.service_plans` lists."""
    mdn_zip_code: str
    """Five-digit ZIP code where the devices will mostly be used. The platform may assign numbers from that area."""
    account_name: str | None = None
    """Required for users with several accounts."""
    carrier_ip_pool_name: str | None = None
    """Pool that provides the IP addresses. Default: the account's default pool."""
    carrier_name: str | None = None
    """Carrier that provides the service, such as `Verizon Wireless`."""
    cost_center_code: str | None = None
    """Code of the cost center that the devices belong to."""
    custom_fields: tuple[CustomField, ...] = attrs.field(default=(), converter=to_custom_fields)
    """Values to write on the devices."""
    group_name: str | None = None
    """Group to put the devices into."""
    lead_id: str | None = None
    """A lead that is `Qualified` or `Closed - Won`, for members of Verizon's partner program."""
    primary_place_of_use: PlaceOfUse | None = None
    """Who uses the devices, and where. Default: the account's address."""
    public_ip_restriction: str | None = None
    """`restricted` or `unrestricted`: whether devices with static public addresses may use the whole internet."""
    sku_number: str | None = None
    """Type of all devices in the request. It replaces their IMEIs."""

    def __attrs_post_init__(self) -> None:
        if not self.devices and self.devices_at_addresses is None:
            raise InvalidRequest(
                "ActivateRequest: devices must hold 1 DeviceIds or more, not 0, or give devices_at_addresses"
            )
        checks.exclusive(self, "devices", "devices_at_addresses")


@attrs.frozen(kw_only=True, field_transformer=checked)
class SuspendRequest(ServedDevices):
    """Devices to suspend: either `devices`, or the filters (`account_name` may accompany both)."""

    with_billing: bool | None = None
    """Whether billing continues during the suspension."""


@attrs.frozen(kw_only=True)
class RestoreRequest(ServedDevices):
    """Devices to restore: either `devices`, or the filters (`account_name` may accompany both)."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeactivateRequest(FilteredDevices):
    """Devices to deactivate: either `devices`, or the filters (`account_name` must accompany both).

    `account_name` alone raises InvalidRequest, because it would deactivate the whole account.
    """

    account_name: str = attrs.field()  # Without `attrs.field()`, pyright expects the inherited field's default.
    """Account of the devices."""
    reason_code: str
    """`FF`, the only code that the platform accepts."""
    etf_waiver: bool | None = None
    """Whether to use one of the contract's waivers of the early termination fee."""
    service_plan: str | None = None
    """Select devices with this plan code. Not allowed with `devices`."""
    delete_after_deactivation: bool | None = None
    """Whether to also delete the devices from the account."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "devices", "group_name", "service_plan", "custom_fields")
        checks.exclusive(self, "devices", "group_name", "service_plan", "custom_fields")


@attrs.frozen(kw_only=True, field_transformer=checked)
class ServicePlanUpdateRequest(FilteredDevices):
    """A new plan for devices: either `devices`, or the filters (`account_name` may accompany both)."""

    service_plan: str
    """Code of the new plan. `session.accounts.service_plans` lists the plans."""
    current_service_plan: str | None = None
    """Select devices with this plan code. Not allowed with `devices`."""
    carrier_ip_pool_name: str | None = None
    """Pool that provides the IP addresses after the change."""
    take_effect: datetime | None = None
    """When to change the plan. Default: at once. How far ahead this may be is not documented."""
    devices_at_addresses: Annotated[tuple[DeviceAtAddress, ...] | None, Count(most=10_000)] = attrs.field(
        default=None, converter=to_devices_at_addresses, metadata=named_on_wire("deviceListWithServiceAddress")
    )
    """Devices of 5G Business Internet instead of `devices`, each with its address."""

    def __attrs_post_init__(self) -> None:
        filters = ("group_name", "current_service_plan", "custom_fields")
        checks.any_of(self, "devices", "account_name", *filters, "devices_at_addresses")
        checks.exclusive(self, "devices", "devices_at_addresses", *filters)
        checks.exclusive(self, "devices_at_addresses", "group_name", "custom_fields")


@attrs.frozen(kw_only=True, field_transformer=checked)
class ChangeDeviceIdRequest(Model):
    """New hardware, a new SIM or a new phone number for a line."""

    device_ids: tuple[DeviceId, ...] = attrs.field(converter=to_device_ids)
    """Present identifiers of one device."""
    device_ids_to: tuple[DeviceId, ...] = attrs.field(default=(), converter=to_device_ids)
    """New identifiers. Required for every change except that of the phone number."""
    change4g_option: str | None = None
    """For 4G devices: `ChangeICCID`, `ChangeIMEI`, `ChangeIMEIandICCID`, `ChangeMSISDN` for a new phone number,
    `3Gto4G`, `4Gto3G` or `ChangeIMEIandEID`."""
    service_plan: str | None = None
    """Code of another plan, if the present plan does not suit the new hardware."""
    assign_non_geo_mdn: bool | None = None
    """True for a new number that belongs to no area, False for a number that begins with `npa_nxx`."""
    npa_nxx: str | None = None
    """Area code and prefix of the new number, six digits."""
    zip_code: str | None = None
    """Five-digit ZIP code where the device will mostly be used. The platform may assign a number from that area."""
    smsr_oid: str | None = None
    """Object identifier of the subscription manager. Required for `ChangeIMEIandEID`."""

    @property
    def devices(self) -> tuple[DeviceIds, ...]:
        """The device to change, with its present identifiers."""
        return (DeviceIds(device_ids=self.device_ids),)


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceFilterWithoutAccount(Model):
    """Devices that match all given filters. Raises InvalidRequest without a filter."""

    group_name: str | None = None
    """Select devices of this group."""
    service_plan: str | None = None
    """Select devices with this plan code."""
    custom_fields: tuple[CustomField, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_custom_fields)
    )
    """Select devices that have all of these values."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *(field.name for field in attrs.fields(type(self))))


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceFilter(DeviceFilterWithoutAccount):
    """Devices that match all given filters. Raises InvalidRequest without a filter."""

    account: str | None = None
    """Account of the devices. Selects all its devices if given alone."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class GoToStateRequest(Model):
    """A custom state for devices: give `devices`, `filter` or `devices_with_service_address`."""

    service_name: str
    """A custom service that `session.accounts.states_and_services` lists."""
    state_name: str
    """One of that service's states."""
    service_plan: str
    """Plan code of the devices in the new state."""
    mdn_zip_code: str
    """Five-digit ZIP code where the devices will mostly be used. The platform may assign numbers from that area."""
    devices: tuple[DeviceIds, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(to_devices))
    """At most 10,000 devices, all in the same state now."""
    filter: DeviceFilter | None = None
    """Not allowed with `devices`."""
    devices_with_service_address: tuple[dict[str, Any], ...] = ()
    """JSON objects, for business internet only. Their members are not documented."""
    carrier_ip_pool_name: str | None = None
    """Pool that provides new IP addresses. Default: the account's default pool."""
    public_ip_restriction: str | None = None
    """`restricted` or `unrestricted`: whether devices with static public addresses may use the whole internet."""
    sku_number: str | None = None
    """Type of all devices in the request. It replaces their IMEIs."""
    custom_fields: tuple[CustomField, ...] = attrs.field(default=(), converter=to_custom_fields)
    """Values to write on the devices."""
    ip_address: str | None = None
    """IP address for the devices."""
    group_name: str | None = None
    """Group to put the devices into."""
    primary_place_of_use: PlaceOfUse | None = None
    """Who uses the devices, and where."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "devices", "filter", "devices_with_service_address")
        checks.exclusive(self, "devices", "filter")


@attrs.frozen(kw_only=True, field_transformer=checked)
class MoveDeviceRequest(Model):
    """A new account for devices: give `devices` or `filter`."""

    account_name: str
    """The new account."""
    devices: tuple[DeviceIds, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(to_devices))
    """At most 10,000 devices, all active and in one account."""
    filter: DeviceFilter | None = None
    """Not allowed with `devices`. Its account is the present one."""
    custom_fields: tuple[CustomField, ...] = attrs.field(default=(), converter=to_custom_fields)
    """Values to write on the devices. By default the devices keep their values if possible."""
    group_name: str | None = None
    """Group of the new account to put the devices into."""
    carrier_ip_pool_name: str | None = None
    """Pool that provides the IP addresses after the move."""
    service_plan: str | None = None
    """Code of another plan to change to."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "devices", "filter")
        checks.exclusive(self, "devices", "filter")


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceUploadRequest(Model):
    """New devices that a manufacturer registers with Verizon."""

    account_name: str
    """Account of the devices."""
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices)
    """At most 10,000 devices, all of one type."""
    email_address: str
    """Address for Verizon's report. It must be registered on the Open Development portal."""
    device_sku: str
    """Type of all devices in the request, in capital letters."""
    upload_type: str
    """Kinds of the identifiers in `devices`, such as `IMEI` or `IMEI ICCID Pair`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class UploadAndActivateRequest(DeviceUploadRequest):
    """New devices that a manufacturer registers with Verizon and puts into service."""

    service_plan: str
    """Code of a plan that `session.accounts.service_plans` lists."""
    mdn_zip_code: str
    """Five-digit ZIP code where the devices will mostly be used. The platform may assign numbers from that area."""
    # May be empty, as in the sample on the platform's page (upload-activate).
    carrier_ip_pool_name: Annotated[str | None, Length(least=0)] = None
    """Pool that provides the IP addresses. Default: the account's default pool."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class CheckOrderStatusRequest(Model):
    """An activation order."""

    account_name: str
    """Account of the device."""
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices)
    """One device with one identifier. The platform's page allows ESN, ICCID and MEID."""
    order_request_id: str | None = None
    """Request id of the activation, from `Accepted`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class AvailabilityRequest(Model):
    """Devices to check before an activation."""

    account_name: str
    """Account to check for."""
    devices: tuple[DeviceIds, ...] = attrs.field(converter=to_devices)
    """At most 10,000 devices."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class SuspensionStatusRequest(Model):
    """Suspended devices: either `device_ids`, or the filter (`account_name` may accompany both)."""

    device_ids: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids)
    )
    """One identifier of each device."""
    filter: DeviceFilterWithoutAccount | None = None
    """Not allowed with `device_ids`."""
    account_name: str | None = None
    """Selects all devices of the account if given alone. Required for users with several accounts."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "device_ids", "filter", "account_name")
        checks.exclusive(self, "device_ids", "filter")
