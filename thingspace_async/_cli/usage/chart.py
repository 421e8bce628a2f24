"""Bars of the megabytes that devices, days or groups have used: in a terminal, and on a page."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Final, NamedTuple

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from thingspace_async._cli._output import printable

__all__ = ["Bar", "Chart", "chart_of", "chart_page", "print_chart"]

_MOST: Final = 50
"""Bars of a chart."""


class Bar(NamedTuple):
    """A bar."""

    name: str
    megabytes: float


class Chart(NamedTuple):
    """The first bars, and the number of the others."""

    bars: Sequence[Bar]
    others: int

    @property
    def longest(self) -> float:
        """The megabytes of the longest bar."""
        return max((bar.megabytes for bar in self.bars), default=0)

    @property
    def rest(self) -> str:
        """A line about the other bars, or an empty string."""
        return f"and {self.others:,} more" if self.others else ""


def chart_of(bars: Iterable[Bar]) -> Chart:
    """Return a chart of the first bars."""
    rest = iter(bars)
    first = [Bar(printable(bar.name), bar.megabytes) for bar in islice(rest, _MOST)]
    return Chart(first, sum(1 for _ in rest))


def print_chart(title: str, chart: Chart) -> None:
    """Print a chart that is as wide as the terminal, or 80 columns where there is none."""
    console = Console(file=sys.stdout, highlight=False)
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(overflow="fold", max_width=max(console.width // 3, 10))
    table.add_column(ratio=1)
    table.add_column(no_wrap=True, justify="right")
    for name, megabytes in chart.bars:
        bar = ProgressBar(chart.longest or 1, megabytes, style="none", finished_style="bar.complete")
        table.add_row(Text(name), bar, Text(f"{megabytes:,.3f} MB"))
    console.print(Text(title))
    console.print(table)
    if chart.rest:
        console.print(Text(chart.rest))


_ROW: Final = 24
"""Height of a bar with its space, in pixels."""

_NAMES: Final = 330
_BARS: Final = 470
"""Widths of the names and of the longest bar, in pixels."""

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 960px; padding: 0 1rem; color: #212529 }}
div {{ overflow-x: auto }}
svg {{ width: 100%; min-width: 640px; height: auto; font-size: 13px }}
rect {{ fill: #1c7ed6 }}
text {{ fill: currentColor; dominant-baseline: central }}
@media (prefers-color-scheme: dark) {{ body {{ background: #212529; color: #f8f9fa }} rect {{ fill: #4dabf7 }} }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
<div>
<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}">
{bars}
</svg>
</div>
<p>{rest}</p>
</body>
</html>
"""


def chart_page(title: str, summary: str, chart: Chart) -> str:
    """Return a page with a chart. It loads nothing, and its policy forbids browsers to do so."""
    return _PAGE.format(
        title=escape(printable(title)),
        summary=escape(printable(summary)),
        rest=escape(chart.rest),
        width=_NAMES + _BARS + 130,
        height=max(_ROW * len(chart.bars), 1),
        bars="\n".join(_svg(place, bar, chart.longest or 1) for place, bar in enumerate(chart.bars)),
    )


_NAME_LENGTH: Final = 36
"""Characters of a name that have room next to its bar."""


def _svg(place: int, bar: Bar, longest: float) -> str:
    """Return the name of a bar, the bar and its number. Pointing at them shows the whole name."""
    top, middle, length = _ROW * place + 4, _ROW * place + _ROW // 2, bar.megabytes / longest * _BARS
    number = f"{bar.megabytes:,.3f} MB"
    short = bar.name if len(bar.name) <= _NAME_LENGTH else f"{bar.name[: _NAME_LENGTH - 1]}…"
    return (
        f"<g><title>{escape(bar.name)}: {number}</title>"
        f'<text x="{_NAMES - 10}" y="{middle}" text-anchor="end">{escape(short)}</text>'
        f'<rect x="{_NAMES}" y="{top}" width="{length:.1f}" height="{_ROW - 8}" rx="2"/>'
        f'<text x="{_NAMES + length + 8:.1f}" y="{middle}">{number}</text></g>'
    )
