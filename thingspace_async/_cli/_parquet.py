"""Writes rows to a Parquet file, in parts that need little memory."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any, BinaryIO, Final, TypeVar

from thingspace_async._cli._output import Columns, text_of
from thingspace_async.errors import ConfigurationError

__all__ = ["Kinds", "check_library", "write_parquet"]

M = TypeVar("M")

Kinds = Mapping[str, type]
"""The kinds of columns that hold no strings: int, float or datetime."""

_ROWS: Final = 5_000
"""Rows of a part. Readers load one at a time."""


def check_library() -> None:
    """Raise ConfigurationError if the library that writes Parquet is missing. It is large, so it is not loaded yet."""
    if find_spec("pyarrow") is None:
        raise ConfigurationError("--format parquet needs pyarrow: pip install 'thingspace_async[parquet]'")


async def write_parquet(file: BinaryIO, rows: AsyncIterable[M], columns: Columns[M], kinds: Kinds) -> int:
    """Write rows, and return their number."""
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    types = {int: arrow.int64(), float: arrow.float64(), datetime: arrow.timestamp("us", tz="UTC"), str: arrow.string()}
    schema = arrow.schema([(name, types[kinds.get(name, str)]) for name in columns])
    readers = [_reader(read, kinds.get(name, str)) for name, read in columns.items()]
    count = 0
    with parquet.ParquetWriter(file, schema) as writer:
        part: list[list[Any]] = [[] for _ in readers]
        async for row in rows:
            count += 1
            for cells, read in zip(part, readers, strict=True):
                cells.append(read(row))
            if count % _ROWS == 0:
                writer.write_table(arrow.table(part, schema=schema))
                part = [[] for _ in readers]
        if part[0]:
            writer.write_table(arrow.table(part, schema=schema))
    return count


def _reader(read: Callable[[M], object], kind: type) -> Callable[[M], object]:
    """Return a function that reads the cell of a row. Strings are those of the CSV output."""

    def cell(row: M) -> object:
        value = read(row)
        if value is None:
            return None
        if isinstance(value, datetime) and kind is datetime:
            return value.astimezone(UTC)
        return text_of(value) if kind is str else value

    return cell
