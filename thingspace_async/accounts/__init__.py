"""Accounts: what an account may use, its plans, leads, custom states and pending requests."""

from thingspace_async.accounts.calls import OPERATIONS, Accounts
from thingspace_async.accounts.models import (
    Account,
    AccountLead,
    AccountLeadsResult,
    AccountService,
    AccountStatesAndServices,
    Address,
    AsynchronousRequestResult,
    Engagement,
    IpPool,
    RequestStatus,
    ServicePlan,
    State,
)

__all__ = [
    "OPERATIONS",
    "Account",
    "AccountLead",
    "AccountLeadsResult",
    "AccountService",
    "AccountStatesAndServices",
    "Accounts",
    "Address",
    "AsynchronousRequestResult",
    "Engagement",
    "IpPool",
    "RequestStatus",
    "ServicePlan",
    "State",
]
