"""A pytest run with and without the plugin, in a project that does not use it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._measure import Pairs, Row, row
from benchmarks._server import ROOT

__all__ = ["run"]

_PAIRS = 15


def run() -> list[Row]:
    """Measure one passing test, in new processes that take turns."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_one.py").write_text("def test_one():\n    pass\n", encoding="utf-8")
        plugin = ["-p", "thingspace_async.pytest_plugin"]
        _pytest(folder, plugin)
        times = [(_pytest(folder, plugin), _pytest(folder, [])) for _ in range(_PAIRS)]
    return [row("pytest with the plugin, unused", Pairs([one for one, _ in times], [other for _, other in times]))]


def _pytest(folder: str, plugin: list[str]) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": str(Path(folder, "cache")),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin]
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return time.perf_counter() - started
