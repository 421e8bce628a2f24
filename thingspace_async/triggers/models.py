"""Models of triggers: usage of accounts, device groups and price plans, anomalies, and promotions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.faults import fault_of_input
from thingspace_async._core.types import OpenEnum, as_tuple, to_list_in_text
from thingspace_async.errors import InvalidRequest
from thingspace_async.triggers.rules.models import (
    AccountUsage,
    AnomalyFilter,
    DeviceGroupUsage,
    PricePlanUsage,
    to_account_usage,
)

__all__ = [
    "AccountUsageTrigger",
    "AccountUsageTriggerUpdate",
    "AnomalySettings",
    "CreateTriggerRequest",
    "DeviceGroupUsageTrigger",
    "DeviceGroupUsageTriggerUpdate",
    "Notification",
    "PricePlanTrigger",
    "PricePlanTriggerUpdate",
    "PromoAlert",
    "PromoAlertChange",
    "PromoAlertTriggerUpdate",
    "PromoPercentages",
    "PromoPlan",
    "PromoPlanChoice",
    "PromoThresholds",
    "PromoThresholdsChange",
    "RatePlan",
    "RatePlanAccount",
    "RatePlanGroup",
    "RatePlanList",
    "SmsNumber",
    "Trigger",
    "TriggerAttribute",
    "TriggerCategory",
    "TriggerCreated",
    "TriggerList",
    "TriggerNotification",
    "TriggerResult",
    "UpdateTriggerRequest",
    "UsageAnomalyTrigger",
    "UsageAnomalyTriggerUpdate",
]


class TriggerCategory(OpenEnum):
    """The subject of a trigger."""

    USAGE_ANOMALY = "UsageAnomaly"
    """Usage that differs from the usual usage of the device."""
    ACCOUNT_USAGE = "AccountUsage"
    DEVICE_GROUP_USAGE = "DeviceGroupUsage"
    PRICE_PLAN_DATA_USAGE = "PricePlanDataUsage"
    PROMO_ALERTS = "PromoAlerts"
    """Promotional periods of ReadySIM devices. The platform creates these triggers."""
    SERVICE_IMPACTING_EVENTS = "ServiceImpactingEvents"
    DEVICE_SMS_USAGE = "DeviceSMSUsage"
    """SMS messages of a device, only in `session.triggers.v1`."""
    DEVICE_DATA_USAGE = "DeviceDataUsage"
    """Data of a device, only in `session.triggers.v1`."""
    DEVICE_SESSION_TIME = "DeviceSessionTime"
    """Length of a device's data session, only in `session.triggers.v1`."""


def to_flag_text(given: bool | str | None) -> str | None:  # noqa: FBT001 - attrs calls it
    """Convert a bool to the string that the platform takes instead."""
    return str(given).lower() if isinstance(given, bool) else given


