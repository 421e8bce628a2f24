"""`thingspace sms`, as a user runs it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.commands import environment, run
from tests.cli.place import ACCOUNT, Place
from tests.cli.test_cli import finish, start, start_with
from thingspace_async.simulator import Assumptions, Reset, Simulator, Status
from thingspace_async.simulator.rooms.sms import Sms

pytestmark = pytest.mark.processes

SEND = ("sms", "send", "Can you hear me now?")


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    """Make a platform that keeps messages from devices in the queue, as no listener is registered."""
    async with Simulator(devices=5) as cloud:
        yield cloud


def receive(cloud: Simulator, count: int, *, first: int = 0) -> list[str]:
    """Let a device send messages, and return their texts."""
    texts = [f"{number} degrees" for number in range(first, first + count)]
    for text in texts:
        cloud.receive_sms(cloud.devices[0], text)
    return texts


def queue(cloud: Simulator) -> list[str]:
    return [one.text for one in cloud.platform.room(Sms).queued[ACCOUNT]]


async def queued(cloud: Simulator, *words: str) -> tuple[int, str, str]:
    return await run("sms", "queued", "--account", ACCOUNT, *words, **cloud.exports())


def texts_in(printed: str) -> list[str]:
    return [json.loads(line)["message"] for line in printed.splitlines()]


# Messages to devices


async def test_the_outcome_of_each_message_is_printed_from_the_inbox(place: Place) -> None:
    first, second = place.active(2)
    words = (first, second, "--yes", "--inbox", str(place.inbox))
    status, printed, complaints = await place.command(*SEND, *words)
    assert (status, complaints.endswith("was accepted, waiting for its results\n")) == (0, True)
    assert {line.split()[1] for line in printed.splitlines()[1:]} == {first, second}
    assert "confirmation: Sent" in printed
    device = place.cloud.devices.find("imei", first)
    assert device is not None
    assert device.texts == ["Can you hear me now?"]


async def test_a_message_that_fails_for_a_device_ends_with_a_status_of_its_own(place: Place) -> None:
    (active,) = place.active(1)
    place.suspend(3)
    suspended = place.cloud.devices[2].imei or ""
    place.active(1)
    words = (active, suspended, "--yes", "--inbox", str(place.inbox), "--json")
    status, printed, complaints = await place.command(*SEND, *words)
    assert (status, complaints.count("\n")) == (4, 1)
    faults = {one["deviceIds"][0]["id"]: one.get("faultResponse", {}).get("faultstring") for one in json.loads(printed)}
    assert faults == {active: None, suspended: "The device is not active."}


async def test_without_an_inbox_the_request_id_is_printed_and_its_messages_are_read_later(place: Place) -> None:
    (imei,) = place.active(1)
    status, printed, complaints = await place.command(*SEND, imei, "--yes")
    assert (status, complaints) == (0, "The results arrive later: pass --inbox to wait for them.\n")
    request_id = printed.split()[-1]
    words = ("requests", "follow", request_id, "--inbox", str(place.inbox), "--format", "jsonl")
    status, printed, complaints = await run(*words, "--limit", "2")
    assert (status, complaints) == (0, "")
    assert {json.loads(line)["confirmation"] for line in printed.splitlines()} == {"Sent", "Received"}
    status, printed, complaints = await run(*words, "--minutes", "0.01")
    assert (status, len(printed.splitlines()), complaints.count("\n")) == (1, 2, 1)
    assert "no message has arrived" in complaints


async def test_a_message_is_billed_so_it_is_sent_after_a_confirmation_only(place: Place) -> None:
    (imei,) = place.active(1)
    status, _, complaints = await place.command(*SEND, imei)
    assert (status, "which is billed. Continue? Pass --yes" in complaints) == (1, True)
    status, printed, complaints = await place.command(*SEND, imei, "--dry-run")
    what = f"would send the message to 1 device of {ACCOUNT}, which is billed\n"
    assert (status, printed, complaints) == (0, "", what)
    assert (await place.command_on_terminal("no\n", *SEND, imei))[0] == 1
    assert not place.cloud.count("sms.send")
    assert (await place.command_on_terminal("y\n", *SEND, imei))[0] == 0
    assert place.cloud.count("sms.send") == 1


async def test_a_message_whose_answer_is_lost_is_not_sent_twice(place: Place) -> None:
    (imei,) = place.active(1)
    place.cloud.faults.add("sms.send", Reset(processed=True))
    status, printed, complaints = await place.command(*SEND, imei, "--yes")
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
    assert place.cloud.count("sms.send") == 1


async def test_a_device_that_is_named_twice_gets_one_message(place: Place) -> None:
    (imei,) = place.active(1)
    status, _, _ = await place.command(*SEND, imei, imei[:14], f"imei={imei}", "--yes", "--inbox", str(place.inbox))
    assert status == 0
    device = place.cloud.devices.find("imei", imei)
    assert device is not None
    assert len(device.texts) == 1


async def test_the_devices_of_a_group_are_counted_before_they_are_sent_to(place: Place) -> None:
    group = place.cloud.devices[0].group_name or ""
    count = sum(one.group_name == group and one.account_name == ACCOUNT for one in place.cloud.devices)
    status, _, complaints = await place.command(*SEND, "--group", group, "--dry-run")
    assert (status, f"to {count:,} device" in complaints) == (0, True)
    assert count
    status, _, complaints = await place.command(*SEND, "--plan", "NONE", "--yes")
    assert (status, complaints.count("\n")) == (1, 1)
    assert not place.cloud.count("sms.send")


@pytest.mark.parametrize("words", [(), ("353272090079193", "--group", "Pumps")])
async def test_a_message_to_nobody_in_particular_never_goes_to_the_whole_account(
    place: Place, words: tuple[str, ...]
) -> None:
    status, printed, complaints = await place.command(*SEND, *words, "--yes")
    assert (status, printed) == (2, "")
    assert complaints == ("thingspace: name the devices of the message, or pass --group or --plan, but not both\n")
    assert not place.cloud.requests


async def test_an_inbox_that_no_receiver_has_made_is_found_out_before_the_message_is_sent(
    place: Place, tmp_path: Path
) -> None:
    (imei,) = place.active(1)
    path = tmp_path / "mistyped.db"
    status, _, complaints = await place.command(*SEND, imei, "--yes", "--inbox", str(path))
    assert status == 2
    assert complaints == (
        f"thingspace: --inbox {path} does not exist: name the inbox of a running `thingspace receiver`\n"
    )
    assert not place.cloud.requests
    assert not path.exists()


# Messages from devices


async def test_the_queue_is_shown_without_removing_anything_from_it(cloud: Simulator) -> None:
    texts = receive(cloud, 130)
    status, printed, complaints = await queued(cloud, "--format", "jsonl")
    assert (status, texts_in(printed)) == (0, texts[:100])
    assert complaints == "There are more messages: --remove prints and removes all.\n"
    assert queue(cloud) == texts
    cloud.platform.room(Sms).queued[ACCOUNT][40:] = []
    status, printed, complaints = await queued(cloud)
    assert (status, complaints, queue(cloud)) == (0, "", texts[:40])
    assert printed.splitlines()[0].split() == ["time", "device", "message"]


async def test_a_block_that_the_platform_counts_as_acknowledged_is_pointed_out() -> None:
    async with Simulator(devices=1, assumptions=Assumptions(last_sms_block_leads_on=False)) as cloud:
        (text,) = receive(cloud, 1)
        status, printed, complaints = await queued(cloud, "--format", "jsonl")
    assert (status, texts_in(printed)) == (0, [text])
    assert complaints.startswith("The platform may have removed these messages")


async def test_messages_are_removed_after_a_confirmation_only(cloud: Simulator) -> None:
    texts = receive(cloud, 2)
    status, printed, complaints = await queued(cloud, "--remove")
    assert (status, printed, "Pass --yes to confirm" in complaints) == (1, "", True)
    status, printed, complaints = await queued(cloud, "--remove", "--dry-run")
    what = f"would remove messages from the queue of {ACCOUNT} after printing them\n"
    assert (status, printed, complaints) == (0, "", what)
    assert queue(cloud) == texts


@pytest.mark.parametrize("form", ["table", "csv", "json", "jsonl"])
async def test_all_messages_are_printed_and_then_removed(cloud: Simulator, form: str) -> None:
    texts = receive(cloud, 230)
    status, printed, complaints = await queued(cloud, "--remove", "--yes", "--format", form)
    assert (status, complaints) == (0, "")
    assert all(text in printed for text in texts)
    assert queue(cloud) == []


@pytest.mark.parametrize("form", ["table", "csv", "json", "jsonl"])
async def test_no_message_is_removed_before_it_was_printed(cloud: Simulator, form: str) -> None:
    texts = receive(cloud, 30)  # One block, which the request for the next one removes.
    unwritable = os.open(os.devnull, os.O_RDONLY)  # It fails as a full disk does.
    words = ("sms", "queued", "--account", ACCOUNT, "--remove", "--yes", "--format", form)
    process = await start_with(None, unwritable, *words, **cloud.exports())
    os.close(unwritable)
    status, _, complaints = await finish(process)
    assert (status, complaints.count("\n")) == (1, 1)
    assert queue(cloud) == texts


async def test_a_closed_stdout_removes_nothing(cloud: Simulator) -> None:
    texts = receive(cloud, 2)
    words = ("sms", "queued", "--account", ACCOUNT, "--remove", "--yes")
    command = ("sh", "-c", 'exec "$0" "$@" >&-', sys.executable, "-m", "thingspace_async", *words)
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE, env=environment(cloud.exports()))
    assert process.stderr is not None
    complaints = (await process.stderr.read()).decode()
    assert (await process.wait(), "stdout is closed" in complaints) == (1, True)
    assert queue(cloud) == texts


async def test_the_queue_is_followed_through_faults_and_each_message_is_printed_once(cloud: Simulator) -> None:
    texts = receive(cloud, 3)
    cloud.faults.add("sms.queued", Status(503, {}), times=2)
    words = ("--account", ACCOUNT, "--every", "0.05", "--yes", "--format", "jsonl", "--limit", "5")
    running = asyncio.create_task(run("sms", "follow", *words, **cloud.exports()))
    async with asyncio.timeout(60):
        while queue(cloud):
            await asyncio.sleep(0.01)
        texts += receive(cloud, 2, first=3)
        status, printed, complaints = await running
    assert (status, texts_in(printed)) == (0, texts)
    assert complaints.startswith("The queue cannot be read, trying again: ")
    assert complaints.count("\n") == 1


async def test_a_block_that_comes_again_and_again_is_printed_once(cloud: Simulator) -> None:
    """The platform may give no means to acknowledge the last block."""
    message = {"deviceIds": [{"id": "5550007919", "kind": "mdn"}], "message": "22 degrees"}
    cloud.faults.add("sms.queued", Status(200, {"messages": [message], "hasMoreData": False}), times=None)
    words = ("--account", ACCOUNT, "--every", "0.01", "--yes", "--format", "jsonl")
    process = await start("sms", "follow", *words, **cloud.exports())
    async with asyncio.timeout(60):
        while cloud.count("sms.queued") < 5:
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    status, printed, complaints = await finish(process)
    assert (status, texts_in(printed), complaints) == (128 + signal.SIGINT, ["22 degrees"], "")
    assert cloud.count("session.log_out") == 1


async def test_following_the_queue_asks_first_and_names_the_listener_that_gets_new_messages(place: Place) -> None:
    words = ("sms", "follow", "--limit", "1")
    status, _, complaints = await place.command(*words)
    assert (status, "Pass --yes to confirm" in complaints) == (1, True)
    status, printed, complaints = await place.command(*words, "--dry-run")
    assert (status, printed, complaints.startswith("would remove messages")) == (0, "", True)
    assert not place.cloud.count("sms.queued")
    listener = place.cloud.listeners[ACCOUNT].pop("EnhancedConnectivityService")
    receive(place.cloud, 1)
    place.cloud.listeners[ACCOUNT]["EnhancedConnectivityService"] = listener
    status, printed, complaints = await place.command(*words, "--yes")
    assert (status, "0 degrees" in printed) == (0, True)
    assert complaints == (f"New messages go to {listener['url']}: pass the --inbox of its receiver to print them\n")


async def test_new_messages_in_an_inbox_are_printed_without_credentials(place: Place) -> None:
    receive(place.cloud, 2)
    await place.cloud.delivered()
    words = ("sms", "follow", "--inbox", str(place.inbox), "--format", "jsonl")
    status, printed, complaints = await run(*words, "--stored", "--limit", "2")
    assert (status, texts_in(printed), complaints) == (0, ["0 degrees", "1 degrees"], "")

    process = await start(*words, "--limit", "2")
    assert process.stdout is not None
    sending = asyncio.create_task(_keep_sending(place.cloud))
    status, printed, complaints = await finish(process)
    sending.cancel()
    texts = texts_in(printed)
    assert (status, len(texts), complaints) == (0, 2, "")
    assert set(texts).isdisjoint({"0 degrees", "1 degrees"})


async def _keep_sending(cloud: Simulator) -> None:
    """Send messages until the command has begun to read."""
    for number in range(2, 10_000):
        receive(cloud, 1, first=number)
        await asyncio.sleep(0.1)


async def test_a_message_that_a_receiver_with_a_late_clock_stores_is_printed(place: Place) -> None:
    receive(place.cloud, 1)
    await place.cloud.delivered()
    process = await start("sms", "follow", "--inbox", str(place.inbox), "--stored", "--limit", "2", "--format", "jsonl")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert b"0 degrees" in await process.stdout.readline()
    with closing(sqlite3.connect(place.inbox)) as file, file:
        file.execute(
            "INSERT INTO message (request_id, service, received_at, digest, body) SELECT request_id, service, "
            "strftime('%Y-%m-%dT%H:%M:%fZ', received_at, '-1 minute'), 'another', replace(body, '0 deg', '1 deg') "
            "FROM message"
        )
    status, printed, complaints = await finish(process)
    assert (status, texts_in(printed), complaints) == (0, ["1 degrees"], "")
