"""Calls about SMS messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import NoneType
from typing import Final

import attrs

from thingspace_async._namespace import Namespace, leads_back, text_from_location
from thingspace_async._operation import Operation
from thingspace_async._types import Accepted, SuccessResult
from thingspace_async.errors import AnswerUnreadable
from thingspace_async.sms.models import SmsEventHistoryRequest, SmsMessage, SmsMessagesQueryResult, SmsSendRequest

__all__ = ["OPERATIONS", "Sms"]

SEND: Final = Operation("sms.send", "POST", "/m2m/v1/sms", SmsSendRequest, Accepted)
# Not repeatable, a GET though it is: with `next` it takes messages out of the queue.
QUEUED: Final = Operation("sms.queued", "GET", "/m2m/v1/sms/{account_name}/history", NoneType, SmsMessagesQueryResult)
START_CALLBACKS: Final = Operation(
    "sms.start_callbacks", "PUT", "/m2m/v1/sms/{account_name}/startCallbacks", NoneType, SuccessResult
)
EVENT_HISTORY: Final = Operation(
    "sms.event_history", "POST", "/m2m/v1/devices/sms/history/actions/list", SmsEventHistoryRequest, Accepted
)

OPERATIONS: Final = (SEND, QUEUED, START_CALLBACKS, EVENT_HISTORY)


class Sms(Namespace):
    """Text messages to devices and from them."""

    async def send(self, request: SmsSendRequest) -> Accepted:
        """Send a message of up to 160 characters, 140 in an 8-bit encoding, to devices.

        Word that it was sent arrives later, for each device, on EnhancedConnectivityService, and that it was received
        on SMSDeliveryConfirmation, or that it has expired: the network tries for five days. How many devices a request
        may list is not documented; other requests may list 10,000.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Send_SMS_Messages_to_Devices/
        """
        return await self._send(SEND, request)

    async def queued_page(self, account_name: str, *, next: str | None = None) -> SmsMessagesQueryResult:  # noqa: A002
        """Read a block of up to 100 messages from devices that wait in the account's queue.

        A block stays in the queue until the following one is asked for with its `next`, which acknowledges it: store
        its messages first. The last block, too, is acknowledged in this way. One without `next` cannot be, and may
        come again. This request is never sent twice, as a repeat might acknowledge messages that nobody has seen.
        A block that cannot be read raises AnswerUnreadable, holding it in `body`, and comes again until it is
        acknowledged: `session.request` on the same path shows the `next` of its Location header.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-sms-messages.html
        """
        query = {} if next is None else {"next": next}
        reply = await self._reply(QUEUED, path={"account_name": account_name}, query=query)
        more = reply.status == 202 if reply.value.has_more_data is None else reply.value.has_more_data
        return attrs.evolve(reply.value, has_more_data=more, next=text_from_location(reply))

    async def queued(self, account_name: str) -> AsyncGenerator[SmsMessage]:
        """Walk the messages from devices that wait in the account's queue, and take them out of it.

        They come in blocks of up to 100. A block is acknowledged when the message behind its last one is asked for, not
        before, so that by then the caller has stored it; the last block is, too. A caller that stops early leaves its
        block in the queue, to come again. So does the platform with a last block that it gives no means to acknowledge.

        Where the walk ends with AnswerLost, ServerFault or another error, nothing is lost: the messages that were not
        handed over are in the queue still, and the block that was handed over last may be: walk again, and drop what
        is known by device, time stamp and text. Two walks of one account at the same time get in each other's way.
        The order is not that in which messages were sent. Raises AnswerUnreadable where the platform promises more
        messages and does not say how to get them.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-sms-messages.html
        """
        taken: set[str] = set()
        block = await self.queued_page(account_name)
        while block.messages and block.next is not None:
            for message in block.messages:
                yield message
            if block.next in taken:
                raise leads_back(QUEUED)
            taken.add(block.next)
            block = await self.queued_page(account_name, next=block.next)
        for message in block.messages:
            yield message
        if block.has_more_data:
            raise AnswerUnreadable(
                "more messages are promised, but the block is empty or its Location header holds no `next`",
                operation=QUEUED.name,
            )

    async def start_callbacks(self, account_name: str) -> SuccessResult:
        """Have the queued messages of an account sent to its listener for EnhancedConnectivityService.

        New messages go there by themselves while the listener works; those in the queue do not.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Start_SMS_Callback/
        """
        return await self._send(START_CALLBACKS, path={"account_name": account_name})

    async def event_history(self, request: SmsEventHistoryRequest) -> Accepted:
        """Ask for the messages to and from one device, of which the platform keeps three months.

        They arrive later on DeviceService, at most 500 for a request: ask for the others with a later `earliest`.
        https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Retrieve_SMS_Event_History/
        """
        return await self._send(EVENT_HISTORY, request)
