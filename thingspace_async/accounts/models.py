"""Models of accounts."""

from __future__ import annotations

from typing import Final

import attrs

from thingspace_async._codec import wire
from thingspace_async._types import DeviceId, ExtendedAttribute, OpenEnum, identifier_of

__all__ = [
    "Account",
    "AccountLead",
    "AccountLeadsResult",
    "AccountService",
    "AccountStatesAndServices",
    "AsynchronousRequestResult",
    "Engagement",
    "IpPool",
    "LeadAddress",
    "RequestStatus",
    "ServicePlan",
    "State",
    "StatusResponse",
    "SubRequest",
]


@attrs.frozen(kw_only=True)
class IpPool:
    """A pool that devices of the account take their IP addresses from."""

    pool_name: str | None = None
    pool_type: str | None = None
    """Such as `Static IP` or `Dynamic IP`."""
    is_default_pool: bool | None = None


@attrs.frozen(kw_only=True)
class ServicePlan:
    """A data plan that devices of the account may be activated with."""

    carrier_service_plan_code: str | None = None
    code: str | None = None
    """What to send when a device is activated or changes its plan; not always the same as `name`."""
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    name: str | None = None
    size_kb: int | None = None
    """Included volume in kilobytes."""


@attrs.frozen(kw_only=True)
class Account:
    """A billing account and what it may use."""

    # The SDKs' AccountDetails has carriers and features as objects and sizes as texts. The sample on its page has all
    # of them as they are here, so that one model serves both:
    # https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/global-iot/api_reference/service_plan_list.html

    account_name: str | None = None
    """Ten digits, a hyphen and five digits, with its leading zeros."""
    account_number: str | None = None
    organization_name: str | None = None
    is_provisioning_allowed: bool | None = None
    """Whether one request may both add a device to the account and activate it."""
    carriers: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    # The SDKs spell it iPPools, the reference page ipPools.
    ip_pools: tuple[IpPool, ...] = attrs.field(default=(), metadata=wire("iPPools", "ipPools"))
    service_plans: tuple[ServicePlan, ...] = ()


@attrs.frozen(kw_only=True)
class LeadAddress:
    """The address of a lead."""

    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    zip4: str | None = None
    country: str | None = None
    phone: str | None = None
    phone_type: str | None = None
    email_address: str | None = None


@attrs.frozen(kw_only=True)
class AccountLead:
    """A lead of Verizon's partner program, to credit activations to."""

    address: LeadAddress | None = None
    lead_id: str | None = None
    lead_state: str | None = None


@attrs.frozen(kw_only=True)
class AccountLeadsResult:
    """One page of an account's leads."""

    leads: tuple[AccountLead, ...]
    has_more_data: bool | None = None
    next: int | None = None
    """What to ask the following page with; read from the answer's Location header."""


@attrs.frozen(kw_only=True)
class State:
    """A custom state that a device can be put into."""

    name: str | None = None
    workflow_sequence_number: float | None = None
    service_plans: tuple[str, ...] = ()
    """Codes of the plans that the state may be combined with."""


@attrs.frozen(kw_only=True)
class AccountService:
    """A custom service and its states."""

    name: str | None = None
    description: str | None = None
    states: tuple[State, ...] = ()


@attrs.frozen(kw_only=True)
class Engagement:
    """A charging group and its services."""

    engagement_id: str | None = None
    charging_group: str | None = None
    services: tuple[AccountService, ...] = ()


@attrs.frozen(kw_only=True)
class AccountStatesAndServices:
    """The custom services and states that are defined for an account."""

    engagement: tuple[Engagement, ...]


class RequestStatus(OpenEnum):
    """How far a request has come whose result arrives later."""

    PENDING = "Pending"
    SUCCESS = "Success"
    FAILED = "Failed"
    """As the platform's page spells it."""
    FAILURE = "Failure"
    """As its SDKs spell it; means the same. Ask `failed` of the answer."""


_FAILED: Final = frozenset({RequestStatus.FAILED, RequestStatus.FAILURE})


@attrs.frozen(kw_only=True)
class AsynchronousRequestResult:
    """How far a request has come whose result arrives later."""

    request_id: str | None = None
    status: RequestStatus | None = None

    @property
    def failed(self) -> bool:
        """Whether the platform gave up, in either of its spellings."""
        return self.status in _FAILED


@attrs.frozen(kw_only=True)
class SubRequest:
    """How far a request has come with one of its devices."""

    # A list in the sample on the platform's page (protocol.md 3.5), where the SDKs have a single identifier.
    ids: tuple[DeviceId, ...] = ()
    status: RequestStatus | None = None

    @property
    def failed(self) -> bool:
        """Whether the platform gave this device up, in either of its spellings."""
        return self.status in _FAILED

    def identifier(self, kind: str) -> str | None:
        """Return the device's identifier of a kind (`imei`, `iccid`, `mdn`, …), whatever the case of its letters."""
        return identifier_of(self.ids, kind)


@attrs.frozen(kw_only=True)
class StatusResponse:
    """How far a request has come, as a whole and with each of its devices."""

    request_id: str | None = None
    status: RequestStatus | None = None
    # The page spells it subRequests, the SDKs subrequests (protocol.md 3.5).
    sub_requests: tuple[SubRequest, ...] = attrs.field(default=(), metadata=wire("subRequests", "subrequests"))
    """All devices; `pending`, `succeeded` and `failed_devices` keep them apart."""

    @property
    def failed(self) -> bool:
        """Whether the platform gave up the request as a whole, in either of its spellings."""
        return self.status in _FAILED

    @property
    def pending(self) -> tuple[SubRequest, ...]:
        """The devices that the platform is still at work on."""
        return tuple(one for one in self.sub_requests if one.status is RequestStatus.PENDING)

    @property
    def succeeded(self) -> tuple[SubRequest, ...]:
        """The devices for which the request is done."""
        return tuple(one for one in self.sub_requests if one.status is RequestStatus.SUCCESS)

    @property
    def failed_devices(self) -> tuple[SubRequest, ...]:
        """The devices that the platform gave up."""
        return tuple(one for one in self.sub_requests if one.failed)
