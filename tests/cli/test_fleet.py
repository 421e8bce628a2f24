"""`thingspace fleet`, as a user runs it: in a process of its own."""

from __future__ import annotations

import asyncio
import csv
import signal
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from tests.cli.commands import run
from tests.cli.test_cli import finish, reaching, start
from thingspace_async.callbacks import SqliteInbox
from thingspace_async.callbacks.receiver import Receiver
from thingspace_async.callbacks.web import serve
from thingspace_async.simulator import Assumptions, Simulator
from thingspace_async.simulator.faults import Delay, Status

ACCOUNT = "0000123456-00001"
SOON = Assumptions(request_time=timedelta(seconds=0.05))


class Place:
    """A folder with a list of devices, a simulator, and a receiver that fills the inbox."""

    def __init__(self, folder: Path, cloud: Simulator) -> None:
        self.cloud = cloud
        self.source = folder / "devices.csv"
        self.results = folder / "devices.results.csv"
        self.inbox = folder / "messages.db"

    def active(self, count: int) -> list[str]:
        """Have devices be in service, and return their IMEIs."""
        devices = [self.cloud.devices[place] for place in range(count)]
        for device in devices:
            device.state = "active"
        return [one["id"] for device in devices for one in device.device_ids if one["kind"].casefold() == "imei"]

    def write(self, imeis: list[str]) -> None:
        self.source.write_text("\n".join(["imei,note", *(f"{imei},mine" for imei in imeis)]))

    def read(self) -> list[dict[str, str]]:
        with self.results.open(newline="") as lines:
            return list(csv.DictReader(lines))

    def words(self, action: str, *words: str) -> list[str]:
        named = ["--account", ACCOUNT, "--from", str(self.source), "--inbox", str(self.inbox)]
        return ["fleet", action, *named, *words]

    async def start(self, action: str, *words: str) -> Process:
        return await start(*self.words(action, *words), **reaching(self.cloud))

    async def run(self, action: str, *words: str) -> tuple[int, str, str]:
        return await run(*self.words(action, *words), **reaching(self.cloud))

    def sent(self, action: str) -> list[str]:
        bodies = [orjson.loads(one.body) for one in self.cloud.received if one.operation == f"devices.{action}"]
        return [device["deviceIds"][0]["id"] for body in bodies for device in body["devices"]]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with Simulator(devices=50, assumptions=SOON) as cloud, SqliteInbox(tmp_path / "messages.db") as inbox:
        receiver = Receiver(inbox)
        receiver.expect("CarrierService", username="fleet", password="a password")
        async with serve(receiver, port=0) as url:
            cloud.listeners[ACCOUNT]["CarrierService"] = {
                "url": receiver.url_of(url, "CarrierService"),
                "username": "fleet",
                "password": "a password",
            }
            yield Place(tmp_path, cloud)


async def test_devices_are_changed_and_each_result_is_a_line(place: Place) -> None:
    imeis = place.active(20)
    place.cloud.devices[3].state = "suspend"
    place.write(imeis)
    status, printed, complaints = await place.run("suspend")
    assert (status, "Traceback" in complaints) == (1, False), complaints
    assert printed == f"suspend devices: 1 failed, 19 succeeded; see {place.results}\n"
    assert "20/20" in complaints
    found = {row["imei"]: row for row in place.read()}
    assert set(found) == set(imeis)
    assert found[imeis[3]]["result"] == "failed"
    assert found[imeis[3]]["code"] == "UnifiedWebService.INPUT_INVALID.DeviceState.Invalid"
    assert found[imeis[0]] == {
        "imei": imeis[0],
        "result": "succeeded",
        "request id": next(iter(place.cloud.late_requests)),
        "code": "",
        "reason": "",
    }


async def test_each_action_does_what_its_name_says(place: Place) -> None:
    place.write(place.active(5))
    for words, state in (
        (["suspend"], "suspend"),
        (["restore"], "active"),
        (["plan", "--plan", "M2M_PP"], "active"),
        (["deactivate"], "deactive"),
    ):
        status, printed, complaints = await place.run(*words)
        assert (status, complaints.count("Traceback")) == (0, 0), complaints
        assert "5 succeeded" in printed
        assert {place.cloud.devices[number].state for number in range(5)} == {state}
    place.source.write_text("\ufeffIMEI, ICCID ,mdn\n990013907835573,89141390780800784259,\n,,\n")
    status, printed, _ = await place.run("activate", "--plan", "M2M_PP", "--zip-code", "94105")
    assert (status, "1 succeeded" in printed) == (0, True)
    (row,) = place.read()
    assert (row["imei"], row["iccid"], "mdn" in row) == ("990013907835573", "89141390780800784259", False)


