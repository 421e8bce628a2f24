"""A job in a SQLite file: the devices whose usage is read, so that an interrupted command continues."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from thingspace_async.accounts import ServicePlan
from thingspace_async.devices import Device, UsageOfDevice
from thingspace_async.errors import ConfigurationError

__all__ = ["Job", "opened_job"]

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS job (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS device (
    key TEXT PRIMARY KEY, imei TEXT, iccid TEXT, mdn TEXT, account TEXT, plan TEXT, grouped TEXT, bytes INTEGER,
    sms INTEGER, error TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS day (day TEXT PRIMARY KEY, devices INTEGER, bytes INTEGER, sms INTEGER) WITHOUT ROWID;
CREATE TEMP TABLE plan (account TEXT, plan TEXT, allowance INTEGER, PRIMARY KEY (account, plan)) WITHOUT ROWID;
CREATE TEMP VIEW above AS SELECT device.*, allowance, bytes - allowance AS excess
    FROM device JOIN plan USING (account, plan) WHERE bytes > allowance;
CREATE TEMP VIEW without AS SELECT device.* FROM device LEFT JOIN plan USING (account, plan)
    WHERE allowance IS NULL AND error IS NULL;
"""

_BATCH: Final = 100
"""Devices in a transaction. A killed process loses fewer than these, and the next one reads them again."""

_BYTES_PER_KB: Final = 1024
"""A plan with 1 GB has 1,048,576 KB in the platform's samples."""


@contextmanager
def opened_job(path: Path | None, name: str) -> Iterator[Job]:
    """Open the job in a file, or in a temporary one. Raises ConfigurationError if it is another job, or in use."""
    if path is not None:
        path.touch(mode=0o600)  # It holds identifiers and phone numbers.
    # An empty name is a temporary file, which SQLite deletes.
    with closing(sqlite3.connect("" if path is None else path, timeout=0, isolation_level=None)) as file:
        opened = _file_at(path)
        try:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")
            file.execute("BEGIN EXCLUSIVE")
            file.execute("COMMIT")  # In this mode, SQLite keeps the lock until the file is closed.
            if _is_deleted(path, opened):
                raise _in_use(path)
            file.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY or _is_deleted(path, opened):
                raise _in_use(path) from None
            raise OSError(f"{path}: {error}") from None
        except sqlite3.DatabaseError:
            raise ConfigurationError(f"{path} is not the progress of a command: move it away") from None
        before = file.execute("SELECT name FROM job").fetchone()
        if before is not None and before[0] != name:
            raise ConfigurationError(
                f"{path} has the progress of another command ({before[0]}): delete it, or choose another --output"
            )
        file.execute("INSERT OR IGNORE INTO job VALUES (?)", (name,))
        yield Job(file)


def _file_at(path: Path | None) -> tuple[int, int] | None:
    """Return the identity of the file at a path, or None if there is none."""
    with suppress(FileNotFoundError):
        if path is not None:
            found = path.stat()
            return found.st_dev, found.st_ino
    return None


def _is_deleted(path: Path | None, opened: tuple[int, int] | None) -> bool:
    """Return whether a process that has just finished has deleted the open file. Its lock would protect nothing."""
    return path is not None and (opened is None or _file_at(path) != opened)


def _in_use(path: Path | None) -> ConfigurationError:
    return ConfigurationError(f"another process is writing {path}: wait for it, or choose another --output")


class Job:
    """The usage that was read, by device and by day."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        self._pending = 0

    def has(self, device: Device) -> bool:
        """Return whether the usage of a device is known. Failed devices are read again."""
        known = "SELECT 1 FROM device WHERE key = ? AND error IS NULL"
        with _reported("read"):
            return self._file.execute(known, (key_of(device),)).fetchone() is not None

    def add(self, one: UsageOfDevice, device: Device) -> None:
        """Add a device with its days, both or neither."""
        if not self._pending:
            self._write("BEGIN")
        self._pending += 1
        identifiers = (key_of(device), device.imei, device.iccid, device.mdn)
        row = (*identifiers, device.account_name, device.service_plan, " ".join(device.group_names))
        error = None if one.error is None else str(one.error)
        self._write("REPLACE INTO device VALUES (?,?,?,?,?,?,?,?,?,?)", (*row, one.bytes_used, one.sms_used, error))
        for day in one.days:
            if day.timestamp is not None:
                self._write(
                    "INSERT INTO day VALUES (?, 1, ?, ?) ON CONFLICT (day) DO UPDATE SET devices = devices + 1, "
                    "bytes = bytes + excluded.bytes, sms = sms + excluded.sms",
                    (day.timestamp.date().isoformat(), day.bytes_used or 0, day.sms_used or 0),
                )
        if self._pending >= _BATCH:
            self.save()

    def add_plans(self, account: str, plans: Iterable[ServicePlan]) -> None:
        """Add the allowances of an account's plans. Devices name a plan by its code, or else by its name."""
        sized = [plan for plan in plans if plan.size_kb]  # A plan without a size bills each kilobyte.
        names = [(plan.name, plan) for plan in sized] + [(plan.code, plan) for plan in sized]
        for name, plan in names:
            if name is not None:
                size = (plan.size_kb or 0) * _BYTES_PER_KB
                self._write("REPLACE INTO plan VALUES (?, ?, ?)", (account, name, size))

    def save(self) -> None:
        """Commit the added devices."""
        if self._pending:
            self._pending = 0
            self._write("COMMIT")

    def rows(self, query: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query, with the names of its columns."""
        with _reported("read"):
            found = self._file.execute(query)
            names = [column[0] for column in found.description]
            for row in found:
                yield dict(zip(names, row, strict=True))

    def number(self, query: str) -> int:
        """Return the number that a query counts."""
        with _reported("read"):
            found: int | None = self._file.execute(query).fetchone()[0]
        return found or 0

    def _write(self, statement: str, values: tuple[object, ...] = ()) -> None:
        with _reported("written"):
            self._file.execute(statement, values)


@contextmanager
def _reported(what: str) -> Iterator[None]:
    """Report a failure of the file, for example a full disk, as an OSError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(f"the progress could not be {what}: {error}") from None


def key_of(device: Device) -> str:
    """Return all identifiers of a device as one string, because each kind may be missing."""
    return " ".join(sorted(f"{one.kind.casefold()}:{one.id}" for one in device.device_ids))
