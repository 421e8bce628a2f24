"""Health scores."""

from thingspace_async.sensor_insights.health.calls import OPERATIONS

__all__ = ["OPERATIONS"]
