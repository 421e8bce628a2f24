"""Models of Cloud Connector: targets, subscriptions, devices and their events."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Annotated, Any, Final, Self, TypeAlias, cast
from urllib.parse import urlsplit

import attrs

from thingspace_async._core import checks
from thingspace_async._core.checked import Range, checked
from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.events import DeviceEvent
from thingspace_async._core.faults import fault_of_input, fault_of_text
from thingspace_async._core.types import DeviceId, Identified, OpenEnum, Secret, to_secret, to_texts
from thingspace_async.errors import InvalidRequest

__all__ = [
    "AddressScheme",
    "AzureApplication",
    "AzureApplicationRequest",
    "BillingAccount",
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
    "StreamKind",
    "StreamSettings",
    "Subscription",
    "Target",
    "TargetFields",
    "TargetHeaders",
    "TargetOauth",
    "UpdateSubscriptionRequest",
]


class AddressScheme(OpenEnum):
    """Where a target is. `AddressScheme("…")` makes one that is not listed."""

    REST = "streamrest"
    """A server of yours: the platform posts each event to it."""
    AWS_IOT = "streamawsiot"
    """Amazon Web Services: the address is the ARN of a role."""
    AZURE_IOT = "streamazureiot"
    """Microsoft Azure: the address is the URL of an application of Azure IoT Central."""


class StreamKind(OpenEnum):
    """The events of a stream. `StreamKind("…")` makes one that is not listed."""

    EVENTS = "ts.event"
    """All events."""
    DIAGNOSTICS = "ts.event.diagnostics"
    SECURITY = "ts.event.security"
    CONFIGURATION = "ts.event.configuration"


def to_scheme(given: AddressScheme | str) -> AddressScheme:
    """Convert the name of a scheme. The validator refuses values that are not strings."""
    return AddressScheme(given) if isinstance(given, str) else given


def to_stream_kind(given: StreamKind | str) -> StreamKind:
    """Convert the name of a kind. The validator refuses values that are not strings."""
    return StreamKind(given) if isinstance(given, str) else given


# Accounts and resources


@attrs.frozen(kw_only=True, field_transformer=checked)
class BillingAccount(Model):
    """An account in the platform's form. Requests take its name instead."""

    name: str = attrs.field(metadata=named_on_wire("billingaccountid"))


def to_account(given: BillingAccount | str) -> BillingAccount:
    """Convert the name of an account. The validator refuses other values."""
    if isinstance(given, str) and fault_of_input(given) is None:
        return BillingAccount(name=given)
    return cast("BillingAccount", given)


def _check_account(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, BillingAccount):
        raise InvalidRequest(f"{type(model).__name__}: {field.name} {fault_of_input(value)}")


@attrs.frozen(kw_only=True, field_transformer=checked)
class Resource(Model):
    """A target, a subscription or a device: by the platform's id, or a device by its IMEI."""

    id: str | None = None
    imei: str | None = None

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "id", "imei")


def to_resource(given: SomeResource) -> Resource:
    """Convert a device with an IMEI, or a device of `devices.list`. The validator refuses other values."""
    found: Any = given
    if isinstance(given, ConnectedDevice):
        found = Resource(id=given.id) if given.id else given
    elif isinstance(given, Identified):
        found = Resource(imei=given.imei) if given.imei else given
    elif isinstance(given, DeviceId) and given.kind.casefold() == "imei":
        found = Resource(imei=given.id)
    return cast("Resource", found)


def to_optional_resource(given: SomeResource | None) -> Resource | None:
    """Convert a device, if there is one."""
    return None if given is None else to_resource(given)


