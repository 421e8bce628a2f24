"""People who are notified of alerts."""

from thingspace_async.sensor_insights.users.calls import OPERATIONS

__all__ = ["OPERATIONS"]
