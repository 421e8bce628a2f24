"""Models of the rules of triggers: usage, conditions and actions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.faults import fault_of_input
from thingspace_async._core.types import OpenEnum, as_tuple, to_list_in_text, to_texts
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AccountAction",
    "AccountFilter",
    "AccountGroupShare",
    "AccountLevel",
    "AccountNames",
    "AccountUsage",
    "AllowanceThreshold",
    "AnomalyFilter",
    "ChangePlanDetails",
    "Comparator",
    "ConditionType",
    "DataUnit",
    "DeviceGroup",
    "DeviceGroupFilter",
    "DeviceGroupUsage",
    "GroupShareAction",
    "GroupShareCondition",
    "GroupShareFilter",
    "GroupShareNotice",
    "GroupShareUsage",
    "PlanAllowance",
    "PlanFilter",
    "PlanUsage",
    "PricePlanUsage",
    "SuspendDetails",
    "TriggerAction",
    "UsageCondition",
    "UsageCycle",
]


class ConditionType(OpenEnum):
    """How usage is evaluated."""

    INDIVIDUAL = "Individual"
    """The usage of each device."""
    AGING = "Aging"
    USAGE_ALLOWANCE = "UsageAllowance"
    """Percentages of the plan's allowance: needs `allowance_threshold`."""


class Comparator(OpenEnum):
    """How usage is compared with a threshold."""

    GT = "gt"
    """More than the threshold."""
    LT = "lt"
    """Less than the threshold."""
    EQ = "eq"
    """As much as the threshold."""


class DataUnit(OpenEnum):
    """The unit of a threshold."""

    KB = "KB"
    MB = "MB"
    GB = "GB"


class UsageCycle(OpenEnum):
    """The period of a sum of usage."""

    DAILY = "Daily"
    WEEKLY = "Weekly"
    """From Monday."""
    MONTHLY = "Monthly"
    """The billing cycle of the account."""


class AccountAction(OpenEnum):
    """The action of a trigger."""

    NOTIFY = "notify"
    """Sends an alert, and changes nothing."""
    SUSPEND = "suspend"
    """Suspends the devices, without asking."""
    CHANGE_PRICE_PLAN = "changePricePlan"
    """Changes the plan of the devices, without asking."""


def to_condition_type(given: ConditionType | str) -> ConditionType:
    """Convert the name of a type of condition."""
    return ConditionType(given) if isinstance(given, str) else given


def to_comparator(given: Comparator | str | None) -> Comparator | None:
    """Convert the name of a comparison."""
    return Comparator(given) if isinstance(given, str) else given


def to_unit(given: DataUnit | str | None) -> DataUnit | None:
    """Convert the name of a unit."""
    return DataUnit(given) if isinstance(given, str) else given


def to_cycle(given: UsageCycle | str | None) -> UsageCycle | None:
    """Convert the name of a cycle."""
    return UsageCycle(given) if isinstance(given, str) else given


def to_action(given: AccountAction | str | None) -> AccountAction:
    """Convert the name of an action. None means to notify."""
    if given is None:
        return AccountAction.NOTIFY
    return AccountAction(given) if isinstance(given, str) else given


