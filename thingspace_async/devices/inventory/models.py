"""Models of the inventory of devices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, TypedDict

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Count, Range, checked
from thingspace_async._core.codec import Model
from thingspace_async._core.models import PlaceOfUse
from thingspace_async._core.types import (
    CustomField,
    DeviceId,
    DeviceIds,
    ExtendedAttribute,
    Identified,
    OpenEnum,
    to_custom_fields,
    to_device_id,
    to_device_ids,
    to_devices,
)
from thingspace_async.devices._models import ChosenDevices, ServedDevices
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AccountDeviceListFilter",
    "AccountDeviceListRequest",
    "AccountDeviceListResult",
    "AddDevicesOutcome",
    "AddDevicesRequest",
    "AddDevicesResult",
    "CarrierInformation",
    "ContactInfoUpdateRequest",
    "CustomFieldsUpdateRequest",
    "DateFilter",
    "DeleteDevicesOutcome",
    "DeleteDevicesRequest",
    "DeleteDevicesResult",
    "Device",
    "DeviceCostCenterRequest",
    "DeviceExtendedDiagnosticsRequest",
    "DeviceExtendedDiagnosticsResult",
    "DeviceIdSearch",
    "DeviceListFilters",
    "DeviceMismatchListRequest",
    "DeviceMismatchListResult",
    "DevicePrlListRequest",
    "DiagnosticsCategory",
    "GlobalDeviceListRequest",
    "MismatchedDevice",
    "ProfileStatusFilter",
    "ProvisioningStatusFilter",
]


def _attribute_of(attributes: Iterable[ExtendedAttribute], key: str) -> str | None:
    return next((found.value for found in attributes if found.key == key), None)


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceIdSearch(Model):
    """Part of an identifier to search for. Raises InvalidRequest without a part."""

    kind: str
    """Kind of the identifier, as in DeviceId."""
    contains: str | None = None
    """String anywhere in the identifier."""
    startswith: str | None = None
    """String at its start."""
    endswith: str | None = None
    """String at its end."""

    def __attrs_post_init__(self) -> None:
        if self.contains is None and self.startswith is None and self.endswith is None:
            raise InvalidRequest("DeviceIdSearch: give contains, startswith or endswith")


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountDeviceListFilter(Model):
    """Parts of identifiers to search for."""

    device_identifier_filters: tuple[DeviceIdSearch, ...]
    """A device must match all of them."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountDeviceListRequest(Model):
    """Filters for devices. A device must match all of them. Without filters, all devices that the user may see."""

    account_name: str | None = None
    """Account of the devices. Default: all accounts that the user may see."""
    device_id: DeviceId | None = attrs.field(default=None, converter=attrs.converters.optional(to_device_id))
    """One device. The platform then ignores all other filters."""
    filter: AccountDeviceListFilter | None = None
    """Parts of identifiers to search for."""
    current_state: str | None = None
    """`active`, `suspend`, `deactive`, `preactive`, or a custom state of the account."""
    custom_fields: tuple[CustomField, ...] = attrs.field(default=(), converter=to_custom_fields)
    """Select devices that have all of these values."""
    earliest: datetime | None = None
    """Select devices that were added to the account at or after this time, with a time zone."""
    latest: datetime | None = None
    """Select devices that were added to the account at or before this time, with a time zone."""
    group_name: str | None = None
    """Select devices of this group."""
    service_plan: str | None = None
    """Select devices with this plan code."""
    max_number_of_devices: Annotated[int | None, Range(least=1)] = None
    """Devices per page. The platform sends at most 2,000."""
    largest_device_id_seen: Annotated[int | None, Range(least=0)] = None
    """Start after the device with this number, and sort by number. Default: sort by the date of adding."""


