"""Rules that make alerts."""

from thingspace_async.sensor_insights.rules.calls import OPERATIONS

__all__ = ["OPERATIONS"]
