"""Models of rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async.sensor_insights._names import checked_low, low
from thingspace_async.sensor_insights.models import ResourceIdentifier, is_resource, json_object, to_resource

__all__ = ["ReplaceRuleRequest", "Rule", "RuleDefinition"]


@attrs.frozen(kw_only=True, field_transformer=low)
class Rule(Model):
    """A rule: which readings of a device make an alert."""

    id: str
    name: str | None = None
    description: str | None = None
    device_id: str | None = None
    """Device that the rule is about."""
    disabled: bool | None = None
    rule_chain: Any = None
    """The conditions and actions."""
    rule_syntax: str | None = None
    """Language of the rule chain."""
    account_client_id: str | None = None
    billing_account_id: str | None = None
    """Name of the account."""
    foreign_id: str | None = None
    version: str | None = None
    version_id: str | None = None
    created_on: datetime | None = None
    last_updated: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class RuleDefinition(Model):
    """A rule as it shall be. Fields that are not given are empty afterwards."""

    rule_chain: dict[str, Any] = attrs.field(validator=json_object)
    """The conditions and actions."""
    rule_syntax: str | None = None
    """Language of the rule chain."""
    name: str | None = None
    description: str | None = None
    device_id: str | None = None
    """Device that the rule is about."""
    disabled: bool = False


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class ReplaceRuleRequest(Model):
    """A rule to replace."""

    account_name: str
    """Account of the rule."""
    rule_id: ResourceIdentifier = attrs.field(
        validator=is_resource, converter=to_resource, metadata=named_on_wire("resourceidentifier")
    )
    """`id` of the rule."""
    rule: RuleDefinition
    """The new rule."""