class DeviceListFilters(TypedDict, total=False):
    """Filters of `devices.list` as keywords, with the meaning that they have in AccountDeviceListRequest."""

    account_name: str | None
    device_id: DeviceId | Identified | None
    filter: AccountDeviceListFilter | None
    current_state: str | None
    custom_fields: Iterable[CustomField]
    earliest: datetime | None
    latest: datetime | None
    group_name: str | None
    service_plan: str | None
    max_number_of_devices: int | None
    largest_device_id_seen: int | None


@attrs.frozen(kw_only=True)
class CarrierInformation(Model):
    """A device's service with one carrier."""

    carrier_name: str | None = None
    service_plan: str | None = None
    state: str | None = None


@attrs.frozen(kw_only=True)
class Device(Model, Identified):
    """A device in the platform's inventory. Many fields are missing until its first activation."""

    account_name: str | None = None
    billing_cycle_end_date: datetime | None = None
    carrier_informations: tuple[CarrierInformation, ...] = ()
    connected: bool | None = None
    created_at: datetime | None = None
    """When the device was added to the account."""
    custom_fields: tuple[CustomField, ...] = ()
    device_ids: tuple[DeviceId, ...] = ()
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    group_names: tuple[str, ...] = ()
    ip_address: str | None = None
    last_activation_by: str | None = None
    last_activation_date: datetime | None = None
    last_connection_date: datetime | None = None

    @property
    def state(self) -> str | None:
        """State with the device's first carrier, such as `active`, `suspend`, `deactive` or `pending activation`."""
        return self.carrier_informations[0].state if self.carrier_informations else None

    @property
    def service_plan(self) -> str | None:
        """Plan code with the device's first carrier."""
        return self.carrier_informations[0].service_plan if self.carrier_informations else None

    def extended_attribute(self, key: str) -> str | None:
        """Return an extended attribute, or None if it is absent or empty."""
        return _attribute_of(self.extended_attributes, key)


@attrs.frozen(kw_only=True)
class AccountDeviceListResult(Model):
    """One page of devices."""

    devices: tuple[Device, ...]
    has_more_data: bool | None = None

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        # A missing list without `hasMoreData` stays an error: it must not look like an empty fleet.
        odd = data.get("devices") is None and data.get("hasMoreData") is False
        if odd:
            data["devices"] = []
        return odd


# Adding and deleting


@attrs.frozen(kw_only=True, field_transformer=checked)
class AddDevicesRequest(Model):
    """Devices to add to an account without a line of service."""

    state: str
    """State of the added devices: `preactive`."""
    devices_to_add: tuple[DeviceIds, ...] = attrs.field(converter=to_devices)
    """A 4G device needs its IMEI and its ICCID, in that order."""
    account_name: str | None = None
    """Required for users with several accounts."""
    custom_fields: tuple[CustomField, ...] = attrs.field(default=(), converter=to_custom_fields)
    """Values to write on all devices."""
    group_name: str | None = None
    """Group to put the devices into. Default: the account's default group."""
    sku_number: str | None = None
    """Stock Keeping Unit of 4G devices. With it, give only the ICCID of each device."""
    smsr_oid: str | None = None
    """Object identifier of the subscription manager. Required for devices with an eUICC."""


@attrs.frozen(kw_only=True)
class AddDevicesResult(Model):
    """Result for one device of `devices.add`."""

    device_ids: tuple[DeviceId, ...] = ()
    response: str | None = None
    """`Success`, or the reason of the failure."""

    @property
    def succeeded(self) -> bool:
        """Whether the device was added."""
        return _is_success(self.response)


