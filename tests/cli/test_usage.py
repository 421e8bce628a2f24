"""`thingspace usage`, as a user runs it: failures, interruptions, two at once, the pace, and 30,000 devices."""

from __future__ import annotations

import asyncio
import csv
import errno
import io
import os
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.commands import environment, run
from tests.cli.test_cli import finish, start, start_with
from thingspace_async.simulator import Simulator, Status
from thingspace_async.simulator.faults import Delay

pytestmark = pytest.mark.processes

LIST = "devices.usage.list"
WORDS = ("usage", "--month", "2025-12", "--format", "csv")


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=40) as cloud:
        yield cloud


def active(cloud: Simulator) -> int:
    return sum(device.state == "active" for device in cloud.devices)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


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
    assert files(tmp_path) == ["usage.csv"]


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
        ((), "name either a month with --month, or days with both --from and --to"),
        (("--month", "2025-12", "--to", "2025-12-31"), "name either a month with --month, or days"),
        (("--from", "2025-12-01"), "name either a month with --month, or days with both --from and --to"),
        (("--from", "2025-12-02", "--to", "2025-12-01"), "--from 2025-12-02 is after --to 2025-12-01"),
        (("--from", "2025-12-32", "--to", "2025-12-31"), "--from 2025-12-32 is not a day"),
        (("--from", "0001-01-01", "--to", "9999-12-31"), "--from 0001-01-01 is not a day"),
        (("--from", "2025-12-01", "--to", "2026-01-01", "--over-plan"), "name at most 31 days, not 32"),
        (("--month", "2025-12", "--over-plan", "--by", "day"), "leave --by day out"),
        (("--month", "2025-12", "--format", "parquet"), "--format parquet needs a file: name it with --output"),
        (("--month", "2025-12", "--columns", "imei,size"), "--columns has no size: choose from imei, MB, sms"),
        (("--month", "2025-12", "--html", "/nowhere/page.html"), "its folder does not exist"),
        (("--month", "2025-12", "--output", "/dev/full"), "--output /dev/full is not a file"),
        (("--month", "2025-12", "--output", "page.html", "--html", "./page.html"), "must be different files"),
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


async def test_requests_that_are_repeated_take_a_place_of_the_pace(cloud: Simulator) -> None:
    cloud.faults.add(LIST, Status(503), times=10)
    began = time.monotonic()
    assert (await run(*WORDS, "--requests-per-minute", "1200", **cloud.exports()))[0] == 0
    assert cloud.count(LIST) == active(cloud) + 10
    assert time.monotonic() - began >= (active(cloud) + 10) * 60 / 1200


async def test_of_two_commands_at_once_one_writes_and_the_other_is_refused(cloud: Simulator, tmp_path: Path) -> None:
    cloud.faults.add("oauth.token", Delay(1), times=None)  # Both are there before one has finished.
    output = tmp_path / "usage.csv"
    words = (*WORDS, "--output", str(output))
    ended = await asyncio.gather(*(run(*words, **cloud.exports()) for _ in range(4)))
    assert sorted(status for status, _, _ in ended) == [0, 1, 1, 1]
    for status, printed, complaints in ended:
        if status:
            assert (printed, complaints.count("\n")) == ("", 1)
            assert f"another process is writing {output}.progress: wait for it, or choose another" in complaints
    assert len(rows(output.read_text())) == active(cloud) == cloud.count(LIST)
    assert files(tmp_path) == ["usage.csv"]


async def test_an_interrupted_command_logs_out_and_continues(tmp_path: Path) -> None:
    async with Simulator(devices=300) as cloud:
        output = tmp_path / "usage.csv"
        words = (*WORDS, "--output", str(output))
        cloud.faults.add(LIST, Delay(30), times=None, after=150)
        process = await start(*words, **cloud.exports())
        while cloud.count(LIST) < 160:
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        status, printed, complaints = await finish(process)
        assert (status, printed, cloud.count("session.log_out")) == (128 + signal.SIGINT, "", 1)
        assert complaints.splitlines()[-1] == "The usage is not complete. The same command continues."
        assert "Traceback" not in complaints
        assert files(tmp_path) == ["usage.csv.progress"]
        assert (tmp_path / "usage.csv.progress").stat().st_mode & 0o777 == 0o600
        cloud.faults.clear()
        before = cloud.count(LIST)
        assert (await run(*words, **cloud.exports()))[0] == 0
        assert cloud.count(LIST) - before == active(cloud) - 150
        assert len(rows(output.read_text())) == active(cloud)


FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")


