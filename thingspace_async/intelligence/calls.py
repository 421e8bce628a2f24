"""Calls for anomaly detection, wireless network performance and the connection planner."""

from __future__ import annotations

from functools import cached_property
from types import NoneType
from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted
from thingspace_async.intelligence.models import (
    AnomalyRequest,
    AnomalySettings,
    ConnectionPlanRequest,
    ConnectionPlanStatus,
    ConnectionPlanStatusRequest,
    DeviceExperienceHistoryRequest,
    DeviceExperienceRequest,
    IntelligenceAccepted,
    IntelligenceResult,
    NetworkConditionsRequest,
    SitePerformanceRequest,
    SiteProximityRequest,
    WirelessCoverageRequest,
)

__all__ = ["OPERATIONS", "AnomalyDetection", "Intelligence"]

_PATH: Final = "/m2m/v1/intelligence"
_OF_ACCOUNT: Final = f"{_PATH}/{{account_name}}/anomaly/settings"
# The SDKs have no `m2m` in this path, unlike in all others.
_PLANNER: Final = "/v1/intelligence/device/connection-planner"

ACTIVATE: Final = Operation(
    "intelligence.anomaly.activate", "POST", f"{_PATH}/anomaly/settings", AnomalyRequest, IntelligenceResult
)
SETTINGS: Final = Operation(
    "intelligence.anomaly.settings", "GET", _OF_ACCOUNT, NoneType, AnomalySettings, repeatable=True
)
RESET: Final = Operation(
    "intelligence.anomaly.reset", "PUT", f"{_OF_ACCOUNT}/reset", NoneType, IntelligenceResult, repeatable=True
)
WIRELESS_COVERAGE: Final = Operation(
    "intelligence.wireless_coverage",
    "POST",
    f"{_PATH}/wireless-coverage",
    WirelessCoverageRequest,
    IntelligenceAccepted,
)
NETWORK_CONDITIONS: Final = Operation(
    "intelligence.network_conditions",
    "POST",
    f"{_PATH}/network-conditions",
    NetworkConditionsRequest,
    IntelligenceAccepted,
)
SITE_PROXIMITY: Final = Operation(
    "intelligence.site_proximity",
    "POST",
    f"{_PATH}/site-proximity/action/list",
    SiteProximityRequest,
    IntelligenceAccepted,
)
SITE_RF_PERFORMANCE: Final = Operation(
    "intelligence.site_rf_performance",
    "POST",
    f"{_PATH}/site-rf-performance/action/list",
    SitePerformanceRequest,
    IntelligenceAccepted,
)
DEVICE_EXPERIENCE: Final = Operation(
    "intelligence.device_experience",
    "POST",
    f"{_PATH}/device-experience/bulk/latest",
    DeviceExperienceRequest,
    IntelligenceAccepted,
)
DEVICE_EXPERIENCE_HISTORY: Final = Operation(
    "intelligence.device_experience_history",
    "POST",
    f"{_PATH}/device-experience/history/30-days",
    DeviceExperienceHistoryRequest,
    IntelligenceAccepted,
)
PLAN_CONNECTIONS: Final = Operation("intelligence.plan_connections", "POST", _PLANNER, ConnectionPlanRequest, Accepted)
CONNECTION_PLAN_STATUS: Final = Operation(
    "intelligence.connection_plan_status",
    "POST",
    f"{_PLANNER}/status",
    ConnectionPlanStatusRequest,
    ConnectionPlanStatus,
    repeatable=True,
)

OPERATIONS: Final = (
    ACTIVATE,
    SETTINGS,
    RESET,
    WIRELESS_COVERAGE,
    NETWORK_CONDITIONS,
    SITE_PROXIMITY,
    SITE_RF_PERFORMANCE,
    DEVICE_EXPERIENCE,
    DEVICE_EXPERIENCE_HISTORY,
    PLAN_CONNECTIONS,
    CONNECTION_PLAN_STATUS,
)


