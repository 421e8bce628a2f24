"""Files that replace earlier ones only when they are complete, and that only their owner can read."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from thingspace_async._cli._run import WrongUsage

__all__ = ["all_replaced", "check_writable", "replaced"]


def check_writable(option: str, path: Path) -> None:
    """Raise ConfigurationError for a path that an option cannot write to."""
    if path.exists() and not path.is_file():
        raise WrongUsage(f"{option} {path} is not a file: choose another name")
    if not path.parent.is_dir():
        raise WrongUsage(f"{option} {path} cannot be written: its folder does not exist")


@contextmanager
def replaced(path: Path) -> Iterator[TextIO]:
    """Open a file next to `path` for the block. It replaces `path` when the block ends without an error."""
    with all_replaced([path]) as (file,):
        yield file


@contextmanager
def all_replaced(paths: Sequence[Path]) -> Iterator[list[TextIO]]:
    """Open a file next to each path for the block. All are on the disk before the first one replaces its path."""
    for path in paths:
        if path.is_dir():  # Otherwise only some of the files would be replaced.
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with ExitStack() as left:
        parts, files = list[Path](), list[TextIO]()
        for path in paths:
            # A random name: the file of a killed process must not stop the next one, whose pid may be the same.
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
            parts.append(Path(name))
            left.callback(parts[-1].unlink, missing_ok=True)
            files.append(left.enter_context(os.fdopen(descriptor, "w", encoding="utf-8", newline="")))
        yield files
        for file in files:
            file.flush()
            os.fsync(file.fileno())  # Otherwise a power cut may leave the new name with an empty file.
            file.close()
        for part, path in zip(parts, paths, strict=True):
            part.replace(path.resolve())
