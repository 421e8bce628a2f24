"""Calls for health scores."""

from __future__ import annotations

from types import NoneType
from typing import Final

from thingspace_async._core.namespace import Namespace
from thingspace_async._core.operation import Operation
from thingspace_async.sensor_insights.health.models import HealthSummary, NetworkHealth

__all__ = ["OPERATIONS", "Health"]

_PATH: Final = "/dm/v1/healthscore"

NETWORK: Final = Operation(
    "sensor_insights.health.network", "POST", f"{_PATH}/network", NoneType, NetworkHealth, repeatable=True
)
SUMMARY: Final = Operation(
    "sensor_insights.health.summary", "POST", f"{_PATH}/summary", NoneType, HealthSummary, repeatable=True
)

OPERATIONS: Final = (NETWORK, SUMMARY)


class Health(Namespace):
    """Health scores of the network and of devices, in all accounts that the user may see."""

    async def network(self) -> NetworkHealth:
        """Read the scores of the network.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(NETWORK)

    async def summary(self) -> HealthSummary:
        """Read the scores of all devices.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(SUMMARY)