def to_no(given: bool | None) -> bool:  # noqa: FBT001 - attrs calls it
    """Convert None to False, so that it is sent."""
    return False if given is None else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class AllowanceThreshold(Model):
    """Percentages of an allowance. The trigger fires at each chosen one."""

    percentage50: bool | None = None
    """Whether to fire at 50 %."""
    percentage75: bool | None = None
    """Whether to fire at 75 %."""
    percentage90: bool | None = None
    """Whether to fire at 90 %."""
    percentage100: bool | None = None
    """Whether to fire at 100 %."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "percentage50", "percentage75", "percentage90", "percentage100")


@attrs.frozen(kw_only=True, field_transformer=checked)
class UsageCondition(Model):
    """When a trigger fires: either at a `threshold`, or at percentages of the plan's allowance."""

    condition_type: ConditionType = attrs.field(converter=to_condition_type)
    """How the usage is evaluated."""
    comparator: Comparator | None = attrs.field(default=None, converter=to_comparator)
    """Required with `threshold`."""
    threshold: int | None = None
    """Amount of data in `threshold_unit`."""
    threshold_unit: DataUnit | None = attrs.field(default=None, converter=to_unit)
    """Required with `threshold`."""
    cycle_type: UsageCycle | None = attrs.field(default=None, converter=to_cycle)
    """Period of the usage: the sum starts at zero in each."""
    allowance_threshold: AllowanceThreshold | None = None
    """Percentages of the allowance, for the type `UsageAllowance`."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "threshold", "allowance_threshold")
        checks.exclusive(self, "threshold", "allowance_threshold")
        checks.needs(self, "threshold", "comparator")
        checks.needs(self, "threshold", "threshold_unit")


@attrs.frozen(kw_only=True, field_transformer=checked)
class SuspendDetails(Model):
    """Details of a suspension by a trigger."""

    suspend_from_accounts: tuple[str, ...] = attrs.field(default=(), converter=to_texts)
    """Accounts whose devices are suspended."""
    suspend_duration: Annotated[int | None, Range(least=1)] = None
    """How long the suspension lasts. The unit is not documented."""
    suspend_option: str | None = None
    """The values are not documented."""
    threshold: int | None = None
    """Amount of data in `threshold_unit`."""
    threshold_unit: DataUnit | None = attrs.field(default=None, converter=to_unit)
    """Required with `threshold`."""

    def __attrs_post_init__(self) -> None:
        checks.needs(self, "threshold", "threshold_unit")


@attrs.frozen(kw_only=True, field_transformer=checked)
class ChangePlanDetails(Model):
    """Details of a change of plan by a trigger."""

    to_carrier_service_plan_code: str
    """Code of the new plan."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class TriggerAction(Model):
    """A trigger's action on devices. By default, it changes nothing.

    The platform acts by itself, without a further request: a suspended device has no service, and a new plan has
    another price. So both must be asked for explicitly, and False is sent otherwise.
    """

    suspend: bool = attrs.field(default=None, converter=to_no)
    """True suspends the devices."""
    suspend_details: SuspendDetails | None = None
    """Needs `suspend=True`."""
    change_plan: bool = attrs.field(default=None, converter=to_no)
    """True changes the plan of the devices. Needs `change_plan_details`."""
    change_plan_details: ChangePlanDetails | None = None
    """The new plan. Needs `change_plan=True`."""

    def __attrs_post_init__(self) -> None:
        if self.suspend_details is not None and not self.suspend:
            raise InvalidRequest("TriggerAction: suspend_details needs suspend=True, which suspends devices")
        if self.change_plan is not (self.change_plan_details is not None):
            raise InvalidRequest(
                "TriggerAction: give change_plan=True, which changes the plan of devices, and change_plan_details, "
                "or neither"
            )


def to_trigger_action(given: TriggerAction | None) -> TriggerAction:
    """Convert None to an action that changes nothing."""
    return TriggerAction() if given is None else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class AnomalyFilter(Model):
    """Anomalies that fire a trigger: of accounts, or of device groups."""

    account_names: str | None = attrs.field(default=None, converter=to_list_in_text)
    """Accounts of the devices: a list, or a string with commas. Not allowed with `device_groups`."""
    device_groups: str | None = attrs.field(default=None, converter=to_list_in_text)
    """Groups of the devices: a list, or a string with commas."""
    include_abnormal: bool
    """Whether to include anomalies of the class `abnormal`."""
    include_very_abnormal: bool
    """Whether to include anomalies of the class `very abnormal`."""
    include_under_expected_usage: bool
    """Whether to include usage below the expected usage."""
    include_over_expected_usage: bool
    """Whether to include usage above the expected usage."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "account_names", "device_groups")
        checks.exclusive(self, "account_names", "device_groups")


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountNames(Model):
    """The accounts that a trigger watches."""

    account_name_list: tuple[str, ...] = attrs.field(converter=to_texts)
    """Their names."""


def to_account_names(given: AccountNames | Iterable[str]) -> AccountNames:
    """Convert names of accounts."""
    if isinstance(given, list | tuple) and given and all(fault_of_input(one) is None for one in given):
        return AccountNames(account_name_list=given)
    return cast("AccountNames", given)


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountFilter(Model):
    """The accounts of a trigger."""

    separate_or_combined: str | None = None
    """`Separate` or `Combined`: whether the usage of each account counts, or that of all together."""
    account_names: AccountNames = attrs.field(converter=to_account_names)
    """The accounts. A list of names is converted."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountLevel(Model):
    """A trigger's rule for accounts."""

    filter_criteria: AccountFilter
    """The accounts."""
    condition: UsageCondition
    """When it fires."""
    action: AccountAction = attrs.field(default=None, converter=to_action)
    """The action. Default: `NOTIFY`. The default is sent, too.

    `SUSPEND` and `CHANGE_PRICE_PLAN` change devices without asking, so they must be given explicitly.
    """


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountUsage(Model):
    """The usage of accounts that a trigger watches."""

    account_level: AccountLevel
    """The rule."""


