"""Calls for the devices and gateways of Sensor Insights."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from thingspace_async._core.operation import Operation
from thingspace_async.sensor_insights.devices.models import (
    ActionResult,
    ActionResults,
    DeviceExperienceDay,
    InsightsDevice,
    LastReported,
    LastReportedRequest,
    NetworkExperience,
    SetConfigurationRequest,
    UpdateDeviceRequest,
)
from thingspace_async.sensor_insights.listing import Listing
from thingspace_async.sensor_insights.models import DeviceQuery, InsightsPage, InsightsQuery

__all__ = ["OPERATIONS", "InsightsDevices", "InsightsGateways"]

_PATH: Final = "/dm/v1/devices"

LIST: Final = Operation(
    "sensor_insights.devices.list",
    "POST",
    f"{_PATH}/actions/query",
    DeviceQuery,
    tuple[InsightsDevice, ...],
    repeatable=True,
)
UPDATE: Final = Operation(
    "sensor_insights.devices.update", "PATCH", _PATH, UpdateDeviceRequest, InsightsDevice, repeatable=True
)
# Not repeatable: the device receives a command each time.
SET_CONFIGURATION: Final = Operation(
    "sensor_insights.devices.set_configuration",
    "POST",
    f"{_PATH}/actions/set",
    SetConfigurationRequest,
    ActionResults,
)
LAST_REPORTED: Final = Operation(
    "sensor_insights.devices.last_reported",
    "POST",
    f"{_PATH}/lastreported",
    LastReportedRequest,
    LastReported,
    repeatable=True,
)
EXPERIENCE: Final = Operation(
    "sensor_insights.devices.experience_history",
    "POST",
    f"{_PATH}/experience/actions/query",
    InsightsQuery,
    tuple[DeviceExperienceDay, ...],
    repeatable=True,
)
NETWORK_EXPERIENCE: Final = Operation(
    "sensor_insights.devices.network_experience_history",
    "POST",
    f"{_PATH}/networkexperience/actions/query",
    InsightsQuery,
    tuple[NetworkExperience, ...],
    repeatable=True,
)
LIST_GATEWAYS: Final = Operation(
    "sensor_insights.gateways.list",
    "POST",
    f"{_PATH}/gateways/actions/query",
    DeviceQuery,
    tuple[InsightsDevice, ...],
    repeatable=True,
)

OPERATIONS: Final = (
    LIST,
    UPDATE,
    SET_CONFIGURATION,
    LAST_REPORTED,
    EXPERIENCE,
    NETWORK_EXPERIENCE,
    LIST_GATEWAYS,
)


class InsightsDevices(Listing):
    """The devices of an account: gateways, sensors and others."""

    async def list_page(self, request: DeviceQuery, *, page: str | None = None) -> InsightsPage[InsightsDevice]:
        """List one page of the devices of an account. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/
        """
        return await self._page(LIST, request, page)

    def list(self, request: DeviceQuery) -> AsyncGenerator[InsightsDevice]:
        """Walk the devices of an account, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/
        """
        return self._pages(LIST, request)

    async def update(self, request: UpdateDeviceRequest) -> InsightsDevice:
        """Change the description of a device.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(UPDATE, request)

    async def set_configuration(self, request: SetConfigurationRequest) -> tuple[ActionResult, ...]:
        """Send settings to a device: pass a DeviceConfigurationRequest or a TiltConfigurationRequest.

        The results say what became of the command. Read `err_msg`: a refused command raises no error.
        https://thingspace.verizon.com/documentation/
        """
        return (await self._send(SET_CONFIGURATION, request)).results

    async def last_reported(self, request: LastReportedRequest) -> LastReported:
        """Read the last report of a device, with its readings.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(LAST_REPORTED, request)

    async def experience_history_page(
        self, request: InsightsQuery, *, page: str | None = None
    ) -> InsightsPage[DeviceExperienceDay]:
        """List one page of the numbers of devices with a good connection, day by day.

        Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/
        """
        return await self._page(EXPERIENCE, request, page)

    def experience_history(self, request: InsightsQuery) -> AsyncGenerator[DeviceExperienceDay]:
        """Walk the numbers of devices with a good connection, day by day, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/
        """
        return self._pages(EXPERIENCE, request)

    async def network_experience_history_page(
        self, request: InsightsQuery, *, page: str | None = None
    ) -> InsightsPage[NetworkExperience]:
        """List one page of the numbers of devices with a good network. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/
        """
        return await self._page(NETWORK_EXPERIENCE, request, page)

    def network_experience_history(self, request: InsightsQuery) -> AsyncGenerator[NetworkExperience]:
        """Walk the numbers of devices with a good network, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/
        """
        return self._pages(NETWORK_EXPERIENCE, request)


class InsightsGateways(Listing):
    """The gateways that sensors connect to."""

    async def list_page(self, request: DeviceQuery, *, page: str | None = None) -> InsightsPage[InsightsDevice]:
        """List one page of the gateways of an account. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/
        """
        return await self._page(LIST_GATEWAYS, request, page)

    def list(self, request: DeviceQuery) -> AsyncGenerator[InsightsDevice]:
        """Walk the gateways of an account, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/
        """
        return self._pages(LIST_GATEWAYS, request)
