"""CSV cells that spreadsheet programs must not run as formulas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["harmless"]

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(cells: Iterable[str | None]) -> list[str]:
    """Return the cells of a line, with an apostrophe before each one that a spreadsheet would take for a formula."""
    return [f"'{cell}" if cell and cell.startswith(_FORMULA_STARTS) else cell or "" for cell in cells]
