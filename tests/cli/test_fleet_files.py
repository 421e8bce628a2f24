"""The files of `thingspace fleet`: devices in, results out."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from thingspace_async import DeviceId, DeviceIds
from thingspace_async._cli.fleet.results import ResultsFile
from thingspace_async._cli.fleet.source import DevicesFile
from thingspace_async.devices.fleet import FleetOutcome, FleetResult
from thingspace_async.errors import ConfigurationError, InvalidRequest

pytestmark = pytest.mark.processes

IMEIS = ["490154203237518", "356938035643809", "352099001761481"]


def read(path: Path, content: str | bytes, *, activates: bool = False) -> DevicesFile:
    """Write a file of devices, and read it."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    devices = DevicesFile(path, activates=activates)
    devices.read()
    assert len(list(devices)) == len(devices) + devices.repeats
    return devices


def device(imei: str) -> DeviceIds:
    return DeviceIds(device_ids=(DeviceId.imei(imei),))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "devices.csv"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "marked"])
def test_rows_are_found_again_whatever_ends_a_line(source: Path, end: str, mark: str) -> None:
    rows = ["note, IMEI ", f'"two{end}lines, and ä",{IMEIS[0]}', f" ,  {IMEIS[1]} ", ",", f"short ä,{IMEIS[2]}", ""]
    devices = read(source, mark + end.join(rows))
    assert list(devices) == [device(imei) for imei in IMEIS]
    assert devices.columns == ["note", " IMEI "]
    with devices.rows() as row_of:
        assert row_of(device(IMEIS[2])) == ["short ä", IMEIS[2]]
        assert row_of(device(IMEIS[0])) == [f"two{end}lines, and ä", IMEIS[0]]
        assert row_of(device(IMEIS[1])) == [" ", f"  {IMEIS[1]} "]


def test_a_device_that_the_file_lacks_has_its_identifiers_alone(source: Path) -> None:
    devices = read(source, "note,mdn,imei\nx,9085550001,\n")
    with devices.rows() as row_of:
        assert row_of(device(IMEIS[0])) == ["", "", IMEIS[0]]


def test_a_short_row_is_filled_up(source: Path) -> None:
    devices = read(source, f"imei,note,place\n{IMEIS[0]}\n")
    with devices.rows() as row_of:
        assert row_of(device(IMEIS[0])) == [IMEIS[0], "", ""]


def test_a_request_names_a_device_by_its_first_identifier_unless_it_activates(source: Path) -> None:
    text = f"iccid,imei\n89141390780800784259,{IMEIS[0]}\n89141390780800784259,\n"
    assert [len(one.device_ids) for one in read(source, text, activates=True)] == [2, 1]
    assert [one.device_ids[0].kind for one in read(source, text)] == ["imei", "iccid"]


