"""Prints rows, or writes them to a file."""

from __future__ import annotations

from collections.abc import AsyncIterable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import attrs
import typer

from thingspace_async._cli import _parquet
from thingspace_async._cli._files import check_writable, replaced
from thingspace_async._cli._output import Columns, Format, Output, Shown
from thingspace_async._cli._run import WrongUsage

__all__ = ["FileFormat", "FileOutput"]

M = TypeVar("M", bound=Shown)


class FileFormat(StrEnum):
    """Output formats."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


@attrs.frozen(kw_only=True)
class FileOutput:
    """Options of commands that print rows, or write them to a file."""

    form: Annotated[
        FileFormat | None,
        typer.Option(
            "--format",
            help="json prints one array, jsonl one object on each line, csv a line of names first. parquet needs "
            "--output.",
            show_default="table, or the ending of --output",
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns of the table, the CSV and the Parquet output, such as imei,mdn.",
            show_default="all that fit",
        ),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option(help="The file to write. It replaces an earlier one when it is complete.", show_default="stdout"),
    ] = None

    def check(self, columns: Columns[M]) -> None:
        """Raise WrongUsage for options that do not work. Use it before a command sends a request."""
        self._printed.check(columns)
        if self.output is not None:
            check_writable("--output", self.output)
        if self._form is FileFormat.PARQUET:
            if self.output is None:
                raise WrongUsage("--format parquet needs a file: name it with --output")
            _parquet.check_library()

    async def rows(self, rows: AsyncIterable[M], columns: Columns[M], kinds: _parquet.Kinds) -> int:
        """Print or write rows as they arrive, and return their number. `kinds` are those of Parquet columns."""
        if self.output is None:
            return await self._printed.rows(rows, columns)
        with replaced(self.output) as file:
            if self._form is FileFormat.PARQUET:
                return await _parquet.write_parquet(file.buffer, rows, self._printed.chosen(columns), kinds)
            return await self._printed.rows(rows, columns, file=file)

    @property
    def _form(self) -> FileFormat:
        if self.as_json:
            return FileFormat.JSON
        if self.form is not None:
            return self.form
        if self.output is None:
            return FileFormat.TABLE
        with suppress(ValueError):
            return FileFormat(self.output.suffix.removeprefix(".").casefold())
        return FileFormat.CSV

    @property
    def _printed(self) -> Output:
        """The options of the formats that are text."""
        is_text = self._form is not FileFormat.PARQUET
        return Output(form=Format(self._form) if is_text else Format.CSV, columns=self.columns)
