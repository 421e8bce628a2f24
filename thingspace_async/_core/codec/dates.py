"""Dates and time stamps, in all forms that the platform publishes."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final, cast

from thingspace_async._core.codec.kinds import Mismatch, named

__all__ = ["parse_date", "parse_datetime"]

# Compiled at first use, to keep the import fast.
_SPELT_OUT: Final = r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d{4}) [A-Z]{3,4}"
_TWO_FRACTIONS: Final = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+)\.\d+(Z)"
_AMERICAN: Final = r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d)"


def parse_datetime(text: object) -> datetime:
    """Read a time stamp in ISO 8601, or in one of the odd forms in the platform's published answers."""
    if text.__class__ is not str:
        raise Mismatch(f"expected a time stamp, found {named(text)}")
    stamp = str(text)
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        pass
    if match := re.fullmatch(_AMERICAN, stamp):  # 10/15/2021 04:49:35, global_reporting
        stamp = f"{match[3]}-{match[1]}-{match[2]}T{match[4]}"
    elif match := re.fullmatch(_SPELT_OUT, stamp):  # 2018-03-22 00:06:00.069 +0000 UTC, software_management_licenses_v2
        stamp = f"{match[1]}T{match[2]}{match[3]}"
    elif match := re.fullmatch(_TWO_FRACTIONS, stamp):  # 2021-10-21T23:57:03.397.0000Z
        stamp = match[1] + match[2]
    elif stamp.endswith("Z"):  # 2020-05-01T15:00:00-08:00Z, list_devices_with_imei_iccid_mismatch
        stamp = stamp.removesuffix("Z")
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        pass
    raise Mismatch("expected a time stamp such as 2026-01-31T12:00:00Z, found another string")


def parse_date(text: object) -> date:
    """Read a date, or the date of a time stamp."""
    try:
        return date.fromisoformat(cast(str, text))
    except (TypeError, ValueError):
        return parse_datetime(text).date()
