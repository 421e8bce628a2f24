"""`thingspace devices`, as a user runs it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.commands import run
from thingspace_async import DeviceId, Session
from thingspace_async.devices import RestoreRequest, SuspendRequest
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
    assert (status, printed) == (2, "")
    assert complaints.startswith(f"thingspace: {complaint}")
    assert complaints.count("\n") == 1
    assert not cloud.count("devices.list")


async def test_a_state_of_the_account_is_known_with_its_account(cloud: Simulator) -> None:
    words = ("devices", "list", "--account", cloud.account_name, "--state")
    status, _, complaints = await run(*words, "gone", **cloud.exports())
    assert status == 2
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
    assert (status, complaints.startswith("thingspace: car 7 is not an identifier")) == (2, True)


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


# History

IN_2026 = ("--from", "2026-01-01", "--to", "2026-01-31")


async def history(cloud: Simulator, *words: str) -> list[dict[str, str]]:
    device = next(one for one in cloud.devices if one.state == "active")
    words = ("devices", "history", str(device.mdn), "--format", "csv", *words)
    status, printed, complaints = await run(*words, **cloud.exports())
    assert (status, complaints) == (0, "")
    return list(csv.DictReader(io.StringIO(printed)))


async def test_the_changes_of_a_device_are_printed_oldest_first(cloud: Simulator) -> None:
    device = next(one for one in cloud.devices if one.state == "active")
    wanted = DeviceId.imei(str(device.imei))
    async with Session(cloud.credentials, environment=cloud.environment) as session:
        await session.devices.suspend(SuspendRequest(account_name=cloud.account_name, devices=[wanted]))
        cloud.clock.advance(timedelta(minutes=5))
        await cloud.delivered()
        await session.devices.restore(RestoreRequest(account_name=cloud.account_name, devices=[wanted]))
        cloud.clock.advance(timedelta(minutes=5))
        await cloud.delivered()
    found = await history(cloud, *IN_2026)
    assert [one["change"] for one in found] == ["Suspend", "Restore"]
    assert {one["status"] for one in found} == {"Success"}
    assert [one["time"] for one in found] == sorted(one["time"] for one in found)
    assert await history(cloud, "--from", "2025-12-01", "--to", "2025-12-31") == []


async def test_the_connections_of_a_device_are_printed_for_a_span(cloud: Simulator) -> None:
    found = await history(cloud, "--connections", "--from", "2026-01-12", "--to", "2026-01-12T23:00-05:00")
    assert {one["event"] for one in found} >= {"Start", "Stop"}
    times = [datetime.fromisoformat(one["time"]) for one in found]
    assert times == sorted(times)
    first, last = datetime(2026, 1, 12, tzinfo=UTC), datetime(2026, 1, 13, 4, tzinfo=UTC)
    assert all(first <= time <= last for time in times)
    assert any(int(one["bytes"]) for one in found)


async def test_a_day_at_the_end_of_a_span_is_included(cloud: Simulator) -> None:
    found = await history(cloud, "--connections", "--from", "2026-01-12", "--to", "2026-01-12")
    assert {datetime.fromisoformat(one["time"]).astimezone(UTC).day for one in found} == {12}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--from", "yesterday"), "--from yesterday is not a time: use a day such as 2026-11-01"),
        (("--to", "0001-01-01"), "--to 0001-01-01 is not a time"),
        (("--to", "9999-12-31"), "--to 9999-12-31 is not a time"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "--from 2026-02-01 is not before --to 2026-01-01"),
        (("--from", "2099-01-01"), "--from 2099-01-01 is not before now"),
        (("--kind", "vin"), "--kind vin does not exist: choose from imei, iccid"),
    ],
)
async def test_a_span_or_kind_that_cannot_be_read_is_one_line(
    cloud: Simulator, words: tuple[str, ...], complaint: str
) -> None:
    status, printed, complaints = await run("devices", "history", "353272090079193", *words, **cloud.exports())
    assert (status, printed, complaints.count("\n")) == (2, "", 1)
    assert complaints.startswith(f"thingspace: {complaint}")
    assert not cloud.requests


async def test_an_identifier_is_looked_up_as_the_kind_that_is_given(cloud: Simulator) -> None:
    device = next(one for one in cloud.devices if one.state == "active")
    words = ("devices", "get", str(device.imei), "--kind")
    assert (await run(*words, "IMEI", **cloud.exports()))[0] == 0
    status, _, complaints = await run(*words, "msisdn", **cloud.exports())
    assert (status, "no device has the msisdn" in complaints) == (1, True)
