"""Handlers for Quality of Service. Results arrive later on QoS, without device ids (PROTOCOL.md 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from thingspace_async._core.operation import Operation
from thingspace_async.qos.calls import START, STOP
from thingspace_async.simulator.late_requests import Work
from thingspace_async.simulator.mechanisms.agenda import Ticker
from thingspace_async.simulator.mechanisms.messages import DeviceFault
from thingspace_async.simulator.platform import Platform
from thingspace_async.simulator.reading import Chosen, named_device, objects_of
from thingspace_async.simulator.wire import Answer, Call, Handler, refuse, required, unexpected

__all__ = ["HANDLERS", "Qos"]

_SERVICE: Final = "QoS"


_LONGEST: Final = timedelta(days=366)


class Qos:
    """The subscriptions."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.subscriptions: dict[str, str] = {}
        """The account of each running subscription, by id."""
        self._tickers: dict[str, Ticker] = {}

    def begin(self, account_name: str, request_id: str) -> dict[str, Any]:
        """Start a subscription, which sends events until it ends; return its first event."""
        name = self._platform.new_id()
        self.subscriptions[name] = account_name
        every = self._platform.assumptions.qos_event_interval
        if every is not None:
            event = {"qosSubscriptionId": name, "qosEvent": "QoSChangeActive"}

            def tick(moment: datetime) -> None:
                message = _message(request_id, account_name, moment, event, None)
                self._platform.outbox.send(account_name, _SERVICE, message)

            now = self._platform.clock.now()
            self._tickers[name] = Ticker(self._platform.agenda, now, every, tick, end=now + _LONGEST)
        return {"qosSubscriptionId": name, "qosEvent": "QoSChangeStarted"}

    def end(self, account_name: str, name: str) -> dict[str, Any]:
        """End a subscription; return its last event."""
        if self.subscriptions.get(name) != account_name:
            raise DeviceFault("", "subscription not found")
        del self.subscriptions[name]
        if (ticker := self._tickers.pop(name, None)) is not None:
            ticker.stop()
        return {"qosSubscriptionId": name, "qosEvent": "QoSChangeTerminated"}


def start(call: Call) -> Answer:
    """Accept a subscription."""
    wanted = call.document()
    account_name = call.check_account(required(wanted, "accountName", str))
    devices = [_device(call, one) for one in objects_of(wanted, "deviceInfo")]
    if not devices:
        raise unexpected("must have a device", at=(wanted, "deviceInfo"))
    if len({one["kind"].casefold() for device in devices for one in device.device_ids}) > 1:
        raise unexpected("mixes identifiers of several kinds", at=(wanted, "deviceInfo"))
    request_id = call.platform.new_id()

    def begin() -> dict[str, Any]:
        for device in devices:
            device.check(account_name)
        return call.platform.room(Qos).begin(account_name, request_id)

    return _accept(call, account_name, Work([], begin), request_id)


def _device(call: Call, information: Mapping[str, Any]) -> Chosen:
    if not objects_of(information, "flowInfo"):
        raise unexpected("must have a flow", at=(information, "flowInfo"))
    return named_device(call, [required(information, "deviceId", dict)])


def stop(call: Call) -> Answer:
    """Accept the end of a subscription."""
    query = call.received.query
    account_name = call.check_account(_given(query, "accountName"))
    name = _given(query, "qosSubscriptionId")
    work = Work([], lambda: call.platform.room(Qos).end(account_name, name))
    return _accept(call, account_name, work, call.platform.new_id())


def _given(query: Mapping[str, str], name: str) -> str:
    if not query.get(name):
        raise refuse("UnifiedWebService.REQUEST_FAILED.UnexpectedError", f"{name} is missing.")
    return query[name]


def _accept(call: Call, account_name: str, work: Work, request_id: str) -> Answer:
    def message(request_id: str, _: object, result: object, fault: DeviceFault | None) -> dict[str, Any]:
        event = result if isinstance(result, dict) else {}
        return _message(request_id, account_name, call.platform.clock.now(), event, fault)

    call.platform.accept([work], account_name=account_name, service=_SERVICE, message=message, request_id=request_id)
    return Answer(201, {"requestId": request_id})


def _message(
    request_id: str, account_name: str, moment: datetime, event: Mapping[str, Any], fault: DeviceFault | None
) -> dict[str, Any]:
    status = {"status": "SUCCESS"}
    if fault is not None:
        event, status = {"qosEvent": "QoSChangeFailed"}, {"status": "FAILED", "reason": fault.message}
    # The platform's samples have milliseconds, and no zone.
    reported = moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
    entry = {"accountName": account_name, **event, "reportedTime": reported, **status}
    return {"requestId": request_id, "deviceResponse": {"qoS": [entry]}}


HANDLERS: Final[Mapping[Operation[Any, Any], Handler]] = {
    START: start,
    STOP: stop,
}
