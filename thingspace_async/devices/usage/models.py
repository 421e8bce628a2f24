"""Models of devices' usage."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import attrs

from thingspace_async import _checks
from thingspace_async._codec import wire
from thingspace_async._types import DeviceId, DeviceIds, ExtendedAttribute, to_device_ids, to_devices
from thingspace_async.devices._models import DeviceInTime
from thingspace_async.devices.labels.models import DeviceLabel, to_labels

__all__ = [
    "AggregateUsageRequest",
    "BilledUsageLabels",
    "BilledUsageListRequest",
    "BillingCycle",
    "DailyUsageHistory",
    "DailyUsageRequest",
    "DailyUsageResponse",
    "DeviceAggregateUsageListRequest",
    "DeviceUsageListRequest",
    "DeviceUsageListResult",
    "PromoAggregateUsageRequest",
    "PromoUsage",
    "PromoUsageRequest",
    "PromoUsageResponse",
    "UsageRecord",
]

_A_MONTH: Final = timedelta(days=31)
_MOST_LABELS: Final = 50
_MOST_BILLED: Final = 2_000


@attrs.frozen(kw_only=True)
class DeviceUsageListRequest:
    """Whose usage to read, and of which days. Raises InvalidRequest without a device and a label."""

    device_id: DeviceId | None = attrs.field(default=None, validator=_checks.device_id)
    label: DeviceLabel | None = attrs.field(default=None, validator=_checks.instance(DeviceLabel))
    """In the place of a device: the one that bears this label."""
    earliest: datetime = attrs.field(validator=_checks.zoned)
    """Needs a time zone. The platform keeps 12 months, and has nothing of what was before."""
    latest: datetime = attrs.field(validator=_checks.zoned)
    """Needs a time zone."""

    def __attrs_post_init__(self) -> None:
        _checks.any_of(self, "device_id", "label")
        _checks.in_order(self, "earliest", "latest")


@attrs.frozen(kw_only=True)
class UsageRecord:
    """What a device used on one day."""

    bytes_used: int | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    """Such as `MoSms` and `MtSms`, the messages that it sent and received."""
    service_plan: str | None = None
    sms_used: int | None = None
    source: str | None = None
    """Where the figures come from, such as `Raw Usage`."""
    timestamp: datetime | None = None
    """The day."""


@attrs.frozen(kw_only=True)
class DeviceUsageListResult:
    """One page of a device's usage, oldest first."""

    has_more_data: bool | None = None
    usage_history: tuple[UsageRecord, ...] = ()


@attrs.frozen(kw_only=True)
class DeviceAggregateUsageListRequest:
    """Whose usage to sum up, and over which time: of devices, of labels, or of an account or a group in it.

    Raises InvalidRequest for devices and labels together, and for a group without its account.
    """

    start_time: datetime = attrs.field(validator=_checks.zoned)
    """Needs a time zone. The platform refuses one that is more than six months ago."""
    end_time: datetime = attrs.field(validator=_checks.zoned)
    """Needs a time zone; at most a month after `start_time`."""
    # Here and below None by default, and not (): what happens to be empty is refused, where it would mean all devices.
    device_ids: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids), validator=_checks.device_ids()
    )
    label: tuple[DeviceLabel, ...] | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(to_labels),
        validator=_checks.instances(DeviceLabel, least=1, most=_MOST_LABELS),
    )
    """At most 50."""
    account_name: str | None = attrs.field(default=None, validator=_checks.text)
    group_name: str | None = attrs.field(default=None, validator=_checks.text)

    def __attrs_post_init__(self) -> None:
        _checks.in_order(self, "start_time", "end_time", most=_A_MONTH)
        _checks.exclusive(self, "device_ids", "label")
        _checks.needs(self, "group_name", "account_name")


@attrs.frozen(kw_only=True)
class BilledUsageLabels:
    """The labels of the devices that are meant."""

    # An object with a list in it, as the SDKs have it; the page on billed usage has the list alone.
    labels: tuple[DeviceLabel, ...] = attrs.field(
        metadata=wire("deviceIds"),
        converter=to_labels,
        validator=_checks.instances(DeviceLabel, least=1, most=_MOST_BILLED),
    )
    """At most 2,000, or 100 as the SDKs say. What it is called on the wire does not say so, but it holds labels."""


@attrs.frozen(kw_only=True)
class BillingCycle:
    """The month of a bill."""

    year: str | None = attrs.field(default=None, validator=_checks.text)
    """Such as `2026`."""
    month: str | None = attrs.field(default=None, validator=_checks.text)
    """Such as `1` for January."""


