"""Files that replace earlier ones only when they are complete, and that only their owner can read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from thingspace_async.errors import ConfigurationError

__all__ = ["check_writable", "replaced"]


def check_writable(option: str, path: Path) -> None:
    """Raise ConfigurationError for a path that an option cannot write to."""
    if path.exists() and not path.is_file():
        raise ConfigurationError(f"{option} {path} is not a file: choose another name")
    if not path.parent.is_dir():
        raise ConfigurationError(f"{option} {path} cannot be written: its folder does not exist")


@contextmanager
def replaced(path: Path) -> Iterator[TextIO]:
    """Open a file next to `path` for the block. It replaces `path` when the block ends without an error."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(descriptor)  # Otherwise a power cut may leave the new name with an empty file.
        part.replace(path.resolve())
    except BaseException:
        part.unlink()
        raise
