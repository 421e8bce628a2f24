"""Prints rows: as a table for people, or as CSV or JSON for programs."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import islice
from textwrap import wrap
from typing import Annotated, Any, Final, Protocol, TextIO, TypeAlias, TypeVar

import attrs
import orjson
import typer
from rich.cells import cell_len

from thingspace_async._cli._cells import harmless
from thingspace_async._cli._run import WrongUsage

__all__ = ["Columns", "Format", "Output", "Shown", "each", "printable", "text_of"]

T = TypeVar("T")

Columns: TypeAlias = Mapping[str, Callable[[T], object]]
"""The name of each column, and how to read its cell. None is an empty cell."""


class Format(StrEnum):
    """Output formats."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


class Shown(Protocol):
    """A model, as the platform's JSON has it."""

    def to_dict(self) -> dict[str, Any]: ...


M = TypeVar("M", bound=Shown)

_FIRST_ROWS: Final = 100
"""Rows that decide the widths of a table. Later rows keep them."""

_GAP: Final = "  "


@attrs.frozen(kw_only=True)
class Output:
    """Options of commands that print rows."""

    form: Annotated[
        Format,
        typer.Option(
            "--format", help="json prints one array, jsonl one object on each line, csv a line of names first."
        ),
    ] = Format.TABLE
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False
    columns: Annotated[
        str | None,
        typer.Option(help="Columns of the table and the CSV output, such as imei,state.", show_default="all that fit"),
    ] = None

    async def rows(
        self, rows: AsyncIterable[M], columns: Columns[M], *, at_once: bool = False, file: TextIO | None = None
    ) -> int:
        """Print rows as they arrive, and return their number. JSON has all that the platform has sent.

        A table keeps the first rows back, to see how wide its columns are. With `at_once`, it prints each one at once,
        and leaves no column out.
        """
        form = Format.JSON if self.as_json else self.form
        chosen = self.chosen(columns)
        if form is Format.TABLE:
            first = 1 if at_once else _FIRST_ROWS
            is_chosen = at_once or self.columns is not None or file is not None
            return await _print_table(rows, chosen, first=first, is_chosen=is_chosen, file=file)
        if form is Format.CSV:
            return await _print_csv(rows, chosen, file)
        return await _print_json(rows, file, is_array=form is Format.JSON)

    def one(self, row: M, columns: Columns[M]) -> None:
        """Print one thing: a line for each of its columns, or a JSON object."""
        chosen = self.chosen(columns)
        form = Format.JSON if self.as_json else self.form
        if form is Format.CSV:
            typer.echo(_csv_line(chosen), nl=False)
            typer.echo(_csv_line(text_of(read(row)) for read in chosen.values()), nl=False)
        elif form is Format.TABLE:
            margin = max(map(len, chosen)) + len(_GAP)
            for name, read in chosen.items():
                if text := printable(text_of(read(row))):
                    typer.echo(f"{name.ljust(margin)}{_wrapped(text, margin)}")
        else:
            typer.echo(orjson.dumps(row.to_dict()).decode())

    def check(self, columns: Columns[M]) -> None:
        """Raise ConfigurationError if --columns names others: before a command sends a request that it prints about."""
        self.chosen(columns)

    def chosen(self, columns: Columns[M]) -> Columns[M]:
        """Return the columns that --columns names. Raises ConfigurationError if it names others."""
        if self.columns is None:
            return columns
        names = [name.strip() for name in self.columns.split(",")]
        if unknown := [name for name in names if name not in columns]:
            raise WrongUsage(f"--columns has no {', '.join(unknown)}: choose from {', '.join(columns)}")
        return {name: columns[name] for name in names}


def _wrapped(text: str, margin: int) -> str:
    """Break a text between words on a terminal. A long word, such as the path of a file, can be copied as a whole."""
    if not sys.stdout.isatty():
        return text
    width = max(1, shutil.get_terminal_size().columns - margin)
    return f"\n{' ' * margin}".join(wrap(text, width, break_long_words=False, break_on_hyphens=False))


async def each(rows: Iterable[M]) -> AsyncGenerator[M]:
    """Iterate over rows that have arrived together."""
    for row in rows:
        yield row


async def _print_table(
    rows: AsyncIterable[M], columns: Columns[M], *, first: int, is_chosen: bool, file: TextIO | None
) -> int:
    """Print rows in columns. The first rows decide how wide each column is, and on a terminal, which ones fit."""
    kept: list[list[str]] = []
    widths: list[int] | None = None
    count = 0
    async for row in rows:
        count += 1
        cells = [printable(text_of(read(row))) for read in columns.values()]
        if widths is not None:
            _print_line(cells, widths, file)
            continue
        kept.append(cells)
        if len(kept) == first:
            widths = _print_first(list(columns), kept, is_chosen=is_chosen, file=file)
    if widths is None:
        _print_first(list(columns), kept, is_chosen=is_chosen, file=file)
    return count


def _print_first(names: list[str], rows: list[list[str]], *, is_chosen: bool, file: TextIO | None) -> list[int]:
    """Print the names of the columns and the first rows, and return the widths."""
    widths = [max(map(cell_len, cells)) for cells in zip(names, *rows, strict=True)]
    if sys.stdout.isatty() and not is_chosen:
        widths = list(islice(widths, _count_that_fit(widths, shutil.get_terminal_size().columns)))
    for cells in (names, *rows):
        _print_line(cells, widths, file)
    return widths


def _count_that_fit(widths: Iterable[int], most: int) -> int:
    used = count = 0
    for width in widths:
        used += width + (len(_GAP) if count else 0)
        if used > most:
            break
        count += 1
    return max(count, 1)


def _print_line(cells: Iterable[str], widths: Iterable[int], file: TextIO | None) -> None:
    line = _GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=False))
    typer.echo(line.rstrip(), file=file)


async def _print_csv(rows: AsyncIterable[M], columns: Columns[M], file: TextIO | None) -> int:
    count = 0
    typer.echo(_csv_line(columns), nl=False, file=file)
    async for row in rows:
        typer.echo(_csv_line(text_of(read(row)) for read in columns.values()), nl=False, file=file)
        count += 1
    return count


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(harmless(cells))
    return line.getvalue()


async def _print_json(rows: AsyncIterable[M], file: TextIO | None, *, is_array: bool) -> int:
    """Print rows as JSON. An array is closed even after an error, so that a program can read the rows before it."""
    count = 0
    try:
        async for row in rows:
            text = orjson.dumps(row.to_dict()).decode()
            if is_array:
                typer.echo(f"{',' if count else '['}\n{text}", nl=False, file=file)
            else:
                typer.echo(text, file=file)
            count += 1
    except OSError:  # Nothing more can be written.
        raise
    except BaseException:
        if is_array:
            typer.echo("\n]" if count else "[]", file=file)
        raise
    if is_array:
        typer.echo("\n]" if count else "[]", file=file)
    return count


def printable(cell: str) -> str:
    """Replace control characters: the platform's strings must not move the cursor or split a row."""
    return "".join(one if one.isprintable() else "?" for one in cell)


def text_of(value: object) -> str:
    """Return a cell."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
