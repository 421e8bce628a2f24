"""The pytest plugin in separate runs: with both modes of pytest-asyncio, and without it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import thingspace_async

pytestmark = pytest.mark.processes

pytest_plugins = "pytester"

Run = Callable[..., pytest.RunResult]

ROOT = Path(thingspace_async.__file__).parent.parent

MODULE = """
import pytest

{mark}
async def test_a_session_with_the_simulator(thingspace_session, thingspace_simulator):
    account = await thingspace_session.accounts.get(thingspace_simulator.account_name)
    assert account.account_name == thingspace_simulator.account_name

{mark}
async def test_each_test_has_a_simulator_of_its_own(thingspace_simulator):
    assert not thingspace_simulator.requests
"""

MARKED = """
import pytest
from thingspace_async import DeviceId
from thingspace_async.devices import SuspendRequest

@pytest.mark.thingspace(devices=3, start="2026-11-01")
async def test_the_mark_has_options(thingspace_simulator):
    assert len(thingspace_simulator.devices) == 3
    assert thingspace_simulator.clock.now().isoformat().startswith("2026-11-01T00:00:0")

@pytest.mark.thingspace(start="2026-11-01T12:00:00+02:00")
async def test_outcomes_arrive_as_the_clock_is_advanced(thingspace_session, thingspace_simulator, thingspace_outcomes):
    device = thingspace_simulator.devices[0]
    device.state = "active"
    request = SuspendRequest(devices=[DeviceId.imei(device.imei)])
    accepted = await thingspace_session.devices.suspend(request)
    thingspace_simulator.clock.advance(61)
    (outcome,) = await thingspace_outcomes.all(accepted)
    assert outcome.device is not None
    assert device.state == "suspend"
"""

UNUSED = """
import sys

HEAVY = {"aiohttp", "attr", "attrs", "cattrs", "orjson", "pytest_asyncio"}

def test_nothing_was_loaded():
    assert HEAVY & set(sys.modules) == set(LOADED)
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest with only these plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def start(source: str, *options: str, mode: str | None = None, apart: bool = False) -> pytest.RunResult:
        pytester.makepyfile(source)
        if mode is not None:
            settings = (f"asyncio_mode={mode}", "asyncio_default_fixture_loop_scope=function")
            options += ("-p", "asyncio", *(word for setting in settings for word in ("-o", setting)))
        begin = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        # In a process that has them, pytest warns that it cannot rewrite the assertions of plugins.
        options += ("-W", "ignore::pytest.PytestAssertRewriteWarning")
        return begin("-W", "error", "-p", "thingspace_async.pytest_plugin", *options)

    return start


@pytest.mark.parametrize(("mode", "mark"), [("auto", ""), ("strict", "@pytest.mark.asyncio")])
def test_the_fixtures_work_in_both_modes_of_pytest_asyncio(run: Run, mode: str, mark: str) -> None:
    run(MODULE.format(mark=mark), mode=mode).assert_outcomes(passed=2)


def test_a_mark_gives_the_simulator_options_and_outcomes_are_ready(run: Run) -> None:
    run(MARKED, "--strict-markers", mode="auto").assert_outcomes(passed=2)


@pytest.mark.parametrize(("mode", "mark"), [("auto", ""), ("strict", "@pytest.mark.asyncio")])
def test_the_fixtures_work_in_a_process_of_their_own(run: Run, mode: str, mark: str) -> None:
    run(MODULE.format(mark=mark), mode=mode, apart=True).assert_outcomes(passed=2)


@pytest.mark.parametrize("plugin", ["asyncio", "pytest_asyncio.plugin"])
@pytest.mark.parametrize("before", [True, False])
def test_the_fixtures_work_whatever_the_order_and_name_of_the_plugins(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, plugin: str, *, before: bool
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(MODULE.format(mark="@pytest.mark.asyncio"))
    names = [plugin, "thingspace_async.pytest_plugin"] if before else ["thingspace_async.pytest_plugin", plugin]
    loading = (word for name in names for word in ("-p", name))
    scope = "asyncio_default_fixture_loop_scope=function"
    pytester.runpytest_subprocess("-o", scope, *loading).assert_outcomes(passed=2)


def test_the_example_of_the_readme_passes_in_strict_mode(run: Run) -> None:
    (example,) = re.findall(r"```py\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    run(example, mode="strict").assert_outcomes(passed=1)


def test_the_application_of_the_how_to_page_passes_its_tests(run: Run, pytester: pytest.Pytester) -> None:
    page = (ROOT / "thingspace_async" / "_guide" / "test_your_app.md").read_text()
    (application,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tests,) = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    pytester.makepyfile(app=application)
    run(tests, "-o", "pythonpath=.", mode="strict", apart=True).assert_outcomes(passed=tests.count("async def test_"))


@pytest.mark.parametrize("fixture", ["thingspace_simulator", "thingspace_session", "thingspace_outcomes"])
def test_without_pytest_asyncio_tests_run_and_the_fixtures_say_what_to_install(run: Run, fixture: str) -> None:
    result = run(f"def test_plain(): pass\nasync def test_other({fixture}): pass")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*pip install pytest-asyncio*"])


def test_without_pytest_asyncio_nothing_heavy_is_loaded(run: Run) -> None:
    run(UNUSED.replace("LOADED", "()"), apart=True).assert_outcomes(passed=1)


def test_beside_pytest_asyncio_nothing_more_is_loaded(run: Run) -> None:
    run(UNUSED.replace("LOADED", '{"pytest_asyncio"}'), mode="strict", apart=True).assert_outcomes(passed=1)


def test_pytest_lists_the_fixtures_with_what_they_are_for(run: Run) -> None:
    listed = run("", "--fixtures", mode="auto").stdout.str()
    assert "Start a `Simulator` with 100 devices" in listed
    assert "Open a `Session` with `thingspace_simulator`." in listed
