"""Models of accounts."""

from __future__ import annotations

from typing import Any, Final

import attrs

from thingspace_async._core.codec import Model, named_on_wire
from thingspace_async._core.types import DeviceId, ExtendedAttribute, OpenEnum, identifier_of

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
class IpPool(Model):
    """A pool that provides IP addresses to devices of the account."""

    pool_name: str | None = None
    pool_type: str | None = None
    """For example `Static IP` or `Dynamic IP`."""
    is_default_pool: bool | None = None


@attrs.frozen(kw_only=True)
class ServicePlan(Model):
    """A service plan that is available to devices of the account."""

    carrier_service_plan_code: str | None = None
    code: str | None = None
    """Code to send in requests as `service_plan`. It may differ from `name`."""
    extended_attributes: tuple[ExtendedAttribute, ...] = ()
    name: str | None = None
    size_kb: int | None = None
    """Included data in kilobytes."""

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        size = data.get("sizeKb")
        if not (isinstance(size, str) and size.isascii() and size.isdigit()):
            return False
        data["sizeKb"] = int(size)
        return True


@attrs.frozen(kw_only=True)
class Account(Model):
    """A billing account with its features."""

    # In the SDKs' AccountDetails, carriers and features are objects and sizes are strings. The sample on the page has
    # strings and numbers, as this model does. Both forms are read:
    # https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/connectivity-management/global-iot/api_reference/service_plan_list.html

    account_name: str | None = None
    """Ten digits, a hyphen and five digits, with its leading zeros."""
    account_number: str | None = None
    organization_name: str | None = None
    is_provisioning_allowed: bool | None = None
    """Whether a single request may add a device to the account and activate it."""
    carriers: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    # The SDKs spell this iPPools, the reference page ipPools.
    ip_pools: tuple[IpPool, ...] = attrs.field(default=(), metadata=named_on_wire("iPPools", "ipPools"))
    service_plans: tuple[ServicePlan, ...] = ()

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        odd = False
        for name in ("carriers", "features"):
            values = data.get(name)
            if isinstance(values, list) and any(isinstance(value, dict) for value in values):
                data[name] = [_unwrapped(value, name) for value in values]
                odd = True
        return odd


def _unwrapped(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) and name in value else value


@attrs.frozen(kw_only=True)
class LeadAddress(Model):
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
class AccountLead(Model):
    """A lead of Verizon's partner program. Activations can be credited to it."""

    address: LeadAddress | None = None
    lead_id: str | None = None
    lead_state: str | None = None


@attrs.frozen(kw_only=True)
class AccountLeadsResult(Model):
    """One page of an account's leads."""

    leads: tuple[AccountLead, ...]
    has_more_data: bool | None = None
    next: int | None = None
    """Pass this to `leads_page` to request the next page. It comes from the answer's Location header."""

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        # Only null means no leads. A missing list stays an error.
        odd = "leads" in data and data["leads"] is None
        if odd:
            data["leads"] = []
        return odd


@attrs.frozen(kw_only=True)
class State(Model):
    """A custom state for devices."""

    name: str | None = None
    workflow_sequence_number: float | None = None
    service_plans: tuple[str, ...] = ()
    """Codes of the plans that can be combined with the state."""


@attrs.frozen(kw_only=True)
class AccountService(Model):
    """A custom service and its states."""

    name: str | None = None
    description: str | None = None
    states: tuple[State, ...] = ()


@attrs.frozen(kw_only=True)
class Engagement(Model):
    """A charging group and its services."""

    engagement_id: str | None = None
    charging_group: str | None = None
    services: tuple[AccountService, ...] = ()


@attrs.frozen(kw_only=True)
class AccountStatesAndServices(Model):
    """Custom services and states of an account."""

    engagement: tuple[Engagement, ...]


class RequestStatus(OpenEnum):
    """Status of a request whose result arrives later."""

    PENDING = "Pending"
    SUCCESS = "Success"
    FAILED = "Failed"
    """The spelling of the platform's page."""
    FAILURE = "Failure"
    """The spelling of the SDKs, with the same meaning. `failed` of the answer covers both."""


_FAILED: Final = frozenset({RequestStatus.FAILED, RequestStatus.FAILURE})


@attrs.frozen(kw_only=True)
class AsynchronousRequestResult(Model):
    """Status of a request whose result arrives later."""

    request_id: str | None = None
    status: RequestStatus | None = None

    @property
    def failed(self) -> bool:
        """Whether the request failed, in either spelling of the status."""
        return self.status in _FAILED


@attrs.frozen(kw_only=True)
class SubRequest(Model):
    """Status of a request for one of its devices."""

    # A list in the sample on the platform's page (PROTOCOL.md 3.5), a single identifier in the SDKs. Both are read.
    ids: tuple[DeviceId, ...] = ()
    status: RequestStatus | None = None

    @property
    def failed(self) -> bool:
        """Whether the request failed for this device, in either spelling of the status."""
        return self.status in _FAILED

    def identifier(self, kind: str) -> str | None:
        """Return the device's identifier of a kind (`imei`, `iccid`, `mdn`, …), ignoring upper and lower case."""
        return identifier_of(self.ids, kind)

    @classmethod
    def _mend(cls, data: dict[str, Any]) -> bool:
        odd = isinstance(data.get("ids"), dict)
        if odd:
            data["ids"] = [data["ids"]]
        return odd


@attrs.frozen(kw_only=True)
class StatusResponse(Model):
    """Status of a request, as a whole and for each of its devices."""

    request_id: str | None = None
    status: RequestStatus | None = None
    # The page spells it subRequests, the SDKs subrequests (PROTOCOL.md 3.5).
    sub_requests: tuple[SubRequest, ...] = attrs.field(default=(), metadata=named_on_wire("subRequests", "subrequests"))
    """All devices. `pending`, `succeeded` and `failed_devices` select them by status."""

    @property
    def failed(self) -> bool:
        """Whether the request failed as a whole, in either spelling of the status."""
        return self.status in _FAILED

    @property
    def pending(self) -> tuple[SubRequest, ...]:
        """Devices that the platform is still working on."""
        return tuple(one for one in self.sub_requests if one.status is RequestStatus.PENDING)

    @property
    def succeeded(self) -> tuple[SubRequest, ...]:
        """Devices whose request succeeded."""
        return tuple(one for one in self.sub_requests if one.status is RequestStatus.SUCCESS)

    @property
    def failed_devices(self) -> tuple[SubRequest, ...]:
        """Devices whose request failed."""
        return tuple(one for one in self.sub_requests if one.failed)
