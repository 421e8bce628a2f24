"""The command line, as a user runs it: in processes of its own."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process

import pytest

from thingspace_async.simulator import Simulator

VARIABLES = ("THINGSPACE_CLIENT_ID", "THINGSPACE_CLIENT_SECRET", "THINGSPACE_USERNAME", "THINGSPACE_PASSWORD")


async def start(*words: str, **variables: str) -> Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("THINGSPACE_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "thingspace_async", *words),
        stdout=PIPE,
        stderr=PIPE,
        env={**clean, "COLUMNS": "200", "PYTHONUNBUFFERED": "1", **variables},
    )


async def finish(process: Process) -> tuple[int, str, str]:
    printed, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, printed.decode(), complaints.decode()


async def run(*words: str, **variables: str) -> tuple[int, str, str]:
    return await finish(await start(*words, **variables))


def reaching(cloud: Simulator) -> dict[str, str]:
    known = cloud.credentials
    values = (known.client_id, known.client_secret.reveal(), known.username, known.password.reveal())
    return {"THINGSPACE_ENVIRONMENT": cloud.url, **dict(zip(VARIABLES, values, strict=True))}


async def test_the_demo_shows_each_step_and_says_that_it_is_a_simulator() -> None:
    status, printed, complaints = await run("demo", "--devices", "4500")
    assert (status, complaints) == (0, "")
    assert "simulator with 4,500 devices" in printed
    assert "THINGSPACE_CLIENT_ID" in printed
    for step in ("oauth.token", "session.log_in", "accounts.get", "4,500 devices", "session.log_out", "Logged out"):
        assert step in printed


async def test_the_demo_takes_the_platform_when_the_variables_are_set() -> None:
    async with Simulator(devices=5) as cloud:
        status, printed, complaints = await run("demo", **reaching(cloud))
        assert cloud.count("session.log_out") == 1
    assert (status, complaints) == (0, "")
    assert "real platform" in printed
    assert cloud.account_name in printed
    assert "5 devices" in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_demo_logs_out_and_leaves_no_traceback(number: signal.Signals) -> None:
    async with Simulator(devices=100_000) as cloud:
        process = await start("demo", **reaching(cloud))
        while cloud.count("devices.list") < 4:
            await asyncio.sleep(0.01)
        process.send_signal(number)
        status, printed, complaints = await finish(process)
        assert cloud.count("session.log_out") == 1
    assert status == 128 + number
    assert "session.log_out" in printed
    assert "Traceback" not in printed + complaints
    assert complaints == ""


async def test_a_wrong_password_is_one_line_that_says_what_to_do() -> None:
    async with Simulator(devices=1) as cloud:
        status, printed, complaints = await run("demo", **{**reaching(cloud), "THINGSPACE_PASSWORD": "not-this-one"})
        assert cloud.count("session.log_in") == 1
    assert status == 1
    assert complaints.count("\n") == 1
    assert "check username and password" in complaints
    assert "not-this-one" not in printed + complaints


async def test_without_credentials_the_list_names_what_to_set() -> None:
    status, _, complaints = await run("devices", "list")
    assert status == 1
    assert all(name in complaints for name in VARIABLES)


async def test_an_environment_that_would_show_tokens_is_refused() -> None:
    async with Simulator(devices=1) as cloud:
        variables = {**reaching(cloud), "THINGSPACE_ENVIRONMENT": "http://thingspace.example"}
        status, _, complaints = await run("devices", "list", **variables)
    assert status == 1
    assert "use https" in complaints


async def test_devices_are_listed_as_a_json_array() -> None:
    async with Simulator(devices=2500) as cloud:
        status, printed, complaints = await run("devices", "list", "--format", "json", **reaching(cloud))
    assert (status, complaints) == (0, "")
    devices = json.loads(printed)
    assert len(devices) == 2500
    assert all(device["deviceIds"] for device in devices)


async def test_no_devices_are_an_empty_json_array() -> None:
    async with Simulator(devices=0) as cloud:
        _, printed, _ = await run("devices", "list", "--format", "json", **reaching(cloud))
    assert json.loads(printed) == []


async def test_devices_are_listed_as_csv_with_a_heading_line() -> None:
    async with Simulator(devices=30) as cloud:
        _, printed, _ = await run("devices", "list", "--format", "csv", "--state", "active", **reaching(cloud))
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert rows
    assert {row["state"] for row in rows} == {"active"}
    assert all(row["imei"] for row in rows)


async def test_devices_are_listed_as_a_table_of_the_account() -> None:
    async with Simulator(devices=7) as cloud:
        wanted = ("devices", "list", "--account", cloud.account_name)
        status, printed, _ = await run(*wanted, **reaching(cloud))
    assert status == 0
    lines = printed.splitlines()
    assert lines[0].split()[:3] == ["imei", "iccid", "mdn"]
    assert len(lines) == 8


async def test_a_reader_that_goes_away_is_no_traceback() -> None:
    async with Simulator(devices=20_000) as cloud:
        process = await start("devices", "list", **reaching(cloud))
        assert process.stdout is not None
        await process.stdout.readline()
        process.stdout._transport.close()  # type: ignore[attr-defined]
        complaints = await asyncio.wait_for(process.stderr.read(), 30)  # type: ignore[union-attr]
        await process.wait()
    assert b"Traceback" not in complaints


async def test_a_simulator_of_ones_own_prints_what_reaches_it() -> None:
    process = await start("simulator", "--port", "0", "--devices", "12")
    assert process.stdout is not None
    variables = {}
    async for line in process.stdout:
        if line.startswith(b"export "):
            name, _, value = line.decode().removeprefix("export ").strip().partition("=")
            variables[name] = value
        if b"Ctrl-C" in line:
            break
    status, printed, _ = await run("devices", "list", "--format", "csv", **variables)
    assert status == 0
    assert len(printed.splitlines()) == 13
    process.send_signal(signal.SIGINT)
    status, _, complaints = await finish(process)
    assert (status, complaints) == (128 + signal.SIGINT, "")


async def test_a_port_that_is_taken_is_one_line() -> None:
    async with Simulator(devices=1) as cloud:
        status, _, complaints = await run("simulator", "--port", cloud.url.rpartition(":")[2])
    assert status == 1
    assert "choose another --port" in complaints
    assert "Traceback" not in complaints
