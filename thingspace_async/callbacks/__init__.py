"""Callback listeners receive the results that arrive after a call has returned.

The platform sends the messages of each service of an account to one URL.

    from thingspace_async.callbacks import CallbackService, RegisterCallbackRequest

    account_name = "0000123456-00001"
    listener = RegisterCallbackRequest(
        name=CallbackService.CARRIER, url="https://example.com/carrier", username="fleet", password="one of its own"
    )
    await session.callbacks.register(account_name, listener)
    for found in await session.callbacks.list(account_name):
        print(found.service_name, found.url)
    await session.callbacks.deregister(account_name, CallbackService.CARRIER)
"""

from thingspace_async.callbacks.calls import OPERATIONS, Callbacks
from thingspace_async.callbacks.inbox import Inbox, MemoryInbox, Received
from thingspace_async.callbacks.messages import Fault, Message, MessageStatus, UnknownMessage, parse
from thingspace_async.callbacks.models import (
    CallbackActionResult,
    CallbackListener,
    CallbackService,
    RegisterCallbackRequest,
)
from thingspace_async.callbacks.outcomes import Outcome, Outcomes
from thingspace_async.callbacks.receiver import PUBLISHED_ADDRESSES, Receiver, Reply
from thingspace_async.callbacks.sqlite_inbox import SqliteInbox

__all__ = [
    "OPERATIONS",
    "PUBLISHED_ADDRESSES",
    "CallbackActionResult",
    "CallbackListener",
    "CallbackService",
    "Callbacks",
    "Fault",
    "Inbox",
    "MemoryInbox",
    "Message",
    "MessageStatus",
    "Outcome",
    "Outcomes",
    "Received",
    "Receiver",
    "RegisterCallbackRequest",
    "Reply",
    "SqliteInbox",
    "UnknownMessage",
    "parse",
]
