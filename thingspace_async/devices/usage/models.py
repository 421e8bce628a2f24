"""Models of the usage of devices."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, TypedDict

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Count, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import (
    DeviceId,
    DeviceIds,
    ExtendedAttribute,
    Identified,
    to_device_id,
    to_device_ids,
    to_devices,
)
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
    "UsageListFilters",
    "UsageRecord",
]

_A_MONTH: Final = timedelta(days=31)
_MOST_LABELS: Final = 50
_MOST_BILLED: Final = 2_000


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceUsageListRequest(Model):
    """A device and a time span to read usage of. Raises InvalidRequest with neither a device nor a label."""

    device_id: DeviceId | None = attrs.field(default=None, converter=attrs.converters.optional(to_device_id))
    """The device, by any identifier that it has now."""
    label: DeviceLabel | None = None
    """Label of the device, instead of `device_id`."""
    earliest: datetime
    """Start of the span, with a time zone. The platform keeps usage for 12 months."""
    latest: datetime
    """End of the span, with a time zone."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "device_id", "label")
        checks.in_order(self, "earliest", "latest")


class UsageListFilters(TypedDict, total=False):
    """Filters of `devices.usage.list` as keywords, with the meaning that they have in DeviceUsageListRequest."""

    device_id: DeviceId | Identified | None
    label: DeviceLabel | None
    earliest: datetime
    latest: datetime


@attrs.frozen(kw_only=True)
class UsageRecord(Model):
    """Usage of a device on one day."""

    bytes_used: int | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    """For example `MoSms` and `MtSms`, the messages that the device sent and received."""
    service_plan: str | None = None
    sms_used: int | None = None
    source: str | None = None
    """Source of the figures, such as `Raw Usage`."""
    timestamp: datetime | None = None
    """The day."""


@attrs.frozen(kw_only=True)
class DeviceUsageListResult(Model):
    """One page of a device's usage, oldest first."""

    has_more_data: bool | None = None
    usage_history: tuple[UsageRecord, ...] = ()


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceAggregateUsageListRequest(Model):
    """A time span, and devices, labels, an account or one of its groups to sum up usage of.

    Raises InvalidRequest for devices together with labels, and for a group without its account.
    """

    start_time: datetime
    """Start of the span, with a time zone. The platform refuses a time more than six months ago."""
    end_time: datetime
    """End of the span, with a time zone, at most 31 days after `start_time`."""
    # Here and below, the default is None instead of (). An empty collection would select all devices, so it is refused.
    device_ids: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids)
    )
    """One identifier of each device. Not allowed with `label`."""
    label: Annotated[tuple[DeviceLabel, ...] | None, Count(most=_MOST_LABELS)] = attrs.field(
        default=None, converter=attrs.converters.optional(to_labels)
    )
    """At most 50 labels. Not allowed with `device_ids`."""
    account_name: str | None = None
    """Account of the devices. Required with `group_name`."""
    group_name: str | None = None
    """Select devices of this group."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "start_time", "end_time", most=_A_MONTH)
        checks.exclusive(self, "device_ids", "label")
        checks.needs(self, "group_name", "account_name")


@attrs.frozen(kw_only=True, field_transformer=checked)
class BilledUsageLabels(Model):
    """Labels of devices."""

    # The SDKs have an object that holds the list. The page on billed usage has the list itself.
    labels: Annotated[tuple[DeviceLabel, ...], Count(most=_MOST_BILLED)] = attrs.field(
        metadata=named_on_wire("deviceIds"), converter=to_labels
    )
    """At most 2,000 labels, or 100 according to the SDKs, although the documents call the field `deviceIds`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class BillingCycle(Model):
    """Month of a bill."""

    year: str | None = None
    """For example `2026`."""
    month: str | None = None
    """For example `1` for January."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class BilledUsageListRequest(Model):
    """An account, or some of its devices or labels, to report billed usage of.

    Raises InvalidRequest for devices together with labels.
    """

    account_name: str
    """Account of the devices."""
    labels: BilledUsageLabels | None = None
    """Labels to report. Not allowed with `devices`."""
    devices: Annotated[tuple[DeviceIds, ...] | None, Count(most=_MOST_BILLED)] = attrs.field(
        default=None, converter=attrs.converters.optional(to_devices), metadata=named_on_wire("deviceIds")
    )
    """At most 2,000 devices. Without devices and labels, the whole account."""
    billing_cycle: BillingCycle | None = None
    """Month of the bill. Default: the latest complete month."""

    def __attrs_post_init__(self) -> None:
        checks.exclusive(self, "devices", "labels")


@attrs.frozen(kw_only=True)
class DailyUsageRequest(DeviceInTime):
    """A global IoT device and a time span to read usage of. The platform's page allows only its ICCID."""


