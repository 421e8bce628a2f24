"""The outputs of `thingspace usage`: rows, charts, pages and Parquet."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import pty
import re
import sqlite3
import struct
import sys
import termios
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

import orjson
import pyarrow as pa
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pyarrow import parquet

from tests.cli.commands import environment, run
from tests.cli.test_cli import finish, start_with
from tests.cli.test_usage import files, rows
from tests.simulator.browser import browsing, needs_chromium
from thingspace_async import DeviceId
from thingspace_async._cli import _parquet
from thingspace_async._cli._parquet import write_parquet
from thingspace_async._cli.usage.chart import Bar, chart_of, chart_page, print_chart
from thingspace_async._cli.usage.job import opened_job
from thingspace_async.accounts import ServicePlan
from thingspace_async.devices import CarrierInformation, Device, UsageOfDevice, UsageRecord
from thingspace_async.errors import ConfigurationError
from thingspace_async.simulator import Simulator, Status
from thingspace_async.simulator.fleet import PLANS

processes = pytest.mark.processes

T = TypeVar("T")

MONTH = ("usage", "--month", "2025-12")
HOSTILE = '<script src="https://evil.example"></script>&"\'\x1b[31m'


@pytest.fixture
async def cloud() -> AsyncIterator[Simulator]:
    async with Simulator(devices=40) as cloud:
        yield cloud


async def rows_of(cloud: Simulator, *words: str) -> list[dict[str, str]]:
    status, printed, complaints = await run(*words, "--format", "csv", **cloud.exports())
    assert status == 0, complaints
    return rows(printed)


# Charts


class Tags(HTMLParser):
    """The tags of a page, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


def test_the_names_of_a_page_are_text() -> None:
    page = chart_page(HOSTILE, HOSTILE, chart_of([Bar(HOSTILE, 1.5), Bar("x" * 100, 3), Bar("none", 0)]))
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.found
    assert tags.found.count("rect") == 3
    drawn = ET.fromstring(page[page.index("<svg") : page.index("</svg>") + len("</svg>")])
    assert next(one.text for one in drawn.iter("title")) == f"{HOSTILE.replace(chr(27), '?')}: 1.500 MB"
    assert [float(one.attrib["width"]) for one in drawn.iter("rect")] == [235, 470, 0]


def test_a_page_loads_nothing() -> None:
    page = chart_page("Data", "2 devices", chart_of([Bar("353272090079391", 1)]))
    assert "default-src 'none'" in page
    assert re.findall(r"https?:|src=|url\(|@import|<script|<iframe", page) == []


def test_a_chart_without_bars_is_a_page() -> None:
    page = chart_page("Data", "0 devices", chart_of([]))
    assert "<rect" not in page
    assert "more" not in page


