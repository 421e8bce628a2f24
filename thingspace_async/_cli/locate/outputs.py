"""The locations as CSV and as GeoJSON."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from typing import Any, Final, TextIO

import orjson

from thingspace_async._cli._cells import harmless
from thingspace_async.location import LocatedDevice

__all__ = ["as_geojson", "columns_of", "write_csv"]


def _time(one: LocatedDevice) -> str | None:
    return None if one.location.time is None else one.location.time.isoformat()


def _source(one: LocatedDevice) -> str:
    if one.location.failed:
        return "not located"
    return "known" if one.cached else "current"


_TEXTS: Final[dict[str, Callable[[LocatedDevice], str | None]]] = {
    "mdn": lambda one: one.device.mdn,
    "kind": lambda one: one.device.kind,
    "id": lambda one: one.device.id,
    "location": _source,
    "time": _time,
    "error": lambda one: None if one.location.error is None else one.location.error.type,
    "reason": lambda one: None if one.location.error is None else one.location.error.info,
}

_NUMBERS: Final[dict[str, Callable[[LocatedDevice], float | None]]] = {
    "latitude": lambda one: one.location.latitude,
    "longitude": lambda one: one.location.longitude,
    "accuracy": lambda one: one.location.accuracy,
}


def columns_of(one: LocatedDevice) -> dict[str, Any]:
    """Return the texts and numbers of a device by column. Accuracy is in meters."""
    return {name: read(one) for name, read in (_TEXTS | _NUMBERS).items()}


def write_csv(file: TextIO, found: Iterable[LocatedDevice]) -> None:
    """Write a line for each device."""
    writer = csv.writer(file)
    writer.writerow([*_TEXTS, *_NUMBERS])
    for one in found:
        # Numbers may begin with a minus sign. They are no formulas.
        numbers = ["" if (number := read(one)) is None else f"{number}" for read in _NUMBERS.values()]
        writer.writerow([*harmless(read(one) for read in _TEXTS.values()), *numbers])


def as_geojson(found: Iterable[LocatedDevice]) -> str:
    """Return a feature for each device. Devices that were not located have no geometry."""
    return orjson.dumps({"type": "FeatureCollection", "features": [_feature(one) for one in found]}).decode()


def _feature(one: LocatedDevice) -> dict[str, Any]:
    latitude, longitude = one.location.latitude, one.location.longitude
    is_located = latitude is not None and longitude is not None
    properties = columns_of(one)
    del properties["latitude"], properties["longitude"]
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [longitude, latitude]} if is_located else None,
        "properties": properties,
    }
