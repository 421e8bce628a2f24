"""Models of devices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs

from thingspace_async import _checks
from thingspace_async._models import PlaceOfUse
from thingspace_async._types import (
    CustomField,
    DeviceId,
    DeviceIds,
    ExtendedAttribute,
    OpenEnum,
    identifier_of,
    to_custom_fields,
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


@attrs.frozen(kw_only=True)
class DeviceIdSearch:
    """A part of an identifier to look for. Raises InvalidRequest when none is given."""

    kind: str = attrs.field(validator=_checks.text)
    """The kind of identifier that is searched, as in DeviceId."""
    contains: str | None = attrs.field(default=None, validator=_checks.text)
    startswith: str | None = attrs.field(default=None, validator=_checks.text)
    endswith: str | None = attrs.field(default=None, validator=_checks.text)

    def __attrs_post_init__(self) -> None:
        if self.contains is None and self.startswith is None and self.endswith is None:
            raise InvalidRequest("DeviceIdSearch: give contains, startswith or endswith")


@attrs.frozen(kw_only=True)
class AccountDeviceListFilter:
    """Parts of identifiers; a device has to match all of them."""

    device_identifier_filters: tuple[DeviceIdSearch, ...] = attrs.field(
        validator=_checks.instances(DeviceIdSearch, least=1)
    )


@attrs.frozen(kw_only=True)
class AccountDeviceListRequest:
    """Which devices to list: those that match everything given, or all that the user may see."""

    account_name: str | None = attrs.field(default=None, validator=_checks.text)
    device_id: DeviceId | None = attrs.field(default=None, validator=_checks.device_id)
    """One device; the other filters are then ignored by the platform."""
    filter: AccountDeviceListFilter | None = attrs.field(
        default=None, validator=_checks.instance(AccountDeviceListFilter)
    )
    current_state: str | None = attrs.field(default=None, validator=_checks.text)
    """`active`, `suspend`, `deactive`, `preactive`, or a custom state of the account."""
    custom_fields: tuple[CustomField, ...] = attrs.field(
        default=(), converter=to_custom_fields, validator=_checks.custom_fields
    )
    earliest: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Added to the account not before; needs a time zone."""
    latest: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Added to the account not after; needs a time zone."""
    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    max_number_of_devices: int | None = attrs.field(default=None, validator=_checks.whole(least=1))
    """Devices in one page; the platform sends at most 2,000."""
    largest_device_id_seen: int | None = attrs.field(default=None, validator=_checks.whole(least=0))
    """Start behind this number; pages are sorted by it when it is given, by the date of adding when it is not."""


@attrs.frozen(kw_only=True)
class CarrierInformation:
    """A device's service with one carrier."""

    carrier_name: str | None = None
    service_plan: str | None = None
    state: str | None = None


@attrs.frozen(kw_only=True)
class Device:
    """A device as the platform knows it; one that was never activated lacks many fields."""

    account_name: str | None = None
    billing_cycle_end_date: datetime | None = None
    carrier_informations: tuple[CarrierInformation, ...] = ()
    connected: bool | None = None
    created_at: datetime | None = None
    """When it was added to the account."""
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
        """The state with its first carrier, such as `active`, `suspend`, `deactive` or `pending activation`."""
        return self.carrier_informations[0].state if self.carrier_informations else None

    def identifier(self, kind: str) -> str | None:
        """Return the identifier of a kind (`imei`, `iccid`, `mdn`, …), whatever the case of its letters."""
        return identifier_of(self.device_ids, kind)

    def extended_attribute(self, key: str) -> str | None:
        """Return the extended attribute of a name; None when it is absent or empty."""
        return _attribute_of(self.extended_attributes, key)


@attrs.frozen(kw_only=True)
class AccountDeviceListResult:
    """One page of devices."""

    devices: tuple[Device, ...]
    has_more_data: bool | None = None


# Adding and deleting


