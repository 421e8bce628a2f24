"""Files that replace earlier ones: completely or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from thingspace_async._cli._files import all_replaced, replaced


def test_a_file_replaces_an_earlier_one_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    place = tmp_path / "new.csv"
    place.write_text("old")
    with replaced(place) as file:
        file.write("new")
        assert place.read_text() == "old"
    assert place.read_text() == "new"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [place]


def test_none_of_several_files_is_replaced_if_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / name for name in ("key", "certificate")]
    for place in places:
        place.write_text("old")
    flushed = list[int]()

    def fail(descriptor: int) -> None:
        flushed.append(descriptor)
        if len(flushed) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"), all_replaced(places) as (key, _):
        key.write("new")
    assert [place.read_text() for place in places] == ["old", "old"]
    assert sorted(tmp_path.iterdir()) == sorted(places)


def test_the_file_of_a_killed_process_stops_no_other(tmp_path: Path) -> None:
    place = tmp_path / "new.csv"
    place.with_name(f"new.csv.{os.getpid()}.part").touch()
    with replaced(place) as file:
        file.write("new")
    assert place.read_text() == "new"
