"""Types of field values that Python lacks: secrets, unset fields, and enumerations that may grow."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final, NoReturn, Self

__all__ = ["UNSET", "OpenEnum", "Secret", "Unset"]


class Unset(Enum):
    """Type of `UNSET`, for fields of an update in which null and absence have different meanings."""

    UNSET = "UNSET"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Leaves a field out of the request. None sends null instead."""


class OpenEnum(StrEnum):
    """An enumeration that keeps unknown values. Known values match in any case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        folded = value.casefold()
        for member in cls:
            if member.value.casefold() == folded:
                return member
        # Not stored in the class, because the platform may send any number of unknown values.
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown


class Secret:
    """A string that must not be shown. Only `reveal()` returns it. It can be copied, but not pickled."""

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        self._text: str = text.reveal() if isinstance(text, Secret) else text

    def reveal(self) -> str:
        """Return the hidden string."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __str__(self) -> str:
        return "**********"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled, because the pickle would show it: fetch it in each process")
