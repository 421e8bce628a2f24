"""Names for writing a store of your own: the base class of inboxes, and the primitives of the ledger.

`STORES.md`, next to this file, has the rules and shows how to test a store.
"""

from thingspace_async._core.clock import since_boot
from thingspace_async._core.ledger import (
    BatchRecord,
    BatchState,
    Claim,
    Item,
    Joined,
    LedgerStore,
    Place,
    Worker,
    WorkerState,
    decide_claims,
    run_being_forgotten,
    run_in_progress,
    run_lost,
)
from thingspace_async._core.ledgers.local import KeptRun, Lease, LocalLedger
from thingspace_async.callbacks.inbox import PAGE, BaseInbox, Inbox, MessageQuery, Received, not_open, stored_message
from thingspace_async.callbacks.incoming import Incoming

__all__ = [
    "PAGE",
    "BaseInbox",
    "BatchRecord",
    "BatchState",
    "Claim",
    "Inbox",
    "Incoming",
    "Item",
    "Joined",
    "KeptRun",
    "Lease",
    "LedgerStore",
    "LocalLedger",
    "MessageQuery",
    "Place",
    "Received",
    "Worker",
    "WorkerState",
    "decide_claims",
    "not_open",
    "run_being_forgotten",
    "run_in_progress",
    "run_lost",
    "since_boot",
    "stored_message",
]
