"""Calls for diagnostics."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import cached_property
from types import NoneType
from typing import Any, Final

import attrs

from thingspace_async._core import checks, codec
from thingspace_async._core.namespace import SECRET_HEADERS, Namespace, next_from_header, secret_from_headers
from thingspace_async._core.operation import Operation, check_request
from thingspace_async._core.outcomes import OutcomeSource
from thingspace_async._core.types import DeviceId, Identified
from thingspace_async._core.values import Secret
from thingspace_async.diagnostics.models import (
    DiagnosticsAccepted,
    DiagnosticsCallback,
    DiagnosticsCallbackRegistered,
    DiagnosticsSubscription,
    HistoryPage,
    HistoryRecord,
    HistorySearchRequest,
    ObservationRequest,
    ObservationSetting,
    RegisterDiagnosticsCallbackRequest,
    RestartRequest,
    to_several_diagnosed,
)
from thingspace_async.diagnostics.observing import Observation, ObservationEstimate, Observer
from thingspace_async.errors import InvalidRequest

__all__ = ["OPERATIONS", "Diagnostics"]

_OBSERVE: Final = "/devices/attributes/actions/observe"
_CALLBACKS: Final = "/callbacks"

OBSERVE: Final = Operation(
    "diagnostics.observe", "POST", _OBSERVE, ObservationRequest, DiagnosticsAccepted, server="diagnostics"
)
# Not repeatable: the platform refuses to stop an observation twice.
STOP: Final = Operation("diagnostics.stop", "DELETE", _OBSERVE, NoneType, DiagnosticsAccepted, server="diagnostics")
SETTINGS: Final = Operation(
    "diagnostics.settings",
    "GET",
    "/devices/settings",
    NoneType,
    tuple[ObservationSetting, ...],
    repeatable=True,
    server="diagnostics",
)
HISTORY: Final = Operation(
    "diagnostics.history",
    "POST",
    "/history/actions/$search",
    HistorySearchRequest,
    tuple[HistoryRecord, ...],
    repeatable=True,
    server="diagnostics",
)
RESTART: Final = Operation(
    "diagnostics.restart", "POST", "/devices/actions/restart", RestartRequest, DiagnosticsAccepted, server="diagnostics"
)
SUBSCRIPTION: Final = Operation(
    "diagnostics.subscription",
    "GET",
    "/subscriptions",
    NoneType,
    DiagnosticsSubscription,
    repeatable=True,
    server="diagnostics",
)
REGISTER: Final = Operation(
    "diagnostics.callbacks.register",
    "POST",
    _CALLBACKS,
    RegisterDiagnosticsCallbackRequest,
    DiagnosticsCallbackRegistered,
    server="diagnostics",
    secret_headers=True,
)
LIST_CALLBACKS: Final = Operation(
    "diagnostics.callbacks.list",
    "GET",
    _CALLBACKS,
    NoneType,
    tuple[DiagnosticsCallback, ...],
    repeatable=True,
    server="diagnostics",
)
DEREGISTER: Final = Operation(
    "diagnostics.callbacks.deregister", "DELETE", _CALLBACKS, NoneType, DiagnosticsCallback, server="diagnostics"
)

OPERATIONS: Final = (
    OBSERVE,
    STOP,
    SETTINGS,
    HISTORY,
    RESTART,
    SUBSCRIPTION,
    REGISTER,
    LIST_CALLBACKS,
    DEREGISTER,
)

# Repeated until the observation is known to have ended: a refusal of the second request says that it has.
_STOP_FOR_SURE: Final = attrs.evolve(STOP, repeatable=True)

_AN_HOUR: Final = timedelta(hours=1)


class Diagnostics(Namespace):
    """Device Diagnostics: the radio of devices with LwM2M, observed live and afterwards, and restarts of their modem.

    Accounts need a subscription. The platform also answers some wrong requests with status 500. They raise BadRequest,
    and are not repeated.
    """

    async def observe(self, request: ObservationRequest) -> DiagnosticsAccepted:
        """Observe attributes of devices at an interval of 15 seconds or more.

        Each value arrives later on Diagnostics, and is an event of the month's allowance. The observation ends after
        its duration, when the allowance is used up, or with `stop`. `observing` stops it by itself. Raises Forbidden
        with the code `CALLBACK_NOT_REGISTERED` without a listener, and `ACCOUNT_USAGE_EXCEEDED` without an allowance.
        https://thingspace.verizon.com/documentation/apis/device-diagnostics/api-reference/start-diagnostics-observation.html
        """
        return await self._send(OBSERVE, request)

    async def stop(self, *, account_name: str, transaction_id: str) -> DiagnosticsAccepted:
        """Stop an observation by the `request_id` of its DiagnosticsAccepted.

        Raises BadRequest with the code `INVALID_PARAMETER` if it has ended already: "Transaction ID is already
        canceled."
        https://thingspace.verizon.com/resources/documentation/diagnostics/API_Reference/Stop_Diagnostics_Observation/
        """
        return await self._send(STOP, query=_stop_query(account_name, transaction_id))

    async def estimate(self, request: ObservationRequest) -> ObservationEstimate:
        """Compare the events that an observation would take with the allowance of the month. Nothing is started.

        The request needs a frequency and a duration.
        https://thingspace.verizon.com/resources/documentation/diagnostics/API_Reference/Get_Diagnostics_Subscriptions/
        """
        check_request(OBSERVE, request)
        if (events := request.events) is None:
            raise InvalidRequest(
                "ObservationRequest: give a frequency and a duration, so that the observation ends even if this "
                "process is killed, and its events are known"
            )
        subscription = await self.subscription(request.account_name)
        return ObservationEstimate(events=events, allowed=subscription.total_allowed, used=subscription.total_used)

    def observing(
        self,
        request: ObservationRequest,
        outcomes: OutcomeSource,
        *,
        timeout: timedelta = _AN_HOUR,
        on_estimate: Callable[[ObservationEstimate], object] | None = None,
    ) -> AbstractAsyncContextManager[Observation]:
        """Observe attributes of devices during a block, which iterates over the values, and stop after the block.

            async with session.diagnostics.observing(request, outcomes) as observation:
                async for observed in observation:
                    print(observed.device, observed.attribute, observed.number, observed.unit)

        `outcomes` must be those of a listener for Diagnostics. The request needs a frequency and a duration, so that
        the observation ends even if the process is killed. `on_estimate` is called before the start, with the events
        that it takes from the allowance. If it raises an error, nothing is started.

        The iteration ends with the observation. It raises OutcomesMissing if no message arrives for `timeout`, or if
        none has arrived when the observation ends.

        The observation is stopped however the block ends. A cancellation waits until the platform has answered. The
        stop is repeated like a read. If it fails for good, its error is raised, or added as a note to the error of the
        block, and logged: then the observation runs until its duration is over.
        https://thingspace.verizon.com/documentation/apis/device-diagnostics/api-reference/start-diagnostics-observation.html
        """
        check_request(OBSERVE, request)
        observer = Observer(
            estimate=lambda: self.estimate(request),
            start=lambda: self.observe(request),
            stop=lambda accepted: self._send(
                _STOP_FOR_SURE, query=_stop_query(request.account_name, accepted.request_id)
            ),
        )
        seconds = checks.seconds("diagnostics.observing", "timeout", timeout)
        return observer.observing(request, outcomes, seconds, on_estimate)

    async def settings(
        self, account_name: str, devices: Iterable[DeviceId | Identified]
    ) -> tuple[ObservationSetting, ...]:
        """Read which attributes of devices are observed, how often, and their last values.

        The devices are sent in the URL, so ask for about sixty at a time. Raises InvalidRequest if they are too long
        for a URL.
        https://thingspace.verizon.com/resources/documentation/diagnostics/API_Reference/Get_Diagnostics_Settings/
        """
        given = to_several_diagnosed(devices)
        if not isinstance(given, tuple) or not given or not all(isinstance(one, DeviceId) for one in given):
            raise InvalidRequest(f"{SETTINGS.name}: devices must be one or more DeviceId, or devices from an answer")
        listed = codec.dump(list(given)).decode()
        query = {"accountName": _checked(SETTINGS, "account_name", account_name), "devices": listed}
        return await self._send(SETTINGS, query=query)

    async def history_page(self, request: HistorySearchRequest, *, page: str | None = None) -> HistoryPage:
        """Read one page of the values of earlier observations. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/resources/documentation/diagnostics/API_Reference/Get_Diagnostics_History_Data/
        """
        check_request(HISTORY, request)
        reply = await self._reply(HISTORY, request if page is None else attrs.evolve(request, page=page))
        return HistoryPage(records=reply.value, next=next_from_header(HISTORY, reply))

    def history(self, request: HistorySearchRequest) -> AsyncGenerator[HistoryRecord]:
        """Walk the values of earlier observations, and fetch one page ahead.

        https://thingspace.verizon.com/resources/documentation/diagnostics/API_Reference/Get_Diagnostics_History_Data/
        """
        return self._walk(
            HISTORY,
            fetch=lambda page: self.history_page(request, page=page),
            following=lambda page: page.next,
            items=lambda page: page.records,
        )

    async def restart(self, request: RestartRequest) -> DiagnosticsAccepted:
        """Reboot the modem of devices, or reset it to its factory settings.

        Three messages for each device arrive later on Diagnostics: the command is queued, it was sent to the device,
        and the device has registered again. Await the last one with `outcomes.of(accepted)`.
        https://thingspace.verizon.com/documentation/apis/device-diagnostics/api-reference/factory-reset-or-reboot-a-device.html
        """
        return await self._send(RESTART, request)

    async def subscription(self, account_name: str) -> DiagnosticsSubscription:
        """Read the diagnostics service of an account, with its events per month.

        https://thingspace.verizon.com/resources/documentation/diagnostics/API_Reference/Get_Diagnostics_Subscriptions/
        """
        return await self._send(
            SUBSCRIPTION, query={"accountName": _checked(SUBSCRIPTION, "account_name", account_name)}
        )

    @cached_property
    def callbacks(self) -> DiagnosticsCallbacks:
        """The URL that the platform sends values to."""
        return DiagnosticsCallbacks(self._caller)


class DiagnosticsCallbacks(Namespace):
    """The URL that the platform sends values to. Messages are signed with a secret."""

    async def register(self, request: RegisterDiagnosticsCallbackRequest) -> DiagnosticsCallbackRegistered:
        """Register the URL that the messages of Diagnostics are sent to.

        Store the answer's `secret`, which the platform shows only once, and pass it to `Receiver.expect_signed`.
        https://thingspace.verizon.com/documentation/apis/device-diagnostics/api-reference/register-diagnostics-callback-listener.html
        """
        reply = await self._reply(REGISTER, request)
        headers = {name: Secret(value) for name, value in reply.headers.items()}
        return attrs.evolve(reply.value, secret=secret_from_headers(reply, *SECRET_HEADERS), headers=headers)

    async def list(self, account_name: str) -> tuple[DiagnosticsCallback, ...]:
        """List the listeners of an account, without their secrets.

        https://thingspace.verizon.com/documentation/apis/device-diagnostics/api-reference.html
        """
        query = {"accountName": _checked(LIST_CALLBACKS, "account_name", account_name)}
        return await self._send(LIST_CALLBACKS, query=query)

    async def deregister(self, account_name: str, service_name: str) -> DiagnosticsCallback:
        """Deregister the URL of a service. `service_name` is a DiagnosticsCallbackService or another name.

        https://thingspace.verizon.com/documentation/apis/device-diagnostics/api-reference.html
        """
        query = {
            "accountName": _checked(DEREGISTER, "account_name", account_name),
            "serviceName": _checked(DEREGISTER, "service_name", service_name),
        }
        return await self._send(DEREGISTER, query=query)


def _stop_query(account_name: str, transaction_id: str) -> dict[str, str]:
    return {
        "accountName": _checked(STOP, "account_name", account_name),
        "transactionId": _checked(STOP, "transaction_id", transaction_id),
    }


def _checked(operation: Operation[Any, Any], name: str, value: str) -> str:
    if (fault := checks.fault_of_text(value)) is not None:
        raise InvalidRequest(f"{operation.name}: {name} {fault}")
    return value
