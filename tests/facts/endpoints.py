"""The endpoints that have calls. Several operations of the documents may describe one endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from tests.facts import PublishedOperation, examples, operations

__all__ = ["ENDPOINTS", "Endpoint", "published", "without_names"]

GROUPS: Final = (
    "account_devices",
    "account_requests",
    "account_subscriptions",
    "accounts",
    "anomaly_settings",
    "anomaly_triggers",
    "anomaly_triggers_v2",
    "billing",
    "campaigns_v2",
    "campaigns_v3",
    "client_logging",
    "cloud_connector_devices",
    "cloud_connector_subscriptions",
    "configuration_files",
    "connectivity_callbacks",
    "create_price_plan_triggers",
    "device_actions",
    "device_credential_management",
    "device_diagnostics",
    "device_groups",
    "device_location_callbacks",
    "device_management",
    "device_monitoring",
    "device_profile_management",
    "device_reports",
    "device_role_controller",
    "device_service_management",
    "device_sms_messaging",
    "devices_location_subscriptions",
    "devices_locations",
    "diagnostics_callbacks",
    "diagnostics_factory_reset",
    "diagnostics_history",
    "diagnostics_observations",
    "diagnostics_settings",
    "diagnostics_subscriptions",
    "e_uicc_device_profile_management",
    "etxapp_configuration",
    "etxregistration",
    "exclusions",
    "gbi_device_actions5",
    "firmware_v1",
    "firmware_v3",
    "global_reporting",
    "hpl_device_management",
    "hyper_precise_location_callbacks",
    "intelligence_service_controller",
    "managing_e_sim_profiles",
    "map_message_controller",
    "nidd",
    "promotion_period_information",
    "pwn",
    "retrieve_rate_plan_list",
    "retrieve_the_triggers",
    "sensor_insights_device_profile",
    "sensor_insights_devices",
    "sensor_insights_gateways",
    "sensor_insights_health_score",
    "sensor_insights_notification_groups",
    "sensor_insights_rules",
    "sensor_insights_sensors",
    "sensor_insights_smart_alert_metrics",
    "sensor_insights_smart_alerts",
    "sensor_insights_users",
    "service_plans",
    "server_logging",
    "sim_actions",
    "sim_secure_for_io_t_licenses",
    "sms",
    "software_management_callbacks_v1",
    "software_management_callbacks_v2",
    "software_management_callbacks_v3",
    "software_management_licenses_v1",
    "software_management_licenses_v2",
    "software_management_licenses_v3",
    "software_management_reports_v1",
    "software_management_reports_v2",
    "software_management_reports_v3",
    "software_management_subscriptions_v1",
    "software_management_subscriptions_v2",
    "software_management_subscriptions_v3",
    "targets",
    "thing_space_quality_of_service_api_actions",
    "update_price_plan_triggers",
    "update_triggers",
    "usage_trigger_management",
    "wireless_network_performance",
)
"""The groups of operations whose endpoints all have calls."""


@attrs.frozen
class Endpoint:
    """A method and a URL, and everything that the documents say about them."""

    key: str
    """For example `GET /api/m2m/v1/accounts/{}`."""
    operations: tuple[PublishedOperation, ...]

    @property
    def path(self) -> str:
        """The path with the documents' names for its values."""
        return _path(self.operations[0])

    @property
    def requests(self) -> list[str]:
        """The types of the body, one for each operation that has a body."""
        return [operation.body.type for operation in self.operations if operation.body is not None]

    @property
    def answers(self) -> list[str]:
        return [operation.answer for operation in self.operations]

    @property
    def query(self) -> dict[str, set[str]]:
        """The names in the query, and the types that each may have."""
        found: dict[str, set[str]] = {}
        for operation in self.operations:
            for name, value in operation.query.items():
                found.setdefault(name, set()).add(value.type)
        return found

    @property
    def required_query(self) -> set[str]:
        return set.intersection(
            *({name for name, value in operation.query.items() if value.required} for operation in self.operations)
        )

    @property
    def required_headers(self) -> set[str]:
        """The names of the headers that are specific to the endpoint."""
        return {name for one in self.operations for name, header in one.headers.items() if header.required}

    def matches(self, method: str, path: str) -> bool:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.path))
        return method == self.key.partition(" ")[0] and re.fullmatch(pattern, path) is not None


def without_names(path: str) -> str:
    """Remove the names from a path: `/accounts/{aname}` and `/accounts/{account_name}` are the same."""
    return re.sub(r"\{\w+\}", "{}", path)


def published(endpoint: Endpoint) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the published bodies of an endpoint, each with the name of its operation."""
    for operation in endpoint.operations:
        if operation.name in examples():
            yield operation.name, examples()[operation.name]


def _path(operation: PublishedOperation) -> str:
    return urlsplit(operation.url).path


def _endpoints() -> dict[str, Endpoint]:
    found: dict[str, list[PublishedOperation]] = {}
    for operation in operations():
        if operation.group in GROUPS:
            found.setdefault(f"{operation.method} {without_names(_path(operation))}", []).append(operation)
    return {key: Endpoint(key, tuple(described)) for key, described in found.items()}


ENDPOINTS: Final = _endpoints()
