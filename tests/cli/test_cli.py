"""The command line, as a user runs it: in separate processes."""

from __future__ import annotations

import asyncio
import csv
import errno
import io
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from tests.cli.commands import environment, run
from thingspace_async.simulator import Simulator

pytestmark = pytest.mark.processes

VARIABLES = ("THINGSPACE_CLIENT_ID", "THINGSPACE_CLIENT_SECRET", "THINGSPACE_USERNAME", "THINGSPACE_PASSWORD")


async def start(*words: str, **variables: str) -> Process:
    return await start_with(None, PIPE, *words, **variables)


async def start_with(stdin: int | None, stdout: int, *words: str, **variables: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "thingspace_async", *words),
        stdin=stdin,
        stdout=stdout,
        stderr=PIPE,
        env=environment(variables),
    )


async def finish(process: Process) -> tuple[int, str, str]:
    printed, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, (printed or b"").decode(), complaints.decode()


def reaching(cloud: Simulator) -> dict[str, str]:
    known = cloud.credentials
    values = (known.client_id, known.client_secret.reveal(), known.username, known.password.reveal())
    return {"THINGSPACE_ENVIRONMENT": cloud.url, **dict(zip(VARIABLES, values, strict=True))}


async def test_the_demo_shows_each_step_and_says_that_it_is_a_simulator() -> None:
    status, printed, complaints = await run("demo", "--devices", "4500")
    assert (status, complaints) == (0, "")
    assert "simulator with 4,500 devices" in printed
    assert "For the real platform, pass --live." in printed
    for step in ("oauth.token", "session.log_in", "accounts.get", "4,500 devices", "session.log_out", "Logged out"):
        assert step in printed


async def test_the_demo_takes_the_platform_with_live_only() -> None:
    async with Simulator(devices=5) as cloud:
        status, printed, _ = await run("demo", "--devices", "3", **reaching(cloud))
        assert (status, "3 devices" in printed) == (0, True)
        assert not cloud.requests
        status, printed, complaints = await run("demo", "--live", **reaching(cloud))
        assert cloud.count("session.log_out") == 1
    assert (status, complaints) == (0, "")
    assert f"Using {cloud.url} with your credentials." in printed
    assert "real platform" not in printed
    assert cloud.account_name in printed
    assert "5 devices" in printed


@pytest.mark.parametrize(
    ("variables", "missing"),
    [
        (
            {"THINGSPACE_CLIENT_ID": "key", "THINGSPACE_USERNAME": "user"},
            "s THINGSPACE_CLIENT_SECRET, THINGSPACE_PASSWORD",
        ),
        ({**dict.fromkeys(VARIABLES, "x"), "THINGSPACE_USERNAME": ""}, " THINGSPACE_USERNAME"),
    ],
)
async def test_the_live_demo_names_the_variables_that_are_missing(variables: dict[str, str], missing: str) -> None:
    status, printed, complaints = await run("demo", "--live", **variables)
    assert (status, printed) == (1, "")
    assert complaints == f"thingspace: set the environment variable{missing}\n"


async def test_the_demo_refuses_credentials_that_cannot_work() -> None:
    variables = {**dict.fromkeys(VARIABLES, "x"), "THINGSPACE_PASSWORD": "with\nline end"}
    status, printed, complaints = await run("demo", "--live", **variables)
    assert (status, printed) == (1, "")
    assert complaints.startswith("thingspace: credentials: password contains")
    assert complaints.count("\n") == 1


async def test_the_demo_without_devices_shows_no_table() -> None:
    status, printed, _ = await run("demo", "--devices", "0")
    assert status == 0
    assert "0 devices in" in printed
    assert "the first of them" not in printed
    assert "imei" not in printed


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("demo", "--live"), {}),
        (("demo", "--live"), dict.fromkeys(VARIABLES, "x")),
        (("devices", "list"), dict.fromkeys(VARIABLES, "x")),
    ],
)
async def test_an_unknown_environment_is_one_line_that_names_the_known(
    words: tuple[str, ...], variables: dict[str, str]
) -> None:
    for status, printed, complaints in (
        await run(*words, "--environment", "prod", **variables),
        await run(*words, **variables, THINGSPACE_ENVIRONMENT="prod"),
    ):
        assert (status, printed) == (2, "")
        assert "use production, staging, mock, or https://host" in complaints
        assert complaints.count("\n") == 1