@attrs.frozen(kw_only=True)
class AddDevicesRequest:
    """Devices to add to an account without a line of service."""

    state: str = attrs.field(validator=_checks.text)
    """`preactive`, which they are then in."""
    devices_to_add: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices())
    """A 4G device with its IMEI and ICCID, in that order."""
    account_name: str | None = attrs.field(default=None, validator=_checks.text)
    """May be left out by a user who has one account only."""
    custom_fields: tuple[CustomField, ...] = attrs.field(
        default=(), converter=to_custom_fields, validator=_checks.custom_fields
    )
    """What to write on each of them."""
    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    """The group to put them into; without it, the account's default one."""
    sku_number: str | None = attrs.field(default=None, validator=_checks.text)
    """The Stock Keeping Unit of 4G devices, which are then named by their ICCID alone."""
    smsr_oid: str | None = attrs.field(default=None, validator=_checks.text)
    """The object identifier of the subscription manager; needed for devices with an eUICC."""


@attrs.frozen(kw_only=True)
class AddDevicesResult:
    """What became of one device that was to be added."""

    device_ids: tuple[DeviceId, ...] = ()
    response: str | None = None
    """`Success`, or why not."""

    @property
    def succeeded(self) -> bool:
        """Whether the device was added."""
        return _is_success(self.response)


@attrs.frozen(kw_only=True)
class AddDevicesOutcome:
    """What became of the devices that were to be added."""

    succeeded: tuple[AddDevicesResult, ...]
    failed: tuple[AddDevicesResult, ...]
    """Every other, also one of which the platform says nothing."""


@attrs.frozen(kw_only=True)
class DeleteDevicesRequest:
    """Devices to delete; one identifier of each is enough."""

    devices_to_delete: tuple[DeviceIds, ...] = attrs.field(converter=to_devices, validator=_checks.devices(most=100))
    account_name: str | None = attrs.field(default=None, validator=_checks.text)


@attrs.frozen(kw_only=True)
class SentDeleteDevicesResult:
    """A DeleteDevicesResult as it travels."""

    device_ids: Any = None
    """A list of identifiers, or one by itself: the documents have both."""
    status: str | None = None
    message: str | None = None


@attrs.frozen(kw_only=True)
class DeleteDevicesResult:
    """What became of one device that was to be deleted."""

    device_ids: tuple[DeviceId, ...] = ()
    status: str | None = None
    """`Success` or `Failed`."""
    message: str | None = None
    """Why it failed."""

    @property
    def succeeded(self) -> bool:
        """Whether the device was deleted."""
        return _is_success(self.status)


@attrs.frozen(kw_only=True)
class DeleteDevicesOutcome:
    """What became of the devices that were to be deleted."""

    succeeded: tuple[DeleteDevicesResult, ...]
    failed: tuple[DeleteDevicesResult, ...]
    """Every other, also one of which the platform says nothing."""


def _is_success(text: str | None) -> bool:
    return text is not None and text.casefold() == "success"


# Other ways to ask for devices


@attrs.frozen(kw_only=True)
class DateFilter:
    """A span of time. Raises InvalidRequest when it ends before it begins."""

    earliest: datetime = attrs.field(validator=_checks.zoned)
    latest: datetime = attrs.field(validator=_checks.zoned)

    def __attrs_post_init__(self) -> None:
        _checks.in_order(self, "earliest", "latest")


@attrs.frozen(kw_only=True)
class DeviceMismatchListRequest:
    """Where to look for SIMs in unexpected hardware: in an account, in a group, or among certain devices."""

    filter: DateFilter = attrs.field(validator=_checks.instance(DateFilter))
    """When the SIMs were activated."""
    devices: tuple[DeviceIds, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_devices), validator=_checks.devices()
    )
    """By ICCID or MDN."""
    account_name: str | None = attrs.field(default=None, validator=_checks.text)
    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    """Only devices of this group; not together with `devices`."""

    def __attrs_post_init__(self) -> None:
        _checks.exclusive(self, "devices", "group_name")


@attrs.frozen(kw_only=True)
class MismatchedDevice:
    """A SIM that was activated with other hardware than expected."""

    account_name: str | None = None
    mdn: str | None = None
    activation_date: datetime | None = None
    """When the SIM was last activated."""
    iccid: str | None = None
    pre_imei: str | None = None
    """The hardware before `sim_ota_date`."""
    post_imei: str | None = None
    """The hardware since `sim_ota_date`."""
    sim_ota_date: datetime | None = None
    """When the SIM was activated over the air in the other hardware."""


@attrs.frozen(kw_only=True)
class DeviceMismatchListResult:
    """The SIMs that were activated with other hardware than expected, each unexpected pair by itself."""

    devices: tuple[MismatchedDevice, ...]


