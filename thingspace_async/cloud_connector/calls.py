"""Calls for Cloud Connector."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import cached_property
from types import NoneType
from typing import Final

import attrs

from thingspace_async._core.caller import Reply
from thingspace_async._core.namespace import Namespace, next_from_header
from thingspace_async._core.operation import Operation, check_request
from thingspace_async.cloud_connector.models import (
    AzureApplication,
    AzureApplicationRequest,
    ConfigurationChanged,
    ConfigurationRequest,
    ConnectedDevice,
    CreateSubscriptionRequest,
    CreateTargetRequest,
    DeleteRequest,
    DeviceEvent,
    EventHistoryRequest,
    EventPage,
    ExternalId,
    ExternalIdRequest,
    QueryRequest,
    Resource,
    SensorHistoryRequest,
    SomeResource,
    StreamSettings,
    Subscription,
    Target,
    UpdateSubscriptionRequest,
)
from thingspace_async.cloud_connector.streaming import Stream, Streaming

__all__ = ["OPERATIONS", "CloudConnector"]

CREATE_TARGET: Final = Operation(
    "cloud_connector.targets.create", "POST", "/targets", CreateTargetRequest, Target, server="cloud_connector"
)
LIST_TARGETS: Final = Operation(
    "cloud_connector.targets.list",
    "POST",
    "/targets/actions/query",
    QueryRequest,
    tuple[Target, ...],
    repeatable=True,
    server="cloud_connector",
)
DELETE_TARGET: Final = Operation(
    "cloud_connector.targets.delete",
    "POST",
    "/targets/actions/delete",
    DeleteRequest,
    NoneType,
    server="cloud_connector",
)
CREATE_EXTERNAL_ID: Final = Operation(
    "cloud_connector.targets.create_external_id",
    "POST",
    "/targets/actions/newextid",
    ExternalIdRequest,
    ExternalId,
    server="cloud_connector",
)
CREATE_AZURE_APPLICATION: Final = Operation(
    "cloud_connector.targets.create_azure_application",
    "POST",
    "/targets/actions/newaic",
    AzureApplicationRequest,
    AzureApplication,
    server="cloud_connector",
)
CREATE_SUBSCRIPTION: Final = Operation(
    "cloud_connector.subscriptions.create",
    "POST",
    "/subscriptions",
    CreateSubscriptionRequest,
    Subscription,
    server="cloud_connector",
)
LIST_SUBSCRIPTIONS: Final = Operation(
    "cloud_connector.subscriptions.list",
    "POST",
    "/subscriptions/actions/query",
    QueryRequest,
    tuple[Subscription, ...],
    repeatable=True,
    server="cloud_connector",
)
# Repeatable: the request sets absolute values.
UPDATE_SUBSCRIPTION: Final = Operation(
    "cloud_connector.subscriptions.update",
    "PATCH",
    "/subscriptions",
    UpdateSubscriptionRequest,
    Subscription,
    repeatable=True,
    server="cloud_connector",
)
DELETE_SUBSCRIPTION: Final = Operation(
    "cloud_connector.subscriptions.delete",
    "POST",
    "/subscriptions/actions/delete",
    DeleteRequest,
    NoneType,
    server="cloud_connector",
)
LIST_DEVICES: Final = Operation(
    "cloud_connector.devices.list",
    "POST",
    "/devices/actions/query",
    QueryRequest,
    tuple[ConnectedDevice, ...],
    repeatable=True,
    server="cloud_connector",
    unwrap="DeviceProperty",
)
SEARCH_DEVICES: Final = Operation(
    "cloud_connector.devices.search",
    "POST",
    "/devices/actions/search",
    QueryRequest,
    tuple[ConnectedDevice, ...],
    repeatable=True,
    server="cloud_connector",
    unwrap="DeviceProperty",
)
READINGS: Final = Operation(
    "cloud_connector.devices.readings",
    "POST",
    "/devices/fields/{field_name}/actions/history",
    SensorHistoryRequest,
    tuple[DeviceEvent, ...],
    repeatable=True,
    server="cloud_connector",
    unwrap="SearchSensorHistory",
)
EVENTS: Final = Operation(
    "cloud_connector.devices.events",
    "POST",
    "/devices/fields/actions/history/search",
    EventHistoryRequest,
    tuple[DeviceEvent, ...],
    repeatable=True,
    server="cloud_connector",
    unwrap="SearchDeviceEventHistory",
)
SET_CONFIGURATION: Final = Operation(
    "cloud_connector.devices.set_configuration",
    "POST",
    "/devices/configuration/actions/set",
    ConfigurationRequest,
    ConfigurationChanged,
    server="cloud_connector",
)
DELETE_DEVICE: Final = Operation(
    "cloud_connector.devices.delete",
    "POST",
    "/devices/actions/delete",
    DeleteRequest,
    NoneType,
    server="cloud_connector",
)

OPERATIONS: Final = (
    CREATE_TARGET,
    LIST_TARGETS,
    DELETE_TARGET,
    CREATE_EXTERNAL_ID,
    CREATE_AZURE_APPLICATION,
    CREATE_SUBSCRIPTION,
    LIST_SUBSCRIPTIONS,
    UPDATE_SUBSCRIPTION,
    DELETE_SUBSCRIPTION,
    LIST_DEVICES,
    SEARCH_DEVICES,
    READINGS,
    EVENTS,
    SET_CONFIGURATION,
    DELETE_DEVICE,
)


class CloudConnector(Namespace):
    """Cloud Connector: streams events of devices to a server of yours, to AWS or to Azure, and reads earlier ones."""

    async def streaming(self, target: CreateTargetRequest, settings: StreamSettings) -> Stream:
        """Make sure that a target and a subscription exist, and return them.

        What exists already is used, so call it at each start, in any number of processes. A disabled subscription is
        enabled, unless `settings` disable it. Targets are compared by their address, subscriptions by their kind. The
        platform does not show the secrets of targets: to change them, delete the stream first.

        The stream stays when the program ends, so that no event is lost. End it with `subscriptions.delete` and
        `targets.delete`. Raises StreamTaken if the kind is streamed to another target. If the platform refuses the
        subscription, a target that this call has created is deleted, unless another stream uses it. After a
        cancellation or an unknown outcome, the next call continues with what exists.
        https://thingspace.verizon.com/resources/documentation/cloudconnector/Getting_Started/Streaming_to_hostport/
        """
        check_request(CREATE_TARGET, target)
        return await Streaming(self.targets, self.subscriptions, target, settings).start()

    @cached_property
    def targets(self) -> Targets:
        """The places that events are streamed to."""
        return Targets(self._caller)

    @cached_property
    def subscriptions(self) -> Subscriptions:
        """The streams of events to targets."""
        return Subscriptions(self._caller)

    @cached_property
    def devices(self) -> ConnectedDevices:
        """The devices with sensors, and their events."""
        return ConnectedDevices(self._caller)


class Targets(Namespace):
    """The places that events are streamed to."""

    async def create(self, request: CreateTargetRequest) -> Target:
        """Create a target, such as a server of yours.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Post_Targets/
        """
        check_request(CREATE_TARGET, request)
        known = request.billing_account_id or request.account_name.name
        return await self._send(CREATE_TARGET, attrs.evolve(request, billing_account_id=known))

    async def list(
        self, account_name: str, *, target_id: str | None = None, selection: dict[str, str] | None = None
    ) -> tuple[Target, ...]:
        """List the targets of an account: all, one, or those that match.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Query_Targets/
        """
        return await self._send(LIST_TARGETS, _query(account_name, target_id, selection))

    async def delete(self, *, account_name: str, target_id: str) -> None:
        """Delete a target. Delete its subscriptions first.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Delete_Target/
        """
        await self._send(DELETE_TARGET, DeleteRequest(account_name=account_name, resource=Resource(id=target_id)))

    async def create_external_id(self, account_name: str) -> ExternalId:
        """Create a name for the platform, for the trust policy of an AWS role and for the target.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Create_External_ID/
        """
        return await self._send(CREATE_EXTERNAL_ID, ExternalIdRequest(account_name=account_name))

    async def create_azure_application(self, request: AzureApplicationRequest) -> AzureApplication:
        """Create an application of Azure IoT Central in your subscription to Azure. The answer has its secret.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/Getting_Started/Streaming_to_Azure/
        """
        check_request(CREATE_AZURE_APPLICATION, request)
        return await self._send(CREATE_AZURE_APPLICATION, request, headers={"BillingaccountID": request.account_name})


class Subscriptions(Namespace):
    """The streams of events to targets."""

    async def create(self, request: CreateSubscriptionRequest) -> Subscription:
        """Create a subscription, which begins to stream at once.

        An account has at most one subscription of each kind.
        https://thingspace.verizon.com/documentation/apis/streaming-cloud-connector/api-reference/create-a-subscription.html
        """
        check_request(CREATE_SUBSCRIPTION, request)
        known = request.billing_account_id or request.account_name.name
        return await self._send(CREATE_SUBSCRIPTION, attrs.evolve(request, billing_account_id=known))

    async def list(
        self, account_name: str, *, subscription_id: str | None = None, selection: dict[str, str] | None = None
    ) -> tuple[Subscription, ...]:
        """List the subscriptions of an account, with their failures: all, one, or those that match.

        https://thingspace.verizon.com/documentation/apis/streaming-cloud-connector/api-reference/query-subscriptions.html
        """
        return await self._send(LIST_SUBSCRIPTIONS, _query(account_name, subscription_id, selection))

    async def update(self, request: UpdateSubscriptionRequest) -> Subscription:
        """Rename, describe, disable or enable a subscription.

        https://thingspace.verizon.com/documentation/apis/streaming-cloud-connector/api-reference/update-a-subscription.html
        """
        return await self._send(UPDATE_SUBSCRIPTION, request)

    async def delete(self, *, account_name: str, subscription_id: str) -> None:
        """Delete a subscription, which ends its stream.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Delete_Subscription/
        """
        request = DeleteRequest(account_name=account_name, resource=Resource(id=subscription_id))
        await self._send(DELETE_SUBSCRIPTION, request)


class ConnectedDevices(Namespace):
    """The devices with sensors, and their events."""

    async def list(
        self, account_name: str, *, device: SomeResource | None = None, selection: dict[str, str] | None = None
    ) -> tuple[ConnectedDevice, ...]:
        """List the devices of an account: all, one, or those that match.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Query_Devices/
        """
        request = QueryRequest(account_name=account_name, resource=device, selection=selection)
        return await self._send(LIST_DEVICES, request)

    async def search(
        self, account_name: str, *, device: SomeResource | None = None, selection: dict[str, str] | None = None
    ) -> tuple[ConnectedDevice, ...]:
        """List devices with their last readings: all, one, or those that match.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Search_Devices/
        """
        request = QueryRequest(account_name=account_name, resource=device, selection=selection)
        return await self._send(SEARCH_DEVICES, request)

    async def readings_page(
        self, field_name: str, request: SensorHistoryRequest, *, page: str | None = None
    ) -> EventPage:
        """Read one page of the readings of a sensor, newest first. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Get_Sensor_History/
        """
        check_request(READINGS, request)
        sent = request if page is None else attrs.evolve(request, page=page)
        return _page(READINGS, await self._reply(READINGS, sent, {"field_name": field_name}))

    def readings(self, field_name: str, request: SensorHistoryRequest) -> AsyncGenerator[DeviceEvent]:
        """Walk the readings of a sensor, newest first, and fetch one page ahead.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Get_Sensor_History/
        """
        return self._walk(
            READINGS,
            fetch=lambda page: self.readings_page(field_name, request, page=page),
            following=lambda page: page.next,
            items=lambda page: page.events,
        )

    async def events_page(self, request: EventHistoryRequest, *, page: str | None = None) -> EventPage:
        """Read one page of the events of a device, newest first. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Search_Device_Fields/
        """
        check_request(EVENTS, request)
        sent = request if page is None else attrs.evolve(request, page=page)
        return _page(EVENTS, await self._reply(EVENTS, sent))

    def events(self, request: EventHistoryRequest) -> AsyncGenerator[DeviceEvent]:
        """Walk the events of a device, newest first, and fetch one page ahead.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Search_Device_Fields/
        """
        return self._walk(
            EVENTS,
            fetch=lambda page: self.events_page(request, page=page),
            following=lambda page: page.next,
            items=lambda page: page.events,
        )

    async def set_configuration(self, request: ConfigurationRequest) -> ConfigurationChanged:
        """Set how often a device reports.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Change_Device_Configuration/
        """
        return await self._send(SET_CONFIGURATION, request)

    async def delete(self, account_name: str, device: SomeResource) -> None:
        """Remove a device from Cloud Connector.

        https://thingspace.verizon.com/resources/documentation/cloudconnector/API_Reference/Delete_Device/
        """
        await self._send(DELETE_DEVICE, DeleteRequest(account_name=account_name, resource=device))


def _query(account_name: str, resource_id: str | None, selection: dict[str, str] | None) -> QueryRequest:
    resource = None if resource_id is None else Resource(id=resource_id)
    return QueryRequest(account_name=account_name, resource=resource, selection=selection)


def _page(
    operation: Operation[SensorHistoryRequest, tuple[DeviceEvent, ...]]
    | Operation[EventHistoryRequest, tuple[DeviceEvent, ...]],
    reply: Reply[tuple[DeviceEvent, ...]],
) -> EventPage:
    return EventPage(
        events=reply.value,
        next=next_from_header(operation, reply),
        previous=next_from_header(operation, reply, "X-Prev"),
    )
