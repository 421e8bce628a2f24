"""The project's files agree with one another."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.surface.rooms import PACKAGE, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_lowest_versions_are_tested() -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = list(PROJECT["dependencies"])
    for name in ("cli", "keyring", "map", "metrics", "opentelemetry", "parquet", "postgres", "redis"):
        wanted += extras[name]
    wanted += [line for line in extras["test"] if not line.startswith("thingspace_async")]
    pinned = {re.sub(r"\[.*?\]|;.*", "", line).replace(">=", "==") for line in wanted}
    lines = [line.partition(" #") for line in (ROOT / "tests" / "lowest.txt").read_text().splitlines()]
    assert {version for version, comment, _ in lines if not comment} == pinned


def test_every_supported_python_is_tested() -> None:
    promised = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert PROJECT["requires-python"] == f">={promised[0]}"
    assert all(version in (ROOT / ".ci" / "run").read_text() for version in promised)


def _sizes() -> dict[Path, int]:
    return {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}


def test_no_file_exceeds_its_size_limit() -> None:
    assert [str(path) for path, lines in _sizes().items() if lines > (500 if path.name == "calls.py" else 900)] == []
