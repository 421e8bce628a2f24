"""Groups of users who are notified of alerts."""

from thingspace_async.sensor_insights.notification_groups.calls import OPERATIONS

__all__ = ["OPERATIONS"]
