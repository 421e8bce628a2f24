"""Bodies that are read while they are sent, so that a large file is never in memory as a whole."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, Self, TypeAlias

import attrs

from thingspace_async.errors import InvalidRequest

__all__ = ["Bytes", "Content", "LocalFile", "Progress", "Streamed"]

_log: Final = logging.getLogger("thingspace_async")

_CHUNK: Final = 256 * 1024

Progress: TypeAlias = Callable[[int, int], object]
"""Called with the sent bytes and all bytes of a file."""


class Content(Protocol):
    """The content of an upload."""

    @property
    def size(self) -> int:
        """Its length in bytes."""
        ...

    async def read(self, start: int, count: int) -> bytes:
        """Return a part of it; raises InvalidRequest if it is not what it was."""
        ...


@attrs.frozen(eq=False)
class Bytes:
    """Content in memory."""

    content: bytes = attrs.field(repr=False)

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.content)

    async def read(self, start: int, count: int) -> bytes:
        """Return a part of it."""
        return self.content[start : start + count]


@attrs.frozen(eq=False)
class LocalFile:
    """A file as it was when the upload began."""

    path: Path
    _state: os.stat_result = attrs.field(repr=False)

    @classmethod
    async def at(cls, path: Path) -> Self:
        """Look at a file; raises InvalidRequest if it cannot be uploaded."""
        try:
            state = await asyncio.to_thread(path.stat)
        except OSError as error:
            raise _unreadable(path, error) from None
        if not stat.S_ISREG(state.st_mode):
            raise InvalidRequest(f"{path} is not a file: pass the path of a file, or bytes")
        return cls(path, state)

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self._state.st_size

    async def read(self, start: int, count: int) -> bytes:
        """Return a part of it; raises InvalidRequest if the file was changed, replaced or removed."""
        return await asyncio.to_thread(self._read, start, count)

    def _read(self, start: int, count: int) -> bytes:
        # Opened for each part, so that no open file depends on a task that may be cancelled.
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                found = file.read(count)
                now = os.fstat(file.fileno())
        except OSError as error:
            raise _unreadable(self.path, error) from None
        if _identity(now) != _identity(self._state) or len(found) != count:
            raise InvalidRequest(
                f"{self.path} was changed while it was sent, so the upload was cut off before its end: upload the file "
                "again once it is complete"
            )
        return found


def _identity(state: os.stat_result) -> tuple[int, int, int, int]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _unreadable(path: Path, error: OSError) -> InvalidRequest:
    return InvalidRequest(f"cannot read {path}: {error.strerror or type(error).__name__}")


class Streamed:
    """A body that is read while it is sent. Each try reads it again from the start.

    The end is sent only if the content has not changed, so the platform never gets a complete body of mixed content.
    """

    def __init__(self, head: bytes, content: Content, tail: bytes, progress: Progress | None) -> None:
        self._head, self._content, self._tail = head, content, tail
        self._progress = progress
        self.size: int = len(head) + content.size + len(tail)
        """Length of the whole body in bytes."""
        self.fault: InvalidRequest | None = None
        """Why the content could not be read in the latest try."""

    def chunks(self) -> Chunks:
        """Start a try."""
        self.fault = None
        return Chunks(self)

    async def part(self, place: int) -> bytes:
        """Return the bytes from a place on, up to the size of a chunk."""
        head, size = len(self._head), self._content.size
        if place < head:
            return self._head[place:]
        if place == head + size:
            return self._tail
        try:
            found = await self._content.read(place - head, min(_CHUNK, head + size - place))
        except InvalidRequest as fault:
            self.fault = fault.with_traceback(None)
            raise
        return found

    def report(self, place: int) -> None:
        """Report that the bytes before a place were sent."""
        sent = place - len(self._head)
        if self._progress is None or not 0 <= sent <= self._content.size:
            return
        try:
            self._progress(sent, self._content.size)
        except Exception:  # noqa: BLE001 - an error of the user's function must not end the call
            _log.exception("on_progress failed; the upload continues")


class Chunks:
    """The chunks of one try. Not a generator, which would need to be closed after a cancellation."""

    def __init__(self, body: Streamed) -> None:
        self._body = body
        self._place = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        self._body.report(self._place)
        if self._place >= self._body.size:
            raise StopAsyncIteration
        part = await self._body.part(self._place)
        self._place += len(part)
        return part
