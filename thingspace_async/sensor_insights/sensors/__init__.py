"""LoRaWAN sensors: onboarding and offboarding."""

from thingspace_async.sensor_insights.sensors.calls import OPERATIONS

__all__ = ["OPERATIONS"]