@pytest.mark.parametrize("words", [("demo", "--live"), ("devices", "list")])
async def test_an_empty_account_is_one_line(words: tuple[str, ...]) -> None:
    async with Simulator(devices=1) as cloud:
        status, printed, complaints = await run(*words, "--account", "", **reaching(cloud))
        assert not cloud.requests
    assert (status, printed) == (2, "")
    assert complaints.startswith("thingspace: --account is empty")
    assert complaints.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("demo", "--devices", "1000001"), "--devices"),
        (("simulator", "--devices", "1000001"), "--devices"),
        (("simulator", "--port", "65536"), "--port"),
        (("simulator", "--port", "-1"), "--port"),
    ],
)
async def test_a_number_out_of_range_is_named(words: tuple[str, ...], option: str) -> None:
    status, _, complaints = await run(*words)
    assert status == 2
    assert f"Invalid value for '{option}'" in complaints
    assert "Traceback" not in complaints


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_demo_logs_out_and_leaves_no_traceback(number: signal.Signals) -> None:
    async with Simulator(devices=100_000) as cloud:
        process = await start("demo", "--live", **reaching(cloud))
        while cloud.count("devices.list") < 4:
            await asyncio.sleep(0.01)
        process.send_signal(number)
        status, printed, complaints = await finish(process)
        assert cloud.count("session.log_out") == 1
    assert status == 128 + number
    assert "session.log_out" in printed
    assert "Interrupted. Logged out, connections closed." in printed
    assert "Traceback" not in printed + complaints
    assert complaints == ""


async def test_a_wrong_password_is_one_line_that_says_what_to_do() -> None:
    async with Simulator(devices=1) as cloud:
        status, printed, complaints = await run(
            "demo", "--live", **{**reaching(cloud), "THINGSPACE_PASSWORD": "not-this-one"}
        )
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
    assert status == 2
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


@pytest.mark.parametrize("words", [("demo",), *(("devices", "list", "--format", one) for one in ("table", "csv"))])
async def test_an_output_that_cannot_be_written_is_one_line_after_the_log_out(words: tuple[str, ...]) -> None:
    unwritable = os.open(os.devnull, os.O_RDONLY)  # It fails as a full disk does, on every system.
    async with Simulator(devices=3) as cloud:
        process = await start_with(None, unwritable, *words, **reaching(cloud))
        os.close(unwritable)
        status, _, complaints = await finish(process)
        assert cloud.count("session.log_out") == cloud.count("session.log_in")
    assert status == 1
    assert os.strerror(errno.EBADF) in complaints
    assert complaints.count("\n") == 1


async def test_an_interrupt_while_the_libraries_load_ends_quietly(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    process = await start("demo", PYTHONPATH=str(tmp_path))
    assert await finish(process) == (128 + signal.SIGINT, "", "")


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


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
async def test_a_host_that_is_not_ours_is_one_line_about_the_host(host: str) -> None:
    status, _, complaints = await run("simulator", "--port", "0", "--no-admin", "--host", host)
    assert status == 1
    assert "choose another --host" in complaints
    assert "--port" not in complaints
    assert complaints.count("\n") == 1


async def test_an_empty_host_is_one_line() -> None:
    status, _, complaints = await run("simulator", "--port", "0", "--host", "")
    assert status == 2
    assert complaints.startswith("thingspace: --host is empty")
    assert complaints.count("\n") == 1


async def test_a_simulator_on_every_interface_starts_and_can_be_interrupted() -> None:
    process = await start("simulator", "--port", "0", "--devices", "1", "--host", "0.0.0.0", "--no-admin")
    assert process.stdout is not None
    async for line in process.stdout:
        if b"Ctrl-C" in line:
            break
    process.send_signal(signal.SIGINT)
    status, _, complaints = await finish(process)
    assert (status, complaints) == (128 + signal.SIGINT, "")
