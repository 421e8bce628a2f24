"""The page of all endpoints, made from the published API and the declared operations.

python -m tests.surface.endpoints    writes it
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tests.facts import operations
from tests.facts.endpoints import without_names
from tests.surface.rooms import PACKAGE, all_operations
from thingspace_async import Environment
from thingspace_async._core.operation import Operation

__all__ = ["NO_ENDPOINT", "PAGE", "calls", "missing", "page"]

PAGE: Final = PACKAGE / "ENDPOINTS.md"

HOST: Final = "https://thingspace.verizon.com"

NO_ENDPOINT: Final = ("POST", f"{HOST}/api/ts/v1/")
"""The SDKs' second address for tokens. No page has it."""

INTRODUCTION: Final = """\
# Endpoints

Each of the {all} endpoints of Verizon's published API has a call. For endpoints that Verizon adds later, use \
`session.request`, with the same tokens, retries and errors. A session logs in and out by itself.

Paths start at `{host}`. This page is generated: `python -m tests.surface.endpoints` writes it.
"""


def calls() -> dict[tuple[str, str], Operation[Any, Any]]:
    """Return the operations of all calls by method and URL."""
    bases = Environment.production.bases
    return {(one.method, without_names(bases[one.server] + one.path)): one for one in all_operations()}


def missing() -> list[str]:
    """Return the published endpoints that have no call."""
    published = {(one.method, without_names(one.url)) for one in operations()}
    return sorted(" ".join(one) for one in published - {*calls(), NO_ENDPOINT})


def page() -> str:
    """Return the page."""
    found = calls()
    rows = (
        (one.name, f"{method} {_shown(Environment.production.bases[one.server] + one.path)}")
        for (method, _), one in found.items()
    )
    return "\n".join(
        [INTRODUCTION.format(all=len(found), host=HOST), "## Calls", "", *_table(("Call", "Endpoint"), rows), ""]
    )


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---|---|", *(f"| `{left}` | `{right}` |" for left, right in rows)]


def _shown(url: str) -> str:
    return url.removeprefix(HOST)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
