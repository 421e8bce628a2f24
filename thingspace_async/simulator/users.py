"""The users of the simulated platform, and their lock-out (PROTOCOL.md 2.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

__all__ = ["User", "Users"]

_MOST_REFUSALS: Final = 5


@attrs.define
class User:
    """A Unified Web Services user."""

    name: str
    password: str = attrs.field(repr=False)
    refusals: int = 0
    """Consecutive refused logins."""

    @property
    def locked(self) -> bool:
        """Whether the platform refuses even the right password."""
        return self.refusals >= _MOST_REFUSALS


class Users(Mapping[str, User]):
    """The users by name. Each has access to all accounts."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    def __getitem__(self, name: str) -> User:
        try:
            return self._users[name]
        except KeyError:
            raise KeyError(f"unknown user {name!r}; known: {', '.join(self._users)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._users)

    def __len__(self) -> int:
        return len(self._users)

    def add(self, name: str, password: str) -> User:
        """Add a user, or replace the user with this name."""
        user = self._users[name] = User(name, password)
        return user

    def lock(self, name: str) -> None:
        """Lock a user, as five refused logins do."""
        self[name].refusals = _MOST_REFUSALS

    def unlock(self, name: str) -> None:
        """Unlock a user, as only the platform's support can."""
        self[name].refusals = 0

    def set_password(self, name: str, password: str) -> None:
        """Change a password without the client's knowledge."""
        self[name].password = password
