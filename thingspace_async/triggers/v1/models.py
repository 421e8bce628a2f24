"""Models of triggers on the usage of devices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async.errors import InvalidRequest
from thingspace_async.triggers.models import MOST_PROMO_DAYS, PromoPercentages, TriggerCategory
from thingspace_async.triggers.rules.models import (
    AnomalyFilter,
    Comparator,
    DataUnit,
    UsageCycle,
    to_comparator,
    to_cycle,
    to_unit,
)

__all__ = [
    "DataUsageThreshold",
    "DeviceTrigger",
    "DeviceTriggerList",
    "DeviceTriggerRequest",
    "DeviceTriggerUpdateRequest",
    "PromoUsageThreshold",
    "SessionTimeThreshold",
    "SmsUsageThreshold",
]


def to_trigger_category(given: TriggerCategory | str) -> TriggerCategory:
    """Convert the name of a category. The validator refuses values that are not strings."""
    return TriggerCategory(given) if isinstance(given, str) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class SmsUsageThreshold(Model):
    """A number of SMS messages."""

    comparator: Comparator | None = attrs.field(default=None, converter=to_comparator)
    """How the number is compared, such as `gt`."""
    sms_type: str | None = None
    """Direction of the messages. The values are not documented. The simulator takes `MO`, `MT` and `All`."""
    threshold: int
    """The number."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DataUsageThreshold(Model):
    """An amount of data."""

    comparator: Comparator | None = attrs.field(default=None, converter=to_comparator)
    """How the amount is compared, such as `gt`."""
    threshold: int
    """The amount, in `threshold_unit`."""
    threshold_unit: DataUnit | None = attrs.field(default=None, converter=to_unit)
    """Unit of the amount. Required, because a default is not documented."""

    def __attrs_post_init__(self) -> None:
        checks.needs(self, "threshold", "threshold_unit")


