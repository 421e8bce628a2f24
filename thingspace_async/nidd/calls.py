"""Calls for Non-IP Data Delivery."""

from __future__ import annotations

from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.types import Accepted
from thingspace_async.nidd.models import NiddSendRequest

__all__ = ["OPERATIONS", "Nidd"]

SEND: Final = Operation("nidd.send", "POST", "/m2m/v1/devices/nidd/message", NiddSendRequest, Accepted)

OPERATIONS: Final = (SEND,)


class Nidd(Namespace):
    """Non-IP Data Delivery: small messages to NB-IoT devices without an IP connection."""

    async def send(self, request: NiddSendRequest) -> Accepted:
        """Send up to 1,358 bytes to NB-IoT devices; results arrive later on NiddService.

        Each device has a NiddDelivery with the status `Delivered`. If the device cannot be reached, its first message
        has the status `Queued`, and the second one `Delivered` or, after `maximum_delivery_time`, `DeliveryFailed`.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/send-nidd-to-devices.html
        """
        return await self._send(SEND, request)
