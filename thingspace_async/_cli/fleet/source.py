"""The devices of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from thingspace_async._cli._run import WrongUsage
from thingspace_async._core.faults import has_wrong_check_digit
from thingspace_async._core.identity import keys_of
from thingspace_async._core.types import DeviceId, DeviceIds
from thingspace_async.errors import InvalidRequest

__all__ = ["BadRow", "DevicesFile"]

_HARDWARE: Final = ("imei", "iccid", "eid", "meid", "esn")
_KINDS: Final = (*_HARDWARE, "mdn", "msisdn", "imsi", "min")

_BYTE_ORDER_MARK: Final = "\ufeff"
"""Spreadsheet programs write it at the start of a file."""


@attrs.frozen
class BadRow:
    """A row whose device cannot be sent."""

    line: int
    fault: str


class DevicesFile:
    """The devices of a CSV file: `read` checks and counts them, and iteration walks them in the file's order.

    Memory holds two numbers for each device. Raises ConfigurationError for a file that cannot be read, and
    InvalidRequest for one without columns of identifiers.
    """

    def __init__(self, path: Path, *, activates: bool) -> None:
        self.path = path
        self.columns: list[str] = []
        """The column names, as spelled in the file."""
        self.repeats = 0
        """Rows whose device an earlier row names."""
        self.bad: list[BadRow] = []
        self.suspicious: list[int] = []
        """The lines of IMEIs with a wrong check digit."""
        self._activates = activates
        self._kinds: dict[str, int] = {}
        """The column of each kind of identifier, the best kind first."""
        self._places: dict[int, int] = {}
        """The byte where the first row of a device begins, by a hash of the device."""

    def __len__(self) -> int:
        return len(self._places)

    def read(self) -> None:
        """Read the whole file: find the columns, the devices and the bad rows."""
        with self._opened() as file:
            rows = _Rows(self.path, file)
            self._read_heading(next(rows, None))
            for row in rows:
                try:
                    device = self._device(row.cells)
                except InvalidRequest as error:
                    self.bad.append(BadRow(row.line, str(error).removeprefix("DeviceId ")))
                else:
                    if device is not None:
                        self._note(device, row)

    def __iter__(self) -> Iterator[DeviceIds]:
        with self._opened() as file:
            rows = _Rows(self.path, file)
            next(rows, None)
            for row in rows:
                try:
                    device = self._device(row.cells)
                except InvalidRequest:
                    continue  # `bad` already contains it.
                if device is not None:
                    yield device

    @contextmanager
    def rows(self) -> Iterator[Callable[[DeviceIds], list[str]]]:
        """Give the block a function that returns the cells of a device's row, one for each column."""
        with self._opened() as file:
            yield lambda device: self._row_of(device, file)

    def _row_of(self, device: DeviceIds, file: BinaryIO) -> list[str]:
        if (place := self._places.get(_key(device))) is not None:
            row = next(_Rows(self.path, file, place), None)
            if row is not None:
                return [*row.cells, *[""] * len(self.columns)][: len(self.columns)]
        # The device may come from an earlier part of the run with another file.
        cells = [""] * len(self.columns)
        for kind, column in self._kinds.items():
            cells[column] = device.identifier(kind) or ""
        return cells

    def _opened(self) -> BinaryIO:
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise WrongUsage(f"--from {self.path} cannot be read: {error.strerror}") from None
        if not file.seekable():
            file.close()
            raise WrongUsage(f"--from {self.path} must be a file on a disk, because it is read more than once")
        return file

    def _read_heading(self, heading: _Row | None) -> None:
        self.columns = heading.cells if heading is not None else []
        names = [name.strip().casefold() for name in self.columns]
        wanted = _HARDWARE if self._activates else _KINDS
        self._kinds = {kind: names.index(kind) for kind in wanted if kind in names}
        if not self._kinds:
            found = f"not {','.join(self.columns)!r}" if any(names) else "and the file is empty"
            raise InvalidRequest(
                f"--from {self.path} must begin with a line of column names separated by commas, "
                f"one of them {', '.join(wanted[:-1])} or {wanted[-1]}, {found}"
            )
        for kind in self._kinds:
            if names.count(kind) > 1:
                raise InvalidRequest(f"--from {self.path} has two columns {kind}: rename or remove one of them")

    def _device(self, cells: list[str]) -> DeviceIds | None:
        """Return the device that a row names; None for an empty row. Raises InvalidRequest for a bad one."""
        given = {kind: cells[column].strip() for kind, column in self._kinds.items() if column < len(cells)}
        ids = [DeviceId(kind=kind, id=cell) for kind, cell in given.items() if cell]
        if any(cells[len(self.columns) :]):
            raise InvalidRequest("has more cells than the heading line: put quotes around cells that hold commas")
        if not ids:
            if any(cell.strip() for cell in cells):
                raise InvalidRequest(f"has no {' or '.join(self._kinds)}")
            return None
        # A request that changes a device names it by one identifier (PROTOCOL.md 4.1).
        return DeviceIds(device_ids=tuple(ids if self._activates else ids[:1]))

    def _note(self, device: DeviceIds, row: _Row) -> None:
        key = _key(device)
        if key in self._places:
            self.repeats += 1
            return
        self._places[key] = row.place
        imei = device.imei
        if imei is not None and len(imei) == _IMEI_WITH_CHECK_DIGIT and has_wrong_check_digit(imei):
            self.suspicious.append(row.line)


_IMEI_WITH_CHECK_DIGIT: Final = 15


def _key(device: DeviceIds) -> int:
    """Return a hash that is equal for all spellings of a device's identifiers."""
    return hash(keys_of(device))


@attrs.frozen
class _Row:
    place: int
    """The byte offset where it begins."""
    line: int
    """The number of its first line."""
    cells: list[str]


class _Rows(Iterator[_Row]):
    """Reads the rows of a CSV file from an offset on, and where each row begins."""

    def __init__(self, path: Path, file: BinaryIO, place: int = 0) -> None:
        self._path = path
        self._file = file
        self._place = file.seek(place)
        # Strict mode, because an unclosed quote would swallow the devices after it.
        self._reader = csv.reader(self._lines(), strict=True)

    def __next__(self) -> _Row:
        place, line = self._place, self._reader.line_num + 1
        try:
            return _Row(place, line, next(self._reader))
        except UnicodeDecodeError:
            fault, line = "is not in UTF-8: save the file as CSV UTF-8", self._reader.line_num + 1
        except csv.Error as error:
            fault = f"is not CSV: {error}"
        raise WrongUsage(f"--from {self._path}: line {line} {fault}")

    def _lines(self) -> Iterator[str]:
        for chunk in self._file:
            for line in chunk.splitlines(keepends=True):  # Older spreadsheets end lines with only a carriage return.
                text = line.decode()
                if not self._place:
                    text = text.removeprefix(_BYTE_ORDER_MARK)
                self._place += len(line)
                yield text
