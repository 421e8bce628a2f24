"""The CSV file of outcomes."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from filelock import FileLock, Timeout

from thingspace_async._cli._cells import harmless
from thingspace_async._cli._files import check_writable
from thingspace_async._cli._run import WrongUsage
from thingspace_async._cli.fleet.source import DevicesFile
from thingspace_async.devices.fleet import FleetOutcome
from thingspace_async.errors import ConfigurationError

__all__ = ["ResultsFile"]

_OWN: Final = ("result", "request id", "code", "reason")
"""The columns added to those of the devices file."""


class ResultsFile:
    """A line for each outcome, with the cells that the devices file has for its device.

    Lines go to a file next to `path` whose name ends in `.part`. It replaces `path` when the block ends without an
    error: an interrupted run leaves earlier results alone. Raises ConfigurationError for a path that cannot be used,
    and for one that another process writes.
    """

    def __init__(self, path: Path, devices: DevicesFile) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.part")
        self.count = 0
        self._devices = devices
        self._kept = [place for place, name in enumerate(devices.columns) if name.strip().casefold() not in _OWN]
        self._resources = ExitStack()
        if path.resolve() == devices.path.resolve():
            raise WrongUsage("--results would overwrite the file that --from names: choose another file")
        check_writable("--results", path)

    def __enter__(self) -> Self:
        with self._resources as resources, self._explained():
            resources.enter_context(self._alone())
            self.part.unlink(missing_ok=True)
            # Create it with permissions for this user only.
            descriptor = os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file = resources.enter_context(os.fdopen(descriptor, "w", encoding="utf-8", newline=""))
            self._row_of = resources.enter_context(self._devices.rows())
            self._writer = csv.writer(self._file)
            self._write([*(self._devices.columns[place] for place in self._kept), *_OWN])
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._resources, self._explained():
            self._file.close()
            if error is None:
                self.part.replace(self.path.resolve())
            elif not self.count:
                self.part.unlink()

    def write(self, outcome: FleetOutcome) -> None:
        """Write an outcome."""
        row = self._row_of(outcome.device)
        fault = None if outcome.outcome is None else outcome.outcome.fault
        code = None if fault is None else fault.code
        own = (outcome.result, outcome.request_id, code, outcome.reason)
        with self._explained():
            self._write([*(row[place] for place in self._kept), *own])
        self.count += 1

    def _write(self, cells: list[str | None]) -> None:
        self._writer.writerow(harmless(cells))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the file against other processes: only the results of the last one would remain."""
        place = self.path.with_name(f"{self.path.name}.lock")
        lock = FileLock(place, timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise ConfigurationError(
                f"another process writes {self.path}: wait for it, or name another file with --results"
            ) from None
        try:
            yield
        finally:
            with suppress(OSError):  # On Windows, the release removes it.
                place.unlink()
            lock.release()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(f"--results {self.path} cannot be written: {error.strerror}") from None
