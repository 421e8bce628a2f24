"""The site that `python -m pdoc thingspace_async` makes: the pages of the rooms, and the API reference.

pdoc shows the names that a module has loaded, and the submodules in its `__all__`. This package loads its names at
their first use, and its `__all__` names no submodules: some of them need extras. So `prepare` loads everything, but
only if pdoc imports the package.
"""

from __future__ import annotations

import importlib
import posixpath
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import attrs

from thingspace_async._core import types

__all__ = ["PAGES", "prepare"]

PAGES: Final = {
    "thingspace_async": ("../README.md", "ENDPOINTS.md"),
    "thingspace_async._guide": ("README.md",),
    "thingspace_async._guide.first_call": ("first_call.md",),
    "thingspace_async._guide.list_and_filter": ("list_and_filter.md",),
    "thingspace_async._guide.usage_of_a_month": ("usage_of_a_month.md",),
    "thingspace_async._guide.data_frames": ("data_frames.md",),
    "thingspace_async._guide.suspend_a_fleet": ("suspend_a_fleet.md",),
    "thingspace_async._guide.fastapi": ("fastapi.md",),
    "thingspace_async._guide.many_workers": ("many_workers.md",),
    "thingspace_async._guide.test_your_app": ("test_your_app.md",),
    "thingspace_async._guide.locate_devices": ("locate_devices.md",),
    "thingspace_async._guide.upgrade_firmware": ("upgrade_firmware.md",),
    "thingspace_async._guide.production": ("production.md",),
    "thingspace_async._guide.moving": ("moving.md",),
    "thingspace_async._guide.errors": ("errors.md",),
    "thingspace_async.session_management": ("README.md",),
    "thingspace_async.devices": ("README.md", "fleet/README.md"),
    "thingspace_async.accounts": ("README.md",),
    "thingspace_async.billing": ("README.md",),
    "thingspace_async.cloud_connector": ("README.md",),
    "thingspace_async.diagnostics": ("README.md",),
    "thingspace_async.esim": ("README.md",),
    "thingspace_async.groups": ("README.md",),
    "thingspace_async.hyper_precise": ("README.md",),
    "thingspace_async.intelligence": ("README.md",),
    "thingspace_async.location": ("README.md",),
    "thingspace_async.nidd": ("README.md",),
    "thingspace_async.private_network": ("README.md",),
    "thingspace_async.qos": ("README.md",),
    "thingspace_async.reachability": ("README.md",),
    "thingspace_async.sensor_insights": ("README.md",),
    "thingspace_async.sim_secure": ("README.md",),
    "thingspace_async.sms": ("README.md",),
    "thingspace_async.software": ("README.md",),
    "thingspace_async.software.v1": ("README.md",),
    "thingspace_async.software.v2": ("README.md",),
    "thingspace_async.triggers": ("README.md",),
    "thingspace_async.v2x": ("README.md",),
    "thingspace_async.callbacks": ("README.md",),
    "thingspace_async.callbacks.messages": (),
    "thingspace_async.callbacks.stores": ("STORES.md",),
    "thingspace_async.callbacks.web": (),
    "thingspace_async.redis": ("README.md",),
    "thingspace_async.postgres": ("README.md",),
    "thingspace_async.opentelemetry": ("README.md",),
    "thingspace_async.testing": (),
    "thingspace_async.simulator": ("README.md",),
    "thingspace_async.simulator.assumptions": ("PROTOCOL.md",),
    "thingspace_async.pytest_plugin": (),
    "thingspace_async.errors": (),
    "thingspace_async._cli": ("README.md",),
    "thingspace_async._core": ("../ARCHITECTURE.md",),
}
"""The modules on the site, in the order of its menu, with the pages that each shows instead of its docstring."""

_PACKAGE: Final = Path(__file__).parent

_GUIDE: Final = "thingspace_async._guide"
"""The folder of how-to pages. It has no modules."""

_STYLE: Final = "<style>main table { display: block; overflow-x: auto; }</style>"
"""Lets a table scroll that is wider than the screen, instead of the whole page."""

_ADDRESS: Final = re.compile(r"^( *)(https://thingspace\.verizon\.com/\S+)$", re.MULTILINE)
"""An address of the platform's documents, on a line of its own."""

