"""`thingspace v2x enrol`, as a user runs it."""

from __future__ import annotations

import json
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.commands import run
from thingspace_async.simulator import Simulator, Status

pytestmark = pytest.mark.processes

ID = "2f1f9d0e-6a0e-4c52-9c0f-0d5c3f6f2a11"
REGISTER = "v2x.clients.register"


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator() as cloud:
        yield cloud


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def modes_of(files: set[Path]) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in files}


async def enrol(cloud: Simulator, folder: Path, *words: str, at: str = "33.45,-84.55") -> tuple[int, str, str]:
    options = ("--vendor", "vendor", "--device-id", ID, "--at", at, "--folder", str(folder))
    return await run("v2x", "enrol", *options, *words, **cloud.exports())


async def test_a_client_is_enrolled_once_and_its_files_make_a_connection(cloud: Simulator, tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    for _ in range(2):
        status, printed, complaints = await enrol(cloud, folder, "--yes")
        assert (status, complaints) == (0, "")
        about = json.loads(printed)
        files = {Path(about[name]) for name in ("key", "certificate", "authority")}
        assert set(files_in(folder)) == {path.name for path in files}
        assert modes_of(files) == {0o600}
        context = ssl.create_default_context(cafile=about["authority"])
        context.load_cert_chain(about["certificate"], about["key"])
        assert about["deviceId"] == ID
        assert about["mqttUrls"]
    assert cloud.count(REGISTER) == 1


async def test_a_dry_run_says_what_would_happen_and_registers_nothing(cloud: Simulator, tmp_path: Path) -> None:
    status, printed, complaints = await enrol(cloud, tmp_path, "--dry-run")
    assert (status, printed, complaints) == (0, "", f"would register {ID} as a new client\n")
    await enrol(cloud, tmp_path, "--yes")
    *_, complaints = await enrol(cloud, tmp_path, "--dry-run")
    assert complaints == f"would renew the certificate of {ID}\n"
    assert cloud.count(REGISTER) == 1


async def test_without_a_terminal_it_registers_nothing_unless_told_to(cloud: Simulator, tmp_path: Path) -> None:
    status, printed, complaints = await enrol(cloud, tmp_path)
    assert (status, printed) == (1, "")
    assert "Pass --yes to confirm without a terminal" in complaints
    assert not cloud.count(REGISTER)


async def test_a_folder_that_cannot_be_made_is_refused_before_a_client_is_registered(
    cloud: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    status, _, complaints = await enrol(cloud, tmp_path / "file" / "certificates", "--yes")
    assert status == 1
    assert complaints.startswith("thingspace: ")
    assert len(complaints.splitlines()) == 1
    assert not cloud.count(REGISTER)


async def test_a_key_that_cannot_be_written_is_read_again_by_the_next_command(cloud: Simulator, tmp_path: Path) -> None:
    (tmp_path / f"{ID}.ca.pem").mkdir()
    status, printed, complaints = await enrol(cloud, tmp_path, "--yes")
    assert (status, printed) == (1, "")
    assert "run the command again with another --folder" in complaints
    assert "PRIVATE KEY" not in complaints
    assert files_in(tmp_path) == [f"{ID}.ca.pem"]
    status, printed, _ = await enrol(cloud, tmp_path / "other", "--yes")
    assert status == 0
    context = ssl.create_default_context()
    context.load_cert_chain(json.loads(printed)["certificate"], json.loads(printed)["key"])


@pytest.mark.parametrize("at", ["north", "33.45", "133,-84", "33.45,-84.55,3"])
async def test_a_place_that_is_none_is_refused_before_anything_is_sent(
    cloud: Simulator, tmp_path: Path, at: str
) -> None:
    status, printed, complaints = await enrol(cloud, tmp_path, "--yes", at=at)
    assert (status, printed) == (2, "")
    assert len(complaints.splitlines()) == 1
    assert not cloud.requests


async def test_a_refused_registration_is_one_line(cloud: Simulator, tmp_path: Path) -> None:
    cloud.faults.add(REGISTER, Status(400, {"error": "Bad Request", "description": "Vendor limit reached"}))
    status, _, complaints = await enrol(cloud, tmp_path, "--yes")
    assert (status, "Vendor limit reached" in complaints) == (1, True)
    assert files_in(tmp_path) == []
