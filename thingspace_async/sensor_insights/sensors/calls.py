"""Calls for LoRaWAN sensors: onboarding and offboarding."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from types import NoneType
from typing import Final

from thingspace_async._core.operation import Operation, check_request
from thingspace_async.sensor_insights.devices.models import InsightsDevice
from thingspace_async.sensor_insights.listing import Listing
from thingspace_async.sensor_insights.models import DeviceQuery, InsightsPage
from thingspace_async.sensor_insights.sensors.models import (
    OffboardingStatus,
    OffboardingStatusRequest,
    OffboardSensorRequest,
    OnboardingStatus,
    OnboardingStatusRequest,
    OnboardSensorRequest,
)

__all__ = ["OPERATIONS", "Sensors"]

_PATH: Final = "/dm/v1/devices/sensors"

LIST: Final = Operation(
    "sensor_insights.sensors.list",
    "POST",
    f"{_PATH}/actions/query",
    DeviceQuery,
    tuple[InsightsDevice, ...],
    repeatable=True,
)
ONBOARD: Final = Operation(
    "sensor_insights.sensors.onboard", "POST", f"{_PATH}/onboard", OnboardSensorRequest, NoneType
)
ONBOARDING_STATUS: Final = Operation(
    "sensor_insights.sensors.onboarding_status",
    "POST",
    f"{_PATH}/onboard/status/actions/query",
    OnboardingStatusRequest,
    OnboardingStatus,
    repeatable=True,
)
OFFBOARD: Final = Operation(
    "sensor_insights.sensors.offboard", "POST", f"{_PATH}/offboard", OffboardSensorRequest, NoneType
)
OFFBOARDING_STATUS: Final = Operation(
    "sensor_insights.sensors.offboarding_status",
    "POST",
    f"{_PATH}/offboard/status/actions/query",
    OffboardingStatusRequest,
    OffboardingStatus,
    repeatable=True,
)

OPERATIONS: Final = (LIST, ONBOARD, ONBOARDING_STATUS, OFFBOARD, OFFBOARDING_STATUS)


class Sensors(Listing):
    """The LoRaWAN sensors of an account."""

    async def list_page(self, request: DeviceQuery, *, page: str | None = None) -> InsightsPage[InsightsDevice]:
        """List one page of the sensors of an account. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/
        """
        return await self._page(LIST, request, page)

    def list(self, request: DeviceQuery) -> AsyncGenerator[InsightsDevice]:
        """Walk the sensors of an account, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/
        """
        return self._pages(LIST, request)

    async def onboard(self, request: OnboardSensorRequest) -> None:
        """Begin to onboard a sensor.

        The platform does it later. Poll `onboarding_status`, or use `boarded`, which does both.
        https://thingspace.verizon.com/documentation/
        """
        check_request(ONBOARD, request)
        with self._caller.engine.secrets.noted(request.sensor.sensor.app_key):  # No error may contain the key.
            await self._send(ONBOARD, request)

    async def onboarding_status(self, request: OnboardingStatusRequest) -> OnboardingStatus:
        """Read the steps of an onboarding.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(ONBOARDING_STATUS, request)

    async def boarded(
        self,
        request: OnboardSensorRequest,
        *,
        gateway: str,
        timeout: timedelta = timedelta(minutes=15),  # noqa: ASYNC109 - raises an error of its own
        interval: timedelta = timedelta(seconds=2),
        longest_interval: timedelta = timedelta(minutes=1),
    ) -> InsightsDevice:
        """Onboard a sensor unless it is onboarded already, and wait until the platform lists it.

        `gateway` is the `id` of the gateway that the sensor connects to. After a restart or a cancellation, call it
        again with the same request: an onboarding in progress continues. If the answer to the request is lost, its
        onboarding is looked for, and the request is not sent again. Each interval is 1.5 times as long as the one
        before, up to `longest_interval`. Polling continues while the platform is unreachable.

        Raises SensorNotOnboarded with the event that reports the failure, and RequestPending after `timeout`.
        https://thingspace.verizon.com/documentation/
        """
        from thingspace_async.sensor_insights.sensors.boarding import Boarding

        check_request(ONBOARD, request)
        boarding = Boarding(sensors=self, secrets=self._caller.engine.secrets, request=request, gateway=gateway)
        return await boarding.run(timeout, interval, longest_interval)

    async def offboard(self, request: OffboardSensorRequest) -> None:
        """Begin to offboard a sensor.

        The platform does it later. Poll `offboarding_status`.
        https://thingspace.verizon.com/documentation/
        """
        await self._send(OFFBOARD, request)

    async def offboarding_status(self, request: OffboardingStatusRequest) -> OffboardingStatus:
        """Read the steps of an offboarding, and whether the sensor is still registered.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(OFFBOARDING_STATUS, request)
