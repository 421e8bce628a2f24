"""Calls for SMS messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import NoneType
from typing import Final

import attrs

from thingspace_async._core.namespace import Namespace, repeated_page, text_from_location
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted, SuccessResult
from thingspace_async.errors import AnswerUnreadable
from thingspace_async.sms.models import SmsEventHistoryRequest, SmsMessage, SmsMessagesQueryResult, SmsSendRequest

__all__ = ["OPERATIONS", "Sms"]

SEND: Final = Operation("sms.send", "POST", "/m2m/v1/sms", SmsSendRequest, Accepted)
# Not repeatable, although it is a GET: with `next` it removes messages from the queue.
QUEUED: Final = Operation("sms.queued", "GET", "/m2m/v1/sms/{account_name}/history", NoneType, SmsMessagesQueryResult)
START_CALLBACKS: Final = Operation(
    "sms.start_callbacks", "PUT", "/m2m/v1/sms/{account_name}/startCallbacks", NoneType, SuccessResult
)
EVENT_HISTORY: Final = Operation(
    "sms.event_history", "POST", "/m2m/v1/devices/sms/history/actions/list", SmsEventHistoryRequest, Accepted
)

OPERATIONS: Final = (SEND, QUEUED, START_CALLBACKS, EVENT_HISTORY)


class Sms(Namespace):
    """Text messages to and from devices."""

    async def send(self, request: SmsSendRequest) -> Accepted:
        """Send a message of up to 160 characters, or 140 in an 8-bit encoding, to up to 100 listed devices.

        For each device, a message on EnhancedConnectivityService reports later that the SMS was sent. Another message
        on SMSDeliveryConfirmation reports that it was received, or that it expired. The network tries for five days.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Send_SMS_Messages_to_Devices/
        """
        return await self._send(SEND, request)

    async def queued_page(self, account_name: str, *, next: str | None = None) -> SmsMessagesQueryResult:  # noqa: A002
        """Read a block of up to 100 messages from devices that wait in the account's queue.

        Store the messages of the block, then pass its `next` to request the next block. This acknowledges the block:
        the platform removes it from the queue. Acknowledge the last block in the same way. A block without `next`
        cannot be acknowledged, and the platform may return it again.
        The client never repeats this request, because a repeat might acknowledge messages that you have not seen.
        A block that cannot be read raises AnswerUnreadable with the answer in `body`. The platform returns it again
        until it is acknowledged: `session.request` on the same path shows the `next` in its Location header.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-sms-messages.html
        """
        query = {} if next is None else {"next": next}
        reply = await self._reply(QUEUED, path={"account_name": account_name}, query=query)
        more = reply.status == 202 if reply.value.has_more_data is None else reply.value.has_more_data
        return attrs.evolve(reply.value, has_more_data=more, next=text_from_location(reply))

    async def queued(self, account_name: str) -> AsyncGenerator[SmsMessage]:
        """Walk the messages from devices that wait in the account's queue, and remove them from it.

        The walk reads blocks of up to 100 messages, which may be out of order. It acknowledges a block when you ask for
        the message after its last one. Store each message before you ask for the next. If you stop early, the present
        block stays in the queue and comes again. So does a last block that the platform gives no means to acknowledge.

        If the walk ends with AnswerLost, ServerFault or another error, no message is lost. The queue still has the
        messages that you have not received, and perhaps the last block that you received: walk again, and drop
        duplicates by device, time stamp and text. Do not run two walks of one account at the same time. Raises
        AnswerUnreadable if there are more messages but the answer does not say how to request them.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-sms-messages.html
        """
        taken: set[str] = set()
        block = await self.queued_page(account_name)
        while block.messages and block.next is not None:
            for message in block.messages:
                yield message
            if block.next in taken:
                raise repeated_page(QUEUED)
            taken.add(block.next)
            block = await self.queued_page(account_name, next=block.next)
        for message in block.messages:
            yield message
        if block.has_more_data:
            raise AnswerUnreadable(
                "there are more messages, but the block is empty or has no `next` in its Location header: "
                "walk again later",
                operation=QUEUED.name,
            )

    async def start_callbacks(self, account_name: str) -> SuccessResult:
        """Send the queued messages of an account to its callback listener for EnhancedConnectivityService.

        New messages go there automatically while the listener works. Messages in the queue do not.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Start_SMS_Callback/
        """
        return await self._send(START_CALLBACKS, path={"account_name": account_name})

    async def event_history(self, request: SmsEventHistoryRequest) -> Accepted:
        """Request the messages to and from one device of the last three months.

        They arrive later on DeviceService, at most 500 per request. Request the others with a later `earliest`.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Retrieve_SMS_Event_History/
        """
        return await self._send(EVENT_HISTORY, request)
