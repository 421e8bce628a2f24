"""The table on the page on moving from Verizon's SDK, made from the published API and the declared operations.

python -m tests.surface.moving    writes it
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.facts import newer_only, operations, sdk_methods
from tests.facts.endpoints import without_names
from tests.surface.endpoints import NO_ENDPOINT, calls
from tests.surface.rooms import PACKAGE, all_calls

__all__ = ["PAGE", "page", "table"]

PAGE: Final = PACKAGE / "_guide" / "moving.md"

HEADING: Final = "## All methods\n"
"""The script writes everything after this heading."""

NOTE: Final = """
`client` is Verizon's client, and `session` is an open `Session`. Methods with a star are only in APIMatic's newer SDK \
(`vz-apimatic-v-4-sdk`). This table is generated: `python -m tests.surface.moving` writes it.
"""

LONG: Final = 50
"""A longer name gets a place to break the line, so that the table fits a screen."""

SPECIAL: Final = {
    "oauth.token": "the session does it",
    "session.log_in": "the session does it; `session.log_in` does it again",
    "session.log_out": "the session does it; `session.log_out` does it early",
    "session.reset_password": "`session.reset_password`",
}
"""Operations that are not calls of a room."""


def table() -> dict[str, str]:
    """Return what replaces each method of Verizon's SDK, by the method."""
    published = {one.name: (one.method, without_names(one.url)) for one in operations()}
    ours = {endpoint: operation.name for endpoint, operation in calls().items()}
    ours[NO_ENDPOINT] = "oauth.token"
    return {method: _replacement(ours[published[name]]) for method, name in sdk_methods().items()}


def _replacement(name: str) -> str:
    if name in SPECIAL:
        return SPECIAL[name]
    known = all_calls()
    # Some calls only exist as a walk of all pages.
    call = name if name in known else f"{name}_page"
    pages = f"{name}_page"
    return f"`session.{call}`" + (f", or one page: `session.{pages}`" if call == name and pages in known else "")


def page() -> str:
    """Return the page, with a new table."""
    written, heading, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    return f"{written}{heading}{NOTE}\n" + "\n".join(_lines())


def _lines() -> Iterator[str]:
    newer = {method for method, name in sdk_methods().items() if name in newer_only()}
    yield from ("| `client.` | `session.` |", "|---|---|")
    for method, replacement in sorted(table().items()):
        star = " *" if method in newer else ""
        name = method if len(method) <= LONG else method.replace(".", ".` `")
        yield f"| `{name}`{star} | {replacement.replace('`session.', '`')} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
