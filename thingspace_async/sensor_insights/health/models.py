"""Models of health scores."""

from __future__ import annotations

import attrs

from thingspace_async._core.codec import Model
from thingspace_async.sensor_insights._names import low

__all__ = ["HealthMetric", "HealthSummary", "NetworkHealth"]


@attrs.frozen(kw_only=True, field_transformer=low)
class HealthMetric(Model):
    """One score."""

    metric_type: str | None = None
    metric_value: str | None = None
    """The platform sends numbers as strings."""


@attrs.frozen(kw_only=True, field_transformer=low)
class HealthSummary(Model):
    """The scores of all devices."""

    overall_summary: tuple[HealthMetric, ...] = ()


@attrs.frozen(kw_only=True, field_transformer=low)
class NetworkHealth(HealthSummary):
    """The scores of the network, and of all devices."""

    network_summary: tuple[HealthMetric, ...] = ()
