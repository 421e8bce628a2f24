"""`thingspace groups`, as a user runs it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.commands import run
from tests.cli.place import Place

pytestmark = pytest.mark.processes

CREATE = ("groups", "create", "West pumps", "--description", "In the west")


def group_of(place: Place, imei: str) -> str:
    device = place.cloud.devices.find("imei", imei)
    assert device is not None
    return str(device.group_name)


async def members(place: Place, name: str) -> list[str]:
    status, printed, complaints = await place.command("groups", "get", name, "--format", "csv")
    assert (status, complaints) == (0, "")
    return [row["imei"] for row in csv.DictReader(io.StringIO(printed))]


async def test_a_group_lives_from_its_creation_to_its_deletion(place: Place, tmp_path: Path) -> None:
    first, second, third = place.active(3)
    (tmp_path / "pumps.csv").write_text(f"imei,note\n{second},mine\n{first},again\n")
    from_file = (first, "--from", str(tmp_path / "pumps.csv"), "--yes")
    status, printed, complaints = await place.command(*CREATE, *from_file)
    assert (status, printed, complaints) == (0, "", "created the group West pumps with 2 devices\n")
    assert sorted(await members(place, "West pumps")) == sorted([first, second])

    assert await place.command("groups", "add", "West pumps", third, "--yes") == (0, "", "moved 1 device\n")
    assert await place.command("groups", "remove", "West pumps", first, "--yes") == (0, "", "moved 1 device\n")
    assert sorted(await members(place, "West pumps")) == sorted([second, third])

    status, printed, _ = await place.command("groups", "list", "--json")
    assert ("West pumps", "In the west") in [(one["name"], one["description"]) for one in json.loads(printed)]
    status, _, complaints = await place.command("groups", "delete", "West pumps", "--dry-run")
    assert (status, complaints) == (0, "would delete the group West pumps, and move 2 devices to the default group\n")
    status, _, complaints = await place.command("groups", "delete", "West pumps", "--yes")
    assert (status, complaints) == (0, "deleted the group West pumps\n")
    _, printed, _ = await place.command("groups", "list")
    assert "West pumps" not in printed
    assert "yes" in printed  # One of them is the default group.


async def test_a_change_asks_first_and_changes_nothing_before_the_answer(place: Place) -> None:
    (imei,) = place.active(1)
    before = group_of(place, imei)
    assert (await place.command(*CREATE, "--yes"))[0] == 0
    words = ("groups", "add", "West pumps", imei)
    status, _, complaints = await place.command(*words)
    assert status == 1
    assert complaints == (
        "thingspace: This will move 1 device into West pumps, and out of other groups. Continue? "
        "Pass --yes to confirm without a terminal\n"
    )
    status, _, complaints = await place.command(*words, "--dry-run")
    assert (status, complaints) == (0, "would move 1 device into West pumps, and out of other groups\n")
    assert (await place.command_on_terminal("n\n", *words))[0] == 1
    assert (group_of(place, imei), place.cloud.count("groups.update")) == (before, 0)
    assert (await place.command_on_terminal("y\n", *words))[0] == 0
    assert group_of(place, imei) == "West pumps"


@pytest.mark.parametrize("action", ["add", "remove", "delete"])
async def test_a_group_that_does_not_exist_is_reported_before_the_question(place: Place, action: str) -> None:
    devices = () if action == "delete" else tuple(place.active(1))
    status, printed, complaints = await place.command("groups", action, "Nothing", *devices)
    assert (status, printed, complaints.count("\n")) == (1, "", 1)
    assert "DeviceGroupNotFound" in complaints


async def test_the_default_group_cannot_be_deleted(place: Place) -> None:
    _, printed, _ = await place.command("groups", "list", "--format", "csv")
    default = next(row["name"] for row in csv.DictReader(io.StringIO(printed)) if row["default"] == "yes")
    status, _, complaints = await place.command("groups", "delete", default, "--yes")
    assert (status, complaints.count("\n")) == (1, 1)
    assert "DeleteDefault" in complaints


@pytest.mark.parametrize(
    ("devices", "complaint"),
    [
        ((), "no devices: name them, or pass a file with --from"),
        (("car 7",), "car 7 is not an identifier"),
        (("vin=1",), "vin=1 has an unknown kind of identifier: choose from imei, iccid"),
        (("imei=12",), "imei=12 has the imei 12, which must be 14 to 16 digits"),
        (("--from", "/nowhere/devices.csv"), "--from /nowhere/devices.csv cannot be read"),
    ],
)
async def test_devices_that_cannot_be_sent_are_one_line_before_anything_is_sent(
    place: Place, devices: tuple[str, ...], complaint: str
) -> None:
    status, printed, complaints = await place.command("groups", "add", "Pumps", *devices)
    assert (status, printed, complaints.count("\n")) == (2, "", 1)
    assert complaints.startswith(f"thingspace: {complaint}")
    assert not place.cloud.requests


async def test_a_bad_row_of_a_file_names_its_line_and_stops_the_command(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "pumps.csv"
    path.write_text("imei\n353272090079193\n12\n13\n")
    status, _, complaints = await place.command("groups", "add", "Pumps", "--from", str(path), "--yes")
    assert status == 2
    assert complaints == (
        f"thingspace: nothing was sent: {path}, line 3: has the imei 12, which must be 14 to 16 digits, "
        "and 1 more bad row\n"
    )


async def test_an_imei_that_is_probably_mistyped_is_pointed_out(place: Place) -> None:
    status, _, complaints = await place.command(*CREATE, "353272090079190", "--dry-run")
    assert status == 0
    assert complaints.startswith("IMEI 353272090079190 has a wrong check digit: check it for typos\n")


async def test_groups_need_an_account(place: Place) -> None:
    status, _, complaints = await run("groups", "list", **place.cloud.exports())
    assert (status, complaints) == (2, "thingspace: name an account with --account, or set THINGSPACE_ACCOUNT\n")
