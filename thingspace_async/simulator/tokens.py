"""The OAuth token and the session tokens of the simulated platform (PROTOCOL.md 1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from thingspace_async.simulator.assumptions import Assumptions
from thingspace_async.simulator.clock import Clock
from thingspace_async.simulator.users import User

__all__ = ["AccessToken", "LiveSession", "Tokens"]

_IDLE: Final = timedelta(minutes=20)
_TOKEN_LIFE: Final = timedelta(hours=1)


@attrs.define
class LiveSession:
    """A platform session."""

    token: str = attrs.field(repr=False)
    user: User
    begun: datetime
    used: datetime


@attrs.frozen
class AccessToken:
    """The OAuth token of the application's key."""

    value: str = attrs.field(repr=False)
    issued: datetime

    @property
    def ends(self) -> datetime:
        """When it expires."""
        return self.issued + _TOKEN_LIFE


class Tokens:
    """The tokens that the platform has issued."""

    def __init__(self, clock: Clock, assumptions: Callable[[], Assumptions], new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._assumptions = assumptions
        self._new_id = new_id
        self._access: AccessToken | None = None
        self.sessions: dict[str, LiveSession] = {}
        """The sessions by token. Clear it to invalidate all of them."""

    @property
    def access(self) -> AccessToken | None:
        """The OAuth token; None after it expired."""
        token = self._access
        return token if token is not None and self._clock.now() < token.ends else None

    def issue_access(self) -> AccessToken:
        """Return the valid OAuth token, or issue a new one."""
        token = self.access
        if token is None:
            token = self._access = AccessToken(self._new_id().replace("-", ""), self._clock.now())
        return token

    def expire_access(self) -> None:
        """Make the OAuth token expire now."""
        self._access = None

    def begin_session(self, user: User) -> LiveSession:
        """Start a session."""
        if self._assumptions().exclusive_sessions:
            self.end_sessions(user)
        now = self._clock.now()
        session = LiveSession(self._new_id(), user, now, now)
        self.sessions[session.token] = session
        return session

    def end_sessions(self, user: User) -> None:
        """End all sessions of a user."""
        for token in [token for token, session in self.sessions.items() if session.user is user]:
            del self.sessions[token]

    def expire_sessions(self) -> None:
        """Make all sessions expire now, as after 20 idle minutes."""
        for session in self.sessions.values():
            session.used = datetime.min.replace(tzinfo=UTC)

    def session_ends(self, session: LiveSession) -> datetime:
        """Return the time at which a session expires if it is not used."""
        longest = self._assumptions().longest_session
        # `expire_sessions` sets `used` to the earliest datetime: adding to it is safe.
        idle = session.used + _IDLE
        return idle if longest is None else min(idle, session.begun + longest)

    def has_expired(self, session: LiveSession) -> bool:
        """Return whether a session was idle for too long or reached its maximum age."""
        return self._clock.now() > self.session_ends(session)
