"""The how-to pages: the table of Verizon's methods and the list of errors are complete."""

from __future__ import annotations

import inspect
import re
from collections import Counter

import pytest

from tests.facts import sdk_methods
from tests.surface.moving import PAGE, SPECIAL, page, table
from tests.surface.rooms import PACKAGE, all_calls
from thingspace_async import Session, errors

GUIDE = PACKAGE / "_guide"

BASES = {"ThingSpaceError", "CallError", "ApiError"}
"""Only their subclasses are raised."""


def _rows() -> list[tuple[str, str, str]]:
    """Return the rows of the page on errors: the class, what happened, and what to do."""
    text = (GUIDE / "errors.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)


def test_the_table_of_verizons_methods_is_what_the_facts_and_operations_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.surface.moving"


def test_each_of_the_316_methods_of_verizons_sdks_has_a_replacement() -> None:
    assert set(table()) == set(sdk_methods())
    assert len(table()) == 316


def test_each_replacement_exists() -> None:
    named = {name for text in table().values() for name in re.findall(r"`session\.([\w.]+)`", text)}
    calls = all_calls()
    assert [name for name in named if name not in calls and not inspect.isfunction(getattr(Session, name, None))] == []
    assert len(named) > 250
    assert set(SPECIAL.values()) <= set(table().values())


def test_each_error_is_on_the_page_once() -> None:
    assert Counter(name for name, _, _ in _rows()) == Counter(set(errors.__all__) - BASES)


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0])
def test_the_page_describes_an_error_as_its_docstring_does(row: tuple[str, str, str]) -> None:
    name, happened, _ = row
    docstring = inspect.cleandoc(getattr(errors, name).__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    assert docstring.startswith(happened)


def test_what_to_do_names_only_attributes_that_the_error_has() -> None:
    text = {name: inspect.getsource(getattr(errors, name)) for name in errors.__all__}
    for name, _, remedy in _rows():
        source = "".join(text.get(base.__name__, "") for base in getattr(errors, name).__mro__)
        for attribute in re.findall(r"`error\.(\w+)`", remedy):
            assert re.search(rf"\b{attribute}\b", source), f"{name} has no {attribute}"
