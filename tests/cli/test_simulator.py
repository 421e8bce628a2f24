"""`thingspace simulator`: its options, in the foreground and in the background."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.cli.commands import environment, run
from tests.simulator.test_admin import CSV

pytestmark = pytest.mark.processes


class Running:
    """A simulator in the foreground, and its output."""

    def __init__(self, process: asyncio.subprocess.Process, exports: dict[str, str]) -> None:
        self.process = process
        self.exports = exports

    async def admin(self, path: str, **headers: str) -> Any:
        url = f"{self.exports['THINGSPACE_ENVIRONMENT']}/__admin{path}"
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
            return await answer.json()


@asynccontextmanager
async def started(*words: str, **variables: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-W",
            "error",
            "-m",
            "thingspace_async",
            "simulator",
            "--port",
            "0",
            "--print",
            "json",
            *words,
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(variables),
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    assert line, (await process.communicate())[1].decode()
    try:
        yield Running(process, json.loads(line))
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def end(running: Running) -> str:
    running.process.send_signal(signal.SIGTERM)
    _, complaints = await asyncio.wait_for(running.process.communicate(), 60)
    assert running.process.returncode == 128 + signal.SIGTERM
    return complaints.decode()


@pytest.fixture
def csv_file(tmp_path: Path) -> str:
    path = tmp_path / "devices.csv"
    path.write_text(CSV)
    return str(path)


async def test_its_devices_accounts_and_credentials_are_chosen(csv_file: str) -> None:
    words = ("--from", csv_file, "--account", "0000111111-00001", "--account", "0000222222-00001", "--speed", "0")
    known = ("--username", "me", "--password", "pa$s me", "--client-id", "key", "--client-secret", "secret")
    async with started(*words, *known, "--start", "2026-11-01T00:00:00Z", "--log") as running:
        await check_choices(running)


async def check_choices(running: Running) -> None:
    health = await running.admin("/health")
    assert (health["devices"], health["now"][:16], health["speed"]) == (2, "2026-11-01T00:00", 0)
    assert await running.admin("/accounts") == ["0000111111-00001", "0000222222-00001", "0000333333-00001"]
    exports = running.exports
    values = [exports[f"THINGSPACE_{name}"] for name in ("USERNAME", "PASSWORD", "CLIENT_ID", "CLIENT_SECRET")]
    assert values == ["me", "pa$s me", "key", "secret"]
    status, printed, _ = await run("devices", "list", "--format", "csv", **exports)
    assert (status, len(printed.splitlines())) == (0, 3)
    log = await end(running)
    assert "POST /api/m2m/v1/session/login  session.log_in  200" in log
    assert "pa$s me" not in log


async def test_it_starts_now_and_asks_for_a_token_where_others_reach_it() -> None:
    async with started("--host", "0.0.0.0", "--admin-token", "t0ken", "--devices", "1") as running:
        await check_token(running)


async def check_token(running: Running) -> None:
    assert urlsplit(running.exports["THINGSPACE_ENVIRONMENT"]).hostname == "127.0.0.1"
    assert await running.admin("/health") == {
        "errors": ["send the header Authorization: Bearer, followed by the admin token"]
    }
    health = await running.admin("/health", Authorization="Bearer t0ken")
    assert abs(datetime.fromisoformat(health["now"]) - datetime.now(UTC)) < timedelta(minutes=5)
    assert await end(running) == ""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--start", "yesterday"), "--start must be now, or a time"),
        (("--from", "no-such.csv"), "--from no-such.csv: "),
        (("--host", "0.0.0.0"), "--admin-token, --no-admin"),
    ],
)
async def test_an_invalid_option_is_one_line(words: tuple[str, ...], complaint: str) -> None:
    status, printed, complaints = await run("simulator", "--port", "0", *words)
    assert (status, printed) == (2, "")
    assert complaint in complaints
    assert complaints.count("\n") == 1


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """Give the commands a temporary state directory, and stop all simulators at the end."""
    variables = {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    yield variables
    await run("simulator", "--stop", "--port", "0", **variables)


def shell(script: str, variables: dict[str, str]) -> str:
    """Run a shell script in which `thingspace` is this package's command."""

    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-euc", script],
        env={**environment(variables), "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_it_goes_on_in_the_background_until_it_is_stopped(home: dict[str, str]) -> None:
    script = """
    eval "$(thingspace simulator --port 0 --devices 3 --background --print env)"
    thingspace devices list --format csv
    ! thingspace simulator --port 0 --background 2>&1
    thingspace simulator --stop --port 0
    ! curl -s "$THINGSPACE_ENVIRONMENT/__admin/health"
    ! thingspace simulator --stop --port 0 2>&1
    """
    lines = (await asyncio.to_thread(shell, script, home)).splitlines()
    assert lines[0].startswith("imei,iccid")
    assert len(lines) == 6
    assert "a simulator already runs in the background at port 0" in lines[4]
    assert "no simulator runs in the background at port 0" in lines[5]


async def test_a_failure_in_the_background_is_reported(home: dict[str, str]) -> None:
    status, _, complaints = await run("simulator", "--port", "0", "--start", "never", "--background", **home)
    assert status == 1
    assert complaints.startswith("thingspace: --start must be now")
