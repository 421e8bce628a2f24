"""Each command loads only what it uses, and the list of commands loads none of them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.commands import run_inside
from thingspace_async import __version__
from thingspace_async._cli import COMMANDS


def loaded_by(*words: str, **variables: str) -> tuple[str, set[str]]:
    """Run a command in a fresh process; return what it prints, and the modules that it has loaded."""
    code = (
        "import atexit, sys; from thingspace_async.__main__ import main; sys.argv[1:] = " + repr(list(words)) + "; "
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    return done.stdout, set(done.stderr.split())


def test_the_version_is_printed_without_any_library() -> None:
    printed, modules = loaded_by("--version")
    assert printed == f"{__version__}\n"
    assert modules.isdisjoint({"typer", "rich", "aiohttp", "attrs", "asyncio"})


def test_the_list_of_commands_loads_none_of_them() -> None:
    printed, modules = loaded_by("--help")
    assert all(name in printed for name in COMMANDS)
    assert modules.isdisjoint(
        {"aiohttp", "attrs", "cattrs", "orjson", *(f"thingspace_async._cli.{name}" for name in COMMANDS)}
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_about_a_command_what_its_own_help_says_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    status, printed, _ = run_inside(capsys, name, "--help")
    assert status == 0
    assert COMMANDS[name].line in " ".join(printed.split())


def test_the_version_is_an_option_among_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_inside(capsys, "--version", "devices") == (0, f"{__version__}\n", "")


def test_completing_a_command_loads_none_of_them() -> None:
    variables = {"_THINGSPACE_COMPLETE": "complete_bash", "COMP_WORDS": "thingspace p", "COMP_CWORD": "1"}
    printed, modules = loaded_by(**variables)
    assert printed.split() == ["plans"]
    assert modules.isdisjoint({"aiohttp", "thingspace_async._cli.plans"})


@pytest.mark.parametrize("name", ["rich.console", "typer"])
def test_a_missing_library_is_named_with_what_to_install(name: str) -> None:
    package = name.partition(".")[0]
    code = f"import sys; sys.modules[{name!r}] = None; sys.argv[1:] = ['demo']; "
    code += "from thingspace_async.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"thingspace: the command line needs {package}: pip install 'thingspace_async[cli]'\n"