def _flag_text(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if value not in (None, "true", "false"):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a bool")


def _category(given: TriggerCategory | str | None, only: TriggerCategory) -> TriggerCategory:
    if given is None:
        return only
    return TriggerCategory(given) if isinstance(given, str) else given


def to_usage_anomaly(given: TriggerCategory | str | None) -> TriggerCategory:
    """Convert a category. None means UsageAnomaly."""
    return _category(given, TriggerCategory.USAGE_ANOMALY)


def to_account_usage_category(given: TriggerCategory | str | None) -> TriggerCategory:
    """Convert a category. None means AccountUsage."""
    return _category(given, TriggerCategory.ACCOUNT_USAGE)


def to_device_group_usage_category(given: TriggerCategory | str | None) -> TriggerCategory:
    """Convert a category. None means DeviceGroupUsage."""
    return _category(given, TriggerCategory.DEVICE_GROUP_USAGE)


def to_price_plan_category(given: TriggerCategory | str | None) -> TriggerCategory:
    """Convert a category. None means PricePlanDataUsage."""
    return _category(given, TriggerCategory.PRICE_PLAN_DATA_USAGE)


def to_promo_alerts(given: TriggerCategory | str | None) -> TriggerCategory:
    """Convert a category. None means PromoAlerts."""
    return _category(given, TriggerCategory.PROMO_ALERTS)


def _always(only: TriggerCategory) -> checks.Validator:
    def validate(model: object, field: attrs.Attribute[Any], value: object) -> None:
        if value != only:
            raise InvalidRequest(f"{type(model).__name__}: {field.name} is always {only}: leave it out")

    return validate


@attrs.frozen(kw_only=True)
class SmsNumber(Model):
    """A phone number that gets alerts by SMS."""

    number: str | None = None
    """Digits only. Required in requests."""
    carrier: str | None = None
    """Name of its carrier, such as `US Cellular`."""


@attrs.frozen(kw_only=True)
class TriggerNotification(Model):
    """The recipients of a trigger's alerts."""

    notification_type: str | None = None
    """For example `DailySummary`."""
    callback: bool | None = None
    """Whether to send alerts to the account's listener for AlertService."""
    email_notification: bool | None = None
    """Whether to send email."""
    notification_group_name: str | None = None
    """Group of people who get the email."""
    notification_frequency_factor: int | None = None
    """How many intervals lie between two notifications."""
    notification_frequency_interval: str | None = None
    """For example `Hourly`."""
    external_email_recipients: str | None = None
    """Email addresses outside of the group, with commas between them."""
    sms_notification: bool | None = None
    """Whether to send SMS messages to `sms_numbers`."""
    sms_numbers: tuple[SmsNumber, ...] = ()
    reminder: bool | None = None
    """Whether to repeat the notification."""
    severity: str | None = None
    """For example `Critical`."""


def to_sms_numbers(given: Iterable[SmsNumber]) -> tuple[SmsNumber, ...]:
    """Convert phone numbers."""
    found: tuple[SmsNumber, ...] = as_tuple(given)
    return found


_MOST_NUMBERS: Final = 10
_some_numbers: Final = checks.instances(SmsNumber, least=1, most=_MOST_NUMBERS)


def _sms_numbers(model: object, field: attrs.Attribute[Any], value: tuple[SmsNumber, ...]) -> None:
    _some_numbers(model, field, value)
    for one in value:
        checks.text(model, field, one.number)
        if one.carrier is not None:
            checks.text(model, field, one.carrier)


@attrs.frozen(kw_only=True, field_transformer=checked)
class Notification(TriggerNotification):
    """The recipients of a trigger's alerts. Without `callback=True`, no alert arrives on AlertService."""

    external_email_recipients: str | None = attrs.field(default=None, converter=to_list_in_text)
    """Email addresses outside of the group: a list, or a string with commas."""
    sms_numbers: tuple[SmsNumber, ...] = attrs.field(default=(), converter=to_sms_numbers, validator=_sms_numbers)
    """At most 10 phone numbers."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class CreateTriggerRequest(Model):
    """Base of the triggers to create, one class for each category."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class UpdateTriggerRequest(Model):
    """Base of the changes to triggers, one class for each category."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class _Anomalies(Model):
    """The fields of triggers on anomalies."""

    trigger_category: TriggerCategory = attrs.field(
        default=None, converter=to_usage_anomaly, validator=_always(TriggerCategory.USAGE_ANOMALY)
    )
    """Always `UsageAnomaly`: leave it out."""
    account_name: str
    """Account of the trigger."""
    anomaly_trigger_request: AnomalyFilter
    """Anomalies that fire it."""
    notification: Notification | None = None
    """The recipients of its alerts."""
    active: bool | None = None
    """Whether the trigger is active."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class UsageAnomalyTrigger(CreateTriggerRequest, _Anomalies):
    """A trigger on anomalies that ThingSpace Intelligence detects. The account needs anomaly detection."""

    name: str
    """Unique name of the trigger."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class UsageAnomalyTriggerUpdate(UpdateTriggerRequest, _Anomalies):
    """New settings of a trigger on anomalies."""

    trigger_id: str
    """The trigger."""
    trigger_name: str | None = None
    """Unique name of the trigger."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class _Named(Model):
    """The fields of triggers on usage."""

    trigger_name: str
    """Unique name of the trigger."""
    ecpd_id: str | None = None
    """The customer's profile (ECPD id)."""
    notification: Notification | None = None
    """The recipients of its alerts."""
    active: str | None = attrs.field(default=None, converter=to_flag_text, validator=_flag_text)
    """Whether the trigger is active. A bool is converted to the string that the platform takes."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class _AccountUsage(_Named):
    """The fields of triggers on the usage of accounts."""

    trigger_category: TriggerCategory = attrs.field(
        default=None, converter=to_account_usage_category, validator=_always(TriggerCategory.ACCOUNT_USAGE)
    )
    """Always `AccountUsage`: leave it out."""
    data_trigger: AccountUsage = attrs.field(converter=to_account_usage)
    """The rule. An AccountLevel is converted."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountUsageTrigger(CreateTriggerRequest, _AccountUsage):
    """A trigger on the data usage of accounts. It only notifies, unless the rule has another `action`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountUsageTriggerUpdate(UpdateTriggerRequest, _AccountUsage):
    """New settings of a trigger on the usage of accounts. Without an `action`, it only notifies from now on."""

    trigger_id: str
    """The trigger."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class _DeviceGroupUsage(_Named):
    """The fields of triggers on the usage of device groups."""

    trigger_category: TriggerCategory = attrs.field(
        default=None, converter=to_device_group_usage_category, validator=_always(TriggerCategory.DEVICE_GROUP_USAGE)
    )
    """Always `DeviceGroupUsage`: leave it out."""
    data_trigger: DeviceGroupUsage
    """The rule."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceGroupUsageTrigger(CreateTriggerRequest, _DeviceGroupUsage):
    """A trigger on the data usage of a device group. It only notifies, unless the rule has an `action`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceGroupUsageTriggerUpdate(UpdateTriggerRequest, _DeviceGroupUsage):
    """New settings of a trigger on a device group. Without an `action`, it only notifies from now on."""

    trigger_id: str
    """The trigger."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class _PricePlan(_Named):
    """The fields of triggers on price plans."""

    trigger_category: TriggerCategory = attrs.field(
        default=None, converter=to_price_plan_category, validator=_always(TriggerCategory.PRICE_PLAN_DATA_USAGE)
    )
    """Always `PricePlanDataUsage`: leave it out."""
    account_name: str | None = None
    """Account of the trigger, for a group of plans."""
    price_plan_trigger: PricePlanUsage
    """The rule."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PricePlanTrigger(CreateTriggerRequest, _PricePlan):
    """A trigger on the data usage of a price plan. It only notifies, unless the rule has an `action`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PricePlanTriggerUpdate(UpdateTriggerRequest, _PricePlan):
    """New settings of a trigger on a price plan. Without an `action`, it only notifies from now on."""

    trigger_id: str
    """The trigger."""


@attrs.frozen(kw_only=True)
class PromoPlan(Model):
    """A plan with a promotional period."""

    service_plan: str | None = None
    """Code of the plan."""


@attrs.frozen(kw_only=True)
class PromoPercentages(Model):
    """Percentages of a promotional period's data and SMS messages, each with an alert of its own."""

    data_percentage50: bool | None = None
    """Whether to send one at 50 % of the data."""
    data_percentage75: bool | None = None
    """Whether to send one at 75 % of the data."""
    data_percentage90: bool | None = None
    """Whether to send one at 90 % of the data."""
    sms_percentage50: bool | None = None
    """Whether to send one at 50 % of the SMS messages."""
    sms_percentage75: bool | None = None
    """Whether to send one at 75 % of the SMS messages."""
    sms_percentage90: bool | None = None
    """Whether to send one at 90 % of the SMS messages."""


@attrs.frozen(kw_only=True)
class PromoThresholds(PromoPercentages):
    """When to send alerts in a promotional period."""

    data_percentage100: bool | None = None
    """Whether to send one at 100 % of the data."""
    sms_percentage100: bool | None = None
    """Whether to send one at 100 % of the SMS messages."""
    days_before_expiry: int | None = attrs.field(default=None, metadata=named_on_wire("NoOfDaysB4PromoExp"))
    """How many days before the end of the period to send an alert."""


@attrs.frozen(kw_only=True)
class PromoAlert(Model):
    """Alerts about promotional periods."""

    filter_criteria: tuple[PromoPlan, ...] = ()
    """The plans."""
    condition: tuple[PromoThresholds, ...] = ()
    """When to send alerts."""
    enable_promo_exp: bool | None = None
    """Whether to send an alert before the period ends."""


MOST_PROMO_DAYS: Final = 180
"""The longest time before the end of a promotional period."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PromoThresholdsChange(PromoThresholds):
    """When to send alerts in a promotional period."""

    days_before_expiry: Annotated[int | None, Range(least=0, most=MOST_PROMO_DAYS)] = attrs.field(
        default=None, metadata=named_on_wire("NoOfDaysB4PromoExp")
    )
    """How many days before the end of the period to send an alert, at most 180."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PromoPlanChoice(PromoPlan):
    """A plan with a promotional period."""

    service_plan: str = attrs.field()  # Without `attrs.field()`, pyright expects the inherited field's default.
    """Code of the plan."""


def to_promo_plans(given: Iterable[PromoPlanChoice | str]) -> tuple[PromoPlanChoice, ...]:
    """Convert plans, or their codes."""
    found: Any = as_tuple(given)
    if not isinstance(found, tuple):
        return cast("tuple[PromoPlanChoice, ...]", found)
    return tuple([PromoPlanChoice(service_plan=one) if fault_of_input(one) is None else one for one in found])


def to_promo_thresholds(given: Iterable[PromoThresholdsChange]) -> tuple[PromoThresholdsChange, ...]:
    """Convert conditions."""
    found: tuple[PromoThresholdsChange, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True, field_transformer=checked)
class PromoAlertChange(PromoAlert):
    """New alerts about promotional periods."""

    filter_criteria: tuple[PromoPlanChoice, ...] = attrs.field(default=(), converter=to_promo_plans)
    """The plans. Codes of plans are converted."""
    condition: tuple[PromoThresholdsChange, ...] = attrs.field(default=(), converter=to_promo_thresholds)
    """When to send alerts."""


def to_promo_alert_changes(given: Iterable[PromoAlertChange]) -> tuple[PromoAlertChange, ...]:
    """Convert alerts."""
    found: tuple[PromoAlertChange, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True, field_transformer=checked)
class PromoAlertTriggerUpdate(UpdateTriggerRequest):
    """New settings of a trigger on promotional periods. `session.triggers.promo_alerts` lists these triggers."""

    trigger_id: str
    """The trigger."""
    trigger_name: str | None = None
    """Name of the trigger."""
    account_name: str | None = None
    """Account of the trigger."""
    organization_name: str | None = None
    """Name of a group, if the trigger has one."""
    trigger_category: TriggerCategory = attrs.field(
        default=None, converter=to_promo_alerts, validator=_always(TriggerCategory.PROMO_ALERTS)
    )
    """Always `PromoAlerts`: leave it out."""
    promo_alerts: tuple[PromoAlertChange, ...] = attrs.field(default=(), converter=to_promo_alert_changes)
    """The alerts."""


@attrs.frozen(kw_only=True)
class TriggerCreated(Model):
    """The platform has created a trigger."""

    trigger_id: str


@attrs.frozen(kw_only=True)
class TriggerResult(Model):
    """The platform has changed or deleted a trigger. It answers one of the two."""

    trigger_id: str | None = None
    status: str | None = None
    """`Success`."""


@attrs.frozen(kw_only=True)
class TriggerAttribute(Model):
    """A setting of a trigger."""

    key: str
    """For example `ServicePlan` or `DataPercentage50`."""
    value: bool | int | str | None = None


@attrs.frozen(kw_only=True)
class AnomalySettings(Model):
    """Anomalies that fire a trigger."""

    account_names: str | None = None
    device_group: str | None = None
    include_abnormal: bool | None = None
    include_very_abnormal: bool | None = None
    include_under_expected_usage: bool | None = None
    include_over_expected_usage: bool | None = None


@attrs.frozen(kw_only=True)
class Trigger(Model):
    """A trigger. Which fields it has depends on its category."""

    trigger_id: str
    trigger_name: str | None = None
    account_name: str | None = None
    organization_name: str | None = None
    """Name of a group, if the trigger has one."""
    trigger_category: TriggerCategory | None = None
    trigger_attributes: tuple[TriggerAttribute, ...] = ()
    """Settings by name. `attribute` returns one of them."""
    anomaly_settings: AnomalySettings | None = attrs.field(default=None, metadata=named_on_wire("anomalyattributes"))
    """Anomalies that fire it."""
    promo_alerts: tuple[PromoAlert, ...] = ()
    """Alerts about promotional periods."""
    notification: TriggerNotification | None = None
    """The recipients of its alerts."""
    active: bool | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None

    def attribute(self, key: str) -> bool | int | str | None:
        """Return the setting with a name, in any case, or None."""
        wanted = key.casefold()
        return next((one.value for one in self.trigger_attributes if one.key.casefold() == wanted), None)


@attrs.frozen(kw_only=True)
class TriggerList(Model):
    """Triggers, as the platform answers them."""

    triggers: tuple[Trigger, ...] = ()


@attrs.frozen(kw_only=True)
class RatePlanAccount(Model):
    """An account with a plan."""

    account_name: str | None = None
    mtas_account_number: str | None = None
    """Number of the account in Verizon's billing."""


@attrs.frozen(kw_only=True)
class RatePlan(Model):
    """A price plan of a profile."""

    description: str | None = None
    size_kb: int | str | None = None
    """Allowance in kilobytes, as a string."""
    carrier_rate_plan_code: str | None = None
    """Code of the plan."""
    zero_dollar_billing: bool | None = None
    """Whether the plan costs nothing."""
    promotion_offered: bool | None = None
    """Whether the plan has a promotional period."""
    promotion_days: int | None = None
    """Days of the promotional period."""
    rate_plan_type: str | None = None
    accounts: tuple[RatePlanAccount, ...] = attrs.field(default=(), metadata=named_on_wire("account"))
    """Accounts with the plan."""


@attrs.frozen(kw_only=True)
class RatePlanGroup(Model):
    """A group of price plans."""

    rate_plan_group_description: str | None = None
    rate_plan_type: str | None = None
    rate_plans: tuple[RatePlan, ...] = attrs.field(default=(), metadata=named_on_wire("ratePlan"))


@attrs.frozen(kw_only=True)
class RatePlanList(Model):
    """The price plans of a profile, as the platform answers them."""

    rate_plan_group: tuple[RatePlanGroup, ...] = ()
