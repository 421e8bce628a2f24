"""Models of devices."""

from __future__ import annotations

from datetime import datetime

import attrs

from thingspace_async import _checks
from thingspace_async._types import CustomField, DeviceId, ExtendedAttribute
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AccountDeviceListFilter",
    "AccountDeviceListRequest",
    "AccountDeviceListResult",
    "CarrierInformation",
    "Device",
    "DeviceIdSearch",
]


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

    device_identifier_filters: tuple[DeviceIdSearch, ...] = attrs.field(validator=_checks.instances(DeviceIdSearch))


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
    custom_fields: tuple[CustomField, ...] = attrs.field(default=(), validator=_checks.custom_fields)
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
        wanted = kind.casefold()
        return next((found.id for found in self.device_ids if found.kind.casefold() == wanted), None)

    def extended_attribute(self, key: str) -> str | None:
        """Return the extended attribute of a name; None when it is absent or empty."""
        return next((found.value for found in self.extended_attributes if found.key == key), None)


@attrs.frozen(kw_only=True)
class AccountDeviceListResult:
    """One page of devices."""

    devices: tuple[Device, ...]
    has_more_data: bool | None = None
