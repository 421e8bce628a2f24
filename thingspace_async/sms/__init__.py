"""SMS: text messages to and from devices.

Messages from devices wait in a queue until you read them with `queued`, or a callback listener receives them.

    from thingspace_async import DeviceId
    from thingspace_async.sms import SmsSendRequest

    account_name = "0000123456-00001"
    device = DeviceId(**cloud.devices[0].device_ids[-1])
    message = SmsSendRequest(account_name=account_name, sms_message="Can you hear me now?", device_ids=[device])
    accepted = await session.sms.send(message)
    print(accepted.request_id)

    cloud.receive_sms(cloud.devices[0], "Loud and clear")
    async for received in session.sms.queued(account_name):
        print(received.identifier("imei"), received.message)
"""

from thingspace_async.sms.calls import OPERATIONS, Sms
from thingspace_async.sms.models import (
    SmsEncoding,
    SmsEventHistoryRequest,
    SmsMessage,
    SmsMessagesQueryResult,
    SmsSendRequest,
)

__all__ = [
    "OPERATIONS",
    "Sms",
    "SmsEncoding",
    "SmsEventHistoryRequest",
    "SmsMessage",
    "SmsMessagesQueryResult",
    "SmsSendRequest",
]
