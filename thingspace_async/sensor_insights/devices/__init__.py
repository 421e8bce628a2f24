"""Devices and gateways of Sensor Insights."""

from thingspace_async.sensor_insights.devices.calls import OPERATIONS

__all__ = ["OPERATIONS"]
