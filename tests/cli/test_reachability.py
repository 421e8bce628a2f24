"""`thingspace reachability`, as a user runs it."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.cli.commands import run
from tests.cli.place import ACCOUNT, Place
from tests.cli.test_cli import finish, start
from thingspace_async.simulator.rooms.reachability import Reachability

pytestmark = pytest.mark.processes


def waiting(place: Place) -> tuple[str, ...]:
    return ("--inbox", str(place.inbox))


def monitors(place: Place) -> list[str]:
    return list(place.cloud.platform.room(Reachability).monitors)


async def test_monitors_are_started_listed_and_stopped_by_id_and_by_device(place: Place) -> None:
    first, second, third = place.active(3)
    words = ("reachability", "start", first, second, third, "--type", "loss", "--days", "7", "--yes", *waiting(place))
    status, printed, complaints = await place.command(*words)
    assert (status, complaints.count("\n")) == (0, 1)
    started = monitors(place)
    assert len(started) == 3
    assert all(name in printed for name in started)

    status, printed, _ = await place.command("reachability", "list", first, second, *waiting(place), "--json")
    found = {one["deviceIds"][0]["id"]: one["deviceResponse"]["monitors"] for one in json.loads(printed)}
    assert set(found) == {first, second}
    assert found[first][0]["requestType"] == "LOSS_OF_CONNECTIVITY"
    status, printed, _ = await place.command("reachability", "list", first, "--type", "sms", *waiting(place), "--json")
    assert json.loads(printed)[0]["deviceResponse"]["monitors"] == []

    stop = ("reachability", "stop", "--yes", *waiting(place))
    status, _, _ = await place.command(*stop, first, "--monitor", started[2])
    assert (status, monitors(place)) == (0, [started[1]])
    status, _, _ = await place.command(*stop, second)
    assert (status, monitors(place)) == (0, [])


async def test_a_monitor_that_does_not_exist_ends_with_a_status_of_its_own(place: Place) -> None:
    words = ("reachability", "stop", "--monitor", "nothing", "--yes", *waiting(place))
    status, printed, _ = await place.command(*words)
    assert (status, "There is no such monitor." in printed) == (4, True)


async def test_whether_a_device_can_be_reached_is_printed(place: Place) -> None:
    (imei,) = place.active(1)
    status, printed, _ = await place.command("reachability", "status", imei, *waiting(place))
    assert (status, "reachable: " in printed) == (0, True)
    status, printed, complaints = await place.command("reachability", "status", imei, "--format", "jsonl")
    assert (status, "requestId" in json.loads(printed)) == (0, True)
    assert complaints == "The results arrive later: pass --inbox to wait for them.\n"


async def test_the_messages_of_a_monitor_are_followed(place: Place) -> None:
    (imei,) = place.active(1)
    status, printed, _ = await place.command("reachability", "start", imei, "--yes", "--format", "jsonl")
    assert status == 0
    following = ("requests", "follow", json.loads(printed)["requestId"], *waiting(place), "--format", "jsonl")
    process = await start(*following, "--limit", "2")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert "monitorId" in json.loads(await process.stdout.readline())["deviceResponse"]
    place.cloud.report_reachability(place.cloud.devices[0], reachable=True)
    status, printed, complaints = await finish(process)
    assert (status, json.loads(printed)["deviceResponse"]["reachable"], complaints) == (0, True, "")


async def test_a_wait_that_ends_without_all_results_prints_those_that_came(place: Place) -> None:
    imei, other = place.active(2)
    place.cloud.listeners[ACCOUNT].pop("DiagnosticsService")
    words = ("reachability", "status", imei, *waiting(place), "--minutes", "0.01")
    status, printed, complaints = await place.command(*words)
    assert (status, complaints.count("\n")) == (1, 2)
    assert "1 of 1 devices have no outcome" in complaints
    assert other not in printed


async def test_starting_and_stopping_ask_first(place: Place) -> None:
    (imei,) = place.active(1)
    for words, what in (
        (("reachability", "start", imei), f"monitor 1 device of {ACCOUNT} for 30 days"),
        (
            ("reachability", "stop", imei, "--monitor", "7"),
            f"end 1 monitor and all monitors of 1 device of account {ACCOUNT}",
        ),
    ):
        status, _, complaints = await place.command(*words)
        assert (status, complaints.startswith(f"thingspace: This will {what}. Continue?")) == (1, True)
        status, _, complaints = await place.command(*words, "--dry-run")
        assert (status, complaints) == (0, f"would {what}\n")
    assert not place.cloud.requests


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("stop",), "nothing to stop: name devices, or pass --monitor with the id of a monitor"),
        (("start",), "no devices: name them, or pass a file with --from"),
        (("status", "car 7"), "car 7 is not an identifier"),
    ],
)
async def test_a_command_without_devices_is_one_line(place: Place, words: tuple[str, ...], complaint: str) -> None:
    status, printed, complaints = await place.command("reachability", *words)
    assert (status, printed, complaints.count("\n")) == (2, "", 1)
    assert complaints.startswith(f"thingspace: {complaint}")


async def test_an_inbox_that_does_not_exist_is_not_made_by_following_a_request(place: Place) -> None:
    path = place.inbox.with_name("mistyped.db")
    status, _, complaints = await run("requests", "follow", "1", "--inbox", str(path))
    assert (status, f"--inbox {path} does not exist" in complaints, path.exists()) == (2, True, False)