def test_a_long_chart_shows_the_first_bars_and_counts_the_others() -> None:
    chart = chart_of(Bar(str(number), number) for number in range(1234))
    assert (len(chart.bars), chart.rest) == (50, "and 1,184 more")
    assert "and 1,184 more" in chart_page("Data", "1,234 devices", chart)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_bars_fit_into_the_width_and_the_encoding(monkeypatch: pytest.MonkeyPatch, width: int, encoding: str) -> None:
    printed = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.setenv("COLUMNS", str(width))
    print_chart("Data by group", chart_of([Bar("Smart meters", 2000), Bar("x" * 100, 1000), Bar("none", 0)]))
    printed.seek(0)
    lines = printed.read().splitlines()
    assert max(map(len, lines)) <= width
    assert "\x1b" not in "".join(lines)
    bars = [sum(line.count(sign) for sign in "━╸-") for line in lines if "MB" in line]
    assert bars[0] > 5
    assert bars[1] in range(bars[0] // 2 - 1, bars[0] // 2 + 2)
    assert bars[2] == 0
    assert next(line.split()[-2:] for line in lines if "MB" in line) == ["2,000.000", "MB"]
    assert "".join(line.split()[0] for line in lines if line.startswith("x")) == "x" * 100


@pytest.mark.slow
@needs_chromium
async def test_a_browser_shows_the_chart_and_loads_nothing(tmp_path: Path) -> None:
    bars = [
        Bar("<b>West fleet</b> & " + "x" * 60, 2042.5),
        *(Bar(f"{number:015}", 900 / number) for number in range(1, 60)),
    ]
    text = chart_page("Data by group, 2025-12", "60 devices, 6,000.000 MB (1 MB is 1,000,000 bytes)", chart_of(bars))
    served = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    served.router.add_get("/", answer)
    async with TestServer(served) as server, browsing(tmp_path / "profile") as browser:
        await browser.open(str(server.make_url("/")))
        assert await browser.run("document.querySelectorAll('rect').length") == 50
        assert await browser.run("document.querySelectorAll('b').length") == 0
        assert await browser.run("document.querySelector('g').textContent.startsWith('<b>West fleet</b> & x')")
        assert "and 10 more" in await browser.run("document.body.innerText")
        for width in (400, 1200):
            await browser.resize(width, dark=width == 400)
            assert await browser.run("document.documentElement.scrollWidth <= innerWidth")
            inside = "[...document.querySelectorAll('text')].every(one => one.getBBox().x >= 0 && "
            inside += "one.getBBox().x + one.getBBox().width <= document.querySelector('svg').viewBox.baseVal.width)"
            assert await browser.run(inside)
            if folder := os.environ.get("THINGSPACE_PICTURES"):
                await browser.picture(Path(folder) / f"usage-{width}.png")
        assert await browser.run("performance.getEntriesByType('resource').map(one => one.name)") == []
        assert browser.complaints == []


# Parquet


async def one_by_one(values: Iterable[T]) -> AsyncIterator[T]:
    for value in values:
        yield value


async def test_parquet_has_types_and_several_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_parquet, "_ROWS", 2)
    east = datetime(2025, 12, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    written = [
        ("a", 1, 0.5, east),
        (None, None, None, None),
        ("c", 2**40, 1.0, east),
        (4, 5, 6.0, None),
        ("e", 0, 0.0, east),
    ]
    columns = {
        name: (lambda row, place=place: row[place]) for place, name in enumerate(("text", "int", "float", "time"))
    }
    with (tmp_path / "rows.parquet").open("wb") as file:
        assert (
            await write_parquet(file, one_by_one(written), columns, {"int": int, "float": float, "time": datetime}) == 5
        )
        assert not file.closed
    found = parquet.ParquetFile(tmp_path / "rows.parquet")
    assert found.num_row_groups == 3
    types = [pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", tz="UTC")]
    assert found.schema_arrow.types == types
    table = found.read().to_pylist()
    assert [row["text"] for row in table] == ["a", None, "c", "4", "e"]
    assert [row["int"] for row in table] == [1, None, 2**40, 5, 0]
    assert table[0]["time"] == datetime(2025, 12, 1, 10, tzinfo=UTC)


@processes
@pytest.mark.parametrize("words", [MONTH, ("devices", "list")])
async def test_without_pyarrow_parquet_is_refused_before_anything_is_sent(
    cloud: Simulator, tmp_path: Path, words: tuple[str, ...]
) -> None:
    output = tmp_path / "rows.parquet"
    output.write_text("of an earlier command")
    code = "import sys; sys.modules['pyarrow'] = None; from thingspace_async.__main__ import main; main()"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, *words, "--output", str(output)),
        stdout=PIPE,
        stderr=PIPE,
        env=environment(cloud.exports()),
    )
    missing = "thingspace: --format parquet needs pyarrow: pip install 'thingspace_async[parquet]'\n"
    assert await finish(process) == (1, "", missing)
    assert not cloud.requests
    assert files(tmp_path) == ["rows.parquet"]


@processes
async def test_parquet_has_the_rows_of_the_csv_output(cloud: Simulator, tmp_path: Path) -> None:
    output = tmp_path / "usage.parquet"
    status, printed, _ = await run(*MONTH, "--output", str(output), **cloud.exports())
    assert (status, printed, files(tmp_path)) == (0, "", ["usage.parquet"])
    expected = await rows_of(cloud, *MONTH)
    table = parquet.read_table(output)
    assert [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in table.to_pylist()] == [
        {**row, "MB": str(float(row["MB"]))} for row in expected
    ]
    assert table.schema.field("bytes").type == pa.int64()


@processes
async def test_devices_are_written_to_parquet(cloud: Simulator, tmp_path: Path) -> None:
    output = tmp_path / "devices.parquet"
    words = ("devices", "list", "--output", str(output), "--columns", "imei,last connection,state")
    status, printed, complaints = await run(*words, **cloud.exports())
    assert (status, printed, complaints) == (0, "", "")
    table = parquet.read_table(output)
    assert table.schema.names == ["imei", "last connection", "state"]
    assert [row["imei"] for row in table.to_pylist()] == [one.imei for one in cloud.devices]
    assert table.schema.field("last connection").type == pa.timestamp("us", tz="UTC")
    assert any(row["last connection"] for row in table.to_pylist())
    assert output.stat().st_mode & 0o777 == 0o600


