"""Checks of single strings.

A `fault_of_…` function returns the reason why a string is refused, or None. The reason completes a sentence that begins
with the name of the value, such as "service_plan must not be empty".
"""

from __future__ import annotations

import ipaddress
from typing import Final

__all__ = [
    "SIZES",
    "fault_of_characters",
    "fault_of_identifier",
    "fault_of_input",
    "fault_of_text",
    "has_wrong_check_digit",
    "is_loopback",
]


def fault_of_text(value: object, *, may_be_empty: bool = False) -> str | None:
    """Return the fault of a string for a request, without showing the string, or None."""
    if not isinstance(value, str):
        return f"must be a str, not {type(value).__name__}"
    if not value and not may_be_empty:
        return "must not be empty"
    if not value.isprintable():
        return "contains a character that cannot be printed, such as a line end: remove it"
    return None


def fault_of_input(value: object, *, may_be_empty: bool = False) -> str | None:
    """Return the fault of a string as input for the platform, or None."""
    if (fault := fault_of_text(value, may_be_empty=may_be_empty)) is not None:
        return fault
    return fault_of_characters(str(value))


_FORBIDDEN: Final = frozenset("'<\\")
"""Characters that the platform refuses in any input, with INPUT_INVALID.Request.InvalidCharacter (PROTOCOL.md 4.1)."""


def fault_of_characters(value: str) -> str | None:
    """Return a fault if a string has a character that the platform refuses."""
    return None if _FORBIDDEN.isdisjoint(value) else "contains one of the characters ' < \\, which the platform refuses"


SIZES: Final = {
    # From PROTOCOL.md 4.1. Samples on the platform's pages have ICCIDs of 16 digits and EIDs of 30 digits, so these are
    # the least. The pages disagree on the length of IMEIs.
    "eid": range(30, 33),
    "iccid": range(16, 21),
    "imei": range(14, 17),
    "imsi": range(15, 16),
    "mdn": range(10, 11),
    "min": range(10, 11),
    "msisdn": range(11, 16),
}
"""Allowed numbers of digits by kind of identifier."""

_HEXADECIMAL: Final = frozenset("0123456789abcdefABCDEF")


def fault_of_identifier(kind: object, identifier: object) -> str | None:
    """Return the fault of a device's identifier, or None. The platform checks unknown kinds."""
    for name, part in (("an id", identifier), ("a kind", kind)):
        if (fault := fault_of_input(part)) is not None:
            return f"has {name} that {fault}"
    if (meaning := _expected(str(kind).casefold(), str(identifier))) is not None:
        return f"has the {kind} {identifier}, which must be {meaning}"
    return None


def _expected(kind: str, text: str) -> str | None:
    """Return the form of a kind of identifier if the string does not have it."""
    digits, size = text.isdigit() and text.isascii(), len(text)
    if (sizes := SIZES.get(kind)) is not None:
        expected = f"{sizes[0]} digits" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} digits"
        return None if digits and size in sizes else expected
    hexadecimal = _HEXADECIMAL.issuperset(text)
    if kind == "meid":
        return None if hexadecimal and size == 14 else "14 hexadecimal characters"
    if kind == "esn":
        return (
            None if (digits and size == 11) or (hexadecimal and size == 8) else "11 digits or 8 hexadecimal characters"
        )
    return None


_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]))
"""Contribution of each digit to a Luhn sum in the positions that count twice."""


def has_wrong_check_digit(number: str) -> bool:
    """Return whether the last digit of a number is not its Luhn check digit, as in an IMEI."""
    raw = number.encode()
    once, twice = raw[::-2], raw[-2::-2].translate(_DOUBLED)
    return (sum(once) - len(once) * ord("0") + sum(twice)) % 10 != 0


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, judging only by its name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