@needs_full
@pytest.mark.parametrize("words", [("--format", "csv"), ("--format", "table"), ("--json",), ("--plot",)])
async def test_a_full_disk_under_stdout_is_one_line_after_the_log_out(cloud: Simulator, words: tuple[str, ...]) -> None:
    full = os.open(FULL, os.O_WRONLY)
    process = await start_with(None, full, "usage", "--month", "2025-12", *words, **cloud.exports())
    os.close(full)
    status, _, complaints = await finish(process)
    assert (status, cloud.count("session.log_out")) == (1, 1)
    assert complaints.splitlines()[-1] == f"thingspace: [Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}"
    assert "Traceback" not in complaints


async def test_a_full_disk_under_the_progress_ends_the_command_and_the_next_one_continues(tmp_path: Path) -> None:
    async with Simulator(devices=500) as cloud:
        output = tmp_path / "usage.csv"
        words = (*WORDS, "--output", str(output))
        # The measurement of coverage would write a large file too.
        variables = {name: value for name, value in environment(cloud.exports()).items() if "COVERAGE" not in name}
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", 'ulimit -f 96; exec "$@"', "sh", sys.executable, "-m", "thingspace_async", *words),
            stdout=PIPE,
            stderr=PIPE,
            env=variables,
        )
        status, printed, complaints = await finish(process)
        assert (status, printed, cloud.count("session.log_out")) == (1, "", 1)
        assert re.match("thingspace: the progress could not be (read|written): ", complaints.splitlines()[-1])
        assert "Traceback" not in complaints
        assert files(tmp_path) == ["usage.csv.progress"]
        before = cloud.count(LIST)
        assert (await run(*words, **cloud.exports()))[0] == 0
        assert cloud.count(LIST) - before <= active(cloud) - 100
        assert len(rows(output.read_text())) == active(cloud)


async def test_a_state_that_does_not_exist_is_an_error_that_lists_the_states(cloud: Simulator) -> None:
    status, printed, complaints = await run(*WORDS, "--state", "activ", **cloud.exports())
    assert (status, printed) == (2, "")
    assert "--state activ does not exist: choose from active, deactive, preactive, suspend" in complaints
    assert not cloud.count("devices.list")


@pytest.mark.parametrize("words", [("--html", "page.html"), ("--over-plan", "--output", "usage.parquet")])
async def test_a_login_that_is_refused_leaves_no_file(cloud: Simulator, tmp_path: Path, words: tuple[str, ...]) -> None:
    exports = {**cloud.exports(), "PWD": str(tmp_path)}
    for status, printed, complaints in (
        await run(*WORDS[:3], *words, **{**exports, "THINGSPACE_PASSWORD": "wrong"}),
        await run(*WORDS[:3], *words, "--account", "0000999999-00001", **exports),
    ):
        assert (status, printed) == (1, "")
        assert complaints.splitlines()[-1].startswith("thingspace: ")
    assert not {"page.html", "usage.parquet"} & set(files(tmp_path))
    assert not cloud.count(LIST)


MEASURED = """
import sys
from thingspace_async._cli import app
try:
    app(sys.argv[1:], prog_name="thingspace")
finally:
    print(open("/proc/self/status").read())
"""
"""Prints the status of the command's process. The system's `ru_maxrss` would count the memory of the test, too."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the memory of a process since its start")
async def test_thirty_thousand_devices_need_less_than_100_mb_and_continue_after_a_kill(tmp_path: Path) -> None:
    async with Simulator(devices=30_000) as cloud:
        words = (*WORDS, "--output", str(tmp_path / "usage.csv"), "--requests-per-minute", "60000")
        process = await start(*words, **cloud.exports())
        while cloud.count(LIST) < 12_000:
            await asyncio.sleep(0.05)
        assert memory_of(status_of(process.pid)) < 100e6
        process.kill()
        await finish(process)
        before = cloud.count(LIST)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MEASURED, *words), stdout=PIPE, env=environment(cloud.exports())
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0
        # The transaction of the killed process had fewer than 100 devices, and 10 more were being read.
        assert cloud.count(LIST) - before <= active(cloud) - before + 110
        imeis = {row["imei"] for row in rows((tmp_path / "usage.csv").read_text())}
        assert imeis == {device.imei for device in cloud.devices if device.state == "active"}
        assert memory_of(printed.decode()) < 100e6


def status_of(process: int) -> str:
    return Path(f"/proc/{process}/status").read_text()


def memory_of(status: str) -> int:
    """Return the most bytes that a process had, from its status."""
    found = re.search(r"VmHWM:\s*([0-9]+) kB", status)
    assert found is not None
    return int(found[1]) * 1024