@processes
@pytest.mark.parametrize("name", ["devices.csv", "devices.json", "devices.jsonl", "devices.table", "devices.txt"])
async def test_the_format_follows_from_the_name_of_the_file(cloud: Simulator, tmp_path: Path, name: str) -> None:
    status, printed, _ = await run("devices", "list", "--output", str(tmp_path / name), **cloud.exports())
    assert (status, printed) == (0, "")
    text = (tmp_path / name).read_text()
    if name.endswith(".json"):
        found = orjson.loads(text)
    elif name.endswith(".jsonl"):
        found = [orjson.loads(line) for line in text.splitlines()]
    elif name.endswith(".table"):
        found = text.splitlines()[1:]
    else:
        found = rows(text)
        assert found[0]["imei"] == cloud.devices[0].imei
    assert len(found) == 40


@processes
async def test_a_list_that_fails_halfway_leaves_the_earlier_file(tmp_path: Path) -> None:
    output = tmp_path / "devices.parquet"
    output.write_text("of an earlier command")
    async with Simulator(devices=2500) as cloud:
        cloud.faults.add("devices.list", Status(400), times=None, after=1)
        status, _, complaints = await run("devices", "list", "--output", str(output), **cloud.exports())
    assert (status, complaints.count("\n")) == (1, 1)
    assert (files(tmp_path), output.read_text()) == (["devices.parquet"], "of an earlier command")


# Devices above the allowance of their plan


@processes
async def test_over_plan_has_the_devices_that_used_more_than_their_plan_includes(cloud: Simulator) -> None:
    every = await rows_of(cloud, *MONTH)
    size = {code: kilobytes * 1024 for code, kilobytes in PLANS.items()}
    above = {row["imei"]: int(row["bytes"]) for row in every if 0 < size[row["service plan"]] < int(row["bytes"])}
    unknown = sum(size[row["service plan"]] == 0 for row in every)
    status, printed, complaints = await run(*MONTH, "--over-plan", "--json", **cloud.exports())
    found = orjson.loads(printed)
    assert status == 0
    assert {row["imei"]: row["bytesUsed"] for row in found} == above
    assert 0 < len(above) < len(every)
    assert [row["over"] for row in found] == sorted((row["over"] for row in found), reverse=True)
    for row in found:
        assert row["over"] == pytest.approx((row["bytesUsed"] - size[row["servicePlan"]]) / 1e6, abs=0.001)
    assert f"{len(above)} devices above their plan's allowance; {unknown} devices without a known" in complaints
    groups = await rows_of(cloud, *MONTH, "--over-plan", "--by", "group")
    assert sum(int(row["devices"]) for row in groups) == len(above)
    assert sum(float(row["over MB"]) for row in groups) == pytest.approx(sum(row["over"] for row in found), abs=0.1)


@processes
async def test_plans_that_cannot_be_read_end_the_command_before_usage_is_read(cloud: Simulator) -> None:
    cloud.faults.add("accounts.service_plans", Status(403), times=None)
    status, printed, complaints = await run(*MONTH, "--over-plan", **cloud.exports())
    assert (status, printed) == (1, "")
    assert "[403] accounts.service_plans" in complaints
    assert cloud.count("devices.usage.list") == 0


# Days


@processes
async def test_days_are_a_part_of_the_month_and_the_last_one_is_included(cloud: Simulator) -> None:
    month = await rows_of(cloud, *MONTH, "--by", "day")
    days = await rows_of(cloud, "usage", "--from", "2025-12-05", "--to", "2025-12-07", "--by", "day")
    assert days == [row for row in month if date(2025, 12, 5) <= date.fromisoformat(row["day"]) <= date(2025, 12, 7)]
    assert [row["day"] for row in days] == ["2025-12-05", "2025-12-06", "2025-12-07"]
    one = await rows_of(cloud, "usage", "--from", "2025-12-05", "--to", "2025-12-05", "--by", "day")
    assert one == days[:1]


# Pages and plots


@processes
async def test_a_page_is_written_next_to_the_rows_and_a_plot_is_printed(cloud: Simulator, tmp_path: Path) -> None:
    page, output = tmp_path / "page.html", tmp_path / "usage.csv"
    words = (*MONTH, "--by", "group", "--html", str(page), "--output", str(output), "--plot")
    status, printed, complaints = await run(*words, **cloud.exports())
    assert status == 0
    assert files(tmp_path) == ["page.html", "usage.csv"]
    found = rows(output.read_text())
    shown = page.read_text()
    assert all(f"{row['groups']}: {float(row['MB']):,.3f} MB" in shown for row in found)
    assert "Data by group, 2025-12" in shown
    assert complaints.splitlines()[-1] in shown.replace("&#x27;", "'")
    assert printed.splitlines()[0] == "Data by group, 2025-12"
    assert [line.split("  ")[0].split(" ━")[0] for line in printed.splitlines()[1:]] == [row["groups"] for row in found]
    assert page.stat().st_mode & 0o777 == 0o600


