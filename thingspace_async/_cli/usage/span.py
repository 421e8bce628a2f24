"""The days whose usage a command reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import attrs
import typer

from thingspace_async._cli._run import WrongUsage
from thingspace_async.devices.usage.many import span_of

__all__ = ["Days", "Span"]

_YEARS: Final = range(2000, 2100)
"""Others are mistyped, and could not be computed with."""


@attrs.frozen(kw_only=True)
class Span:
    """The first and the last moment to read."""

    name: str
    start: datetime
    end: datetime

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.end - self.start).days + 1


@attrs.frozen(kw_only=True)
class Days:
    """Options that name the days, in UTC."""

    month: Annotated[str | None, typer.Option(help="The month, in UTC, such as 2026-11.", show_default=False)] = None
    first: Annotated[
        str | None, typer.Option("--from", help="The first day, in UTC, such as 2026-11-15.", show_default=False)
    ] = None
    last: Annotated[str | None, typer.Option("--to", help="The last day, which is included.", show_default=False)] = (
        None
    )

    @property
    def span(self) -> Span:
        """The span. Raises WrongUsage unless the options name one."""
        if self.month is not None and self.first is None and self.last is None:
            start, end = span_of(self.month, None, None)
            return Span(name=self.month, start=start, end=end)
        if self.month is not None or self.first is None or self.last is None:
            raise WrongUsage("name either a month with --month, or days with both --from and --to")
        start, end = _day("--from", self.first), _day("--to", self.last)
        if start > end:
            raise WrongUsage(f"--from {self.first} is after --to {self.last}")
        # The platform includes the last moment.
        return Span(name=f"{start:%F} to {end:%F}", start=start, end=end + timedelta(days=1, seconds=-1))


def _day(option: str, given: str) -> datetime:
    try:
        found = datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        found = None
    if found is None or found.year not in _YEARS:
        raise WrongUsage(f"{option} {given} is not a day: write it as 2026-11-15")
    return found
