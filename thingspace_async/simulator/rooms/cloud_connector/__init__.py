"""Handlers for Cloud Connector (PROTOCOL.md 2.3, 3.6, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.cloud_connector.calls import (
    CREATE_AZURE_APPLICATION,
    CREATE_EXTERNAL_ID,
    CREATE_SUBSCRIPTION,
    CREATE_TARGET,
    DELETE_DEVICE,
    DELETE_SUBSCRIPTION,
    DELETE_TARGET,
    EVENTS,
    LIST_DEVICES,
    LIST_SUBSCRIPTIONS,
    LIST_TARGETS,
    READINGS,
    SEARCH_DEVICES,
    SET_CONFIGURATION,
    UPDATE_SUBSCRIPTION,
)
from thingspace_async.simulator.rooms.cloud_connector import devices, streams
from thingspace_async.simulator.rooms.cloud_connector.state import CloudConnector
from thingspace_async.simulator.wire import Handler

__all__ = ["HANDLERS", "CloudConnector"]

HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    CREATE_TARGET: streams.create_target,
    LIST_TARGETS: streams.list_targets,
    DELETE_TARGET: streams.delete_target,
    CREATE_EXTERNAL_ID: streams.create_external_id,
    CREATE_AZURE_APPLICATION: streams.create_azure_application,
    CREATE_SUBSCRIPTION: streams.create_subscription,
    LIST_SUBSCRIPTIONS: streams.list_subscriptions,
    UPDATE_SUBSCRIPTION: streams.update_subscription,
    DELETE_SUBSCRIPTION: streams.delete_subscription,
    LIST_DEVICES: devices.list_devices,
    SEARCH_DEVICES: devices.search_devices,
    READINGS: devices.list_readings,
    EVENTS: devices.list_events,
    SET_CONFIGURATION: devices.set_configuration,
    DELETE_DEVICE: devices.delete_device,
}
