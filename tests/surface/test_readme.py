"""README: its code runs as it stands, its commands are what is checked, its table is what there is."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.redis.servers import RedisServer, needs_redis
from tests.surface.rooms import ROOT, all_operations
from thingspace_async.simulator import Simulator

README = (ROOT / "README.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

REDIRECT = """
import runpy, sys
from thingspace_async import Environment
object.__setattr__(Environment.production, "bases", Environment.at(sys.argv[1]).bases)
runpy.run_path(sys.argv[2], run_name="__main__")
"""
"""Runs a program with the production environment led to a simulator."""


def _programs() -> Iterator[Any]:
    for number, code in enumerate(CODE):
        slow, on_redis = "activate_all" in code, "import Redis" in code
        yield pytest.param(number, marks=[pytest.mark.slow] * slow + [needs_redis] * on_redis)


@pytest.fixture
def redis_url(request: pytest.FixtureRequest) -> str:
    """Say where a Redis is to the programs that ask for one."""
    number: int = request.getfixturevalue("number")
    if "REDIS_URL" not in CODE[number]:
        return ""
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url


@pytest.mark.parametrize("number", list(_programs()))
async def test_its_code_runs_as_it_stands(number: int, redis_url: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(CODE[number])
    async with Simulator(devices=3) as cloud:
        known = cloud.credentials
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", REDIRECT, cloud.url, str(program)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path,
            env={
                **os.environ,
                "THINGSPACE_CLIENT_ID": known.client_id,
                "THINGSPACE_CLIENT_SECRET": known.client_secret.reveal(),
                "THINGSPACE_USERNAME": known.username,
                "THINGSPACE_PASSWORD": known.password.reveal(),
                "REDIS_URL": redis_url,
            },
        )
        printed, complaints = await asyncio.wait_for(process.communicate(), 120)
    assert (process.returncode, complaints.decode()) == (0, "")
    assert printed.decode().strip()


def test_its_first_code_is_the_ten_lines() -> None:
    assert 'session.devices.list(account_name="0000123456-00001")' in CODE[0]


def coverage_table() -> str:
    rows = [f"| `{one.name}` | `{one.method} {one.path}` |" for one in all_operations()]
    return "\n".join(["| call | method and path |", "|---|---|", *rows])


def test_its_table_is_made_from_the_operations() -> None:
    shown = re.search(r"<!-- operations -->\n(.*?)\n<!-- /operations -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == coverage_table()


@needs_redis
async def test_its_four_workers_log_in_once(redis_server: RedisServer) -> None:
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
