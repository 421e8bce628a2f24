"""`thingspace fleet`, as a user runs it: in a separate process."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

import pytest

from tests.cli.place import ACCOUNT, Place
from tests.cli.test_cli import finish
from thingspace_async.simulator import Assumptions
from thingspace_async.simulator.faults import Delay, Status

pytestmark = pytest.mark.processes


async def test_devices_are_changed_and_each_result_is_a_line(place: Place) -> None:
    imeis = place.active(20)
    place.cloud.devices[3].state = "suspend"
    place.write(imeis)
    status, printed, complaints = await place.run("suspend")
    assert (status, "Traceback" in complaints) == (4, False), complaints
    assert printed == f"suspend devices: 1 failed, 19 succeeded; see {place.results}\n"
    assert "20/20" in complaints
    found = {row["imei"]: row for row in place.read()}
    assert set(found) == set(imeis)
    assert found[imeis[3]]["result"] == "failed"
    assert found[imeis[3]]["code"] == "UnifiedWebService.INPUT_INVALID.DeviceState.Invalid"
    assert found[imeis[0]] == {
        "imei": imeis[0],
        "note": "mine",
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
        (["change-plan", "--plan", "M2M_PP"], "active"),
        (["deactivate"], "deactive"),
    ):
        status, printed, complaints = await place.run(*words)
        assert (status, complaints.count("Traceback")) == (0, 0), complaints
        assert "5 succeeded" in printed
        assert {place.cloud.devices[number].state for number in range(5)} == {state}
    place.source.write_text("\ufeffIMEI, ICCID ,mdn\n990013907835578,89141390780800784259,\n,,\n")
    status, printed, _ = await place.run("activate", "--plan", "M2M_PP", "--zip-code", "94105")
    assert (status, "1 succeeded" in printed) == (0, True)
    (row,) = place.read()
    assert (row["IMEI"], row[" ICCID "], row["mdn"]) == ("990013907835578", "89141390780800784259", "")


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)],  # A lease must run out.
)
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
        assert "Interrupted. The same command continues the run." in complaints
        assert place.cloud.count("session.log_out") == 1
    place.cloud.clock.advance(timedelta(hours=2))
    status, printed, _ = await place.run("suspend")
    assert (status, "30 succeeded" in printed) == (0, True)
    assert len(place.sent("suspend")) == 30


@pytest.mark.slow
async def test_what_was_sent_and_not_answered_is_reconciled_and_not_sent_again(place: Place) -> None:
    place.cloud.faults.add("devices.suspend", Delay(30))
    place.write(place.active(3))
    process = await place.start("suspend")
    async with asyncio.timeout(60):
        while not place.sent("suspend"):
            await asyncio.sleep(0.01)
    process.kill()
    await process.communicate()
    status, printed, _ = await place.run("suspend")
    assert (status, "3 succeeded" in printed) == (0, True)
    assert len(place.sent("suspend")) == 3


async def test_a_refused_request_is_reported_for_each_of_its_devices(place: Place) -> None:
    place.cloud.faults.add("devices.suspend", Status(400, {"errorCode": "A.B", "errorMessage": "No."}))
    place.write(place.active(3))
    status, printed, _ = await place.run("suspend")
    assert (status, "3 failed" in printed) == (4, True)
    assert {row["reason"] for row in place.read()} == {"[400] devices.suspend: No. (A.B)"}


async def run_here(place: Place, *words: str) -> tuple[int, str, str]:
    """Suspend with the command's own receiver, on a free port that the platform allows."""
    for port in range(28200, 28221):
        url = f"http://127.0.0.1:{port}/"
        status, printed, complaints = await place.run("suspend", "--base-url", url, "--port", str(port), *words)
        if "choose another --port" not in complaints:
            break
    return status, printed, complaints


async def test_it_receives_messages_itself_with_a_base_url(place: Place) -> None:
    place.cloud.listeners.clear()
    place.write(place.active(3))
    status, printed, complaints = await run_here(place)
    assert (status, "3 succeeded" in printed) == (0, True), complaints
    assert not place.cloud.listeners[ACCOUNT]


async def test_a_listener_of_another_program_is_replaced_on_request_and_put_back(place: Place) -> None:
    before = dict(place.cloud.listeners[ACCOUNT])
    place.write(place.active(3))
    status, _, complaints = await run_here(place)
    assert (status, place.sent("suspend")) == (1, [])
    assert f"outcomes of account {ACCOUNT} go to {before['CarrierService']['url']}" in complaints
    assert "pass --replace" in complaints
    status, printed, complaints = await run_here(place, "--replace")
    assert (status, "3 succeeded" in printed) == (0, True), complaints
    assert place.cloud.listeners[ACCOUNT] == before


async def test_outcomes_that_do_not_come_in_time_are_missing(place: Place) -> None:
    place.cloud.assumptions = Assumptions(request_time=timedelta(hours=1))
    place.write(place.active(3))
    status, printed, _ = await place.run("suspend", "--hours", "0")
    assert (status, "3 missing" in printed) == (4, True)
