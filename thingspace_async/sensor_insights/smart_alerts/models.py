"""Models of smart alerts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, cast

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import as_tuple
from thingspace_async.sensor_insights._names import checked_low, low
from thingspace_async.sensor_insights.models import ResourceIdentifier, is_resource, to_resource, wrapped, wrapper

__all__ = [
    "AlertChange",
    "AlertMetrics",
    "AlertMetricsRequest",
    "AlertName",
    "AlertReference",
    "SmartAlert",
    "UpdateAlertRequest",
    "UpdateAlertsRequest",
]


@attrs.frozen(kw_only=True, field_transformer=low)
class SmartAlert(Model):
    """An alert that a rule has made."""

    id: str
    name: str | None = None
    description: str | None = None
    category: str | None = None
    severity: str | None = None
    """For example `critical`, `major` or `minor`."""
    state: str | None = None
    condition: int | None = None
    device_id: str | None = None
    """Device that the alert is about."""
    rule_id: str | None = None
    """Rule that made the alert."""
    is_acknowledged: bool | None = None
    is_cleared: bool | None = None
    is_disabled: bool | None = None
    template: str | None = None
    account_client_id: str | None = None
    billing_account_id: str | None = None
    """Name of the account."""
    foreign_id: str | None = None
    version: str | None = None
    version_id: str | None = None
    created_on: datetime | None = None
    last_updated: datetime | None = None


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class AlertChange(Model):
    """Changes to an alert. Omitted fields keep their value."""

    is_acknowledged: bool | None = None
    is_cleared: bool | None = None
    is_disabled: bool | None = None
    name: str | None = None
    description: str | None = None
    severity: str | None = None
    state: str | None = None

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, *(field.name for field in attrs.fields(AlertChange)))


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class UpdateAlertRequest(Model):
    """An alert and its changes."""

    account_name: str
    """Account of the alert."""
    alert_id: ResourceIdentifier = attrs.field(
        validator=is_resource, converter=to_resource, metadata=named_on_wire("resourceidentifier")
    )
    """`id` of the alert."""
    change: AlertChange = attrs.field(metadata=named_on_wire("smartalert"))
    """The changes."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class AlertReference(Model):
    """An alert among those to change."""

    id: str
    """`id` of the alert."""
    device_id: str | None = None
    """`id` of its device."""


def to_references(given: Iterable[AlertReference | SmartAlert]) -> tuple[AlertReference, ...]:
    """Convert alerts to references. The validator refuses other values."""
    several = as_tuple(given)
    if not isinstance(several, tuple):
        return cast("tuple[AlertReference, ...]", several)
    return tuple(
        [AlertReference(id=one.id, device_id=one.device_id) if isinstance(one, SmartAlert) else one for one in several]
    )


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class AlertName(Model):
    """The change of several alerts, in the form of the wire."""

    name: str


def _alert_name(given: str) -> AlertName:
    return AlertName(name=given)


def to_alert_name(given: AlertName | str) -> AlertName:
    """Convert a name. The validator refuses other values."""
    return wrapped(_alert_name, given)


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class UpdateAlertsRequest(Model):
    """Alerts and their new name: the only member that the platform documents here."""

    account_name: str
    """Account of the alerts."""
    alerts: tuple[AlertReference, ...] = attrs.field(
        converter=to_references, metadata=named_on_wire("resourceidentifiers")
    )
    """AlertReference, or SmartAlert from an answer."""
    name: AlertName = attrs.field(
        validator=wrapper(AlertName, _alert_name), converter=to_alert_name, metadata=named_on_wire("smartalert")
    )
    """New name of the alerts."""


@attrs.frozen(kw_only=True, field_transformer=checked_low)
class AlertMetricsRequest(Model):
    """The days to count alerts of, in the form of the wire."""

    days: Annotated[int, Range(least=1)]


@attrs.frozen(kw_only=True, field_transformer=low)
class AlertMetrics(Model):
    """Numbers of alerts, and how much they differ from the days before."""

    critical: int | None = None
    major: int | None = None
    minor: int | None = None
    no_alert: int | None = None
    """Devices without an alert."""
    total: int | None = None
    delta_critical: int | None = None
    delta_major: int | None = None
    delta_minor: int | None = None
    delta_no_alert: int | None = None
