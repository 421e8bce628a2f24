"""`thingspace devices`, as a user runs it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator

import pytest

from tests.cli.commands import run
from thingspace_async.simulator import Simulator

pytestmark = pytest.mark.processes


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=40) as cloud:
        yield cloud


async def listed(cloud: Simulator, *words: str) -> list[dict[str, str]]:
    """List devices as CSV."""
    status, printed, complaints = await run("devices", "list", "--format", "csv", *words, **cloud.exports())
    assert (status, complaints) == (0, "")
    return list(csv.DictReader(io.StringIO(printed)))


async def test_filters_select_devices_and_a_limit_ends_the_list(cloud: Simulator) -> None:
    imei = cloud.devices[7].imei or ""
    assert [one["imei"] for one in await listed(cloud, "--filter", f"imei={imei[3:]}")] == [imei]
    found = await listed(cloud, "--filter", f"imei^={imei[:8]}", "--filter", f"imei$={imei[-1]}")
    assert found
    assert all(one["imei"].startswith(imei[:8]) and one["imei"].endswith(imei[-1]) for one in found)
    plan = found[0]["service plan"]
    of_plan = await listed(cloud, "--plan", plan, "--limit", "3")
    assert [one["service plan"] for one in of_plan] == [plan] * len(of_plan)
    assert 1 <= len(of_plan) <= 3


async def test_columns_are_chosen_by_name(cloud: Simulator) -> None:
    (one,) = await listed(cloud, "--columns", "state, imei", "--limit", "1")
    assert list(one) == ["state", "imei"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--filter", "imei"), "--filter imei is not a filter: use imei=PART"),
        (("--filter", "vin=1"), "--filter vin=1 is not a filter"),
        (("--columns", "imei,color"), "--columns has no color: choose from imei, iccid"),
        (("--state", "gone"), "--state gone does not exist: choose from active, deactive, preactive, suspend; custom"),
    ],
)
async def test_a_bad_value_is_one_line_that_says_what_is_possible(
    cloud: Simulator, words: tuple[str, ...], complaint: str
) -> None:
    status, printed, complaints = await run("devices", "list", *words, **cloud.exports())
    assert (status, printed) == (1, "")
    assert complaints.startswith(f"thingspace: {complaint}")
    assert complaints.count("\n") == 1
    assert not cloud.count("devices.list")


async def test_a_state_of_the_account_is_known_with_its_account(cloud: Simulator) -> None:
    words = ("devices", "list", "--account", cloud.account_name, "--state")
    status, _, complaints = await run(*words, "gone", **cloud.exports())
    assert status == 1
    known = complaints.partition("choose from active, deactive, preactive, suspend, ")[2].strip().split(", ")
    assert known
    assert (await run(*words, known[0], **cloud.exports()))[0] == 0


async def test_json_lines_are_one_object_each(cloud: Simulator) -> None:
    _, printed, _ = await run("devices", "list", "--format", "jsonl", "--limit", "5", **cloud.exports())
    assert [bool(json.loads(line)["deviceIds"]) for line in printed.splitlines()] == [True] * 5


@pytest.mark.parametrize("kind", ["imei", "iccid", "mdn"])
async def test_a_device_is_found_by_any_of_its_identifiers(cloud: Simulator, kind: str) -> None:
    device = next(one for one in cloud.devices if one.state == "active")
    wanted = str(getattr(device, kind))
    status, printed, complaints = await run("devices", "get", wanted, **cloud.exports())
    assert (status, complaints) == (0, "")
    assert dict(line.split(None, 1) for line in printed.splitlines())[kind] == wanted
    _, printed, _ = await run("devices", "get", wanted, "--json", **cloud.exports())
    assert {"id": wanted, "kind": kind} in [
        {**one, "kind": one["kind"].casefold()} for one in json.loads(printed)["deviceIds"]
    ]


async def test_a_device_that_does_not_exist_names_the_kinds_that_were_tried(cloud: Simulator) -> None:
    status, printed, complaints = await run("devices", "get", "990000000000000", **cloud.exports())
    assert (status, printed) == (1, "")
    assert complaints == (
        "thingspace: no device has the imei or msisdn or imsi 990000000000000: name its kind with --kind\n"
    )
    status, _, complaints = await run("devices", "get", "car 7", **cloud.exports())
    assert (status, complaints.startswith("thingspace: car 7 is not an identifier")) == (1, True)


async def test_a_string_of_the_platform_cannot_move_the_cursor_or_split_a_row(cloud: Simulator) -> None:
    device = cloud.devices.find_to_change("imei", cloud.devices[0].imei or "")
    assert device is not None
    device.group_name = "\x1b]0;owned\x07\n4"
    words = ("devices", "list", "--columns", "imei,groups")
    _, printed, _ = await run(*words, **cloud.exports())
    assert len(printed.splitlines()) == 41
    assert not {"\x1b", "\x07"} & set(printed)
    _, printed, _ = await run("devices", "get", str(device.imei), **cloud.exports())
    assert "?]0;owned??4" in printed
