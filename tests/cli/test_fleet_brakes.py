"""Checks, messages and questions of `thingspace fleet` before it sends."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.commands import run
from tests.cli.place import ACCOUNT, Place
from tests.cli.test_cli import finish, reaching
from tests.redis.servers import RedisServer, free_port, needs_redis
from thingspace_async.simulator import Assumptions

pytestmark = pytest.mark.processes


async def test_a_finished_run_is_refused_with_a_status_of_its_own(place: Place) -> None:
    """After suspend and restore, a second suspend must not report success without sending."""
    place.write(place.active(3))
    assert (await place.run("suspend"))[0] == 0
    assert (await place.run("restore"))[0] == 0
    place.results.write_text("of the restore")
    status, printed, complaints = await place.run("suspend")
    assert (status, printed) == (3, "")
    assert "the run 'suspend devices' is finished, and nothing was sent" in complaints
    assert "--again" in complaints
    assert "--run NAME" in complaints
    assert place.results.read_text() == "of the restore"
    assert len(place.sent("suspend")) == 3
    assert {place.cloud.devices[number].state for number in range(3)} == {"active"}


@pytest.mark.parametrize("state", ["finished", "unfinished"])
@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (("--account", "0000999999-00001"), {}),
        (("--account", "0000999999-00001", "--again"), {}),
        ((), {"THINGSPACE_ENVIRONMENT": "localhost"}),
        (("--base-url", "https://fleet.example.com/", "--no-serve", "--account", "0000999999-00001"), {}),
    ],
)
async def test_a_run_of_another_account_or_platform_is_refused_before_anything_is_sent(
    place: Place, words: tuple[str, ...], changed: dict[str, str], state: str
) -> None:
    """The status of a finished run would report to a nightly job of this account that its devices were sent."""
    place.cloud.add_account("0000999999-00001", devices=1)
    place.write(place.active(3))
    if state == "unfinished":
        place.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    await place.run("suspend", *(("--hours", "0") if state == "unfinished" else ()))
    sent, requests = len(place.sent("suspend")), len(place.cloud.requests)
    variables = {**reaching(place.cloud), **changed}
    if changed:
        variables["THINGSPACE_ENVIRONMENT"] = place.cloud.url.replace("127.0.0.1", "localhost")
    status, printed, complaints = await run(*place.words("suspend", "--yes", *words), **variables)
    assert (status, printed) == (2, "")
    assert "is for another account, platform or other options: choose another name with --run" in complaints
    assert (len(place.sent("suspend")), len(place.cloud.requests)) == (sent, requests)


@pytest.mark.parametrize("words", [("--again",), ("--run", "another")])
async def test_a_finished_run_is_sent_again_on_request(place: Place, words: tuple[str, ...]) -> None:
    place.write(place.active(3))
    await place.run("suspend")
    await place.run("restore")
    status, printed, _ = await place.run("suspend", *words)
    assert (status, "3 succeeded" in printed) == (0, True)
    assert len(place.sent("suspend")) == 6


async def test_devices_that_failed_are_sent_again_on_request(place: Place) -> None:
    imeis = place.active(4)
    place.cloud.devices[2].state = "suspend"
    place.write(imeis)
    assert (await place.run("suspend"))[0] == 4
    place.cloud.devices[2].state = "active"
    status, printed, _ = await place.run("suspend", "--retry", "failed, unknown")
    assert (status, "4 succeeded" in printed) == (0, True), printed
    assert sorted(place.sent("suspend")) == sorted([*imeis, imeis[2]])


async def test_a_dry_run_checks_everything_and_changes_nothing(place: Place, tmp_path: Path) -> None:
    imeis = place.active(3)
    place.write([*imeis, imeis[0]])
    inbox = tmp_path / "not yet.db"
    status, printed, complaints = await place.run_unsure("suspend", "--dry-run", "--inbox", str(inbox))
    assert (status, printed) == (
        0,
        f"Dry run, nothing was sent: Suspend 3 devices of account {ACCOUNT} on {place.cloud.url}.\n",
    )
    assert "3 devices, 1 repeated row left out" in complaints
    assert (place.sent("suspend"), inbox.exists(), place.results.exists()) == ([], False, False)
    await place.run("suspend")
    assert (await place.run_unsure("suspend", "--dry-run"))[0] == 3


@pytest.mark.parametrize("action", [["suspend"], ["deactivate"], ["change-plan", "--plan", "M2M_PP"]])
async def test_without_a_terminal_it_sends_only_with_yes(place: Place, action: list[str]) -> None:
    place.write(place.active(2))
    status, printed, complaints = await place.run_unsure(*action)
    assert (status, printed) == (1, "")
    assert "2 devices of account" in complaints
    assert complaints.endswith("Pass --yes to confirm without a terminal\n")
    assert place.sent(action[0]) == []


async def test_restoring_needs_no_confirmation(place: Place) -> None:
    place.write(place.active(2))
    await place.run("suspend")
    status, _, complaints = await place.run_unsure("restore")
    assert (status, "terminal" in complaints) == (0, False), complaints


@pytest.mark.parametrize(("typed", "status", "sent"), [("Y\n", 0, 3), ("\n", 1, 0), ("\x04", 1, 0)])
async def test_on_a_terminal_it_asks_with_the_count(place: Place, typed: str, status: int, sent: int) -> None:
    place.write(place.active(3))
    found, _, complaints = await place.run_on_terminal(typed, "suspend")
    assert f"Suspend 3 devices of account {ACCOUNT} on {place.cloud.url}? [y/N] " in complaints
    assert (found, len(place.sent("suspend")), "Traceback" in complaints) == (status, sent, False)
    assert place.cloud.count("session.log_out") == 1


async def test_an_interrupted_question_sends_nothing(place: Place) -> None:
    place.write(place.active(3))
    status, _, complaints = await place.interrupt_on_terminal("suspend")
    assert (status, place.sent("suspend"), "Traceback" in complaints) == (128 + signal.SIGINT, [], False)
    assert place.cloud.count("session.log_out") == 1


async def test_without_a_listener_it_says_so_before_it_sends(place: Place) -> None:
    place.cloud.listeners.clear()
    place.write(place.active(2))
    status, _, complaints = await place.run_unsure("restore", "--hours", "0")
    assert status == 1
    assert f"No listener is registered for CarrierService of account {ACCOUNT}" in complaints
    assert "Pass --yes" in complaints
    assert place.sent("restore") == []
    _, printed, complaints = await place.run("suspend", "--hours", "0")
    assert "No listener is registered" in complaints
    assert "2 missing" in printed


async def test_results_are_private_and_harmless_from_their_first_moment(place: Place) -> None:
    imeis = place.active(1)
    place.source.write_text(f"=note,imei\n=cmd|' /C calc'!A0,{imeis[0]}\n")
    place.results.write_text("earlier")
    place.results.chmod(0o644)
    await place.run("suspend")
    (row,) = place.read()
    assert row["'=note"] == "'=cmd|' /C calc'!A0"
    assert place.results.stat().st_mode & 0o777 == 0o600


async def test_two_commands_do_not_write_the_same_results(place: Place) -> None:
    place.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    place.write(place.active(2))
    process = await place.start("suspend")
    async with asyncio.timeout(60):
        while not place.cloud.late_requests:
            await asyncio.sleep(0.01)
    status, _, complaints = await place.run("suspend")
    assert (status, f"another process writes {place.results}" in complaints) == (1, True), complaints
    process.send_signal(signal.SIGINT)
    await finish(process)
    assert {path.name for path in place.source.parent.glob("devices.*")} == {"devices.csv"}


async def test_an_interrupted_run_leaves_earlier_results_alone(place: Place) -> None:
    imeis = place.active(3)
    place.write(imeis[:2])
    await place.run("suspend")
    place.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    place.write(imeis)
    before = place.results.read_text()
    process = await place.start("suspend", "--run", "another")
    part = place.results.with_name("devices.results.csv.part")
    async with asyncio.timeout(60):
        while not place.cloud.late_requests or not part.exists():
            await asyncio.sleep(0.01)
    assert part.stat().st_mode & 0o777 == 0o600
    process.send_signal(signal.SIGINT)
    await finish(process)
    assert place.results.read_text() == before


async def test_runs_and_their_states_are_listed(place: Place) -> None:
    place.write(place.active(3))
    assert (await place.look("runs"))[1].split() == ["run", "state", "devices", "operation"]
    await place.run("suspend")
    place.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    await place.run("restore", "--run", "late", "--hours", "0")
    status, printed, _ = await place.look("runs")
    assert status == 0
    assert [line.split("  ")[0] for line in printed.splitlines()] == ["run", "late", "suspend devices"]
    assert re.search(r"suspend devices +finished +3 +devices.suspend", printed)
    assert re.search(r"late +unfinished +3 +devices.restore", printed)
    lines = (await place.look("status", "suspend devices"))[1].splitlines()
    assert [line.split(maxsplit=1) for line in lines[:3]] == [
        ["run", "suspend devices"],
        ["operation", "devices.suspend"],
        ["state", "finished"],
    ]
    assert lines[3:] == ["accepted, and every outcome has come  3"]
    status = json.loads((await place.look("status", "suspend devices", "--json"))[1])
    assert (status["finished"], status["devices"]) == (True, {"finished": 3})
    assert "accepted, with outcomes missing       3\n" in (await place.look("status", "late"))[1]
    status, printed, complaints = await place.look("status", "no such run")
    assert (status, printed) == (1, "")
    assert "no run 'no such run' in" in complaints


async def test_a_run_in_progress_is_shown_and_not_started_again(place: Place) -> None:
    place.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    place.write(place.active(2))
    process = await place.start("suspend")
    async with asyncio.timeout(60):
        while not place.cloud.late_requests:
            await asyncio.sleep(0.01)
    assert "in progress in 1 process" in (await place.look("status", "suspend devices"))[1]
    status, _, complaints = await place.run("suspend", "--again")
    assert (status, "another process is working on the run" in complaints) == (1, True)
    place.cloud.clock.advance(timedelta(hours=2))
    assert (await finish(process))[0] == 0


async def test_the_name_of_another_actions_run_is_refused(place: Place) -> None:
    place.write(place.active(1))
    await place.run("suspend")
    status, _, complaints = await place.run("restore", "--run", "suspend devices")
    assert (status, "the run 'suspend devices' is for devices.suspend" in complaints) == (2, True)


@needs_redis
async def test_runs_are_kept_in_redis_too(place: Place, redis_server: RedisServer) -> None:
    place.write(place.active(2))
    for status in (0, 3):
        words = ("--inbox", redis_server.url, "--base-url", f"http://127.0.0.1:{(port := free_port())}/", "--replace")
        found, _, complaints = await place.run("suspend", *words, "--port", str(port))
        assert found == status, complaints
    assert " finished\n" in (await place.look("status", "suspend devices", "--inbox", redis_server.url))[1]
