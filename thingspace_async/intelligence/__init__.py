"""ThingSpace Intelligence: anomalies of usage, the network at places, and scores of devices.

Most answers arrive later, on IntelligenceService. `outcomes.answer` awaits them.

    from thingspace_async.intelligence import Coordinates, NetworkConditionsRequest

    account_name = "0000123456-00001"
    request = NetworkConditionsRequest(
        account_name=account_name, coordinates=Coordinates(latitude=40.7128, longitude=-74.006)
    )
    accepted = await session.intelligence.network_conditions(request)
    print(accepted.request_id)
    print((await session.intelligence.anomaly.settings(account_name)).is_active)
"""

from thingspace_async.intelligence.calls import OPERATIONS, AnomalyDetection, Intelligence
from thingspace_async.intelligence.models import (
    AnomalyRequest,
    AnomalySettings,
    ConnectionPlanRequest,
    ConnectionPlanStatus,
    ConnectionPlanStatusRequest,
    Coordinates,
    CoverageLocations,
    CoverageType,
    DeviceExperienceHistoryRequest,
    DeviceExperienceRequest,
    DevicePlanStatus,
    IntelligenceAccepted,
    IntelligenceResult,
    LocationType,
    NetworkChoice,
    NetworkConditionsRequest,
    NetworkType,
    PlannedDevice,
    PrivateNetworkApn,
    ScoredDevice,
    Sensitivity,
    SensitivitySettings,
    ServiceAddress,
    SitePerformanceLocations,
    SitePerformanceRequest,
    SiteProximityRequest,
    SiteTechnology,
    WirelessCoverageRequest,
)

__all__ = [
    "OPERATIONS",
    "AnomalyDetection",
    "AnomalyRequest",
    "AnomalySettings",
    "ConnectionPlanRequest",
    "ConnectionPlanStatus",
    "ConnectionPlanStatusRequest",
    "Coordinates",
    "CoverageLocations",
    "CoverageType",
    "DeviceExperienceHistoryRequest",
    "DeviceExperienceRequest",
    "DevicePlanStatus",
    "Intelligence",
    "IntelligenceAccepted",
    "IntelligenceResult",
    "LocationType",
    "NetworkChoice",
    "NetworkConditionsRequest",
    "NetworkType",
    "PlannedDevice",
    "PrivateNetworkApn",
    "ScoredDevice",
    "Sensitivity",
    "SensitivitySettings",
    "ServiceAddress",
    "SitePerformanceLocations",
    "SitePerformanceRequest",
    "SiteProximityRequest",
    "SiteTechnology",
    "WirelessCoverageRequest",
]
