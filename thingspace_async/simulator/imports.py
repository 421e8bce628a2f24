"""Devices from CSV, in the format of `thingspace devices list --format csv`."""

from __future__ import annotations

import csv
from typing import Final

from thingspace_async.simulator.controls import Controls

__all__ = ["add_csv"]

_COLUMNS: Final = {
    "imei": "imei",
    "iccid": "iccid",
    "mdn": "mdn",
    "eid": "eid",
    "state": "state",
    "service plan": "service_plan",
    "service_plan": "service_plan",
    "group": "group_name",
    "account": "account_name",
}
"""The known columns, and the argument of `add_device` for each."""


def add_csv(cloud: Controls, text: str) -> int:
    """Add a device for each line, and missing accounts; return the number of devices.

    Other columns are ignored. Raises ValueError with the number of the wrong line.
    """
    reader = csv.DictReader(text.splitlines())
    try:
        return _add_rows(cloud, reader)
    except csv.Error as error:
        raise ValueError(f"after line {reader.line_num}: {error}") from None


def _add_rows(cloud: Controls, reader: csv.DictReader[str]) -> int:
    names = [name for name in reader.fieldnames or () if name.strip().casefold() in _COLUMNS]
    columns = {name: _COLUMNS[name.strip().casefold()] for name in names}
    if not columns:
        raise ValueError(f"the first line must name at least one of the columns {', '.join(_COLUMNS)}")
    added = 0
    for row in reader:
        given = {columns[name]: value.strip() for name, value in row.items() if name in columns and value}
        if not given.keys() & {"imei", "iccid", "mdn", "eid"}:
            raise ValueError(f"line {reader.line_num} has no identifier")
        if (account := given.get("account_name")) is not None and account not in cloud.accounts:
            cloud.add_account(account)
        try:
            cloud.add_device(**given)
        except ValueError as error:
            raise ValueError(f"line {reader.line_num}: {error}") from None
        added += 1
    return added
