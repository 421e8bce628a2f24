"""Models of the profiles that configure devices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import as_tuple
from thingspace_async.sensor_insights._names import checked_low, low
from thingspace_async.sensor_insights.models import ResourceIdentifier, is_resource, json_object, to_resource

__all__ = [
    "CreateProfilesRequest",
    "DeleteProfileRequest",
    "NewProfile",
    "Profile",
    "ProfileChange",
    "ProfileFilter",
    "ProfileQuery",
    "ProfileSelection",
    "UpdateProfileRequest",
]


@attrs.frozen(kw_only=True, field_transformer=low)
class Profile(Model):
    """A profile: settings for the devices of a model."""

    id: str
    name: str | None = None
    kind: str | None = None
    model_id: str | None = None
    """Model of the devices."""
    configuration: Any = None
    """The settings, as they were given."""
    version: str | None = None
    version_id: str | None = None
    foreign_id: str | None = None
    billing_account_id: str | None = None
    """Name of the account."""
    created_on: datetime | None = None
    last_updated: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class ProfileChange(Model):
    """Changes to a profile. Omitted fields keep their value."""

    name: str | None = None
    kind: str | None = None
    model_id: str | None = None
    """Model of the devices."""
    version: str | None = None
    configuration: dict[str, Any] | None = attrs.field(default=None, validator=json_object)
    """The settings."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *(field.name for field in attrs.fields(ProfileChange)))


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class NewProfile(Model):
    """A profile to create."""

    name: str
    kind: str | None = None
    model_id: str | None = None
    """Model of the devices."""
    version: str | None = None
    configuration: dict[str, Any] | None = attrs.field(default=None, validator=json_object)
    """The settings."""


def to_profiles(given: Iterable[NewProfile]) -> tuple[NewProfile, ...]:
    """Convert profiles to a tuple. The validator refuses other values."""
    return cast("tuple[NewProfile, ...]", as_tuple(given))


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class CreateProfilesRequest(Model):
    """Profiles to create."""

    account_name: str
    """Account of the profiles."""
    profiles: tuple[NewProfile, ...] = attrs.field(converter=to_profiles)
    """One or more profiles."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class ProfileSelection(Model):
    """A list of profiles, in the form of the wire."""

    model_id: str


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class ProfileFilter(Model):
    """A list of profiles, in the form of the wire."""

    selection: ProfileSelection | None = attrs.field(default=None, metadata=named_on_wire("$selection"))
    query_total_count: bool = attrs.field(default=False, metadata=named_on_wire("$querytotalcount"))


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class ProfileQuery(Model):
    """A list of profiles, in the form of the wire."""

    filter: ProfileFilter


@attrs.frozen(kw_only=True, field_transformer=checked)
class UpdateProfileRequest(Model):
    """A profile and its changes."""

    account_name: str
    """Account of the profile."""
    profile_id: ResourceIdentifier = attrs.field(
        validator=is_resource, converter=to_resource, metadata=named_on_wire("resourceidentifier")
    )
    """`id` of the profile."""
    change: ProfileChange = attrs.field(metadata=named_on_wire("profile"))
    """The changes."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeleteProfileRequest(Model):
    """A profile to delete, in the form of the wire."""

    account_name: str
    profile_id: ResourceIdentifier = attrs.field(
        validator=is_resource, converter=to_resource, metadata=named_on_wire("resourceidentifier")
    )
