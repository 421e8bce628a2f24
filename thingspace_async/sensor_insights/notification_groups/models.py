"""Models of the groups of users who are notified of alerts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.codec import Model
from thingspace_async._core.types import as_tuple
from thingspace_async.errors import InvalidRequest
from thingspace_async.sensor_insights._names import checked_low, low
from thingspace_async.sensor_insights.models import to_names
from thingspace_async.sensor_insights.users.models import InsightsUser

__all__ = [
    "CreateNotificationGroupRequest",
    "DeleteNotificationGroupRequest",
    "GroupDetails",
    "GroupUser",
    "GroupUsersRequest",
    "NotificationGroup",
    "UpdateNotificationGroupRequest",
]


@attrs.frozen(kw_only=True, field_transformer=low)
class GroupUser(Model):
    """A user in a group."""

    email: str | None = None
    mdn: str | None = None
    """Phone number."""
    first_name: str | None = None
    last_name: str | None = None
    custom_data: dict[str, Any] | None = None


@attrs.frozen(kw_only=True, field_transformer=low)
class NotificationGroup(Model):
    """A group of users who are notified of alerts."""

    id: str
    name: str | None = None
    description: str | None = None
    group_email: str | None = None
    """Address that receives the notifications of the whole group."""
    users: tuple[GroupUser, ...] = ()
    foreign_id: str | None = None
    version: str | None = None
    version_id: str | None = None
    created_on: datetime | None = None
    last_updated: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class GroupDetails(Model):
    """What to call a group, and its address."""

    name: str | None = None
    description: str | None = None
    group_email: str | None = None
    """Address that receives the notifications of the whole group."""

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "name", "description", "group_email")


def to_user_ids(given: Iterable[str | InsightsUser]) -> tuple[str, ...]:
    """Convert users to their ids. The validator refuses other values, and a single string."""
    several = as_tuple(given)
    if not isinstance(several, tuple):
        return cast("tuple[str, ...]", several)
    return to_names(one.id if isinstance(one, InsightsUser) else one for one in several)


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class CreateNotificationGroupRequest(Model):
    """A group to create."""

    account_name: str
    """Account of the group."""
    group: GroupDetails
    """Its `name` is needed."""
    user_ids: tuple[str, ...] = attrs.field(default=(), converter=to_user_ids)
    """`id` of users, or users from an answer."""

    def __attrs_post_init__(self) -> None:
        if self.group.name is None:
            raise InvalidRequest("CreateNotificationGroupRequest: group needs a name")


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class UpdateNotificationGroupRequest(Model):
    """A group and what to change of it."""

    account_name: str
    """Account of the group."""
    id: str
    """`id` of the group."""
    group: GroupDetails
    """What to change. Fields that are not given keep their value."""
    user_ids: tuple[str, ...] = attrs.field(default=(), converter=to_user_ids)
    """All users of the group from now on. Without users, they stay as they are."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class GroupUsersRequest(Model):
    """Users to add to a group, or to remove from it."""

    account_name: str
    """Account of the group."""
    id: str
    """`id` of the group."""
    user_ids: tuple[str, ...] = attrs.field(converter=to_user_ids)
    """`id` of users, or users from an answer."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class DeleteNotificationGroupRequest(Model):
    """A group to delete, in the form of the wire."""

    account_name: str
    id: str
    force: bool = False
