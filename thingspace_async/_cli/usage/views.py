"""The rows of the output: a device, a day or a group each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import attrs

from thingspace_async._cli._output import Columns
from thingspace_async._cli._parquet import Kinds

__all__ = ["By", "Row", "View", "view_of"]


class By(StrEnum):
    """The subject of a row."""

    DEVICE = "device"
    DAY = "day"
    GROUP = "group"


@attrs.frozen
class Row:
    """A row of a query."""

    values: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the row, with names in the style of the platform's JSON."""
        return dict(self.values)


@attrs.frozen(kw_only=True)
class View:
    """A query for the rows of a job, and how to show them."""

    query: str
    shown: Mapping[str, str]
    """The columns of the output, and those of the query."""
    names: tuple[str, ...]
    """The columns of the query that name a row in a chart: the first one that has a value."""
    charted: str = "megabytes"
    """The column of the query that a chart shows."""

    @property
    def columns(self) -> Columns[Row]:
        """The columns of the output."""
        return {name: _cell(key) for name, key in self.shown.items()}

    @property
    def kinds(self) -> Kinds:
        """The kinds of the columns that hold numbers."""
        return {name: _KINDS[key] for name, key in self.shown.items() if key in _KINDS}

    def name_of(self, row: Row) -> str:
        """Return the name of a row in a chart."""
        return next((str(row.values[name]) for name in self.names if row.values[name]), "none")

    def megabytes_of(self, row: Row) -> float:
        """Return the megabytes that a chart shows."""
        return float(row.values[self.charted])


def _cell(key: str) -> Callable[[Row], object]:
    return lambda row: row.values[key]


_KINDS: Final = {
    **dict.fromkeys(("devices", "bytesUsed", "smsUsed"), int),
    **dict.fromkeys(("megabytes", "allowance", "over"), float),
}

# Numbers of megabytes come first, because narrow terminals have no room for the last columns.
_DEVICE: Final = {
    "sms": "smsUsed",
    "service plan": "servicePlan",
    "mdn": "mdn",
    "groups": "groupNames",
    "bytes": "bytesUsed",
    "iccid": "iccid",
    "error": "error",
}
_SUM: Final = {"MB": "megabytes", "devices": "devices", "sms": "smsUsed", "bytes": "bytesUsed"}

_VIEWS: Final = {
    (By.DEVICE, False): View(
        query="""SELECT imei, iccid, mdn, plan AS servicePlan, grouped AS groupNames, bytes AS bytesUsed,
            round(bytes / 1e6, 3) AS megabytes, sms AS smsUsed, error FROM device ORDER BY bytes DESC, key""",
        shown={"imei": "imei", "MB": "megabytes", **_DEVICE},
        names=("imei", "mdn", "iccid"),
    ),
    (By.DEVICE, True): View(
        query="""SELECT imei, iccid, mdn, plan AS servicePlan, grouped AS groupNames, bytes AS bytesUsed,
            round(bytes / 1e6, 3) AS megabytes, round(allowance / 1e6, 3) AS allowance, round(excess / 1e6, 3) AS over,
            sms AS smsUsed, error FROM above ORDER BY excess DESC, key""",
        shown={"imei": "imei", "MB": "megabytes", "allowance MB": "allowance", "over MB": "over", **_DEVICE},
        names=("imei", "mdn", "iccid"),
        charted="over",
    ),
    (By.DAY, False): View(
        query="""SELECT day, devices, bytes AS bytesUsed, round(bytes / 1e6, 3) AS megabytes, sms AS smsUsed FROM day
            ORDER BY day""",
        shown={"day": "day", **_SUM},
        names=("day",),
    ),
    (By.GROUP, False): View(
        query="""SELECT grouped AS groupNames, count(*) AS devices, sum(bytes) AS bytesUsed,
            round(sum(bytes) / 1e6, 3) AS megabytes, sum(sms) AS smsUsed FROM device WHERE error IS NULL
            GROUP BY grouped ORDER BY sum(bytes) DESC, grouped""",
        shown={"groups": "groupNames", **_SUM},
        names=("groupNames",),
    ),
    (By.GROUP, True): View(
        query="""SELECT grouped AS groupNames, count(*) AS devices, sum(bytes) AS bytesUsed,
            round(sum(bytes) / 1e6, 3) AS megabytes, round(sum(excess) / 1e6, 3) AS over, sum(sms) AS smsUsed
            FROM above GROUP BY grouped ORDER BY sum(excess) DESC, grouped""",
        shown={"groups": "groupNames", "over MB": "over", **_SUM},
        names=("groupNames",),
        charted="over",
    ),
}


def view_of(by: By, *, over_plan: bool) -> View | None:
    """Return the view of a subject, or None if it does not exist."""
    return _VIEWS.get((by, over_plan))
