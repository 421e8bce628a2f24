"""Cloud Connector: streams events of devices to a server of yours, to AWS or to Azure, and reads earlier ones.

Events streamed to a `Receiver` are stored in its inbox.

    from thingspace_async.cloud_connector import SensorHistoryRequest

    account_name = "0000123456-00001"
    for device in await session.cloud_connector.devices.search(account_name):
        print(device.imei, device.fields)
    request = SensorHistoryRequest(account_name=account_name, resource=device, limit_number=5)
    page = await session.cloud_connector.devices.readings_page("temperature", request)
    print([event.number("temperature") for event in page.events])
"""

from thingspace_async.cloud_connector.calls import OPERATIONS, CloudConnector
from thingspace_async.cloud_connector.models import (
    AddressScheme,
    AzureApplication,
    AzureApplicationRequest,
    BillingAccount,
    ConfigurationChanged,
    ConfigurationRequest,
    ConnectedDevice,
    CreateSubscriptionRequest,
    CreateTargetRequest,
    DeleteRequest,
    DeviceConfiguration,
    DeviceEvent,
    EventHistoryRequest,
    EventPage,
    ExternalId,
    ExternalIdRequest,
    OauthBody,
    OauthHeaders,
    OauthHost,
    QueryRequest,
    Resource,
    SensorHistoryRequest,
    StreamKind,
    StreamSettings,
    Subscription,
    Target,
    TargetFields,
    TargetHeaders,
    TargetOauth,
    UpdateSubscriptionRequest,
)
from thingspace_async.cloud_connector.streaming import Stream

__all__ = [
    "OPERATIONS",
    "AddressScheme",
    "AzureApplication",
    "AzureApplicationRequest",
    "BillingAccount",
    "CloudConnector",
    "ConfigurationChanged",
    "ConfigurationRequest",
    "ConnectedDevice",
    "CreateSubscriptionRequest",
    "CreateTargetRequest",
    "DeleteRequest",
    "DeviceConfiguration",
    "DeviceEvent",
    "EventHistoryRequest",
    "EventPage",
    "ExternalId",
    "ExternalIdRequest",
    "OauthBody",
    "OauthHeaders",
    "OauthHost",
    "QueryRequest",
    "Resource",
    "SensorHistoryRequest",
    "Stream",
    "StreamKind",
    "StreamSettings",
    "Subscription",
    "Target",
    "TargetFields",
    "TargetHeaders",
    "TargetOauth",
    "UpdateSubscriptionRequest",
]
