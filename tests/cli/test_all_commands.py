"""Every command: on narrow and wide terminals, piped, without colors, interrupted, and with everything that is wrong.

A command without a row fails the first test. The others take half a minute, so they have the mark of slow processes.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from rich.cells import cell_len

from tests.cli.commands import run_on_full_disk
from tests.cli.inside import Inside, serving
from tests.cli.leaves import leaves
from tests.cli.rows import ACCOUNT, ROWS, Row, Stage
from thingspace_async.callbacks import SqliteInbox
from thingspace_async.simulator import Stage as Exchange

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLORS = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[0-9;]*m")
OTHER = "0000999999-00001"

every = pytest.mark.parametrize("name", ROWS, ids=" ".join)
waiting = pytest.mark.parametrize(
    "name", [name for name, row in ROWS.items() if row.logs_in or row.lasts], ids=" ".join
)
logging_in = pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.logs_in], ids=" ".join)
of_accounts = pytest.mark.parametrize(
    "name", [name for name, row in ROWS.items() if row.logs_in and row.has_account], ids=" ".join
)


@attrs.define
class Hang:
    """Answers a request so late that the command waits."""

    began: threading.Event = attrs.field(factory=threading.Event)

    async def play(self, exchange: Exchange) -> None:
        self.began.set()
        await asyncio.sleep(60)


@pytest.fixture
def stage(inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.chdir(tmp_path)
    with serving(devices=60) as cloud:
        cloud.listeners[ACCOUNT]["CarrierService"] = {
            "accountName": ACCOUNT,
            "serviceName": "CarrierService",
            "url": "https://fleet.example.com/callbacks",
            "username": "fleet",
            "password": "a password",
        }
        inside.set(**cloud.exports(), THINGSPACE_ACCOUNT=ACCOUNT)
        stage = Stage(inside, cloud, tmp_path)
        (tmp_path / "devices.csv").write_text(f"imei\n{stage.imei}\n")
        asyncio.run(make_inbox())
        yield stage


async def make_inbox() -> None:
    async with SqliteInbox("messages.db"):
        pass


class Waiting:
    """Returns whether a command has waited for a while: it handles signals itself then."""

    def __init__(self) -> None:
        self._since: float | None = None

    def __call__(self) -> bool:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            return False
        self._since = self._since or time.monotonic()
        return time.monotonic() > self._since + 0.1


def words_of(stage: Stage, name: tuple[str, ...]) -> tuple[str, ...]:
    """Do what comes before a command, and return its words."""
    row = ROWS[name]
    if row.before is not None:
        stage.do(*row.before(stage))
    return (*name, *row.words(stage))


def logins(stage: Stage) -> tuple[int, int]:
    """Return how often commands have logged in, and out."""
    return stage.cloud.count("session.log_in"), stage.cloud.count("session.log_out")


def check(row: Row, status: int, printed: str, complaints: str) -> None:
    assert "Traceback" not in printed + complaints
    assert status == (130 if row.lasts else row.status), complaints


def test_every_command_has_a_row() -> None:
    assert set(ROWS) == set(leaves())


def test_commands_that_print_data_can_print_json() -> None:
    """Some print JSON always, and `demo` has nothing for programs."""
    found = leaves()
    printing = [name for name, row in ROWS.items() if row.prints or row.lasts]
    without = [name for name in printing if not any("--json" in option.opts for option in found[name].params)]
    assert without == [("demo",), ("request",), ("stream",), ("v2x", "enrol")]


@every
def test_the_help_has_an_example_whose_options_exist(name: tuple[str, ...]) -> None:
    command = leaves()[name]
    found = re.match(r"Example: thingspace ([^\n]+)", command.epilog or "")
    assert found is not None
    words = shlex.split(found[1].partition(" > ")[0])
    assert tuple(words[: len(name)]) == name
    command.make_context(" ".join(name), words[len(name) :])


@pytest.mark.processes
@every
@pytest.mark.parametrize("columns", [80, 200])
def test_the_output_fits_a_terminal_and_has_no_colors_that_are_not_wanted(
    stage: Stage, name: tuple[str, ...], columns: int
) -> None:
    row, words = ROWS[name], words_of(stage, name)
    stage.inside.set(NO_COLOR="1")
    status, printed, complaints = stage.inside.run_on_terminal(
        *words, columns=columns, waits=Waiting() if row.lasts else None
    )
    check(row, status, printed, complaints)
    assert COLORS.findall(printed + complaints) == []
    if not row.is_data:
        assert [line for line in ESCAPES.sub("", printed).splitlines() if cell_len(line) > columns] == []


@pytest.mark.processes
@every
def test_piped_output_has_no_escape_codes(stage: Stage, name: tuple[str, ...]) -> None:
    row, words = ROWS[name], words_of(stage, name)
    if row.lasts:
        status, printed, complaints = stage.inside.run_interrupted(Waiting(), *words)
    else:
        status, printed, complaints = stage.inside.run(*words)
    check(row, status, printed, complaints)
    assert (bool(printed), "\x1b" in printed + complaints) == (row.prints, False)


@pytest.mark.processes
@waiting
def test_an_interrupt_ends_it_and_no_session_is_left(stage: Stage, name: tuple[str, ...]) -> None:
    row, words = ROWS[name], words_of(stage, name)
    before = logins(stage)
    hang = Hang()
    if row.logs_in:
        stage.cloud.faults.add("*", hang, times=1, after=2)  # After both tokens.
    waits = hang.began.is_set if row.logs_in else Waiting()
    status, printed, complaints = stage.inside.run_interrupted(waits, *words)
    assert (status, "Traceback" in printed + complaints) == (130, False), complaints
    assert logins(stage) == (before[0] + row.logs_in, before[1] + row.logs_in)


@pytest.mark.processes
def test_a_json_array_is_closed_by_an_interrupt(stage: Stage) -> None:
    stage.cloud.add_devices(2500)
    hang = Hang()
    stage.cloud.faults.add("devices.list", hang, times=1, after=1)
    words = ("devices", "list", "--account", ACCOUNT, "--json")
    status, printed, complaints = stage.inside.run_interrupted(hang.began.is_set, *words)
    assert (status, len(json.loads(printed)), complaints) == (130, 2000, "")


@pytest.mark.processes
@logging_in
def test_a_wrong_password_is_sent_once_and_is_one_line(stage: Stage, name: tuple[str, ...]) -> None:
    words = words_of(stage, name)
    before = logins(stage)
    stage.inside.set(THINGSPACE_PASSWORD="hush-wrong")
    status, printed, complaints = stage.inside.run(*words, "--quiet")
    assert (status, logins(stage)) == (1, (before[0] + 1, before[1]))
    (line,) = [line for line in complaints.splitlines() if line.startswith("thingspace: ")]
    assert "check username and password" in line
    assert "hush-wrong" not in printed + complaints
    assert "Traceback" not in complaints


@pytest.mark.processes
@of_accounts
def test_an_account_that_does_not_exist_is_one_line(stage: Stage, name: tuple[str, ...]) -> None:
    words = words_of(stage, name)
    before = logins(stage)
    status, printed, complaints = stage.inside.run(*words, "--quiet", "--account", OTHER)
    assert (status, "Traceback" in printed + complaints) == (1, False), complaints
    assert complaints.count("\n") == 1, complaints
    assert complaints.startswith("thingspace: ")
    assert logins(stage) == (before[0] + 1, before[1] + 1)


@pytest.mark.processes
@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.prints], ids=" ".join)
def test_a_full_disk_is_one_line(stage: Stage, name: tuple[str, ...]) -> None:
    words = words_of(stage, name)
    before = logins(stage)
    variables = {name: value for name, value in os.environ.items() if name.startswith("THINGSPACE_")}
    status, _, complaints = asyncio.run(run_on_full_disk(*words, "--quiet", PWD=str(stage.folder), **variables))
    assert (status, complaints.count("\n"), complaints.startswith("thingspace: [Errno ")) == (1, 1, True)
    after = logins(stage)
    assert after[0] - before[0] == after[1] - before[1]
