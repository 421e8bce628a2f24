"""Device Diagnostics: the radio of devices, observed live and afterwards, and restarts of their modem.

Values of an observation arrive later on Diagnostics. `observing` yields them, and stops the observation.

    from thingspace_async import DeviceId

    account_name = "0000123456-00001"
    subscription = await session.diagnostics.subscription(account_name)
    print(subscription.total_used, "of", subscription.total_allowed, "events of this month")
    imei = DeviceId.imei(cloud.devices[0].imei)
    for setting in await session.diagnostics.settings(account_name, [imei]):
        for attribute in setting.attributes:
            print(attribute.name, attribute.is_observing, attribute.number, attribute.unit)
"""

from thingspace_async.diagnostics.calls import OPERATIONS, Diagnostics
from thingspace_async.diagnostics.models import (
    AttributeName,
    AttributeSetting,
    DiagnosticsAccepted,
    DiagnosticsCallback,
    DiagnosticsCallbackRegistered,
    DiagnosticsCallbackService,
    DiagnosticsSubscription,
    HistoryFilter,
    HistoryPage,
    HistoryRecord,
    HistorySearchRequest,
    HistorySpan,
    ObservationRequest,
    ObservationSetting,
    ObservedAttribute,
    ObservedValue,
    RegisterDiagnosticsCallbackRequest,
    RestartAction,
    RestartRequest,
    TimeSpan,
    TimeUnit,
)
from thingspace_async.diagnostics.observing import Observation, ObservationEstimate, Observed

__all__ = [
    "OPERATIONS",
    "AttributeName",
    "AttributeSetting",
    "Diagnostics",
    "DiagnosticsAccepted",
    "DiagnosticsCallback",
    "DiagnosticsCallbackRegistered",
    "DiagnosticsCallbackService",
    "DiagnosticsSubscription",
    "HistoryFilter",
    "HistoryPage",
    "HistoryRecord",
    "HistorySearchRequest",
    "HistorySpan",
    "Observation",
    "ObservationEstimate",
    "ObservationRequest",
    "ObservationSetting",
    "Observed",
    "ObservedAttribute",
    "ObservedValue",
    "RegisterDiagnosticsCallbackRequest",
    "RestartAction",
    "RestartRequest",
    "TimeSpan",
    "TimeUnit",
]
