"""Aggregated billing of location and software services, and triggers on their usage.

A primary account's user manages other accounts, and creates the triggers.

    from thingspace_async.billing import ManagedAccountsAddRequest, UsageTriggerCreateRequest

    account_name = "0000123456-00001"
    request = UsageTriggerCreateRequest(
        account_name=account_name, service_name="Location", trigger_name="Nearly used up", threshold_value=90
    )
    trigger = await session.billing.usage_triggers.create(request)
    print(trigger.trigger_id)

    cloud.add_account("0000222222-00001")
    added = await session.billing.add_accounts(
        ManagedAccountsAddRequest(
            account_name=account_name,
            service_name="Location",
            sku="TS-LOC-COARSE-CellID-Aggr",
            managed_accounts=["0000222222-00001"],
        )
    )
    print(added.transaction_id, added.accounts[0].status)
"""

from thingspace_async.billing.calls import OPERATIONS, Billing, UsageTriggers
from thingspace_async.billing.models import (
    AddedAccount,
    ManagedAccount,
    ManagedAccountRequest,
    ManagedAccountResult,
    ManagedAccounts,
    ManagedAccountsAdded,
    ManagedAccountsAddRequest,
    ServiceName,
    UsageTrigger,
    UsageTriggerCreateRequest,
    UsageTriggerUpdateRequest,
)

__all__ = [
    "OPERATIONS",
    "AddedAccount",
    "Billing",
    "ManagedAccount",
    "ManagedAccountRequest",
    "ManagedAccountResult",
    "ManagedAccounts",
    "ManagedAccountsAddRequest",
    "ManagedAccountsAdded",
    "ServiceName",
    "UsageTrigger",
    "UsageTriggerCreateRequest",
    "UsageTriggerUpdateRequest",
    "UsageTriggers",
]
