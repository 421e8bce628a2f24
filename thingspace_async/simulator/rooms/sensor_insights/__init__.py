"""Handlers for Sensor Insights (PROTOCOL.md 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.sensor_insights.devices import calls as devices
from thingspace_async.sensor_insights.health import calls as health
from thingspace_async.sensor_insights.notification_groups import calls as notification_groups
from thingspace_async.sensor_insights.profiles import calls as profiles
from thingspace_async.sensor_insights.rules import calls as rules
from thingspace_async.sensor_insights.sensors import calls as sensors
from thingspace_async.sensor_insights.smart_alerts import calls as smart_alerts
from thingspace_async.sensor_insights.users import calls as users
from thingspace_async.simulator.rooms.sensor_insights import devices_and_sensors as boarding
from thingspace_async.simulator.rooms.sensor_insights import resources
from thingspace_async.simulator.rooms.sensor_insights.reading import list_of
from thingspace_async.simulator.rooms.sensor_insights.state import Account, Resource, SensorInsights
from thingspace_async.simulator.wire import Answer, Call, Handler

__all__ = ["HANDLERS", "SensorInsights"]


def _computed(of: Callable[[Call, Account], Iterable[Resource]]) -> Handler:
    """Make the handler that lists resources which follow from the call's time."""

    def handle(call: Call) -> Answer:
        return list_of(lambda account: of(call, account))(call)

    return handle


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    devices.LIST: list_of(lambda account: account.devices.values()),
    devices.UPDATE: boarding.update_device,
    devices.SET_CONFIGURATION: boarding.set_configuration,
    devices.LAST_REPORTED: boarding.last_reported,
    devices.EXPERIENCE: _computed(boarding.list_experience),
    devices.NETWORK_EXPERIENCE: _computed(boarding.list_network_experience),
    devices.LIST_GATEWAYS: list_of(lambda account: account.gateways),
    sensors.LIST: list_of(lambda account: account.sensors),
    sensors.ONBOARD: boarding.onboard,
    sensors.ONBOARDING_STATUS: boarding.onboarding_status,
    sensors.OFFBOARD: boarding.offboard,
    sensors.OFFBOARDING_STATUS: boarding.offboarding_status,
    profiles.CREATE: resources.create_profiles,
    profiles.LIST: resources.list_profiles,
    profiles.UPDATE: resources.update_profile,
    profiles.DELETE: resources.delete_profile,
    rules.LIST: list_of(lambda account: account.rules.values()),
    rules.REPLACE: resources.replace_rule,
    smart_alerts.LIST: list_of(lambda account: account.alerts.values()),
    smart_alerts.UPDATE: resources.update_alert,
    smart_alerts.UPDATE_MANY: resources.update_alerts,
    smart_alerts.METRICS: resources.count_alerts,
    health.NETWORK: resources.network_health,
    health.SUMMARY: resources.summarize_health,
    notification_groups.CREATE: resources.create_group,
    notification_groups.LIST: list_of(
        lambda account: [resources.shown_group(account, one) for one in account.groups.values()]
    ),
    notification_groups.UPDATE: resources.update_group,
    notification_groups.DELETE: resources.delete_group,
    notification_groups.ADD_USERS: resources.add_users,
    notification_groups.REMOVE_USERS: resources.remove_users,
    users.CREATE: resources.create_user,
    users.LIST: list_of(lambda account: account.users.values()),
    users.UPDATE: resources.update_user,
    users.DELETE: resources.delete_user,
}