def to_account_usage(given: AccountUsage | AccountLevel) -> AccountUsage:
    """Convert a rule for accounts."""
    return AccountUsage(account_level=given) if isinstance(given, AccountLevel) else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceGroupFilter(Model):
    """The device group of a trigger."""

    device_group_name: str
    """Name of the group."""
    individual_or_combined: str | None = attrs.field(default=None, metadata=named_on_wire("IndividualOrCombined"))
    """`Individual` or `Combined`: whether the usage of each device counts, or that of all together."""
    account_name: str
    """Account of the group."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceGroup(Model):
    """The device group that a trigger watches."""

    filter_criteria: DeviceGroupFilter
    """The group."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceGroupUsage(UsageCondition):
    """A trigger's rule for a device group: the group, the condition and the action."""

    device_group: DeviceGroup
    """The group."""
    action: TriggerAction = attrs.field(default=None, converter=to_trigger_action)
    """The action on devices. Default: none. The default is sent, too."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PlanFilter(Model):
    """The plan and the accounts of a trigger on a price plan."""

    carrier_service_plan_code: str
    """Code of the plan. `session.triggers.rate_plans` lists the plans."""
    account_name_list: tuple[str, ...] = attrs.field(default=(), converter=to_texts)
    """Accounts with the plan. Default: all."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class PlanUsage(Model):
    """A trigger's rule for a price plan."""

    filter_criteria: PlanFilter
    """The plan and the accounts."""
    condition: UsageCondition
    """When it fires."""
    action: TriggerAction = attrs.field(default=None, converter=to_trigger_action)
    """The action on devices. Default: none. The default is sent, too."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class GroupShareFilter(Model):
    """The group of plans of a trigger."""

    rate_plan_group_id: int
    """Id of the group."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class GroupShareCondition(Model):
    """The action of a trigger on a group of plans."""

    action: AccountAction = attrs.field(default=None, converter=to_action)
    """Default: `NOTIFY`. The default is sent, too. The other actions change devices without asking."""


def to_group_share_condition(given: GroupShareCondition | None) -> GroupShareCondition:
    """Convert None to a condition that notifies."""
    return GroupShareCondition() if given is None else given


@attrs.frozen(kw_only=True, field_transformer=checked)
class PlanAllowance(Model):
    """Percentages of one plan's allowance."""

    carrier_code: str
    """Code of the plan."""
    percentage: AllowanceThreshold
    """The percentages."""


def to_plan_allowances(given: Iterable[PlanAllowance]) -> tuple[PlanAllowance, ...]:
    """Convert percentages of plans."""
    found: tuple[PlanAllowance, ...] = as_tuple(given)
    return found


@attrs.frozen(kw_only=True, field_transformer=checked)
class GroupShareNotice(Model):
    """An alert about a group of plans."""

    alert_type: str | None = None
    """The values are not documented."""
    threshold: tuple[PlanAllowance, ...] = attrs.field(converter=to_plan_allowances)
    """Percentages of each plan's allowance."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class GroupShareAction(Model):
    """The alert of a trigger on a group of plans."""

    notify: GroupShareNotice
    """The alert."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class GroupShareUsage(Model):
    """A trigger's rule for a group of plans."""

    filter_criteria: GroupShareFilter
    """The group."""
    condition: GroupShareCondition = attrs.field(default=None, converter=to_group_share_condition)
    """The action. Default: to notify."""
    action: GroupShareAction
    """The alert."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class AccountGroupShare(Model):
    """A group of plans that accounts share. The user needs access to all accounts of the profile."""

    account_group_share_individual: GroupShareUsage
    """The rule for single lines."""


_PLANS: Final = ("stand_alone", "pay_as_you_go", "account_share", "profile_share", "account_group_share")


@attrs.frozen(kw_only=True, field_transformer=checked)
class PricePlanUsage(Model):
    """The usage of a price plan that a trigger watches: exactly one kind of plan."""

    stand_alone: PlanUsage | None = None
    """A plan whose allowance belongs to one device."""
    pay_as_you_go: PlanUsage | None = None
    """A plan without an allowance."""
    account_share: PlanUsage | None = None
    """A plan whose allowance the devices of an account share."""
    profile_share: PlanUsage | None = None
    """A plan whose allowance the accounts of a profile share."""
    account_group_share: AccountGroupShare | None = None
    """A group of plans."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *_PLANS)
        for place, name in enumerate(_PLANS):
            checks.exclusive(self, name, *_PLANS[place + 1 :])
