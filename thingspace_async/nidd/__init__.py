"""Non-IP Data Delivery (NIDD): small messages to NB-IoT devices without an IP connection.

Messages have up to 1,358 bytes. Results arrive later, on NiddService.

    from thingspace_async import DeviceId
    from thingspace_async.nidd import NiddSendRequest

    request = NiddSendRequest(
        account_name="0000123456-00001",
        device_ids=[DeviceId.imei(cloud.devices[0].imei)],
        message=b"open the valve",
        maximum_delivery_time=3600,
    )
    accepted = await session.nidd.send(request)
    print(accepted.request_id)
"""

from thingspace_async.nidd.calls import OPERATIONS, Nidd
from thingspace_async.nidd.models import NiddSendRequest

__all__ = ["OPERATIONS", "Nidd", "NiddSendRequest"]
