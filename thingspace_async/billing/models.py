"""Models of aggregated billing and usage triggers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import OpenEnum, to_list_in_text, to_texts
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AddedAccount",
    "ManagedAccount",
    "ManagedAccountRequest",
    "ManagedAccountResult",
    "ManagedAccounts",
    "ManagedAccountsAddRequest",
    "ManagedAccountsAdded",
    "ServiceName",
    "UsageTrigger",
    "UsageTriggerCreateRequest",
    "UsageTriggerUpdateRequest",
]


class ServiceName(OpenEnum):
    """A service that is billed."""

    LOCATION = "Location"
    """Device Location Services."""
    FOTA = "fota"
    """Software Management Services."""


def to_service_name(given: ServiceName | str) -> ServiceName:
    """Convert the name of a service. The validator refuses values that are not strings."""
    return ServiceName(given) if isinstance(given, str) else given


def to_percent(given: int | str) -> str:
    """Convert a whole number to a string. The validator refuses other values."""
    is_number = isinstance(given, int) and not isinstance(given, bool)
    return str(given) if is_number else cast("str", given)


def _percent(model: object, field: attrs.Attribute[Any], value: str | None) -> None:
    if value is field.default:
        return
    checks.text(model, field, value)
    if not (str(value).isascii() and str(value).isdigit()):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a whole number of percent, such as 90")


# Managed accounts


@attrs.frozen(kw_only=True, field_transformer=checked)
class ManagedAccountsAddRequest(Model):
    """Accounts whose service the primary account will pay for."""

    account_name: str
    """The primary account, which will pay."""
    service_name: ServiceName = attrs.field(converter=to_service_name)
    """The service to manage."""
    sku: str = attrs.field(metadata=named_on_wire("type"))
    """SKU of the primary account's subscription, such as `TS-LOC-COARSE-CellID-Aggr`."""
    managed_accounts: tuple[str, ...] = attrs.field(converter=to_texts, metadata=named_on_wire("managedAccList"))
    """Names of the accounts to add."""


@attrs.frozen(kw_only=True)
class AddedAccount(Model):
    """Whether an account was added."""

    account_name: str | None = attrs.field(default=None, metadata=named_on_wire("id"))
    status: str | None = None
    """`Success`, or another word if the account was not added."""
    reason: str | None = None


@attrs.frozen(kw_only=True)
class ManagedAccountsAdded(Model):
    """The result for each account, and the transaction."""

    transaction_id: str | None = attrs.field(default=None, metadata=named_on_wire("txid", also="TxId"))
    """Each account needs it for `provision`."""
    accounts: tuple[AddedAccount, ...] = attrs.field(default=(), metadata=named_on_wire("statusList"))
    """The accounts of the request. Some may have failed, although the call succeeded."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ManagedAccountRequest(Model):
    """A managed account whose service to begin or to end."""

    account_name: str
    """The managed account."""
    primary_account_name: str = attrs.field(metadata=named_on_wire("paccountName"))
    """The account that pays."""
    service_name: ServiceName = attrs.field(converter=to_service_name)
    """The service that is managed."""
    sku: str = attrs.field(metadata=named_on_wire("type"))
    """SKU of the service."""
    transaction_id: str = attrs.field(metadata=named_on_wire("txid"))
    """The transaction from `add_accounts` or `managed_accounts`."""


@attrs.frozen(kw_only=True)
class ManagedAccountResult(Model):
    """The result of a change of a managed account."""

    transaction_id: str | None = attrs.field(default=None, metadata=named_on_wire("txid"))
    account_name: str | None = None
    """The managed account."""
    primary_account_name: str | None = attrs.field(default=None, metadata=named_on_wire("paccountName"))
    service_name: ServiceName | None = None
    status: str | None = None
    """`Success`, or another word if nothing was changed."""
    reason: str | None = None


@attrs.frozen(kw_only=True)
class ManagedAccount(Model):
    """A managed account."""

    account_name: str | None = attrs.field(default=None, metadata=named_on_wire("id"))
    transaction_id: str | None = attrs.field(default=None, metadata=named_on_wire("txid"))


@attrs.frozen(kw_only=True)
class ManagedAccounts(Model):
    """The accounts that a primary account manages."""

    account_name: str | None = None
    """The primary account."""
    added: tuple[ManagedAccount, ...] = attrs.field(default=(), metadata=named_on_wire("ManagedAccAddedList"))
    """Accounts that were added, and are not provisioned yet."""
    provisioned: tuple[ManagedAccount, ...] = attrs.field(
        default=(), metadata=named_on_wire("managedAccProvisionedList")
    )
    """Accounts whose service is billed to the primary account."""


# Usage triggers


@attrs.frozen(kw_only=True, field_transformer=checked)
class UsageTriggerCreateRequest(Model):
    """An alert about the usage of a service. Without SMS and email, it reports to callback listeners only."""

    account_name: str
    """Account whose usage is counted."""
    service_name: ServiceName = attrs.field(converter=to_service_name)
    """Service whose usage is counted."""
    threshold_value: str = attrs.field(converter=to_percent, validator=_percent)
    """Percentage of the month's subscription, such as 90. An int is converted to a string."""
    trigger_name: str | None = None
    """Name for people."""
    allow_excess: bool | None = None
    """Has no effect so far."""
    send_sms_notification: bool | None = None
    """Whether to send SMS messages to `sms_phone_numbers`."""
    sms_phone_numbers: str | None = attrs.field(default=None, converter=to_list_in_text)
    """Phone numbers, digits only: a list, or a string with commas."""
    send_email_notification: bool | None = None
    """Whether to send email to `email_addresses`."""
    email_addresses: str | None = attrs.field(default=None, converter=to_list_in_text)
    """Email addresses: a list, or a string with commas."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class UsageTriggerUpdateRequest(Model):
    """Changes to a trigger. Fields that are not given keep their values."""

    account_name: str
    """Account of the trigger. A trigger cannot be moved to another account."""
    trigger_name: str | None = None
    """New name."""
    threshold_value: str | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_percent), validator=_percent
    )
    """New percentage. An int is converted to a string."""
    sms_phone_numbers: str | None = attrs.field(default=None, converter=to_list_in_text)
    """New phone numbers, which replace all former ones."""
    email_addresses: str | None = attrs.field(default=None, converter=to_list_in_text)
    """New email addresses, which replace all former ones."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "trigger_name", "threshold_value", "sms_phone_numbers", "email_addresses")


@attrs.frozen(kw_only=True)
class UsageTrigger(Model):
    """An alert about the usage of a service."""

    trigger_id: str
    trigger_name: str | None = None
    account_name: str | None = None
    service_name: ServiceName | None = None
    threshold_value: str | None = None
    """Percentage of the month's subscription, as a string."""
    allow_excess: bool | None = None
    send_sms_notification: bool | None = None
    sms_phone_numbers: str | None = None
    """Phone numbers with commas between them."""
    send_email_notification: bool | None = None
    email_addresses: str | None = None
    """Email addresses with commas between them."""
    create_date: datetime | None = None
    update_date: datetime | None = None
