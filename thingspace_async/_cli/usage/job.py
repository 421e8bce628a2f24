"""A job in a SQLite file: the devices whose usage is read, so that an interrupted command continues."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from thingspace_async.devices import Device, UsageOfDevice
from thingspace_async.errors import ConfigurationError

__all__ = ["Job", "opened_job"]

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS job (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS device (
    key TEXT PRIMARY KEY, imei TEXT, iccid TEXT, mdn TEXT, plan TEXT, grouped TEXT, bytes INTEGER, sms INTEGER,
    error TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS day (day TEXT PRIMARY KEY, devices INTEGER, bytes INTEGER, sms INTEGER) WITHOUT ROWID;
"""

_BATCH: Final = 100
"""Devices in a transaction. A killed process loses fewer than these, and the next one reads them again."""


@contextmanager
def opened_job(path: Path | None, name: str) -> Iterator[Job]:
    """Open the job in a file, or in a temporary one. Raises ConfigurationError if it is another job, or in use."""
    # An empty name is a temporary file, which SQLite deletes.
    with closing(sqlite3.connect("" if path is None else path, timeout=0, isolation_level=None)) as file:
        try:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")
            file.execute("BEGIN EXCLUSIVE")
            file.execute("COMMIT")  # In this mode, SQLite keeps the lock until the file is closed.
            file.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise OSError(f"{path}: {error}") from None
            raise ConfigurationError(
                f"another process is writing {path}: wait for it, or choose another --output"
            ) from None
        except sqlite3.DatabaseError:
            raise ConfigurationError(f"{path} is not the progress of a command: move it away") from None
        before = file.execute("SELECT name FROM job").fetchone()
        if before is not None and before[0] != name:
            raise ConfigurationError(
                f"{path} has the progress of another command ({before[0]}): delete it, or choose another --output"
            )
        file.execute("INSERT OR IGNORE INTO job VALUES (?)", (name,))
        yield Job(file)


class Job:
    """The usage that was read, by device and by day."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        self._pending = 0

    def has(self, device: Device) -> bool:
        """Return whether the usage of a device is known. Failed devices are read again."""
        found = self._file.execute("SELECT 1 FROM device WHERE key = ? AND error IS NULL", (key_of(device),))
        return found.fetchone() is not None

    def add(self, one: UsageOfDevice, device: Device) -> None:
        """Add a device with its days, both or neither."""
        if not self._pending:
            self._write("BEGIN")
        self._pending += 1
        groups = " ".join(device.group_names)
        row = (key_of(device), device.imei, device.iccid, device.mdn, device.service_plan, groups)
        error = None if one.error is None else str(one.error)
        self._write("REPLACE INTO device VALUES (?,?,?,?,?,?,?,?,?)", (*row, one.bytes_used, one.sms_used, error))
        for day in one.days:
            if day.timestamp is not None:
                self._write(
                    "INSERT INTO day VALUES (?, 1, ?, ?) ON CONFLICT (day) DO UPDATE SET devices = devices + 1, "
                    "bytes = bytes + excluded.bytes, sms = sms + excluded.sms",
                    (day.timestamp.date().isoformat(), day.bytes_used or 0, day.sms_used or 0),
                )
        if self._pending >= _BATCH:
            self.save()

    def save(self) -> None:
        """Commit the added devices."""
        if self._pending:
            self._pending = 0
            self._write("COMMIT")

    def rows(self, query: str) -> Iterator[tuple[str | int | None, ...]]:
        """Yield the rows of a query."""
        yield from self._file.execute(query)

    def number(self, query: str) -> int:
        """Return the number that a query counts."""
        found: int | None = self._file.execute(query).fetchone()[0]
        return found or 0

    def _write(self, statement: str, values: tuple[object, ...] = ()) -> None:
        try:
            self._file.execute(statement, values)
        except sqlite3.OperationalError as error:  # For example, a full disk.
            raise OSError(f"the progress could not be written: {error}") from None


def key_of(device: Device) -> str:
    """Return all identifiers of a device as one string, because each kind may be missing."""
    return " ".join(sorted(f"{one.kind.casefold()}:{one.id}" for one in device.device_ids))