@attrs.frozen(kw_only=True)
class BilledUsageListRequest:
    """Whose usage was billed: of an account, of devices in it, or of labels.

    Raises InvalidRequest for devices and labels together.
    """

    account_name: str = attrs.field(validator=_checks.text)
    labels: BilledUsageLabels | None = attrs.field(default=None, validator=_checks.instance(BilledUsageLabels))
    devices: tuple[DeviceIds, ...] | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(to_devices),
        validator=_checks.devices(most=_MOST_BILLED),
        metadata=wire("deviceIds"),
    )
    """At most 2,000; without them and without labels, the whole account."""
    billing_cycle: BillingCycle | None = attrs.field(default=None, validator=_checks.instance(BillingCycle))
    """The latest that is complete, when it is not given."""

    def __attrs_post_init__(self) -> None:
        _checks.exclusive(self, "devices", "labels")


@attrs.frozen(kw_only=True)
class DailyUsageRequest(DeviceInTime):
    """Which device's usage to read, and of which days; by its ICCID, the only kind that the platform's page allows."""


@attrs.frozen(kw_only=True)
class DailyUsageHistory:
    """What a device used on one day; the SDKs have its numbers as texts, the platform's page as numbers."""

    bytes_used: int | str | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    """Such as `MoSms` and `MtSms`, the messages that it sent and received."""
    service_plan: str | None = None
    sms_used: int | str | None = None
    source: str | None = None
    """Where the figures come from, such as `Usage Feed`."""
    timestamp: datetime | None = None
    """The day."""


@attrs.frozen(kw_only=True)
class DailyUsageResponse:
    """One page of a device's usage, oldest first."""

    has_more_data: bool | None = None
    device_id: DeviceId | None = None
    usage_history: tuple[DailyUsageHistory, ...] = ()


@attrs.frozen(kw_only=True)
class AggregateUsageRequest:
    """Which device's usage to sum up, and over which time."""

    device_id: DeviceId = attrs.field(validator=_checks.device_id)
    """By its EID, the only kind that the platform's page allows here."""
    account_name: str = attrs.field(validator=_checks.text)
    start_time: datetime = attrs.field(validator=_checks.zoned)
    """Needs a time zone."""
    end_time: datetime = attrs.field(validator=_checks.zoned)
    """Needs a time zone."""

    def __attrs_post_init__(self) -> None:
        _checks.in_order(self, "start_time", "end_time")


@attrs.frozen(kw_only=True)
class PromoUsageRequest:
    """Which device's usage in the promotion period to read."""

    device_id: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids), validator=_checks.device_ids()
    )
    """By its ICCID."""
    start_time: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Needs a time zone."""
    end_time: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Needs a time zone."""

    def __attrs_post_init__(self) -> None:
        _checks.in_order(self, "start_time", "end_time")


@attrs.frozen(kw_only=True)
class PromoUsage:
    """What a device used at one time in the promotion period."""

    bytes_used: int | None = None
    service_plan: str | None = attrs.field(default=None, metadata=wire("serviceplan", also="servicePlan"))
    sms_used: int | None = None
    mo_sms: int | None = attrs.field(default=None, metadata=wire("moSMS"))
    """Messages that it sent."""
    mt_sms: int | None = attrs.field(default=None, metadata=wire("mtSMS"))
    """Messages that it received."""
    source: str | None = None
    """Where the figures come from, such as `Raw Usage`."""
    event_date_time: datetime | None = None


@attrs.frozen(kw_only=True)
class PromoUsageResponse:
    """One page of a device's usage in the promotion period, oldest first."""

    has_more_data: bool | None = attrs.field(default=None, metadata=wire("hasmoredata", also="hasMoreData"))
    device_id: DeviceId | None = None
    usage_history: tuple[PromoUsage, ...] = ()


@attrs.frozen(kw_only=True)
class PromoAggregateUsageRequest:
    """Whose usage in the promotion period to sum up."""

    account_id: str | None = attrs.field(default=None, validator=_checks.text)
    """The account's name."""
    device_id: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids), validator=_checks.device_ids()
    )
    """By their ICCIDs."""
    start_time: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Needs a time zone."""
    end_time: datetime | None = attrs.field(default=None, validator=_checks.zoned)
    """Needs a time zone."""

    def __attrs_post_init__(self) -> None:
        _checks.in_order(self, "start_time", "end_time")
