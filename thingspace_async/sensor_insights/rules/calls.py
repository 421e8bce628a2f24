"""Calls for the rules that make alerts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from thingspace_async._core.operation import Operation
from thingspace_async.sensor_insights.listing import Listing
from thingspace_async.sensor_insights.models import InsightsPage, ResourceQuery
from thingspace_async.sensor_insights.rules.models import ReplaceRuleRequest, Rule

__all__ = ["OPERATIONS", "Rules"]

_PATH: Final = "/dm/v1/rules"

LIST: Final = Operation(
    "sensor_insights.rules.list", "POST", f"{_PATH}/actions/query", ResourceQuery, tuple[Rule, ...], repeatable=True
)
REPLACE: Final = Operation("sensor_insights.rules.replace", "POST", _PATH, ReplaceRuleRequest, Rule, repeatable=True)

OPERATIONS: Final = (LIST, REPLACE)


class Rules(Listing):
    """Rules: which readings of a device make an alert."""

    async def list_page(self, request: ResourceQuery, *, page: str | None = None) -> InsightsPage[Rule]:
        """List one page of the rules of an account. Pass the page's `next` to request the next page.

        https://thingspace.verizon.com/documentation/
        """
        return await self._page(LIST, request, page)

    def list(self, request: ResourceQuery) -> AsyncGenerator[Rule]:
        """Walk the rules of an account, and fetch one page ahead.

        https://thingspace.verizon.com/documentation/
        """
        return self._pages(LIST, request)

    async def replace(self, request: ReplaceRuleRequest) -> Rule:
        """Replace a rule by another one with the same id.

        https://thingspace.verizon.com/documentation/
        """
        return await self._send(REPLACE, request)
