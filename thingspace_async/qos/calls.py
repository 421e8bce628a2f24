"""Calls for Quality of Service."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import timedelta
from types import NoneType
from typing import TYPE_CHECKING, Final

from thingspace_async._core import checks
from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async._core.outcomes import OutcomeSource, ReceivedMessage
from thingspace_async._core.types import Accepted, DeviceIds
from thingspace_async.errors import DeviceFailed
from thingspace_async.qos.models import QosRequest

if TYPE_CHECKING:
    from thingspace_async.callbacks.messages import QosMessage

__all__ = ["OPERATIONS", "Qos"]

# The platform's pages write `device` instead of `devices`, unlike all other paths. The SDKs have `devices`.
_PATH: Final = "/m2m/v1/devices/actions/enhanceQoS"

START: Final = Operation("qos.start", "POST", _PATH, QosRequest, Accepted)
STOP: Final = Operation("qos.stop", "DELETE", _PATH, NoneType, Accepted)

OPERATIONS: Final = (START, STOP)

_AN_HOUR: Final = timedelta(hours=1)


class Qos(Namespace):
    """Quality of Service: a better network service for chosen data flows of devices."""

    async def start(self, request: QosRequest) -> Accepted:
        """Improve the service of data flows; a QosMessage arrives later on QoS, with the id that `stop` needs.

        The message names no devices, so await it with `outcomes.of(accepted, count=1)`, or use `enhanced`.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/automotive-oem/qos-apis/api-ref/qos-subscription.html
        """
        return await self._send(START, request)

    async def stop(self, *, account_name: str, qos_subscription_id: str) -> Accepted:
        """End a subscription; a QosMessage about it arrives later on QoS.

        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/automotive-oem/qos-apis/api-ref/end-qos-subscription.html
        """
        query = {"accountName": account_name, "qosSubscriptionId": qos_subscription_id}
        return await self._send(STOP, query=query)

    def enhanced(
        self, request: QosRequest, outcomes: OutcomeSource, *, timeout: timedelta = _AN_HOUR
    ) -> AbstractAsyncContextManager[QosMessage]:
        """Improve the service of data flows during a block, which gets the platform's first message.

        The block begins when that message has arrived, and at the end `stop` is sent. `outcomes` must be those of a
        listener for QoS. Raises DeviceFailed if the message has no subscription, and OutcomesMissing if none arrives
        within `timeout`. In both cases the block does not run.

        If the task is cancelled before the block runs, or the message is late, the subscription may still start. Stop
        it with the id from its message.
        https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/automotive-oem/qos-apis/api-ref/qos-subscription.html
        """
        checks.seconds("qos.enhanced", "timeout", timeout)
        return self._enhanced(request, outcomes, timeout)

    @asynccontextmanager
    async def _enhanced(
        self, request: QosRequest, outcomes: OutcomeSource, within: timedelta
    ) -> AsyncGenerator[QosMessage]:
        from thingspace_async.callbacks.messages import QosMessage  # Imported late because it is slow.

        accepted = await self.start(request)
        async with aclosing(outcomes.stream(accepted, timeout=within)) as messages:
            received = await anext(messages)
        message = received.message
        if not isinstance(message, QosMessage) or not message.subscription_ids:
            device = DeviceIds(device_ids=(request.device_info[0].device_id,))
            outcome = outcomes.outcome_of(device, received)
            raise DeviceFailed(f"qos.enhanced: the service was not improved: {_reason(received)}", outcome=outcome)
        try:
            yield message
        finally:
            for subscription_id in message.subscription_ids:
                await self.stop(account_name=request.account_name, qos_subscription_id=subscription_id)


def _reason(received: ReceivedMessage) -> str:
    from thingspace_async.callbacks.messages import QosMessage

    message = received.message
    reasons = [event.reason for event in message.events if event.reason] if isinstance(message, QosMessage) else []
    if message.fault is not None and message.fault.message:
        reasons.append(message.fault.message)
    return "; ".join(reasons) or "the platform gave no reason"
