"""The pages of the documentation: their code, and the links between them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from tests.surface.rooms import PACKAGE, ROOT

__all__ = ["PAGES", "broken_links", "code_of", "name_of"]

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "RESULTS.md", *PACKAGE.rglob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    """Return the path of a page, as ids of tests have it."""
    return page.relative_to(ROOT).as_posix()


def code_of(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page that are in a language."""
    return [code for found, code in _FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


def broken_links(page: Path) -> list[str]:
    """Return the links of a page that lead to no file, or to no heading of it."""
    return [link for link in _links(page) if not _leads_somewhere(page, link)]


def _links(page: Path) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page.read_text(encoding="utf-8")))
    yield from (link for link in _LINK.findall(text) if "://" not in link)


def _leads_somewhere(page: Path, link: str) -> bool:
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    return path.is_file() and (not anchor or anchor in _anchors(path))


def _anchors(page: Path) -> set[str]:
    """Return the ids that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", unicodedata.normalize("NFC", one).lower()).replace(" ", "-") for one in headings}
