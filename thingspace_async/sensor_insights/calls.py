"""Sensor Insights, composed of its parts."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async.sensor_insights import (
    devices,
    health,
    notification_groups,
    profiles,
    rules,
    sensors,
    smart_alerts,
    users,
)
from thingspace_async.sensor_insights.devices.calls import InsightsDevices, InsightsGateways
from thingspace_async.sensor_insights.health.calls import Health
from thingspace_async.sensor_insights.notification_groups.calls import NotificationGroups
from thingspace_async.sensor_insights.profiles.calls import Profiles
from thingspace_async.sensor_insights.rules.calls import Rules
from thingspace_async.sensor_insights.sensors.calls import Sensors
from thingspace_async.sensor_insights.smart_alerts.calls import SmartAlerts
from thingspace_async.sensor_insights.users.calls import Users

__all__ = ["OPERATIONS", "SensorInsights"]

OPERATIONS: Final = (
    *devices.OPERATIONS,
    *health.OPERATIONS,
    *notification_groups.OPERATIONS,
    *profiles.OPERATIONS,
    *rules.OPERATIONS,
    *sensors.OPERATIONS,
    *smart_alerts.OPERATIONS,
    *users.OPERATIONS,
)


class SensorInsights(Namespace):
    """Sensor Insights: gateways and LoRaWAN sensors, their readings, rules and alerts.

    The account needs the service. Verizon's SDKs describe these calls, and no page does.
    """

    @cached_property
    def devices(self) -> InsightsDevices:
        """The devices of an account: gateways, sensors and others."""
        return InsightsDevices(self._caller)

    @cached_property
    def gateways(self) -> InsightsGateways:
        """The gateways that sensors connect to."""
        return InsightsGateways(self._caller)

    @cached_property
    def health(self) -> Health:
        """Health scores of the network and of devices."""
        return Health(self._caller)

    @cached_property
    def notification_groups(self) -> NotificationGroups:
        """Groups of users who are notified of alerts."""
        return NotificationGroups(self._caller)

    @cached_property
    def profiles(self) -> Profiles:
        """Profiles: settings for the devices of a model."""
        return Profiles(self._caller)

    @cached_property
    def rules(self) -> Rules:
        """Rules: which readings of a device make an alert."""
        return Rules(self._caller)

    @cached_property
    def sensors(self) -> Sensors:
        """LoRaWAN sensors: onboarding and offboarding."""
        return Sensors(self._caller)

    @cached_property
    def smart_alerts(self) -> SmartAlerts:
        """Alerts that rules have made."""
        return SmartAlerts(self._caller)

    @cached_property
    def users(self) -> Users:
        """The people who are notified of alerts."""
        return Users(self._caller)
