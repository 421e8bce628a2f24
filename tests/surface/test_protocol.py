"""Every citation of PROTOCOL.md leads to one of its sections, and the page names every switch of the simulator."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import attrs

from tests.surface.rooms import PACKAGE, ROOT
from thingspace_async.simulator import Assumptions

PAGE = (PACKAGE / "simulator" / "PROTOCOL.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^###? (\d(?:\.\d)?)\.? .*\n((?:(?!##).*\n)*)", PAGE, flags=re.MULTILINE))
NUMBERS = r"\d(?:\.\d)?(?:(?:, | and |, and )\d(?:\.\d)?)*"
SWITCHES = re.findall(r"[Ss]witch(?:es)? `([^.;]*)`", PAGE)


def _texts() -> Iterator[tuple[Path, str]]:
    """Yield all source files and pages, with broken lines joined."""
    for folder in (PACKAGE, ROOT / "tests", ROOT / "benchmarks", ROOT):
        for path in folder.rglob("*") if folder != ROOT else ROOT.glob("*.md"):
            if path.suffix in {".py", ".md"} and path != Path(__file__):
                yield path, re.sub(r"\n[ #]*", " ", path.read_text(encoding="utf-8"))


def test_citations_of_the_protocol_lead_to_sections() -> None:
    cited = [
        (number, str(path.relative_to(ROOT)))
        for path, text in _texts()
        for numbers in re.findall(rf"PROTOCOL\.md[`)\]]*,? ({NUMBERS})", text)
        for number in re.findall(r"[\d.]+", numbers)
    ]
    assert len(cited) > 50
    assert [one for one in cited if one[0] not in SECTIONS] == []


def test_sections_of_the_protocol_lead_to_one_another() -> None:
    referred = re.findall(r"section (\d(?:\.\d)?)", PAGE)
    assert set(referred) <= set(SECTIONS)


def test_the_protocols_switches_exist_and_none_is_left_out() -> None:
    named = {name for names in SWITCHES for name in re.findall(r"\w+", names)}
    assert named == {field.name for field in attrs.fields(Assumptions)}


def test_each_switch_is_named_in_the_section_that_its_docstring_cites() -> None:
    source = ast.parse((PACKAGE / "simulator" / "assumptions.py").read_text(encoding="utf-8"))
    body = next(node for node in source.body if isinstance(node, ast.ClassDef)).body
    for field, docstring in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(docstring, ast.Expr)
            text = ast.literal_eval(docstring.value)
            sections = re.match(rf"({NUMBERS}):", text)
            assert sections is not None, f"{field.target.id} cites no section"
            for number in re.findall(r"[\d.]+", sections[1]):
                assert f"`{field.target.id}`" in SECTIONS[number], (
                    f"PROTOCOL.md {number} does not name {field.target.id}"
                )
