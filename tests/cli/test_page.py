"""The page on the command line: every command on it works unchanged."""

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import socket
from pathlib import Path

import pytest

from tests.cli.commands import run_on
from tests.cli.place import ACCOUNT, Place
from tests.cli.test_cli import finish, reaching, start
from tests.surface.rooms import PACKAGE
from thingspace_async._cli import COMMANDS as KNOWN
from thingspace_async._cli.fleet import app as fleet

pytestmark = pytest.mark.processes

PAGE = (PACKAGE / "_cli" / "README.md").read_text()
COMMANDS = re.findall(r"^ *(thingspace .*)$", "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)), re.MULTILINE)
LASTING = ("simulator", "receiver")
SECRETS = {"THINGSPACE_CALLBACK_USERNAME": "fleet", "THINGSPACE_CALLBACK_PASSWORD": "a password"}


def words_of(command: str) -> list[str]:
    return shlex.split(command)[1:]


@pytest.mark.parametrize("command", [one for one in COMMANDS if words_of(one)[0] in LASTING])
async def test_a_command_of_the_page_runs_until_it_is_interrupted(tmp_path: Path, command: str) -> None:
    words = ["0" if word in ("9001", "9010", "9464") else word for word in words_of(command)]
    if words[0] == "receiver":
        words += ["--inbox", str(tmp_path / "messages.db")]
    process = await start(*words, **SECRETS)
    assert process.stdout is not None
    async for line in process.stdout:
        if b"Ctrl-C" in line:
            break
    process.send_signal(signal.SIGINT)
    status, _, complaints = await finish(process)
    assert (status, complaints) == (128 + signal.SIGINT, "")


async def test_the_commands_of_the_page_do_their_work_one_after_the_other(place: Place) -> None:
    """Questions are answered with yes, and the page's URL leads to this machine."""
    place.cloud.listeners[ACCOUNT].pop("CarrierService")  # The commands of `fleet` register their own.
    place.write(place.active(3))
    folder = place.source.parent
    (folder / "new.csv").write_text("imei,iccid\n990013907835573,89141390780800784259\n")
    ours, theirs = pty.openpty()
    try:
        for command in COMMANDS:
            words = words_of(command)
            if words[0] in LASTING:
                continue
            place.active(3)
            if "restore" in words:
                place.suspend(3)
            os.write(ours, b"y\n")
            status, _, complaints = await run_on(
                os.ttyname(theirs),
                *led_here(place, words),
                PWD=str(folder),
                THINGSPACE_INBOX=str(place.inbox),
                **reaching(place.cloud),
            )
            assert status == 0, (command, complaints)
    finally:
        os.close(ours)
        os.close(theirs)


def led_here(place: Place, words: list[str]) -> list[str]:
    """Redirect the page's URL to this machine: to the command's own port, or to the place's receiver."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    url = place.receiver_url if "--no-serve" in words else f"http://127.0.0.1:{port}"
    return [{"https://fleet.example.com/callbacks": url, "9002": port}.get(word, word) for word in words]


def test_the_page_shows_every_command() -> None:
    # Commands that need a public URL are shown, too, but not run.
    shown = {tuple(line.split()[1:3]) for line in PAGE.splitlines() if line.strip().startswith("thingspace ")}
    for name in (one.name for one in fleet.registered_commands if not one.hidden):
        assert ("fleet", name) in shown
    assert {words[0] for words in shown} == set(KNOWN)
