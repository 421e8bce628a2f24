"""Input that `thingspace fleet` refuses before it logs in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import run_inside
from thingspace_async._core.environment import VARIABLES

pytestmark = pytest.mark.processes

IMEI = "490154203237518"


class Desk:
    """A file of devices, an inbox that does not exist yet, and no credentials."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.source = folder / "devices.csv"
        self.inbox = folder / "messages.db"
        self._capsys = capsys

    def run(self, action: str, *words: str) -> tuple[int, str, str]:
        named = ("--account", "0000123456-00001", "--from", str(self.source), "--inbox", str(self.inbox), "--yes")
        return run_inside(self._capsys, "fleet", action, *named, *words)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path, capsys)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--retry", "failed"], "no run 'suspend devices'"),
        (["--retry", "succeeded"], "--retry takes failed, missing, unknown"),
        (["--retry", ""], "--retry takes failed, missing, unknown"),
        (["--retry", "failed", "--again"], "choose one"),
        (["--replace"], "go with --base-url"),
        (["--no-serve"], "go with --base-url"),
        (["--account", ""], "--account is empty"),
        (["--run", ""], "--run is empty"),
        (["--results", "/no such folder/x.csv"], "cannot be written: its folder does not exist"),
        (["--results", "/dev/null"], "is not a file"),
        (["--environment", "prod"], "production, staging, mock"),
        (["--inbox", "mysql://host"], "--inbox mysql://… has an unknown scheme"),
        (["--inbox", ""], "--inbox is empty"),
        (["--inbox", "no such folder/messages.db"], "no such folder/messages.db"),
        (["--inbox", "redis://:se/cret@host:port"], "--inbox redis://… cannot be read as a URL"),
        ([], "THINGSPACE_CLIENT_ID"),
    ],
)
def test_invalid_options_are_one_line(desk: Desk, words: list[str], said: str) -> None:
    desk.source.write_text(f"imei\n{IMEI}\n")
    status, printed, complaints = desk.run("suspend", *words)
    last = complaints.splitlines()[-1]
    failed = said in ("no such folder/messages.db", "THINGSPACE_CLIENT_ID")
    assert (status, printed, last.startswith("thingspace: ")) == (1 if failed else 2, "", True), complaints
    assert said in last
    assert "cret" not in complaints


def test_the_devices_are_not_overwritten_with_results(desk: Desk) -> None:
    desk.source.write_text(f"imei\n{IMEI}\n")
    status, _, complaints = desk.run("suspend", "--results", str(desk.source))
    assert (status, "choose another file" in complaints) == (2, True)
    assert desk.source.read_text() == f"imei\n{IMEI}\n"


def test_a_file_that_does_not_exist_is_one_line(desk: Desk) -> None:
    status, printed, complaints = desk.run("suspend")
    assert (status, printed) == (2, "")
    assert complaints == f"thingspace: --from {desk.source} cannot be read: No such file or directory\n"


@pytest.mark.parametrize("words", [["activate"], ["activate", "--plan", "X"], ["suspend", "--plan", "X"]])
def test_each_action_has_options_of_its_own(desk: Desk, words: list[str]) -> None:
    status, _, complaints = desk.run(*words)
    assert status == 2
    assert "--zip-code" in complaints or "--plan" in complaints


def test_bad_rows_are_reported_with_their_lines(desk: Desk) -> None:
    desk.source.write_text(f'imei,note\n{IMEI},"two\nlines"\n123,x\n\n,lost\n{IMEI},again\n')
    status, printed, complaints = desk.run("suspend")
    first, second, summary = complaints.splitlines()
    assert (status, printed) == (2, "")
    assert first == f"{desk.source}, line 4: has the imei 123, which must be 14 to 16 digits"
    assert second == f"{desk.source}, line 6: has no imei"
    assert summary.startswith(f"thingspace: nothing was sent: {desk.source} has 2 bad rows")
    assert "--skip-bad" in summary
    _, _, complaints = desk.run("suspend", "--skip-bad")
    assert "1 device, 2 bad rows left out, 1 repeated row left out" in complaints


def test_no_more_than_some_bad_rows_are_listed(desk: Desk) -> None:
    desk.source.write_text("\n".join(["imei", *(str(number) for number in range(50))]))
    _, _, complaints = desk.run("suspend")
    assert len(complaints.splitlines()) == 22
    assert "30 more bad rows" in complaints


def test_a_file_without_devices_is_nothing_to_do(desk: Desk) -> None:
    desk.source.write_text("imei\n")
    complaints = f"{desk.source}: 0 devices\nthingspace: the file has no devices to send\n"
    assert desk.run("suspend") == (3, "", complaints)
    assert not desk.inbox.exists()


def test_imeis_with_a_wrong_check_digit_are_counted(desk: Desk) -> None:
    desk.source.write_text("imei\n990013907835578\n490154203237519\n356938035643808\n")
    _, _, complaints = desk.run("suspend")
    assert "2 IMEIs with a wrong check digit, the first in line 3: look for typos" in complaints


def test_the_runs_of_an_inbox_that_does_not_exist_are_one_line(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("runs",), ("status", "any")):
        status, printed, complaints = run_inside(capsys, "fleet", *words, "--inbox", str(desk.inbox))
        assert (status, printed, complaints) == (2, "", f"thingspace: --inbox {desk.inbox} does not exist\n")
