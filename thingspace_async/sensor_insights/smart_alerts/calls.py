"""Calls for the alerts that rules have made."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from thingspace_async._core.operation import Operation
from thingspace_async.sensor_insights.listing import Listing
from thingspace_async.sensor_insights.models import InsightsPage, ResourceQuery
from thingspace_async.sensor_insights.smart_alerts.models import (
    AlertMetrics,
    AlertMetricsRequest,
    SmartAlert,
    UpdateAlertRequest,
    UpdateAlertsRequest,
)

__all__ = ["OPERATIONS", "SmartAlerts"]

_PATH: Final = "/dm/v1/smartAlerts"

LIST: Final = Operation(
    "sensor_insights.smart_alerts.list",
    "POST",
    f"{_PATH}/actions/query",
    ResourceQuery,
    tuple[SmartAlert, ...],
    repeatable=True,
)
UPDATE: Final = Operation(
    "sensor_insights.smart_alerts.update", "PATCH", _PATH, UpdateAlertRequest, SmartAlert, repeatable=True
)
UPDATE_MANY: Final = Operation(
    "sensor_insights.smart_alerts.update_many",
    "POST",
    f"{_PATH}/actions/bulkupdate",
    UpdateAlertsRequest,
    tuple[SmartAlert, ...],
    repeatable=True,
    one_or_many=True,
)
METRICS: Final = Operation(
    "sensor_insights.smart_alerts.metrics",
    "POST",
    f"{_PATH}/actions/metrics",
    AlertMetricsRequest,
    AlertMetrics,
    repeatable=True,
)

OPERATIONS: Final = (LIST, UPDATE, UPDATE_MANY, METRICS)


class SmartAlerts(Listing):
    """Alerts that rules have made."""

    async def list_page(self, request: ResourceQuery, *, page: str | None = None) -> InsightsPage[SmartAlert]:
        """List one page of the alerts of an account. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/
        """
        return await self._page(LIST, request, page)

    def list(self, request: ResourceQuery) -> AsyncGenerator[SmartAlert]:
        """Walk the alerts of an account, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/
        """
        return self._pages(LIST, request)

    async def update(self, request: UpdateAlertRequest) -> SmartAlert:
        """Change an alert, for example acknowledge it.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(UPDATE, request)

    async def update_many(self, request: UpdateAlertsRequest) -> tuple[SmartAlert, ...]:
        """Give several alerts a new name.

        The documents have a single alert as the answer: a list of alerts is read, too.
        https://thingspace.verizon.com/documentation/
        """
        return await self._send(UPDATE_MANY, request)

    async def metrics(self, days: int) -> AlertMetrics:
        """Count the alerts of the last days, in all accounts that the user may see.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(METRICS, AlertMetricsRequest(days=days))
