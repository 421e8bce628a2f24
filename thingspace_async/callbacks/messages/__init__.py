"""What the platform sends to listeners, as objects.

`parse` reads one, and needs neither a server nor a session:

    from thingspace_async.callbacks.messages import ActivateResult, parse

    message = parse(body, service="CarrierService")
    if message.failed:
        print(message.device_ids, message.fault)
    elif isinstance(message, ActivateResult):
        print(message.identifier("mdn"), message.ip_address)
"""

from thingspace_async.callbacks.messages.base import (
    DetailedMessage,
    Fault,
    Message,
    MessageStatus,
    ReportingMessage,
    UnknownMessage,
)
from thingspace_async.callbacks.messages.notices import (
    ExternalProvisioningChange,
    NiddConfiguration,
    NiddDelivery,
    NiddMessage,
    PromoChange,
    ResumeNotice,
    SmsDelivery,
    SmsReceived,
    SmsSent,
)
from thingspace_async.callbacks.messages.reading import (
    parse,
)
from thingspace_async.callbacks.messages.results import (
    ActivateResult,
    ChangeIdentifierResult,
    DeactivateResult,
    DeviceServiceResult,
    DeviceUsage,
    PrlInformation,
    ProfileResult,
    PromoUsageResult,
    ReachabilityMessage,
    RequestResult,
    RequestSummary,
    RestoreResult,
    StateResult,
    SuspendResult,
    SuspensionStatus,
    UsageResult,
)
from thingspace_async.callbacks.messages.services import (
    DiagnosticsMessage,
    Firmware,
    FirmwareUpgrade,
    LocationMessage,
    Position,
    PositionError,
    SoftwareMessage,
)

__all__ = [
    "ActivateResult",
    "ChangeIdentifierResult",
    "DeactivateResult",
    "DetailedMessage",
    "DeviceServiceResult",
    "DeviceUsage",
    "DiagnosticsMessage",
    "ExternalProvisioningChange",
    "Fault",
    "Firmware",
    "FirmwareUpgrade",
    "LocationMessage",
    "Message",
    "MessageStatus",
    "NiddConfiguration",
    "NiddDelivery",
    "NiddMessage",
    "Position",
    "PositionError",
    "PrlInformation",
    "ProfileResult",
    "PromoChange",
    "PromoUsageResult",
    "ReachabilityMessage",
    "ReportingMessage",
    "RequestResult",
    "RequestSummary",
    "RestoreResult",
    "ResumeNotice",
    "SmsDelivery",
    "SmsReceived",
    "SmsSent",
    "SoftwareMessage",
    "StateResult",
    "SuspendResult",
    "SuspensionStatus",
    "UnknownMessage",
    "UsageResult",
    "parse",
]