@attrs.frozen(kw_only=True)
class DailyUsageHistory(Model):
    """Usage of a global IoT device on one day. The SDKs have its numbers as strings, the platform's page as numbers."""

    bytes_used: int | str | None = None
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    """For example `MoSms` and `MtSms`, the messages that the device sent and received."""
    service_plan: str | None = None
    sms_used: int | str | None = None
    source: str | None = None
    """Source of the figures, such as `Usage Feed`."""
    timestamp: datetime | None = None
    """The day."""


@attrs.frozen(kw_only=True)
class DailyUsageResponse(Model):
    """One page of a device's usage, oldest first."""

    has_more_data: bool | None = None
    device_id: DeviceId | None = None
    usage_history: tuple[DailyUsageHistory, ...] = ()


def _to_eid(given: DeviceId | Identified) -> DeviceId:
    """Convert a device to its EID, or to another identifier if it has none."""
    eid = given.eid if isinstance(given, Identified) else None
    return to_device_id(given) if eid is None else DeviceId.eid(eid)


@attrs.frozen(kw_only=True, field_transformer=checked)
class AggregateUsageRequest(Model):
    """A global IoT device and a time span to sum up usage of."""

    device_id: DeviceId = attrs.field(converter=_to_eid)
    """The device by its EID, the only kind that the platform's page allows here."""
    account_name: str
    """Account of the device."""
    start_time: datetime
    """Start of the span, with a time zone."""
    end_time: datetime
    """End of the span, with a time zone."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "start_time", "end_time")


@attrs.frozen(kw_only=True, field_transformer=checked)
class PromoUsageRequest(Model):
    """A device and a time span of its promotion period to read usage of."""

    device_id: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids)
    )
    """One device, by its ICCID."""
    start_time: datetime | None = None
    """Start of the span, with a time zone."""
    end_time: datetime | None = None
    """End of the span, with a time zone."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "start_time", "end_time")


@attrs.frozen(kw_only=True)
class PromoUsage(Model):
    """Usage of a device at one time in its promotion period."""

    bytes_used: int | None = None
    service_plan: str | None = attrs.field(default=None, metadata=named_on_wire("serviceplan", also="servicePlan"))
    sms_used: int | None = None
    mo_sms: int | None = attrs.field(default=None, metadata=named_on_wire("moSMS"))
    """Messages that the device sent."""
    mt_sms: int | None = attrs.field(default=None, metadata=named_on_wire("mtSMS"))
    """Messages that the device received."""
    source: str | None = None
    """Source of the figures, such as `Raw Usage`."""
    event_date_time: datetime | None = None


@attrs.frozen(kw_only=True)
class PromoUsageResponse(Model):
    """One page of a device's usage in the promotion period, oldest first."""

    has_more_data: bool | None = attrs.field(default=None, metadata=named_on_wire("hasmoredata", also="hasMoreData"))
    device_id: DeviceId | None = None
    usage_history: tuple[PromoUsage, ...] = ()


@attrs.frozen(kw_only=True, field_transformer=checked)
class PromoAggregateUsageRequest(Model):
    """Devices and a time span of their promotion period to sum up usage of."""

    account_id: str | None = None
    """Name of the account."""
    device_id: tuple[DeviceId, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_device_ids)
    )
    """Devices by ICCID."""
    start_time: datetime | None = None
    """Start of the span, with a time zone."""
    end_time: datetime | None = None
    """End of the span, with a time zone."""

    def __attrs_post_init__(self) -> None:
        checks.in_order(self, "start_time", "end_time")
