"""The admin API, fuzzed from its own description: no request makes it fail."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from thingspace_async.simulator import Simulator

PROGRAM = Path(sys.executable).with_name("schemathesis")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not PROGRAM.exists(), reason="schemathesis is not installed")]


async def test_schemathesis_finds_no_request_that_fails(tmp_path: Path) -> None:
    async with Simulator(devices=20) as cloud:
        process = await asyncio.create_subprocess_exec(
            *(str(PROGRAM), "run", f"{cloud.url}/__admin/openapi.json", "--url", cloud.url, "--max-examples", "15"),
            *("--checks", "not_a_server_error", "--exclude-path", "/__admin/deliveries/wait"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode == 0, printed.decode()
