"""Sensor Insights: gateways and LoRaWAN sensors, their readings, rules and alerts.

    from thingspace_async.sensor_insights import DeviceQuery, InsightsFilter

    wanted = InsightsFilter(selection={"state": "active"}, limit_number=10)
    query = DeviceQuery(account_name="0000123456-00001", filter=wanted)
    async for device in session.sensor_insights.devices.list(query):
        print(device.name, device.fields)

`session.sensor_insights.sensors.boarded` onboards a sensor, and waits until the platform lists it.
"""

from thingspace_async.sensor_insights.calls import OPERATIONS, SensorInsights
from thingspace_async.sensor_insights.devices.calls import (
    InsightsDevices,
    InsightsGateways,
)
from thingspace_async.sensor_insights.devices.models import (
    ActionResult,
    ActionResults,
    BleConfiguration,
    BleScan,
    BleSetting,
    DeviceChange,
    DeviceConfigurationRequest,
    DeviceEvent,
    DeviceExperienceDay,
    InsightsDevice,
    LastReported,
    LastReportedRequest,
    NetworkExperience,
    PeriodicReporting,
    ReportingMode,
    ReportingUnit,
    SetConfigurationRequest,
    TiltConfiguration,
    TiltConfigurationRequest,
    TiltScore,
    TiltSetting,
    UpdateDeviceRequest,
)
from thingspace_async.sensor_insights.health.calls import (
    Health,
)
from thingspace_async.sensor_insights.health.models import (
    HealthMetric,
    HealthSummary,
    NetworkHealth,
)
from thingspace_async.sensor_insights.models import (
    DeviceIdentifier,
    DeviceQuery,
    InsightsFilter,
    InsightsPage,
    InsightsQuery,
    ResourceQuery,
)
from thingspace_async.sensor_insights.notification_groups.calls import (
    NotificationGroups,
)
from thingspace_async.sensor_insights.notification_groups.models import (
    CreateNotificationGroupRequest,
    DeleteNotificationGroupRequest,
    GroupDetails,
    GroupUser,
    GroupUsersRequest,
    NotificationGroup,
    UpdateNotificationGroupRequest,
)
from thingspace_async.sensor_insights.profiles.calls import (
    Profiles,
)
from thingspace_async.sensor_insights.profiles.models import (
    CreateProfilesRequest,
    DeleteProfileRequest,
    NewProfile,
    Profile,
    ProfileChange,
    ProfileFilter,
    ProfileQuery,
    ProfileSelection,
    UpdateProfileRequest,
)
from thingspace_async.sensor_insights.rules.calls import (
    Rules,
)
from thingspace_async.sensor_insights.rules.models import (
    ReplaceRuleRequest,
    Rule,
    RuleDefinition,
)
from thingspace_async.sensor_insights.sensors.calls import (
    Sensors,
)
from thingspace_async.sensor_insights.sensors.models import (
    AddedSensor,
    BoardingEvent,
    BoardingSensor,
    Gateway,
    NewSensor,
    OffboardingStatus,
    OffboardingStatusRequest,
    OffboardSensorRequest,
    OnboardingStatus,
    OnboardingStatusRequest,
    OnboardSensorRequest,
    RemovedSensor,
    RemovedSensorEui,
)
from thingspace_async.sensor_insights.smart_alerts.calls import (
    SmartAlerts,
)
from thingspace_async.sensor_insights.smart_alerts.models import (
    AlertChange,
    AlertMetrics,
    AlertMetricsRequest,
    AlertName,
    AlertReference,
    SmartAlert,
    UpdateAlertRequest,
    UpdateAlertsRequest,
)
from thingspace_async.sensor_insights.users.calls import (
    Users,
)
from thingspace_async.sensor_insights.users.models import (
    CreateUserRequest,
    DeleteUserRequest,
    InsightsUser,
    UpdateUserRequest,
    UserDetails,
)

__all__ = [
    "OPERATIONS",
    "ActionResult",
    "ActionResults",
    "AddedSensor",
    "AlertChange",
    "AlertMetrics",
    "AlertMetricsRequest",
    "AlertName",
    "AlertReference",
    "BleConfiguration",
    "BleScan",
    "BleSetting",
    "BoardingEvent",
    "BoardingSensor",
    "CreateNotificationGroupRequest",
    "CreateProfilesRequest",
    "CreateUserRequest",
    "DeleteNotificationGroupRequest",
    "DeleteProfileRequest",
    "DeleteUserRequest",
    "DeviceChange",
    "DeviceConfigurationRequest",
    "DeviceEvent",
    "DeviceExperienceDay",
    "DeviceIdentifier",
    "DeviceQuery",
    "Gateway",
    "GroupDetails",
    "GroupUser",
    "GroupUsersRequest",
    "Health",
    "HealthMetric",
    "HealthSummary",
    "InsightsDevice",
    "InsightsDevices",
    "InsightsFilter",
    "InsightsGateways",
    "InsightsPage",
    "InsightsQuery",
    "InsightsUser",
    "LastReported",
    "LastReportedRequest",
    "NetworkExperience",
    "NetworkHealth",
    "NewProfile",
    "NewSensor",
    "NotificationGroup",
    "NotificationGroups",
    "OffboardSensorRequest",
    "OffboardingStatus",
    "OffboardingStatusRequest",
    "OnboardSensorRequest",
    "OnboardingStatus",
    "OnboardingStatusRequest",
    "PeriodicReporting",
    "Profile",
    "ProfileChange",
    "ProfileFilter",
    "ProfileQuery",
    "ProfileSelection",
    "Profiles",
    "RemovedSensor",
    "RemovedSensorEui",
    "ReplaceRuleRequest",
    "ReportingMode",
    "ReportingUnit",
    "ResourceQuery",
    "Rule",
    "RuleDefinition",
    "Rules",
    "SensorInsights",
    "Sensors",
    "SetConfigurationRequest",
    "SmartAlert",
    "SmartAlerts",
    "TiltConfiguration",
    "TiltConfigurationRequest",
    "TiltScore",
    "TiltSetting",
    "UpdateAlertRequest",
    "UpdateAlertsRequest",
    "UpdateDeviceRequest",
    "UpdateNotificationGroupRequest",
    "UpdateProfileRequest",
    "UpdateUserRequest",
    "UserDetails",
    "Users",
]
