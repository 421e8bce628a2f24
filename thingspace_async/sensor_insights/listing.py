"""Base class of the parts that list resources, a page at a time or all of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import attrs

from thingspace_async._core.namespace import Namespace, next_from_header
from thingspace_async._core.operation import Operation, check_request
from thingspace_async.sensor_insights.models import InsightsFilter, InsightsPage, InsightsQuery

__all__ = ["Listing"]

Query = TypeVar("Query", bound=InsightsQuery)
Item = TypeVar("Item")


class Listing(Namespace):
    """Base class of the parts that list resources."""

    async def _page(
        self, operation: Operation[Query, tuple[Item, ...]], request: Query, page: str | None
    ) -> InsightsPage[Item]:
        """Read one page. ASSUMPTION: X-Next names the next page, as in the cloud connector."""
        check_request(operation, request)
        reply = await self._reply(operation, request if page is None else _at(request, page))
        return InsightsPage(items=reply.value, next=next_from_header(operation, reply))

    def _pages(self, operation: Operation[Query, tuple[Item, ...]], request: Query) -> AsyncGenerator[Item]:
        """Walk all pages from the one that the request asks for, and fetch one page ahead."""
        return self._walk(
            operation,
            fetch=lambda page: self._page(operation, request, page),
            following=lambda page: page.next,
            items=lambda page: page.items,
        )


def _at(request: Query, page: str) -> Query:
    """Return the request for another page, with the same filter."""
    kept = request.filter or InsightsFilter()
    changed: Any = request
    moved: Query = attrs.evolve(changed, filter=attrs.evolve(kept, page=page, page_number=None, no_pagination=False))
    return moved
