"""Models of callback listeners."""

from __future__ import annotations

from typing import Annotated, Final

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Length, checked
from thingspace_async._core.codec import Model
from thingspace_async._core.types import OpenEnum, Secret

__all__ = ["CallbackActionResult", "CallbackListener", "CallbackService", "RegisterCallbackRequest"]


class CallbackService(OpenEnum):
    """A service that sends messages to listeners. `CallbackService("…")` makes one that is not listed."""

    ALERT = "AlertService"
    """Alerts of triggers. The spelling on the page about registering."""
    ALERTS = "AlertsService"
    """The spelling on the page about deregistering."""
    CARRIER = "CarrierService"
    """Results of activations, suspensions, plan changes and similar requests."""
    DEVICE = "DeviceService"
    """Results of availability checks and uploads, and the SMS event history."""
    DEVICE_PRL_INFORMATION = "DevicePRLInformation"
    DEVICE_PROFILE = "DeviceProfileService"
    """Results of actions on eSIM profiles."""
    DEVICE_PROMO_USAGE = "DevicePromoUsage"
    DEVICE_SUSPENSION_STATUS = "DeviceSuspensionStatus"
    DEVICE_USAGE = "DeviceUsage"
    """Aggregate usage."""
    DIAGNOSTICS = "DiagnosticsService"
    """Whether devices can be reached."""
    ENHANCED_CONNECTIVITY = "EnhancedConnectivityService"
    """SMS messages from devices, and confirmations that messages to devices were sent."""
    EXTENDED_ENHANCED_CONNECTIVITY = "ExtendedEnhancedConnectivityService"
    EXTERNAL_PROVISIONING_CHANGES = "ExternalProvisioningChanges"
    """Changes that were not made with this API."""
    INTELLIGENCE = "IntelligenceService"
    """Answers to the requests of `session.intelligence`."""
    NETWORK_EVENT = "NetworkEventService"
    NIDD = "NiddService"
    PROMO_CHANGES = "PromoChanges"
    PWN = "PwnService"
    """Results of changes in a private network."""
    QOS = "QoS"
    """Changes in the quality of service."""
    RESUME_TRACKING_NOTIFICATION = "ResumeTrackingNotification"
    """Notices, seven days ahead, that a suspended device will resume service."""
    SMS_DELIVERY_CONFIRMATION = "SMSDeliveryConfirmation"
    """Confirmations that devices received SMS messages, or that the messages expired."""
    STATE = "StateService"
    """Results of moves to a custom state."""
    SUBSCRIPTION_NOTIFICATION = "SubscriptionNotificationService"
    VIP_CALLBACK = "VIPCallbackService"


def to_service(given: CallbackService | str) -> CallbackService:
    """Convert the name of a service. Values that are not strings are left for the validator to refuse."""
    return CallbackService(given) if isinstance(given, str) else given


_PORTS: Final = (range(80, 81), range(443, 444), range(9001, 9007), range(28200, 28221), range(50551, 50560))
# https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Register_Callback_Listener/


@attrs.frozen(kw_only=True, init=False, field_transformer=checked)
class RegisterCallbackRequest(Model):
    """The URL to send the messages of a service to."""

    name: CallbackService = attrs.field(converter=to_service)
    """Any name is accepted, because the platform's own pages disagree about some."""
    url: str = attrs.field(validator=checks.url(ports=_PORTS))
    """Port 80, 443, 9001-9006, 28200-28220 or 50551-50559. HTTPS needs a certificate of a public authority."""
    username: Annotated[str | None, Length(most=40)] = None
    """Each message will have it in its body. Do not use the session's username."""
    password: Annotated[Secret | None, Length(most=40)] = None
    """Each message will have it in its body, unencrypted. Never use the session's password."""

    def __init__(
        self,
        *,
        name: CallbackService | str,
        url: str,
        username: str | None = None,
        password: Secret | str | None = None,
    ) -> None:
        # Hide it before anything can fail: an error report may contain the local variables of this frame.
        password = Secret(password) if isinstance(password, str) else password
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue] - attrs generates it
            name=name, url=url, username=username, password=password
        )


@attrs.frozen(kw_only=True)
class CallbackActionResult(Model):
    """The listener that was registered or deregistered."""

    account_name: str | None = None
    service_name: CallbackService | None = None


@attrs.frozen(kw_only=True)
class CallbackListener(Model):
    """A registered listener."""

    account_name: str | None = None
    service_name: CallbackService | None = None
    url: str | None = None
    username: str | None = None
    password: Secret | None = None
    """The platform sends it unencrypted."""
