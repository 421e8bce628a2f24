"""STORES.md: its tests pass, and its names exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import thingspace_async
from thingspace_async.callbacks import stores

FOLDER = Path(thingspace_async.__file__).parent
PAGE = (FOLDER / "callbacks" / "STORES.md").read_text()


def test_its_conformance_tests_pass_without_a_plugin(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "test_store.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "claimed_once or opening_", tmp_path],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(FOLDER.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_names_on_the_page_exist() -> None:
    assert all(hasattr(stores, name) for name in stores.__all__)
    for name in ("BaseInbox", "LedgerStore", "LocalLedger", "Incoming", "run_lost", "PAGE"):
        assert f"`{name}" in PAGE or f"`{name}(" in PAGE
        assert name in stores.__all__
