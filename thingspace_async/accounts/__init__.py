"""Accounts: features, service plans, leads, custom states and pending requests of an account.

    account = await session.accounts.get(cloud.account_name)
    print(account.organization_name, [plan.code for plan in account.service_plans])

    async for lead in session.accounts.leads(cloud.account_name):
        print(lead.lead_id, lead.lead_state)

Leads are for members of Verizon's partner program.
"""

from thingspace_async.accounts.calls import OPERATIONS, Accounts
from thingspace_async.accounts.models import (
    Account,
    AccountLead,
    AccountLeadsResult,
    AccountService,
    AccountStatesAndServices,
    AsynchronousRequestResult,
    Engagement,
    IpPool,
    LeadAddress,
    RequestStatus,
    ServicePlan,
    State,
    StatusResponse,
    SubRequest,
)

__all__ = [
    "OPERATIONS",
    "Account",
    "AccountLead",
    "AccountLeadsResult",
    "AccountService",
    "AccountStatesAndServices",
    "Accounts",
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