async def test_run_again_it_sends_nothing_and_writes_all_results_again(place: Place) -> None:
    imeis = place.active(25)
    place.write(imeis[:20])
    await place.run("suspend")
    place.results.unlink()
    place.write(imeis[::-1])
    status, printed, complaints = await place.run("suspend")
    assert (status, "25 succeeded" in printed) == (0, True)
    assert "20 outcomes are of earlier runs of this name" in complaints
    assert len(place.read()) == 25
    assert len(place.sent("suspend")) == len(set(place.sent("suspend"))) == 25
    status, printed, _ = await place.run("suspend", "--run", "another")
    assert (status, "25 failed" in printed) == (1, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_after_an_interrupt_it_goes_on(place: Place, number: signal.Signals) -> None:
    place.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    imeis = place.active(30)
    place.write(imeis)
    process = await place.start("suspend")
    async with asyncio.timeout(60):
        while not place.cloud.late_requests:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    process.send_signal(number)
    status, _, complaints = await finish(process)
    if number == signal.SIGINT:
        assert status == 128 + number
        assert "Interrupted. The same command goes on where it was." in complaints
        assert place.cloud.count("session.log_out") == 1
    place.cloud.clock.advance(timedelta(hours=2))
    status, printed, _ = await place.run("suspend")
    assert (status, "30 succeeded" in printed) == (0, True)
    assert len(place.sent("suspend")) == 30


async def test_what_was_sent_and_not_answered_is_unknown_and_not_sent_again(place: Place) -> None:
    place.cloud.faults.add("devices.suspend", Delay(30))
    place.write(place.active(3))
    process = await place.start("suspend")
    async with asyncio.timeout(60):
        while not place.sent("suspend"):
            await asyncio.sleep(0.01)
    process.kill()
    await process.communicate()
    status, printed, _ = await place.run("suspend")
    assert (status, "3 unknown" in printed) == (1, True)
    assert Counter(row["result"] for row in place.read()) == {"unknown": 3}
    assert len(place.sent("suspend")) == 3


async def test_a_refused_request_is_told_for_each_of_its_devices(place: Place) -> None:
    place.cloud.faults.add("devices.suspend", Status(400, {"errorCode": "A.B", "errorMessage": "No."}))
    place.write(place.active(3))
    status, printed, _ = await place.run("suspend")
    assert (status, "3 failed" in printed) == (1, True)
    assert {row["reason"] for row in place.read()} == {"[400] devices.suspend: No. (A.B)"}


async def test_it_receives_messages_itself_where_it_is_told_its_url(place: Place) -> None:
    place.cloud.listeners.clear()
    place.write(place.active(3))
    for port in range(28200, 28221):
        url = f"http://127.0.0.1:{port}/"
        status, printed, complaints = await place.run("suspend", "--base-url", url, "--port", str(port))
        if "choose another --port" not in complaints:
            break
    assert (status, "3 succeeded" in printed) == (0, True), complaints
    assert list(place.cloud.listeners[ACCOUNT]) == ["CarrierService"]


async def test_the_devices_are_not_overwritten_with_results(place: Place) -> None:
    place.write(place.active(1))
    before = place.source.read_text()
    status, _, complaints = await place.run("suspend", "--results", str(place.source))
    assert (status, "choose another file" in complaints) == (1, True)
    assert place.source.read_text() == before


async def test_outcomes_that_do_not_come_in_time_are_missing(place: Place) -> None:
    place.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    place.write(place.active(3))
    status, printed, _ = await place.run("suspend", "--hours", "0")
    assert (status, "3 missing" in printed) == (1, True)


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        (None, [], "cannot be read: No such file"),
        ("", [], "needs a heading line"),
        ("serial\n5", [], "needs a heading line"),
        ("imei,note\n,x", [], "line 2 names no device"),
        ("imei\n\x00\xff", [], "is no CSV file in UTF-8"),
        ("imei\n990013907835573", ["--account", ""], "--account is empty"),
        ("imei\n990013907835573", ["--plan", "X"], "--plan does not go with suspend"),
        ("imei\n990013907835573", ["--results", "/no such folder/x.csv"], "cannot be written"),
        ("imei\n990013907835573", ["--run", ""], ""),
        ("imei\n990013907835573", ["--hours", "inf"], ""),
    ],
)
async def test_what_cannot_work_is_one_line_and_nothing_is_sent(
    place: Place, text: str | None, words: list[str], said: str
) -> None:
    if text is not None:
        place.source.write_bytes(text.encode("latin-1"))
    status, _, complaints = await place.run("suspend", *words)
    if said:
        assert (status, complaints.strip().splitlines()[-1].startswith("thingspace: ")) == (1, True), complaints
        assert said in complaints
        assert place.sent("suspend") == []
    assert "Traceback" not in complaints


@pytest.mark.parametrize(("words", "said"), [([], "--plan"), (["--plan", "M2M_PP"], "--zip-code")])
async def test_what_an_action_needs_is_said(place: Place, words: list[str], said: str) -> None:
    place.write(place.active(1))
    status, _, complaints = await place.run("activate", *words)
    assert (status, complaints) == (1, f"thingspace: activate needs {said}\n")
