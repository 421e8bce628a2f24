"""What the commands for single devices have in common: how they fail, and how they end."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.cli.commands import run, run_inside
from tests.cli.place import ACCOUNT, Place
from tests.cli.test_cli import VARIABLES, finish, reaching, start, start_with

pytestmark = pytest.mark.processes

IMEI = "353272090079193"

READING = [
    ("groups", "list"),
    ("groups", "get", "Pumps"),
    ("sms", "queued"),
    ("esim", "status", "1"),
    ("reachability", "status", IMEI),
    ("reachability", "list", IMEI),
]
CHANGING = [
    ("groups", "create", "Pumps", "--description", "In the west"),
    ("groups", "add", "Pumps", IMEI),
    ("groups", "remove", "Pumps", IMEI),
    ("groups", "delete", "Pumps"),
    ("sms", "send", "Hello", IMEI),
    ("sms", "queued", "--remove"),
    ("sms", "follow"),
    ("esim", "enable", IMEI),
    ("reachability", "start", IMEI),
    ("reachability", "stop", IMEI),
]
ALL = [*READING, *((*words, "--yes") for words in CHANGING), ("devices", "history", IMEI)]


def name_of(words: tuple[str, ...]) -> str:
    return " ".join(words[:2])


@pytest.mark.parametrize("words", ALL, ids=name_of)
async def test_a_wrong_password_is_one_line_and_is_sent_once(place: Place, words: tuple[str, ...]) -> None:
    variables = {**reaching(place.cloud), VARIABLES[3]: "not-this-one"}
    status, printed, complaints = await run(*words, "--account", ACCOUNT, **variables)
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
    assert "check username and password" in complaints
    assert "not-this-one" not in complaints
    assert place.cloud.count("session.log_in") == 1


@pytest.mark.parametrize("words", ALL, ids=name_of)
async def test_an_account_that_does_not_exist_is_one_line(place: Place, words: tuple[str, ...]) -> None:
    status, printed, complaints = await run(*words, "--account", "0000999999-00001", **reaching(place.cloud))
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
    assert complaints.startswith("thingspace: ")
    assert place.cloud.count("session.log_out") == 1


@pytest.mark.parametrize("words", CHANGING, ids=name_of)
@pytest.mark.parametrize("width", ["80", "200"])
def test_a_change_can_be_confirmed_and_tried_and_its_help_has_an_example(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("NO_COLOR", "1")
    status, printed, _ = run_inside(capsys, *words[:2], "--help")
    assert status == 0
    assert all(option in printed for option in ("--yes", "--dry-run", f"Example: thingspace {name_of(words)}"))
    assert max(map(len, printed.splitlines())) <= int(width)
    assert "\x1b" not in printed


@pytest.mark.parametrize("words", [*READING[:3], ("devices", "history", IMEI, "--connections")], ids=name_of)
async def test_an_output_that_cannot_be_written_is_one_line_after_the_log_out(
    place: Place, words: tuple[str, ...]
) -> None:
    assert (await place.command("groups", "create", "Pumps", "--description", "x", IMEI, "--yes"))[0] == 0
    unwritable = os.open(os.devnull, os.O_RDONLY)  # It fails as a full disk does.
    process = await start_with(None, unwritable, *words, "--account", ACCOUNT, **reaching(place.cloud))
    os.close(unwritable)
    status, _, complaints = await finish(process)
    assert (status, complaints.count("\n")) == (1, 1)
    assert place.cloud.count("session.log_out") == place.cloud.count("session.log_in")


async def test_an_interrupted_wait_leaves_the_request_id_with_which_it_can_go_on(place: Place) -> None:
    (imei,) = place.active(1)
    place.cloud.listeners[ACCOUNT].pop("DiagnosticsService")
    words = ("reachability", "start", imei, "--yes", "--inbox", str(place.inbox), "--account", ACCOUNT)
    process = await start(*words, **reaching(place.cloud))
    assert process.stderr is not None
    async with asyncio.timeout(60):
        line = (await process.stderr.readline()).decode()
    process.send_signal(signal.SIGINT)
    status, printed, complaints = await finish(process)
    assert (status, printed, complaints) == (128 + signal.SIGINT, "", "")
    assert line.startswith("request ")
    assert len(line.split()[1]) == 36
