"""`thingspace firmware`, as a user runs it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.commands import run, run_inside
from thingspace_async._cli import firmware
from thingspace_async._cli._output import Output
from thingspace_async.simulator import Simulator
from thingspace_async.simulator.rooms.software.store import PACKAGES, Software
from thingspace_async.software import DeviceStatus, DeviceUpgradeStatus

pytestmark = pytest.mark.processes

ACCOUNT = "0000123456-00001"
PACKAGE = PACKAGES[0]


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=60) as cloud:
        cloud.clock.speed = 0
        for device in cloud.devices:
            cloud.fail_upgrades(device, times=0)
        yield cloud


@pytest.fixture
def imeis(cloud: Simulator) -> list[str]:
    managed = cloud.platform.room(Software).devices(ACCOUNT, ["LWM2M"])
    return [one.imei for one in managed if one.version == PACKAGE.version_from and one.eligible][:5]


def upgrade(cloud: Simulator, tmp_path: Path, imeis: list[str], *more: str) -> list[str]:
    listed = tmp_path / "devices.csv"
    listed.write_text("\n".join(["name,imei", *(f"truck {place},{imei}" for place, imei in enumerate(imeis))]))
    day = cloud.clock.now().date()
    return [
        *("firmware", "upgrade", "--account", ACCOUNT, "--name", "spring", "--firmware", PACKAGE.name),
        *("--from", str(listed), "--inbox", str(tmp_path / "inbox.db"), "--every", "0.1"),
        *("--start", str(day + timedelta(days=30)), "--end", str(day + timedelta(days=31)), *more),
    ]


async def run_to_the_end(cloud: Simulator, *words: str) -> tuple[int, str, str]:
    """Run a command, and let the campaign pass once the command follows it."""
    running = asyncio.create_task(run(*words, **cloud.exports()))
    async with asyncio.timeout(60):
        while not (cloud.count("software.campaigns.devices") or running.done()):
            await asyncio.sleep(0.01)
        cloud.clock.advance(timedelta(days=33))
        return await running


async def test_firmware_and_campaigns_are_listed(cloud: Simulator) -> None:
    status, printed, complaints = await run("firmware", "list", "--account", ACCOUNT, **cloud.exports())
    assert (status, complaints) == (0, "")
    assert [PACKAGE.name, "Verizon", "VZM20Q", "VZM20Q_1.0", "VZM20Q_1.1"] in [
        line.split() for line in printed.splitlines()
    ]
    words = ("firmware", "campaigns", "--account", ACCOUNT, "--json")
    assert await run(*words, **cloud.exports()) == (0, "[]\n", "")


async def test_devices_are_upgraded_and_their_results_written(
    cloud: Simulator, imeis: list[str], tmp_path: Path
) -> None:
    cloud.platform.room(Software).failures[imeis[0]] = 99
    results = tmp_path / "results.csv"
    words = upgrade(cloud, tmp_path, imeis, "--yes", "--hours", "1-9", "--results", str(results))
    status, printed, complaints = await run_to_the_end(cloud, *words)
    lines = [line.split() for line in printed.splitlines()]
    assert (status, lines[0], len(lines)) == (4, ["imei", "status", "reason"], 6)
    assert [imeis[0], "UpgradeFailed", "DownloadFailed"] in lines
    assert "5 devices, 5 of them without a license\ncampaign " in complaints
    assert complaints.endswith("4 devices were upgraded, 1 were not\n")
    rows = list(csv.DictReader(io.StringIO(results.read_text())))
    assert {row["imei"]: row["status"] for row in rows} == {
        imei: "UpgradeFailed" if imei == imeis[0] else "UpgradeSuccess" for imei in imeis
    }
    assert stat.S_IMODE(results.stat().st_mode) == 0o600
    campaign_id = complaints.split("campaign ")[1].split()[0]
    listed = await run("firmware", "campaigns", "--account", ACCOUNT, **cloud.exports())
    assert campaign_id in listed[1]
    words = ["firmware", "follow", campaign_id, "--account", ACCOUNT, "--every", "0.1", "--json"]
    status, printed, _ = await run(*words, **cloud.exports())
    assert (status, {one["deviceId"] for one in json.loads(printed)}) == (4, set(imeis))
    assert cloud.count("software.campaigns.schedule") == 1


async def test_a_dry_run_changes_nothing_and_tells_what_stands_in_the_way(
    cloud: Simulator, imeis: list[str], tmp_path: Path
) -> None:
    words = upgrade(cloud, tmp_path, [*imeis, "990013907835573"], "--dry-run")
    status, printed, complaints = await run(*words, **cloud.exports())
    assert (status, printed) == (1, "")
    assert "1 devices are not in the account, such as 990013907835573" in complaints
    assert cloud.count("software.campaigns.schedule") == cloud.count("software.licenses.assign") == 0
    assert (await run(*upgrade(cloud, tmp_path, imeis, "--dry-run"), **cloud.exports()))[0] == 0


async def test_without_a_terminal_the_command_needs_a_yes(cloud: Simulator, imeis: list[str], tmp_path: Path) -> None:
    status, _, complaints = await run(*upgrade(cloud, tmp_path, imeis), **cloud.exports())
    assert status == 1
    assert "Pass --yes to confirm without a terminal" in complaints
    assert cloud.count("software.campaigns.schedule") == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("--firmware", "none"), "--firmware none is not in the list"),
        (("--start", "soon"), "--start must be a date such as 2026-01-31, not 'soon'"),
        (("--hours", "night"), "--hours must be two hours such as 1-5, not 'night'"),
        (("--hours", "5-5"), "of no hours"),
        (("--yes", "--results", "/nowhere/results.csv"), "--results /nowhere/results.csv cannot be written"),
    ],
)
async def test_wrong_options_are_explained(
    cloud: Simulator, imeis: list[str], tmp_path: Path, changes: tuple[str, ...], said: str
) -> None:
    status, _, complaints = await run(*upgrade(cloud, tmp_path, imeis, *changes), **cloud.exports())
    assert status == 2
    assert said in complaints
    assert cloud.count("software.campaigns.schedule") == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no devices"),
        ("imei\n", "has no devices"),
        ("imei\n990013907835573\n12", "has no IMEI of 15 digits on line 3"),
        ("990013907835573\n12", "has no IMEI of 15 digits on line 2"),
        (None, "cannot be read"),
    ],
)
def test_a_file_without_imeis_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str | None, said: str
) -> None:
    listed = tmp_path / "devices.csv"
    if content is not None:
        listed.write_text(content)
    words = ["firmware", "upgrade", "--account", ACCOUNT, "--name", "a", "--firmware", "b", "--from", str(listed)]
    status, _, complaints = run_inside(capsys, *words, "--start", "2026-01-01", "--end", "2026-01-01")
    assert (status, said in complaints) == (2, True)


async def test_a_terminal_shows_the_latest_devices_and_the_counts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(firmware, "Console", lambda **_: Console(file=shown, force_terminal=True, width=100))

    async def changes() -> AsyncGenerator[DeviceStatus]:
        for number in range(12):
            yield DeviceStatus(device_id=f"{number:015}", status=DeviceUpgradeStatus.SUCCESS)

    await firmware._show(changes(), None, Output())
    printed, complaints = capsys.readouterr()
    assert (len(printed.splitlines()), complaints) == (13, "12 devices were upgraded, 0 were not\n")
    last = shown.getvalue().rpartition("12 UpgradeSuccess")[2]
    assert f"{11:015}" in last
    assert f"{1:015}" not in last
