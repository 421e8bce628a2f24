"""Profiles that configure devices."""

from thingspace_async.sensor_insights.profiles.calls import OPERATIONS

__all__ = ["OPERATIONS"]
