"""A purchased number of items, such as licences, that devices use until they are returned."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

__all__ = ["Allowance"]


class Allowance:
    """A purchased number of items, and their users."""

    def __init__(self, bought: int) -> None:
        self.bought = bought
        self.used_by: set[Hashable] = set()

    @property
    def left(self) -> int:
        """The number of unused items."""
        return self.bought - len(self.used_by)

    def assign(self, users: Iterable[Hashable]) -> dict[Hashable, str | None]:
        """Assign an item to each user; return for each the reason of a refusal, or None."""
        return {user: self._assign(user) for user in users}

    def _assign(self, user: Hashable) -> str | None:
        if user in self.used_by:
            return "assigned already"
        if not self.left:
            return f"all {self.bought} are in use"
        self.used_by.add(user)
        return None

    def remove(self, users: Iterable[Hashable]) -> dict[Hashable, str | None]:
        """Take the items back; return for each user the reason of a refusal, or None."""
        return {user: self._remove(user) for user in users}

    def _remove(self, user: Hashable) -> str | None:
        if user not in self.used_by:
            return "not assigned"
        self.used_by.remove(user)
        return None