@processes
async def test_a_page_alone_continues_after_a_failure(cloud: Simulator, tmp_path: Path) -> None:
    cloud.faults.add("devices.usage.list", Status(400), times=2)
    words = (*MONTH, "--html", str(tmp_path / "page.html"))
    status, printed, complaints = await run(*words, **cloud.exports())
    assert (status, printed) == (4, "")
    assert "2 devices could not be read: the same command reads only these again" in complaints
    before = cloud.count("devices.usage.list")
    assert (await run(*words, **cloud.exports()))[0] == 0
    assert cloud.count("devices.usage.list") - before == 2
    assert files(tmp_path) == ["page.html"]


async def on_screen(cloud: Simulator, columns: int, *words: str, **variables: str) -> str:
    """Run a command whose stdout is a terminal, and return what it prints."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    seen = {**cloud.exports(), "COLUMNS": str(columns), "TERM": "xterm-256color", **variables}
    process = await start_with(None, theirs, *words, **seen)
    os.close(theirs)
    printed, (status, _, complaints) = await asyncio.gather(asyncio.to_thread(all_of, ours), finish(process))
    assert status == 0, complaints
    return printed


def all_of(terminal: int) -> str:
    """Read a terminal until its last process has ended."""
    found = b""
    with suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as screen:
        while part := screen.read(4096):
            found += part
    return found.decode()


@processes
@pytest.mark.parametrize("columns", [80, 200])
async def test_rows_and_bars_fit_into_a_terminal(cloud: Simulator, columns: int) -> None:
    printed = (await on_screen(cloud, columns, *MONTH)).splitlines()
    assert max(map(len, printed)) <= columns
    names = ["imei", "MB", "sms", "service", "plan", "mdn"]
    assert printed[0].split()[:6] == names
    assert ("iccid" in printed[0]) is (columns == 200)
    bars = re.sub(r"\x1b\[[0-9;]*m", "", await on_screen(cloud, columns, *MONTH, "--plot")).splitlines()
    assert max(map(len, bars)) <= columns
    assert all(line.endswith(" MB") for line in bars[1:])


@processes
async def test_no_color_leaves_the_colors_out(cloud: Simulator) -> None:
    assert "\x1b[" in await on_screen(cloud, 80, *MONTH, "--plot")
    assert "\x1b[" not in await on_screen(cloud, 80, *MONTH, "--plot", NO_COLOR="1")
    status, printed, complaints = await run(*MONTH, "--plot", **cloud.exports())
    assert (status, "\x1b" in printed + complaints) == (0, False)


# The progress


@pytest.mark.parametrize("moment", ["PRAGMA locking_mode = EXCLUSIVE", "COMMIT"])
def test_progress_that_another_process_deletes_while_it_is_opened_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moment: str
) -> None:
    progress = tmp_path / "usage.csv.progress"

    class Watched(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            done = super().execute(statement, *values)
            if statement == moment:
                progress.unlink()
            return done

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    with pytest.raises(ConfigurationError, match="another process is writing"), opened_job(progress, "usage"):
        pass
    assert files(tmp_path) == []


def test_a_plan_is_found_by_its_code_or_else_by_its_name() -> None:
    plans = [
        ServicePlan(code="A", name="B", size_kb=1),
        ServicePlan(code="B", name="C", size_kb=2),
        ServicePlan(code="D", size_kb=0),
        ServicePlan(size_kb=3),
    ]
    with opened_job(None, "usage") as job:
        for place, name in enumerate(("A", "B", "C", "D", None)):
            device = Device(
                account_name="x",
                device_ids=(DeviceId(kind="mdn", id=f"555000000{place}"),),
                carrier_informations=(CarrierInformation(service_plan=name),),
            )
            job.add(UsageOfDevice(device=device, days=(UsageRecord(bytes_used=1500),)), device)
        job.add_plans("x", plans)
        job.add_plans("y", [ServicePlan(code="A", size_kb=100)])
        found = list(job.rows("SELECT plan, excess FROM above"))
        assert found == [{"plan": "A", "excess": 1500 - 1024}]
        assert job.number("SELECT count(*) FROM without") == 2