def test_repeats_are_counted_whatever_else_their_rows_hold(source: Path) -> None:
    devices = read(source, f"imei,note\n{IMEIS[0]},first\n{IMEIS[1]},\n{IMEIS[0]},second\n")
    assert (len(devices), devices.repeats) == (2, 1)
    with devices.rows() as row_of:
        assert row_of(device(IMEIS[0])) == [IMEIS[0], "first"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("12,", "has the imei 12, which must be 14 to 16 digits"),
        ("9.90014E+14,", "has the imei 9.90014E+14, which must be 14 to 16 digits"),
        (",x", "has no imei"),
        (f"{IMEIS[0]},a,b", "has more cells than the heading line: put quotes around cells that hold commas"),
    ],
)
def test_a_bad_row_is_noted_with_its_line(source: Path, row: str, fault: str) -> None:
    devices = read(source, f'imei,note\n{IMEIS[0]},"two\nlines"\n{row}\n{IMEIS[1]},,\n')
    assert [(one.line, one.fault) for one in devices.bad] == [(4, fault)]
    assert len(devices) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "and the file is empty"),
        ("serial\n5", "not 'serial'"),
        ("imei;note\n5;x", "not 'imei;note'"),
        ("imei,IMEI\n1,2", "has two columns imei"),
        ('imei,note\n1,"open\n2,x\n', "line 2 is not CSV: unexpected end of data"),
        ('imei,note\n1,x\n2,"a"b\n', "line 3 is not CSV: ',' expected after '\"'"),
        (b"imei,note\n1,x\n2,caf\xe9\n", "line 3 is not in UTF-8: save the file as CSV UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(source: Path, content: str | bytes, said: str) -> None:
    with pytest.raises((ConfigurationError, InvalidRequest), match=r"--from .*devices\.csv") as caught:
        read(source, content)
    assert said in str(caught.value)


def test_a_pipe_is_refused_because_it_is_read_more_than_once(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(ConfigurationError, match="must be a file on a disk"):
            DevicesFile(Path(f"/dev/fd/{reading}"), activates=False).read()
    finally:
        os.close(reading)
        os.close(writing)


def outcome(imei: str, reason: str | None = None) -> FleetOutcome:
    return FleetOutcome(device=device(imei), result=FleetResult.FAILED, request_id="r", reason=reason)


def test_results_keep_the_columns_of_the_devices_file(source: Path, tmp_path: Path) -> None:
    devices = read(source, f"note,imei,Result,code\nmine,{IMEIS[0]},succeeded,5\n")
    results = tmp_path / "results.csv"
    with ResultsFile(results, devices) as file:
        file.write(outcome(IMEIS[0], "-1"))
    with results.open(newline="") as lines:
        assert list(csv.reader(lines)) == [
            ["note", "imei", "result", "request id", "code", "reason"],
            ["mine", IMEIS[0], "failed", "r", "", "'-1"],
        ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["devices.csv", "results.csv"]


@pytest.mark.parametrize("count", [0, 1])
def test_results_of_a_run_that_fails_do_not_replace_earlier_ones(source: Path, tmp_path: Path, count: int) -> None:
    devices, results = read(source, f"imei\n{IMEIS[0]}\n"), tmp_path / "results.csv"
    results.write_text("earlier")

    def fail() -> None:
        with ResultsFile(results, devices) as file:
            for _ in range(count):
                file.write(outcome(IMEIS[0]))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert results.read_text() == "earlier"
    assert (tmp_path / "results.csv.part").exists() == bool(count)


def test_what_an_interrupted_run_left_is_replaced_and_private(source: Path, tmp_path: Path) -> None:
    devices, results = read(source, f"imei\n{IMEIS[0]}\n"), tmp_path / "results.csv"
    part = tmp_path / "results.csv.part"
    part.write_text("of a run that was killed")
    part.chmod(0o644)
    with ResultsFile(results, devices) as file:
        assert part.stat().st_mode & 0o777 == 0o600
        file.write(outcome(IMEIS[0]))
    assert "killed" not in results.read_text()


def test_results_go_through_a_link(source: Path, tmp_path: Path) -> None:
    devices = read(source, f"imei\n{IMEIS[0]}\n")
    (tmp_path / "elsewhere").mkdir()
    link, there = tmp_path / "results.csv", tmp_path / "elsewhere" / "results.csv"
    link.symlink_to(there)
    with ResultsFile(link, devices):
        pass
    assert link.is_symlink()
    assert there.is_file()


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_cell_is_a_formula(source: Path, tmp_path: Path, cell: str) -> None:
    devices, results = read(source, f"imei\n{IMEIS[0]}\n"), tmp_path / "results.csv"
    with ResultsFile(results, devices) as file:
        file.write(outcome(IMEIS[0], cell))
    with results.open(newline="") as lines:
        assert next(csv.DictReader(lines))["reason"] == f"'{cell}"


def test_results_that_cannot_be_written_say_why(source: Path, tmp_path: Path) -> None:
    devices = read(source, f"imei\n{IMEIS[0]}\n")
    (tmp_path / "results.csv.part").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written: "), ResultsFile(tmp_path / "results.csv", devices):
        pass
    for place, said in ((source, "would overwrite"), (tmp_path, "is not a file"), (tmp_path / "no" / "x", "folder")):
        with pytest.raises(ConfigurationError, match=said):
            ResultsFile(place, devices)
