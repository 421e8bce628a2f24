"""`thingspace locate`: what it says and asks before it bills, and the files that it writes."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import pty
import re
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.cli.commands import run, run_inside, run_on
from tests.cli.test_cli import finish, reaching, start
from tests.simulator.browser import browsing, needs_chromium
from thingspace_async._cli._files import replaced
from thingspace_async._cli.locate import command, page
from thingspace_async._cli.locate.outputs import as_geojson, write_csv
from thingspace_async._cli.locate.page import map_page
from thingspace_async._core import ledger
from thingspace_async._core.positions import Position, PositionError
from thingspace_async.callbacks import MemoryInbox, SqliteInbox
from thingspace_async.devices.fleet import fleet_runs
from thingspace_async.location import LocatedDevice, Location, LocationDevice
from thingspace_async.simulator import Assumptions, Simulator
from thingspace_async.simulator.rooms.location.state import Locations

processes = pytest.mark.processes

ACCOUNT = "0000123456-00001"


class Place:
    """A folder and a simulator."""

    def __init__(self, folder: Path, cloud: Simulator) -> None:
        self.folder = folder
        self.cloud = cloud
        self.inbox = folder / "messages.db"

    def words(self, *words: str) -> list[str]:
        return ["locate", "--account", ACCOUNT, "--inbox", str(self.inbox), *words]

    async def run(self, *words: str) -> tuple[int, str, str]:
        return await run(*self.words(*words), PWD=str(self.folder), **reaching(self.cloud))

    async def run_on_terminal(self, typed: str, *words: str) -> tuple[int, str, str]:
        ours, theirs = pty.openpty()
        try:
            os.write(ours, typed.encode())
            variables = {"PWD": str(self.folder), **reaching(self.cloud)}
            return await run_on(os.ttyname(theirs), *self.words(*words), **variables)
        finally:
            os.close(ours)
            os.close(theirs)

    def rows(self, name: str = "found.csv") -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO((self.folder / name).read_text())))

    @property
    def active(self) -> int:
        return sum(one.state == "active" for one in self.cloud.devices)

    @property
    def billed(self) -> int:
        return self.cloud.platform.room(Locations).used_this_month(ACCOUNT)

    async def runs(self) -> list[str]:
        async with SqliteInbox(self.inbox) as inbox:
            return [one.name for one in await fleet_runs(inbox)]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    soon = Assumptions(request_time=timedelta(seconds=0.05))
    async with Simulator(devices=50, assumptions=soon) as cloud:
        yield Place(tmp_path, cloud)


@processes
async def test_a_dry_run_says_what_may_be_billed_and_locates_nothing(place: Place) -> None:
    status, printed, complaints = await place.run("--dry-run")
    assert status == 0
    assert printed.startswith(f"Dry run, nothing was located: Locate {place.active} devices of account {ACCOUNT} on ")
    assert f"is requested and billed for each device without a known one: {place.active} at most" in complaints
    assert "This month, 0 of 5000 were used." in complaints
    assert place.cloud.count("location.reports.create") == 0
    assert not place.inbox.exists()
    status, printed, _ = await place.run("--dry-run", "--cached")
    assert (status, f"{place.active} known locations, which are free" in printed) == (0, True)


@processes
async def test_without_a_terminal_it_needs_yes(place: Place) -> None:
    status, _, complaints = await place.run("--csv", "found.csv")
    assert status == 1
    assert "Pass --yes to confirm without a terminal" in complaints
    assert place.cloud.count("location.reports.create") == 0
    assert not (place.folder / "found.csv").exists()


@processes
async def test_on_a_terminal_it_asks(place: Place) -> None:
    status, _, complaints = await place.run_on_terminal("n\n", "--csv", "found.csv")
    assert (status, place.cloud.count("location.reports.create")) == (1, 0)
    assert f"Locate {place.active} devices of account {ACCOUNT} on " in complaints
    status, _, _ = await place.run_on_terminal("y\n", "--csv", "found.csv")
    assert (status, len(place.rows())) == (0, place.active)


@processes
async def test_the_locations_are_written_and_the_next_command_locates_again(place: Place) -> None:
    outputs = ("--html", "map.html", "--geojson", "found.geojson", "--csv", "found.csv")
    (place.folder / "found.csv").write_text("of an earlier command")
    status, printed, complaints = await place.run("--yes", *outputs)
    assert (status, printed) == (0, "")
    rows = place.rows()
    assert len(rows) == place.active
    current = [row for row in rows if row["location"] == "current"]
    assert place.billed == len(current) > 0
    assert f"{place.active} devices: {len(current)} current, " in complaints
    for row in current:
        assert float(row["latitude"]) > 0 > float(row["longitude"])
        assert float(row["accuracy"]) > 0
    found = json.loads((place.folder / "found.geojson").read_text())
    assert [one["properties"]["mdn"] for one in found["features"]] == [row["mdn"] for row in rows]
    assert current[0]["mdn"] in (place.folder / "map.html").read_text()
    for name in ("map.html", "found.geojson", "found.csv"):
        assert (place.folder / name).stat().st_mode & 0o777 == 0o600
    assert not list(place.folder.glob("*.part"))
    assert await place.runs() == []
    status, _, _ = await place.run("--yes", "--csv", "again.csv")
    assert (status, {row["location"] for row in place.rows("again.csv")} <= {"known", "not located"}) == (0, True)


@processes
async def test_known_locations_are_free_and_printed_without_a_question(place: Place) -> None:
    status, printed, _ = await place.run("--cached")
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert (status, len(rows), place.billed) == (0, place.active, 0)
    assert {row["location"] for row in rows} == {"known", "not located"}
    assert {row["error"] for row in rows} == {"", "CACHE_UNAVAILABLE"}
    assert not place.inbox.exists()


@processes
async def test_an_interrupted_command_continues_without_a_second_bill(place: Place) -> None:
    place.cloud.clock.speed = 0  # The report stays in progress.
    process = await start(*place.words("--yes", "--csv", str(place.folder / "found.csv")), **reaching(place.cloud))
    async with asyncio.timeout(60):
        while place.cloud.count("location.reports.create") < 2:
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    status, _, complaints = await finish(process)
    assert status == 128 + signal.SIGINT
    assert "The same command continues it, and no device is billed twice" in complaints
    assert not (place.folder / "found.csv").exists()
    place.cloud.clock.speed = 1
    place.cloud.clock.advance(61)
    status, _, complaints = await place.run("--yes", "--csv", "found.csv")
    assert (status, f"The run 'locate {ACCOUNT}' continues" in complaints) == (0, True)
    assert len(place.rows()) == place.active
    assert place.billed == sum(row["location"] == "current" for row in place.rows())
    requested = [json.loads(one.body) for one in place.cloud.requests if one.operation == "location.reports.create"]
    assert [one["cacheMode"] for one in requested].count("1") == 1


@processes
async def test_a_command_refuses_to_share_a_run(place: Place) -> None:
    place.cloud.clock.speed = 0
    process = await start(*place.words("--yes"), **reaching(place.cloud))
    async with asyncio.timeout(60):
        while place.cloud.count("location.reports.create") < 2:
            await asyncio.sleep(0.01)
    status, _, complaints = await place.run("--yes")
    assert (status, "another process is working on the run" in complaints) == (1, True)
    process.send_signal(signal.SIGTERM)
    await finish(process)


@processes
async def test_devices_without_a_phone_number_are_left_out(place: Place) -> None:
    count = sum(one.state == "preactive" for one in place.cloud.devices)
    status, printed, complaints = await place.run("--cached", "--state", "preactive")
    assert (status, f"{count} devices without a phone number" in complaints) == (0, True)
    assert len(printed.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--csv", "/nowhere/found.csv"), "--csv /nowhere/found.csv cannot be written: its folder does not exist"),
        (("--geojson", "/"), "--geojson / is not a file"),
        (("--csv", "found", "--geojson", "found"), "--geojson and --csv must be different files"),
        (("--run", " "), "--run is empty"),
        (("--account", ""), "--account is empty"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    status, _, complaints = run_inside(capsys, "locate", "--account", ACCOUNT, *words)
    assert (status, said in complaints) == (2, True), complaints


def test_without_the_library_the_map_is_refused_before_anything_is_billed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name="plotly")

    monkeypatch.setattr(page, "import_module", missing)
    status, _, complaints = run_inside(capsys, "locate", "--account", ACCOUNT, "--html", "map.html")
    assert (status, "--html needs plotly: pip install 'thingspace_async[map]'" in complaints) == (1, True)


async def test_a_run_that_another_process_has_joined_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    async with MemoryInbox() as inbox:
        place = ledger.Place(run="spring", worker="another")
        await inbox.ledger.lease(place, description="a", state=ledger.WorkerState.WORKING, seconds=60)
        await command._forget(inbox, "spring")
        assert len(await inbox.ledger.runs()) == 1
    assert "The run 'spring' is kept: " in capsys.readouterr().err


# Files


def test_a_file_that_cannot_be_completed_leaves_the_earlier_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "found.csv"
    path.write_text("earlier")
    with pytest.raises(OSError, match="disk"), replaced(path) as file:  # noqa: PT012 - the block is what fails
        file.write("half")
        raise OSError("the disk is full")
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def found(number: int = 0, **changes: Any) -> LocatedDevice:
    device = LocationDevice(id=f"35{number:012}", kind="imei", mdn=f"512555{number:04}")
    position = Position(x="33.4484", y="-84.2735", radius="571", time="20260115120000", utc_offset="0")
    location = Location(msid=device.mdn, **({"position": position} | changes))
    return LocatedDevice(device=device, location=location, cached=False)


FAILED = found(1, position=None, error=PositionError(type='=HYPERLINK("http://evil")', info="</script><b>"))


def test_cells_are_no_formulas_and_numbers_stay_numbers() -> None:
    file = io.StringIO()
    write_csv(file, [found(), FAILED])
    located, failed = csv.DictReader(io.StringIO(file.getvalue()))
    assert (located["latitude"], located["longitude"], located["accuracy"]) == ("33.4484", "-84.2735", "571.0")
    assert located["time"] == datetime(2026, 1, 15, 12, tzinfo=UTC).isoformat()
    assert failed["error"].startswith("'=HYPERLINK")
    assert failed["latitude"] == ""


def test_geojson_has_a_feature_for_every_device() -> None:
    located, failed = json.loads(as_geojson([found(), FAILED]))["features"]
    assert located["geometry"] == {"type": "Point", "coordinates": [-84.2735, 33.4484]}
    assert located["properties"]["accuracy"] == 571
    assert failed["geometry"] is None
    assert failed["properties"]["location"] == "not located"


@pytest.mark.parametrize("count", [0, 1, 6_000])
def test_the_map_has_the_located_devices_and_loads_nothing(count: int) -> None:
    located = [found(number) for number in range(count)]
    text = map_page("<b>Devices</b> & more", [*located, FAILED])
    assert ("5125550000" in text) == (count > 0)
    assert "5125550001" not in text or count > 1, "it was not located"
    assert "<title>&lt;b&gt;Devices" in text
    assert " src=" not in text
    assert re.findall("<link.*?>", text) == ['<link rel="icon" href="data:,">']
    drawn = text.rpartition("Plotly.newPlot")[2]
    assert ('"type":"scattergl"' in drawn) == (count > 5_000)


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("count", [30, 6_000])
async def test_a_browser_shows_the_map_and_loads_nothing_else(tmp_path: Path, count: int) -> None:
    located = [found(number, position=near(number)) for number in range(count)]
    served = web.Application()
    text = map_page("Devices of account 0000123456-00001", [*located, FAILED])

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    served.router.add_get("/", answer)
    async with TestServer(served) as server, browsing(tmp_path / "profile") as browser:
        await browser.open(str(server.make_url("/")))
        if count < 5_000:
            await browser.until(f"document.querySelectorAll('.scatterlayer .point').length == {count}")
        else:
            await browser.until("document.querySelectorAll('canvas').length > 0")
        assert f"current location ({count:,})" in await browser.run("document.body.innerText")
        assert await browser.run("performance.getEntriesByType('resource').map(one => one.name)") == []
        assert browser.complaints == []
        if folder := os.environ.get("THINGSPACE_PICTURES"):
            await browser.picture(Path(folder) / f"map-{count}.png")


def near(number: int) -> Position:
    """Return a position near Atlanta."""
    return Position(x=str(33.7 + number % 71 / 100), y=str(-84.4 + number % 97 / 100), radius="571")
