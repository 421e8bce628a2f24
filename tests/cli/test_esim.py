"""`thingspace esim`, as a user runs it."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import run, run_inside
from tests.cli.place import ACCOUNT, Place
from thingspace_async._cli.esim import _ACTIONS
from thingspace_async.esim.calls import OPERATIONS
from thingspace_async.simulator import Reset
from thingspace_async.simulator.fleet import Device

pytestmark = pytest.mark.processes

SMSR = "1.3.6.1.4.1.31746.1.500.200.101.5"


def named(device: Device) -> str:
    """Return the identifiers of a device, as an argument has them."""
    by_kind = {one["kind"].casefold(): one["id"] for one in device.device_ids}
    return ",".join(by_kind[kind] for kind in ("eid", "iccid", "imei") if kind in by_kind)


def active(place: Place) -> Device:
    place.active(1)
    return place.cloud.devices[0]


async def test_a_profile_is_downloaded_enabled_disabled_and_deleted(place: Place) -> None:
    device = active(place)
    for action, *options in (
        ["download", "--plan", "M2M_4G_5MB"],
        ["enable", "--smsr-oid", SMSR],
        ["disable", "--smsr-oid", SMSR],
        ["delete"],
        ["download-and-enable"],
        ["suspend"],
        ["resume"],
        ["set-fallback"],
        ["set-global-fallback"],
    ):
        words = ("esim", action, named(device), "--yes", "--inbox", str(place.inbox), *options)
        status, printed, complaints = await place.command(*words)
        assert (status, complaints.count("\n")) == (0, 1), (action, complaints)
        assert device.imei is not None
        assert device.imei in printed
        assert "Success" in printed
    assert device.profile.status == "DOWNLOAD_ENABLE"
    assert device.profile.is_fallback


async def test_a_deactivated_device_returns_into_service(place: Place) -> None:
    device = active(place)
    waiting = ("--yes", "--inbox", str(place.inbox))
    options = ("--reason-code", "FF", "--etf-waiver", "--no-check-fallback")
    status, _, _ = await place.command("esim", "deactivate", named(device), *waiting, *options)
    assert (status, device.state) == (0, "deactive")
    body = json.loads(next(one.body for one in place.cloud.requests if one.operation == "esim.deactivate"))
    assert (body["reasonCode"], body["etfWaiver"], body["checkFallbackProfile"]) == ("FF", True, False)
    assert "servicePlan" not in body
    status, printed, _ = await place.command("esim", "renew-activation-code", named(device), *waiting)
    assert (status, "LPA:1$" in printed) == (0, True)
    for action in ("activate", "activate-and-enable"):
        device.state = "deactive"
        words = ("esim", action, named(device), "--plan", "M2M_4G_5MB", "--zip-code", "94105", *waiting)
        assert ((await place.command(*words))[0], device.state) == (0, "active")
    assert ((await place.command("esim", "suspend-device", named(device), *waiting))[0], device.state) == (0, "suspend")


async def test_a_profile_that_cannot_be_changed_ends_with_a_status_of_its_own_and_the_reason(place: Place) -> None:
    words = ("esim", "enable", named(active(place)), "--yes", "--inbox", str(place.inbox))
    status, printed, complaints = await place.command(*words)
    assert (status, complaints.count("\n")) == (4, 1)
    assert "Profile is not downloaded" in printed


async def test_the_status_of_a_request_is_printed_for_each_device(place: Place) -> None:
    device = active(place)
    status, printed, complaints = await place.command("esim", "download", named(device), "--yes")
    assert (status, complaints) == (0, "The results arrive later: pass --inbox to wait for them.\n")
    request_id = printed.split()[-1]
    await place.cloud.delivered()
    status, printed, complaints = await place.command("esim", "status", request_id)
    assert (status, complaints) == (0, f"request {request_id}: Success\n")
    assert device.imei is not None
    assert (device.imei in printed, "  Success  " in printed) == (True, True)
    _, printed, _ = await place.command("esim", "download", named(device), "--yes")  # It has the profile already.
    await place.cloud.delivered()
    status, printed, _ = await place.command("esim", "status", printed.split()[-1])
    assert (status, "  Failed  " in printed) == (4, True)


@pytest.mark.parametrize("action", sorted(_ACTIONS))
def test_each_command_says_what_it_does_and_how_to_name_devices(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, printed, _ = run_inside(capsys, "esim", action, "--help")
    assert status == 0
    shown = " ".join(printed.split())
    assert "Name each device by" in shown
    assert f"Example: thingspace esim {action} " in shown
    assert max(map(len, printed.splitlines())) <= 80


def test_every_call_of_the_room_has_a_command() -> None:
    assert {f"esim.{name.replace('-', '_')}" for name in _ACTIONS} == {one.name for one in OPERATIONS}


async def test_a_change_asks_first_and_is_sent_once(place: Place) -> None:
    words = ("esim", "deactivate", named(active(place)))
    status, _, complaints = await place.command(*words)
    assert status == 1
    assert complaints.startswith(
        f"thingspace: This will end the service of 1 device of {ACCOUNT}, which may cost a fee for early termination."
    )
    assert (await place.command_on_terminal("n\n", *words))[0] == 1
    status, _, complaints = await place.command(*words, "--dry-run")
    assert (status, complaints.startswith("would end the service of 1 device")) == (0, True)
    assert not place.cloud.count("esim.deactivate")
    place.cloud.faults.add("esim.deactivate", Reset(processed=True))
    status, printed, complaints = await place.command(*words, "--yes")
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
    assert place.cloud.count("esim.deactivate") == 1


async def test_columns_that_do_not_exist_are_found_out_before_anything_is_sent(place: Place) -> None:
    words = ("esim", "enable", named(active(place)), "--yes", "--columns", "color")
    for more, known in (((), "request id"), (("--inbox", str(place.inbox)), "device, status")):
        status, printed, complaints = await place.command(*words, *more)
        assert (status, printed) == (2, "")
        assert complaints.startswith(f"thingspace: --columns has no color: choose from {known}")
    assert not place.cloud.requests


async def test_options_that_a_request_needs_or_does_not_have_are_usage_errors(place: Place) -> None:
    device = named(active(place))
    assert (await place.command("esim", "disable", device, "--yes"))[0] == 2
    assert (await place.command("esim", "set-fallback", device, "--plan", "X", "--yes"))[0] == 2
    assert not place.cloud.requests


async def test_more_devices_than_a_request_may_have_are_one_line(place: Place) -> None:
    every = [str(89049032000000000000000000000000 + number) for number in range(101)]
    status, _, complaints = await place.command("esim", "suspend-device", *every, "--yes")
    assert (status, complaints.count("\n"), "100" in complaints) == (2, 1, True)
    assert not place.cloud.requests


async def test_a_request_that_does_not_exist_is_one_line(place: Place) -> None:
    status, printed, complaints = await run("esim", "status", "1", "--account", ACCOUNT, **place.cloud.exports())
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
