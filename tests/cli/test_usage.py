"""`thingspace usage`, as a user runs it: failures, interruptions, two at once, the pace, and 30,000 devices."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.commands import environment, run
from tests.cli.test_cli import finish, start
from thingspace_async.simulator import Simulator, Status
from thingspace_async.simulator.faults import Delay

pytestmark = pytest.mark.processes

LIST = "devices.usage.list"
WORDS = ("usage", "--month", "2025-12")


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=40) as cloud:
        yield cloud


def active(cloud: Simulator) -> int:
    return sum(device.state == "active" for device in cloud.devices)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


async def test_the_rows_by_device_by_day_and_by_group_have_the_same_total(cloud: Simulator) -> None:
    totals = set()
    for by in ("device", "day", "group"):
        status, printed, complaints = await run(*WORDS, "--by", by, **cloud.exports())
        assert status == 0
        totals.add(sum(int(row["bytes"]) for row in rows(printed)))
    (total,) = totals
    assert total > 0
    assert f"{active(cloud)} devices, {total / 1e6:,.3f} MB (1 MB is 1,000,000 bytes)" in complaints


async def test_devices_that_fail_have_a_row_and_only_these_are_read_again(cloud: Simulator, tmp_path: Path) -> None:
    output = tmp_path / "usage.csv"
    cloud.faults.add(LIST, Status(400), times=3)
    words = (*WORDS, "--output", str(output))
    status, _, complaints = await run(*words, **cloud.exports())
    assert status == 4
    assert "3 devices could not be read: the same command reads only these again" in complaints
    assert sum(bool(row["error"]) for row in rows(output.read_text())) == 3
    before = cloud.count(LIST)
    assert (await run(*words, **cloud.exports()))[0] == 0
    assert cloud.count(LIST) - before == 3
    assert not any(row["error"] for row in rows(output.read_text()))
    assert os.listdir(tmp_path) == ["usage.csv"]  # noqa: PTH208 - pathlib is refused in coroutines


async def test_a_killed_command_continues_and_counts_each_device_once(tmp_path: Path) -> None:
    async with Simulator(devices=400) as cloud:
        _, expected, _ = await run(*WORDS, "--by", "day", **cloud.exports())
        all_of_them = cloud.count(LIST)
        cloud.faults.add(LIST, Delay(30), times=None, after=250)
        output = tmp_path / "usage.csv"
        words = (*WORDS, "--by", "day", "--output", str(output))
        process = await start(*words, **cloud.exports())
        while cloud.count(LIST) < all_of_them + 250:
            await asyncio.sleep(0.02)
        refused, _, complaints = await run(*words, **cloud.exports())
        assert refused == 1
        assert "another process is writing" in complaints
        process.kill()
        await finish(process)
        assert not output.exists()
        cloud.faults.clear()
        before = cloud.count(LIST)
        assert (await run(*words, **cloud.exports()))[0] == 0
        assert cloud.count(LIST) - before <= all_of_them - 200
        assert output.read_text() == expected.replace("\r\n", "\n")


async def test_progress_of_another_month_is_not_mixed_in(cloud: Simulator, tmp_path: Path) -> None:
    output = tmp_path / "usage.csv"
    cloud.faults.add(LIST, Status(400), times=1)
    assert (await run(*WORDS, "--output", str(output), **cloud.exports()))[0] == 4
    status, _, complaints = await run("usage", "--month", "2025-11", "--output", str(output), **cloud.exports())
    assert status == 1
    assert "has the progress of another command (usage of 2025-12, all accounts" in complaints


async def test_a_file_that_is_no_progress_is_left_alone(cloud: Simulator, tmp_path: Path) -> None:
    foreign = tmp_path / "usage.csv.progress"
    foreign.write_text("my notes " * 200)
    status, _, complaints = await run(*WORDS, "--output", str(tmp_path / "usage.csv"), **cloud.exports())
    assert (status, "is not the progress of a command: move it away" in complaints) == (1, True)
    assert foreign.read_text() == "my notes " * 200


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--month", "2025-13"), "'2025-13' is not a month"),
        (("--month", "2025-12", "--account", " "), "--account is empty"),
    ],
)
async def test_a_wrong_option_is_one_line(cloud: Simulator, words: tuple[str, ...], complaint: str) -> None:
    status, printed, complaints = await run("usage", *words, **cloud.exports())
    assert (status, printed, complaints.count("\n")) == (2, "", 1)
    assert complaint in complaints
    assert not cloud.requests


async def test_a_wrong_password_is_one_line_and_leaves_no_output(cloud: Simulator, tmp_path: Path) -> None:
    output = tmp_path / "usage.csv"
    status, printed, complaints = await run(
        *WORDS, "--output", str(output), **{**cloud.exports(), "THINGSPACE_PASSWORD": "wrong"}
    )
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
    assert not output.exists()
    assert not cloud.count(LIST)


async def test_an_account_that_does_not_exist_is_an_error(cloud: Simulator) -> None:
    status, printed, complaints = await run(*WORDS, "--account", "0000999999-00001", **cloud.exports())
    assert (status, printed) == (1, "")
    assert "thingspace: " in complaints
    assert not cloud.count(LIST)


async def test_the_pace_is_obeyed(cloud: Simulator) -> None:
    began = time.monotonic()
    assert (await run(*WORDS, "--requests-per-minute", "1200", **cloud.exports()))[0] == 0
    assert time.monotonic() - began >= active(cloud) * 60 / 1200


MEASURED = """
import re, sys
from thingspace_async._cli import app
try:
    app(sys.argv[1:], prog_name="thingspace")
finally:
    print(re.search("VmHWM: *([0-9]+)", open("/proc/self/status").read().expandtabs())[1])
"""
"""Prints the most kilobytes that the command had. The system's `ru_maxrss` would count those of the test, too."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the memory of a process since its start")
async def test_thirty_thousand_devices_need_less_than_100_mb(tmp_path: Path) -> None:
    async with Simulator(devices=30_000) as cloud:
        words = (*WORDS, "--output", str(tmp_path / "usage.csv"))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MEASURED, *words), stdout=PIPE, env=environment(cloud.exports())
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0
        assert len(rows((tmp_path / "usage.csv").read_text())) == active(cloud)
    assert int(printed) * 1024 < 100e6
