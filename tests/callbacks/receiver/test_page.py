"""The page on callbacks: its examples work, with the receiver in a process of its own and in FastAPI."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import shlex
import sys
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.callbacks.listening.test_pods import free_port
from tests.cli.commands import environment
from thingspace_async import Session, callbacks
from thingspace_async.callbacks import Outcomes
from thingspace_async.simulator import Assumptions, Simulator

PAGE = (Path(callbacks.__file__).parent / "README.md").read_text()
HOW_TO = (Path(callbacks.__file__).parents[1] / "_guide" / "fastapi.md").read_text()
SOON = Assumptions(request_time=timedelta(seconds=0.2))


@pytest.mark.processes
async def test_a_receiver_and_a_fleet_in_two_processes_only_need_to_share_an_inbox(tmp_path: Path) -> None:
    (command,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    code, *_ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "program.py").write_text(code)
    program, *words = shlex.split(command)
    assert program == "thingspace"
    port = str(free_port())
    words = [port if word == "9001" else word for word in words]
    assert port in words
    async with Simulator(devices=12, assumptions=SOON) as cloud:
        active = sum(device.state == "active" for device in cloud.devices)
        receiver = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "thingspace_async", *words),
            stdout=asyncio.subprocess.PIPE,
            cwd=tmp_path,
            env=environment({}),
        )
        try:
            assert receiver.stdout is not None
            async with asyncio.timeout(60):
                while b"Ctrl-C" not in await receiver.stdout.readline():
                    assert receiver.returncode is None
            fleet = await asyncio.create_subprocess_exec(
                *(sys.executable, "-W", "error", "program.py"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=tmp_path,
                env={**os.environ, **cloud.exports(), "RECEIVER_URL": f"http://127.0.0.1:{port}"},
            )
            printed, complaints = await asyncio.wait_for(fleet.communicate(), 60)
        finally:
            receiver.kill()
            await receiver.communicate()
        assert (fleet.returncode, complaints.decode()) == (0, "")
        results = [line.split()[1] for line in printed.decode().splitlines()]
        assert set(results) == {"succeeded"}
        assert len(results) == active > 0
        assert not [device for device in cloud.devices if device.state == "active"]
        assert {len(one.attempts) for one in cloud.deliveries} == {1}, "no message was refused"


@pytest.mark.processes
@pytest.mark.parametrize("page", [PAGE, HOW_TO], ids=["callbacks", "how-to"])
async def test_a_request_to_fastapi_awaits_the_result(tmp_path: Path, page: str) -> None:
    (code,) = [one for one in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "FastAPI(" in one]
    (tmp_path / "app.py").write_text(code)
    url = f"http://127.0.0.1:{(port := free_port())}"
    async with Simulator(devices=12, assumptions=SOON) as cloud:
        imei = next(device.imei for device in cloud.devices if device.state == "active")
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)),
            stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, **cloud.exports(), "RECEIVER_URL": f"{url}/thingspace"},
        )
        try:
            assert server.stderr is not None
            async with asyncio.timeout(60):
                while b"running on" not in await server.stderr.readline():
                    assert server.returncode is None
            async with aiohttp.ClientSession() as client, client.post(f"{url}/devices/{imei}/suspend") as answer:
                assert answer.status == 200
                assert (await answer.json())["status"] == "Success"
        finally:
            server.terminate()
            await server.communicate()


async def test_a_program_awaits_an_answer_and_a_stream(
    thingspace_simulator: Simulator,
    thingspace_session: Session,
    thingspace_outcomes: Outcomes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    *_, code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    thingspace_simulator.assumptions = Assumptions(request_time=timedelta())
    names = {"ACCOUNT": thingspace_simulator.account_name, "session": thingspace_session}
    compiled = compile(code, "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(compiled, {**names, "outcomes": thingspace_outcomes, "last_number": None})
    assert "NetworkConditions" in capsys.readouterr().out
