"""Onboarding of a sensor from the request to its place in the list, over restarts and outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from thingspace_async._core import checks
from thingspace_async._core.secrets import Secrets
from thingspace_async.errors import (
    AnswerLost,
    AnswerUnreadable,
    BadRequest,
    CallError,
    Conflict,
    NotFound,
    RateLimited,
    RequestNotSent,
    RequestPending,
    SensorNotOnboarded,
    ServerFault,
)
from thingspace_async.sensor_insights.devices.models import InsightsDevice
from thingspace_async.sensor_insights.models import DeviceIdentifier, DeviceQuery
from thingspace_async.sensor_insights.sensors.models import (
    BoardingEvent,
    OffboardingStatusRequest,
    OnboardingStatusRequest,
    OnboardSensorRequest,
)

if TYPE_CHECKING:
    from thingspace_async.sensor_insights.sensors.calls import Sensors

__all__ = ["Boarding"]

_log: Final = logging.getLogger("thingspace_async")

_CALL: Final = "sensor_insights.sensors.boarded"
_SLOWER: Final = 1.5
_NOT_DONE: Final = (RequestNotSent, RateLimited)
"""Errors after which the platform has done nothing."""
_PASSING: Final = (*_NOT_DONE, AnswerLost, ServerFault)
"""Errors of reads that may pass."""

T = TypeVar("T")


@attrs.define(kw_only=True)
class Boarding:
    """One sensor on its way."""

    sensors: Sensors
    secrets: Secrets
    request: OnboardSensorRequest
    gateway: str
    _pause: float = attrs.field(default=0.0, init=False)
    _longest: float = attrs.field(default=0.0, init=False)
    _failure: CallError | None = attrs.field(default=None, init=False)
    """The latest error that may pass, until a request succeeds."""
    _doubt: CallError | None = attrs.field(default=None, init=False)
    """Why it is unknown whether the platform has the request."""
    _started: bool = attrs.field(default=False, init=False)

    @property
    def _dev_eui(self) -> str:
        return self.request.sensor.sensor.dev_eui

    async def run(self, most: timedelta, interval: timedelta, longest_interval: timedelta) -> InsightsDevice:
        """Onboard the sensor unless it is onboarded already, and wait until the platform lists it."""
        within = checks.seconds(_CALL, "timeout", most)
        self._pause = checks.seconds(_CALL, "interval", interval)
        self._longest = checks.seconds(_CALL, "longest_interval", longest_interval)
        # Made at once, so that a wrong gateway is refused before anything is sent.
        status = OnboardingStatusRequest(
            account_name=self.request.account_name, gateway=self.gateway, sensor=self._dev_eui
        )
        try:
            with self.secrets.noted(self.request.sensor.sensor.app_key):
                async with asyncio.timeout(within):
                    return await self._board(status)
        except TimeoutError:
            pass
        raise self._lateness(within)

    def _lateness(self, within: float) -> Exception:
        """Return the error for a sensor that is not onboarded in time."""
        if self._doubt is not None:
            return self._doubt
        if self._failure is not None and not self._started:
            return self._failure
        pending = RequestPending(
            f"sensor {self._dev_eui} was not onboarded after {within:g} s: call {_CALL} again to keep waiting"
        )
        pending.__cause__ = self._failure
        return pending

    async def _board(self, status: OnboardingStatusRequest) -> InsightsDevice:
        earlier = await self._patiently(lambda: self._events(status))
        if (sensor := await self._patiently(self._listed)) is not None:
            return sensor
        if await self._is_on_its_way(earlier):
            earlier = ()  # The events are those of the onboarding that continues.
        else:
            await self._onboard(status, earlier)
        self._started = True
        while True:
            if (sensor := await self._patiently(self._listed)) is not None:
                return sensor
            events = await self._patiently(lambda: self._events(status))
            self._check(_fresh(events, earlier))
            await self._rest()

    async def _onboard(self, status: OnboardingStatusRequest, earlier: Sequence[BoardingEvent]) -> None:
        """Send the request. A refusal is no fault if another process has just sent the same one."""
        try:
            await self._patiently(lambda: self.sensors.onboard(self.request), passing=_NOT_DONE)
        except (AnswerLost, ServerFault) as error:
            _log.warning("%s: looking for the onboarding of %s, because of: %s", _CALL, self._dev_eui, error)
            self._doubt = error.with_traceback(None)  # Its frames would make a reference cycle.
        except (BadRequest, Conflict):
            begun = _fresh(await self._patiently(lambda: self._events(status)), earlier)
            if not begun and await self._patiently(self._listed) is None:
                raise

    def _check(self, fresh: Sequence[BoardingEvent]) -> None:
        """Raise the failure that the latest event reports."""
        latest = _latest(fresh)
        if latest is None:
            return
        self._doubt = None  # The platform has the request.
        if latest.failed:
            reason = self.secrets.redact(latest.err_msg or f"its state is {latest.state}")
            raise SensorNotOnboarded(
                f"sensor {self._dev_eui} was not onboarded: {reason}; check its EUIs and its key, and call this again",
                event=attrs.evolve(latest, err_msg=reason if latest.err_msg else None),
            )

    async def _is_on_its_way(self, events: Sequence[BoardingEvent]) -> bool:
        """Return whether an earlier request is in progress, or done but not yet listed."""
        latest = _latest(events)
        if latest is None or latest.failed:
            return False
        return not latest.succeeded or await self._patiently(self._is_registered)

    async def _events(self, status: OnboardingStatusRequest) -> tuple[BoardingEvent, ...]:
        try:
            return (await self.sensors.onboarding_status(status)).events
        except NotFound:  # The platform does not know the sensor yet.
            return ()

    async def _listed(self) -> InsightsDevice | None:
        query = DeviceQuery(account_name=self.request.account_name, device=DeviceIdentifier(dev_eui=self._dev_eui))
        try:
            found = (await self.sensors.list_page(query)).items
        except NotFound:
            return None
        if len(found) > 1:  # The answer does not say which one has the EUI.
            raise AnswerUnreadable(
                f"{len(found):,} sensors, although the request names one", operation="sensor_insights.sensors.list"
            )
        return found[0] if found else None

    async def _is_registered(self) -> bool:
        status = OffboardingStatusRequest(
            account_name=self.request.account_name, gateway=self.gateway, sensor=self._dev_eui
        )
        try:
            return (await self.sensors.offboarding_status(status)).is_still_registered is not False
        except NotFound:  # It was never offboarded.
            return True

    async def _patiently(self, ask: Callable[[], Awaitable[T]], passing: tuple[type[CallError], ...] = _PASSING) -> T:
        """Ask until an answer arrives. Repeat the question after errors that may pass."""
        while True:
            try:
                answer = await ask()
            except passing as error:
                if self._failure is None:
                    _log.warning("%s is interrupted: %s", _CALL, error)
                self._failure = error.with_traceback(None)
            else:
                self._failure = None
                return answer
            await self._rest()

    async def _rest(self) -> None:
        await asyncio.sleep(min(self._pause, self._longest))
        self._pause = min(self._pause * _SLOWER, self._longest)


def _fresh(events: Sequence[BoardingEvent], earlier: Sequence[BoardingEvent]) -> list[BoardingEvent]:
    """Return the events that are not among the earlier ones. Equal events count one by one."""
    before, found = list(earlier), list[BoardingEvent]()
    for event in events:
        if event in before:
            before.remove(event)
        else:
            found.append(event)
    return found


def _latest(events: Sequence[BoardingEvent]) -> BoardingEvent | None:
    """Return the event with the latest time, or the last one if an event has none."""
    timed = [(event.created_on, event) for event in events if event.created_on is not None]
    if not events or len(timed) < len(events):
        return events[-1] if events else None
    return max(timed, key=_time_of)[1]


def _time_of(timed: tuple[datetime, BoardingEvent]) -> float:
    return timed[0].timestamp()