@attrs.frozen(kw_only=True)
class AddDevicesOutcome(Model):
    """Results of `devices.add`."""

    succeeded: tuple[AddDevicesResult, ...]
    failed: tuple[AddDevicesResult, ...]
    """All other results, including those without a response."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeleteDevicesRequest(Model):
    """Devices to delete."""

    devices_to_delete: Annotated[tuple[DeviceIds, ...], Count(most=100)] = attrs.field(converter=to_devices)
    """At most 100 devices. One identifier of each is enough."""
    account_name: str | None = None
    """Account of the devices."""


@attrs.frozen(kw_only=True)
class SentDeleteDevicesResult(Model):
    """A DeleteDevicesResult as the platform sends it."""

    device_ids: Any = None
    """A list of identifiers, or a single identifier: the documents have both."""
    status: str | None = None
    message: str | None = None


@attrs.frozen(kw_only=True)
class DeleteDevicesResult(Model):
    """Result for one device of `devices.delete`."""

    device_ids: tuple[DeviceId, ...] = ()
    status: str | None = None
    """`Success` or `Failed`."""
    message: str | None = None
    """Reason of a failure."""

    @property
    def succeeded(self) -> bool:
        """Whether the device was deleted."""
        return _is_success(self.status)


@attrs.frozen(kw_only=True)
class DeleteDevicesOutcome(Model):
    """Results of `devices.delete`."""

    succeeded: tuple[DeleteDevicesResult, ...]
    failed: tuple[DeleteDevicesResult, ...]
    """All other results, including those without a status."""


def _is_success(text: str | None) -> bool:
    return text is not None and text.casefold() == "success"


# Other ways to ask for devices


@attrs.frozen(kw_only=True, field_transformer=checked)
class DateFilter(Model):
    """A time span. Raises InvalidRequest if it ends before it starts."""

    earliest: datetime
    """Start of the span, with a time zone."""
    latest: datetime
    """End of the span, with a time zone."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "earliest", "latest")


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceMismatchListRequest(Model):
    """Where to search for SIMs in unexpected hardware: in an account, in a group, or among `devices`."""

    filter: DateFilter
    """Time span in which the SIMs were activated."""
    devices: tuple[DeviceIds, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(to_devices))
    """Devices by ICCID or MDN."""
    account_name: str | None = None
    """Account of the devices."""
    group_name: str | None = None
    """Select devices of this group. Not allowed with `devices`."""

    def __attrs_post_init__(self) -> None:
        checks.exclusive(self, "devices", "group_name")


@attrs.frozen(kw_only=True)
class MismatchedDevice(Model):
    """A SIM that was activated in unexpected hardware."""

    account_name: str | None = None
    mdn: str | None = None
    activation_date: datetime | None = None
    """When the SIM was last activated."""
    iccid: str | None = None
    pre_imei: str | None = None
    """Hardware before `sim_ota_date`."""
    post_imei: str | None = None
    """Hardware since `sim_ota_date`."""
    sim_ota_date: datetime | None = None
    """When the SIM was activated over the air in the other hardware."""


@attrs.frozen(kw_only=True)
class DeviceMismatchListResult(Model):
    """SIMs that were activated in unexpected hardware, one record for each pair."""

    devices: tuple[MismatchedDevice, ...]


@attrs.frozen(kw_only=True, field_transformer=checked)
class DevicePrlListRequest(Model):
    """Devices to report on: either `device_ids`, or the filters (`account_name` may accompany both)."""

    device_ids: Annotated[tuple[DeviceId, ...] | None, Count(most=10000)] = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids)
    )
    """At most 10,000 devices, one identifier each."""
    account_name: str | None = None
    """Selects all devices of the account if given alone."""
    custom_fields: tuple[CustomField, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_custom_fields)
    )
    """Select devices that have all of these values. Not allowed with `device_ids`."""
    group_name: str | None = None
    """Select devices of this group. Not allowed with `device_ids`."""
    service_plan: str | None = None
    """Select devices with this plan code. Not allowed with `device_ids`."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "device_ids", "account_name", "group_name", "service_plan", "custom_fields")
        checks.exclusive(self, "device_ids", "group_name", "service_plan", "custom_fields")


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceExtendedDiagnosticsRequest(Model):
    """A device to diagnose."""

    account_name: str
    """Account of the device."""
    device_list: tuple[DeviceId, ...] = attrs.field(converter=to_device_ids)
    """One device, although the platform takes a list."""


@attrs.frozen(kw_only=True)
class DiagnosticsCategory(Model):
    """One category of data on a device."""

    category_name: str | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] = ()

    def extended_attribute(self, key: str) -> str | None:
        """Return an extended attribute, or None if it is absent or empty."""
        return _attribute_of(self.extended_attributes, key)


@attrs.frozen(kw_only=True)
class DeviceExtendedDiagnosticsResult(Model):
    """Data on a device's connection, provisioning, billing and location."""

    categories: tuple[DiagnosticsCategory, ...]


