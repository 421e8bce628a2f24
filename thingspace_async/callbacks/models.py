"""Models of callback listeners."""

from __future__ import annotations

from typing import Final

import attrs

from thingspace_async import _checks
from thingspace_async._types import OpenEnum, Secret

__all__ = ["CallbackActionResult", "CallbackListener", "CallbackService", "RegisterCallbackRequest"]


class CallbackService(OpenEnum):
    """A kind of message that the platform sends to listeners; `CallbackService("…")` makes one that is not listed."""

    ALERT = "AlertService"
    """As the page on registering spells it."""
    ALERTS = "AlertsService"
    """As the page on deregistering spells it."""
    CARRIER = "CarrierService"
    """Results of activations, suspensions, changes of plan and the like."""
    DEVICE = "DeviceService"
    """Results of availability checks and uploads, and the event history of SMS."""
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
    """SMS messages that devices have sent, and word that messages to devices were sent."""
    EXTENDED_ENHANCED_CONNECTIVITY = "ExtendedEnhancedConnectivityService"
    EXTERNAL_PROVISIONING_CHANGES = "ExternalProvisioningChanges"
    """Changes that were not made through this API."""
    INTELLIGENCE = "IntelligenceService"
    NETWORK_EVENT = "NetworkEventService"
    NIDD = "NiddService"
    PROMO_CHANGES = "PromoChanges"
    PWN = "PwnService"
    QOS = "QoS"
    RESUME_TRACKING_NOTIFICATION = "ResumeTrackingNotification"
    """Word, seven days ahead, that a suspended device will be resumed."""
    SMS_DELIVERY_CONFIRMATION = "SMSDeliveryConfirmation"
    """Word that devices have received SMS messages, or that the messages have expired."""
    STATE = "StateService"
    """Results of moves to a custom state."""
    SUBSCRIPTION_NOTIFICATION = "SubscriptionNotificationService"
    VIP_CALLBACK = "VIPCallbackService"


def to_service(given: CallbackService | str) -> CallbackService:
    """Convert the name of a service; what is no text is left for the validator to refuse."""
    return CallbackService(given) if isinstance(given, str) else given


_PORTS: Final = (range(80, 81), range(443, 444), range(9001, 9007), range(28200, 28221), range(50551, 50560))
# https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Register_Callback_Listener/


@attrs.frozen(kw_only=True, init=False)
class RegisterCallbackRequest:
    """Where the platform is to send the messages of a service."""

    name: CallbackService = attrs.field(converter=to_service, validator=_checks.text)
    """Any name is sent, as the platform's own pages do not agree on them all."""
    url: str = attrs.field(validator=_checks.url(ports=_PORTS))
    """At port 80, 443, 9001-9006, 28200-28220 or 50551-50559; HTTPS needs a certificate of a known authority."""
    username: str | None = attrs.field(default=None, validator=_checks.text_of(most=40))
    """What each message is to bear, in its body; at most 40 characters. Not the session's own username."""
    password: Secret | None = attrs.field(default=None, validator=_checks.secret_of(most=40))
    """The same. Never the session's own password: it would travel to the URL in the clear."""

    def __init__(
        self,
        *,
        name: CallbackService | str,
        url: str,
        username: str | None = None,
        password: Secret | str | None = None,
    ) -> None:
        # Hidden before anything can fail: the locals of this frame may end up in somebody's error report.
        password = Secret(password) if isinstance(password, str) else password
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue] - attrs makes it
            name=name, url=url, username=username, password=password
        )


@attrs.frozen(kw_only=True)
class CallbackActionResult:
    """What was registered or deregistered."""

    account_name: str | None = None
    service_name: CallbackService | None = None


@attrs.frozen(kw_only=True)
class CallbackListener:
    """A listener that is registered."""

    account_name: str | None = None
    service_name: CallbackService | None = None
    url: str | None = None
    username: str | None = None
    password: Secret | None = None
    """The platform sends it in the clear."""
