"""Build the site of pages and API reference, and fail on a warning, a missing page or a dead link.

python -m tests.surface.site [FOLDER]    builds it, into a folder that you want to keep
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from thingspace_async._site import PAGES

__all__ = ["dead_links"]


class _Page(HTMLParser):
    """The ids and the links of an HTML page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value is not None:
                self.ids.add(value)
            elif name in ("href", "src") and value is not None:
                self.links.append(value)


def dead_links(folder: Path) -> Iterator[str]:
    """Yield each link within the site that leads nowhere, with the page that has it."""
    pages = {path.resolve(): _Page(path) for path in folder.rglob("*.html")}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if target not in pages or (anchor and anchor not in pages[target].ids):
                yield f"{path.name}: {link}"


def _faults(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "pdoc", "thingspace_async", "--output-directory", str(folder)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    yield from (built.stdout + built.stderr).splitlines()
    if built.returncode:
        yield f"pdoc ended with status {built.returncode}"
    for name in PAGES:
        if not (folder / f"{name.replace('.', '/')}.html").exists():
            yield f"{name} is not on the site"
    yield from dead_links(folder)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch)
        faults = list(_faults(folder))
        count = len(list(folder.rglob("*.html")))
    if faults:
        sys.exit("\n".join(faults))
    sys.stdout.write(f"the site has {count} pages, and no dead link\n")


if __name__ == "__main__":
    main()