class ProvisioningStatusFilter(OpenEnum):
    """Provisioning status of a device."""

    UNKNOWN = "UNKNOWN"
    DEACTIVATED = "DEACTIVATED"
    ACTIVATED = "ACTIVATED"
    DEACTIVE = "DEACTIVE"
    ACTIVE = "ACTIVE"
    SUSPEND = "SUSPEND"
    PENDING_ACTIVATION = "PENDING_ACTIVATION"
    PENDING_DEACTIVATION = "PENDING_DEACTIVATION"
    PRE_ACTIVE = "PRE_ACTIVE"
    ACTIVATION_READY = "ACTIVATION_READY"
    INVENTORY = "INVENTORY"
    PURGED = "PURGED"
    REPLACED = "REPLACED"
    RETIRED = "RETIRED"
    TEST_READY = "TEST_READY"


class ProfileStatusFilter(OpenEnum):
    """The state of a profile on a device's eUICC."""

    ENABLE = "ENABLE"
    DISABLE = "DISABLE"
    DOWNLOAD_DISABLE = "DOWNLOAD_DISABLE"
    DOWNLOAD_ENABLE = "DOWNLOAD_ENABLE"
    NOT_DOWNLOADED = "NOT_DOWNLOADED"
    UNKNOWN = "UNKNOWN"
    DELETE = "DELETE"


@attrs.frozen(kw_only=True, field_transformer=checked)
class GlobalDeviceListRequest(Model):
    """Filters for devices with eUICC profiles. A device must match all of them."""

    # Required in one of the two descriptions of this call (device_actions), optional in the other (global_reporting).
    account_name: str | None = None
    """Account of the devices. The platform's page requires it."""
    provisioning_status_filter: ProvisioningStatusFilter | None = None
    """Select devices with this provisioning status."""
    profile_status_filter: ProfileStatusFilter | None = None
    """Select devices that have a profile with this status."""
    carrier_name_filter: str | None = None
    """Select devices of this carrier, such as `Verizon Wireless`."""
    device_filter: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids)
    )
    """Devices by IMEI, ICCID, MDN or EID. One of the platform's documents allows 50."""


# Changing the data that an account keeps about its devices


@attrs.frozen(kw_only=True, field_transformer=checked)
class CustomFieldsUpdateRequest(ServedDevices):
    """Custom fields for devices: either `devices`, or the filters (`account_name` may accompany both)."""

    custom_fields_to_update: tuple[CustomField, ...] = attrs.field(default=(), converter=to_custom_fields)
    """Values to write. All other custom fields keep their values."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ContactInfoUpdateRequest(ChosenDevices):
    """Contact information for `devices`, or for all devices of an account."""

    primary_place_of_use: PlaceOfUse
    """Who uses the devices, and where. It replaces all present values: fields that are left out become empty."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "devices", "account_name")


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceCostCenterRequest(ServedDevices):
    """A cost center for devices: either `devices`, or the filters (`account_name` may accompany both)."""

    cost_center: str | None = None
    """New code of the cost center."""
    primary_place_of_use: PlaceOfUse | None = None
    """Who uses the devices, and where. It replaces all present values."""
    remove_cost_center: bool | None = None
    """Whether to remove the code instead."""