@attrs.frozen(kw_only=True)
class DevicePrlListRequest:
    """Devices whose Preferred Roaming List is asked for: `device_ids`, or those that match the rest; never both."""

    device_ids: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids), validator=_checks.device_ids(most=10_000)
    )
    """One identifier for each device."""
    account_name: str | None = attrs.field(default=None, validator=_checks.text)
    """Alone, it means all devices of the account."""
    custom_fields: tuple[CustomField, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_custom_fields), validator=_checks.custom_fields
    )
    """Only devices with all of these; not together with `device_ids`."""
    group_name: str | None = attrs.field(default=None, validator=_checks.text)
    """Only devices of this group; not together with `device_ids`."""
    service_plan: str | None = attrs.field(default=None, validator=_checks.text)
    """Only devices with the plan of this code; not together with `device_ids`."""

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "device_ids", "account_name", "group_name", "service_plan", "custom_fields")
        _checks.exclusive(self, "device_ids", "group_name", "service_plan", "custom_fields")


@attrs.frozen(kw_only=True)
class DeviceExtendedDiagnosticsRequest:
    """A device to diagnose."""

    account_name: str = attrs.field(validator=_checks.text)
    device_list: tuple[DeviceId, ...] = attrs.field(converter=to_device_ids, validator=_checks.device_ids())
    """One device, for which the platform has a list."""


@attrs.frozen(kw_only=True)
class DiagnosticsCategory:
    """What is known of a device in one respect."""

    category_name: str | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] = ()

    def extended_attribute(self, key: str) -> str | None:
        """Return the extended attribute of a name; None when it is absent or empty."""
        return _attribute_of(self.extended_attributes, key)


@attrs.frozen(kw_only=True)
class DeviceExtendedDiagnosticsResult:
    """What is known of a device's connection, provisioning, billing and place."""

    categories: tuple[DiagnosticsCategory, ...]


class ProvisioningStatusFilter(OpenEnum):
    """How far the provisioning of a device has come."""

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


@attrs.frozen(kw_only=True)
class GlobalDeviceListRequest:
    """Which devices to list with the profiles of their eUICCs; those that match everything given."""

    # Required in one of the two descriptions of this call (device_actions), optional in the other (global_reporting).
    account_name: str | None = attrs.field(default=None, validator=_checks.text)
    """The platform's page has it as required."""
    provisioning_status_filter: ProvisioningStatusFilter | None = attrs.field(
        default=None, validator=_checks.instance(ProvisioningStatusFilter)
    )
    profile_status_filter: ProfileStatusFilter | None = attrs.field(
        default=None, validator=_checks.instance(ProfileStatusFilter)
    )
    carrier_name_filter: str | None = attrs.field(default=None, validator=_checks.text)
    """Such as `Verizon Wireless`."""
    device_filter: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids), validator=_checks.device_ids()
    )
    """By IMEI, ICCID, MDN or EID; one of the platform's documents allows 50."""


# What an account writes on its devices


@attrs.frozen(kw_only=True)
class CustomFieldsUpdateRequest(ServedDevices):
    """Custom fields to write on `devices`, or on those that match the rest; never both."""

    custom_fields_to_update: tuple[CustomField, ...] = attrs.field(
        default=(), converter=to_custom_fields, validator=_checks.custom_fields
    )
    """What to write; the fields that are not named stay as they are."""


@attrs.frozen(kw_only=True)
class ContactInfoUpdateRequest(ChosenDevices):
    """Who uses `devices`, or all of an account, and where."""

    primary_place_of_use: PlaceOfUse = attrs.field(validator=_checks.instance(PlaceOfUse))
    """Replaces the one before whole: what is left out is then empty."""

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "devices", "account_name")


@attrs.frozen(kw_only=True)
class DeviceCostCenterRequest(ServedDevices):
    """The cost center of `devices`, or of those that match the rest; never both."""

    cost_center: str | None = attrs.field(default=None, validator=_checks.text)
    """The new code."""
    primary_place_of_use: PlaceOfUse | None = attrs.field(default=None, validator=_checks.instance(PlaceOfUse))
    """Who uses the devices, and where; replaces the one before whole."""
    remove_cost_center: bool | None = attrs.field(default=None, validator=_checks.flag)
    """Take the code off instead."""