def _check_device(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is None and field.default is None:
        return
    if not isinstance(value, Resource):
        raise InvalidRequest(
            f"{type(model).__name__}: {field.name} must be a Resource, a device of this room or a device with an IMEI, "
            f"not {type(value).__name__}"
        )


def _check_selection(model: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or not value:
        raise InvalidRequest(f"{type(model).__name__}: {field.name} must be a dict of names and values")
    for one in (*value, *value.values()):
        if (fault := fault_of_text(one)) is not None:
            raise InvalidRequest(f"{type(model).__name__}: {field.name} has a name or a value that {fault}")


_ACCOUNT: Final = named_on_wire("accountidentifier")
_RESOURCE: Final = named_on_wire("resourceidentifier")
_SELECTION: Final = named_on_wire("$selection")


@attrs.frozen(kw_only=True, field_transformer=checked)
class QueryRequest(Model):
    """A query for targets, subscriptions or devices: all, one, or those that match."""

    account_name: BillingAccount = attrs.field(converter=to_account, validator=_check_account, metadata=_ACCOUNT)
    selection: dict[str, str] | None = attrs.field(default=None, validator=_check_selection, metadata=_SELECTION)
    """Wanted values by the platform's names, such as `{"iccid": "89148000003499233389"}`."""
    resource: Resource | None = attrs.field(
        default=None, converter=to_optional_resource, validator=_check_device, metadata=_RESOURCE
    )


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeleteRequest(Model):
    """A target, a subscription or a device to delete."""

    account_name: BillingAccount = attrs.field(converter=to_account, validator=_check_account, metadata=_ACCOUNT)
    resource: Resource = attrs.field(converter=to_resource, validator=_check_device, metadata=_RESOURCE)


# Targets


@attrs.frozen(kw_only=True, field_transformer=checked)
class TargetHeaders(Model):
    """Headers that the platform adds to each event."""

    authorization: Secret = attrs.field(converter=to_secret, metadata=named_on_wire("Authorization"))
    """For Azure: a shared access signature."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class TargetFields(Model):
    """More about a target."""

    http_headers: TargetHeaders | None = attrs.field(default=None, metadata=named_on_wire("httpheaders"))
    device_types: tuple[str, ...] = attrs.field(default=(), converter=to_texts, metadata=named_on_wire("devicetypes"))
    """For Azure: kinds of devices, such as `cHeAssetTracker`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class OauthHeaders(Model):
    """Headers of the request for a new token."""

    authorization: Secret = attrs.field(converter=to_secret, metadata=named_on_wire("Authorization"))
    content_type: str | None = attrs.field(default=None, metadata=named_on_wire("Content-Type"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class OauthHost(Model):
    """The server that renews the token."""

    host_and_path: str = attrs.field(metadata=named_on_wire("hostandpath"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class OauthBody(Model):
    """The request for a new token."""

    grant_type: str | None = attrs.field(default=None, metadata=named_on_wire("grant_type"))
    """Usually `refresh_token`."""
    refresh_token: Secret | None = attrs.field(
        default=None, converter=to_secret, metadata=named_on_wire("refresh_token")
    )
    scope: str | None = None
    headers: OauthHeaders | None = None
    host: OauthHost | None = None


@attrs.frozen(kw_only=True, field_transformer=checked)
class TargetOauth(Model):
    """How the platform renews the token that it sends with each event."""

    body: OauthBody
    version: str | None = None


def _check_address(request: CreateTargetRequest) -> None:
    """Refuse an address that the platform cannot stream to."""
    if request.address_scheme is AddressScheme.REST:
        try:
            parts = urlsplit(request.address if "://" in request.address else f"https://{request.address}")
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            is_bare = parts.username is None and " " not in request.address
        except ValueError:  # The port is not a number, or an IPv6 address is cut off.
            is_url = is_bare = False
        if not (is_url and is_bare):
            raise InvalidRequest("CreateTargetRequest: address must look like https://example.com:443 for streamrest")
    if request.address_scheme is AddressScheme.AWS_IOT:
        for name in ("external_id", "region"):
            if getattr(request, name) is None:
                raise InvalidRequest(f"CreateTargetRequest: {name} is missing, which streamawsiot needs")


@attrs.frozen(kw_only=True, field_transformer=checked)
class CreateTargetRequest(Model):
    """A target to create."""

    account_name: BillingAccount = attrs.field(converter=to_account, validator=_check_account, metadata=_ACCOUNT)
    address: str
    """The URL of a server or of an Azure application, or the ARN of a role."""
    address_scheme: AddressScheme = attrs.field(converter=to_scheme, metadata=named_on_wire("addressscheme"))
    kind: str | None = None
    """`ts.target` by default."""
    name: str | None = None
    description: str | None = None
    external_id: str | None = attrs.field(default=None, metadata=named_on_wire("externalid"))
    """For AWS: the answer of `create_external_id`."""
    region: str | None = None
    """For AWS, such as `us-east-1`."""
    key1: Secret | None = attrs.field(default=None, converter=to_secret)
    """The OAuth token of your server."""
    oauth: TargetOauth | None = None
    fields: TargetFields | None = None
    billing_account_id: str | None = attrs.field(default=None, metadata=named_on_wire("billingaccountid"))
    """The account of the target. By default, it is `account_name`."""

    def __attrs_post_init__(self) -> None:
        _check_address(self)

    @classmethod
    def to_server(
        cls, account_name: str, url: str, *, username: str, password: Secret | str, name: str | None = None
    ) -> Self:
        """Make the request for a server of yours. The platform sends the username and the password with each event.

        Take both from `receiver.credentials_for("CloudConnector")`.
        """
        password = Secret(password)
        for what, text in (("username", username), ("password", password.reveal())):
            if (fault := fault_of_text(text)) is not None:
                raise InvalidRequest(f"CreateTargetRequest: {what} {fault}")
        if ":" in username:
            raise InvalidRequest("CreateTargetRequest: username must not contain a colon, which ends it")
        pair = base64.b64encode(f"{username}:{password.reveal()}".encode()).decode()
        return cls(
            account_name=account_name,
            address=url,
            address_scheme=AddressScheme.REST,
            name=name,
            fields=TargetFields(http_headers=TargetHeaders(authorization=Secret(f"Basic {pair}"))),
        )


@attrs.frozen(kw_only=True)
class Target(Model):
    """A target. The platform shows no secrets of it."""

    id: str | None = None
    """Subscriptions refer to it."""
    kind: str | None = None
    address: str | None = None
    address_scheme: AddressScheme | None = attrs.field(default=None, metadata=named_on_wire("addressscheme"))
    name: str | None = None
    description: str | None = None
    billing_account_id: str | None = attrs.field(default=None, metadata=named_on_wire("billingaccountid"))
    external_id: str | None = attrs.field(default=None, metadata=named_on_wire("externalid"))
    region: str | None = None
    created_on: datetime | None = attrs.field(default=None, metadata=named_on_wire("createdon"))
    last_updated: datetime | None = attrs.field(default=None, metadata=named_on_wire("lastupdated"))
    version: str | None = None
    version_id: str | None = attrs.field(default=None, metadata=named_on_wire("versionid"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class ExternalIdRequest(Model):
    """The account that streams to AWS."""

    account_name: BillingAccount = attrs.field(converter=to_account, validator=_check_account, metadata=_ACCOUNT)


@attrs.frozen(kw_only=True)
class ExternalId(Model):
    """A name for the platform in the trust policy of an AWS role."""

    external_id: str | None = attrs.field(default=None, metadata=named_on_wire("externalid"))


_APP_NAME: Final = r"[^A-Z]{1,10}"


def _check_app_name(model: object, field: attrs.Attribute[Any], value: object) -> None:
    checks.text(model, field, value)
    if re.fullmatch(_APP_NAME, str(value)) is None:
        raise InvalidRequest(
            f"{type(model).__name__}: {field.name} must have 10 characters or fewer, and no capital letters"
        )


@attrs.frozen(kw_only=True, field_transformer=checked)
class AzureApplicationRequest(Model):
    """An application of Azure IoT Central to create in your subscription to Azure."""

    account_name: str = attrs.field(metadata=named_on_wire("billingAccountID"))
    app_name: str = attrs.field(validator=_check_app_name)
    """10 characters or fewer, in small letters. The platform's page allows 9, and its sample has 10."""
    client_id: str = attrs.field(metadata=named_on_wire("clientID"))
    client_secret: Secret = attrs.field(converter=to_secret)
    tenant_id: str = attrs.field(metadata=named_on_wire("tenantID"))
    subscription_id: str = attrs.field(metadata=named_on_wire("subscriptionID"))
    """The subscription to Azure."""
    resource_group: str = attrs.field(metadata=named_on_wire("resourcegroup"))
    email_ids: str | None = attrs.field(default=None, metadata=named_on_wire("emailIDs"))
    """E-mail addresses to notify."""
    sample_app: str | None = attrs.field(default=None, metadata=named_on_wire("sampleIOTcApp"))


@attrs.frozen(kw_only=True)
class AzureApplication(Model):
    """The created application."""

    app_name: str | None = None
    shared_secret: Secret | None = None
    url: str | None = None


# Subscriptions


@attrs.frozen(kw_only=True, field_transformer=checked)
class StreamSettings(Model):
    """The content of a stream."""

    stream_kind: StreamKind = attrs.field(converter=to_stream_kind, metadata=named_on_wire("streamkind"))
    """An account has at most one subscription of each kind."""
    email: str | None = None
    """Where the platform sends reports of errors."""
    filter: str | None = None
    name: str | None = None
    description: str | None = None
    disabled: bool | None = None
    allow_aggregation: bool | None = attrs.field(default=None, metadata=named_on_wire("allowaggregation"))
    """Whether one message may have several events. A `Receiver` stores each of them."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class CreateSubscriptionRequest(StreamSettings):
    """A subscription to create."""

    account_name: BillingAccount = attrs.field(converter=to_account, validator=_check_account, metadata=_ACCOUNT)
    target_id: str = attrs.field(metadata=named_on_wire("targetid"))
    billing_account_id: str | None = attrs.field(default=None, metadata=named_on_wire("billingaccountid"))
    """The account of the subscription. By default, it is `account_name`."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class UpdateSubscriptionRequest(Model):
    """Changes of a subscription. Fields that you leave out stay as they are."""

    account_name: BillingAccount = attrs.field(converter=to_account, validator=_check_account, metadata=_ACCOUNT)
    resource: Resource = attrs.field(metadata=_RESOURCE)
    """`Resource(id=subscription.id)`."""
    name: str | None = None
    description: str | None = None
    disabled: bool | None = None

    def __attrs_post_init__(self) -> None:
        checks.any_of(self, "name", "description", "disabled")


@attrs.frozen(kw_only=True)
class Subscription(Model):
    """A subscription: it streams events to a target."""

    id: str | None = None
    kind: str | None = None
    stream_kind: StreamKind | None = attrs.field(default=None, metadata=named_on_wire("streamkind"))
    target_id: str | None = attrs.field(default=None, metadata=named_on_wire("targetid"))
    target_type: str | None = attrs.field(default=None, metadata=named_on_wire("targettype"))
    name: str | None = None
    description: str | None = None
    email: str | None = None
    filter: str | None = None
    disabled: bool | None = None
    network_failures: int | None = attrs.field(default=None, metadata=named_on_wire("networkfailures"))
    """Events that did not reach the target."""
    stream_failures: int | None = attrs.field(default=None, metadata=named_on_wire("streamfailures"))
    """Events that the target refused."""
    configuration_failures: int | None = attrs.field(default=None, metadata=named_on_wire("configurationfailures"))
    last_streaming_status: str | None = attrs.field(default=None, metadata=named_on_wire("laststreamingstatus"))
    """For example `success`. Empty before the first event."""
    last_streaming_time: datetime | None = attrs.field(default=None, metadata=named_on_wire("laststreamingtime"))
    """The year 1 before the first event: see `last_streamed_on`."""
    delegate_id: str | None = attrs.field(default=None, metadata=named_on_wire("delegateid"))
    created_on: datetime | None = attrs.field(default=None, metadata=named_on_wire("createdon"))
    last_updated: datetime | None = attrs.field(default=None, metadata=named_on_wire("lastupdated"))
    version: str | None = None
    version_id: str | None = attrs.field(default=None, metadata=named_on_wire("versionid"))

    @property
    def last_streamed_on(self) -> datetime | None:
        """When the last event was streamed. None before the first event."""
        last = self.last_streaming_time
        return None if last is None or last.year == 1 else last

    @property
    def is_failing(self) -> bool:
        """Whether events did not arrive. The counts include failures that are over."""
        return any((self.network_failures, self.stream_failures, self.configuration_failures))


# Devices


@attrs.frozen(kw_only=True)
class ConnectedDevice(Model):
    """A device in Cloud Connector."""

    id: str | None = None
    """The platform's id, the `device_id` of its events."""
    kind: str | None = None
    """For example `ts.device.cHeAssetTracker`."""
    imei: str | None = None
    iccid: str | None = None
    state: str | None = None
    """For example `registered` or `ready`."""
    fields: dict[str, Any] | None = None
    """The last readings. Only `devices.search` has them."""
    billing_account_id: str | None = attrs.field(default=None, metadata=named_on_wire("billingaccountid"))
    event_retention: str | int | None = attrs.field(default=None, metadata=named_on_wire("eventretention"))
    """Days that the platform keeps its events. The platform sends a string."""
    provider_id: str | None = attrs.field(default=None, metadata=named_on_wire("providerid"))
    ref_id: str | None = attrs.field(default=None, metadata=named_on_wire("refid"))
    ref_id_type: str | None = attrs.field(default=None, metadata=named_on_wire("refidtype"))
    created_on: datetime | None = attrs.field(default=None, metadata=named_on_wire("createdon"))
    last_updated: datetime | None = attrs.field(default=None, metadata=named_on_wire("lastupdated"))
    version: str | None = None
    version_id: str | None = attrs.field(default=None, metadata=named_on_wire("versionid"))


SomeResource: TypeAlias = Resource | ConnectedDevice | DeviceId | Identified
"""A device in a form that requests accept."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class SensorHistoryRequest(Model):
    """A query for the readings of a device, newest first."""

    account_name: BillingAccount = attrs.field(converter=to_account, validator=_check_account, metadata=_ACCOUNT)
    resource: Resource = attrs.field(converter=to_resource, validator=_check_device, metadata=_RESOURCE)
    """The device."""
    limit_number: Annotated[int | None, Range(least=1)] = attrs.field(
        default=None, metadata=named_on_wire("$limitnumber")
    )
    """Events per page."""
    page: str | None = attrs.field(default=None, metadata=named_on_wire("$page"))


@attrs.frozen(kw_only=True, field_transformer=checked)
class EventHistoryRequest(SensorHistoryRequest):
    """A query for the events of a device, newest first."""

    selection: dict[str, str] | None = attrs.field(default=None, validator=_check_selection, metadata=_SELECTION)
    """Wanted values by the platform's names."""


@attrs.frozen(kw_only=True)
class EventPage(Model):
    """A page of events, newest first."""

    events: tuple[DeviceEvent, ...]
    next: str | None = None
    """Pass it as `page` to get older events. None on the last page."""
    previous: str | None = None
    """Pass it as `page` to get newer events. None on the first page."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class DeviceConfiguration(Model):
    """The settings of a device."""

    frequency: str
    """How often the device reports. The values depend on the device."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class ConfigurationRequest(Model):
    """A device, and its new settings."""

    account_name: BillingAccount = attrs.field(converter=to_account, validator=_check_account, metadata=_ACCOUNT)
    resource: Resource = attrs.field(converter=to_resource, validator=_check_device, metadata=_RESOURCE)
    """The device."""
    configuration: DeviceConfiguration


@attrs.frozen(kw_only=True)
class ConfigurationChanged(DeviceEvent):
    """The event of a new configuration, with the state `pending`.

    When the device has applied it, an event with the same `transaction_id` has the state `update`.
    """
