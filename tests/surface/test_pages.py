"""The pages: their code runs as it stands, their links lead somewhere, and a room's page names all of its calls."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.redis.servers import RedisServer, needs_redis
from tests.surface.pages import PAGES, broken_links, code_of, name_of
from tests.surface.rooms import PACKAGE, PRODUCTS, ROOT, all_calls
from thingspace_async import Session
from thingspace_async._site import PAGES as SITE
from thingspace_async.simulator import Simulator

README = ROOT / "README.md"

ROOMS = [name for name in PRODUCTS if name != "callbacks"]
"""Their pages hold pieces of code that need an open session. The page on callbacks is tested with the receiver."""

VERSIONS = ["software/v1", "software/v2"]
"""Versions of a room with pages of their own, as paths."""

GUIDE = sorted((PACKAGE / "_guide").glob("*.md"))

PROGRAMS = [
    README,
    *(PACKAGE / name / "README.md" for name in ("session_management", "devices/fleet", "redis", "opentelemetry")),
    *GUIDE,
]
"""Pages that hold whole programs."""

REDIRECT = """
import runpy, sys
from thingspace_async import Environment
object.__setattr__(Environment.production, "bases", Environment.at(sys.argv[1]).bases)
runpy.run_path(sys.argv[2], run_name="__main__")
"""
"""Runs a program with the production environment led to a simulator."""


def _is_program(code: str) -> bool:
    return "asyncio.run(" in code


def _programs() -> Iterator[Any]:
    for page in PROGRAMS:
        for number, code in enumerate(filter(_is_program, code_of(page, "python"))):
            marks = [pytest.mark.slow] * ("activate_all" in code) + [needs_redis] * ("import Redis" in code)
            yield pytest.param(code, id=f"{name_of(page)}-{number}", marks=[pytest.mark.processes, *marks])


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """Start a Redis for the programs that need one."""
    if "REDIS_URL" not in request.getfixturevalue("code"):
        return ""
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


@pytest.mark.parametrize("code", list(_programs()))
async def test_a_program_runs_as_it_stands(code: str, redis_url: str, tmp_path: Path) -> None:
    """The programs on data frames need pandas and polars: install the extra `dev`."""
    program = tmp_path / "program.py"
    program.write_text(code)
    async with Simulator(devices=3) as cloud:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", REDIRECT, cloud.url, str(program)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, **cloud.exports(), "THINGSPACE_ENVIRONMENT": "production", "REDIS_URL": redis_url},
        )
        try:
            printed, complaints = await asyncio.wait_for(process.communicate(), 240)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
    assert (process.returncode, complaints.decode()) == (0, "")
    assert printed.decode().strip()


@pytest.mark.parametrize("name", [*ROOMS, *VERSIONS, "session_management"])
async def test_the_code_of_a_rooms_page_runs_in_its_order(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # Some pages open an inbox.
    names: dict[str, Any] = {"account": "0000123456-00001"}
    async with Simulator(devices=20) as cloud:
        cloud.clock.speed = 60  # The platform takes minutes for its results.
        async with Session(cloud.credentials, environment=cloud.environment) as session:
            names["session"] = session
            for code in code_of(PACKAGE / name / "README.md", "python"):
                if not _is_program(code):
                    work = eval(compile(code, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
                    if work is not None:
                        await work
    assert capsys.readouterr().out


@pytest.mark.parametrize("name", [*ROOMS, *VERSIONS])
def test_a_rooms_page_names_every_call(name: str) -> None:
    page = (PACKAGE / name / "README.md").read_text()
    reference = page.partition("## Reference")[2]
    prefix = name.replace("/", ".") + "."
    elsewhere = tuple(other.replace("/", ".") for other in VERSIONS if other.startswith(f"{name}/"))
    calls = {
        call.removeprefix(prefix)
        for call in all_calls()
        if call.startswith(prefix) and not (elsewhere and call.startswith(elsewhere))
    }
    assert calls - set(re.findall(r"`([\w.]+)`", reference)) == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_all_code_of_a_how_to_page_is_a_program_that_runs() -> None:
    """The application in FastAPI is tested with the receiver, and the one with tests with the pytest plugin."""
    apart = {"fastapi.md", "test_your_app.md"}
    pieces = {page.name for page in GUIDE for code in code_of(page, "python") if not _is_program(code)}
    assert pieces == apart
    assert {page.name for page in GUIDE if not code_of(page, "python")} == {"README.md"}


def test_every_page_and_every_room_is_on_the_site() -> None:
    assert {f"thingspace_async.{name}" for name in PRODUCTS} <= set(SITE)
    shown = [page.rpartition("/")[2] for pages in SITE.values() for page in pages]
    assert sorted(shown) == sorted(["README.md", *(page.name for page in PACKAGE.rglob("*.md"))])


def test_readme_is_a_front_page() -> None:
    text = README.read_text()
    assert len(text.splitlines()) < 200
    for page in PAGES:
        assert name_of(page) in text or page == README


def test_readmes_first_code_lists_devices() -> None:
    assert 'session.devices.list(account_name="0000123456-00001"' in code_of(README, "python")[0]


@pytest.mark.processes
@needs_redis
async def test_the_four_workers_of_the_redis_page_log_in_once(redis_server: RedisServer) -> None:
    assert "python -m benchmarks.workers" in (PACKAGE / "redis" / "README.md").read_text()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "benchmarks.workers", "--redis", redis_server.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    printed, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, complaints.decode()) == (0, "")
    assert printed.decode().splitlines() == [
        "4 workers made 400 calls with 1 log-in",
        "their session expired, and they made 400 more with 1 log-in",
        "they left, the last of them with 1 log-out",
    ]