_LINK: Final = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
"""A link to another file of the repository, but no image."""


def prepare(package: ModuleType) -> None:
    """Load the modules of the site, and give them their pages as docstrings."""
    for name in package.__all__:
        getattr(package, name)
    places = _places()
    for name, pages in PAGES.items():
        module = _module(name)
        parent, _, last = name.rpartition(".")
        if last.startswith("_") or parent == _GUIDE:
            module.__dict__["__all__"] = []  # Private, except for its page.
        if parent and last not in (listed := importlib.import_module(parent).__all__):
            listed.append(last)
        for public in getattr(module, "__all__", ()):
            getattr(module, public)  # It may be loaded at its first use.
        found = [path for page in pages if (path := _path(name, page)).exists()]  # A wheel has no ../README.md.
        for shown in list(vars(module).values()):
            if isinstance(shown, type) and _is_ours(shown):
                _share_names(shown)
                _adopt_members(shown)
                for described in (shown, *vars(shown).values()):
                    _shorten_links(described)
        if found:
            module.__doc__ = "\n\n".join([*(_page(path, name, places) for path in found), _STYLE])


def _module(name: str) -> ModuleType:
    """Import a module. The how-to pages have none, so make an empty one."""
    parent, _, last = name.rpartition(".")
    if name.startswith(_GUIDE):
        module = sys.modules[name] = ModuleType(name)
        setattr(sys.modules[parent], last, module)
    return importlib.import_module(name)


def _is_ours(shown: type) -> bool:
    return shown.__module__.startswith(f"{__package__}.")


def _adopt_members(shown: type) -> None:
    """Give a class the members of base classes whose module is not on the site: pdoc shows only their names."""
    for base in shown.__mro__[1:]:
        if _is_ours(base) and base.__module__ not in PAGES:
            for name, member in vars(base).items():
                if not name.startswith("_") and name not in vars(shown):
                    setattr(shown, name, member)


def _shorten_links(described: object) -> None:
    """Give the addresses in a docstring a short text: long ones do not fit a small screen."""
    docstring = described.__doc__ or ""
    if _ADDRESS.search(docstring):
        described.__doc__ = _ADDRESS.sub(r"\1[The platform's page](\2)", docstring)


def _share_names(shown: type) -> None:
    """Give the module of a class the names in the annotations of its `__init__`, which pdoc evaluates there.

    attrs takes them from base classes and converters, so they may be names of another module.
    """
    names = vars(sys.modules[shown.__module__])
    converters = [field.converter for field in (attrs.fields(shown) if attrs.has(shown) else ())]
    used = [getattr(one, "__module__", "") for one in (*shown.__mro__, *converters)]
    for module in (*used, types.__name__):
        if module.startswith(f"{__package__}."):
            for name, value in vars(sys.modules[module]).items():
                names.setdefault(name, value)


def _path(name: str, page: str) -> Path:
    """Return the path of a page. It is relative to the folder of its module."""
    folder = _PACKAGE.parent.joinpath(*name.split("."))
    return (folder if folder.is_dir() else folder.parent).joinpath(page).resolve()


def _places() -> dict[Path, str]:
    """Map each page to its URL on the site, relative to the site's root."""
    places: dict[Path, str] = {}
    for name, pages in PAGES.items():
        for page in pages:
            path = _path(name, page)
            anchor = f"#{_anchor(path)}" if path.exists() and page != pages[0] else ""
            places[path] = f"{name.replace('.', '/')}.html{anchor}"
    return places


def _anchor(path: Path) -> str:
    """Return the id that pdoc gives to the heading of a page."""
    heading = path.read_text(encoding="utf-8").partition("\n")[0]
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def _page(path: Path, name: str, places: dict[Path, str]) -> str:
    """Read a page for the site. A link to a file that is not on the site becomes plain text."""
    folder = posixpath.dirname(name.replace(".", "/"))

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        place = places.get((path.parent / target).resolve())
        if place is None:
            return text
        url = posixpath.relpath(place.partition("#")[0] if anchor else place, folder or ".")
        return f"[{text}]({url}{anchor})"

    return _LINK.sub(link, path.read_text(encoding="utf-8"))
