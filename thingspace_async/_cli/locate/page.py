"""The map: one page that contains everything, and that loads nothing from the network.

`outlines.json` has the names of US states, and lines of alternating longitudes and latitudes: the borders and
coasts of countries by Natural Earth (1:110,000,000), and those of US states by the US Census Bureau (1:10,000,000).
Both are in the public domain.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from importlib import import_module
from importlib.resources import files
from typing import Any, Final

from thingspace_async._cli.locate.outputs import columns_of
from thingspace_async.errors import ConfigurationError
from thingspace_async.location import LocatedDevice

__all__ = ["check_library", "map_page"]

_COLORS: Final = {"current": "#d6336c", "known": "#1c7ed6"}
_BUTTONS: Final = ("toImage", "zoomIn2d", "zoomOut2d", "resetScale2d")
"""None of them sends the locations anywhere."""
_MOST_AS_SVG: Final = 5_000
"""With more devices, the browser draws points with WebGL."""
_LEAST_DEGREES: Final = 2.0
"""Half of the smallest section of the map to show at first, so that it has an outline."""
_HOVER: Final = (
    "<b>%{customdata[0]}</b><br>%{y:.5f}, %{x:.5f}<br>accuracy %{customdata[1]} m<br>%{customdata[2]}<extra></extra>"
)


def check_library() -> None:
    """Raise ConfigurationError if the library that draws is missing."""
    _library()


def _library() -> Any:
    try:
        return import_module("plotly.graph_objects")
    except ModuleNotFoundError as missing:
        raise ConfigurationError(f"--html needs {missing.name}: pip install 'thingspace_async[map]'") from None


def map_page(title: str, found: Iterable[LocatedDevice]) -> str:
    """Return a page with a map of the located devices, over the outlines of countries and of US states."""
    draw = _library()
    points: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _COLORS}
    for one in found:
        columns = columns_of(one)
        if columns["location"] in points:
            points[columns["location"]].append(columns)
    every = [one for kind in points.values() for one in kind]
    kind_of_trace = draw.Scattergl if len(every) > _MOST_AS_SVG else draw.Scatter
    figure = draw.Figure(
        data=[
            *_outlines(draw),
            *(
                kind_of_trace(
                    x=[one["longitude"] for one in several],
                    y=[one["latitude"] for one in several],
                    customdata=[[one["mdn"], one["accuracy"], one["time"]] for one in several],
                    mode="markers",
                    marker={"size": 7, "color": _COLORS[kind], "opacity": 0.7},
                    name=f"{kind} location ({len(several):,})",
                    hovertemplate=_HOVER,
                )
                for kind, several in points.items()
            ),
        ],
        layout=_layout(title, every),
    )
    options = {"scrollZoom": True, "displaylogo": False, "responsive": True, "modeBarButtons": [_BUTTONS]}
    page: str = figure.to_html(include_plotlyjs=True, full_html=True, config=options, default_height="100vh")
    # An empty icon, because a browser requests one otherwise.
    icon, style = '<link rel="icon" href="data:,">', "<style>body { margin: 0 }</style>"
    head = f'<head><meta name="viewport" content="width=device-width">{icon}{style}<title>{escape(title)}</title>'
    return page.replace("<head>", head, 1)


def _outlines(draw: Any) -> list[Any]:
    """Return the outlines as one line with gaps, and the names of US states."""
    known = json.loads((files("thingspace_async._cli.locate") / "outlines.json").read_text(encoding="utf-8"))
    lines: list[list[float]] = known["lines"]
    states: list[tuple[float, float, str]] = known["states"]
    common = {"hoverinfo": "skip", "showlegend": False}
    return [
        draw.Scatter(
            x=[place for line in lines for place in (*line[::2], None)],
            y=[place for line in lines for place in (*line[1::2], None)],
            mode="lines",
            line={"color": "#adb5bd", "width": 1},
            **common,
        ),
        draw.Scatter(
            x=[longitude for longitude, _, _ in states],
            y=[latitude for _, latitude, _ in states],
            text=[name for _, _, name in states],
            mode="text",
            textfont={"color": "#868e96", "size": 10},
            **common,
        ),
    ]


def _layout(title: str, points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Show the section of the map that has the devices, with the same scale in both directions at its middle."""
    x = _range([one["longitude"] for one in points], 180)
    y = _range([one["latitude"] for one in points], 90)
    scale = 1 / max(math.cos(math.radians((y[0] + y[1]) / 2)), 0.1)
    axis = {"showgrid": False, "zeroline": False, "ticksuffix": "°"}
    return {
        "title": {"text": escape(title), "x": 0.01},
        "template": "none",
        "dragmode": "pan",
        "hovermode": "closest",
        "plot_bgcolor": "#f8f9fa",
        "margin": {"l": 50, "r": 10, "t": 50, "b": 40},
        "legend": {"orientation": "h", "y": 1.02, "x": 1, "xanchor": "right"},
        "xaxis": {**axis, "range": x},
        "yaxis": {**axis, "range": y, "scaleanchor": "x", "scaleratio": scale},
    }


def _range(values: Sequence[float], most: float) -> tuple[float, float]:
    """Return a range with some room on both sides, or everything without values."""
    if not values:
        return -most, most
    middle, half = (min(values) + max(values)) / 2, (max(values) - min(values)) / 2
    half = max(half * 1.1, _LEAST_DEGREES)
    return middle - half, middle + half
