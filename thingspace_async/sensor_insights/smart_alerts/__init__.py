"""Alerts that rules have made."""

from thingspace_async.sensor_insights.smart_alerts.calls import OPERATIONS

__all__ = ["OPERATIONS"]