class Intelligence(Namespace):
    """ThingSpace Intelligence: anomalies of usage, the network at places, and scores of devices.

    One message on IntelligenceService answers each question: await it with `outcomes.answer`. Without a listener for
    this service, the platform sends no answer.
    """

    @cached_property
    def anomaly(self) -> AnomalyDetection:
        """Detection of unusual usage."""
        return AnomalyDetection(self._caller)

    async def wireless_coverage(self, request: WirelessCoverageRequest) -> IntelligenceAccepted:
        """Ask which networks cover up to 100 places; a WirelessCoverage arrives later on IntelligenceService.

        Coordinates ask for nationwide coverage, addresses for fixed wireless access. An account may ask for 10,000
        places a day.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/intelligence/wireless-network-performance/api-reference/fwa-qualification.html
        """
        return await self._send(WIRELESS_COVERAGE, request)

    async def network_conditions(self, request: NetworkConditionsRequest) -> IntelligenceAccepted:
        """Ask for the present conditions of the network at a place; NetworkConditions arrive on IntelligenceService.

        The platform updates them several times an hour.
        https://thingspace.verizon.com/documentation/apis/intelligence/wireless-network-performance/api-reference/domestic-coverage-real-time.html
        """
        return await self._send(NETWORK_CONDITIONS, request)

    async def site_proximity(self, request: SiteProximityRequest) -> IntelligenceAccepted:
        """Ask for cell sites near a place; a SiteProximity arrives later on IntelligenceService.

        https://thingspace.verizon.com/documentation/apis/intelligence/wireless-network-performance/api-reference/site-proximity.html
        """
        return await self._send(SITE_PROXIMITY, request)

    async def site_rf_performance(self, request: SitePerformanceRequest) -> IntelligenceAccepted:
        """Ask for the radio signal at up to 100 places; a SitePerformance arrives later on IntelligenceService.

        It is what Verizon's devices in the area measured in the previous week, indoors and outdoors. An account may ask
        for 10,000 places a day.
        https://thingspace.verizon.com/documentation/apis/intelligence/wireless-network-performance/api-reference/site_rf.html
        """
        return await self._send(SITE_RF_PERFORMANCE, request)

    async def device_experience(self, request: DeviceExperienceRequest) -> IntelligenceAccepted:
        """Ask for the latest scores of up to 100 devices; a DeviceExperience arrives later on IntelligenceService.

        https://thingspace.verizon.com/documentation/apis/intelligence/wireless-network-performance/api-reference.html
        """
        return await self._send(DEVICE_EXPERIENCE, request)

    async def device_experience_history(self, request: DeviceExperienceHistoryRequest) -> IntelligenceAccepted:
        """Ask for a device's scores of the last 30 days; a DeviceExperienceHistory arrives on IntelligenceService.

        https://thingspace.verizon.com/documentation/apis/intelligence/wireless-network-performance/api-reference.html
        """
        return await self._send(DEVICE_EXPERIENCE_HISTORY, request)

    async def plan_connections(self, request: ConnectionPlanRequest) -> Accepted:
        """Plan when devices should connect; a ConnectionPlan for each device arrives later.

        Await them with `outcomes.of(accepted)`, or poll `connection_plan_status`. ASSUMPTION: they arrive on
        IntelligenceService. The documents do not name the service.
        https://thingspace.verizon.com/documentation/apis/intelligence.html
        """
        return await self._send(PLAN_CONNECTIONS, request)

    async def connection_plan_status(self, request: ConnectionPlanStatusRequest) -> ConnectionPlanStatus:
        """Read the state of the plan of each device.

        https://thingspace.verizon.com/documentation/apis/intelligence.html
        """
        return await self._send(CONNECTION_PLAN_STATUS, request)


class AnomalyDetection(Namespace):
    """Detection of unusual usage. It learns for a week, and then reports through the triggers of the account."""

    async def activate(self, request: AnomalyRequest) -> IntelligenceResult:
        """Start to detect unusual usage of an account's devices.

        It learns the usual usage for a week. Then anomalies are reported to the triggers of the account with the
        category UsageAnomaly.
        https://thingspace.verizon.com/documentation/apis/intelligence/anomaly-detection/intelligence-api-reference/activate-detection.html
        """
        return await self._send(ACTIVATE, request)

    async def settings(self, account_name: str) -> AnomalySettings:
        """Read whether anomaly detection is active for an account, and its thresholds.

        https://thingspace.verizon.com/documentation/apis/intelligence/anomaly-detection/intelligence-api-reference/detection-settings.html
        """
        return await self._send(SETTINGS, path={"account_name": account_name})

    async def reset(self, account_name: str) -> IntelligenceResult:
        """Reset the thresholds of an account to the platform's own.

        https://thingspace.verizon.com/documentation/apis/intelligence.html
        """
        return await self._send(RESET, path={"account_name": account_name})
