"""Models of the people who are notified of alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from thingspace_async._core import checks
from thingspace_async._core.codec import Model
from thingspace_async.errors import InvalidRequest
from thingspace_async.sensor_insights._names import checked_low, low
from thingspace_async.sensor_insights.models import json_object

__all__ = ["CreateUserRequest", "DeleteUserRequest", "InsightsUser", "UpdateUserRequest", "UserDetails"]


@attrs.frozen(kw_only=True, field_transformer=low)
class InsightsUser(Model):
    """A recipient of alerts."""

    id: str
    name: str | None = None
    display_name: str | None = None
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    mdn: str | None = None
    """Phone number."""
    description: str | None = None
    state: str | None = None
    custom_data: dict[str, Any] | None = None
    """Data of your own."""
    ack_terms: bool | None = None
    """Whether the user has accepted the terms."""
    ack_terms_on: datetime | None = None
    credentials_id: str | None = None
    credentials_type: str | None = None
    secondary_billing_account_ids: tuple[str, ...] = ()
    account_client_id: str | None = None
    billing_account_id: str | None = None
    """Name of the account."""
    foreign_id: str | None = None
    version: str | None = None
    version_id: str | None = None
    created_on: datetime | None = None
    last_updated: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class UserDetails(Model):
    """A person, with at least an email address or a phone number. In an update, at least one field is given."""

    email: str | None = None
    mdn: str | None = None
    """Phone number."""
    first_name: str | None = None
    last_name: str | None = None
    custom_data: dict[str, Any] | None = attrs.field(default=None, validator=json_object)
    """Data of your own."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *(field.name for field in attrs.fields(UserDetails)))


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class CreateUserRequest(Model):
    """A user to create."""

    account_name: str
    """Account of the user."""
    user: UserDetails
    """Who it is."""

    def __attrs_post_init__(self) -> None:
        if self.user.email is None and self.user.mdn is None:
            raise InvalidRequest("CreateUserRequest: user needs an email or an mdn")


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class UpdateUserRequest(Model):
    """A user and what to change of it."""

    account_name: str
    """Account of the user."""
    id: str
    """`id` of the user."""
    user: UserDetails
    """What to change. Fields that are not given keep their value."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class DeleteUserRequest(Model):
    """A user to delete, in the form of the wire."""

    account_name: str
    id: str