@attrs.frozen(kw_only=True, field_transformer=checked)
class SessionTimeThreshold(Model):
    """The length of a data session."""

    comparator: Comparator | None = attrs.field(default=None, converter=to_comparator)
    """How the length is compared, such as `gt`."""
    threshold: int
    """The length. Its unit is not documented; the simulator takes minutes."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PromoUsageThreshold(PromoPercentages):
    """When to send alerts in a promotional period."""

    days_before_expiry: Annotated[int | None, Range(least=0, most=MOST_PROMO_DAYS)] = attrs.field(
        default=None, metadata=named_on_wire("noOfDaysB4PromoExp")
    )
    """How many days before the end of the period to send an alert, at most 180."""


_PARTS: Final[Mapping[TriggerCategory, str]] = {
    TriggerCategory.DEVICE_SMS_USAGE: "sms",
    TriggerCategory.DEVICE_DATA_USAGE: "data",
    TriggerCategory.DEVICE_SESSION_TIME: "session",
    TriggerCategory.USAGE_ANOMALY: "anomaly",
    TriggerCategory.PROMO_ALERTS: "promo",
}
"""The field with the details of each category."""

_WITH_CYCLE: Final = (TriggerCategory.DEVICE_SMS_USAGE, TriggerCategory.DEVICE_DATA_USAGE)


def _check_part(model: DeviceTriggerRequest | DeviceTriggerUpdateRequest, *, needed: bool) -> None:
    """Check that the details of the category are there. An unlisted category may have any."""
    if (own := _PARTS.get(model.trigger_category)) is None or getattr(model, own, None) is not None:
        return
    if needed or any(getattr(model, other, None) is not None for other in _PARTS.values()):
        raise InvalidRequest(f"{type(model).__name__}: the category {model.trigger_category} needs {own}, too")


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceTriggerRequest(Model):
    """A trigger on the usage of each device of an account. It only notifies."""

    name: str
    """Unique name of the trigger."""
    account_name: str
    """Account of the devices."""
    group_name: str | None = None
    """Group of the devices. Default: all devices of the account."""
    trigger_category: TriggerCategory = attrs.field(converter=to_trigger_category)
    """The category. It cannot be changed later."""
    trigger_cycle: UsageCycle | None = attrs.field(default=None, converter=to_cycle)
    """Period of the usage: the sum starts at zero in each. Required for SMS messages and data."""
    sms: SmsUsageThreshold | None = attrs.field(default=None, metadata=named_on_wire("smsTriggerRequest"))
    """Threshold for the category `DEVICE_SMS_USAGE`."""
    data: DataUsageThreshold | None = attrs.field(default=None, metadata=named_on_wire("dataTriggerRequest"))
    """Threshold for the category `DEVICE_DATA_USAGE`."""
    session: SessionTimeThreshold | None = attrs.field(default=None, metadata=named_on_wire("sessionTriggerRequest"))
    """Threshold for the category `DEVICE_SESSION_TIME`."""
    anomaly: AnomalyFilter | None = attrs.field(default=None, metadata=named_on_wire("anomalyTriggerRequest"))
    """Anomalies for the category `USAGE_ANOMALY`. Prefer `session.triggers.create`, which can notify by email too."""

    def __attrs_post_init__(self) -> None:
        _check_part(self, needed=True)
        if self.trigger_category in _WITH_CYCLE and self.trigger_cycle is None:
            raise InvalidRequest(f"DeviceTriggerRequest: the category {self.trigger_category} needs trigger_cycle, too")


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceTriggerUpdateRequest(Model):
    """New settings of a trigger."""

    trigger_id: str
    """The trigger."""
    name: str
    """Unique name of the trigger: the present one, or a new one."""
    account_name: str
    """Account of the trigger. It cannot be changed."""
    group_name: str | None = None
    """Group of the devices. Default: all devices of the account."""
    trigger_category: TriggerCategory = attrs.field(converter=to_trigger_category)
    """The present category. It cannot be changed."""
    cycle_type: UsageCycle | None = attrs.field(default=None, converter=to_cycle)
    """Period of the usage: the sum starts at zero in each."""
    active: bool | None = None
    """Whether the trigger is active."""
    sms: SmsUsageThreshold | None = attrs.field(default=None, metadata=named_on_wire("smsTriggerRequest"))
    """New threshold for SMS messages."""
    data: DataUsageThreshold | None = attrs.field(default=None, metadata=named_on_wire("dataTriggerRequest"))
    """New threshold for data."""
    session: SessionTimeThreshold | None = attrs.field(default=None, metadata=named_on_wire("sessionTriggerRequest"))
    """New threshold for data sessions."""
    anomaly: AnomalyFilter | None = attrs.field(default=None, metadata=named_on_wire("anomalyTriggerRequest"))
    """New choice of anomalies."""
    promo: PromoUsageThreshold | None = attrs.field(default=None, metadata=named_on_wire("promoAlertTriggerRequest"))
    """New alerts about promotional periods."""

    def __attrs_post_init__(self) -> None:
        _check_part(self, needed=False)


@attrs.frozen(kw_only=True)
class DeviceTrigger(Model):
    """A trigger on the usage of devices."""

    trigger_id: str
    trigger_name: str | None = None
    account_name: str | None = None
    group_name: str | None = None
    """Group of the devices. None for all devices of the account."""
    organization_name: str | None = None
    trigger_category: TriggerCategory | None = None
    trigger_cycle: UsageCycle | None = None
    comparator: Comparator | None = None
    threshold: int | str | None = None
    """As the platform sends it, mostly as a string."""
    threshold_unit: DataUnit | None = None
    sms_type: str | None = None
    notification_group_name: str | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None


@attrs.frozen(kw_only=True)
class DeviceTriggerList(Model):
    """Triggers, as the platform answers them."""

    triggers: tuple[DeviceTrigger, ...] = ()
